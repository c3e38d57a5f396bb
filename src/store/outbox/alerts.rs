//! What Alertmanager shows, in SQL: one row per incident and channel.

use rusqlite::{Connection, params};

use super::queries::Told;
use super::rows::moment;
use crate::domain::channel::{ChannelName, Format};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::MailKind;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// An incident that a channel is to be shown, or whose end it is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The channel's name.
    pub channel: String,
    /// Which incident.
    pub incident: IncidentKey,
    /// What the alert says, as JSON.
    pub facts: String,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ended, if it has.
    pub closed_at: Option<Timestamp>,
    /// Whether every instance had taken it while it was open.
    pub is_shown: bool,
}

/// Writes that a channel is to be shown an incident from now on. Doing it again changes nothing.
///
/// # Errors
/// If SQLite fails.
pub fn raise(
    db: &Connection,
    channel: &str,
    incident: IncidentKey,
    facts: &str,
    now: Timestamp,
) -> Result<()> {
    let (monitor, opened_at) = (incident.monitor.0, incident.opened_at.as_ms());
    db.prepare_cached(
        "INSERT INTO alerts (channel, monitor_id, opened_at, facts, raised_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![channel, monitor, opened_at, facts, now.as_ms()])?;
    Ok(())
}

/// What is to be posted, in the order in which it was raised.
///
/// # Errors
/// If SQLite fails.
pub fn raised(db: &Connection) -> Result<Vec<Raised>> {
    let mut select = db.prepare_cached(
        "SELECT channel, alerts.monitor_id, alerts.opened_at, facts,
                coalesce(incidents.began_at, alerts.opened_at),
                CASE WHEN incidents.kind IS NULL THEN raised_at ELSE incidents.closed_at END, shown_at IS NOT NULL
         FROM alerts LEFT JOIN incidents USING (monitor_id, opened_at)
         WHERE done_at IS NULL ORDER BY channel, raised_at, alerts.monitor_id",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Raised {
            channel: row.get(0)?,
            incident: IncidentKey {
                monitor: MonitorId(row.get(1)?),
                opened_at: Timestamp::from_ms(row.get(2)?),
            },
            facts: row.get(3)?,
            opened_at: Timestamp::from_ms(row.get(4)?),
            closed_at: moment(row, 5)?,
            is_shown: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// Writes that every instance has taken an open incident.
///
/// # Errors
/// If SQLite fails.
pub fn shown(db: &Connection, channel: &str, of: IncidentKey, now: Timestamp) -> Result<()> {
    let set = "shown_at = coalesce(shown_at, ?4)";
    update(db, set, channel, of, now)
}

/// Writes that every instance has taken the end of an incident: nothing of it is posted any more.
///
/// # Errors
/// If SQLite fails.
pub fn ended(db: &Connection, channel: &str, of: IncidentKey, now: Timestamp) -> Result<()> {
    let set = "shown_at = coalesce(shown_at, ?4), ended_at = ?4, done_at = ?4";
    update(db, set, channel, of, now)
}

/// Writes that nothing of an incident is posted any more although not every instance has taken its end.
///
/// # Errors
/// If SQLite fails.
pub fn give_up(
    db: &Connection,
    channel: &str,
    of: IncidentKey,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    update(db, "done_at = ?4", channel, of, now)?;
    db.prepare_cached(
        "UPDATE alerts SET last_error = ?4 WHERE channel = ?1 AND monitor_id = ?2 AND opened_at = ?3",
    )?
    .execute(params![
        channel,
        of.monitor.0,
        of.opened_at.as_ms(),
        why
    ])?;
    Ok(())
}

fn update(
    db: &Connection,
    set: &str,
    channel: &str,
    of: IncidentKey,
    now: Timestamp,
) -> Result<()> {
    db.prepare_cached(&format!(
        "UPDATE alerts SET {set}
         WHERE channel = ?1 AND monitor_id = ?2 AND opened_at = ?3 AND done_at IS NULL"
    ))?
    .execute(params![
        channel,
        of.monitor.0,
        of.opened_at.as_ms(),
        now.as_ms()
    ])?;
    Ok(())
}

/// When the oldest incident was raised that not every instance has taken yet, of those that are open.
///
/// # Errors
/// If SQLite fails.
pub fn oldest_unshown(db: &Connection) -> Result<Option<Timestamp>> {
    db.prepare_cached(
        "SELECT min(raised_at) FROM alerts WHERE done_at IS NULL AND shown_at IS NULL",
    )?
    .query_row([], |row| moment(row, 0))
}

/// What each channel that shows incidents was told of one: that it is there, and that it is over.
///
/// # Errors
/// If SQLite fails.
pub fn told(db: &Connection, incident: IncidentKey) -> Result<Vec<Told>> {
    let mut select = db.prepare_cached(
        "SELECT channel, raised_at, shown_at, closed_at, ended_at
         FROM alerts LEFT JOIN incidents USING (monitor_id, opened_at)
         WHERE alerts.monitor_id = ?1 AND alerts.opened_at = ?2 ORDER BY raised_at, channel",
    )?;
    let key = (incident.monitor.0, incident.opened_at.as_ms());
    let rows = select.query_map(key, |row| {
        Ok((
            row.get::<_, String>(0)?,
            Timestamp::from_ms(row.get(1)?),
            moment(row, 2)?,
            moment(row, 3)?,
            moment(row, 4)?,
        ))
    })?;
    let mut all = Vec::new();
    for row in rows {
        let (channel, raised_at, shown_at, closed_at, ended_at) = row?;
        // A name that this version does not take is of a channel that is no longer there.
        let Ok(name) = ChannelName::parse(&channel) else {
            continue;
        };
        let of = |kind, queued_at, sent_at| Told {
            kind,
            to: Recipient::Channel(name.clone()),
            channel: Some(Format::Alertmanager.as_str().to_owned()),
            message_id: incident.to_string(),
            queued_at,
            sent_at,
        };
        all.push(of(MailKind::Down, raised_at, shown_at));
        all.extend(closed_at.map(|at| of(MailKind::Up, at.max(raised_at), ended_at)));
    }
    Ok(all)
}

/// Forgets what is posted no more and whose incident is forgotten.
///
/// # Errors
/// If SQLite fails.
pub fn forget(db: &Connection) -> Result<usize> {
    db.prepare_cached(
        "DELETE FROM alerts WHERE done_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.monitor_id = alerts.monitor_id
                           AND incidents.opened_at = alerts.opened_at)",
    )?
    .execute([])
}
