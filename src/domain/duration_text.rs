//! Lengths of time as people write and read them.

use std::fmt;
use std::time::Duration;

use super::check::Micros;
use super::timestamp::Timestamp;

/// From one moment to another as a reader subtracts the two clock times that stand beside it: in whole seconds, where
/// it is at least one.
pub fn between_clock_times(from: Timestamp, to: Timestamp) -> Duration {
    let second = |at: Timestamp| at.as_ms().div_euclid(1000);
    let seconds = second(to).saturating_sub(second(from));
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) if to.since(from) >= Duration::from_secs(1) => {
            Duration::from_secs(seconds)
        }
        Ok(_) | Err(_) => to.since(from),
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Nothing was written.
    #[error("a duration is missing; write it like \"30s\", \"5m\" or \"1h30m\"")]
    Empty,
    /// A number without its unit.
    #[error("the unit is missing after `{0}`; write \"{0}s\" for seconds")]
    NoUnit(String),
    /// A unit that is not known.
    #[error("`{0}` is not a unit of time; use ms, s, m, h, d or w")]
    Unit(String),
    /// No number where one is needed.
    #[error(
        "a number is expected before `{0}`; write a duration like \"30s\", \"5m\" or \"1h30m\""
    )]
    NoNumber(String),
    /// More than a century.
    #[error("the duration is longer than 100 years")]
    TooLong,
}

/// Digits in groups of three: `1 043`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1 043 ms`, rounded; `<1 ms` for what would be none.
pub fn whole_ms(time: Micros) -> String {
    match (u64::from(time.get()) + 500) / 1000 {
        0 => "<1 ms".to_owned(),
        some => format!("{} ms", grouped(some)),
    }
}

/// A century: longer is a slip of the pen, and sums of two still fit everywhere.
pub const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Parses "500ms", "30s", "5m", "1h30m", "7d", "2w"; a day is 24 hours.
///
/// # Errors
/// Says what is wrong and how it is written.
pub fn parse(text: &str) -> Result<Duration, SpanError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(SpanError::Empty);
    }
    let mut sum_ms: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err(SpanError::NoNumber(rest.to_owned()));
        }
        let letters = after
            .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let unit_ms: u128 = match unit {
            "" => return Err(SpanError::NoUnit(number.to_owned())),
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            other => return Err(SpanError::Unit(other.to_owned())),
        };
        let number: u64 = number.parse().map_err(|_| SpanError::TooLong)?;
        sum_ms += u128::from(number) * unit_ms;
        if sum_ms > LONGEST.as_millis() {
            return Err(SpanError::TooLong);
        }
        rest = next.trim_start();
    }
    Ok(Duration::from_millis(
        u64::try_from(sum_ms).map_err(|_| SpanError::TooLong)?,
    ))
}

/// Shows a length of time with its two largest units: `12d 4h`, `14m 5s`, `22s`, `350ms`.
#[derive(Debug, Clone, Copy)]
pub struct Human(pub Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds == 0 {
            let ms = self.0.as_millis();
            return if ms == 0 {
                f.pad("0s")
            } else {
                f.pad(&format!("{ms}ms"))
            };
        }
        let units = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
        let first = units
            .iter()
            .position(|(size, _)| seconds >= *size)
            .expect("a second or more was checked above");
        let (size, letter) = units[first];
        let mut text = format!("{}{letter}", seconds / size);
        if let Some((next_size, next_letter)) = units.get(first + 1) {
            let rest = seconds % size / next_size;
            if rest > 0 {
                text.push_str(&format!(" {rest}{next_letter}"));
            }
        }
        f.pad(&text)
    }
}

/// Shows a duration as the configuration writes it, exactly: `1h30m`, `500ms`.
#[derive(Debug, Clone, Copy)]
pub struct Written(pub Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ms = self.0.as_millis();
        if ms == 0 {
            return f.write_str("0s");
        }
        for (size, unit) in [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1000, "s"),
            (1, "ms"),
        ] {
            if ms >= size {
                write!(f, "{}{unit}", ms / size)?;
                ms %= size;
            }
        }
        Ok(())
    }
}

/// Shows a duration for people, exactly: like [`Written`], but `1.5s` instead of `1s500ms`.
#[derive(Debug, Clone, Copy)]
pub struct Exact(pub Duration);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.0.as_secs(), self.0.subsec_millis());
        if seconds == 0 || ms == 0 {
            return Written(self.0).fmt(f);
        }
        let minutes = Duration::from_secs(seconds - seconds % 60);
        if !minutes.is_zero() {
            Written(minutes).fmt(f)?;
        }
        let decimals = format!("{ms:03}");
        write!(f, "{}.{}s", seconds % 60, decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_shown_in_seconds_differ_by_what_is_shown_between_them() {
        for (from_ms, to_ms, want_ms) in [
            (1_990, 41_010, 40_000),
            (1_010, 40_990, 39_000),
            (1_000, 1_999, 999),
            (1_900, 2_100, 200),
            (5_000, 4_000, 0),
        ] {
            let (from, to) = (Timestamp::from_ms(from_ms), Timestamp::from_ms(to_ms));
            let want = Duration::from_millis(want_ms);
            assert_eq!(between_clock_times(from, to), want, "{from_ms} {to_ms}");
        }
    }

    #[test]
    fn reads_what_people_write() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("7d", 604_800_000),
            ("2w", 1_209_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
            let parsed = parse(text).unwrap();
            assert_eq!(
                parse(&Written(parsed).to_string()),
                Ok(parsed),
                "{text} round trip"
            );
        }
    }

    #[test]
    fn people_read_fractions() {
        for (ms, text) in [
            (0, "0s"),
            (500, "500ms"),
            (1_500, "1.5s"),
            (2_050, "2.05s"),
            (10_000, "10s"),
            (60_001, "1m0.001s"),
            (90_250, "1m30.25s"),
            (5_400_000, "1h30m"),
        ] {
            assert_eq!(Exact(Duration::from_millis(ms)).to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(parse("90"), Err(SpanError::NoUnit("90".into())));
        assert_eq!(parse(""), Err(SpanError::Empty));
        assert_eq!(parse("5 min"), Err(SpanError::NoUnit("5".into())));
        assert_eq!(parse("5min"), Err(SpanError::Unit("min".into())));
        assert_eq!(parse("-5s"), Err(SpanError::NoNumber("-5s".into())));
        assert_eq!(parse("99999999999999999999s"), Err(SpanError::TooLong));
        assert_eq!(parse("200000d"), Err(SpanError::TooLong));
    }

    #[test]
    fn shows_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (22, "22s"),
            (845, "14m 5s"),
            (840, "14m"),
            (7200, "2h"),
            (1_051_200, "12d 4h"),
        ] {
            assert_eq!(Human(Duration::from_secs(seconds)).to_string(), text);
        }
        assert_eq!(Human(Duration::from_millis(350)).to_string(), "350ms");
    }
}
