//! `/metrics`: the text format of Prometheus, version 0.0.4.

use std::borrow::Cow;
use std::fmt::{self, Write};

use crate::domain::check::{Check, CheckState};
use crate::domain::location::LocationStatus;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::{Flags, ShownState};

/// The current state of one monitor.
#[derive(Debug, Clone)]
pub struct MonitorMetrics<'a> {
    /// The label of all its series.
    pub name: &'a str,
    /// Only in the info series, so that a changed URL does not begin new series everywhere.
    pub url: Cow<'a, str>,
    /// Its state.
    pub state: ShownState,
    /// The flags beside the state.
    pub flags: Flags,
    /// The newest check.
    pub check: Option<&'a Check>,
    /// Uptime over 24 hours and 30 days, from 0 to 1.
    pub uptime: [Option<f64>; 2],
    /// What each of its locations says; empty without locations.
    pub locations: &'a [LocationStatus],
}

impl MonitorMetrics<'_> {
    /// The state; `None` while paused, pending or unknown.
    const fn known(&self) -> Option<ShownState> {
        match (self.flags.paused, self.state) {
            (true, _) | (false, ShownState::Pending | ShownState::Unknown) => None,
            (false, state @ (ShownState::Up | ShownState::Degraded | ShownState::Down)) => {
                Some(state)
            }
        }
    }

    /// The newest check while there are any: a series that nobody writes any more ends, as a target's does
    /// that is no longer scraped.
    const fn current(&self) -> Option<&Check> {
        if self.flags.paused { None } else { self.check }
    }
}

/// Observations counted into bins.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// Upper bounds in seconds with the count of each bin (not cumulative), in order.
    pub bins: Vec<(f64, u64)>,
    /// What was larger than the last bound.
    pub beyond: u64,
    /// The sum of all observations in seconds.
    pub sum_s: f64,
}

/// A number of the daemon itself.
#[derive(Debug, Clone)]
pub struct DaemonMetric {
    /// Its name with the unit; counters end in `_total`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// What it is.
    pub value: DaemonValue,
}

/// The value of a [`DaemonMetric`].
#[derive(Debug, Clone)]
pub enum DaemonValue {
    /// Goes up and down.
    Gauge(f64),
    /// Only grows while the daemon runs.
    Counter(u64),
    /// A gauge for each value of one label.
    Gauges(&'static str, Vec<(&'static str, f64)>),
    /// Observations.
    Histogram(Histogram),
}

/// A label value: `\`, `"` and line feeds are escaped, nothing else has a meaning there.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['\\', '"', '\n']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'\\' => "\\\\",
                b'"' => "\\\"",
                _ => "\\n",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

fn head(out: &mut impl Write, name: &str, kind: &str, help: &str) -> fmt::Result {
    write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
}

