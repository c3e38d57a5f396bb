//! How time passed for a monitor: from roll-ups as far as it is settled, from the journal from there on.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::hour_block::{Row, unpack};
use super::journal::{DAY, HOUR, Whose, unsettled};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::{MonitorId, Rules};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::confirm;
use crate::policy::availability::timeline::{Timeline, Word};
use crate::policy::availability::uptime::{Account, Overlays, Piece, account, pieces};
use crate::store::compaction::rollup::last_word_before;
use crate::store::compaction::rollup::{self, Tally, word};
use crate::store::error::Result;
use crate::store::facts::locations::Series;
use crate::store::facts::{amendments, meta};
use crate::store::reader::Reader;

/// Everything that is needed to account for any part of a period.
#[derive(Debug, Clone)]
pub struct Course {
    /// Where the account begins: the monitor's first check, or the beginning of the period if that is later.
    /// `None` if the monitor has no check before the end of the period.
    pub begin: Option<Timestamp>,
    /// The end of the period.
    pub end: Timestamp,
    /// Who spoke when.
    pub timeline: Timeline,
    /// Incidents, windows, pauses.
    pub overlays: Overlays,
    /// Counts and latencies of the period.
    pub tally: Tally,
    /// By place in [`Overlays::incidents`]: what the incident is called, which is when it opened by the clock of then.
    keys: Vec<i64>,
    monitor: i64,
}

impl Course {
    /// Accounts for a part of the period, in milliseconds; what lies outside of it is left out.
    pub fn account(&self, from: i64, to: i64) -> Account {
        let to = to.min(self.end.as_ms());
        account(&self.pieces(from, to), &self.overlays.incidents, to)
    }

    /// Accounts for the whole period.
    pub fn whole(&self) -> Account {
        self.account(i64::MIN, i64::MAX)
    }

    /// The same without amendments: as the checks, the windows and the incidents say.
    pub fn raw(&self) -> Self {
        let mut raw = self.clone();
        raw.overlays.amended.clear();
        raw
    }

    /// How many incidents of the period are amended.
    pub fn amendments(&self) -> usize {
        self.overlays.amended.len()
    }

    /// The pieces of a part of the period, in order.
    pub fn pieces(&self, from: i64, to: i64) -> Vec<Piece> {
        let Some(begin) = self.begin else {
            return Vec::new();
        };
        let (from, to) = (from.max(begin.as_ms()), to.min(self.end.as_ms()));
        if from >= to {
            return Vec::new();
        }
        pieces(from, to, &self.timeline, &self.overlays)
    }

    /// The incident of a place in [`Overlays::incidents`].
    pub fn incident(&self, place: usize) -> Option<IncidentKey> {
        let opened_at = self.keys.get(place)?;
        Some(IncidentKey {
            monitor: MonitorId(self.monitor),
            opened_at: Timestamp::from_ms(*opened_at),
        })
    }
}

impl Reader {
    /// How the time from `from` to `to` passed for each of some monitors (all where none is named). `to` should not
    /// lie in the future. Counts and latencies are exact to the check while the checks at the edges of the period
    /// are kept, later to the hour; times are always exact.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn courses(
        &self,
        monitors: &[MonitorId],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<HashMap<MonitorId, Course>> {
        self.together(|reader| {
            let connection = reader.connection();
            let whose = Whose::of(monitors);
            let mut fresh: HashMap<i64, Vec<Row>> = HashMap::new();
            for (monitor, row) in unsettled(connection, &whose, i64::MIN)? {
                fresh.entry(monitor).or_default().push(row);
            }
            let mut found = HashMap::new();
            for monitor in reader.monitors()? {
                if whose.has(monitor.id.0) {
                    let rows = fresh.remove(&monitor.id.0).unwrap_or_default();
                    let course = course(connection, monitor.id.0, from.as_ms(), to.as_ms(), rows)?;
                    found.insert(monitor.id, course);
                }
            }
            Ok(found)
        })
    }
}

impl Reader {
    /// How the time from `from` to `to` passed for a monitor as one of its locations saw it: an outage is what the
    /// location confirmed by these rules.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn course_of_location(
        &self,
        series: &Series,
        rules: &Rules,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Course> {
        self.together(|reader| {
            let connection = reader.connection();
            let id = series.id.0;
            let fresh = unsettled(connection, &Whose::One(id), i64::MIN)?;
            let fresh = fresh.into_iter().map(|(_, row)| row).collect();
            let mut found = course(connection, id, from.as_ms(), to.as_ms(), fresh)?;
            let own = frame(connection, series.monitor.0, from.as_ms(), to.as_ms())?;
            found.overlays = own.overlays;
            found.overlays.amended.clear();
            let checks = reader.checks(series.id, from, to)?;
            let outages = confirm::outages(rules, &checks).into_iter();
            let ms = |(from, to): (Timestamp, Option<Timestamp>)| {
                (from.as_ms(), to.map(Timestamp::as_ms))
            };
            found.overlays.incidents = outages.map(ms).collect();
            found.keys = (found.overlays.incidents.iter().map(|(from, _)| *from)).collect();
            Ok(found)
        })
    }
}

