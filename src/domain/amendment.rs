//! What people say of an incident afterwards: how it counts, and notes.

use super::order::By;
use super::timestamp::Timestamp;

/// How the downtime of an incident counts, by order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountsAs {
    /// As maintenance: it was planned work.
    Maintenance,
    /// As up: the site was well.
    FalseAlarm,
    /// As down, also within a maintenance window.
    Real,
}

impl CountsAs {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Maintenance, Self::FalseAlarm, Self::Real];

    /// The word, as on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::FalseAlarm => "false-alarm",
            Self::Real => "real",
        }
    }

    /// The meaning of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether the incident is still an outage.
    pub const fn is_outage(self) -> bool {
        match self {
            Self::Maintenance | Self::FalseAlarm => false,
            Self::Real => true,
        }
    }
}

/// One order about how an incident counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// How it counts.
    pub counts_as: CountsAs,
    /// When that was ordered.
    pub at: Timestamp,
    /// Who gave the order.
    pub by: By,
    /// The reason that was given.
    pub note: Option<String>,
    /// When it was taken back, and who did that.
    pub undone: Option<(Timestamp, By)>,
}

impl Amendment {
    /// When it was ordered, or taken back.
    pub fn changed_at(&self) -> Timestamp {
        let undone_at = self.undone.as_ref().map(|(at, _)| *at);
        undone_at.map_or(self.at, |at| at.max(self.at))
    }
}

/// A line in the history of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentNote {
    /// When it was written.
    pub at: Timestamp,
    /// Who gave the order.
    pub by: By,
    /// One line.
    pub text: String,
    /// Whether the page and the feed show it.
    pub public: bool,
}

/// The amendment in force: the newest that was not taken back.
pub fn in_force(amendments: &[Amendment]) -> Option<&Amendment> {
    amendments.iter().rev().find(|one| one.undone.is_none())
}
