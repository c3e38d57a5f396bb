//! The outbox in SQL: one row per mail and recipient. A digest or a merged mail is a row that carries others.

use rusqlite::{Connection, OptionalExtension, Params, named_params, params};

pub use super::health::{Health, Resting, health};
use super::rows::{
    CAUSE, WAITING, cause, complete, kind, moment, outgoing_row, recipient, to_json, waiting,
};
use super::told::{KEPT_UP, fail_bare_ups};
use super::{alerts, channels, collecting, kinds};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::{Letter, MailKind, Parcel};
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Hold;
use crate::policy::outbox::message_id;
use crate::policy::outbox::queued::{Lane, RowId, Waiting};
use crate::policy::outbox::retry::Settled;

/// A row with everything that its mail needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The row as the plan sees it.
    pub row: Waiting,
    /// Its recipient.
    pub to: Recipient,
    /// All recipients with a row of this Message-ID, in order: the `To` of the mail.
    pub everybody: Vec<Recipient>,
    /// Without angle brackets.
    pub message_id: String,
    /// The Message-IDs of the first mails that this recipient got of the same outages.
    pub thread_roots: Vec<String>,
    /// What the mail says.
    pub parcel: Parcel,
    /// What the last try answered.
    pub last_error: Option<String>,
    /// The format of the channel, where it goes by one.
    pub channel: Option<String>,
}

/// A row of `email queue`.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    /// The row and what it says.
    pub mail: Outgoing,
    /// Whether it was given up.
    pub failed: bool,
}

/// A mail of an incident, for `incidents`.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What kind of mail; the one that carried it, where one did.
    pub kind: MailKind,
    /// The recipient.
    pub to: Recipient,
    /// The format of the channel, where it went by one.
    pub channel: Option<String>,
    /// Without angle brackets.
    pub message_id: String,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it was accepted.
    pub sent_at: Option<Timestamp>,
}

/// What `email retry` did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retried {
    /// Mails that waited and are due now, those included that collected after a digest.
    pub waiting: usize,
    /// Mails that had failed and wait again.
    pub failed: usize,
    /// Mails that had failed and that nobody needs any more.
    pub dropped: usize,
    /// Mails that go on waiting, by what holds them.
    pub held: Vec<(Hold, usize)>,
}

type Result<T> = rusqlite::Result<T>;

/// Queues a letter: one row per recipient. Queueing the same letter again changes nothing.
///
/// # Errors
/// If SQLite fails.
pub fn enqueue(db: &Connection, letter: &Letter, now: Timestamp) -> Result<()> {
    let notice = to_json(&letter.notice)?;
    let incident = letter.notice.news.incident();
    let monitor = letter.notice.about.as_ref().map(|about| about.monitor);
    let mut insert = db.prepare_cached(
        "INSERT INTO outbox (kind, recipient, mailbox, monitor_id, incident_opened_at, message_id, notice,
                             queued_at, next_attempt_at)
         VALUES (:kind, :recipient, :mailbox, :monitor, :opened_at, :message_id, :notice, :now, :now)
         ON CONFLICT (message_id, mailbox) DO NOTHING",
    )?;
    for to in &letter.to {
        insert.execute(named_params! {
            ":kind": letter.notice.news.kind().as_str(),
            ":recipient": to.to_string(),
            ":mailbox": to.key(),
            ":monitor": monitor.map(|m| m.0),
            ":opened_at": incident.map(|key| key.opened_at.as_ms()),
            ":message_id": message_id::of_recipient(&letter.message_id, to),
            ":notice": notice,
            ":now": now.as_ms(),
        })?;
    }
    Ok(())
}

/// Drops what waits about a monitor that is removed, disabled or paused, and answers what was dropped.
///
/// A mail that may have arrived, or that a formed digest already tells, stays as it is.
///
/// # Errors
/// If SQLite fails.
pub fn drop_waiting(
    db: &Connection,
    monitor: MonitorId,
    why: &str,
    now: Timestamp,
) -> Result<Vec<(RowId, MailKind, Recipient)>> {
    let mut update = db.prepare_cached(
        "UPDATE outbox SET state = 'dropped', done_at = ?2, last_error = ?3
         WHERE monitor_id = ?1 AND state = 'waiting' AND carrier_id IS NULL AND unknown_outcomes = 0
         RETURNING id, kind, recipient",
    )?;
    let rows = update.query_map(params![monitor.0, now.as_ms(), why], |row| {
        Ok((RowId(row.get(0)?), kind(row, 1)?, recipient(row, 2)?))
    })?;
    rows.collect()
}

