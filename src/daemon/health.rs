//! How the daemon itself is doing: counters that everybody writes without a lock and that the
//! watchdog, the heartbeat, the status line and `/metrics` read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;
use crate::domain::monitor::MonitorName;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::pause::Pause;

/// How many bounds a histogram here has.
const BOUNDS: usize = 12;

/// The upper bounds of the lateness histogram, in milliseconds; one more bin holds the rest.
pub const LATENESS_BOUNDS_MS: [u64; BOUNDS] =
    [1, 2, 5, 10, 20, 50, 100, 250, 1000, 5000, 15_000, 60_000];

/// The upper bounds of the histogram of commits, in microseconds; one more bin holds the rest.
pub const COMMIT_BOUNDS_US: [u64; BOUNDS] = [
    500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// The parts whose progress the watchdog asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Starts checks.
    Scheduler,
    /// Writes the database.
    Recorder,
    /// Sends mails.
    Notifier,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scheduler, Self::Recorder, Self::Notifier];

    /// Its name in a message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Recorder => "recorder",
            Self::Notifier => "notifier",
        }
    }
}

/// Shared by all parts of one daemon.
#[derive(Debug)]
pub struct Health {
    /// When the daemon started.
    pub started_at: Timestamp,
    base: Instant,
    beats: [AtomicU64; 3],
    /// Monitors that are scheduled.
    pub monitors: AtomicU64,
    /// Checks on their way.
    pub in_flight: AtomicU64,
    /// Monitors that are due and wait for a free place.
    pub waiting: AtomicU64,
    /// Checks begun since the start.
    pub checks: AtomicU64,
    /// Slots that passed without a check since the start.
    pub missed: AtomicU64,
    /// Checks that ended in a panic since the start.
    pub panics: AtomicU64,
    /// The newest moment at which a check was later than its interval (Unix ms; 0: never).
    pub overdue_at_ms: AtomicI64,
    lateness_ms: Bins,
    commits_us: Bins,
    /// Results on their way to the recorder.
    pub queued: AtomicU64,
    /// Results that had to be given up because the database took no writes.
    pub given_up: AtomicU64,
    /// The newest successful commit (Unix ms; 0: none yet).
    pub written_at_ms: AtomicI64,
    /// Whether the last attempt to write failed.
    pub write_failing: AtomicBool,
    /// Mails that have not left.
    pub mails_waiting: AtomicU64,
    /// Since when the oldest of them waits (Unix ms; 0: none waits).
    pub mail_waits_since_ms: AtomicI64,
    /// The newest refusal for good (Unix ms; 0: never).
    pub mail_refused_at_ms: AtomicI64,
    /// Mails accepted since the start.
    pub mails_sent: AtomicU64,
    /// Since when we are offline (Unix ms; 0: we are not, as far as we know).
    pub blind_since_ms: AtomicI64,
    mail_pause: Mutex<Option<Pause>>,
    states: Mutex<States>,
}

/// How many monitors are in which state, as the recorder last saw them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct States {
    /// Not checked yet.
    pub pending: u32,
    /// Up.
    pub up: u32,
    /// Degraded.
    pub degraded: u32,
    /// Down.
    pub down: u32,
    /// Unknown.
    pub unknown: u32,
    /// Paused by a person; counted in no other number.
    pub paused: u32,
    /// The first of those that are down, longest first, with the begin of the outage; at most 3.
    pub down_first: Vec<(MonitorName, Timestamp)>,
}

/// A histogram that everybody writes without a lock: one bin for each bound, and one for what is above all.
#[derive(Debug, Default)]
struct Bins {
    counts: [AtomicU64; BOUNDS + 1],
    sum: AtomicU64,
}

