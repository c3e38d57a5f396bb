//! `[[hours]]`: whether a recipient may be told now, and when else.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::settings::OpeningHours;
use crate::domain::timestamp::Timestamp;
use crate::domain::week::{MINUTES_OF_WEEK, Week};

const WEEK_S: i64 = MINUTES_OF_WEEK as i64 * 60;
/// 1970 began on a Thursday, the week begins on Monday.
const THURSDAY_S: i64 = 3 * 86_400;

/// The clock is set a few times a year; more changes than this are not looked through for an opening.
const CHANGES_MAX: usize = 8;

/// Without any opening in sight it is looked for again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(86_400);

/// The opening hours of all recipients that have any.
///
/// They are hours of the clock on the wall: what it shows decides, also where it is set forward or back.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    entries: Vec<OpeningHours>,
    zone: TimeZone,
    /// By the recipient's key.
    weeks: BTreeMap<String, Week>,
}

impl Default for Hours {
    /// Everybody may be told at any time.
    fn default() -> Self {
        Self::new(Vec::new(), TimeZone::UTC)
    }
}

impl Hours {
    /// The entries of a configuration; those of one recipient add up.
    pub fn new(entries: Vec<OpeningHours>, zone: TimeZone) -> Self {
        let mut weeks: BTreeMap<String, Week> = BTreeMap::new();
        for entry in &entries {
            for to in &entry.to {
                let week = weeks.entry(to.key().to_owned()).or_default();
                entry.open.iter().for_each(|time| week.add(*time));
            }
        }
        Self {
            entries,
            zone,
            weeks,
        }
    }

    /// The entries, in the order of the configuration.
    pub fn entries(&self) -> &[OpeningHours] {
        &self.entries
    }

    /// The hours of a recipient, by its key; `None` if it has none and may always be told.
    pub fn of(&self, to: &str) -> Option<&Week> {
        self.weeks.get(to)
    }

    /// Until when a recipient is not to be told anything; `None` if it may be told now.
    pub fn closed_until(&self, to: &str, now: Timestamp) -> Option<Timestamp> {
        let week = self.weeks.get(to)?;
        let mut at = now;
        for _ in 0..CHANGES_MAX {
            let (second_of_week, change) = self.wall(at);
            let minute = u16::try_from(second_of_week / 60).unwrap_or(0);
            let Some(wait) = week.wait(minute) else {
                break;
            };
            if wait == 0 {
                return (at > now).then_some(at);
            }
            // Whole minutes by the clock on the wall, which goes on evenly until it is set.
            let minutes = i64::from(minute) + i64::from(wait);
            let ahead = u64::try_from(minutes * 60 - second_of_week).unwrap_or(0);
            let whole = Timestamp::from_ms(at.as_seconds() * 1000);
            let opens = whole.plus(Duration::from_secs(ahead));
            match change {
                Some(change) if change <= opens => at = change,
                Some(_) | None => return Some(opens),
            }
        }
        Some(now.plus(LOOK_AGAIN))
    }

