//! How the recorder takes over a change of a list: it looks at the monitors that differ, and leaves the memory of all
//! others alone.

use std::collections::{HashMap, HashSet};

use super::engine::Recorder;
use super::enroll::{NEWEST_CHECKS, held_windows, is_there, remembered, take_over};
use super::message::{Enrolled, Relist};
use super::roster::{self as roster, Slot};
use crate::config::source_lists::compose::ListChange;
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Memory;
use crate::store::error::StoreError;

impl Recorder {
    /// Puts a changed list in force. Answers the numbers of the added and changed monitors. A monitor that left while
    /// it was down closes its incident.
    ///
    /// # Errors
    /// What the store says; then nothing changed.
    pub(in crate::daemon) fn relist(
        &mut self,
        relist: Relist,
        now: Timestamp,
    ) -> Result<Enrolled, StoreError> {
        let Relist { config, change } = relist;
        let ListChange {
            mut added,
            changed,
            removed,
        } = change;
        added.extend(changed);
        let put = added;
        let facts: Vec<_> = put.iter().map(|monitor| roster::fact(monitor)).collect();
        let numbers = self.store.enroll_some(&facts, &removed, now)?;
        let mut removed: HashSet<MonitorName> = removed.into_iter().collect();
        let open_before = self.open_windows(now);
        let (gone, stay): (Vec<Slot>, Vec<Slot>) = std::mem::take(&mut self.fleet.slots)
            .into_iter()
            .partition(|slot| removed.contains(&slot.monitor.name));
        self.fleet.slots = stay;
        self.config = config;
        let slots = self.fleet.slots.iter().enumerate();
        let places: HashMap<MonitorId, usize> =
            slots.map(|(place, slot)| (slot.id, place)).collect();
        let returning: Vec<MonitorId> = numbers
            .iter()
            .filter(|(id, url)| url.is_some() && !places.contains_key(id))
            .map(|(id, _)| *id)
            .collect();
        let mut pasts = self
            .store
            .load_some(&returning, NEWEST_CHECKS)
            .unwrap_or_else(|error| {
                tracing::error!("the past of monitors that came back cannot be read: {error}");
                HashMap::new()
            });

        let mut enrolled = Enrolled::default();
        let mut begun = Vec::with_capacity(put.len());
        for (monitor, (id, url)) in put.iter().zip(numbers) {
            enrolled.ids.push((monitor.name.clone(), id));
            if !monitor.enabled {
                continue;
            }
            let place = match places.get(&id).copied() {
                Some(place) => {
                    let empty = Slot::new(id, monitor.clone(), Memory::default());
                    let old = std::mem::replace(&mut self.fleet.slots[place], empty);
                    self.fleet.slots[place] = take_over(id, monitor, Some(old), None, now);
                    place
                }
                None => {
                    self.fleet
                        .slots
                        .push(take_over(id, monitor, None, pasts.remove(&id), now));
                    self.fleet.slots.len() - 1
                }
            };
            let slot = &self.fleet.slots[place];
            if slot.memory.kept.paused {
                enrolled.paused.push(id);
            }
            if !places.contains_key(&id) {
                enrolled.held.extend(held_windows(slot));
            }
            let moved = url.is_some_and(|url| url != slot.monitor.url_shown());
            begun.push((place, moved));
        }
        self.rewire();
        self.enroll_locations(now)?;
        self.end_windows(open_before, now);
        for slot in &gone {
            self.retire(slot.id, slot.monitor.name.as_str(), &slot.memory, now);
        }
        for slot in &gone {
            removed.remove(&slot.monitor.name);
        }
        self.retire_awaited(&removed, now);
        for (place, moved) in &begun {
            self.begin_one(*place, *moved, now);
        }
        self.note_rules(begun.iter().map(|(place, _)| *place), now);
        self.staged.urgent = true;
        self.staged.since.get_or_insert(now);
        let places = &self.places;
        self.board.keep(|id| places.contains_key(&id));
        Ok(enrolled)
    }

    /// Retires monitors that the list was awaited for and that are not in it. They were not checked meanwhile.
    fn retire_awaited(&mut self, names: &HashSet<MonitorName>, now: Timestamp) {
        let named: Result<Vec<(MonitorId, &MonitorName)>, StoreError> = names
            .iter()
            .filter_map(|name| {
                let id = self.store.number_of(name).transpose()?;
                Some(id.map(|id| (id, name)))
            })
            .collect();
        let pasts = named.and_then(|named| {
            let ids: Vec<MonitorId> = named.iter().map(|(id, _)| *id).collect();
            Ok((named, self.store.load_some(&ids, NEWEST_CHECKS)?))
        });
        match pasts {
            Ok((named, mut pasts)) => {
                for (id, name) in named {
                    if let Some(past) = pasts.remove(&id).filter(is_there) {
                        self.retire(id, name.as_str(), &remembered(past), now);
                    }
                }
            }
            Err(error) => {
                tracing::error!("the past of monitors that left cannot be read: {error}");
            }
        }
    }

    /// After slots moved: everything that knows a slot by its place.
    fn rewire(&mut self) {
        self.places = roster::connect(
            &mut self.fleet.slots,
            &self.windows,
            &self.config.escalation,
        );
        self.fleet.find_wakes();
        let slots = self.fleet.slots.iter().enumerate();
        self.touched = slots
            .filter(|(_, slot)| slot.touched)
            .map(|(place, _)| place)
            .collect();
    }
}
