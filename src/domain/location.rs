//! Where a check is made, and what travels between a probe and the hub.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Check, CheckState, Failure, Micros};
use super::monitor::MonitorId;
use super::timestamp::Timestamp;

/// A location's name is one token of a NATS subject.
const NAME_CHARS_MAX: usize = 32;

/// The name of a location: 1 to 32 characters of a-z, 0-9 and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocationName(Arc<str>);

/// Why a text is not the name of a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationNameError {
    /// Nothing.
    #[error("a location's name must not be empty")]
    Empty,
    /// Longer than the rule allows.
    #[error("a location's name has at most {NAME_CHARS_MAX} characters, this one has {0}")]
    Long(usize),
    /// A character that the rule does not allow.
    #[error("a location's name has only a-z, 0-9 and `-`, this one has {0:?}")]
    Character(char),
}

impl LocationName {
    /// Takes a name as it is written: nothing is trimmed or made lower case.
    ///
    /// # Errors
    /// If it is empty, too long, or has a character other than a-z, 0-9 and `-`.
    pub fn parse(raw: &str) -> Result<Self, LocationNameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some(other) = raw.chars().find(|c| !allowed(*c)) {
            return Err(LocationNameError::Character(other));
        }
        match raw.len() {
            0 => Err(LocationNameError::Empty),
            1..=NAME_CHARS_MAX => Ok(Self(raw.into())),
            long => Err(LocationNameError::Long(long)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LocationName {
    type Error = LocationNameError;

    fn try_from(raw: String) -> Result<Self, Self::Error> {
        Self::parse(&raw)
    }
}

impl From<LocationName> for String {
    fn from(name: LocationName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for LocationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How many locations must fail before a monitor is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DownWhen {
    /// More than half of them.
    #[default]
    Majority,
    /// Every one.
    All,
    /// One is enough.
    Any,
    /// So many, at least 1; never more than there are.
    Count(u16),
}

impl DownWhen {
    /// So many of `locations` must fail; at least 1, at most all.
    pub fn needed(self, locations: usize) -> usize {
        match self {
            Self::Majority => locations / 2 + 1,
            Self::All => locations.max(1),
            Self::Any => 1,
            Self::Count(count) => usize::from(count).min(locations).max(1),
        }
    }
}

/// From where a monitor is checked, and how many of these places make it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// At least one, each once, in the order of the configuration.
    pub locations: Arc<[LocationName]>,
    /// How many must fail.
    pub down_when: DownWhen,
    /// Mail when it fails from fewer, not only record.
    pub alert_on_regional: bool,
}

impl Quorum {
    /// So many locations must fail.
    pub fn needed(&self) -> usize {
        self.down_when.needed(self.locations.len())
    }

    /// Whether a location checks the monitor.
    pub fn has(&self, location: &LocationName) -> bool {
        self.locations.contains(location)
    }
}

/// What one location says of a monitor, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocationStatus {
    /// Which.
    pub location: LocationName,
    /// As it is confirmed there; `unknown` if its word does not count at present.
    pub state: CheckState,
    /// Whether its word counts.
    pub seen: Seen,
    /// Since when it is that; `None` if nothing is known.
    pub since: Option<Timestamp>,
    /// When its newest check began.
    pub last_check_at: Option<Timestamp>,
    /// The status of that check.
    pub status: Option<u16>,
    /// What was wrong with it.
    pub failure: Option<Failure>,
    /// The address that answered it, or was tried last.
    pub address: Option<SocketAddr>,
    /// How long it took.
    pub total: Option<Micros>,
}

/// The locations of a hub, as `[cluster]` names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Those that check a monitor which names no others; at least one, each once.
    pub locations: Arc<[LocationName]>,
    /// How many must fail, where a monitor does not say so itself.
    pub down_when: DownWhen,
    /// Under which name the hub checks too; `None`: it does not.
    pub here: Option<LocationName>,
    /// A location that was not heard for this long is told as silent.
    pub silent_after: Duration,
}

/// Whether a location's word about a monitor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It does.
    Fresh,
    /// Nothing was heard of it for too long.
    Silent,
    /// It says itself that it is offline.
    Offline,
}

impl Seen {
    /// The word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Silent => "silent",
            Self::Offline => "offline",
        }
    }
}

