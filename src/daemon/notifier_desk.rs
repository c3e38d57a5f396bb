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
use crate::policy::outbox::delivery::{self, Outcome, Settled};
use crate::policy::outbox::pause::Pause;
use crate::policy::outbox::plan::{Deed, Silenced, plan};
use crate::policy::outbox::row::{Lane, RowId, Waiting};
use crate::store::batch::Batch;
use crate::store::error::StoreError;
use crate::store::{outbox, outbox_attempt};

/// So many conversations with the mail server at once; each recipient has one at a time.
const CONVERSATIONS_MAX: usize = 4;

/// Something for the notifier to do.
pub enum Task {
    /// Have this written.
    Write(WriteWork),
    /// Put this mail on its way; then [`Desk::delivered`].
    Deliver(Waiting),
}

/// What of a row changes when something about it is written.
type Look = (RowId, u32, bool);

fn look(row: &Waiting) -> Look {
    (row.id, row.attempts(), row.is_held())
}

/// The state between two looks at the outbox.
#[derive(Debug, Default)]
pub struct Desk {
    /// The server refused something that only a person can mend.
    pause: Option<Pause>,
    /// By mailbox: mails on their way.
    on_the_way: HashMap<String, RowId>,
    /// By mailbox: what its rows looked like when something about them was handed out to be written.
    unwritten: HashMap<String, HashSet<Look>>,
    /// The newest trouble with the way out.
    trouble: Option<(Timestamp, String)>,
}

impl Desk {
    /// The desk of a new process, with the pause that another one left behind.
    pub fn new(pause: Option<Pause>) -> Self {
        Self {
            pause: pause.map(Pause::at_start),
            ..Self::default()
        }
    }

    /// What is to be done now, and when to look again if nothing comes before.
    pub fn next(
        &mut self,
        settings: &AlertSettings,
        lanes: &[Lane],
        silenced: &Silenced,
        now: Timestamp,
    ) -> (Vec<Task>, Option<Timestamp>) {
        self.forget_written(lanes);
        let mut tasks = Vec::new();
        if let Some(pause) = self.pause.as_ref().filter(|pause| pause.rests(now)) {
            return (tasks, Some(pause.until));
        }
        let mut wake_at: Option<Timestamp> = None;
        for lane in lanes {
            let mailbox = lane.to.mailbox();
            if self.on_the_way.contains_key(mailbox) || self.unwritten.contains_key(mailbox) {
                continue;
            }
            let plan = plan(settings, lane, silenced, now);
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
                    Deed::Send(_)
                    | Deed::Merge { .. }
                    | Deed::Digest(_)
                    | Deed::Hold(..)
                    | Deed::Release(_) => None,
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
                // After a pause one mail goes first, to see whether it is mended.
                let most = if self.pause.is_some() {
                    1
                } else {
                    CONVERSATIONS_MAX
                };
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
            Deed::Hold(rows, why) => Some(self.write(lane, move |batch| {
                Ok(outbox_attempt::hold(batch.outbox(), &rows, why)?)
            })),
            Deed::Release(rows) => Some(self.write(lane, move |batch| {
                Ok(outbox_attempt::release(batch.outbox(), &rows, now)?)
            })),
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
        let look = lane.waiting.iter().map(look);
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
        match outcome {
            Outcome::Accepted(_) | Outcome::Permanent(_) => {}
            Outcome::Pause(error) | Outcome::Temporary { error, .. } | Outcome::Unknown(error) => {
                self.trouble = Some((now, error.clone()));
            }
        }
        let pause = Pause::after(self.pause.as_ref(), outcome, now);
        let pause_changed = pause != self.pause;
        self.pause.clone_from(&pause);
        let settled = delivery::settle(row, outcome, seed(row.id, mailbox), now);
        self.unwritten
            .insert(mailbox.to_owned(), HashSet::from([look(row)]));
        let (id, written) = (row.id, settled.clone());
        let work: WriteWork = Box::new(move |batch| {
            outbox::settle(batch.outbox(), id, &written, now)?;
            if pause_changed {
                outbox_attempt::put_pause(batch.outbox(), pause.as_ref())?;
            }
            Ok(())
        });
        (settled, work)
    }

    /// A mail that was to go on its way turned out to have nothing to say: it is dropped.
    pub fn dropped(&mut self, mailbox: &str, row: &Waiting, now: Timestamp) -> WriteWork {
        self.on_the_way.remove(mailbox);
        self.unwritten
            .insert(mailbox.to_owned(), HashSet::from([look(row)]));
        let id = row.id;
        Box::new(move |batch| Ok(outbox::supersede(batch.outbox(), id, now)?))
    }

    /// A mail that was to go on its way does not wait any more.
    pub fn gone(&mut self, mailbox: &str) {
        self.on_the_way.remove(mailbox);
    }

    /// A person or a new configuration wants it tried again at once.
    pub fn wake_up(&mut self, now: Timestamp) {
        self.pause = self.pause.take().map(|pause| pause.ended(now));
    }

    /// Why no mail leaves, while none does.
    pub const fn pause(&self) -> Option<&Pause> {
        self.pause.as_ref()
    }

    /// How many mails are on their way.
    pub fn on_the_way(&self) -> usize {
        self.on_the_way.len()
    }

    /// The newest trouble with the way out: why mails that were decided before it are late.
    pub fn trouble(&self) -> Option<(Timestamp, &str)> {
        self.trouble.as_ref().map(|(at, why)| (*at, why.as_str()))
    }

    /// What was handed out for writing is written once the rows look different.
    fn forget_written(&mut self, lanes: &[Lane]) {
        self.unwritten.retain(|mailbox, looked| {
            let rows: HashSet<Look> = lanes
                .iter()
                .filter(|lane| lane.to.mailbox() == mailbox)
                .flat_map(|lane| &lane.waiting)
                .map(look)
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
