//! Numbers, times and the overall state, as people read them.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::civil::Date;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::rows::{Frame, IncidentRow, Look, MonitorRow, State};
use crate::domain::check::Micros;
use crate::domain::duration_text::Human;
use crate::domain::timestamp::Timestamp;

/// A line of a feed; what is longer is cut.
const LINE_CHARS_MAX: usize = 1000;

/// Everything but the unreserved characters of RFC 3986, so that a name is one path segment whatever it holds.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name as one segment of a path or one value of a query.
///
/// A browser takes `.` and `..` for steps, encoded or not, so these two names get a `~` in front;
/// the server tries a name as it came first and without that sign then.
pub fn segment(name: &str) -> String {
    match name {
        "." | ".." => format!("~{name}"),
        _ => utf8_percent_encode(name, SEGMENT).to_string(),
    }
}

/// The address of a monitor's page.
pub fn monitor_path(name: &str) -> String {
    format!("/monitor/{}", segment(name))
}

/// Hundredths of a percent: `99.98 %`, and `100 %` only without any loss.
pub fn percent(share: Option<u32>) -> String {
    match share {
        None => "no data".to_owned(),
        Some(10_000..) => "100\u{202f}%".to_owned(),
        Some(share) => format!("{}.{:02}\u{202f}%", share / 100, share % 100),
    }
}

/// A phase or a whole check: `180 ms`, `1 043 ms`, `0.4 ms`.
pub fn millis(time: Micros) -> String {
    if time.get() == 0 {
        return "0\u{202f}ms".to_owned();
    }
    if time.get() < 10_000 {
        return format!("{:.1}\u{202f}ms", time.as_ms());
    }
    let digits = (u64::from(time.get()).saturating_add(500) / 1000).to_string();
    let mut text = String::with_capacity(digits.len() + 8);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text.push_str("\u{202f}ms");
    text
}

/// Milliseconds of a roll-up as `14m 5s`.
pub fn span(ms: u64) -> Human {
    Human(Duration::from_millis(ms))
}

/// A moment in the configured zone, with the year where it is another than the page's.
pub fn moment(frame: &Frame, at: Timestamp) -> Markup {
    html! { time datetime=(at) { (moment_text(frame, at)) } }
}

/// The text of [`moment`].
pub fn moment_text(frame: &Frame, at: Timestamp) -> String {
    let zoned = at.in_zone(&frame.zone);
    let year = frame.now.in_zone(&frame.zone).year();
    let form = if zoned.year() == year {
        "%-d %b %H:%M:%S"
    } else {
        "%-d %b %Y %H:%M"
    };
    zoned.strftime(form).to_string()
}

