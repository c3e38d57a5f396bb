//! How time passed for a monitor: uptime, latency, reports.

pub mod error_budget;
pub mod histogram;
pub mod report_due;
pub mod timeline;
pub mod uptime;