/// The same of one monitor without what is not settled: for the summary.
pub(in crate::store) fn settled(
    connection: &Connection,
    monitor: i64,
    from: i64,
    to: i64,
) -> Result<Course> {
    let mut course = frame(connection, monitor, from, to)?;
    let Some(begin) = course.begin else {
        return Ok(course);
    };
    times(
        connection,
        &mut course.timeline,
        monitor,
        begin.as_ms(),
        to,
        to.div_euclid(HOUR),
    )?;
    Ok(course)
}

fn course(
    connection: &Connection,
    monitor: i64,
    from: i64,
    to: i64,
    mut fresh: Vec<Row>,
) -> Result<Course> {
    let mut course = frame(connection, monitor, from, to)?;
    let Some(begin) = course.begin else {
        return Ok(course);
    };
    let from = begin.as_ms();
    fresh.sort_by_key(|row| row.at);
    fresh.dedup_by_key(|row| row.at);
    let (settled_end, words, rows) = tail(connection, monitor, fresh)?;
    times(
        connection,
        &mut course.timeline,
        monitor,
        from,
        to,
        settled_end,
    )?;
    let spoken = words.into_iter().chain(rows.iter().map(word));
    course
        .timeline
        .extend(&Timeline::of(spoken, from.max(settled_end * HOUR), to));
    counts(
        connection,
        &mut course.tally,
        monitor,
        from,
        to.min(settled_end * HOUR),
    )?;
    for row in rows.iter().filter(|row| row.at >= from && row.at < to) {
        course.tally.count(row);
    }
    let slots: Option<i64> = connection
        .prepare_cached(
            "SELECT sum(slots) FROM missed WHERE monitor_id = ?1 AND hour >= ?2 AND hour < ?3",
        )?
        .query_row(
            (
                monitor,
                from.div_euclid(HOUR),
                (to + HOUR - 1).div_euclid(HOUR),
            ),
            |row| row.get(0),
        )?;
    course.tally.missed += slots.unwrap_or(0).unsigned_abs();
    Ok(course)
}

fn frame(connection: &Connection, monitor: i64, from: i64, to: i64) -> Result<Course> {
    let first: Option<i64> = connection
        .prepare_cached(
            "SELECT first_at FROM monitors WHERE id = ?1 UNION ALL SELECT from_at FROM series WHERE id = ?1",
        )?
        .query_row([monitor], |row| row.get(0))
        .optional()?
        .flatten();
    let mut course = Course {
        begin: None,
        end: Timestamp::from_ms(to),
        timeline: Timeline::default(),
        overlays: Overlays::default(),
        tally: Tally::default(),
        keys: Vec::new(),
        monitor,
    };
    let Some(first) = first.filter(|first| *first < to) else {
        return Ok(course);
    };
    let begin = from.max(first).max(forgotten_before(connection)?);
    course.begin = Some(Timestamp::from_ms(begin));
    let incidents = connection
        .prepare_cached(
            "SELECT coalesce(began_at, opened_at) AS began, closed_at, opened_at FROM incidents
             WHERE monitor_id = ?1 AND began < ?3 AND (closed_at IS NULL OR closed_at > ?2) AND NOT clock_wrong
             ORDER BY began",
        )?
        .query_map((monitor, begin, to), |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<((i64, Option<i64>), i64)>>>()?;
    let meanings = match incidents.is_empty() {
        true => HashMap::new(),
        false => amendments::meanings(connection, monitor)?,
    };
    for (place, (incident, key)) in incidents.into_iter().enumerate() {
        if let Some(counts_as) = meanings.get(&key) {
            course.overlays.amended.insert(place, *counts_as);
        }
        course.overlays.incidents.push(incident);
        course.keys.push(key);
    }
    let mut statement = connection.prepare_cached(
        "SELECT kind, from_at, coalesce(to_at, ?3) FROM spans
         WHERE monitor_id = ?1 AND from_at < ?3 AND (to_at IS NULL OR to_at > ?2) ORDER BY from_at",
    )?;
    let mut rows = statement.query((monitor, begin, to))?;
    while let Some(row) = rows.next()? {
        let span = (row.get(1)?, row.get(2)?);
        match row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)? {
            "maintenance" => course.overlays.maintenance.push(span),
            _ => course.overlays.unwatched.push(span),
        }
    }
    Ok(course)
}

