//! `/`: everything at a glance, what is wrong first.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::rows::{Frame, IncidentRow, MonitorRow, Overview, State, WindowRow};
use super::{bars, frame, sparkline, words};

/// More monitors than this go to further pages.
pub const MONITORS_PER_PAGE: usize = 1000;
/// From here on rows off the screen are not laid out.
const MANY: usize = 60;
/// Names of a window that are listed one by one.
const WINDOW_NAMES_MAX: usize = 8;
/// Open incidents shown in full; the monitors below show the others.
const OPEN_MAX: usize = 50;

/// The page.
pub fn overview(data: &Overview) -> Markup {
    let (state, sentence) = words::overall(&data.monitors);
    let heading = html! { h1 { (data.frame.title) } };
    let tab = format!("{sentence} - {}", data.frame.title);
    let main = html! {
        div class={ "banner " (state.as_str()) } {
            span.sign aria-hidden="true" { (state.sign()) }
            p { (sentence) }
        }
        @if !data.trouble.is_empty() {
            section.trouble aria-labelledby="trouble" {
                h2 id="trouble" { "The watcher itself" }
                ul { @for line in &data.trouble { li { (line) } } }
            }
        }
        (open_incidents(data))
        (windows(&data.frame, &data.windows))
        (groups(data))
    };
    frame::page(&data.frame, &heading, &tab, state, &main)
}

fn open_incidents(data: &Overview) -> Markup {
    html! {
        @if !data.open.is_empty() {
            section.incidents aria-labelledby="open" {
                h2 id="open" { "Open incidents" }
                ul {
                    @for incident in data.open.iter().take(OPEN_MAX) { (open_incident(&data.frame, incident)) }
                }
                @if data.open.len() > OPEN_MAX {
                    p.quiet { "and " (data.open.len() - OPEN_MAX) " more" }
                }
            }
        }
    }
}

fn open_incident(frame: &Frame, incident: &IncidentRow) -> Markup {
    html! {
        li {
            p { a.name href=(words::monitor_path(&incident.monitor)) { (incident.monitor) }
                " is down: " strong { (incident.cause) } }
            @if !incident.detail.is_empty() { p { (incident.detail) } }
            p.quiet { "Since " (words::moment(frame, incident.opened_at)) ", for "
                (words::lasted(incident, frame.now)) ". "
                (words::counted(incident.checks_failed as usize, "failed check")) "."
                @if incident.maintenance { " In maintenance." }
                @if let Some(at) = incident.acked_at { " Acknowledged " (words::moment(frame, at))
                    @if !incident.ack_note.is_empty() { ": " (incident.ack_note) } "." } }
        }
    }
}

