//! Who is due: the scheduler's decisions as a value without clock, task or channel.
//!
//! Every monitor is in exactly one [`Place`]. One heap holds the due times of those that wait; the
//! [`Turns`] hold those that are due and wait for a free slot.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::fair_queue::Turns;
pub use super::timetable_entry::Missed;
pub use super::timetable_entry::first_check_window;
use super::timetable_entry::{Entry, Place, grid_of};
use crate::domain::monitor::{Monitor, MonitorId};
use crate::domain::timestamp::Timestamp;

/// A monitor as the scheduler needs it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its number.
    pub id: MonitorId,
    /// All else; shared with whoever judges and records.
    pub monitor: Arc<Monitor>,
    /// Whether a person paused it.
    pub paused: bool,
    /// When its newest check began.
    pub last_check: Option<Timestamp>,
}

/// A check to begin now.
#[derive(Debug, Clone)]
pub struct Start {
    /// Gives the slot back by [`Timetable::finished`].
    pub ticket: Ticket,
    /// Whose check.
    pub id: MonitorId,
    /// What to check, as configured at this moment.
    pub monitor: Arc<Monitor>,
    /// How much later than planned it begins.
    pub late: Duration,
    /// Slots that passed without a check because there was no free slot in time.
    pub missed: Option<Missed>,
}

/// Stands for a check on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u32);

/// How a check ended, as far as the timetable cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When it is due.
    pub at: Timestamp,
    /// Whether it ran into its deadline.
    pub hit_deadline: bool,
    /// The Retry-After of a 429.
    pub retry_after: Option<Duration>,
}

/// All scheduled monitors and their due times.
#[derive(Debug)]
pub struct Timetable {
    entries: Vec<Entry>,
    free: Vec<u32>,
    by_id: HashMap<MonitorId, u32>,
    heap: BinaryHeap<Reverse<(i64, u32, u32)>>,
    ready: Turns,
    slots: u32,
    in_flight: u32,
    in_flight_slow: u32,
    /// Where the checks on their way of monitors that are gone have their entries.
    gone_in_flight: HashMap<MonitorId, u32>,
}

