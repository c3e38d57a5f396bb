//! A clock that was set: what was recorded ahead of the new time is put aside, what goes on is dated by the new one.
//!
//! Checks that are put aside leave the journal, the ledger, the roll-ups and the summaries, so that nothing that counts
//! has to know of them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{amendments, evidence, meta, orders, rules};
use crate::domain::timestamp::Timestamp;
use crate::policy::clock_step::{ClockStep, STEP_MIN};
use crate::store::checks::hour_block::{Row, pack, unpack};
use crate::store::checks::hydrate::{JOURNAL_COLUMNS, Resolver, journal_row};
use crate::store::checks::journal::{DAY, HOUR, Whose, first_checks, ledger_id, settled};
use crate::store::compaction::rollup::last_word_before;
use crate::store::compaction::rollup::{self, Rollup};
use crate::store::compaction::summary;
use crate::store::error::Result;
use crate::store::writer::Store;

/// Rows of the journal that are in memory at one time.
const ROWS_A_STEP: i64 = 20_000;

/// How far back the newest checks of a monitor are looked for whose newest ones were put aside.
const HOURS_BACK: i64 = 48;

/// Mails are due at most so far ahead: a longer way belongs to another clock.
const DUE_WITHIN_MS: i64 = 31 * DAY;

impl Store {
    /// When the newest check of all began, by the clock of then.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn newest_at(&self) -> Result<Option<Timestamp>> {
        let connection = self.connection();
        let journal: Option<i64> =
            connection.query_row("SELECT max(at) FROM journal", [], |row| row.get(0))?;
        let hour: Option<i64> =
            connection.query_row("SELECT max(id) >> 32 FROM ledger", [], |row| row.get(0))?;
        let mut newest = journal;
        if let Some(hour) = hour.filter(|hour| newest.is_none_or(|at| at < (hour + 1) * HOUR)) {
            crate::store::checks::journal::ledger_hour(
                connection,
                &Whose::All,
                hour,
                |_, rows| {
                    newest = newest.max(rows.last().map(|row| row.at));
                },
            )?;
        }
        Ok(newest.map(Timestamp::from_ms))
    }

    /// Brings what is stored into the time of a clock that was set, in one transaction.
    ///
    /// # Errors
    /// As SQLite's; then nothing of it happened.
    pub fn clock_was_set(&mut self, step: &ClockStep) -> Result<()> {
        self.in_new_time(|db, _| set(db, step))
    }

    /// Does `work` in one transaction, with the next number of the journal, and forgets what may be dated
    /// otherwise now.
    pub(super) fn in_new_time(
        &mut self,
        work: impl FnOnce(&Connection, &mut i64) -> Result<()>,
    ) -> Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut next_seq = self.next_seq;
        work(&transaction, &mut next_seq)?;
        let begun = first_checks(&transaction)?;
        transaction.commit()?;
        self.next_seq = next_seq;
        self.begun = begun;
        self.settling = None;
        self.interner.forget();
        self.resolver = Resolver::default();
        Ok(())
    }
}

/// Anchors what is stored at the new time.
pub(in crate::store) fn set(connection: &Connection, step: &ClockStep) -> Result<()> {
    if step.is_back() && step.is_believed() {
        put_aside(connection, step.to.as_ms())?;
        orders::clock_was_set_back(connection, step.to.as_ms())?;
        rules::clock_was_set_back(connection, step.to.as_ms())?;
        amendments::clock_was_set_back(connection, step.to.as_ms())?;
        evidence::clock_was_set_back(connection, step.to.as_ms())?;
    }
    move_spans(connection, step)?;
    move_mails(connection, step)
}

/// The newest hour before `hour` in which any check was put aside.
pub(in crate::store) fn marked_hour_before(
    connection: &Connection,
    hour: i64,
) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT max(hour) FROM wrong_clock WHERE hour < ?1")?
        .query_row([hour], |row| row.get(0))?)
}

