//! Decisions as pure functions: state, event and `now` in, values out.

pub mod calendar;

pub mod grid;
pub mod judge;
