//! How the recorder takes over a configuration: who is new, who stays, who left.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::engine::Recorder;
use super::message::{Enrolled, Turn};
use super::roster::{self as roster, Slot};
use super::staged::{Deed, Origin};
use crate::config::Config;
use crate::domain::monitor::{Monitor, MonitorId, Rules};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::fleet::Member as _;
use crate::policy::alert::maintenance::Windows;
use crate::policy::alert::monitor::{self, Event, Surroundings};
use crate::policy::alert::ordered_windows::Ends;
use crate::policy::alert::state::{Memory, Status};
use crate::store::checks::latest::Past;
use crate::store::error::StoreError;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::transaction::SpanKind;
use crate::store::writer::Store;

/// The newest checks of each monitor from which its memory is rebuilt: the 20 that count among them, also
/// where some are unknown.
pub(super) const NEWEST_CHECKS: usize = 32;

impl Recorder {
    /// Puts a configuration in force. New rules judge from the next check on; whoever left while down
    /// closes its incident.
    ///
    /// # Errors
    /// What the store says; then nothing changed.
    pub(in crate::daemon) fn enroll(
        &mut self,
        config: Arc<Config>,
        now: Timestamp,
    ) -> Result<Enrolled, StoreError> {
        let known: HashMap<MonitorId, StoredMonitor> = self
            .store
            .monitors()?
            .into_iter()
            .map(|stored| (stored.id, stored))
            .collect();
        self.usuals.clear();
        let awaited = config.awaited();
        let open_before = self.open_windows(now);
        let known_now = self
            .store
            .enroll_all(&roster::facts(&config), &awaited, now)?;
        let slots = self.fleet.slots.drain(..);
        let mut old: HashMap<MonitorId, Slot> = slots.map(|slot| (slot.id, slot)).collect();
        let all_stay = config
            .monitors
            .iter()
            .zip(&known_now.ids)
            .all(|(monitor, id)| !monitor.enabled || old.contains_key(id));
        let mut pasts = if all_stay && !old.is_empty() {
            HashMap::new()
        } else {
            self.store.load(NEWEST_CHECKS)?
        };

        let mut enrolled = Enrolled {
            renamed: known_now.renamed,
            ..Enrolled::default()
        };
        let mut moved = Vec::new();
        self.fleet.slots = Vec::with_capacity(config.monitors.len());
        for (monitor, id) in config.monitors.iter().zip(known_now.ids) {
            let stored = known.get(&id);
            enrolled.ids.push((monitor.name.clone(), id));
            if !monitor.enabled {
                continue;
            }
            let past = pasts.remove(&id);
            let slot = take_over(id, monitor, old.remove(&id), past, now);
            if slot.memory.kept.paused {
                enrolled.paused.push(id);
            }
            enrolled.held.extend(held_windows(&slot));
            moved.push(stored.is_some_and(|stored| stored.url != slot.monitor.url_shown()));
            self.fleet.slots.push(slot);
        }
        self.config = Arc::clone(&config);
        self.enroll_locations(now)?;
        for place in 0..self.fleet.slots.len() {
            self.restore_seats(place, &mut pasts, now);
        }
        self.evidence_changed();
        self.origin = origin(&self.store, &config);
        self.windows = Windows::new(&config.maintenance, &config.daemon.timezone, now);
        self.places = roster::connect(&mut self.fleet.slots, &self.windows, &config.escalation);
        self.end_windows(open_before, now);
        self.fleet.forget_wakes();
        let name = |id: MonitorId| known.get(&id).map_or("", |stored| stored.name.as_str());
        let waits = |id: &MonitorId| {
            let stored = known.get(id);
            stored.is_some_and(|stored| awaited.contains(&stored.name))
        };
        for (id, slot) in old {
            pasts.remove(&id);
            if waits(&id) {
                let kept = Box::new(slot.memory.kept);
                self.staged.deed(Deed::Memory { monitor: id, kept }, now);
                continue;
            }
            self.retire(id, name(id), &slot.memory, now);
        }
        for (id, past) in pasts {
            if is_there(&past) && !waits(&id) {
                self.retire(id, name(id), &remembered(past), now);
            }
        }
        self.begin(&moved, now);
        Ok(enrolled)
    }

    /// The windows of the configuration that are open over monitors, by their beginnings.
    pub(super) fn open_windows(&self, now: Timestamp) -> HashSet<(MonitorId, Timestamp)> {
        let of_slot = |slot: &Slot| {
            let open = slot
                .windows()
                .iter()
                .filter_map(|number| self.windows.open(*number));
            let open = open.filter(|open| now < open.to);
            open.map(|open| (slot.id, open.from)).collect::<Vec<_>>()
        };
        self.fleet.slots.iter().flat_map(of_slot).collect()
    }

    /// Ends windows that are no longer open: their end was written down as it was planned.
    pub(super) fn end_windows(
        &mut self,
        windows: impl IntoIterator<Item = (MonitorId, Timestamp)>,
        now: Timestamp,
    ) {
        let open = self.open_windows(now);
        for (monitor, from) in windows {
            if !open.contains(&(monitor, from)) {
                self.keep_window(monitor, from, now, now);
            }
        }
    }

