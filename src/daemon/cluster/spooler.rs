//! The probe's end of the door: what checks found goes into the spool, and a check that has to be confirmed is
//! repeated. It stands where the recorder stands in a daemon.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::daemon::logging::targets;
use crate::daemon::recorder::message::Entry;
use crate::daemon::recorder::queue::Queue;
use crate::daemon::schedule::scheduler::Handle;
use crate::domain::check::Check;
use crate::domain::location::Observation;
use crate::domain::monitor::{Monitor, MonitorId};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::confirm::Voter;
use crate::store::error::StoreError;
use crate::store::spool::Spool;

/// The spool is looked at so often even if nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is too old or too much is given up so often.
const SHRINK_EVERY: Duration = Duration::from_secs(10);

/// What a disk that takes no writes keeps waiting in memory; then the oldest is given up.
const UNWRITTEN_MAX: usize = 100_000;

/// What the parts of a probe share.
pub(super) struct Shared {
    spool: Mutex<Spool>,
    /// The number of the newest frame in it.
    pub(super) newest: watch::Sender<u64>,
    /// The version of the list that checks go by.
    pub(super) list_version: AtomicU64,
    /// The monitors of that list.
    monitors: RwLock<Arc<HashMap<MonitorId, Arc<Monitor>>>>,
    /// When the spooler was last alive, in milliseconds.
    pub(super) alive_at: AtomicI64,
    /// Checks that were given up since the start.
    pub(super) given_up: AtomicU64,
}

impl Shared {
    pub(super) fn new(spool: Spool) -> Arc<Self> {
        Arc::new(Self {
            newest: watch::Sender::new(spool.newest()),
            spool: Mutex::new(spool),
            list_version: AtomicU64::new(0),
            monitors: RwLock::default(),
            alive_at: AtomicI64::new(clock::now().as_ms()),
            given_up: AtomicU64::new(0),
        })
    }

