//! The recorder: the one place where what happened becomes state, incident and mail. It decides in
//! memory ([`Recorder::stage`]) and writes what follows in one transaction ([`Recorder::flush`]).
//!
//! Synchronous and without a clock: a thread drives it in the daemon, a simulation in the tests. While
//! the database takes no writes it goes on deciding; what is decided waits and is written later.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::clock::ClockSeen;
use super::database_alarm::Alarm;
use super::enroll::origin;
use super::evidence::Keeper;
use super::files::Files;
use super::message::{Enrolled, Entry, Outcome, Turn, Upkeep, UpkeepWork};
use super::probes::Probes;
use super::roster::Slot;
use super::staged::{Deed, Origin, Staged};
use crate::config::Config;
use crate::daemon::health::live_status::Board;
use crate::daemon::logging::targets;
use crate::domain::check::Check;
use crate::domain::monitor::MonitorId;
use crate::domain::slow_limit::Usual;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::fleet::Fleet;
use crate::policy::alert::maintenance::Windows;
use crate::policy::outbox::retry::Settled;
use crate::store::error::StoreError;
use crate::store::facts::objectives::{self, Burning};
use crate::store::facts::offline_state::{self, Blind};
use crate::store::outbox::attempts;
use crate::store::transaction::Batch;
use crate::store::writer::Store;

/// A batch waits at most this long for company before it is written.
const COMPANY_WAIT: Duration = Duration::from_secs(1);

/// So many checks are company enough.
const COMPANY_MAX: usize = 4096;

/// After a failed write, the next attempt comes this much later.
const RETRY_WAIT: Duration = Duration::from_secs(2);

/// Drives the store and the memories of all monitors.
pub struct Recorder {
    pub(in crate::daemon) store: Store,
    pub(in crate::daemon) config: Arc<Config>,
    pub(in crate::daemon) origin: Origin,
    pub(in crate::daemon) fleet: Fleet<Slot>,
    pub(in crate::daemon) places: HashMap<MonitorId, usize>,
    pub(in crate::daemon) windows: Windows,
    pub(in crate::daemon) clock: ClockSeen,
    /// That we are offline, while we are.
    pub(in crate::daemon) blind: Option<Blind>,
    pub(super) staged: Staged,
    pub(in crate::daemon) upkeep: Vec<UpkeepWork>,
    pub(in crate::daemon) turns: Vec<Turn>,
    pub(in crate::daemon) board: Board,
    pub(super) touched: Vec<usize>,
    /// Checks of this batch whose copies are kept; freed together at its end.
    #[expect(
        clippy::vec_box,
        reason = "out of their boxes, the boxes would be freed at once"
    )]
    pub(in crate::daemon) copied: Vec<Box<Check>>,
    pub(in crate::daemon) failure: Option<Failure>,
    pub(in crate::daemon) stopped: bool,
    /// How long the newest transaction took, until somebody asks.
    pub(super) commit_took: Option<Duration>,
    pub(in crate::daemon) alarm: Alarm,
    pub(in crate::daemon) files: Files,
    pub(super) probes: Probes,
    /// Which objectives burn their error budget too fast.
    pub(super) burning: Burning,
    /// Of monitors whose limit is a multiple of the usual: what is usual in the hour of this number, counted from 1970.
    pub(super) usuals: HashMap<MonitorId, (i64, Option<Usual>)>,
    /// Keeps answers; none in a simulation.
    pub(super) evidence: Option<Keeper>,
}

/// The database takes no writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Since when.
    pub since: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// What it said last.
    pub error: String,
    /// Whether waiting may help.
    pub outlook: Outlook,
}

/// What is to be expected of a database that takes no writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It may pass.
    Passes,
    /// SQLite says that the file is damaged, and this.
    Damaged(String),
    /// Another file was written over it.
    Overwritten,
}

impl Recorder {
    /// Takes over a store: enrolls the monitors of the configuration and remembers what is stored of them.
    ///
    /// # Errors
    /// What the store says.
    pub fn open(
        store: Store,
        config: Arc<Config>,
        now: Timestamp,
    ) -> Result<(Self, Enrolled), StoreError> {
        let windows = Windows::new(&config.maintenance, &config.daemon.timezone, now);
        let blind = offline_state::get(store.outbox())?;
        let newest = store.newest_at()?;
        let assumed = store.assumed_steps()?;
        let mut recorder = Self {
            alarm: Alarm::default(),
            files: Files::at(store.path()),
            usuals: HashMap::new(),
            burning: objectives::burning(store.outbox())?,
            evidence: None,
            probes: Probes::default(),
            origin: origin(&store, &config),
            store,
            config: Arc::clone(&config),
            fleet: Fleet::new(Vec::new()),
            places: HashMap::new(),
            windows,
            clock: ClockSeen::new(now),
            blind,
            staged: Staged::default(),
            upkeep: Vec::new(),
            turns: Vec::new(),
            board: Board::default(),
            touched: Vec::new(),
            copied: Vec::new(),
            failure: None,
            stopped: false,
            commit_took: None,
        };
        recorder.clock.assumed = assumed;
        recorder.take_up_mails(now);
        let enrolled = recorder.enroll(config, now)?;
        recorder.end_former_windows(now)?;
        recorder.look_at_past(newest, now);
        recorder.take_up_blind_time(now);
        recorder.tell_of_stop(newest, now);
        recorder.report(now);
        recorder.flush(now)?;
        recorder.store.forget_pages()?;
        Ok((recorder, enrolled))
    }

