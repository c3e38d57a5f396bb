//! The newest checks of monitors: what the daemon rebuilds its memory from, and what mails and pages show.

use std::collections::{HashMap, HashSet};

use super::hour_block::{Row, unpack};
use super::hydrate::Resolver;
use super::journal::{Whose, hour_before, ledger_hour, unsettled};
use crate::domain::check::Check;
use crate::domain::monitor::MonitorId;
use crate::policy::alert::state::Kept;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::writer::Store;

/// Further back than this the newest checks of a monitor are not looked for hour by hour.
const HOURS_BACK: i64 = 48;

/// What is stored of a monitor's past.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// What the alert machine stored; `None` for a monitor that was never judged.
    pub kept: Option<Kept>,
    /// The newest checks, newest first.
    pub newest: Vec<Check>,
    /// The newest good one, up or degraded.
    pub last_good: Option<Check>,
    /// The newest failed one.
    pub last_bad: Option<Check>,
}

impl Store {
    /// What is remembered of every monitor, with its newest `count` checks.
    ///
    /// # Errors
    /// If SQLite fails, or if a stored value cannot be read.
    pub fn load(&self, count: usize) -> Result<HashMap<MonitorId, Past>> {
        self.load_whose(&Whose::All, count)
    }

    /// The same of some monitors.
    ///
    /// # Errors
    /// As [`Store::load`]'s.
    pub fn load_some(&self, ids: &[MonitorId], count: usize) -> Result<HashMap<MonitorId, Past>> {
        match ids.is_empty() {
            true => Ok(HashMap::new()),
            false => self.load_whose(&Whose::of(ids), count),
        }
    }

    fn load_whose(&self, whose: &Whose, count: usize) -> Result<HashMap<MonitorId, Past>> {
        let mut pasts = newest(self.connection(), &self.resolver, whose, count)?;
        let mut statement = self
            .connection()
            .prepare("SELECT monitor_id, kept FROM states")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if !whose.has(row.get(0)?) {
                continue;
            }
            let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let kept = serde_json::from_str(text)?;
            pasts.entry(MonitorId(row.get(0)?)).or_default().kept = Some(kept);
        }
        Ok(pasts)
    }
}

impl Reader {
    /// The newest `count` checks of some monitors (of all if none is named), with the newest good and the newest
    /// failed one of each. Monitors without a check are missing.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn newest(&self, monitors: &[MonitorId], count: usize) -> Result<HashMap<MonitorId, Past>> {
        self.together(|reader| {
            newest(
                reader.connection(),
                &reader.resolver,
                &Whose::of(monitors),
                count,
            )
        })
    }
}

#[derive(Default)]
struct Found {
    /// In any order.
    rows: Vec<Row>,
    good: Option<Row>,
    bad: Option<Row>,
}

impl Found {
    fn see(&mut self, row: Row) {
        let place = match row.context.state {
            0 | 1 => Some(&mut self.good),
            2 => Some(&mut self.bad),
            _ => None,
        };
        if let Some(place) = place
            && place.as_ref().is_none_or(|known| known.at < row.at)
        {
            *place = Some(row.clone());
        }
        self.rows.push(row);
    }
}

fn newest(
    connection: &rusqlite::Connection,
    resolver: &Resolver,
    whose: &Whose,
    count: usize,
) -> Result<HashMap<MonitorId, Past>> {
    let mut found: HashMap<i64, Found> = HashMap::new();
    for (monitor, row) in unsettled(connection, whose, i64::MIN)? {
        let known = found.entry(monitor).or_default();
        known.see(row);
        // Only the newest are wanted: the rest is dropped from time to time.
        if known.rows.len() > 4 * count + 16 {
            keep_newest(&mut known.rows, count);
        }
    }
    let mut statement = connection.prepare_cached(
        "SELECT monitor_id, newest, good, bad FROM summary WHERE newest IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let monitor: i64 = row.get(0)?;
        if !whose.has(monitor) {
            continue;
        }
        let known = found.entry(monitor).or_default();
        for column in 1..=3 {
            if let Some(bytes) = row
                .get_ref(column)?
                .as_blob_or_null()
                .map_err(rusqlite::Error::from)?
            {
                for row in unpack(0, bytes)? {
                    known.see(row);
                }
            }
        }
    }
    let mut hour = i64::from(i32::MAX);
    let mut last = None;
    loop {
        if count <= 1 {
            break;
        }
        let lacking: HashSet<i64> = found
            .iter()
            .filter(|(_, known)| known.rows.len() < count + 3)
            .map(|(monitor, _)| *monitor)
            .collect();
        let Some(earlier) = hour_before(connection, hour)?.filter(|_| !lacking.is_empty()) else {
            break;
        };
        if *last.get_or_insert(earlier) - earlier > HOURS_BACK {
            break;
        }
        hour = earlier;
        ledger_hour(connection, &Whose::Some(lacking), hour, |monitor, rows| {
            let known = found.entry(monitor).or_default();
            let skip = rows.len().saturating_sub(count);
            for row in rows.into_iter().skip(skip) {
                known.see(row);
            }
        })?;
    }
    let mut pasts = HashMap::with_capacity(found.len());
    for (monitor, mut known) in found {
        keep_newest(&mut known.rows, count);
        let check = |row: &Row| resolver.check(connection, row);
        pasts.insert(
            MonitorId(monitor),
            Past {
                kept: None,
                newest: known.rows.iter().map(check).collect::<Result<_>>()?,
                last_good: known.good.as_ref().map(check).transpose()?,
                last_bad: known.bad.as_ref().map(check).transpose()?,
            },
        );
    }
    Ok(pasts)
}

/// The newest `count`, newest first, each once.
fn keep_newest(rows: &mut Vec<Row>, count: usize) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    rows.dedup_by_key(|row| row.at);
    rows.truncate(count);
}
