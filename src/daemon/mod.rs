//! Wiring: the only place that spawns.

pub mod demo;
