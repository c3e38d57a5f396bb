//! Opening hours as people write them, and the minutes of a week that they cover.

use std::fmt;

/// A day of the week as it is written, Monday first.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MINUTES_OF_DAY: u16 = 24 * 60;
/// The minutes of a week.
pub const MINUTES_OF_WEEK: u16 = 7 * MINUTES_OF_DAY;
const WORDS: usize = MINUTES_OF_WEEK.div_ceil(64) as usize;

/// One line of opening hours: `Mon-Fri 08:00-18:00`. On each of its days it begins at `from`; where the end is smaller
/// it is of the day after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenTime {
    /// A bit for each day, Monday the lowest.
    days: u8,
    /// In minutes of the day, below 24:00.
    from: u16,
    /// In minutes of the day, up to 24:00; never equal to `from`.
    until: u16,
}

/// Why a text is no opening time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenTimeError {
    /// Nothing that looks like times.
    #[error("`{0}` has no times")]
    NoTimes(String),
    /// Not a day of the week.
    #[error("`{0}` is not a day")]
    Day(String),
    /// Not a time of the day.
    #[error("`{0}` is not a time of day")]
    Time(String),
    /// 24:00 is an end only.
    #[error("24:00 is an end, not a begin")]
    BeginsAtEnd,
    /// It would open for nothing.
    #[error("`{0}` begins when it ends")]
    Empty(String),
}

impl OpenTimeError {
    /// What to write instead.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NoTimes(_) => "write it like \"Mon-Fri 08:00-18:00\"; a whole day is 00:00-24:00",
            Self::Day(_) => {
                "days are Mon, Tue, Wed, Thu, Fri, Sat and Sun: \"Mon-Fri\", \"Sat,Sun\"; without any, every day"
            }
            Self::Time(_) => "write times as HH:MM-HH:MM, from 00:00 to 24:00",
            Self::BeginsAtEnd => "write 00:00 of the next day",
            Self::Empty(_) => "a whole day is 00:00-24:00",
        }
    }
}

impl OpenTime {
    /// Takes a line as it is written: days, which may be left out, and times.
    ///
    /// # Errors
    /// Says which part of it is wrong.
    pub fn parse(text: &str) -> Result<Self, OpenTimeError> {
        let text = text.trim();
        let (days, times) = match text.rsplit_once(char::is_whitespace) {
            Some((days, times)) => (days.trim(), times),
            None => ("", text),
        };
        if !times.contains(':') {
            return Err(OpenTimeError::NoTimes(text.to_owned()));
        }
        let days = match days {
            "" => 0b111_1111,
            days => parse_days(days)?,
        };
        let wrong = || OpenTimeError::Time(times.to_owned());
        let (from, until) = times.split_once('-').ok_or_else(wrong)?;
        let (from, until) = (minutes(from)?, minutes(until)?);
        if from == MINUTES_OF_DAY {
            return Err(OpenTimeError::BeginsAtEnd);
        }
        if from == until {
            return Err(OpenTimeError::Empty(times.to_owned()));
        }
        Ok(Self { days, from, until })
    }

