//! Events: appended in the transaction of what they tell, read by cursor.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::domain::check::{Failure, FailureKind};
use crate::domain::event::{Event, What};
use crate::domain::incident::{Cause, IncidentKey};
use crate::domain::location::{LocationName, Seen};
use crate::domain::monitor::MonitorId;
use crate::domain::order::{By, GivenOrder, OrderWord};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::ShownState;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;

/// A change of what is shown of a monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct StateChange {
    /// The monitor's number.
    pub monitor: MonitorId,
    /// From this.
    pub from: ShownState,
    /// To this.
    pub to: ShownState,
    /// The incident that is open since.
    pub incident: Option<IncidentKey>,
    /// Why it is not simply up.
    pub cause: Option<Cause>,
}

/// Which events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first cursor that is kept; the one after the newest where none is.
    pub oldest: i64,
    /// The newest cursor that was ever given; 0 before the first event.
    pub newest: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct MoreOfState {
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

#[derive(Debug, Serialize, Deserialize)]
struct MoreOfLocation {
    location: LocationName,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MoreOfDelivery {
    id: i64,
    kind: String,
    to: String,
}

impl Batch<'_> {
    /// Appends a change of state.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_state_event(&self, change: &StateChange, now: Timestamp) -> Result<()> {
        let cause = change.cause.as_ref();
        let more = MoreOfState {
            from: change.from.as_str().to_owned(),
            incident: change.incident.map(|key| key.opened_at.as_ms()),
            kind: cause.map(|cause| cause.failure.kind.as_str().to_owned()),
            detail: cause.map(|cause| cause.failure.detail.to_string()),
            status: cause.and_then(|cause| cause.status),
        };
        append(
            self.outbox(),
            now,
            "state",
            Some(change.monitor),
            change.to.as_str(),
            &serde_json::to_string(&more)?,
        )
    }

    /// Appends that the word of a location counts again, or no longer.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_location_event(
        &self,
        location: &LocationName,
        seen: Seen,
        now: Timestamp,
    ) -> Result<()> {
        let more = serde_json::to_string(&MoreOfLocation {
            location: location.clone(),
        })?;
        append(self.outbox(), now, "location", None, seen.as_str(), &more)
    }

    /// Appends the end of a time in which nobody watched.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_gap_event(&self, from: Timestamp, reason: &str, now: Timestamp) -> Result<()> {
        let more = format!("{{\"from\":{}}}", from.as_ms());
        append(self.outbox(), now, "gap", None, reason, &more)
    }
}

fn append(
    connection: &Connection,
    now: Timestamp,
    kind: &str,
    monitor: Option<MonitorId>,
    word: &str,
    more: &str,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO events (at, type, monitor_id, word, more) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            now.as_ms(),
            kind,
            monitor.map(|id| id.0),
            word,
            more
        ])?;
    Ok(())
}

impl Reader {
    /// Which events are kept.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn events_kept(&self) -> Result<Span> {
        self.together(|reader| {
            let connection = reader.connection();
            let newest: i64 = connection
                .query_row(
                    "SELECT seq FROM sqlite_sequence WHERE name = 'events'",
                    [],
                    |row| row.get(0),
                )
                .optional()?
                .unwrap_or(0);
            let oldest: Option<i64> =
                connection.query_row("SELECT min(cursor) FROM events", [], |row| row.get(0))?;
            let oldest = oldest.unwrap_or(newest + 1);
            Ok(Span { oldest, newest })
        })
    }

    /// The cursor after which the events since a moment come.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn cursor_before(&self, since: Timestamp) -> Result<i64> {
        let span = self.events_kept()?;
        let mut look = self.connection().prepare_cached(
            "SELECT cursor, at FROM events WHERE cursor >= ?1 ORDER BY cursor LIMIT 1",
        )?;
        // They lie in the order of time.
        let (mut low, mut high) = (span.oldest, span.newest + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let found: Option<(i64, i64)> = look
                .query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            match found {
                Some((cursor, at)) if at < since.as_ms() => low = cursor + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(low - 1)
    }

    /// Events after a cursor, at most `limit`, in order.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn events_after(&self, cursor: i64, limit: u32) -> Result<Vec<Event>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT cursor, at, type, word, uid, user, more, monitor_id, monitors.name
             FROM events LEFT JOIN monitors ON monitors.id = monitor_id
             WHERE cursor > ?1 ORDER BY cursor LIMIT ?2",
        )?;
        let mut rows = statement.query((cursor, limit))?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            // What another version wrote in a way that is not understood is left out.
            if let Some(what) = what(row)? {
                events.push(Event {
                    cursor: row.get(0)?,
                    at: Timestamp::from_ms(row.get(1)?),
                    monitor: row.get(8)?,
                    what,
                });
            }
        }
        Ok(events)
    }
}

