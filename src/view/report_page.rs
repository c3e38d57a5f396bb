//! A report as one page that needs nothing else: no network, no script, its style and charts inside.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::objective::{self, ObjectiveRow};
use super::page::bars::{self, Form};
use super::page::brand::Brand;
use super::page::chart;
use super::page::rows::{Chart, Day, Frame};
use super::page::words;
use super::rows::{IncidentRow, ReportRow};
use super::time_text::{self, Clock, grouped};
use crate::domain::duration_text::Human;

/// The status page's style: the two look alike.
const STYLE: &str = include_str!("page/style.css");

/// Bars of fewer days do not fill the width: a lone day would be a block.
const PLACES_MIN: usize = 30;

/// What one monitor's part shows.
#[derive(Debug)]
pub struct Part {
    /// The numbers.
    pub row: ReportRow,
    /// The days of the period, in the configured zone.
    pub days: Vec<Day>,
    /// The latency.
    pub chart: Chart,
    /// Outages, newest first.
    pub incidents: Vec<IncidentRow>,
}

/// The page.
pub fn page(parts: &[Part], objectives: &[ObjectiveRow], title: &str, clock: &Clock) -> String {
    let frame = Frame {
        title: title.to_owned(),
        zone: clock.zone.clone(),
        now: clock.now,
        trusted: true,
        brand: Brand::default(),
    };
    let caption = clock.caption();
    let whole: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (title) } p.quiet { "Made " (clock.civil(clock.now)) ", " (caption) } }
                main {
                    (summary(parts))
                    (objective_table(objectives))
                    @for (index, part) in parts.iter().enumerate() { (section(index, part, &frame, clock)) }
                    (definitions())
                }
                footer { p { "sitewatch " (env!("CARGO_PKG_VERSION")) } }
            }
        }
    };
    whole.into_string()
}

fn summary(parts: &[Part]) -> Markup {
    html! {
        section {
            h2 { "Summary" }
            div.scroll tabindex="0" role="region" aria-label="Summary" { table {
                thead { tr {
                    th { "Monitor" }
                    @for title in ["Uptime", "Covered", "Outages", "Down", "Longest", "MTTR", "p50", "p95", "p99", "Checks"] {
                        th.num { (title) }
                    }
                } }
                tbody { @for (index, part) in parts.iter().enumerate() { tr {
                    th scope="row" { a href={ "#m" (index) } { (part.row.monitor) } }
                    @for cell in numbers(&part.row) { td.num { (cell) } }
                } } }
            } }
        }
    }
}

fn objective_table(rows: &[ObjectiveRow]) -> Markup {
    let burn = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), objective::times);
    html! {
        @if !rows.is_empty() { section {
            h2 { "Objectives" }
            div.scroll tabindex="0" role="region" aria-label="Objectives" { table {
                thead { tr {
                    th { "Objective" }
                    @for title in ["Promised", "Uptime", "Covered", "Budget left", "Burn 1 h", "6 h", "3 d"] {
                        th.num { (title) }
                    }
                } }
                tbody { @for row in rows { tr {
                    th scope="row" { (row.name) }
                    td.num { (row.target()) }
                    td.num { (time_text::percent(row.uptime_percent)) }
                    td.num { (time_text::percent(row.coverage_percent)) }
                    td.num { (row.left()) }
                    @for rate in row.burns { td.num { (burn(rate)) } }
                } } }
            } }
        } }
    }
}

fn numbers(row: &ReportRow) -> [String; 10] {
    let length = |ms: Option<u64>| time_text::length(ms.map(Duration::from_millis));
    let latency = |time: Option<_>| time.map_or_else(|| "-".to_owned(), time_text::ms);
    [
        time_text::percent(row.uptime_percent),
        time_text::percent(row.coverage_percent),
        row.outages.to_string(),
        length((row.down_ms > 0).then_some(row.down_ms)),
        length(row.longest_outage_ms),
        length(row.mttr_ms),
        latency(row.p50),
        latency(row.p95),
        latency(row.p99),
        grouped(row.checks),
    ]
}

/// Anchors are numbers: names may hold anything.
fn section(index: usize, part: &Part, frame: &Frame, clock: &Clock) -> Markup {
    let row = &part.row;
    html! {
        section id={ "m" (index) } {
            h2 { (row.monitor) }
            p.url { (row.url) }
            @if row.from < row.to {
                p { (time_text::percent(row.uptime_percent)) " up, " (time_text::percent(row.coverage_percent))
                    " covered, " (clock.civil(row.from)) " to " (clock.civil(row.to)) }
            } @else { p.quiet { "Nothing is recorded of this period." } }
            @let days = &part.days[part.days.len().saturating_sub(bars::DAYS)..];
            @if let (Some(first), Some(last)) = (days.first(), days.last()) {
                @let places = days.len().max(PLACES_MIN);
                @let label = format!("{}: uptime by day", row.monitor);
                (bars::bars_in(places, days, &label, Form::Wide))
                // A few days stand at the right, and so must what they are.
                @if days.len() < places {
                    p.ends.few aria-hidden="true" { (words::day(first.date)) " to " (words::day(last.date)) }
                } @else {
                    p.ends aria-hidden="true" { span { (words::day(first.date)) } span { (words::day(last.date)) } }
                }
            }
            (chart::chart(frame, &row.monitor, &part.chart))
            (outages(row, &part.incidents, clock))
        }
    }
}

fn outages(row: &ReportRow, incidents: &[IncidentRow], clock: &Clock) -> Markup {
    if incidents.is_empty() {
        let all = row.coverage_percent.is_some_and(|covered| covered >= 100.0);
        return match (row.from < row.to, all) {
            (false, _) => html! {},
            (true, true) => html! { p.quiet { "No outage." } },
            (true, false) => {
                html! { p.quiet { "No outage was seen in the time that was covered." } }
            }
        };
    }
    let monitor = &row.monitor;
    html! {
        div.scroll tabindex="0" role="region" aria-label={ (monitor) ": outages" } { table {
            thead { tr { th { "From" } th { "To" } th.num { "Lasted" } th { "Cause" } th.num { "Failed checks" } } }
            tbody { @for row in incidents {
                @let incident = &row.incident;
                @let end = incident.closed_at;
                tr {
                    td { (clock.civil(incident.opened_at())) }
                    td { @match end { Some(at) => { (clock.civil(at)) } None => { "still down" } } }
                    td.num { (Human(end.unwrap_or(clock.now).since(incident.opened_at()))) }
                    td { (incident.cause.failure.detail) @if incident.maintenance { " (maintenance)" } }
                    td.num { (incident.checks_failed) }
                }
            } }
        } }
    }
}

fn definitions() -> Markup {
    html! {
        section.legend {
            h2 { "What the numbers mean" }
            p { "Uptime is (up + degraded) / (up + degraded + down) over the time that was observed; covered is how much "
                "of the period that was. An outage lasts from its first failed to its first good check. Maintenance and "
                "unknown time count neither way. Percentages are truncated, never rounded up: 100.00 % means no downtime." }
            p { "An objective counts its own period up to the end of the report's. Its budget is what it allows to be lost; "
                "a burn of 1x uses it up exactly when the period is over." }
            p { "In the charts of latency the line is the median and the band reaches to the 95th percentile; a block on "
                "the ground is an outage." }
        }
    }
}
