//! Cron expressions and what they mean in a time zone, also where its clocks change.
//!
//! An expression is matched against civil time (what a clock on the wall shows); each match is then
//! given its instant. There are two kinds of expressions:
//!
//! - A time of day (`0 30 2 * * *`): a civil time that does not exist takes the next that does, one that comes
//!   twice counts the first time. Both rules keep the order of matches, so that nothing runs twice.
//! - A frequency (`0 */10 * * * *`): its hour field begins with `*`. It runs at every instant whose civil time
//!   matches, so also in the repeated hour, and a civil time that does not exist is passed over.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::domain::timestamp::Timestamp;

/// The six fields of an expression, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59.
    Second,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, `L` for the last, `15W` for the working day next to the 15th.
    DayOfMonth,
    /// 1 to 12 or Jan to Dec.
    Month,
    /// 0 to 7 (0 and 7 are Sunday) or Sun to Sat, `Mon#1` for the first Monday, `FriL` for the last Friday.
    DayOfWeek,
}

const FIELDS: [Field; 6] = [
    Field::Second,
    Field::Minute,
    Field::Hour,
    Field::DayOfMonth,
    Field::Month,
    Field::DayOfWeek,
];

/// Changes of a zone's clocks that a frequency is searched across at most: with two a year these are four centuries,
/// in which every date that exists at all comes.
const STRETCHES_MAX: usize = 800;

const ONE_SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Field {
    /// The least and the greatest number that can stand in it.
    pub const fn bounds(self) -> (u16, u16) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// What one writes into it, for messages.
    const fn expects(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0 to 59, `*`, `*/5`, `10-20` or `0,30`",
            Self::Hour => "0 to 23, `*`, `*/2`, `8-18` or `8,12`",
            Self::DayOfMonth => "1 to 31, `*`, `1-7`, `L` (the last) or `15W` (a working day)",
            Self::Month => "1 to 12, Jan to Dec, `*` or `Jun-Aug`",
            Self::DayOfWeek => {
                "0 to 7, Sun to Sat, `*`, `Mon-Fri`, `Mon#1` (the first) or `FriL` (the last)"
            }
        }
    }

    fn name_value(self, word: &str) -> Option<u16> {
        let names: &[&str] = match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            Self::Second | Self::Minute | Self::Hour | Self::DayOfMonth => return None,
        };
        let position = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(word))?;
        let first = u16::from(matches!(self, Self::Month));
        u16::try_from(position).ok().map(|at| at + first)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "seconds",
            Self::Minute => "minutes",
            Self::Hour => "hours",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; {}", self.message(), self.advice())]
pub enum CronError {
    /// Not six fields.
    Fields(usize),
    /// One of the words that other tools know (`@daily`).
    Nickname {
        /// The word.
        word: String,
        /// The same as six fields.
        instead: &'static str,
    },
    /// A field that cannot be read.
    Field {
        /// The field that is wrong.
        field: Field,
        /// What stands in it.
        text: String,
        /// What is wrong with it, fits after the field's name.
        why: String,
        /// Where it stands in the expression, in bytes.
        at: Range<usize>,
    },
    /// Each field is right, and no day has them all: 31 February.
    Never,
}

impl CronError {
    /// What is wrong.
    pub fn message(&self) -> String {
        match self {
            Self::Fields(found) => {
                format!("a cron expression has six fields here, this one has {found}")
            }
            Self::Nickname { word, .. } => format!("`{word}` is not known here"),
            Self::Field {
                field, text, why, ..
            } => format!("the {field} field `{text}` {why}"),
            Self::Never => "no date ever matches this expression".to_owned(),
        }
    }

    /// What to write instead.
    pub fn advice(&self) -> String {
        let order = "seconds, minutes, hours, day of month, month, day of week";
        match self {
            Self::Fields(5) => format!("put the seconds in front, 0 for the full minute ({order})"),
            Self::Fields(_) => format!("write {order}, like \"0 */5 * * * *\""),
            Self::Nickname { instead, .. } => format!("write `{instead}`"),
            Self::Field { field, .. } => format!("it takes {}", field.expects()),
            Self::Never => "choose a day that its month has".to_owned(),
        }
    }

