//! The bounded queue in front of the recorder. Who puts something in never waits: when the disk is so
//! slow that it is full, the oldest check is given up, never an order or a mail's result.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::recorder_entry::Entry;

/// About 40 MB of checks: over an hour of 1 000 monitors a minute each, 5 s of the fastest bench.
pub const QUEUED_MAX: usize = 100_000;

#[derive(Default)]
struct Inner {
    entries: Mutex<VecDeque<Entry>>,
    filled: Condvar,
    given_up: AtomicU64,
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
        let mut entries = self
            .0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= QUEUED_MAX {
            let oldest = entries
                .iter()
                .position(|entry| matches!(entry, Entry::Checked { .. }));
            if let Some(oldest) = oldest {
                entries.remove(oldest);
                self.0.given_up.fetch_add(1, Relaxed);
            }
        }
        entries.push_back(entry);
        drop(entries);
        self.0.filled.notify_one();
    }

    /// How many entries wait.
    pub fn len(&self) -> usize {
        let entries = self.0.entries.lock();
        entries.unwrap_or_else(PoisonError::into_inner).len()
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
    /// Everything that waits, at once; waits for the first entry at most this long.
    pub fn take(&self, at_most: Duration) -> VecDeque<Entry> {
        let entries = self
            .0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (mut entries, _) = self
            .0
            .filled
            .wait_timeout_while(entries, at_most, |entries| entries.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *entries)
    }
}