    /// The spans that it covers, each as minutes of the week; one over the end of Sunday ends behind it.
    fn spans(self) -> impl Iterator<Item = (u16, u16)> {
        (0..7)
            .filter(move |day| self.days & 1 << day != 0)
            .map(move |day| {
                let midnight = day * MINUTES_OF_DAY;
                let over = if self.until < self.from {
                    MINUTES_OF_DAY
                } else {
                    0
                };
                (midnight + self.from, midnight + self.until + over)
            })
    }
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`.
fn parse_days(text: &str) -> Result<u8, OpenTimeError> {
    let day = |word: &str| {
        let word = word.trim();
        let found = DAYS.iter().position(|day| day.eq_ignore_ascii_case(word));
        found.ok_or_else(|| OpenTimeError::Day(word.to_owned()))
    };
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let mut at = first;
        days |= 1 << at;
        while at != last {
            at = (at + 1) % 7;
            days |= 1 << at;
        }
    }
    Ok(days)
}

/// `08:00`, up to `24:00`.
fn minutes(text: &str) -> Result<u16, OpenTimeError> {
    let wrong = || OpenTimeError::Time(text.trim().to_owned());
    let (hours, minutes) = text.trim().split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let is_number = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_number)
    };
    let hours = number(hours, 1..=2).ok_or_else(wrong)?;
    let minutes = number(minutes, 2..=2).filter(|minutes| *minutes < 60);
    let at = hours * 60 + minutes.ok_or_else(wrong)?;
    if at > MINUTES_OF_DAY {
        return Err(wrong());
    }
    Ok(at)
}

impl fmt::Display for OpenTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |day: usize| self.days & 1 << day != 0;
        if self.days != 0b111_1111 {
            let mut parts: Vec<String> = Vec::new();
            let mut day = 0;
            while day < 7 {
                let first = day;
                while day < 7 && has(day) {
                    day += 1;
                }
                match day - first {
                    0 => day += 1,
                    1 => parts.push(DAYS[first].to_owned()),
                    _ => parts.push(format!("{}-{}", DAYS[first], DAYS[day - 1])),
                }
            }
            write!(f, "{} ", parts.join(","))?;
        }
        write!(f, "{}-{}", Clock(self.from), Clock(self.until))
    }
}

/// Minutes of the day, as they are written.
struct Clock(u16);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Some minutes of a week, counted from Monday 00:00.
#[derive(Clone, PartialEq, Eq)]
pub struct Week([u64; WORDS]);

impl fmt::Debug for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.gaps()).finish()
    }
}

impl Default for Week {
    /// None of them.
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl Week {
    /// Adds the minutes of an opening time.
    pub fn add(&mut self, time: OpenTime) {
        for (from, until) in time.spans() {
            for minute in from..until {
                let minute = usize::from(minute % MINUTES_OF_WEEK);
                self.0[minute / 64] |= 1 << (minute % 64);
            }
        }
    }

    /// Adds the minutes of another.
    pub fn join(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    /// Whether a minute of the week, below [`MINUTES_OF_WEEK`], is among them.
    pub const fn has(&self, minute: u16) -> bool {
        let minute = (minute % MINUTES_OF_WEEK) as usize;
        self.0[minute / 64] & 1 << (minute % 64) != 0
    }

    /// How many minutes after this one the first comes that is among them: 0 if it is this one; `None` if none is.
    pub fn wait(&self, minute: u16) -> Option<u16> {
        (0..MINUTES_OF_WEEK).find(|after| self.has((minute + after) % MINUTES_OF_WEEK))
    }

    /// The spans that are not among them, in words, the first of the week first: `Fri 18:00 to Mon 08:00`.
    pub fn gaps(&self) -> Vec<String> {
        let Some(start) = self.wait(0) else {
            return vec!["Mon 00:00 to Sun 24:00".to_owned()];
        };
        let mut gaps = Vec::new();
        let mut open_until: Option<u16> = None;
        // One round from a minute that is among them, so that no gap is cut in two.
        for after in 0..=MINUTES_OF_WEEK {
            let minute = (start + after) % MINUTES_OF_WEEK;
            match (self.has(minute), open_until) {
                (false, None) => open_until = Some(minute),
                (true, Some(from)) => {
                    gaps.push((from, minute));
                    open_until = None;
                }
                (true, None) | (false, Some(_)) => {}
            }
        }
        gaps.sort_unstable();
        let at = |minute: u16| {
            let day = DAYS[usize::from(minute / MINUTES_OF_DAY)];
            format!("{day} {}", Clock(minute % MINUTES_OF_DAY))
        };
        gaps.into_iter()
            .map(|(from, until)| format!("{} to {}", at(from), at(until)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(lines: &[&str]) -> Week {
        let mut week = Week::default();
        for line in lines {
            week.add(OpenTime::parse(line).unwrap());
        }
        week
    }

    #[test]
    fn what_is_written_is_shown_in_one_way() {
        for (text, shown) in [
            ("Mon-Fri 08:00-18:00", "Mon-Fri 08:00-18:00"),
            (" sat , SUN  9:30-12:00 ", "Sat-Sun 09:30-12:00"),
            ("Mon,Wed,Fri 00:00-24:00", "Mon,Wed,Fri 00:00-24:00"),
            ("Fri-Mon 22:00-06:00", "Mon,Fri-Sun 22:00-06:00"),
            ("22:00-06:00", "22:00-06:00"),
            ("Mon-Sun 08:00-09:00", "08:00-09:00"),
            ("Sun 12:00-00:00", "Sun 12:00-00:00"),
        ] {
            assert_eq!(OpenTime::parse(text).unwrap().to_string(), shown, "{text}");
            let again = OpenTime::parse(shown).unwrap();
            assert_eq!(Ok(again), OpenTime::parse(text), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("", "`` has no times"),
            ("Mon-Fri", "`Mon-Fri` has no times"),
            ("weekdays 08:00-18:00", "`weekdays` is not a day"),
            ("Mon- 08:00-18:00", "`` is not a day"),
            ("Mon 08:00", "`08:00` is not a time of day"),
            ("Mon 8-18:00", "`8` is not a time of day"),
            ("Mon 08:60-18:00", "`08:60` is not a time of day"),
            ("Mon 08:00-24:01", "`24:01` is not a time of day"),
            ("Mon 08:00-+9:00", "`+9:00` is not a time of day"),
            ("Mon 24:00-18:00", "24:00 is an end, not a begin"),
            ("Mon 08:00-08:00", "`08:00-08:00` begins when it ends"),
            (
                "08:00-12:00,13:00-17:00",
                "`12:00,13:00-17:00` is not a time of day",
            ),
        ] {
            let error = OpenTime::parse(text).unwrap_err();
            assert_eq!(error.to_string(), said, "{text}");
            assert!(!error.advice().is_empty());
        }
    }

    #[test]
    fn lines_add_up_over_midnight_and_the_end_of_the_week() {
        let office = week(&["Mon-Fri 08:00-18:00"]);
        assert!(!office.has(8 * 60 - 1) && office.has(8 * 60) && !office.has(18 * 60));
        assert_eq!(office.wait(0), Some(480));
        assert_eq!(office.wait(480), Some(0));
        // Friday 18:00 to Monday 08:00.
        assert_eq!(office.wait(4 * 1440 + 1080), Some(62 * 60));
        assert_eq!(
            office.gaps(),
            [
                "Mon 18:00 to Tue 08:00",
                "Tue 18:00 to Wed 08:00",
                "Wed 18:00 to Thu 08:00",
                "Thu 18:00 to Fri 08:00",
                "Fri 18:00 to Mon 08:00",
            ]
        );
        let night = week(&["Sun 22:00-06:00"]);
        assert!(
            night.has(0) && night.has(359) && !night.has(360) && night.has(MINUTES_OF_WEEK - 1)
        );
        assert_eq!(night.gaps(), ["Mon 06:00 to Sun 22:00"]);
        let mut both = week(&["08:00-20:00"]);
        both.join(&week(&["20:00-08:00"]));
        assert!(both.gaps().is_empty());
        assert_eq!(Week::default().gaps(), ["Mon 00:00 to Sun 24:00"]);
        assert_eq!(Week::default().wait(7), None);
    }
}
