//! What the calendar calls for: cron monitors' checks, upkeep of the store, the report.

use std::sync::Arc;

use super::burn_watch::{self, BurnWatch};
use super::cron_jobs::{Duty, Firing};
use super::scheduler::Command;
use crate::blocking;
use crate::clock;
use crate::daemon::active::Running;
use crate::daemon::logging::targets;
use crate::daemon::recorder::message::{Entry, Upkeep};
use crate::domain::monitor::MonitorId;
use crate::store::compaction::settle::{JOURNAL_ROWS_MAX, Step};
use crate::store::error::StoreError;
use crate::store::reader::Reader;

/// Passes firings on to whoever does the work.
pub struct Duties {
    running: Arc<Running>,
    burns: Arc<BurnWatch>,
}

impl Duties {
    /// For this daemon.
    pub fn new(running: Arc<Running>) -> Self {
        Self {
            running,
            burns: Arc::default(),
        }
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
                Duty::Burns => self.look_at_burns(),
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

    fn look_at_burns(&self) {
        let running = Arc::clone(&self.running);
        let watch = Arc::clone(&self.burns);
        tokio::spawn(async move {
            let looking = blocking::run(move || {
                let config = running.force().config;
                let database = running.health.database_at(&config.daemon.database);
                let now = clock::now();
                let looked = watch.look(|| {
                    let reader = Reader::open(&database)?;
                    burn_watch::look(&reader, &config, now)
                });
                match looked {
                    None => {}
                    Some(Ok(looks)) => running.door.push(Entry::Burns(looks)),
                    Some(Err(error)) => {
                        tracing::warn!(%error, "cannot tell how objectives stand");
                    }
                }
            });
            if let Err(error) = looking.await {
                tracing::warn!(%error, "cannot look how objectives stand");
            }
        });
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
