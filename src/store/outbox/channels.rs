//! What is stored about channels: their formats, and which of them pause.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::queued::RowId;
use crate::policy::outbox::transport_pause::Pause;

type Result<T> = rusqlite::Result<T>;

/// Writes the channels of a configuration, each with its format. Those of earlier ones stay, since their messages are
/// listed, and pause no more.
///
/// # Errors
/// If SQLite fails.
pub fn put(db: &Connection, channels: &[(String, &'static str)]) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO channels (name, format) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET format = excluded.format WHERE format <> excluded.format",
    )?;
    for (name, format) in channels {
        insert.execute(params![name, format])?;
    }
    for (paused, _) in pauses(db)? {
        if !channels.iter().any(|(name, _)| *name == paused) {
            put_pause(db, &paused, None)?;
        }
    }
    Ok(())
}

/// The format of a recipient that is a channel.
///
/// # Errors
/// If SQLite fails.
pub fn format(db: &Connection, to: &Recipient) -> Result<Option<String>> {
    let Recipient::Channel(name) = to else {
        return Ok(None);
    };
    let found = db
        .prepare_cached("SELECT format FROM channels WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    // A row that stands before its channel was written is one all the same.
    Ok(Some(found.unwrap_or_else(|| "json".to_owned())))
}

/// Writes that nothing leaves by a channel, or that it does again.
///
/// # Errors
/// If SQLite fails.
pub fn put_pause(db: &Connection, name: &str, pause: Option<&Pause>) -> Result<()> {
    let json = pause
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached("UPDATE channels SET pause = ?2 WHERE name = ?1")?
        .execute(params![name, json])?;
    Ok(())
}

/// The channels by which nothing leaves, and why.
///
/// # Errors
/// If SQLite fails.
pub fn pauses(db: &Connection) -> Result<Vec<(String, Pause)>> {
    let mut select = db.prepare("SELECT name, pause FROM channels WHERE pause IS NOT NULL")?;
    let rows = select.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    let rows: Vec<(String, String)> = rows.collect::<Result<_>>()?;
    // What another version wrote otherwise is worth one try.
    let known = |(name, json): (String, String)| Some((name, serde_json::from_str(&json).ok()?));
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Drops what waits for a recipient that cannot be told any more; answers how many messages that were.
///
/// # Errors
/// If SQLite fails.
pub fn drop_waiting(db: &Connection, to: &str, now: Timestamp) -> Result<usize> {
    db.prepare_cached(
        "UPDATE outbox SET state = 'dropped', done_at = ?2, last_error = 'its channel is no longer configured'
         WHERE mailbox = ?1 AND state = 'waiting'",
    )?
    .execute(params![to, now.as_ms()])
}

/// Takes apart a message that carries others: they leave by themselves.
///
/// # Errors
/// If SQLite fails.
pub fn dissolve(db: &Connection, carrier: RowId, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE outbox SET carrier_id = NULL WHERE carrier_id = ?1 AND state = 'waiting'",
    )?
    .execute([carrier.0])?;
    db.prepare_cached(
        "UPDATE outbox SET state = 'dropped', done_at = ?2, last_error = 'its channel takes single messages only'
         WHERE id = ?1 AND state = 'waiting'",
    )?
    .execute(params![carrier.0, now.as_ms()])?;
    Ok(())
}
