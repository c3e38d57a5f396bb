//! What this copy of the database is, and which of its changes the log does not have yet.

use rusqlite::{Connection, OptionalExtension, named_params};

use super::capture;
use crate::domain::hub_copy::{Change, HubCopy};
use crate::store::error::Result;
use crate::store::file::migrate;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;
use crate::store::writer::Store;

/// With more changes than this that wait for the log, the other hub takes a new copy instead: a settling of a large hub
/// makes some ten thousand.
const UNSENT_MAX: i64 = 200_000;
/// The same in bytes.
const UNSENT_BYTES_MAX: i64 = 48 << 20;

/// What the log does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// These, up to the end of a transaction.
    Changes {
        /// In order.
        changes: Vec<Change>,
        /// The number of the newest; where there is none, the one that was asked for.
        to: i64,
    },
    /// More than is sent.
    TooMany,
}

pub(super) fn put(db: &Connection, copy: &HubCopy) -> rusqlite::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO hub_copy (id, term, boot, position, number, leads, is_followed)
         VALUES (1, :term, :boot, :position, :number, :leads, :is_followed)",
        named_params! {
            ":term": copy.term.cast_signed(), ":boot": copy.boot.cast_signed(), ":position": copy.position,
            ":number": copy.number.cast_signed(), ":leads": copy.leads, ":is_followed": copy.is_followed,
        },
    )?;
    Ok(())
}

fn get(db: &Connection) -> rusqlite::Result<Option<HubCopy>> {
    db.query_row(
        "SELECT term, boot, position, number, leads, is_followed FROM hub_copy",
        [],
        |row| {
            Ok(HubCopy {
                term: row.get::<_, i64>(0)?.cast_unsigned(),
                boot: row.get::<_, i64>(1)?.cast_unsigned(),
                position: row.get(2)?,
                number: row.get::<_, i64>(3)?.cast_unsigned(),
                leads: row.get(4)?,
                is_followed: row.get(5)?,
            })
        },
    )
    .optional()
}

fn newest_change(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT coalesce(max(seq), 0) FROM changes", [], |row| {
        row.get(0)
    })
}

/// Begins to note changes where another hub has a copy of what this process writes.
pub(in crate::store) fn go_on(db: &Connection) -> Result<()> {
    if get(db)?.is_some_and(|copy| copy.leads && copy.is_followed) {
        capture::begin(db)?;
    }
    Ok(())
}

/// The log has the changes up to the position of this copy.
fn sent(db: &Connection, copy: &HubCopy) -> Result<()> {
    db.execute("DELETE FROM changes WHERE seq < ?1", [copy.position])?;
    put(db, copy)?;
    Ok(())
}

/// This process leads from now on.
fn lead(db: &Connection, copy: &HubCopy) -> Result<()> {
    put(db, copy)?;
    // The numbers of changes go on from here.
    db.execute(
        "INSERT OR IGNORE INTO changes (seq, name, is_gone, literals) VALUES (?1, '', 0, '')",
        [copy.position],
    )?;
    match copy.is_followed {
        true => capture::begin(db),
        false => capture::end(db),
    }
}

/// No other hub has a copy any more.
fn unfollowed(db: &Connection) -> Result<()> {
    capture::end(db)?;
    db.execute("UPDATE hub_copy SET is_followed = 0", [])?;
    db.execute(
        "DELETE FROM changes WHERE seq < (SELECT max(seq) FROM changes)",
        [],
    )?;
    db.execute(
        "UPDATE changes SET name = '', is_gone = 0, literals = ''",
        [],
    )?;
    Ok(())
}

impl Batch<'_> {
    /// See [`Store::sent`].
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn sent(&self, copy: &HubCopy) -> Result<()> {
        sent(self.connection(), copy)
    }

    /// See [`Store::lead`].
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn lead(&self, copy: &HubCopy) -> Result<()> {
        lead(self.connection(), copy)
    }

    /// See [`Store::unfollowed`].
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn unfollowed(&self) -> Result<()> {
        unfollowed(self.connection())
    }
}

impl Store {
    /// What this copy is; `None` for the database of a hub that never had another beside it.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn hub_copy(&self) -> Result<Option<HubCopy>> {
        Ok(get(&self.connection)?)
    }

    /// The number of the newest change that was noted; 0 for none.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn newest_change(&self) -> Result<i64> {
        Ok(newest_change(&self.connection)?)
    }

    /// Notes that this process leads, and, where another hub has a copy, every change from now on.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn lead(&mut self, copy: &HubCopy) -> Result<()> {
        lead(&self.connection, copy)
    }

    /// Notes what the log has.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn sent(&mut self, copy: &HubCopy) -> Result<()> {
        sent(&self.connection, copy)
    }

    /// Notes that no other hub has a copy, and no changes any more.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn unfollowed(&mut self) -> Result<()> {
        unfollowed(&self.connection)
    }
}

impl Reader {
    /// The format of the databases of this program.
    pub fn newest_format() -> i64 {
        migrate::newest()
    }

    /// See [`Store::hub_copy`].
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn hub_copy(&self) -> Result<Option<HubCopy>> {
        Ok(get(self.connection())?)
    }

    /// See [`Store::newest_change`].
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn newest_change(&self) -> Result<i64> {
        Ok(newest_change(self.connection())?)
    }

    /// What was noted after a change, all of it that is committed.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn unsent(&self, after: i64) -> Result<Unsent> {
        self.together(|reader| {
            let db = reader.connection();
            let (count, bytes): (i64, i64) = db.query_row(
                "SELECT count(*), coalesce(sum(length(literals)), 0) FROM changes WHERE seq > ?1",
                [after],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            if count > UNSENT_MAX || bytes > UNSENT_BYTES_MAX {
                return Ok(Unsent::TooMany);
            }
            let mut select = db.prepare_cached(
                "SELECT name, is_gone, literals FROM changes WHERE seq > ?1 AND name <> '' ORDER BY seq",
            )?;
            let changes = select
                .query_map([after], |row| {
                    Ok(Change {
                        name: row.get(0)?,
                        is_gone: row.get(1)?,
                        literals: row.get(2)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Unsent::Changes {
                changes,
                to: newest_change(db)?.max(after),
            })
        })
    }
}

#[cfg(test)]
impl Reader {
    /// The monitors of which a slot is counted as missed.
    pub(crate) fn missed_of_all(&self) -> Vec<i64> {
        let select = "SELECT monitor_id FROM missed ORDER BY 1";
        let mut select = self.connection().prepare(select).unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }
}
