//! What is known of every monitor now, without reading its history.

use std::collections::{HashMap, HashSet};

use super::block::{Row, unpack};
use super::error::Result;
use super::journal::{DAY, HOUR, Whose};
use super::monitors::StoredMonitor;
use super::reader::Reader;
use super::resolve::{JOURNAL_COLUMNS, journal_row, state_of};
use super::summary;
use crate::domain::check::{Check, CheckState, Micros};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::memory::Shown;
use crate::policy::uptime::Account;

/// For up to this many monitors the shares of 24 hours and 30 days are computed to the moment; for more they are
/// those of the last settling, at most an hour old.
const EXACT_MAX: usize = 50;

/// One monitor, now.
#[derive(Debug, Clone)]
pub struct StatusRow {
    /// Which.
    pub monitor: StoredMonitor,
    /// What the alert machine shows of it; none where it was never judged.
    pub shown: Option<Shown>,
    /// Its newest check.
    pub newest: Option<StoredCheck>,
    /// The last 24 hours; none before the first check.
    pub day: Option<Account>,
    /// The last 30 days.
    pub month: Option<Account>,
    /// What was said when its open incident was acknowledged.
    pub ack_note: Option<String>,
}

/// A check whose shared parts were not looked up; see [`Reader::resolve`].
#[derive(Debug, Clone)]
pub struct StoredCheck(Row);

impl StoredCheck {
    /// When it began.
    pub const fn at(&self) -> Timestamp {
        Timestamp::from_ms(self.0.at)
    }

    /// Its verdict.
    pub const fn state(&self) -> CheckState {
        state_of(self.0.context.state)
    }

    /// The last status received.
    pub fn status(&self) -> Option<u16> {
        (self.0.context.status != 0).then_some(self.0.context.status)
    }

    /// How long all of it took.
    pub const fn total(&self) -> Micros {
        Micros::new(self.0.total)
    }
}

