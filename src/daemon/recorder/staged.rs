//! What is decided and not yet written: the deeds of the next transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::message::{NotRecorded, WriteWork};
use crate::domain::channel::Format;
use crate::domain::check::Check;
use crate::domain::incident::{Incident, IncidentKey};
use crate::domain::monitor::MonitorId;
use crate::domain::notification::{Letter, News, Notice};
use crate::domain::order::GivenOrder;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::{Recipients, Side};
use crate::policy::alert::state::Kept;
use crate::policy::outbox::message_id;
use crate::store::error::StoreError;
use crate::store::facts::events::StateChange;
use crate::store::outbox::{alerts, channels, queries};
use crate::store::transaction::{Batch, SpanKind};

/// Checks that wait for a database that takes no writes; beyond them the oldest are given up. What they
/// decided stays.
pub const CHECKS_MAX: usize = 100_000;

/// Told whether a transaction was written.
type WhenWritten = Box<dyn FnOnce(Result<(), NotRecorded>) + Send>;

/// Everything that waits for the next transaction.
#[derive(Default)]
pub(in crate::daemon) struct Staged {
    pub(in crate::daemon) checks: VecDeque<StagedCheck>,
    pub(in crate::daemon) deeds: VecDeque<Deed>,
    pub(super) replies: Vec<WhenWritten>,
    /// When the oldest of it came; none when there is nothing.
    pub(in crate::daemon) since: Option<Timestamp>,
    /// Whether a mute or a window began or ended for somebody: it holds mails that wait.
    pub(super) silence_changed: bool,
    /// Whether it should not wait for company.
    pub(in crate::daemon) urgent: bool,
    /// Checks given up since the database took its last write.
    pub(in crate::daemon) given_up: u64,
}

pub(in crate::daemon) struct StagedCheck {
    pub(in crate::daemon) monitor: MonitorId,
    pub(in crate::daemon) check: Arc<Check>,
    pub(in crate::daemon) interval: Duration,
}

/// One thing to write, in the order in which it was decided.
pub(in crate::daemon) enum Deed {
    Incident(Incident),
    Say {
        notice: Box<Notice>,
        to: Recipients,
        /// Those of the rules when it was decided.
        configured: Vec<Recipient>,
    },
    /// An incident that channels are shown from now on.
    Raise {
        incident: IncidentKey,
        channels: Vec<String>,
        /// What its alert says, as JSON.
        facts: String,
        at: Timestamp,
    },
    DropWaiting {
        incident: IncidentKey,
        why: &'static str,
        at: Timestamp,
    },
    /// Somebody took note of an outage.
    StopEscalation {
        incident: IncidentKey,
        at: Timestamp,
    },
    /// What is remembered of a monitor that has no slot any more.
    Memory {
        monitor: MonitorId,
        kept: Box<Kept>,
    },
    Missed {
        monitor: MonitorId,
        from: Timestamp,
        count: u32,
    },
    Span {
        monitor: MonitorId,
        kind: SpanKind,
        from: Timestamp,
        to: Option<Timestamp>,
    },
    EndSpans {
        monitor: MonitorId,
        kind: SpanKind,
        at: Timestamp,
    },
    State {
        change: Box<StateChange>,
        at: Timestamp,
    },
    /// The end of a time in which nobody watched.
    Gap {
        from: Timestamp,
        reason: &'static str,
        at: Timestamp,
    },
    /// An order and the monitors that followed it.
    Order {
        order: Box<GivenOrder>,
        followed: Vec<MonitorId>,
        /// Whether these are all there are.
        all: bool,
        at: Timestamp,
    },
    Write(WriteWork),
}

/// What makes Message-IDs of this database unlike all others.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Origin {
    /// The database's random number.
    pub(in crate::daemon) database: String,
    /// The domain of `[email].from`.
    pub(in crate::daemon) domain: String,
}

