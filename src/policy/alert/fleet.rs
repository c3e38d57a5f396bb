//! Monitors that depend on each other, stepped in order: by this alone the recorder decides, and a replay of what it
//! recorded.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::dependencies::Parent;
use super::maintenance::Windows;
use super::monitor::{self, Effect, Event, Refusal, Surroundings};
use super::state::{Memory, Status};
use crate::domain::monitor::{MonitorId, MonitorName, Rules};
use crate::domain::settings::{AlertSettings, Escalation};
use crate::domain::timestamp::Timestamp;

/// A monitor of a fleet: what the steps read and change.
pub trait Member {
    /// Its number.
    fn id(&self) -> MonitorId;
    /// When it is told.
    fn rules(&self) -> &Arc<Rules>;
    /// The steps of escalation that its outages have.
    fn steps(&self) -> &[Arc<Escalation>];
    /// Places of what it depends on.
    fn parents(&self) -> &[usize];
    /// Places of those that depend on it.
    fn children(&self) -> &[usize];
    /// Numbers of the windows that may cover it.
    fn windows(&self) -> &[usize];
    /// What is remembered of it.
    fn memory(&self) -> &Memory;
    /// What is remembered of it, to be changed by a step.
    fn memory_mut(&mut self) -> &mut Memory;
    /// When it wants a tick.
    fn wake_at(&mut self) -> &mut Option<Timestamp>;
    /// Whether it was failing when those that depend on it were last told.
    fn was_failing(&mut self) -> &mut bool;

    /// What those that depend on it need to know of it.
    fn as_parent(&self) -> Parent {
        let memory = self.memory();
        Parent::of(&memory.kept, memory.recent.known_at)
    }
}

/// What surrounds all members alike.
#[derive(Debug, Clone, Copy)]
pub struct Conditions<'a> {
    /// `[alerts]`
    pub alerts: &'a AlertSettings,
    /// The maintenance windows.
    pub windows: &'a Windows,
    /// Whether we are known to be offline. Monitors with a quorum have other locations that are not.
    pub offline: bool,
}

/// One step that a member took.
#[derive(Debug)]
#[must_use]
pub struct Taken<'a> {
    /// Which member.
    pub place: usize,
    /// What happened to it.
    pub event: Event<'a>,
    /// What was remembered before.
    pub before: Memory,
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
    /// Why an order was not followed; then nothing else changed.
    pub refusal: Option<Refusal>,
}

/// How far one event has got: the member that it happened to, then those that depend on what it changed.
#[derive(Debug)]
pub struct Spread<'a> {
    first: Option<(usize, Event<'a>)>,
    /// Members that changed and whose children are not told yet, and whether each is good again.
    changed: Vec<(usize, bool)>,
    /// The children that are being told, the next one last.
    children: Vec<usize>,
    /// What they are told.
    told: Event<'a>,
    /// Every member is passed on at most once, so that a circle of dependencies ends as well.
    passed: BTreeSet<usize>,
}

impl<'a> Spread<'a> {
    /// An event that happens to the member of this place.
    pub const fn of(place: usize, event: Event<'a>) -> Self {
        Self {
            first: Some((place, event)),
            changed: Vec::new(),
            children: Vec::new(),
            told: Event::Tick,
            passed: BTreeSet::new(),
        }
    }

    fn next<M: Member>(&mut self, members: &[M]) -> Option<(usize, Event<'a>)> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            if let Some(child) = self.children.pop() {
                return Some((child, self.told));
            }
            let (parent, is_good_again) = self.changed.pop()?;
            if self.passed.insert(parent) {
                self.children = members[parent].children().iter().rev().copied().collect();
                self.told = match is_good_again {
                    true => Event::ParentRecovered,
                    false => Event::Tick,
                };
            }
        }
    }
}

/// All members, and who wants a tick when.
#[derive(Debug)]
pub struct Fleet<M> {
    /// Every monitor by its place.
    pub slots: Vec<M>,
    wakes: BTreeSet<(Timestamp, usize)>,
    /// Room for the parents of one step.
    parents: Vec<Parent>,
}

