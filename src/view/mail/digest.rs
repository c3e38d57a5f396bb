//! Many in one: a table of what changed, and how many are still being confirmed.

use crate::domain::check::FailureKind;
use crate::domain::notification::{News, Notice};

use super::context::Context;
use super::footer;
use super::named;
use super::outline::{Body, Cell, Doc, Table, Tone};
use super::subject;
use super::system::about_us;
use super::words;

/// Rows of the table; beyond it they are only counted, so that the mail stays readable and below 100 kB.
const ROWS_MAX: usize = 300;
/// At most this many acknowledgements are named.
const ACKS_MAX: usize = 10;

/// Several mails as one.
pub(super) fn digest(notices: &[Notice], ctx: &Context) -> Doc {
    let groups = subject::groups(notices);
    let counts = named::counts(&groups);
    let has = |word| groups.iter().any(|group| group.word == word);
    let tone = if has("DOWN") {
        Tone::Down
    } else if ["DEGRADED", "FLAPPING", "REDIRECT CHANGED"]
        .into_iter()
        .any(has)
    {
        Tone::Warn
    } else {
        Tone::Up
    };
    let symbol = match tone {
        Tone::Down => "\u{25bc}",
        Tone::Up => "\u{25b2}",
        Tone::Plain | Tone::Warn | Tone::Muted => "\u{25c6}",
    };
    let mut doc = about_us(tone, format!("{symbol} {counts}"), ctx);
    let first = notices.iter().map(|notice| notice.decided_at).min();
    doc.lead.push(format!(
        "{} changes came together{}: {counts}.",
        words::number(notices.len() as u64),
        first.map_or_else(String::new, |at| format!(
            " since {}",
            words::moment(at, ctx)
        )),
    ));
    doc.lead.push(match ctx.confirming {
        0 => "No other site is being confirmed down at this moment.".to_owned(),
        one @ 1 => format!("{one} more site is being confirmed down at this moment."),
        many => format!("{many} more sites are being confirmed down at this moment."),
    });
    doc.lead.extend(common_cause(notices));
    footer::delay(&mut doc, ctx);

    let mut lines: Vec<(u8, Vec<Cell>)> = notices
        .iter()
        .filter(|notice| !subject::began_too(notices, notice))
        .map(|notice| row(notice, notices, ctx))
        .collect();
    lines.sort_by_key(|(rank, _)| *rank);
    let hidden = lines.len().saturating_sub(ROWS_MAX);
    lines.truncate(ROWS_MAX);
    doc.part(
        "What changed",
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
    let told = notices.iter().filter_map(|notice| notice.about.as_ref());
    footer::others_down(&mut doc, &told.map(|about| &about.name).collect(), ctx);
    acknowledged(&mut doc, notices, ctx);
    doc.part(
        "More",
        Body::Command(vec!["sitewatch incidents --open".to_owned()]),
    );
    doc.footer = footer::footer(
        ctx,
        "further alerts are collected for a while and come as one mail",
    );
    doc
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
fn common_cause(notices: &[Notice]) -> Option<String> {
    let causes: Vec<String> = notices
        .iter()
        .filter_map(|notice| match &notice.news {
            News::Down { cause, .. } => Some(words::cause_name(&cause.failure, cause.status)),
            _ => None,
        })
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
        let advice = if causes.len() == count { "All" } else { "Nearly all" };
        format!(
            "{advice} outages say the same: {cause}. That suggests one common cause: a router, a name \
             server, a proxy or a host that they share."
        )
    })
}

/// A line of the table, and its rank: what is down first.
fn row(notice: &Notice, all: &[Notice], ctx: &Context) -> (u8, Vec<Cell>) {
    let name = notice
        .about
        .as_ref()
        .map_or_else(String::new, |about| about.name.as_str().to_owned());
    let (rank, state, tone, cause, since) = match &notice.news {
        News::Down {
            incident, cause, ..
        }
        | News::StillDown {
            incident, cause, ..
        } => {
            let ended = all
                .iter()
                .find_map(|up| subject::was_down(notice, up, &ctx.beginnings));
            let what = words::cause_name(&cause.failure, cause.status);
            match ended {
                Some(lasted) => (
                    2,
                    "WAS DOWN".to_owned(),
                    Tone::Up,
                    format!("{what}, {}", words::span(lasted)),
                    ctx.beginnings.of(*incident),
                ),
                None => {
                    let still = matches!(notice.news, News::StillDown { .. });
                    let word = if still { "STILL DOWN" } else { "DOWN" };
                    (
                        0,
                        word.to_owned(),
                        Tone::Down,
                        what,
                        ctx.beginnings.of(*incident),
                    )
                }
            }
        }
        News::Up {
            incident,
            closed_at,
            flapping_since,
            ..
        } => (
            3,
            "UP".to_owned(),
            Tone::Up,
            match flapping_since {
                Some(since) => {
                    format!("after {} of flapping", words::span(closed_at.since(*since)))
                }
                None => format!(
                    "after {}",
                    words::span(closed_at.since(ctx.beginnings.of(*incident)))
                ),
            },
            *closed_at,
        ),
        News::Degraded { reason, since, .. } => (
            1,
            "DEGRADED".to_owned(),
            Tone::Warn,
            reason.to_string(),
            *since,
        ),
        News::CertificateExpiring { check, .. } => (
            1,
            "DEGRADED".to_owned(),
            Tone::Warn,
            check.certificate.as_ref().map_or_else(
                || FailureKind::CertificateExpiring.to_string(),
                |certificate| {
                    format!(
                        "certificate, {}",
                        words::certificate_left(certificate, ctx.now)
                    )
                },
            ),
            notice.decided_at,
        ),
        News::Flapping { changes, .. } => (
            1,
            "FLAPPING".to_owned(),
            Tone::Warn,
            format!("{changes} changes"),
            notice.decided_at,
        ),
        News::RedirectChanged { .. } => (
            1,
            "REDIRECT".to_owned(),
            Tone::Warn,
            "another chain".to_owned(),
            notice.decided_at,
        ),
        News::Blind { .. }
        | News::Trouble { .. }
        | News::Back { .. }
        | News::Report { .. }
        | News::Test => (
            4,
            notice.news.kind().as_str().to_owned(),
            Tone::Plain,
            String::new(),
            notice.decided_at,
        ),
    };
    let row = vec![
        Cell::toned(state, tone),
        name.into(),
        cause.into(),
        words::clock_time(since, ctx).into(),
    ];
    (rank, row)
}
