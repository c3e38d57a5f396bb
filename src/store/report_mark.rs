//! Where the last periodic report ended.

use rusqlite::{Connection, OptionalExtension};

use crate::domain::timestamp::Timestamp;

const KEY: &str = "reported_until";

/// The end of the period of the last report; none where none was mailed.
///
/// # Errors
/// What SQLite answers.
pub fn reported_until(db: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let text: Option<String> = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([KEY], |row| row.get(0))
        .optional()?;
    Ok(text
        .and_then(|text| text.parse().ok())
        .map(Timestamp::from_ms))
}

/// Notes it, or forgets it.
///
/// # Errors
/// What SQLite answers.
pub fn put_reported_until(db: &Connection, at: Option<Timestamp>) -> rusqlite::Result<()> {
    match at {
        None => db
            .prepare_cached("DELETE FROM meta WHERE key = ?1")?
            .execute([KEY])?,
        Some(at) => db
            .prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute((KEY, at.as_ms().to_string()))?,
    };
    Ok(())
}
