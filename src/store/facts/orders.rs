//! Orders of people: kept among the events, and found by monitor.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::error::Result;
use crate::domain::monitor::MonitorId;
use crate::domain::order::{By, GivenOrder, KeptOrder, OrderArgs, OrderWord};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Flags;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;

/// Orders of one monitor that are read at most.
pub const ORDERS_MAX: u32 = 500;

/// Stands for all monitors in `ordered`.
const ALL: i64 = 0;

/// Whether a row of `ordered` is about monitor `?1`: one for all is about those that were in the configuration then.
const IS_ABOUT: &str = "(ordered.monitor_id = ?1 OR ordered.monitor_id = 0
     AND NOT EXISTS (SELECT 1 FROM monitors WHERE id = ?1 AND added_at > events.at)
     AND NOT EXISTS (SELECT 1 FROM spans WHERE spans.monitor_id = ?1 AND kind = 'removed'
                       AND from_at <= events.at AND (to_at IS NULL OR to_at > events.at)))";

/// In the order in which [`kept`] reads them.
const COLUMNS: &str = "events.at, events.word, events.uid, events.user, events.more";

impl Batch<'_> {
    /// Keeps an order that these monitors followed. Where all of them did that there are, one row says so.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_order(
        &mut self,
        order: &GivenOrder,
        followed: &[MonitorId],
        all: bool,
        now: Timestamp,
    ) -> Result<()> {
        let alone = match followed {
            [one] if !all => Some(one.0),
            _ => None,
        };
        let word = order.word.as_str();
        self.outbox()
            .prepare_cached(
                "INSERT INTO events (at, type, monitor_id, word, uid, user, more)
                 VALUES (?1, 'order', ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                now.as_ms(),
                alone,
                word,
                order.by.uid,
                order.by.name,
                serde_json::to_string(&order.args)?,
            ])?;
        let cursor = self.outbox().last_insert_rowid();
        let mut insert = self
            .outbox()
            .prepare_cached("INSERT INTO ordered (monitor_id, word, cursor) VALUES (?1, ?2, ?3)")?;
        if all {
            insert.execute((ALL, word, cursor))?;
            return Ok(());
        }
        for monitor in followed {
            insert.execute((monitor.0, word, cursor))?;
        }
        Ok(())
    }
}

impl Reader {
    /// The orders behind what is shown of a monitor: who paused, muted and acknowledged it, who
    /// opened a window, in the
    /// order of [`Flags::words`]. Orders that are no longer kept are left out.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn orders_in_force(
        &self,
        monitor: MonitorId,
        flags: Flags,
        now: Timestamp,
    ) -> Result<Vec<KeptOrder>> {
        let wanted = [
            (flags.paused, OrderWord::Pause),
            (flags.muted, OrderWord::Mute),
            (flags.maintenance, OrderWord::Maintenance),
            (flags.acked, OrderWord::Ack),
        ];
        let mut found = Vec::new();
        for (_, word) in wanted.into_iter().filter(|(is_set, _)| *is_set) {
            found.extend(match word {
                OrderWord::Maintenance => self.order_of_window(monitor, now)?,
                _ => self.newest_order(monitor, word, Timestamp::MAX)?,
            });
        }
        Ok(found)
    }

    /// The newest order that opened a window which is still open; `None` where the configuration did.
    fn order_of_window(&self, monitor: MonitorId, now: Timestamp) -> Result<Option<KeptOrder>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT window.value ->> '$.until' FROM states, json_each(kept, '$.windows') AS window
             WHERE monitor_id = ?1",
        )?;
        let open = statement
            .query_map([monitor.0], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        let open: Vec<Timestamp> = open
            .into_iter()
            .map(Timestamp::from_ms)
            .filter(|until| now < *until)
            .collect();
        if open.is_empty() {
            return Ok(None);
        }
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ordered JOIN events USING (cursor)
             WHERE ordered.monitor_id IN ({ALL}, ?1) AND {IS_ABOUT} AND ordered.word = ?2
             ORDER BY cursor DESC LIMIT {ORDERS_MAX}"
        ))?;
        let word = OrderWord::Maintenance.as_str();
        for order in statement.query_map((monitor.0, word), kept)? {
            let order = order?;
            let until = order.as_ref().and_then(|order| order.order.args.until);
            if until.is_some_and(|until| open.contains(&until)) {
                return Ok(order);
            }
        }
        Ok(None)
    }

    /// The newest order of a kind that a monitor followed, up to a moment.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn newest_order(
        &self,
        monitor: MonitorId,
        word: OrderWord,
        until: Timestamp,
    ) -> Result<Option<KeptOrder>> {
        newest(self.connection(), monitor, word, until)
    }
}

