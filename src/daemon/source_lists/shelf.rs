//! What is known of each list between two readings.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::reading::Mark;
use crate::config::source_lists::read::Skipped;
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::source_lists::Trouble;

/// Readings at one time. Each holds a list of at most 64 MiB and a thread; a panel that hangs keeps one of them busy.
const READINGS_MAX: usize = 4;

/// All lists of the daemon.
#[derive(Debug)]
pub struct Shelf {
    known: Mutex<HashMap<Arc<str>, Known>>,
    tasks: Mutex<Vec<AbortHandle>>,
    /// Who may read.
    pub(crate) turns: Semaphore,
}

/// One list.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// By what it is known again.
    pub mark: Mark,
    /// The entries of the list in force, those included whose names others have.
    pub entries: usize,
    /// What was left out of it.
    pub skipped: Skipped,
    /// When it was last good.
    pub read_at: Option<Timestamp>,
    /// That it is wrong, while it is.
    pub trouble: Option<Trouble>,
    /// Why, in a sentence.
    pub why: String,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            tasks: Mutex::default(),
            turns: Semaphore::new(READINGS_MAX),
        }
    }
}

impl Shelf {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a list.
    pub fn get(&self, key: &str) -> Known {
        self.all().get(key).cloned().unwrap_or_default()
    }

    /// Changes what is known of a list.
    pub fn change<T>(&self, key: &Arc<str>, change: impl FnOnce(&mut Known) -> T) -> T {
        change(self.all().entry(Arc::clone(key)).or_default())
    }

    /// Forgets all lists but these.
    pub fn keep(&self, keys: &[Arc<str>]) {
        self.all().retain(|key, _| keys.contains(key));
    }

    /// Other tasks look after the lists from now on; those before end.
    pub fn set_tasks(&self, tasks: Vec<AbortHandle>) {
        let mut known = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in std::mem::replace(&mut *known, tasks) {
            task.abort();
        }
    }
}
