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
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "monitors of tls:// will have these dialogues")
)]
#[expect(
    unused_imports,
    reason = "monitors of tls:// will have these dialogues"
)]
mod starttls;

pub use errand::Redirects;
pub use list::{ListAnswer, ListFault, ListRequest, Validators};
pub use prober::{ProbeSetupError, Prober};
