//! What follows a digest: for a time, news of its monitors and outages of its causes collect into one message.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::queued::{RowId, Waiting};
use crate::domain::check::FailureKind;
use crate::domain::incident::Cause;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::{MailKind, News};
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;

/// What two outages have in common: how they fail, and the status where one came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CauseKey {
    /// The kind of their failure.
    pub kind: FailureKind,
    /// The status of the answer.
    pub status: Option<u16>,
}

impl CauseKey {
    /// That of an outage.
    pub const fn of(cause: &Cause) -> Self {
        Self {
            kind: cause.failure.kind,
            status: cause.status,
        }
    }

    /// That of a DOWN, a reminder or an escalation.
    pub const fn of_news(news: &News) -> Option<Self> {
        match news {
            News::Down { cause, .. }
            | News::StillDown { cause, .. }
            | News::Escalated { cause, .. } => Some(Self::of(cause)),
            News::Up { .. }
            | News::Degraded { .. }
            | News::CertificateExpiring { .. }
            | News::Flapping { .. }
            | News::RedirectChanged { .. }
            | News::Blind { .. }
            | News::Trouble { .. }
            | News::Back { .. }
            | News::Burn { .. }
            | News::Report { .. }
            | News::Test => None,
        }
    }
}

/// The interval after a digest to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collecting {
    /// When it began.
    pub since: Timestamp,
    /// The newest row then. What is not newer has left, or leaves as ever.
    pub after: i64,
    /// The monitors told of since the first digest.
    pub members: BTreeSet<MonitorId>,
    /// The causes of their outages.
    pub causes: BTreeSet<CauseKey>,
    /// Monitors of the storm before this one, where this one tells its end: their recoveries collect too.
    #[serde(default)]
    pub former: BTreeSet<MonitorId>,
    /// Whether a person wants what collects now.
    #[serde(default)]
    pub hurried: bool,
}

impl Collecting {
    /// The end of the interval.
    pub fn until(&self, settings: &AlertSettings) -> Timestamp {
        if self.hurried {
            self.since
        } else {
            self.since.plus(settings.group_interval)
        }
    }

    /// Whether a row is collected.
    pub(super) fn takes(&self, row: &Waiting) -> bool {
        let Some(monitor) = row.monitor else {
            return false;
        };
        let is_member = self.members.contains(&monitor)
            || row.kind == MailKind::Up && self.former.contains(&monitor);
        let is_down = row.begins() || row.kind == MailKind::Escalated;
        let is_known = is_down && row.cause.is_some_and(|it| self.causes.contains(&it));
        row.id > RowId(self.after) && (is_member || is_known)
    }

    /// The interval that begins when these rows leave. `continues`: what collected in `before` is among them.
    pub(super) fn next<'a>(
        before: Option<&Self>,
        continues: bool,
        rows: impl Iterator<Item = &'a Waiting> + Clone,
        newest: RowId,
        now: Timestamp,
    ) -> Self {
        let mut members: BTreeSet<MonitorId> = rows.clone().filter_map(|row| row.monitor).collect();
        let mut causes: BTreeSet<CauseKey> = rows.clone().filter_map(|row| row.cause).collect();
        let mut former = BTreeSet::new();
        if let Some(before) = before {
            let known = |monitor: &MonitorId| {
                before.members.contains(monitor) || before.former.contains(monitor)
            };
            let mut ends = rows.filter(|row| row.kind == MailKind::Up);
            if continues {
                members.extend(&before.members);
                causes.extend(&before.causes);
                former.extend(&before.former);
            } else if ends.any(|row| row.monitor.as_ref().is_some_and(known)) {
                former.extend(before.members.union(&before.former));
            }
        }
        Self {
            since: now,
            after: newest.0,
            members,
            causes,
            former,
            hurried: false,
        }
    }
}
