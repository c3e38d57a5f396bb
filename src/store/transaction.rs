//! One transaction of the recorder: checks, states, incidents and mails that belong together.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, Transaction};

use super::checks::extras_codec;
use super::checks::hour_block::pack_rest;
use super::checks::intern::Interner;
use super::error::Result;
use super::outbox::escalations;
use super::outbox::queries;
use super::outbox::told;
use crate::domain::check::Check;
use crate::domain::incident::{Incident, IncidentKey};
use crate::domain::monitor::MonitorId;
use crate::domain::notification::Letter;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Kept;

/// An open transaction. If it is dropped without [`Batch::commit`], nothing of it is stored.
#[derive(Debug)]
pub struct Batch<'a> {
    pub(super) transaction: Option<Transaction<'a>>,
    pub(super) interner: &'a mut Interner,
    pub(super) begun: &'a mut HashMap<MonitorId, Timestamp>,
    pub(super) next_seq: &'a mut i64,
    /// What `begun` said before.
    pub(super) begun_before: Vec<(MonitorId, Option<Timestamp>)>,
}

/// A time that counts differently from the checks in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpanKind {
    /// A maintenance window, as it was.
    Maintenance,
    /// Not checked, by order.
    Paused,
    /// Not in the configuration, or disabled in it.
    Removed,
}

