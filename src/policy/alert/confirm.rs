//! One location confirms: how many checks in a row make it say down, and how many up again.

use serde::{Deserialize, Serialize};

use crate::domain::check::{Check, Verdict};
use crate::domain::incident::Cause;
use crate::domain::monitor::Rules;
use crate::domain::timestamp::Timestamp;

/// What a location has confirmed of a monitor by its own checks. A count exists only where it counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voter {
    /// No verdict yet, or none since its monitor was resumed.
    #[default]
    Pending,
    /// Good.
    Good {
        /// The first good check of this spell.
        since: Timestamp,
    },
    /// A failure is being confirmed.
    Failing {
        /// Since when it was good; `None` if it never was.
        up_since: Option<Timestamp>,
        /// The first failed check.
        first_bad: Timestamp,
        /// Failed checks in a row, at least 1.
        count: u16,
        /// What the first failed check said.
        cause: Box<Cause>,
    },
    /// It fails, confirmed.
    Down {
        /// The first failed check.
        first_bad: Timestamp,
        /// Failed checks so far.
        failed: u32,
        /// What the first failed check said.
        cause: Box<Cause>,
    },
    /// A recovery is being confirmed.
    Rising {
        /// The first failed check.
        first_bad: Timestamp,
        /// Failed checks so far.
        failed: u32,
        /// What the first failed check said.
        cause: Box<Cause>,
        /// The first good check.
        first_good: Timestamp,
        /// Good checks in a row, at least 1.
        count: u16,
    },
}

impl Voter {
    /// What it says after one more check. A check that is `unknown` changes nothing.
    #[must_use]
    pub fn hear(self, rules: &Rules, check: &Check) -> Self {
        match &check.verdict {
            Verdict::Unknown(_) => self,
            Verdict::Up | Verdict::Degraded(_) => self.good(rules, check.at),
            Verdict::Down(failure) => {
                let (failure, status) = (failure.clone(), check.status);
                self.bad(rules, check.at, Cause { failure, status })
            }
        }
    }

    fn good(self, rules: &Rules, at: Timestamp) -> Self {
        let (first_bad, failed, cause, first_good, count) = match self {
            Self::Pending => return Self::Good { since: at },
            Self::Good { since } => return Self::Good { since },
            // What never was good is good from its first good check; what was, was never anything else.
            Self::Failing { up_since, .. } => {
                let since = up_since.unwrap_or(at);
                return Self::Good { since };
            }
            Self::Down {
                first_bad,
                failed,
                cause,
            } => (first_bad, failed, cause, at, 1),
            Self::Rising {
                first_bad,
                failed,
                cause,
                first_good,
                count,
            } => (
                first_bad,
                failed,
                cause,
                first_good,
                count.saturating_add(1),
            ),
        };
        if count >= rules.successes_before_up {
            return Self::Good { since: first_good };
        }
        Self::Rising {
            first_bad,
            failed,
            cause,
            first_good,
            count,
        }
    }

    fn bad(self, rules: &Rules, at: Timestamp, cause: Cause) -> Self {
        let (up_since, first_bad, count, cause) = match self {
            Self::Pending => (None, at, 1, Box::new(cause)),
            Self::Good { since } => (Some(since), at, 1, Box::new(cause)),
            Self::Failing {
                up_since,
                first_bad,
                count,
                cause,
            } => (up_since, first_bad, count.saturating_add(1), cause),
            Self::Down {
                first_bad,
                failed,
                cause,
            }
            | Self::Rising {
                first_bad,
                failed,
                cause,
                ..
            } => {
                return Self::Down {
                    first_bad,
                    failed: failed.saturating_add(1),
                    cause,
                };
            }
        };
        if count >= rules.failures_before_down {
            return Self::Down {
                first_bad,
                failed: u32::from(count),
                cause,
            };
        }
        Self::Failing {
            up_since,
            first_bad,
            count,
            cause,
        }
    }

    /// The same without what is being counted; what is down stays down.
    #[must_use]
    pub fn without_counts(self) -> Self {
        match self {
            Self::Pending | Self::Good { .. } | Self::Down { .. } => self,
            Self::Failing { up_since, .. } => {
                up_since.map_or(Self::Pending, |since| Self::Good { since })
            }
            Self::Rising {
                first_bad,
                failed,
                cause,
                ..
            } => Self::Down {
                first_bad,
                failed,
                cause,
            },
        }
    }

    /// Moves its times, since the clock was set.
    pub fn move_times(&mut self, past: impl Fn(Timestamp) -> Timestamp) {
        match self {
            Self::Pending => {}
            Self::Good { since } => *since = past(*since),
            Self::Failing {
                up_since,
                first_bad,
                ..
            } => {
                *up_since = up_since.map(&past);
                *first_bad = past(*first_bad);
            }
            Self::Down { first_bad, .. } => *first_bad = past(*first_bad),
            Self::Rising {
                first_bad,
                first_good,
                ..
            } => {
                *first_bad = past(*first_bad);
                *first_good = past(*first_good);
            }
        }
    }

    /// Whether a check beside the grid is wanted, to confirm a failure or a recovery.
    pub const fn wants_another(&self) -> bool {
        match self {
            Self::Pending | Self::Good { .. } | Self::Down { .. } => false,
            Self::Failing { .. } | Self::Rising { .. } => true,
        }
    }

    /// Whether the newest check that it heard was the first bad one after others.
    pub const fn just_began_to_fail(&self) -> bool {
        matches!(
            self,
            Self::Failing { count: 1, .. } | Self::Down { failed: 1, .. }
        )
    }

    /// The first failed check, its cause and how many failed, where it fails or is about to.
    pub fn failure(&self) -> Option<(Timestamp, &Cause, u32)> {
        match self {
            Self::Pending | Self::Good { .. } | Self::Rising { .. } => None,
            Self::Failing {
                first_bad,
                count,
                cause,
                ..
            } => Some((*first_bad, cause, u32::from(*count))),
            Self::Down {
                first_bad,
                failed,
                cause,
            } => Some((*first_bad, cause, *failed)),
        }
    }

    /// The first good check and how many there were since (`u16::MAX`: enough), where it is good or is about to be.
    pub const fn recovery(&self) -> Option<(Timestamp, u16)> {
        match self {
            Self::Pending | Self::Failing { .. } | Self::Down { .. } => None,
            Self::Good { since } => Some((*since, u16::MAX)),
            Self::Rising {
                first_good, count, ..
            } => Some((*first_good, *count)),
        }
    }
}

/// The outages that one location confirmed by its checks, oldest first: the first failed check and, if it is over, the
/// first good one after it.
pub fn outages(rules: &Rules, checks: &[Check]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let mut found: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
    let mut voter = Voter::Pending;
    let mut known_at: Option<Timestamp> = None;
    let known = checks
        .iter()
        .filter(|check| !matches!(check.verdict, Verdict::Unknown(_)));
    for check in known {
        if known_at.is_some_and(|before| rules.is_gap(before, check.at)) {
            voter = voter.without_counts();
        }
        known_at = Some(check.at);
        voter = voter.hear(rules, check);
        let open = found.last_mut().filter(|(_, end)| end.is_none());
        match (&voter, open) {
            (Voter::Down { first_bad, .. }, None) => found.push((*first_bad, None)),
            (Voter::Good { since }, Some((_, end))) => *end = Some(*since),
            _ => {}
        }
    }
    found
}
