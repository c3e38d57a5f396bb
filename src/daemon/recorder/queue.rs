//! The bounded queue in front of the recorder. Who puts something in never waits: when the disk is so
//! slow that it is full, the oldest check is given up, never an order or a mail's result.
//!
//! Good checks are no news: they gather for a moment, so that a hundred a second do not wake a thread a hundred times.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::message::Entry;
use crate::clock;

/// About 40 MB of checks: over an hour of 1 000 monitors a minute each, 5 s of the fastest bench.
pub const QUEUED_MAX: usize = 100_000;

/// Good checks wait at most this long for others before the recorder looks at them.
const GATHER_WAIT: Duration = Duration::from_millis(250);

/// So many are looked at without waiting for more.
const GATHER_MAX: usize = 1024;

#[derive(Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    given_up: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Whether one of them should not wait for others.
    has_news: bool,
}

impl Waiting {
    fn may_gather(&self) -> bool {
        !self.has_news && self.entries.len() < GATHER_MAX
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The side where entries go in; any number of clones, from any thread.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

/// The side where the recorder takes them out.
pub struct Queue(Arc<Inner>);

/// A queue, both sides of it.
pub fn queue() -> (Door, Queue) {
    let inner = Arc::new(Inner::default());
    (Door(Arc::clone(&inner)), Queue(inner))
}

impl Door {
    /// Puts an entry in, without waiting.
    pub fn push(&self, entry: Entry) {
        let mut waiting = self.0.waiting();
        if waiting.entries.len() >= QUEUED_MAX {
            let oldest = waiting
                .entries
                .iter()
                .position(|entry| matches!(entry, Entry::Checked { .. }));
            if let Some(oldest) = oldest {
                waiting.entries.remove(oldest);
                self.0.given_up.fetch_add(1, Relaxed);
            }
        }
        let is_first = waiting.entries.is_empty();
        waiting.has_news |= entry.is_news();
        waiting.entries.push_back(entry);
        let may_gather = waiting.may_gather();
        drop(waiting);
        if is_first || !may_gather {
            self.0.filled.notify_one();
        }
    }

    /// How many entries wait.
    pub fn len(&self) -> usize {
        self.0.waiting().entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many checks were given up since the start.
    pub fn given_up(&self) -> u64 {
        self.0.given_up.load(Relaxed)
    }
}

impl Queue {
    /// Everything that waits, at once; waits for the first entry, and where that is no news for others, together at
    /// most this long.
    pub fn take(&self, at_most: Duration) -> VecDeque<Entry> {
        let until = clock::tick() + at_most;
        let (waiting, _) = self
            .0
            .filled
            .wait_timeout_while(self.0.waiting(), at_most, |waiting| {
                waiting.entries.is_empty()
            })
            .unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(clock::tick());
        let (mut waiting, _) = self
            .0
            .filled
            .wait_timeout_while(waiting, left.min(GATHER_WAIT), |waiting| {
                waiting.may_gather()
            })
            .unwrap_or_else(PoisonError::into_inner);
        waiting.has_news = false;
        std::mem::take(&mut waiting.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::checks::test_monitors;
    use crate::domain::monitor::MonitorId;

    fn checked() -> Entry {
        Entry::Checked {
            monitor: MonitorId(1),
            check: Box::new(test_monitors::check()),
        }
    }

    #[test]
    fn news_ends_the_gathering() {
        let (door, queue) = queue();
        assert!(queue.take(Duration::ZERO).is_empty());
        door.push(checked());
        // Without time there is no gathering.
        assert_eq!(queue.take(Duration::ZERO).len(), 1);
        door.push(checked());
        door.push(Entry::WentBlind(clock::now()));
        assert_eq!(queue.take(Duration::from_secs(3600)).len(), 2);
        for _ in 0..GATHER_MAX {
            door.push(checked());
        }
        assert_eq!(queue.take(Duration::from_secs(3600)).len(), GATHER_MAX);
    }

    #[test]
    fn a_good_check_waits_for_others_only_for_a_moment() {
        let (door, queue) = queue();
        door.push(checked());
        assert_eq!(queue.take(Duration::from_secs(3600)).len(), 1);
    }
}
