//! Where the last periodic report ended.

use rusqlite::Connection;

use super::meta;
use crate::domain::timestamp::Timestamp;

const KEY: &str = "reported_until";

/// The end of the period of the last report; `None` if none was mailed.
///
/// # Errors
/// If SQLite fails.
pub fn reported_until(db: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    Ok(meta::get(db, KEY)?.map(Timestamp::from_ms))
}

/// Stores the end of the period of a report, or removes it.
///
/// # Errors
/// If SQLite fails.
pub fn put_reported_until(db: &Connection, at: Option<Timestamp>) -> rusqlite::Result<()> {
    meta::put(db, KEY, at.map(|at| at.as_ms().to_string()).as_deref())
}