    /// The bytes of the expression that are wrong, where it is not the whole.
    pub fn place(&self) -> Option<Range<usize>> {
        match self {
            Self::Field { at, .. } => Some(at.clone()),
            Self::Fields(_) | Self::Nickname { .. } | Self::Never => None,
        }
    }
}

/// A cron expression with a meaning: six fields, seconds first.
///
/// Where both day fields are restricted a day counts when either matches, as in Vixie cron; a `+`
/// before the day of week asks for both.
#[derive(Debug, Clone)]
pub struct Cron {
    pattern: croner::Cron,
    kind: Kind,
}

/// What an expression means where the clocks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Once for each civil time that it names.
    TimeOfDay,
    /// At every instant that fits.
    Frequency,
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.pattern.as_str() == other.pattern.pattern.as_str()
    }
}
impl Eq for Cron {}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// Names the first wrong field, its place and what it takes.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let words: Vec<(usize, &str)> = text
            .split_whitespace()
            .map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
            .collect();
        if let [(_, word)] = words[..]
            && let Some(instead) = nickname(word)
        {
            return Err(CronError::Nickname {
                word: word.to_owned(),
                instead,
            });
        }
        if words.len() != FIELDS.len() {
            return Err(CronError::Fields(words.len()));
        }
        for (field, (start, word)) in FIELDS.into_iter().zip(&words) {
            if field == Field::DayOfWeek && word.eq_ignore_ascii_case("L") {
                return Err(CronError::Field {
                    field,
                    text: (*word).to_owned(),
                    why: "needs a day before it, as in `FriL` for the last Friday".to_owned(),
                    at: *start..start + word.len(),
                });
            }
            check_field(field, word).map_err(|why| CronError::Field {
                field,
                text: (*word).to_owned(),
                why,
                at: *start..start + word.len(),
            })?;
        }
        // Each field is known to be right by now, so only their combination can be refused.
        let cron = parse_whole(text).map_err(|_| CronError::Never)?;
        let year_2000 = DateTime::<Utc>::from_timestamp(946_684_800, 0).ok_or(CronError::Never)?;
        cron.find_next_occurrence(&year_2000, true)
            .map_err(|_| CronError::Never)?;
        let hour = FIELDS
            .iter()
            .zip(&words)
            .find(|(field, _)| **field == Field::Hour);
        let kind = match hour {
            Some((_, (_, word))) if word.starts_with('*') => Kind::Frequency,
            Some(_) | None => Kind::TimeOfDay,
        };
        Ok(Self {
            pattern: cron,
            kind,
        })
    }

    /// The first moment after `now`; none within the years that a calendar has.
    pub fn next_after(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        match self.kind {
            Kind::TimeOfDay => self.next_time_of_day(zone, now),
            Kind::Frequency => self.next_instant(zone, now),
        }
    }

    /// The last moment that is not after `now`.
    pub fn last_at_or_before(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        match self.kind {
            Kind::TimeOfDay => self.last_time_of_day(zone, now),
            Kind::Frequency => self.last_instant(zone, now),
        }
    }

    fn next_civil(&self, from: civil::DateTime, inclusive: bool) -> Option<civil::DateTime> {
        let from = to_chrono(from)?;
        to_civil(self.pattern.find_next_occurrence(&from, inclusive).ok()?)
    }

    fn last_civil(&self, from: civil::DateTime, inclusive: bool) -> Option<civil::DateTime> {
        let from = to_chrono(from)?;
        to_civil(
            self.pattern
                .find_previous_occurrence(&from, inclusive)
                .ok()?,
        )
    }

    fn next_time_of_day(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let mut from = civil_seconds(zone, now);
        let mut inclusive = false;
        if let Some(end) = end_of_repeat(zone, now) {
            // All that the wall shows until then has run when it was shown first.
            from = end;
            inclusive = true;
        }
        loop {
            let civil_time = self.next_civil(from, inclusive)?;
            let at = instant(zone, civil_time)?;
            if at > now {
                return Some(at);
            }
            // The end of a gap that many civil times share.
            from = civil_time;
            inclusive = false;
        }
    }

    fn last_time_of_day(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = match end_of_repeat(zone, now) {
            Some(end) => (end, false),
            None => (civil_seconds(zone, now), true),
        };
        loop {
            let civil_time = self.last_civil(from, inclusive)?;
            let at = instant(zone, civil_time)?;
            if at <= now {
                return Some(at);
            }
            from = civil_time;
            inclusive = false;
        }
    }

    /// Of a frequency. Between two changes of the clocks civil time and instants go together, so each such stretch
    /// is searched for itself.
    fn next_instant(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let mut offset = zone.to_offset(now.to_jiff());
        let mut from = civil_seconds(zone, now);
        let mut inclusive = false;
        let mut change = now.to_jiff();
        for _ in 0..STRETCHES_MAX {
            let at = offset
                .to_timestamp(self.next_civil(from, inclusive)?)
                .ok()?;
            match zone.following(change).next() {
                Some(next) if next.timestamp() <= at => {
                    change = next.timestamp();
                    offset = next.offset();
                    from = offset.to_datetime(change);
                    inclusive = true;
                }
                Some(_) | None => return Some(Timestamp::from_jiff(at)),
            }
        }
        None
    }

    /// Of a frequency, backwards.
    fn last_instant(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let mut offset = zone.to_offset(now.to_jiff());
        let mut from = civil_seconds(zone, now);
        // `preceding` leaves out a change at the very moment that it is asked for.
        let mut end = now.to_jiff().checked_add(ONE_SECOND).ok()?;
        for _ in 0..STRETCHES_MAX {
            let at = offset.to_timestamp(self.last_civil(from, true)?).ok()?;
            match zone.preceding(end).next() {
                Some(change) if change.timestamp() > at => {
                    end = change.timestamp();
                    let before = end.checked_sub(ONE_SECOND).ok()?;
                    offset = zone.to_offset(before);
                    from = offset.to_datetime(before);
                }
                Some(_) | None => return Some(Timestamp::from_jiff(at)),
            }
        }
        None
    }
}

