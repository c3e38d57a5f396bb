//! What is remembered of a monitor between two events, and what of it is shown.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::certificate_expiry::CertificateTold;
use super::escalation::Escalated;
use super::flapping::Flap;
use super::intermittent::{Intermittent, Window};
use super::ordered_windows::OrderedWindows;
use super::redirect_drift::Drift;
use super::seats::Seats;
use super::slow::Slow;
use crate::domain::check::{Check, FailureKind, Verdict};
use crate::domain::incident::{Cause, Incident, IncidentKey};
use crate::domain::timestamp::Timestamp;

/// Everything that the alert machine knows of one monitor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// What must survive a crash: written whenever it changed, in the transaction of what changed it.
    pub kept: Kept,
    /// What the newest stored checks tell as well: rebuilt at start, never written.
    pub recent: Recent,
}

impl Memory {
    /// What a monitor is remembered by after a start: what was kept, and its newest checks, newest first
    /// (32 are enough for the 20 that count). Where those are older, also the newest good one (before the
    /// open outage, if there is one) and the newest failed one.
    pub fn restored(
        kept: Kept,
        newest_first: &[Arc<Check>],
        last_good: Option<Arc<Check>>,
        last_bad: Option<Arc<Check>>,
    ) -> Self {
        let first = |wanted: fn(&Verdict) -> bool| {
            let found = newest_first.iter().find(|check| wanted(&check.verdict));
            found.map(Arc::clone)
        };
        let known_at =
            first(|verdict| !matches!(verdict, Verdict::Unknown(_))).map(|check| check.at);
        let outage = kept.status.outage();
        let good_before = outage.map_or(Timestamp::MAX, Outage::opened_at);
        let mut window = Window::default();
        let counted = newest_first.iter().filter(|check| {
            kept.counted_after.is_none_or(|after| after < check.at)
                && !matches!(check.verdict, Verdict::Unknown(_))
        });
        if outage.is_none() {
            for check in counted.rev() {
                window.push(!check.verdict.is_good());
            }
        }
        Self {
            kept,
            recent: Recent {
                newest: newest_first.first().map(Arc::clone),
                last_good: newest_first
                    .iter()
                    .find(|check| check.verdict.is_good() && check.at < good_before)
                    .map(Arc::clone)
                    .or(last_good),
                good_in_outage: newest_first
                    .iter()
                    .find(|check| check.verdict.is_good() && check.at >= good_before)
                    .map(Arc::clone),
                last_bad: first(|verdict| matches!(verdict, Verdict::Down(_))).or(last_bad),
                known_at,
                window,
            },
        }
    }
}

/// The part of a [`Memory`] that is stored, as JSON. Fields may be added; each has a default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Where the monitor stands.
    pub status: Status,
    /// What is shown of it; kept here since its `since` is history.
    pub shown: Shown,
    /// When it left the configuration, or was disabled there; none while it is in it.
    pub gone_at: Option<Timestamp>,
    /// Not checked, by order.
    pub paused: bool,
    /// Mails are held until then, by order.
    pub muted_until: Option<Timestamp>,
    /// Maintenance that somebody ordered.
    #[serde(skip_serializing_if = "OrderedWindows::is_empty")]
    pub windows: OrderedWindows,
    /// Changes between up and down, and whether they are too many.
    pub flap: Flap,
    /// Checks up to this one are not among those of [`Recent::window`]: an incident, a gap or an order
    /// came after it.
    pub counted_after: Option<Timestamp>,
    /// Many single failures without an incident.
    pub intermittent: Option<Intermittent>,
    /// Slow checks in a row, counted only where they are mailed.
    pub slow: Slow,
    /// Which expiry steps were mailed, newest certificate last.
    pub certificates: Vec<CertificateTold>,
    /// The known redirect chains, kept only where changes are mailed.
    pub drift: Option<Box<Drift>>,
    /// What each location said; `None` without locations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seats: Option<Box<Seats>>,
}

/// The part of a [`Memory`] that the newest stored checks tell as well.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recent {
    /// The newest check, whatever it said.
    pub newest: Option<Arc<Check>>,
    /// The newest good one; during an outage the newest before it.
    pub last_good: Option<Arc<Check>>,
    /// The newest good one of the open outage, from a recovery that was not confirmed.
    pub good_in_outage: Option<Arc<Check>>,
    /// The newest failed one.
    pub last_bad: Option<Arc<Check>>,
    /// When anything was last known of the site: the newest check that is not `unknown`.
    pub known_at: Option<Timestamp>,
    /// The last 20 verdicts outside of incidents.
    pub window: Window,
}

/// Where a monitor stands. A counter exists only where it counts, `Down` not without its outage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No verdict yet, or none since it was resumed.
    #[default]
    Pending,
    /// Good.
    Up {
        /// The first good check of this spell.
        since: Timestamp,
    },
    /// A failure is being confirmed.
    Suspect {
        /// Since when it was up; none where it never was.
        up_since: Option<Timestamp>,
        /// The first failed check.
        first_bad: Timestamp,
        /// Failed checks in a row, at least 1.
        count: u16,
        /// What the first failed check said.
        cause: Box<Cause>,
    },
    /// Down, confirmed: an incident is open.
    Down(Box<Outage>),
    /// A recovery is being confirmed; the incident is still open.
    Recovering {
        /// The open incident.
        outage: Box<Outage>,
        /// The first good check.
        first_good: Timestamp,
        /// Good checks in a row, at least 1.
        count: u16,
    },
}