    /// Tells scripts since when nobody watched, if any daemon did before.
    fn tell_of_stop(&mut self, last_sign: Option<Timestamp>, now: Timestamp) {
        if let Some(from) = last_sign.filter(|from| *from < now) {
            let reason = "stopped";
            let gap = Deed::Gap {
                from,
                reason,
                at: now,
            };
            self.staged.deed(gap, now);
        }
    }

    /// Mails that a process before this one had begun to send may have arrived.
    fn take_up_mails(&mut self, now: Timestamp) {
        let write = move |batch: &mut Batch<'_>| {
            for (row, to, settled) in attempts::recover(batch.outbox(), now)? {
                let kind = row.kind.as_str();
                match settled {
                    Settled::Later { .. } => tracing::warn!(
                        "mail {kind} to {to} was on its way when sitewatch ended; it may have arrived and is \
                         repeated with the same Message-ID"
                    ),
                    Settled::Failed { error } => tracing::error!(
                        target: targets::MAIL_FAILED, to = to.key(), "mail {kind} dropped: {error}"
                    ),
                    Settled::Sent => {}
                }
            }
            Ok(())
        };
        self.staged.deed(Deed::Write(Box::new(write)), now);
    }

    /// What every monitor shows; shared with whoever asks often.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Why the database takes no writes, while it does not.
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Why nothing more can be done with this database, if that is so. A database that is called damaged may be another
    /// one by now.
    pub fn unusable(&mut self) -> Option<StoreError> {
        match &self.failure.as_ref()?.outlook {
            Outlook::Passes => None,
            Outlook::Overwritten => Some(StoreError::Overwritten),
            Outlook::Damaged(why) => Some(match self.store.is_overwritten() {
                true => StoreError::Overwritten,
                false => StoreError::Damaged(why.clone()),
            }),
        }
    }

    /// Checks that had to be given up since the database took its last write.
    pub const fn given_up(&self) -> u64 {
        self.staged.given_up
    }

    /// Checks decided and not yet written.
    pub fn unwritten(&self) -> usize {
        self.staged.checks.len()
    }

    /// How long the newest transaction took, told once.
    pub fn take_commit_time(&mut self) -> Option<Duration> {
        self.commit_took.take()
    }

    /// Whether [`Entry::Stop`] came.
    pub const fn stopped(&self) -> bool {
        self.stopped
    }

    /// Whether the database takes a write, where there is nothing else to write.
    pub fn probe(&mut self, now: Timestamp) -> bool {
        match self.store.probe(now) {
            Ok(()) => true,
            Err(error) => {
                self.not_written(&error, now);
                self.staged.since.get_or_insert(now);
                false
            }
        }
    }

    /// Gives the store back, when nothing is recorded any more.
    pub fn into_store(self) -> Store {
        self.store
    }

    /// When to call [`Self::work`] at the latest, if nothing comes before.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let written = match (&self.failure, self.staged.since) {
            (_, None) => None,
            (Some(failure), Some(_)) => Some(failure.tried_at.plus(RETRY_WAIT)),
            (None, Some(since)) => Some(since.plus(COMPANY_WAIT)),
        };
        let tick = self.fleet.next_wake();
        [written, tick, self.windows.next_edge()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes in what came, writes what should be written, and says what follows from it.
    pub fn work(&mut self, entries: impl IntoIterator<Item = Entry>, now: Timestamp) -> Outcome {
        self.look_at_clock(now);
        self.tick(now);
        for entry in entries {
            self.stage(entry, now);
        }
        self.copied.clear();
        let mut mails = false;
        if self.should_write(now) {
            mails =
                self.staged.silence_changed || self.staged.deeds.iter().any(Deed::is_about_mail);
            mails &= self.flush(now).is_ok();
        }
        if !self.upkeep.is_empty() && self.staged.is_empty() {
            // One slice, then the others have their turn again.
            let more = (self.upkeep[0])(&mut self.store);
            if more == Upkeep::Done {
                drop(self.upkeep.remove(0));
            }
        }
        self.tell_of_disk(now);
        Outcome {
            letters: std::mem::take(&mut self.alarm.letters),
            turns: std::mem::take(&mut self.turns),
            asks: self.take_asks(),
            mails,
            committed: self.staged.is_empty(),
        }
    }

    /// Takes in what came and writes it at once: one step of a simulation.
    pub fn take(&mut self, entries: impl IntoIterator<Item = Entry>, now: Timestamp) -> Outcome {
        self.staged.urgent = true;
        self.work(entries, now)
    }

    /// Whether an upkeep waits for its next slice: do not sleep.
    pub fn has_upkeep(&self) -> bool {
        !self.upkeep.is_empty() && self.staged.is_empty()
    }

    fn should_write(&self, now: Timestamp) -> bool {
        let Some(since) = self.staged.since else {
            return false;
        };
        match &self.failure {
            // A clock set back must not keep it from trying.
            Some(failure) => {
                let waited = failure.tried_at.plus(RETRY_WAIT) <= now || now < failure.tried_at;
                waited || self.stopped
            }
            None => {
                self.staged.urgent
                    || self.stopped
                    || self.staged.checks.len() >= COMPANY_MAX
                    || since.plus(COMPANY_WAIT) <= now
                    || now < since
            }
        }
    }
}