/// Drops one row that a newer one made pointless.
///
/// # Errors
/// If SQLite fails.
pub fn supersede(db: &Connection, row: RowId, now: Timestamp) -> Result<()> {
    db.prepare_cached(
        "UPDATE outbox SET state = 'dropped', done_at = ?2, last_error = 'superseded by a newer mail'
         WHERE id = ?1 AND state = 'waiting'",
    )?
    .execute(params![row.0, now.as_ms()])?;
    Ok(())
}

/// Forms a mail that tells several rows of one recipient, before its first attempt: a digest, or a WAS DOWN.
///
/// Returns `None` if a member no longer waits; then nothing was changed.
///
/// # Errors
/// If SQLite fails.
pub fn form(
    db: &Connection,
    kind: MailKind,
    members: &[RowId],
    now: Timestamp,
) -> Result<Option<RowId>> {
    let mut ids: Vec<String> = Vec::with_capacity(members.len());
    let mut first: Option<(String, String, Option<i64>, Option<i64>)> = None;
    for member in members {
        let found = db
            .prepare_cached(
                "SELECT message_id, recipient, mailbox, monitor_id, incident_opened_at FROM outbox
                 WHERE id = ?1 AND state = 'waiting' AND carrier_id IS NULL",
            )?
            .query_row([member.0], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?),
                ))
            })
            .optional()?;
        let Some((message_id, facts)) = found else {
            return Ok(None);
        };
        ids.push(message_id);
        first.get_or_insert(facts);
    }
    let Some((recipient, mailbox, monitor, opened_at)) = first else {
        return Ok(None);
    };
    // The members' ids name the decision, and carry the database's own random part and our domain.
    let domain = ids[0]
        .rsplit_once('@')
        .map_or("localhost", |(_, domain)| domain);
    let parts: Vec<&str> = [kind.as_str(), mailbox.as_str()]
        .into_iter()
        .chain(ids.iter().map(String::as_str))
        .collect();
    let message_id = match mailbox.contains('@') {
        true => message_id::make("", &parts, domain),
        false => message_id::of_channel(&message_id::make("", &parts, domain), &mailbox),
    };
    let of_one = kind == MailKind::WasDown;
    db.prepare_cached(
        "INSERT INTO outbox (kind, recipient, mailbox, monitor_id, incident_opened_at, message_id,
                             queued_at, next_attempt_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
    )?
    .execute(params![
        kind.as_str(),
        recipient,
        mailbox,
        monitor.filter(|_| of_one),
        opened_at.filter(|_| of_one),
        message_id,
        now.as_ms(),
    ])?;
    let carrier = db.last_insert_rowid();
    // What held the members back is why it is late.
    db.prepare_cached(
        "UPDATE outbox SET (held, released_at) =
                (SELECT held, released_at FROM outbox AS member WHERE member.id = ?2)
         WHERE id = ?1",
    )?
    .execute([carrier, members[0].0])?;
    let mut update = db.prepare_cached("UPDATE outbox SET carrier_id = ?2 WHERE id = ?1")?;
    for member in members {
        update.execute([member.0, carrier])?;
    }
    Ok(Some(RowId(carrier)))
}