fn parse_whole(text: &str) -> Result<croner::Cron, croner::errors::CronError> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .build()
        .parse(text)
}

fn nickname(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        "@monthly" => "0 0 0 1 * *",
        "@weekly" => "0 0 0 * * Sun",
        "@daily" | "@midnight" => "0 0 0 * * *",
        "@hourly" => "0 0 * * * *",
        _ => return None,
    })
}

/// Says what is wrong with one field, in words that fit after its name.
fn check_field(field: Field, text: &str) -> Result<(), String> {
    let text = match field {
        Field::DayOfWeek => text.strip_prefix('+').unwrap_or(text),
        _ => text,
    };
    for part in text.split(',') {
        check_part(field, part)?;
    }
    // Whatever the checks above do not know, the parser itself has the last word on.
    let mut alone = ["*"; 6];
    let position = FIELDS.iter().position(|candidate| *candidate == field);
    if let Some(slot) = position.and_then(|at| alone.get_mut(at)) {
        *slot = text;
    }
    match parse_whole(&alone.join(" ")) {
        Ok(_) => Ok(()),
        Err(_) => Err("cannot be read".to_owned()),
    }
}

fn check_part(field: Field, part: &str) -> Result<(), String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step {
        match step.parse::<u16>() {
            Ok(0) => return Err("has a step of 0".to_owned()),
            Ok(step) if step > field.bounds().1 => {
                return Err(format!("has a step of {step}, more than it can take"));
            }
            Ok(_) => {}
            Err(_) => return Err(format!("has `{step}` for a step")),
        }
    }
    if range == "*" {
        return Ok(());
    }
    if range.is_empty() {
        return Err("is empty in one place".to_owned());
    }
    let special = matches!(field, Field::DayOfMonth | Field::DayOfWeek)
        && (range == "?"
            || range.contains('#')
            || range.ends_with(['L', 'l'])
            || matches!(field, Field::DayOfMonth) && range.ends_with(['W', 'w']));
    if special {
        return Ok(());
    }
    match range.split_once('-') {
        None => value(field, range).map(|_| ()),
        Some((low, high)) => {
            let (low_value, high_value) = (value(field, low)?, value(field, high)?);
            // Sunday ends a week as well as it begins one.
            let to_sunday = field == Field::DayOfWeek && high_value == 0;
            if low_value > high_value && !to_sunday {
                return Err(format!("runs backwards from {low} to {high}"));
            }
            Ok(())
        }
    }
}

