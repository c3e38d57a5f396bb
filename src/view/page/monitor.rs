//! `/monitor/NAME`: one monitor in full.

use maud::{Markup, html};

use super::bars::Form;
use super::rows::{
    CertificateRow, ChainChangeRow, CheckRow, Frame, HopRow, IncidentRow, MonitorPage, MonitorRow,
    PartRow, PhaseRow, State, Times,
};
use super::{bars, chart, frame, notices, overview, words};
use crate::domain::check::Micros;
use crate::domain::duration_text::Human;
use crate::domain::subject::SubjectKind;

/// The page.
pub fn monitor(data: &MonitorPage) -> Markup {
    let row = &data.row;
    let now = data.frame.now;
    let look = row.look();
    let heading = html! {
        p.up { a href="/" { (data.frame.title) } }
        h1 { (row.name) }
    };
    let tab = format!("{} {} - {}", row.name, row.state.as_str(), data.frame.title);
    let main = html! {
        div class={ "banner " (look.word) } data-monitor=(row.name) data-state=(row.state.as_str()) {
            span.sign aria-hidden="true" { (look.sign) }
            p { (standing(row.state))
                @if let Some(since) = row.since { " for " (Human(now.since(since))) }
                @if !row.cause.is_empty() { ": " (row.cause) }
                @for flag in &row.flags { ", " (words::flag(flag)) } }
        }
        section aria-label="Facts" {
            @if !row.url.is_empty() { p { code.url { (row.url) } } }
            p.quiet { (data.how)
                @if let Some(next) = data.next_check_at { " Next check " (words::moment(&data.frame, next)) "." } }
            @if !data.note.is_empty() { p.note { strong { "Note: " } (data.note) } }
            @if !row.locations.is_empty() { p { "Seen from: " (words::locations(&row.locations)) } }
            @if !row.tags.is_empty() {
                p { "Tags: " @for tag in &row.tags { a.flag href={ "/?tag=" (words::segment(tag)) } { (tag) } " " } }
            }
        }
        (notices::windows(&data.frame, &data.windows))
        (availability(data))
        section aria-labelledby="latency" {
            h2 id="latency" { "Latency" }
            (chart::charts(&data.frame, &row.name, &data.charts))
        }
        (phases(&data.phases))
        (way(&data.frame, &data.chain, &data.chain_changes))
        (parts("addresses", "Addresses", "Address", &data.addresses))
        (parts("versions", "Versions of HTTP", "Version", &data.versions))
        @if let Some(seen) = &data.certificate { (certificate(&data.frame, seen)) }
        (incidents(&data.frame, &data.incidents))
        (checks(&data.frame, &data.checks))
    };
    frame::page(&data.frame, &heading, &tab, look, &main)
}

const fn standing(state: State) -> &'static str {
    match state {
        State::Unknown => "Not verified",
        State::Pending => "Waiting for its first check",
        State::Up => "Up",
        State::Down => "Down",
        State::Degraded => "Degraded",
        State::Paused => "Paused",
    }
}

/// What a row of the table of periods is called, and what it shows.
type Measure = (&'static str, fn(&Times) -> u64);

/// The periods of the table. A young monitor has fewer: no figure stands under the name of a time that nobody saw.
fn periods<'a>(row: &'a MonitorRow, quarter: &'a Times) -> Vec<(&'static str, &'a Times)> {
    let whole = quarter.whole_ms();
    let mut periods = vec![
        ("24 hours", &row.day),
        ("30 days", &row.month),
        ("90 days", quarter),
    ];
    if row.month.whole_ms() >= whole {
        periods.truncate(1);
        periods.push(("So far", quarter));
    }
    if row.day.whole_ms() >= whole {
        periods.remove(0);
    }
    periods
}

fn availability(data: &MonitorPage) -> Markup {
    let row = &data.row;
    let mut quarter = Times::default();
    for day in &row.days {
        quarter.add(&day.times);
    }
    let bad: Vec<_> = row
        .days
        .iter()
        .rev()
        .filter(|day| day.times.down_ms + day.times.degraded_ms + day.times.maintenance_ms > 0)
        .collect();
    let hours = !row.hours.is_empty();
    let slots = if hours { &row.hours } else { &row.days };
    let periods = periods(row, &quarter);
    let measures: [Measure; 4] = [
        ("Down", |times| times.down_ms),
        ("Degraded", |times| times.degraded_ms),
        ("Maintenance", |times| times.maintenance_ms),
        ("Not observed", |times| times.unknown_ms),
    ];
    html! {
        section aria-labelledby="availability" {
            h2 id="availability" { "Availability" }
            (bars::bars(slots, &row.name, Form::Wide))
            p.ends aria-hidden="true" {
                span { @if hours { "3 days ago" } @else { "90 days ago" } } span { @if hours { "now" } @else { "today" } } }
            div.scroll tabindex="0" role="region" aria-label="Availability by period" { table.periods {
                thead { tr { td {} @for (name, _) in &periods { th.num scope="col" { (name) } } } }
                tbody {
                    tr { th scope="row" { "Uptime" } @for (_, times) in &periods { td.num { (words::percent(times.uptime())) } } }
                    tr { th scope="row" { "Observed" } @for (_, times) in &periods { td.num { (words::percent(times.coverage())) } } }
                    @for (name, of) in measures {
                        tr { th scope="row" { (name) } @for (_, times) in &periods {
                            @let ms = of(times);
                            td.num { @if ms == 0 { span.quiet { "–" } } @else { (words::span(ms)) } } } }
                    }
                }
            } }
            @if !bad.is_empty() {
                details { summary { "Days with downtime, degraded service or maintenance (" (bad.len()) ")" }
                    ul { @for day in bad { li { (bars::sentence(day)) } } } }
            }
            (overview::legend(hours))
        }
    }
}

