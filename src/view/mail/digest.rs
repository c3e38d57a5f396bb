//! Many in one: a row for each monitor with its state now, and how many are still being confirmed.

use crate::domain::check::FailureKind;
use crate::domain::incident::Cause;
use crate::domain::notification::{News, Notice};
use crate::domain::timestamp::Timestamp;

use super::context::{Context, Reported};
use super::digest_rows::{self, Row, State};
use super::footer;
use super::named;
use super::outline::{Body, Cell, Doc, Table, Tone};
use super::report;
use super::subject;
use super::system::about_us;
use super::words;

/// Rows of the table; beyond it they are only counted, so that the mail stays readable and below 100 kB.
const ROWS_MAX: usize = 300;
/// At most this many acknowledgements are named.
const ACKS_MAX: usize = 10;

/// Several mails as one.
pub(super) fn digest(notices: &[Notice], ctx: &Context) -> Doc {
    let rows = digest_rows::rows(notices, &ctx.currents);
    let groups = subject::groups(&rows);
    let counts = named::counts(&groups);
    let has = |word: &str| groups.iter().any(|group| group.word == word);
    let any = |words: &[&str]| words.iter().any(|word| has(word));
    let tone = if any(&["DOWN", "ESCALATED"]) {
        Tone::Down
    } else if any(&[
        "DEGRADED",
        "FLAPPING",
        "REDIRECT CHANGED",
        "TROUBLE",
        "BLIND",
        "BURN",
    ]) {
        Tone::Warn
    } else if any(&["UP", "WAS DOWN", "BACK", "OTHER"]) {
        Tone::Up
    } else {
        Tone::Plain
    };
    let symbol = match tone {
        Tone::Down => "\u{25bc}",
        Tone::Up => "\u{25b2}",
        Tone::Plain | Tone::Warn | Tone::Muted => "\u{25c6}",
    };
    let mut doc = about_us(tone, format!("{symbol} {counts}"), ctx);
    let (asides, rows): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| is_aside(row.state));
    doc.lead.push(changed(notices, &rows, &asides, ctx));
    doc.lead.push(match ctx.confirming {
        0 => "No further sites are pending confirmation.".to_owned(),
        one @ 1 => format!("{one} more site is pending confirmation."),
        many => format!("{many} more sites are pending confirmation."),
    });
    doc.lead.extend(common_cause(&rows));
    footer::delay(&mut doc, ctx);

    let mut lines: Vec<(u8, Vec<Cell>)> = rows.iter().map(|it| row(it, ctx)).collect();
    lines.sort_by_key(|(rank, _)| *rank);
    let hidden = lines.len().saturating_sub(ROWS_MAX);
    lines.truncate(ROWS_MAX);
    doc.part(
        "State now",
        Body::Wide(Table {
            head: vec!["State", "Monitor", "Cause", "Since"],
            right: vec![],
            breaks: 1,
            rows: lines.into_iter().map(|(_, row)| row).collect(),
        }),
    );
    if hidden > 0 {
        doc.prose(
            "And",
            format!("{hidden} more, which `sitewatch status` shows"),
        );
    }
    for row in &asides {
        aside(&mut doc, row.notice, ctx);
    }
    let told = notices.iter().filter_map(|notice| notice.about.as_ref());
    footer::others_down(&mut doc, &told.map(|about| &about.name).collect(), ctx);
    acknowledged(&mut doc, notices, ctx);
    doc.part(
        "More",
        Body::Command(vec!["sitewatch incidents --open".to_owned()]),
    );
    doc.footer = footer::footer(
        ctx,
        "more news of these sites and this cause is collected and sent together",
    );
    doc
}

/// `5 monitors changed since Wed 2026-07-22 14:02:41 CEST (12:02:41 UTC): 4 DOWN, 1 UP.`
fn changed(notices: &[Notice], rows: &[Row], asides: &[Row], ctx: &Context) -> String {
    let first = notices.iter().map(|notice| notice.decided_at).min();
    let since = first.map_or_else(String::new, |at| {
        format!(" since {}", words::moment(at, ctx))
    });
    let what = match rows.len() {
        0 => "News".to_owned(),
        1 => "1 monitor changed".to_owned(),
        many => format!("{} monitors changed", words::number(many as u64)),
    };
    format!("{what}{since}: {}.", changes(rows, asides))
}