/// A moment without seconds, for what was planned to the minute.
pub fn minute(frame: &Frame, at: Timestamp) -> Markup {
    let zoned = at.in_zone(&frame.zone);
    let year = frame.now.in_zone(&frame.zone).year();
    let form = if zoned.year() == year {
        "%a %-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    html! { time datetime=(at) { (zoned.strftime(form).to_string()) } }
}

/// `3 Nov`.
pub fn day(date: Date) -> String {
    date.strftime("%-d %b").to_string()
}

/// How long an incident lasted or lasts.
pub fn lasted(incident: &IncidentRow, now: Timestamp) -> Human {
    Human(incident.closed_at.unwrap_or(now).since(incident.opened_at))
}

/// `1 site`, `12 sites`.
pub fn sites(count: usize) -> String {
    counted(count, "site")
}

/// One line without the characters that XML cannot hold even escaped.
pub fn xml_safe(text: &str) -> String {
    crate::domain::safe_text::line(text, LINE_CHARS_MAX)
        .replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// What stands beside a state, for people.
pub fn flag(word: &'static str) -> &'static str {
    match word {
        "acked" => "acknowledged",
        "maintenance" => "in maintenance",
        word => word,
    }
}

/// `1 failed check`, `12 failed checks`.
pub fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// The state of everything in one sentence, and how it is drawn. What is in maintenance counts as planned, whatever its
/// state.
pub fn overall(monitors: &[MonitorRow]) -> (Look, String) {
    let planned = monitors.iter().filter(|row| row.in_maintenance()).count();
    let count = |state: State| {
        let rows = monitors.iter().filter(|row| !row.in_maintenance());
        rows.filter(|row| row.state == state).count()
    };
    let paused = count(State::Paused);
    let watched = monitors.len() - paused;
    let others = watched - planned;
    let (down, degraded) = (count(State::Down), count(State::Degraded));
    let (unknown, pending) = (count(State::Unknown), count(State::Pending));
    let of = |part: usize, what: &str| match (part, watched) {
        (1, 1) => format!("The only site is {what}"),
        (all, whole) if all == whole => format!("All {} are {what}", sites(whole)),
        (1, whole) => format!("1 of {} is {what}", sites(whole)),
        (part, whole) => format!("{part} of {} are {what}", sites(whole)),
    };
    let (look, mut text): (Look, String) = if monitors.is_empty() {
        (State::Pending.into(), "Nothing is watched yet".to_owned())
    } else if watched == 0 {
        (State::Paused.into(), "All monitors are paused".to_owned())
    } else if down > 0 {
        (State::Down.into(), of(down, "down"))
    } else if unknown == others && unknown > 0 {
        let text = "Nothing is known at the moment".to_owned();
        (State::Unknown.into(), text)
    } else if unknown > 0 {
        (
            State::Unknown.into(),
            of(unknown, "not verified at the moment"),
        )
    } else if degraded > 0 {
        // Sites in maintenance, and those not checked yet, may well not answer.
        let text = match planned + pending {
            0 => format!("All sites answer, {degraded} with reservations"),
            _ => of(degraded, "degraded"),
        };
        (State::Degraded.into(), text)
    } else if pending > 0 {
        let text = of(pending, "waiting for a first check");
        (State::Pending.into(), text)
    } else if planned > 0 {
        let text = match others {
            0 => of(planned, "in maintenance"),
            1 => format!("{}, the other one is up", of(planned, "in maintenance")),
            others => format!(
                "{}, the other {others} are up",
                of(planned, "in maintenance")
            ),
        };
        (Look::MAINTENANCE, text)
    } else {
        (State::Up.into(), of(watched, "up"))
    };
    let mut beside = |number: usize, what: &str| {
        if number > 0 {
            let _ = write!(text, ", {number} {what}");
        }
    };
    let is = |state: State| look == Look::from(state);
    if is(State::Down) || is(State::Unknown) {
        beside(degraded, "degraded");
    }
    if is(State::Down) {
        beside(unknown, "not verified");
    }
    if look != Look::MAINTENANCE {
        beside(planned, "in maintenance");
    }
    if watched > 0 {
        beside(paused, "paused");
    }
    (look, text)
}

/// `▲ fra ▼ nyc ? sgp`: each location with the sign of what it says, and the word for readers that hear it.
pub(super) fn locations(all: &[(String, State)]) -> Markup {
    html! {
        @for (index, (location, state)) in all.iter().enumerate() {
            @if index > 0 { " " }
            span title={ (location) ": " (state.as_str()) } {
                span aria-label=(state.as_str()) role="img" { (state.sign()) } " " (location)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(states: &[State]) -> Vec<MonitorRow> {
        states
            .iter()
            .map(|state| MonitorRow {
                state: *state,
                ..super::super::rows::tests::row("a")
            })
            .collect()
    }

    #[test]
    fn everything_in_one_sentence() {
        use State::{Degraded, Down, Paused, Pending, Unknown, Up};
        for (states, want) in [
            (&[][..], "Nothing is watched yet"),
            (&[Up], "The only site is up"),
            (&[Up, Up], "All 2 sites are up"),
            (&[Up, Down, Up], "1 of 3 sites is down"),
            (&[Down, Down, Degraded], "2 of 3 sites are down, 1 degraded"),
            (&[Degraded, Up], "All sites answer, 1 with reservations"),
            (&[Degraded, Pending], "1 of 2 sites is degraded"),
            (&[Unknown, Unknown], "Nothing is known at the moment"),
            (&[Unknown, Up], "1 of 2 sites is not verified at the moment"),
            (&[Pending, Up], "1 of 2 sites is waiting for a first check"),
            (&[Paused, Up, Up], "All 2 sites are up, 1 paused"),
            (&[Paused], "All monitors are paused"),
        ] {
            assert_eq!(overall(&rows(states)).1, want);
        }
    }

    #[test]
    fn planned_maintenance_is_no_outage() {
        let mut rows = rows(&[State::Down, State::Up, State::Up]);
        rows[0].flags = vec!["maintenance"];
        let (look, text) = overall(&rows);
        assert_eq!(look, Look::MAINTENANCE);
        assert_eq!(text, "1 of 3 sites is in maintenance, the other 2 are up");
        rows[1].state = State::Down;
        let (look, text) = overall(&rows);
        assert_eq!(look, State::Down.into());
        assert_eq!(text, "1 of 3 sites is down, 1 in maintenance");
        rows[1].state = State::Degraded;
        let (look, text) = overall(&rows);
        assert_eq!(look, State::Degraded.into());
        assert_eq!(text, "1 of 3 sites is degraded, 1 in maintenance");
        let (look, text) = overall(&rows[..1]);
        assert_eq!(look, Look::MAINTENANCE);
        assert_eq!(text, "The only site is in maintenance");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(percent(Some(9_999)), "99.99\u{202f}%");
        assert_eq!(percent(Some(10_000)), "100\u{202f}%");
        assert_eq!(percent(Some(5)), "0.05\u{202f}%");
        assert_eq!(percent(None), "no data");
        assert_eq!(millis(Micros::new(420)), "0.4\u{202f}ms");
        assert_eq!(millis(Micros::new(180_400)), "180\u{202f}ms");
        assert_eq!(millis(Micros::new(1_043_000)), "1\u{202f}043\u{202f}ms");
        assert_eq!(millis(Micros::MAX), "4\u{202f}294\u{202f}967\u{202f}ms");
    }

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(monitor_path("shop"), "/monitor/shop");
        assert_eq!(monitor_path("a/b?c#d"), "/monitor/a%2Fb%3Fc%23d");
        assert_eq!(monitor_path("Größe"), "/monitor/Gr%C3%B6%C3%9Fe");
        assert_eq!(monitor_path(".."), "/monitor/~..");
    }
}
