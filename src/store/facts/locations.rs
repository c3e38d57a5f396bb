//! Which location saw which monitor, under which number its checks are stored, and what is committed of each probe.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};

use crate::domain::check::Check;
use crate::domain::incident::IncidentKey;
use crate::domain::location::{LocationName, LocationStatus, ProbeName, Seen, Share};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::seats::Seats;
use crate::policy::alert::state::Kept;
use crate::store::error::Result;
use crate::store::facts::arrivals::Arrival;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;
use crate::store::writer::Store;

/// The first number of a series: no monitor has one so high, and a number of 32 bits holds it.
pub const FIRST_SERIES: i64 = 1 << 31;

/// So many checks of a location tell how it stands, also if the newest are unknown.
const NEWEST_CHECKS: usize = 3;

/// A monitor seen from one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Under which number its checks are stored.
    pub id: MonitorId,
    /// Which monitor.
    pub monitor: MonitorId,
    /// From where.
    pub location: LocationName,
    /// Since when.
    pub from: Timestamp,
    /// Since when not any more.
    pub to: Option<Timestamp>,
}

/// What is stored of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProbe {
    /// Which spool numbered its frames.
    pub spool: u64,
    /// Its newest frame that is stored.
    pub done_seq: u64,
    /// When it was heard last.
    pub heard_at: Timestamp,
    /// When it was heard before it was told as silent, while it is.
    pub silent_from: Option<Timestamp>,
    /// What the newest event says of it; `None` if there was none.
    pub seen: Option<Seen>,
}

fn series(connection: &Connection, monitor: Option<MonitorId>) -> Result<Vec<Series>> {
    let mut statement = connection.prepare_cached(
        "SELECT series.id, monitor_id, name, from_at, to_at
         FROM series JOIN locations ON locations.id = location_id
         WHERE ?1 IS NULL OR monitor_id = ?1 ORDER BY series.id",
    )?;
    let mut rows = statement.query([monitor.map(|monitor| monitor.0)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(2)?;
        // What this program did not write is not shown.
        let Ok(location) = LocationName::parse(&name) else {
            continue;
        };
        found.push(Series {
            id: MonitorId(row.get(0)?),
            monitor: MonitorId(row.get(1)?),
            location,
            from: Timestamp::from_ms(row.get(3)?),
            to: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_ms),
        });
    }
    Ok(found)
}

fn location_id(connection: &Connection, name: &LocationName) -> Result<i64> {
    let known: Option<i64> = connection
        .prepare_cached("SELECT id FROM locations WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO locations (name) VALUES (?1)")?
        .execute([name.as_str()])?;
    Ok(connection.last_insert_rowid())
}

impl Store {
    /// Every series.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn series(&self) -> Result<Vec<Series>> {
        series(self.connection(), None)
    }

    /// What is stored of every probe.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn probes(&self) -> Result<HashMap<ProbeName, StoredProbe>> {
        let mut statement = self.connection().prepare(
            "SELECT name, spool, done_seq, heard_at, silent_from, seen, NULL, NULL
             FROM probes JOIN locations ON locations.id = location_id
             UNION ALL
             SELECT name, spool, done_seq, heard_at, silent_from, seen, number, among
             FROM shares JOIN locations ON locations.id = location_id",
        )?;
        let mut rows = statement.query([])?;
        let mut found = HashMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let share: (Option<u16>, Option<u16>) = (row.get(6)?, row.get(7)?);
            let share = share
                .0
                .zip(share.1)
                .map(|(number, of)| Share::new(number, of));
            // What this program did not write is not shown.
            let (Ok(location), false) = (LocationName::parse(&name), share == Some(None)) else {
                continue;
            };
            let sender = ProbeName {
                location,
                share: share.flatten(),
            };
            let probe = StoredProbe {
                spool: row.get::<_, i64>(1)?.cast_unsigned(),
                done_seq: row.get::<_, i64>(2)?.cast_unsigned(),
                heard_at: Timestamp::from_ms(row.get(3)?),
                silent_from: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_ms),
                seen: (row.get::<_, Option<String>>(5)?).and_then(|word| Seen::parse(&word)),
            };
            found.insert(sender, probe);
        }
        Ok(found)
    }
}

