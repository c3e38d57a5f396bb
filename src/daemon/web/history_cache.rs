//! What the database tells about the time behind us, kept for the pages. [`super::history_refresher`] reads it on a
//! thread of its own, so that no request waits for it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::history_refresher::Rounds;
use super::sources::Sources;
use crate::daemon::health::counters::Health;
use crate::domain::check::Micros;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::uptime::Account;
use crate::store::error::StoreError;
use crate::store::facts::incidents::ListedIncident;
use crate::store::reader::Reader;
use crate::view::objective::ObjectiveRow;
use crate::view::page::rows::{Day, Times};

const HOUR: Duration = Duration::from_secs(3600);

/// One monitor's time behind us.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The last 24 hours.
    pub(super) day: Times,
    /// The last 30 days.
    pub(super) month: Times,
    /// Uptime of the last 24 hours in percent, cut to three decimals.
    pub(super) percent_24h: Option<f64>,
    /// Of the last 30 days.
    pub(super) percent_30d: Option<f64>,
    /// At most 90 days in the configured zone, today the last.
    pub(super) days: Vec<Day>,
    /// The last hours, while there are no three days yet; else empty.
    pub(super) hours: Vec<Day>,
    /// The median latency of each of the last 24 hours.
    pub(super) spark: Vec<Option<Micros>>,
    /// The newest outage.
    pub(super) last_incident: Option<ListedIncident>,
}

/// The time behind all monitors: one thread reads it, another one shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct AllKnown {
    monitors: Arc<RwLock<HashMap<MonitorId, Arc<Known>>>>,
    objectives: Arc<RwLock<Arc<[ObjectiveRow]>>>,
}

impl AllKnown {
    /// How objectives stood when that was last read.
    pub(super) fn objectives(&self) -> Arc<[ObjectiveRow]> {
        let rows = self
            .objectives
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&rows)
    }

    /// Takes in how objectives stand.
    pub(super) fn set_objectives(&self, rows: Vec<ObjectiveRow>) {
        let mut known = self
            .objectives
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = rows.into();
    }

    pub(super) fn get(&self, id: MonitorId) -> Option<Arc<Known>> {
        let known = self.monitors.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned()
    }

    /// Takes in what was read anew.
    pub(super) fn put(&self, read: impl IntoIterator<Item = (MonitorId, Arc<Known>)>) {
        let mut known = self
            .monitors
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.extend(read);
    }

    /// Forgets all others.
    pub(super) fn keep(&self, current: &HashSet<MonitorId>) {
        let mut known = self
            .monitors
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        known.retain(|id, _| current.contains(id));
    }

    /// The newest outage of each; of those that are not named there is none.
    pub(super) fn set_last_incidents(&self, mut newest: HashMap<MonitorId, ListedIncident>) {
        let mut known = self
            .monitors
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for (id, known) in known.iter_mut() {
            let last = newest.remove(id);
            if last.is_some() || known.last_incident.is_some() {
                Arc::make_mut(known).last_incident = last;
            }
        }
    }
}

/// The time behind us as the pages use it: what is kept, and a reader for the rest.
#[derive(Debug)]
pub(super) struct Past {
    database: PathBuf,
    health: Arc<Health>,
    /// The reader, and how often the database had been rewritten when the reader opened it.
    reader: Option<(Reader, u64)>,
    known: AllKnown,
    nothing: Arc<Known>,
}

impl Past {
    /// Reads a first portion, so that the first page of a small configuration is whole, and hands out who reads on.
    pub(super) fn begin(sources: &Sources, now: Timestamp) -> (Self, Rounds) {
        let known = AllKnown::default();
        let mut rounds = Rounds::new(sources.clone(), known.clone());
        rounds.step(now);
        let past = Self {
            database: sources.database.clone(),
            health: Arc::clone(&sources.health),
            reader: None,
            known,
            nothing: Arc::default(),
        };
        (past, rounds)
    }

    /// The database, opened when it is first needed.
    pub(super) fn reader(&mut self) -> Result<&Reader, StoreError> {
        let moves = self.health.database_moves();
        let reader = match self.reader.take() {
            Some((reader, opened)) if opened == moves => reader,
            Some(_) | None => Reader::open(&self.health.database_at(&self.database))?,
        };
        let (reader, _) = self.reader.insert((reader, moves));
        Ok(reader)
    }

    /// How objectives stood when that was last read.
    pub(super) fn objectives(&self) -> Arc<[ObjectiveRow]> {
        self.known.objectives()
    }

    /// What is known of one monitor.
    pub(super) fn of(&self, id: MonitorId) -> Arc<Known> {
        let known = self.known.get(id);
        known.unwrap_or_else(|| Arc::clone(&self.nothing))
    }
}

/// The edges of so many whole hours, the running one the last.
pub(super) fn hours_until(now: Timestamp, count: u32) -> Vec<Timestamp> {
    let hour_ms = 3_600_000;
    let end = Timestamp::from_ms((now.as_ms().div_euclid(hour_ms) + 1) * hour_ms);
    (0..=count)
        .rev()
        .map(|back| end.minus(HOUR * back))
        .collect()
}

/// An account as the pages have it.
pub(super) fn times(account: &Account) -> Times {
    let ms = |ms: i64| u64::try_from(ms).unwrap_or(0);
    Times {
        up_ms: ms(account.up_ms),
        degraded_ms: ms(account.degraded_ms),
        down_ms: ms(account.down_ms),
        maintenance_ms: ms(account.maintenance_ms),
        unknown_ms: ms(account.unknown_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_end_with_the_running_one() {
        let now = Timestamp::from_ms(1_795_377_600_000 + 61_000);
        let edges = hours_until(now, 24);
        assert_eq!(edges.len(), 25);
        assert_eq!(edges[24].to_string(), "2026-11-22T21:00:00.000Z");
        assert_eq!(edges[0].to_string(), "2026-11-21T21:00:00.000Z");
    }
}
