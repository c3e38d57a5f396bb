//! Incidents with their mails.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow};

use super::{amendments, locations, orders};
use crate::domain::amendment::{self, Amendment, IncidentNote};
use crate::domain::check::{Failure, FailureKind};
use crate::domain::incident::{Beginnings, Cause, Incident, IncidentKey};
use crate::domain::location::LocationStatus;
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::order::{By, OrderWord};
use crate::domain::timestamp::Timestamp;
use crate::store::error::{Result, StoreError};
use crate::store::outbox::queries::{self, Told};
use crate::store::reader::Reader;
use crate::store::writer::Store;

/// Which incidents are wanted.
#[derive(Debug, Clone, Default)]
pub struct IncidentQuery {
    /// Of these monitors; of all if empty.
    pub monitors: Vec<MonitorId>,
    /// Only those that are not over.
    pub open: bool,
    /// Only those that were not over before this moment.
    pub since: Option<Timestamp>,
    /// Only those that began before this moment.
    pub until: Option<Timestamp>,
    /// At most this many, the newest.
    pub limit: Option<u32>,
    /// Also those that were recorded while the clock was ahead, and count nowhere.
    pub by_wrong_clock: bool,
}

/// An incident as it is listed.
#[derive(Debug, Clone)]
pub struct ListedIncident {
    /// What is stored of it.
    pub incident: Incident,
    /// Its monitor's name.
    pub name: MonitorName,
    /// Its monitor's URL as it may be shown.
    pub url: String,
    /// Whether its monitor is shown to readers without the token.
    pub public: bool,
    /// Who acknowledged it last, where that is kept.
    pub acked_by: Option<By>,
    /// How it was ordered to count, oldest first.
    pub amendments: Vec<Amendment>,
    /// What was noted of it, oldest first.
    pub notes: Vec<IncidentNote>,
    /// When it was first told by a step of escalation; `None`: never.
    pub escalated_at: Option<Timestamp>,
    /// Its mails, one for each recipient, oldest first.
    pub mails: Vec<Told>,
    /// What each location said when it was opened; empty without locations.
    pub locations: Vec<LocationStatus>,
}

impl ListedIncident {
    /// How it counts by order, if somebody ordered that.
    pub fn amended(&self) -> Option<&Amendment> {
        amendment::in_force(&self.amendments)
    }

    /// Whether it is an outage: unless it was planned, or is amended otherwise.
    pub fn is_outage(&self) -> bool {
        match self.amended() {
            Some(amended) => amended.counts_as.is_outage(),
            None => !self.incident.maintenance,
        }
    }
}

impl Reader {
    /// Incidents, newest first.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn incidents(&self, query: &IncidentQuery) -> Result<Vec<ListedIncident>> {
        self.together(|reader| list(reader.connection(), query))
    }
}

impl Reader {
    /// The beginnings of those incidents whose key holds another time, since the clock was set.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn beginnings(&self, incidents: impl Iterator<Item = IncidentKey>) -> Result<Beginnings> {
        let mut statement = self.connection().prepare_cached(
            "SELECT began_at FROM incidents
             WHERE monitor_id = ?1 AND opened_at = ?2 AND began_at IS NOT NULL",
        )?;
        let mut beginnings = Beginnings::default();
        for incident in incidents {
            let key = (incident.monitor.0, incident.opened_at.as_ms());
            let began_at: Option<i64> = statement.query_row(key, |row| row.get(0)).optional()?;
            if let Some(began_at) = began_at {
                beginnings.add(incident, Timestamp::from_ms(began_at));
            }
        }
        Ok(beginnings)
    }

    /// When an outage was acknowledged, and the note; `None` if it was not.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn acked(&self, incident: IncidentKey) -> Result<Option<(Timestamp, Option<Arc<str>>)>> {
        let found = self
            .connection()
            .prepare_cached(
                "SELECT acked_at, ack_note FROM incidents
                 WHERE monitor_id = ?1 AND opened_at = ?2 AND acked_at IS NOT NULL",
            )?
            .query_row((incident.monitor.0, incident.opened_at.as_ms()), |row| {
                Ok((Timestamp::from_ms(row.get(0)?), row.get(1)?))
            })
            .optional()?;
        Ok(found)
    }
}

