//! Changes between up and down that are too many for single mails.

use serde::{Deserialize, Serialize};

use crate::domain::incident::{Cause, IncidentKey};
use crate::domain::settings::Flapping;
use crate::domain::timestamp::Timestamp;

/// Outages of one spell that are remembered for its last mail; older ones have the same recipients.
const OWED_MAX: usize = 16;

/// Whether a monitor changes too often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flap {
    /// It does not.
    Calm {
        /// Its last changes, oldest first; at most as many as make flapping.
        changes: Box<[Timestamp]>,
    },
    /// It does.
    Flapping(Box<Spell>),
}

/// A time of too many changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spell {
    /// Since when.
    pub since: Timestamp,
    /// The changes that made it so.
    pub changes: u32,
    /// Whether that was mailed.
    pub told: bool,
    /// Outages of which something was mailed whose end was not.
    pub owed: Vec<Owed>,
}

impl Default for Flap {
    fn default() -> Self {
        Self::Calm {
            changes: Box::default(),
        }
    }
}

/// An outage that is over for the machine, and not yet for those who were told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The incident.
    pub key: IncidentKey,
    /// What began it.
    pub cause: Cause,
    /// How many of its checks failed.
    pub checks_failed: u32,
    /// Nothing was mailed of it before the mail about the flapping, which is still held back.
    #[serde(default)]
    pub silent: bool,
}

impl Flap {
    /// Whether it is flapping.
    pub const fn is_on(&self) -> bool {
        matches!(self, Self::Flapping(_))
    }

    /// Whether it is, and the mail about it is still held back.
    pub fn is_untold(&self) -> bool {
        matches!(self, Self::Flapping(spell) if !spell.told)
    }

    /// Takes in a change between up and down.
    pub fn change(&mut self, limit: Flapping, now: Timestamp) {
        let Self::Calm { changes } = self else {
            return;
        };
        let recent = |at: &Timestamp| now.since(*at) <= limit.within;
        let before = changes.iter().copied().filter(recent);
        *changes = before.chain([now]).collect();
        let needed = usize::try_from(limit.changes.get()).unwrap_or(usize::MAX);
        if changes.len() >= needed {
            *self = Self::Flapping(Box::new(Spell {
                since: now,
                changes: limit.changes.get(),
                told: false,
                owed: Vec::new(),
            }));
        }
    }

    /// Remembers an outage whose end is mailed with the end of the flapping.
    pub fn owe(&mut self, outage: Owed) {
        let Self::Flapping(spell) = self else {
            return;
        };
        let owed = &mut spell.owed;
        owed.retain(|other| other.key != outage.key);
        if owed.len() >= OWED_MAX {
            owed.remove(0);
        }
        owed.push(outage);
    }
}
