//! The recorder: the one place where what happened becomes state, incident and notification.

pub mod burns;
pub(super) mod clock;
pub(super) mod commit;
pub(super) mod database_alarm;
pub(super) mod decide;
pub mod engine;
pub(super) mod enroll;
pub mod evidence;
pub mod evidence_shelf;
pub mod files;
pub mod message;
pub(super) mod offline;
pub mod queue;
mod raise;
pub(super) mod relist;
pub(super) mod report;
pub(super) mod roster;
pub(super) mod rules;
pub(super) mod staged;
pub mod thread;
pub(super) mod usual;
