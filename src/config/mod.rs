//! Text to a [`Config`] that is only constructible when valid; every fault collected with its place.

pub mod environment;
pub mod model;

pub use environment::Environment;
pub use model::Config;
