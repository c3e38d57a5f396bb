//! What is told of locations themselves: silent, heard again, a clock that is off, two probes of one name.

use std::time::Duration;

use super::agree::sentence;
use crate::domain::duration_text::Human;
use crate::domain::location::LocationName;
use crate::domain::notification::News;

/// Locations that were not heard any more; `since` is the earliest of their last signs of life, as people read it.
pub fn silent(locations: &[LocationName], since: &str) -> News {
    let names = sentence(locations.iter());
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
pub fn back(locations: &[LocationName], after: Duration) -> News {
    let names = sentence(locations.iter());
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
pub fn clock_is_off(location: &LocationName, offset_ms: i64) -> News {
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
pub fn clock_is_right(location: &LocationName) -> News {
    News::Back {
        what: format!("clock {location}"),
        after: Duration::ZERO,
        detail: format!("The clock of location {location} is right again."),
    }
}

/// Two probes have one name.
pub fn twin(location: &LocationName) -> News {
    News::Trouble {
        what: format!("location {location}"),
        detail: format!(
            "Two probes call themselves {location}: what comes from the older spool is dropped. Give one of them \
             another name, or remove the spool of the one that is not wanted."
        ),
    }
}
