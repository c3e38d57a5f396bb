//! Counts what a question to a document costs.

use std::ops::ControlFlow;

use regex::Regex;

use crate::domain::pattern_search::{Searched, Searches, TooCostly};

/// A path may look at this many values. A document of 1 MiB has at most half a million, so that every path that goes
/// through it once, or a dozen times, gets its answer; in time it is about a tenth of a second.
pub const STEPS_MAX: u64 = 10_000_000;

/// The steps were used up before there was an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent;

/// The steps that are left.
#[derive(Debug)]
pub struct Steps {
    left: u64,
    /// The steps of patterns, which are counted by themselves.
    searches: Searches,
}

impl Steps {
    /// So many.
    pub fn new(count: u64) -> Self {
        Self::after(count, Searches::default())
    }

    /// So many, after these searches in the same answer.
    pub const fn after(count: u64, searches: Searches) -> Self {
        let left = count;
        Self { left, searches }
    }

    /// The searches, those before included.
    pub fn into_searches(self) -> Searches {
        self.searches
    }

    /// Whether a pattern is found in a text.
    ///
    /// # Errors
    /// Where that takes too many steps.
    pub fn is_match(&mut self, pattern: &Regex, text: &str) -> Result<bool, Spent> {
        self.searches
            .is_match(pattern.as_str(), Searched::Text, text.as_bytes(), || {
                pattern.is_match(text)
            })
            .map_err(|TooCostly| Spent)
    }

    /// Uses some up.
    ///
    /// # Errors
    /// Where there are not so many left; then there are none.
    pub const fn take(&mut self, count: usize) -> Result<(), Spent> {
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Spent)
            }
        }
    }
}

/// How a walk goes on: it breaks with `Ok` where enough was seen.
pub(super) type Walk = ControlFlow<Result<(), Spent>>;

impl Steps {
    /// [`Self::take`] within a walk.
    pub(super) const fn walk(&mut self, count: usize) -> Walk {
        match self.take(count) {
            Ok(()) => Walk::Continue(()),
            Err(spent) => Walk::Break(Err(spent)),
        }
    }
}
