//! The JSON object of a message that waits.

use serde::Serialize;

use super::json::Utc;
use super::rows::QueueRow;

/// A mail that has not left, as `email queue --json` prints it.
pub fn queued_mail(row: &QueueRow) -> QueueObject<'_> {
    QueueObject {
        id: row.id,
        monitor: row.monitor.as_deref(),
        kind: row.kind.as_str(),
        to: &row.to,
        channel: row.channel.as_deref(),
        subject: &row.subject,
        message_id: &row.message_id,
        queued_at: Utc(row.queued_at),
        attempts: row.attempts,
        next_attempt_at: row.next_attempt_at.map(Utc),
        last_error: row.last_error.as_deref(),
        held: row.held.map(|held| HeldObject {
            by: held.by,
            until: held.until.map(Utc),
        }),
        state: if row.failed { "failed" } else { "waiting" },
    }
}

/// The object of a mail that has not left.
#[derive(Debug, Serialize)]
pub struct QueueObject<'a> {
    id: i64,
    monitor: Option<&'a str>,
    kind: &'static str,
    to: &'a str,
    channel: Option<&'a str>,
    subject: &'a str,
    message_id: &'a str,
    queued_at: Utc,
    attempts: u32,
    next_attempt_at: Option<Utc>,
    last_error: Option<&'a str>,
    held: Option<HeldObject>,
    state: &'static str,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct HeldObject {
    by: &'static str,
    until: Option<Utc>,
}
