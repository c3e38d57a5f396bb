//! Moves checks from the journal into the ledger, with their roll-ups, in short transactions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::rollup::{self, Rollup, last_word_before, word};
use super::summary;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::timeline::Word;
use crate::store::checks::hour_block::{Row, pack, unpack};
use crate::store::checks::hydrate::{JOURNAL_COLUMNS, journal_row};
use crate::store::checks::journal::{HOUR, ledger_id, settled};
use crate::store::error::Result;
use crate::store::writer::Store;

/// Monitors of one transaction.
const MONITORS_A_STEP: usize = 100;
/// Rows of the journal read or deleted in one step.
const ROWS_A_STEP: i64 = 20_000;
/// A check that began in an hour may end, and be recorded, this long after it.
const LATENESS_MS: i64 = 120_000;
/// With more rows than this the journal is settled before the hour is over.
pub const JOURNAL_ROWS_MAX: u64 = 2_000_000;

/// Whether an upkeep has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// There is more to do: call again, after other work.
    More,
    /// Finished.
    Done,
}

/// A settling that has begun.
#[derive(Debug)]
pub(in crate::store) struct Settling {
    /// Hours before this one are settled.
    end_hour: i64,
    /// Rows after this one came after the settling began.
    last_seq: i64,
    phase: Phase,
    /// The numbers of the rows of each monitor.
    rows: BTreeMap<i64, Vec<i64>>,
    done: HashMap<i64, (i64, i64)>,
}

#[derive(Debug)]
enum Phase {
    /// Rows up to this one are sorted by monitor.
    Sorting { seq: i64 },
    /// Monitors after this one are to do.
    Moving { monitor: i64 },
    /// Rows up to this one are gone.
    Clearing { seq: i64 },
}

impl Store {
    /// How many checks are not settled, at most.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn journal_rows(&self) -> Result<u64> {
        let first: Option<i64> =
            self.connection
                .query_row("SELECT min(seq) FROM journal", [], |row| row.get(0))?;
        Ok(first.map_or(0, |first| (self.next_seq - first).unsigned_abs()))
    }

    /// Does one step of settling the hours that are over, or the whole journal if it is too long.
    /// Called until it is done, with other work in between, once an hour.
    ///
    /// # Errors
    /// If SQLite fails. The step is then undone; the next call repeats it.
    pub fn settle(&mut self, now: Timestamp) -> Result<Step> {
        let Some(mut settling) = self.settling.take() else {
            self.settling = Some(self.begin_settling(now)?);
            return Ok(Step::More);
        };
        let phase = match settling.phase {
            Phase::Sorting { seq } => self.sort_rows(&mut settling, seq)?,
            Phase::Moving { monitor } => self.move_rows(&mut settling, monitor)?,
            Phase::Clearing { seq } => match self.clear_rows(&settling, seq)? {
                Some(phase) => phase,
                None => return Ok(Step::Done),
            },
        };
        settling.phase = phase;
        self.settling = Some(settling);
        Ok(Step::More)
    }

    fn begin_settling(&self, now: Timestamp) -> Result<Settling> {
        let (first, last): (Option<i64>, Option<i64>) =
            self.connection
                .query_row("SELECT min(seq), max(seq) FROM journal", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
        let over = (now.as_ms() - LATENESS_MS).div_euclid(HOUR);
        let too_long = self.journal_rows()? > JOURNAL_ROWS_MAX;
        Ok(Settling {
            end_hour: if too_long { over + 1 } else { over },
            last_seq: last.unwrap_or(0),
            phase: Phase::Sorting {
                seq: first.unwrap_or(1) - 1,
            },
            rows: BTreeMap::new(),
            done: settled(&self.connection)?,
        })
    }

    fn sort_rows(&self, settling: &mut Settling, seq: i64) -> Result<Phase> {
        let until = (seq + ROWS_A_STEP).min(settling.last_seq);
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, monitor_id, at FROM journal WHERE seq > ?1 AND seq <= ?2",
        )?;
        let mut rows = statement.query((seq, until))?;
        while let Some(row) = rows.next()? {
            let (seq, monitor, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let hour = at.div_euclid(HOUR);
            let done = settling.done.get(&monitor);
            let in_ledger = done.is_some_and(|(last, to)| hour <= *last && seq <= *to);
            // What belongs to hours that were settled comes with them, also when the clock was set back.
            let over = hour < settling.end_hour || done.is_some_and(|(last, _)| hour <= *last);
            if over && !in_ledger {
                settling.rows.entry(monitor).or_default().push(seq);
            }
        }
        if until < settling.last_seq {
            return Ok(Phase::Sorting { seq: until });
        }
        Ok(Phase::Moving { monitor: i64::MIN })
    }

    fn move_rows(&mut self, settling: &mut Settling, after: i64) -> Result<Phase> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let monitors: Vec<i64> = transaction
            .prepare_cached("SELECT id FROM monitors WHERE id > ?1 UNION ALL SELECT id FROM series WHERE id > ?1
                 ORDER BY id LIMIT ?2",)?
            .query_map((after, MONITORS_A_STEP as i64), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for monitor in &monitors {
            let seqs = settling.rows.get(monitor).map_or(&[][..], Vec::as_slice);
            settle_monitor(
                &transaction,
                *monitor,
                seqs,
                settling.end_hour,
                settling.last_seq,
            )?;
        }
        transaction.commit()?;
        for monitor in &monitors {
            settling.rows.remove(monitor);
        }
        Ok(match monitors.last() {
            Some(last) => Phase::Moving { monitor: *last },
            None => Phase::Clearing { seq: i64::MIN },
        })
    }

    fn clear_rows(&mut self, settling: &Settling, after: i64) -> Result<Option<Phase>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let first: Option<i64> = transaction
            .prepare_cached("SELECT min(seq) FROM journal WHERE seq > ?1")?
            .query_row([after], |row| row.get(0))?;
        let Some(first) = first.filter(|first| *first <= settling.last_seq) else {
            transaction.execute("DELETE FROM missed WHERE hour < ?1", [settling.end_hour])?;
            transaction.commit()?;
            return Ok(None);
        };
        let until = (first + ROWS_A_STEP).min(settling.last_seq);
        transaction
            .prepare_cached("DELETE FROM journal WHERE seq BETWEEN ?1 AND ?2 AND at < ?3")?
            .execute((first, until, settling.end_hour * HOUR))?;
        transaction.commit()?;
        Ok(Some(Phase::Clearing { seq: until }))
    }
}

