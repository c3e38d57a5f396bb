//! Uptime Kuma.

mod answer;
mod export;
mod hosts;
mod request;
mod services;
mod telling;

pub use export::{uptime_kuma, uptime_kuma_value};
