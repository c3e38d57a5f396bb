//! Which channels are shown an incident while it is open.

use super::engine::Recorder;
use super::staged::Deed;
use crate::domain::incident::Incident;
use crate::domain::timestamp::Timestamp;
use crate::view::channel::alertmanager::{Outage, facts};

impl Recorder {
    /// Has the channels of `to` that show open incidents show this one; those that do already stay as they are.
    pub(super) fn raise(&mut self, place: usize, incident: &Incident, now: Timestamp) {
        let monitor = &self.fleet.slots[place].monitor;
        let config = &self.config;
        let named = monitor.rules.to.iter().filter_map(|to| to.channel());
        let channels: Vec<String> = named
            .filter(|name| {
                config
                    .channel(name)
                    .is_some_and(|one| one.format().is_level())
            })
            .map(ToString::to_string)
            .collect();
        if channels.is_empty() {
            return;
        }
        let note = monitor.masks().apply(&monitor.note);
        let outage = Outage {
            incident: incident.key,
            monitor: monitor.name.as_str(),
            url: &monitor.url_shown(),
            cause: &incident.cause,
            note: &note,
        };
        let facts = facts(&outage, config.page_url().as_deref());
        let deed = Deed::Raise {
            incident: incident.key,
            channels,
            facts: facts.to_json(),
            at: now,
        };
        self.staged.deed(deed, now);
        self.staged.urgent = true;
    }

    /// An open incident that was raised is raised on channels that the monitor has been given since.
    pub(super) fn raise_again(&mut self, place: usize, now: Timestamp) {
        let outage = self.fleet.slots[place].memory.kept.status.outage();
        if let Some(outage) = outage.filter(|outage| outage.raised) {
            let incident = outage.incident();
            self.raise(place, &incident, now);
        }
    }
}