impl Reader {
    /// The orders that a monitor followed in a time, oldest first, at most the newest [`ORDERS_MAX`].
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn orders_between(
        &self,
        monitor: MonitorId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<KeptOrder>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ordered JOIN events USING (cursor)
             WHERE ordered.monitor_id IN ({ALL}, ?1) AND {IS_ABOUT} AND events.at >= ?2 AND events.at <= ?3
             ORDER BY cursor DESC LIMIT {ORDERS_MAX}"
        ))?;
        let rows = statement.query_map((monitor.0, from.as_ms(), to.as_ms()), kept)?;
        let mut found = Vec::new();
        for row in rows {
            found.extend(row?);
        }
        found.reverse();
        Ok(found)
    }
}

pub(in crate::store) fn newest(
    connection: &Connection,
    monitor: MonitorId,
    word: OrderWord,
    until: Timestamp,
) -> Result<Option<KeptOrder>> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ordered JOIN events USING (cursor)
             WHERE ordered.monitor_id IN ({ALL}, ?1) AND {IS_ABOUT} AND ordered.word = ?2 AND events.at <= ?3
             ORDER BY cursor DESC LIMIT 1"
        ))?
        .query_row((monitor.0, word.as_str(), until.as_ms()), kept)
        .optional()?;
    Ok(found.flatten())
}

/// An order from [`COLUMNS`]; `None` if another version wrote it in a way that is not understood.
fn kept(row: &Row<'_>) -> rusqlite::Result<Option<KeptOrder>> {
    let word: String = row.get(1)?;
    let args: Option<String> = row.get(4)?;
    let args: Option<OrderArgs> = serde_json::from_str(args.as_deref().unwrap_or("{}")).ok();
    let Some((word, args)) = OrderWord::parse(&word).zip(args) else {
        return Ok(None);
    };
    Ok(Some(KeptOrder {
        at: Timestamp::from_ms(row.get(0)?),
        order: GivenOrder {
            by: By {
                uid: row.get(2)?,
                name: row.get(3)?,
            },
            word,
            args,
        },
    }))
}

/// Forgets the oldest events before `before`, at most `limit`; says how many. They lie in the order in which they came.
pub(in crate::store) fn forget_events(
    connection: &Connection,
    before: i64,
    limit: i64,
) -> Result<usize> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM events WHERE at < ?1 AND cursor IN
           (SELECT cursor FROM events ORDER BY cursor LIMIT ?2)
         RETURNING type = 'order'",
    )?;
    let (mut deleted, mut orders) = (0, 0);
    for is_order in statement.query_map((before, limit), |row| row.get::<_, bool>(0))? {
        deleted += 1;
        orders += usize::from(is_order?);
    }
    // All of them are looked through for that: there may be many.
    if orders > 0 {
        connection
            .prepare_cached(
                "DELETE FROM ordered WHERE cursor < (SELECT coalesce(min(cursor), 0) FROM events)",
            )?
            .execute([])?;
    }
    Ok(deleted)
}

/// Dates what was kept ahead of a clock that was set back: it happened before now, in the same order.
pub(in crate::store) fn clock_was_set_back(connection: &Connection, now: i64) -> Result<()> {
    connection.execute("UPDATE events SET at = ?1 WHERE at > ?1", [now])?;
    Ok(())
}
