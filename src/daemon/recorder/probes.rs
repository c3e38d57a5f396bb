//! What the recorder takes in from other locations: the frames of probes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::asks::ASKS_A_SECOND;
use super::engine::Recorder;
use super::location_sight::{Sight, late_with};
use super::message::{NotRecorded, Reply};
use super::shared_check::shared;
use super::sharing::{Probe, Sharing};
use super::staged::{Deed, StagedCheck};
use crate::domain::check::Check;
use crate::domain::location::{Ask, Frame, LocationName, Observation, Places, ProbeName, Receipt};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::Event;
use crate::policy::clock_step::ClockStep;
use crate::store::error::StoreError;
use crate::store::facts::arrivals::Arrival;
use crate::store::facts::locations::{FIRST_SERIES, Series, StoredProbe};

/// So many spools that a probe had before are remembered.
const SPOOLS_MAX: usize = 8;

/// Of the locations of a hub.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Probes {
    /// Those that check any monitor.
    pub(super) known: BTreeMap<LocationName, Location>,
    /// Where the checks of a monitor and location are stored.
    series: HashMap<(MonitorId, LocationName), Line>,
    /// The number of the next series.
    next_series: i64,
    /// What the probes that wait for an answer are to be asked.
    pub(super) asks: Vec<Ask>,
    /// When a location was asked last about a monitor.
    pub(super) asked: HashMap<(MonitorId, LocationName), Timestamp>,
}

/// One location, and what its probes have in common.
#[derive(Debug)]
pub(super) struct Location {
    /// How many monitors it checks.
    pub(super) monitors: usize,
    /// Its probes.
    pub(super) sharing: Sharing,
    /// What may be asked now, and when that was counted.
    pub(super) tokens: (f64, Timestamp),
    /// When monitors began to fail there.
    pub(super) began: VecDeque<Timestamp>,
    /// Whether its word counts.
    pub(super) sight: Sight,
    /// The newest of its checks that came later than they were made.
    pub(super) arrival: Option<Arrival>,
}

impl Location {
    fn new(name: &LocationName, stored: &HashMap<ProbeName, StoredProbe>, now: Timestamp) -> Self {
        let its = stored.iter().filter(|(sender, _)| sender.location == *name);
        let newest = its.clone().max_by_key(|(_, probe)| probe.heard_at);
        let seen = newest.and_then(|(_, probe)| probe.seen);
        Self {
            monitors: 0,
            sharing: Sharing::new(its.map(|(sender, probe)| (sender.share, probe)), now),
            tokens: (ASKS_A_SECOND, now),
            began: VecDeque::new(),
            sight: Sight::new(seen, now),
            arrival: None,
        }
    }

    /// One of its probes as it is stored.
    pub(super) fn stored(&self, probe: &Probe) -> StoredProbe {
        StoredProbe {
            spool: probe.spool.unwrap_or(0),
            done_seq: probe.done_seq,
            heard_at: probe.heard_at,
            silent_from: probe.silent_from,
            seen: self.sight.told(),
        }
    }
}

/// Where the checks of one monitor and location go.
#[derive(Debug)]
struct Line {
    id: MonitorId,
    from: Timestamp,
    /// The newest check by the probe's clock: what is not later came already.
    newest: Timestamp,
    /// The newest check as it is recorded.
    last_at: Timestamp,
    /// Whether the configuration has it.
    is_used: bool,
}

impl Probes {
    /// The hub's clock was set: what was heard goes on in the new time, and probes' clocks are compared again.
    pub(super) fn clock_was_set(&mut self, step: &ClockStep) {
        for line in self.series.values_mut() {
            line.last_at = step.past(line.last_at);
        }
        for location in self.known.values_mut() {
            location.sharing.clock_was_set(step);
            location.sight.move_times(step);
            location.arrival = None;
            location.began.clear();
            location.tokens.1 = step.to;
        }
        self.asked.clear();
    }
}

