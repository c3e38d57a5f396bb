//! The log: written by a thread of its own, so that whoever reads it can hold nothing up.

mod journal;
mod queue;
mod setup;

pub use queue::{lost, say_within};
pub use setup::{Form, Log, LogEnvironment, LogError, is_filter, start};
