//! Wiring: the only place that spawns.

pub mod calendar;
pub mod canary;
mod caught;
pub mod demo;
pub mod events;
pub mod fitness;
pub mod health;
pub mod heartbeat;
pub mod logging;
#[cfg(test)]
mod sample;
pub mod scheduler;
pub mod socket;
pub mod timetable;
mod timetable_entry;