/// Adds milliseconds that may be negative.
fn shifted(at: Timestamp, by_ms: i64) -> Timestamp {
    Timestamp::from_ms(at.as_ms().saturating_add(by_ms))
}

impl Recorder {
    /// The locations of this hub, if it has any.
    pub(super) fn places_of_hub(&self) -> Option<&Places> {
        self.config.places()
    }

    /// Takes up what is stored of locations, and what a new configuration makes of them.
    ///
    /// # Errors
    /// If SQLite fails.
    pub(super) fn enroll_locations(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let any = self
            .fleet
            .slots
            .iter()
            .any(|slot| slot.monitor.rules.quorum.is_some());
        if !any && self.probes.known.is_empty() && self.probes.next_series != 0 {
            return Ok(());
        }
        if self.probes.next_series == 0 {
            self.load_series()?;
        }
        let stored = match self.probes.known.is_empty() {
            true => self.store.probes()?,
            false => HashMap::new(),
        };
        let mut before = std::mem::take(&mut self.probes.known);
        let here = self.places_of_hub().and_then(|places| places.here.clone());
        let mut lines: Vec<(MonitorId, LocationName)> = Vec::new();
        for slot in &self.fleet.slots {
            let Some(quorum) = &slot.monitor.rules.quorum else {
                continue;
            };
            for location in quorum.locations.iter() {
                lines.push((slot.id, location.clone()));
                if here.as_ref() == Some(location) {
                    continue;
                }
                let known = &mut self.probes.known;
                if !known.contains_key(location) {
                    let mut its = before
                        .remove(location)
                        .unwrap_or_else(|| Location::new(location, &stored, now));
                    its.monitors = 0;
                    known.insert(location.clone(), its);
                }
                if let Some(its) = known.get_mut(location) {
                    its.monitors += 1;
                    its.sight.wait_at_least(slot.monitor.rules.fresh_for());
                }
            }
        }
        let places = &self.places;
        self.probes
            .asked
            .retain(|(monitor, _), _| places.contains_key(monitor));
        self.use_series(&lines, now);
        Ok(())
    }

    fn load_series(&mut self) -> Result<(), StoreError> {
        let stored = self.store.series()?;
        let last = stored.iter().map(|series| series.id.0).max();
        self.probes.next_series = last.map_or(FIRST_SERIES, |last| last + 1);
        let lines = stored.into_iter().map(|series| {
            let line = Line {
                id: series.id,
                from: series.from,
                newest: Timestamp::MIN,
                last_at: Timestamp::MIN,
                is_used: series.to.is_none(),
            };
            ((series.monitor, series.location), line)
        });
        self.probes.series = lines.collect();
        Ok(())
    }

