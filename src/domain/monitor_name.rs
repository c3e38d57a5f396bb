//! By what a monitor is known: its name, and its number in the database.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::subject::Locator;

/// The unique name of a monitor: 1 to 200 characters, no control characters, no white space at the ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MonitorName(Arc<str>);

/// Why a text is no monitor name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or only white space.
    #[error("a monitor's name must not be empty")]
    Empty,
    /// Longer than a line of a table or a subject can show.
    #[error("a monitor's name has at most 200 characters, this one has {0}")]
    Long(usize),
    /// A character that would break a header or a terminal.
    #[error("a monitor's name must not contain control characters")]
    Control,
}

impl MonitorName {
    /// Takes a name, trimmed.
    ///
    /// # Errors
    /// When it is empty, too long, or has control characters.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        let name = raw.trim();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if super::safe_text::first_unsafe(name).is_some() {
            return Err(NameError::Control);
        }
        match name.chars().count() {
            1..=200 => Ok(Self(name.into())),
            long => Err(NameError::Long(long)),
        }
    }

    /// The name of a monitor that was given none.
    pub fn default_of(locator: &Locator) -> Self {
        let name = locator.default_name();
        Self(super::safe_text::middle(&super::safe_text::line(&name, 2000), 200).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MonitorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The number a monitor has in the database, given once and kept through renames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MonitorId(pub i64);