impl<M: Member> Fleet<M> {
    /// A fleet of these members, none of which has a wish yet.
    pub const fn new(slots: Vec<M>) -> Self {
        Self {
            slots,
            wakes: BTreeSet::new(),
            parents: Vec::new(),
        }
    }

    /// When the next member wants a tick.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// The next member that wants a tick by `now`. It is owed one from then on.
    pub fn take_due(&mut self, now: Timestamp) -> Option<usize> {
        let (at, place) = self.wakes.first().copied()?;
        if at > now {
            return None;
        }
        self.wakes.pop_first();
        *self.slots[place].wake_at() = None;
        Some(place)
    }

    /// Forgets all wishes: every member is stepped again.
    pub fn forget_wakes(&mut self) {
        self.wakes.clear();
    }

    /// Takes the wishes from the members again, after they moved to other places.
    pub fn find_wakes(&mut self) {
        let slots = self.slots.iter_mut().enumerate();
        self.wakes = slots
            .filter_map(|(place, slot)| Some(((*slot.wake_at())?, place)))
            .collect();
    }

    /// The next step of an event, until none is left. What a step asks for is done before the next one is taken.
    pub fn step<'a>(
        &mut self,
        spread: &mut Spread<'a>,
        conditions: &Conditions<'_>,
        now: Timestamp,
    ) -> Option<Taken<'a>> {
        let (place, event) = spread.next(&self.slots)?;
        let taken = self.step_alone(place, event, conditions, now);
        if taken.refusal.is_none() {
            spread.changed.extend(self.changed(place));
        }
        Some(taken)
    }

    fn step_alone<'a>(
        &mut self,
        place: usize,
        event: Event<'a>,
        conditions: &Conditions<'_>,
        now: Timestamp,
    ) -> Taken<'a> {
        self.parents.clear();
        for parent in self.slots[place].parents() {
            let parent = &self.slots[*parent];
            if !parent.memory().kept.paused {
                self.parents.push(parent.as_parent());
            }
        }
        let slot = &mut self.slots[place];
        let rules = Arc::clone(slot.rules());
        let is_open = |number: &usize| conditions.windows.open(*number).is_some();
        let around = Surroundings {
            monitor: slot.id(),
            alerts: conditions.alerts,
            maintenance: slot.windows().iter().any(is_open),
            parents: &self.parents,
            offline: conditions.offline && rules.quorum.is_none(),
            steps: slot.steps(),
        };
        let step = monitor::step(&rules, &around, slot.memory(), event, now);
        let wake_at = monitor::wake_at(&rules, &around, &step.after, now);
        let wished = std::mem::replace(slot.wake_at(), wake_at);
        if wished != wake_at {
            if let Some(at) = wished {
                self.wakes.remove(&(at, place));
            }
            if let Some(at) = wake_at {
                self.wakes.insert((at, place));
            }
        }
        Taken {
            place,
            event,
            before: std::mem::replace(slot.memory_mut(), step.after),
            effects: step.effects,
            refusal: step.refusal,
        }
    }

    /// The member, where its last step changed whether it is failing, and whether it is good again.
    fn changed(&mut self, place: usize) -> Option<(usize, bool)> {
        let slot = &mut self.slots[place];
        let failing = slot.as_parent().failing;
        let was = std::mem::replace(slot.was_failing(), failing);
        let is_up = matches!(slot.memory().kept.status, Status::Up { .. });
        (was != failing && !slot.children().is_empty()).then_some((place, was && is_up))
    }
}

/// The places of what the member of `place` depends on. Names that are not there, and its own, connect nothing.
pub fn parents(
    places: &HashMap<MonitorName, usize>,
    place: usize,
    depends_on: &[MonitorName],
) -> Vec<usize> {
    let named = depends_on.iter();
    named
        .filter_map(|name| places.get(name).copied())
        .filter(|parent| *parent != place)
        .collect()
}