impl Reader {
    /// The incident of a key; `None` if there is none.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn incident(&self, key: IncidentKey) -> Result<Option<Incident>> {
        self.one_incident(
            "monitor_id = ?1 AND opened_at = ?2",
            (key.monitor.0, key.opened_at.as_ms()),
        )
    }

    /// The open incident of a monitor, else its newest one.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn newest_incident(&self, monitor: MonitorId) -> Result<Option<Incident>> {
        self.one_incident(
            "monitor_id = ?1 AND (NOT clock_wrong OR ?2)
             ORDER BY closed_at IS NOT NULL, opened_at DESC LIMIT 1",
            (monitor.0, 0),
        )
    }

    fn one_incident(&self, which: &str, key: (i64, i64)) -> Result<Option<Incident>> {
        let sql = format!("SELECT {COLUMNS} FROM incidents WHERE {which}");
        let mut statement = self.connection().prepare_cached(&sql)?;
        let mut rows = statement.query(key)?;
        rows.next()?.map(incident).transpose()
    }
}

impl Store {
    /// The incidents that are not over.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn open_incidents(&self) -> Result<Vec<Incident>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM incidents WHERE closed_at IS NULL ORDER BY monitor_id, opened_at"
        ))?;
        let mut rows = statement.query([])?;
        let mut open = Vec::new();
        while let Some(row) = rows.next()? {
            open.push(incident(row)?);
        }
        Ok(open)
    }
}

/// In the order in which [`incident`] reads them.
pub(in crate::store) const COLUMNS: &str = "monitor_id, opened_at, closed_at, incidents.kind, incidents.detail, \
     incidents.status, checks_failed, maintenance, acked_at, ack_note, began_at, clock_wrong";

/// An incident from [`COLUMNS`].
pub(in crate::store) fn incident(row: &SqlRow<'_>) -> Result<Incident> {
    let kind: String = row.get(3)?;
    let detail: Arc<str> = row.get(4)?;
    Ok(Incident {
        key: IncidentKey {
            monitor: MonitorId(row.get(0)?),
            opened_at: Timestamp::from_ms(row.get(1)?),
        },
        closed_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_ms),
        cause: Cause {
            failure: Failure {
                kind: FailureKind::parse(&kind).ok_or_else(|| {
                    StoreError::Damaged(format!("`{kind}` is not a kind of failure"))
                })?,
                detail,
            },
            status: row.get(5)?,
        },
        checks_failed: row.get(6)?,
        maintenance: row.get(7)?,
        acked_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_ms),
        ack_note: row.get(9)?,
        began_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_ms),
        clock_is_wrong: row.get(11)?,
    })
}

/// So few monitors are looked up by themselves; of more, all incidents are gone through from the newest on.
const LOOKED_UP_MAX: usize = 8;

/// Lists by the index of begins, or by the few incidents that are open or of these monitors: never by a sort of all.
fn listing(query: &IncidentQuery) -> String {
    let which = if query.open {
        "closed_at IS NULL AND".to_owned()
    } else if (1..=LOOKED_UP_MAX).contains(&query.monitors.len()) {
        let ids: Vec<String> = query.monitors.iter().map(|id| id.0.to_string()).collect();
        format!("monitor_id IN ({}) AND", ids.join(", "))
    } else {
        String::new()
    };
    // Without statistics SQLite would go through all of them for the order of a few.
    let by = match query.open {
        true => "INDEXED BY incidents_open",
        false => "",
    };
    // The outer loop is that over incidents.
    format!(
        "SELECT {COLUMNS}, monitors.name, monitors.url, monitors.public, escalated_at
         FROM incidents {by} CROSS JOIN monitors ON monitors.id = monitor_id
         WHERE {which} (?1 IS NULL OR closed_at IS NULL OR closed_at >= ?1)
           AND (?2 IS NULL OR coalesce(began_at, opened_at) < ?2) AND (?3 OR NOT clock_wrong)
         ORDER BY coalesce(began_at, opened_at) DESC, monitor_id"
    )
}

