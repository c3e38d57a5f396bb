//! The part of a monitor that says when it is checked, when it counts as down, and who is told.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::quorum;
use super::reader::Reading;
use super::scalars;
use super::table::{Placed, Table};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::domain::duration_text::Written;
use crate::domain::monitor::{CronText, Rules, Schedule};
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::cron::Cron;

/// The keys that are read here.
pub(in crate::config) const KEYS: [&str; 13] = [
    "interval",
    "schedule",
    "timeout",
    "failures_before_down",
    "successes_before_up",
    "retry_interval",
    "on_slow",
    "on_address_down",
    "on_redirect_change",
    "to",
    quorum::KEYS[0],
    quorum::KEYS[1],
    quorum::KEYS[2],
];

/// The shortest grid.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// So many moments of a cron expression are looked at for its shortest gap.
const MOMENTS_LOOKED_AT: usize = 400;

/// When checks are due and how long one may take.
pub(in crate::config) struct Timing {
    /// When the report is made.
    pub schedule: Schedule,
    /// The grid; for a cron expression the shortest time between two moments.
    interval: Duration,
    timeout: Duration,
    retry_interval: Duration,
}

/// Reads the schedule and what must fit into it.
pub(in crate::config) fn timing(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<Timing> {
    // A monitor's own key of the two counts, whichever of them `[defaults]` has.
    let by_cron = match (table.own("interval"), table.own("schedule")) {
        (_, Some(_)) => true,
        (Some(_), None) => false,
        (None, None) => table.get("schedule").is_some() && table.get("interval").is_none(),
    };
    let grid = grid(reading, table, by_cron);
    // Whatever is wrong with it, what else is wrong is heard in the same run.
    let is_right = grid.is_some();
    let (schedule, interval, interval_place) =
        grid.unwrap_or((Schedule::Every(Duration::MAX), Duration::MAX, None));
    let mut fit = |key: &'static str, default: Duration| -> Option<Duration> {
        let Some(_) = table.get(key) else {
            return Some(default.min(interval));
        };
        let span = reading.span_from(table, key, Duration::from_millis(1))?;
        if span.it <= interval {
            return Some(span.it);
        }
        too_long(reading, key, &span, interval, interval_place, by_cron);
        None
    };
    let timeout = fit("timeout", Duration::from_secs(10));
    let retry_interval = fit("retry_interval", Duration::from_secs(10));
    if !is_right {
        return None;
    }
    Some(Timing {
        schedule,
        interval,
        timeout: timeout?,
        retry_interval: retry_interval?,
    })
}

/// When checks are due, the shortest time between two of them, and where that is written.
type Grid = (Schedule, Duration, Option<(Place, bool)>);

fn grid(reading: &mut Reading<'_>, table: &Table<'_>, by_cron: bool) -> Option<Grid> {
    if by_cron {
        let cron = reading.parsed(table.get("schedule")?, "a cron expression", scalars::cron)?;
        let shortest = shortest_gap(&cron.it);
        let place = (cron.place, cron.inherited);
        return Some((Schedule::Cron(cron.it), shortest, Some(place)));
    }
    let written = match table.get("interval") {
        Some(_) => Some(reading.span_from(table, "interval", INTERVAL_MIN)?),
        None => None,
    };
    let interval = written
        .as_ref()
        .map_or(Duration::from_secs(60), |span| span.it);
    let place = written.map(|span| (span.place, span.inherited));
    Some((Schedule::Every(interval), interval, place))
}

fn too_long(
    reading: &mut Reading<'_>,
    key: &str,
    span: &Placed<Duration>,
    interval: Duration,
    interval_place: Option<(Place, bool)>,
    by_cron: bool,
) {
    let both_inherited = span.inherited && interval_place.is_some_and(|(_, inherited)| inherited);
    if both_inherited {
        // Said where `[defaults]` was read.
        return;
    }
    let interval = Written(interval);
    let message = match (by_cron, interval_place) {
        (true, _) => format!(
            "{key} {} is longer than {interval}, the shortest time between two moments of the schedule",
            Written(span.it)
        ),
        (false, Some(_)) => format!(
            "{key} {} is longer than interval {interval}",
            Written(span.it)
        ),
        (false, None) => format!(
            "{key} {} is longer than interval {interval}, which is the default",
            Written(span.it)
        ),
    };
    let label = match by_cron {
        true => format!("use at most \"{interval}\""),
        false => format!("use at most \"{interval}\", or raise the interval"),
    };
    let mut fault = Fault::new(span.place, message, label);
    if let Some((place, _)) = interval_place {
        fault = fault.and(place, "");
    }
    reading.fault(fault);
}

/// The shortest time between two moments of an expression, as far as its next few hundred tell.
///
/// The zone does not matter: no change of clocks makes two civil times come closer than an hour.
fn shortest_gap(text: &CronText) -> Duration {
    let day = Duration::from_secs(86_400);
    let Ok(cron) = Cron::parse(&text.0) else {
        return day;
    };
    let mut shortest: Option<Duration> = None;
    // 2024-01-01, a Monday in a leap year.
    let mut from = Timestamp::from_ms(1_704_067_199_000);
    let mut last: Option<Timestamp> = None;
    for _ in 0..MOMENTS_LOOKED_AT {
        let Some(next) = cron.next_after(&TimeZone::UTC, from) else {
            break;
        };
        if let Some(last) = last {
            let gap = next.since(last);
            shortest = Some(shortest.map_or(gap, |shortest| shortest.min(gap)));
            if gap <= INTERVAL_MIN {
                break;
            }
        }
        last = Some(next);
        from = next;
    }
    shortest.unwrap_or(day)
}

/// Says what is wrong with the rules of a schedule that is wrong itself.
pub(super) fn only_check(reading: &mut Reading<'_>, table: &Table<'_>) {
    let timing = Timing {
        schedule: Schedule::Every(INTERVAL_MIN),
        interval: INTERVAL_MIN,
        timeout: INTERVAL_MIN,
        retry_interval: INTERVAL_MIN,
    };
    rules(reading, table, &timing, &[]);
}

/// Reads the rules that the schedule belongs to.
pub(in crate::config) fn rules(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    timing: &Timing,
    email_to: &[Recipient],
) -> Rules {
    let mut threshold = |key, default| {
        reading
            .count(table, key)
            .and_then(|count| u16::try_from(count).ok())
            .unwrap_or(default)
    };
    let failures_before_down = threshold("failures_before_down", 3);
    let successes_before_up = threshold("successes_before_up", 2);
    let mut alerts = |key| {
        reading
            .choice(table, key)
            .is_some_and(|choice| choice.it == "alert")
    };
    let alert_on_slow = alerts("on_slow");
    let alert_on_redirect_change = alerts("on_redirect_change");
    let alert_on_address_down = reading
        .choice(table, "on_address_down")
        .is_none_or(|choice| choice.it != "record");
    let to = reading
        .recipients(table, "to")
        .map_or_else(|| email_to.to_vec(), |to| to.it);
    Rules {
        interval: timing.interval,
        timeout: timing.timeout,
        failures_before_down,
        successes_before_up,
        retry_interval: timing.retry_interval,
        alert_on_slow,
        alert_on_address_down,
        alert_on_redirect_change,
        to,
        quorum: quorum::quorum(reading, table),
    }
}
