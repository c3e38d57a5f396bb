//! The recorded checks, newest first, hour by hour: never more of them in memory than one hour and the journal have.

use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, RangeInclusive};

use super::hour_block::Row;
use super::hydrate::state_of;
use super::journal::{HOUR, Whose, hour_before, ledger_hour, unsettled};
use crate::domain::check::{Check, CheckState};
use crate::domain::location::LocationName;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::store::error::Result;
use crate::store::facts::clock_step;
use crate::store::facts::locations::{FIRST_SERIES, Series};
use crate::store::facts::monitors::StoredMonitor;
use crate::store::reader::Reader;

/// Which checks are wanted.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// Of these monitors; of all if empty.
    pub monitors: Vec<MonitorId>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// With one of these verdicts; with any if empty.
    pub states: Vec<CheckState>,
    /// With a status in one of these ranges; if empty, with any status or without one.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// Only those whose verdict, status or chain (codes, and URLs without query and fragment) differs from the
    /// check before it; a monitor's first check counts.
    pub changes: bool,
    /// At most this many.
    pub limit: Option<u64>,
    /// Also those that were recorded while the clock was ahead.
    pub by_wrong_clock: bool,
    /// Whether those of each location are wanted, or what the locations agree on.
    pub whose: Whence,
}

/// Which checks of a monitor with locations are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Whence {
    /// What its locations agree on.
    #[default]
    Agreed,
    /// What each location saw.
    Each,
    /// What these locations saw.
    Some(Vec<LocationName>),
}

/// Whether the clock that dated a check was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dated {
    /// As far as is known, it was.
    Well,
    /// It was ahead and was set back afterwards: the check counts nowhere.
    Wrongly,
}

impl HistoryQuery {
    fn wants(&self, row: &Row) -> bool {
        let status = row.context.status;
        self.since.is_none_or(|since| row.at >= since.as_ms())
            && self.until.is_none_or(|until| row.at < until.as_ms())
            && (self.states.is_empty() || self.states.contains(&state_of(row.context.state)))
            && (self.statuses.is_empty()
                || status != 0 && self.statuses.iter().any(|range| range.contains(&status)))
    }
}

impl Reader {
    /// Calls `each` with every wanted check and its monitor, newest first (at the same moment by number of the
    /// monitor), until it breaks or there are no more.
    ///
    /// No transaction lasts longer than one hour's reading, so that a pager left open does not hold the database.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn history(
        &self,
        query: &HistoryQuery,
        each: &mut dyn FnMut(&StoredMonitor, Check, Dated) -> ControlFlow<()>,
    ) -> Result<()> {
        self.history_of_locations(query, &mut |monitor, _, check, dated| {
            each(monitor, check, dated)
        })
    }

    /// The same, with the location of each check that has one.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn history_of_locations(
        &self,
        query: &HistoryQuery,
        each: &mut EachCheck<'_>,
    ) -> Result<()> {
        let known: HashMap<i64, StoredMonitor> = self
            .monitors()?
            .into_iter()
            .map(|monitor| (monitor.id.0, monitor))
            .collect();
        let lines = match query.whose {
            Whence::Agreed => Lines::default(),
            Whence::Each | Whence::Some(_) => Lines::of(self.series(None)?, query),
        };
        let whose = lines.whose(&query.monitors);
        let mut walk = Walk {
            reader: self,
            query,
            known: &known,
            lines: &lines,
            each,
            left: query.limit.unwrap_or(u64::MAX),
            waiting: BTreeMap::new(),
            successor: HashMap::new(),
            next: 0,
        };
        if walk.left == 0 {
            return Ok(());
        }
        let since = query.since.map_or(i64::MIN, Timestamp::as_ms);
        // For `changes` the check before the first wanted one is needed as well.
        let floor = if query.changes { i64::MIN } else { since };
        let mut fresh: BTreeMap<i64, Vec<(i64, Row)>> = BTreeMap::new();
        for (monitor, row) in unsettled(self.connection(), &whose, floor)? {
            let hour = row.at.div_euclid(HOUR);
            fresh.entry(hour).or_default().push((monitor, row));
        }
        let mut hour = query.until.map_or(i64::from(i32::MAX), |until| {
            until.as_ms().div_euclid(HOUR) + 1
        });
        loop {
            let settled = hour_before(self.connection(), hour)?;
            let unsettled = fresh.range(..hour).next_back().map(|(hour, _)| *hour);
            let marked = match query.by_wrong_clock {
                true => clock_step::marked_hour_before(self.connection(), hour)?,
                false => None,
            };
            let Some(next) = settled.max(unsettled).max(marked) else {
                break;
            };
            hour = next;
            let past_since = hour < since.div_euclid(HOUR);
            if past_since && (!query.changes || walk.successor.is_empty()) {
                break;
            }
            let mut rows = fresh.remove(&hour).unwrap_or_default();
            ledger_hour(self.connection(), &whose, hour, |monitor, block| {
                rows.extend(block.into_iter().map(|row| (monitor, row)));
            })?;
            if query.whose != Whence::Agreed {
                rows.retain(|(monitor, row)| lines.wants(*monitor, row.at));
            }
            rows.sort_by_key(|(monitor, row)| (std::cmp::Reverse(row.at), *monitor));
            // A check that was settled between the reading of the journal and of the ledger is in both.
            rows.dedup_by_key(|(monitor, row)| (*monitor, row.at));
            let mut rows: Vec<(i64, Row, Dated)> = rows
                .into_iter()
                .map(|(monitor, row)| (monitor, row, Dated::Well))
                .collect();
            if marked == Some(hour) {
                clock_step::marked_rows(self.connection(), &whose, hour, |monitor, row| {
                    rows.push((monitor, row, Dated::Wrongly));
                })?;
                rows.sort_by_key(|(monitor, row, _)| (std::cmp::Reverse(row.at), *monitor));
            }
            for (monitor, row, dated) in rows {
                let told = match dated {
                    Dated::Well => walk.step(monitor, row)?,
                    // It is no neighbour of any other check.
                    Dated::Wrongly if query.wants(&row) => walk.say(monitor, &row, dated)?,
                    Dated::Wrongly => ControlFlow::Continue(()),
                };
                if told.is_break() {
                    return Ok(());
                }
            }
        }
        walk.end()
    }
}

