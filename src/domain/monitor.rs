//! What is watched: one monitor and how its turns come.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::location::Quorum;
pub use super::monitor_name::{MonitorId, MonitorName, NameError};
use super::recipient::Recipient;
use super::redaction::Masks;
use super::staleness;
use super::subject::{HttpSubject, Subject};
use super::timestamp::Timestamp;

/// For so long a check may be under way from its location to the hub.
const WAY_MAX: Duration = Duration::from_secs(5);

/// A cron expression as it was written: six fields, seconds first.
///
/// Only [`crate::policy::schedule::cron`] gives it a meaning; the configuration refuses one that has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CronText(pub Arc<str>);

/// When a monitor's checks are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// On an absolute grid of this many milliseconds, at a phase that its name decides; at least one second.
    Every(Duration),
    /// At the moments of a cron expression in the configured time zone.
    Cron(CronText),
}

/// One entry of `[[monitor]]`, complete and valid.
///
/// What the probe and the judge need is the [`Subject`], what the alert machine needs the [`Rules`]. What equals that
/// of other monitors is shared with them, and all of it with a check in flight, which keeps what it began with.
#[derive(Debug, Clone)]
pub struct Monitor {
    /// Its unique name.
    pub name: MonitorName,
    /// When it is checked.
    pub schedule: Schedule,
    /// What is checked, and what counts as good.
    pub subject: Subject,
    /// When and to whom it is told.
    pub rules: Arc<Rules>,
    /// Everything else.
    pub labels: Arc<Labels>,
}

/// What has no say in how a monitor is checked. Read through the [`Monitor`]; changing it takes it out of what is
/// shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Disabled monitors are known (their history stays) and not checked.
    pub enabled: bool,
    /// Free words to select monitors by.
    pub tags: Arc<[String]>,
    /// Monitors without which this one cannot be reached.
    pub depends_on: Arc<[MonitorName]>,
    /// A runbook link, an owner: shown in mails and, with the token, on pages.
    pub note: Arc<str>,
    /// Whether it exists for whoever has no token.
    pub public: bool,
    /// Whether the answers of its failing checks are kept, where any are.
    pub keep_evidence: bool,
    /// The name it had before.
    pub renamed_from: Option<MonitorName>,
}

impl Default for Labels {
    /// Enabled, public, and nothing else said.
    fn default() -> Self {
        Self {
            enabled: true,
            tags: Arc::default(),
            depends_on: Arc::default(),
            note: Arc::default(),
            public: true,
            keep_evidence: true,
            renamed_from: None,
        }
    }
}

impl Deref for Monitor {
    type Target = Labels;

    fn deref(&self) -> &Labels {
        &self.labels
    }
}

impl DerefMut for Monitor {
    fn deref_mut(&mut self) -> &mut Labels {
        Arc::make_mut(&mut self.labels)
    }
}

impl Monitor {
    /// Its URL as it may be stored and shown: no userinfo, no secret.
    pub fn url_shown(&self) -> String {
        self.subject.url_shown()
    }

    /// Its HTTP part, where it is of that kind.
    pub const fn http(&self) -> Option<&HttpSubject> {
        self.subject.http()
    }

    /// Its tags as they may be shown.
    pub fn tags_shown(&self) -> Vec<String> {
        let masks = self.masks();
        self.tags
            .iter()
            .map(|tag| masks.apply(tag).into_owned())
            .collect()
    }

    /// The secrets that must not leave this process.
    pub fn masks(&self) -> &Masks {
        self.subject.masks()
    }
}

/// When a monitor becomes down or up, and whom that is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The grid of an interval monitor; for a cron monitor the time between its next two moments, at least.
    pub interval: Duration,
    /// The deadline of one whole check.
    pub timeout: Duration,
    /// Consecutive down checks that open an incident; at least 1.
    pub failures_before_down: u16,
    /// Consecutive good checks that close it; at least 1.
    pub successes_before_up: u16,
    /// A confirming check starts this long after the last one ended.
    pub retry_interval: Duration,
    /// Mail when slow, not only record.
    pub alert_on_slow: bool,
    /// Mail when an address of several is bad, not only record.
    pub alert_on_address_down: bool,
    /// Mail when the redirect chain changed, not only record.
    pub alert_on_redirect_change: bool,
    /// The recipients; empty means that nobody gets any.
    pub to: Vec<Recipient>,
    /// From where it is checked; `None` without `[cluster]`: from here.
    pub quorum: Option<Arc<Quorum>>,
}

impl Rules {
    /// Whether between two checks lies so much time that what was counted before says nothing after:
    /// more than two intervals and a timeout.
    pub fn is_gap(&self, earlier: Timestamp, later: Timestamp) -> bool {
        later.since(earlier) > staleness::after(self.interval, self.timeout)
    }

    /// For so long after it arrived the word of a location counts.
    pub fn fresh_for(&self) -> Duration {
        staleness::after(self.interval, self.timeout).saturating_add(WAY_MAX)
    }
}