fn value(field: Field, word: &str) -> Result<u16, String> {
    if let Some(value) = field.name_value(word) {
        return Ok(value);
    }
    let (low, high) = field.bounds();
    match word.parse::<u16>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        Ok(_) => Err(format!("has {word}, which is outside {low} to {high}")),
        Err(_) => Err(format!("has `{word}`, which is not a valid value")),
    }
}

/// What the wall clock shows, without the fraction of a second.
fn civil_seconds(zone: &TimeZone, at: Timestamp) -> civil::DateTime {
    let civil_time = at.in_zone(zone).datetime();
    civil_time
        .with()
        .subsec_nanosecond(0)
        .build()
        .unwrap_or(civil_time)
}

/// Where the wall shows times for the second time at `now`: the civil time at which that ends.
fn end_of_repeat(zone: &TimeZone, now: Timestamp) -> Option<civil::DateTime> {
    let shown = civil_seconds(zone, now);
    let AmbiguousOffset::Fold { before, after } = zone.to_ambiguous_timestamp(shown).offset()
    else {
        return None;
    };
    if zone.to_offset(now.to_jiff()) != after {
        return None;
    }
    // In the second pass the last change of the clocks is the one that caused it.
    let just_after = now
        .to_jiff()
        .checked_add(jiff::SignedDuration::from_secs(1))
        .ok()?;
    let change = zone.preceding(just_after).next()?.timestamp();
    Some(before.to_datetime(change))
}

/// The instant of a civil time: the first of two, the end of the gap for none.
fn instant(zone: &TimeZone, civil_time: civil::DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil_time);
    let at = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            ambiguous.compatible().ok()?
        }
        AmbiguousOffset::Gap { before, .. } => {
            // Read with the old offset it lies behind the change, at less than the gap's length.
            let behind = before.to_timestamp(civil_time).ok()?;
            let just_after = behind
                .checked_add(jiff::SignedDuration::from_secs(1))
                .ok()?;
            zone.preceding(just_after).next()?.timestamp()
        }
    };
    Some(Timestamp::from_jiff(at))
}

/// The same figures, as if the wall clock were in UTC.
fn to_chrono(civil_time: civil::DateTime) -> Option<DateTime<Utc>> {
    let as_utc = jiff::tz::Offset::UTC.to_timestamp(civil_time).ok()?;
    DateTime::from_timestamp(as_utc.as_second(), 0)
}

