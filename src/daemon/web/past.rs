//! What the database tells about the time behind us, read in small portions between requests and kept: the days that
//! are over do not change, and the others move slowly.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::time::Instant;

use super::site::Sources;
use crate::clock;
use crate::domain::check::Micros;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::uptime::Account;
use crate::store::course::Course;
use crate::store::error::StoreError;
use crate::store::incidents::{IncidentQuery, ListedIncident};
use crate::store::reader::Reader;
use crate::view::page::bars::DAYS;
use crate::view::page::rows::{Day, Times};

/// Monitors that are read at a time: a request waits for one portion at most.
const PORTION: usize = 250;
/// A round over all monitors begins when this many times the time that the last one took have passed ..
const REST_FACTOR: u32 = 20;
/// .. but not sooner and not later than this.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);
/// Incidents that are looked through for the newest of each monitor, and how far back.
const INCIDENTS_MAX: u32 = 5000;
const INCIDENTS_BACK: Duration = Duration::from_secs(90 * 86_400);

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// One monitor's time behind us.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The last 24 hours.
    pub(super) day: Times,
    /// The last 30 days.
    pub(super) month: Times,
    /// Uptime of the last 24 hours in percent, cut to three decimals.
    pub(super) percent_24h: Option<f64>,
    /// Of the last 30 days.
    pub(super) percent_30d: Option<f64>,
    /// At most 90 days in the configured zone, today the last.
    pub(super) days: Vec<Day>,
    /// The median latency of each of the last 24 hours.
    pub(super) spark: Vec<Option<Micros>>,
    /// The newest outage.
    pub(super) last_incident: Option<ListedIncident>,
}

/// The time behind us, as last read.
#[derive(Debug)]
pub(super) struct Past {
    database: PathBuf,
    reader: Option<Reader>,
    known: HashMap<MonitorId, Known>,
    nothing: Known,
    /// The zone of the days in `known`.
    zone: Option<TimeZone>,
    /// Who is still to be read in this round.
    round: VecDeque<MonitorId>,
    /// What this round has cost so far.
    cost: Duration,
    next_round: Option<Instant>,
}

impl Past {
    pub(super) fn new(database: PathBuf) -> Self {
        Self {
            database,
            reader: None,
            known: HashMap::new(),
            nothing: Known::default(),
            zone: None,
            round: VecDeque::new(),
            cost: Duration::ZERO,
            next_round: None,
        }
    }

    /// The database, opened when it is first needed.
    pub(super) fn reader(&mut self) -> Result<&Reader, StoreError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.database)?,
        };
        Ok(self.reader.insert(reader))
    }

    /// What is known of one monitor.
    pub(super) fn of(&self, id: MonitorId) -> &Known {
        self.known.get(&id).unwrap_or(&self.nothing)
    }

    /// Reads the next portion, where one is due; true while the round has more.
    pub(super) fn step(&mut self, sources: &Sources, now: Timestamp) -> bool {
        let began = clock::tick();
        if self.round.is_empty() {
            if self.next_round.is_some_and(|next| began < next) {
                return false;
            }
            self.cost = Duration::ZERO;
            self.begin_round(sources, now);
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

    fn begin_round(&mut self, sources: &Sources, now: Timestamp) {
        let zone = sources.config.borrow().daemon.timezone.clone();
        if self.zone.as_ref() != Some(&zone) {
            self.known.clear();
            self.zone = Some(zone);
        }
        let shown = sources.board.shown();
        let current: HashSet<MonitorId> = shown.iter().map(|(id, _)| *id).collect();
        self.known.retain(|id, _| current.contains(id));
        self.round = shown.into_iter().map(|(id, _)| id).collect();
        // Those never read come first.
        let known = &self.known;
        self.round
            .make_contiguous()
            .sort_by_key(|id| (known.contains_key(id), *id));
        if let Err(error) = self.read_incidents(now) {
            tracing::debug!("web: failed to read incidents: {error}");
            self.reader = None;
        }
    }

    fn read_incidents(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let query = IncidentQuery {
            since: Some(now.minus(INCIDENTS_BACK)),
            limit: Some(INCIDENTS_MAX),
            ..IncidentQuery::default()
        };
        let listed = self.reader()?.incidents(&query)?;
        for known in self.known.values_mut() {
            known.last_incident = None;
        }
        // The oldest first, so that the newest stays.
        for one in listed.into_iter().rev() {
            let id = one.incident.key.monitor;
            if let Some(known) = self.known.get_mut(&id) {
                known.last_incident = Some(one);
            }
        }
        Ok(())
    }

    fn read(&mut self, portion: &[MonitorId], now: Timestamp) -> Result<(), StoreError> {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let today = now.in_zone(&zone).date();
        let edges = hours_until(now, 24);
        let new: Vec<MonitorId> = portion
            .iter()
            .filter(|id| !self.known.contains_key(id))
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
        for (id, course) in &courses {
            let known = self.known.entry(*id).or_default();
            if let Some(long) = long.get(id) {
                known.days = days(long, first, today, &zone);
            }
            bring_up_to(&mut known.days, course, today, &zone);
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
        }
        if !new.is_empty() {
            self.read_incidents(now)?;
        }
        Ok(())
    }
}

/// The edges of so many whole hours, the running one the last.
pub(super) fn hours_until(now: Timestamp, count: u32) -> Vec<Timestamp> {
    let hour_ms = 3_600_000;
    let end = Timestamp::from_ms((now.as_ms().div_euclid(hour_ms) + 1) * hour_ms);
    (0..=count)
        .rev()
        .map(|back| end.minus(HOUR * back))
        .collect()
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
        times: times(&course.account(from, to)),
    }
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

/// An account as the pages have it.
pub(super) fn times(account: &Account) -> Times {
    let ms = |ms: i64| u64::try_from(ms).unwrap_or(0);
    Times {
        up_ms: ms(account.up_ms),
        degraded_ms: ms(account.degraded_ms),
        down_ms: ms(account.down_ms),
        maintenance_ms: ms(account.maintenance_ms),
        unknown_ms: ms(account.unknown_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_end_with_the_running_one() {
        let now = Timestamp::from_ms(1_795_377_600_000 + 61_000);
        let edges = hours_until(now, 24);
        assert_eq!(edges.len(), 25);
        assert_eq!(edges[24].to_string(), "2026-11-22T21:00:00.000Z");
        assert_eq!(edges[0].to_string(), "2026-11-21T21:00:00.000Z");
    }
}
