//! Whether the daemon itself is well, and who is told.

pub mod counters;
pub(super) mod database_doubts;
pub(super) mod disk_wait;
pub mod heartbeat;
pub mod live_status;
pub mod self_check;
mod set_aside;
pub mod standstill;
pub mod watchdog;
