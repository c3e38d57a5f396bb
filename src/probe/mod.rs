//! The wire: one check, hop by hop.

mod body;
mod connection;
mod dns;
mod exchange;
mod fault;
mod known;
mod prober;
mod request;
mod shared;

pub use prober::{ProbeSetupError, Prober};
