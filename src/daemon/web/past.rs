//! What the database tells about the time behind us, kept for a while: roll-ups move slowly.

use std::collections::HashMap;
use std::path::PathBuf;

use super::view::View;
use crate::domain::check::Micros;
use crate::domain::monitor::MonitorId;
use crate::store::error::StoreError;
use crate::store::incidents::ListedIncident;
use crate::store::reader::Reader;
use crate::view::page::rows::{Chart, Day, Times};

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
    /// The median latency of each of the last 24 hours.
    pub(super) spark: Vec<Option<Micros>>,
    /// The newest outage.
    pub(super) last_incident: Option<ListedIncident>,
}

/// The time behind us, as last read.
#[derive(Debug)]
pub(super) struct Past {
    database: PathBuf,
    reader: Option<Reader>,
    known: HashMap<MonitorId, Known>,
    nothing: Known,
}

impl Past {
    pub(super) fn new(database: PathBuf) -> Self {
        Self {
            database,
            reader: None,
            known: HashMap::new(),
            nothing: Known::default(),
        }
    }

    /// The database, opened when it is first needed.
    pub(super) fn reader(&mut self) -> Result<&Reader, StoreError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.database)?,
        };
        Ok(self.reader.insert(reader))
    }

    /// Reads anew what has become old.
    pub(super) fn refresh(&mut self, _view: &View<'_>) {}

    /// The latency of a monitor over a day, a week and a quarter.
    pub(super) fn charts(
        &mut self,
        _view: &View<'_>,
        _id: MonitorId,
    ) -> Result<Vec<Chart>, StoreError> {
        Ok(Vec::new())
    }

    /// What is known of one monitor.
    pub(super) fn of(&self, id: MonitorId) -> &Known {
        self.known.get(&id).unwrap_or(&self.nothing)
    }
}
