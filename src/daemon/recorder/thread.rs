//! The recorder's thread: waits at its queue, keeps the recorder in time, tells health what it sees.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::Recorder;
use super::files::LOOK_EVERY;
use super::message::Outcome;
use super::queue::{Door, Queue};
use crate::clock;
use crate::daemon::health::counters::{Health, Part, States};
use crate::daemon::health::live_status::Board;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::ShownState;
use crate::store::error::StoreError;
use crate::store::writer::Store;

/// The watchdog wants a sign of life; a clock step is noticed within this.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// The numbers of states are for people.
const STATES_EVERY: Duration = Duration::from_secs(1);

/// Without anything to record, this often a write proves that the database takes them.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// Between two looks at the end.
const LAST_LOOK_WAIT: Duration = Duration::from_millis(300);

/// Names in the status line.
const NAMES_MAX: usize = 3;

/// How the recorder's thread ended.
pub enum Ended {
    /// By [`super::message::Entry::Stop`], with everything written that could be.
    Stopped(Box<Store>),
    /// The database is damaged, or another's by now: a new start sets it aside.
    Unusable {
        /// [`StoreError::Damaged`] or [`StoreError::Overwritten`].
        why: StoreError,
        /// Writes nothing any more, not even its log into the file.
        store: Box<Store>,
    },
}

/// Starts the thread. `tell` is called with whatever follows from what came; it must not block.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    recorder: Recorder,
    queue: Queue,
    door: Door,
    health: Arc<Health>,
    tell: impl FnMut(Outcome) + Send + 'static,
) -> io::Result<JoinHandle<Ended>> {
    thread::Builder::new()
        .name("recorder".into())
        .spawn(move || run(recorder, &queue, &door, &health, tell))
}

fn run(
    mut recorder: Recorder,
    queue: &Queue,
    door: &Door,
    health: &Health,
    mut tell: impl FnMut(Outcome),
) -> Ended {
    let board = recorder.board();
    let mut states_at: Option<Instant> = None;
    let mut written_at = clock::tick();
    let mut looked_at = clock::tick();
    let mut seen = Seen::now();
    loop {
        let now = clock::now();
        let due = recorder.wake_at().map(|at| at.since(now));
        let wait = due.unwrap_or(WAIT_MAX).min(WAIT_MAX);
        let wait = if recorder.has_upkeep() {
            Duration::ZERO
        } else {
            wait
        };
        let entries = queue.take(wait);
        let (now, tick) = (clock::now(), clock::tick());
        let had_something = recorder.unwritten() > 0 || !entries.is_empty();
        recorder.lived(seen.passed());
        let outcome = recorder.work(entries, now);
        if let Some(took) = recorder.take_commit_time() {
            health.note_commit(took);
        }
        if outcome.committed && had_something {
            written_at = tick;
            health.note_written(now);
        } else if tick.duration_since(written_at) >= PROBE_EVERY && recorder.failure().is_none() {
            written_at = tick;
            if recorder.probe(now) {
                health.note_written(now);
            }
        }
        if outcome != Outcome::default() {
            tell(outcome);
        }
        if recorder.stopped() || tick.duration_since(looked_at) >= LOOK_EVERY {
            looked_at = tick;
            let mut alive = || health.beat(Part::Recorder);
            if recorder.look_after_files(recorder.stopped(), now, &mut alive) {
                health.database_moved(recorder.database());
            }
            health.set_files(recorder.files_trouble());
            if recorder.stopped() {
                tell(last_work(&mut recorder, queue, now));
            }
        }
        let given_up = door.given_up() + recorder.given_up();
        health.given_up.store(given_up, Relaxed);
        let queued = door.len() + recorder.unwritten();
        health
            .queued
            .store(u64::try_from(queued).unwrap_or(u64::MAX), Relaxed);
        let failing = recorder.failure().is_some();
        health.write_failing.store(failing, Relaxed);
        if states_at.is_none_or(|at| tick.duration_since(at) >= STATES_EVERY) {
            states_at = Some(tick);
            health.set_states(states(&board));
        }
        health.beat(Part::Recorder);
        if let Some(why) = recorder.unusable() {
            return left(recorder.into_store(), why);
        }
        if recorder.stopped() {
            return stopped(recorder.into_store());
        }
    }
}

fn stopped(mut store: Store) -> Ended {
    match is_overwritten(&mut store) {
        true => left(store, StoreError::Overwritten),
        false => Ended::Stopped(Box::new(store)),
    }
}

fn left(mut store: Store, why: StoreError) -> Ended {
    store.leave_as_it_is();
    Ended::Unusable {
        why,
        store: Box::new(store),
    }
}

/// Whether another file lies there at the end: it must not get what is in our log. A copy may be on its way, and one
/// look may have met a write of our own.
fn is_overwritten(store: &mut Store) -> bool {
    store.is_overwritten() && {
        thread::park_timeout(LAST_LOOK_WAIT);
        store.is_overwritten()
    }
}

/// What comes in while the last answers are packed, and letters that nobody could send yet.
fn last_work(recorder: &mut Recorder, queue: &Queue, now: Timestamp) -> Outcome {
    recorder.finish_evidence();
    let outcome = recorder.work(queue.take(Duration::ZERO), now);
    recorder.keep_letters(now);
    outcome
}

/// When the clocks were last looked at.
struct Seen {
    tick: Instant,
    slept: Duration,
}

impl Seen {
    fn now() -> Self {
        Self {
            tick: clock::tick(),
            slept: clock::slept(),
        }
    }

    /// How much time passed since then, also where the machine slept.
    fn passed(&mut self) -> Duration {
        let before = std::mem::replace(self, Self::now());
        let slept = self.slept.saturating_sub(before.slept);
        self.tick.duration_since(before.tick) + slept
    }
}

/// Counts the board.
fn states(board: &Board) -> States {
    let mut states = States::default();
    let mut down: Vec<(Timestamp, crate::domain::monitor::MonitorId)> = Vec::new();
    board.each(|id, shown| {
        let count = match (shown.flags.paused, shown.state) {
            (true, _) => &mut states.paused,
            (false, ShownState::Pending) => &mut states.pending,
            (false, ShownState::Up) => &mut states.up,
            (false, ShownState::Degraded) => &mut states.degraded,
            (false, ShownState::Down) => {
                down.push((shown.since, id));
                &mut states.down
            }
            (false, ShownState::Unknown) => &mut states.unknown,
        };
        *count += 1;
    });
    down.sort_unstable();
    let first = down.into_iter().take(NAMES_MAX);
    states.down_first = first
        .filter_map(|(since, id)| Some((board.get(id)?.monitor.name.clone(), since)))
        .collect();
    states
}
