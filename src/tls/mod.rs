//! TLS for sites and mail servers alike: trust, verification, and the words for what goes wrong.

mod alerts;
mod anchors;
pub mod certificate;
mod config;
mod der;
mod effort;
mod p521;
mod provider;
mod recorder;
mod select;
mod signatures;
mod signed;
mod verify;
pub mod words;

pub use anchors::{SystemAnchors, Trust};
pub use config::{Basis, Handshake, Kind, client_config, verifying_config};
pub use provider::provider;
pub use recorder::{Recorder, Seen};
pub use verify::{Fault, Parts, Path, verify};
