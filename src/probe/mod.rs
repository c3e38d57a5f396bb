//! The wire: one check, hop by hop.

mod body;
mod connection;
mod exchange;
mod fault;
mod hosts;
mod jar;
mod known;
mod prober;
mod request;
mod resolver;
mod shared;
mod system_dns;

pub use prober::{ProbeSetupError, Prober};