/// `4 DOWN, 1 UP. Beside that: 1 TROUBLE`
fn changes(rows: &[Row], asides: &[Row]) -> String {
    let counts = |rows| named::counts(&subject::groups(rows));
    match (rows, asides) {
        (rows, []) => counts(rows),
        ([], asides) => counts(asides),
        (rows, asides) => format!("{}. Beside that: {}", counts(rows), counts(asides)),
    }
}

/// Whether it is about sitewatch, or about a period: it has a part of its own, and no row.
const fn is_aside(state: State) -> bool {
    match state {
        State::Trouble | State::Back | State::Blind | State::Burn | State::Report => true,
        State::Escalated
        | State::Down
        | State::StillDown
        | State::Up
        | State::WasDown
        | State::Degraded
        | State::Flapping
        | State::RedirectChanged
        | State::Other => false,
    }
}

/// What waited with the news of monitors for the hours of a recipient, each as its own mail would say it.
fn aside(doc: &mut Doc, notice: &Notice, ctx: &Context) {
    let at = words::moment(notice.decided_at, ctx);
    match &notice.news {
        News::Trouble { what, detail } => {
            let paragraphs = vec![format!("{what}, {at}."), detail.clone()];
            doc.part("Trouble", Body::Prose(paragraphs));
        }
        News::Back {
            what,
            after,
            detail,
        } => {
            let first = format!("{what}, {at}, after {}.", words::span(*after));
            doc.part("Works again", Body::Prose(vec![first, detail.clone()]));
        }
        News::Blind {
            from, to, monitors, ..
        } => doc.prose(
            "Blind",
            format!(
                "For {}, from {} to {}: sitewatch reached neither the sites nor its canaries. {} not \
                 verified meanwhile.",
                words::span(to.since(*from)),
                words::moment(*from, ctx),
                words::moment(*to, ctx),
                match monitors {
                    1 => "1 monitor was".to_owned(),
                    many => format!("{} monitors were", words::number(u64::from(*many))),
                }
            ),
        ),
        News::Burn {
            objective, worst, ..
        } => {
            let names: Vec<&str> = worst.iter().map(|name| name.as_str()).collect();
            let down = match names.is_empty() {
                true => String::new(),
                false => format!(" Down were: {}.", names.join(", ")),
            };
            doc.prose(
                "Burn",
                format!("{objective}, {at}: its error budget was burning too fast.{down}"),
            );
        }
        News::Report { from, to } => {
            let known = |report: &&Reported| (report.from, report.to) == (*from, *to);
            let rows = ctx.reports.iter().find(known);
            let rows = rows.map_or(&[][..], |report| &report.rows);
            doc.prose("Report", report::sentence(*from, *to, rows, ctx));
            doc.part("All monitors", report::table(rows));
        }
        News::Down { .. }
        | News::StillDown { .. }
        | News::Escalated { .. }
        | News::Up { .. }
        | News::Degraded { .. }
        | News::CertificateExpiring { .. }
        | News::Flapping { .. }
        | News::RedirectChanged { .. }
        | News::Test => {}
    }
}

/// Which outages somebody took note of, below the table: what they said may be longer than a cell.
fn acknowledged(doc: &mut Doc, notices: &[Notice], ctx: &Context) {
    let mut said: Vec<String> = Vec::new();
    for acked in &ctx.acks {
        let name = notices.iter().find_map(|notice| {
            let about = notice.about.as_ref()?;
            (notice.news.incident() == Some(acked.incident)).then_some(&about.name)
        });
        let Some(name) = name else { continue };
        said.push(match &acked.note {
            Some(note) => format!("{name}: {note}"),
            None => name.to_string(),
        });
    }
    let more = said.len().saturating_sub(ACKS_MAX);
    said.truncate(ACKS_MAX);
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    doc.prose("Acknowledged", said.join("; "));
}

/// When nearly all outages have one cause, that cause is the news.
fn common_cause(rows: &[Row]) -> Option<String> {
    let causes: Vec<String> = rows
        .iter()
        .filter_map(|row| row.outage)
        .map(|outage| words::cause_name(&outage.cause.failure, outage.cause.status))
        .collect();
    let mut distinct = causes.clone();
    distinct.sort();
    distinct.dedup();
    let most = distinct
        .into_iter()
        .map(|cause| (causes.iter().filter(|one| **one == cause).count(), cause))
        .max()?;
    let (count, cause) = most;
    (count >= 3 && count * 10 >= causes.len() * 8).then(|| {
        let how_many = if causes.len() == count { "All" } else { "Nearly all" };
        format!(
            "{how_many} outages have the same cause: {cause}. They may share a router, a name server, a proxy or a host."
        )
    })
}

