//! The configuration as values: complete, valid, every default filled in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::read::include::Included;
use super::source_lists::compose::Listed;
use crate::domain::channel::{Channel, ChannelName};
use crate::domain::cluster::{ClusterRole, ClusterSettings};
use crate::domain::location::Places;
use crate::domain::monitor::Monitor;
use crate::domain::notification::MailKind;
use crate::domain::objective::Objective;
use crate::domain::recipient::Recipient;
use crate::domain::redaction::Masks;
use crate::domain::settings::{
    AlertSettings, Canaries, EmailSettings, Escalation, HeartbeatSettings, Maintenance,
    ReportSettings, Retention, WebSettings,
};
use crate::domain::target::DnsSettings;
use crate::policy::alert::monitor::Side;
use crate::policy::outbox::hours::Hours;

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
    /// `[[channel]]`, in the order of the file and its includes; names are unique.
    pub channels: Vec<Arc<Channel>>,
    /// Who is told of what names nobody: `[alerts].to`, else `[email].to`, else every channel.
    pub told: Vec<Recipient>,
    /// `[alerts]`
    pub alerts: AlertSettings,
    /// `[[escalation]]`, in the order of the file and its includes.
    pub escalation: Vec<Arc<Escalation>>,
    /// `[[hours]]`
    pub hours: Hours,
    /// `[connectivity]`
    pub canaries: Canaries,
    /// `[report]`, where it has a schedule.
    pub report: Option<ReportSettings>,
    /// `[heartbeat]`, where it has a URL.
    pub heartbeat: Option<HeartbeatSettings>,
    /// `[cluster]`; none: one process does everything.
    pub cluster: Option<Arc<ClusterSettings>>,
    /// Of a hub: what a probe reads to check each monitor, in the order of `monitors`; else empty.
    pub portable: Vec<Box<str>>,
    /// `[[monitor]]`, in the order of the file and its includes; names are unique.
    pub monitors: Vec<Arc<Monitor>>,
    /// `[[source]]`, in the order of the file and its includes. Their monitors stand behind the others; a configuration
    /// that was only loaded has none of them.
    pub lists: Vec<Listed>,
    /// `[[maintenance]]`
    pub maintenance: Vec<Maintenance>,
    /// `[[objective]]`, in the order of the file and its includes; names are unique.
    pub objectives: Vec<Objective>,
    /// What came by `${NAME}` outside of monitors.
    pub masks: Masks,
    /// What is valid and still deserves a word: one sentence each.
    pub warnings: Vec<String>,
    /// What each pattern of `include` found.
    pub included: Vec<Included>,
}

impl Config {
    /// The locations of a hub; none without `[cluster]` and for a probe.
    pub fn places(&self) -> Option<&Places> {
        match &self.cluster.as_ref()?.role {
            ClusterRole::Hub(hub) => Some(&hub.places),
            ClusterRole::Probe(_) => None,
        }
    }

    /// Whether it is that of a probe.
    pub fn is_probe(&self) -> bool {
        let role = self.cluster.as_ref().map(|cluster| &cluster.role);
        matches!(role, Some(ClusterRole::Probe(_)))
    }

    /// The channel of a name.
    pub fn channel(&self, name: &ChannelName) -> Option<&Arc<Channel>> {
        self.channels.iter().find(|channel| channel.name == *name)
    }

    /// Whether a recipient is sent messages of this kind: an address all, a channel those of its `events`.
    pub fn takes(&self, to: &Recipient, kind: MailKind) -> bool {
        match to {
            Recipient::Mail(_) => true,
            Recipient::Channel(name) => self.channel(name).is_some_and(|channel| {
                let format = channel.format();
                let is_for_it = !format.takes_incidents_only()
                    || !matches!(kind, MailKind::Flapping | MailKind::WasDown);
                !format.is_level() && is_for_it && channel.events.takes(kind)
            }),
        }
    }

    /// The monitors that an objective covers and that are checked.
    pub fn monitors_of<'a>(
        &'a self,
        objective: &'a Objective,
    ) -> impl Iterator<Item = &'a Arc<Monitor>> {
        let covered = move |monitor: &&Arc<Monitor>| {
            monitor.enabled && objective.covers.has(&monitor.name, &monitor.tags)
        };
        self.monitors.iter().filter(covered)
    }

    /// Whether a recipient reads messages, or is a service that holds incidents.
    pub fn side(&self, to: &Recipient) -> Side {
        let channel = to.channel().and_then(|name| self.channel(name));
        match channel.is_some_and(|channel| channel.format().takes_incidents_only()) {
            true => Side::Incidents,
            false => Side::Messages,
        }
    }

    /// The rules of `[alerts]` as they are for one recipient.
    pub fn alerts_for(&self, to: &Recipient) -> AlertSettings {
        let channel = to.channel().and_then(|name| self.channel(name));
        match channel {
            Some(channel) => channel.alerts(&self.alerts),
            None => self.alerts.clone(),
        }
    }

    /// Where readers of messages find the status page: `[web] public_url`.
    pub fn page_url(&self) -> Option<String> {
        self.web.as_ref()?.public_url.clone()
    }

    /// Whether anything can be sent at all.
    pub fn has_way_out(&self) -> bool {
        self.email.is_some() || !self.channels.is_empty()
    }
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
