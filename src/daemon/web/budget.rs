//! What answers take in memory, counted once however many readers share them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hyper::body::Bytes;

/// All answers that are kept or on their way. A page of 10 000 monitors takes 7 MB, and a reader may take a minute for
/// it; the daemon as a whole is to stay below 100 MiB.
pub(super) const ANSWERS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The bytes of all answers that somebody holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// The bytes of one answer; they are given back when the last reader has them.
struct Held {
    bytes: Bytes,
    budget: Budget,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes.len(), Relaxed);
    }
}

impl Budget {
    /// Whether nothing more should be made for now.
    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Relaxed) >= ANSWERS_BYTES_MAX
    }

    /// What is held now, in bytes.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// The same bytes, counted for as long as anybody holds them.
    pub(super) fn hold(&self, bytes: Bytes) -> Bytes {
        self.0.fetch_add(bytes.len(), Relaxed);
        Bytes::from_owner(Held {
            bytes,
            budget: self.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_counts_once_and_until_the_last() {
        let budget = Budget::default();
        let held = budget.hold(vec![0; ANSWERS_BYTES_MAX].into());
        let shared = held.slice(10..20);
        drop(held);
        assert!(budget.is_spent());
        assert_eq!(shared.len(), 10);
        drop(shared);
        assert!(!budget.is_spent());
    }
}
