//! Times and numbers as people read them.

use std::time::Duration;

use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;

use super::terminal::Screen;
use crate::domain::check::Micros;
use crate::domain::duration_text::Human;
pub use crate::domain::duration_text::grouped;
use crate::domain::timestamp::Timestamp;

/// From so many columns on times are written whole.
const WIDE_COLUMNS: u16 = 100;

/// With milliseconds, also where they are zero.
const EXACT: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// The zone of shown times and the moment they are shown at.
#[derive(Debug, Clone)]
pub struct Clock {
    /// The configured zone.
    pub zone: TimeZone,
    /// Now.
    pub now: Timestamp,
}

impl Clock {
    /// `2026-11-22 21:00:07`: for a column whose zone is written elsewhere.
    pub fn civil(&self, at: Timestamp) -> String {
        at.in_zone(&self.zone)
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }

    /// `21:00:07` of today, `11-22 21:00` of this year's other days, `2025-11-22` of other years.
    pub fn short(&self, at: Timestamp) -> String {
        let then = at.in_zone(&self.zone);
        let today = self.now.in_zone(&self.zone);
        let form = if then.date() == today.date() {
            "%H:%M:%S"
        } else if then.year() == today.year() {
            "%m-%d %H:%M"
        } else {
            "%Y-%m-%d"
        };
        then.strftime(form).to_string()
    }

    /// For a column of times: whole, or on a narrow screen without the date of today and the year of this year.
    pub fn column(&self, at: Timestamp, screen: Screen) -> String {
        if !is_narrow(screen) {
            return self.civil(at);
        }
        let then = at.in_zone(&self.zone);
        let today = self.now.in_zone(&self.zone);
        let form = if then.date() == today.date() {
            "%H:%M:%S"
        } else if then.year() == today.year() {
            "%m-%d %H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        then.strftime(form).to_string()
    }

    /// RFC 3339 with the zone's offset and milliseconds: for a pipe.
    pub fn exact(&self, at: Timestamp) -> String {
        let at = at.in_zone(&self.zone);
        EXACT.timestamp_with_offset_to_string(&at.timestamp(), at.offset())
    }

    /// `2026-11-22`
    pub fn date(&self, at: Timestamp) -> String {
        at.in_zone(&self.zone).strftime("%Y-%m-%d").to_string()
    }

    /// How long ago, `14m 5s`; `0s` for the future.
    pub fn ago(&self, at: Timestamp) -> String {
        Human(self.now.since(at)).to_string()
    }

    /// `times in Europe/Berlin (CET, UTC+01:00)`
    pub fn caption(&self) -> String {
        let now = self.now.in_zone(&self.zone);
        let offset = now.strftime("%:z").to_string();
        let abbreviation = now.strftime("%Z").to_string();
        match self.zone.iana_name() {
            Some("UTC" | "Etc/UTC" | "Etc/UCT" | "Etc/Zulu") => "times in UTC".to_owned(),
            Some(name) => format!("times in {name} ({abbreviation}, UTC{offset})"),
            None if offset == "+00:00" => "times in UTC".to_owned(),
            None => format!("times in {abbreviation} (UTC{offset})"),
        }
    }
}

/// Whether a table has to do with short times and words.
pub fn is_narrow(screen: Screen) -> bool {
    screen.columns.is_some_and(|columns| columns < WIDE_COLUMNS)
}

/// `0.4 ms`, `3.2 ms`, `1 043 ms`.
pub fn ms(time: Micros) -> String {
    format!("{} ms", ms_number(time))
}

/// The same without the unit.
pub fn ms_number(time: Micros) -> String {
    if time.get() < 9_950 {
        let text = format!("{:.1}", time.as_ms());
        return text.strip_suffix(".0").map_or(text.clone(), str::to_owned);
    }
    grouped((u64::from(time.get()) + 500) / 1000)
}

/// `99.94 %`, cut to two decimals, never rounded up; a dash if nothing was observed.
pub fn percent(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) => {
            // The third decimal was cut when the value was made; half of it guards against binary fractions.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a percentage is at most 100"
            )]
            let hundredths = (value * 100.0 + 0.05).floor() as i64;
            format!("{}.{:02} %", hundredths / 100, hundredths % 100)
        }
    }
}

/// How many whole days are left; negative after the end.
pub fn days_left(until: Timestamp, now: Timestamp) -> i64 {
    (until.as_seconds() - now.as_seconds()).div_euclid(86_400)
}

/// A length for a table: `14m 5s`, a dash for none.
pub fn length(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| Human(time).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_cut() {
        for (us, text) in [
            (0, "0"),
            (400, "0.4"),
            (3_000, "3"),
            (3_249, "3.2"),
            (9_949, "9.9"),
            (9_950, "10"),
            (1_043_499, "1 043"),
        ] {
            assert_eq!(ms_number(Micros::new(us)), text, "{us}");
        }
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(percent(Some(99.999)), "99.99 %");
        assert_eq!(percent(Some(99.94)), "99.94 %");
        assert_eq!(percent(Some(100.0)), "100.00 %");
        assert_eq!(percent(None), "-");
    }

    #[test]
    fn times_are_short_where_they_can_be() {
        let clock = Clock {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            now: Timestamp::from_ms(1_795_377_600_123),
        };
        let earlier = |seconds| clock.now.minus(Duration::from_secs(seconds));
        assert_eq!(clock.short(earlier(7)), "20:59:53");
        assert_eq!(clock.short(earlier(86_400)), "11-21 21:00");
        assert_eq!(clock.short(earlier(400 * 86_400)), "2025-10-18");
        assert_eq!(clock.civil(clock.now), "2026-11-22 21:00:00");
        assert_eq!(clock.exact(clock.now), "2026-11-22T21:00:00.123+01:00");
        assert_eq!(clock.caption(), "times in Europe/Berlin (CET, UTC+01:00)");
    }
}
