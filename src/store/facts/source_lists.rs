//! The last good list of every `[[source]]`.

use rusqlite::{Connection, OptionalExtension};

use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;
use crate::store::writer::Store;

/// One entry that is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptEntry {
    /// The monitor's name.
    pub name: String,
    /// Its URL; empty where that has a user or a password, which are nowhere kept.
    pub url: String,
    /// Tags that only it has.
    pub tags: Vec<String>,
}

/// A list that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptList {
    /// How many entries it had. Databases of earlier versions do not keep all of them.
    pub entries: usize,
    /// What is kept of them, in the order of their names.
    pub kept: Vec<KeptEntry>,
}

impl Store {
    /// The list of this key, if one is kept.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn kept_list(&self, key: &str) -> Result<Option<KeptList>> {
        kept_list(self.connection(), key)
    }
}

impl Reader {
    /// The list of this key, if one is kept.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn kept_list(&self, key: &str) -> Result<Option<KeptList>> {
        kept_list(self.connection(), key)
    }
}

impl Batch<'_> {
    /// Keeps a list in the place of the one before. Writes only what differs: of a long list mostly a line.
    ///
    /// # Errors
    /// As SQLite's; the batch is then good for nothing and must be dropped.
    pub fn keep_list(&mut self, key: &str, list: &KeptList) -> Result<()> {
        let connection = self.connection();
        let entries = i64::try_from(list.entries).unwrap_or(i64::MAX);
        let id: i64 = connection
            .prepare_cached(
                "INSERT INTO lists (key, entries) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET entries = excluded.entries RETURNING id",
            )?
            .query_row((key, entries), |row| row.get(0))?;
        let before = rows(connection, id)?;
        let mut put = connection.prepare_cached(
            "INSERT INTO listed (list_id, name, url, tags) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (list_id, name) DO UPDATE SET url = excluded.url, tags = excluded.tags",
        )?;
        let mut drop =
            connection.prepare_cached("DELETE FROM listed WHERE list_id = ?1 AND name = ?2")?;
        let mut known = before.iter().peekable();
        for entry in &list.kept {
            while let Some(gone) = known.next_if(|known| known.name < entry.name) {
                drop.execute((id, &gone.name))?;
            }
            if known.next_if(|known| known.name == entry.name) == Some(entry) {
                continue;
            }
            let tags = serde_json::to_string(&entry.tags)?;
            put.execute((id, &entry.name, &entry.url, tags))?;
        }
        for gone in known {
            drop.execute((id, &gone.name))?;
        }
        Ok(())
    }

    /// Forgets the lists that no configuration names any more.
    ///
    /// # Errors
    /// As SQLite's; the batch is then good for nothing and must be dropped.
    pub fn forget_lists_but(&mut self, keys: &[String]) -> Result<()> {
        let connection = self.connection();
        let known: Vec<(i64, String)> = connection
            .prepare_cached("SELECT id, key FROM lists")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (id, _) in known.iter().filter(|(_, key)| !keys.contains(key)) {
            connection.execute("DELETE FROM listed WHERE list_id = ?1", [id])?;
            connection.execute("DELETE FROM lists WHERE id = ?1", [id])?;
        }
        Ok(())
    }
}

fn kept_list(connection: &Connection, key: &str) -> Result<Option<KeptList>> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT id, entries FROM lists WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, entries)) = found else {
        return Ok(None);
    };
    Ok(Some(KeptList {
        entries: usize::try_from(entries).unwrap_or(0),
        kept: rows(connection, id)?,
    }))
}

fn rows(connection: &Connection, id: i64) -> Result<Vec<KeptEntry>> {
    let mut statement = connection
        .prepare_cached("SELECT name, url, tags FROM listed WHERE list_id = ?1 ORDER BY name")?;
    let mut rows = statement.query([id])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let tags = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        entries.push(KeptEntry {
            name: row.get(0)?,
            url: row.get(1)?,
            tags: serde_json::from_str(tags)?,
        });
    }
    Ok(entries)
}
