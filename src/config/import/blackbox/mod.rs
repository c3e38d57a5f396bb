//! blackbox_exporter and Prometheus.

mod hosts;
mod http;
mod jobs;
mod relabel;
mod resources;
mod tcp;

pub use jobs::blackbox;
