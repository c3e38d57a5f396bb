//! BURN: an objective's error budget burns too fast.

use crate::domain::notification::{BurnWindow, News};
use crate::view::objective::{ObjectiveRow, times};

use super::context::Context;
use super::footer;
use super::outline::{Body, Doc, Table, Tone};
use super::words;

/// An error budget burns too fast; of all other news the mail is empty.
pub(super) fn burn(news: &News, ctx: &Context) -> Doc {
    let News::Burn {
        objective,
        target_percent,
        period,
        long,
        short,
        worst,
    } = news
    else {
        return Doc::default();
    };
    let mut doc = Doc {
        tone: Tone::Warn,
        badge: format!("\u{25c6} BURN {}", times(long.times)),
        title: objective.clone(),
        page: ctx.page_url.clone(),
        ..Doc::default()
    };
    let promised = match &**period {
        "month" => "each month".to_owned(),
        period => period.to_owned(),
    };
    doc.lead.push(format!(
        "{objective} burns its error budget {} as fast as it may: the objective is {target_percent} % uptime over \
         {promised}.",
        times(long.times)
    ));
    footer::delay(&mut doc, ctx);
    doc.part(
        "Burn",
        Body::Table(Table {
            head: vec!["Over", "Burn", "Observed"],
            right: vec![1, 2],
            breaks: 0,
            rows: [long, short].map(window).into(),
        }),
    );
    if let Some(row) = ctx.objectives.iter().find(|row| row.name == *objective) {
        standing(&mut doc, row);
    }
    let names: Vec<String> = worst.iter().map(ToString::to_string).collect();
    doc.prose("Was down", names.join(", "));
    doc.prose(
        "Meaning",
        "At 1x the budget lasts exactly as long as its period. Time that was not observed, and maintenance, do not \
         count. This is told once; the burn is over when the short windows see none of it.",
    );
    doc.part("More", Body::Command(vec!["sitewatch report".to_owned()]));
    doc.footer = footer::footer(ctx, "");
    doc
}

fn window(window: &BurnWindow) -> Vec<super::outline::Cell> {
    vec![
        words::span(window.length).into(),
        times(window.times).into(),
        words::percent(window.coverage_percent).into(),
    ]
}

fn standing(doc: &mut Doc, row: &ObjectiveRow) {
    doc.prose("Budget left", row.left());
    let percent = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), words::percent);
    doc.prose(
        "Uptime",
        format!(
            "{} of the time that was observed, which is {} of the period",
            percent(row.uptime_percent),
            percent(row.coverage_percent)
        ),
    );
}
