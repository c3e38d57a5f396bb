//! Writes down by which rules monitors are judged, so that it can be told later why something was decided.

use std::sync::Arc;

use super::engine::Recorder;
use super::staged::Deed;
use crate::domain::monitor::{Labels, MonitorId, Rules};
use crate::domain::settings::Escalation;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::fleet::Member as _;
use crate::store::facts::rules::StoredRules;
use crate::store::transaction::Batch;

/// Monitors of a list share their rules: the newest text is used again.
struct Written<'a> {
    rules: &'a Arc<Rules>,
    labels: &'a Arc<Labels>,
    steps: &'a [Arc<Escalation>],
    text: Arc<str>,
}

impl Recorder {
    /// Notes the rules of these monitors, where they differ from those noted before.
    pub(super) fn note_rules(&mut self, places: impl Iterator<Item = usize>, now: Timestamp) {
        self.note(places, false, now);
    }

    /// Notes the rules of all monitors.
    pub(super) fn note_all_rules(&mut self, now: Timestamp) {
        self.note(0..self.fleet.slots.len(), true, now);
    }

    fn note(&mut self, places: impl Iterator<Item = usize>, are_all: bool, now: Timestamp) {
        let can_tell = self.config.has_way_out();
        let mut last: Option<Written<'_>> = None;
        let mut texts: Vec<(MonitorId, Arc<str>)> = Vec::new();
        for slot in places.filter_map(|place| self.fleet.slots.get(place)) {
            let (rules, labels) = (&slot.monitor.rules, &slot.monitor.labels);
            let steps = slot.steps();
            let same = last.as_ref().filter(|last| {
                let is_shared = Arc::ptr_eq(last.rules, rules) && Arc::ptr_eq(last.labels, labels);
                is_shared && last.steps == steps
            });
            let text = match same {
                Some(same) => Arc::clone(&same.text),
                None => {
                    let stored =
                        StoredRules::of(&slot.monitor, &self.config.alerts, steps, can_tell);
                    let Ok(text) = stored.text() else { continue };
                    Arc::from(text)
                }
            };
            texts.push((slot.id, Arc::clone(&text)));
            last = Some(Written {
                rules,
                labels,
                steps,
                text,
            });
        }
        let write = move |batch: &mut Batch<'_>| batch.put_rules(&texts, are_all, now);
        self.staged.deed(Deed::Write(Box::new(write)), now);
    }
}
