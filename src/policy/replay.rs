//! Recorded checks through the alert rules of a configuration, in their own time: what would have been said, and when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::alert::dependencies::Parent;
use super::alert::escalation::steps_of;
use super::alert::fleet::{self, Conditions, Fleet, Member, Spread};
use super::alert::maintenance::{Open, Windows};
use super::alert::monitor::{Effect, Event, Order, Recipients, Side};
use super::alert::state::{Kept, Memory, Status};
use super::alert::votes::Votes;
use crate::domain::check::Check;
use crate::domain::incident::IncidentKey;
use crate::domain::location::LocationName;
use crate::domain::monitor::{Monitor, MonitorId, MonitorName, Rules};
use crate::domain::notification::{MailKind, News};
use crate::domain::order::{GivenOrder, OrderWord};
use crate::domain::settings::{AlertSettings, Escalation, Maintenance};
use crate::domain::timestamp::Timestamp;

/// One thing that would have been said.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Of whom: the place in the list that the world was made of.
    pub place: usize,
    /// When it would have been decided.
    pub at: Timestamp,
    /// The facts that would have been told.
    pub news: News,
    /// The side of the recipients, where it is for one only.
    pub side: Option<Side>,
    /// The recipient.
    pub to: Recipients,
}

/// One monitor as the replay needs it.
#[derive(Debug, Clone)]
pub struct Player {
    /// Its number.
    pub id: MonitorId,
    /// Its name.
    pub name: MonitorName,
    /// When it is told.
    pub rules: Arc<Rules>,
    /// What it depends on.
    pub depends_on: Arc<[MonitorName]>,
    /// By which windows may cover it.
    pub tags: Arc<[String]>,
    /// The steps of escalation that its outages have.
    pub steps: Vec<Arc<Escalation>>,
}

impl Player {
    /// A monitor of a configuration that has this escalation.
    pub fn of(id: MonitorId, monitor: &Monitor, escalation: &[Arc<Escalation>]) -> Self {
        Self {
            id,
            name: monitor.name.clone(),
            rules: Arc::clone(&monitor.rules),
            depends_on: Arc::clone(&monitor.depends_on),
            tags: Arc::clone(&monitor.tags),
            steps: steps_of(monitor, escalation),
        }
    }
}

/// One step of the monitor that is watched, where it changed anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// When it was taken.
    pub at: Timestamp,
    /// The check that led to it; `None` where time, a window or a parent did.
    pub check: Option<Arc<Check>>,
    /// Where the monitor stood.
    pub before: Status,
    /// Where it stands.
    pub after: Status,
    /// What was decided to be said.
    pub said: Vec<MailKind>,
    /// Failed checks in a row that it took then to be down.
    pub failures_before_down: u16,
    /// Good checks in a row that it took to be up again.
    pub successes_before_up: u16,
    /// What its locations said, where there are several.
    pub votes: Option<Box<Votes>>,
}

/// What waited and was dropped since it was pointless then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The moment of the drop.
    pub at: Timestamp,
    /// Of which monitor.
    pub monitor: MonitorId,
    /// Only the escalations of this outage; `None`: everything.
    pub incident: Option<IncidentKey>,
}

/// An order as the machine takes it; `None` for those that decide nothing, for pauses, which are recorded as spans, and
/// for windows.
pub fn order_of(given: &GivenOrder) -> Option<Order> {
    match given.word {
        OrderWord::Mute => given.args.until.map(|until| Order::Mute { until }),
        OrderWord::Unmute => Some(Order::Unmute),
        OrderWord::Ack => Some(Order::Ack {
            until: given.args.until,
            note: given.args.note.as_deref().map(Arc::from),
        }),
        OrderWord::Pause
        | OrderWord::Resume
        | OrderWord::Recheck
        | OrderWord::Reload
        | OrderWord::Maintenance
        | OrderWord::Amend
        | OrderWord::Note => None,
    }
}

/// All monitors of a configuration with what is remembered of them.
#[derive(Debug)]
pub struct Replay<'a> {
    alerts: &'a AlertSettings,
    windows: Windows,
    fleet: Fleet<Slot>,
    said: Vec<Said>,
    dropped: Vec<Dropped>,
    /// The place that is watched, and its steps.
    watched: Option<(usize, Vec<Traced>)>,
}

#[derive(Debug)]
struct Slot {
    player: Player,
    memory: Memory,
    parents: Vec<usize>,
    children: Vec<usize>,
    windows: Vec<usize>,
    wake_at: Option<Timestamp>,
    was_failing: bool,
}

impl Member for Slot {
    fn id(&self) -> MonitorId {
        self.player.id
    }

    fn rules(&self) -> &Arc<Rules> {
        &self.player.rules
    }

