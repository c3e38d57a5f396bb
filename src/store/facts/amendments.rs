//! How incidents count by order of people, and what they noted.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::amendment::{Amendment, CountsAs, IncidentNote};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::order::By;
use crate::domain::timestamp::Timestamp;
use crate::store::compaction::summary;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;

/// Amendments of one incident that are kept, and notes; more is a script that went wrong.
pub const OF_ONE_MAX: i64 = 1000;

/// Which incident is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    /// This one, of the monitor with this name.
    Found(IncidentKey, String),
    /// There is a monitor of that name, and it has no incident.
    NoneOfMonitor,
    /// There is neither an incident nor a monitor of that name.
    Unknown,
}

/// What became of an order about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was followed.
    Followed,
    /// There is nothing to take back.
    NothingToUndo,
    /// There are too many.
    TooMany,
}

impl Batch<'_> {
    /// The incident of an id, or a monitor's open or else newest one.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn seek_incident(&self, wanted: &str) -> Result<Sought> {
        seek(self.outbox(), wanted)
    }

    /// Makes an incident count otherwise from now on.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn amend(&self, incident: IncidentKey, amendment: &Amendment) -> Result<Kept> {
        let connection = self.outbox();
        if is_full(connection, "amendments", incident)? {
            return Ok(Kept::TooMany);
        }
        connection
            .prepare_cached(
                "INSERT INTO amendments (monitor_id, opened_at, at, uid, user, counts_as, note)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                incident.monitor.0,
                incident.opened_at.as_ms(),
                amendment.at.as_ms(),
                amendment.by.uid,
                amendment.by.name,
                amendment.counts_as.as_str(),
                amendment.note,
            ])?;
        summary::account_again(connection, incident.monitor.0)?;
        Ok(Kept::Followed)
    }

    /// Takes the amendment of an incident back that is in force.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn undo_amendment(&self, incident: IncidentKey, by: &By, now: Timestamp) -> Result<Kept> {
        let connection = self.outbox();
        let changed = connection
            .prepare_cached(
                "UPDATE amendments SET undone_at = ?3, undone_uid = ?4, undone_user = ?5 WHERE id =
                   (SELECT max(id) FROM amendments
                    WHERE monitor_id = ?1 AND opened_at = ?2 AND undone_at IS NULL)",
            )?
            .execute(params![
                incident.monitor.0,
                incident.opened_at.as_ms(),
                now.as_ms(),
                by.uid,
                by.name,
            ])?;
        if changed == 0 {
            return Ok(Kept::NothingToUndo);
        }
        summary::account_again(connection, incident.monitor.0)?;
        Ok(Kept::Followed)
    }

    /// Adds a note to an incident.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn add_note(&self, incident: IncidentKey, note: &IncidentNote) -> Result<Kept> {
        let connection = self.outbox();
        if is_full(connection, "incident_notes", incident)? {
            return Ok(Kept::TooMany);
        }
        connection
            .prepare_cached(
                "INSERT INTO incident_notes (monitor_id, opened_at, at, uid, user, text, public)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                incident.monitor.0,
                incident.opened_at.as_ms(),
                note.at.as_ms(),
                note.by.uid,
                note.by.name,
                note.text,
                note.public,
            ])?;
        Ok(Kept::Followed)
    }
}

impl Reader {
    /// For each monitor with amended incidents a number that grows whenever one of them counts otherwise.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn amendment_versions(&self) -> Result<HashMap<MonitorId, i64>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT monitor_id, count(*) + count(undone_at) FROM amendments GROUP BY monitor_id",
        )?;
        let rows = statement.query_map([], |row| Ok((MonitorId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn is_full(connection: &Connection, table: &str, incident: IncidentKey) -> Result<bool> {
    let count: i64 = connection.query_row(
        &format!("SELECT count(*) FROM {table} WHERE monitor_id = ?1 AND opened_at = ?2"),
        (incident.monitor.0, incident.opened_at.as_ms()),
        |row| row.get(0),
    )?;
    Ok(count >= OF_ONE_MAX)
}

fn seek(connection: &Connection, wanted: &str) -> Result<Sought> {
    let found = |row: &Row<'_>| {
        let key = IncidentKey {
            monitor: MonitorId(row.get(0)?),
            opened_at: Timestamp::from_ms(row.get(1)?),
        };
        Ok((key, row.get::<_, String>(2)?))
    };
    let number = |text: &str| text.parse::<i64>().ok();
    if let Some((monitor, opened_at)) = wanted.split_once('-')
        && let Some(key) = number(monitor).zip(number(opened_at))
    {
        let incident = connection
            .prepare_cached(
                "SELECT monitor_id, opened_at, monitors.name FROM incidents
                 JOIN monitors ON monitors.id = monitor_id WHERE monitor_id = ?1 AND opened_at = ?2",
            )?
            .query_row(key, found)
            .optional()?;
        if let Some((key, name)) = incident {
            return Ok(Sought::Found(key, name));
        }
    }
    let incident = connection
        .prepare_cached(
            "SELECT monitor_id, opened_at, monitors.name FROM incidents
             JOIN monitors ON monitors.id = monitor_id
             WHERE monitors.name = ?1 AND NOT clock_wrong
             ORDER BY closed_at IS NULL DESC, coalesce(began_at, opened_at) DESC LIMIT 1",
        )?
        .query_row([wanted], found)
        .optional()?;
    if let Some((key, name)) = incident {
        return Ok(Sought::Found(key, name));
    }
    let is_known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM monitors WHERE name = ?1)",
        [wanted],
        |row| row.get(0),
    )?;
    Ok(match is_known {
        true => Sought::NoneOfMonitor,
        false => Sought::Unknown,
    })
}