impl Staged {
    pub(in crate::daemon) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    pub(in crate::daemon) fn check(&mut self, staged: StagedCheck, now: Timestamp) {
        self.since.get_or_insert(now);
        self.checks.push_back(staged);
        if self.checks.len() > CHECKS_MAX {
            self.checks.pop_front();
            self.given_up += 1;
        }
    }

    pub(in crate::daemon) fn deed(&mut self, deed: Deed, now: Timestamp) {
        self.since.get_or_insert(now);
        self.deeds.push_back(deed);
    }
}

impl Deed {
    /// Whether it concerns what leaves, so that the notifier should look.
    pub(super) const fn is_about_mail(&self) -> bool {
        match self {
            Self::Say { .. }
            | Self::Raise { .. }
            | Self::DropWaiting { .. }
            | Self::StopEscalation { .. }
            | Self::Write(_) => true,
            // Its end is shown wherever it was.
            Self::Incident(incident) => incident.closed_at.is_some(),
            Self::Memory { .. }
            | Self::Missed { .. }
            | Self::Span { .. }
            | Self::EndSpans { .. }
            | Self::State { .. }
            | Self::Gap { .. }
            | Self::Order { .. } => false,
        }
    }

    /// Writes it.
    pub(in crate::daemon) fn apply(
        &mut self,
        batch: &mut Batch<'_>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        match self {
            Self::Incident(incident) => batch.put_incident(incident),
            Self::Say {
                notice,
                to,
                configured,
            } => say(batch, origin, notice, (to, configured)),
            Self::Raise {
                incident,
                channels,
                facts,
                at,
            } => {
                for channel in channels {
                    alerts::raise(batch.outbox(), channel, *incident, facts, *at)?;
                }
                Ok(())
            }
            Self::DropWaiting { incident, why, at } => {
                for dropped in queries::drop_waiting(batch.outbox(), incident.monitor, why, *at)? {
                    tracing::info!(
                        "mail {} to {} dropped: the monitor was {why}",
                        dropped.1.as_str(),
                        dropped.2
                    );
                }
                Ok(())
            }
            Self::StopEscalation { incident, at } => {
                for to in batch.stop_escalation(*incident, *at)? {
                    tracing::info!("mail escalated to {to} dropped: the outage was acknowledged");
                }
                Ok(())
            }
            Self::Memory { monitor, kept } => batch.put_memory(*monitor, kept),
            Self::Missed {
                monitor,
                from,
                count,
            } => batch.missed(*monitor, *from, *count),
            Self::Span {
                monitor,
                kind,
                from,
                to,
            } => batch.put_span(*monitor, *kind, *from, *to),
            Self::EndSpans { monitor, kind, at } => batch.end_spans(*monitor, *kind, *at),
            Self::State { change, at } => batch.put_state_event(change, *at),
            Self::Gap { from, reason, at } => batch.put_gap_event(*from, reason, *at),
            Self::Order {
                order,
                followed,
                all,
                at,
            } => batch.put_order(order, followed, *all, *at),
            Self::Write(write) => write(batch),
        }
    }
}

/// Queues a notice for its recipients.
fn say(
    batch: &mut Batch<'_>,
    origin: &Origin,
    notice: &Notice,
    (to, configured): (&Recipients, &[Recipient]),
) -> Result<(), StoreError> {
    // An UP is queued for every recipient of the incident's mails, then kept from recipients that no mail
    // reached.
    let (side, to) = match to {
        Recipients::Of(side, to) => (Some(*side), to.as_ref()),
        Recipients::Configured
        | Recipients::Escalation { .. }
        | Recipients::Told(_)
        | Recipients::Untold(_) => (None, to),
    };
    let (mut to, reached) = addressed(batch, notice, to, configured)?;
    if let Some(side) = side {
        to = of_side(batch, side, to)?;
    }
    if to.is_empty() {
        return Ok(());
    }
    let letter = Letter {
        message_id: id_of(notice, origin),
        notice: notice.clone(),
        to,
    };
    let now = letter.notice.decided_at;
    batch.enqueue(&letter, now)?;
    if let News::Escalated { incident, .. } = &letter.notice.news {
        batch.note_escalated(*incident, now)?;
    }
    match reached {
        Some(reached) => batch.keep_up_from(&letter, &reached, now),
        None => Ok(()),
    }
}

