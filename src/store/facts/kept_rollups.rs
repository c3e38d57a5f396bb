//! Roll-ups that a start with a clock behind the record takes away, kept for when that is taken back.

use rusqlite::Connection;

use crate::store::checks::journal::{DAY, HOUR};
use crate::store::compaction::rollup::{self, Rollup};
use crate::store::error::Result;

/// Rows of `wrong_clock`, from the first to the last.
pub(super) type Marks = (i64, i64);

/// Keeps roll-ups, and how far each monitor is settled: checks that are put back are summed up again, but roll-ups live
/// longer than checks.
pub(super) fn keep(connection: &Connection, now: i64) -> Result<()> {
    connection.execute(
        "INSERT INTO clock_undo SELECT 'hour', json_array(hour, monitor_id, up, degraded, down, unknown, missed,
           hex(timeline), hex(latency))
         FROM rollup_hour WHERE hour >= ?1",
        [now.div_euclid(HOUR)],
    )?;
    connection.execute(
        "INSERT INTO clock_undo SELECT 'day', json_array(day, monitor_id, up, degraded, down, unknown, missed,
           hex(timeline), hex(latency))
         FROM rollup_day WHERE day >= ?1",
        [now.div_euclid(DAY)],
    )?;
    connection.execute(
        "INSERT INTO clock_undo SELECT 'settled', json_array(monitor_id, settled_hour)
         FROM summary WHERE settled_hour > ?1",
        [now.div_euclid(HOUR)],
    )?;
    Ok(())
}

/// Writes the roll-ups again whose checks are not put back, since they were forgotten before: nothing else says what
/// they counted. Those of other hours are made of the checks, and keep how many were missed. An hour whose first checks
/// were forgotten before loses what the check before it said: at most an interval is unknown.
pub(super) fn restore(connection: &Connection, (first, last): Marks, behind: i64) -> Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO rollup_hour
           (hour, monitor_id, up, degraded, down, unknown, missed, timeline, latency)
         SELECT image ->> 0, image ->> 1, image ->> 2, image ->> 3, image ->> 4, image ->> 5, image ->> 6,
           unhex(image ->> 7), unhex(image ->> 8)
         FROM clock_undo WHERE what = 'hour' AND NOT EXISTS
           (SELECT 1 FROM wrong_clock WHERE hour = image ->> 0 AND monitor_id = image ->> 1
            AND id BETWEEN ?1 AND ?2)",
        (first, last),
    )?;
    let mut missed: Vec<(i64, i64, u64)> = Vec::new();
    let mut statement = connection.prepare(
        "SELECT image ->> 1, image ->> 0, image ->> 6 FROM clock_undo WHERE what = 'hour' AND image ->> 6 > 0
           AND image ->> 0 > ?3 AND EXISTS
           (SELECT 1 FROM wrong_clock WHERE hour = image ->> 0 AND monitor_id = image ->> 1
            AND id BETWEEN ?1 AND ?2)",
    )?;
    let mut rows = statement.query((first, last, behind.div_euclid(HOUR)))?;
    while let Some(row) = rows.next()? {
        let slots: i64 = row.get(2)?;
        missed.push((row.get(0)?, row.get(1)?, slots.unsigned_abs()));
    }
    for (monitor, hour, slots) in missed {
        rollup::put_hour(
            connection,
            monitor,
            hour,
            &Rollup::of_hour(hour, None, &[], slots),
        )?;
    }
    connection.execute(
        "INSERT OR REPLACE INTO rollup_day
           (day, monitor_id, up, degraded, down, unknown, missed, timeline, latency)
         SELECT image ->> 0, image ->> 1, image ->> 2, image ->> 3, image ->> 4, image ->> 5, image ->> 6,
           unhex(image ->> 7), unhex(image ->> 8)
         FROM clock_undo WHERE what = 'day'",
        [],
    )?;
    // What is put back belongs to hours that were settled: it is added to them, and the days are summed up again.
    connection.execute(
        "UPDATE summary SET settled_hour = max(settled_hour, image ->> 1)
         FROM clock_undo WHERE what = 'settled' AND monitor_id = image ->> 0",
        [],
    )?;
    Ok(())
}