impl Bins {
    fn note(&self, bounds: &[u64; BOUNDS], value: u128) {
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        let bin = bounds.partition_point(|bound| *bound < value);
        self.counts[bin].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    fn read(&self) -> ([u64; BOUNDS + 1], u64) {
        let counts = std::array::from_fn(|bin| self.counts[bin].load(Relaxed));
        (counts, self.sum.load(Relaxed))
    }
}

impl Health {
    /// All well, nothing done yet.
    pub fn new(now: Timestamp) -> Self {
        let health = Self {
            started_at: now,
            base: clock::tick(),
            beats: Default::default(),
            monitors: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            checks: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            overdue_at_ms: AtomicI64::new(0),
            lateness_ms: Bins::default(),
            commits_us: Bins::default(),
            queued: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            written_at_ms: AtomicI64::new(0),
            write_failing: AtomicBool::new(false),
            mails_waiting: AtomicU64::new(0),
            mail_waits_since_ms: AtomicI64::new(0),
            mail_refused_at_ms: AtomicI64::new(0),
            mails_sent: AtomicU64::new(0),
            blind_since_ms: AtomicI64::new(0),
            mail_pause: Mutex::default(),
            states: Mutex::default(),
        };
        for part in Part::ALL {
            health.beat(part);
        }
        health
    }

    /// A part says that it made progress, or had nothing to do; at least once a second or so.
    pub fn beat(&self, part: Part) {
        let since = clock::tick().duration_since(self.base).as_millis();
        self.beats[part as usize].store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// How long ago a part made progress.
    pub fn silent_for(&self, part: Part) -> Duration {
        let beat = Duration::from_millis(self.beats[part as usize].load(Relaxed));
        clock::tick().duration_since(self.base).saturating_sub(beat)
    }

    /// Notes how much later than planned a check began.
    pub fn note_lateness(&self, late: Duration) {
        self.lateness_ms.note(&LATENESS_BOUNDS_MS, late.as_millis());
    }

    /// The lateness bins (not cumulative) and the sum of all lateness in milliseconds.
    pub fn lateness(&self) -> ([u64; BOUNDS + 1], u64) {
        self.lateness_ms.read()
    }

    /// Notes how long one transaction took, from its first statement to the end of its commit.
    pub fn note_commit(&self, took: Duration) {
        self.commits_us.note(&COMMIT_BOUNDS_US, took.as_micros());
    }

    /// The bins of commits (not cumulative) and the sum of their time in microseconds.
    pub fn commits(&self) -> ([u64; BOUNDS + 1], u64) {
        self.commits_us.read()
    }

    /// The notifier tells whether the way out is paused after a refusal that concerns all mails.
    pub fn set_mail_pause(&self, pause: Option<&Pause>) {
        let mut known = self
            .mail_pause
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.as_ref() != pause {
            *known = pause.cloned();
        }
    }

    /// Why no mail leaves, while none does.
    pub fn mail_pause(&self) -> Option<Pause> {
        self.mail_pause
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// The recorder tells how many monitors are in which state.
    pub fn set_states(&self, states: States) {
        *self.lock_states() = states;
    }

    /// How many monitors are in which state.
    pub fn states(&self) -> States {
        self.lock_states().clone()
    }

    fn lock_states(&self) -> std::sync::MutexGuard<'_, States> {
        self.states
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_stops_is_seen() {
        let health = Health::new(Timestamp::from_ms(0));
        tokio::time::advance(Duration::from_secs(40)).await;
        health.beat(Part::Recorder);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(health.silent_for(Part::Recorder), Duration::from_secs(5));
        assert_eq!(health.silent_for(Part::Scheduler), Duration::from_secs(45));
    }

    #[test]
    fn lateness_falls_into_its_bin() {
        let health = Health::new(Timestamp::from_ms(0));
        for ms in [0, 1, 2, 3, 100, 101, 70_000] {
            health.note_lateness(Duration::from_millis(ms));
        }
        let (bins, sum) = health.lateness();
        assert_eq!(bins, [2, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
        assert_eq!(sum, 70_207);
    }

    #[test]
    fn commits_fall_into_their_bin() {
        let health = Health::new(Timestamp::from_ms(0));
        for us in [1, 500, 501, 31_000_000] {
            health.note_commit(Duration::from_micros(us));
        }
        let (bins, sum) = health.commits();
        assert_eq!(bins, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(sum, 31_001_002);
    }
}
