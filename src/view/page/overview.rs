//! `/`: everything at a glance, what is wrong first, then one line a site.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::bars::Form;
use super::rows::{Day, MonitorRow, Overview, State};
use super::{bars, frame, notices, sparkline, words};
use crate::view::objective::{self, ObjectiveRow};
use crate::view::time_text;

/// More monitors than this go to further pages.
pub const MONITORS_PER_PAGE: usize = 1000;
/// Up to here rows have words on their bars and a line of latency; beyond it a page would weigh too much.
const RICH_MAX: usize = 200;
/// Up to here groups that are well stay unfolded.
const UNFOLDED_MAX: usize = 30;
/// From here on there is something to filter.
const FILTER_FROM: usize = 13;
/// From so many days on the bars are days.
const DAYS_FROM: usize = 3;

/// The page.
pub fn overview(data: &Overview) -> Markup {
    let (look, sentence) = words::overall(&data.monitors);
    let heading = html! { h1 { (data.frame.title) } };
    let tab = format!("{sentence} - {}", data.frame.title);
    let main = html! {
        (frame::banner(look, &html! { (sentence) }))
        (notices::trouble(data))
        (notices::open_incidents(data))
        (notices::windows(&data.frame, &data.windows))
        (groups(data))
    };
    frame::page(&data.frame, &heading, &tab, look, &main)
}

/// What the columns of one page show, the same for all its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    hours: bool,
    form: Form,
    /// The caption of the long figure; the short one is left out while both would be the same.
    long: &'static str,
    short: bool,
}