/// Calls `each` with monitor and check of everything of an hour that was put aside, in any order.
pub(in crate::store) fn marked_rows(
    connection: &Connection,
    whose: &Whose,
    hour: i64,
    mut each: impl FnMut(i64, Row),
) -> Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT monitor_id, checks FROM wrong_clock WHERE hour = ?1")?;
    let mut rows = statement.query([hour])?;
    while let Some(row) = rows.next()? {
        let monitor: i64 = row.get(0)?;
        if !whose.has(monitor) {
            continue;
        }
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        for check in unpack(hour * HOUR, bytes)? {
            each(monitor, check);
        }
    }
    Ok(())
}

/// Puts everything aside that is dated after `now`.
fn put_aside(connection: &Connection, now: i64) -> Result<()> {
    put_checks_aside(connection, now)?;
    mend_monitors(connection, now)
}

/// The checks, and what was summed up of them.
pub(super) fn put_checks_aside(connection: &Connection, now: i64) -> Result<()> {
    put_journal_aside(connection, now)?;
    put_ledger_aside(connection, now)?;
    forget_rollups(connection, now)?;
    mend_summaries(connection, now)
}

fn mark(
    connection: &Connection,
    monitor: i64,
    hour: i64,
    rows: &mut [Row],
    now: i64,
) -> Result<()> {
    rows.sort_by_key(|row| row.at);
    connection
        .prepare_cached(
            "INSERT INTO wrong_clock (hour, monitor_id, marked_at, checks) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((hour, monitor, now, pack(hour * HOUR, rows)))?;
    Ok(())
}

fn put_journal_aside(connection: &Connection, now: i64) -> Result<()> {
    let settled = settled(connection)?;
    let mut select = connection.prepare(&format!(
        "SELECT seq, monitor_id, {JOURNAL_COLUMNS} FROM journal WHERE seq > ?1 AND at > ?2 ORDER BY seq LIMIT ?3"
    ))?;
    let mut seq = i64::MIN;
    loop {
        let mut hours: BTreeMap<(i64, i64), Vec<Row>> = BTreeMap::new();
        let mut found = 0;
        let mut rows = select.query((seq, now, ROWS_A_STEP))?;
        while let Some(row) = rows.next()? {
            found += 1;
            seq = row.get(0)?;
            let monitor: i64 = row.get(1)?;
            let at: i64 = row.get(2)?;
            let hour = at.div_euclid(HOUR);
            // What is in the ledger already is put aside from there.
            let in_ledger = settled
                .get(&monitor)
                .is_some_and(|(last, to)| hour <= *last && seq <= *to);
            if !in_ledger {
                hours
                    .entry((monitor, hour))
                    .or_default()
                    .push(journal_row(row, 2)?);
            }
        }
        for ((monitor, hour), mut rows) in hours {
            mark(connection, monitor, hour, &mut rows, now)?;
        }
        if found < ROWS_A_STEP {
            break;
        }
    }
    connection.execute("DELETE FROM journal WHERE at > ?1", [now])?;
    Ok(())
}

fn put_ledger_aside(connection: &Connection, now: i64) -> Result<()> {
    let hour = now.div_euclid(HOUR);
    let after = ledger_id(hour + 1, 0);
    connection.execute(
        "INSERT INTO wrong_clock (hour, monitor_id, marked_at, checks)
         SELECT id >> 32, id & 4294967295, ?2, checks FROM ledger WHERE id >= ?1",
        (after, now),
    )?;
    connection.execute("DELETE FROM ledger WHERE id >= ?1", [after])?;
    // Of the running hour only what lies ahead.
    let mut blocks: Vec<(i64, Vec<Row>)> = Vec::new();
    crate::store::checks::journal::ledger_hour(connection, &Whose::All, hour, |monitor, rows| {
        if rows.last().is_some_and(|row| row.at > now) {
            blocks.push((monitor, rows));
        }
    })?;
    for (monitor, rows) in blocks {
        let (kept, mut ahead): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.at <= now);
        mark(connection, monitor, hour, &mut ahead, now)?;
        let id = ledger_id(hour, monitor);
        if kept.is_empty() {
            connection
                .prepare_cached("DELETE FROM ledger WHERE id = ?1")?
                .execute([id])?;
        } else {
            connection
                .prepare_cached("UPDATE ledger SET checks = ?2 WHERE id = ?1")?
                .execute((id, pack(hour * HOUR, &kept)))?;
        }
    }
    Ok(())
}

