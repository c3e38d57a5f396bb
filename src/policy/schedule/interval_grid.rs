//! When the checks of an interval monitor are due: an absolute grid with a phase of its own.
//!
//! The phase comes from the monitor's name alone, so the load spreads evenly, a restart keeps
//! every monitor's place, and nothing drifts or bursts. Phases are whole [`TICK`]s: the machine
//! wakes up once for the few checks of a tick, not once for each.

use std::num::NonZeroI64;
use std::time::Duration;

use crate::domain::monitor::MonitorName;
use crate::domain::timestamp::Timestamp;

/// What phases are multiples of. Of a hundred checks a second five begin together, which takes a fifth off what they
/// cost; of thousands a second, one of a site nearby waits a few milliseconds for those that begin with it.
const TICK: Duration = Duration::from_millis(50);

/// The slots `phase + k * interval` in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Never zero: so an `Option<Grid>` takes no more room.
    interval_ms: NonZeroI64,
    phase_ms: i64,
}

impl Grid {
    /// The grid of a monitor; an interval below a millisecond counts as one.
    pub fn new(name: &MonitorName, interval: Duration) -> Self {
        let ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let interval_ms = NonZeroI64::new(ms).unwrap_or(const { NonZeroI64::new(1).unwrap() });
        let place = stable_hash(name.as_str().as_bytes()) % interval_ms.get().unsigned_abs();
        let tick_ms = const { TICK.as_millis() as u64 };
        Self {
            interval_ms,
            phase_ms: i64::try_from(place - place % tick_ms).unwrap_or(0),
        }
    }

    /// The first slot after `moment`.
    pub fn next_after(self, moment: Timestamp) -> Timestamp {
        self.last_until(moment)
            .plus(Duration::from_millis(self.interval_ms.get().unsigned_abs()))
    }

    /// The last slot that is not after `moment`.
    pub fn last_until(self, moment: Timestamp) -> Timestamp {
        let since_phase = moment.as_ms().saturating_sub(self.phase_ms);
        let into_slot = since_phase.rem_euclid(self.interval_ms.get());
        Timestamp::from_ms(moment.as_ms().saturating_sub(into_slot))
    }

    /// How many slots lie in `first <= slot < end`.
    pub fn slots(self, first: Timestamp, end: Timestamp) -> u64 {
        let index = |moment: Timestamp| {
            moment
                .as_ms()
                .saturating_sub(self.phase_ms)
                .saturating_sub(1)
                .div_euclid(self.interval_ms.get())
        };
        u64::try_from(index(end).saturating_sub(index(first))).unwrap_or(0)
    }
}

/// The moment of a check that does not wait for the grid: within `window` from `now`, spread by the
/// name so that many at once do not burst.
pub fn spread(name: &MonitorName, now: Timestamp, window: Duration) -> Timestamp {
    let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1);
    now.plus(Duration::from_millis(
        stable_hash(name.as_str().as_bytes()) % window_ms,
    ))
}

/// FNV-1a with the finish of splitmix64: the same on every machine and in every release, and even
/// in its low bits also for names that differ in one digit.
fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MonitorName {
        MonitorName::parse(text).unwrap()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn slots_are_strictly_ahead_and_one_interval_apart() {
        let grid = Grid::new(&name("shop"), Duration::from_secs(60));
        let first = grid.next_after(at(1_795_377_600_000));
        assert!(first > at(1_795_377_600_000));
        assert!(first.since(at(1_795_377_600_000)) <= Duration::from_secs(60));
        assert_eq!(grid.next_after(first), first.plus(Duration::from_secs(60)));
        assert_eq!(grid.last_until(first), first);
        assert_eq!(
            grid.last_until(at(first.as_ms() - 1)),
            at(first.as_ms() - 60_000)
        );
    }

    #[test]
    fn before_the_epoch_is_a_grid_too() {
        let grid = Grid::new(&name("shop"), Duration::from_millis(1500));
        let slot = grid.next_after(at(-10_000));
        assert!(slot > at(-10_000) && slot <= at(-8_500));
    }

    #[test]
    fn counts_the_slots_of_a_stretch() {
        let grid = Grid::new(&name("shop"), Duration::from_secs(10));
        let slot = grid.next_after(at(0));
        let later = |ms: i64| at(slot.as_ms() + ms);
        for (first, end, count) in [
            (0, 0, 0),
            (0, 1, 1),
            (0, 10_000, 1),
            (0, 10_001, 2),
            (1, 10_000, 0),
            (-1, 30_000, 3),
            (5, -5, 0),
        ] {
            assert_eq!(
                grid.slots(later(first), later(end)),
                count,
                "{first}..{end}"
            );
        }
    }

    #[test]
    fn the_place_of_a_name_never_changes() {
        let grid = Grid::new(&name("Example"), Duration::from_secs(60));
        assert_eq!(grid.phase_ms, 39_900);
    }

    #[test]
    fn a_thousand_names_spread_evenly() {
        let mut bins = [0u32; 100];
        for number in 0..1000 {
            let grid = Grid::new(&name(&format!("site-{number}")), Duration::from_secs(10));
            bins[usize::try_from(grid.phase_ms / 100).unwrap()] += 1;
        }
        assert!(bins.iter().all(|bin| *bin <= 25), "{bins:?}");
    }
}
