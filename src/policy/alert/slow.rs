//! Slow checks in a row, and the one mail about them.

use serde::{Deserialize, Serialize};

use crate::domain::check::{FailureKind, Verdict};
use crate::domain::monitor::Rules;
use crate::domain::timestamp::Timestamp;

/// How far a spell of slowness has come. Counted only where slowness is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slow {
    /// The last check was quick, or nobody wants to know.
    #[default]
    No,
    /// Slow, not yet often enough, or held back.
    Counting {
        /// The first slow check.
        since: Timestamp,
        /// Slow checks in a row.
        count: u16,
    },
    /// It was mailed; the spell ends after as many quick checks as end an outage.
    Told {
        /// The first slow check.
        since: Timestamp,
        /// Quick checks in a row since.
        quick: u16,
    },
}

impl Slow {
    /// The spell after one more check of a monitor that is up.
    #[must_use]
    pub fn after(self, rules: &Rules, at: Timestamp, verdict: &Verdict) -> Self {
        if !rules.alert_on_slow {
            return Self::No;
        }
        let slow = match verdict {
            Verdict::Unknown(_) => return self,
            Verdict::Degraded(failure) => failure.kind == FailureKind::Slow,
            Verdict::Up => false,
            Verdict::Down(_) => {
                return match self {
                    Self::No | Self::Counting { .. } => Self::No,
                    Self::Told { since, .. } => Self::Told { since, quick: 0 },
                };
            }
        };
        match (self, slow) {
            (Self::No, false) | (Self::Counting { .. }, false) => Self::No,
            (Self::No, true) => Self::Counting {
                since: at,
                count: 1,
            },
            (Self::Counting { since, count }, true) => Self::Counting {
                since,
                // Held back it counts no further: nothing new would be written.
                count: (count + 1).min(rules.failures_before_down.max(count)),
            },
            (Self::Told { since, .. }, true) => Self::Told { since, quick: 0 },
            (Self::Told { quick, .. }, false) if quick + 1 >= rules.successes_before_up => Self::No,
            (Self::Told { since, quick }, false) => Self::Told {
                since,
                quick: quick + 1,
            },
        }
    }

    /// Since when and how often, where that is now to be mailed.
    pub fn due(self, rules: &Rules) -> Option<(Timestamp, u16)> {
        match self {
            Self::Counting { since, count } if count >= rules.failures_before_down => {
                Some((since, count))
            }
            Self::No | Self::Counting { .. } | Self::Told { .. } => None,
        }
    }
}