fn maybe(time: Option<Micros>) -> String {
    time.map_or_else(|| "–".to_owned(), words::millis)
}

const fn phase_name(phase: &'static str) -> &'static str {
    match phase.as_bytes() {
        b"dns" => "Name lookup",
        b"connect" => "Connection",
        b"tls" => "TLS handshake",
        b"ttfb" => "First byte",
        b"body" => "Body",
        _ => phase,
    }
}

fn phases(rows: &[PhaseRow]) -> Markup {
    let whole: u64 = rows
        .iter()
        .flat_map(|row| row.last)
        .map(|time| u64::from(time.get()))
        .sum();
    let usual_whole: u64 = rows
        .iter()
        .flat_map(|row| row.usual)
        .map(|time| u64::from(time.get()))
        .sum();
    let scale = whole.max(usual_whole).max(1);
    let top = u32::try_from(scale).unwrap_or(u32::MAX);
    let width = |time: Option<Micros>| time.map_or(0, |time| u64::from(time.get()) * 1000 / scale);
    // Each phase begins where the one before it ended.
    let placed = rows.iter().scan(0, |x, row| {
        let begin = *x;
        *x += width(row.last);
        Some((begin, row))
    });
    html! {
        @if whole > 0 {
            section aria-labelledby="phases" {
                h2 id="phases" { "Where the time goes" }
                p.quiet { "Each phase begins where the one before it ended. The outline below is the usual time, the median of 24 h." }
                div.scroll tabindex="0" role="region" aria-label="Phases of a check" { table.phases {
                    thead { tr { th scope="col" { "Phase" } th.num scope="col" { "Last check" }
                        th.num scope="col" { "Usual" } th.fall scope="col" { span.ends { span { "0" } span { (words::millis(Micros::new(top))) } } } } }
                    tbody { @for (x, row) in placed { tr {
                        th scope="row" { (phase_name(row.phase)) }
                        td.num { (maybe(row.last)) } td.num { (maybe(row.usual)) }
                        td.fall { svg viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" {
                            @if row.last.is_some() {
                                rect class={ "p-" (row.phase) } x=(x) y="2" height="11" width=(width(row.last).max(4)) {}
                            }
                            @if row.usual.is_some() {
                                rect.usual x=(x) y="15" height="3" width=(width(row.usual).max(4)) {}
                            }
                        } }
                    } } }
                } }
            }
        }
    }
}

/// `silent` stands where a status should be and none came.
fn hop(row: &HopRow, silent: &str) -> Markup {
    let kind = SubjectKind::of_url(&row.url).unwrap_or(SubjectKind::Http);
    html! {
        // What is no web site has no status.
        @if kind == SubjectKind::Http {
            span.status { @match row.status { Some(status) => (status), None => (silent) } } " "
        }
        @if !row.url.is_empty() { code.url { (row.url) } }
        @if !row.address.is_empty() { " " span.quiet { "from " (row.address) } }
        @if let Some(took) = row.took { " " span.quiet { (words::millis(took)) } }
    }
}

fn way(frame: &Frame, chain: &[HopRow], changes: &[ChainChangeRow]) -> Markup {
    // A status alone, without redirects and without the URL, which visitors do not see, stands among the checks
    // already.
    let bare = matches!(chain, [only] if only.url.is_empty() && only.address.is_empty());
    html! {
        @if !(chain.is_empty() || bare && changes.is_empty()) {
            section aria-labelledby="way" {
                h2 id="way" { "Redirect chain" }
                ol.way { @for row in chain { li { (hop(row, "–")) } } }
                @if !changes.is_empty() {
                    h3 { "Changes of the last 14 days" }
                    ul { @for change in changes { li {
                        "From " (words::moment(frame, change.at)) ":"
                        ol.way { @for row in &change.hops { li { (hop(row, "ends at")) } } }
                    } } }
                }
            }
        }
    }
}

