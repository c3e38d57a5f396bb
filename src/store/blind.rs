//! That we are offline: what must be known after a crash, so that the mail about it is sent once we see again.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::meta;
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
    let json = blind.map(serde_json::to_string).transpose()?;
    Ok(meta::put(db, KEY, json.as_deref())?)
}

/// The blind time that is not over, if there is one.
///
/// # Errors
/// As SQLite's.
pub fn get(db: &Connection) -> Result<Option<Blind>> {
    let json: Option<String> = meta::get(db, KEY)?;
    // What another version wrote otherwise is worth one mail less, not a refusal to work.
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}
