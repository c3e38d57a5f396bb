//! A start with a clock that is behind the record. Either the record was ahead, or the clock is behind (a machine whose
//! clock has no battery goes on from the time it saved last). The clock is believed at once, and what that changes is
//! kept here as it was: if the clock is soon set forward again, nothing of it remains. The machine may lose its power
//! again before that: what was recorded between two such starts is dated as if the second had followed at once.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::clock_step::{MAIL_PAST, move_mails, move_spans, put_checks_aside, set};
use super::kept_rollups::{self, Marks};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Kept;
use crate::policy::clock_step::ClockStep;
use crate::store::checks::hour_block::{Row, pack_rest, unpack};
use crate::store::checks::hydrate::JOURNAL_COLUMNS;
use crate::store::checks::journal::{DAY, HOUR};
use crate::store::error::Result;
use crate::store::writer::Store;

/// Blocks of an hour of a monitor that are in memory at one time.
const BLOCKS_A_STEP: i64 = 200;

/// The step that was assumed, and which rows of `wrong_clock` it made.
#[derive(Debug, Clone, Copy)]
struct Assumed {
    step: ClockStep,
    marks: Marks,
}

/// What was put aside of the checks of one start's clock, by a later start.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Which start: 0 is that of the first assumed step.
    start: usize,
    marks: Marks,
}

impl Store {
    /// The steps back that starts assumed, one after the other, and that may yet be taken back.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn assumed_steps(&self) -> Result<Vec<ClockStep>> {
        let connection = self.connection();
        let Some(first) = assumed(connection)? else {
            return Ok(Vec::new());
        };
        let mut steps = vec![first.step];
        steps.extend(again(connection)?);
        Ok(steps)
    }

    /// As [`Store::clock_was_set`], with everything kept as it was. While an earlier start's assumption is open,
    /// that one stays: what it kept is what was recorded by the right clock. What was recorded since is put aside too.
    ///
    /// # Errors
    /// As SQLite's; then nothing of it happened.
    pub fn assume_step(&mut self, step: &ClockStep) -> Result<()> {
        self.in_new_time(|db, _| {
            if let Some(open) = assumed(db)?.filter(|open| open.step.is_open_at(step.to)) {
                return assume_again(db, &open, step);
            }
            forget(db)?;
            let first = newest_marked(db)? + 1;
            keep(db, step)?;
            set(db, step)?;
            let image = (
                step.era_from.as_ms(),
                step.from.as_ms(),
                step.to.as_ms(),
                first,
                newest_marked(db)?,
            );
            db.execute(
                "INSERT INTO clock_undo (what, image) VALUES ('step', json_array(?1, ?2, ?3, ?4, ?5))",
                image,
            )?;
            Ok(())
        })
    }

    /// What was remembered of the monitors before the assumed step.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn kept_before_step(&self) -> Result<HashMap<MonitorId, Kept>> {
        let mut found = HashMap::new();
        let mut statement = self
            .connection()
            .prepare("SELECT image ->> 0, image ->> 1 FROM clock_undo WHERE what = 'state'")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let kept: String = row.get(1)?;
            found.insert(MonitorId(row.get(0)?), serde_json::from_str(&kept)?);
        }
        Ok(found)
    }

    /// The clock was set forward, which shows that it had been behind at the start: takes the assumed step back, and
    /// dates what was recorded since by the right time.
    ///
    /// # Errors
    /// As SQLite's; then nothing of it happened.
    pub fn clock_had_been_behind(&mut self, forth: &ClockStep) -> Result<()> {
        self.in_new_time(|db, next_seq| match assumed(db)? {
            None => set(db, forth),
            Some(assumed) => take_back(db, &assumed, forth, next_seq),
        })
    }
}

/// Forgets what is kept of a step that is not taken back any more. Answers how many rows went.
pub(in crate::store) fn forget_old(connection: &Connection, now: Timestamp) -> Result<usize> {
    match assumed(connection)? {
        Some(assumed) if !assumed.step.is_open_at(now) => forget(connection),
        Some(_) | None => Ok(0),
    }
}

fn forget(connection: &Connection) -> Result<usize> {
    Ok(connection.execute("DELETE FROM clock_undo", [])?)
}

fn assumed(connection: &Connection) -> Result<Option<Assumed>> {
    let found: Option<[i64; 5]> = connection
        .prepare_cached(
            "SELECT image ->> 0, image ->> 1, image ->> 2, image ->> 3, image ->> 4
             FROM clock_undo WHERE what = 'step'",
        )?
        .query_row([], |row| {
            Ok([
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ])
        })
        .optional()?;
    Ok(found.map(|[era_from, from, to, first, last]| Assumed {
        step: step_of(era_from, from, to),
        marks: (first, last),
    }))
}