fn what(row: &Row<'_>) -> rusqlite::Result<Option<What>> {
    let kind: String = row.get(2)?;
    let word: String = row.get(3)?;
    let more: Option<String> = row.get(6)?;
    let more = more.as_deref().unwrap_or("{}");
    Ok(match kind.as_str() {
        "state" => {
            let monitor: Option<i64> = row.get(7)?;
            serde_json::from_str(more)
                .ok()
                .map(|more| state(word, monitor, more))
        }
        "delivery" => serde_json::from_str(more)
            .ok()
            .map(|more: MoreOfDelivery| What::Delivery {
                id: more.id,
                kind: more.kind,
                to: more.to,
                outcome: word,
            }),
        "order" => {
            let by = By {
                uid: row.get(4)?,
                name: row.get(5)?,
            };
            let args = serde_json::from_str(more).ok();
            OrderWord::parse(&word)
                .zip(args)
                .map(|(word, args)| What::Order(GivenOrder { by, word, args }))
        }
        "location" => {
            let more: Option<MoreOfLocation> = serde_json::from_str(more).ok();
            let location = more.map(|more| more.location);
            (location.zip(Seen::parse(&word)))
                .map(|(location, seen)| What::Location { location, seen })
        }
        "gap" => {
            let more: Option<serde_json::Value> = serde_json::from_str(more).ok();
            let from = more.and_then(|more| more.get("from")?.as_i64());
            from.map(|from| What::Gap {
                from: Timestamp::from_ms(from),
                reason: word,
            })
        }
        _ => None,
    })
}

fn state(to: String, monitor: Option<i64>, more: MoreOfState) -> What {
    let kind = more.kind.as_deref().and_then(FailureKind::parse);
    What::State {
        from: more.from,
        to,
        incident: monitor
            .zip(more.incident)
            .map(|(monitor, opened_at)| IncidentKey {
                monitor: MonitorId(monitor),
                opened_at: Timestamp::from_ms(opened_at),
            }),
        cause: kind.map(|kind| Cause {
            failure: Failure {
                kind,
                detail: more.detail.unwrap_or_default().into(),
            },
            status: more.status,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::facts::orders;
    use crate::store::writer::Store;

    const fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn cursors_grow_for_ever_and_what_is_old_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let mut store = Store::open(&path, at(0)).unwrap();
        let reader = Reader::open(&path).unwrap();
        assert_eq!(
            reader.events_kept().unwrap(),
            Span {
                oldest: 1,
                newest: 0
            }
        );
        let mut put = |times: std::ops::Range<i64>| {
            let batch = store.batch().unwrap();
            for time in times {
                batch.put_gap_event(at(0), "stopped", at(time)).unwrap();
            }
            batch.commit().unwrap();
        };
        put(10..20);
        let cursors = |after: i64| -> Vec<i64> {
            let events = reader.events_after(after, 100).unwrap();
            events.iter().map(|event| event.cursor).collect()
        };
        assert_eq!(cursors(8), [9, 10]);
        for (since, cursor) in [(0, 0), (10, 0), (11, 1), (19, 9), (20, 10), (99, 10)] {
            assert_eq!(reader.cursor_before(at(since)).unwrap(), cursor, "{since}");
        }
        let forget =
            |store: &Store, before| orders::forget_events(store.outbox(), before, 100).unwrap();
        assert_eq!(forget(&store, 15), 5);
        assert_eq!(
            reader.events_kept().unwrap(),
            Span {
                oldest: 6,
                newest: 10
            }
        );
        assert_eq!(reader.cursor_before(at(0)).unwrap(), 5);
        assert_eq!(forget(&store, 99), 5);
        assert_eq!(
            reader.events_kept().unwrap(),
            Span {
                oldest: 11,
                newest: 10
            }
        );
        let batch = store.batch().unwrap();
        batch.put_gap_event(at(0), "stopped", at(30)).unwrap();
        batch.commit().unwrap();
        assert_eq!(cursors(0), [11], "no cursor comes twice");
    }
}
