//! Sends what a channel is told: one HTTP request, one answer.

mod fault;
mod sender;

pub use sender::{Answered, Sender, Sent};
