//! Which monitors there are, and their numbers.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::timestamp::Timestamp;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::writer::Store;

/// What the database wants to know of a monitor of the configuration.
#[derive(Debug, Clone)]
pub struct MonitorFacts {
    /// Its unique name.
    pub name: MonitorName,
    /// Its URL as it may be shown.
    pub url: String,
    /// The time between two checks; of a cron monitor as in `Rules::interval`.
    pub interval: Duration,
    /// Whether it is shown to readers without the token.
    pub public: bool,
    /// The name it had before.
    pub renamed_from: Option<MonitorName>,
}

/// A monitor as the database knows it.
#[derive(Debug, Clone)]
pub struct StoredMonitor {
    /// Its number.
    pub id: MonitorId,
    /// Its name.
    pub name: MonitorName,
    /// Its URL as it may be shown.
    pub url: String,
    /// The time between two checks, when it was last in a configuration.
    pub interval: Duration,
    /// Whether it is shown to readers without the token.
    pub public: bool,
    /// When it left the configuration.
    pub removed_at: Option<Timestamp>,
    /// Its first check.
    pub first_at: Option<Timestamp>,
}

/// What [`Store::enroll`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enrolled {
    /// The numbers, in the order of the configuration.
    pub ids: Vec<MonitorId>,
    /// Monitors that took over the history of another name, the former one first.
    pub renamed: Vec<(MonitorName, MonitorName)>,
}

impl Store {
    /// Makes the monitors of a configuration known, gives their numbers in the same order, moves the history of
    /// renamed ones, and marks those that are not among them as removed. Nothing is ever deleted by it.
    ///
    /// # Errors
    /// If SQLite fails; then nothing changed.
    pub fn enroll(&mut self, facts: &[MonitorFacts], now: Timestamp) -> Result<Enrolled> {
        self.enroll_all(facts, &HashSet::new(), now)
    }

    /// As [`Store::enroll`]; those that are awaited stay what they are.
    ///
    /// # Errors
    /// If SQLite fails; then nothing changed.
    pub fn enroll_all(
        &mut self,
        facts: &[MonitorFacts],
        awaited: &HashSet<&MonitorName>,
        now: Timestamp,
    ) -> Result<Enrolled> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut renamed = Vec::new();
        for one in facts {
            if let Some(old) = &one.renamed_from
                && rename(&transaction, old, &one.name)?
            {
                renamed.push((old.clone(), one.name.clone()));
            }
        }
        let ids = put(&transaction, facts, now)?;
        mark_removed(&transaction, &ids, awaited, now)?;
        transaction.commit()?;
        Ok(Enrolled { ids, renamed })
    }

    /// Makes some monitors known and marks some as removed; all others stay as they are. Answers the numbers of those
    /// that are known now, each with the URL that it had before, where it was known before.
    ///
    /// # Errors
    /// As SQLite's; then nothing changed.
    pub fn enroll_some(
        &mut self,
        facts: &[MonitorFacts],
        removed: &[MonitorName],
        now: Timestamp,
    ) -> Result<Vec<(MonitorId, Option<String>)>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut urls = Vec::with_capacity(facts.len());
        {
            let mut known = transaction.prepare("SELECT url FROM monitors WHERE name = ?1")?;
            for one in facts {
                let url = known.query_row([one.name.as_str()], |row| row.get(0));
                urls.push(url.optional()?);
            }
            let mut remove =
                transaction.prepare("UPDATE monitors SET removed_at = ?2 WHERE name = ?1")?;
            for name in removed {
                remove.execute((name.as_str(), now.as_ms()))?;
            }
        }
        let ids = put(&transaction, facts, now)?;
        transaction.commit()?;
        Ok(ids.into_iter().zip(urls).collect())
    }

    /// All monitors, removed ones included, by name.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn monitors(&self) -> Result<Vec<StoredMonitor>> {
        all(self.connection())
    }

    /// The number of the monitor of this name, removed ones included.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn number_of(&self, name: &MonitorName) -> Result<Option<MonitorId>> {
        number_of(self.connection(), name)
    }
}