/// What is called with every check: its monitor, its location, itself, and whether its clock was right.
pub type EachCheck<'e> =
    dyn FnMut(&StoredMonitor, Option<&LocationName>, Check, Dated) -> ControlFlow<()> + 'e;

/// The series of the monitors that are wanted, by number.
#[derive(Default)]
struct Lines {
    by_number: HashMap<i64, Series>,
    /// Whether checks without a location are wanted as well.
    with_others: bool,
}

impl Lines {
    fn of(all: Vec<Series>, query: &HistoryQuery) -> Self {
        let is_wanted =
            |series: &Series| query.monitors.is_empty() || query.monitors.contains(&series.monitor);
        let is_from = |series: &Series| match &query.whose {
            Whence::Agreed | Whence::Each => true,
            Whence::Some(locations) => locations.contains(&series.location),
        };
        let lines = all.into_iter();
        Self {
            by_number: lines
                .filter(|series| is_wanted(series) && is_from(series))
                .map(|series| (series.id.0, series))
                .collect(),
            with_others: query.whose == Whence::Each,
        }
    }

    fn whose(&self, monitors: &[MonitorId]) -> Whose {
        if monitors.is_empty() || self.by_number.is_empty() {
            return Whose::of(monitors);
        }
        let own = monitors.iter().copied();
        let all: Vec<MonitorId> = own
            .chain(self.by_number.keys().map(|id| MonitorId(*id)))
            .collect();
        Whose::of(&all)
    }

    /// Whether a check with this number is wanted. What locations agreed on is not, beside what they saw.
    fn wants(&self, number: i64, at: i64) -> bool {
        if self.by_number.contains_key(&number) {
            return true;
        }
        if number >= FIRST_SERIES || !self.with_others {
            return false;
        }
        let covers = |series: &&Series| {
            series.monitor.0 == number
                && series.from.as_ms() <= at
                && series.to.is_none_or(|to| at < to.as_ms())
        };
        !self.by_number.values().any(|series| covers(&series))
    }
}

/// Reads backwards in time.
struct Walk<'a> {
    reader: &'a Reader,
    query: &'a HistoryQuery,
    known: &'a HashMap<i64, StoredMonitor>,
    lines: &'a Lines,
    each: &'a mut EachCheck<'a>,
    left: u64,
    /// With `changes`: checks that wait for the check before them, which decides whether they are a change.
    waiting: BTreeMap<u64, (i64, Row, bool)>,
    /// By monitor the place in `waiting` of the check after the one to come.
    successor: HashMap<i64, u64>,
    next: u64,
}

impl Walk<'_> {
    fn step(&mut self, monitor: i64, row: Row) -> Result<ControlFlow<()>> {
        if !self.query.changes {
            return if self.query.wants(&row) {
                self.say(monitor, &row, Dated::Well)
            } else {
                Ok(ControlFlow::Continue(()))
            };
        }
        if let Some(place) = self.successor.remove(&monitor) {
            self.decide(place, &row)?;
        }
        let too_new = self
            .query
            .until
            .is_some_and(|until| row.at >= until.as_ms());
        let too_old = self.query.since.is_some_and(|since| row.at < since.as_ms());
        if !too_new && !too_old {
            self.waiting.insert(self.next, (monitor, row, false));
            self.successor.insert(monitor, self.next);
            self.next += 1;
        }
        self.flush()
    }

    /// Whether the check at `place` differs from the one before it.
    fn decide(&mut self, place: u64, before: &Row) -> Result<()> {
        let Some((_, row, certain)) = self.waiting.get_mut(&place) else {
            return Ok(());
        };
        let (after, before) = (&row.context, &before.context);
        let connection = self.reader.connection();
        let shape = |chain| self.reader.resolver.shape(connection, chain);
        let changed = after.state != before.state
            || after.status != before.status
            || after.chain != before.chain && shape(after.chain)? != shape(before.chain)?;
        if changed && self.query.wants(row) {
            *certain = true;
        } else {
            self.waiting.remove(&place);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<ControlFlow<()>> {
        while self
            .waiting
            .first_key_value()
            .is_some_and(|(_, (.., certain))| *certain)
        {
            if let Some((_, (monitor, row, _))) = self.waiting.pop_first()
                && self.say(monitor, &row, Dated::Well)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Decides the checks that are left: they had no check before them.
    fn end(mut self) -> Result<()> {
        while let Some((_, (monitor, row, _))) = self.waiting.pop_first() {
            if self.query.wants(&row) && self.say(monitor, &row, Dated::Well)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn say(&mut self, monitor: i64, row: &Row, dated: Dated) -> Result<ControlFlow<()>> {
        let line = self.lines.by_number.get(&monitor);
        let own = line.map_or(monitor, |line| line.monitor.0);
        let Some(whose) = self.known.get(&own) else {
            return Ok(ControlFlow::Continue(()));
        };
        let location = line.map(|line| &line.location);
        let check = self.reader.resolver.check(self.reader.connection(), row)?;
        self.left -= 1;
        let told = (self.each)(whose, location, check, dated);
        Ok(if self.left == 0 {
            ControlFlow::Break(())
        } else {
            told
        })
    }
}
