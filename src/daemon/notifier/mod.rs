//! The notifier: sends what the outbox holds.

pub mod compose;
pub(super) mod conversation;
pub mod dispatcher;
pub mod flush_once;
pub mod report_rows;
pub mod run;
pub(super) mod test_mail;
pub(super) mod urgent;