/// Who gets a notice, and who may get its end, where only some got its beginning.
fn addressed(
    batch: &Batch<'_>,
    notice: &Notice,
    to: &Recipients,
    configured: &[Recipient],
) -> Result<(Vec<Recipient>, Option<Vec<Recipient>>), StoreError> {
    Ok(match to {
        Recipients::Of(..) => (Vec::new(), None),
        Recipients::Configured => (configured.to_vec(), None),
        Recipients::Escalation { to: _, again } => {
            let mut to = configured.to_vec();
            if let Some(incident) = notice.news.incident()
                && !again.is_empty()
            {
                let stopped = batch.stopped(incident)?;
                let stopped = stopped
                    .iter()
                    .filter_map(|one| again.iter().find(|again| again.key() == one.key()));
                to.extend(stopped.cloned());
            }
            (to, None)
        }
        Recipients::Told(incidents) => (
            of_all(incidents, |incident| batch.addressed(incident))?,
            Some(of_all(incidents, |incident| batch.told(incident))?),
        ),
        Recipients::Untold(incident) => (batch.untold(*incident)?, Some(batch.told(*incident)?)),
    })
}

/// Those of recipients who are of a side.
fn of_side(
    batch: &Batch<'_>,
    side: Side,
    to: Vec<Recipient>,
) -> Result<Vec<Recipient>, StoreError> {
    let mut of_it = Vec::with_capacity(to.len());
    for one in to {
        let format = channels::format(batch.outbox(), &one)?;
        let format = format.and_then(|word| word.parse::<Format>().ok());
        let holds_incidents = format.is_some_and(Format::takes_incidents_only);
        if holds_incidents == (side == Side::Incidents) {
            of_it.push(one);
        }
    }
    Ok(of_it)
}

/// The recipients of all of these incidents, each once.
fn of_all(
    incidents: &[IncidentKey],
    recipients: impl Fn(IncidentKey) -> Result<Vec<Recipient>, StoreError>,
) -> Result<Vec<Recipient>, StoreError> {
    let mut all: Vec<Recipient> = Vec::new();
    for incident in incidents {
        for one in recipients(*incident)? {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    Ok(all)
}

/// The Message-ID of a decision: deciding it again after a crash makes the same one.
pub(super) fn id_of(notice: &Notice, origin: &Origin) -> String {
    let monitor = notice.about.as_ref().map_or(0, |about| about.monitor.0);
    let moment = notice.decided_at.as_ms();
    let incident = notice.news.incident();
    let incident = incident.map_or_else(String::new, |incident| incident.to_string());
    // Two mails of one kind can be decided at one moment about one monitor.
    let detail = match &notice.news {
        News::Degraded { reason, .. } => reason.as_str().to_owned(),
        News::CertificateExpiring { step, .. } => step.as_secs().to_string(),
        News::Escalated { after, .. } => after.as_millis().to_string(),
        News::Trouble { what, .. } => what.clone(),
        News::Back { what, .. } => format!("back {what}"),
        News::Burn { objective, .. } => objective.clone(),
        News::Blind { from, .. } | News::Report { from, .. } => from.as_ms().to_string(),
        News::Down { .. }
        | News::StillDown { .. }
        | News::Up { .. }
        | News::Flapping { .. }
        | News::RedirectChanged { .. }
        | News::Test => String::new(),
    };
    message_id::make(
        &origin.database,
        &[
            &monitor.to_string(),
            notice.news.kind().as_str(),
            &moment.to_string(),
            &incident,
            &detail,
        ],
        &origin.domain,
    )
}
