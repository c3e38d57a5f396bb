//! What the notifier does next, without clock, socket or database: which mail goes on its way, what is written.
//!
//! The database is the only memory of what was decided. The desk remembers just what it handed out and has
//! not seen written yet, so that nothing goes on its way twice while the disk is slow.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::recorder_entry::WriteWork;
use crate::domain::notice::MailKind;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::delivery::{self, Outcome, PAUSE, Settled};
use crate::policy::outbox::plan::{Deed, plan};
use crate::policy::outbox::row::{Lane, RowId, Waiting};
use crate::store::batch::Batch;
use crate::store::error::StoreError;
use crate::store::outbox;

/// So many conversations with the mail server at once; each recipient has one at a time.
const CONVERSATIONS_MAX: usize = 4;

/// Something for the notifier to do.
pub enum Task {
    /// Have this written.
    Write(WriteWork),
    /// Put this mail on its way; then [`Desk::delivered`].
    Deliver(Waiting),
}

/// All mail rests until then: the server refused something that only a person can mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Until then.
    pub until: Timestamp,
    /// What the server said.
    pub why: String,
}

/// The state between two looks at the outbox.
#[derive(Debug, Default)]
pub struct Desk {
    paused: Option<Paused>,
    /// After a pause one mail goes first, to see whether it is mended.
    trying: bool,
    /// By mailbox: mails on their way.
    on_the_way: HashMap<String, RowId>,
    /// By mailbox: what its rows looked like when something about them was handed out to be written.
    unwritten: HashMap<String, HashSet<(RowId, u32)>>,
    /// The newest trouble with the way out.
    trouble: Option<(Timestamp, String)>,
}

impl Desk {
    /// What is to be done now, and when to look again if nothing comes before.
    pub fn next(
        &mut self,
        settings: &AlertSettings,
        lanes: &[Lane],
        now: Timestamp,
    ) -> (Vec<Task>, Option<Timestamp>) {
        self.forget_written(lanes);
        let mut tasks = Vec::new();
        if let Some(paused) = &self.paused {
            // A clock set back must not lengthen a pause.
            if paused.until > now && paused.until.since(now) <= PAUSE {
                return (tasks, Some(paused.until));
            }
            self.paused = None;
            self.trying = true;
        }
        let mut wake_at: Option<Timestamp> = None;
        for lane in lanes {
            let mailbox = lane.to.mailbox();
            if self.on_the_way.contains_key(mailbox) || self.unwritten.contains_key(mailbox) {
                continue;
            }
            let plan = plan(settings, lane, now);
            wake_at = [wake_at, plan.wake_at].into_iter().flatten().min();
            let Some(task) = self.first(lane, plan.deeds, now) else {
                continue;
            };
            tasks.push(task);
        }
        (tasks, wake_at)
    }

    /// The first thing to do for a lane; the next comes when this one is written.
    fn first(&mut self, lane: &Lane, deeds: Vec<Deed>, now: Timestamp) -> Option<Task> {
        let (superseded, rest): (Vec<Deed>, Vec<Deed>) = deeds
            .into_iter()
            .partition(|deed| matches!(deed, Deed::Supersede(_)));
        if !superseded.is_empty() {
            let rows: Vec<RowId> = superseded
                .iter()
                .filter_map(|deed| match deed {
                    Deed::Supersede(row) => Some(*row),
                    Deed::Send(_) | Deed::Merge { .. } | Deed::Digest(_) => None,
                })
                .collect();
            return Some(self.write(lane, move |batch| {
                for row in &rows {
                    outbox::supersede(batch.outbox(), *row, now)?;
                }
                Ok(())
            }));
        }
        match rest.into_iter().next()? {
            Deed::Send(row) => {
                let most = if self.trying { 1 } else { CONVERSATIONS_MAX };
                if self.on_the_way.len() >= most {
                    return None;
                }
                let waiting = lane.waiting.iter().find(|waiting| waiting.id == row)?;
                self.on_the_way.insert(lane.to.mailbox().to_owned(), row);
                Some(Task::Deliver(waiting.clone()))
            }
            Deed::Merge { down, up } => {
                Some(self.form(lane, MailKind::WasDown, vec![down, up], now))
            }
            Deed::Digest(rows) => Some(self.form(lane, MailKind::Digest, rows, now)),
            Deed::Supersede(_) => None,
        }
    }

