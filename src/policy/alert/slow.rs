//! Checks in a row that are slow, or see an address or a version of HTTP down, and the one mail about them.

use serde::{Deserialize, Serialize};

use crate::domain::check::{FailureKind, Verdict};
use crate::domain::monitor::Rules;
use crate::domain::timestamp::Timestamp;

/// How far a spell of degraded checks has come. Slow ones are counted only where they are mailed; those that see an
/// address or a version down always, since such a one is looked at again until it is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slow {
    /// The last check was quick, or nobody wants to know.
    #[default]
    No,
    /// Degraded, not yet often enough, or held back.
    Counting {
        /// The first such check.
        since: Timestamp,
        /// Such checks in a row.
        count: u16,
        /// Why they are degraded.
        #[serde(default, skip_serializing_if = "Spell::is_slow")]
        spell: Spell,
    },
    /// It was mailed; the spell ends after as many other checks as end an outage.
    Told {
        /// The first such check.
        since: Timestamp,
        /// Other checks in a row since.
        quick: u16,
        /// Why they were degraded.
        #[serde(default, skip_serializing_if = "Spell::is_slow")]
        spell: Spell,
    },
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spell {
    /// Slowness.
    #[default]
    Slow,
    /// An address of several that is bad.
    AddressDown,
    /// A version of HTTP of several that fails.
    HttpVersion,
}

impl Spell {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    const fn is_slow(&self) -> bool {
        matches!(self, Self::Slow)
    }

    /// What a check is that belongs to it.
    pub const fn kind(self) -> FailureKind {
        match self {
            Self::Slow => FailureKind::Slow,
            Self::AddressDown => FailureKind::AddressDown,
            Self::HttpVersion => FailureKind::HttpVersion,
        }
    }

    /// The spell to which a failure belongs, if such checks are counted.
    fn of(rules: &Rules, kind: FailureKind) -> Option<Self> {
        match kind {
            FailureKind::Slow => rules.alert_on_slow.then_some(Self::Slow),
            FailureKind::AddressDown => Some(Self::AddressDown),
            FailureKind::HttpVersion => Some(Self::HttpVersion),
            _ => None,
        }
    }

    const fn is_told(self, rules: &Rules) -> bool {
        match self {
            Self::Slow => rules.alert_on_slow,
            Self::AddressDown | Self::HttpVersion => rules.alert_on_address_down,
        }
    }
}

impl Slow {
    /// The spell after one more check of a monitor that is up.
    #[must_use]
    pub fn after(self, rules: &Rules, at: Timestamp, verdict: &Verdict) -> Self {
        let before = match self {
            Self::Counting { spell, .. } | Self::Told { spell, .. }
                if Spell::of(rules, spell.kind()).is_none() =>
            {
                Self::No
            }
            before => before,
        };
        let seen = match verdict {
            Verdict::Unknown(_) => return before,
            Verdict::Degraded(failure) => Spell::of(rules, failure.kind),
            Verdict::Up => None,
            Verdict::Down(_) => {
                return match before {
                    Self::No | Self::Counting { .. } => Self::No,
                    Self::Told { since, spell, .. } => Self::Told {
                        since,
                        quick: 0,
                        spell,
                    },
                };
            }
        };
        let begun = |spell| Self::Counting {
            since: at,
            count: 1,
            spell,
        };
        match (before, seen) {
            (Self::No | Self::Counting { .. }, None) => Self::No,
            (Self::No, Some(spell)) => begun(spell),
            (
                Self::Counting {
                    since,
                    count,
                    spell,
                },
                Some(seen),
            ) if spell == seen => Self::Counting {
                since,
                // Held back it counts no further: nothing new would be written.
                count: (count + 1).min(rules.failures_before_down.max(count)),
                spell,
            },
            (Self::Counting { .. }, Some(seen)) => begun(seen),
            (Self::Told { since, spell, .. }, Some(seen)) if spell == seen => Self::Told {
                since,
                quick: 0,
                spell,
            },
            (Self::Told { quick, .. }, seen) if quick + 1 >= rules.successes_before_up => {
                seen.map_or(Self::No, begun)
            }
            (
                Self::Told {
                    since,
                    quick,
                    spell,
                },
                _,
            ) => Self::Told {
                since,
                quick: quick + 1,
                spell,
            },
        }
    }

    /// Since when, how often and why, where that is now to be mailed.
    pub fn due(self, rules: &Rules) -> Option<(Timestamp, u16, Spell)> {
        match self {
            Self::Counting {
                since,
                count,
                spell,
            } if count >= rules.failures_before_down && spell.is_told(rules) => {
                Some((since, count, spell))
            }
            Self::No | Self::Counting { .. } | Self::Told { .. } => None,
        }
    }

    /// Whether a bad address or version is to be looked at again before the next slot.
    pub const fn wants_confirmation(self, rules: &Rules) -> bool {
        match self {
            Self::Counting {
                count,
                spell: Spell::AddressDown | Spell::HttpVersion,
                ..
            } => count < rules.failures_before_down,
            Self::No | Self::Counting { .. } | Self::Told { .. } => false,
        }
    }
}
