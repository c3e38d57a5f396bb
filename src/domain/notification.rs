//! What there is to say, before it is text: the facts of one mail, as the outbox keeps them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Chain, Check};
use super::incident::{Cause, IncidentKey};
use super::location::{LocationName, LocationStatus};
use super::monitor::{MonitorId, MonitorName};
use super::recipient::Recipient;
use super::timestamp::Timestamp;

/// One thing to tell: decided once, queued per recipient, rendered when it leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Whose news; none for news about many or about us.
    pub about: Option<About>,
    /// What happened.
    pub news: News,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// The monitor of a notice, as it was when the notice was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its number.
    pub monitor: MonitorId,
    /// Its name then.
    pub name: MonitorName,
    /// Its URL, shown form.
    pub url: String,
}

/// The kinds of news with what each must not lose until it leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum News {
    /// A monitor is down, confirmed.
    Down {
        /// Its incident.
        incident: IncidentKey,
        /// The first failed check's cause.
        cause: Cause,
        /// Since when it had been up, where that is known.
        up_since: Option<Timestamp>,
        /// The newest failed check, with the excerpt of its body.
        check: Box<Check>,
        /// Failed checks so far.
        checks_failed: u32,
        /// The chain of the last good check.
        last_good: Option<Box<Check>>,
        /// Why the mail was held back until now (`maintenance`, `mute`, `parent`, `flapping`), if it was.
        held: Option<String>,
        /// What each of its locations says; empty without locations.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        locations: Vec<LocationStatus>,
    },
    /// Still down, a reminder.
    StillDown {
        /// Its incident.
        incident: IncidentKey,
        /// The first failed check's cause.
        cause: Cause,
        /// The newest failed check.
        check: Box<Check>,
        /// Failed checks so far.
        checks_failed: u32,
        /// When the next reminder is due, if one is.
        next: Option<Timestamp>,
    },
    /// Down for so long that more people are told.
    Escalated {
        /// Its incident.
        incident: IncidentKey,
        /// The first failed check's cause.
        cause: Cause,
        /// After how long the step comes: the `after` of its `[[escalation]]`.
        after: Duration,
        /// Since when it had been up, where that is known.
        up_since: Option<Timestamp>,
        /// The newest failed check, with the excerpt of its body.
        check: Box<Check>,
        /// Failed checks so far.
        checks_failed: u32,
        /// The chain of the last good check.
        last_good: Option<Box<Check>>,
        /// What each of its locations says; empty without locations.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        locations: Vec<LocationStatus>,
    },
    /// Up again.
    Up {
        /// The incident that ended.
        incident: IncidentKey,
        /// The first failed check's cause.
        cause: Cause,
        /// When it ended: the start of the first good check.
        closed_at: Timestamp,
        /// The newest good check.
        check: Box<Check>,
        /// Failed checks in all.
        checks_failed: u32,
        /// Where it ends a flapping: since when that lasted. The outage is only the last one of it.
        #[serde(default)]
        flapping_since: Option<Timestamp>,
    },
    /// Slow, or failing now and then: degraded, with `on_slow = "alert"` or kind `intermittent`.
    Degraded {
        /// The check that made it so.
        check: Box<Check>,
        /// Since when.
        since: Timestamp,
        /// How many checks in a row (slow), or of the last 20 (intermittent).
        count: u32,
        /// `slow`, `intermittent`, `address_down`, `http_version` or `regional`.
        reason: super::check::FailureKind,
        /// Of `regional`: what each of its locations says.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        locations: Vec<LocationStatus>,
    },
    /// A certificate passed an expiry step.
    CertificateExpiring {
        /// The check that saw it.
        check: Box<Check>,
        /// The step that was passed.
        step: Duration,
    },
    /// Changes up and down too often for single mails.
    Flapping {
        /// The incident that it is filed under: whoever gets this mail is told of its end.
        #[serde(default)]
        incident: Option<IncidentKey>,
        /// How many changes.
        changes: u32,
        /// Within how long.
        within: Duration,
        /// Down for so long is told as DOWN meanwhile.
        #[serde(default = "ten_minutes")]
        down_after: Duration,
        /// Up for so long ends it.
        #[serde(default = "half_an_hour")]
        end_after: Duration,
        /// The newest check.
        check: Box<Check>,
    },
    /// The redirect chain is another one.
    RedirectChanged {
        /// The chain of before.
        before: Box<Chain>,
        /// The check that confirmed the new one.
        check: Box<Check>,
        /// The locations that it leads another way; empty for a single place.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        locations: Vec<LocationName>,
    },
    /// We were offline.
    Blind {
        /// From when.
        from: Timestamp,
        /// To when.
        to: Timestamp,
        /// How many monitors were not verified, and the first of them by name.
        monitors: u32,
        /// At most 20 names.
        names: Vec<MonitorName>,
        /// Whether sitewatch itself did not run for a part of it.
        #[serde(default)]
        stopped: Option<Stopped>,
    },
    /// Something of ours is broken (disk, lateness, database set aside) or well again.
    Trouble {
        /// One word for the subject: `disk`, `database`, `late`.
        what: String,
        /// Sentences for the body.
        detail: String,
    },
    /// What a [`News::Trouble`] told is over.
    Back {
        /// Its word.
        what: String,
        /// How long it lasted.
        after: Duration,
        /// Sentences for the body.
        detail: String,
    },
    /// An objective's error budget burns too fast; what is left of it is looked up when it leaves.
    Burn {
        /// The objective's name.
        objective: String,
        /// How much of the time its monitors should be up.
        target_percent: f64,
        /// Its period: `30d`, `month`.
        period: String,
        /// The window that says that enough was lost.
        long: BurnWindow,
        /// The window that says that it goes on.
        short: BurnWindow,
        /// The monitors that were down, the longest first.
        worst: Vec<MonitorName>,
    },
    /// The periodic report; its numbers are computed when it leaves.
    Report {
        /// Begin of the period.
        from: Timestamp,
        /// End of the period.
        to: Timestamp,
    },
    /// A test asked for by a person.
    Test,
}

