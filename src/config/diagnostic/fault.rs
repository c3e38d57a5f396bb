//! One thing that is wrong with a configuration, and where.

use super::source_map::{Place, Source};
use crate::domain::safe_text;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Fault {
    /// A sentence with the values in it.
    pub message: String,
    /// Where; none for what has no place, as a file that is not there.
    pub place: Option<Place>,
    /// What stands behind the caret: what to write instead.
    pub label: String,
    /// Other places that matter, each with what to know about it (may be empty).
    pub others: Vec<(Place, String)>,
    /// A line below it all, where there is no place for a label.
    pub help: String,
    /// Whether wrong syntax elsewhere in the file may be its only cause.
    pub follows_from_syntax: bool,
}

impl Fault {
    pub(in crate::config) fn new(
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self {
            message: message.into(),
            place: Some(place),
            label: label.into(),
            others: Vec::new(),
            help: String::new(),
            follows_from_syntax: false,
        }
    }

    pub(in crate::config) fn nowhere(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
            label: String::new(),
            others: Vec::new(),
            help: help.into(),
            follows_from_syntax: false,
        }
    }

    /// Adds another place, shown below or above the first.
    pub(in crate::config) fn and(mut self, place: Place, label: impl Into<String>) -> Self {
        self.others.push((place, label.into()));
        self
    }

    /// As one line: ``monitors.toml:14: unknown key `intervall` ``.
    pub(super) fn one_line(&self, sources: &[Source]) -> String {
        let place = self.place.and_then(|place| {
            let source = sources.get(place.file as usize)?;
            let (line, _) = source.line_and_column(place.start);
            Some(format!("{}:{line}: ", source.shown))
        });
        let line = format!("{}{}", place.unwrap_or_default(), self.message);
        safe_text::line(&line, 500).into_owned()
    }
}
