//! What is known of every monitor now, without reading its history.

use std::collections::HashMap;

use super::monitors::StoredMonitor;
use crate::domain::check::{Check, CheckState};
use crate::domain::monitor::MonitorId;
use crate::domain::order::KeptOrder;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::{Flags, Shown};
use crate::store::checks::hour_block::{Row, unpack};
use crate::store::checks::hydrate::{JOURNAL_COLUMNS, journal_row, state_of};
use crate::store::checks::journal::{DAY, HOUR, Whose};
use crate::store::compaction::summary;
use crate::store::error::Result;
use crate::store::reader::Reader;

/// For up to this many monitors the shares of 24 hours and 30 days are computed to the moment; for more they are
/// those of the last settling, at most an hour old.
const EXACT_MAX: usize = 50;

/// So many rows for each monitor from the end of the journal are read whole: the newest ones of those that are checked
/// at about the same pace.
const CLOSE_ROWS: usize = 2;

/// One monitor, now.
#[derive(Debug, Clone)]
pub struct StatusRow {
    /// The monitor as the database knows it.
    pub monitor: StoredMonitor,
    /// What the alert machine shows of it; `None` if it was never judged.
    pub shown: Option<Shown>,
    /// Its newest check.
    pub newest: Option<StoredCheck>,
    /// Uptime in per cent of the last 24 hours; `None` if nothing was observed.
    pub day: Option<f64>,
    /// Of the last 30 days.
    pub month: Option<f64>,
    /// What was said when its open incident was acknowledged.
    pub ack_note: Option<String>,
    /// The status of the answer that its open incident began with, where that was its cause.
    pub cause_status: Option<u16>,
    /// Who paused, muted and acknowledged it, as far as that is so.
    pub orders: Vec<KeptOrder>,
}

/// A check whose shared parts were not looked up; see [`Reader::resolve`].
#[derive(Debug, Clone)]
pub struct StoredCheck(Row);

impl StoredCheck {
    /// Its verdict.
    pub const fn state(&self) -> CheckState {
        state_of(self.0.context.state)
    }
}

