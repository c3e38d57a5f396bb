//! What is wrong with a configuration.

use std::fmt;
use std::path::{Path, PathBuf};

pub(in crate::config) use super::fault::Fault;
use super::snippet;
use super::source_map::{Source, in_order};

/// More faults than this are counted, not shown: nobody reads them at once.
const FAULTS_SHOWN_MAX: usize = 200;

/// Everything that is wrong with a configuration, in the order of its files.
///
/// Displays as a compiler's report: for each fault the line and a caret, and at the end how many there are.
#[derive(Debug, Clone)]
pub struct ConfigErrors {
    file: PathBuf,
    sources: Vec<Source>,
    faults: Vec<Fault>,
}

impl std::error::Error for ConfigErrors {}

impl ConfigErrors {
    pub(in crate::config) fn new(
        file: PathBuf,
        sources: Vec<Source>,
        mut faults: Vec<Fault>,
    ) -> Self {
        faults.sort_by_cached_key(|fault| {
            let place = fault.place.map(|place| (in_order(&sources, place), place));
            (place, fault.message.clone())
        });
        faults.dedup();
        Self {
            file,
            sources,
            faults,
        }
    }

    /// The main file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How many faults there are; at least 1.
    pub fn count(&self) -> usize {
        self.faults.len()
    }

    /// Each fault as one line, for a log or a unit's status: ``monitors.toml:14: unknown key `intervall` ``.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.faults
            .iter()
            .map(|fault| fault.one_line(&self.sources))
    }

    /// The first fault as one line, and how many there are besides.
    pub fn first_line(&self) -> String {
        let first = self.lines().next().unwrap_or_default();
        match self.faults.len() {
            0 | 1 => first,
            count => format!("{first} (and {} more)", count - 1),
        }
    }

    /// The files that have faults, in words.
    fn files(&self) -> String {
        let mut files: Vec<&str> = Vec::new();
        for place in self.faults.iter().filter_map(|fault| fault.place) {
            if let Some(source) = self.sources.get(place.file as usize)
                && files.last() != Some(&source.shown.as_str())
            {
                files.push(&source.shown);
            }
        }
        match files.as_slice() {
            [] => match self.sources.first() {
                Some(main) => main.shown.clone(),
                None => self.file.display().to_string(),
            },
            [one] => (*one).to_owned(),
            [first, second] => format!("{first} and {second}"),
            [first, rest @ ..] => format!("{first} and {} other files", rest.len()),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in self.faults.iter().take(FAULTS_SHOWN_MAX) {
            snippet::fault(f, fault, &self.sources)?;
            writeln!(f)?;
        }
        let hidden = self.faults.len().saturating_sub(FAULTS_SHOWN_MAX);
        if hidden > 0 {
            writeln!(f, "... and {hidden} more")?;
        }
        let plural = if self.faults.len() == 1 { "" } else { "s" };
        write!(f, "{} error{plural} in {}", self.faults.len(), self.files())
    }
}
