//! What the notifier does next, without clock, socket or database: which mail goes on its way, what is written.
//!
//! The database is the only memory of what was decided. The desk remembers just what it handed out and has
//! not seen written yet, so that nothing goes on its way twice while the disk is slow.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::daemon::recorder::message::WriteWork;
use crate::domain::notification::MailKind;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Hold;
use crate::policy::outbox::hours::Hours;
use crate::policy::outbox::out_of_reach::OutOfReach;
use crate::policy::outbox::plan::{Deed, Silenced, plan};
use crate::policy::outbox::queued::{Holds, Lane, RowId, Waiting};
use crate::policy::outbox::rest::Rest;
use crate::policy::outbox::retry::{self, Outcome, Settled};
use crate::policy::outbox::transport_pause::Pause;
use crate::store::error::StoreError;
use crate::store::outbox::{attempts, channels, collecting, queries};
use crate::store::transaction::Batch;

/// So many conversations with the mail server at once; each recipient has one at a time.
const CONVERSATIONS_MAX: usize = 4;
/// So many mails that are due at once share one conversation before another is begun beside it: servers count
/// connections, and each mail waits for those before it.
const MAILS_OF_CONVERSATION_MAX: usize = 25;

/// Something for the notifier to do.
pub enum Task {
    /// Have this written.
    Write(WriteWork),
    /// Put these mails on their way over one connection, in order, each to another recipient; then
    /// [`Desk::delivered`] for each and [`Desk::conversation_ended`].
    Deliver(Vec<Waiting>),
}

/// The first thing to do for a lane.
enum First<'a> {
    Write(WriteWork),
    Due(&'a Waiting),
}

/// What of a row changes when something about it is written.
type Look = (RowId, u32, Option<Hold>);

fn look(row: &Waiting) -> Look {
    (row.id, row.attempts(), row.held_by())
}

/// All of a lane: its rows, and the interval after a digest.
fn looks(lane: &Lane) -> impl Iterator<Item = Look> {
    let begins = lane.collecting.as_ref().map(|it| it.since.as_ms());
    // Rows are numbered from 1 on: this is none of them.
    let interval = begins.map(|at| (RowId(at.saturating_neg()), 0, None));
    lane.waiting.iter().map(look).chain(interval)
}

/// The state between two looks at the outbox.
#[derive(Debug, Default)]
pub struct Desk {
    /// The server refused something that only a person can mend.
    pause: Option<Pause>,
    /// The server is not to be had for a moment.
    rest: Option<Rest>,
    /// Conversations under way.
    conversations: usize,
    /// By mailbox: mails on their way.
    on_the_way: HashMap<String, RowId>,
    /// By mailbox: what its rows looked like when something about them was handed out to be written.
    unwritten: HashMap<String, HashSet<Look>>,
    /// The newest trouble with the way out.
    trouble: Option<(Timestamp, String)>,
    /// Whether the others are to hear of it.
    reach: OutOfReach,
}

impl Desk {
    /// The desk of a new process, with the pause that another one left behind.
    pub fn new(pause: Option<Pause>) -> Self {
        Self {
            reach: OutOfReach::at_start(pause.as_ref()),
            pause: pause.map(Pause::at_start),
            ..Self::default()
        }
    }

    /// What is to be done now, and when to look again if nothing comes before.
    pub fn next(
        &mut self,
        (settings, hours): (&AlertSettings, &Hours),
        lanes: &[Lane],
        silenced: &Silenced,
        now: Timestamp,
    ) -> (Vec<Task>, Option<Timestamp>) {
        self.forget_written(lanes);
        let mut tasks = Vec::new();
        if let Some(pause) = self.pause.as_ref().filter(|pause| pause.rests(now)) {
            return (tasks, Some(pause.until));
        }
        if let Some(rest) = self.rest.as_ref().filter(|rest| rest.rests(now)) {
            let mut rows = lanes.iter().flat_map(|lane| &lane.waiting);
            let ends_at = rest.ends_at(rows.any(|row| row.attempts() == 0 && !row.is_held()));
            if ends_at > now {
                return (tasks, Some(ends_at));
            }
        }
        let mut wake_at: Option<Timestamp> = None;
        let mut due: Vec<(&str, &Waiting)> = Vec::new();
        for lane in lanes {
            let mailbox = lane.to.key();
            if self.on_the_way.contains_key(mailbox) || self.unwritten.contains_key(mailbox) {
                continue;
            }
            let plan = plan(settings, lane, silenced, hours, now);
            wake_at = [wake_at, plan.wake_at].into_iter().flatten().min();
            match self.first(settings, lane, plan.deeds, now) {
                Some(First::Write(work)) => tasks.push(Task::Write(work)),
                Some(First::Due(row)) => due.push((mailbox, row)),
                None => {}
            }
        }
        tasks.extend(self.conversations(due));
        (tasks, wake_at)
    }

    /// Puts as many of the due mails on their way as may be.
    fn conversations(&mut self, mut due: Vec<(&str, &Waiting)>) -> Vec<Task> {
        // One that the server itself put off before does not stand before the others.
        due.sort_by_key(|(_, row)| (row.was_put_off(), row.attempts()));
        // After a pause one mail goes first, to see whether it is mended; after a rest one connection.
        let (places, mails) = match (&self.pause, &self.rest) {
            (Some(_), _) => (1, 1),
            (None, Some(_)) => (1, MAILS_OF_CONVERSATION_MAX),
            (None, None) => (CONVERSATIONS_MAX, MAILS_OF_CONVERSATION_MAX),
        };
        let free = places.saturating_sub(self.conversations);
        let mut tasks = Vec::new();
        for rows in due.chunks(mails).take(free) {
            self.conversations += 1;
            for (mailbox, row) in rows {
                self.on_the_way.insert((*mailbox).to_owned(), row.id);
            }
            tasks.push(Task::Deliver(
                rows.iter().map(|(_, row)| (*row).clone()).collect(),
            ));
        }
        tasks
    }

