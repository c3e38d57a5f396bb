//! What is known of each list between two readings.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::mark::Mark;
use crate::clock;
use crate::config::source_lists::read::Skipped;
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::source_lists::Trouble;

/// Readings at one time. Each holds a list of at most 64 MiB and a thread; a panel that hangs keeps one of them busy.
const READINGS_MAX: usize = 4;

/// A reload and a round may want the same file at one time; the largest is read in less.
const CLAIM_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked whether the other one is done.
const CLAIM_AGAIN: Duration = Duration::from_millis(20);

/// All lists of the daemon.
#[derive(Debug)]
pub struct Shelf {
    known: Mutex<HashMap<Arc<str>, Known>>,
    tasks: Mutex<Vec<AbortHandle>>,
    /// Who is at the file of a list.
    at_file: Mutex<HashMap<Arc<str>, Weak<Claim>>>,
    /// Who may read.
    pub(crate) turns: Semaphore,
}

/// Held by the thread that is at the file of a list, for as long as that takes.
#[derive(Debug)]
pub struct Claim(());

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
            at_file: Mutex::default(),
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

    /// The right to be at the file of a list; `None` while somebody is, for long. A file system that hangs holds a
    /// thread for ever, and one for each look would soon be all that the system gives.
    pub async fn claim(&self, key: &Arc<str>) -> Option<Arc<Claim>> {
        let until = clock::tick() + CLAIM_WITHIN;
        loop {
            let claim = self.try_claim(key);
            if claim.is_some() || clock::tick() >= until {
                return claim;
            }
            tokio::time::sleep(CLAIM_AGAIN).await;
        }
    }

    fn try_claim(&self, key: &Arc<str>) -> Option<Arc<Claim>> {
        let mut at_file = self.at_file.lock().unwrap_or_else(PoisonError::into_inner);
        at_file.retain(|_, claim| claim.strong_count() > 0);
        if at_file.contains_key(key) {
            return None;
        }
        let claim = Arc::new(Claim(()));
        at_file.insert(Arc::clone(key), Arc::downgrade(&claim));
        Some(claim)
    }

    /// Other tasks look after the lists from now on; those before end.
    pub fn set_tasks(&self, tasks: Vec<AbortHandle>) {
        let mut known = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in std::mem::replace(&mut *known, tasks) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking;
    use std::sync::mpsc;

    #[tokio::test]
    async fn one_thread_at_most_hangs_at_the_file_of_a_list() {
        let lists = Shelf::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let (end, hangs) = mpsc::channel::<()>();
        let claim = lists.claim(&a).await.unwrap();
        let look = tokio::spawn(blocking::run(move || {
            let _claim = claim;
            let _ = hangs.recv();
        }));
        assert!(lists.claim(&a).await.is_none());
        assert!(lists.claim(&b).await.is_some());
        drop(end);
        look.await.unwrap().unwrap();
        assert!(lists.claim(&a).await.is_some());
    }
}
