//! The notifier: sends what the outbox holds.

pub(in crate::daemon) mod channels;
pub mod compose;
pub(super) mod conversation;
mod delivery_log;
pub mod dispatcher;
pub mod flush_once;
mod handle;
mod host_name;
mod levels;
mod pauses_left;
pub mod report_rows;
pub mod run;
pub(super) mod test_channel;
pub(super) mod test_mail;
pub(super) mod urgent;
