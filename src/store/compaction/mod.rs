//! What becomes of checks with time: roll-ups, summaries, retention.

pub mod retention;
pub(super) mod retention_mail;
pub mod rollup;
pub mod settle;
pub(super) mod summary;
