//! What every message passes before it leaves: where another hub may have taken over, the log is asked first.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::policy::outbox::queued::Holds;
use crate::policy::outbox::retry::Outcome;

/// The log answers in milliseconds; after this what was to leave waits like a mail that was put off.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// So many wait for an answer at once; then the one that has more waits.
const ASKED_MAX: usize = 256;

/// Why a message does not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// Another hub leads.
    #[error("another hub leads")]
    Overtaken,
    /// Nobody knows who leads.
    #[error("the NATS server does not say whether this hub leads")]
    Silent,
}

impl Shut {
    /// What became of a message that did not pass.
    pub fn outcome(self) -> Outcome {
        Outcome::Temporary {
            holds: Holds::Recipient,
            error: format!("not sent: {self}"),
        }
    }
}

/// Whether this hub may tell anybody anything. Clones share it.
#[derive(Debug, Clone)]
pub struct Gate(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    /// Whether another hub has a copy of what we write.
    is_followed: AtomicBool,
    /// Whether the log is there to be asked.
    is_there: AtomicBool,
    overtaken: watch::Sender<bool>,
    asks: mpsc::Sender<oneshot::Sender<()>>,
    /// Something was committed.
    committed: Notify,
    note: Mutex<String>,
}

impl Gate {
    /// That of a hub without another one.
    pub const fn open() -> Self {
        Self(None)
    }

    /// That of a hub which leads, and where its questions come.
    pub(super) fn new(is_followed: bool) -> (Self, mpsc::Receiver<oneshot::Sender<()>>) {
        let (asks, asked) = mpsc::channel(ASKED_MAX);
        let shared = Shared {
            is_followed: AtomicBool::new(is_followed),
            is_there: AtomicBool::new(false),
            overtaken: watch::Sender::new(false),
            asks,
            committed: Notify::new(),
            note: Mutex::default(),
        };
        (Self(Some(Arc::new(shared))), asked)
    }

    /// Waits until the log has everything that is committed, and an entry of this hub is its newest: then it leads.
    ///
    /// # Errors
    /// It does not, or that is not known.
    pub async fn pass(&self) -> Result<(), Shut> {
        let Some(shared) = &self.0 else {
            return Ok(());
        };
        if *shared.overtaken.borrow() {
            return Err(Shut::Overtaken);
        }
        if !shared.is_followed.load(Relaxed) {
            return Ok(());
        }
        let answered = async {
            let (tell, told) = oneshot::channel();
            shared.asks.send(tell).await.map_err(|_| Shut::Silent)?;
            told.await.map_err(|_| Shut::Silent)
        };
        let answered = tokio::select! {
            () = self.overtaken() => return Err(Shut::Overtaken),
            answered = timeout(ANSWER_WITHIN, answered) => answered,
        };
        let is_overtaken = *shared.overtaken.borrow();
        match is_overtaken {
            true => Err(Shut::Overtaken),
            false => answered.map_err(|_| Shut::Silent)?,
        }
    }

    /// Whether it is worth trying.
    pub fn is_open(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| {
            !*shared.overtaken.borrow()
                && (!shared.is_followed.load(Relaxed) || shared.is_there.load(Relaxed))
        })
    }

    pub(super) fn set_there(&self, is_there: bool) {
        if let Some(shared) = &self.0 {
            shared.is_there.store(is_there, Relaxed);
        }
    }

    /// Nothing passes any more.
    pub fn shut(&self) {
        if let Some(shared) = &self.0 {
            shared.overtaken.send_replace(true);
        }
    }

    /// Ready once another hub leads; never for a hub that has no other.
    pub async fn overtaken(&self) {
        if let Some(shared) = &self.0
            && shared
                .overtaken
                .subscribe()
                .wait_for(|overtaken| *overtaken)
                .await
                .is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Something was committed: it goes into the log.
    pub fn committed(&self) {
        if let Some(shared) = &self.0
            && shared.is_followed.load(Relaxed)
        {
            shared.committed.notify_one();
        }
    }

    /// What `status` says of who leads; empty for a hub that has no other.
    pub fn note(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |shared| {
            let note = shared.note.lock().unwrap_or_else(PoisonError::into_inner);
            note.clone()
        })
    }

    pub(super) fn set_note(&self, words: String) {
        if let Some(shared) = &self.0 {
            *shared.note.lock().unwrap_or_else(PoisonError::into_inner) = words;
        }
    }

    pub(super) fn is_followed(&self) -> bool {
        let shared = self.0.as_ref();
        shared.is_some_and(|shared| shared.is_followed.load(Relaxed))
    }

    pub(super) fn set_followed(&self, is_followed: bool) {
        if let Some(shared) = &self.0 {
            shared.is_followed.store(is_followed, Relaxed);
        }
    }

    /// Ready after a commit.
    pub(super) async fn next_commit(&self) {
        match &self.0 {
            Some(shared) => shared.committed.notified().await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_passes_and_what_does_not() {
        assert_eq!(Gate::open().pass().await, Ok(()));
        let (gate, mut asked) = Gate::new(false);
        assert_eq!(gate.pass().await, Ok(()), "nobody can have taken over");
        assert!(gate.is_open());
        gate.set_followed(true);
        assert!(!gate.is_open());
        gate.set_there(true);
        assert!(gate.is_open());
        let answering = async {
            let tell = asked.recv().await.unwrap();
            tell.send(()).unwrap();
        };
        assert_eq!(tokio::join!(gate.pass(), answering).0, Ok(()));
        // The log is away: in time nothing passes.
        assert_eq!(gate.pass().await, Err(Shut::Silent));
        // It answers, but somebody else led meanwhile.
        while asked.try_recv().is_ok() {}
        let overtaken = async {
            let tell = asked.recv().await.unwrap();
            gate.shut();
            let _ = tell.send(());
        };
        assert_eq!(tokio::join!(gate.pass(), overtaken).0, Err(Shut::Overtaken));
        assert_eq!(gate.pass().await, Err(Shut::Overtaken));
        gate.overtaken().await;
    }
}
