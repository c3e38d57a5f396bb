//! What people ask of the running daemon.

pub mod reload;
pub mod requests;
pub mod socket;