/// A line of the table, and its rank: what is down first.
fn row(row: &Row, ctx: &Context) -> (u8, Vec<Cell>) {
    let about = row.notice.about.as_ref();
    let name = about.map_or_else(String::new, |about| about.name.as_str().to_owned());
    let (rank, word, tone) = match row.state {
        State::Escalated => (0, "ESCALATED", Tone::Down),
        State::Down => (0, "DOWN", Tone::Down),
        State::StillDown => (0, "STILL DOWN", Tone::Down),
        State::Flapping => (1, "FLAPPING", Tone::Warn),
        State::Degraded => (1, "DEGRADED", Tone::Warn),
        State::RedirectChanged => (1, "REDIRECT", Tone::Warn),
        State::WasDown => (2, "WAS DOWN", Tone::Up),
        State::Up => (3, "UP", Tone::Up),
        State::Trouble
        | State::Back
        | State::Blind
        | State::Burn
        | State::Report
        | State::Other => (4, row.notice.news.kind().as_str(), Tone::Plain),
    };
    let (mut said, since) = said(row, ctx);
    // A change that the state itself tells is not worth a word.
    let told = if row.state == State::WasDown { 2 } else { 1 };
    if row.changes > told && row.state != State::Flapping {
        said.push_str(&format!("; {} changes meanwhile", row.changes));
    }
    let cells = vec![
        Cell::toned(word, tone),
        name.into(),
        said.into(),
        words::clock_time(since, ctx).into(),
    ];
    (rank, cells)
}

/// Why it is what it is, and since when.
fn said(row: &Row, ctx: &Context) -> (String, Timestamp) {
    let named = |cause: &Cause| words::cause_name(&cause.failure, cause.status);
    let lasted = row
        .lasted(&ctx.beginnings)
        .map(|(began, ended)| words::between(began, ended));
    let lasted = lasted.unwrap_or_default();
    let decided_at = row.notice.decided_at;
    match (row.state, row.outage) {
        (State::Escalated | State::Down | State::StillDown, Some(outage)) if row.is_told() => {
            (named(outage.cause), ctx.beginnings.of(outage.incident))
        }
        // Another outage than those that are told: its own mail is on its way.
        (State::Escalated | State::Down | State::StillDown, _) => {
            let cause = row.current.and_then(|current| current.cause.as_ref());
            let since = row.current.map_or(decided_at, |current| current.since);
            (cause.map_or_else(String::new, named), since)
        }
        (State::WasDown, Some(outage)) => (
            format!("{}, {lasted}", named(outage.cause)),
            ctx.beginnings.of(outage.incident),
        ),
        (State::Up, Some(outage)) => {
            let closed_at = outage.closed_at.unwrap_or(decided_at);
            let spell = match &row.notice.news {
                News::Up {
                    flapping_since: Some(since),
                    ..
                } => format!("after {} of flapping", words::between(*since, closed_at)),
                _ => format!("after {lasted}"),
            };
            (spell, closed_at)
        }
        (State::Flapping, _) => {
            let is_down = digest_rows::flaps_down(&row.notice.news, row.current);
            let now = if is_down { "down" } else { "up" };
            (format!("{now} now, {} changes", row.changes), decided_at)
        }
        (
            State::WasDown
            | State::Up
            | State::Degraded
            | State::RedirectChanged
            | State::Trouble
            | State::Back
            | State::Blind
            | State::Burn
            | State::Report
            | State::Other,
            _,
        ) => match &row.notice.news {
            News::Degraded { reason, since, .. } => (reason.to_string(), *since),
            News::CertificateExpiring { check, .. } => (
                check.certificate.as_ref().map_or_else(
                    || FailureKind::CertificateExpiring.to_string(),
                    |certificate| {
                        let left = words::certificate_left(certificate, ctx.now);
                        format!("certificate, {left}")
                    },
                ),
                decided_at,
            ),
            News::RedirectChanged { .. } => ("another chain".to_owned(), decided_at),
            News::Down { .. }
            | News::StillDown { .. }
            | News::Escalated { .. }
            | News::Up { .. }
            | News::Flapping { .. }
            | News::Blind { .. }
            | News::Trouble { .. }
            | News::Back { .. }
            | News::Burn { .. }
            | News::Report { .. }
            | News::Test => (String::new(), decided_at),
        },
    }
}
