//! From when on a check is slow: `degraded_after`.

use std::fmt;
use std::time::Duration;

use super::check::Micros;
use super::duration_text::Written;

/// From when on a check is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlowLimit {
    /// Never.
    #[default]
    Never,
    /// Where it took longer than this.
    After(Duration),
    /// Where it took longer than so many times what is usual.
    Usual(Factor),
}

impl SlowLimit {
    /// Where a configuration says nothing of it.
    pub const CONFIGURED: Self = Self::After(Duration::from_secs(2));

    /// The limit that does not depend on what is usual.
    pub const fn fixed(self) -> Option<Duration> {
        match self {
            Self::After(limit) => Some(limit),
            Self::Never | Self::Usual(_) => None,
        }
    }
}

impl fmt::Display for SlowLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("off"),
            Self::After(limit) => Written(*limit).fmt(f),
            Self::Usual(factor) => write!(f, "{factor} usual"),
        }
    }
}

/// Times the usual, in hundredths: above 1 and at most 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor(u16);

/// The most.
const FACTOR_MAX: f64 = 100.0;

impl Factor {
    /// `None` if it is not above 1 and at most 100, or has more than two decimals.
    pub fn new(times: f64) -> Option<Self> {
        let hundredths = (times * 100.0).round();
        let is_exact = (times * 100.0 - hundredths).abs() < 1e-6;
        // Between 100 and 10 000.
        (times > 1.0 && times <= FACTOR_MAX && is_exact).then_some(Self(hundredths as u16))
    }

    /// So many times a time.
    pub fn of(self, time: Micros) -> Micros {
        let micros = u64::from(time.get()) * u64::from(self.0) / 100;
        Micros::new(u32::try_from(micros).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Factor {
    /// `3x`, `1.5x`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", f64::from(self.0) / 100.0)
    }
}

/// What is usual for a monitor at this hour of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// The median of how long good checks took.
    pub total: Micros,
    /// Of so many weeks.
    pub weeks: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_exact_and_have_bounds() {
        for (times, want) in [(3.0, "3x"), (1.5, "1.5x"), (2.25, "2.25x"), (100.0, "100x")] {
            assert_eq!(Factor::new(times).unwrap().to_string(), want);
        }
        for times in [1.0, 0.0, -3.0, 100.01, 2.005, f64::NAN] {
            assert_eq!(Factor::new(times), None, "{times}");
        }
        let factor = Factor::new(2.5).unwrap();
        assert_eq!(factor.of(Micros::new(1000)), Micros::new(2500));
        assert_eq!(factor.of(Micros::new(u32::MAX)), Micros::new(u32::MAX));
        assert_eq!(SlowLimit::Usual(factor).to_string(), "2.5x usual");
    }

    #[test]
    fn a_limit_costs_as_much_as_a_duration() {
        assert_eq!(size_of::<SlowLimit>(), size_of::<Option<Duration>>());
    }
}