    /// Ends windows that the configuration of the process before this one had, and that this one has not.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn end_former_windows(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let monitors = self.fleet.slots.iter().map(|slot| slot.id);
        let mut planned = self.store.open_windows(monitors, now)?;
        planned.retain(|(monitor, from)| {
            let slot = self
                .places
                .get(monitor)
                .map(|place| &self.fleet.slots[*place]);
            slot.is_some_and(|slot| slot.memory.kept.windows.iter().all(|one| one.from != *from))
        });
        self.end_windows(planned, now);
        Ok(())
    }

    /// A monitor that is checked no more.
    pub(super) fn retire(&mut self, id: MonitorId, name: &str, memory: &Memory, now: Timestamp) {
        let config = Arc::clone(&self.config);
        let around = Surroundings {
            monitor: id,
            alerts: &config.alerts,
            maintenance: false,
            parents: &[],
            offline: false,
            steps: &[],
        };
        let step = monitor::step(&no_rules(), &around, memory, Event::Removed, now);
        for effect in step.effects {
            self.follow_retired(id, effect, name, now);
        }
        self.note_state(id, memory.kept.shown.state, &step.after, now);
        let deed = Deed::Span {
            monitor: id,
            kind: SpanKind::Removed,
            from: now,
            to: None,
        };
        self.staged.deed(deed, now);
        let kept = Box::new(step.after.kept);
        self.staged.deed(Deed::Memory { monitor: id, kept }, now);
        self.staged.urgent = true;
    }

    /// Brings every monitor of the new configuration to the present.
    fn begin(&mut self, moved: &[bool], now: Timestamp) {
        for (place, url_changed) in moved.iter().copied().enumerate() {
            self.begin_one(place, url_changed, now);
        }
        self.note_all_rules(now);
        self.staged.urgent = true;
        self.staged.since.get_or_insert(now);
        self.touched = (0..self.fleet.slots.len()).collect();
        let places = &self.places;
        self.board.keep(|id| places.contains_key(&id));
    }

    /// Brings one monitor to the present, in its place.
    pub(super) fn begin_one(&mut self, place: usize, url_changed: bool, now: Timestamp) {
        let slot = &self.fleet.slots[place];
        let (monitor, kind) = (slot.id, SpanKind::Removed);
        if slot.memory.kept.gone_at.is_some() {
            let at = now;
            self.staged.deed(Deed::EndSpans { monitor, kind, at }, now);
        }
        for number in slot.windows().to_vec() {
            self.note_window(place, number, now);
        }
        let _ = self.step(place, Event::Reconfigured { url_changed }, now);
        self.raise_again(place, now);
        let slot = &self.fleet.slots[place];
        if monitor::wants_confirmation(&slot.memory)
            && !slot.memory.kept.paused
            && slot.monitor.rules.quorum.is_none()
        {
            let ended = slot.newest_ended();
            let at = ended
                .unwrap_or(now)
                .min(now)
                .plus(slot.monitor.rules.retry_interval);
            self.turns.push(Turn::CheckAt { monitor, at });
        }
        // Its parents were made due when it began to fail, which may not have reached the scheduler.
        if let Status::Suspect { first_bad, .. } = &slot.memory.kept.status {
            let unless_since = *first_bad;
            for parent in slot.parents().to_vec() {
                self.check_now(parent, unless_since, None, now);
            }
        }
    }
}

/// A slot for a monitor that stays, comes back, or is new.
pub(super) fn take_over(
    id: MonitorId,
    monitor: &Arc<Monitor>,
    old: Option<Slot>,
    past: Option<Past>,
    now: Timestamp,
) -> Slot {
    let monitor = Arc::clone(monitor);
    match old {
        Some(mut old) => {
            let is_shorter = monitor.rules.fresh_for() < old.monitor.rules.fresh_for();
            if is_shorter && let Some(seats) = &mut old.memory.kept.seats {
                seats.wait(now);
            }
            Slot {
                dirty: old.dirty,
                last_at: old.last_at,
                clock_at: old.clock_at,
                ..Slot::new(id, monitor, old.memory)
            }
        }
        None => Slot::new(id, monitor, past.map(remembered).unwrap_or_default()),
    }
}

/// The windows over a monitor that last as long as a command.
pub(super) fn held_windows(slot: &Slot) -> impl Iterator<Item = (u64, MonitorId)> {
    let windows = slot.memory.kept.windows.iter();
    let held = windows.filter(|window| window.ends == Ends::WithCommand);
    held.map(|window| (window.id, slot.id))
}

/// Whether the configuration had the monitor until now.
pub(super) fn is_there(past: &Past) -> bool {
    let kept = past.kept.as_ref();
    kept.is_some_and(|kept| kept.gone_at.is_none())
}

pub(super) fn remembered(past: Past) -> Memory {
    let newest: Vec<_> = past.newest.into_iter().map(Arc::new).collect();
    Memory::restored(
        past.kept.unwrap_or_default(),
        &newest,
        past.last_good.map(Arc::new),
        past.last_bad.map(Arc::new),
    )
}

/// What makes this database's Message-IDs, with the sender's domain of this configuration.
pub(in crate::daemon) fn origin(store: &Store, config: &Config) -> Origin {
    let domain = config.email.as_ref().map(|email| email.from.domain());
    Origin {
        database: store.database_id().to_owned(),
        domain: domain.unwrap_or("localhost").to_owned(),
    }
}

/// The rules of a monitor that has none any more: its last step asks for none.
const fn no_rules() -> Rules {
    Rules {
        interval: Duration::MAX,
        timeout: Duration::ZERO,
        failures_before_down: u16::MAX,
        successes_before_up: u16::MAX,
        retry_interval: Duration::MAX,
        alert_on_slow: false,
        alert_on_address_down: false,
        alert_on_redirect_change: false,
        to: Vec::new(),
        quorum: None,
    }
}