/// Writes what an attempt made of a row, and of the rows it carries.
///
/// # Errors
/// If SQLite fails.
pub fn settle(db: &Connection, row: RowId, settled: &Settled, now: Timestamp) -> Result<()> {
    match settled {
        Settled::Sent | Settled::Failed { .. } => {
            let (state, error) = match settled {
                Settled::Failed { error } => ("failed", Some(error.as_str())),
                Settled::Sent | Settled::Later { .. } => ("sent", None),
            };
            db.prepare_cached(
                "UPDATE outbox
                 SET state = :state, done_at = :now, last_attempt_at = :now,
                     first_attempt_at = coalesce(first_attempt_at, :now), last_error = coalesce(:error, last_error),
                     attempts = attempts + (carrier_id IS NULL), begun_at = NULL
                 WHERE (id = :row OR carrier_id = :row) AND state = 'waiting'",
            )?
            .execute(named_params! {
                ":row": row.0, ":state": state, ":error": error, ":now": now.as_ms(),
            })?;
            if state == "failed" {
                fail_bare_ups(db, row, now)?;
            }
        }
        Settled::Later {
            at,
            holds,
            unknown,
            error,
        } => {
            db.prepare_cached(
                "UPDATE outbox
                 SET attempts = attempts + 1, unknown_outcomes = unknown_outcomes + :unknown,
                     first_attempt_at = coalesce(first_attempt_at, :now),
                     last_attempt_at = :now, next_attempt_at = :at, holds = :holds, last_error = :error,
                     begun_at = NULL
                 WHERE id = :row AND state = 'waiting'",
            )?
            .execute(named_params! {
                ":row": row.0, ":unknown": i64::from(*unknown), ":now": now.as_ms(),
                ":at": at.as_ms(), ":holds": holds.as_str(), ":error": error,
            })?;
        }
    }
    Ok(())
}

/// Makes everything that waits due now, and what was given up wait again: `email retry`.
///
/// # Errors
/// If SQLite fails.
pub fn retry(db: &Connection, now: Timestamp) -> Result<Retried> {
    collecting::hurry(db)?;
    db.execute(
        "UPDATE outbox SET next_attempt_at = ?1
         WHERE state = 'waiting' AND carrier_id IS NULL AND next_attempt_at > ?1",
        [now.as_ms()],
    )?;
    let (waiting, held) = collecting::waits(db)?;
    // A recipient who knows that it is over, or is told so right now, needs no DOWN afterwards.
    let outage = kinds::of_outage();
    let dropped = db.execute(
        &format!("UPDATE outbox SET state = 'dropped', done_at = ?1, last_error = 'its recovery has left already'
         WHERE state = 'failed' AND kind IN {outage}
               AND EXISTS (SELECT 1 FROM outbox AS up
                           WHERE up.monitor_id = outbox.monitor_id
                                 AND up.incident_opened_at = outbox.incident_opened_at
                                 AND up.mailbox = outbox.mailbox AND up.kind = 'up'
                                 AND (up.state = 'sent' OR up.state = 'waiting' AND coalesce(up.begun_at,
                                      (SELECT begun_at FROM outbox AS carrier WHERE carrier.id = up.carrier_id))
                                      IS NOT NULL))"),
        [now.as_ms()],
    )?;
    // Before the refused mails themselves wait again, those that a digest carries too.
    db.execute(
        &format!(
            "UPDATE outbox SET state = 'waiting', done_at = NULL, next_attempt_at = ?1, queued_at = ?1, last_error = NULL
             WHERE {KEPT_UP} AND carrier_id IS NULL
                   AND EXISTS (SELECT 1 FROM outbox AS refused
                               WHERE refused.monitor_id = outbox.monitor_id AND refused.mailbox = outbox.mailbox
                                     AND refused.state = 'failed' AND refused.id < outbox.id
                                     AND refused.kind IN {outage})"
        ),
        [now.as_ms()],
    )?;
    db.execute(
        "UPDATE outbox SET state = 'waiting', done_at = NULL
         WHERE state = 'failed' AND carrier_id IN (SELECT id FROM outbox WHERE state = 'failed')",
        [],
    )?;
    // The number of tries differs from the one before the last try: the desk may not have seen yet that the refusal
    // was written, and waits for a row that looks different.
    let failed = db.execute(
        "UPDATE outbox SET state = 'waiting', done_at = NULL, attempts = (attempts = 1), unknown_outcomes = 0,
                next_attempt_at = ?1, first_attempt_at = NULL, holds = NULL,
                released_at = CASE WHEN held IS NULL THEN NULL ELSE ?1 END,
                queued_at = ?1
         WHERE state = 'failed' AND carrier_id IS NULL AND NOT (kind = 'up' AND attempts = 0)",
        [now.as_ms()],
    )?;
    Ok(Retried {
        waiting,
        failed,
        dropped,
        held,
    })
}

/// What goes on waiting for the end of something that holds it: how many rows, by what.
///
/// # Errors
/// If SQLite fails.
pub fn held(db: &Connection) -> Result<Vec<(Hold, usize)>> {
    Ok(collecting::waits(db)?.1)
}

/// Everything that waits, per recipient.
///
/// # Errors
/// If SQLite fails.
pub fn lanes(db: &Connection) -> Result<Vec<Lane>> {
    lanes_to(db, "", [])
}

/// Everything that waits for those recipients for which something about a monitor waits.
///
/// # Errors
/// If SQLite fails.
pub fn lanes_about(db: &Connection, monitor: MonitorId) -> Result<Vec<Lane>> {
    let waits_too =
        "AND mailbox IN (SELECT mailbox FROM outbox WHERE monitor_id = ?1 AND state = 'waiting')";
    lanes_to(db, waits_too, [monitor.0])
}

fn lanes_to(db: &Connection, whose: &str, values: impl Params) -> Result<Vec<Lane>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {WAITING}, recipient, {CAUSE},
                kind IN ('still_down', 'escalated') AND EXISTS (
                    SELECT 1 FROM outbox AS before
                    WHERE before.monitor_id = outbox.monitor_id AND before.mailbox = outbox.mailbox
                          AND before.incident_opened_at = outbox.incident_opened_at AND before.id < outbox.id
                          AND (before.state = 'sent' OR before.state = 'waiting'
                               AND (before.carrier_id IS NOT NULL OR before.unknown_outcomes > 0
                                    OR before.kind = 'flapping')))
         FROM outbox WHERE state = 'waiting' AND carrier_id IS NULL {whose}
         ORDER BY mailbox, id",
    ))?;
    let rows = select.query_map(values, |row| {
        let waiting = Waiting {
            cause: cause(row, 15)?,
            follows: row.get(17)?,
            ..waiting(row)?
        };
        Ok((waiting, recipient(row, 14)?))
    })?;
    let mut lanes: Vec<Lane> = Vec::new();
    for row in rows {
        let (mut waiting, to) = row?;
        if waiting.kind == MailKind::Digest {
            waiting.tells = collecting::told_by(db, waiting.id)?;
            waiting.members = collecting::members(db, waiting.id)?;
        }
        match lanes.last_mut() {
            Some(lane) if lane.to.key() == to.key() => lane.waiting.push(waiting),
            _ => lanes.push(Lane {
                collecting: collecting::get(db, to.key())?,
                to,
                waiting: vec![waiting],
            }),
        }
    }
    Ok(lanes)
}

