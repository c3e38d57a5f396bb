//! Wiring: the only place that spawns.

pub mod active;
mod announcement;
pub mod checks;
pub mod cluster;
pub mod control;
pub mod demo;
pub mod health;
pub mod hubs;
pub mod lifecycle;
pub mod logging;
pub mod notifier;
mod opening;
pub mod process;
pub mod recorder;
mod run_error;
pub mod schedule;
pub mod source_lists;
pub mod web;
mod wishes;
