//! Many checks as a list, a line each.

use std::fmt::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::check::{CheckView, arrow, shown, tone};
use super::table::cut_end;
use super::terminal::{Screen, Tone};
use super::time_text;

/// Writes the heading of the lines of [`brief`].
pub fn brief_heading(name_columns: usize, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let what = said_columns(name_columns, screen).map_or("", |_| "  WHAT");
    let line = format!(
        "{:<9} {:<name_columns$}  {:>4}  {:>10}{what}",
        "STATE", "NAME", "CODE", "TOOK"
    );
    writeln!(out, "{}", screen.paint(Tone::Faint, &line))
}

/// The width of names up to `widest` that leaves room for the rest of a line. What is said of a check gives way where
/// that keeps names whole: of a failed one it stands below in full.
pub fn name_columns(widest: usize, screen: Screen) -> usize {
    let room = screen.columns.map_or(usize::MAX, usize::from);
    if widest <= room.saturating_sub(BRIEF_COLUMNS) {
        return widest.max(8);
    }
    room.saturating_sub(BRIEF_COLUMNS + 2 + 10).max(8)
}

/// The room for what is said of a check, beside names of this width; `None` if there is too little.
fn said_columns(name_columns: usize, screen: Screen) -> Option<usize> {
    let room = screen.columns.map_or(usize::MAX, usize::from);
    let said = room.saturating_sub(name_columns + BRIEF_COLUMNS + 2);
    (said >= SAID_COLUMNS_MIN).then_some(said)
}

/// A text of this width still says something.
const SAID_COLUMNS_MIN: usize = 8;

/// What a line of [`brief`] has beside the name and what is said of the check.
const BRIEF_COLUMNS: usize = 10 + 2 + 4 + 2 + 10;

/// Writes one line about one check: for many at once. Names are padded to `name_columns`.
pub fn brief(
    view: &CheckView<'_>,
    name_columns: usize,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let check = view.check;
    let state = check.verdict.state();
    let status = check
        .status
        .map_or_else(|| "-".to_owned(), |status| status.to_string());
    let said = match check.verdict.failure() {
        Some(failure) => failure.detail.to_string(),
        None if check.chain.redirects.is_empty() => String::new(),
        None => format!(
            "{} {}",
            arrow(screen),
            shown(&check.chain.final_url, view.url)
        ),
    };
    let name = cut_end(view.monitor, name_columns);
    let pad = name_columns.saturating_sub(name.width());
    let time = time_text::ms(check.timings.total);
    let said = match said_columns(name_columns, screen) {
        Some(columns) => cut_end(&said, columns),
        None => String::new(),
    };
    let line = format!(
        "{} {name}{:pad$}  {status:>4}  {time:>10}  {said}",
        screen.paint(tone(state), &format!("{state:<9}")),
        ""
    );
    writeln!(out, "{}", line.trim_end())
}
