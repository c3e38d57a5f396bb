//! What the notifier does next, without clock, socket or database: which mail goes on its way, what is written.
//!
//! The database is the only memory of what was decided. The desk remembers just what it handed out and has
//! not seen written yet, so that nothing goes on its way twice while the disk is slow.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::daemon::logging::targets::MAIL_FAILED;
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

/// A lane whose work ended without a trace is looked at again after this. The database refused to write it, which is a
/// fault of ours: a mail whose outcome is lost like this is not sent in a tight loop.
const LOST_WAIT: Duration = retry::PAUSE;

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

/// What was handed out to be written about a lane.
#[derive(Debug)]
struct Unwritten {
    /// What its rows looked like.
    looked: HashSet<Look>,
    /// Lives as long as the work: the recorder drops it when it is written, or refused.
    work: Weak<()>,
    /// Where it is the outcome of a mail: the row.
    outcome_of: Option<RowId>,
    /// When the work was found to have ended without a trace.
    lost_at: Option<Timestamp>,
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
    /// By mailbox: what was handed out to be written and has not been seen written.
    unwritten: HashMap<String, Unwritten>,
    /// How often the outcome of a mail was lost.
    lost_outcomes: HashMap<RowId, u32>,
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
        let again_at = self.forget_written(lanes, now);
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
        let mut wake_at = again_at;
        let mut due: Vec<(&str, &Waiting)> = Vec::new();
        for lane in lanes {
            let mailbox = lane.to.key();
            if self.on_the_way.contains_key(mailbox) || self.unwritten.contains_key(mailbox) {
                continue;
            }
            let plan = match self.without_given_up(lane) {
                None => plan(settings, lane, silenced, hours, now),
                Some(rest) => plan(settings, &rest, silenced, hours, now),
            };
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

    /// The lane without mails that left several times and whose outcome was lost each time, if it has such. They rest
    /// until a restart; what else is for their recipient goes out.
    fn without_given_up(&self, lane: &Lane) -> Option<Lane> {
        let lost = |row: &Waiting| self.lost_outcomes.get(&row.id).copied().unwrap_or(0);
        let is_given_up = |row: &Waiting| lost(row) > retry::REPEATS_MAX;
        if !lane.waiting.iter().any(is_given_up) {
            return None;
        }
        let mut rest = lane.clone();
        rest.waiting.retain(|row| !is_given_up(row));
        Some(rest)
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
        First::Write(self.hand_out(lane.to.key(), looks(lane).collect(), None, work))
    }

    /// Hands out work about a mailbox: nothing is done about it before this is seen to be written.
    fn hand_out(
        &mut self,
        mailbox: &str,
        looked: HashSet<Look>,
        outcome_of: Option<RowId>,
        mut work: impl FnMut(&mut Batch<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> WriteWork {
        let alive = Arc::new(());
        let unwritten = Unwritten {
            looked,
            work: Arc::downgrade(&alive),
            outcome_of,
            lost_at: None,
        };
        self.unwritten.insert(mailbox.to_owned(), unwritten);
        Box::new(move |batch| {
            let _alive = &alive;
            work(batch)
        })
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
        // A mailbox has an @, a channel has none.
        let channel = (!mailbox.contains('@')).then(|| mailbox.to_owned());
        let (id, written) = (row.id, settled.clone());
        let looked = HashSet::from([look(row)]);
        let work = self.hand_out(mailbox, looked, Some(id), move |batch| {
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
        let id = row.id;
        self.hand_out(mailbox, HashSet::from([look(row)]), None, move |batch| {
            Ok(queries::supersede(batch.outbox(), id, now)?)
        })
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

    /// What was handed out for writing is written once the rows look different. Answers when a lane whose work was lost
    /// is due again.
    fn forget_written(&mut self, lanes: &[Lane], now: Timestamp) -> Option<Timestamp> {
        let mut again_at: Option<Timestamp> = None;
        let lost_outcomes = &mut self.lost_outcomes;
        self.unwritten.retain(|mailbox, unwritten| {
            let rows: HashSet<Look> = lanes
                .iter()
                .filter(|lane| lane.to.key() == mailbox)
                .flat_map(looks)
                .collect();
            if !unwritten.looked.iter().all(|row| rows.contains(row)) {
                if let Some(row) = unwritten.outcome_of {
                    lost_outcomes.remove(&row);
                }
                return false;
            }
            if unwritten.work.strong_count() > 0 {
                return true;
            }
            // Whatever was written before the work ended is seen by the time that it is due again.
            let due_at = unwritten.lost_at.get_or_insert(now).plus(LOST_WAIT);
            if now < due_at {
                again_at = [again_at, Some(due_at)].into_iter().flatten().min();
                return true;
            }
            let Some(row) = unwritten.outcome_of else {
                return false;
            };
            // It may have left each time.
            let lost = lost_outcomes.entry(row).or_default();
            *lost += 1;
            if *lost > retry::REPEATS_MAX {
                tracing::error!(
                    target: MAIL_FAILED, to = mailbox,
                    "a mail left several times, and the database refused to note it each time: it is not sent again \
                     before a restart"
                );
            }
            false
        });
        again_at
    }
}

/// Spreads the retries of different mails.
fn seed(row: RowId, mailbox: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row.0, mailbox).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recipient::Recipient;
    use crate::domain::settings::Flapping;
    use crate::policy::outbox::queued::Tries;

    const MAILBOX: &str = "ops@example.com";

    fn at(second: u64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000).plus(Duration::from_secs(second))
    }

    fn lane() -> Lane {
        Lane {
            to: Recipient::restored(MAILBOX).unwrap(),
            waiting: vec![Waiting {
                id: RowId(1),
                kind: MailKind::Test,
                monitor: None,
                incident: None,
                cause: None,
                queued_at: at(0),
                tries: Tries::None,
                held: None,
                tells: Vec::new(),
                members: Vec::new(),
                follows: false,
            }],
            collecting: None,
        }
    }

    fn settings() -> AlertSettings {
        AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(60),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        }
    }

    /// How many mails go on their way at this second, and when to look again.
    fn next(desk: &mut Desk, lanes: &[Lane], second: u64) -> (usize, Option<Timestamp>) {
        let settings = settings();
        let rules = (&settings, &Hours::default());
        let (tasks, wake_at) = desk.next(rules, lanes, &Silenced::new(), at(second));
        (tasks.len(), wake_at)
    }

    fn deliver(desk: &mut Desk, lanes: &[Lane], second: u64) -> WriteWork {
        let row = &lanes[0].waiting[0];
        let taken = Outcome::Accepted("250 taken".into());
        let (_, work) = desk.delivered(MAILBOX, row, &taken, at(second));
        desk.conversation_ended([(MAILBOX, row.id)]);
        work
    }

    #[test]
    fn what_is_not_written_yet_is_not_sent_again_however_long_that_takes() {
        let (mut desk, lanes) = (Desk::new(None), [lane()]);
        assert_eq!(next(&mut desk, &lanes, 20).0, 1);
        let work = deliver(&mut desk, &lanes, 21);
        assert_eq!(next(&mut desk, &lanes, 22), (0, None));
        assert_eq!(next(&mut desk, &lanes, 86_400), (0, None));
        drop(work);
    }

    /// The database refused to write the outcome of a mail.
    #[test]
    fn a_lane_whose_work_was_lost_goes_on_after_a_while_and_repeats_a_mail_at_most_twice() {
        let (mut desk, lanes) = (Desk::new(None), [lane()]);
        for lost_at in [20, 1000, 2000] {
            assert_eq!(next(&mut desk, &lanes, lost_at).0, 1, "at {lost_at}");
            drop(deliver(&mut desk, &lanes, lost_at));
            assert_eq!(
                next(&mut desk, &lanes, lost_at),
                (0, Some(at(lost_at + 900)))
            );
            assert_eq!(next(&mut desk, &lanes, lost_at + 899).0, 0);
        }
        assert_eq!(next(&mut desk, &lanes, 86_400), (0, None));
        // The mail is given up, its recipient is not: what comes later leaves, once.
        let mut both = [lane()];
        both[0].waiting.push(Waiting {
            id: RowId(2),
            ..both[0].waiting[0].clone()
        });
        let settings = settings();
        let rules = (&settings, &Hours::default());
        let (tasks, _) = desk.next(rules, &both, &Silenced::new(), at(86_401));
        let [Task::Deliver(rows)] = tasks.as_slice() else {
            panic!("{} tasks", tasks.len());
        };
        assert_eq!(
            rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            [RowId(2)]
        );
        let row = both[0].waiting.remove(1);
        let taken = Outcome::Accepted("250 taken".into());
        let _ = desk.delivered(MAILBOX, &row, &taken, at(86_402));
        desk.conversation_ended([(MAILBOX, row.id)]);
        assert_eq!(next(&mut desk, &both, 86_403), (0, None));
        // A row that looks different was written after all: it is another try.
        let mut other = lane();
        other.waiting[0].id = RowId(3);
        assert_eq!(next(&mut desk, &[other], 86_404).0, 1);
    }
}
