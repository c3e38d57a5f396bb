//! What stands above the monitors: trouble, open incidents, maintenance; and below them, what is over.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::rows::{Frame, IncidentRow, Overview, WindowRow};
use super::words;

/// Open incidents in full; the others are lines.
const CARDS_MAX: usize = 5;
/// Lines of further incidents; a line is all sites that say the same.
const LINES_MAX: usize = 20;
/// Names of a line that are listed one by one.
const NAMES_MAX: usize = 8;
/// A window names this many of its sites: on a phone each takes a line.
const WINDOW_NAMES_MAX: usize = 4;
/// Incidents that are over, and how long they are listed.
const RECENT_MAX: usize = 5;
const RECENT_DAYS: u64 = 14;

/// What is wrong with the watcher itself.
pub fn trouble(data: &Overview) -> Markup {
    html! {
        @if !data.trouble.is_empty() {
            section.trouble aria-labelledby="trouble" {
                h2 id="trouble" { "Monitoring" }
                ul { @for line in &data.trouble { li { (line) } } }
            }
        }
    }
}

/// Open incidents outside maintenance: first those that people noted something of, then the newest; a few as cards.
pub fn open_incidents(data: &Overview) -> Markup {
    let mut open: Vec<&IncidentRow> = data.open.iter().collect();
    open.sort_by_key(|incident| incident.notes.is_empty());
    let count = data.open_count.max(open.len());
    let (cards, others) = open.split_at(open.len().min(CARDS_MAX));
    html! {
        @if !open.is_empty() {
            section.incidents aria-labelledby="open" {
                h2 id="open" { "Open incidents" @if count > CARDS_MAX { " " span.quiet { (count) } } }
                ul { @for incident in cards { (card(&data.frame, incident)) } }
                @if count > cards.len() { (lines(&data.frame, others, count - cards.len())) }
            }
        }
    }
}

fn card(frame: &Frame, incident: &IncidentRow) -> Markup {
    html! {
        li {
            p { a.name href=(words::monitor_path(&incident.monitor)) { (incident.monitor) } ": " strong { (incident.cause) } }
            @if !incident.detail.is_empty() && incident.detail != incident.cause { p { (incident.detail) } }
            p.quiet { "Down since " (words::moment(frame, incident.opened_at)) ", for "
                (words::lasted(incident, frame.now)) "."
                @if frame.trusted { " " (words::counted(incident.checks_failed as usize, "failed check")) "." }
                @if incident.maintenance { " Partly in maintenance." }
                @if let Some(at) = incident.acked_at { " Acknowledged " (words::moment(frame, at))
                    @if !incident.ack_note.is_empty() { ": " (incident.ack_note) } "." }
                @if let Some(at) = incident.escalated_at { " Escalated " (words::moment(frame, at)) "." } }
            (notes(frame, incident))
        }
    }
}

/// What people noted of an incident.
pub fn notes(frame: &Frame, incident: &IncidentRow) -> Markup {
    html! {
        @for (at, text) in &incident.notes {
            p { span.quiet { (words::moment(frame, *at)) ": " } (text) }
        }
    }
}

/// Further incidents, `count` in all: sites that say the same share a line.
fn lines(frame: &Frame, incidents: &[&IncidentRow], count: usize) -> Markup {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines: Vec<Vec<&IncidentRow>> = Vec::new();
    for incident in incidents {
        let place = *places.entry(&incident.cause).or_insert_with(|| {
            lines.push(Vec::new());
            lines.len() - 1
        });
        lines[place].push(incident);
    }
    let told: usize = lines.iter().take(LINES_MAX).map(Vec::len).sum();
    html! {
        ul.lines {
            @for line in lines.iter().take(LINES_MAX) {
                li {
                    @if line.len() > 1 { strong { (words::sites(line.len())) } " more" } @else { (link(line[0])) }
                    ": " (line[0].cause)
                    @if let Some(first) = line.iter().map(|incident| incident.opened_at).min() {
                        span.quiet { ", since " (words::moment(frame, first)) }
                    }
                    @if line.len() > 1 {
                        ": " @for (index, incident) in line.iter().take(NAMES_MAX).enumerate() {
                            @if index > 0 { ", " } (link(incident)) }
                        @if line.len() > NAMES_MAX { " and " (line.len() - NAMES_MAX) " more" }
                    }
                }
            }
            @if told < count { li.quiet { "and " (words::sites(count - told)) " more" } }
        }
    }
}

fn link(incident: &IncidentRow) -> Markup {
    html! { a href=(words::monitor_path(&incident.monitor)) { (incident.monitor) } }
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
                            @if window.monitors.is_empty() { "all sites" }
                            @for (index, name) in window.monitors.iter().take(WINDOW_NAMES_MAX).enumerate() {
                                @if index > 0 { ", " }
                                span.whole { (name) }
                            }
                            @if window.monitors.len() > WINDOW_NAMES_MAX {
                                " and " (window.monitors.len() - WINDOW_NAMES_MAX) " more"
                            }
                            @if !window.note.is_empty() { ". " (window.note) }
                        }
                    }
                }
            }
        }
    }
}

/// The newest incidents that are over.
pub fn recent(data: &Overview) -> Markup {
    let frame = &data.frame;
    let mut over: Vec<&IncidentRow> = data
        .monitors
        .iter()
        .filter_map(|row| row.last_incident.as_ref())
        .filter(|incident| {
            incident.closed_at.is_some_and(|at| {
                incident.is_outage && frame.now.since(at).as_secs() < RECENT_DAYS * 86_400
            })
        })
        .collect();
    over.sort_by_key(|incident| std::cmp::Reverse(incident.closed_at));
    html! {
        @if !over.is_empty() {
            section.recent aria-labelledby="recent" {
                h2 id="recent" { "Recent incidents" }
                ul { @for incident in over.iter().take(RECENT_MAX) { li {
                    (link(incident)) ": " (incident.cause)
                    span.quiet { ", " (words::moment(frame, incident.opened_at)) ", for "
                        (words::lasted(incident, frame.now)) }
                    (notes(frame, incident))
                } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::{frame, incident, overview};
    use super::*;

    #[test]
    fn an_incident_with_a_note_is_a_card_however_many_are_newer() {
        let mut open: Vec<_> = (0..8)
            .map(|index| incident(&format!("site-{index}")))
            .collect();
        open[7]
            .notes
            .push((frame().now, "We replace the disk".to_owned()));
        let page = open_incidents(&overview(open)).into_string();
        let (cards, lines) = page
            .split_once("<ul class=\"lines\">")
            .expect("there are lines");
        assert!(cards.contains("We replace the disk"), "{page}");
        assert_eq!(cards.matches("<li>").count(), CARDS_MAX, "{page}");
        assert!(
            lines.contains("site-4") && !lines.contains("site-7"),
            "{page}"
        );
    }
}