/// The end of a monitor's settled past.
struct Before {
    /// Hours up to this one, with it, are settled.
    hour: i64,
    /// Its newest check.
    word: Option<Word>,
}

/// Settles the hours of one monitor before `end`.
fn settle_monitor(
    connection: &Connection,
    monitor: i64,
    seqs: &[i64],
    end: i64,
    last_seq: i64,
) -> Result<()> {
    let rows = fetch(connection, seqs)?;
    let missed = missed(connection, monitor, end)?;
    let before = before(connection, monitor)?;
    let Some(before) = before.or_else(|| first_hour(&rows, &missed)) else {
        return Ok(());
    };
    let end = end.max(before.hour + 1);
    let speaks_on = before
        .word
        .is_some_and(|word| word.until() > (before.hour + 1) * HOUR);
    let day_is_open =
        (before.hour + 1).rem_euclid(24) != 0 && end.div_euclid(24) > before.hour.div_euclid(24);
    if rows.is_empty() && missed.is_empty() && !(speaks_on && end > before.hour + 1) && !day_is_open
    {
        return Ok(());
    }
    let mut changed = Hours::settle(connection, monitor, &before, &rows, &missed, end)?;
    // A day is summed up when it is over, and again when one of its hours changed later.
    if day_is_open {
        changed.insert(before.hour);
    }
    let days: BTreeSet<i64> = changed.iter().map(|hour| hour.div_euclid(24)).collect();
    for day in days {
        if (day + 1) * 24 <= end {
            rollup::put_day(connection, monitor, day)?;
        }
    }
    summary::put(connection, monitor, end - 1, last_seq, &rows)
}

fn fetch(connection: &Connection, seqs: &[i64]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {JOURNAL_COLUMNS} FROM journal WHERE seq = ?1"
    ))?;
    let mut rows = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let mut found = statement.query([seq])?;
        if let Some(row) = found.next()? {
            rows.push(journal_row(row, 0)?);
        }
    }
    rows.sort_by_key(|row: &Row| row.at);
    rows.dedup_by_key(|row| row.at);
    Ok(rows)
}

