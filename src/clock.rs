//! The two clocks: wall time decides and is stored, monotonic time measures. Everywhere else `now` is a parameter.

use tokio::time::Instant;

use crate::domain::timestamp::Timestamp;

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one wall clock")]
pub fn now() -> Timestamp {
    Timestamp::from_jiff(jiff::Timestamp::now())
}

/// The monotonic clock; follows tokio's paused clock in tests.
#[expect(clippy::disallowed_methods, reason = "the one monotonic clock")]
pub fn tick() -> Instant {
    Instant::now()
}
