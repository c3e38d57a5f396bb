//! The log. A separate thread writes it, so that a slow reader of the log delays nothing.

mod journal;
mod queue;
mod setup;
pub mod targets;

pub use queue::{lost, say_within};
pub use setup::{Form, Log, LogEnvironment, LogError, is_filter, start};
