//! Several locations: the hub's side of the link, and a probe's whole life.

mod backoff;
mod courier;
#[cfg(test)]
mod faults;
pub mod hub;
mod hub_frames;
mod hub_lists;
pub mod probe;
mod probe_lists;
mod spooler;
