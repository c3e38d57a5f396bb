//! Where a check is made, and what travels between a probe and the hub.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Check, CheckState, Failure, Micros};
use super::monitor_name::MonitorId;
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

/// More probes than these cannot share a location.
pub const SHARES_MAX: u16 = 64;

/// Which part of a location's monitors one of several probes checks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    number: NonZeroU16,
    of: NonZeroU16,
}

/// Why a text is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// It does not consist of two numbers with a slash between them.
    #[error("`{0}` is not a share of a location's monitors")]
    Form(String),
    /// There is no such share.
    #[error("there is no share {0} of {1}")]
    Range(u16, u16),
    /// More than the rule allows.
    #[error("at most {SHARES_MAX} probes can share a location, not {0}")]
    Many(u16),
}

impl Share {
    /// Takes `2/4`: the second of four.
    ///
    /// # Errors
    /// If it is written in another way, or if there is no such share.
    pub fn parse(text: &str) -> Result<Self, ShareError> {
        let form = || ShareError::Form(text.to_owned());
        let (number, of) = text.split_once('/').ok_or_else(form)?;
        let parse = |digits: &str| -> Option<u16> {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        };
        let (number, of) = parse(number).zip(parse(of)).ok_or_else(form)?;
        if of > SHARES_MAX {
            return Err(ShareError::Many(of));
        }
        Self::new(number, of).ok_or(ShareError::Range(number, of))
    }

    /// The share of this number, from 1 on; `None` if there is no such share.
    pub fn new(number: u16, of: u16) -> Option<Self> {
        let share = Self {
            number: NonZeroU16::new(number)?,
            of: NonZeroU16::new(of)?,
        };
        (number <= of && of <= SHARES_MAX).then_some(share)
    }

    /// Its number, from 1 on.
    pub const fn number(self) -> u16 {
        self.number.get()
    }

    /// How many there are.
    pub const fn of(self) -> u16 {
        self.of.get()
    }

    /// Whether a monitor of this name belongs to it. The hash is part of what hub and probes agree on: FNV-1a.
    pub fn has(self, name: &str) -> bool {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The low bits of this hash are those of the last letters: fold the high ones in.
        let folded = (hash ^ (hash >> 32)) % u64::from(self.of());
        folded == u64::from(self.number() - 1)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Who sends: the probe of a location, or one of several that share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeName {
    /// The location.
    pub location: LocationName,
    /// Which part of its monitors it checks; `None`: all of them.
    pub share: Option<Share>,
}

impl ProbeName {
    /// The probe that checks all monitors of a location.
    pub const fn whole(location: LocationName) -> Self {
        Self {
            location,
            share: None,
        }
    }

    /// As it stands in subjects, one token after the other: `nyc`, or `nyc.2-4` for the second of four.
    pub fn subject(&self) -> String {
        match self.share {
            None => self.location.to_string(),
            Some(share) => format!("{}.{}-{}", self.location, share.number(), share.of()),
        }
    }

    /// What [`Self::subject`] wrote.
    pub fn of_subject(subject: &str) -> Option<Self> {
        let (location, share) = match subject.split_once('.') {
            None => (subject, None),
            Some((location, share)) => {
                let (number, of) = share.split_once('-')?;
                let share = Share::new(number.parse().ok()?, of.parse().ok()?)?;
                // One sender has one subject.
                let is_it =
                    format!("{}-{}", share.number(), share.of()) == format!("{number}-{of}");
                (location, Some(is_it.then_some(share)?))
            }
        };
        let location = LocationName::parse(location).ok()?;
        Some(Self { location, share })
    }
}

impl fmt::Display for ProbeName {
    /// `nyc`, or `nyc 2/4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.share {
            None => self.location.fmt(f),
            Some(share) => write!(f, "{} {share}", self.location),
        }
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

    /// Takes one of its words, or a number of at least 1.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "majority" => Some(Self::Majority),
            "all" => Some(Self::All),
            "any" => Some(Self::Any),
            count => {
                let count = count.parse().ok().filter(|count| *count > 0)?;
                Some(Self::Count(count))
            }
        }
    }
}

impl fmt::Display for DownWhen {
    /// As it is written in a configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Majority => f.pad("majority"),
            Self::All => f.pad("all"),
            Self::Any => f.pad("any"),
            Self::Count(count) => count.fmt(f),
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
    /// The location's name.
    pub location: LocationName,
    /// As it is confirmed there; `unknown` if its word does not count at present.
    pub state: CheckState,
    /// Whether its newest checks say another thing, and are too few yet to count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirming: bool,
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

    /// What a word means.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Fresh, Self::Silent, Self::Offline];
        all.into_iter().find(|seen| seen.as_str() == word)
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
    /// The probe, as the subject names it; the hub found the frame to be from the same location.
    pub sender: ProbeName,
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
    /// The probe.
    pub sender: ProbeName,
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
    /// The probe's spool.
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
    fn shares_are_written_as_a_fraction_and_each_monitor_belongs_to_one() {
        for share in ["1/1", "2/4", "64/64"] {
            assert_eq!(Share::parse(share).unwrap().to_string(), share);
        }
        for wrong in [
            "", "2", "0/4", "5/4", "1/0", "1/65", "+1/2", "a/b", "1/2/3", "1/ 2", "1/99999",
        ] {
            assert!(Share::parse(wrong).is_err(), "{wrong}");
        }
        for of in [1, 2, 3, 4, 7] {
            let shares: Vec<Share> = (1..=of).map(|n| Share::new(n, of).unwrap()).collect();
            let mut counts = vec![0_u32; shares.len()];
            for number in 0..4000 {
                let name = format!("shop-{number}.example.com");
                let its: Vec<usize> = (0..shares.len())
                    .filter(|n| shares[*n].has(&name))
                    .collect();
                assert_eq!(its.len(), 1, "{name}");
                counts[its[0]] += 1;
            }
            let fair = 4000 / u32::from(of);
            let is_fair = |count: &u32| count.abs_diff(fair) <= fair / 5;
            assert!(counts.iter().all(is_fair), "{of}: {counts:?}");
        }
        // Probes of other versions count on it.
        let of_four = |name: &str| {
            (1..=4)
                .find(|n| Share::new(*n, 4).unwrap().has(name))
                .unwrap()
        };
        assert_eq!(["shop", "api", "www.example.com"].map(of_four), [2, 3, 4]);
    }

    #[test]
    fn a_sender_has_one_subject() {
        let nyc = LocationName::parse("nyc").unwrap();
        let whole = ProbeName::whole(nyc);
        let part = ProbeName {
            share: Share::new(2, 14),
            ..whole.clone()
        };
        for (sender, subject, shown) in [(whole, "nyc", "nyc"), (part, "nyc.2-14", "nyc 2/14")] {
            assert_eq!(sender.subject(), subject);
            assert_eq!(sender.to_string(), shown);
            assert_eq!(ProbeName::of_subject(subject), Some(sender));
        }
        for wrong in [
            "",
            "Nyc",
            "nyc.",
            "nyc.2",
            "nyc.5-4",
            "nyc.0-4",
            "nyc.02-4",
            "nyc.+2-4",
            "nyc.2-4.x",
            "nyc.2-99",
        ] {
            assert_eq!(ProbeName::of_subject(wrong), None, "{wrong}");
        }
    }

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
