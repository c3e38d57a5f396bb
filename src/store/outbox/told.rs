//! Which recipients got a mail of an incident. Only they get its UP.

use rusqlite::{Connection, named_params, params};

use super::kinds;
use super::rows::recipient;
use crate::domain::incident::IncidentKey;
use crate::domain::notification::Letter;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::message_id;
use crate::policy::outbox::queued::RowId;

type Result<T> = rusqlite::Result<T>;

/// The recipients of a DOWN, a reminder, an escalation or a FLAPPING of an incident, those included that did not get
/// it.
///
/// # Errors
/// If SQLite fails.
pub fn addressed(db: &Connection, incident: IncidentKey) -> Result<Vec<Recipient>> {
    let queued = format!("kind IN {} AND state <> 'dropped'", kinds::of_outage());
    recipients(db, incident, &queued)
}

/// The recipients that such a mail has reached, may have reached, or can still reach.
///
/// # Errors
/// If SQLite fails.
pub fn told(db: &Connection, incident: IncidentKey) -> Result<Vec<Recipient>> {
    let told = format!("kind IN {} AND {REACHES}", kinds::of_outage());
    recipients(db, incident, &told)
}

/// A row that reached its recipient, may have, or still can: all but what is dropped or was refused for good.
const REACHES: &str = "(state IN ('sent', 'waiting') OR state = 'failed' AND coalesce(
    (SELECT carrier.unknown_outcomes FROM outbox AS carrier WHERE carrier.id = outbox.carrier_id),
    unknown_outcomes) > 0)";

/// The recipients that no mail of an incident has reached, and whose DOWN or reminder of it waits as a separate mail,
/// or was refused.
///
/// # Errors
/// If SQLite fails.
pub fn untold(db: &Connection, incident: IncidentKey) -> Result<Vec<Recipient>> {
    let waits = format!(
        "kind IN {} AND carrier_id IS NULL
         AND (state = 'waiting' OR state = 'failed' AND unknown_outcomes = 0)",
        kinds::of_one_outage()
    );
    recipients(db, incident, &waits)
}

/// Keeps the UP of a letter from recipients that no mail of its incidents has reached. The UP waits beside the refused
/// DOWN, and `email retry` sends both as one.
///
/// # Errors
/// If SQLite fails.
pub fn keep_up_from(
    db: &Connection,
    letter: &Letter,
    but: &[Recipient],
    now: Timestamp,
) -> Result<()> {
    for to in letter.to.iter().filter(|to| !but.contains(to)) {
        db.prepare_cached(KEEP_UP)?.execute(named_params! {
            ":message_id": message_id::of_recipient(&letter.message_id, to),
            ":mailbox": to.key(), ":now": now.as_ms(),
        })?;
    }
    Ok(())
}

/// An UP fails with its DOWN, at its moment: one refusal, not two.
const KEEP_UP: &str = "UPDATE outbox SET state = 'failed', last_error = 'not sent, since the mail that it ends was refused',
        done_at = coalesce((SELECT max(down.done_at) FROM outbox AS down
                            WHERE down.monitor_id = outbox.monitor_id AND down.mailbox = outbox.mailbox
                                  AND down.state = 'failed' AND down.kind <> 'up' AND down.id < outbox.id), :now)
    WHERE message_id = :message_id AND mailbox = :mailbox AND state = 'waiting' AND kind = 'up'
          AND carrier_id IS NULL AND unknown_outcomes = 0";

/// The state of an UP that is kept beside its refused DOWN: it is not a separate mail.
pub(super) const KEPT_UP: &str =
    "(outbox.kind = 'up' AND outbox.state = 'failed' AND outbox.attempts = 0)";

/// After a mail was refused for good: fails the UP that waits behind it, unless another mail of the same incident has
/// reached the recipient or still can.
pub(super) fn fail_bare_ups(db: &Connection, refused: RowId, now: Timestamp) -> Result<()> {
    let outage = kinds::of_outage();
    let mut select = db.prepare_cached(&format!(
        "SELECT DISTINCT up.message_id, up.mailbox FROM outbox AS refused, outbox AS up
         WHERE (refused.id = ?1 OR refused.carrier_id = ?1) AND refused.state = 'failed'
               AND refused.kind IN {outage}
               AND up.kind = 'up' AND up.state = 'waiting' AND up.carrier_id IS NULL AND up.id > refused.id
               AND up.monitor_id = refused.monitor_id AND up.mailbox = refused.mailbox
               AND (up.incident_opened_at = refused.incident_opened_at OR refused.kind = 'flapping')
               AND NOT EXISTS (
                   SELECT 1 FROM outbox WHERE monitor_id = up.monitor_id AND mailbox = up.mailbox AND id < up.id
                          AND kind IN {outage}
                          AND (incident_opened_at = up.incident_opened_at OR id >= refused.id) AND {REACHES})"
    ))?;
    let rows = select.query_map([refused.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ups: Vec<(String, String)> = rows.collect::<Result<_>>()?;
    for (message_id, mailbox) in ups {
        db.prepare_cached(KEEP_UP)?.execute(named_params! {
            ":message_id": message_id, ":mailbox": mailbox, ":now": now.as_ms(),
        })?;
    }
    Ok(())
}

/// The recipients of the mails of an incident for which `which` is true, each mailbox once.
fn recipients(db: &Connection, incident: IncidentKey, which: &str) -> Result<Vec<Recipient>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT recipient FROM outbox
         WHERE monitor_id = ?1 AND incident_opened_at = ?2 AND {which}
         GROUP BY mailbox ORDER BY min(id)"
    ))?;
    let rows = select.query_map(
        params![incident.monitor.0, incident.opened_at.as_ms()],
        |row| recipient(row, 0),
    )?;
    rows.collect()
}
