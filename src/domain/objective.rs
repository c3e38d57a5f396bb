//! What somebody promised of the availability of monitors: `[[objective]]`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::duration_text::Written;
use super::settings::Covers;
use super::timestamp::Timestamp;
use jiff::tz::TimeZone;

/// One objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// What it is called; unique.
    pub name: Arc<str>,
    /// Which monitors count.
    pub covers: Covers,
    /// How much of the time they should be up.
    pub target: Target,
    /// Over which period.
    pub period: ObjectivePeriod,
    /// Whether it is told when the budget burns too fast.
    pub alerts_on_burn: bool,
}

/// A share of the time in percent, above 0 and below 100: there is always a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target(f64);

impl Target {
    /// `None` if it is not above 0 and below 100.
    pub fn new(percent: f64) -> Option<Self> {
        (percent > 0.0 && percent < 100.0).then_some(Self(percent))
    }

    /// In percent.
    pub const fn percent(self) -> f64 {
        self.0
    }

    /// The share of the time that may be lost, above 0 and below 1.
    pub fn budget(self) -> f64 {
        (100.0 - self.0) / 100.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The period of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectivePeriod {
    /// So much time up to now.
    Last(Duration),
    /// The calendar month.
    Month,
}

impl ObjectivePeriod {
    /// The period that holds the moment before `end`: its beginning, and its end, which for a month may lie ahead.
    pub fn around(self, end: Timestamp, zone: &TimeZone) -> (Timestamp, Timestamp) {
        match self {
            Self::Last(length) => (end.minus(length), end),
            Self::Month => month_of(end.minus(Duration::from_millis(1)), zone)
                .unwrap_or((end.minus(Duration::from_secs(30 * 86_400)), end)),
        }
    }
}

impl fmt::Display for ObjectivePeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(length) => Written(*length).fmt(f),
            Self::Month => f.write_str("month"),
        }
    }
}

/// The calendar month of a moment; `None` at the ends of the calendar.
fn month_of(at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let first = at.in_zone(zone).date().first_of_month();
    let next = first.last_of_month().tomorrow().ok()?;
    let midnight = |date: jiff::civil::Date| {
        let zoned = date.to_zoned(zone.clone()).ok()?;
        Some(Timestamp::from_jiff(zoned.timestamp()))
    };
    Some((midnight(first)?, midnight(next)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    #[test]
    fn a_target_leaves_a_budget() {
        assert_eq!(Target::new(0.0), None);
        assert_eq!(Target::new(100.0), None);
        assert_eq!(Target::new(f64::NAN), None);
        let target = Target::new(99.9).unwrap();
        assert!((target.budget() - 0.001).abs() < 1e-9);
        assert_eq!(target.to_string(), "99.9");
    }

    #[test]
    fn a_month_is_that_of_the_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = ObjectivePeriod::Month.around(at("2026-10-31T23:30:00Z"), &berlin);
        assert_eq!(from, at("2026-10-31T23:00:00Z"));
        assert_eq!(to, at("2026-11-30T23:00:00Z"));
        // The end of a month belongs to that month.
        let (from, to) = ObjectivePeriod::Month.around(at("2026-11-01T00:00:00Z"), &TimeZone::UTC);
        assert_eq!(
            (from, to),
            (at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"))
        );
        let week = ObjectivePeriod::Last(Duration::from_secs(7 * 86_400));
        let (from, _) = week.around(at("2026-10-08T00:00:00Z"), &berlin);
        assert_eq!(from, at("2026-10-01T00:00:00Z"));
        assert_eq!(week.to_string(), "7d");
    }
}
