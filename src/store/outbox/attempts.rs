//! What is stored about mails while they wait: tries under way, holds, the pause of the transport.

use rusqlite::{Connection, OptionalExtension, params};

use super::queries::settle;
use super::rows::{WAITING, recipient, waiting};
use crate::domain::monitor::MonitorId;
use crate::domain::notification::Letter;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Hold;
use crate::policy::outbox::message_id;
use crate::policy::outbox::queued::{RowId, Waiting};
use crate::policy::outbox::retry::{self, Outcome, Settled};
use crate::policy::outbox::transport_pause::Pause;
use crate::store::facts::meta;

type Result<T> = rusqlite::Result<T>;

/// The key of the transport's pause in `meta`.
const PAUSE_KEY: &str = "mail_pause";

/// Until when a way rests after a trouble that passes by itself, as the newest try on it says: the mail server's, or
/// that of a channel. `None` if it does not rest.
///
/// # Errors
/// If SQLite fails.
pub fn rests_until(
    db: &Connection,
    channel: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let until = db
        .prepare_cached(
            "SELECT next_attempt_at FROM outbox
             WHERE state = 'waiting' AND carrier_id IS NULL AND holds = 'transport' AND attempts > 0
                   AND CASE WHEN ?1 IS NULL THEN instr(mailbox, '@') > 0 ELSE mailbox = ?1 END
             ORDER BY last_attempt_at DESC, next_attempt_at DESC LIMIT 1",
        )?
        .query_row([channel], |row| row.get(0))
        .optional()?;
    Ok(until.map(Timestamp::from_ms).filter(|until| *until > now))
}

/// Notes that the message of a row goes to the server now. Until its outcome is written nobody knows whether it
/// arrived.
///
/// # Errors
/// If SQLite fails.
pub fn begin(db: &Connection, row: RowId, now: Timestamp) -> Result<()> {
    db.prepare_cached("UPDATE outbox SET begun_at = ?2 WHERE id = ?1 AND state = 'waiting'")?
        .execute(params![row.0, now.as_ms()])?;
    Ok(())
}

/// At the start of a process: what another one had begun to send and did not finish has an unknown outcome.
/// Answers what became of each.
///
/// # Errors
/// If SQLite fails.
pub fn recover(db: &Connection, now: Timestamp) -> Result<Vec<(Waiting, Recipient, Settled)>> {
    let mut select = db.prepare(&format!(
        "SELECT {WAITING}, recipient FROM outbox WHERE state = 'waiting' AND begun_at IS NOT NULL ORDER BY id"
    ))?;
    let begun: Vec<(Waiting, Recipient)> = select
        .query_map([], |row| Ok((waiting(row)?, recipient(row, 14)?)))?
        .collect::<Result<_>>()?;
    let ended = Outcome::Unknown("sitewatch ended while it was on its way".to_owned());
    let mut recovered = Vec::new();
    for (row, to) in begun {
        let mut settled = retry::settle(&row, &ended, row.id.0.unsigned_abs(), now);
        if let Settled::Later { at, .. } = &mut settled {
            // The server refused nothing: there is nothing to wait for.
            *at = now;
        }
        settle(db, row.id, &settled, now)?;
        recovered.push((row, to, settled));
    }
    Ok(recovered)
}

/// Notes of a letter that was just queued that it left before it could be queued, or why it never will.
///
/// # Errors
/// If SQLite fails.
pub fn note_past_queue(
    db: &Connection,
    letter: &Letter,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let settled = match error {
        None => Settled::Sent,
        Some(error) => Settled::Failed {
            error: error.to_owned(),
        },
    };
    for to in &letter.to {
        let row = db
            .prepare_cached("SELECT id FROM outbox WHERE message_id = ?1 AND mailbox = ?2")?
            .query_row(
                (message_id::of_recipient(&letter.message_id, to), to.key()),
                |row| row.get(0),
            )?;
        settle(db, RowId(row), &settled, now)?;
    }
    Ok(())
}

/// A process that was still refused this recently does not ask at once when it is started again: servers lock out who
/// asks too often.
const STARTS_APART_MS: i64 = 60_000;

