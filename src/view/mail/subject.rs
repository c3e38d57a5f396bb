//! Subjects: a stable interface. Everything variable stands in brackets, the monitor's name alone outside.

use crate::domain::check::{Check, FailureKind};
use crate::domain::incident::Beginnings;
use crate::domain::monitor::MonitorName;
use crate::domain::notification::{News, Notice, Parcel};
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;

use super::named::{self, Group};
use super::words;

/// A name longer than this is cut in its middle: always at the same place, so that its mails keep one thread.
const NAME_CHARS_MAX: usize = 60;

/// The subject of a mail that leaves at `now` from `host`.
pub fn of(parcel: &Parcel, host: &str, now: Timestamp, beginnings: &Beginnings) -> String {
    if let [down, up] = parcel.notices.as_slice()
        && let Some(lasted) = was_down(down, up, beginnings)
    {
        return about(&format!("WAS DOWN {}", words::span(lasted)), down, host);
    }
    match parcel.notices.as_slice() {
        [one] => single(one, host, now, beginnings),
        many => named::of(&groups(many), host),
    }
}

/// How long the outage lasted whose beginning and end these two report.
pub(super) fn was_down(
    down: &Notice,
    up: &Notice,
    beginnings: &Beginnings,
) -> Option<std::time::Duration> {
    match (&down.news, &up.news) {
        (
            News::Down { incident, .. } | News::StillDown { incident, .. },
            News::Up {
                incident: ended,
                closed_at,
                ..
            },
        ) if incident == ended => Some(closed_at.since(beginnings.of(*incident))),
        _ => None,
    }
}

fn single(notice: &Notice, host: &str, now: Timestamp, beginnings: &Beginnings) -> String {
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
        News::Up {
            incident,
            closed_at,
            flapping_since,
            ..
        } => {
            let began = flapping_since.unwrap_or_else(|| beginnings.of(*incident));
            format!("UP after {}", words::span(closed_at.since(began)))
        }
        News::Degraded { reason, .. } => format!("DEGRADED {reason}"),
        News::CertificateExpiring { .. } => {
            format!("DEGRADED {}", FailureKind::CertificateExpiring)
        }
        News::Flapping { check, .. } => flapping(check).to_owned(),
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
        News::Report { from, to } => format!("REPORT {}", period(*from, *to)),
        News::Test => "TEST".to_owned(),
    };
    about(&word, notice, host)
}

/// `FLAPPING, down now`, by the newest check.
const fn flapping(check: &Check) -> &'static str {
    if check.verdict.is_good() {
        "FLAPPING, up now"
    } else {
        "FLAPPING, down now"
    }
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
pub(super) fn groups(notices: &[Notice]) -> Vec<Group> {
    let mut groups: Vec<Group> = [
        "DOWN",
        "UP",
        "WAS DOWN",
        "DEGRADED",
        "FLAPPING",
        "REDIRECT CHANGED",
        "OTHER",
    ]
    .map(Group::new)
    .into();
    for notice in notices {
        let Some(place) = group(notice, notices) else {
            continue;
        };
        groups[place].count += 1;
        groups[place]
            .names
            .extend(notice.about.as_ref().map(|about| name(&about.name)));
    }
    groups.retain(|group| group.count > 0);
    groups
}

/// The place of its group; none for the end of an outage whose beginning the mail tells too.
fn group(notice: &Notice, notices: &[Notice]) -> Option<usize> {
    Some(match &notice.news {
        News::Down { .. } | News::StillDown { .. } if ends_too(notices, notice) => 2,
        News::Up { .. } if began_too(notices, notice) => return None,
        News::Down { .. } | News::StillDown { .. } => 0,
        News::Up { .. } => 1,
        News::Degraded { .. } | News::CertificateExpiring { .. } => 3,
        News::Flapping { .. } => 4,
        News::RedirectChanged { .. } => 5,
        News::Blind { .. }
        | News::Trouble { .. }
        | News::Back { .. }
        | News::Report { .. }
        | News::Test => 6,
    })
}

/// Whether the mail reports the end of this notice's outage too.
pub(super) fn ends_too(notices: &[Notice], down: &Notice) -> bool {
    notices
        .iter()
        .any(|up| was_down(down, up, &Beginnings::default()).is_some())
}

/// Whether the mail reports the beginning of this notice's outage too.
pub(super) fn began_too(notices: &[Notice], up: &Notice) -> bool {
    notices
        .iter()
        .any(|down| was_down(down, up, &Beginnings::default()).is_some())
}
