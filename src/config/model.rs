//! The configuration as values: complete, valid, every default filled in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::read::include::Included;
use super::source_lists::compose::Listed;
use crate::domain::monitor::Monitor;
use crate::domain::redaction::Masks;
use crate::domain::settings::{
    AlertSettings, Canaries, EmailSettings, HeartbeatSettings, Maintenance, ReportSettings,
    Retention, WebSettings,
};
use crate::domain::target::DnsSettings;

/// Everything that one `monitors.toml` and its includes say.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Of the texts it was made of, see [`super::Watch`]; 0 where it was not loaded whole.
    pub fingerprint: u64,
    /// `[daemon]`
    pub daemon: DaemonSettings,
    /// `[history]`
    pub history: Retention,
    /// `[dns]`
    pub dns: DnsSettings,
    /// `[web]`, where it listens.
    pub web: Option<WebSettings>,
    /// `[email]`; none: checks are recorded, nothing is mailed.
    pub email: Option<EmailSettings>,
    /// `[alerts]`
    pub alerts: AlertSettings,
    /// `[connectivity]`
    pub canaries: Canaries,
    /// `[report]`, where it has a schedule.
    pub report: Option<ReportSettings>,
    /// `[heartbeat]`, where it has a URL.
    pub heartbeat: Option<HeartbeatSettings>,
    /// `[[monitor]]`, in the order of the file and its includes; names are unique.
    pub monitors: Vec<Arc<Monitor>>,
    /// `[[source]]`, in the order of the file and its includes. Their monitors stand behind the others; a configuration
    /// that was only loaded has none of them.
    pub lists: Vec<Listed>,
    /// `[[maintenance]]`
    pub maintenance: Vec<Maintenance>,
    /// What came by `${NAME}` outside of monitors.
    pub masks: Masks,
    /// What is valid and still deserves a word: one sentence each.
    pub warnings: Vec<String>,
    /// What each pattern of `include` found.
    pub included: Vec<Included>,
}

/// `[daemon]`
#[derive(Debug, Clone)]
pub struct DaemonSettings {
    /// The database.
    pub database: PathBuf,
    /// The control socket.
    pub control_socket: PathBuf,
    /// Checks in flight at most; at least 1.
    pub max_concurrent_checks: u32,
    /// For mails, pages, cron expressions and tables.
    pub timezone: TimeZone,
    /// How long a stop waits for checks in flight and mails.
    pub shutdown_grace: Duration,
    /// A level or a filter in the form of tracing's `EnvFilter`.
    pub log: String,
}