impl Timetable {
    /// An empty timetable with this many slots; at least one.
    pub fn new(slots: u32) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            heap: BinaryHeap::new(),
            ready: Turns::default(),
            slots: slots.max(1),
            in_flight: 0,
            in_flight_slow: 0,
            gone_in_flight: HashMap::new(),
        }
    }

    /// Another number of slots; checks on their way go on.
    pub fn set_slots(&mut self, slots: u32) {
        self.slots = slots.max(1);
    }

    /// Checks on their way.
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Monitors that are due and wait for a slot.
    pub fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// Monitors that are known.
    pub fn monitors(&self) -> usize {
        self.by_id.len()
    }

    /// When [`Self::next_start`] may have something that it has not now; none: when told something.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.heap
            .peek()
            .map(|Reverse((due_ms, _, _))| Timestamp::from_ms(*due_ms))
    }

    /// Takes the whole list of monitors that are to be checked. Those that stay keep their phase,
    /// their pending confirmation and their check on its way.
    pub fn replace(&mut self, planned: Vec<Planned>, now: Timestamp) {
        let kept: HashSet<MonitorId> = planned.iter().map(|planned| planned.id).collect();
        let gone: Vec<u32> = self
            .by_id
            .iter()
            .filter(|(id, _)| !kept.contains(id))
            .map(|(_, index)| *index)
            .collect();
        for index in gone {
            self.remove(index);
        }
        let new = planned
            .iter()
            .filter(|planned| !self.by_id.contains_key(&planned.id))
            .count();
        let window = first_check_window(new);
        self.entries
            .reserve_exact(new.saturating_sub(self.free.len()));
        self.by_id.reserve(new);
        for planned in planned {
            match self.by_id.get(&planned.id) {
                Some(index) => self.change(*index, planned, now),
                None => self.add(planned, now, window),
            }
        }
    }

    /// Puts some monitors in or changes them, and takes some out.
    pub fn amend(
        &mut self,
        planned: Vec<Planned>,
        gone: &[MonitorId],
        window: Duration,
        now: Timestamp,
    ) {
        for id in gone {
            if let Some(index) = self.by_id.get(id).copied() {
                self.remove(index);
            }
        }
        for planned in planned {
            match self.by_id.get(&planned.id) {
                Some(index) => self.change(*index, planned, now),
                None => self.add(planned, now, window),
            }
        }
    }

    fn remove(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        self.by_id.remove(&entry.id);
        entry.gone = true;
        entry.generation = entry.generation.wrapping_add(1);
        if matches!(entry.place, Place::InFlight { .. }) {
            self.gone_in_flight.insert(entry.id, index);
        } else {
            entry.place = Place::Idle;
            self.free.push(index);
        }
    }

    fn add(&mut self, planned: Planned, now: Timestamp, window: Duration) {
        let grid = grid_of(&planned.monitor);
        let mut entry = Entry {
            id: planned.id,
            grid,
            slot: grid.map(|grid| grid.next_after(now)),
            beside: None,
            not_before: None,
            last_started: planned.last_check.filter(|at| *at <= now),
            place: Place::Idle,
            paused: planned.paused,
            gone: false,
            hit_deadline: false,
            generation: 0,
            monitor: planned.monitor,
        };
        entry.want_first_check(now, window);
        // A check of a monitor that was taken out and put back may still be on its way.
        let index = match self.gone_in_flight.remove(&planned.id) {
            Some(index) => {
                let old = &mut self.entries[index as usize];
                entry.place = old.place;
                entry.generation = old.generation;
                *old = entry;
                index
            }
            None => match self.free.pop() {
                Some(index) => {
                    entry.generation = self.entries[index as usize].generation;
                    self.entries[index as usize] = entry;
                    index
                }
                None => {
                    self.entries.push(entry);
                    u32::try_from(self.entries.len() - 1)
                        .expect("a configuration has fewer than 2^32 monitors")
                }
            },
        };
        self.by_id.insert(planned.id, index);
        self.enqueue(index);
    }

    fn change(&mut self, index: u32, planned: Planned, now: Timestamp) {
        let entry = &mut self.entries[index as usize];
        let grid = grid_of(&planned.monitor);
        let same_grid = grid == entry.grid;
        entry.monitor = planned.monitor;
        if !same_grid {
            entry.grid = grid;
            entry.slot = grid.map(|grid| grid.next_after(now));
        }
        if !same_grid || entry.paused != planned.paused {
            self.set_paused_at(index, planned.paused, now);
            self.requeue(index);
        }
    }

    /// A person pauses or resumes a monitor; a resumed one is checked soon.
    pub fn set_paused(&mut self, id: MonitorId, paused: bool, now: Timestamp) {
        let Some(&index) = self.by_id.get(&id) else {
            return;
        };
        if self.entries[index as usize].paused != paused {
            self.set_paused_at(index, paused, now);
            self.requeue(index);
        }
    }

    fn set_paused_at(&mut self, index: u32, paused: bool, now: Timestamp) {
        let entry = &mut self.entries[index as usize];
        let resumed = entry.paused && !paused;
        entry.paused = paused;
        if paused {
            entry.beside = None;
        } else if resumed {
            entry.slot = entry.grid.map(|grid| grid.next_after(now));
            entry.want_first_check(now, Duration::from_secs(1));
        }
    }

    /// A confirming check: the only one wanted beside the grid is the newest.
    pub fn check_at(&mut self, id: MonitorId, at: Timestamp) {
        self.want(id, at);
    }

    /// A check as soon as a slot is free, unless one began at or after `unless_since`.
    /// Says whether one is wanted or on its way; false: unknown, paused, or served already.
    pub fn check_now(&mut self, id: MonitorId, unless_since: Timestamp, now: Timestamp) -> bool {
        let Some(&index) = self.by_id.get(&id) else {
            return false;
        };
        let entry = &self.entries[index as usize];
        let served = entry.last_started.is_some_and(|at| at >= unless_since);
        let running = matches!(entry.place, Place::InFlight { .. });
        if served {
            return running;
        }
        self.want(id, now);
        !self.entries[index as usize].paused
    }

    fn want(&mut self, id: MonitorId, at: Timestamp) {
        let Some(&index) = self.by_id.get(&id) else {
            return;
        };
        let entry = &mut self.entries[index as usize];
        if entry.paused {
            return;
        }
        entry.beside = Some(at);
        self.requeue(index);
    }

    /// The moment of a cron monitor has come. Says what was missed when its check before still runs.
    pub fn trigger(&mut self, id: MonitorId, slot: Timestamp) -> Option<Missed> {
        let index = *self.by_id.get(&id)?;
        let entry = &mut self.entries[index as usize];
        if entry.paused || entry.grid.is_some() {
            return None;
        }
        let missed = Missed {
            id,
            first: entry.slot.unwrap_or(slot),
            count: 1,
        };
        match entry.place {
            Place::InFlight { beside: true, .. } => None,
            Place::InFlight { beside: false, .. } => Some(missed),
            Place::Idle | Place::Waiting | Place::Ready => {
                let unserved = entry.slot.replace(slot).is_some();
                self.requeue(index);
                unserved.then_some(missed)
            }
        }
    }

    /// Puts an entry where its due time says, unless its check is on its way.
    fn requeue(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        match entry.place {
            Place::InFlight { .. } => {}
            // It is due already; only a pause takes it out.
            Place::Ready if !entry.paused => {}
            Place::Ready | Place::Waiting | Place::Idle => {
                entry.generation = entry.generation.wrapping_add(1);
                entry.place = Place::Idle;
                self.enqueue(index);
            }
        }
    }

    fn enqueue(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        if entry.place != Place::Idle {
            return;
        }
        if let Some(due) = entry.due() {
            entry.place = Place::Waiting;
            self.heap
                .push(Reverse((due.as_ms(), index, entry.generation)));
        }
    }

    /// Moves everybody whose time has come into the queues.
    fn wake(&mut self, now: Timestamp) {
        while let Some(Reverse((due_ms, index, generation))) = self.heap.peek().copied() {
            if due_ms > now.as_ms() {
                break;
            }
            self.heap.pop();
            let entry = &mut self.entries[index as usize];
            if entry.generation != generation || entry.place != Place::Waiting {
                continue;
            }
            entry.place = Place::Ready;
            let beside = entry.beside.is_some_and(|at| at <= now);
            self.ready
                .push(entry.hit_deadline, beside, (index, generation));
        }
    }

    /// The next check to begin now, if one is due and a slot is free for it.
    pub fn next_start(&mut self, now: Timestamp) -> Option<Start> {
        self.wake(now);
        if self.in_flight >= self.slots {
            return None;
        }
        let (entries, slow) = (&self.entries, self.in_flight_slow);
        let index = self.ready.next(self.slots, slow, |(index, generation)| {
            let entry = &entries[index as usize];
            entry.generation == generation && entry.place == Place::Ready
        })?;
        Some(self.start(index, now))
    }

    fn start(&mut self, index: u32, now: Timestamp) -> Start {
        let entry = &mut self.entries[index as usize];
        let slow = entry.hit_deadline;
        let (planned, missed) = entry.serve_slots(now);
        let beside = entry.beside.take().filter(|at| *at <= now);
        let late = now.since(planned.or(beside).unwrap_or(now));
        entry.place = Place::InFlight {
            slow,
            beside: planned.is_none(),
        };
        entry.last_started = Some(now);
        entry.not_before = None;
        self.in_flight += 1;
        self.in_flight_slow += u32::from(slow);
        Start {
            ticket: Ticket(index),
            id: entry.id,
            monitor: Arc::clone(&entry.monitor),
            late,
            missed,
        }
    }

    /// A check ended: its slot is free, its monitor waits for its next turn. Says which slots it overran.
    pub fn finished(&mut self, ticket: Ticket, ended: Ended) -> Option<Missed> {
        let index = ticket.0;
        let entry = self.entries.get_mut(index as usize)?;
        let Place::InFlight { slow, beside } = entry.place else {
            return None;
        };
        self.in_flight -= 1;
        self.in_flight_slow -= u32::from(slow);
        entry.place = Place::Idle;
        if entry.gone {
            self.gone_in_flight.remove(&entry.id);
            self.free.push(index);
            return None;
        }
        entry.hit_deadline = ended.hit_deadline;
        let overrun = entry.overrun_slots(ended.at);
        if let Some(wait) = ended.retry_after {
            let until = ended.at.plus(wait.min(entry.monitor.rules.interval));
            entry.not_before = Some(until);
            if let (Some(grid), Some(slot)) = (entry.grid, entry.slot)
                && slot < until
            {
                entry.slot = Some(grid.next_after(Timestamp::from_ms(until.as_ms() - 1)));
            }
        }
        self.enqueue(index);
        overrun.filter(|_| !beside)
    }

    /// The clock was set, or the machine slept, or we were stopped: every due time is computed anew,
    /// what has passed meanwhile is missed, and nobody runs late in a burst.
    pub fn rebase(&mut self, now: Timestamp) -> Vec<Missed> {
        self.heap.clear();
        self.ready.clear();
        let window = first_check_window(self.entries.len());
        let mut missed = Vec::new();
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            if entry.gone || matches!(entry.place, Place::InFlight { .. }) {
                continue;
            }
            missed.extend(entry.rebase(now, window));
            entry.place = Place::Idle;
            entry.generation = entry.generation.wrapping_add(1);
            self.enqueue(u32::try_from(index).expect("indices are made from u32"));
        }
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::checks::test_monitors;
    use crate::policy::schedule::interval_grid::Grid;

    const START_MS: i64 = 1_795_377_600_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(START_MS + ms)
    }

    fn planned(id: i64, monitor: Monitor, last_check: Option<Timestamp>) -> Planned {
        Planned {
            id: MonitorId(id),
            monitor: Arc::new(monitor),
            paused: false,
            last_check,
        }
    }

    fn every(id: i64, seconds: u64) -> Planned {
        let monitor = test_monitors::monitor(&format!("site-{id}"), Duration::from_secs(seconds));
        planned(id, monitor, Some(at(-1)))
    }

    /// Virtual time over a timetable: checks take as long as `took_ms` says.
    struct Run {
        table: Timetable,
        now_ms: i64,
        on_their_way: Vec<(i64, Ticket, MonitorId)>,
        started: Vec<(MonitorId, i64, Duration)>,
        missed: u64,
        took_ms: fn(MonitorId) -> i64,
        /// What fails is confirmed: failed checks in a row so far, and when the last of them began.
        failed: Option<HashMap<MonitorId, (u32, i64)>>,
    }

    impl Run {
        fn new(slots: u32, planned: Vec<Planned>, took_ms: fn(MonitorId) -> i64) -> Self {
            let mut table = Timetable::new(slots);
            table.replace(planned, at(0));
            Self {
                table,
                now_ms: 0,
                on_their_way: Vec::new(),
                started: Vec::new(),
                missed: 0,
                took_ms,
                failed: None,
            }
        }

        /// Counts a check that ran into its deadline as the alert machine does, and asks for the next one.
        fn confirm(&mut self, id: MonitorId, began: i64, ended: i64) {
            let Some(failed) = &mut self.failed else {
                return;
            };
            let (count, last) = failed.get(&id).copied().unwrap_or((0, began));
            let gap = count < 3 && began - last > 130_000;
            let count = if gap { 1 } else { count + 1 };
            failed.insert(id, (count, began));
            if count < 3 {
                self.table.check_at(id, at(ended + 10_000));
            }
        }

        fn until(&mut self, end_ms: i64) -> &mut Self {
            loop {
                self.finish_due();
                while let Some(start) = self.table.next_start(at(self.now_ms)) {
                    self.started.push((start.id, self.now_ms, start.late));
                    self.missed += start.missed.map_or(0, |missed| missed.count);
                    let ends = self.now_ms + (self.took_ms)(start.id);
                    self.on_their_way.push((ends, start.ticket, start.id));
                }
                let due = self.table.next_due().map(|due| due.as_ms() - START_MS);
                let ends = self.on_their_way.iter().map(|(ends, ..)| *ends).min();
                let next = due.into_iter().chain(ends).min().unwrap_or(i64::MAX);
                if next > end_ms {
                    self.now_ms = end_ms;
                    return self;
                }
                self.now_ms = next.max(self.now_ms);
            }
        }

        fn finish_due(&mut self) {
            let now_ms = self.now_ms;
            let ended: Vec<_> = self
                .on_their_way
                .extract_if(.., |(ends, ..)| *ends <= now_ms)
                .collect();
            for (ends, ticket, id) in ended {
                let missed = self.table.finished(
                    ticket,
                    Ended {
                        at: at(ends),
                        hit_deadline: (self.took_ms)(id) >= 10_000,
                        retry_after: None,
                    },
                );
                self.missed += missed.map_or(0, |missed| missed.count);
                let took = (self.took_ms)(id);
                if took >= 10_000 {
                    self.confirm(id, ends - took, ends);
                }
            }
        }

        fn starts_of(&self, id: i64) -> Vec<i64> {
            self.started
                .iter()
                .filter(|(of, ..)| *of == MonitorId(id))
                .map(|(_, ms, _)| *ms)
                .collect()
        }
    }

    fn quick(_: MonitorId) -> i64 {
        50
    }

    #[test]
    fn a_monitor_keeps_to_its_grid() {
        let mut run = Run::new(8, vec![every(1, 60)], quick);
        let grid = Grid::new(
            &test_monitors::monitor("site-1", Duration::ZERO).name,
            Duration::from_secs(60),
        );
        run.until(240_000);
        let first = grid.next_after(at(0)).as_ms() - START_MS;
        let slots: Vec<i64> = (0..4).map(|k| first + k * 60_000).collect();
        assert_eq!(run.starts_of(1), slots);
        assert_eq!(run.missed, 0);
    }

    #[test]
    fn a_new_monitor_is_checked_at_once_and_many_are_spread_over_nine_seconds() {
        let new = |id| {
            planned(
                id,
                test_monitors::monitor(&format!("n{id}"), Duration::from_secs(3600)),
                None,
            )
        };
        let mut run = Run::new(8, vec![new(1)], quick);
        run.until(20_000);
        assert_eq!(run.starts_of(1).len(), 1);
        assert!(run.starts_of(1)[0] <= 10, "{:?}", run.started);

        let mut run = Run::new(512, (0..2000).map(new).collect(), quick);
        run.until(10_000);
        assert_eq!(run.started.len(), 2000);
        let in_first_second = run.started.iter().filter(|(_, ms, _)| *ms < 1000).count();
        assert!((150..300).contains(&in_first_second), "{in_first_second}");
    }

    #[test]
    fn a_fresh_check_before_a_restart_keeps_the_turn() {
        let slot = Grid::new(
            &test_monitors::monitor("site-1", Duration::ZERO).name,
            Duration::from_secs(3600),
        )
        .next_after(at(0));
        let mut old = every(1, 3600);
        old.last_check = Some(slot.minus(Duration::from_secs(3600)));
        let mut run = Run::new(8, vec![old.clone()], quick);
        run.until(3_600_000);
        assert_eq!(run.starts_of(1), [slot.as_ms() - START_MS]);
        // One from before the last slot, or from the future, does not count.
        for stale in [at(-3_600_000), at(60_000)] {
            old.last_check = Some(stale);
            let mut run = Run::new(8, vec![old.clone()], quick);
            run.until(10_000);
            assert_eq!(run.starts_of(1).len(), 1);
        }
    }

    #[test]
    fn a_confirming_check_runs_beside_the_grid_and_serves_a_slot_that_falls_into_it() {
        let mut run = Run::new(8, vec![every(1, 60)], |_| 3000);
        let first = run.table.next_due().unwrap().as_ms() - START_MS;
        run.until(first + 5000);
        run.table.check_at(MonitorId(1), at(first + 13_000));
        run.until(first + 30_000);
        assert_eq!(run.starts_of(1), [first, first + 13_000]);
        // This one begins a second before the slot and is still running when it comes.
        run.table.check_at(MonitorId(1), at(first + 59_000));
        run.until(first + 130_000);
        assert_eq!(
            run.starts_of(1),
            [first, first + 13_000, first + 59_000, first + 120_000]
        );
        assert_eq!(run.missed, 0);
    }

    #[test]
    fn a_slot_before_the_confirming_check_replaces_its_wait() {
        let mut run = Run::new(8, vec![every(1, 10)], quick);
        let first = run.table.next_due().unwrap().as_ms() - START_MS;
        run.until(first + 100);
        run.table.check_at(MonitorId(1), at(first + 10_050));
        run.until(first + 10_000);
        run.table.check_at(MonitorId(1), at(first + 20_050));
        run.until(first + 20_000);
        assert_eq!(run.starts_of(1), [first, first + 10_000, first + 20_000]);
    }

    #[test]
    fn checks_of_one_monitor_never_overlap_and_overrun_slots_are_missed() {
        let mut run = Run::new(8, vec![every(1, 10)], |_| 25_000);
        let first = run.table.next_due().unwrap().as_ms() - START_MS;
        run.table.check_now(MonitorId(1), at(0), at(0));
        run.until(first + 100_000);
        let starts = run.starts_of(1);
        assert!(
            starts.windows(2).all(|pair| pair[1] - pair[0] >= 25_000),
            "{starts:?}"
        );
        assert!(run.missed > 3, "{}", run.missed);
    }

    #[test]
    fn the_dead_do_not_keep_the_living_waiting() {
        let planned = (0..200).map(|id| every(id, 10)).collect();
        let dead = |id: MonitorId| if id.0 % 2 == 0 { 10_000 } else { 50 };
        let mut run = Run::new(32, planned, dead);
        run.until(150_000);
        let living = run
            .started
            .iter()
            .filter(|(id, ms, _)| id.0 % 2 == 1 && *ms > 60_000);
        let latest = living.map(|(_, _, late)| *late).max().unwrap();
        assert!(latest < Duration::from_millis(60), "{latest:?}");
        // The dead get their half of the slots: 16 at a time, 10 s each.
        let dead = run
            .started
            .iter()
            .filter(|(id, ms, _)| id.0 % 2 == 0 && *ms > 60_000);
        assert!((130..160).contains(&dead.count()));
        assert!(run.missed > 500, "{}", run.missed);
        assert!(run.table.waiting() <= 200);
    }

    /// A line in front of 600 sites dies where 16 checks fit at once: one round of the dead alone takes longer than the
    /// gap after which failures are counted anew. They are confirmed all the same, as many a minute as fit.
    #[test]
    fn more_dead_than_fit_into_a_round_are_confirmed_all_the_same() {
        let planned = (0..620).map(|id| every(id, 60)).collect();
        let mut run = Run::new(16, planned, |id| if id.0 < 600 { 10_000 } else { 50 });
        run.failed = Some(HashMap::new());
        let mut confirmed = Vec::new();
        for minute in 1..=60 {
            run.until(minute * 60_000);
            let failed = run.failed.as_ref().unwrap();
            confirmed.push(failed.values().filter(|(count, _)| *count >= 3).count());
        }
        assert!(confirmed[2] > 10, "{confirmed:?}");
        assert!(confirmed[9] > 60, "{confirmed:?}");
        assert!(confirmed[59] > 500, "{confirmed:?}");
        // The living keep their times.
        let living = run.started.iter().filter(|(id, ..)| id.0 >= 600);
        let latest = living.map(|(_, _, late)| *late).max().unwrap();
        assert!(latest <= Duration::from_secs(60), "{latest:?}");
    }

    #[test]
    fn past_the_limit_lateness_stays_below_the_interval_and_the_rest_is_missed() {
        let planned = (0..100).map(|id| every(id, 10)).collect();
        let mut run = Run::new(1, planned, |_| 200);
        run.until(100_000);
        assert_eq!(run.started.len(), 500);
        assert!(
            run.started
                .iter()
                .all(|(_, _, late)| *late < Duration::from_secs(10))
        );
        assert!((400..=500).contains(&run.missed), "{}", run.missed);
    }

    #[test]
    fn retry_after_stretches_the_next_wait_to_one_interval_at_most() {
        let mut run = Run::new(8, vec![every(1, 60)], quick);
        let first = run.table.next_due().unwrap().as_ms() - START_MS;
        run.until(first);
        let (ends, ticket, _) = run.on_their_way.pop().unwrap();
        let ended = Ended {
            at: at(ends),
            hit_deadline: false,
            retry_after: Some(Duration::from_secs(3600)),
        };
        run.table.finished(ticket, ended);
        run.table.check_at(MonitorId(1), at(ends + 10_000));
        run.until(first + 110_000);
        assert_eq!(run.starts_of(1), [first, ends + 60_000]);
        assert_eq!(run.missed, 0);
    }

    #[test]
    fn a_pause_stops_and_a_resume_checks_soon() {
        let mut run = Run::new(8, vec![every(1, 10)], quick);
        run.table.set_paused(MonitorId(1), true, at(0));
        assert!(!run.table.check_now(MonitorId(1), at(0), at(0)));
        run.until(60_000);
        assert!(run.starts_of(1).is_empty());
        run.table.set_paused(MonitorId(1), false, at(60_000));
        run.until(61_000);
        assert_eq!(run.starts_of(1).len(), 1);
        assert_eq!(run.missed, 0);
    }

    #[test]
    fn a_parent_is_checked_once_for_many_children() {
        let mut run = Run::new(8, vec![every(1, 3600)], quick);
        assert!(run.table.check_now(MonitorId(1), at(0), at(5)));
        run.until(10);
        assert!(
            run.table.check_now(MonitorId(1), at(-3), at(10)),
            "it is on its way"
        );
        run.until(1000);
        assert!(
            !run.table.check_now(MonitorId(1), at(-3), at(1000)),
            "it was served"
        );
        run.until(2000);
        assert_eq!(run.starts_of(1).len(), 1);
    }

    #[test]
    fn replacing_keeps_phases_and_checks_on_their_way() {
        let mut run = Run::new(8, vec![every(1, 60), every(2, 60)], |_| 500);
        let first = run.table.next_due().unwrap().as_ms() - START_MS;
        run.until(first);
        let running = run.started[0].0.0;
        let other = 3 - running;
        run.table.replace(vec![every(running, 60)], at(first + 100));
        assert_eq!((run.table.monitors(), run.table.in_flight()), (1, 1));
        // Taken out and put back while its check runs: still one check at a time.
        run.table.replace(vec![], at(first + 200));
        run.table.replace(vec![every(running, 60)], at(first + 300));
        run.until(first + 61_000);
        assert_eq!(run.starts_of(running), [first, first + 60_000]);
        assert!(run.starts_of(other).is_empty());
        assert_eq!(run.table.in_flight(), 0);
    }

    #[test]
    fn one_gone_check_that_hangs_does_not_make_each_new_monitor_dear() {
        const MANY: i64 = 60_000;
        let mut table = Timetable::new(1);
        let mut first = vec![every(0, 60)];
        let shared = Arc::clone(&first[0].monitor);
        let of = |ids: std::ops::Range<i64>| {
            let planned = |id| Planned {
                id: MonitorId(id),
                monitor: Arc::clone(&shared),
                paused: false,
                last_check: None,
            };
            ids.map(planned).collect::<Vec<_>>()
        };
        first[0].last_check = None;
        table.replace(first, at(0));
        let hangs = table.next_start(at(10_000)).unwrap();
        assert_eq!(hangs.id, MonitorId(0));
        table.amend(of(1..MANY), &[MonitorId(0)], Duration::ZERO, at(10_000));
        let began = crate::clock::tick();
        table.amend(of(MANY..2 * MANY), &[], Duration::ZERO, at(10_000));
        // Looking through all entries for each of them would take a minute.
        assert!(began.elapsed() < Duration::from_secs(30));
        assert_eq!(table.in_flight(), 1);
        table.amend(of(0..1), &[], Duration::ZERO, at(10_000));
        assert!(table.gone_in_flight.is_empty());
        let ended = Ended {
            at: at(20_000),
            hit_deadline: false,
            retry_after: None,
        };
        table.finished(hangs.ticket, ended);
        assert_eq!((table.in_flight(), table.free.len()), (0, 0));
    }

    #[test]
    fn a_changed_interval_is_another_grid() {
        let mut run = Run::new(8, vec![every(1, 3600)], quick);
        run.table.replace(vec![every(1, 10)], at(0));
        run.until(30_000);
        assert_eq!(run.starts_of(1).len(), 3);
    }

    #[test]
    fn a_suspend_is_missed_and_nobody_bursts_afterwards() {
        let mut run = Run::new(512, (0..300).map(|id| every(id, 60)).collect(), quick);
        run.until(60_000);
        let before = run.started.len();
        run.now_ms = 660_000;
        let missed: u64 = run
            .table
            .rebase(at(660_000))
            .iter()
            .map(|missed| missed.count)
            .sum();
        assert_eq!(missed, 3000);
        run.until(669_000);
        let verified: HashSet<_> = run.started[before..].iter().map(|(id, ..)| *id).collect();
        assert_eq!(verified.len(), 300, "within 10 s");
        let burst = run.started[before..]
            .iter()
            .filter(|(_, ms, _)| *ms < 661_000)
            .count();
        assert!(burst < 150, "{burst}");
    }

    #[test]
    fn a_clock_set_back_checks_on() {
        let mut run = Run::new(8, vec![every(1, 60)], quick);
        run.until(120_000);
        let before = run.started.len();
        run.now_ms = -3_600_000;
        assert_eq!(run.table.rebase(at(-3_600_000)), []);
        run.until(-3_600_000 + 120_000);
        let after = run.started.len() - before;
        assert!((2..=3).contains(&after), "{after}");
    }

    #[test]
    fn cron_monitors_come_by_their_trigger() {
        let cron = planned(
            1,
            test_monitors::cron_monitor("job", "0 * * * * *"),
            Some(at(-1)),
        );
        let mut run = Run::new(8, vec![cron], quick);
        assert!(run.until(60_000).starts_of(1).is_empty());
        assert_eq!(run.table.trigger(MonitorId(1), at(60_000)), None);
        run.until(60_000);
        let overlapped = run.table.trigger(MonitorId(1), at(60_000));
        assert_eq!(overlapped.map(|missed| missed.count), Some(1));
        run.until(120_000);
        assert_eq!(run.starts_of(1), [60_000]);
    }

    #[test]
    fn the_heap_stays_as_large_as_the_list() {
        let mut run = Run::new(8, (0..50).map(|id| every(id, 10)).collect(), quick);
        for second in 0..600 {
            run.until(second * 1000);
            for id in 0..50 {
                run.table.check_at(MonitorId(id), at(second * 1000 + 900));
            }
        }
        assert!(run.table.heap.len() < 500, "{}", run.table.heap.len());
    }
}