/// A waiting row with everything that its mail needs; `None` if it no longer waits.
///
/// # Errors
/// If SQLite fails.
pub fn outgoing(db: &Connection, row: RowId) -> Result<Option<Outgoing>> {
    let found = db
        .prepare_cached(&format!(
            "SELECT {WAITING}, recipient, message_id, notice, last_error FROM outbox
             WHERE id = ?1 AND state = 'waiting'"
        ))?
        .query_row([row.0], outgoing_row)
        .optional()?;
    found.map(|mail| complete(db, mail)).transpose()
}

/// What waits and what was given up, oldest first.
///
/// # Errors
/// If SQLite fails.
pub fn queue(db: &Connection) -> Result<Vec<Queued>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {WAITING}, recipient, message_id, notice, last_error, state = 'failed' FROM outbox
         WHERE state IN ('waiting', 'failed') AND carrier_id IS NULL AND NOT {KEPT_UP} ORDER BY id"
    ))?;
    let rows = select.query_map([], |row| Ok((outgoing_row(row)?, row.get::<_, bool>(18)?)))?;
    let rows: Vec<_> = rows.collect::<Result<_>>()?;
    rows.into_iter()
        .map(|(mail, failed)| {
            Ok(Queued {
                mail: complete(db, mail)?,
                failed,
            })
        })
        .collect()
}

