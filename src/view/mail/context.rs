//! What a mail shows beside its own facts: looked up when it leaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::check::{Check, Timings};
use crate::domain::incident::{Beginnings, Cause, IncidentKey};
use crate::domain::monitor::{Monitor, MonitorId, MonitorName};
use crate::domain::timestamp::Timestamp;
use crate::view::objective::ObjectiveRow;

/// The surroundings of a mail at the moment it leaves. Everything that is not known is left out of the mail.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// When it leaves.
    pub now: Timestamp,
    /// The time zone of its times.
    pub zone: TimeZone,
    /// The host that sitewatch runs on.
    pub host: String,
    /// Where the status page is, for links: `[web] public_url`, with a slash at its end.
    pub page_url: Option<String>,
    /// Why it leaves later than it was decided, if it does.
    pub delay: Option<Delay>,
    /// Whether the first bytes of a failing answer are quoted.
    pub body_excerpt: bool,
    /// What differs between the first failing answer and the last good one, where that is short.
    pub changed: Option<Changed>,
    /// The monitor of a mail about one, as the configuration in force has it.
    pub monitor: Option<&'a Monitor>,
    /// What the history says about it.
    pub history: History,
    /// Other monitors that are down now, longest first.
    pub also_down: Vec<OtherDown>,
    /// What the monitors of this mail are now.
    pub currents: Currents,
    /// How many monitors are being confirmed down now.
    pub confirming: u32,
    /// Which of its outages somebody took note of.
    pub acks: Vec<Acked>,
    /// The periodic report's numbers.
    pub report: Vec<ReportRow>,
    /// How objectives stand, of a report and of a burn.
    pub objectives: Vec<ObjectiveRow>,
    /// Those of the reports that a digest holds.
    pub reports: Vec<Reported>,
    /// When the incidents of this mail began, where the clock was set since.
    pub beginnings: Beginnings,
}

impl Context<'_> {
    /// Surroundings of which nothing is known but when and where.
    pub fn bare(now: Timestamp, zone: TimeZone, host: &str) -> Self {
        Self {
            now,
            zone,
            host: host.to_owned(),
            page_url: None,
            delay: None,
            body_excerpt: true,
            changed: None,
            monitor: None,
            history: History::default(),
            also_down: Vec::new(),
            currents: Currents::new(),
            confirming: 0,
            acks: Vec::new(),
            report: Vec::new(),
            objectives: Vec::new(),
            reports: Vec::new(),
            beginnings: Beginnings::default(),
        }
    }
}

/// What differs from the last good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// When that came.
    pub good_at: Timestamp,
    /// The lines of a unified diff.
    pub lines: Vec<String>,
}

/// The state of monitors at the moment when a mail leaves.
pub type Currents = BTreeMap<MonitorId, Current>;

/// The state of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Current {
    /// Whether it was checked lately with an answer: nothing is known while we are offline.
    pub is_known: bool,
    /// Whether an incident is open.
    pub is_down: bool,
    /// Since when it is what it is.
    pub since: Timestamp,
    /// Whether it counts as flapping.
    pub flapping: bool,
    /// What its newest failed check said, while it is down.
    pub cause: Option<Cause>,
}

/// Why a mail is late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delay {
    /// `mail` or `message`.
    pub what: &'static str,
    /// By how long.
    pub by: Duration,
    /// One sentence without its full stop.
    pub why: String,
}

/// What the history says about a monitor around an incident.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The last good check before the outage and those since, newest first; bounded by who looks them up.
    pub checks: Vec<Check>,
    /// The usual phases: medians of the last day's good checks.
    pub usual: Option<Timings>,
    /// The last 30 days.
    pub month: Option<Month>,
    /// The causes of an outage's failed checks with their numbers, most frequent first.
    pub causes: Vec<(String, u32)>,
    /// When the next reminder is due.
    pub next_reminder: Option<Timestamp>,
}

/// Thirty days in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Month {
    /// Of the observed time.
    pub uptime_percent: f64,
    /// How much of the time was observed.
    pub coverage_percent: f64,
    /// How long ago the first check was, where that is less than thirty days.
    pub observed: Option<Duration>,
    /// How many outages began.
    pub outages: u32,
    /// The longest of them.
    pub longest: Duration,
}

/// Another monitor that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherDown {
    /// The monitor's name.
    pub name: MonitorName,
    /// Since when.
    pub since: Timestamp,
}

/// The acknowledgement of an outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acked {
    /// Of which.
    pub incident: IncidentKey,
    /// The moment of the check.
    pub at: Timestamp,
    /// The note, if there is one.
    pub note: Option<Arc<str>>,
}

/// A report that a digest holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The begin of its period.
    pub from: Timestamp,
    /// The end of its period.
    pub to: Timestamp,
    /// Its numbers.
    pub rows: Vec<ReportRow>,
}

/// One monitor of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRow {
    /// The monitor's name.
    pub name: MonitorName,
    /// Of the observed time; `None` if nothing was observed.
    pub uptime_percent: Option<f64>,
    /// How much of the period was observed.
    pub coverage_percent: f64,
    /// How much of the period anybody looked at it: it was up, degraded or down.
    pub watched: Duration,
    /// How much of the period was maintenance.
    pub maintenance: Duration,
    /// The rest: no check, none that could tell, paused, or not yet there.
    pub unwatched: Duration,
    /// How many outages began.
    pub outages: u32,
    /// How long it was down in all.
    pub downtime: Duration,
    /// The longest outage.
    pub longest: Duration,
    /// The total time that 95 % of the good checks stayed below, in milliseconds.
    pub p95_ms: Option<f64>,
}