    pub(super) fn spool(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn monitors(&self) -> Arc<HashMap<MonitorId, Arc<Monitor>>> {
        Arc::clone(&self.monitors.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_monitors(&self, monitors: HashMap<MonitorId, Arc<Monitor>>) {
        *self
            .monitors
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(monitors);
    }
}

/// Starts the thread; it ends by [`Entry::Stop`].
pub(super) fn spawn(
    shared: Arc<Shared>,
    queue: Queue,
    scheduler: Handle,
    spool_bytes: u64,
) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name("spool".to_owned())
        .spawn(move || {
            Spooler {
                shared,
                scheduler,
                spool_bytes,
                seats: HashMap::new(),
                unwritten: Vec::new(),
                lost: HashMap::new(),
                is_refused: false,
                shrunk_at: None,
            }
            .run(&queue);
        })
}

/// What is known of a monitor here.
#[derive(Default)]
struct Seat {
    voter: Voter,
    newest: Option<Timestamp>,
}

struct Spooler {
    shared: Arc<Shared>,
    scheduler: Handle,
    spool_bytes: u64,
    seats: HashMap<MonitorId, Seat>,
    unwritten: Vec<Observation>,
    /// Of what not even memory could hold: the first of each monitor, and how many.
    lost: HashMap<MonitorId, (Timestamp, u32)>,
    /// Whether the disk refused the last write.
    is_refused: bool,
    shrunk_at: Option<Timestamp>,
}

impl Spooler {
    fn run(mut self, queue: &Queue) {
        loop {
            let entries = queue.take(LOOK_EVERY);
            let now = clock::now();
            let mut is_over = false;
            let monitors = self.shared.monitors();
            for entry in entries {
                match entry {
                    Entry::Checked { monitor, check } => self.checked(monitor, check, &monitors),
                    Entry::Missed {
                        monitor,
                        from,
                        count,
                    } => self.unwritten.push(Observation::Missed {
                        monitor,
                        from,
                        count,
                    }),
                    Entry::Stop => is_over = true,
                    // The hub hears of it by signs of life, and each check says itself that it is unknown.
                    Entry::WentBlind(_) | Entry::SeesAgain(_) => {}
                    other => tracing::error!("a probe has no use for {other:?}; this is a bug"),
                }
            }
            self.write(now);
            self.shrink(now);
            self.shared.alive_at.store(now.as_ms(), Relaxed);
            if is_over {
                return;
            }
        }
    }

    fn checked(
        &mut self,
        monitor: MonitorId,
        mut check: Box<Check>,
        monitors: &HashMap<MonitorId, Arc<Monitor>>,
    ) {
        let seat = self.seats.entry(monitor).or_default();
        if let Some(newest) = seat.newest
            && check.at <= newest
        {
            // The hub takes what is not later as what it has already.
            check.at = newest.plus(Duration::from_millis(1));
        }
        if let Some(known) = monitors.get(&monitor) {
            let rules = &known.rules;
            let mut voter = std::mem::take(&mut seat.voter);
            if seat
                .newest
                .is_some_and(|newest| rules.is_gap(newest, check.at))
            {
                voter = voter.without_counts();
            }
            seat.voter = voter.hear(rules, &check);
            if seat.voter.wants_another() {
                let ended = check.at.plus(check.timings.total.as_duration());
                self.scheduler
                    .check_at(monitor, ended.min(clock::now()).plus(rules.retry_interval));
            }
        }
        seat.newest = Some(check.at);
        self.unwritten.push(Observation::Checked { monitor, check });
    }

    fn write(&mut self, now: Timestamp) {
        if self.unwritten.is_empty() {
            return;
        }
        self.count_lost();
        let version = self.shared.list_version.load(Relaxed);
        let mut spool = self.shared.spool();
        let written = spool.append(&self.unwritten, now, version);
        let newest = spool.newest();
        drop(spool);
        match written {
            Ok(()) => {
                self.unwritten.clear();
                self.unwritten.shrink_to(1024);
                self.shared.newest.send_replace(newest);
                if self.is_refused {
                    tracing::info!(target: targets::TROUBLE, "the spool takes writes again");
                }
                self.is_refused = false;
            }
            Err(error) => self.refused(&error),
        }
    }

    fn refused(&mut self, error: &StoreError) {
        if !self.is_refused {
            tracing::error!(
                target: targets::TROUBLE,
                "the spool takes no writes: {error}; the newest {UNWRITTEN_MAX} checks are kept in memory"
            );
        }
        self.is_refused = true;
        let too_many = self.unwritten.len().saturating_sub(UNWRITTEN_MAX);
        for observation in self.unwritten.drain(..too_many) {
            let (monitor, at, count) = match observation {
                Observation::Checked { monitor, check } => (monitor, check.at, 1),
                Observation::Missed {
                    monitor,
                    from,
                    count,
                } => (monitor, from, count),
            };
            self.shared.given_up.fetch_add(count.into(), Relaxed);
            let (from, sum) = self.lost.entry(monitor).or_insert((at, 0));
            *from = at.min(*from);
            *sum = sum.saturating_add(count);
        }
    }

    /// Puts the counts of what memory could not hold in front of what it holds.
    fn count_lost(&mut self) {
        let lost = self.lost.drain();
        let counted = lost.map(|(monitor, (from, count))| Observation::Missed {
            monitor,
            from,
            count,
        });
        self.unwritten.splice(..0, counted);
    }

    fn shrink(&mut self, now: Timestamp) {
        let is_time = self
            .shrunk_at
            .is_none_or(|at| now < at || now.since(at) >= SHRINK_EVERY);
        if !is_time {
            return;
        }
        self.shrunk_at = Some(now);
        let shrunk = self.shared.spool().shrink(self.spool_bytes, now);
        match shrunk {
            Ok(0) => {}
            Ok(count) => {
                self.shared.given_up.fetch_add(count, Relaxed);
                tracing::warn!(
                    target: targets::TROUBLE,
                    count,
                    "the spool is full, or holds what is older than a week: {count} checks were given up; they count as missed"
                );
            }
            Err(error) => {
                tracing::error!(target: targets::TROUBLE, "the spool cannot be kept small: {error}")
            }
        }
    }
}