    /// What the clock on the wall shows, in seconds since Monday 00:00, and when it is set next.
    fn wall(&self, at: Timestamp) -> (i64, Option<Timestamp>) {
        let jiff = at.to_jiff();
        let offset = i64::from(self.zone.to_offset(jiff).seconds());
        let shown = (at.as_seconds() + offset + THURSDAY_S).rem_euclid(WEEK_S);
        let next = self.zone.following(jiff).next();
        (
            shown,
            next.map(|next| Timestamp::from_jiff(next.timestamp())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recipient::Recipient;
    use crate::domain::week::OpenTime;

    fn hours(zone: &str, lines: &[&str]) -> Hours {
        let entry = OpeningHours {
            to: vec![Recipient::restored("Office <office@example.com>").unwrap()],
            open: lines
                .iter()
                .map(|line| OpenTime::parse(line).unwrap())
                .collect(),
        };
        Hours::new(vec![entry], TimeZone::get(zone).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    #[track_caller]
    fn check(hours: &Hours, now: &str, want: &str) {
        let until = hours.closed_until("office@example.com", at(now));
        let said = until.map_or_else(|| "open".to_owned(), |until| until.to_string());
        let want = match want {
            "open" => "open".to_owned(),
            want => at(want).to_string(),
        };
        assert_eq!(said, want, "{now}");
    }

    #[test]
    fn who_has_none_is_always_told() {
        let hours = hours("UTC", &["Mon 08:00-09:00"]);
        assert_eq!(
            hours.closed_until("ops@example.com", at("2026-11-29T03:00:00Z")),
            None
        );
        assert_eq!(
            Hours::default().closed_until("office@example.com", at("2026-11-29T03:00:00Z")),
            None
        );
    }

    #[test]
    fn the_next_opening_is_found() {
        let office = hours("Europe/Berlin", &["Mon-Fri 08:00-18:00"]);
        // A Monday; Berlin is an hour ahead of UTC.
        check(&office, "2026-11-30T06:59:59.999Z", "2026-11-30T07:00:00Z");
        check(&office, "2026-11-30T07:00:00Z", "open");
        check(&office, "2026-11-30T16:59:59.999Z", "open");
        check(&office, "2026-11-30T17:00:00Z", "2026-12-01T07:00:00Z");
        check(&office, "2026-12-04T17:00:30.5Z", "2026-12-07T07:00:00Z");
        let night = hours("Europe/Berlin", &["Fri 22:00-06:00"]);
        check(&night, "2026-12-04T20:30:00Z", "2026-12-04T21:00:00Z");
        check(&night, "2026-12-05T04:59:59Z", "open");
        check(&night, "2026-12-05T05:00:00Z", "2026-12-11T21:00:00Z");
        let always = hours("Europe/Berlin", &["00:00-24:00"]);
        check(&always, "2026-12-05T05:00:00Z", "open");
    }

    #[test]
    fn the_clock_on_the_wall_decides_where_it_is_set_forward() {
        // 2027-03-28 in Berlin: 02:00 becomes 03:00 at 01:00 UTC.
        let early = hours("Europe/Berlin", &["02:30-04:00"]);
        check(&early, "2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z");
        check(&early, "2027-03-28T01:00:00Z", "open");
        check(&early, "2027-03-28T02:00:00Z", "2027-03-29T00:30:00Z");
        // What would be open in the hour that is left out only: the next day.
        let gone = hours("Europe/Berlin", &["02:15-02:45"]);
        check(&gone, "2027-03-28T00:00:00Z", "2027-03-29T00:15:00Z");
        // .. or week.
        let sundays = hours("Europe/Berlin", &["Sun 02:15-02:45"]);
        check(&sundays, "2027-03-28T00:00:00Z", "2027-04-04T00:15:00Z");
        let office = hours("Europe/Berlin", &["Mon-Fri 08:00-18:00"]);
        check(&office, "2027-03-26T17:00:00Z", "2027-03-29T06:00:00Z");
    }

    #[test]
    fn the_clock_on_the_wall_decides_where_it_is_set_back() {
        // 2026-10-25 in Berlin: 03:00 becomes 02:00 at 01:00 UTC.
        let late = hours("Europe/Berlin", &["01:00-02:30"]);
        check(&late, "2026-10-25T00:29:59Z", "open");
        check(&late, "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z");
        check(&late, "2026-10-25T01:00:00Z", "open");
        check(&late, "2026-10-25T01:30:00Z", "2026-10-26T00:00:00Z");
        let office = hours("Europe/Berlin", &["Mon-Fri 08:00-18:00"]);
        check(&office, "2026-10-23T16:00:00Z", "2026-10-26T07:00:00Z");
    }

    #[test]
    fn entries_add_up() {
        let entry = |open: &str| OpeningHours {
            to: vec![Recipient::restored("office@example.com").unwrap()],
            open: vec![OpenTime::parse(open).unwrap()],
        };
        let both = Hours::new(
            vec![entry("Mon 08:00-12:00"), entry("Tue 10:00-11:00")],
            TimeZone::UTC,
        );
        check(&both, "2026-11-30T12:00:00Z", "2026-12-01T10:00:00Z");
        check(&both, "2026-12-01T11:00:00Z", "2026-12-07T08:00:00Z");
    }

    /// Minute by minute over two changes of the clock: what is said is what the clock on the wall shows.
    #[test]
    fn it_agrees_with_the_calendar() {
        let lines = [
            "Mon-Fri 08:00-18:00",
            "Sat,Sun 01:30-03:15",
            "Wed 22:00-02:00",
        ];
        for zone in [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Asia/Kolkata",
        ] {
            let hours = hours(zone, &lines);
            let week = hours.of("office@example.com").unwrap().clone();
            for start in [
                "2026-10-22T00:00:00Z",
                "2027-03-10T00:00:00Z",
                "2027-03-26T00:00:00Z",
            ] {
                let mut opens: Option<Timestamp> = None;
                for minute in (0..6 * 1440_u64).rev() {
                    let now = at(start).plus(Duration::from_secs(minute * 60));
                    let shown = now.in_zone(&hours.zone);
                    let day = shown.weekday().to_monday_zero_offset();
                    let of_day = i32::from(shown.hour()) * 60 + i32::from(shown.minute());
                    let is_open = week.has(u16::try_from(i32::from(day) * 1440 + of_day).unwrap());
                    if is_open {
                        opens = Some(now);
                    }
                    let until = hours.closed_until("office@example.com", now);
                    assert_eq!(until.is_none(), is_open, "{zone} {now}");
                    if let Some(until) = until
                        && let Some(opens) = opens
                    {
                        assert_eq!(until, opens, "{zone} {now}");
                    }
                }
            }
        }
    }
}