/// Maintenance that runs or is to come.
pub fn windows(frame: &Frame, windows: &[WindowRow]) -> Markup {
    html! {
        @if !windows.is_empty() {
            section.windows aria-labelledby="maintenance" {
                h2 id="maintenance" { "Maintenance" }
                ul {
                    @for window in windows {
                        li {
                            @if window.start <= frame.now { strong { "Now" } " until " }
                            @else { (words::minute(frame, window.start)) " to " }
                            (words::minute(frame, window.end)) ": "
                            @if window.monitors.is_empty() { "all monitors" }
                            @for (index, name) in window.monitors.iter().take(WINDOW_NAMES_MAX).enumerate() {
                                @if index > 0 { ", " }
                                (name)
                            }
                            @if window.monitors.len() > WINDOW_NAMES_MAX {
                                " and " (window.monitors.len() - WINDOW_NAMES_MAX) " more"
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Monitors under their first tag, in the order in which the tags appear; those without a tag last.
fn grouped<'a>(rows: &[&'a MonitorRow]) -> Vec<(Option<&'a str>, Vec<&'a MonitorRow>)> {
    let mut order: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut groups: Vec<(Option<&str>, Vec<&MonitorRow>)> = Vec::new();
    for row in rows {
        let tag = row.tags.first().map(String::as_str);
        let index = *order.entry(tag).or_insert_with(|| {
            groups.push((tag, Vec::new()));
            groups.len() - 1
        });
        groups[index].1.push(row);
    }
    groups.sort_by_key(|(tag, _)| tag.is_none());
    groups
}

fn groups(data: &Overview) -> Markup {
    let wanted: Vec<&MonitorRow> = data
        .monitors
        .iter()
        .filter(|row| data.tag.as_ref().is_none_or(|tag| row.tags.contains(tag)))
        .collect();
    let pages = wanted.len().div_ceil(MONITORS_PER_PAGE).max(1);
    let page = data.page.min(pages - 1);
    let shown: Vec<&MonitorRow> = wanted
        .iter()
        .skip(page * MONITORS_PER_PAGE)
        .take(MONITORS_PER_PAGE)
        .copied()
        .collect();
    let groups = match &data.tag {
        Some(tag) => vec![(Some(tag.as_str()), shown.clone())],
        None => grouped(&shown),
    };
    let lone = groups.len() == 1 && data.tag.is_none();
    html! {
        @if wanted.is_empty() {
            p.quiet {
                @if data.tag.is_some() { "No monitor has this tag." }
                @else { "No monitor is shown here. "
                    "Monitors come from monitors.toml; those with public = false need the token." }
            }
        }
        @if data.tag.is_some() { p { a href="/" { "All monitors" } } }
        @for (index, (tag, rows)) in groups.iter().enumerate() {
            @if !rows.is_empty() {
                section.group aria-labelledby={ "group-" (index) } {
                    h2 id={ "group-" (index) } {
                        @match tag {
                            None if lone => { "Monitors" }
                            None => { "Other" }
                            Some(tag) if data.tag.is_some() => { (tag) }
                            Some(tag) => { a href={ "/?tag=" (words::segment(tag)) } { (tag) } }
                        }
                        " " span.quiet { (tally(rows)) }
                    }
                    ul.monitors.many[shown.len() > MANY] { @for row in rows { (monitor(&data.frame, row)) } }
                }
            }
        }
        @if pages > 1 { (page_links(data.tag.as_deref(), page, pages)) }
        @if !wanted.is_empty() { (legend()) }
    }
}

fn tally(rows: &[&MonitorRow]) -> String {
    let bad = rows.iter().filter(|row| row.state == State::Down).count();
    if bad == 0 {
        words::sites(rows.len())
    } else {
        format!("{bad} of {} down", words::sites(rows.len()))
    }
}

fn monitor(frame: &Frame, row: &MonitorRow) -> Markup {
    html! {
        li.monitor data-monitor=(row.name) data-state=(row.state.as_str()) {
            div.who {
                h3 { a.name href=(words::monitor_path(&row.name)) { (row.name) } }
                p { (frame::pill(row.state))
                    @if !row.cause.is_empty() { " " span.cause { (row.cause) } }
                    @for flag in &row.flags { " " span.flag { (words::flag(flag)) } }
                    @if let Some(since) = row.since {
                        " " span.quiet { "for " (crate::domain::span::Human(frame.now.since(since))) } } }
            }
            div.days {
                (bars::bars(&row.days, &row.name))
                p.ends aria-hidden="true" { span { "90 days ago" } span { "today" } }
            }
            dl.numbers {
                div { dt { "24 h" } dd { (words::percent(row.day.uptime())) } }
                div { dt { "30 d" } dd { (words::percent(row.month.uptime())) } }
                div { dt { "coverage" } dd { (words::percent(row.month.coverage())) } }
            }
            div.latency { (sparkline::sparkline(&row.spark)) }
            p.last {
                @match &row.last_incident {
                    None => { span.quiet { "No incident recorded" } }
                    Some(incident) if incident.closed_at.is_none() => {
                        "Down since " (words::moment(frame, incident.opened_at)) }
                    Some(incident) => { "Last incident " (words::moment(frame, incident.opened_at)) ": "
                        (incident.cause) ", lasted " (words::lasted(incident, frame.now)) }
                }
            }
        }
    }
}

fn page_links(tag: Option<&str>, page: usize, pages: usize) -> Markup {
    let tag = tag.map_or_else(String::new, |tag| format!("&tag={}", words::segment(tag)));
    html! {
        nav.pages aria-label="Further monitors" {
            @for index in 0..pages {
                @if index == page { strong aria-current="page" { (index + 1) } " " }
                @else { a href={ "/?page=" (index + 1) (tag) } { (index + 1) } " " }
            }
        }
    }
}

/// What the columns mean.
pub fn legend() -> Markup {
    html! {
        section.legend aria-labelledby="legend" {
            h2 id="legend" { "How to read the bars" }
            p { "One column a day. From the bottom, by their share of the day:" }
            ul {
                li { svg.key viewBox="0 0 12 16" aria-hidden="true" {
                    path.f-down d="M3 0h6v10h-6z" {} path.f-down d="M3 12h6l-3 4z" {} }
                    " down, with a triangle below" }
                li { svg.key viewBox="0 0 12 16" aria-hidden="true" {
                    path.f-degraded d="M3 0h6v10h-6z" {} path.f-degraded d="M6 11l3 2.5l-3 2.5l-3 -2.5z" {} }
                    " degraded, with a diamond" }
                li { svg.key viewBox="0 0 12 16" aria-hidden="true" {
                    path.f-maintenance d="M3 0h6v10h-6z" {} path.f-maintenance d="M3 12h6v4h-6z" {} }
                    " maintenance, with a square" }
                li { svg.key viewBox="0 0 12 16" aria-hidden="true" { path.f-unknown d="M3.5 .5h5v14h-5z" {} }
                    " unknown, hollow: nobody looked" }
                li { svg.key viewBox="0 0 12 16" aria-hidden="true" { path.f-up d="M3 0h6v15h-6z" {} }
                    " up" }
            }
            p.quiet { "Uptime is over the observed time outside maintenance, rounded down; "
                "coverage says how much of the time was observed." }
        }
    }
}
