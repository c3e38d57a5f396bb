//! When a periodic report is due, and of which period: from the last one on, one also where several were missed.

use jiff::tz::TimeZone;

use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::cron::Cron;

/// What is to be done about the report now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// There was none yet, or the clock says that the last one lies ahead: periods are counted from this moment on.
    Begin(Timestamp),
    /// Mail it.
    Report {
        /// Where the last one ended.
        from: Timestamp,
        /// The newest moment of the schedule.
        to: Timestamp,
    },
}

/// Decides about the report. `until` is where the last one ended; none where there was none yet.
pub fn due(schedule: &Cron, zone: &TimeZone, until: Option<Timestamp>, now: Timestamp) -> Due {
    let Some(to) = schedule.last_at_or_before(zone, now) else {
        return Due::Nothing;
    };
    match until {
        Some(from) if from <= now && from < to => Due::Report { from, to },
        Some(from) if from <= now => Due::Nothing,
        Some(_) | None => Due::Begin(to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    #[track_caller]
    fn check(schedule: &str, until: Option<&str>, now: &str, want: Due) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let cron = Cron::parse(schedule).unwrap();
        assert_eq!(due(&cron, &zone, until.map(at), at(now)), want);
    }

    #[test]
    fn a_report_covers_what_the_last_one_did_not() {
        let weekly = "0 0 8 * * Mon";
        let monday = "2026-11-16T07:00:00Z";
        let next = "2026-11-23T07:00:00Z";
        check(weekly, None, "2026-11-18T12:00:00Z", Due::Begin(at(monday)));
        check(weekly, Some(monday), "2026-11-18T12:00:00Z", Due::Nothing);
        let week = Due::Report {
            from: at(monday),
            to: at(next),
        };
        check(weekly, Some(monday), next, week);
        check(weekly, Some(next), next, Due::Nothing);
        // It was off on Monday and comes back on Thursday: the same week, told late.
        check(weekly, Some(monday), "2026-11-26T12:00:00Z", week);
        // Off for four weeks: one report of all of them.
        let four = Due::Report {
            from: at(monday),
            to: at("2026-12-14T07:00:00Z"),
        };
        check(weekly, Some(monday), "2026-12-16T12:00:00Z", four);
    }

    #[test]
    fn another_schedule_goes_on_where_the_last_report_ended() {
        check(
            "0 0 8 * * *",
            Some("2026-11-16T07:00:00Z"),
            "2026-11-18T07:00:00Z",
            Due::Report {
                from: at("2026-11-16T07:00:00Z"),
                to: at("2026-11-18T07:00:00Z"),
            },
        );
    }

    #[test]
    fn a_clock_that_was_wrong_stops_no_report() {
        check(
            "0 0 8 * * *",
            Some("2031-01-01T07:00:00Z"),
            "2026-11-18T12:00:00Z",
            Due::Begin(at("2026-11-18T07:00:00Z")),
        );
    }
}
