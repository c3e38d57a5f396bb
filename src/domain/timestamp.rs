//! A moment of wall time, in whole milliseconds.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds (POSIX time).
///
/// Bounded to the years -9999 to 9999; arithmetic saturates there. [`jiff::Timestamp`] holds all but the last 26 hours
/// of them, in which certificates without an end have their last moment (RFC 5280 section 4.1.2.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub struct Timestamp(
    /// The milliseconds with the sign bit turned: in the same order, and never zero, so that an
    /// `Option<Timestamp>`, of which a monitor has a dozen, takes no more room.
    NonZeroU64,
);

/// What turns milliseconds into what is kept of them, and back.
const SIGN: u64 = 1 << 63;

impl Timestamp {
    /// The earliest moment.
    pub const MIN: Self = Self::from_ms(i64::MIN);
    /// The latest moment.
    pub const MAX: Self = Self::from_ms(i64::MAX);

    const MIN_MS: i64 = -377_705_023_201_000;
    const MAX_MS: i64 = 253_402_300_799_999;
    /// The last that [`jiff::Timestamp`] holds.
    const CALENDAR_MAX_MS: i64 = 253_402_207_200_000;

    /// From milliseconds since the epoch, clamped to [`Self::MIN`] and [`Self::MAX`].
    pub const fn from_ms(ms: i64) -> Self {
        let ms = if ms < Self::MIN_MS {
            Self::MIN_MS
        } else if ms > Self::MAX_MS {
            Self::MAX_MS
        } else {
            ms
        };
        Self(NonZeroU64::new(ms.cast_unsigned() ^ SIGN).expect("only i64::MIN becomes zero"))
    }

    /// Milliseconds since the epoch.
    pub const fn as_ms(self) -> i64 {
        (self.0.get() ^ SIGN).cast_signed()
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.as_ms().div_euclid(1000)
    }

    /// The time from `earlier` to `self`; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(
            u64::try_from(self.as_ms().saturating_sub(earlier.as_ms())).unwrap_or(0),
        )
    }

    /// This moment moved forward by `by`, in whole milliseconds.
    pub fn plus(self, by: Duration) -> Self {
        Self::from_ms(
            self.as_ms()
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment moved back by `by`, in whole milliseconds.
    pub fn minus(self, by: Duration) -> Self {
        Self::from_ms(
            self.as_ms()
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The same moment for calendar arithmetic; the last of the calendar where this one is [endless](Self::is_endless).
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.as_ms().min(Self::CALENDAR_MAX_MS))
            .expect("from_ms clamps to the range of jiff::Timestamp")
    }

    /// Whether it stands for no end at all.
    pub const fn is_endless(self) -> bool {
        self.as_ms() >= Self::CALENDAR_MAX_MS
    }

    /// From a calendar moment, cut to milliseconds.
    pub fn from_jiff(at: jiff::Timestamp) -> Self {
        Self::from_ms(at.as_millisecond())
    }

    /// The same moment in a time zone.
    pub fn in_zone(self, zone: &jiff::tz::TimeZone) -> jiff::Zoned {
        self.to_jiff().to_zoned(zone.clone())
    }
}

impl From<i64> for Timestamp {
    fn from(ms: i64) -> Self {
        Self::from_ms(ms)
    }
}

impl From<Timestamp> for i64 {
    fn from(at: Timestamp) -> Self {
        at.as_ms()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.as_ms()).finish()
    }
}

/// RFC 3339 in UTC with milliseconds: the form of all JSON.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_endless() {
            return write!(f, "{:.3}", self.to_jiff());
        }
        let since = jiff::SignedDuration::from_millis(self.as_ms());
        let civil = jiff::civil::date(1970, 1, 1)
            .at(0, 0, 0, 0)
            .saturating_add(since);
        write!(f, "{civil:.3}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_utc_with_three_decimals() {
        assert_eq!(
            Timestamp::from_ms(1_795_377_600_123).to_string(),
            "2026-11-22T20:00:00.123Z"
        );
        assert_eq!(
            Timestamp::from_ms(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        for (seconds, text) in [
            (253_402_207_199, "9999-12-30T21:59:59.000Z"),
            (253_402_207_200, "9999-12-30T22:00:00.000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Timestamp::from_ms(seconds * 1000).to_string(), text);
        }
    }

    #[test]
    fn saturates_at_both_ends() {
        let _ = Timestamp::MIN.to_jiff();
        let _ = Timestamp::MAX.to_jiff();
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn keeps_its_order_and_needs_no_room_to_be_absent() {
        let moments = [i64::MIN, -1, 0, 1, i64::MAX].map(Timestamp::from_ms);
        assert!(moments.is_sorted_by(|a, b| a < b));
        assert_eq!(moments[1].as_ms(), -1);
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<Timestamp>());
        assert_eq!(serde_json::to_string(&moments[1]).unwrap(), "-1");
    }
}