impl Reader {
    /// The whole check.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn resolve(&self, check: &StoredCheck) -> Result<Check> {
        self.resolver.check(self.connection(), &check.0)
    }

    /// The check without its way and its certificate: enough for a line of a table, at a fraction of the look-ups.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn outline(&self, check: &StoredCheck) -> Result<Check> {
        self.resolver.outline(self.connection(), &check.0)
    }

    /// Some monitors (all that are in the configuration where none is named), by name.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn status(&self, monitors: &[MonitorId], now: Timestamp) -> Result<Vec<StatusRow>> {
        self.together(|reader| {
            let whose = Whose::of(monitors);
            let wanted: Vec<StoredMonitor> = reader
                .monitors()?
                .into_iter()
                .filter(|one| whose.has(one.id.0))
                .filter(|one| !monitors.is_empty() || one.removed_at.is_none())
                .collect();
            let mut shown = reader.shown(&whose)?;
            let mut summaries = reader.summaries(&whose)?;
            let mut newest = reader.newest_rows(&wanted)?;
            let mut ack_notes = reader.ack_notes()?;
            let unsettled = |one: &&StoredMonitor| {
                wanted.len() <= EXACT_MAX || !summaries.contains_key(&one.id.0)
            };
            let exact: Vec<MonitorId> = wanted.iter().filter(unsettled).map(|one| one.id).collect();
            let mut shares = reader.shares(&exact, now)?;
            let rows = wanted.into_iter().map(|monitor| {
                let id = monitor.id;
                let summary = summaries.remove(&id.0).unwrap_or_default();
                let (day, month) = shares.remove(&id).unwrap_or((summary.day, summary.month));
                StatusRow {
                    shown: shown.remove(&id.0),
                    newest: newest.remove(&id.0).or(summary.newest).map(StoredCheck),
                    day,
                    month,
                    ack_note: ack_notes.remove(&id.0),
                    monitor,
                }
            });
            Ok(rows.collect())
        })
    }

    fn shares(&self, monitors: &[MonitorId], now: Timestamp) -> Result<HashMap<MonitorId, Shares>> {
        if monitors.is_empty() {
            return Ok(HashMap::new());
        }
        let from = Timestamp::from_ms(now.as_ms() - 30 * DAY);
        let courses = self.courses(monitors, from, now)?;
        let shares = courses.into_iter().map(|(id, course)| {
            let seen = course.begin.is_some();
            let day = course.account(now.as_ms() - DAY, now.as_ms());
            (id, (seen.then_some(day), seen.then(|| course.whole())))
        });
        Ok(shares.collect())
    }

    fn shown(&self, whose: &Whose) -> Result<HashMap<i64, Shown>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT monitor_id, shown FROM states")?;
        let mut rows = statement.query([])?;
        let mut shown = HashMap::new();
        while let Some(row) = rows.next()? {
            let monitor: i64 = row.get(0)?;
            if whose.has(monitor) {
                let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
                shown.insert(monitor, serde_json::from_str(text)?);
            }
        }
        Ok(shown)
    }

    /// By monitor, of open incidents.
    fn ack_notes(&self) -> Result<HashMap<i64, String>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT monitor_id, ack_note FROM incidents WHERE closed_at IS NULL AND ack_note IS NOT NULL",
        )?;
        let notes = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(notes.collect::<rusqlite::Result<_>>()?)
    }

    fn summaries(&self, whose: &Whose) -> Result<HashMap<i64, Summary>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT monitor_id, newest, day, month FROM summary")?;
        let mut rows = statement.query([])?;
        let mut summaries = HashMap::new();
        while let Some(row) = rows.next()? {
            let monitor: i64 = row.get(0)?;
            if !whose.has(monitor) {
                continue;
            }
            let bytes = row
                .get_ref(1)?
                .as_blob_or_null()
                .map_err(rusqlite::Error::from)?;
            let newest = bytes.map(|bytes| unpack(0, bytes)).transpose()?;
            let share = |column| -> Result<Option<Account>> {
                let text = row
                    .get_ref(column)?
                    .as_str_or_null()
                    .map_err(rusqlite::Error::from)?;
                text.map(summary::from_text).transpose()
            };
            let summary = Summary {
                newest: newest.and_then(|mut rows| rows.pop()),
                day: share(2)?,
                month: share(3)?,
            };
            summaries.insert(monitor, summary);
        }
        Ok(summaries)
    }

    /// The newest journal row of each monitor that has one, backwards until all were met.
    fn newest_rows(&self, wanted: &[StoredMonitor]) -> Result<HashMap<i64, Row>> {
        let mut missing: HashSet<i64> = wanted
            .iter()
            .filter(|one| one.removed_at.is_none())
            .map(|one| one.id.0)
            .collect();
        let mut found = HashMap::with_capacity(missing.len());
        let mut statement = self
            .connection()
            .prepare_cached("SELECT seq, monitor_id FROM journal ORDER BY seq DESC")?;
        let mut fetch = self.connection().prepare_cached(&format!(
            "SELECT {JOURNAL_COLUMNS} FROM journal WHERE seq = ?1"
        ))?;
        let mut rows = statement.query([])?;
        while !missing.is_empty()
            && let Some(row) = rows.next()?
        {
            let monitor: i64 = row.get(1)?;
            if missing.remove(&monitor) {
                let mut whole = fetch.query([row.get::<_, i64>(0)?])?;
                if let Some(row) = whole.next()? {
                    found.insert(monitor, journal_row(row, 0)?);
                }
            }
        }
        Ok(found)
    }

    /// When the newest check of all began.
    ///
    /// # Errors
    /// As SQLite's.
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

/// The last 24 hours and the last 30 days.
type Shares = (Option<Account>, Option<Account>);

#[derive(Default)]
struct Summary {
    newest: Option<Row>,
    day: Option<Account>,
    month: Option<Account>,
}
