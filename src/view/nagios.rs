//! The output of a monitoring plugin: one line with performance data, further lines for more than one site.

use std::fmt::{self, Write};

use super::check::{CheckView, met_words, named};
use super::time_text;
use crate::domain::check::CheckState;
use crate::domain::timestamp::Timestamp;

/// More than this in one plugin's output is cut off by those who run it.
const LINES_MAX: usize = 200;

/// Writes the plugin's text: `word` is OK, WARNING, CRITICAL or UNKNOWN.
pub fn write(
    word: &str,
    views: &[CheckView<'_>],
    now: Timestamp,
    out: &mut impl Write,
) -> fmt::Result {
    let bad = |view: &&CheckView<'_>| view.check.verdict.state() != CheckState::Up;
    let summary = match views {
        [] => "nothing to check".to_owned(),
        [one] => format!("{}: {}", plain(one.monitor), said(one)),
        many => {
            let wrong: Vec<String> = many
                .iter()
                .filter(bad)
                .map(|view| plain(view.monitor))
                .collect();
            if wrong.is_empty() {
                format!("{} sites up", many.len())
            } else {
                format!(
                    "{} of {} sites not up: {}",
                    wrong.len(),
                    many.len(),
                    names(&wrong)
                )
            }
        }
    };
    write!(out, "SITEWATCH {word} - {summary}")?;
    for (index, view) in views.iter().take(LINES_MAX).enumerate() {
        write!(out, "{}", if index == 0 { " | " } else { " " })?;
        performance(view, views.len() > 1, now, out)?;
    }
    writeln!(out)?;
    if views.len() > 1 {
        for view in views.iter().take(LINES_MAX) {
            let state = view.check.verdict.state();
            writeln!(out, "{state}: {}: {}", plain(view.monitor), said(view))?;
        }
    }
    Ok(())
}

fn said(view: &CheckView<'_>) -> String {
    let check = view.check;
    let seconds = check.timings.total.as_ms() / 1000.0;
    match (check.verdict.failure(), check.status) {
        (Some(failure), _) => format!("{} ({seconds:.3} s)", plain(&failure.detail)),
        (None, Some(status)) => format!("{} in {seconds:.3} s", named(status)),
        (None, None) => format!("{} in {seconds:.3} s", met_words(check.kind())),
    }
}

fn performance(
    view: &CheckView<'_>,
    labelled: bool,
    now: Timestamp,
    out: &mut impl Write,
) -> fmt::Result {
    let label = |what: &str| {
        if labelled {
            let name = plain(view.monitor).replace(['=', '\''], "_");
            format!("'{name} {what}'")
        } else {
            what.to_owned()
        }
    };
    let check = view.check;
    let seconds = check.timings.total.as_ms() / 1000.0;
    write!(out, "{}={seconds:.6}s;;;0", label("time"))?;
    write!(out, " {}={}B;;;0", label("size"), check.body_bytes)?;
    if let Some(certificate) = &check.certificate {
        let days = time_text::days_left(certificate.not_after, now);
        write!(out, " {}={days}", label("certificate_days"))?;
    }
    Ok(())
}

/// Without what separates text from performance data.
fn plain(text: &str) -> String {
    crate::domain::safe_text::line(&text.replace('|', "/"), 300).into_owned()
}

fn names(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
