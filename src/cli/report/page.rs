//! `sitewatch report --html`: the page's charts and days, read from the database.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::ToSpan;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::from_store;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::time_range::Period;
use crate::store::facts::incidents::IncidentQuery;
use crate::store::facts::report::ReportRow as StoredReport;
use crate::store::reader::Reader;
use crate::view::objective::ObjectiveRow;
use crate::view::page::rows::{Bucket, Chart, Day, Times};
use crate::view::report_page::{Part, page};
use crate::view::rows::IncidentRow;
use crate::view::time_text::Clock;

/// Days before these are in the numbers and not in the strip, which shows as many.
const DAYS_MAX: usize = 90;

/// A chart has about this many points.
const BUCKETS: i64 = 180;

const HOUR_MS: i64 = 3_600_000;

/// Writes the page.
pub fn write(
    context: &mut Context,
    reader: &Reader,
    stored: &[StoredReport],
    objectives: &[ObjectiveRow],
    period: Period,
    named: &str,
    clock: &Clock,
) -> Result<(), CliError> {
    let ids: Vec<MonitorId> = stored.iter().map(|row| row.monitor.id).collect();
    let parts = if ids.is_empty() {
        Vec::new()
    } else {
        parts(reader, stored, &ids, period, clock)?
    };
    let title = format!("Availability, {named}");
    context
        .out
        .write_str(&page(&parts, objectives, &title, clock))?;
    Ok(())
}

fn parts(
    reader: &Reader,
    stored: &[StoredReport],
    ids: &[MonitorId],
    period: Period,
    clock: &Clock,
) -> Result<Vec<Part>, CliError> {
    let mut days = days(reader, ids, period, clock)?;
    let mut charts = charts(reader, ids, period)?;
    let query = IncidentQuery {
        monitors: ids.to_vec(),
        since: Some(period.from),
        until: Some(period.to),
        ..IncidentQuery::default()
    };
    let mut incidents: HashMap<MonitorId, Vec<IncidentRow>> = HashMap::new();
    for listed in reader.incidents(&query)? {
        let id = listed.incident.key.monitor;
        incidents
            .entry(id)
            .or_default()
            .push(from_store::incident(listed));
    }
    let parts = stored.iter().map(|row| {
        let id = row.monitor.id;
        let incidents = incidents.remove(&id).unwrap_or_default();
        let mut chart = charts.remove(&id).unwrap_or_else(|| Chart {
            span: "the period",
            from: period.from,
            to: period.to,
            buckets: Vec::new(),
        });
        mark_outages(&mut chart, &incidents);
        Part {
            row: from_store::report(row),
            days: days.remove(&id).unwrap_or_default(),
            chart,
            incidents,
        }
    });
    Ok(parts.collect())
}

/// How each day of the period went, in the configured zone.
fn days(
    reader: &Reader,
    ids: &[MonitorId],
    period: Period,
    clock: &Clock,
) -> Result<HashMap<MonitorId, Vec<Day>>, CliError> {
    let mut days: HashMap<MonitorId, Vec<Day>> = HashMap::new();
    let last = period
        .to
        .minus(Duration::from_millis(1))
        .in_zone(&clock.zone)
        .date();
    let mut date = period.from.in_zone(&clock.zone).date();
    let too_many = i32::try_from(DAYS_MAX).unwrap_or(90) - 1;
    if let Ok(first) = last.checked_sub(too_many.days()) {
        date = date.max(first);
    }
    while date <= last {
        let Ok(next) = date.tomorrow() else { break };
        let moment = |date: jiff::civil::Date| {
            let midnight = date.to_zoned(clock.zone.clone()).ok()?;
            Some(Timestamp::from_jiff(midnight.timestamp()))
        };
        let (Some(from), Some(to)) = (moment(date), moment(next)) else {
            break;
        };
        let (from, to) = (from.max(period.from), to.min(period.to));
        for row in reader.report(ids, from, to)? {
            let account = row.account;
            days.entry(row.monitor.id).or_default().push(Day {
                hour: None,
                date,
                times: Times {
                    up_ms: account.up_ms.unsigned_abs(),
                    degraded_ms: account.degraded_ms.unsigned_abs(),
                    down_ms: account.down_ms.unsigned_abs(),
                    maintenance_ms: account.maintenance_ms.unsigned_abs(),
                    unknown_ms: account.unknown_ms.unsigned_abs(),
                },
            });
        }
        date = next;
    }
    Ok(days)
}

/// Median and 95th percentile over the period, in buckets of whole hours.
fn charts(
    reader: &Reader,
    ids: &[MonitorId],
    period: Period,
) -> Result<HashMap<MonitorId, Chart>, CliError> {
    let first = period.from.as_ms().div_euclid(HOUR_MS);
    let end = (period.to.as_ms() + HOUR_MS - 1)
        .div_euclid(HOUR_MS)
        .max(first + 1);
    let hours = ((end - first + BUCKETS - 1) / BUCKETS).max(1);
    let edges: Vec<Timestamp> = (0..)
        .map(|index| first + index * hours)
        .take_while(|hour| *hour < end + hours)
        .map(|hour| Timestamp::from_ms(hour * HOUR_MS))
        .collect();
    let tallies = reader.tallies(ids, &edges)?;
    Ok(tallies
        .into_iter()
        .map(|(id, tallies)| {
            let buckets = edges.iter().zip(&tallies).map(|(at, tally)| {
                let median = tally.latency.percentile(50);
                let high = tally.latency.percentile(95);
                Bucket {
                    at: *at,
                    latency: median.zip(high),
                    down: false,
                }
            });
            let chart = Chart {
                span: "the period",
                from: edges[0],
                to: *edges.last().expect("there are at least two edges"),
                buckets: buckets.collect(),
            };
            (id, chart)
        })
        .collect())
}

fn mark_outages(chart: &mut Chart, incidents: &[IncidentRow]) {
    let ends: Vec<Timestamp> = chart
        .buckets
        .iter()
        .skip(1)
        .map(|bucket| bucket.at)
        .chain([chart.to])
        .collect();
    for (bucket, end) in chart.buckets.iter_mut().zip(ends) {
        bucket.down = incidents.iter().any(|row| {
            let incident = &row.incident;
            incident.opened_at() < end && incident.closed_at.is_none_or(|closed| closed > bucket.at)
        });
    }
}
