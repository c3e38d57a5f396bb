//! The wire: one check, hop by hop.

mod body;
mod connection;
mod dns;
mod errand;
mod exchange;
mod fault;
mod known;
mod prober;
mod request;
mod room;
mod shared;

pub use errand::Redirects;
pub use prober::{ProbeSetupError, Prober};
