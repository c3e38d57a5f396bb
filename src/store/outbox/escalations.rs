//! Messages of `[[escalation]]`: what an acknowledgement stops, and when an incident was escalated.

use rusqlite::{Connection, params};

use super::rows::recipient;
use crate::domain::incident::IncidentKey;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// Why they were dropped.
const ACKED: &str = "acknowledged before it left";

/// Notes that an incident was escalated, if it was not before.
///
/// # Errors
/// If SQLite fails.
pub fn note(db: &Connection, incident: IncidentKey, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE incidents SET escalated_at = coalesce(escalated_at, ?3) WHERE monitor_id = ?1 AND opened_at = ?2",
    )?
    .execute(params![
        incident.monitor.0,
        incident.opened_at.as_ms(),
        now.as_ms()
    ])?;
    Ok(())
}

/// Drops the messages of an incident's escalation that have not left: somebody took note of it. What is on its way, or
/// may have arrived, stays. Answers who was to get them.
///
/// # Errors
/// If SQLite fails.
pub fn stop(db: &Connection, incident: IncidentKey, now: Timestamp) -> Result<Vec<Recipient>> {
    let key = (incident.monitor.0, incident.opened_at.as_ms());
    let mut update = db.prepare_cached(
        "UPDATE outbox SET state = 'dropped', done_at = ?3, last_error = ?4
         WHERE monitor_id = ?1 AND incident_opened_at = ?2 AND kind = 'escalated' AND state = 'waiting'
               AND unknown_outcomes = 0 AND begun_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM outbox AS carrier WHERE carrier.id = outbox.carrier_id
                               AND (carrier.unknown_outcomes > 0 OR carrier.begun_at IS NOT NULL))
         RETURNING recipient",
    )?;
    let rows = update.query_map(params![key.0, key.1, now.as_ms(), ACKED], |row| {
        recipient(row, 0)
    })?;
    let stopped: Vec<Recipient> = rows.collect::<Result<_>>()?;
    if !stopped.is_empty() {
        db.prepare_cached(
            "UPDATE incidents SET escalated_at = NULL WHERE monitor_id = ?1 AND opened_at = ?2
                AND NOT EXISTS (SELECT 1 FROM outbox
                                WHERE monitor_id = ?1 AND incident_opened_at = ?2 AND kind = 'escalated'
                                      AND state <> 'dropped')",
        )?
        .execute(key)?;
    }
    Ok(stopped)
}

/// The recipients whose newest message of an incident's escalation was stopped by an acknowledgement.
///
/// # Errors
/// If SQLite fails.
pub fn stopped(db: &Connection, incident: IncidentKey) -> Result<Vec<Recipient>> {
    let mut select = db.prepare_cached(
        "SELECT recipient FROM outbox AS row
         WHERE monitor_id = ?1 AND incident_opened_at = ?2 AND kind = 'escalated' AND state = 'dropped'
               AND last_error = ?3
               AND NOT EXISTS (SELECT 1 FROM outbox AS newer
                               WHERE newer.monitor_id = ?1 AND newer.incident_opened_at = ?2
                                     AND newer.mailbox = row.mailbox AND newer.kind = 'escalated'
                                     AND newer.id > row.id)
         ORDER BY id",
    )?;
    let rows = select.query_map(
        params![incident.monitor.0, incident.opened_at.as_ms(), ACKED],
        |row| recipient(row, 0),
    )?;
    rows.collect()
}