/// Roll-ups of the time ahead go; that of the running hour is made from what is left. The running day is summed up
/// when it is over.
fn forget_rollups(connection: &Connection, now: i64) -> Result<()> {
    let hour = now.div_euclid(HOUR);
    connection.execute("DELETE FROM rollup_hour WHERE hour > ?1", [hour])?;
    connection.execute(
        "DELETE FROM rollup_day WHERE day >= ?1",
        [now.div_euclid(DAY)],
    )?;
    connection.execute("DELETE FROM missed WHERE hour > ?1", [hour])?;
    let monitors: Vec<i64> = connection
        .prepare("SELECT monitor_id FROM rollup_hour WHERE hour = ?1")?
        .query_map([hour], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for monitor in monitors {
        let known = rollup::hour(connection, monitor, hour)?;
        let rows = rollup::block(connection, monitor, hour)?;
        let before = last_word_before(connection, monitor, hour)?;
        let missed = known.map_or(0, |known| known.tally.missed);
        let rollup = Rollup::of_hour(hour, before, &rows, missed);
        rollup::put_hour(connection, monitor, hour, &rollup)?;
    }
    Ok(())
}

/// Summaries that reach into the time ahead are made from what is left.
fn mend_summaries(connection: &Connection, now: i64) -> Result<()> {
    let hour = now.div_euclid(HOUR);
    let mut ahead: Vec<(i64, i64, i64)> = Vec::new();
    let mut statement = connection
        .prepare("SELECT monitor_id, settled_hour, settled_seq, newest, good, bad FROM summary")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let settled_hour: i64 = row.get(1)?;
        let mut reaches = settled_hour > hour;
        for column in 3..6 {
            let bytes = row
                .get_ref(column)?
                .as_blob_or_null()
                .map_err(rusqlite::Error::from)?;
            if let Some(bytes) = bytes {
                reaches |= unpack(0, bytes)?.iter().any(|row| row.at > now);
            }
        }
        if reaches {
            ahead.push((row.get(0)?, settled_hour.min(hour), row.get(2)?));
        }
    }
    for (monitor, settled_hour, settled_seq) in ahead {
        connection
            .prepare_cached("DELETE FROM summary WHERE monitor_id = ?1")?
            .execute([monitor])?;
        let rows = newest_rows(connection, monitor, settled_hour)?;
        summary::put(connection, monitor, settled_hour, settled_seq, &rows)?;
    }
    Ok(())
}

/// The newest settled checks of a monitor, in order: as many hours as have a good and a failed one, or a few days.
fn newest_rows(connection: &Connection, monitor: i64, last_hour: i64) -> Result<Vec<Row>> {
    let mut found: Vec<Row> = Vec::new();
    for hour in (last_hour - HOURS_BACK..=last_hour).rev() {
        let mut rows = rollup::block(connection, monitor, hour)?;
        rows.append(&mut found);
        found = rows;
        let has = |wanted: fn(u8) -> bool| found.iter().any(|row| wanted(row.context.state));
        if has(|state| state < 2) && has(|state| state == 2) {
            break;
        }
    }
    Ok(found)
}

