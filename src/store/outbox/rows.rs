//! Rows of the outbox as values.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::channels;
use super::queries::Outgoing;
use crate::domain::check::FailureKind;
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::{MailKind, Notice, Parcel};
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Hold;
use crate::policy::outbox::collecting::CauseKey;
use crate::policy::outbox::queued::{Held, Holds, RowId, Tries, Waiting};

type Result<T> = rusqlite::Result<T>;

/// A digest refers to no more mails than this: its header stays short, and mail programs look at few.
const THREADS_MAX: usize = 20;

/// The columns that [`waiting`] reads, in its order.
pub(super) const WAITING: &str =
    "id, kind, monitor_id, incident_opened_at, queued_at, attempts, unknown_outcomes,
                       last_attempt_at, next_attempt_at, holds, mailbox, held, released_at, first_attempt_at";

/// The cause of an outage, as [`cause`] reads it: kind and status.
pub(super) const CAUSE: &str = "json_extract(notice, '$.news.cause.failure.kind'),
                       json_extract(notice, '$.news.cause.status')";

/// The cause in two columns from `index` on. None too where the kind is one that this version does not know.
pub(super) fn cause(row: &Row, index: usize) -> Result<Option<CauseKey>> {
    let kind: Option<String> = row.get(index)?;
    let status = row.get(index + 1)?;
    let kind = kind.as_deref().and_then(FailureKind::parse);
    Ok(kind.map(|kind| CauseKey { kind, status }))
}

pub(in crate::store) fn waiting(row: &Row) -> Result<Waiting> {
    let monitor: Option<i64> = row.get(2)?;
    let opened_at = moment(row, 3)?;
    let queued_at = Timestamp::from_ms(row.get(4)?);
    let holds: Option<String> = row.get(9)?;
    let held: Option<String> = row.get(11)?;
    let released_at = moment(row, 12)?;
    let tries = match row.get::<_, u32>(5)? {
        0 => Tries::None,
        count => Tries::Failed {
            count,
            unknown: row.get(6)?,
            first_at: moment(row, 13)?.unwrap_or(queued_at),
            last_at: moment(row, 7)?.unwrap_or(queued_at),
            next_at: moment(row, 8)?.unwrap_or(queued_at),
            holds: holds
                .as_deref()
                .and_then(Holds::parse)
                .unwrap_or(Holds::Recipient),
        },
    };
    Ok(Waiting {
        id: RowId(row.get(0)?),
        kind: kind(row, 1)?,
        monitor: monitor.map(MonitorId),
        incident: monitor
            .zip(opened_at)
            .map(|(monitor, opened_at)| IncidentKey {
                monitor: MonitorId(monitor),
                opened_at,
            }),
        queued_at,
        tries,
        held: held
            .as_deref()
            .and_then(Hold::parse)
            .map(|why| Held { why, released_at }),
        cause: None,
        tells: Vec::new(),
        members: Vec::new(),
        follows: false,
    })
}

pub(super) fn outgoing_row(row: &Row) -> Result<Outgoing> {
    let waiting = waiting(row)?;
    let notice: Option<String> = row.get(16)?;
    Ok(Outgoing {
        to: recipient(row, 14)?,
        everybody: Vec::new(),
        message_id: row.get(15)?,
        thread_roots: Vec::new(),
        parcel: Parcel {
            kind: waiting.kind,
            notices: notice
                .map(|json| from_json(&json, 16))
                .transpose()?
                .into_iter()
                .collect(),
        },
        last_error: row.get(17)?,
        channel: None,
        row: waiting,
    })
}

/// Adds what stands in other rows: the members' notices, the other recipients, the thread.
pub(in crate::store) fn complete(db: &Connection, mut mail: Outgoing) -> Result<Outgoing> {
    if mail.parcel.notices.is_empty() {
        let mut members = db.prepare_cached(
            "SELECT notice FROM outbox
             WHERE carrier_id = ?1 AND state <> 'dropped' AND notice IS NOT NULL ORDER BY id",
        )?;
        let rows = members.query_map([mail.row.id.0], |row| {
            from_json(&row.get::<_, String>(0)?, 0)
        })?;
        mail.parcel.notices = rows.collect::<Result<_>>()?;
    }
    mail.channel = channels::format(db, &mail.to)?;
    if mail.channel.is_some() {
        return Ok(mail);
    }
    let mut everybody =
        db.prepare_cached("SELECT recipient FROM outbox WHERE message_id = ?1 ORDER BY id")?;
    let rows = everybody.query_map([&mail.message_id], |row| recipient(row, 0))?;
    mail.everybody = rows.collect::<Result<_>>()?;
    mail.thread_roots = thread_roots(db, &mail)?;
    Ok(mail)
}

/// What a mail refers to: one mail where it tells of one outage, several where it is a digest of many.
fn thread_roots(db: &Connection, mail: &Outgoing) -> Result<Vec<String>> {
    let members = mail.parcel.notices.iter().filter_map(|n| n.news.incident());
    let incidents: BTreeSet<IncidentKey> = mail.row.incident.into_iter().chain(members).collect();
    let mut roots = Vec::new();
    for incident in incidents {
        if let Some(root) = thread_root(db, incident, &mail.to, &mail.message_id)?
            && !roots.contains(&root)
        {
            roots.push(root);
        }
        if roots.len() == THREADS_MAX {
            break;
        }
    }
    Ok(roots)
}

/// The Message-ID of the first mail of an outage that a recipient got, or may have got: what later ones refer to.
pub(super) fn thread_root(
    db: &Connection,
    incident: IncidentKey,
    to: &Recipient,
    but: &str,
) -> Result<Option<String>> {
    db.prepare_cached(
        "SELECT coalesce(carrier.message_id, row.message_id)
         FROM outbox AS row LEFT JOIN outbox AS carrier ON carrier.id = row.carrier_id
         WHERE row.monitor_id = ?1 AND row.incident_opened_at = ?2 AND row.mailbox = ?3 AND row.notice IS NOT NULL
               AND (row.state = 'sent' OR coalesce(carrier.unknown_outcomes, row.unknown_outcomes) > 0)
               AND coalesce(carrier.message_id, row.message_id) <> ?4
         ORDER BY row.id LIMIT 1",
    )?
    .query_row(
        params![incident.monitor.0, incident.opened_at.as_ms(), to.key(), but],
        |row| row.get(0),
    )
    .optional()
}

pub(in crate::store) fn count(row: &Row, index: usize) -> Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(index)?).unwrap_or(0))
}

pub(in crate::store) fn moment(row: &Row, index: usize) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_ms))
}

pub(in crate::store) fn recipient(row: &Row, index: usize) -> Result<Recipient> {
    Recipient::restored(&row.get::<_, String>(index)?).map_err(|error| damaged(index, error))
}

pub(in crate::store) fn kind(row: &Row, index: usize) -> Result<MailKind> {
    let word: String = row.get(index)?;
    MailKind::parse(&word).ok_or_else(|| damaged(index, UnknownKind(word)))
}

pub(in crate::store) fn to_json(notice: &Notice) -> Result<String> {
    serde_json::to_string(notice)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn from_json(json: &str, index: usize) -> Result<Notice> {
    serde_json::from_str(json).map_err(|error| damaged(index, error))
}

pub(in crate::store) fn damaged(
    index: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
}

/// A kind of mail that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a kind of mail")]
struct UnknownKind(String);
