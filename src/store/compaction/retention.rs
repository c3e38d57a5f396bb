//! Forgets what is older than it is to be kept, in small steps, and gives the space back.

use rusqlite::{Connection, TransactionBehavior};

use super::retention_mail::{WORDS_KEPT, forget_before};
use super::settle::Step;
use crate::domain::settings::Retention;
use crate::domain::timestamp::Timestamp;
use crate::store::checks::hour_block::unpack;
use crate::store::checks::journal::{DAY, HOUR, ledger_id};
use crate::store::error::Result;
use crate::store::facts::{amendments, arrivals, clock_undo, evidence, meta, orders, rules};
use crate::store::outbox::alerts;
use crate::store::writer::Store;

/// Rows deleted in one transaction: it takes about a millisecond.
const ROWS_A_STEP: i64 = 500;
/// Free pages given back in one step.
const PAGES_A_STEP: i64 = 500;
/// Free pages that are kept, since the journal of the next hour takes them: 8 MiB.
const PAGES_KEPT: i64 = 2048;

impl Store {
    /// Does one step of retention. Called until it is done, with other work in between.
    ///
    /// It counts back from the newest check, not from the clock, and rests for a day after that jumped forward by more
    /// than a day: a wrong clock must not delete a history.
    ///
    /// # Errors
    /// As SQLite's. The step did not happen then.
    pub fn retain(&mut self, retention: &Retention, now: Timestamp) -> Result<Step> {
        if self.settling.is_some() {
            return Ok(Step::Done);
        }
        let Some(newest) = self.newest_settled()? else {
            return Ok(Step::Done);
        };
        if self.rests(newest, now)? {
            return Ok(Step::Done);
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut deleted = clock_undo::forget_old(&transaction, now)?;
        if let Some(keep) = retention.checks {
            let hour = floor(newest, keep);
            let kept_from = hour * HOUR;
            deleted += forget_wrong_clock(&transaction, kept_from)?;
            deleted += delete(
                &transaction,
                "DELETE FROM ledger WHERE id IN (SELECT id FROM ledger WHERE id < ?1 ORDER BY id LIMIT ?2)",
                ledger_id(hour, 0),
            )?;
            deleted += orders::forget_events(&transaction, kept_from, ROWS_A_STEP)?;
            if deleted == 0 {
                deleted += rules::forget(&transaction, kept_from, ROWS_A_STEP)?;
                deleted += arrivals::forget(&transaction, kept_from, ROWS_A_STEP)?;
            }
            if deleted == 0 {
                deleted += sweep(&transaction, hour.div_euclid(24))?;
            }
        }
        if let Some(keep) = retention.rollups {
            deleted += forget_rollups(&transaction, floor(newest, keep))?;
        }
        if deleted == 0 {
            let keep = retention.evidence.keep;
            deleted += evidence::forget(&transaction, keep, (newest + 1) * HOUR, ROWS_A_STEP)?;
            deleted += amendments::forget_orphans(&transaction)?;
        }
        if deleted == 0 {
            let ended = Timestamp::from_ms((newest + 1) * HOUR).minus(WORDS_KEPT);
            deleted += forget_before(&transaction, ended)?;
            deleted += alerts::forget(&transaction)?;
        }
        transaction.commit()?;
        if deleted > 0 {
            // What the writer knows by number may be gone.
            self.interner.forget();
            self.resolver = crate::store::checks::hydrate::Resolver::default();
            return Ok(Step::More);
        }
        self.give_back()
    }

    fn newest_settled(&self) -> Result<Option<i64>> {
        Ok(self
            .connection
            .query_row("SELECT max(id) >> 32 FROM ledger", [], |row| row.get(0))?)
    }

    /// Whether the newest check lies more than a day after that of the last retention, and less than a day of
    /// watching has passed since this was noticed.
    fn rests(&self, newest: i64, now: Timestamp) -> Result<bool> {
        let known: Option<i64> = meta::get(&self.connection, "retained_hour")?;
        let noticed: Option<i64> = meta::get(&self.connection, "retention_rests_since")?;
        let jumped = known.is_some_and(|known| newest - known > 25);
        let rests = match (jumped, noticed) {
            (false, _) => false,
            (true, None) => {
                put_number(&self.connection, "retention_rests_since", now.as_ms())?;
                true
            }
            (true, Some(since)) => (0..DAY).contains(&(now.as_ms() - since)),
        };
        if !rests {
            if known != Some(newest) {
                put_number(&self.connection, "retained_hour", newest)?;
            }
            if noticed.is_some() {
                meta::put(&self.connection, "retention_rests_since", None)?;
            }
        }
        Ok(rests)
    }

    /// Makes the file smaller where more than a twentieth of it is free.
    fn give_back(&self) -> Result<Step> {
        let pages = |pragma: &str| -> Result<i64> {
            Ok(self
                .connection
                .query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?)
        };
        let free = pages("freelist_count")?;
        if free <= PAGES_KEPT.max(pages("page_count")? / 20) {
            return Ok(Step::Done);
        }
        let mut statement = self
            .connection
            .prepare(&format!("PRAGMA incremental_vacuum({PAGES_A_STEP})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(Step::More)
    }
}

/// The first hour that is kept.
fn floor(newest: i64, keep: std::time::Duration) -> i64 {
    let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX / 4);
    ((newest + 1) * HOUR - keep_ms).div_euclid(HOUR)
}

fn delete(connection: &Connection, sql: &str, before: i64) -> Result<usize> {
    Ok(connection
        .prepare_cached(sql)?
        .execute((before, ROWS_A_STEP))?)
}

/// Checks of a wrong clock are kept as long as those that were recorded when it was set right, whatever time they show;
/// incidents of it as long as any check of their monitor.
fn forget_wrong_clock(connection: &Connection, before: i64) -> Result<usize> {
    let deleted = delete(
        connection,
        "DELETE FROM wrong_clock WHERE id IN
           (SELECT id FROM wrong_clock WHERE marked_at < ?1 ORDER BY id LIMIT ?2)",
        before,
    )?;
    if deleted > 0 {
        return Ok(deleted);
    }
    Ok(connection
        .prepare_cached(
            "DELETE FROM incidents WHERE clock_wrong = 1 AND NOT EXISTS
               (SELECT 1 FROM wrong_clock WHERE wrong_clock.monitor_id = incidents.monitor_id)",
        )?
        .execute([])?)
}

/// Takes away shared values that no kept check points at: those not used since the day before the first kept one.
fn sweep(connection: &Connection, first_day: i64) -> Result<usize> {
    keep_summaries(connection, first_day)?;
    let mut deleted = 0;
    for table in ["failures", "chains", "peers", "certificates"] {
        deleted += delete(
            connection,
            &format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE used_day < ?1 - 1 LIMIT ?2)"
            ),
            first_day,
        )?;
    }
    Ok(deleted)
}