/// What makes an observation one and the same, however often it arrives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObservationKey {
    /// What was checked.
    pub monitor: MonitorId,
    /// From where.
    pub location: LocationName,
    /// When the check began, by the probe's clock.
    pub at: Timestamp,
}

/// One thing that a probe saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// A check ended. Its `at` is by the probe's clock and grows for each monitor.
    Checked {
        /// What was checked, by its number at the hub.
        monitor: MonitorId,
        /// What it found.
        check: Box<Check>,
    },
    /// Slots that passed without a check, or checks that the spool gave up.
    Missed {
        /// What was not checked.
        monitor: MonitorId,
        /// The first of the slots, by the probe's clock.
        from: Timestamp,
        /// How many.
        count: u32,
    },
}

/// What a probe sends at once, as the hub got it. Every fault of its form is settled before.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The probe's location; the hub found it to be the one of the subject.
    pub location: LocationName,
    /// Which spool numbered it: random, made with the spool's file, so it survives restarts of the probe.
    pub spool: u64,
    /// Its number in that spool; grows.
    pub seq: u64,
    /// The number of the frame before it that was still in the spool when it was published; 0 if there was none.
    pub after: u64,
    /// When it was sent first, by the probe's clock.
    pub sent_at: Timestamp,
    /// When the hub got it, by the hub's clock.
    pub received_at: Timestamp,
    /// The version of the monitor list that it was made with.
    pub list_version: u64,
    /// In the order in which the probe saw them.
    pub observations: Vec<Observation>,
}

/// A probe's sign of life, as the hub got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The probe's location.
    pub location: LocationName,
    /// Its spool.
    pub spool: u64,
    /// When it was sent, by the probe's clock.
    pub sent_at: Timestamp,
    /// When the hub got it, by the hub's clock.
    pub received_at: Timestamp,
    /// The program's version at the probe, one line.
    pub version: Arc<str>,
    /// Frames that wait in its spool.
    pub waiting: u64,
    /// Since when its canaries say that it is offline, by its clock.
    pub offline_since: Option<Timestamp>,
}

/// What the hub has committed of a probe's frames: up to this one the probe may forget them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The probe's location.
    pub location: LocationName,
    /// Its spool.
    pub spool: u64,
    /// The newest committed frame.
    pub done_seq: u64,
}

/// The hub wants a location to check a monitor now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The location that is asked.
    pub location: LocationName,
    /// What to check.
    pub monitor: MonitorId,
    /// Nothing happens where a check began since, by the hub's clock.
    pub unless_since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_one_token_of_a_subject() {
        let longest = "a".repeat(NAME_CHARS_MAX);
        for name in ["fra", "nyc-2", "0", "-", &longest] {
            assert_eq!(LocationName::parse(name).unwrap().as_str(), name);
        }
        let wrong = |raw: &str| LocationName::parse(raw).unwrap_err();
        assert_eq!(wrong(""), LocationNameError::Empty);
        assert_eq!(wrong("Fra"), LocationNameError::Character('F'));
        assert_eq!(wrong("a.b"), LocationNameError::Character('.'));
        assert_eq!(wrong("ä"), LocationNameError::Character('ä'));
        assert_eq!(wrong(" fra"), LocationNameError::Character(' '));
        assert_eq!(wrong(&"a".repeat(33)), LocationNameError::Long(33));
        assert_eq!(
            serde_json::from_str::<LocationName>("\"a.b\"")
                .unwrap_err()
                .to_string(),
            "a location's name has only a-z, 0-9 and `-`, this one has '.'"
        );
    }
}
