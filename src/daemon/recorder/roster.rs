//! The monitors that the recorder drives, with what connects them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::domain::monitor::{Monitor, MonitorId, MonitorName, Rules};
use crate::domain::notification::About;
use crate::domain::settings::Escalation;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::dependencies::Parent;
use crate::policy::alert::escalation::steps_of;
use crate::policy::alert::fleet::{self, Member};
use crate::policy::alert::maintenance::Windows;
use crate::policy::alert::state::Memory;
use crate::policy::clock_step::STEP_MIN;
use crate::store::facts::monitors::MonitorFacts;

/// One monitor that is checked.
#[derive(Debug)]
pub(in crate::daemon) struct Slot {
    pub(in crate::daemon) id: MonitorId,
    pub(in crate::daemon) monitor: Arc<Monitor>,
    pub(in crate::daemon) memory: Memory,
    /// Whether what is kept differs from what is stored.
    pub(super) dirty: bool,
    /// Whether the board shows something older.
    pub(super) touched: bool,
    /// Whether it was failing when those that depend on it were last told.
    pub(super) was_failing: bool,
    /// The day of its newest good answer that is kept, counted from 1970; 0 if that is not known.
    pub(super) good_day: u16,
    /// What it is connected with; nothing for most.
    pub(super) ties: Option<Box<Ties>>,
    /// When it wants a tick.
    pub(in crate::daemon) wake_at: Option<Timestamp>,
    /// The beginning of its newest check: the next one is later, whatever the clock says.
    pub(super) last_at: Timestamp,
    /// What the clock said at that beginning; none since the start.
    pub(super) clock_at: Option<Timestamp>,
}

/// What connects a monitor with others and with the calendar.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Ties {
    /// Places of what it depends on.
    parents: Vec<usize>,
    /// Places of those that depend on it.
    children: Vec<usize>,
    /// Numbers of the windows that cover it.
    windows: Vec<usize>,
    /// The steps of escalation that its outages have.
    steps: Vec<Arc<Escalation>>,
}

impl Slot {
    fn ties(&mut self) -> &mut Ties {
        self.ties.get_or_insert_default()
    }

    pub(in crate::daemon) fn new(id: MonitorId, monitor: Arc<Monitor>, memory: Memory) -> Self {
        let newest = memory.recent.newest.as_ref();
        Self {
            id,
            last_at: newest.map_or(Timestamp::MIN, |check| check.at),
            clock_at: None,
            monitor,
            was_failing: Parent::of(&memory.kept, None).failing,
            good_day: 0,
            dirty: false,
            touched: true,
            ties: None,
            wake_at: None,
            memory,
        }
    }

    /// The moment under which a check is recorded that began at `clock_at` by the clock: later than any before.
    ///
    /// While a clock that was ahead by less than a step (see [`STEP_MIN`]) catches up, recorded time goes at half the
    /// speed of the clock: order and, within a factor of two, lengths of outages stay true, and the lead is gone after
    /// twice its length. A clock that is further behind is not believed: recorded time goes on at the speed of life.
    pub(in crate::daemon) fn moment(&mut self, clock_at: Timestamp) -> Timestamp {
        let passed = self
            .clock_at
            .map_or(Duration::ZERO, |before| clock_at.since(before));
        let pace = match self.last_at.since(clock_at) > STEP_MIN {
            true => passed,
            false => passed / 2,
        };
        let earliest = self.last_at.plus(pace.max(Duration::from_millis(1)));
        self.clock_at = Some(clock_at);
        self.last_at = if clock_at > self.last_at {
            clock_at
        } else {
            earliest
        };
        self.last_at
    }

    /// How notices name it.
    pub(in crate::daemon) fn about(&self) -> About {
        About {
            monitor: self.id,
            name: self.monitor.name.clone(),
            url: self.monitor.url_shown(),
        }
    }

    /// When its newest check ended.
    pub(super) fn newest_ended(&self) -> Option<Timestamp> {
        let newest = self.memory.recent.newest.as_ref()?;
        Some(newest.at.plus(newest.timings.total.as_duration()))
    }
}

impl Member for Slot {
    fn id(&self) -> MonitorId {
        self.id
    }

    fn rules(&self) -> &Arc<Rules> {
        &self.monitor.rules
    }

    fn steps(&self) -> &[Arc<Escalation>] {
        self.ties.as_ref().map_or(&[], |ties| &ties.steps)
    }

    fn parents(&self) -> &[usize] {
        self.ties.as_ref().map_or(&[], |ties| &ties.parents)
    }

    fn children(&self) -> &[usize] {
        self.ties.as_ref().map_or(&[], |ties| &ties.children)
    }

    fn windows(&self) -> &[usize] {
        self.ties.as_ref().map_or(&[], |ties| &ties.windows)
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn wake_at(&mut self) -> &mut Option<Timestamp> {
        &mut self.wake_at
    }

    fn was_failing(&mut self) -> &mut bool {
        &mut self.was_failing
    }
}

/// What the database wants to know of the monitors of a configuration, in its order.
pub(super) fn facts(config: &Config) -> Vec<MonitorFacts> {
    config
        .monitors
        .iter()
        .map(|monitor| fact(monitor))
        .collect()
}

/// What the database wants to know of a monitor.
pub(super) fn fact(monitor: &Monitor) -> MonitorFacts {
    MonitorFacts {
        name: monitor.name.clone(),
        url: monitor.url_shown(),
        interval: monitor.rules.interval,
        public: monitor.public,
        renamed_from: monitor.renamed_from.clone(),
    }
}

/// Connects parents, children, windows and steps of escalation; names that are not checked connect nothing.
pub(in crate::daemon) fn connect(
    slots: &mut [Slot],
    windows: &Windows,
    escalation: &[Arc<Escalation>],
) -> HashMap<MonitorId, usize> {
    let places: HashMap<MonitorName, usize> = slots
        .iter()
        .enumerate()
        .map(|(place, slot)| (slot.monitor.name.clone(), place))
        .collect();
    for slot in slots.iter_mut() {
        slot.ties = None;
        let covering = windows.covering(&slot.monitor);
        if !covering.is_empty() {
            slot.ties().windows = covering;
        }
        let steps = steps_of(&slot.monitor, escalation);
        if !steps.is_empty() {
            slot.ties().steps = steps;
        }
    }
    for place in 0..slots.len() {
        let parents = fleet::parents(&places, place, &slots[place].monitor.depends_on);
        for parent in &parents {
            slots[*parent].ties().children.push(place);
        }
        if !parents.is_empty() {
            slots[place].ties().parents = parents;
        }
    }
    slots
        .iter()
        .enumerate()
        .map(|(place, slot)| (slot.id, place))
        .collect()
}