const fn step_of(era_from: i64, from: i64, to: i64) -> ClockStep {
    ClockStep {
        era_from: Timestamp::from_ms(era_from),
        from: Timestamp::from_ms(from),
        to: Timestamp::from_ms(to),
    }
}

/// The further steps that starts assumed after the first one, by a clock that was still behind, in their order.
fn again(connection: &Connection) -> Result<Vec<ClockStep>> {
    let mut statement = connection.prepare_cached(
        "SELECT image ->> 0, image ->> 1, image ->> 2 FROM clock_undo WHERE what = 'again' ORDER BY rowid",
    )?;
    let rows = statement.query_map([], |row| Ok(step_of(row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn parts(connection: &Connection) -> Result<Vec<Part>> {
    let mut statement = connection.prepare_cached(
        "SELECT image ->> 0, image ->> 1, image ->> 2 FROM clock_undo WHERE what = 'part' ORDER BY rowid",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Part {
            start: usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            marks: (row.get(1)?, row.get(2)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Puts what was recorded by the clock that was behind aside, those of each start by themselves, the newest first: each
/// start recorded nothing before its own beginning. What is dated up to `until` stays.
fn put_starts_aside(
    connection: &Connection,
    beginnings: &[Timestamp],
    until: Timestamp,
) -> Result<Vec<Part>> {
    let mut found = Vec::new();
    for (start, from) in beginnings.iter().enumerate().rev() {
        let before = newest_marked(connection)?;
        put_checks_aside(connection, until.max(*from).as_ms())?;
        let last = newest_marked(connection)?;
        if last > before {
            let marks = (before + 1, last);
            found.push(Part { start, marks });
        }
    }
    Ok(found)
}

/// When each start began, by its own clock.
fn beginnings(open: &Assumed, again: &[ClockStep]) -> Vec<Timestamp> {
    let later = again.iter().map(|step| step.to);
    std::iter::once(open.step.to).chain(later).collect()
}

fn assume_again(connection: &Connection, open: &Assumed, step: &ClockStep) -> Result<()> {
    let beginnings = beginnings(open, &again(connection)?);
    for part in put_starts_aside(connection, &beginnings, step.to)? {
        let (first, last) = part.marks;
        let start = i64::try_from(part.start).unwrap_or(i64::MAX);
        connection.execute(
            "INSERT INTO clock_undo VALUES ('part', json_array(?1, ?2, ?3))",
            (start, first, last),
        )?;
    }
    // They ended as long before this start as they did.
    move_incidents(connection, open.step.to.as_ms(), step)?;
    set(connection, step)?;
    connection.execute(
        "INSERT INTO clock_undo VALUES ('again', json_array(?1, ?2, ?3))",
        (step.era_from.as_ms(), step.from.as_ms(), step.to.as_ms()),
    )?;
    Ok(())
}

fn newest_marked(connection: &Connection) -> Result<i64> {
    let sql = "SELECT coalesce(max(id), 0) FROM wrong_clock";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Keeps what the step is going to change.
fn keep(connection: &Connection, step: &ClockStep) -> Result<()> {
    let now = step.to.as_ms();
    for sql in [
        "INSERT INTO clock_undo SELECT 'incident',
           json_array(monitor_id, opened_at, closed_at, began_at, clock_wrong)
         FROM incidents WHERE closed_at IS NULL OR closed_at > ?1",
        "INSERT INTO clock_undo SELECT 'monitor', json_array(id, first_at, added_at, removed_at)
         FROM monitors WHERE first_at > ?1 OR added_at > ?1 OR removed_at > ?1",
        "INSERT INTO clock_undo SELECT 'state', json_array(monitor_id, kept) FROM states WHERE ?1 = ?1",
        "INSERT INTO clock_undo SELECT 'mail',
           json_array(id, queued_at, first_attempt_at, last_attempt_at, begun_at, released_at, done_at)
         FROM outbox WHERE max(queued_at, coalesce(last_attempt_at, 0), coalesce(done_at, 0),
           coalesce(released_at, 0)) > ?1",
    ] {
        connection.execute(sql, [now])?;
    }
    connection.execute(
        "INSERT INTO clock_undo SELECT 'missed', json_array(monitor_id, hour, slots) FROM missed WHERE hour > ?1",
        [now.div_euclid(HOUR)],
    )?;
    kept_rollups::keep(connection, now)?;
    let mut spans: Vec<(i64, String, i64, Option<i64>)> = Vec::new();
    let mut statement = connection.prepare(
        "SELECT monitor_id, kind, from_at, to_at FROM spans WHERE from_at > ?1 OR to_at > ?1 OR to_at IS NULL",
    )?;
    let mut rows = statement.query([now])?;
    while let Some(row) = rows.next()? {
        spans.push((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    }
    for (monitor, kind, from, to) in spans {
        // Under which beginning it is found again.
        let moved = match to {
            None => step.past(Timestamp::from_ms(from)).as_ms(),
            Some(_) => from,
        };
        connection
            .prepare_cached(
                "INSERT INTO clock_undo VALUES ('span', json_array(?1, ?2, ?3, ?4, ?5))",
            )?
            .execute(params![monitor, kind, from, to, moved])?;
    }
    Ok(())
}

fn take_back(
    connection: &Connection,
    assumed: &Assumed,
    forth: &ClockStep,
    next_seq: &mut i64,
) -> Result<()> {
    let behind = assumed.step.to.as_ms();
    // What was recorded since is dated by the clocks that were behind.
    let again = again(connection)?;
    let beginnings = beginnings(assumed, &again);
    let mut since = parts(connection)?;
    since.extend(put_starts_aside(connection, &beginnings, assumed.step.to)?);
    kept_rollups::restore(connection, assumed.marks, behind)?;
    put_back(connection, assumed.marks, 0, next_seq)?;
    let mut by = forth.by_ms();
    for start in (0..beginnings.len()).rev() {
        for part in since.iter().filter(|part| part.start == start) {
            put_back(connection, part.marks, by, next_seq)?;
        }
        // Before the step of this start others recorded.
        let step = start.checked_sub(1).and_then(|before| again.get(before));
        by = by.saturating_add(step.map_or(0, ClockStep::by_ms));
    }
    take_out_spans(connection, forth)?;
    move_spans(connection, forth)?;
    move_mails(connection, forth)?;
    move_incidents(connection, behind, forth)?;
    restore(connection, assumed, forth)?;
    forget(connection)?;
    Ok(())
}

/// Takes the spans out that come back as they were; one that was open and has ended since keeps its end.
fn take_out_spans(connection: &Connection, forth: &ClockStep) -> Result<()> {
    connection.execute(
        "UPDATE clock_undo SET image = json_set(image, '$[3]', coalesce(
           (SELECT min(to_at + ?2, ?1) FROM spans WHERE monitor_id = image ->> 0 AND kind = image ->> 1
            AND from_at = image ->> 4), ?1))
         WHERE what = 'span' AND image ->> 3 IS NULL AND NOT EXISTS
           (SELECT 1 FROM spans WHERE monitor_id = image ->> 0 AND kind = image ->> 1
            AND from_at = image ->> 4 AND to_at IS NULL)",
        (forth.to.as_ms(), forth.by_ms()),
    )?;
    connection.execute(
        "DELETE FROM spans WHERE (monitor_id, kind, from_at) IN
           (SELECT image ->> 0, image ->> 1, image ->> 4 FROM clock_undo WHERE what = 'span')",
        [],
    )?;
    Ok(())
}

/// Puts checks that were put aside into the journal again; they come into the ledger with the next settling.
fn put_back(
    connection: &Connection,
    (first, last): Marks,
    by: i64,
    next_seq: &mut i64,
) -> Result<()> {
    let mut select = connection.prepare(
        "SELECT id, monitor_id, hour, checks FROM wrong_clock WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut from = first;
    loop {
        let mut blocks: Vec<(i64, i64, Vec<Row>)> = Vec::new();
        let mut rows = select.query((from, last, BLOCKS_A_STEP))?;
        while let Some(row) = rows.next()? {
            let hour: i64 = row.get(2)?;
            let bytes = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
            blocks.push((row.get(0)?, row.get(1)?, unpack(hour * HOUR, bytes)?));
        }
        let Some((newest, _, _)) = blocks.last() else {
            break;
        };
        from = newest + 1;
        for (_, monitor, checks) in blocks {
            for mut check in checks {
                check.at += by;
                append(connection, *next_seq, monitor, &check)?;
                *next_seq += 1;
            }
        }
    }
    connection.execute(
        "DELETE FROM wrong_clock WHERE id BETWEEN ?1 AND ?2",
        (first, last),
    )?;
    Ok(())
}

fn append(connection: &Connection, seq: i64, monitor: i64, check: &Row) -> Result<()> {
    let context = &check.context;
    let some = |number: i64| (number != 0).then_some(number);
    let [dns, connect, tls, ttfb, body] = check.phases;
    let redirects = pack_rest(check.redirects.iter().copied(), &check.extras);
    connection
        .prepare_cached(&format!(
            "INSERT INTO journal (seq, monitor_id, {JOURNAL_COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
        ))?
        .execute(params![
            seq,
            monitor,
            check.at,
            context.interval_ms,
            context.state,
            some(context.failure),
            some(i64::from(context.status)),
            context.chain,
            context.peers,
            some(context.certificate),
            some(i64::from(context.http_version)),
            context.retry_after.checked_sub(1).map(u64::cast_signed),
            check.body_bytes.cast_signed(),
            dns,
            connect,
            tls,
            ttfb,
            body,
            check.total,
            redirects,
        ])?;
    Ok(())
}

/// Incidents that ended since the start did so by the clock that was behind.
fn move_incidents(connection: &Connection, behind: i64, forth: &ClockStep) -> Result<()> {
    let of_clock = (behind, forth.by_ms(), forth.to.as_ms());
    connection.execute(
        "UPDATE incidents SET began_at = coalesce(began_at, opened_at) + ?2, closed_at = min(closed_at + ?2, ?3)
         WHERE opened_at > ?1 AND closed_at IS NOT NULL AND (monitor_id, opened_at) NOT IN
           (SELECT image ->> 0, image ->> 1 FROM clock_undo WHERE what = 'incident')",
        of_clock,
    )?;
    connection.execute(
        "UPDATE incidents SET closed_at = min(closed_at + ?1, ?2)
         FROM clock_undo WHERE what = 'incident' AND image ->> 2 IS NULL AND closed_at IS NOT NULL
           AND monitor_id = image ->> 0 AND opened_at = image ->> 1",
        [forth.by_ms(), forth.to.as_ms()],
    )?;
    Ok(())
}

/// Writes what was kept over what the step made of it.
fn restore(connection: &Connection, assumed: &Assumed, forth: &ClockStep) -> Result<()> {
    for sql in [
        // What was open ended since, if it did.
        "UPDATE incidents SET closed_at = coalesce(image ->> 2, closed_at), began_at = image ->> 3,
           clock_wrong = image ->> 4
         FROM clock_undo WHERE what = 'incident' AND monitor_id = image ->> 0 AND opened_at = image ->> 1",
        "UPDATE monitors SET first_at = coalesce(image ->> 1, first_at), added_at = image ->> 2,
           removed_at = CASE WHEN removed_at IS NULL THEN NULL ELSE coalesce(image ->> 3, removed_at) END
         FROM clock_undo WHERE what = 'monitor' AND id = image ->> 0",
        "INSERT INTO missed (monitor_id, hour, slots)
         SELECT image ->> 0, image ->> 1, image ->> 2 FROM clock_undo WHERE what = 'missed'
         ON CONFLICT (monitor_id, hour) DO UPDATE SET slots = slots + excluded.slots",
        "INSERT OR REPLACE INTO spans (monitor_id, kind, from_at, to_at)
         SELECT image ->> 0, image ->> 1, image ->> 2, image ->> 3 FROM clock_undo WHERE what = 'span'",
    ] {
        connection.execute(sql, [])?;
    }
    let done = MAIL_PAST
        .iter()
        .zip(1..)
        .map(|(column, place)| format!("{column} = image ->> {place}"))
        .collect::<Vec<_>>()
        .join(", ");
    connection.execute(
        &format!(
            "UPDATE outbox SET {done} FROM clock_undo
             WHERE what = 'mail' AND id = image ->> 0 AND image ->> 6 IS NOT NULL"
        ),
        [],
    )?;
    connection.execute(
        "UPDATE outbox SET queued_at = image ->> 1,
           first_attempt_at = coalesce(image ->> 2, first_attempt_at)
         FROM clock_undo WHERE what = 'mail' AND id = image ->> 0 AND image ->> 6 IS NULL",
        [],
    )?;
    let days = (
        assumed.step.to.as_ms().div_euclid(DAY),
        forth.to.as_ms().div_euclid(DAY),
    );
    for table in ["failures", "chains", "peers", "certificates"] {
        connection.execute(
            &format!("UPDATE {table} SET used_day = ?2 WHERE used_day = ?1"),
            days,
        )?;
    }
    Ok(())
}
