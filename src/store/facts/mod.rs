//! What is known besides checks: monitors, states, incidents, reports.

pub mod amendments;
pub mod arrivals;
pub mod clock_step;
pub(super) mod clock_undo;
pub mod events;
pub mod evidence;
pub mod incidents;
mod kept_rollups;
pub mod last_report;
pub mod locations;
pub(super) mod meta;
pub mod monitors;
pub mod objectives;
pub mod offline_state;
pub mod orders;
pub mod past;
pub mod report;
pub mod rules;
pub mod source_lists;
pub mod status;
