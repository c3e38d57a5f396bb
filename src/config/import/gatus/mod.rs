//! Gatus.

mod alerts;
mod condition;
mod conditions;
mod endpoints;
mod hosts;
mod ports;
mod timing;

pub use endpoints::gatus;
