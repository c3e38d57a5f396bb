//! Notices that the whole process stood still: stopped by a signal, frozen, on a paused machine, or held up by its
//! own work.
//!
//! Everything that lives on the runtime beats here. A beat that comes late tells by how much everybody was held up. The
//! answer of a site may have lain in its socket all the while, so its check must not blame it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// How often the daemon calls [`Standstill::beat`]. Four wake-ups a second cost nothing that can be measured.
pub const BEAT_EVERY: Duration = Duration::from_millis(250);

/// A gap between two beats that is longer than this is a standstill: checks under way then say nothing of their site.
pub const STOOD_STILL: Duration = Duration::from_secs(2);

/// A gap that is longer than this may have let a timer ring although the answer had come.
const HELD_UP: Duration = Duration::from_millis(750);

/// How much of the time of a check the process stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stood {
    /// Not at all, or not worth a word.
    No,
    /// Long enough for a timer to ring too early: a missed deadline proves nothing.
    Briefly,
    /// Longer than [`STOOD_STILL`]: nothing that was measured proves anything.
    Still,
}

/// The beats of one process. Moments are milliseconds of the monotonic clock since the start.
#[derive(Debug)]
pub struct Standstill {
    base: Instant,
    beat_ms: AtomicU64,
    /// When the newest gap over [`HELD_UP`] ended; 0: there was none.
    held_up_until_ms: AtomicU64,
    /// When the newest gap over [`STOOD_STILL`] ended; 0: there was none.
    stood_until_ms: AtomicU64,
    /// All gaps over [`STOOD_STILL`] together.
    stood_ms: AtomicU64,
}

impl Standstill {
    /// Begins now.
    pub fn new() -> Self {
        Self {
            base: clock::tick(),
            beat_ms: AtomicU64::new(0),
            held_up_until_ms: AtomicU64::new(0),
            stood_until_ms: AtomicU64::new(0),
            stood_ms: AtomicU64::new(0),
        }
    }

    /// The time since the start, standstills included.
    pub fn elapsed(&self) -> Duration {
        clock::tick().duration_since(self.base)
    }

    /// The time since the start without standstills that are over: what is late by this clock is late by a fault of
    /// ours. A caller on the runtime beats before it judges the daemon by this time. A caller on another thread does
    /// not, so that it sees a runtime that hangs.
    pub fn lived(&self) -> Duration {
        let stood = Duration::from_millis(self.stood_ms.load(Relaxed));
        self.elapsed().saturating_sub(stood)
    }

    /// A sign of life of the runtime. Answers the moment, for [`Self::since`].
    pub fn beat(&self) -> u64 {
        let now = millis(self.elapsed());
        // Never zero, which stands for "never".
        let now = now.max(1);
        let gap = now.saturating_sub(self.beat_ms.swap(now, Relaxed));
        if u128::from(gap) > HELD_UP.as_millis() {
            self.held_up_until_ms.fetch_max(now, Relaxed);
        }
        if u128::from(gap) > STOOD_STILL.as_millis() {
            self.stood_until_ms.fetch_max(now, Relaxed);
            self.stood_ms.fetch_add(gap, Relaxed);
        }
        now
    }

    /// Whether the process stood still at any time since `began`, a moment of [`Self::beat`].
    pub fn since(&self, began: u64) -> Stood {
        self.beat();
        if self.stood_until_ms.load(Relaxed) > began {
            Stood::Still
        } else if self.held_up_until_ms.load(Relaxed) > began {
            Stood::Briefly
        } else {
            Stood::No
        }
    }
}

impl Default for Standstill {
    fn default() -> Self {
        Self::new()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(ms: u64) {
        tokio::time::advance(Duration::from_millis(ms)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_under_way_at_a_standstill_is_told_from_what_began_after_it() {
        let standstill = Standstill::new();
        for _ in 0..10 {
            pass(250).await;
            standstill.beat();
        }
        let under_way = standstill.beat();
        pass(2001).await;
        // The first task after the wake-up sees the standstill, even if the beat itself comes later.
        let after = standstill.beat();
        assert_eq!(standstill.since(under_way), Stood::Still);
        assert_eq!(standstill.since(after), Stood::No);
        pass(100).await;
        standstill.beat();
        assert_eq!(standstill.since(under_way), Stood::Still);
        assert_eq!(standstill.since(after), Stood::No);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_one_is_told_as_short() {
        let standstill = Standstill::new();
        let began = standstill.beat();
        pass(700).await;
        assert_eq!(standstill.since(began), Stood::No);
        pass(1900).await;
        assert_eq!(standstill.since(began), Stood::Briefly);
        pass(1900).await;
        pass(300).await;
        assert_eq!(standstill.since(began), Stood::Still);
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_was_not_lived_is_not_counted() {
        let standstill = Standstill::new();
        for _ in 0..4 {
            pass(250).await;
            standstill.beat();
        }
        pass(60_000).await;
        // From another thread it cannot be told from a runtime that hangs.
        assert_eq!(standstill.lived(), Duration::from_secs(61));
        standstill.beat();
        assert_eq!(standstill.lived(), Duration::from_secs(1));
        pass(500).await;
        assert_eq!(standstill.lived(), Duration::from_millis(1500));
        assert_eq!(standstill.elapsed(), Duration::from_millis(61_500));
    }
}