impl Columns {
    /// By the monitor that was observed longest.
    fn of(rows: &[&MonitorRow]) -> Self {
        let observed = |days: &[Day]| days.iter().filter(|day| day.times.whole_ms() > 0).count();
        let days = rows
            .iter()
            .map(|row| observed(&row.days))
            .max()
            .unwrap_or(0);
        let hours = rows
            .iter()
            .map(|row| observed(&row.hours))
            .max()
            .unwrap_or(0);
        let young = days <= DAYS_FROM && hours > 0;
        Self {
            hours: young,
            form: if rows.len() > RICH_MAX {
                Form::Lean
            } else {
                Form::Row
            },
            long: if days >= 30 { "30 d" } else { "so far" },
            short: !(young && hours <= 24),
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

fn wanted(data: &Overview) -> Vec<&MonitorRow> {
    let has = |text: &str| text.to_lowercase().contains(&data.filter);
    data.monitors
        .iter()
        .filter(|row| data.tag.as_ref().is_none_or(|tag| row.tags.contains(tag)))
        .filter(|row| {
            data.filter.is_empty() || has(&row.name) || row.tags.iter().any(|tag| has(tag))
        })
        .collect()
}

fn groups(data: &Overview) -> Markup {
    let wanted = wanted(data);
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
    let columns = Columns::of(&shown);
    let is_part = data.tag.is_some() || !data.filter.is_empty();
    let lone = groups.len() == 1;
    html! {
        @if wanted.is_empty() {
            p.quiet {
                @if data.tag.is_some() { "No monitor has this tag." }
                @else if is_part { "No monitor has this in its name." }
                @else { "No monitor is shown here. "
                    "Monitors come from monitors.toml; those with public = false need the token." }
            }
        }
        @if is_part { p { a href="/" { "All monitors" } } }
        @if !shown.is_empty() {
            p.filter id="filter" hidden data-pages=(pages) data-from=(FILTER_FROM) {}
            (captions(columns))
        }
        @for (index, (tag, rows)) in groups.iter().enumerate() {
            @if !rows.is_empty() {
                @let id = format!("group-{index}");
                section.group aria-labelledby=(id) {
                    @let head = html! {
                        h2 id=(id) {
                            @match tag {
                                None if lone => { "Monitors" }
                                None => { "Other" }
                                Some(tag) => { (tag) }
                            }
                            " " span.quiet { (tally(rows)) }
                        }
                    };
                    @let list = html! {
                        ul.monitors.lean[columns.form == Form::Lean] {
                            @for row in rows { (monitor(row, columns)) }
                        }
                    };
                    @if lone { (head) (list) } @else {
                        details id={ (id) "-sites" } open[shown.len() <= UNFOLDED_MAX || !rows.iter().all(|row| is_well(row))] {
                            summary { (head) }
                            (list)
                        }
                    }
                }
            }
        }
        @if pages > 1 { (page_links(data, page, pages)) }
        @if !is_part { (objectives(&data.objectives)) (notices::recent(data)) }
        @if !shown.is_empty() { (legend(columns.hours)) }
    }
}

/// What was promised, and what is left of it.
fn objectives(rows: &[ObjectiveRow]) -> Markup {
    let burn = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), objective::times);
    html! {
        @if !rows.is_empty() { section.objectives aria-labelledby="objectives" {
            h2 id="objectives" { "Objectives" }
            div.scroll tabindex="0" role="region" aria-label="Objectives" { table {
                thead { tr {
                    th { "Objective" }
                    @for title in ["Promised", "Uptime", "Covered", "Budget left", "Burn, 1 h"] { th.num { (title) } }
                } }
                tbody { @for row in rows { tr {
                    th scope="row" { (row.name) }
                    td.num { (row.target()) }
                    td.num { (time_text::percent(row.uptime_percent)) }
                    td.num { (time_text::percent(row.coverage_percent)) }
                    td.num { (row.left()) }
                    td.num { (burn(row.burns[0])) }
                } } }
            } }
        } }
    }
}

fn is_well(row: &MonitorRow) -> bool {
    matches!(row.state, State::Up | State::Paused) && !row.in_maintenance()
}

/// How many sites a group has, and what is the matter with the worst of them: why it is unfolded.
fn tally(rows: &[&MonitorRow]) -> String {
    let sites = words::sites(rows.len());
    let is = |wanted: State| {
        let counts = |row: &&&MonitorRow| row.state == wanted && !row.in_maintenance();
        (rows.iter().filter(counts).count(), wanted.as_str())
    };
    let planned = rows.iter().filter(|row| row.in_maintenance()).count();
    [
        is(State::Down),
        is(State::Degraded),
        is(State::Unknown),
        (planned, "in maintenance"),
    ]
    .into_iter()
    .find(|(count, _)| *count > 0)
    .map_or_else(
        || sites.clone(),
        |(count, what)| format!("{count} of {sites} {what}"),
    )
}

/// The heads of all lists, once; each figure also has its words for screen readers where there is room.
fn captions(columns: Columns) -> Markup {
    html! {
        div.captions.lean[columns.form == Form::Lean] aria-hidden="true" {
            span { "Site" } b { "State" }
            span.ends {
                span { @if columns.hours { "3 days ago" } @else { "90 days ago" } }
                span { @if columns.hours { "now" } @else { "today" } }
            }
            i.short { @if columns.short { "24 h" } } i { (columns.long) }
            @if columns.form == Form::Row { span.latency { "Latency, 24 h" } }
        }
    }
}

fn monitor(row: &MonitorRow, columns: Columns) -> Markup {
    let look = row.look();
    let slots = if columns.hours { &row.hours } else { &row.days };
    let rich = columns.form == Form::Row;
    html! {
        li data-monitor=[rich.then_some(&row.name)] data-state=(row.state.as_str()) {
            a href=(words::monitor_path(&row.name)) { (row.name) }
            b class=[(look.word != row.state.as_str()).then_some(look.word)] { (look.word) }
            (bars::bars(slots, &row.name, columns.form))
            i { @if columns.short { (words::percent(row.day.uptime())) } }
            i { (words::percent(row.month.uptime())) }
            @if rich {
                span.latency { (sparkline::sparkline(&row.spark)) }
                @let flags = row.flags.iter().filter(|flag| **flag != "maintenance").map(|flag| words::flag(flag));
                @if !row.cause.is_empty() || row.flags.iter().any(|flag| *flag != "maintenance") {
                    small.why { (row.cause)
                        @for (index, flag) in flags.enumerate() {
                            @if index > 0 || !row.cause.is_empty() { ", " } (flag) } }
                }
                @if !row.locations.is_empty() { small.why { (words::locations(&row.locations)) } }
            } @else if !row.cause.is_empty() { small.why { (row.cause) } }
        }
    }
}

fn page_links(data: &Overview, page: usize, pages: usize) -> Markup {
    let tag = data
        .tag
        .as_deref()
        .map_or_else(String::new, |tag| format!("&tag={}", words::segment(tag)));
    let filter = match data.filter.as_str() {
        "" => String::new(),
        filter => format!("&q={}", words::segment(filter)),
    };
    html! {
        nav.pages aria-label="Further monitors" {
            @for index in 0..pages {
                @if index == page { strong aria-current="page" { (index + 1) } " " }
                @else { a href={ "/?page=" (index + 1) (tag) (filter) } { (index + 1) } " " }
            }
        }
    }
}

/// What the columns mean.
pub fn legend(hours: bool) -> Markup {
    let keys = [
        ("u", "up"),
        ("g", "degraded"),
        ("d", "down"),
        ("m", "maintenance"),
        ("n", "not observed"),
    ];
    html! {
        section.legend aria-label="Legend" {
            p { "One bar " @if hours { "an hour" } @else { "a day" } ", split from the bottom by share of time:" }
            ul { @for (class, word) in keys {
                li { svg.key viewBox="0 0 8 24" aria-hidden="true" { path class=(class) d="M1 12h6" {} } " " (word) }
            } }
            p.quiet { "Uptime leaves out maintenance and unobserved time, and is rounded down." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn a_group_says_why_it_is_unfolded() {
        let group = |states: &[State], planned: usize| {
            let mut rows: Vec<_> = states
                .iter()
                .map(|state| {
                    let mut one = row("shop");
                    one.state = *state;
                    one
                })
                .collect();
            for one in rows.iter_mut().take(planned) {
                one.flags.push("maintenance");
            }
            tally(&rows.iter().collect::<Vec<_>>())
        };
        let (up, slow, down) = (State::Up, State::Degraded, State::Down);
        for (states, planned, want) in [
            (vec![up, up, State::Paused], 0, "3 sites"),
            (vec![up, slow], 0, "1 of 2 sites degraded"),
            (vec![down, slow, down], 0, "2 of 3 sites down"),
            (vec![State::Unknown, up], 0, "1 of 2 sites unknown"),
            (vec![down, up], 1, "1 of 2 sites in maintenance"),
        ] {
            assert_eq!(group(&states, planned), want);
        }
    }
}
