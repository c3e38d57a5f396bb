//! Counts what a question to a document costs.

use std::ops::ControlFlow;

/// A path may look at this many values. A document of 1 MiB has at most half a million, so that every path that goes
/// through it once, or a dozen times, gets its answer; in time it is about a tenth of a second.
pub const STEPS_MAX: u64 = 10_000_000;

/// The steps were used up before there was an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent;

/// The steps that are left.
#[derive(Debug)]
pub struct Steps(u64);

impl Steps {
    /// So many.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// Uses some up.
    ///
    /// # Errors
    /// Where there are not so many left; then there are none.
    pub const fn take(&mut self, count: usize) -> Result<(), Spent> {
        match self.0.checked_sub(count as u64) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
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
