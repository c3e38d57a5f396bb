//! Subjects: a stable interface. Everything variable stands in brackets, the monitor's name alone outside.

use crate::domain::check::FailureKind;
use crate::domain::incident::Beginnings;
use crate::domain::monitor::MonitorName;
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;

use crate::view::objective::times;

use super::context::Currents;
use super::digest_rows::{self, Row, State};
use super::named::{self, Group};
use super::words;

/// A name longer than this is cut in its middle: always at the same place, so that its mails keep one thread.
const NAME_CHARS_MAX: usize = 60;

/// The subject of a mail that leaves at `now` from `host`.
pub fn of(
    parcel: &Parcel,
    host: &str,
    now: Timestamp,
    beginnings: &Beginnings,
    currents: &Currents,
) -> String {
    match parcel.notices.as_slice() {
        [down, up]
            if parcel.kind != MailKind::Digest
                && let Some((began, ended)) = was_down(down, up, beginnings) =>
        {
            let lasted = words::between(began, ended);
            about(&format!("WAS DOWN {lasted}"), down, host)
        }
        [one] if parcel.kind != MailKind::Digest => single(one, host, now, beginnings, currents),
        many => named::of(&groups(&digest_rows::rows(many, currents)), host),
    }
}

/// From when to when the outage lasted whose beginning and end these two report.
pub(super) fn was_down(
    down: &Notice,
    up: &Notice,
    beginnings: &Beginnings,
) -> Option<(Timestamp, Timestamp)> {
    match (&down.news, &up.news) {
        (
            News::Down { incident, .. }
            | News::StillDown { incident, .. }
            | News::Escalated { incident, .. },
            News::Up {
                incident: ended,
                closed_at,
                ..
            },
        ) if incident == ended => Some((beginnings.of(*incident), *closed_at)),
        _ => None,
    }
}

fn single(
    notice: &Notice,
    host: &str,
    now: Timestamp,
    beginnings: &Beginnings,
    currents: &Currents,
) -> String {
    let word = match &notice.news {
        News::Down { cause, .. } => {
            format!("DOWN {}", words::cause_word(&cause.failure, cause.status))
        }
        News::StillDown { incident, .. } => {
            format!(
                "STILL DOWN {}",
                words::span(now.since(beginnings.of(*incident)))
            )
        }
        News::Escalated { after, .. } => format!("ESCALATED {}", words::span(*after)),
        News::Up {
            incident,
            closed_at,
            flapping_since,
            ..
        } => {
            let began = flapping_since.unwrap_or_else(|| beginnings.of(*incident));
            format!("UP after {}", words::between(began, *closed_at))
        }
        News::Degraded { reason, .. } => format!("DEGRADED {reason}"),
        News::CertificateExpiring { .. } => {
            format!("DEGRADED {}", FailureKind::CertificateExpiring)
        }
        News::Flapping { .. } => {
            let monitor = notice.about.as_ref().map(|about| about.monitor);
            let current = monitor.and_then(|monitor| currents.get(&monitor));
            let down = digest_rows::flaps_down(&notice.news, current);
            format!("FLAPPING, {} now", if down { "down" } else { "up" })
        }
        News::RedirectChanged { .. } => "REDIRECT CHANGED".to_owned(),
        News::Blind { from, to, .. } => format!("BLIND {}", words::span(to.since(*from))),
        News::Trouble { what, .. } => format!("TROUBLE {}", safe_text::line(what, 30)),
        News::Back { what, after, .. } => {
            format!(
                "BACK {} after {}",
                safe_text::line(what, 30),
                words::span(*after)
            )
        }
        News::Burn {
            objective, long, ..
        } => {
            let name = safe_text::middle(objective, NAME_CHARS_MAX);
            return format!("[BURN {}] {name}", times(long.times));
        }
        News::Report { from, to } => format!("REPORT {}", period(*from, *to)),
        News::Test => "TEST".to_owned(),
    };
    about(&word, notice, host)
}

fn about(word: &str, notice: &Notice, host: &str) -> String {
    match &notice.about {
        Some(about) => format!("[{word}] {}", name(&about.name)),
        None => format!("[{word}] sitewatch on {host}"),
    }
}

fn name(name: &MonitorName) -> String {
    safe_text::middle(name.as_str(), NAME_CHARS_MAX).into_owned()
}

/// The length of a report's period: `7d`, also when a clock change made it an hour longer or shorter.
pub(super) fn period(from: Timestamp, to: Timestamp) -> String {
    let hours = (to.since(from).as_secs() + 1800) / 3600;
    if hours < 24 {
        return format!("{}h", hours.max(1));
    }
    format!("{}d", (hours + 12) / 24)
}

/// What a digest tells, by kind: what is down first.
pub(super) fn groups(rows: &[Row]) -> Vec<Group> {
    let mut groups: Vec<(State, Group)> = [
        (State::Escalated, "ESCALATED"),
        (State::Down, "DOWN"),
        (State::Up, "UP"),
        (State::WasDown, "WAS DOWN"),
        (State::Degraded, "DEGRADED"),
        (State::Flapping, "FLAPPING"),
        (State::RedirectChanged, "REDIRECT CHANGED"),
        (State::Trouble, "TROUBLE"),
        (State::Back, "BACK"),
        (State::Blind, "BLIND"),
        (State::Burn, "BURN"),
        (State::Report, "REPORT"),
        (State::Other, "OTHER"),
    ]
    .map(|(state, word)| (state, Group::new(word)))
    .into();
    for row in rows {
        let state = match row.state {
            State::Down | State::StillDown => State::Down,
            state @ (State::Escalated
            | State::Up
            | State::WasDown
            | State::Degraded
            | State::Flapping
            | State::RedirectChanged
            | State::Trouble
            | State::Back
            | State::Blind
            | State::Burn
            | State::Report
            | State::Other) => state,
        };
        for (_, group) in groups.iter_mut().filter(|(of, _)| *of == state) {
            group.count += 1;
            let about = row.notice.about.as_ref();
            group.names.extend(about.map(|about| name(&about.name)));
            if let News::Trouble { what, .. } | News::Back { what, .. } = &row.notice.news {
                group.names.push(safe_text::line(what, 30).into_owned());
            }
            if let News::Burn { objective, .. } = &row.notice.news {
                group
                    .names
                    .push(safe_text::line(objective, 30).into_owned());
            }
        }
    }
    let groups = groups.into_iter().map(|(_, group)| group);
    groups.filter(|group| group.count > 0).collect()
}
