//! REPORT: a period in one table, the worst first; a calm one when nothing happened.

use std::time::Duration;

use crate::domain::timestamp::Timestamp;

use super::about_us::about_us;
use super::context::{Context, ReportRow};
use super::doc::{Body, Cell, Doc, Table, Tone};
use super::notes;
use super::subject;
use super::words;

/// So many of the slowest are named.
const SLOWEST_MAX: usize = 3;

/// The summary of a period.
pub(super) fn report(from: Timestamp, to: Timestamp, ctx: &Context) -> Doc {
    let period = subject::period(from, to);
    let rows = &ctx.report;
    let outages: u64 = rows.iter().map(|row| u64::from(row.outages)).sum();
    let downtime: Duration = rows.iter().map(|row| row.downtime).sum();
    let calm = outages == 0 && downtime.is_zero();
    let tone = if calm { Tone::Up } else { Tone::Plain };
    let symbol = if calm { "\u{25b2} " } else { "" };
    let mut doc = about_us(tone, format!("{symbol}REPORT {period}"), ctx);
    let span = format!("{} to {}", words::date(from, ctx), words::date(to, ctx));
    let monitors = words::count(rows.len() as u64, "monitor", "monitors");
    doc.lead.push(if rows.is_empty() {
        format!("{span}: there are no monitors to report on.")
    } else if calm {
        format!("{span}: a calm period. No outage of any of {monitors}.")
    } else {
        format!(
            "{span}: {} of {monitors}, {} of downtime in all.",
            words::count(outages, "outage", "outages"),
            words::span(downtime)
        )
    });
    notes::delay(&mut doc, ctx);
    let unseen: Vec<&ReportRow> = rows
        .iter()
        .filter(|row| row.coverage_percent < 99.0)
        .collect();
    if !unseen.is_empty() {
        doc.lead.push(format!(
            "{} observed for less than 99 % of the period: uptime is over the observed time only, \
             coverage says how much that was.",
            if unseen.len() == 1 {
                "1 monitor was".to_owned()
            } else {
                format!("{} monitors were", unseen.len())
            }
        ));
    }
    slowest(&mut doc, rows);
    let mut sorted: Vec<&ReportRow> = rows.iter().collect();
    sorted.sort_by(|a, b| {
        (b.downtime, b.outages)
            .cmp(&(a.downtime, a.outages))
            .then_with(|| a.name.cmp(&b.name))
    });
    doc.part(
        "All monitors",
        Body::Wide(Table {
            head: vec!["Monitor", "Uptime", "Coverage", "Outages", "Down", "p95"],
            right: vec![1, 2, 3, 4, 5],
            breaks: 0,
            rows: sorted.iter().map(|row| line(row)).collect(),
        }),
    );
    doc.part(
        "More",
        Body::Command(vec![format!("sitewatch report --period {period}")]),
    );
    doc.footer = notes::footer(ctx, "");
    doc
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

fn milliseconds(value: f64) -> String {
    // Durations are not negative and far below 2^53.
    format!("{} ms", words::number(value.round().max(0.0) as u64))
}
