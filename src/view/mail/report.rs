//! REPORT: a period in one table, the worst first. It is called calm only where all of it was watched.

use std::time::Duration;

use crate::domain::timestamp::Timestamp;
use crate::view::objective::ObjectiveRow;

use super::context::{Context, ReportRow};
use super::footer;
use super::outline::{Body, Cell, Doc, Table, Tone};
use super::subject;
use super::system::about_us;
use super::words;

/// So many monitors are named that were not watched all of the time.
const UNWATCHED_MAX: usize = 5;

/// At most this many of the slowest are named.
const SLOWEST_MAX: usize = 3;

/// The summary of a period.
pub(super) fn report(from: Timestamp, to: Timestamp, ctx: &Context) -> Doc {
    let period = subject::period(from, to);
    let rows = &ctx.report;
    let calm = is_calm(rows);
    let tone = if calm { Tone::Up } else { Tone::Plain };
    let symbol = if calm { "\u{25b2} " } else { "" };
    let mut doc = about_us(tone, format!("{symbol}REPORT {period}"), ctx);
    doc.lead.push(sentence(from, to, rows, ctx));
    footer::delay(&mut doc, ctx);
    unwatched(&mut doc, rows);
    slowest(&mut doc, rows);
    doc.part("All monitors", table(rows));
    doc.part(
        "Objectives",
        Body::Wide(Table {
            head: vec!["Objective", "Promised", "Uptime", "Coverage", "Budget left"],
            right: vec![1, 2, 3],
            breaks: 0,
            rows: ctx.objectives.iter().map(objective).collect(),
        }),
    );
    doc.part(
        "More",
        Body::Command(vec![format!("sitewatch report --period {period}")]),
    );
    doc.footer = footer::footer(ctx, "");
    doc
}

fn outages(rows: &[ReportRow]) -> (u64, Duration) {
    let outages = rows.iter().map(|row| u64::from(row.outages)).sum();
    (outages, rows.iter().map(|row| row.downtime).sum())
}

fn is_calm(rows: &[ReportRow]) -> bool {
    let watched = |row: &ReportRow| row.unwatched.is_zero() && row.maintenance.is_zero();
    outages(rows) == (0, Duration::ZERO) && !rows.is_empty() && rows.iter().all(watched)
}

/// A period in one sentence.
pub(super) fn sentence(
    from: Timestamp,
    to: Timestamp,
    rows: &[ReportRow],
    ctx: &Context,
) -> String {
    let (outages, downtime) = outages(rows);
    let span = format!("{} to {}", words::date(from, ctx), words::date(to, ctx));
    let monitors = words::count(rows.len() as u64, "monitor", "monitors");
    if rows.is_empty() {
        format!("{span}: there are no monitors to report on.")
    } else if is_calm(rows) {
        format!("{span}: a calm period, {monitors} without an outage.")
    } else if rows.iter().all(|row| row.watched.is_zero()) {
        format!("{span}: nothing was observed. No check says how {monitors} did.")
    } else if outages == 0 && downtime.is_zero() {
        format!("{span}: no outage was seen, but not all of the time was watched.")
    } else {
        format!(
            "{span}: {monitors}, {}, {} of downtime in total.",
            words::count(outages, "outage", "outages"),
            words::span(downtime)
        )
    }
}

/// All monitors, the worst first.
pub(super) fn table(rows: &[ReportRow]) -> Body {
    let mut sorted: Vec<&ReportRow> = rows.iter().collect();
    sorted.sort_by(|a, b| {
        (b.downtime, b.outages)
            .cmp(&(a.downtime, a.outages))
            .then_with(|| a.name.cmp(&b.name))
    });
    Body::Wide(Table {
        head: vec!["Monitor", "Uptime", "Coverage", "Outages", "Down", "p95"],
        right: vec![1, 2, 3, 4, 5],
        breaks: 0,
        rows: sorted.iter().map(|row| line(row)).collect(),
    })
}

/// The monitors that were not watched all of the time, the longest gap first.
fn unwatched(doc: &mut Doc, rows: &[ReportRow]) {
    let never: Vec<&ReportRow> = rows
        .iter()
        .filter(|row| row.watched.is_zero() && row.maintenance.is_zero())
        .collect();
    if !never.is_empty() {
        let names = never.iter().map(|row| row.name.to_string()).collect();
        doc.lead
            .push(format!("Not checked at all: {}.", first_of(names)));
    }
    let mut sentence = |what: &str, length: fn(&ReportRow) -> Duration| {
        let mut some: Vec<&ReportRow> = rows
            .iter()
            .filter(|row| !length(row).is_zero())
            .filter(|row| !row.watched.is_zero() || !row.maintenance.is_zero())
            .collect();
        some.sort_by_key(|row| (std::cmp::Reverse(length(row)), row.name.clone()));
        if !some.is_empty() {
            let named = some
                .iter()
                .map(|row| format!("{} for {}", row.name, words::span(length(row))));
            doc.lead
                .push(format!("{what}: {}.", first_of(named.collect())));
        }
    };
    sentence("Not watched", |row| row.unwatched);
    sentence("In maintenance", |row| row.maintenance);
    if rows.iter().any(|row| !row.unwatched.is_zero()) {
        doc.lead.push(
            "Uptime excludes maintenance and time without data; coverage says how much of the time since a \
             monitor's first check was observed."
                .to_owned(),
        );
    }
}