/// Roll-ups of earlier times are not kept any more.
pub(super) fn forgotten_before(connection: &Connection) -> Result<i64> {
    Ok(meta::get(connection, "rollups_from")?.unwrap_or(i64::MIN))
}

/// What follows the roll-ups: the hour up to which they count, the check that speaks into the time after it, and the
/// checks from there on. Where a check was recorded late the roll-ups after it do not count yet.
fn tail(
    connection: &Connection,
    monitor: i64,
    fresh: Vec<Row>,
) -> Result<(i64, Option<Word>, Vec<Row>)> {
    let found: Option<(i64, Option<Vec<u8>>)> = connection
        .prepare_cached("SELECT settled_hour, newest FROM summary WHERE monitor_id = ?1")?
        .query_row([monitor], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((settled_hour, newest)) = found else {
        let first = fresh
            .first()
            .map_or(i64::from(i32::MIN), |row| row.at.div_euclid(HOUR));
        return Ok((first, None, fresh));
    };
    let settled_end = settled_hour + 1;
    let late = fresh
        .first()
        .map(|row| row.at.div_euclid(HOUR))
        .filter(|hour| *hour < settled_end);
    let Some(hour) = late else {
        let newest = newest.map(|bytes| unpack(0, &bytes)).transpose()?;
        let before = newest.and_then(|rows| rows.first().map(word));
        return Ok((settled_end, before, fresh));
    };
    let mut rows = fresh;
    for one in hour..settled_end {
        rows.extend(rollup::block(connection, monitor, one)?);
    }
    rows.sort_by_key(|row| row.at);
    rows.dedup_by_key(|row| row.at);
    Ok((hour, last_word_before(connection, monitor, hour)?, rows))
}

/// Appends what the roll-ups of the hours before `settled_end` say of the time from `from` to `to`.
fn times(
    connection: &Connection,
    timeline: &mut Timeline,
    monitor: i64,
    from: i64,
    to: i64,
    settled_end: i64,
) -> Result<()> {
    let end_hour = (to + HOUR - 1).div_euclid(HOUR).min(settled_end);
    let end_day = end_hour.div_euclid(24);
    let first_day = from.div_euclid(DAY);
    rollup::days(connection, monitor, first_day, end_day, |_, rollup| {
        timeline.extend(&rollup.timeline);
    })?;
    for hour in from.div_euclid(HOUR).max(end_day * 24)..end_hour {
        if let Some(rollup) = rollup::hour(connection, monitor, hour)? {
            timeline.extend(&rollup.timeline);
        }
    }
    Ok(())
}

/// Adds the checks from `from` to `to`, all of them settled: days where whole days lie between, hours where whole hours
/// do, single checks at the edges.
pub(in crate::store) fn counts(
    connection: &Connection,
    tally: &mut Tally,
    monitor: i64,
    from: i64,
    to: i64,
) -> Result<()> {
    let mut at = from;
    while at < to {
        let hour = at.div_euclid(HOUR);
        let whole_day = at.rem_euclid(DAY) == 0 && at + DAY <= to;
        if whole_day {
            let (first, end) = (at / DAY, to.div_euclid(DAY));
            rollup::days(connection, monitor, first, end, |_, rollup| {
                tally.merge(&rollup.tally);
            })?;
            at = end * DAY;
        } else if at.rem_euclid(HOUR) == 0 && at + HOUR <= to {
            if let Some(rollup) = rollup::hour(connection, monitor, hour)? {
                tally.merge(&rollup.tally);
            }
            at += HOUR;
        } else {
            let end = ((hour + 1) * HOUR).min(to);
            edge(connection, tally, monitor, hour, at, end)?;
            at = end;
        }
    }
    Ok(())
}

/// The checks of a part of an hour; where they are no longer kept, those of the hour if it begins in the period.
fn edge(
    connection: &Connection,
    tally: &mut Tally,
    monitor: i64,
    hour: i64,
    from: i64,
    to: i64,
) -> Result<()> {
    let rows = rollup::block(connection, monitor, hour)?;
    if rows.is_empty() {
        if from == hour * HOUR
            && let Some(rollup) = rollup::hour(connection, monitor, hour)?
        {
            tally.merge(&rollup.tally);
        }
        return Ok(());
    }
    for row in rows.iter().filter(|row| row.at >= from && row.at < to) {
        tally.count(row);
    }
    Ok(())
}