impl Status {
    /// The open outage, if there is one.
    pub fn outage(&self) -> Option<&Outage> {
        match self {
            Self::Pending | Self::Up { .. } | Self::Suspect { .. } => None,
            Self::Down(outage) | Self::Recovering { outage, .. } => Some(outage),
        }
    }

    /// The open outage, to be changed.
    pub fn outage_mut(&mut self) -> Option<&mut Outage> {
        match self {
            Self::Pending | Self::Up { .. } | Self::Suspect { .. } => None,
            Self::Down(outage) | Self::Recovering { outage, .. } => Some(outage),
        }
    }
}

/// An open incident and what was said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Monitor and first failed check.
    pub key: IncidentKey,
    /// When the first failed check began, where the clock was set since; none: as the key says.
    #[serde(default)]
    pub began_at: Option<Timestamp>,
    /// Since when it had been up; none where it never was.
    pub up_since: Option<Timestamp>,
    /// What the first failed check said.
    pub cause: Cause,
    /// How many checks failed so far.
    pub checks_failed: u32,
    /// Whether any of it fell into a maintenance window.
    pub maintenance: bool,
    /// When somebody took note of it.
    pub acked_at: Option<Timestamp>,
    /// What was said with the newest acknowledgement that said anything.
    #[serde(default)]
    pub ack_note: Option<Arc<str>>,
    /// Whether reminders and steps of escalation rest.
    pub ack: Ack,
    /// Whether its DOWN was decided.
    pub announcement: Announcement,
    /// Whether it was raised where open incidents are shown: once nothing held its DOWN.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raised: bool,
    /// Which steps of escalation were decided, if any was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated: Option<Box<Escalated>>,
}

impl Outage {
    /// When the first failed check began, by the clock that counts.
    pub fn opened_at(&self) -> Timestamp {
        self.began_at.unwrap_or(self.key.opened_at)
    }

    /// The incident as it is stored, still open.
    pub fn incident(&self) -> Incident {
        Incident {
            key: self.key,
            began_at: self.began_at,
            clock_is_wrong: false,
            closed_at: None,
            cause: self.cause.clone(),
            checks_failed: self.checks_failed,
            maintenance: self.maintenance,
            acked_at: self.acked_at,
            ack_note: self.ack_note.clone(),
        }
    }
}

/// How long reminders and steps of escalation rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ack {
    /// They do not.
    #[default]
    None,
    /// Until this moment.
    Until(Timestamp),
    /// Until the incident is over.
    ToTheEnd,
}

/// Whether the DOWN of an outage was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announcement {
    /// Something holds it back, or held it until now.
    Waiting {
        /// What held it last.
        held: Option<Hold>,
        /// After a parent's recovery: failed checks since then; it waits for as many as open an incident.
        recount: Option<u16>,
    },
    /// It was decided.
    Made {
        /// When the last one was: the DOWN or a reminder.
        last: Timestamp,
        /// Reminders so far.
        reminders: u16,
    },
}

/// Why news waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// A maintenance window is open.
    Maintenance,
    /// Muted by order.
    Mute,
    /// A parent is down, or not yet known not to be.
    Parent,
    /// Changing too often.
    Flapping,
    /// We are offline ourselves.
    Offline,
    /// Its recipient has opening hours, and it is not one of them. Only rows of the outbox wait for that.
    Hours,
}

impl Hold {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Maintenance,
        Self::Mute,
        Self::Parent,
        Self::Flapping,
        Self::Offline,
        Self::Hours,
    ];

    /// The hold of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hold| hold.as_str() == word)
    }

    /// The word of it, as in a notice's `held`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Mute => "mute",
            Self::Parent => "parent",
            Self::Flapping => "flapping",
            Self::Offline => "offline",
            Self::Hours => "hours",
        }
    }
}

/// What people and scripts are told of a monitor: derived after each step, kept for its `since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// One of five words.
    pub state: ShownState,
    /// Since when it is that.
    pub since: Timestamp,
    /// What stands beside it.
    pub flags: Flags,
    /// The open incident.
    pub incident: Option<IncidentKey>,
    /// Why it is not simply up: of a degraded one the reason, of a down one the first cause.
    pub reason: Option<FailureKind>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            state: ShownState::Pending,
            since: Timestamp::from_ms(0),
            flags: Flags::default(),
            incident: None,
            reason: None,
        }
    }
}

/// The five words of a monitor's state.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ShownState {
    /// No verdict yet.
    #[default]
    Pending,
    /// Good; also while a failure is being confirmed.
    Up,
    /// Good, with something to say.
    Degraded,
    /// An incident is open; also while a recovery is being confirmed.
    Down,
    /// Nothing is known of it at present.
    Unknown,
}

impl ShownState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Up,
        Self::Degraded,
        Self::Down,
        Self::Unknown,
    ];

    /// The word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl std::fmt::Display for ShownState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What stands beside the state of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Flags {
    /// Not checked, by order.
    pub paused: bool,
    /// Mails are held, by order.
    pub muted: bool,
    /// A maintenance window is open.
    pub maintenance: bool,
    /// Somebody took note of the open incident, and reminders rest.
    pub acked: bool,
    /// Changes between up and down too often.
    pub flapping: bool,
    /// Failing while a parent is down or being confirmed: its alerts are held.
    pub parent_down: bool,
}

impl Flags {
    /// The words of those that are set, in a fixed order, as in JSON.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [
            (self.paused, "paused"),
            (self.muted, "muted"),
            (self.maintenance, "maintenance"),
            (self.acked, "acked"),
            (self.flapping, "flapping"),
            (self.parent_down, "parent_down"),
        ]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
    }
}
