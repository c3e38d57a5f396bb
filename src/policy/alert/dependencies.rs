//! Whether what a monitor depends on holds its alerts back.

use std::time::Duration;

use super::state::{Kept, Status};
use crate::domain::timestamp::Timestamp;

/// A parent that was made due and has not answered after this is no longer waited for.
const VERIFY_WAIT: Duration = Duration::from_secs(60);

/// What a child needs to know of one monitor that it depends on. Paused, disabled and removed parents
/// are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Whether it is down or being confirmed, either way.
    pub failing: bool,
    /// The newest check that said anything of it.
    pub known_at: Option<Timestamp>,
}

impl Parent {
    /// The parent as its memory shows it.
    pub fn of(kept: &Kept, known_at: Option<Timestamp>) -> Self {
        let failing = match kept.status {
            Status::Pending | Status::Up { .. } => {
                kept.seats.as_ref().is_some_and(|seats| seats.any_failing())
            }
            Status::Suspect { .. } | Status::Down(_) | Status::Recovering { .. } => true,
        };
        Self { failing, known_at }
    }
}

/// Whether alerts of a child whose failure began at `first_bad` are held at `now`.
pub fn hold(parents: &[Parent], first_bad: Timestamp, now: Timestamp) -> bool {
    parents.iter().any(|parent| {
        let verified = parent.known_at.is_some_and(|at| at >= first_bad);
        parent.failing || (!verified && now < verify_until(first_bad))
    })
}

/// Until when a parent's first check after the child's failure is waited for.
pub fn verify_until(first_bad: Timestamp) -> Timestamp {
    first_bad.plus(VERIFY_WAIT)
}
