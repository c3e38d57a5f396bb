//! Wiring: the only place that spawns.

pub mod board;
pub mod calendar;
pub mod canary;
mod caught;
pub mod demo;
pub mod events;
pub mod fitness;
pub mod health;
pub mod heartbeat;
pub mod limits;
pub mod logging;
pub mod notifier;
pub mod notifier_desk;
pub mod notifier_letter;
pub mod notifier_once;
mod notifier_report;
pub mod recorder;
mod recorder_enroll;
pub mod recorder_entry;
pub mod recorder_queue;
mod recorder_roster;
mod recorder_staged;
mod recorder_steps;
pub mod recorder_thread;
mod recorder_writing;
#[cfg(test)]
mod sample;
pub mod scheduler;
pub mod socket;
pub mod timetable;
mod timetable_entry;
pub mod web;
