//! What a hub and its probes send each other, as bytes: versioned, bounded, compressed. Nothing here knows how it
//! travels.

mod check;
mod fields;
pub mod frame;
pub mod hub_log;
pub mod list;
pub mod notes;
mod squeeze;

pub use fields::WireError;
