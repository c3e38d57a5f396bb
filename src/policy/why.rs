//! What led a monitor to its state, and what holds its messages back: read off the steps and the memory of the machine.

use std::sync::Arc;
use std::time::Duration;

use super::alert::dependencies::{self, Parent};
use super::alert::maintenance::Open;
use super::alert::state::{Ack, Announcement, Hold, Kept, Status};
use super::alert::votes::Votes;
use super::replay::Traced;
use crate::domain::check::Check;
use crate::domain::location::LocationName;
use crate::domain::monitor::MonitorName;
use crate::domain::notification::MailKind;
use crate::domain::timestamp::Timestamp;

/// One step, in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When it was taken.
    pub at: Timestamp,
    /// One word.
    pub event: &'static str,
    /// One clause.
    pub text: String,
    /// The check that led to it.
    pub check: Option<Arc<Check>>,
    /// From where that came; `None` for a single place.
    pub location: Option<LocationName>,
}

/// One thing that holds messages back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// One word.
    pub by: &'static str,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
    /// The monitor that it waits for.
    pub who: Option<String>,
}

impl Held {
    const fn by(by: &'static str, until: Option<Timestamp>) -> Self {
        Self {
            by,
            until,
            who: None,
        }
    }
}

/// What surrounds a monitor at the time that is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The time.
    pub at: Timestamp,
    /// The window that is open over it.
    pub window: Option<Open>,
    /// What it depends on, where that fails.
    pub failing_parent: Option<&'a MonitorName>,
    /// All that it depends on.
    pub parents: &'a [Parent],
    /// Whether we are offline ourselves.
    pub offline: bool,
    /// Down for so long while flapping is told.
    pub down_after: Duration,
}

/// Steps in words, oldest first.
pub fn steps(traced: &[Traced]) -> Vec<Step> {
    let mut steps = Vec::new();
    for one in traced {
        steps.extend(of_locations(one));
        steps.extend(changed(one));
        steps.extend(one.said.iter().map(|kind| Step {
            at: one.at,
            event: "decided",
            text: format!("decided to tell: {}", words(*kind)),
            check: None,
            location: None,
        }));
    }
    steps
}

fn words(kind: MailKind) -> String {
    kind.as_str().replace('_', " ").to_uppercase()
}

/// What several locations said that they had not said before.
fn of_locations(one: &Traced) -> Vec<Step> {
    let Some(votes) = &one.votes else {
        return Vec::new();
    };
    let step = |(event, text): (&'static str, String)| {
        let has_check = matches!(event, "vote" | "offline" | "heard");
        Step {
            at: one.at,
            event,
            text,
            check: one.check.clone().filter(|_| has_check),
            location: votes.heard.clone().filter(|_| has_check),
        }
    };
    let said = votes.of_locations(one.check.as_deref());
    let region = votes.of_region().map(|text| ("regional", text));
    said.into_iter().chain(region).map(step).collect()
}

/// A step of a monitor with several locations: what their votes made of it.
fn agreed(one: &Traced, votes: &Votes) -> Option<Step> {
    let (event, text) = match (&one.before, &one.after) {
        (before, after) if before == after => return None,
        (Status::Suspect { .. }, Status::Suspect { .. })
        | (Status::Recovering { .. }, Status::Recovering { .. })
        | (Status::Up { .. }, Status::Up { .. }) => return None,
        (_, Status::Suspect { .. }) => (
            "suspect",
            format!(
                "as many locations fail as make it down, and not all of them have confirmed it: {}",
                votes.bar()
            ),
        ),
        (Status::Recovering { .. }, Status::Down(_)) => (
            "down",
            "the recovery does not count: too many fail again, or are silent".to_owned(),
        ),
        (Status::Down(before), Status::Down(after)) => {
            return waiting(one, before.announcement, after.announcement);
        }
        (_, Status::Down(_)) => (
            "down",
            format!("{}, {}: down", votes.who_says_down(), votes.bar()),
        ),
        (_, Status::Recovering { .. }) => (
            "recovering",
            format!(
                "as many locations are good as make it up, and not all of them have confirmed it: {}",
                votes.bar_to_close()
            ),
        ),
        (Status::Recovering { .. } | Status::Down(_), Status::Up { .. }) => (
            "up",
            format!(
                "{}, {}: up again",
                votes.who_says_good(),
                votes.bar_to_close()
            ),
        ),
        (Status::Suspect { .. }, Status::Up { .. }) => (
            "up",
            format!("fewer fail than make it down: {}", votes.bar()),
        ),
        (Status::Pending, Status::Up { .. }) => ("up", "good: up".to_owned()),
        (_, Status::Pending) => ("pending", "nothing is known of it any more".to_owned()),
    };
    Some(Step {
        at: one.at,
        event,
        text,
        check: one.check.clone(),
        location: votes.heard.clone(),
    })
}