fn to_civil(time: DateTime<Utc>) -> Option<civil::DateTime> {
    let as_utc = jiff::Timestamp::from_second(time.timestamp()).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(as_utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    fn shown(moment: Timestamp, zone: &TimeZone) -> String {
        moment
            .in_zone(zone)
            .strftime("%Y-%m-%d %H:%M:%S%:z")
            .to_string()
    }

    /// The next `count` moments as the wall and its offset show them.
    fn next(expression: &str, zone_name: &str, from: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (Cron::parse(expression).unwrap(), zone(zone_name));
        let mut now = at(from);
        let mut moments = Vec::new();
        for _ in 0..count {
            let Some(moment) = cron.next_after(&zone, now) else {
                break;
            };
            assert!(moment > now, "{expression}: {moment} after {now}");
            assert_eq!(cron.last_at_or_before(&zone, moment), Some(moment));
            let just_before = Timestamp::from_ms(moment.as_ms() - 1);
            assert!(cron.last_at_or_before(&zone, just_before) < Some(moment));
            moments.push(shown(moment, &zone));
            now = moment;
        }
        moments
    }

    #[test]
    fn runs_at_what_the_wall_shows() {
        assert_eq!(
            next(
                "0 */5 8-9 * * Mon-Fri",
                "Europe/Berlin",
                "2026-11-20T08:50:00Z",
                3
            ),
            [
                "2026-11-20 09:55:00+01:00",
                "2026-11-23 08:00:00+01:00",
                "2026-11-23 08:05:00+01:00"
            ]
        );
        assert_eq!(
            next(
                "0 0 8 * * Mon",
                "America/New_York",
                "2026-06-01T12:00:00Z",
                2
            ),
            ["2026-06-08 08:00:00-04:00", "2026-06-15 08:00:00-04:00"]
        );
        assert_eq!(
            next("30 0 0 L * *", "UTC", "2027-02-01T00:00:00Z", 2),
            ["2027-02-28 00:00:30+00:00", "2027-03-31 00:00:30+00:00"]
        );
        assert_eq!(
            next("0 0 9 * * Sat-Sun", "UTC", "2026-11-20T00:00:00Z", 2),
            ["2026-11-21 09:00:00+00:00", "2026-11-22 09:00:00+00:00"]
        );
        assert_eq!(
            next("0 0 0 29 2 Mon#1", "UTC", "2026-11-20T00:00:00Z", 1),
            ["2027-02-01 00:00:00+00:00"],
            "either day field is enough"
        );
    }

    #[test]
    fn a_time_that_does_not_exist_runs_at_the_next_that_does() {
        assert_eq!(
            next("0 30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            [
                "2026-03-28 02:30:00+01:00",
                "2026-03-29 03:00:00+02:00",
                "2026-03-30 02:30:00+02:00"
            ]
        );
        assert_eq!(
            next(
                "0 30 2 * * *",
                "America/New_York",
                "2026-03-07T12:00:00Z",
                2
            ),
            ["2026-03-08 03:00:00-04:00", "2026-03-09 02:30:00-04:00"]
        );
        assert_eq!(
            next(
                "0 0,20,40 1-3 * * *",
                "Europe/Berlin",
                "2026-03-29T00:30:00Z",
                4
            ),
            [
                "2026-03-29 01:40:00+01:00",
                "2026-03-29 03:00:00+02:00",
                "2026-03-29 03:20:00+02:00",
                "2026-03-29 03:40:00+02:00"
            ],
            "the three lost ones and 03:00 are one run"
        );
    }

    #[test]
    fn a_time_that_comes_twice_runs_once() {
        assert_eq!(
            next("0 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25 02:30:00+02:00", "2026-10-26 02:30:00+01:00"]
        );
        assert_eq!(
            next(
                "0 30 1 * * *",
                "America/New_York",
                "2026-10-31T12:00:00Z",
                2
            ),
            ["2026-11-01 01:30:00-04:00", "2026-11-02 01:30:00-05:00"]
        );
        assert_eq!(
            next(
                "0 0,30 0-4 * * *",
                "Europe/Berlin",
                "2026-10-24T23:45:00Z",
                4
            ),
            [
                "2026-10-25 02:00:00+02:00",
                "2026-10-25 02:30:00+02:00",
                "2026-10-25 03:00:00+01:00",
                "2026-10-25 03:30:00+01:00"
            ]
        );
        // Asked in the middle of the second pass.
        let (cron, berlin) = (
            Cron::parse("0 */10 0-23 * * *").unwrap(),
            zone("Europe/Berlin"),
        );
        let second_pass = at("2026-10-25T01:15:00Z");
        assert_eq!(shown(second_pass, &berlin), "2026-10-25 02:15:00+01:00");
        assert_eq!(
            cron.last_at_or_before(&berlin, second_pass)
                .map(|t| shown(t, &berlin)),
            Some("2026-10-25 02:50:00+02:00".to_owned())
        );
        assert_eq!(
            cron.next_after(&berlin, second_pass)
                .map(|t| shown(t, &berlin)),
            Some("2026-10-25 03:00:00+01:00".to_owned())
        );
    }

    #[test]
    fn milliseconds_are_no_obstacle() {
        let cron = Cron::parse("* * * * * *").unwrap();
        let now = at("2026-11-22T20:00:00.500Z");
        let utc = TimeZone::UTC;
        assert_eq!(cron.next_after(&utc, now), Some(at("2026-11-22T20:00:01Z")));
        assert_eq!(
            cron.last_at_or_before(&utc, now),
            Some(at("2026-11-22T20:00:00Z"))
        );
    }

    #[test]
    fn a_frequency_runs_at_every_instant_that_fits() {
        let table: [(&str, &str, &str, &[&str]); 12] = [
            // The repeated hour is an hour like any other.
            (
                "0 */20 * * * *",
                "Europe/Berlin",
                "2026-10-25T00:30:00Z",
                &[
                    "2026-10-25 02:40:00+02:00",
                    "2026-10-25 02:00:00+01:00",
                    "2026-10-25 02:20:00+01:00",
                    "2026-10-25 02:40:00+01:00",
                    "2026-10-25 03:00:00+01:00",
                ],
            ),
            (
                "0 0 * * * *",
                "America/New_York",
                "2026-11-01T04:30:00Z",
                &[
                    "2026-11-01 01:00:00-04:00",
                    "2026-11-01 01:00:00-05:00",
                    "2026-11-01 02:00:00-05:00",
                ],
            ),
            // Every second hour that the wall shows: 02:00 comes twice.
            (
                "0 0 */2 * * *",
                "Europe/Berlin",
                "2026-10-24T21:30:00Z",
                &[
                    "2026-10-25 00:00:00+02:00",
                    "2026-10-25 02:00:00+02:00",
                    "2026-10-25 02:00:00+01:00",
                    "2026-10-25 04:00:00+01:00",
                ],
            ),
            // In spring 02:00 does not exist and is passed over.
            (
                "0 0 */2 * * *",
                "Europe/Berlin",
                "2026-03-28T22:30:00Z",
                &["2026-03-29 00:00:00+01:00", "2026-03-29 04:00:00+02:00"],
            ),
            (
                "0 */20 * * * *",
                "Europe/Berlin",
                "2026-03-29T00:30:00Z",
                &[
                    "2026-03-29 01:40:00+01:00",
                    "2026-03-29 03:00:00+02:00",
                    "2026-03-29 03:20:00+02:00",
                ],
            ),
            // Half an hour: 01:30 to 02:00 comes twice in April, 02:00 to 02:30 never in October.
            (
                "0 */15 * * * *",
                "Australia/Lord_Howe",
                "2026-04-04T14:40:00Z",
                &[
                    "2026-04-05 01:45:00+11:00",
                    "2026-04-05 01:30:00+10:30",
                    "2026-04-05 01:45:00+10:30",
                    "2026-04-05 02:00:00+10:30",
                ],
            ),
            (
                "0 */15 * * * *",
                "Australia/Lord_Howe",
                "2026-10-03T15:10:00Z",
                &[
                    "2026-10-04 01:45:00+10:30",
                    "2026-10-04 02:30:00+11:00",
                    "2026-10-04 02:45:00+11:00",
                ],
            ),
            // Changes at midnight, both ways.
            (
                "0 30 * * * *",
                "America/Santiago",
                "2026-04-05T02:00:00Z",
                &[
                    "2026-04-04 23:30:00-03:00",
                    "2026-04-04 23:30:00-04:00",
                    "2026-04-05 00:30:00-04:00",
                ],
            ),
            (
                "0 30 * * * *",
                "America/Santiago",
                "2026-09-06T03:00:00Z",
                &["2026-09-05 23:30:00-04:00", "2026-09-06 01:30:00-03:00"],
            ),
            (
                "0 0 * * * *",
                "Africa/Cairo",
                "2026-04-23T20:30:00Z",
                &["2026-04-23 23:00:00+02:00", "2026-04-24 01:00:00+03:00"],
            ),
            (
                "0 0 * * * *",
                "Africa/Cairo",
                "2026-10-29T19:30:00Z",
                &[
                    "2026-10-29 23:00:00+03:00",
                    "2026-10-29 23:00:00+02:00",
                    "2026-10-30 00:00:00+02:00",
                ],
            ),
            // A list that begins with a star is a frequency, too; days are those of the wall.
            (
                "0 0 */12,2 25 10 *",
                "Europe/Berlin",
                "2026-10-01T00:00:00Z",
                &[
                    "2026-10-25 00:00:00+02:00",
                    "2026-10-25 02:00:00+02:00",
                    "2026-10-25 02:00:00+01:00",
                    "2026-10-25 12:00:00+01:00",
                    "2027-10-25 00:00:00+02:00",
                ],
            ),
        ];
        for (expression, zone_name, from, want) in table {
            let found = next(expression, zone_name, from, want.len());
            assert_eq!(found, want, "{expression} in {zone_name}");
        }
    }

    #[test]
    fn a_time_of_day_runs_once_a_day_wherever_clocks_change() {
        let table: [(&str, &str, &str, &[&str]); 6] = [
            (
                "0 0 0 * * *",
                "America/Santiago",
                "2026-09-05T12:00:00Z",
                &["2026-09-06 01:00:00-03:00", "2026-09-07 00:00:00-03:00"],
            ),
            (
                "0 30 23 * * *",
                "America/Santiago",
                "2026-04-04T12:00:00Z",
                &["2026-04-04 23:30:00-03:00", "2026-04-05 23:30:00-04:00"],
            ),
            (
                "0 15 0 * * *",
                "Africa/Cairo",
                "2026-04-23T12:00:00Z",
                &["2026-04-24 01:00:00+03:00", "2026-04-25 00:15:00+03:00"],
            ),
            (
                "0 15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-03T12:00:00Z",
                &["2026-10-04 02:30:00+11:00", "2026-10-05 02:15:00+11:00"],
            ),
            (
                "0 45 1 * * *",
                "Australia/Lord_Howe",
                "2026-04-04T12:00:00Z",
                &["2026-04-05 01:45:00+11:00", "2026-04-06 01:45:00+10:30"],
            ),
            // Naming every hour is not the same as `*`.
            (
                "0 30 0-23 * * *",
                "Europe/Berlin",
                "2026-10-24T23:45:00Z",
                &["2026-10-25 02:30:00+02:00", "2026-10-25 03:30:00+01:00"],
            ),
        ];
        for (expression, zone_name, from, want) in table {
            let found = next(expression, zone_name, from, want.len());
            assert_eq!(found, want, "{expression} in {zone_name}");
        }
    }

    /// Every instant of `from` to `to` that the expression stands for, found by asking for each second.
    fn second_by_second(
        cron: &Cron,
        zone: &TimeZone,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Timestamp> {
        let fits = |civil_time| {
            let time = to_chrono(civil_time).unwrap();
            cron.pattern.is_time_matching(&time).unwrap()
        };
        let mut found = Vec::new();
        match cron.kind {
            Kind::Frequency => {
                let mut now = from;
                while now <= to {
                    if fits(civil_seconds(zone, now)) {
                        found.push(now);
                    }
                    now = now.plus(std::time::Duration::from_secs(1));
                }
            }
            Kind::TimeOfDay => {
                let mut civil_time = civil_seconds(zone, from);
                let end = civil_seconds(zone, to);
                while civil_time <= end {
                    if fits(civil_time) {
                        found.push(instant(zone, civil_time).unwrap());
                    }
                    civil_time = civil_time.checked_add(ONE_SECOND).unwrap();
                }
            }
        }
        found.dedup();
        found.retain(|moment| *moment > from && *moment <= to);
        found
    }

    #[test]
    fn agrees_with_asking_every_second() {
        let expressions = [
            "0 */7 * * * *",
            "30 */7 1-3 * * *",
            "15,45 0-20/4 1-3 * * *",
            "15,45 0-20/4 */3 * * *",
            "0 30 2 29 3 *",
            "0 30 * 25 10 *",
            "5 59 23 * * Sun",
            "0 0 0 L * *",
            "0 0 3 * * Sun",
        ];
        for (zone_name, from) in [
            ("UTC", "2026-03-28T22:00:00Z"),
            ("Europe/Berlin", "2026-03-28T22:00:00Z"),
            ("Europe/Berlin", "2026-10-24T22:00:00Z"),
            ("America/New_York", "2026-11-01T04:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T12:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T12:00:00Z"),
            ("America/Santiago", "2026-04-05T00:00:00Z"),
            ("Africa/Cairo", "2026-04-23T18:00:00Z"),
        ] {
            let zone = zone(zone_name);
            for expression in expressions {
                let cron = Cron::parse(expression).unwrap();
                let start = at(from);
                let end = start.plus(std::time::Duration::from_secs(8 * 3600));
                let want = second_by_second(&cron, &zone, start, end);
                let mut found = Vec::new();
                let mut now = start;
                while let Some(moment) = cron.next_after(&zone, now) {
                    if moment > end {
                        break;
                    }
                    assert_eq!(cron.last_at_or_before(&zone, moment), Some(moment));
                    found.push(moment);
                    now = moment;
                }
                assert_eq!(found, want, "{expression} in {zone_name}");
                // Backwards it finds the same ones.
                let mut back = Vec::new();
                let mut now = end;
                while let Some(moment) = cron.last_at_or_before(&zone, now) {
                    if moment <= start {
                        break;
                    }
                    back.push(moment);
                    now = Timestamp::from_ms(moment.as_ms() - 1);
                }
                back.reverse();
                assert_eq!(back, want, "{expression} in {zone_name}, backwards");
            }
        }
    }

    #[test]
    fn names_the_wrong_field() {
        for (text, message) in [
            (
                "*/5 * * * *",
                "a cron expression has six fields here, this one has 5; put the seconds in front, 0 for the full minute (seconds, minutes, hours, day of month, month, day of week)",
            ),
            (
                "",
                "a cron expression has six fields here, this one has 0; write seconds, minutes, hours, day of month, month, day of week, like \"0 */5 * * * *\"",
            ),
            ("@daily", "`@daily` is not known here; write `0 0 0 * * *`"),
            (
                "0 61 * * * *",
                "the minutes field `61` has 61, which is outside 0 to 59; it takes 0 to 59, `*`, `*/5`, `10-20` or `0,30`",
            ),
            (
                "0 0 18-8 * * *",
                "the hours field `18-8` runs backwards from 18 to 8; it takes 0 to 23, `*`, `*/2`, `8-18` or `8,12`",
            ),
            (
                "0 0 8 * * Monday",
                "the day of week field `Monday` has `Monday`, which is not a valid value; it takes 0 to 7, Sun to Sat, `*`, `Mon-Fri`, `Mon#1` (the first) or `FriL` (the last)",
            ),
            (
                "0 */0 * * * *",
                "the minutes field `*/0` has a step of 0; it takes 0 to 59, `*`, `*/5`, `10-20` or `0,30`",
            ),
            (
                "0 0 0 1,,2 * *",
                "the day of month field `1,,2` is empty in one place; it takes 1 to 31, `*`, `1-7`, `L` (the last) or `15W` (a working day)",
            ),
            (
                "0 0 0 31 2 *",
                "no date ever matches this expression; choose a day that its month has",
            ),
            (
                "0 0 0 * * L",
                &format!(
                    "the day of week field `L` needs a day before it, as in `FriL` for the last Friday; it takes {}",
                    Field::DayOfWeek.expects()
                ),
            ),
        ] {
            assert_eq!(
                Cron::parse(text).unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
        let error = Cron::parse("0  61 * * * *").unwrap_err();
        assert_eq!(error.place(), Some(3..5));
    }

    proptest::proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn never_panics(text in "[-0-9*/,LW#?+a-zA-Z@ ]{0,30}") {
            if let Ok(cron) = Cron::parse(&text) {
                let zone = zone("America/New_York");
                let now = at("2026-11-01T05:30:00Z");
                let next = cron.next_after(&zone, now);
                proptest::prop_assert!(next.is_none_or(|next| next > now));
                let last = cron.last_at_or_before(&zone, now);
                proptest::prop_assert!(last.is_none_or(|last| last <= now));
            }
        }
    }
}
