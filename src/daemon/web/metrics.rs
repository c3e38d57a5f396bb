//! `/metrics` and `/healthz`: numbers for machines.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hyper::StatusCode;

use super::history_cache::Past;
use super::reply::{JSON, Keep, Made, Reply};
use super::visible::{View, state_of};
use crate::daemon::health::counters::{COMMIT_BOUNDS_US, Health, LATENESS_BOUNDS_MS, Part};
use crate::daemon::health::self_check;
use crate::daemon::logging;
use crate::view::metrics::{self, DaemonMetric, DaemonValue, Histogram, MonitorMetrics};
use crate::view::page::rows::State;

/// A part that says nothing for this long does not live.
const SILENT_AT_MOST: Duration = Duration::from_secs(30);
/// A line of a monitor; so much room is made beforehand for each.
const BYTES_PER_MONITOR: usize = 1500;

/// `/metrics`.
pub(super) fn metrics(view: &View<'_>, past: &mut Past, health: &Health) -> Made {
    let monitors: Vec<MonitorMetrics<'_>> = view
        .lives
        .iter()
        .map(|live| {
            let known = past.of(live.id);
            MonitorMetrics {
                name: live.monitor.name.as_str(),
                url: view
                    .url(&live.monitor.url_shown(), true)
                    .into_owned()
                    .into(),
                state: live.shown.state,
                flags: live.shown.flags,
                check: live.newest.as_deref(),
                uptime: [known.percent_24h, known.percent_30d]
                    .map(|percent| percent.map(|percent| percent / 100.0)),
                locations: live.locations.as_deref().map_or(&[], Vec::as_slice),
            }
        })
        .collect();
    let mut text = String::with_capacity(4096 + monitors.len() * BYTES_PER_MONITOR);
    let daemon = daemon(view, health);
    metrics::metrics(&mut text, &monitors, &daemon).expect("a String takes all writes");
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(Reply::new(media_type, Keep::Revalidate, text))
}

