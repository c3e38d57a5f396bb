//! The self-contained tour's other half: sites on loopback that fail and recover by a script.

pub mod past;
pub mod places;
pub mod process;
pub mod script;
pub mod server;
