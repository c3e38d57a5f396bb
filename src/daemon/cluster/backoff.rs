//! How long to wait before a connection is tried again.

use std::time::Duration;

/// After a first failure.
const FIRST: Duration = Duration::from_secs(1);
/// A server that is away for long is not asked more often.
const LONGEST: Duration = Duration::from_secs(15);
/// A connection that lasted so long was a good one.
const LASTED: Duration = Duration::from_secs(60);

/// Waits twice as long after each failure.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait now, after a connection that lasted so long; `Duration::ZERO` for one that never stood.
    pub(super) fn after(&mut self, lasted: Duration) -> Duration {
        if lasted >= LASTED {
            self.failures = 0;
        }
        let wait = FIRST * 2_u32.saturating_pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        wait.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_wait_longer() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..6)
            .map(|_| backoff.after(Duration::ZERO).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
        assert_eq!(backoff.after(LASTED).as_secs(), 1);
    }
}