    /// The first thing to do for a lane; the next comes when this one is written.
    fn first<'a>(
        &mut self,
        settings: &AlertSettings,
        lane: &'a Lane,
        deeds: Vec<Deed>,
        now: Timestamp,
    ) -> Option<First<'a>> {
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
                    | Deed::Digest(..)
                    | Deed::Collect(_)
                    | Deed::Hold(..)
                    | Deed::Release(_) => None,
                })
                .collect();
            return Some(self.write(lane, move |batch| {
                for row in &rows {
                    queries::supersede(batch.outbox(), *row, now)?;
                }
                Ok(())
            }));
        }
        match rest.into_iter().next()? {
            Deed::Send(row) => {
                let waiting = lane.waiting.iter().find(|waiting| waiting.id == row)?;
                Some(First::Due(waiting))
            }
            // A service that opens and closes incidents of its own is told both.
            Deed::Merge { down, .. } if settings.group_limit == u32::MAX => {
                let waiting = lane.waiting.iter().find(|waiting| waiting.id == down)?;
                Some(First::Due(waiting))
            }
            Deed::Merge { down, up } => Some(self.write(lane, move |batch| {
                queries::form(batch.outbox(), MailKind::WasDown, &[down, up], now)?;
                Ok(())
            })),
            Deed::Digest(rows, next) => {
                let key = lane.to.key().to_owned();
                Some(self.write(lane, move |batch| {
                    // Members that wait no more make it void; the next look makes another plan.
                    if queries::form(batch.outbox(), MailKind::Digest, &rows, now)?.is_some() {
                        collecting::put(batch.outbox(), &key, &next)?;
                    }
                    Ok(())
                }))
            }
            Deed::Collect(next) => {
                let key = lane.to.key().to_owned();
                Some(self.write(lane, move |batch| {
                    Ok(collecting::put(batch.outbox(), &key, &next)?)
                }))
            }
            Deed::Hold(rows, why) => Some(self.write(lane, move |batch| {
                Ok(attempts::hold(batch.outbox(), &rows, why)?)
            })),
            Deed::Release(rows) => Some(self.write(lane, move |batch| {
                Ok(attempts::release(batch.outbox(), &rows, now)?)
            })),
            Deed::Supersede(_) => None,
        }
    }

    fn write<'a>(
        &mut self,
        lane: &Lane,
        work: impl FnMut(&mut Batch<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> First<'a> {
        self.unwritten
            .insert(lane.to.key().to_owned(), looks(lane).collect());
        First::Write(Box::new(work))
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
            Outcome::Rest(error)
            | Outcome::Pause(error)
            | Outcome::Temporary { error, .. }
            | Outcome::Later { error, .. }
            | Outcome::Unknown(error) => {
                self.trouble = Some((now, error.clone()));
            }
        }
        self.reach.note(outcome, now);
        let pause = Pause::after(self.pause.as_ref(), outcome, now);
        let pause_changed = pause != self.pause;
        self.pause.clone_from(&pause);
        let seed = seed(row.id, mailbox);
        self.rest = Rest::after(self.rest.as_ref(), outcome, seed, now);
        let mut settled = retry::settle(row, outcome, seed, now);
        if let Settled::Later {
            at,
            holds: Holds::Transport,
            ..
        } = &mut settled
            && let Some(rest) = &self.rest
        {
            // It waits for the server, not for a time of its own.
            *at = rest.until;
        }
        self.unwritten
            .insert(mailbox.to_owned(), HashSet::from([look(row)]));
        // A mailbox has an @, a channel has none.
        let channel = (!mailbox.contains('@')).then(|| mailbox.to_owned());
        let (id, written) = (row.id, settled.clone());
        let work: WriteWork = Box::new(move |batch| {
            queries::settle(batch.outbox(), id, &written, now)?;
            if pause_changed {
                match &channel {
                    None => attempts::put_pause(batch.outbox(), pause.as_ref())?,
                    Some(name) => channels::put_pause(batch.outbox(), name, pause.as_ref())?,
                }
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
        Box::new(move |batch| Ok(queries::supersede(batch.outbox(), id, now)?))
    }

    /// A conversation is over. Which of its mails nothing was heard of is due again.
    pub fn conversation_ended<'a>(&mut self, mails: impl IntoIterator<Item = (&'a str, RowId)>) {
        self.conversations = self.conversations.saturating_sub(1);
        for (mailbox, row) in mails {
            if self.on_the_way.get(mailbox) == Some(&row) {
                self.on_the_way.remove(mailbox);
            }
        }
    }

    /// A mail that was to go on its way does not wait any more, or was not tried.
    pub fn gone(&mut self, mailbox: &str) {
        self.on_the_way.remove(mailbox);
    }

    /// A person or a new configuration wants it tried again at once.
    pub fn wake_up(&mut self, now: Timestamp) {
        self.pause = self.pause.take().map(|pause| pause.ended(now));
        self.rest = None;
    }

    /// Why no mail leaves, while none does.
    pub const fn pause(&self) -> Option<&Pause> {
        self.pause.as_ref()
    }

    /// Why nothing is tried for a moment.
    pub const fn rest(&self) -> Option<&Rest> {
        self.rest.as_ref()
    }

    /// Whether the others are to hear that nothing gets through.
    pub const fn reach(&mut self) -> &mut OutOfReach {
        &mut self.reach
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
                .filter(|lane| lane.to.key() == mailbox)
                .flat_map(looks)
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
