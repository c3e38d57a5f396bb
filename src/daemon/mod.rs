//! Wiring: the only place that spawns.

pub mod calendar;
pub mod demo;
pub mod health;
#[cfg(test)]
mod sample;
pub mod scheduler;
pub mod timetable;