    fn steps(&self) -> &[Arc<Escalation>] {
        &self.player.steps
    }

    fn parents(&self) -> &[usize] {
        &self.parents
    }

    fn children(&self) -> &[usize] {
        &self.children
    }

    fn windows(&self) -> &[usize] {
        &self.windows
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

impl<'a> Replay<'a> {
    /// A world in which nothing is known yet at `start`.
    pub fn new(
        monitors: impl IntoIterator<Item = (MonitorId, &'a Monitor)>,
        alerts: &'a AlertSettings,
        escalation: &[Arc<Escalation>],
        maintenance: &[Maintenance],
        zone: &TimeZone,
        start: Timestamp,
    ) -> Self {
        let players = monitors.into_iter();
        let players = players.map(|(id, monitor)| Player::of(id, monitor, escalation));
        Self::with(players, alerts, maintenance, zone, start)
    }

    /// As [`Self::new`], of monitors that may no longer be in any configuration.
    pub fn with(
        players: impl IntoIterator<Item = Player>,
        alerts: &'a AlertSettings,
        maintenance: &[Maintenance],
        zone: &TimeZone,
        start: Timestamp,
    ) -> Self {
        let windows = Windows::new(maintenance, zone, start);
        let mut slots: Vec<Slot> = players
            .into_iter()
            .map(|player| Slot {
                memory: Memory::default(),
                parents: Vec::new(),
                children: Vec::new(),
                windows: windows.covering_named(&player.name, &player.tags),
                player,
                wake_at: None,
                was_failing: false,
            })
            .collect();
        let places: HashMap<MonitorName, usize> = slots
            .iter()
            .enumerate()
            .map(|(place, slot)| (slot.player.name.clone(), place))
            .collect();
        let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, slot) in slots.iter_mut().enumerate() {
            slot.parents = fleet::parents(&places, place, &slot.player.depends_on);
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
            fleet: Fleet::new(slots),
            said: Vec::new(),
            dropped: Vec::new(),
            watched: None,
        }
    }

    /// Writes down the steps of a monitor from now on.
    pub fn watch(&mut self, place: usize) {
        self.watched = Some((place, Vec::new()));
    }

    /// The steps of the watched monitor since it was last asked.
    pub fn take_traced(&mut self) -> Vec<Traced> {
        let traced = self
            .watched
            .as_mut()
            .map(|(_, traced)| std::mem::take(traced));
        traced.unwrap_or_default()
    }

    /// What is remembered of a monitor.
    pub fn memory(&self, place: usize) -> &Memory {
        &self.fleet.slots[place].memory
    }

    /// The opening of a window that covers a monitor now.
    pub fn window(&self, place: usize) -> Option<Open> {
        let mut windows = self.fleet.slots[place].windows.iter();
        windows.find_map(|number| self.windows.open(*number))
    }

    /// What a monitor depends on: names, and what it needs to know of them.
    pub fn parents(&self, place: usize) -> Vec<(MonitorName, Parent)> {
        let parents = self.fleet.slots[place].parents.iter();
        let parents = parents.map(|parent| &self.fleet.slots[*parent]);
        let parents = parents.filter(|slot| !slot.memory.kept.paused);
        parents
            .map(|slot| (slot.player.name.clone(), slot.as_parent()))
            .collect()
    }

    /// Gives a monitor other rules and steps of escalation: they judge from the next check on.
    pub fn set_rules(
        &mut self,
        place: usize,
        (rules, steps): (Arc<Rules>, Vec<Arc<Escalation>>),
        now: Timestamp,
    ) {
        self.pass(now);
        let slot = &mut self.fleet.slots[place];
        let is_shorter = rules.fresh_for() < slot.player.rules.fresh_for();
        if is_shorter && let Some(seats) = &mut slot.memory.kept.seats {
            seats.wait(now);
        }
        slot.player.rules = rules;
        slot.player.steps = steps;
        self.step(place, Event::Reconfigured { url_changed: false }, now);
    }

    /// Gives an order that was given then. One that is refused changes nothing.
    pub fn order(&mut self, place: usize, order: &Order, now: Timestamp) {
        self.pass(now);
        self.step(place, Event::Order(order), now);
    }

    /// Feeds one check, in the order of time over all monitors.
    pub fn check(&mut self, place: usize, check: Check) {
        let now = check.at.plus(check.timings.total.as_duration());
        self.pass(now);
        self.step(place, Event::Checked(&Arc::new(check)), now);
    }

    /// Feeds one check of one location, which arrived then, in the order of arrivals.
    pub fn heard(
        &mut self,
        place: usize,
        location: &LocationName,
        check: Check,
        arrived_at: Timestamp,
    ) {
        self.pass(arrived_at);
        let ended = check.at.plus(check.timings.total.as_duration());
        let is_late = self.fleet.slots[place]
            .player
            .rules
            .is_gap(ended, arrived_at);
        let event = Event::Heard {
            location,
            check: &Arc::new(check),
            is_late,
        };
        self.step(place, event, arrived_at);
    }

    /// Lets time pass, with all that falls due meanwhile.
    pub fn pass(&mut self, now: Timestamp) {
        loop {
            let wake = self.fleet.next_wake();
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
            let covered: Vec<usize> = (0..self.fleet.slots.len())
                .filter(|place| {
                    self.fleet.slots[*place]
                        .windows
                        .iter()
                        .any(|number| changed.contains(number))
                })
                .collect();
            for place in covered {
                self.step(place, Event::Tick, next);
            }
            while let Some(place) = self.fleet.take_due(next) {
                self.step(place, Event::Tick, next);
            }
        }
    }

    /// What was said since it was last asked.
    pub fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// What was dropped since it was last asked.
    pub fn take_dropped(&mut self) -> Vec<Dropped> {
        std::mem::take(&mut self.dropped)
    }

    fn step(&mut self, place: usize, event: Event<'_>, now: Timestamp) {
        let mut spread = Spread::of(place, event);
        let conditions = Conditions {
            alerts: self.alerts,
            windows: &self.windows,
            offline: false,
        };
        while let Some(taken) = self.fleet.step(&mut spread, &conditions, now) {
            if let Some((watched, traced)) = &mut self.watched
                && *watched == taken.place
            {
                let slot = &self.fleet.slots[taken.place];
                let before = taken.before.kept.clone();
                traced.extend(traced_of(slot, before, taken.event, &taken.effects, now));
            }
            let (said, dropped) = (&mut self.said, &mut self.dropped);
            let id = self.fleet.slots[taken.place].player.id;
            for effect in taken.effects {
                follow(effect, (taken.place, id), (said, dropped), now);
            }
        }
    }
}

/// The step that a monitor just took, where anything of it is to be told.
fn traced_of(
    slot: &Slot,
    before: Kept,
    event: Event<'_>,
    effects: &[Effect],
    now: Timestamp,
) -> Option<Traced> {
    let (rules, after) = (&slot.player.rules, &slot.memory.kept);
    let votes = Votes::around(rules, &before, after, event, now).map(Box::new);
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::Say {
            to: Recipients::Of(Side::Incidents, _),
            ..
        } => None,
        Effect::Say { news, to: _ } => Some(news.kind()),
        Effect::Open(_)
        | Effect::Progress(_)
        | Effect::Close { .. }
        | Effect::Raise(_)
        | Effect::DropWaiting(_)
        | Effect::StopEscalation(_)
        | Effect::Window { .. }
        | Effect::Record(_)
        | Effect::CheckParents
        | Effect::AskOthers { .. }
        | Effect::CheckAgain { .. } => None,
    });
    let said: Vec<MailKind> = said.collect();
    let has_changed = votes.as_ref().is_some_and(|votes| votes.has_changed());
    let is_told = !said.is_empty() || before.status != after.status || has_changed;
    is_told.then(|| Traced {
        at: now,
        check: match event {
            Event::Checked(check) | Event::Heard { check, .. } => Some(Arc::clone(check)),
            Event::Tick
            | Event::Order(_)
            | Event::ParentRecovered
            | Event::Reconfigured { .. }
            | Event::Removed => None,
        },
        before: before.status,
        after: after.status.clone(),
        said,
        failures_before_down: rules.failures_before_down,
        successes_before_up: rules.successes_before_up,
        votes,
    })
}

/// What a step would have said or dropped.
fn follow(
    effect: Effect,
    (place, monitor): (usize, MonitorId),
    (said, dropped): (&mut Vec<Said>, &mut Vec<Dropped>),
    at: Timestamp,
) {
    match effect {
        Effect::Say { news, to } => said.push(Said {
            place,
            at,
            news: *news,
            side: match &to {
                Recipients::Of(side, _) => Some(*side),
                Recipients::Configured
                | Recipients::Escalation { .. }
                | Recipients::Told(_)
                | Recipients::Untold(_) => None,
            },
            to,
        }),
        Effect::DropWaiting(_) => dropped.push(Dropped {
            at,
            monitor,
            incident: None,
        }),
        Effect::StopEscalation(incident) => dropped.push(Dropped {
            at,
            monitor,
            incident: Some(incident),
        }),
        // History is what it is: nothing is stored, and no check can be asked for.
        Effect::Open(_)
        | Effect::Progress(_)
        | Effect::Close { .. }
        | Effect::Raise(_)
        | Effect::Window { .. }
        | Effect::Record(_)
        | Effect::CheckParents
        | Effect::AskOthers { .. }
        | Effect::CheckAgain { .. } => {}
    }
}
