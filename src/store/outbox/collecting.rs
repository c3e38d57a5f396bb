//! What a digest tells of, and the interval after it, for each recipient.

use rusqlite::Connection;

use super::rows::count;
use crate::domain::monitor::MonitorId;
use crate::policy::alert::state::Hold;
use crate::policy::outbox::collecting::Collecting;
use crate::policy::outbox::queued::RowId;
use crate::store::facts::meta;

type Result<T> = rusqlite::Result<T>;

/// What the keys in `meta` begin with; the mailbox follows.
const KEY: &str = "collecting ";

/// The newest interval of a recipient, whether it is over or not.
///
/// # Errors
/// If SQLite fails.
pub fn get(db: &Connection, mailbox: &str) -> Result<Option<Collecting>> {
    let json: Option<String> = meta::get(db, &format!("{KEY}{mailbox}"))?;
    // What another version wrote otherwise is worth one message more, not a refusal to work.
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}

/// Begins an interval.
///
/// # Errors
/// If SQLite fails.
pub fn put(db: &Connection, mailbox: &str, collecting: &Collecting) -> Result<()> {
    let json = serde_json::to_string(collecting)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    meta::put(db, &format!("{KEY}{mailbox}"), Some(&json))
}

/// A person wants what collects now: every interval ends, and what came in it leaves.
///
/// # Errors
/// If SQLite fails.
pub(super) fn hurry(db: &Connection) -> Result<()> {
    db.execute(
        "UPDATE meta SET value = json_set(value, '$.hurried', json('true'))
         WHERE key >= ?1 AND key < ?2 AND json_valid(value)",
        (KEY, KEY.replace(' ', "!")),
    )?;
    Ok(())
}

/// The monitors whose trouble a digest reports, without those whose recovery it reports.
pub(super) fn told_by(db: &Connection, digest: RowId) -> Result<Vec<MonitorId>> {
    let mut select = db.prepare_cached(
        "SELECT DISTINCT monitor_id FROM outbox AS member
         WHERE carrier_id = ?1 AND state = 'waiting' AND monitor_id IS NOT NULL AND kind <> 'up'
               AND NOT EXISTS (SELECT 1 FROM outbox AS up
                               WHERE up.carrier_id = ?1 AND up.kind = 'up' AND up.monitor_id = member.monitor_id
                                     AND up.incident_opened_at = member.incident_opened_at)",
    )?;
    let rows = select.query_map([digest.0], |row| row.get(0).map(MonitorId))?;
    rows.collect()
}

/// All monitors that a digest tells of.
pub(super) fn members(db: &Connection, digest: RowId) -> Result<Vec<MonitorId>> {
    let mut select = db.prepare_cached(
        "SELECT DISTINCT monitor_id FROM outbox WHERE carrier_id = ?1 AND monitor_id IS NOT NULL",
    )?;
    let rows = select.query_map([digest.0], |row| row.get(0).map(MonitorId))?;
    rows.collect()
}

/// How many rows may leave, and how many a mute or a window holds, by which of them.
pub(super) fn waits(db: &Connection) -> Result<(usize, Vec<(Hold, usize)>)> {
    let mut select = db.prepare(
        "SELECT CASE WHEN released_at IS NULL THEN held END AS hold, count(*) FROM outbox
         WHERE state = 'waiting' AND carrier_id IS NULL GROUP BY hold ORDER BY hold",
    )?;
    let rows = select.query_map([], |row| {
        Ok((row.get::<_, Option<String>>(0)?, count(row, 1)?))
    })?;
    let (mut free, mut held) = (0, Vec::new());
    for row in rows {
        let (hold, count) = row?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        match hold.as_deref().and_then(Hold::parse) {
            Some(hold) => held.push((hold, count)),
            None => free += count,
        }
    }
    Ok((free, held))
}
