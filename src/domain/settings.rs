//! Everything of the configuration that is not a monitor, as valid values.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::address::Address;
use super::colour::Colour;
use super::monitor::{CronText, MonitorName};
use super::recipient::Recipient;
use super::redaction::Masks;
use super::secret::Secret;
use super::timestamp::Timestamp;
use super::week::OpenTime;

/// `[history]`: retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Raw checks; none: for ever.
    pub checks: Option<Duration>,
    /// Hourly and daily roll-ups; none: for ever.
    pub rollups: Option<Duration>,
    /// The first failing answers of incidents.
    pub evidence: EvidenceRetention,
}

/// How long, and how much of, the answers of failing checks is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceRetention {
    /// How long; none: nothing is kept.
    pub keep: Option<Duration>,
    /// How much in all, in bytes of the database.
    pub bytes_max: u64,
}

impl Default for EvidenceRetention {
    fn default() -> Self {
        Self {
            keep: Some(Duration::from_secs(90 * 86_400)),
            bytes_max: 512 * 1024 * 1024,
        }
    }
}

/// `[email]`: where mails go, and from whom.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// The way out.
    pub transport: MailTransport,
    /// The sender.
    pub from: Address,
    /// Default recipients.
    pub to: Vec<Recipient>,
    /// Where answers should go.
    pub reply_to: Option<Address>,
    /// One whole send.
    pub timeout: Duration,
    /// Whether the first bytes of a failing answer are quoted.
    pub body_excerpt: bool,
}

/// How a mail leaves.
#[derive(Debug, Clone)]
pub enum MailTransport {
    /// To a mail server.
    Smtp(SmtpServer),
    /// Into a directory, one `.eml` file each.
    Directory(PathBuf),
}

/// A mail server and how to speak to it.
#[derive(Debug, Clone)]
pub struct SmtpServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the conversation is encrypted.
    pub tls: SmtpTls,
    /// An extra trust anchor, PEM.
    pub ca_pem: Option<Arc<[u8]>>,
    /// The login name; never without TLS but to loopback.
    pub login: Option<(String, Secret)>,
    /// What of it a server's answer must not show.
    pub masks: Masks,
}

/// Encryption of a mail conversation (RFC 8314).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// STARTTLS, required: without it nothing is sent.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// In clear.
    None,
}

/// `[alerts]`: alerting.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertSettings {
    /// A mail waits this long for others to the same recipient.
    pub group_wait: Duration,
    /// More than this in one wait become one digest.
    pub group_limit: u32,
    /// After a digest, news of its monitors and outages of its causes collect this long.
    pub group_interval: Duration,
    /// The first reminder while down; each next one after twice the time, at most daily. None: off.
    pub reminder: Option<Duration>,
    /// Whether a recovery is mailed.
    pub recovery: bool,
    /// Up/down changes that make flapping.
    pub flapping: Flapping,
    /// DEGRADED mails before notAfter, longest first.
    pub certificate_expiry: Vec<Duration>,
}

/// How many changes within how long are too many, and how that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flapping {
    /// Up/down changes.
    pub changes: NonZeroU32,
    /// The time they fall into.
    pub within: Duration,
    /// Down for so long while flapping is told as DOWN.
    pub down_after: Duration,
    /// Up for so long ends the flapping.
    pub end_after: Duration,
}

impl Default for Flapping {
    fn default() -> Self {
        Self {
            changes: const { NonZeroU32::new(8).expect("8 is not 0") },
            within: Duration::from_secs(3600),
            down_after: Duration::from_secs(600),
            end_after: Duration::from_secs(1800),
        }
    }
}

/// `[connectivity]`: how we tell our own fault from the sites'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canaries {
    /// These URLs.
    Urls(Vec<Url>),
    /// A TCP connection to the mail server.
    MailServer {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// None: no mail server, or it is on loopback.
    None,
}

/// `[report]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSettings {
    /// When it is sent.
    pub schedule: CronText,
    /// The recipient.
    pub to: Vec<Recipient>,
}

/// `[heartbeat]`: an outbound dead-man ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// Requested while all is well.
    pub url: Url,
    /// Requested once when it stops being so.
    pub fail_url: Option<Url>,
    /// How often.
    pub interval: Duration,
    /// What is shown of neither.
    pub masks: Masks,
}

/// `[web]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The page's title.
    pub title: String,
    /// The bearer token that opens everything.
    pub token: Option<Secret>,
    /// Where readers find the page, with a slash at its end: what mails link to.
    pub public_url: Option<String>,
    /// Whether readers without the token see the monitored URLs.
    pub show_urls: bool,
    /// What the page looks like.
    pub look: WebLook,
}

/// Whose status page it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebLook {
    /// What stands below the title; empty without.
    pub description: String,
    /// Where the logo and the title's link lead: the site of whoever runs the page.
    pub link: Option<String>,
    /// The colour of links and of the line at the top.
    pub accent: Option<Colour>,
    /// The picture beside the title.
    pub logo: Option<Logo>,
}

/// A picture, read when the configuration is.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// Where it was read.
    pub path: PathBuf,
    /// Its media type, by its content.
    pub media_type: &'static str,
    /// The usual end of such a file's name.
    pub extension: &'static str,
    /// Of the content, in hexadecimal: pages name the file by it, and they are made too often to hash it each time.
    pub hash: String,
    /// The file.
    pub bytes: Arc<[u8]>,
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Logo({}, {} bytes)",
            self.path.display(),
            self.bytes.len()
        )
    }
}

/// One `[[maintenance]]` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// Whom it covers.
    pub covers: Covers,
    /// The times of the windows.
    pub when: MaintenanceTime,
    /// What is being done, as the page shows it; empty for nothing.
    pub note: Box<str>,
}

/// One `[[escalation]]` entry: who else is told of an outage that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// Whose outages.
    pub covers: Covers,
    /// How old an outage must be; at least a second.
    pub after: Duration,
    /// Who is told then; at least one.
    pub to: Vec<Recipient>,
}

/// One `[[hours]]` entry: when these recipients get their news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningHours {
    /// The recipients whose hours these are.
    pub to: Vec<Recipient>,
    /// When; at least one.
    pub open: Vec<OpenTime>,
}

/// The monitors of a maintenance window, an objective or a step of escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covers {
    /// Every monitor.
    All,
    /// These names, and whoever has one of these tags.
    Some {
        /// Names.
        monitors: Vec<MonitorName>,
        /// Tags.
        tags: Vec<String>,
    },
}

impl Covers {
    /// Whether a monitor of this name with these tags is one of them.
    pub fn has(&self, name: &MonitorName, own_tags: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Some { monitors, tags } => {
                monitors.contains(name) || tags.iter().any(|tag| own_tags.contains(tag))
            }
        }
    }
}

/// The time of a maintenance window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaintenanceTime {
    /// Once, `start <= t < end`.
    Once {
        /// Its begin.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
    /// From each moment of the expression, for this elapsed time.
    Cron {
        /// In the configured zone.
        schedule: CronText,
        /// Elapsed time, not civil time.
        duration: Duration,
    },
}
