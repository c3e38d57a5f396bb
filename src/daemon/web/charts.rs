//! The latency charts of one monitor: an hour and a day from its checks, the longer ones from roll-ups.

use std::time::Duration;

use super::history_cache::hours_until;
use crate::domain::check::{Check, Micros};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::uptime::{Class, Piece};
use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::view::page::rows::{Bucket, Chart};

/// The chart of an hour: minutes.
const HOUR_STEPS: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// The chart of a day: quarters of an hour.
const DAY_STEPS: u32 = 96;
const QUARTER_HOUR: Duration = Duration::from_secs(900);
/// The chart of a month: quarters of a day.
const MONTH_HOURS: u32 = 720;
const MONTH_STEP_HOURS: usize = 6;
const WEEK_HOURS: u32 = 168;
const QUARTER_DAYS: u32 = 90;
const DAY: Duration = Duration::from_secs(86_400);
const DAY_MS: i64 = 86_400_000;

/// All of them; `day` are the checks of the last 24 hours.
pub(super) fn charts(
    reader: &Reader,
    id: MonitorId,
    day: &[Check],
    now: Timestamp,
) -> Result<Vec<Chart>, StoreError> {
    let week = hours_until(now, WEEK_HOURS);
    let month: Vec<Timestamp> = hours_until(now, MONTH_HOURS)
        .into_iter()
        .step_by(MONTH_STEP_HOURS)
        .collect();
    let midnight = Timestamp::from_ms((now.as_ms().div_euclid(DAY_MS) + 1) * DAY_MS);
    let quarter: Vec<Timestamp> = (0..=QUARTER_DAYS)
        .rev()
        .map(|back| midnight.minus(DAY * back))
        .collect();
    let begin = quarter.first().copied().unwrap_or(now);
    let courses = reader.courses(&[id], begin, now)?;
    let pieces = courses
        .get(&id)
        .map_or_else(Vec::new, |course| course.pieces(i64::MIN, i64::MAX));
    let outages: Vec<Piece> = pieces
        .into_iter()
        .filter(|piece| matches!(piece.class, Class::Down(_)))
        .collect();
    let rolled = |span: &'static str, edges: &[Timestamp]| -> Result<Chart, StoreError> {
        let tallies = reader
            .tallies(&[id], edges)?
            .remove(&id)
            .unwrap_or_default();
        let latencies = tallies.iter().map(|tally| {
            let percentile = |percent| tally.latency.percentile(percent);
            Some((percentile(50)?, percentile(95)?))
        });
        Ok(chart(span, edges, latencies, &outages))
    };
    Ok(vec![
        of_checks("1 hour", day, (MINUTE, HOUR_STEPS), &outages, now),
        of_checks("24 hours", day, (QUARTER_HOUR, DAY_STEPS), &outages, now),
        rolled("7 days", &week)?,
        rolled("30 days", &month)?,
        rolled("90 days", &quarter)?,
    ])
}

fn of_checks(
    span: &'static str,
    day: &[Check],
    (step, count): (Duration, u32),
    outages: &[Piece],
    now: Timestamp,
) -> Chart {
    let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let end = Timestamp::from_ms((now.as_ms().div_euclid(step_ms) + 1) * step_ms);
    let edges: Vec<Timestamp> = (0..=count)
        .rev()
        .map(|back| end.minus(step * back))
        .collect();
    let mut times: Vec<Vec<Micros>> = vec![Vec::new(); edges.len()];
    for check in day.iter().filter(|check| check.verdict.is_good()) {
        let place = edges.partition_point(|edge| *edge <= check.at);
        if let Some(times) = times.get_mut(place.wrapping_sub(1)) {
            times.push(check.timings.total);
        }
    }
    let latencies = times.iter_mut().map(|times| {
        times.sort_unstable();
        let at = |percent: usize| {
            times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)))
        };
        Some((*at(50)?, *at(95)?))
    });
    chart(span, &edges, latencies, outages)
}

fn chart(
    span: &'static str,
    edges: &[Timestamp],
    latencies: impl Iterator<Item = Option<(Micros, Micros)>>,
    outages: &[Piece],
) -> Chart {
    let buckets = edges
        .windows(2)
        .zip(latencies)
        .map(|(pair, latency)| Bucket {
            at: pair[0],
            latency,
            down: outages
                .iter()
                .any(|piece| piece.from < pair[1].as_ms() && piece.to > pair[0].as_ms()),
        })
        .collect();
    Chart {
        span,
        from: edges.first().copied().unwrap_or(Timestamp::MIN),
        to: edges.last().copied().unwrap_or(Timestamp::MIN),
        buckets,
    }
}