fn changed(one: &Traced) -> Option<Step> {
    if let Some(votes) = &one.votes {
        return agreed(one, votes);
    }
    let why = one
        .check
        .as_ref()
        .and_then(|check| check.verdict.failure())
        .map_or_else(String::new, |failure| format!(": {}", failure.detail));
    let failures = one.failures_before_down;
    let (event, text) = match (&one.before, &one.after) {
        (before, after) if before == after => return None,
        (_, Status::Suspect { count, .. }) => (
            "suspect",
            format!("failed, {count} of the {failures} in a row that count as down{why}"),
        ),
        (Status::Recovering { .. }, Status::Down(_)) => (
            "down",
            format!("failed again, so the recovery does not count{why}"),
        ),
        (Status::Down(before), Status::Down(after)) => {
            return waiting(one, before.announcement, after.announcement);
        }
        (_, Status::Down(outage)) => (
            "down",
            format!("failed, {} in a row: down{why}", outage.checks_failed),
        ),
        (_, Status::Recovering { count, .. }) => (
            "recovering",
            format!(
                "good, {count} of {} in a row that make it up",
                one.successes_before_up
            ),
        ),
        (Status::Recovering { .. } | Status::Down(_), Status::Up { .. }) => (
            "up",
            format!("good, {} in a row: up again", one.successes_before_up),
        ),
        (Status::Suspect { .. }, Status::Up { .. }) => {
            ("up", "good: the failure is not confirmed".to_owned())
        }
        (Status::Pending, Status::Up { .. }) => ("up", "good: up".to_owned()),
        (Status::Up { .. }, Status::Up { .. }) => return None,
        (_, Status::Pending) => ("pending", "nothing is known of it any more".to_owned()),
    };
    Some(Step {
        at: one.at,
        event,
        text,
        check: one.check.clone(),
        location: None,
    })
}

/// A message of an outage that begins to be held, or is held by something else.
fn waiting(one: &Traced, before: Announcement, after: Announcement) -> Option<Step> {
    let (Announcement::Waiting { held: was, .. }, Announcement::Waiting { held: is, .. }) =
        (before, after)
    else {
        return None;
    };
    let hold = is.filter(|_| was != is)?;
    Some(Step {
        at: one.at,
        event: "held",
        text: format!("the DOWN is held back: {}", of_hold(hold)),
        check: None,
        location: None,
    })
}

const fn of_hold(hold: Hold) -> &'static str {
    match hold {
        Hold::Maintenance => "a maintenance window is open",
        Hold::Mute => "it is muted",
        Hold::Parent => "what it depends on fails, or has not answered yet",
        Hold::Flapping => "it changes too often for single messages",
        Hold::Offline => "we are offline ourselves",
        Hold::Hours => "its recipient has other opening hours",
    }
}

/// What holds messages about a monitor back that are not decided yet. What is decided waits in the outbox.
pub fn holds(kept: &Kept, around: &Around<'_>) -> Vec<Held> {
    let mut holds = Vec::new();
    let (has_threshold, outage) = match &kept.status {
        Status::Pending | Status::Up { .. } => return holds,
        Status::Suspect { .. } => (true, None),
        Status::Down(outage) => {
            let is_recounted = matches!(
                outage.announcement,
                Announcement::Waiting {
                    recount: Some(_),
                    ..
                }
            );
            (is_recounted, Some(outage))
        }
        Status::Recovering { outage, .. } => (true, Some(outage)),
    };
    if has_threshold {
        holds.push(Held::by("threshold", None));
    }
    let ordered = kept.windows.iter().map(|window| window.until);
    let window = around.window.map(|window| window.to);
    if let Some(until) = ordered.filter(|until| around.at < *until).max().max(window) {
        holds.push(Held::by("window", Some(until)));
    }
    if let Some(until) = kept.muted_until.filter(|until| around.at < *until) {
        holds.push(Held::by("mute", Some(until)));
    }
    let is_waiting =
        outage.is_none_or(|outage| matches!(outage.announcement, Announcement::Waiting { .. }));
    let first_bad = match &kept.status {
        Status::Pending | Status::Up { .. } => None,
        Status::Suspect { first_bad, .. } => Some(*first_bad),
        Status::Down(outage) | Status::Recovering { outage, .. } => Some(outage.opened_at()),
    };
    let waits_for_parent =
        first_bad.is_some_and(|at| dependencies::hold(around.parents, at, around.at));
    if is_waiting && (around.failing_parent.is_some() || waits_for_parent) {
        holds.push(Held {
            who: around.failing_parent.map(ToString::to_string),
            ..Held::by("parent", None)
        });
    }
    if is_waiting && around.offline {
        holds.push(Held::by("offline", None));
    }
    if let Some(outage) = outage {
        let told_at = outage.opened_at().plus(around.down_after);
        if is_waiting && kept.flap.is_on() && around.at < told_at {
            holds.push(Held::by("flapping", Some(told_at)));
        }
        match outage.ack {
            Ack::None => {}
            Ack::Until(until) if until <= around.at => {}
            Ack::Until(until) => holds.push(Held::by("ack", Some(until))),
            Ack::ToTheEnd => holds.push(Held::by("ack", None)),
        }
    }
    holds
}

/// Whether two statuses are the same state of the same outage or suspicion, whatever was counted.
pub fn agree(one: &Status, other: &Status) -> bool {
    match (one, other) {
        (Status::Pending, Status::Pending) | (Status::Up { .. }, Status::Up { .. }) => true,
        (Status::Suspect { first_bad: a, .. }, Status::Suspect { first_bad: b, .. }) => a == b,
        (Status::Down(a), Status::Down(b)) => a.key == b.key,
        (Status::Recovering { outage: a, .. }, Status::Recovering { outage: b, .. }) => {
            a.key == b.key
        }
        (
            Status::Pending
            | Status::Up { .. }
            | Status::Suspect { .. }
            | Status::Down(_)
            | Status::Recovering { .. },
            _,
        ) => false,
    }
}
