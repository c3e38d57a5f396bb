//! How long mails are kept that have left, were dropped or were given up.

use std::time::Duration;

use rusqlite::Connection;

use crate::domain::timestamp::Timestamp;

/// Mails of no incident, and the words of all others, are kept this long.
pub(super) const WORDS_KEPT: Duration = Duration::from_secs(90 * 86_400);

/// Rows touched in one step: it takes about a millisecond.
const ROWS_A_STEP: i64 = 500;

/// Does one step of forgetting mails that ended before `before`. What belongs to an incident that is kept stays,
/// without its text: recipients and times are part of the incident. Returns how many rows changed.
///
/// # Errors
/// If SQLite fails.
pub(super) fn forget_before(db: &Connection, before: Timestamp) -> rusqlite::Result<usize> {
    // A mail that a waiting one refers to stays whole, and so does a digest while one of its members waits.
    let deleted = db
        .prepare_cached(
            "DELETE FROM outbox WHERE id IN (
               SELECT id FROM outbox AS row
               WHERE state IN ('sent', 'dropped', 'failed') AND done_at < ?1
                 AND NOT EXISTS (SELECT 1 FROM outbox AS member WHERE member.carrier_id = row.id)
                 AND NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.monitor_id = row.monitor_id
                                 AND incidents.opened_at = row.incident_opened_at)
               ORDER BY id LIMIT ?2)",
        )?
        .execute((before.as_ms(), ROWS_A_STEP))?;
    if deleted > 0 {
        return Ok(deleted);
    }
    db.prepare_cached(
        "UPDATE outbox SET notice = '{}' WHERE id IN (
           SELECT id FROM outbox WHERE state IN ('sent', 'dropped') AND done_at < ?1 AND notice <> '{}'
           ORDER BY id LIMIT ?2)",
    )?
    .execute((before.as_ms(), ROWS_A_STEP))
}
