//! What is known of a database as a whole: one text for each key.

use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension};

/// When the daemon last proved that the database takes writes, in milliseconds.
pub(in crate::store) const PROBED_AT: &str = "probed_at";

/// A random text of the process that runs on the database.
pub(in crate::store) const PROCESS: &str = "process";

/// Set once the modes of the files were made to fit; a database of an earlier version lacks it.
pub(in crate::store) const MODE_SET: &str = "mode_set";

/// The value of a key; none also where another version wrote it in a way that is not understood.
///
/// # Errors
/// If SQLite fails.
pub(in crate::store) fn get<T: FromStr>(db: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Writes the value of a key, or takes it away.
///
/// # Errors
/// If SQLite fails.
pub(in crate::store) fn put(
    db: &Connection,
    key: &str,
    value: Option<&str>,
) -> rusqlite::Result<()> {
    match value {
        None => db
            .prepare_cached("DELETE FROM meta WHERE key = ?1")?
            .execute([key])?,
        Some(value) => db
            .prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute([key, value])?,
    };
    Ok(())
}
