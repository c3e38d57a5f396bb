//! Wiring: the only place that spawns.

pub mod demo;
pub mod health;
pub mod scheduler;
pub mod timetable;
