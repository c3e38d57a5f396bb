//! blackbox_exporter and Prometheus.

mod http;
mod jobs;
mod relabel;

pub use jobs::blackbox;
