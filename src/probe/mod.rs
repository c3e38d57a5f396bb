//! The wire: one check, hop by hop.

mod body;
mod certificate_cache;
mod classify;
mod connection;
mod conversation;
mod dns;
mod errand;
mod exchange;
mod facts;
mod list;
mod prober;
mod request;
mod room;
mod search;
mod shared;
mod socket;
mod starttls;

pub use errand::Redirects;
pub use list::{ListAnswer, ListFault, ListRequest, Validators};
pub use prober::{ProbeSetupError, Prober};
pub use search::Search;