fn list(connection: &Connection, query: &IncidentQuery) -> Result<Vec<ListedIncident>> {
    let mut statement = connection.prepare_cached(&listing(query))?;
    let has_any = |table: &str| -> Result<bool> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    let (has_amendments, has_notes) = (has_any("amendments")?, has_any("incident_notes")?);
    let has_locations = has_any("incident_locations")?;
    let mut rows = statement.query((
        query.since.map(Timestamp::as_ms),
        query.until.map(Timestamp::as_ms),
        query.by_wrong_clock,
    ))?;
    let mut found = Vec::new();
    let wanted: HashSet<MonitorId> = query.monitors.iter().copied().collect();
    let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
    while let Some(row) = rows.next()? {
        if found.len() >= limit {
            break;
        }
        let incident = incident(row)?;
        if !wanted.is_empty() && !wanted.contains(&incident.key.monitor) {
            continue;
        }
        let Ok(name) = MonitorName::parse(&row.get::<_, String>(12)?) else {
            continue;
        };
        let acked_by = match incident.acked_at {
            Some(_) => acked_by(connection, &incident)?,
            None => None,
        };
        found.push(ListedIncident {
            acked_by,
            amendments: match has_amendments {
                true => amendments::amendments_of(connection, incident.key)?,
                false => Vec::new(),
            },
            notes: match has_notes {
                true => amendments::notes_of(connection, incident.key)?,
                false => Vec::new(),
            },
            mails: queries::mails_of(connection, incident.key)?,
            locations: match has_locations {
                true => locations::of_incident(connection, incident.key)?,
                false => Vec::new(),
            },
            incident,
            name,
            url: row.get(13)?,
            public: row.get(14)?,
            escalated_at: row.get::<_, Option<i64>>(15)?.map(Timestamp::from_ms),
        });
    }
    Ok(found)
}

/// Who gave the newest acknowledgement of an incident.
fn acked_by(connection: &Connection, incident: &Incident) -> Result<Option<By>> {
    let until = incident.closed_at.unwrap_or(Timestamp::MAX);
    let monitor = incident.key.monitor;
    let newest = orders::newest(connection, monitor, OrderWord::Ack, until)?;
    Ok(newest
        .filter(|kept| kept.at >= incident.opened_at())
        .map(|kept| kept.order.by))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite goes through the incidents for a question.
    fn plan(query: &IncidentQuery) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.db");
        let store = Store::open(&path, Timestamp::from_ms(0)).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {}", listing(query));
        let mut statement = store.connection().prepare(&sql).unwrap();
        let steps = statement.query_map((None::<i64>, None::<i64>, false), |row| {
            row.get::<_, String>(3)
        });
        let steps: Vec<String> = steps.unwrap().map(|step| step.unwrap()).collect();
        steps.join("; ")
    }

    #[test]
    fn no_list_sorts_all_incidents() {
        let all = plan(&IncidentQuery::default());
        assert!(
            all.starts_with("SCAN incidents USING INDEX incidents_by_begin;")
                && !all.contains("TEMP B-TREE"),
            "{all}"
        );
        let many = plan(&IncidentQuery {
            monitors: (0..9).map(MonitorId).collect(),
            ..IncidentQuery::default()
        });
        assert_eq!(many, all);
        let one = plan(&IncidentQuery {
            monitors: vec![MonitorId(1)],
            ..IncidentQuery::default()
        });
        assert!(
            one.starts_with("SEARCH incidents USING PRIMARY KEY (monitor_id=?)"),
            "{one}"
        );
        let open = plan(&IncidentQuery {
            open: true,
            ..IncidentQuery::default()
        });
        assert!(
            open.starts_with("SCAN incidents USING INDEX incidents_open"),
            "{open}"
        );
    }
}