/// The amendments of an incident, oldest first.
pub(in crate::store) fn amendments_of(
    connection: &Connection,
    incident: IncidentKey,
) -> Result<Vec<Amendment>> {
    let mut statement = connection.prepare_cached(
        "SELECT counts_as, at, uid, user, note, undone_at, undone_uid, undone_user FROM amendments
         WHERE monitor_id = ?1 AND opened_at = ?2 ORDER BY id",
    )?;
    let mut rows = statement.query((incident.monitor.0, incident.opened_at.as_ms()))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        // A word of another version counts as nothing.
        let Some(counts_as) = CountsAs::parse(&row.get::<_, String>(0)?) else {
            continue;
        };
        let undone_at: Option<i64> = row.get(5)?;
        let undone_uid: Option<u32> = row.get(6)?;
        let undone_user: Option<String> = row.get(7)?;
        found.push(Amendment {
            counts_as,
            at: Timestamp::from_ms(row.get(1)?),
            by: By {
                uid: row.get(2)?,
                name: row.get(3)?,
            },
            note: row.get(4)?,
            undone: undone_at.zip(undone_uid).map(|(at, uid)| {
                let name = undone_user;
                (Timestamp::from_ms(at), By { uid, name })
            }),
        });
    }
    Ok(found)
}

/// The notes of an incident, oldest first.
pub(in crate::store) fn notes_of(
    connection: &Connection,
    incident: IncidentKey,
) -> Result<Vec<IncidentNote>> {
    let mut statement = connection.prepare_cached(
        "SELECT at, uid, user, text, public FROM incident_notes
         WHERE monitor_id = ?1 AND opened_at = ?2 ORDER BY id",
    )?;
    let rows = statement.query_map((incident.monitor.0, incident.opened_at.as_ms()), |row| {
        Ok(IncidentNote {
            at: Timestamp::from_ms(row.get(0)?),
            by: By {
                uid: row.get(1)?,
                name: row.get(2)?,
            },
            text: row.get(3)?,
            public: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How the incidents of a monitor count that are amended, by when they opened.
pub(in crate::store) fn meanings(
    connection: &Connection,
    monitor: i64,
) -> Result<HashMap<i64, CountsAs>> {
    let mut statement = connection.prepare_cached(
        "SELECT opened_at, counts_as FROM amendments
         WHERE monitor_id = ?1 AND undone_at IS NULL ORDER BY id",
    )?;
    let mut rows = statement.query([monitor])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        if let Some(counts_as) = CountsAs::parse(&row.get::<_, String>(1)?) {
            found.insert(row.get(0)?, counts_as);
        }
    }
    Ok(found)
}

/// Forgets what belongs to incidents that are forgotten.
pub(in crate::store) fn forget_orphans(connection: &Connection) -> Result<usize> {
    let mut deleted = 0;
    for table in ["amendments", "incident_notes"] {
        deleted += connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE NOT EXISTS (SELECT 1 FROM incidents
                   WHERE incidents.monitor_id = {table}.monitor_id AND incidents.opened_at = {table}.opened_at)"
            ))?
            .execute([])?;
    }
    Ok(deleted)
}

/// Dates what was said ahead of a clock that was set back: it was said before now.
pub(in crate::store) fn clock_was_set_back(connection: &Connection, now: i64) -> Result<()> {
    connection.execute("UPDATE amendments SET at = ?1 WHERE at > ?1", [now])?;
    connection.execute(
        "UPDATE amendments SET undone_at = ?1 WHERE undone_at > ?1",
        [now],
    )?;
    connection.execute("UPDATE incident_notes SET at = ?1 WHERE at > ?1", [now])?;
    Ok(())
}