/// What the last check saw of each of several.
fn parts(id: &str, heading: &str, what: &str, rows: &[PartRow]) -> Markup {
    html! {
        @if !rows.is_empty() {
            section aria-labelledby=(id) {
                h2 id=(id) { (heading) }
                div.scroll tabindex="0" role="region" aria-label={ "Table: " (heading) } { table.checks {
                    thead { tr { th scope="col" { (what) } th scope="col" { "Verdict" } th.num scope="col" { "Status" }
                        th.num scope="col" { "Took" } th scope="col" { "What was wrong" } } }
                    tbody { @for row in rows { tr {
                        th scope="row" { (row.name) }
                        td { (frame::pill(State::from(row.state))) }
                        td.num { @match row.status { Some(status) => (status), None => "–" } }
                        td.num { (maybe(row.total)) }
                        td { (row.detail) }
                    } } }
                } }
            }
        }
    }
}

fn certificate(frame: &Frame, seen: &CertificateRow) -> Markup {
    let ended = seen.not_after <= frame.now;
    html! {
        section aria-labelledby="certificate" {
            h2 id="certificate" { "Certificate" }
            dl.facts {
                dt { "Valid until" }
                dd { @if seen.not_after.is_endless() { "no end" } @else { (words::minute(frame, seen.not_after)) ", "
                    @if ended { strong { "expired " (Human(frame.now.since(seen.not_after))) " ago" } }
                    @else { (Human(seen.not_after.since(frame.now))) " left" } } }
                @if !seen.subject.is_empty() { dt { "Subject" } dd { (seen.subject) } }
                @if !seen.issuer.is_empty() { dt { "Issuer" } dd { (seen.issuer) } }
            }
        }
    }
}

fn incidents(frame: &Frame, rows: &[IncidentRow]) -> Markup {
    html! {
        section aria-labelledby="incidents" {
            h2 id="incidents" { "Incidents" }
            @if rows.is_empty() { p.quiet { "None recorded." } } @else {
                div.scroll tabindex="0" role="region" aria-label="Table of incidents" { table.incidents-list {
                    thead { tr { th scope="col" { "Began" } th scope="col" { "Lasted" } th scope="col" { "Cause" }
                        th.num scope="col" { "Failed checks" } th scope="col" { "Remarks" } } }
                    tbody { @for row in rows { tr {
                        td { @if frame.trusted { a href={ "/incident/" (row.id) } { (words::moment(frame, row.opened_at)) } }
                            @else { (words::moment(frame, row.opened_at)) } }
                        td.span { (words::lasted(row, frame.now)) @if row.closed_at.is_none() { ", goes on" } }
                        td { @if row.detail.is_empty() || !row.detail.starts_with(&row.cause) { strong { (row.cause) } " " } (row.detail) }
                        td.num { (row.checks_failed) }
                        td { (remarks(row)) (notices::notes(frame, row)) }
                    } } }
                } }
            }
        }
    }
}

/// What is remarkable about an outage, in a few words.
fn remarks(row: &IncidentRow) -> String {
    let mut remarks: Vec<String> = Vec::new();
    if row.maintenance {
        remarks.push("in maintenance".to_owned());
    }
    if row.acked_at.is_some() {
        remarks.push(match row.ack_note.as_str() {
            "" => "acknowledged".to_owned(),
            note => format!("acknowledged: {note}"),
        });
    }
    if row.escalated_at.is_some() {
        remarks.push("escalated".to_owned());
    }
    if !row.amended.is_empty() {
        remarks.push(row.amended.to_owned());
    }
    remarks.join(", ")
}

fn checks(frame: &Frame, rows: &[CheckRow]) -> Markup {
    html! {
        section aria-labelledby="checks" {
            h2 id="checks" { "Last checks" }
            @if rows.is_empty() { p.quiet { "None recorded." } } @else {
                div.scroll tabindex="0" role="region" aria-label="Table of checks" { table.checks {
                    thead { tr { th scope="col" { "At" } th scope="col" { "Verdict" } th.num scope="col" { "Status" }
                        th.num scope="col" { "Took" } th.num scope="col" { "Redirects" } th scope="col" { "What was wrong" } } }
                    tbody { @for row in rows { tr {
                        td { (words::moment(frame, row.at)) }
                        td { (frame::pill(State::from(row.state))) }
                        td.num { @match row.status { Some(status) => (status), None => "–" } }
                        td.num { (words::millis(row.total)) }
                        td.num { (row.redirects) }
                        td { (row.detail) }
                    } } }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn a_young_monitor_has_no_figure_for_a_time_that_nobody_saw() {
        let hours = |count: u64| Times {
            up_ms: count * 3_600_000,
            ..Times::default()
        };
        for (day, month, quarter, want) in [
            (0, 0, 0, "So far"),
            (3, 3, 3, "So far"),
            (24, 100, 100, "24 hours, So far"),
            (24, 720, 900, "24 hours, 30 days, 90 days"),
        ] {
            let mut young = row("shop");
            (young.day, young.month) = (hours(day), hours(month));
            let quarter = hours(quarter);
            let found: Vec<_> = periods(&young, &quarter)
                .iter()
                .map(|(name, _)| *name)
                .collect();
            assert_eq!(found.join(", "), want);
        }
    }
}