/// A list in words: the first names, and the count of the others.
fn first_of(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(UNWATCHED_MAX);
    let mut list = names
        .into_iter()
        .take(UNWATCHED_MAX)
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    list
}

fn slowest(doc: &mut Doc, rows: &[ReportRow]) {
    let mut timed: Vec<(&ReportRow, f64)> = rows
        .iter()
        .filter_map(|row| row.p95_ms.map(|p95| (row, p95)))
        .collect();
    timed.sort_by(|a, b| b.1.total_cmp(&a.1));
    let names: Vec<String> = timed
        .iter()
        .take(SLOWEST_MAX)
        .map(|(row, p95)| format!("{} ({})", row.name, milliseconds(*p95)))
        .collect();
    doc.prose("Slowest (p95)", names.join(", "));
}

fn line(row: &ReportRow) -> Vec<Cell> {
    let tone = if row.downtime.is_zero() {
        Tone::Plain
    } else {
        Tone::Down
    };
    vec![
        row.name.as_str().into(),
        Cell::toned(
            row.uptime_percent
                .map_or_else(|| "-".to_owned(), words::percent),
            tone,
        ),
        words::percent(row.coverage_percent).into(),
        words::number(row.outages.into()).into(),
        if row.downtime.is_zero() {
            "-".into()
        } else {
            words::span(row.downtime).into()
        },
        row.p95_ms
            .map_or_else(|| "-".to_owned(), milliseconds)
            .into(),
    ]
}

/// Of its own period, up to the end of the report's.
fn objective(row: &ObjectiveRow) -> Vec<Cell> {
    let percent = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), words::percent);
    let tone = if row.is_spent() {
        Tone::Down
    } else {
        Tone::Plain
    };
    vec![
        row.name.as_str().into(),
        row.target().into(),
        percent(row.uptime_percent).into(),
        percent(row.coverage_percent).into(),
        Cell::toned(row.left(), tone),
    ]
}

fn milliseconds(value: f64) -> String {
    // Durations are not negative and far below 2^53.
    format!("{} ms", words::number(value.round().max(0.0) as u64))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::monitor::MonitorName;

    const DAY: u64 = 86_400;

    /// A week of one monitor: so many seconds watched, in maintenance, and down.
    fn row(name: &str, watched: u64, maintenance: u64, down: u64) -> ReportRow {
        let rest = 7 * DAY - watched - maintenance;
        ReportRow {
            name: MonitorName::parse(name).unwrap(),
            uptime_percent: (watched > 0).then_some(100.0),
            coverage_percent: 100.0,
            watched: Duration::from_secs(watched),
            maintenance: Duration::from_secs(maintenance),
            unwatched: Duration::from_secs(rest),
            outages: u32::from(down > 0),
            downtime: Duration::from_secs(down),
            longest: Duration::from_secs(down),
            p95_ms: None,
        }
    }

    #[track_caller]
    fn check(rows: Vec<ReportRow>, want: &[&str]) {
        let to = Timestamp::from_ms(1_795_377_600_000);
        let from = to.minus(Duration::from_secs(7 * DAY));
        let mut ctx = Context::bare(to, TimeZone::UTC, "mon1");
        ctx.report = rows;
        let doc = report(from, to, &ctx);
        let lead: Vec<&str> = doc
            .lead
            .iter()
            .map(|line| {
                line.split_once(": ").map_or(&**line, |(head, rest)| {
                    if head.starts_with("20") { rest } else { line }
                })
            })
            .filter(|line| !line.starts_with("Uptime excludes"))
            .collect();
        assert_eq!(lead, want);
    }

    #[test]
    fn a_period_is_calm_only_where_all_of_it_was_watched() {
        let week = 7 * DAY;
        let whole = || row("a", week, 0, 0);
        check(vec![], &["there are no monitors to report on."]);
        check(
            vec![whole(), row("b", week, 0, 0)],
            &["a calm period, 2 monitors without an outage."],
        );
        let quiet = "no outage was seen, but not all of the time was watched.";
        check(
            vec![whole(), row("b", week - 90, 0, 0)],
            &[quiet, "Not watched: b for 1m 30s."],
        );
        check(
            vec![whole(), row("b", week - 3600, 3600, 0)],
            &[quiet, "In maintenance: b for 1h."],
        );
        check(
            vec![whole(), row("new", 0, 0, 0)],
            &[quiet, "Not checked at all: new."],
        );
        check(
            vec![row("a", 0, 0, 0), row("b", 0, 0, 0)],
            &[
                "nothing was observed. No check says how 2 monitors did.",
                "Not checked at all: a, b.",
            ],
        );
        check(
            vec![row("a", 0, week, 0)],
            &[
                "nothing was observed. No check says how 1 monitor did.",
                "In maintenance: a for 7d.",
            ],
        );
        let many = (1..=7).map(|n| row(&format!("m{n}"), week - n, 0, 0));
        check(
            many.collect(),
            &[
                quiet,
                "Not watched: m7 for 7s, m6 for 6s, m5 for 5s, m4 for 4s, m3 for 3s and 2 more.",
            ],
        );
        check(
            vec![row("a", week - 60, 0, 30)],
            &[
                "1 monitor, 1 outage, 30s of downtime in total.",
                "Not watched: a for 1m.",
            ],
        );
    }
}
