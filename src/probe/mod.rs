//! The wire: one check, hop by hop.

mod asks;
mod body;
#[cfg(feature = "http3")]
mod by_quic;
mod certificate_cache;
mod classify;
mod connection;
mod conversation;
mod dns;
mod errand;
mod exchange;
mod facts;
mod http_faults;
mod icmp;
mod kept;
mod list;
mod name_server;
mod ping;
mod prober;
mod request;
mod room;
mod search;
mod shared;
mod socket;
mod starttls;

pub use errand::Redirects;
pub use icmp::may_ping;
pub use list::{ListAnswer, ListFault, ListRequest, Validators};
pub use prober::{ProbeSetupError, Prober};
pub use search::Search;
