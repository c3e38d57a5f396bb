//! What the recorder does when the clock was set: what goes on is dated by the new time, what was recorded ahead
//! of it is put aside.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::engine::Recorder;
use super::message::Turn;
use super::staged::Deed;
use crate::domain::check::Check;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::fleet::Member as _;
use crate::policy::alert::maintenance::Windows;
use crate::policy::alert::monitor::{self, Event};
use crate::policy::clock_step::{ClockStep, STEP_MIN};
use crate::store::error::StoreError;
use crate::store::facts::offline_state::Blind;

/// What the recorder knows of the clock.
#[derive(Debug)]
pub(in crate::daemon) struct ClockSeen {
    /// The start of the process, by the clock as it is now.
    pub(super) era_from: Timestamp,
    /// What the clock showed last.
    pub(in crate::daemon) seen: Timestamp,
    /// How much time passed since, where somebody measured it.
    pub(in crate::daemon) lived: Option<Duration>,
    /// The newest step: checks that were under way then come in later.
    pub(in crate::daemon) newest: Option<ClockStep>,
    /// The steps back that starts assumed, one after the other, while they may be taken back.
    pub(super) assumed: Vec<ClockStep>,
    /// Steps of which the database does not know yet.
    pub(in crate::daemon) unwritten: Vec<Unwritten>,
}

/// A step of which the database does not know yet.
#[derive(Debug)]
pub(in crate::daemon) enum Unwritten {
    /// Somebody set the clock.
    Set(ClockStep),
    /// The clock was behind the record at the start.
    Assumed(ClockStep),
    /// What a start assumed was wrong: the clock had been behind.
    TakenBack(ClockStep),
}

impl ClockSeen {
    pub(in crate::daemon) const fn new(now: Timestamp) -> Self {
        Self {
            era_from: now,
            seen: now,
            lived: None,
            newest: None,
            assumed: Vec::new(),
            unwritten: Vec::new(),
        }
    }
}

impl Recorder {
    /// How much time passed since the last call, by a clock that nobody sets. A step back is noticed also
    /// without it.
    pub const fn lived(&mut self, passed: Duration) {
        self.clock.lived = Some(passed);
    }

    /// Notices that the clock was set since the last look at it.
    pub(super) fn look_at_clock(&mut self, now: Timestamp) {
        let before = std::mem::replace(&mut self.clock.seen, now);
        let lived = match self.clock.lived.take() {
            Some(lived) => lived,
            None => now.since(before),
        };
        let step = ClockStep::between(self.clock.era_from, before, now, lived);
        if let Some(step) = step {
            self.clock_was_seen_set(step);
        }
    }

    /// At the start: what a process before this one recorded may lie ahead. Or the clock is behind, which shows when it
    /// is set forward.
    pub(super) fn look_at_past(&mut self, newest: Option<Timestamp>, now: Timestamp) {
        let Some(newest) = newest.filter(|newest| *newest > now.plus(STEP_MIN)) else {
            return;
        };
        let assumed = &self.clock.assumed;
        let anchor = assumed.first().and_then(|open| open.anchor_at(now));
        let step = match (anchor, assumed.last()) {
            // What was recorded since the start before this one is of its clock.
            (Some(to), Some(last)) => ClockStep {
                era_from: last.to,
                from: newest,
                to,
            },
            _ => ClockStep {
                era_from: newest,
                from: newest,
                to: now,
            },
        };
        if !step.is_believed() || !step.is_back() {
            return;
        }
        self.clock_was_set(step, Unwritten::Assumed(step));
        if anchor.is_none() {
            self.clock.assumed.clear();
        }
        self.clock.assumed.push(step);
    }

    fn clock_was_seen_set(&mut self, step: ClockStep) {
        let first = self.clock.assumed.first().copied();
        let Some(first) = first.filter(|first| first.is_taken_back_by(&step)) else {
            return self.clock_was_set(step, Unwritten::Set(step));
        };
        let assumed = std::mem::take(&mut self.clock.assumed);
        // Other processes may have recorded by the clock that was behind, and each start moved what was before it.
        let moved: i64 = assumed.iter().skip(1).map(ClockStep::by_ms).sum();
        let behind_from = Timestamp::from_ms(first.to.as_ms().saturating_add(moved));
        let step = ClockStep {
            era_from: step.era_from.min(behind_from),
            ..step
        };
        self.clock_was_set(step, Unwritten::TakenBack(step));
        tracing::warn!(
            "at the start the clock was behind: what was marked as recorded ahead counts again"
        );
        let before = self.store.kept_before_step().unwrap_or_else(|error| {
            tracing::error!("states of before the start could not be read: {error}");
            HashMap::new()
        });
        for slot in &mut self.fleet.slots {
            if let Some(before) = before.get(&slot.id) {
                let kept = &mut slot.memory.kept;
                kept.clock_had_been_behind(before, &assumed, &step);
                slot.dirty = true;
            }
        }
        self.go_on_all(step.to);
    }