/// The newest checks of monitors that rest for long are shown longer than others.
fn keep_summaries(connection: &Connection, day: i64) -> Result<()> {
    let mut statement = connection.prepare_cached("SELECT newest, good, bad FROM summary")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..3 {
            let bytes = row
                .get_ref(column)?
                .as_blob_or_null()
                .map_err(rusqlite::Error::from)?;
            let Some(bytes) = bytes else { continue };
            for row in unpack(0, bytes)? {
                if row.at.div_euclid(DAY) >= day {
                    continue;
                }
                let context = row.context;
                for (table, id) in [
                    ("failures", context.failure),
                    ("chains", context.chain),
                    ("peers", context.peers),
                    ("certificates", context.certificate),
                ] {
                    crate::store::checks::intern::used(connection, table, id, day, id != 0)?;
                }
            }
        }
    }
    Ok(())
}

fn forget_rollups(connection: &Connection, hour: i64) -> Result<usize> {
    // A day is forgotten as a whole.
    let day = hour.div_euclid(24);
    let known: Option<i64> = meta::get(connection, "rollups_from")?;
    let deleted = delete(
        connection,
        "DELETE FROM rollup_hour WHERE (hour, monitor_id) IN
           (SELECT hour, monitor_id FROM rollup_hour WHERE hour < ?1 ORDER BY hour LIMIT ?2)",
        day * 24,
    )? + delete(
        connection,
        "DELETE FROM rollup_day WHERE (monitor_id, day) IN
           (SELECT monitor_id, day FROM rollup_day WHERE day < ?1 LIMIT ?2)",
        day,
    )? + delete(
        connection,
        "DELETE FROM incidents WHERE (monitor_id, opened_at) IN
           (SELECT monitor_id, opened_at FROM incidents WHERE closed_at < ?1 LIMIT ?2)",
        day * DAY,
    )? + delete(
        connection,
        "DELETE FROM spans WHERE (monitor_id, kind, from_at) IN
           (SELECT monitor_id, kind, from_at FROM spans WHERE to_at < ?1 LIMIT ?2)",
        day * DAY,
    )?;
    if deleted > 0 && known.is_none_or(|known| known < day * DAY) {
        put_number(connection, "rollups_from", day * DAY)?;
    }
    Ok(deleted)
}

fn put_number(connection: &Connection, key: &str, value: i64) -> Result<()> {
    Ok(meta::put(connection, key, Some(&value.to_string()))?)
}
