//! A monitor over a period, as an object of the public contract.

use std::borrow::Cow;

use serde::Serialize;

use super::audience::{Audience, shown_url};
use super::json::{Ms, Seconds, Utc};
use super::rows::ReportRow;
use crate::domain::location::LocationName;

/// A monitor over a period, as `report --json` prints it.
pub fn report(row: &ReportRow, audience: Audience) -> ReportObject<'_> {
    let location = row.location.as_ref();
    ReportObject {
        monitor: &row.monitor,
        location: location.map(|one| one.as_ref().map(LocationName::as_str)),
        url: shown_url(&row.url, &row.url, audience),
        from: Utc(row.from),
        to: Utc(row.to),
        uptime_percent: row.uptime_percent,
        coverage_percent: row.coverage_percent,
        outages: row.outages,
        up_s: Seconds(row.up_ms),
        downtime_s: Seconds(row.down_ms),
        longest_outage_s: row.longest_outage_ms.map(Seconds),
        mttr_s: row.mttr_ms.map(Seconds),
        degraded_s: Seconds(row.degraded_ms),
        maintenance_s: Seconds(row.maintenance_ms),
        unknown_s: Seconds(row.unknown_ms),
        amendments: row.amendments,
        raw: row.raw.as_ref().map(|raw| RawObject {
            uptime_percent: raw.uptime_percent,
            outages: raw.outages,
            up_s: Seconds(raw.up_ms),
            downtime_s: Seconds(raw.down_ms),
            maintenance_s: Seconds(raw.maintenance_ms),
            mttr_s: raw.mttr_ms.map(Seconds),
        }),
        checks: row.checks,
        latency_ms: LatencyObject {
            p50: row.p50.map(Ms),
            p95: row.p95.map(Ms),
            p99: row.p99.map(Ms),
        },
    }
}

/// The object of a monitor over a period.
#[derive(Debug, Serialize)]
pub struct ReportObject<'a> {
    monitor: &'a str,
    /// With `--by-location` only; null for what the locations agree on.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Option<&'a str>>,
    url: Option<Cow<'a, str>>,
    from: Utc,
    to: Utc,
    uptime_percent: Option<f64>,
    coverage_percent: Option<f64>,
    outages: u64,
    up_s: Seconds,
    downtime_s: Seconds,
    longest_outage_s: Option<Seconds>,
    mttr_s: Option<Seconds>,
    degraded_s: Seconds,
    maintenance_s: Seconds,
    unknown_s: Seconds,
    amendments: u64,
    raw: Option<RawObject>,
    checks: u64,
    latency_ms: LatencyObject,
}

#[derive(Debug, Serialize)]
struct RawObject {
    uptime_percent: Option<f64>,
    outages: u64,
    up_s: Seconds,
    downtime_s: Seconds,
    maintenance_s: Seconds,
    mttr_s: Option<Seconds>,
}

#[derive(Debug, Serialize)]
struct LatencyObject {
    p50: Option<Ms>,
    p95: Option<Ms>,
    p99: Option<Ms>,
}
