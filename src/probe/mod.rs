//! The wire: one check, hop by hop.

mod prober;

pub use prober::{ProbeSetupError, Prober};
