//! Gatus.

mod alerts;
mod conditions;
mod endpoints;

pub use endpoints::gatus;
