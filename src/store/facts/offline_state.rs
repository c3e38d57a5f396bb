//! The current offline time. It is stored, so that its mail is sent afterwards even if the process crashes meanwhile.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::meta;
use crate::domain::notification::Stopped;
use crate::domain::timestamp::Timestamp;
use crate::store::error::Result;

/// The key in `meta`.
const KEY: &str = "blind";

/// An offline time that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blind {
    /// The start of the first check that the canaries excused.
    pub from: Timestamp,
    /// The part of it in which sitewatch did not run, if there is one.
    #[serde(default)]
    pub stopped: Option<Stopped>,
}

/// Stores the offline time, or removes it when it is over.
///
/// # Errors
/// If SQLite fails.
pub fn put(db: &Connection, blind: Option<&Blind>) -> Result<()> {
    let json = blind.map(serde_json::to_string).transpose()?;
    Ok(meta::put(db, KEY, json.as_deref())?)
}

/// The offline time that is not over, if there is one.
///
/// # Errors
/// If SQLite fails.
pub fn get(db: &Connection) -> Result<Option<Blind>> {
    let json: Option<String> = meta::get(db, KEY)?;
    // If another version wrote it in another form, one mail is lost; that is better than not to start.
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}
