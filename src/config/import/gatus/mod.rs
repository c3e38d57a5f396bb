//! Gatus.

mod alerts;
mod conditions;
mod endpoints;
mod ports;
mod timing;

pub use endpoints::gatus;
