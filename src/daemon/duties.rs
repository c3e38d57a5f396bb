//! What the calendar calls for: cron monitors' checks, upkeep of the store, the report.

use std::sync::Arc;

use super::calendar::{Duty, Firing};
use super::recorder_entry::Entry;
use super::running::Running;
use super::scheduler::Command;
use crate::clock;
use crate::domain::monitor::MonitorId;
use crate::domain::notice::{News, Notice};
use crate::domain::timestamp::Timestamp;

/// Passes firings on to whoever does the work.
pub struct Duties {
    running: Arc<Running>,
}

impl Duties {
    /// For this daemon.
    pub const fn new(running: Arc<Running>) -> Self {
        Self { running }
    }

    /// The moment of these duties has come.
    pub fn fire(&self, firing: Firing) {
        for duty in &firing.duties {
            match duty {
                Duty::Check(monitor) => self.check(*monitor, &firing),
                Duty::Settle => self.settle(),
                Duty::Retain => self.retain(),
                Duty::Report => self.report(firing.slot),
            }
        }
    }

    fn check(&self, monitor: MonitorId, firing: &Firing) {
        let mut missed = firing.missed;
        if firing.in_time {
            self.running.scheduler.send(Command::Trigger {
                monitor,
                slot: firing.slot,
            });
        } else {
            let (first, count) = missed.unwrap_or((firing.slot, 0));
            missed = Some((first, count + 1));
        }
        if let Some((from, count)) = missed {
            self.running.door.push(Entry::Missed {
                monitor,
                from,
                count: u32::try_from(count).unwrap_or(u32::MAX),
            });
        }
    }

    fn settle(&self) {
        tracing::debug!(door = self.running.door.len(), "settling");
    }

    fn retain(&self) {
        tracing::debug!(door = self.running.door.len(), "retention");
    }

    fn report(&self, slot: Timestamp) {
        let Some(report) = self.running.force().config.report.clone() else {
            return;
        };
        let from = self.last_report().unwrap_or(slot);
        self.running.door.push(Entry::Say {
            notice: Box::new(Notice {
                about: None,
                news: News::Report { from, to: slot },
                decided_at: clock::now(),
            }),
            to: Some(report.to),
        });
    }

    fn last_report(&self) -> Option<Timestamp> {
        None
    }
}
