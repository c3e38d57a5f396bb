//! What people ask of the running daemon.

pub mod amend;
pub mod held_windows;
mod recheck;
pub mod reload;
pub mod requests;
pub mod socket;
