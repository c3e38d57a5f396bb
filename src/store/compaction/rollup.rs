//! What is left of an hour or a day: counts, how time passed, how long good checks took.

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};

use crate::domain::check::Micros;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::histogram::Histogram;
use crate::policy::availability::timeline::{Timeline, Voice, Word};
use crate::store::checks::hour_block::Row;
use crate::store::checks::hydrate::state_of;
use crate::store::checks::journal::{DAY, HOUR, hour_before};
use crate::store::error::{Result, StoreError};

/// One hour, one day, or any time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::store) struct Rollup {
    pub(in crate::store) tally: Tally,
    pub(in crate::store) timeline: Timeline,
}

/// What is counted of checks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Checks by verdict: up, degraded, down, unknown.
    pub checks: [u64; 4],
    /// Slots that were due and not run.
    pub missed: u64,
    /// How long good checks took.
    pub latency: Histogram,
}

impl Tally {
    /// Counts a check.
    pub(in crate::store) fn count(&mut self, row: &Row) {
        self.checks[usize::from(row.context.state.min(3))] += 1;
        if row.context.state < 2 {
            self.latency.add(Micros::new(row.total));
        }
    }

    /// Adds the counts of another one.
    pub(in crate::store) fn merge(&mut self, other: &Self) {
        for (sum, more) in self.checks.iter_mut().zip(other.checks) {
            *sum += more;
        }
        self.missed += other.missed;
        self.latency.merge(&other.latency);
    }

    /// All checks.
    pub fn total(&self) -> u64 {
        self.checks.iter().sum()
    }

    fn is_empty(&self) -> bool {
        self.total() == 0 && self.missed == 0
    }
}

/// What a check says, and for how long.
pub(in crate::store) fn word(row: &Row) -> Word {
    Word {
        at: Timestamp::from_ms(row.at),
        voice: Voice::of(state_of(row.context.state)),
        interval_ms: row.context.interval_ms,
    }
}

impl Rollup {
    /// Of the checks of an hour, in order; `before` is the last check before it.
    pub(in crate::store) fn of_hour(
        hour: i64,
        before: Option<Word>,
        rows: &[Row],
        missed: u64,
    ) -> Self {
        let words = before.into_iter().chain(rows.iter().map(word));
        let mut tally = Tally {
            missed,
            ..Tally::default()
        };
        for row in rows {
            tally.count(row);
        }
        Self {
            tally,
            timeline: Timeline::of(words, hour * HOUR, (hour + 1) * HOUR),
        }
    }

    /// Adds a later one.
    pub(in crate::store) fn extend(&mut self, later: &Self) {
        self.tally.merge(&later.tally);
        self.timeline.extend(&later.timeline);
    }

    /// Nothing happened: it needs no row.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.tally.is_empty() && self.timeline.is_silent()
    }
}

const COLUMNS: &str = "up, degraded, down, unknown, missed, timeline, latency";

fn read(row: &SqlRow<'_>, first: usize, start: i64) -> Result<Rollup> {
    let damaged = || StoreError::Damaged("a roll-up cannot be read".to_owned());
    let count =
        |place: usize| Ok::<_, StoreError>(row.get::<_, i64>(first + place)?.unsigned_abs());
    let blob = |place: usize| {
        let value = row.get_ref(first + place)?;
        Ok::<_, StoreError>(value.as_blob().map_err(rusqlite::Error::from)?)
    };
    Ok(Rollup {
        tally: Tally {
            checks: [count(0)?, count(1)?, count(2)?, count(3)?],
            missed: count(4)?,
            latency: Histogram::from_bytes(blob(6)?).ok_or_else(damaged)?,
        },
        timeline: Timeline::from_bytes(start, blob(5)?).ok_or_else(damaged)?,
    })
}

/// The roll-up of an hour; `None` if nothing happened in it.
pub(in crate::store) fn hour(
    connection: &Connection,
    monitor: i64,
    hour: i64,
) -> Result<Option<Rollup>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM rollup_hour WHERE hour = ?1 AND monitor_id = ?2"
    ))?;
    let mut rows = statement.query((hour, monitor))?;
    rows.next()?
        .map(|row| read(row, 0, hour * HOUR))
        .transpose()
}

/// The roll-ups of days from `first` up to but not including `end`, in order: day and roll-up.
pub(in crate::store) fn days(
    connection: &Connection,
    monitor: i64,
    first: i64,
    end: i64,
    mut each: impl FnMut(i64, Rollup),
) -> Result<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT day, {COLUMNS} FROM rollup_day WHERE monitor_id = ?1 AND day >= ?2 AND day < ?3 ORDER BY day"
    ))?;
    let mut rows = statement.query((monitor, first, end))?;
    while let Some(row) = rows.next()? {
        let day: i64 = row.get(0)?;
        each(day, read(row, 1, day * DAY)?);
    }
    Ok(())
}

/// Stores the roll-up of an hour, or deletes it if nothing happened.
pub(in crate::store) fn put_hour(
    connection: &Connection,
    monitor: i64,
    hour: i64,
    rollup: &Rollup,
) -> Result<()> {
    put(
        connection,
        "rollup_hour",
        "hour",
        monitor,
        hour,
        hour * HOUR,
        rollup,
    )
}

/// Sums up the hours of a day and stores that.
pub(super) fn put_day(connection: &Connection, monitor: i64, day: i64) -> Result<()> {
    let mut sum = Rollup::default();
    for one in day * 24..(day + 1) * 24 {
        if let Some(rollup) = hour(connection, monitor, one)? {
            sum.extend(&rollup);
        }
    }
    put(
        connection,
        "rollup_day",
        "day",
        monitor,
        day,
        day * DAY,
        &sum,
    )
}

fn put(
    connection: &Connection,
    table: &str,
    unit: &str,
    monitor: i64,
    place: i64,
    start: i64,
    rollup: &Rollup,
) -> Result<()> {
    if rollup.is_empty() {
        connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE {unit} = ?1 AND monitor_id = ?2"
            ))?
            .execute((place, monitor))?;
        return Ok(());
    }
    let [up, degraded, down, unknown] = rollup.tally.checks.map(u64::cast_signed);
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO {table} ({unit}, monitor_id, {COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        ))?
        .execute((
            place,
            monitor,
            up,
            degraded,
            down,
            unknown,
            rollup.tally.missed.cast_signed(),
            rollup.timeline.to_bytes(start),
            rollup.tally.latency.to_bytes(),
        ))?;
    Ok(())
}

/// The checks of a settled hour; `None` if there are none, or no longer.
pub(in crate::store) fn block(
    connection: &Connection,
    monitor: i64,
    hour: i64,
) -> Result<Vec<Row>> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT checks FROM ledger WHERE id = ?1")?
        .query_row(
            [crate::store::checks::journal::ledger_id(hour, monitor)],
            |row| row.get(0),
        )
        .optional()?;
    bytes.map_or_else(
        || Ok(Vec::new()),
        |bytes| crate::store::checks::hour_block::unpack(hour * HOUR, &bytes),
    )
}

/// The newest settled check before an hour, if it still counts in that hour.
pub(in crate::store) fn last_word_before(
    connection: &Connection,
    monitor: i64,
    hour: i64,
) -> Result<Option<Word>> {
    let mut at = hour;
    while at > hour - DAY / HOUR * 62 {
        let Some(earlier) = hour_before(connection, at)? else {
            return Ok(None);
        };
        if let Some(last) = block(connection, monitor, earlier)?.last() {
            return Ok(Some(word(last)));
        }
        at = earlier;
    }
    Ok(None)
}
