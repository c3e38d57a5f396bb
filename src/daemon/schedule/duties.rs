//! What the calendar calls for: cron monitors' checks, upkeep of the store, the report.

use std::sync::Arc;

use super::cron_jobs::{Duty, Firing};
use super::scheduler::Command;
use crate::clock;
use crate::daemon::active::Running;
use crate::daemon::logging::targets;
use crate::daemon::recorder::message::{Entry, Upkeep};
use crate::domain::monitor::MonitorId;
use crate::store::compaction::settle::{JOURNAL_ROWS_MAX, Step};
use crate::store::error::StoreError;

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
                Duty::Settle => self.settle(false),
                Duty::SettleIfLong => self.settle(true),
                Duty::Retain => self.retain(),
                Duty::Report => self.running.door.push(Entry::Report),
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

    /// Settles what is over; with `if_long` only where the journal is too long to wait for the hour.
    fn settle(&self, if_long: bool) {
        let mut begun = false;
        self.running.door.push(Entry::Upkeep(Box::new(move |store| {
            if if_long && !begun {
                match store.journal_rows() {
                    Ok(rows) if rows > JOURNAL_ROWS_MAX => {}
                    Ok(_) | Err(_) => return Upkeep::Done,
                }
            }
            begun = true;
            step(store.settle(clock::now()), "settle the journal")
        })));
    }

    fn retain(&self) {
        let keep = self.running.force().config.history;
        self.running.door.push(Entry::Upkeep(Box::new(move |store| {
            step(
                store.retain(&keep, clock::now()),
                "let go of what is too old",
            )
        })));
    }
}

fn step(done: Result<Step, StoreError>, what: &str) -> Upkeep {
    match done {
        Ok(Step::More) => Upkeep::More,
        Ok(Step::Done) => Upkeep::Done,
        Err(error) => {
            tracing::error!(target: targets::TROUBLE, %error, "failed to {what}; it is tried again at its next time");
            Upkeep::Done
        }
    }
}
