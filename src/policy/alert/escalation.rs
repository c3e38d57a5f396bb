//! Steps of `[[escalation]]`: who else is told when an outage lasts, and what an acknowledgement stops.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::monitor::Recipients;
use super::state::{Ack, Announcement, Outage, Status};
use crate::domain::check::Check;
use crate::domain::monitor::Monitor;
use crate::domain::notification::News;
use crate::domain::recipient::Recipient;
use crate::domain::settings::Escalation;
use crate::domain::timestamp::Timestamp;

/// What was decided of the steps of an outage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Escalated {
    /// Recipients by their keys, each with the longest `after` of a step that told it, in milliseconds.
    told: Vec<(Arc<str>, u64)>,
    /// Whether an acknowledgement came since: it stopped the messages that had not left.
    #[serde(default)]
    stopped: bool,
}

impl Escalated {
    /// Whether a recipient was told by a step of so long, or of longer.
    fn knows(&self, to: &Recipient, after: Duration) -> bool {
        let told = self.told.iter().find(|(key, _)| **key == *to.key());
        told.is_some_and(|(_, longest)| ms(after) <= *longest)
    }

    fn note(&mut self, to: &Recipient, after: Duration) {
        let after = ms(after);
        match self.told.iter_mut().find(|(key, _)| **key == *to.key()) {
            Some((_, longest)) => *longest = after.max(*longest),
            None => self.told.push((to.key().into(), after)),
        }
    }

    /// An acknowledgement stops what has not left.
    pub(super) const fn stop(&mut self) {
        self.stopped = true;
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The steps of escalation that cover a monitor.
pub fn steps_of(monitor: &Monitor, escalation: &[Arc<Escalation>]) -> Vec<Arc<Escalation>> {
    escalation
        .iter()
        .filter(|step| step.covers.has(&monitor.name, &monitor.tags))
        .map(Arc::clone)
        .collect()
}

/// When the next step of an outage comes that tells somebody new.
pub fn due_at(steps: &[Arc<Escalation>], outage: &Outage) -> Option<Timestamp> {
    let is_told = |to: &Recipient, after| {
        let escalated = outage.escalated.as_deref();
        escalated.is_some_and(|escalated| escalated.knows(to, after))
    };
    let open = steps
        .iter()
        .filter(|step| step.to.iter().any(|to| !is_told(to, step.after)));
    let next = open.map(|step| step.after).min()?;
    Some(outage.opened_at().plus(next))
}

impl Machine<'_> {
    /// Tells of an outage that is as old as a step. Several steps at once are one message, of the last of them.
    pub(super) fn speak_of_escalation(&mut self) {
        let recent = &self.memory.recent;
        let (now, steps) = (self.now, self.around.steps);
        // A DOWN that nobody was to be told of does not escalate.
        if steps.is_empty() || self.rules.to.is_empty() {
            return;
        }
        let (Status::Down(outage), Some(check)) = (&mut self.memory.kept.status, &recent.last_bad)
        else {
            return;
        };
        let is_announced = matches!(outage.announcement, Announcement::Made { .. });
        if !is_announced || outage.ack != Ack::None {
            return;
        }
        let age = now.since(outage.opened_at());
        let escalated = outage.escalated.clone().unwrap_or_default();
        let due = || steps.iter().filter(|step| step.after <= age);
        let (mut fresh, mut again): (Vec<Recipient>, Vec<Recipient>) = (Vec::new(), Vec::new());
        let mut last = Duration::ZERO;
        for step in due() {
            for to in &step.to {
                if !escalated.knows(to, step.after) {
                    last = last.max(step.after);
                    if !fresh.contains(to) {
                        fresh.push(to.clone());
                    }
                }
            }
        }
        if escalated.stopped {
            let all = due().flat_map(|step| &step.to);
            for to in all.filter(|to| !fresh.contains(to)) {
                if !again.contains(to) {
                    again.push(to.clone());
                }
            }
            last = due().map(|step| step.after).max().unwrap_or(last);
        }
        if fresh.is_empty() && again.is_empty() {
            return;
        }
        let told = outage.escalated.get_or_insert_default();
        told.stopped = false;
        for step in due() {
            step.to.iter().for_each(|to| told.note(to, step.after));
        }
        let news = News::Escalated {
            incident: outage.key,
            cause: outage.cause.clone(),
            after: last,
            up_since: outage.up_since,
            check: Box::new(Check::clone(check)),
            checks_failed: outage.checks_failed,
            last_good: recent
                .last_good
                .as_deref()
                .map(|good| Box::new(good.clone())),
            locations: (self.memory.kept.seats.as_deref())
                .map_or_else(Vec::new, |seats| seats.statuses(self.rules, self.now)),
        };
        self.say(news, Recipients::Escalation { to: fresh, again });
    }
}
