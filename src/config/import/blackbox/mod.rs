//! blackbox_exporter and Prometheus.

mod http;
mod jobs;
mod relabel;
mod resources;

pub use jobs::blackbox;