/// The mails of an outage, in order; a row that a digest carries shows the digest's Message-ID.
///
/// # Errors
/// If SQLite fails.
pub fn mails_of(db: &Connection, incident: IncidentKey) -> Result<Vec<Told>> {
    // An UP that is kept beside its refused DOWN is not a mail that anybody gets.
    let mut select = db.prepare_cached(
        "SELECT row.kind, row.recipient, coalesce(carrier.message_id, row.message_id), row.queued_at,
                CASE row.state WHEN 'sent' THEN row.done_at END
         FROM outbox AS row LEFT JOIN outbox AS carrier ON carrier.id = row.carrier_id
         WHERE row.monitor_id = ?1 AND row.incident_opened_at = ?2 AND row.state <> 'dropped'
               AND row.kind <> 'was_down' AND NOT (row.kind = 'up' AND row.state = 'failed' AND row.attempts = 0)
         ORDER BY row.id",
    )?;
    let rows = select.query_map(
        params![incident.monitor.0, incident.opened_at.as_ms()],
        |row| {
            Ok(Told {
                kind: kind(row, 0)?,
                channel: None,
                to: recipient(row, 1)?,
                message_id: row.get(2)?,
                queued_at: Timestamp::from_ms(row.get(3)?),
                sent_at: moment(row, 4)?,
            })
        },
    )?;
    let mut mails: Vec<Told> = rows.collect::<Result<_>>()?;
    for mail in &mut mails {
        mail.channel = channels::format(db, &mail.to)?;
    }
    mails.extend(alerts::told(db, incident)?);
    Ok(mails)
}

/// A mail about a monitor as it was decided, to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldOf {
    /// The monitor that it is about.
    pub monitor: MonitorId,
    /// What was decided.
    pub kind: MailKind,
    /// The first failed check of its outage, where it has one.
    pub opened_at: Option<Timestamp>,
    /// When it was decided.
    pub queued_at: Timestamp,
    /// When it, or what carried it, was accepted.
    pub sent_at: Option<Timestamp>,
    /// The Message-ID of the mail that left.
    pub message_id: String,
    /// The kind of the mail that carried it, if another one did.
    pub carried_by: Option<MailKind>,
}

/// The burns of objectives that were told from `since` on, each once: the objective, when it was decided, and when the
/// first message of it was accepted.
///
/// # Errors
/// If SQLite fails.
pub fn burns_since(
    db: &Connection,
    since: Timestamp,
) -> Result<Vec<(String, Timestamp, Option<Timestamp>)>> {
    let mut select = db.prepare_cached(
        "SELECT json_extract(notice, '$.news.objective') AS objective, queued_at,
                min(CASE state WHEN 'sent' THEN done_at END)
         FROM outbox WHERE kind = 'burn' AND queued_at >= ?1 AND objective IS NOT NULL
         GROUP BY objective, queued_at ORDER BY queued_at",
    )?;
    let rows = select.query_map([since.as_ms()], |row| {
        let queued_at = Timestamp::from_ms(row.get(1)?);
        Ok((row.get(0)?, queued_at, moment(row, 2)?))
    })?;
    rows.collect()
}

/// All mails about monitors that were decided from `since` on and not dropped, in order.
///
/// # Errors
/// If SQLite fails.
pub fn told_since(db: &Connection, since: Timestamp) -> Result<Vec<ToldOf>> {
    let mut select = db.prepare_cached(
        "SELECT row.monitor_id, row.kind, row.incident_opened_at, row.queued_at,
                CASE row.state WHEN 'sent' THEN row.done_at END,
                coalesce(carrier.message_id, row.message_id), carrier.kind
         FROM outbox AS row LEFT JOIN outbox AS carrier ON carrier.id = row.carrier_id
         WHERE row.monitor_id IS NOT NULL AND row.queued_at >= ?1 AND row.state <> 'dropped'
               AND row.kind NOT IN ('was_down', 'digest')
               AND NOT (row.kind = 'up' AND row.state = 'failed' AND row.attempts = 0)
         ORDER BY row.id",
    )?;
    let rows = select.query_map([since.as_ms()], |row| {
        let carrier: Option<String> = row.get(6)?;
        Ok(ToldOf {
            monitor: MonitorId(row.get(0)?),
            kind: kind(row, 1)?,
            opened_at: moment(row, 2)?,
            queued_at: Timestamp::from_ms(row.get(3)?),
            sent_at: moment(row, 4)?,
            message_id: row.get(5)?,
            carried_by: carrier.as_deref().and_then(MailKind::parse),
        })
    })?;
    rows.collect()
}
