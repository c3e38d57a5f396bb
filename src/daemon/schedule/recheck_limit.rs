//! How often people may have monitors checked beside their turn: the sites are not theirs to flood.

use std::time::Duration;

use tokio::time::Instant;

/// So many may be asked for at once, and at least all monitors once.
const AT_ONCE: u32 = 200;
/// All monitors may be asked for once in this time; few monitors as often as a person can type.
const ALL_WITHIN: Duration = Duration::from_secs(60);
/// At least so many a second come back.
const A_SECOND_MIN: f64 = 10.0;

/// Sums of fractions are a little off.
const ROUNDING: f64 = 1e-6;

/// What may still be asked for: it is spent by rechecks and grows with time.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Rechecks {
    last: Option<(Instant, f64)>,
}

impl Rechecks {
    /// Takes so many of `monitors`, or answers after what time they can be had.
    pub(in crate::daemon) fn take(
        &mut self,
        wanted: usize,
        monitors: usize,
        now: Instant,
    ) -> Result<(), Duration> {
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let most = number(monitors).max(f64::from(AT_ONCE));
        let a_second = (number(monitors) / ALL_WITHIN.as_secs_f64()).max(A_SECOND_MIN);
        let left = match self.last {
            Some((at, left)) => (left + a_second * now.duration_since(at).as_secs_f64()).min(most),
            None => most,
        };
        let wanted = number(wanted);
        if wanted > left + ROUNDING {
            self.last = Some((now, left));
            let wait = ((wanted - left) / a_second - ROUNDING).ceil().min(3600.0);
            return Err(Duration::from_secs_f64(wait));
        }
        self.last = Some((now, left - wanted));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn all_once_a_minute_and_few_at_any_time() {
        let now = clock::tick();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut few = Rechecks::default();
        for _ in 0..AT_ONCE {
            assert_eq!(few.take(1, 3, now), Ok(()));
        }
        assert_eq!(few.take(1, 3, now), Err(Duration::from_secs(1)));
        assert_eq!(few.take(10, 3, after(1)), Ok(()));
        let mut many = Rechecks::default();
        assert_eq!(many.take(10_000, 10_000, now), Ok(()));
        assert_eq!(
            many.take(10_000, 10_000, after(1)),
            Err(Duration::from_secs(59))
        );
        assert_eq!(many.take(10_000, 10_000, after(60)), Ok(()));
    }
}
