//! The recorder: the one place where what happened becomes state, incident and notification.

mod asks;
pub mod burns;
mod changes;
pub(super) mod clock;
pub(super) mod commit;
pub(super) mod database_alarm;
pub(super) mod decide;
pub mod engine;
pub(super) mod enroll;
pub mod evidence;
pub mod evidence_shelf;
pub mod files;
mod location_sight;
mod location_watch;
pub mod message;
pub(super) mod offline;
pub(super) mod probes;
pub mod queue;
mod raise;
pub(super) mod relist;
pub(super) mod report;
pub(super) mod roster;
pub(super) mod rules;
mod shared_check;
pub(super) mod staged;
pub mod thread;
pub(super) mod usual;
