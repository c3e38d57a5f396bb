//! How the outbox is doing: what waits, what failed, whose mail rests.

use rusqlite::{Connection, OptionalExtension};

use super::rows::{count, moment};
use super::told::KEPT_UP;
use crate::domain::timestamp::Timestamp;

/// A recipient whose mail the server refuses because of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resting {
    /// The bare address.
    pub to: String,
    /// Since when its oldest mail is tried.
    pub since: Timestamp,
    /// When it is tried next.
    pub until: Timestamp,
    /// What the server said last.
    pub why: String,
}

/// How the outbox is doing, for the heartbeat, `/metrics` and the unit's status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Mails that wait.
    pub waiting: u64,
    /// Those of them that wait for the opening hours of their recipients.
    pub for_hours: u64,
    /// Mails that were given up and are kept.
    pub failed: u64,
    /// When the newest of them was given up.
    pub newest_failed_at: Option<Timestamp>,
    /// Its recipient, and why.
    pub newest_failed: Option<(String, String)>,
    /// The first recipients whose mail the server refuses because of the sender.
    pub resting: Vec<Resting>,
}

/// At most this many resting recipients are named.
const RESTING_MAX: u32 = 20;

type Result<T> = rusqlite::Result<T>;

/// How the outbox is doing.
///
/// # Errors
/// If SQLite fails.
pub fn health(db: &Connection) -> Result<Health> {
    let mut health = db
        .prepare_cached(&format!(
            "SELECT count(*) FILTER (WHERE state = 'waiting'),
                    count(*) FILTER (WHERE state = 'failed'),
                    max(done_at) FILTER (WHERE state = 'failed'),
                    count(*) FILTER (WHERE state = 'waiting' AND held = 'hours' AND released_at IS NULL)
             FROM outbox WHERE state IN ('waiting', 'failed') AND carrier_id IS NULL AND NOT {KEPT_UP}",
        ))?
        .query_row([], |row| {
            Ok(Health {
                waiting: count(row, 0)?,
                failed: count(row, 1)?,
                newest_failed_at: moment(row, 2)?,
                for_hours: count(row, 3)?,
                ..Health::default()
            })
        })?;
    if health.failed > 0 {
        health.newest_failed = db
            .prepare_cached(
                "SELECT mailbox, coalesce(last_error, '') FROM outbox
                 WHERE state = 'failed' AND carrier_id IS NULL ORDER BY done_at DESC, id LIMIT 1",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
    }
    if health.waiting > 0 {
        let mut select = db.prepare_cached(
            "SELECT mailbox, min(coalesce(first_attempt_at, queued_at)), max(next_attempt_at),
                    max(last_attempt_at), last_error
             FROM outbox WHERE state = 'waiting' AND carrier_id IS NULL AND holds = 'refused'
             GROUP BY mailbox ORDER BY mailbox LIMIT ?1",
        )?;
        let rows = select.query_map([RESTING_MAX], |row| {
            Ok(Resting {
                to: row.get(0)?,
                since: Timestamp::from_ms(row.get(1)?),
                until: Timestamp::from_ms(row.get(2)?),
                why: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            })
        })?;
        health.resting = rows.collect::<Result<_>>()?;
    }
    Ok(health)
}
