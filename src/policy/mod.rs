//! Decisions as pure functions: state, event and `now` in, values out.

pub mod alert;
pub mod availability;
pub mod clock_step;
pub mod http;
pub mod leadership;
pub mod outbox;
pub mod replay;
pub mod schedule;
pub mod template;
pub mod verdict;
pub mod why;
