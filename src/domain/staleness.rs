//! For how long a check says something of its monitor.

use std::time::Duration;

/// A check speaks for so many intervals: one that comes late is no gap yet.
pub const INTERVALS: u32 = 2;

/// How long after a check the next one is waited for, before nothing is known any more.
pub const fn after(interval: Duration, timeout: Duration) -> Duration {
    interval.saturating_mul(INTERVALS).saturating_add(timeout)
}
