//! NATS: its protocol by a small client of our own, JetStream's requests on it, and the ways of hub and probe.

mod connection;
mod hub;
pub mod identity;
mod jetstream;
mod log;
mod probe;
mod protocol;
mod subjects;

pub use connection::{Client, Driver, connect};
pub use hub::NatsHub;
pub use log::NatsLog;
pub use probe::NatsProbe;
pub use subjects::permissions;
