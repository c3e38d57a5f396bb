//! The numbers of a period for mails.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::Config;
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::objective::Objective;
use crate::domain::timestamp::Timestamp;
use crate::store::error::Result;
use crate::store::facts::report::ReportRow as StoredReport;
use crate::store::reader::Reader;
use crate::view::mail::context::{Month, ReportRow};
use crate::view::objective::ObjectiveRow;

/// The month of a mail.
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// Roll-ups are by the hour: so much less than a month is one.
const HOUR: Duration = Duration::from_secs(3600);

/// One row for each monitor of the configuration that was ever checked, in its order.
///
/// # Errors
/// What the database says.
pub fn rows(
    reader: &Reader,
    config: &Config,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
) -> Result<Vec<ReportRow>> {
    let to = to.min(now);
    let stored = reader.report(&[], from, to)?;
    let period = to.since(from);
    let rows = config.monitors.iter().filter_map(|monitor| {
        let row = stored.iter().find(|row| row.monitor.name == monitor.name)?;
        let [_, p95, _] = row.latency();
        let account = &row.account;
        let watched = length(account.up_ms + account.degraded_ms + account.down_ms);
        let maintenance = length(account.maintenance_ms);
        Some(ReportRow {
            watched,
            maintenance,
            unwatched: period.saturating_sub(watched + maintenance),
            name: monitor.name.clone(),
            uptime_percent: row.account.uptime_percent(),
            coverage_percent: row.account.coverage_percent().unwrap_or(0.0),
            outages: row.account.outages,
            downtime: length(row.account.down_ms),
            longest: length(row.account.longest_ms),
            p95_ms: p95.map(|p95| p95.as_ms()),
        })
    });
    Ok(rows.collect())
}

/// How objectives stand at `end`, in the order of the configuration: those that `wanted` takes. `raw` leaves amendments
/// out.
///
/// # Errors
/// What the database says.
pub fn objectives(
    reader: &Reader,
    config: &Config,
    end: Timestamp,
    raw: bool,
    wanted: impl Fn(&Objective) -> bool,
) -> Result<Vec<ObjectiveRow>> {
    let wanted: Vec<&Objective> = config.objectives.iter().filter(|one| wanted(one)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    reader.together(|reader| {
        let stored = reader.monitors()?;
        let ids: HashMap<&MonitorName, MonitorId> = stored
            .iter()
            .map(|stored| (&stored.name, stored.id))
            .collect();
        let rows = wanted.into_iter().map(|objective| {
            let covered: Vec<MonitorId> = config
                .monitors_of(objective)
                .filter_map(|monitor| ids.get(&monitor.name).copied())
                .collect();
            let zone = &config.daemon.timezone;
            let standing = reader.standing(objective, &covered, end, zone, raw)?;
            Ok(ObjectiveRow::of(objective, &standing))
        });
        rows.collect()
    })
}

/// The thirty days before `now`; none where nothing was observed.
///
/// # Errors
/// What the database says.
pub(in crate::daemon) fn month(
    reader: &Reader,
    monitor: MonitorId,
    now: Timestamp,
) -> Result<Option<Month>> {
    let stored = reader.report(&[monitor], now.minus(MONTH), now)?;
    Ok(stored.first().and_then(of_month))
}

fn of_month(row: &StoredReport) -> Option<Month> {
    let observed = row.to.since(row.from);
    Some(Month {
        uptime_percent: row.account.uptime_percent()?,
        coverage_percent: row.account.coverage_percent()?,
        observed: (observed < MONTH.saturating_sub(HOUR)).then_some(observed),
        outages: row.account.outages,
        longest: length(row.account.longest_ms),
    })
}

/// Lengths of time are never negative.
const fn length(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}
