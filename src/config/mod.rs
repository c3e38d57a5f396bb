//! Text to a [`Config`] that is only constructible when valid; every fault collected with its place.

pub mod model;

pub use model::Config;