/// How fast an error budget burns over a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BurnWindow {
    /// The time up to the decision.
    pub length: Duration,
    /// How many times as fast as it would just last.
    pub times: f64,
    /// How much of the time was observed.
    pub coverage_percent: f64,
}

/// What a FLAPPING of version 0.1 meant.
const fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

/// Likewise.
const fn half_an_hour() -> Duration {
    Duration::from_secs(1800)
}

/// sitewatch itself did not run for a part of a blind time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The last sign of the process that ended first.
    pub from: Timestamp,
    /// When the newest process started.
    pub to: Timestamp,
    /// How often it ended.
    pub times: u32,
    /// Whether we were still blind after the newest start.
    pub blind_after: bool,
}

impl News {
    /// The incident it belongs to, if it belongs to one.
    pub const fn incident(&self) -> Option<IncidentKey> {
        match self {
            Self::Down { incident, .. }
            | Self::StillDown { incident, .. }
            | Self::Escalated { incident, .. }
            | Self::Up { incident, .. } => Some(*incident),
            Self::Flapping { incident, .. } => *incident,
            Self::Degraded { .. }
            | Self::CertificateExpiring { .. }
            | Self::RedirectChanged { .. }
            | Self::Blind { .. }
            | Self::Trouble { .. }
            | Self::Back { .. }
            | Self::Burn { .. }
            | Self::Report { .. }
            | Self::Test => None,
        }
    }

    /// The word of the `kind` column and of JSON.
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::Down { .. } => MailKind::Down,
            Self::StillDown { .. } => MailKind::StillDown,
            Self::Escalated { .. } => MailKind::Escalated,
            Self::Up { .. } => MailKind::Up,
            Self::Degraded { .. } | Self::CertificateExpiring { .. } => MailKind::Degraded,
            Self::Flapping { .. } => MailKind::Flapping,
            Self::RedirectChanged { .. } => MailKind::RedirectChanged,
            Self::Blind { .. } => MailKind::Blind,
            Self::Trouble { .. } | Self::Back { .. } => MailKind::Trouble,
            Self::Burn { .. } => MailKind::Burn,
            Self::Report { .. } => MailKind::Report,
            Self::Test => MailKind::Test,
        }
    }
}

/// What kind of mail, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// A monitor is down.
    Down,
    /// A reminder.
    StillDown,
    /// Down for so long that more people are told.
    Escalated,
    /// A monitor is up again.
    Up,
    /// Down and up in one, since the first could not leave in time.
    WasDown,
    /// Slow, intermittent, or a certificate ends.
    Degraded,
    /// Too many changes.
    Flapping,
    /// Another redirect chain.
    RedirectChanged,
    /// Several in one.
    Digest,
    /// We were offline.
    Blind,
    /// A fault of ours.
    Trouble,
    /// An error budget burns too fast.
    Burn,
    /// The periodic report.
    Report,
    /// A test.
    Test,
}

impl MailKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Down,
        Self::StillDown,
        Self::Escalated,
        Self::Up,
        Self::WasDown,
        Self::Degraded,
        Self::Flapping,
        Self::RedirectChanged,
        Self::Digest,
        Self::Blind,
        Self::Trouble,
        Self::Burn,
        Self::Report,
        Self::Test,
    ];

    /// What tells somebody that an incident began or goes on: who got one of these is told of its end.
    pub const OF_OUTAGE: [Self; 4] = [Self::Down, Self::StillDown, Self::Escalated, Self::Flapping];

    /// Likewise, of one outage by itself.
    pub const OF_ONE_OUTAGE: [Self; 3] = [Self::Down, Self::StillDown, Self::Escalated];

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::StillDown => "still_down",
            Self::Escalated => "escalated",
            Self::Up => "up",
            Self::WasDown => "was_down",
            Self::Degraded => "degraded",
            Self::Flapping => "flapping",
            Self::RedirectChanged => "redirect_changed",
            Self::Digest => "digest",
            Self::Blind => "blind",
            Self::Trouble => "trouble",
            Self::Burn => "burn",
            Self::Report => "report",
            Self::Test => "test",
        }
    }
}

/// A notice with its Message-ID and recipients: what a decision hands to the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// What to say.
    pub notice: Notice,
    /// Made once: `<...@domain>` without the angle brackets.
    pub message_id: String,
    /// One outbox row each.
    pub to: Vec<Recipient>,
}

/// What one mail says, when it is rendered: one notice, or several that leave together.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    /// What kind of mail.
    pub kind: MailKind,
    /// One notice; several for a digest; DOWN and UP for a WAS DOWN. In the order in which they were decided.
    pub notices: Vec<Notice>,
}
