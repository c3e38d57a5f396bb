//! Gatus.

mod alerts;
mod condition;
mod conditions;
mod endpoints;
mod hosts;
mod ports;
mod providers;
mod timing;

pub use endpoints::gatus;
