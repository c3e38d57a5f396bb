//! Decisions as pure functions: state, event and `now` in, values out.

pub mod calendar;
pub mod certificate;
pub mod connectivity;
pub mod drift;
pub mod flapping;
pub mod grid;
pub mod intermittent;
pub mod judge;
mod machine;
pub mod memory;
pub mod monitor;
pub mod outbox;
pub mod parents;
pub mod reminder;
pub mod slow;
#[cfg(test)]
mod timelines;