    /// Anchors everything at the new time.
    fn clock_was_set(&mut self, step: ClockStep, unwritten: Unwritten) {
        let now = step.to;
        tracing::warn!(
            by_ms = step.by_ms(),
            "the clock was set: what goes on is dated by the new time{}",
            if step.is_back() && step.is_believed() {
                "; what was recorded ahead of it is marked and counts nowhere (`sitewatch history --all` shows it)"
            } else {
                ""
            }
        );
        // What was decided before belongs to the old time.
        if !self.staged.is_empty() && self.flush(step.from).is_err() {
            self.redate_staged(&step);
        }
        let believed = step.is_believed();
        self.clock.era_from = match believed || !step.is_back() {
            true => step.past(self.clock.era_from).min(now),
            false => now,
        };
        self.windows = Windows::new(&self.config.maintenance, &self.config.daemon.timezone, now);
        if step.is_back() && !believed {
            // Recorded time goes on where it was.
            self.clock.newest = None;
            return;
        }
        self.clock.newest = Some(step);
        self.clock.unwritten.push(unwritten);
        self.fleet.forget_wakes();
        if let Some(blind) = self.blind {
            let from = step.past(blind.from);
            self.keep_blind(Some(Blind { from, ..blind }), now);
        }
        self.probes.clock_was_set(&step);
        for slot in &mut self.fleet.slots {
            slot.memory.clock_was_set(&step);
            slot.last_at = step.past(slot.last_at);
            slot.clock_at = None;
            slot.wake_at = None;
            slot.dirty = true;
        }
        if !matches!(self.clock.unwritten.last(), Some(Unwritten::TakenBack(_))) {
            self.go_on_all(now);
        }
    }

    fn go_on_all(&mut self, now: Timestamp) {
        for place in 0..self.fleet.slots.len() {
            self.go_on(place, now);
        }
        self.staged.since.get_or_insert(now);
        self.staged.urgent = true;
    }

    /// One monitor, in the new time.
    fn go_on(&mut self, place: usize, now: Timestamp) {
        let slot = &self.fleet.slots[place];
        if let Some(outage) = slot.memory.kept.status.outage() {
            let incident = outage.incident();
            self.staged.deed(Deed::Incident(incident), now);
        }
        let _ = self.step(place, Event::Tick, now);
        let slot = &self.fleet.slots[place];
        if monitor::wants_confirmation(&slot.memory)
            && !slot.memory.kept.paused
            && slot.monitor.rules.quorum.is_none()
        {
            let (monitor, retry) = (slot.id, slot.monitor.rules.retry_interval);
            let ended = slot.newest_ended().unwrap_or(now).min(now);
            let at = ended.plus(retry).max(now);
            self.turns.push(Turn::CheckAt { monitor, at });
        }
        for number in self.fleet.slots[place].windows().to_vec() {
            self.note_window(place, number, now);
        }
        let slot = &self.fleet.slots[place];
        let windows = slot.memory.kept.windows.iter();
        let ordered: Vec<_> = windows.map(|one| (one.from, one.until)).collect();
        let monitor = slot.id;
        for (from, to) in ordered {
            self.keep_window(monitor, from, to, now);
        }
    }

    /// The database takes no writes: what waits for it is not recorded yet, and is dated by the new time at once.
    fn redate_staged(&mut self, step: &ClockStep) {
        for staged in &mut self.staged.checks {
            let mut check = Check::clone(&staged.check);
            check.at = step.past(check.at);
            staged.check = Arc::new(check);
        }
        for deed in &mut self.staged.deeds {
            if let Deed::Incident(incident) = deed {
                let opened_at = step.past(incident.opened_at());
                incident.began_at = (opened_at != incident.key.opened_at).then_some(opened_at);
                incident.closed_at = incident.closed_at.map(|at| step.past(at));
            }
        }
    }

    /// Tells the database of steps that it does not know yet, before anything that was recorded after them.
    pub(super) fn write_clock_steps(&mut self) -> Result<(), StoreError> {
        while let Some(unwritten) = self.clock.unwritten.first() {
            let written = match unwritten {
                Unwritten::Set(step) => self.store.clock_was_set(step),
                Unwritten::Assumed(step) => self.store.assume_step(step),
                Unwritten::TakenBack(step) => self.store.clock_had_been_behind(step),
            };
            match written {
                Err(StoreError::Sql(error)) => {
                    // A fault of ours must not keep everything else from being written.
                    tracing::error!("what was recorded ahead could not be put aside: {error}");
                }
                written => written?,
            }
            self.clock.unwritten.remove(0);
        }
        Ok(())
    }
}
