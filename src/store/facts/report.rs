//! Reports: how a period went for each monitor, and what made it so.

use super::incidents::{IncidentQuery, ListedIncident};
use super::monitors::StoredMonitor;
use crate::domain::check::Micros;
use crate::domain::location::LocationName;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::uptime::{Account, Class, Piece};
use crate::store::checks::observed_period::Course;
use crate::store::compaction::rollup::Tally;
use crate::store::error::Result;
use crate::store::reader::Reader;

/// How a period went for one monitor.
#[derive(Debug, Clone)]
pub struct ReportRow {
    /// Which monitor.
    pub monitor: StoredMonitor,
    /// The period's beginning, not before the monitor's first check; the period's end if nothing is recorded.
    pub from: Timestamp,
    /// The period's end.
    pub to: Timestamp,
    /// How the time went. All zero if the monitor had no check before the end of the period.
    pub account: Account,
    /// The same without amendments, where any incident of the period is amended; with how many are.
    pub raw: Option<(Account, usize)>,
    /// Checks and latencies.
    pub tally: Tally,
}

impl ReportRow {
    /// Takes the figures as they were before incidents were amended.
    pub fn leave_out_amendments(&mut self) {
        if let Some((raw, _)) = self.raw.take() {
            self.account = raw;
        }
    }

    /// How long good checks took: 50, 95 and 99 of 100 not longer than this.
    pub fn latency(&self) -> [Option<Micros>; 3] {
        [50, 95, 99].map(|percent| self.tally.latency.percentile(percent))
    }
}

/// Where the lost part of a period went.
#[derive(Debug, Clone)]
pub struct Losses {
    /// The sums.
    pub row: ReportRow,
    /// Every piece that is not up, in order, with its incident where it has one.
    pub pieces: Vec<(Piece, Option<ListedIncident>)>,
}

impl Reader {
    /// How the time from `from` to `to` went for some monitors (for all that are in the configuration where none is
    /// named), by name.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn report(
        &self,
        monitors: &[MonitorId],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ReportRow>> {
        self.together(|reader| {
            let mut courses = reader.courses(monitors, from, to)?;
            let rows = reader
                .monitors()?
                .into_iter()
                .filter(|monitor| !monitors.is_empty() || monitor.removed_at.is_none())
                .filter_map(|monitor| {
                    let course = courses.remove(&monitor.id)?;
                    Some(row(monitor, course))
                });
            Ok(rows.collect())
        })
    }

    /// The same for each location of a monitor that has any, by name.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn report_by_location(
        &self,
        monitor: &StoredMonitor,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(LocationName, ReportRow)>> {
        self.together(|reader| {
            let mut series = reader.series(Some(monitor.id))?;
            series.retain(|one| one.from < to && one.to.is_none_or(|end| end > from));
            series.sort_by(|a, b| a.location.cmp(&b.location));
            let stored = reader.rules(monitor.id, to, to)?;
            let Some((_, rules)) = stored.last() else {
                return Ok(Vec::new());
            };
            let rules = rules.rules();
            let mut rows = Vec::with_capacity(series.len());
            for one in series {
                let course = reader.course_of_location(&one, &rules, from, to)?;
                rows.push((one.location, row(monitor.clone(), course)));
            }
            Ok(rows)
        })
    }

    /// The incidents and gaps that make up what a period of one monitor lost, without amendments where `raw`; `None`
    /// if there is no such monitor.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn losses(
        &self,
        monitor: MonitorId,
        from: Timestamp,
        to: Timestamp,
        raw: bool,
    ) -> Result<Option<Losses>> {
        self.together(|reader| {
            let Some(course) = reader.courses(&[monitor], from, to)?.remove(&monitor) else {
                return Ok(None);
            };
            let course = if raw { course.raw() } else { course };
            let Some(stored) = reader.monitors()?.into_iter().find(|one| one.id == monitor) else {
                return Ok(None);
            };
            let incidents = reader.incidents(&IncidentQuery {
                monitors: vec![monitor],
                since: Some(from),
                until: Some(to),
                ..IncidentQuery::default()
            })?;
            let pieces = course
                .pieces(i64::MIN, i64::MAX)
                .into_iter()
                .filter(|piece| piece.class != Class::Up)
                .map(|piece| {
                    let key = match piece.class {
                        Class::Down(place) => course.incident(place),
                        Class::Up
                        | Class::Degraded
                        | Class::Maintenance
                        | Class::Silent
                        | Class::Blind
                        | Class::Unwatched => None,
                    };
                    let incident = key
                        .and_then(|key| incidents.iter().find(|listed| listed.incident.key == key));
                    (piece, incident.cloned())
                })
                .collect();
            Ok(Some(Losses {
                row: row(stored, course),
                pieces,
            }))
        })
    }
}

fn row(monitor: StoredMonitor, course: Course) -> ReportRow {
    ReportRow {
        monitor,
        from: course
            .begin
            .map_or(course.end, |begin| begin.min(course.end)),
        to: course.end,
        account: course.whole(),
        raw: (course.amendments() > 0).then(|| (course.raw().whole(), course.amendments())),
        tally: course.tally,
    }
}