impl SpanKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Maintenance, Self::Paused, Self::Removed];

    /// The word of the column `kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Paused => "paused",
            Self::Removed => "removed",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Batch<'_> {
    /// Appends a check. It counts for the time until the next one, at most for twice `interval`.
    ///
    /// # Errors
    /// If SQLite fails; the batch must then be dropped.
    pub fn record(&mut self, monitor: MonitorId, check: &Check, interval: Duration) -> Result<()> {
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX / 4);
        let transaction = self
            .transaction
            .as_ref()
            .expect("taken only by commit, which consumes the batch");
        let context = self
            .interner
            .context(transaction, monitor, check, interval_ms)?;
        let redirects = pack_rest(
            check.redirect_times.iter().map(|time| time.get()),
            &extras_codec::encode(check.extras.as_deref()),
        );
        let timings = &check.timings;
        let nothing_is_null = |id: i64| (id != 0).then_some(id);
        transaction
            .prepare_cached(
                "INSERT INTO journal (seq, monitor_id, at, interval_ms, state, failure_id, status, chain_id,
                   peers_id, certificate_id, http_version, retry_after_s, body_bytes, dns_us, connect_us, tls_us,
                   ttfb_us, body_us, total_us, redirects_us)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            )?
            .execute(rusqlite::params![
                *self.next_seq,
                monitor.0,
                check.at.as_ms(),
                interval_ms,
                context.state,
                nothing_is_null(context.failure),
                check.status,
                context.chain,
                context.peers,
                nothing_is_null(context.certificate),
                (context.http_version != 0).then_some(context.http_version),
                check.retry_after_s,
                check.body_bytes.cast_signed(),
                timings.dns.map(|time| time.get()),
                timings.connect.map(|time| time.get()),
                timings.tls.map(|time| time.get()),
                timings.ttfb.map(|time| time.get()),
                timings.body.map(|time| time.get()),
                timings.total.get(),
                redirects,
            ])?;
        *self.next_seq += 1;
        let first = self.begun.get(&monitor).copied();
        if first.is_none_or(|first| check.at < first) {
            self.begun_before.push((monitor, first));
            self.begun.insert(monitor, check.at);
            self.connection().execute(
                "UPDATE monitors SET first_at = ?2 WHERE id = ?1",
                (monitor.0, check.at.as_ms()),
            )?;
        }
        Ok(())
    }

    /// Counts slots that were due from `at` on and did not run.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn missed(&mut self, monitor: MonitorId, at: Timestamp, slots: u32) -> Result<()> {
        self.connection()
            .prepare_cached(
                "INSERT INTO missed (monitor_id, hour, slots) VALUES (?1, ?2, ?3)
                 ON CONFLICT (monitor_id, hour) DO UPDATE SET slots = slots + excluded.slots",
            )?
            .execute((monitor.0, at.as_ms().div_euclid(3_600_000), slots))?;
        Ok(())
    }

    /// Stores what the alert machine remembers of a monitor.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_memory(&mut self, monitor: MonitorId, kept: &Kept) -> Result<()> {
        self.connection()
            .prepare_cached(
                "INSERT INTO states (monitor_id, kept, shown) VALUES (?1, ?2, ?3)
                 ON CONFLICT (monitor_id) DO UPDATE SET kept = excluded.kept, shown = excluded.shown",
            )?
            .execute((
                monitor.0,
                serde_json::to_string(kept)?,
                serde_json::to_string(&kept.shown)?,
            ))?;
        Ok(())
    }

    /// Stores an incident as it is now: opened, gone on, acknowledged or closed.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_incident(&mut self, incident: &Incident) -> Result<()> {
        self.connection()
            .prepare_cached(
                "INSERT INTO incidents (monitor_id, opened_at, closed_at, kind, detail, status, checks_failed,
                   maintenance, acked_at, ack_note, began_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT (monitor_id, opened_at) DO UPDATE SET
                   closed_at = excluded.closed_at, checks_failed = excluded.checks_failed,
                   maintenance = excluded.maintenance, acked_at = excluded.acked_at,
                   ack_note = excluded.ack_note, began_at = excluded.began_at",
            )?
            .execute((
                incident.key.monitor.0,
                incident.key.opened_at.as_ms(),
                incident.closed_at.map(Timestamp::as_ms),
                incident.cause.failure.kind.as_str(),
                &*incident.cause.failure.detail,
                incident.cause.status,
                incident.checks_failed,
                incident.maintenance,
                incident.acked_at.map(Timestamp::as_ms),
                incident.ack_note.as_deref(),
                incident.began_at.map(Timestamp::as_ms),
            ))?;
        Ok(())
    }

    /// Stores a maintenance window, a pause or a removal of a monitor; again with its end once that is known.
    /// The key is monitor, kind and beginning, so that storing it twice changes nothing.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_span(
        &mut self,
        monitor: MonitorId,
        kind: SpanKind,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<()> {
        self.connection()
            .prepare_cached(
                "INSERT INTO spans (monitor_id, kind, from_at, to_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (monitor_id, kind, from_at) DO UPDATE SET to_at = excluded.to_at",
            )?
            .execute((
                monitor.0,
                kind.as_str(),
                from.as_ms(),
                to.map(Timestamp::as_ms),
            ))?;
        Ok(())
    }

    /// Ends the open span of a kind, if there is one.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn end_spans(&mut self, monitor: MonitorId, kind: SpanKind, at: Timestamp) -> Result<()> {
        self.connection()
            .prepare_cached(
                "UPDATE spans SET to_at = max(from_at, ?3)
                 WHERE monitor_id = ?1 AND kind = ?2 AND to_at IS NULL",
            )?
            .execute((monitor.0, kind.as_str(), at.as_ms()))?;
        Ok(())
    }

    /// Queues a letter: a row for each recipient. Queueing it again changes nothing.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn enqueue(&mut self, letter: &Letter, now: Timestamp) -> Result<()> {
        Ok(queries::enqueue(self.outbox(), letter, now)?)
    }

    /// The recipients of mails of an incident, those included that such a mail did not reach.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn addressed(&self, incident: IncidentKey) -> Result<Vec<Recipient>> {
        Ok(told::addressed(self.outbox(), incident)?)
    }

    /// The recipients that a mail of an incident has reached, may have reached, or can still reach.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn told(&self, incident: IncidentKey) -> Result<Vec<Recipient>> {
        Ok(told::told(self.outbox(), incident)?)
    }

    /// The recipients whose first mail of an incident still waits, or was refused.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn untold(&self, incident: IncidentKey) -> Result<Vec<Recipient>> {
        Ok(told::untold(self.outbox(), incident)?)
    }

    /// Notes that an incident was escalated, if it was not before.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn note_escalated(&self, incident: IncidentKey, now: Timestamp) -> Result<()> {
        Ok(escalations::note(self.outbox(), incident, now)?)
    }

    /// Drops the messages of an incident's escalation that have not left; answers who was to get them.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn stop_escalation(&self, incident: IncidentKey, now: Timestamp) -> Result<Vec<Recipient>> {
        Ok(escalations::stop(self.outbox(), incident, now)?)
    }

    /// The recipients whose message of an incident's escalation an acknowledgement stopped.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn stopped(&self, incident: IncidentKey) -> Result<Vec<Recipient>> {
        Ok(escalations::stopped(self.outbox(), incident)?)
    }

    /// Keeps an UP from recipients other than these.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn keep_up_from(&self, letter: &Letter, but: &[Recipient], now: Timestamp) -> Result<()> {
        Ok(told::keep_up_from(self.outbox(), letter, but, now)?)
    }

    /// The transaction, for the functions of [`super::outbox::queries`].
    pub fn outbox(&self) -> &Connection {
        self.connection()
    }

    /// Commits. Afterwards neither a crash nor a power cut undoes it.
    ///
    /// # Errors
    /// If SQLite fails; then nothing of it is stored.
    pub fn commit(mut self) -> Result<()> {
        let transaction = self
            .transaction
            .take()
            .expect("taken only here, and this consumes the batch");
        match transaction.commit() {
            Ok(()) => Ok(()),
            Err(error) => {
                self.undone();
                Err(error.into())
            }
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        self.transaction
            .as_ref()
            .expect("taken only by commit, which consumes the batch")
    }

    /// Numbers given in a transaction that was rolled back do not exist.
    fn undone(&mut self) {
        self.interner.forget();
        for (monitor, first) in self.begun_before.drain(..).rev() {
            match first {
                Some(first) => self.begun.insert(monitor, first),
                None => self.begun.remove(&monitor),
            };
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.transaction.is_some() {
            self.undone();
        }
    }
}
