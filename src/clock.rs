//! The two clocks: wall time decides and is stored, monotonic time measures. Everywhere else `now` is a parameter.

use std::time::Duration;

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

/// How long the machine has been suspended since its start: the monotonic clock stands still meanwhile, this one tells.
pub fn slept() -> Duration {
    let read = |which| {
        let time = rustix::time::clock_gettime(which);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(seconds, nanos)
    };
    let awake = read(rustix::time::ClockId::Monotonic);
    read(rustix::time::ClockId::Boottime).saturating_sub(awake)
}

/// Where `now` comes from, for whoever sleeps between two looks at it.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The wall clock.
    Wall,
    /// A wall clock that goes with the monotonic one, and so with a paused one.
    Steady {
        /// What it showed ..
        from: Timestamp,
        /// .. then.
        at: Instant,
    },
}

impl Clock {
    /// What it shows.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => now(),
            Self::Steady { from, at } => from.plus(tick().duration_since(*at)),
        }
    }
}
