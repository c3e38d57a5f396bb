//! One monitor's place in the timetable: its slots, its checks beside the grid, its patience.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::monitor::{Monitor, MonitorId, Schedule};
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::interval_grid::{self, Grid};

/// A monitor without a fresh check gets one within this time, where there are not too many of them.
const FIRST_CHECK_WITHIN: Duration = Duration::from_secs(9);

/// The moment of a cron monitor that passed longer ago than this is history.
const TRIGGER_LASTS: Duration = Duration::from_secs(60);

/// How much of that time each of several such monitors gets: 100 checks a second.
const FIRST_CHECK_GAP: Duration = Duration::from_millis(10);

/// Faster than 2 000 a second they do not begin, however many there are: a core is busy with twice as
/// many, and what a list of 100 000 is behind must not be sent out in one blow.
const FIRST_CHECK_GAP_MIN: Duration = Duration::from_micros(500);

/// Slots of one monitor that passed without a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The monitor's number.
    pub id: MonitorId,
    /// The first of them.
    pub first: Timestamp,
    /// How many; at least 1.
    pub count: u64,
}

#[derive(Debug)]
pub(in crate::daemon) struct Entry {
    pub(in crate::daemon) id: MonitorId,
    pub(in crate::daemon) monitor: Arc<Monitor>,
    /// None: by cron, its slots come from outside.
    pub(in crate::daemon) grid: Option<Grid>,
    /// The next slot that no check has served; none for cron monitors between their triggers.
    pub(in crate::daemon) slot: Option<Timestamp>,
    /// A check beside the grid: a confirming one, a first one, one that somebody asked for.
    pub(in crate::daemon) beside: Option<Timestamp>,
    /// A server asked for patience until then.
    pub(super) not_before: Option<Timestamp>,
    pub(super) last_started: Option<Timestamp>,
    pub(in crate::daemon) place: Place,
    pub(in crate::daemon) paused: bool,
    pub(in crate::daemon) gone: bool,
    pub(in crate::daemon) hit_deadline: bool,
    /// Heap items of another generation are stale.
    pub(super) generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum Place {
    /// Nothing is due until something happens.
    Idle,
    /// In the heap.
    Waiting,
    /// In one of the queues.
    Ready,
    /// On its way; `slow` says which share of the slots it uses, `beside` why it began.
    InFlight { slow: bool, beside: bool },
}

impl Entry {
    /// The next moment at which this monitor wants a check.
    pub(in crate::daemon) fn due(&self) -> Option<Timestamp> {
        if self.paused || self.gone {
            return None;
        }
        let due = match (self.slot, self.beside) {
            (Some(slot), Some(beside)) => slot.min(beside),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => return None,
        };
        Some(self.not_before.map_or(due, |patience| due.max(patience)))
    }

    /// A check soon, if there is none younger than the interval; a slot that comes soon will do.
    pub(super) fn want_first_check(&mut self, now: Timestamp, window: Duration) {
        let fresh = self
            .last_started
            .is_some_and(|at| at <= now && now.since(at) < self.monitor.rules.interval);
        let soon = now.plus(window);
        if !fresh && self.slot.is_none_or(|slot| slot > soon) {
            self.beside = Some(interval_grid::spread(&self.monitor.name, now, window));
        }
    }

    /// Takes all slots up to `now` off the list: the newest is served, those before it were missed.
    pub(super) fn serve_slots(&mut self, now: Timestamp) -> (Option<Timestamp>, Option<Missed>) {
        let Some(first) = self.slot.filter(|slot| *slot <= now) else {
            return (None, None);
        };
        let Some(grid) = self.grid else {
            self.slot = None;
            return (Some(first), None);
        };
        let newest = grid.last_until(now);
        self.slot = Some(grid.next_after(now));
        let missed = Missed {
            id: self.id,
            first,
            count: grid.slots(first, newest),
        };
        (Some(newest), Some(missed).filter(|missed| missed.count > 0))
    }

    /// Takes the slots off the list that fell into a check which ended at `ended`.
    pub(super) fn overrun_slots(&mut self, ended: Timestamp) -> Option<Missed> {
        let first = self.slot.filter(|slot| *slot <= ended)?;
        let grid = self.grid?;
        self.slot = Some(grid.next_after(ended));
        Some(Missed {
            id: self.id,
            first,
            count: grid.slots(first, ended.plus(Duration::from_millis(1))),
        })
    }

    pub(super) fn rebase(&mut self, now: Timestamp, window: Duration) -> Option<Missed> {
        let missed = self.overrun_slots(now);
        self.slot = match self.grid {
            Some(grid) => Some(grid.next_after(now)),
            // A moment of an expression comes once: it waits for its check.
            None => self
                .slot
                .filter(|at| *at <= now && now.since(*at) <= TRIGGER_LASTS),
        };
        self.last_started = self.last_started.filter(|at| *at <= now);
        let far = now.plus(self.monitor.rules.interval);
        self.not_before = self.not_before.filter(|at| *at > now && *at <= far);
        self.beside = self.beside.filter(|at| *at > now && *at <= far);
        if self.beside.is_none() && self.grid.is_some() && !self.paused {
            self.want_first_check(now, window);
        }
        missed.filter(|_| !self.paused)
    }
}

pub(super) fn grid_of(monitor: &Monitor) -> Option<Grid> {
    match &monitor.schedule {
        Schedule::Every(interval) => Some(Grid::new(&monitor.name, *interval)),
        Schedule::Cron(_) => None,
    }
}

/// The time over which the first checks of so many monitors are spread.
pub fn first_check_window(monitors: usize) -> Duration {
    let monitors = u32::try_from(monitors).unwrap_or(u32::MAX);
    FIRST_CHECK_GAP
        .saturating_mul(monitors)
        .min(FIRST_CHECK_WITHIN)
        .max(FIRST_CHECK_GAP_MIN.saturating_mul(monitors))
}
