//! Maintenance windows: which are open, and when that changes next.

use jiff::tz::TimeZone;

use crate::domain::monitor::{Monitor, MonitorName};
use crate::domain::settings::{Maintenance, MaintenanceTime};
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::cron::Cron;

/// All windows of a configuration, as of a moment that only [`Windows::advance`] moves.
#[derive(Debug)]
pub struct Windows {
    zone: TimeZone,
    windows: Vec<Window>,
    now: Timestamp,
    next_edge: Option<Timestamp>,
}

#[derive(Debug)]
struct Window {
    maintenance: Maintenance,
    /// Of a window with a schedule.
    cron: Option<Cron>,
    open: Option<Open>,
}

/// One opening of a window: `from <= t < to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Its begin, which may lie before the start of the daemon.
    pub from: Timestamp,
    /// Its end, unless an overlapping one follows.
    pub to: Timestamp,
}

impl Windows {
    /// The windows of a configuration at `now`.
    pub fn new(all: &[Maintenance], zone: &TimeZone, now: Timestamp) -> Self {
        let windows = all.iter().map(|maintenance| Window {
            maintenance: maintenance.clone(),
            cron: match &maintenance.when {
                MaintenanceTime::Once { .. } => None,
                // The configuration refuses an expression without meaning.
                MaintenanceTime::Cron { schedule, .. } => Cron::parse(&schedule.0).ok(),
            },
            open: None,
        });
        let mut windows = Self {
            zone: zone.clone(),
            windows: windows.collect(),
            now,
            next_edge: None,
        };
        windows.look(now);
        windows
    }

    /// The numbers of the windows that cover a monitor.
    pub fn covering(&self, monitor: &Monitor) -> Vec<usize> {
        self.covering_named(&monitor.name, &monitor.tags)
    }

    /// The numbers of the windows that cover a monitor of this name with these tags.
    pub fn covering_named(&self, name: &MonitorName, own_tags: &[String]) -> Vec<usize> {
        let covers = |window: &Window| window.maintenance.covers.has(name, own_tags);
        let numbered = self.windows.iter().enumerate();
        numbered
            .filter(|(_, window)| covers(window))
            .map(|(number, _)| number)
            .collect()
    }

    /// The opening of a window, if it is open.
    pub fn open(&self, number: usize) -> Option<Open> {
        self.windows.get(number).and_then(|window| window.open)
    }

    /// When a window opens or closes next.
    pub const fn next_edge(&self) -> Option<Timestamp> {
        self.next_edge
    }

    /// Moves to `now`, and names the windows that opened, closed or opened anew since.
    pub fn advance(&mut self, now: Timestamp) -> Vec<usize> {
        let went_back = now < self.now;
        if !went_back && self.next_edge.is_none_or(|edge| now < edge) {
            self.now = now;
            return Vec::new();
        }
        let before: Vec<Option<Open>> = self.windows.iter().map(|window| window.open).collect();
        self.look(now);
        let after = self.windows.iter().map(|window| window.open);
        let changed = before.into_iter().zip(after).enumerate();
        changed
            .filter(|(_, (before, after))| before != after)
            .map(|(number, _)| number)
            .collect()
    }

    fn look(&mut self, now: Timestamp) {
        let zone = &self.zone;
        let mut next_edge: Option<Timestamp> = None;
        for window in &mut self.windows {
            let (open, edge) = window.at(zone, now);
            window.open = open;
            next_edge = [next_edge, edge].into_iter().flatten().min();
        }
        self.next_edge = next_edge;
        self.now = now;
    }
}

impl Window {
    /// Whether it is open at `now`, and when to look again.
    fn at(&self, zone: &TimeZone, now: Timestamp) -> (Option<Open>, Option<Timestamp>) {
        match (&self.maintenance.when, &self.cron) {
            (MaintenanceTime::Once { start, end }, _) => {
                let open = (*start <= now && now < *end).then_some(Open {
                    from: *start,
                    to: *end,
                });
                let edge = [*start, *end].into_iter().find(|edge| now < *edge);
                (open, edge)
            }
            (MaintenanceTime::Cron { duration, .. }, Some(cron)) => {
                let open = cron.last_at_or_before(zone, now).map(|from| Open {
                    from,
                    to: from.plus(*duration),
                });
                let open = open.filter(|open| now < open.to);
                let next = cron.next_after(zone, now);
                let end = open.map(|open| open.to);
                (open, [next, end].into_iter().flatten().min())
            }
            (MaintenanceTime::Cron { .. }, None) => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::monitor::CronText;
    use crate::domain::settings::Covers;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    /// The edges of one window from `from` on, as `+` and `-` with their moments.
    fn edges(when: MaintenanceTime, zone: &str, from: &str, count: usize) -> Vec<String> {
        let maintenance = Maintenance {
            note: "".into(),
            covers: Covers::All,
            when,
        };
        let zone = TimeZone::get(zone).unwrap();
        let mut windows = Windows::new(&[maintenance], &zone, at(from));
        let mut found = Vec::new();
        while let Some(edge) = windows.next_edge() {
            if found.len() == count {
                break;
            }
            let before = edge.minus(Duration::from_millis(1));
            assert_eq!(windows.advance(before), Vec::<usize>::new());
            if windows.advance(edge) == [0] {
                let sign = windows.open(0).map_or("-", |_| "+");
                found.push(format!("{sign}{edge}"));
            }
        }
        found
    }

    #[test]
    fn a_fixed_window_opens_once() {
        let when = MaintenanceTime::Once {
            start: at("2026-12-01T02:00:00Z"),
            end: at("2026-12-01T03:00:00Z"),
        };
        assert_eq!(
            edges(when, "UTC", "2026-11-01T00:00:00Z", 9),
            ["+2026-12-01T02:00:00.000Z", "-2026-12-01T03:00:00.000Z"]
        );
    }

    #[test]
    fn a_window_lasts_its_elapsed_time_across_both_clock_changes() {
        let when = MaintenanceTime::Cron {
            schedule: CronText("0 30 2 * * *".into()),
            duration: Duration::from_secs(2 * 3600),
        };
        // 29 March 2026: 02:30 does not exist, the next time that does is 03:00 CEST.
        assert_eq!(
            edges(when.clone(), "Europe/Berlin", "2026-03-28T12:00:00Z", 4),
            [
                "+2026-03-29T01:00:00.000Z",
                "-2026-03-29T03:00:00.000Z",
                "+2026-03-30T00:30:00.000Z",
                "-2026-03-30T02:30:00.000Z"
            ]
        );
        // 25 October 2026: 02:30 comes twice and opens once.
        assert_eq!(
            edges(when, "Europe/Berlin", "2026-10-24T12:00:00Z", 4),
            [
                "+2026-10-25T00:30:00.000Z",
                "-2026-10-25T02:30:00.000Z",
                "+2026-10-26T01:30:00.000Z",
                "-2026-10-26T03:30:00.000Z"
            ]
        );
    }

    #[test]
    fn a_clock_set_back_closes_what_is_not_open_yet() {
        let when = MaintenanceTime::Once {
            start: at("2026-12-01T02:00:00Z"),
            end: at("2026-12-01T03:00:00Z"),
        };
        let maintenance = Maintenance {
            note: "".into(),
            covers: Covers::All,
            when,
        };
        let mut windows = Windows::new(&[maintenance], &TimeZone::UTC, at("2026-12-01T02:30:00Z"));
        assert!(windows.open(0).is_some());
        assert_eq!(windows.advance(at("2026-12-01T01:30:00Z")), [0]);
        assert_eq!(windows.open(0), None);
    }
}
