//! The name of a channel, by which `to` finds it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::safe_text;

/// A longer name does not fit into tables and messages.
const CHARS_MAX: usize = 100;

/// The unique name of a channel: 1 to 100 characters without `@` and control characters, no white space at the ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelName(Arc<str>);

/// Why a text is not the name of a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelNameError {
    /// Nothing, or only white space.
    #[error("a channel's name must not be empty")]
    Empty,
    /// It would be read as a mail address in `to`.
    #[error("a channel's name must not contain `@`: `to` would take it for a mail address")]
    At,
    /// Longer than a table can show.
    #[error("a channel's name has at most {CHARS_MAX} characters, this one has {0}")]
    Long(usize),
    /// A character that would break a line of a log or a terminal.
    #[error("a channel's name must not contain control characters")]
    Control,
}

impl ChannelName {
    /// Takes a name, trimmed.
    ///
    /// # Errors
    /// If it is empty, too long, or has an `@` or control characters.
    pub fn parse(raw: &str) -> Result<Self, ChannelNameError> {
        let name = raw.trim();
        if name.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        if name.contains('@') {
            return Err(ChannelNameError::At);
        }
        if safe_text::first_unsafe(name).is_some() {
            return Err(ChannelNameError::Control);
        }
        match name.chars().count() {
            1..=CHARS_MAX => Ok(Self(name.into())),
            long => Err(ChannelNameError::Long(long)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_safe_word_for_to() {
        assert_eq!(ChannelName::parse(" oncall ").unwrap().as_str(), "oncall");
        assert_eq!(ChannelName::parse("  "), Err(ChannelNameError::Empty));
        assert_eq!(ChannelName::parse("a@b"), Err(ChannelNameError::At));
        assert_eq!(ChannelName::parse("a\nb"), Err(ChannelNameError::Control));
        let long = "x".repeat(101);
        assert_eq!(ChannelName::parse(&long), Err(ChannelNameError::Long(101)));
    }
}