/// At the start of a process: what was put off is due at once; where the server refused us, a minute after that.
///
/// # Errors
/// If SQLite fails.
pub fn due_at_start(db: &Connection, now: Timestamp) -> Result<()> {
    db.execute(
        "UPDATE outbox
         SET next_attempt_at = CASE holds WHEN 'refused'
                 THEN min(next_attempt_at, max(?1, coalesce(last_attempt_at, ?1) + ?2))
                 WHEN 'asked' THEN next_attempt_at ELSE ?1 END
         WHERE state = 'waiting' AND carrier_id IS NULL AND attempts > 0 AND next_attempt_at > ?1",
        [now.as_ms(), STARTS_APART_MS],
    )?;
    Ok(())
}

/// Another configuration is in force: where the server refused us it is asked again.
///
/// # Errors
/// If SQLite fails.
pub fn end_rests(db: &Connection, now: Timestamp) -> Result<()> {
    db.execute(
        "UPDATE outbox SET next_attempt_at = ?1
         WHERE state = 'waiting' AND carrier_id IS NULL AND holds = 'refused' AND next_attempt_at > ?1",
        [now.as_ms()],
    )?;
    Ok(())
}

/// A recipient is reached in another way than before: what its service asked for, or how often it failed, says nothing
/// of the new way.
///
/// # Errors
/// If SQLite fails.
pub fn end_rest_of(db: &Connection, mailbox: &str, now: Timestamp) -> Result<()> {
    db.execute(
        "UPDATE outbox SET next_attempt_at = ?2
         WHERE mailbox = ?1 AND state = 'waiting' AND carrier_id IS NULL AND next_attempt_at > ?2",
        params![mailbox, now.as_ms()],
    )?;
    Ok(())
}

/// Marks rows as held by a mute or a window.
///
/// # Errors
/// If SQLite fails.
pub fn hold(db: &Connection, rows: &[RowId], why: Hold) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE outbox SET held = ?2, released_at = NULL WHERE id = ?1 AND state = 'waiting'",
    )?;
    for row in rows {
        update.execute(params![row.0, why.as_str()])?;
    }
    Ok(())
}

/// Marks rows as held no longer: from now on they are late only by what keeps them otherwise.
///
/// # Errors
/// If SQLite fails.
pub fn release(db: &Connection, rows: &[RowId], now: Timestamp) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE outbox SET released_at = ?2 WHERE id = ?1 AND held IS NOT NULL AND released_at IS NULL",
    )?;
    for row in rows {
        update.execute(params![row.0, now.as_ms()])?;
    }
    Ok(())
}

/// The monitors that were muted by order when their state was last written, and until when.
///
/// # Errors
/// If SQLite fails.
pub fn mutes(db: &Connection) -> Result<Vec<(MonitorId, Timestamp)>> {
    let mut select = db.prepare(
        "SELECT monitor_id, json_extract(kept, '$.muted_until') FROM states
         WHERE json_extract(kept, '$.muted_until') IS NOT NULL",
    )?;
    let rows = select.query_map([], |row| {
        Ok((MonitorId(row.get(0)?), Timestamp::from_ms(row.get(1)?)))
    })?;
    rows.collect()
}

/// Until when monitors are in maintenance that somebody ordered.
///
/// # Errors
/// If SQLite fails.
pub fn ordered_windows(db: &Connection) -> Result<Vec<(MonitorId, Timestamp)>> {
    let mut select = db.prepare(
        "SELECT monitor_id, (SELECT max(value ->> '$.until') FROM json_each(kept, '$.windows')) FROM states
         WHERE json_extract(kept, '$.windows') IS NOT NULL",
    )?;
    let rows = select.query_map([], |row| {
        let until = row.get::<_, Option<i64>>(1)?.unwrap_or(i64::MIN);
        Ok((MonitorId(row.get(0)?), Timestamp::from_ms(until)))
    })?;
    rows.collect()
}

/// Writes that no mail leaves, or that it does again.
///
/// # Errors
/// If SQLite fails.
pub fn put_pause(db: &Connection, pause: Option<&Pause>) -> Result<()> {
    let json = pause
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    meta::put(db, PAUSE_KEY, json.as_deref())
}

/// Why no mail leaves, if none does.
///
/// # Errors
/// If SQLite fails.
pub fn pause(db: &Connection) -> Result<Option<Pause>> {
    let json: Option<String> = meta::get(db, PAUSE_KEY)?;
    // What another version wrote otherwise is worth one try of the server, not a refusal to work.
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}
