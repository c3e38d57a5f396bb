//! Error budgets that burn too fast: decided and noted in one transaction, so that each burn is told once.

use std::sync::Arc;

use super::engine::Recorder;
use super::staged::Deed;
use crate::domain::monitor::MonitorName;
use crate::domain::notification::{BurnWindow, News, Notice};
use crate::domain::objective::Objective;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::error_budget::{Change, RULES, Seen, Spent, look};
use crate::store::facts::objectives;

/// What the windows of an objective say.
#[derive(Debug, Clone, PartialEq)]
pub struct BurnSeen {
    /// Which objective.
    pub objective: Arc<Objective>,
    /// Its windows; `None` if no outage of any monitor lies in them.
    pub seen: Option<[Seen; RULES.len()]>,
    /// The monitors that were down, the longest first; at most [`WORST_MAX`].
    pub worst: Vec<MonitorName>,
}

/// Monitors that a message names.
pub const WORST_MAX: usize = 10;

impl Recorder {
    /// Takes note of a look at all objectives that are to be told: those that are not among them burn no more.
    pub(in crate::daemon) fn burns(&mut self, looks: Vec<BurnSeen>, now: Timestamp) {
        let mut burning = self.burning.clone();
        burning.retain(|name, _| looks.iter().any(|one| *one.objective.name == **name));
        for one in looks {
            let name = &*one.objective.name;
            let is_burning = burning.contains_key(name);
            let change = match &one.seen {
                Some(seen) => look(is_burning, seen, one.objective.target),
                None if is_burning => Change::Ends,
                None => Change::None,
            };
            match change {
                Change::None => {}
                Change::Ends => {
                    tracing::info!("the objective {name} burns its error budget no longer");
                    burning.remove(name);
                }
                Change::Begins(seen) => {
                    burning.insert(name.to_owned(), now);
                    self.tell_of_burn(&one, &seen, now);
                }
            }
        }
        if burning != self.burning {
            self.burning.clone_from(&burning);
            let write = Deed::Write(Box::new(move |batch| {
                objectives::put_burning(batch.outbox(), &burning)
            }));
            self.staged.deed(write, now);
            self.staged.urgent = true;
        }
    }

    fn tell_of_burn(&mut self, one: &BurnSeen, seen: &Seen, now: Timestamp) {
        let target = one.objective.target;
        let window = |spent: &Spent, length| BurnWindow {
            length,
            times: spent.burn(target).unwrap_or(0.0),
            coverage_percent: spent.coverage_percent().unwrap_or(0.0),
        };
        let news = News::Burn {
            objective: one.objective.name.to_string(),
            target_percent: target.percent(),
            period: one.objective.period.to_string(),
            long: window(&seen.long, seen.rule.long),
            short: window(&seen.short, seen.rule.short),
            worst: one.worst.clone(),
        };
        if !self.config.has_way_out() {
            return;
        }
        let notice = Notice {
            about: None,
            news,
            decided_at: now,
        };
        self.say(notice, None, now);
    }
}
