//! How the recorder writes: everything that is staged in one transaction, and what when that fails.

use std::sync::Arc;

use super::engine::{Failure, Outlook, Recorder};
use super::message::NotRecorded;
use super::roster::Slot;
use crate::clock;
use crate::daemon::health::live_status::Live;
use crate::domain::timestamp::Timestamp;
use crate::store::error::StoreError;

impl Recorder {
    /// Writes everything that is staged, in one transaction.
    ///
    /// # Errors
    /// What the store says; then nothing was written and everything stays staged.
    pub fn flush(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let began = clock::tick();
        let result = match self.write_clock_steps().and_then(|()| self.write()) {
            Err(error @ StoreError::Sql(_)) => {
                tracing::error!(
                    "a transaction was refused, which is a fault of sitewatch: {error}"
                );
                self.write_one_by_one()
            }
            result => result,
        };
        match result {
            Ok(()) => {
                self.commit_took = Some(clock::tick().duration_since(began));
                self.written(now);
                Ok(())
            }
            Err(error) => {
                self.not_written(&error, now);
                self.show();
                Err(error)
            }
        }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let mut batch = self.store.batch()?;
        for staged in &self.staged.checks {
            batch.record(staged.monitor, &staged.check, staged.interval)?;
        }
        for deed in &mut self.staged.deeds {
            deed.apply(&mut batch, &self.origin)?;
        }
        for slot in self.fleet.slots.iter().filter(|slot| slot.dirty) {
            let kept = &slot.memory.kept;
            batch.put_memory(slot.id, kept)?;
        }
        batch.commit()
    }

    /// A fault of ours in one thing must not hold up all others: each gets a transaction of its own, and
    /// what is refused even so is dropped.
    fn write_one_by_one(&mut self) -> Result<(), StoreError> {
        while let Some(staged) = self.staged.checks.front() {
            let mut batch = self.store.batch()?;
            let written = batch
                .record(staged.monitor, &staged.check, staged.interval)
                .and_then(|()| batch.commit());
            dropped_if_refused("a check", written)?;
            self.staged.checks.pop_front();
        }
        while let Some(deed) = self.staged.deeds.front_mut() {
            let mut batch = self.store.batch()?;
            let written = deed
                .apply(&mut batch, &self.origin)
                .and_then(|()| batch.commit());
            dropped_if_refused("a decision", written)?;
            self.staged.deeds.pop_front();
        }
        for slot in self.fleet.slots.iter_mut().filter(|slot| slot.dirty) {
            let mut batch = self.store.batch()?;
            let kept = &slot.memory.kept;
            let written = batch
                .put_memory(slot.id, kept)
                .and_then(|()| batch.commit());
            dropped_if_refused("a state", written)?;
            slot.dirty = false;
        }
        Ok(())
    }

    fn written(&mut self, now: Timestamp) {
        // Of a hundred thousand few are: the others stay as they are in the caches.
        for slot in self.fleet.slots.iter_mut().filter(|slot| slot.dirty) {
            slot.dirty = false;
        }
        let given_up = self.staged.given_up;
        for reply in std::mem::take(&mut self.staged).replies {
            reply(Ok(()));
        }
        self.show();
        if let Some(failure) = self.failure.take() {
            tracing::info!("the database takes writes again");
            let lost = match given_up {
                0 => {
                    "Nothing was lost: all checks were kept in memory and are recorded now.".into()
                }
                lost => format!("{lost} checks had to be dropped; states and mails were not."),
            };
            let detail = format!(
                "From {} to {} the database took no writes: {}. Monitoring went on. {lost}",
                self.moment(failure.since),
                self.moment(now),
                failure.error
            );
            self.tell_of_disk_again(failure.since, detail, now);
        }
    }

    pub(in crate::daemon) fn not_written(&mut self, error: &StoreError, now: Timestamp) {
        if self.failure.is_none() {
            tracing::error!("cannot write to the database: {error}; monitoring goes on");
        }
        let since = self.failure.as_ref().map_or(now, |failure| failure.since);
        self.failure = Some(Failure {
            since,
            tried_at: now,
            error: error.to_string(),
            outlook: match error {
                StoreError::Damaged(why) => Outlook::Damaged(why.clone()),
                StoreError::Overwritten => Outlook::Overwritten,
                _ => Outlook::Passes,
            },
        });
        for reply in std::mem::take(&mut self.staged.replies) {
            reply(Err(NotRecorded(error.to_string())));
        }
    }

    /// Puts what changed on the board.
    fn show(&mut self) {
        let (slots, now) = (&mut self.fleet.slots, self.clock.seen);
        for place in &self.touched {
            if let Some(slot) = slots.get(*place) {
                self.board.order_windows(slot.id, &slot.memory.kept.windows);
            }
        }
        let lives = self.touched.drain(..).filter_map(|place| {
            let slot = slots.get_mut(place)?;
            slot.touched = false;
            Some(live(slot, now))
        });
        self.board.put(lives);
    }
}

fn dropped_if_refused(what: &str, written: Result<(), StoreError>) -> Result<(), StoreError> {
    match written {
        Err(StoreError::Sql(error)) => {
            tracing::error!("{what} was refused by the database and is dropped: {error}");
            Ok(())
        }
        written => written,
    }
}

fn live(slot: &Slot, now: Timestamp) -> Live {
    let recent = &slot.memory.recent;
    Live {
        id: slot.id,
        monitor: slot.monitor.clone(),
        shown: slot.memory.kept.shown,
        newest: recent.newest.clone(),
        last_good: recent.last_good.clone(),
        ack_note: slot
            .memory
            .kept
            .status
            .outage()
            .and_then(|outage| outage.ack_note.clone()),
        locations: slot.memory.kept.seats.as_ref().map(|seats| {
            let statuses = seats.statuses(&slot.monitor.rules, now);
            Arc::new(statuses)
        }),
    }
}
