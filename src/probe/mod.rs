//! The wire: one check, hop by hop.

mod body;
mod clients;
mod exchange;
mod fault;
mod hosts;
mod jar;
mod known;
mod prober;
mod request;
mod resolver;
mod system_dns;
mod tls;
mod trace;

pub use prober::{ProbeSetupError, Prober};
