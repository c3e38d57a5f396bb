//! What is told of locations themselves: silent, heard again, a clock that is off, two probes of one name.

use std::time::Duration;

use crate::domain::duration_text::Human;
use crate::domain::location::{LocationName, ProbeName};
use crate::domain::notification::News;

/// Locations, or shares of them, that were not heard any more; `since` is the earliest of their last signs of life, as
/// people read it.
pub fn silent(locations: &[String], since: &str) -> News {
    let names = list_of(locations);
    let (its, it, sees, reach) = match locations.len() {
        1 => ("Its", "it", "sees", "it and this hub reach"),
        _ => ("Their", "they", "see", "they and this hub reach"),
    };
    News::Trouble {
        what: match locations.len() {
            1 => format!("location {names}"),
            _ => format!("locations {names}"),
        },
        detail: format!(
            "Nothing was heard from {names} since {since}. {its} monitors are judged by the locations that are left; \
             what {it} {sees} meanwhile is kept there and comes later, as history. Look whether sitewatch runs there, \
             and whether {reach} the NATS server."
        ),
    }
}

/// Locations that are heard again, after so long.
pub fn back(locations: &[String], after: Duration) -> News {
    let names = list_of(locations);
    let (are, it) = match locations.len() {
        1 => ("is", "it"),
        _ => ("are", "they"),
    };
    News::Back {
        detail: format!(
            "{names} {are} heard again. What {it} saw meanwhile comes in as history and raises no alarm."
        ),
        what: names,
        after,
    }
}

/// A clock that is off by so many milliseconds: hub's less probe's.
pub fn clock_is_off(location: &ProbeName, offset_ms: i64) -> News {
    let by = Human(Duration::from_millis(offset_ms.unsigned_abs()));
    let way = if offset_ms < 0 { "ahead" } else { "behind" };
    News::Trouble {
        what: format!("clock {location}"),
        detail: format!(
            "The clock of location {location} is {way} by {by}. Times of its checks are corrected; set \
             its clock (NTP), since certificates are judged there by it."
        ),
    }
}

/// A clock that is right again.
pub fn clock_is_right(location: &ProbeName) -> News {
    News::Back {
        what: format!("clock {location}"),
        after: Duration::ZERO,
        detail: format!("The clock of location {location} is right again."),
    }
}

/// Two probes have one name, and one share if they have any.
pub fn twin(sender: &ProbeName) -> News {
    News::Trouble {
        what: format!("location {sender}"),
        detail: format!(
            "Two probes call themselves {sender}: what comes from the older spool is dropped. Give one of them \
             another {}, or remove the spool of the one that is not wanted.",
            if sender.share.is_some() {
                "share"
            } else {
                "name"
            }
        ),
    }
}

/// A probe shares its location in another way than those that were there before, which are so many; `None`: one that
/// checks all monitors.
pub fn other_share(sender: &ProbeName, before: Option<u16>) -> News {
    let location = &sender.location;
    let says = match sender.share {
        Some(share) => format!("has the share {share}"),
        None => "has no share and checks all monitors".to_owned(),
    };
    let (others, rule) = match before {
        Some(of) => (
            format!("others share them by {of}"),
            format!("Give it one of the shares 1/{of} to {of}/{of}"),
        ),
        None => (
            "another one has no share and checks all of them".to_owned(),
            "Stop that one, or take the share out".to_owned(),
        ),
    };
    News::Trouble {
        what: format!("location {sender}"),
        detail: format!(
            "A probe of {location} {says}, while {others}: its checks are dropped, since monitors would be \
             checked twice. {rule}."
        ),
    }
}

fn list_of(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    sentence_of(&names)
}

/// `fra`, `fra and nyc`, `fra, nyc and sgp`
pub fn sentence<'a>(names: impl Iterator<Item = &'a LocationName>) -> String {
    let names: Vec<&str> = names.map(LocationName::as_str).collect();
    sentence_of(&names)
}

/// As [`sentence`].
fn sentence_of(names: &[&str]) -> String {
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
