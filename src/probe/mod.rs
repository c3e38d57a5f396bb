//! The wire: one check, hop by hop.

mod body;
mod certificate_cache;
mod classify;
mod connection;
mod dns;
mod errand;
mod exchange;
mod list;
mod prober;
mod request;
mod room;
mod shared;

pub use errand::Redirects;
pub use list::{ListAnswer, ListFault, ListRequest, Validators};
pub use prober::{ProbeSetupError, Prober};