impl Reader {
    /// All monitors, removed ones included, by name.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn monitors(&self) -> Result<Vec<StoredMonitor>> {
        all(self.connection())
    }
}

/// Writes monitors down; answers their numbers.
fn put(connection: &Connection, facts: &[MonitorFacts], now: Timestamp) -> Result<Vec<MonitorId>> {
    let mut put = connection.prepare(
        "INSERT INTO monitors (name, url, interval_ms, public, added_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET url = excluded.url, interval_ms = excluded.interval_ms,
           public = excluded.public, removed_at = NULL
         RETURNING id",
    )?;
    let mut ids = Vec::with_capacity(facts.len());
    for one in facts {
        let interval_ms = i64::try_from(one.interval.as_millis()).unwrap_or(i64::MAX / 4);
        let values = (
            one.name.as_str(),
            &one.url,
            interval_ms,
            one.public,
            now.as_ms(),
        );
        ids.push(put.query_row(values, |row| row.get(0).map(MonitorId))?);
    }
    Ok(ids)
}

/// Gives a monitor its new name, if the old one has something and the new one has nothing.
fn rename(connection: &Connection, old: &MonitorName, new: &MonitorName) -> Result<bool> {
    let newcomer: Option<(i64, bool)> = connection
        .query_row(
            "SELECT id, first_at IS NOT NULL OR EXISTS (SELECT 1 FROM incidents WHERE monitor_id = id)
             FROM monitors WHERE name = ?1",
            [new.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match newcomer {
        Some((_, true)) => return Ok(false),
        Some((id, false)) => {
            let old_exists: bool = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM monitors WHERE name = ?1)",
                [old.as_str()],
                |row| row.get(0),
            )?;
            if !old_exists {
                return Ok(false);
            }
            for table in ["states", "summary", "missed", "spans"] {
                connection.execute(&format!("DELETE FROM {table} WHERE monitor_id = ?1"), [id])?;
            }
            connection.execute("DELETE FROM monitors WHERE id = ?1", [id])?;
        }
        None => {}
    }
    let moved = connection.execute(
        "UPDATE monitors SET name = ?2 WHERE name = ?1",
        (old.as_str(), new.as_str()),
    )?;
    Ok(moved > 0)
}

fn mark_removed(
    connection: &Connection,
    present: &[MonitorId],
    awaited: &HashSet<&MonitorName>,
    now: Timestamp,
) -> Result<()> {
    let awaited: Vec<MonitorId> = awaited
        .iter()
        .filter_map(|name| number_of(connection, name).transpose())
        .collect::<Result<_>>()?;
    let present: HashSet<i64> = present.iter().chain(&awaited).map(|id| id.0).collect();
    let known: Vec<i64> = connection
        .prepare("SELECT id FROM monitors WHERE removed_at IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in known {
        if !present.contains(&id) {
            connection.execute(
                "UPDATE monitors SET removed_at = ?2 WHERE id = ?1",
                (id, now.as_ms()),
            )?;
        }
    }
    Ok(())
}

fn number_of(connection: &Connection, name: &MonitorName) -> Result<Option<MonitorId>> {
    let id = connection
        .prepare_cached("SELECT id FROM monitors WHERE name = ?1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    Ok(id.map(MonitorId))
}

fn all(connection: &Connection) -> Result<Vec<StoredMonitor>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, url, interval_ms, public, removed_at, first_at FROM monitors ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut monitors = Vec::new();
    while let Some(row) = rows.next()? {
        // Written by `enroll` from a valid name; anything else is another hand's, and cannot be asked for.
        let name = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let Ok(name) = MonitorName::parse(name) else {
            continue;
        };
        monitors.push(StoredMonitor {
            id: MonitorId(row.get(0)?),
            name,
            url: row.get(2)?,
            interval: Duration::from_millis(row.get::<_, i64>(3)?.unsigned_abs()),
            public: row.get(4)?,
            removed_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_ms),
            first_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_ms),
        });
    }
    Ok(monitors)
}
