//! Reads the time behind us in rounds over all monitors, in small portions, on a thread of its own: the days that are
//! over do not change, and the others move slowly.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::time::Instant;

use super::history_cache::{AllKnown, Known, hours_until, times};
use super::sources::Sources;
use crate::clock;
use crate::daemon::notifier::report_rows;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::store::checks::observed_period::Course;
use crate::store::error::StoreError;
use crate::store::facts::incidents::{IncidentQuery, ListedIncident};
use crate::store::reader::Reader;
use crate::view::page::bars::{DAYS, HOURS};
use crate::view::page::rows::{Day, Times};

/// Monitors that are read at a time.
const PORTION: usize = 250;
/// A round over all monitors begins when this many times the time that the last one took have passed ..
const REST_FACTOR: u32 = 20;
/// .. but not sooner and not later than this.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);
/// Between two portions, so that this thread takes no core for itself ..
const WAIT_SOON: Duration = Duration::from_millis(20);
/// .. and between two rounds, as often as it is looked whether the next one is due.
const WAIT_LONG: Duration = Duration::from_millis(500);
/// Incidents that are looked through for the newest of each monitor, and how far back.
const INCIDENTS_MAX: u32 = 5000;
const INCIDENTS_BACK: Duration = Duration::from_secs(90 * 86_400);

/// Observed on no more days than this, a monitor has hours for bars.
const YOUNG_DAYS_MAX: usize = 3;

const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// Who reads, and where it stands.
#[derive(Debug)]
pub(super) struct Rounds {
    sources: Sources,
    /// The reader, and how often the database had been rewritten when the reader opened it.
    reader: Option<(Reader, u64)>,
    known: AllKnown,
    /// How often incidents of the monitors in `known` were amended.
    versions: HashMap<MonitorId, i64>,
    /// The zone of the days in `known`.
    zone: Option<TimeZone>,
    /// Who is still to be read in this round.
    round: VecDeque<MonitorId>,
    /// What this round has cost so far.
    cost: Duration,
    next_round: Option<Instant>,
}

impl Rounds {
    pub(super) fn new(sources: Sources, known: AllKnown) -> Self {
        Self {
            sources,
            reader: None,
            known,
            versions: HashMap::new(),
            zone: None,
            round: VecDeque::new(),
            cost: Duration::ZERO,
            next_round: None,
        }
    }