fn mend_monitors(connection: &Connection, now: i64) -> Result<()> {
    for sql in [
        "UPDATE monitors SET first_at = NULL WHERE first_at > ?1",
        "UPDATE monitors SET added_at = ?1 WHERE added_at > ?1",
        "UPDATE monitors SET removed_at = ?1 WHERE removed_at > ?1",
        "UPDATE incidents SET clock_wrong = 1
         WHERE closed_at > ?1 AND coalesce(began_at, opened_at) > ?1",
        "UPDATE incidents SET closed_at = ?1 WHERE closed_at > ?1 AND clock_wrong = 0",
        "UPDATE incidents SET escalated_at = ?1 WHERE escalated_at > ?1 AND clock_wrong = 0",
    ] {
        connection.execute(sql, [now])?;
    }
    for table in ["failures", "chains", "peers", "certificates"] {
        // Else they would be kept until that day comes.
        connection.execute(
            &format!("UPDATE {table} SET used_day = ?1 WHERE used_day > ?1"),
            [now.div_euclid(DAY)],
        )?;
    }
    for key in ["retention_rests_since", meta::PROBED_AT] {
        if meta::get::<i64>(connection, key)?.is_some_and(|at| at > now) {
            meta::put(connection, key, None)?;
        }
    }
    if meta::get::<i64>(connection, "retained_hour")?.is_some_and(|at| at > now / HOUR) {
        meta::put(connection, "retained_hour", None)?;
    }
    Ok(())
}

/// Pauses and removals that go on began as long before now as they did; windows that lie ahead come again.
pub(super) fn move_spans(connection: &Connection, step: &ClockStep) -> Result<()> {
    let mut open: Vec<(i64, String, i64)> = Vec::new();
    let mut statement =
        connection.prepare("SELECT monitor_id, kind, from_at FROM spans WHERE to_at IS NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        open.push((row.get(0)?, row.get(1)?, row.get(2)?));
    }
    for (monitor, kind, from) in open {
        let moved = step.past(Timestamp::from_ms(from)).as_ms();
        if moved != from {
            connection
                .prepare_cached(
                    "UPDATE OR REPLACE spans SET from_at = ?4
                     WHERE monitor_id = ?1 AND kind = ?2 AND from_at = ?3",
                )?
                .execute(params![monitor, kind, from, moved])?;
        }
    }
    if step.is_back() && step.is_believed() {
        let now = step.to.as_ms();
        connection.execute(
            "DELETE FROM spans WHERE from_at > ?1 AND to_at IS NOT NULL",
            [now],
        )?;
        connection.execute(
            "UPDATE spans SET to_at = ?1 WHERE to_at > ?1 AND kind <> 'maintenance'",
            [now],
        )?;
    }
    Ok(())
}

/// Mails keep their age and their distance from their next try.
pub(super) fn move_mails(connection: &Connection, step: &ClockStep) -> Result<()> {
    let (from, to, by) = (step.from.as_ms(), step.to.as_ms(), step.by_ms());
    let slack = i64::try_from(STEP_MIN.as_millis()).unwrap_or(0);
    for column in MAIL_PAST {
        connection.execute(
            &format!(
                "UPDATE outbox SET {column} = min({column} + ?4, ?3)
                 WHERE {column} BETWEEN ?1 AND ?2 OR (?4 < 0 AND {column} > ?3)"
            ),
            params![step.era_from.as_ms(), from + slack, to, by],
        )?;
    }
    // What is due already stays so.
    let ahead = if by < 0 { to } else { from };
    connection.execute(
        "UPDATE outbox SET next_attempt_at = max(?2, next_attempt_at + ?3)
         WHERE state = 'waiting' AND next_attempt_at > ?1 AND next_attempt_at <= ?4",
        params![ahead, to, by, from.max(ahead) + DUE_WITHIN_MS],
    )?;
    let waits: Option<i64> = connection
        .query_row(
            "SELECT max(next_attempt_at) FROM outbox WHERE state = 'waiting'",
            [],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    if by < 0 && waits.is_some_and(|at| at > to + DUE_WITHIN_MS) {
        connection.execute(
            "UPDATE outbox SET next_attempt_at = ?1 WHERE state = 'waiting' AND next_attempt_at > ?2",
            (to, to + DUE_WITHIN_MS),
        )?;
    }
    Ok(())
}

/// Moments of a mail that have passed.
pub(super) const MAIL_PAST: [&str; 6] = [
    "queued_at",
    "first_attempt_at",
    "last_attempt_at",
    "begun_at",
    "released_at",
    "done_at",
];
