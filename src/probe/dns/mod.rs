//! Names to addresses: the static table first, then the name servers, never a cache.
//!
//! From the inside out: [`message`] is the protocol, [`ask`] puts one question to one server, [`servers`] to all of
//! them, [`family`] asks for both kinds of addresses of one name, [`lookup`] goes through the search list. [`question`]
//! asks for records of any type.

mod ask;
mod etc_hosts;
mod family;
mod fault;
#[cfg(feature = "http3")]
mod https_record;
mod lookup;
mod message;
mod question;
mod records;
mod resolv_conf;
mod servers;
mod system;
mod usable;

pub(super) use fault::DnsFault;
pub(super) use lookup::{Resolver, Wanted};
pub(super) use usable::{blocked, has_route};