    /// Reads until the other end of the channel is dropped.
    pub(super) fn run(mut self, stopped: &mpsc::Receiver<()>) {
        loop {
            let more = self.step(clock::now());
            let wait = if more { WAIT_SOON } else { WAIT_LONG };
            match stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Reads the next portion, where one is due; true while the round has more.
    pub(super) fn step(&mut self, now: Timestamp) -> bool {
        let began = clock::tick();
        if self.round.is_empty() {
            if self.next_round.is_some_and(|next| began < next) {
                return false;
            }
            self.cost = Duration::ZERO;
            self.begin_round(now);
        }
        let portion: Vec<MonitorId> = {
            let end = self.round.len().min(PORTION);
            self.round.drain(..end).collect()
        };
        if !portion.is_empty()
            && let Err(error) = self.read(&portion, now)
        {
            tracing::debug!("web: failed to read the past: {error}");
            // Opened anew for the next round: the file may be another one.
            self.reader = None;
            self.round.clear();
        }
        let ended = clock::tick();
        self.cost += ended.duration_since(began);
        if self.round.is_empty() {
            let rest = (self.cost * REST_FACTOR).clamp(REST_MIN, REST_MAX);
            self.next_round = Some(ended + rest);
        }
        !self.round.is_empty()
    }

    fn begin_round(&mut self, now: Timestamp) {
        let zone = self.sources.config.borrow().daemon.timezone.clone();
        let mut current: HashSet<MonitorId> = HashSet::new();
        if self.zone.as_ref() != Some(&zone) {
            self.known.keep(&current);
            self.zone = Some(zone);
        }
        self.sources.board.each(|id, _| {
            current.insert(id);
        });
        self.known.keep(&current);
        self.round = current.into_iter().collect();
        // Those never read come first.
        let known = &self.known;
        self.round
            .make_contiguous()
            .sort_by_cached_key(|id| (known.get(*id).is_some(), *id));
        if let Err(error) = self.read_incidents(now) {
            tracing::debug!("web: failed to read incidents: {error}");
            self.reader = None;
        }
        if let Err(error) = self.read_objectives(now) {
            tracing::debug!("web: failed to read objectives: {error}");
            self.reader = None;
        }
    }

    fn read_objectives(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let config = Arc::clone(&self.sources.config.borrow());
        let rows = report_rows::objectives(self.reader()?, &config, now, false, |_| true)?;
        self.known.set_objectives(rows);
        Ok(())
    }

    fn reader(&mut self) -> Result<&Reader, StoreError> {
        let health = &self.sources.health;
        let moves = health.database_moves();
        let reader = match self.reader.take() {
            Some((reader, opened)) if opened == moves => reader,
            Some(_) | None => Reader::open(&health.database_at(&self.sources.database))?,
        };
        let (reader, _) = self.reader.insert((reader, moves));
        Ok(reader)
    }

    fn read_incidents(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let query = IncidentQuery {
            since: Some(now.minus(INCIDENTS_BACK)),
            limit: Some(INCIDENTS_MAX),
            ..IncidentQuery::default()
        };
        let mut newest: HashMap<MonitorId, ListedIncident> = HashMap::new();
        // The newest come first.
        // Those that are amended are no outages of the page.
        let listed = self.reader()?.incidents(&query)?;
        let listed = listed
            .into_iter()
            .filter(|one| one.amended().is_none() || one.is_outage());
        for listed in listed {
            newest.entry(listed.incident.key.monitor).or_insert(listed);
        }
        self.known.set_last_incidents(newest);
        Ok(())
    }

    fn read(&mut self, portion: &[MonitorId], now: Timestamp) -> Result<(), StoreError> {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let today = now.in_zone(&zone).date();
        let edges = hours_until(now, 24);
        let versions = self.reader()?.amendment_versions()?;
        // Where incidents of long ago count otherwise, all days are read again.
        let is_amended = |id: &&MonitorId| versions.get(*id) != self.versions.get(*id);
        let before: HashMap<MonitorId, Arc<Known>> = portion
            .iter()
            .filter(|id| !is_amended(id))
            .filter_map(|id| Some((*id, self.known.get(*id)?)))
            .collect();
        let new: Vec<MonitorId> = portion
            .iter()
            .filter(|id| !before.contains_key(id))
            .copied()
            .collect();
        let reader = self.reader()?;
        let courses = reader.courses(portion, now.minus(MONTH), now)?;
        let mut tallies = reader.tallies(portion, &edges)?;
        let first = today.saturating_sub(i64::try_from(DAYS).unwrap_or(0).days());
        let long = match new.is_empty() {
            true => HashMap::new(),
            false => reader.courses(&new, start_of(first, &zone), now)?,
        };
        let read = courses.iter().map(|(id, course)| {
            let mut known = before
                .get(id)
                .map(|known| Known::clone(known))
                .unwrap_or_default();
            if let Some(long) = long.get(id) {
                known.days = days(long, first, today, &zone);
            }
            bring_up_to(&mut known.days, course, today, &zone);
            known.hours = hours(course, &known.days, now, &zone);
            let day = course.account(now.minus(DAY).as_ms(), now.as_ms());
            let month = course.whole();
            (known.day, known.month) = (times(&day), times(&month));
            known.percent_24h = day.uptime_percent();
            known.percent_30d = month.uptime_percent();
            known.spark = tallies
                .remove(id)
                .unwrap_or_default()
                .iter()
                .map(|tally| tally.latency.percentile(50))
                .collect();
            (*id, Arc::new(known))
        });
        let read: Vec<_> = read.collect();
        for id in portion {
            match versions.get(id) {
                Some(version) => self.versions.insert(*id, *version),
                None => self.versions.remove(id),
            };
        }
        self.known.put(read);
        if !new.is_empty() {
            self.read_incidents(now)?;
        }
        Ok(())
    }
}

fn start_of(date: Date, zone: &TimeZone) -> Timestamp {
    date.to_zoned(zone.clone()).map_or(Timestamp::MIN, |zoned| {
        Timestamp::from_jiff(zoned.timestamp())
    })
}

fn day(course: &Course, date: Date, zone: &TimeZone) -> Day {
    let from = start_of(date, zone).as_ms();
    let to = start_of(date.saturating_add(1.day()), zone).as_ms();
    Day {
        date,
        hour: None,
        times: times(&course.account(from, to)),
    }
}

/// The hour that begins at a whole hour of UTC, which in some zones is half an hour or another part of one.
fn hour(begin: Timestamp, times: Times, zone: &TimeZone) -> Day {
    let zoned = begin.in_zone(zone);
    Day {
        date: zoned.date(),
        hour: Some(zoned.time()),
        times,
    }
}

/// The last hours of a monitor that was observed on so few days that hours fill its bars better.
fn hours(course: &Course, days: &[Day], now: Timestamp, zone: &TimeZone) -> Vec<Day> {
    let observed = days.iter().filter(|day| day.times.whole_ms() > 0).count();
    if observed > YOUNG_DAYS_MAX {
        return Vec::new();
    }
    let edges = hours_until(now, u32::try_from(HOURS).unwrap_or(0));
    let of = |pair: &[Timestamp]| {
        let account = course.account(pair[0].as_ms(), pair[1].min(now).as_ms());
        hour(pair[0], times(&account), zone)
    };
    edges.windows(2).map(of).collect()
}

/// Days after `first` up to `last`.
fn days(course: &Course, first: Date, last: Date, zone: &TimeZone) -> Vec<Day> {
    let mut days = Vec::with_capacity(DAYS);
    let mut date = first;
    while date < last {
        date = date.saturating_add(1.day());
        days.push(day(course, date, zone));
    }
    days
}

/// Reads yesterday and today anew, and the days since the last one that is known; the course must reach back that far.
fn bring_up_to(days: &mut Vec<Day>, course: &Course, today: Date, zone: &TimeZone) {
    let yesterday = today.saturating_sub(1.day());
    days.retain(|day| day.date < yesterday);
    let mut date = days
        .last()
        .map_or(yesterday, |last| last.date.saturating_add(1.day()));
    while date <= today {
        days.push(day(course, date, zone));
        date = date.saturating_add(1.day());
    }
    let extra = days.len().saturating_sub(DAYS);
    days.drain(..extra);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::page::bars;

    #[test]
    fn an_hour_is_called_by_when_it_begins() {
        let at = |text: &str| Timestamp::from_jiff(text.parse().unwrap());
        let begin = at("2026-11-22T08:00:00Z");
        for (zone, want) in [
            ("UTC", "22 Nov 08:00: up"),
            ("Europe/Berlin", "22 Nov 09:00: up"),
            ("Asia/Kolkata", "22 Nov 13:30: up"),
            ("Asia/Kathmandu", "22 Nov 13:45: up"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let day = hour(begin, Times::default(), &zone);
            assert_eq!(bars::sentence(&day), want);
        }
    }
}