    fn form(&mut self, lane: &Lane, kind: MailKind, members: Vec<RowId>, now: Timestamp) -> Task {
        self.write(lane, move |batch| {
            // Members that wait no more make it void; the next look plans anew.
            outbox::form(batch.outbox(), kind, &members, now)?;
            Ok(())
        })
    }

    fn write(
        &mut self,
        lane: &Lane,
        work: impl FnMut(&mut Batch<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Task {
        let look = lane.waiting.iter().map(|row| (row.id, row.attempts()));
        self.unwritten
            .insert(lane.to.mailbox().to_owned(), look.collect());
        Task::Write(Box::new(work))
    }

    /// A mail that was on its way has an outcome: what to write of it.
    pub fn delivered(
        &mut self,
        mailbox: &str,
        row: &Waiting,
        outcome: &Outcome,
        now: Timestamp,
    ) -> (Settled, WriteWork) {
        self.on_the_way.remove(mailbox);
        self.trying = false;
        match outcome {
            Outcome::Accepted(_) => {}
            Outcome::Pause(why) => {
                self.paused = Some(Paused {
                    until: now.plus(PAUSE),
                    why: why.clone(),
                });
                self.trouble = Some((now, why.clone()));
            }
            Outcome::Temporary { error, .. } | Outcome::Unknown(error) => {
                self.trouble = Some((now, error.clone()));
            }
            Outcome::Permanent(_) => {}
        }
        let settled = delivery::settle(row, outcome, seed(row.id, mailbox), now);
        self.unwritten.insert(
            mailbox.to_owned(),
            HashSet::from([(row.id, row.attempts())]),
        );
        let (id, written) = (row.id, settled.clone());
        let work: WriteWork =
            Box::new(move |batch| Ok(outbox::settle(batch.outbox(), id, &written, now)?));
        (settled, work)
    }

    /// A mail that was to go on its way turned out to have nothing to say: it is dropped.
    pub fn dropped(&mut self, mailbox: &str, row: &Waiting, now: Timestamp) -> WriteWork {
        self.on_the_way.remove(mailbox);
        self.unwritten.insert(
            mailbox.to_owned(),
            HashSet::from([(row.id, row.attempts())]),
        );
        let id = row.id;
        Box::new(move |batch| Ok(outbox::supersede(batch.outbox(), id, now)?))
    }

    /// A mail that was to go on its way does not wait any more.
    pub fn gone(&mut self, mailbox: &str) {
        self.on_the_way.remove(mailbox);
    }

    /// A person or a new configuration wants it tried again at once.
    pub fn wake_up(&mut self) {
        self.paused = None;
        self.trying = false;
    }

    /// Whether all mail rests.
    pub const fn paused(&self) -> Option<&Paused> {
        self.paused.as_ref()
    }

    /// How many mails are on their way.
    pub fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    /// Why mails since `since` are late, where the way out was the reason.
    pub fn trouble_since(&self, since: Timestamp) -> Option<&str> {
        self.trouble
            .as_ref()
            .filter(|(at, _)| *at >= since)
            .map(|(_, why)| why.as_str())
    }

    /// What was handed out for writing is written once the rows look different.
    fn forget_written(&mut self, lanes: &[Lane]) {
        self.unwritten.retain(|mailbox, looked| {
            let rows: HashSet<(RowId, u32)> = lanes
                .iter()
                .filter(|lane| lane.to.mailbox() == mailbox)
                .flat_map(|lane| &lane.waiting)
                .map(|row| (row.id, row.attempts()))
                .collect();
            looked.iter().all(|row| rows.contains(row))
        });
    }
}

/// Spreads the retries of different mails.
fn seed(row: RowId, mailbox: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row.0, mailbox).hash(&mut hasher);
    hasher.finish()
}