const fn metric(name: &'static str, help: &'static str, value: DaemonValue) -> DaemonMetric {
    DaemonMetric { name, help, value }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> DaemonMetric {
    // Counts of things in memory: far below 2^53.
    metric(name, help, DaemonValue::Gauge(value as f64))
}

const fn counter(name: &'static str, help: &'static str, value: u64) -> DaemonMetric {
    metric(name, help, DaemonValue::Counter(value))
}

/// A moment; 0, as Prometheus has it, where there was none.
fn moment(name: &'static str, help: &'static str, ms: i64) -> DaemonMetric {
    metric(name, help, DaemonValue::Gauge(ms as f64 / 1000.0))
}

fn daemon(view: &View<'_>, health: &Health) -> Vec<DaemonMetric> {
    let mut all = vec![states(view)];
    if let Ok(leads) = u64::try_from(health.leads.load(Relaxed)) {
        all.push(gauge(
            "sitewatch_cluster_leader",
            "1 while this hub leads: it decides and tells.",
            leads,
        ));
    }
    all.extend(work(health));
    all.extend(writing(health));
    let silent = Part::ALL
        .map(|part| (part.as_str(), health.silent_for(part).as_secs_f64()))
        .to_vec();
    let healthy = self_check::troubles(health).is_empty();
    all.extend([
        metric(
            "sitewatch_part_silent_seconds",
            "How long ago each part of the daemon made progress.",
            DaemonValue::Gauges("part", silent),
        ),
        gauge(
            "sitewatch_healthy",
            "1 while checks run on time, the database takes writes and mail is not stuck.",
            u64::from(healthy),
        ),
        moment(
            "sitewatch_start_time_seconds",
            "When the daemon started, in seconds since 1970.",
            health.started_at.as_ms(),
        ),
        counter(
            "sitewatch_log_lines_lost_total",
            "Lines of the log that were lost because nobody took them.",
            logging::lost(),
        ),
        metric(
            "sitewatch_build_info",
            "Always 1; tells the version.",
            DaemonValue::Gauges("version", vec![(env!("CARGO_PKG_VERSION"), 1.0)]),
        ),
    ]);
    all
}

/// Only those that the reader may see are counted: a number tells of the others as a name does.
fn states(view: &View<'_>) -> DaemonMetric {
    let counts = State::ALL.map(|state| {
        let count = view.lives.iter().filter(|live| state_of(live) == state);
        (state.as_str(), count.count() as f64)
    });
    metric(
        "sitewatch_monitors",
        "How many monitors are in each state.",
        DaemonValue::Gauges("state", counts.to_vec()),
    )
}

/// A histogram in seconds of bins whose bounds have another unit, of which a second has `per_second`.
fn histogram(bounds: &[u64], bins: &[u64], sum: u64, per_second: f64) -> DaemonValue {
    DaemonValue::Histogram(Histogram {
        bins: bounds
            .iter()
            .zip(bins)
            .map(|(bound, count)| (*bound as f64 / per_second, *count))
            .collect(),
        beyond: bins.get(bounds.len()).copied().unwrap_or(0),
        sum_s: sum as f64 / per_second,
    })
}

fn work(health: &Health) -> Vec<DaemonMetric> {
    let (bins, sum_ms) = health.lateness();
    vec![
        counter(
            "sitewatch_checks_total",
            "Checks begun.",
            health.checks.load(Relaxed),
        ),
        gauge(
            "sitewatch_checks_in_flight",
            "Checks on their way.",
            health.in_flight.load(Relaxed),
        ),
        gauge(
            "sitewatch_checks_waiting",
            "Monitors that are due and wait for a free place.",
            health.waiting.load(Relaxed),
        ),
        counter(
            "sitewatch_checks_missed_total",
            "Slots that passed without a check.",
            health.missed.load(Relaxed),
        ),
        counter(
            "sitewatch_check_panics_total",
            "Checks that ended in a fault of ours.",
            health.panics.load(Relaxed),
        ),
        metric(
            "sitewatch_check_lateness_seconds",
            "How much later than planned checks began.",
            histogram(&LATENESS_BOUNDS_MS, &bins, sum_ms, 1000.0),
        ),
    ]
}

fn writing(health: &Health) -> Vec<DaemonMetric> {
    let (bins, sum_us) = health.commits();
    vec![
        metric(
            "sitewatch_commit_duration_seconds",
            "How long transactions took, from the first statement to the end of the commit.",
            histogram(&COMMIT_BOUNDS_US, &bins, sum_us, 1_000_000.0),
        ),
        gauge(
            "sitewatch_queue_depth",
            "Results on their way to the database.",
            health.queued.load(Relaxed),
        ),
        counter(
            "sitewatch_results_given_up_total",
            "Results that were dropped because the database took no writes.",
            health.given_up.load(Relaxed),
        ),
        moment(
            "sitewatch_last_write_timestamp_seconds",
            "When the database last took a write, in seconds since 1970.",
            health.written_at_ms.load(Relaxed),
        ),
        gauge(
            "sitewatch_write_failing",
            "1 while the last attempt to write failed.",
            u64::from(health.write_failing.load(Relaxed)),
        ),
        gauge(
            "sitewatch_sources",
            "Lists that give monitors.",
            health.lists.load(Relaxed),
        ),
        gauge(
            "sitewatch_sources_refused",
            "Lists that are refused now, so that the one before stays in force.",
            health.lists_refused.load(Relaxed),
        ),
        gauge(
            "sitewatch_mails_waiting",
            "Mails that have not left.",
            health.mails_waiting.load(Relaxed),
        ),
        gauge(
            "sitewatch_mails_held_until_opening",
            "Mails that wait for the opening hours of their recipients.",
            health.mails_for_hours.load(Relaxed),
        ),
        moment(
            "sitewatch_mail_waits_since_timestamp_seconds",
            "Since when the oldest mail that may leave waits, in seconds since 1970; 0 when none does.",
            health.mail_waits_since_ms.load(Relaxed),
        ),
        moment(
            "sitewatch_mail_refused_timestamp_seconds",
            "When a mail was last refused for good, in seconds since 1970; 0: never.",
            health.mail_refused_at_ms.load(Relaxed),
        ),
        counter(
            "sitewatch_mails_sent_total",
            "Mails that a server accepted.",
            health.mails_sent.load(Relaxed),
        ),
        gauge(
            "sitewatch_mail_paused",
            "1 while sending rests after a refusal that concerns all mails.",
            u64::from(health.mail_pause().is_some()),
        ),
    ]
}

/// `/healthz`: 200 while every part lives, else 503; always says which.
pub(super) fn health(health: &Health) -> Reply {
    let mut parts = serde_json::Map::new();
    let mut alive = true;
    for part in Part::ALL {
        let silent = health.silent_for(part);
        let lives = silent <= SILENT_AT_MOST;
        alive &= lives;
        let seconds = (silent.as_secs_f64() * 1000.0).round() / 1000.0;
        let what = serde_json::json!({ "alive": lives, "silent_s": seconds });
        parts.insert(part.as_str().to_owned(), what);
    }
    let troubles = self_check::troubles(health);
    let body = serde_json::json!({
        "status": if alive { "ok" } else { "failing" },
        "healthy": troubles.is_empty(),
        "troubles": troubles,
        "parts": parts,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let status = if alive {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Reply::new(JSON, Keep::Never, body.to_string()).with_status(status)
}