impl Reader {
    /// The whole check.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn resolve(&self, check: &StoredCheck) -> Result<Check> {
        self.resolver.check(self.connection(), &check.0)
    }

    /// The check without its way and its certificate: enough for a line of a table, at a fraction of the look-ups.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn outline(&self, check: &StoredCheck) -> Result<Check> {
        self.resolver.outline(self.connection(), &check.0)
    }

    /// Some monitors (all that are in the configuration where none is named), by name.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn status(&self, monitors: &[MonitorId], now: Timestamp) -> Result<Vec<StatusRow>> {
        self.together(|reader| {
            let whose = Whose::of(monitors);
            let wanted = reader
                .monitors()?
                .into_iter()
                .filter(|one| whose.has(one.id.0))
                .filter(|one| !monitors.is_empty() || one.removed_at.is_none());
            let mut rows = Rows::of(wanted);
            reader.add_shown(&mut rows)?;
            reader.add_newest(&mut rows)?;
            let unsettled = reader.add_summaries(&mut rows)?;
            let exact = match rows.rows.len() <= EXACT_MAX {
                true => rows.rows.iter().map(|row| row.monitor.id).collect(),
                false => unsettled,
            };
            reader.add_shares(&mut rows, &exact, now)?;
            reader.add_incidents(&mut rows)?;
            for row in &mut rows.rows {
                let flags = row.shown.map_or_else(Flags::default, |shown| shown.flags);
                row.orders = reader.orders_in_force(row.monitor.id, flags, now)?;
            }
            Ok(rows.rows)
        })
    }

    fn add_shown(&self, rows: &mut Rows) -> Result<()> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT monitor_id, shown FROM states")?;
        let mut stored = statement.query([])?;
        while let Some(state) = stored.next()? {
            if let Some(row) = rows.of_monitor(state.get(0)?) {
                let text = state.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
                row.shown = Some(serde_json::from_str(text)?);
            }
        }
        Ok(())
    }

    fn add_incidents(&self, rows: &mut Rows) -> Result<()> {
        let mut statement = self.connection().prepare_cached(
            "SELECT monitor_id, ack_note, iif(kind = 'status', status, NULL) FROM incidents WHERE closed_at IS NULL",
        )?;
        let mut incidents = statement.query([])?;
        while let Some(incident) = incidents.next()? {
            if let Some(row) = rows.of_monitor(incident.get(0)?) {
                row.ack_note = incident.get(1)?;
                row.cause_status = incident.get(2)?;
            }
        }
        Ok(())
    }

    /// The newest journal row of each monitor that has one, backwards until all were met.
    fn add_newest(&self, rows: &mut Rows) -> Result<()> {
        let is_missing = |row: &StatusRow| row.newest.is_none() && row.monitor.removed_at.is_none();
        let mut missing = rows.rows.iter().filter(|row| is_missing(row)).count();
        // Those that are checked often stand close to the end, hardly a row in vain. For what rests longer only the
        // numbers are read.
        let close = i64::try_from(missing * CLOSE_ROWS).unwrap_or(i64::MAX);
        let mut before = i64::MAX;
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT seq, monitor_id, {JOURNAL_COLUMNS} FROM journal ORDER BY seq DESC LIMIT ?1"
        ))?;
        let mut checks = statement.query([close])?;
        while missing > 0
            && let Some(check) = checks.next()?
        {
            before = check.get(0)?;
            if let Some(row) = rows.of_monitor(check.get(1)?).filter(|row| is_missing(row)) {
                row.newest = Some(StoredCheck(journal_row(check, 2)?));
                missing -= 1;
            }
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT seq, monitor_id FROM journal WHERE seq < ?1 ORDER BY seq DESC",
        )?;
        let mut fetch = self.connection().prepare_cached(&format!(
            "SELECT {JOURNAL_COLUMNS} FROM journal WHERE seq = ?1"
        ))?;
        let mut checks = statement.query([before])?;
        while missing > 0
            && let Some(check) = checks.next()?
        {
            if let Some(row) = rows.of_monitor(check.get(1)?).filter(|row| is_missing(row)) {
                let mut whole = fetch.query([check.get::<_, i64>(0)?])?;
                if let Some(check) = whole.next()? {
                    row.newest = Some(StoredCheck(journal_row(check, 0)?));
                    missing -= 1;
                }
            }
        }
        Ok(())
    }

    /// What the last settling left: shares, and newest checks where the journal has none. Answers which monitors
    /// were never settled.
    fn add_summaries(&self, rows: &mut Rows) -> Result<Vec<MonitorId>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT monitor_id, newest, day, month FROM summary")?;
        let mut settled = vec![false; rows.rows.len()];
        let mut summaries = statement.query([])?;
        while let Some(summary) = summaries.next()? {
            let Some(place) = rows.place(summary.get(0)?) else {
                continue;
            };
            let (Some(row), Some(settled)) = (rows.rows.get_mut(place), settled.get_mut(place))
            else {
                continue;
            };
            *settled = true;
            let share = |column| -> Result<Option<f64>> {
                let text = summary
                    .get_ref(column)?
                    .as_str_or_null()
                    .map_err(rusqlite::Error::from)?;
                let account = text.map(summary::from_text).transpose()?;
                Ok(account.and_then(|account| account.uptime_percent()))
            };
            row.day = share(2)?;
            row.month = share(3)?;
            if row.newest.is_none() {
                let bytes = summary
                    .get_ref(1)?
                    .as_blob_or_null()
                    .map_err(rusqlite::Error::from)?;
                let newest = bytes.map(|bytes| unpack(0, bytes)).transpose()?;
                row.newest = newest.and_then(|mut rows| rows.pop()).map(StoredCheck);
            }
        }
        let unsettled = rows.rows.iter().zip(settled).filter(|(_, is)| !is);
        Ok(unsettled.map(|(row, _)| row.monitor.id).collect())
    }

    /// Adds uptime shares that are exact to the moment.
    fn add_shares(&self, rows: &mut Rows, monitors: &[MonitorId], now: Timestamp) -> Result<()> {
        if monitors.is_empty() {
            return Ok(());
        }
        let from = Timestamp::from_ms(now.as_ms() - 30 * DAY);
        for (id, course) in self.courses(monitors, from, now)? {
            if let Some(row) = rows.of_monitor(id.0) {
                // Before the first check there is nothing to account for.
                let seen = course.begin.is_some();
                let day = course.account(now.as_ms() - DAY, now.as_ms());
                row.day = day.uptime_percent().filter(|_| seen);
                row.month = course.whole().uptime_percent().filter(|_| seen);
            }
        }
        Ok(())
    }

    /// When the newest check of all began.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn newest_at(&self) -> Result<Option<Timestamp>> {
        let journal: Option<i64> = self
            .connection()
            .prepare_cached("SELECT at FROM journal ORDER BY seq DESC LIMIT 1")?
            .query_map([], |row| row.get(0))?
            .next()
            .transpose()?;
        if let Some(at) = journal {
            return Ok(Some(Timestamp::from_ms(at)));
        }
        let hour: Option<i64> = self
            .connection()
            .prepare_cached("SELECT max(id) >> 32 FROM ledger")?
            .query_row([], |row| row.get(0))?;
        Ok(hour.map(|hour| Timestamp::from_ms(hour * HOUR)))
    }
}

/// What is gathered, and where each monitor's part of it stands.
struct Rows {
    rows: Vec<StatusRow>,
    places: HashMap<i64, usize>,
}

impl Rows {
    /// Rows of monitors without any check.
    fn of(monitors: impl Iterator<Item = StoredMonitor>) -> Self {
        let rows: Vec<StatusRow> = monitors
            .map(|monitor| StatusRow {
                monitor,
                shown: None,
                newest: None,
                day: None,
                month: None,
                ack_note: None,
                cause_status: None,
                orders: Vec::new(),
            })
            .collect();
        let places = rows.iter().zip(0..);
        Self {
            places: places.map(|(row, at)| (row.monitor.id.0, at)).collect(),
            rows,
        }
    }

    fn place(&self, monitor: i64) -> Option<usize> {
        self.places.get(&monitor).copied()
    }

    fn of_monitor(&mut self, monitor: i64) -> Option<&mut StatusRow> {
        let place = self.place(monitor)?;
        self.rows.get_mut(place)
    }
}
