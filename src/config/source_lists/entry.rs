//! One entry of a list, and what becomes of two that want the same name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::monitor::{Monitor, MonitorName};
use crate::domain::subject::Locator;

/// One monitor of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: MonitorName,
    /// Its URL.
    pub url: Locator,
    /// Tags that only it has; a group of entries shares them.
    pub tags: Arc<[String]>,
}

impl Entry {
    /// Whether its URL has a user name or a password, which the database must not keep.
    pub fn has_userinfo(&self) -> bool {
        self.url.has_userinfo()
    }
}

/// The monitors of a list that are in force, in the order of their names.
#[derive(Debug, Clone, Copy, Default)]
pub struct InForce<'a>(pub &'a [Arc<Monitor>]);

impl InForce<'_> {
    /// The monitor of this name.
    pub fn get(&self, name: &MonitorName) -> Option<&Arc<Monitor>> {
        let place = self
            .0
            .binary_search_by(|monitor| monitor.name.cmp(name))
            .ok()?;
        self.0.get(place)
    }

    fn has(&self, entry: &Entry) -> bool {
        self.get(&entry.name)
            .is_some_and(|monitor| **monitor.subject.url_text() == *entry.url.text())
    }
}

/// Collects entries with unique names. The order of a list decides nothing that was decided before: where two entries
/// want a name, the one that has it keeps it, and only else the first of them gets it.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    in_force: InForce<'a>,
    entries: Vec<Entry>,
    by_name: HashMap<MonitorName, usize>,
    /// The names that entries take whose name is taken, by their place.
    spare: HashMap<usize, MonitorName>,
    /// Entries that found no name.
    pub(crate) doubled: usize,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(in_force: InForce<'a>) -> Self {
        Self {
            in_force,
            entries: Vec::new(),
            by_name: HashMap::new(),
            spare: HashMap::new(),
            doubled: 0,
        }
    }

    /// Adds an entry; one whose name is taken is called `spare`, or is left out.
    ///
    /// One that is displaced may displace another, and so on through the whole list: so it is a loop.
    pub(crate) fn add(&mut self, entry: Entry, spare: Option<MonitorName>) {
        let mut next = Some((entry, spare));
        while let Some((entry, spare)) = next {
            next = self.place(entry, spare);
        }
    }

    /// Gives an entry its place. Answers the one that is without a place then, under its spare name.
    fn place(
        &mut self,
        entry: Entry,
        spare: Option<MonitorName>,
    ) -> Option<(Entry, Option<MonitorName>)> {
        let Some(place) = self.by_name.get(&entry.name).copied() else {
            let place = self.entries.len();
            self.by_name.insert(entry.name.clone(), place);
            self.spare.extend(
                spare
                    .filter(|spare| *spare != entry.name)
                    .map(|spare| (place, spare)),
            );
            self.entries.push(entry);
            return None;
        };
        let owner = self.entries.get_mut(place)?;
        if owner.url == entry.url {
            self.doubled += 1;
            return None;
        }
        // The spare name belongs to the entry, not to its place.
        let (mut loser, mut spare) = (entry, spare);
        if self.in_force.has(&loser) && !self.in_force.has(owner) {
            std::mem::swap(owner, &mut loser);
            let other = self.spare.remove(&place);
            self.spare.extend(spare.map(|spare| (place, spare)));
            spare = other;
        }
        match spare.filter(|spare| *spare != loser.name) {
            Some(name) => Some((Entry { name, ..loser }, None)),
            None => {
                self.doubled += 1;
                None
            }
        }
    }

    /// The entries in the order of their names.
    pub(crate) fn sorted(self) -> Vec<Entry> {
        let mut entries = self.entries;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
