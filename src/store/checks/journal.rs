//! Reads checks where they are: those not yet settled from the journal, the others from the ledger.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::hour_block::{self, Row};
use super::hydrate::{JOURNAL_COLUMNS, journal_row};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::store::error::Result;

/// Milliseconds of an hour.
pub(in crate::store) const HOUR: i64 = 3_600_000;
/// Milliseconds of a day.
pub(in crate::store) const DAY: i64 = 24 * HOUR;

/// Which monitors.
#[derive(Debug, Clone)]
pub(in crate::store) enum Whose {
    All,
    One(i64),
    Some(HashSet<i64>),
}

impl Whose {
    /// All where none is named.
    pub(in crate::store) fn of(monitors: &[MonitorId]) -> Self {
        match monitors {
            [] => Self::All,
            [one] => Self::One(one.0),
            some => Self::Some(some.iter().map(|id| id.0).collect()),
        }
    }

    pub(in crate::store) fn has(&self, monitor: i64) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => *one == monitor,
            Self::Some(some) => some.contains(&monitor),
        }
    }
}

/// Up to where monitors are settled: journal rows of these hours up to these numbers are in the ledger already.
pub(in crate::store) fn settled(connection: &Connection) -> Result<HashMap<i64, (i64, i64)>> {
    let mut statement =
        connection.prepare_cached("SELECT monitor_id, settled_hour, settled_seq FROM summary")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The checks of the journal that are not in the ledger, from `since` on, in the order in which they came:
/// monitor and check.
pub(in crate::store) fn unsettled(
    connection: &Connection,
    whose: &Whose,
    since: i64,
) -> Result<Vec<(i64, Row)>> {
    let settled = settled(connection)?;
    let one = match whose {
        Whose::One(one) => Some(*one),
        Whose::All | Whose::Some(_) => None,
    };
    // The sign keeps SQLite from looking for an index that there is not.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT seq, monitor_id, {JOURNAL_COLUMNS} FROM journal
         WHERE (?1 IS NULL OR monitor_id = ?1) AND at >= ?2 ORDER BY seq"
    ))?;
    let mut rows = statement.query((one, since))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let monitor: i64 = row.get(1)?;
        if !whose.has(monitor) {
            continue;
        }
        let at: i64 = row.get(2)?;
        let seq: i64 = row.get(0)?;
        let in_ledger = settled
            .get(&monitor)
            .is_some_and(|(hour, last)| at.div_euclid(HOUR) <= *hour && seq <= *last);
        if !in_ledger {
            found.push((monitor, journal_row(row, 2)?));
        }
    }
    Ok(found)
}

/// The number of a ledger row.
pub(in crate::store) const fn ledger_id(hour: i64, monitor: i64) -> i64 {
    hour << 32 | monitor
}

/// The newest hour before `hour` in which any monitor has settled checks.
pub(in crate::store) fn hour_before(connection: &Connection, hour: i64) -> Result<Option<i64>> {
    let id: Option<i64> = connection
        .prepare_cached("SELECT max(id) FROM ledger WHERE id < ?1")?
        .query_row([ledger_id(hour, 0)], |row| row.get(0))?;
    Ok(id.map(|id| id >> 32))
}

/// Calls `each` with monitor and checks, in order of time, of every settled hour in question.
pub(in crate::store) fn ledger_hour(
    connection: &Connection,
    whose: &Whose,
    hour: i64,
    mut each: impl FnMut(i64, Vec<Row>),
) -> Result<()> {
    let (first, last) = match whose {
        Whose::One(one) => (ledger_id(hour, *one), ledger_id(hour, *one)),
        Whose::All | Whose::Some(_) => (ledger_id(hour, 0), ledger_id(hour + 1, 0) - 1),
    };
    let mut statement = connection
        .prepare_cached("SELECT id, checks FROM ledger WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
    let mut rows = statement.query((first, last))?;
    while let Some(row) = rows.next()? {
        let monitor = row.get::<_, i64>(0)? & 0xffff_ffff;
        if whose.has(monitor) {
            let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            each(monitor, hour_block::unpack(hour * HOUR, bytes)?);
        }
    }
    Ok(())
}

/// All checks of one monitor from `from` up to but not including `to`, oldest first.
pub(super) fn checks_between(
    connection: &Connection,
    monitor: MonitorId,
    from: i64,
    to: i64,
) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    let whose = Whose::One(monitor.0);
    let first_hour = from.div_euclid(HOUR);
    let mut hour = to.div_euclid(HOUR) + 1;
    while let Some(earlier) = hour_before(connection, hour)?.filter(|hour| *hour >= first_hour) {
        ledger_hour(connection, &whose, earlier, |_, rows| found.extend(rows))?;
        hour = earlier;
    }
    found.extend(
        unsettled(connection, &whose, from)?
            .into_iter()
            .map(|(_, row)| row),
    );
    found.retain(|row| row.at >= from && row.at < to);
    found.sort_by_key(|row| row.at);
    Ok(found)
}

/// When the first check of each monitor began that has one.
pub(in crate::store) fn first_checks(
    connection: &Connection,
) -> Result<HashMap<MonitorId, Timestamp>> {
    let mut statement =
        connection.prepare("SELECT id, first_at FROM monitors WHERE first_at IS NOT NULL")?;
    let rows = statement.query_map([], |row| {
        Ok((MonitorId(row.get(0)?), Timestamp::from_ms(row.get(1)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