impl Reader {
    /// Every series, or those of one monitor.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn series(&self, monitor: Option<MonitorId>) -> Result<Vec<Series>> {
        series(self.connection(), monitor)
    }

    /// What the locations of some monitors (of all if none is named) say now. Monitors without locations are missing.
    ///
    /// # Errors
    /// If SQLite fails, or if a stored value cannot be read.
    pub fn location_statuses(
        &self,
        monitors: &[MonitorId],
        now: Timestamp,
    ) -> Result<HashMap<MonitorId, Vec<LocationStatus>>> {
        let used: Vec<Series> = series(self.connection(), None)?
            .into_iter()
            .filter(|series| series.to.is_none())
            .filter(|series| monitors.is_empty() || monitors.contains(&series.monitor))
            .collect();
        if used.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<MonitorId> = used.iter().map(|series| series.id).collect();
        let mut pasts = self.newest(&ids, NEWEST_CHECKS)?;
        let mut found: HashMap<MonitorId, Seats> = HashMap::new();
        for series in used {
            let seats = match found.entry(series.monitor) {
                Entry::Occupied(seats) => seats.into_mut(),
                Entry::Vacant(vacant) => {
                    let Some(seats) = self.seats(series.monitor)? else {
                        continue;
                    };
                    vacant.insert(seats)
                }
            };
            let newest = pasts.remove(&series.id).unwrap_or_default().newest;
            let newest: Vec<Arc<Check>> = newest.into_iter().map(Arc::new).collect();
            seats.restore(&series.location, &newest);
        }
        let mut statuses = HashMap::with_capacity(found.len());
        for (monitor, seats) in found {
            let rules = self.rules(monitor, now, now)?;
            if let Some((_, rules)) = rules.last() {
                statuses.insert(monitor, seats.statuses(&rules.rules(), now));
            }
        }
        Ok(statuses)
    }

    /// The late arrivals of checks that began in a time, by location, in the order of these checks.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn arrivals(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(LocationName, Arrival)>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT name, from_at, to_at, arrived_at FROM arrivals JOIN locations ON locations.id = location_id
             WHERE to_at >= ?1 AND from_at < ?2 ORDER BY location_id, from_at",
        )?;
        let mut rows = statement.query((from.as_ms(), until.as_ms()))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            // What this program did not write is not shown.
            let Ok(location) = LocationName::parse(&name) else {
                continue;
            };
            let arrival = Arrival {
                from: Timestamp::from_ms(row.get(1)?),
                to: Timestamp::from_ms(row.get(2)?),
                arrived_at: Timestamp::from_ms(row.get(3)?),
            };
            found.push((location, arrival));
        }
        Ok(found)
    }

    fn seats(&self, monitor: MonitorId) -> Result<Option<Seats>> {
        let kept: Option<String> = self
            .connection()
            .prepare_cached("SELECT kept FROM states WHERE monitor_id = ?1")?
            .query_row([monitor.0], |row| row.get(0))
            .optional()?;
        let Some(kept) = kept else { return Ok(None) };
        let kept: Kept = serde_json::from_str(&kept)?;
        Ok(kept.seats.map(|seats| *seats))
    }
}

/// What each location said when an incident was opened; nothing without locations.
pub(super) fn of_incident(
    connection: &Connection,
    incident: IncidentKey,
) -> Result<Vec<LocationStatus>> {
    let text: Option<String> = connection
        .prepare_cached(
            "SELECT locations FROM incident_locations WHERE monitor_id = ?1 AND opened_at = ?2",
        )?
        .query_row((incident.monitor.0, incident.opened_at.as_ms()), |row| {
            row.get(0)
        })
        .optional()?;
    Ok(text
        .map(|text| serde_json::from_str(&text))
        .transpose()?
        .unwrap_or_default())
}

impl Batch<'_> {
    /// Stores what each location said when an incident was opened.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_incident_locations(
        &mut self,
        incident: IncidentKey,
        locations: &[LocationStatus],
    ) -> Result<()> {
        self.connection()
            .prepare_cached(
                "INSERT OR REPLACE INTO incident_locations (monitor_id, opened_at, locations) VALUES (?1, ?2, ?3)",
            )?
            .execute((
                incident.monitor.0,
                incident.opened_at.as_ms(),
                serde_json::to_string(locations)?,
            ))?;
        Ok(())
    }

    /// Stores a series: a new one, or one that goes on or ends.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_series(&mut self, series: &Series) -> Result<()> {
        let location = location_id(self.connection(), &series.location)?;
        self.connection()
            .prepare_cached(
                "INSERT INTO series (id, monitor_id, location_id, from_at, to_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET to_at = excluded.to_at",
            )?
            .execute((
                series.id.0,
                series.monitor.0,
                location,
                series.from.as_ms(),
                series.to.map(Timestamp::as_ms),
            ))?;
        Ok(())
    }

    /// Stores what is committed of a probe.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_probe(&mut self, sender: &ProbeName, probe: &StoredProbe) -> Result<()> {
        let location = location_id(self.connection(), &sender.location)?;
        let (spool, done_seq) = (probe.spool.cast_signed(), probe.done_seq.cast_signed());
        let heard_at = probe.heard_at.as_ms();
        let silent_from = probe.silent_from.map(Timestamp::as_ms);
        let seen = probe.seen.map(Seen::as_str);
        match sender.share {
            None => self
                .connection()
                .prepare_cached(
                    "INSERT INTO probes (location_id, spool, done_seq, heard_at, silent_from, seen)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (location_id) DO UPDATE SET spool = excluded.spool, done_seq = excluded.done_seq,
                       heard_at = excluded.heard_at, silent_from = excluded.silent_from, seen = excluded.seen",
                )?
                .execute((location, spool, done_seq, heard_at, silent_from, seen))?,
            Some(share) => self
                .connection()
                .prepare_cached(
                    "INSERT OR REPLACE INTO shares (location_id, number, among, spool, done_seq, heard_at, silent_from, seen)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute((
                    location,
                    share.number(),
                    share.of(),
                    spool,
                    done_seq,
                    heard_at,
                    silent_from,
                    seen,
                ))?,
        };
        Ok(())
    }

    /// Stores when checks of a location arrived; the same `from` again lets it go on.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_arrival(&mut self, location: &LocationName, arrival: Arrival) -> Result<()> {
        self.connection()
            .prepare_cached(
                "INSERT INTO arrivals (location_id, from_at, to_at, arrived_at)
                 SELECT id, ?2, ?3, ?4 FROM locations WHERE name = ?1
                 ON CONFLICT (location_id, from_at) DO UPDATE SET to_at = max(to_at, excluded.to_at),
                   arrived_at = excluded.arrived_at",
            )?
            .execute((
                location.as_str(),
                arrival.from.as_ms(),
                arrival.to.as_ms(),
                arrival.arrived_at.as_ms(),
            ))?;
        Ok(())
    }
}
