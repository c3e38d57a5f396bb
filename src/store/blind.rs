//! That we are offline: what must be known after a crash, so that the mail about it is sent once we see again.

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::error::Result;
use crate::domain::notice::Stopped;
use crate::domain::timestamp::Timestamp;

/// Where it stands in `meta`.
const KEY: &str = "blind";

/// A blind time that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blind {
    /// The start of the first check that the canaries excused.
    pub from: Timestamp,
    /// Whether nobody looked for a part of it.
    #[serde(default)]
    pub stopped: Option<Stopped>,
}

/// Writes that we are blind, or that we see again.
///
/// # Errors
/// As SQLite's.
pub fn put(db: &Connection, blind: Option<&Blind>) -> Result<()> {
    let Some(blind) = blind else {
        db.prepare_cached("DELETE FROM meta WHERE key = ?1")?
            .execute([KEY])?;
        return Ok(());
    };
    db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute([KEY, &serde_json::to_string(blind)?])?;
    Ok(())
}

/// The blind time that is not over, if there is one.
///
/// # Errors
/// As SQLite's.
pub fn get(db: &Connection) -> Result<Option<Blind>> {
    let json: Option<String> = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([KEY], |row| row.get(0))
        .optional()?;
    // What another version wrote otherwise is worth one mail less, not a refusal to work.
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}