fn missed(connection: &Connection, monitor: i64, end: i64) -> Result<BTreeMap<i64, u64>> {
    let mut statement = connection
        .prepare_cached("SELECT hour, slots FROM missed WHERE monitor_id = ?1 AND hour < ?2")?;
    let rows = statement.query_map((monitor, end), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    let found = rows.collect::<rusqlite::Result<_>>()?;
    connection
        .prepare_cached("DELETE FROM missed WHERE monitor_id = ?1 AND hour < ?2")?
        .execute((monitor, end))?;
    Ok(found)
}

fn before(connection: &Connection, monitor: i64) -> Result<Option<Before>> {
    let found: Option<(i64, Option<Vec<u8>>)> = connection
        .prepare_cached("SELECT settled_hour, newest FROM summary WHERE monitor_id = ?1")?
        .query_row([monitor], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((hour, newest)) = found else {
        return Ok(None);
    };
    let newest = newest.map(|bytes| unpack(0, &bytes)).transpose()?;
    Ok(Some(Before {
        hour,
        word: newest.and_then(|rows| rows.first().map(word)),
    }))
}

fn first_hour(rows: &[Row], missed: &BTreeMap<i64, u64>) -> Option<Before> {
    let first_row = rows.first().map(|row| row.at.div_euclid(HOUR));
    let first_missed = missed.first_key_value().map(|(hour, _)| *hour);
    let first = first_row.into_iter().chain(first_missed).min()?;
    Some(Before {
        hour: first - 1,
        word: None,
    })
}

struct Hours<'a> {
    connection: &'a Connection,
    monitor: i64,
    word: Option<Word>,
    changed: BTreeSet<i64>,
}

impl Hours<'_> {
    /// Returns the hours that changed.
    fn settle(
        connection: &Connection,
        monitor: i64,
        before: &Before,
        rows: &[Row],
        missed: &BTreeMap<i64, u64>,
        end: i64,
    ) -> Result<BTreeSet<i64>> {
        let mut by_hour: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for row in rows {
            by_hour
                .entry(row.at.div_euclid(HOUR))
                .or_default()
                .push(row.clone());
        }
        for hour in missed.keys() {
            by_hour.entry(*hour).or_default();
        }
        let first = by_hour
            .first_key_value()
            .map_or(before.hour + 1, |(hour, _)| (*hour).min(before.hour + 1));
        // Hours that were settled and come again, since a check of one of them was recorded late.
        for hour in first..=before.hour {
            let in_ledger = !rollup::block(connection, monitor, hour)?.is_empty();
            if in_ledger || rollup::hour(connection, monitor, hour)?.is_some() {
                by_hour.entry(hour).or_default();
            }
        }
        let mut hours = Hours {
            connection,
            monitor,
            word: if first > before.hour {
                before.word
            } else {
                last_word_before(connection, monitor, first)?
            },
            changed: BTreeSet::new(),
        };
        let mut next = first;
        while next < end {
            let speaks = hours.word.is_some_and(|word| word.until() > next * HOUR);
            if !speaks && !by_hour.contains_key(&next) {
                // Silence up to the next hour with anything in it.
                match by_hour.range(next..).next() {
                    Some((hour, _)) if *hour < end => next = *hour,
                    _ => break,
                }
            }
            let late = next <= before.hour;
            let rows = by_hour.remove(&next).unwrap_or_default();
            let slots = missed.get(&next).copied().unwrap_or(0);
            hours.one(next, rows, slots, late)?;
            next += 1;
        }
        Ok(hours.changed)
    }

    fn one(&mut self, hour: i64, mut rows: Vec<Row>, mut missed: u64, late: bool) -> Result<()> {
        let mut gone = None;
        if late {
            let old = rollup::block(self.connection, self.monitor, hour)?;
            if let Some(known) = rollup::hour(self.connection, self.monitor, hour)? {
                missed += known.tally.missed;
                // Its checks were already forgotten: what they counted stays, as does how time passed.
                if old.is_empty() && known.tally.total() > 0 {
                    gone = Some(known);
                }
            }
            rows.extend(old);
            rows.sort_by_key(|row| row.at);
            rows.dedup_by_key(|row| row.at);
        }
        if !rows.is_empty() {
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO ledger (id, checks) VALUES (?1, ?2)")?
                .execute((ledger_id(hour, self.monitor), pack(hour * HOUR, &rows)))?;
        }
        let mut rollup = Rollup::of_hour(hour, self.word, &rows, missed);
        if let Some(known) = gone {
            rollup.tally.missed = 0;
            rollup.tally.merge(&known.tally);
            rollup.timeline = known.timeline;
        }
        rollup::put_hour(self.connection, self.monitor, hour, &rollup)?;
        self.changed.insert(hour);
        if let Some(last) = rows.last() {
            self.word = Some(word(last));
        }
        Ok(())
    }
}
