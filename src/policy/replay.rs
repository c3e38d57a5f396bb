//! Recorded checks through the alert rules of a configuration, in their own time: what would have been said, and when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::alert::dependencies::Parent;
use super::alert::maintenance::Windows;
use super::alert::monitor::{self, Effect, Event, Surroundings};
use super::alert::state::{Memory, Status};
use crate::domain::check::Check;
use crate::domain::monitor::{Monitor, MonitorId, MonitorName};
use crate::domain::notification::News;
use crate::domain::settings::{AlertSettings, Maintenance};
use crate::domain::timestamp::Timestamp;

/// One thing that would have been said.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Of whom: the place in the list that the world was made of.
    pub place: usize,
    /// When it would have been decided.
    pub at: Timestamp,
    /// What.
    pub news: News,
}

/// All monitors of a configuration with what is remembered of them.
#[derive(Debug)]
pub struct Replay<'a> {
    alerts: &'a AlertSettings,
    windows: Windows,
    slots: Vec<Slot<'a>>,
    wakes: BTreeSet<(Timestamp, usize)>,
    said: Vec<Said>,
}

#[derive(Debug)]
struct Slot<'a> {
    id: MonitorId,
    monitor: &'a Monitor,
    memory: Memory,
    parents: Vec<usize>,
    children: Vec<usize>,
    windows: Vec<usize>,
    wake_at: Option<Timestamp>,
    was_failing: bool,
}

impl Slot<'_> {
    fn as_parent(&self) -> Parent {
        Parent::of(&self.memory.kept.status, self.memory.recent.known_at)
    }
}

impl<'a> Replay<'a> {
    /// A world in which nothing is known yet at `start`.
    pub fn new(
        monitors: impl IntoIterator<Item = (MonitorId, &'a Monitor)>,
        alerts: &'a AlertSettings,
        maintenance: &[Maintenance],
        zone: &TimeZone,
        start: Timestamp,
    ) -> Self {
        let windows = Windows::new(maintenance, zone, start);
        let mut slots: Vec<Slot<'a>> = monitors
            .into_iter()
            .map(|(id, monitor)| Slot {
                id,
                monitor,
                memory: Memory::default(),
                parents: Vec::new(),
                children: Vec::new(),
                windows: windows.covering(monitor),
                wake_at: None,
                was_failing: false,
            })
            .collect();
        let places: HashMap<MonitorName, usize> = slots
            .iter()
            .enumerate()
            .map(|(place, slot)| (slot.monitor.name.clone(), place))
            .collect();
        let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, slot) in slots.iter_mut().enumerate() {
            let named = slot.monitor.depends_on.iter();
            slot.parents = named.filter_map(|name| places.get(name).copied()).collect();
            for parent in &slot.parents {
                children.entry(*parent).or_default().push(place);
            }
        }
        for (parent, list) in children {
            slots[parent].children = list;
        }
        Self {
            alerts,
            windows,
            slots,
            wakes: BTreeSet::new(),
            said: Vec::new(),
        }
    }

    /// Feeds one check, in the order of time over all monitors.
    pub fn check(&mut self, place: usize, check: Check) {
        let now = check.at.plus(check.timings.total.as_duration());
        self.pass(now);
        self.step(place, Event::Checked(&Arc::new(check)), now);
    }

    /// Lets time pass, with all that falls due meanwhile.
    pub fn pass(&mut self, now: Timestamp) {
        loop {
            let wake = self.wakes.first().map(|(at, _)| *at);
            let edge = self.windows.next_edge();
            let Some(next) = [wake, edge]
                .into_iter()
                .flatten()
                .min()
                .filter(|at| *at <= now)
            else {
                return;
            };
            let changed = self.windows.advance(next);
            let covered: Vec<usize> = (0..self.slots.len())
                .filter(|place| {
                    self.slots[*place]
                        .windows
                        .iter()
                        .any(|number| changed.contains(number))
                })
                .collect();
            for place in covered {
                self.step(place, Event::Tick, next);
            }
            while let Some((at, place)) = self.wakes.first().copied()
                && at <= next
            {
                self.wakes.remove(&(at, place));
                self.slots[place].wake_at = None;
                self.step(place, Event::Tick, next);
            }
        }
    }

    /// What was said since it was last asked.
    pub fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    fn step(&mut self, place: usize, event: Event<'_>, now: Timestamp) {
        self.step_alone(place, event, now);
        let mut changed: Vec<(usize, bool)> = self.changed(place).into_iter().collect();
        let mut passed = BTreeSet::new();
        while let Some((parent, recovered)) = changed.pop() {
            if !passed.insert(parent) {
                continue;
            }
            for child in self.slots[parent].children.clone() {
                let event = if recovered {
                    Event::ParentRecovered
                } else {
                    Event::Tick
                };
                self.step_alone(child, event, now);
                changed.extend(self.changed(child));
            }
        }
    }

    /// The monitor, where it began or ceased to fail, and whether it is good again.
    fn changed(&mut self, place: usize) -> Option<(usize, bool)> {
        let slot = &mut self.slots[place];
        let failing = slot.as_parent().failing;
        let was = std::mem::replace(&mut slot.was_failing, failing);
        let up = matches!(slot.memory.kept.status, Status::Up { .. });
        (was != failing).then_some((place, was && up))
    }

    fn step_alone(&mut self, place: usize, event: Event<'_>, now: Timestamp) {
        let slot = &self.slots[place];
        let parents: Vec<Parent> = slot
            .parents
            .iter()
            .map(|parent| self.slots[*parent].as_parent())
            .collect();
        let around = Surroundings {
            monitor: slot.id,
            alerts: self.alerts,
            maintenance: slot
                .windows
                .iter()
                .any(|number| self.windows.open(*number).is_some()),
            parents: &parents,
            offline: false,
        };
        let rules = &slot.monitor.rules;
        let step = monitor::step(rules, &around, &slot.memory, event, now);
        let wake_at = monitor::wake_at(rules, &around, &step.after, now);
        let slot = &mut self.slots[place];
        if let Some(at) = slot.wake_at.take() {
            self.wakes.remove(&(at, place));
        }
        if let Some(at) = wake_at {
            self.wakes.insert((at, place));
        }
        slot.wake_at = wake_at;
        slot.memory = step.after;
        for effect in step.effects {
            match effect {
                Effect::Say { news, to: _ } => self.said.push(Said {
                    place,
                    at: now,
                    news: *news,
                }),
                // History is what it is: nothing is stored, and no check can be asked for.
                Effect::Open(_)
                | Effect::Progress(_)
                | Effect::Close { .. }
                | Effect::DropWaiting(_)
                | Effect::Window { .. }
                | Effect::CheckParents
                | Effect::CheckAgain { .. } => {}
            }
        }
    }
}