/// A gauge with one sample for each monitor that has a value.
fn gauge<'a>(
    out: &mut impl Write,
    rows: &[MonitorMetrics<'a>],
    (name, help): (&str, &str),
    value: impl Fn(&MonitorMetrics<'a>) -> Option<f64>,
) -> fmt::Result {
    head(out, name, "gauge", help)?;
    for row in rows {
        if let Some(value) = value(row) {
            writeln!(out, "{name}{{monitor=\"{}\"}} {value}", Label(row.name))?;
        }
    }
    Ok(())
}

fn seconds(at: Timestamp) -> f64 {
    // Exact: milliseconds of any year that jiff knows have fewer than 53 bits.
    at.as_ms() as f64 / 1000.0
}

const fn bit(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}

/// Everything.
///
/// # Errors
/// Those of `out`.
pub fn metrics(
    out: &mut impl Write,
    monitors: &[MonitorMetrics<'_>],
    daemon: &[DaemonMetric],
) -> fmt::Result {
    states(out, monitors)?;
    latest(out, monitors)?;
    if monitors.iter().any(|row| !row.locations.is_empty()) {
        locations(out, monitors)?;
    }
    for metric in daemon {
        daemon_metric(out, metric)?;
    }
    Ok(())
}

fn states(out: &mut impl Write, rows: &[MonitorMetrics<'_>]) -> fmt::Result {
    let text = (
        "sitewatch_up",
        "1 for up and degraded, 0 for down; absent while nothing is known.",
    );
    gauge(out, rows, text, |row| {
        Some(bit(row.known()? != ShownState::Down))
    })?;
    let text = (
        "sitewatch_degraded",
        "1 while the monitor answers well but slowly, now and then, or with a certificate that expires soon; \
         absent while nothing is known.",
    );
    gauge(out, rows, text, |row| {
        Some(bit(row.known()? == ShownState::Degraded))
    })?;
    let text = (
        "sitewatch_paused",
        "1 while the monitor is not checked, by order.",
    );
    gauge(out, rows, text, |row| Some(bit(row.flags.paused)))?;
    let text = (
        "sitewatch_maintenance",
        "1 while a maintenance window covers the monitor.",
    );
    gauge(out, rows, text, |row| Some(bit(row.flags.maintenance)))?;
    let name = "sitewatch_uptime_ratio";
    let help = "Good share of the observed time outside maintenance.";
    head(out, name, "gauge", help)?;
    for row in rows {
        for (window, share) in ["24h", "30d"].into_iter().zip(row.uptime) {
            if let Some(share) = share {
                let monitor = Label(row.name);
                writeln!(
                    out,
                    "{name}{{monitor=\"{monitor}\",window=\"{window}\"}} {share}"
                )?;
            }
        }
    }
    let name = "sitewatch_monitor_info";
    head(out, name, "gauge", "Always 1; tells the monitor's URL.")?;
    for row in rows {
        let (monitor, url) = (Label(row.name), Label(&row.url));
        writeln!(out, "{name}{{monitor=\"{monitor}\",url=\"{url}\"}} 1")?;
    }
    Ok(())
}

fn latest(out: &mut impl Write, rows: &[MonitorMetrics<'_>]) -> fmt::Result {
    let name = "sitewatch_check_duration_seconds";
    let help = "Where the time of the newest check went; phases are summed over its redirects.";
    head(out, name, "gauge", help)?;
    for row in rows {
        let Some(check) = row.current() else {
            continue;
        };
        let monitor = Label(row.name);
        let total = ("total", Some(check.timings.total));
        for (phase, time) in check.timings.phases().into_iter().chain([total]) {
            if let Some(time) = time {
                let (whole, part) = (time.get() / 1_000_000, time.get() % 1_000_000);
                writeln!(
                    out,
                    "{name}{{monitor=\"{monitor}\",phase=\"{phase}\"}} {whole}.{part:06}"
                )?;
            }
        }
    }
    let text = (
        "sitewatch_status_code",
        "The last HTTP status of the newest check; absent where none came.",
    );
    gauge(out, rows, text, |row| {
        row.current().and_then(|check| check.status).map(f64::from)
    })?;
    let text = (
        "sitewatch_redirects",
        "How many redirects the newest check met.",
    );
    gauge(out, rows, text, |row| {
        row.current()
            .map(|check| check.chain.redirects.len() as f64)
    })?;
    let text = (
        "sitewatch_certificate_not_after_seconds",
        "When the first certificate of the path ends, in seconds since 1970.",
    );
    gauge(out, rows, text, |row| {
        let certificate = row.current()?.certificate.as_ref()?;
        Some(seconds(certificate.not_after))
    })?;
    let text = (
        "sitewatch_last_check_timestamp_seconds",
        "When the newest check began, in seconds since 1970.",
    );
    gauge(out, rows, text, |row| {
        row.check.map(|check| seconds(check.at))
    })
}

/// What each location of each monitor says.
fn locations(out: &mut impl Write, rows: &[MonitorMetrics<'_>]) -> fmt::Result {
    let is_up = |one: &LocationStatus| match one.state {
        CheckState::Up | CheckState::Degraded => Some(1.0),
        CheckState::Down => Some(0.0),
        CheckState::Unknown => None,
    };
    location_gauge(
        out,
        rows,
        (
            "sitewatch_location_up",
            "1 for up and degraded as seen from a location, 0 for down; absent while its word does not count.",
        ),
        is_up,
    )?;
    location_gauge(
        out,
        rows,
        (
            "sitewatch_location_check_duration_seconds",
            "How long the newest check of a location took.",
        ),
        |one| Some(one.total?.as_ms() / 1000.0),
    )?;
    location_gauge(
        out,
        rows,
        (
            "sitewatch_location_last_check_timestamp_seconds",
            "When the newest check of a location began, in seconds since 1970.",
        ),
        |one| one.last_check_at.map(seconds),
    )
}

fn location_gauge(
    out: &mut impl Write,
    rows: &[MonitorMetrics<'_>],
    (name, help): (&str, &str),
    value: impl Fn(&LocationStatus) -> Option<f64>,
) -> fmt::Result {
    head(out, name, "gauge", help)?;
    for row in rows.iter().filter(|row| !row.flags.paused) {
        let monitor = Label(row.name);
        for one in row.locations {
            if let Some(value) = value(one) {
                let location = &one.location;
                writeln!(
                    out,
                    "{name}{{monitor=\"{monitor}\",location=\"{location}\"}} {value}"
                )?;
            }
        }
    }
    Ok(())
}

fn daemon_metric(out: &mut impl Write, metric: &DaemonMetric) -> fmt::Result {
    let name = metric.name;
    match &metric.value {
        DaemonValue::Gauge(value) => {
            head(out, name, "gauge", metric.help)?;
            writeln!(out, "{name} {value}")
        }
        DaemonValue::Counter(value) => {
            head(out, name, "counter", metric.help)?;
            writeln!(out, "{name} {value}")
        }
        DaemonValue::Gauges(label, values) => {
            head(out, name, "gauge", metric.help)?;
            for (word, value) in values {
                writeln!(out, "{name}{{{label}=\"{}\"}} {value}", Label(word))?;
            }
            Ok(())
        }
        DaemonValue::Histogram(histogram) => {
            head(out, name, "histogram", metric.help)?;
            let mut sum = 0;
            for (bound, count) in &histogram.bins {
                sum += count;
                writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {sum}")?;
            }
            sum += histogram.beyond;
            writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {sum}")?;
            writeln!(out, "{name}_sum {}\n{name}_count {sum}", histogram.sum_s)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::check::{Certificate, Chain, Micros, Timings, Verdict};

    fn check() -> Check {
        Check {
            at: Timestamp::from_ms(1_795_377_600_123),
            verdict: Verdict::Up,
            status: Some(200),
            chain: Arc::new(Chain::default()),
            redirect_times: Box::default(),
            timings: Timings {
                dns: Some(Micros::new(1_203)),
                total: Micros::new(1_077_000),
                ..Timings::default()
            },
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: Some(Arc::new(Certificate {
                not_after: Timestamp::from_ms(1_798_761_600_000),
                not_before: Timestamp::from_ms(0),
                subject: String::new(),
                issuer: String::new(),
                fingerprint: 0,
            })),
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }
    }

    fn row<'a>(name: &'a str, state: ShownState, check: Option<&'a Check>) -> MonitorMetrics<'a> {
        MonitorMetrics {
            name,
            url: Cow::Borrowed("https://e/"),
            state,
            flags: Flags::default(),
            check,
            uptime: [Some(0.9998), None],
            locations: &[],
        }
    }

    #[test]
    fn the_whole_text() {
        let check = check();
        let rows = [
            row("a \"b\"\\", ShownState::Degraded, Some(&check)),
            row("c", ShownState::Unknown, None),
            row("d", ShownState::Down, None),
            MonitorMetrics {
                flags: Flags {
                    paused: true,
                    ..Flags::default()
                },
                ..row("p", ShownState::Down, Some(&check))
            },
        ];
        let daemon = [DaemonMetric {
            name: "sitewatch_check_lateness_seconds",
            help: "How much later than planned checks began.",
            value: DaemonValue::Histogram(Histogram {
                bins: vec![(0.01, 2), (1.0, 1)],
                beyond: 1,
                sum_s: 3.5,
            }),
        }];
        let mut text = String::new();
        metrics(&mut text, &rows, &daemon).unwrap();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                r#"sitewatch_up{monitor="a \"b\"\\"} 1"#,
                r#"sitewatch_up{monitor="d"} 0"#,
                r#"sitewatch_degraded{monitor="a \"b\"\\"} 1"#,
                r#"sitewatch_degraded{monitor="d"} 0"#,
                r#"sitewatch_paused{monitor="a \"b\"\\"} 0"#,
                r#"sitewatch_paused{monitor="c"} 0"#,
                r#"sitewatch_paused{monitor="d"} 0"#,
                r#"sitewatch_paused{monitor="p"} 1"#,
                r#"sitewatch_maintenance{monitor="a \"b\"\\"} 0"#,
                r#"sitewatch_maintenance{monitor="c"} 0"#,
                r#"sitewatch_maintenance{monitor="d"} 0"#,
                r#"sitewatch_maintenance{monitor="p"} 0"#,
                r#"sitewatch_uptime_ratio{monitor="a \"b\"\\",window="24h"} 0.9998"#,
                r#"sitewatch_uptime_ratio{monitor="c",window="24h"} 0.9998"#,
                r#"sitewatch_uptime_ratio{monitor="d",window="24h"} 0.9998"#,
                r#"sitewatch_uptime_ratio{monitor="p",window="24h"} 0.9998"#,
                r#"sitewatch_monitor_info{monitor="a \"b\"\\",url="https://e/"} 1"#,
                r#"sitewatch_monitor_info{monitor="c",url="https://e/"} 1"#,
                r#"sitewatch_monitor_info{monitor="d",url="https://e/"} 1"#,
                r#"sitewatch_monitor_info{monitor="p",url="https://e/"} 1"#,
                r#"sitewatch_check_duration_seconds{monitor="a \"b\"\\",phase="dns"} 0.001203"#,
                r#"sitewatch_check_duration_seconds{monitor="a \"b\"\\",phase="total"} 1.077000"#,
                r#"sitewatch_status_code{monitor="a \"b\"\\"} 200"#,
                r#"sitewatch_redirects{monitor="a \"b\"\\"} 0"#,
                r#"sitewatch_certificate_not_after_seconds{monitor="a \"b\"\\"} 1798761600"#,
                r#"sitewatch_last_check_timestamp_seconds{monitor="a \"b\"\\"} 1795377600.123"#,
                r#"sitewatch_last_check_timestamp_seconds{monitor="p"} 1795377600.123"#,
                r#"sitewatch_check_lateness_seconds_bucket{le="0.01"} 2"#,
                r#"sitewatch_check_lateness_seconds_bucket{le="1"} 3"#,
                r#"sitewatch_check_lateness_seconds_bucket{le="+Inf"} 4"#,
                "sitewatch_check_lateness_seconds_sum 3.5",
                "sitewatch_check_lateness_seconds_count 4",
            ]
        );
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn a_label_comes_back_as_it_was(name in any::<String>()) {
            let shown = Label(&name).to_string();
            prop_assert!(!shown.contains('\n'));
            let mut back = String::new();
            let mut chars = shown.chars();
            while let Some(c) = chars.next() {
                prop_assert_ne!(c, '"');
                back.push(match c {
                    '\\' => match chars.next() { Some('n') => '\n', Some(c) => c, None => '?' },
                    c => c,
                });
            }
            prop_assert_eq!(back, name);
        }
    }
}
