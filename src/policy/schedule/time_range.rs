//! Stretches of time as people name them: `7d`, `yesterday`, `2026-10`, `2026-10-01T08:00`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use crate::domain::duration_text;
use crate::domain::timestamp::Timestamp;

/// A stretch of time: from its begin up to, but without, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
}

/// Why a text names no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Not in a form that is known.
    #[error(
        "`{0}` is not a valid time; write 7d (ago), today, yesterday, 2026, 2026-10, 2026-10-01, 2026-10-01T08:00 or 2026-10-01T08:00:00Z"
    )]
    Form(String),
    /// The begin is not before the end.
    #[error("the period `{0}` is empty: its end is not after its begin")]
    Empty(String),
    /// Nothing of it has happened yet.
    #[error("the period `{0}` lies in the future")]
    Future(String),
}

/// The stretch that one text names: a whole year, month or day; a moment, of no length, for everything finer.
/// A duration is the moment that long ago.
///
/// # Errors
/// When the text has none of the known forms.
pub fn named(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Period, PeriodError> {
    let text = text.trim();
    let wrong = || PeriodError::Form(crate::domain::safe_text::line(text, 60).into_owned());
    let moment = |at: Timestamp| Period { from: at, to: at };
    let today = now.in_zone(zone).date();
    match text {
        "now" => return Ok(moment(now)),
        "today" => return days(today, 1, zone).ok_or_else(wrong),
        "yesterday" => {
            let day = today.yesterday().map_err(|_| wrong())?;
            return days(day, 1, zone).ok_or_else(wrong);
        }
        _ => {}
    }
    if let Ok(length) = duration_text::parse(text) {
        return Ok(moment(now.minus(length)));
    }
    if let Some(period) = year_or_month(text, zone) {
        return Ok(period);
    }
    if let Ok(day) = text.parse::<Date>()
        && text.len() == 10
    {
        return days(day, 1, zone).ok_or_else(wrong);
    }
    let with_t = text.replacen(' ', "T", 1);
    if let Ok(at) = with_t.parse::<jiff::Timestamp>() {
        return Ok(moment(Timestamp::from_jiff(at)));
    }
    let civil = with_t.parse::<DateTime>().map_err(|_| wrong())?;
    let at = civil.to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(moment(of(&at)))
}

/// The period of a report: a duration is the time up to now, a year, month or day is cut at now, and
/// `A..B` goes from the begin of one to the end of the other.
///
/// # Errors
/// When a text has none of the known forms, or the period is empty or in the future.
pub fn period(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Period, PeriodError> {
    let shown = || crate::domain::safe_text::line(text, 60).into_owned();
    let (from, to) = match text.split_once("..") {
        Some((from, "")) => (named(from, zone, now)?.from, now),
        Some((from, to)) => (named(from, zone, now)?.from, named(to, zone, now)?.to),
        None => {
            let period = named(text, zone, now)?;
            if period.from == period.to {
                (period.from, now)
            } else {
                (period.from, period.to)
            }
        }
    };
    if from >= now {
        return Err(PeriodError::Future(shown()));
    }
    let to = to.min(now);
    if from >= to {
        return Err(PeriodError::Empty(shown()));
    }
    Ok(Period { from, to })
}

fn year_or_month(text: &str, zone: &TimeZone) -> Option<Period> {
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match text.split_once('-') {
        None if digits(text, 4) => {
            let first = Date::new(text.parse().ok()?, 1, 1).ok()?;
            between(first, first.checked_add(1.year()).ok()?, zone)
        }
        Some((year, month)) if digits(year, 4) && digits(month, 2) => {
            let first = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
            between(first, first.checked_add(1.month()).ok()?, zone)
        }
        _ => None,
    }
}

fn days(first: Date, count: i64, zone: &TimeZone) -> Option<Period> {
    between(first, first.checked_add(count.days()).ok()?, zone)
}

fn between(first: Date, after: Date, zone: &TimeZone) -> Option<Period> {
    Some(Period {
        from: of(&first.to_zoned(zone.clone()).ok()?),
        to: of(&after.to_zoned(zone.clone()).ok()?),
    })
}

fn of(at: &Zoned) -> Timestamp {
    Timestamp::from_jiff(at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T20:00:00Z, 21:00 in Berlin.
    const NOW: Timestamp = Timestamp::from_ms(1_795_377_600_000);

    fn check(text: &str, want: &str) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let got = match named(text, &zone, NOW) {
            Ok(period) if period.from == period.to => short(period.from),
            Ok(period) => format!("{} {}", short(period.from), short(period.to)),
            Err(_) => "no".to_owned(),
        };
        assert_eq!(got, want, "{text}");
    }

    fn short(at: Timestamp) -> String {
        at.to_string().replace(":00.000Z", "")
    }

    #[test]
    fn forms_that_people_write() {
        check("7d", "2026-11-15T20:00");
        check("1h30m", "2026-11-22T18:30");
        check("now", "2026-11-22T20:00");
        check("today", "2026-11-21T23:00 2026-11-22T23:00");
        check("yesterday", "2026-11-20T23:00 2026-11-21T23:00");
        check("2026-10", "2026-09-30T22:00 2026-10-31T23:00");
        check("2026", "2025-12-31T23:00 2026-12-31T23:00");
        check("2026-10-25", "2026-10-24T22:00 2026-10-25T23:00");
        check("2026-10-01T08:00", "2026-10-01T06:00");
        check("2026-10-01 08:00", "2026-10-01T06:00");
        check("2026-10-01T08:00Z", "2026-10-01T08:00");
        check("2026-10-01T08:00+05:00", "2026-10-01T03:00");
        for wrong in ["", "soon", "2026-13", "2026-02-30", "7", "10-01", "-7d"] {
            check(wrong, "no");
        }
    }

    #[test]
    fn periods_end_now_at_the_latest() {
        let period = |text: &str| {
            period(text, &TimeZone::UTC, NOW).map(|p| format!("{} {}", short(p.from), short(p.to)))
        };
        assert_eq!(period("30d").unwrap(), "2026-10-23T20:00 2026-11-22T20:00");
        assert_eq!(
            period("2026-10").unwrap(),
            "2026-10-01T00:00 2026-11-01T00:00"
        );
        assert_eq!(
            period("2026-11").unwrap(),
            "2026-11-01T00:00 2026-11-22T20:00"
        );
        assert_eq!(
            period("2026-10-01..2026-10-15").unwrap(),
            "2026-10-01T00:00 2026-10-16T00:00"
        );
        assert_eq!(period("2d..").unwrap(), "2026-11-20T20:00 2026-11-22T20:00");
        assert_eq!(period("2027"), Err(PeriodError::Future("2027".into())));
        assert_eq!(period("1d..2d"), Err(PeriodError::Empty("1d..2d".into())));
    }
}
