//! The way between a hub and its probes: what they need of it, and NATS JetStream behind that.

pub mod error;
pub mod nats;
pub mod ways;