    /// Begins the series that the configuration wants and ends the others.
    fn use_series(&mut self, wanted: &[(MonitorId, LocationName)], now: Timestamp) {
        let mut changed: Vec<Series> = Vec::new();
        let series = |key: &(MonitorId, LocationName), line: &Line, to| Series {
            id: line.id,
            monitor: key.0,
            location: key.1.clone(),
            from: line.from,
            to,
        };
        let used: std::collections::HashSet<&(MonitorId, LocationName)> = wanted.iter().collect();
        for (key, line) in &mut self.probes.series {
            if line.is_used && !used.contains(key) {
                line.is_used = false;
                changed.push(series(key, line, Some(now)));
            }
        }
        for key in wanted {
            let next = &mut self.probes.next_series;
            let line = self.probes.series.entry(key.clone()).or_insert_with(|| {
                let id = MonitorId(*next);
                *next += 1;
                Line {
                    id,
                    from: now,
                    newest: Timestamp::MIN,
                    last_at: Timestamp::MIN,
                    is_used: false,
                }
            });
            if !line.is_used {
                line.is_used = true;
                changed.push(series(key, line, None));
            }
        }
        if changed.is_empty() {
            return;
        }
        let write = move |batch: &mut crate::store::transaction::Batch<'_>| {
            changed
                .iter()
                .try_for_each(|series| batch.put_series(series))
        };
        self.staged.deed(Deed::Write(Box::new(write)), now);
    }

    /// Gives the locations of a monitor back what they saw before the start.
    pub(super) fn restore_seats(
        &mut self,
        place: usize,
        pasts: &mut HashMap<MonitorId, crate::store::checks::latest::Past>,
        now: Timestamp,
    ) {
        let Some(slot) = self.fleet.slots.get_mut(place) else {
            return;
        };
        let Some(quorum) = slot.monitor.rules.quorum.clone() else {
            return;
        };
        let seats = slot.memory.kept.seats.get_or_insert_default();
        seats.fit(&quorum, now);
        let mut is_start = false;
        for location in quorum.locations.iter() {
            let line = self.probes.series.get_mut(&(slot.id, location.clone()));
            let Some(line) = line else { continue };
            let Some(past) = pasts.remove(&line.id) else {
                continue;
            };
            is_start = true;
            let newest: Vec<Arc<Check>> = past.newest.into_iter().map(Arc::new).collect();
            if let Some(check) = newest.first() {
                line.last_at = line.last_at.max(check.at);
            }
            seats.restore(location, &newest);
        }
        // While the hub did not run it could hear nobody.
        if is_start {
            seats.wait(now);
        }
    }

    /// Takes in a frame. The answer comes after the commit that holds it.
    pub(super) fn frame(&mut self, frame: Frame, reply: Reply<Receipt>, now: Timestamp) {
        let (sender, spool) = (frame.sender.clone(), frame.spool);
        let receipt = |done_seq| Receipt { spool, done_seq };
        let Some(location) = self.probes.known.get_mut(&sender.location) else {
            tracing::warn!("a frame of {sender}, which no monitor has as a location, is dropped");
            return reply.tell(Ok(receipt(frame.seq)));
        };
        if !location.sharing.takes(sender.share) {
            return reply.tell(Ok(receipt(frame.seq)));
        }
        let known = location.sharing.done_of(spool);
        let probe = location.sharing.probe(sender.share, now);
        probe.heard(frame.received_at);
        if probe.spool != Some(spool) {
            if probe.former.contains(&spool) {
                let told = std::mem::replace(&mut probe.twin_told, true);
                if !told {
                    self.tell_of_twin(&sender, now);
                }
                return reply.tell(Ok(receipt(frame.seq)));
            }
            if let Some(former) = probe.spool.replace(spool) {
                probe.former.push_back(former);
                if probe.former.len() > SPOOLS_MAX {
                    probe.former.pop_front();
                }
            }
            probe.done_seq = known;
        }
        if frame.seq > probe.done_seq && frame.after <= probe.done_seq {
            probe.done_seq = frame.seq;
            let offset_ms = probe.offset_ms();
            self.keep_probe(&sender, now);
            let times = (offset_ms, frame.received_at);
            let mut late: Option<Arrival> = None;
            for observation in frame.observations {
                if let Some(check) = self.observe(&sender.location, observation, times, now) {
                    late = late_with(late, &check, frame.received_at);
                }
            }
            if let Some(late) = late {
                self.note_arrival(&sender.location, late, now);
            }
        }
        let Some(location) = self.probes.known.get_mut(&sender.location) else {
            return;
        };
        let receipt = receipt(location.sharing.probe(sender.share, now).done_seq);
        if self.staged.is_empty() {
            return reply.tell(Ok(receipt));
        }
        self.staged.urgent = true;
        self.staged
            .replies
            .push(Box::new(move |written: Result<(), NotRecorded>| {
                reply.tell(written.map(|()| receipt));
            }));
    }

    /// Stores what is committed of a probe.
    pub(super) fn keep_probe(&mut self, sender: &ProbeName, now: Timestamp) {
        let Some(location) = self.probes.known.get(&sender.location) else {
            return;
        };
        let Some(probe) = location.sharing.get(sender.share) else {
            return;
        };
        let stored = location.stored(probe);
        let sender = sender.clone();
        let write = move |batch: &mut crate::store::transaction::Batch<'_>| {
            batch.put_probe(&sender, &stored)
        };
        self.staged.deed(Deed::Write(Box::new(write)), now);
    }

    fn observe(
        &mut self,
        location: &LocationName,
        observation: Observation,
        (offset_ms, received_at): (i64, Timestamp),
        now: Timestamp,
    ) -> Option<Arc<Check>> {
        match observation {
            Observation::Missed {
                monitor,
                from,
                count,
            } => {
                let line = self.probes.series.get(&(monitor, location.clone()));
                if let Some(line) = line.filter(|line| line.is_used) {
                    let deed = Deed::Missed {
                        monitor: line.id,
                        from: shifted(from, offset_ms).min(received_at),
                        count,
                    };
                    self.staged.deed(deed, now);
                }
                None
            }
            Observation::Checked { monitor, check } => {
                let began = check.at;
                let line = self.probes.series.get_mut(&(monitor, location.clone()));
                let line = line.filter(|line| began > line.newest)?;
                line.newest = began;
                let took = check.timings.total.as_duration();
                let latest = received_at.minus(took);
                let at = shifted(began, offset_ms).min(latest);
                let heard = self.heard_from(monitor, location, at, check, received_at, now);
                heard.map(|(_, check)| check)
            }
        }
    }

    /// Takes in a check of one location that began then by the hub's clock.
    pub(super) fn heard_from(
        &mut self,
        monitor: MonitorId,
        location: &LocationName,
        at: Timestamp,
        original: Box<Check>,
        received_at: Timestamp,
        now: Timestamp,
    ) -> Option<(usize, Arc<Check>)> {
        // Its monitor, or the location of it, left while it was on its way.
        let place = self.places.get(&monitor).copied()?;
        let slot = self.fleet.slots.get_mut(place)?;
        let rules = Arc::clone(&slot.monitor.rules);
        let line = self.probes.series.get_mut(&(monitor, location.clone()))?;
        if !line.is_used {
            return None;
        }
        line.last_at = at.max(line.last_at.plus(Duration::from_millis(1)));
        let at = line.last_at;
        let seats = slot.memory.kept.seats.as_ref();
        let seat = seats.and_then(|seats| seats.list.get(seats.place(location)?));
        let newest = seat.and_then(|seat| seat.newest());
        let mut check = shared(&original, newest, slot.monitor.subject.url_text());
        check.at = at;
        slot.last_at = slot.last_at.max(at);
        let (id, limit) = (line.id, slot.monitor.subject.degraded_after());
        // What is usual is that of the location.
        self.judge_by_usual(id, limit, &mut check);
        self.copied.push(original);
        let check = Arc::new(check);
        let staged = StagedCheck {
            monitor: id,
            check: Arc::clone(&check),
            interval: rules.interval,
        };
        self.staged.check(staged, now);
        let ended = at.plus(check.timings.total.as_duration());
        let is_late = rules.is_gap(ended, received_at);
        if !is_late && let Some(its) = self.probes.known.get_mut(location) {
            its.sight.heard(now, rules.fresh_for());
        }
        let event = Event::Heard {
            location,
            check: &check,
            is_late,
        };
        let _ = self.step(place, event, now);
        Some((place, check))
    }

    /// A check of the hub itself, which is one of the locations.
    pub(super) fn checked_here(
        &mut self,
        monitor: MonitorId,
        original: Box<Check>,
        began: Timestamp,
        now: Timestamp,
    ) {
        let Some(here) = self.places_of_hub().and_then(|places| places.here.clone()) else {
            return;
        };
        let by_clock = original.at;
        let heard = self.heard_from(monitor, &here, began, original, now, now);
        if let Some((place, check)) = heard {
            self.look_at_answer(place, &check, by_clock);
        }
    }
}
