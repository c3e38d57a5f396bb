//! Mails that another configuration would have sent, beside those that were sent.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::screen::{Screen, Tone};
use super::table::{self, Cell, Column, Fit};
use super::when::Clock;
use crate::domain::notice::MailKind;
use crate::domain::span::Human;
use crate::domain::timestamp::Timestamp;

/// One mail on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRow {
    /// Whose.
    pub monitor: String,
    /// What it says.
    pub kind: MailKind,
    /// The first failed check of its incident.
    pub opened_at: Option<Timestamp>,
    /// When it would have been decided.
    pub would_at: Option<Timestamp>,
    /// When it was decided then.
    pub sent_at: Option<Timestamp>,
}

impl ReplayRow {
    /// What it is sorted by.
    pub fn at(&self) -> Option<Timestamp> {
        self.would_at.or(self.sent_at)
    }
}

/// Writes the two side by side, oldest first.
pub fn write(
    rows: &[ReplayRow],
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let columns = [
        Column::left("NAME").fit(Fit::Cut(8)),
        Column::left("MAIL"),
        Column::left("WOULD BE SENT"),
        Column::right("AFTER").fit(Fit::Drop(1)),
        Column::left("WAS SENT"),
        Column::right("AFTER").fit(Fit::Drop(1)),
    ];
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| of(row, clock, screen)).collect();
    table::write(&columns, &cells, screen, out)
}

fn of(row: &ReplayRow, clock: &Clock, screen: Screen) -> Vec<Cell> {
    let time = |at: Option<Timestamp>, tone| match at {
        Some(at) if screen.is_terminal() => clock.civil(at).into(),
        Some(at) => clock.exact(at).into(),
        None => Cell::toned("-", tone),
    };
    let after = |at: Option<Timestamp>| match (at, row.opened_at) {
        (Some(at), Some(opened)) => Human(at.since(opened)).to_string(),
        _ => String::new(),
    };
    vec![
        row.monitor.as_str().into(),
        row.kind.as_str().replace('_', " ").into(),
        time(row.would_at, Tone::Warning),
        after(row.would_at).into(),
        time(row.sent_at, Tone::Warning),
        after(row.sent_at).into(),
    ]
}

/// One row as JSON; `after_s` counts from the first failed check.
pub fn json(row: &ReplayRow) -> Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let after = |at: Option<Timestamp>| Some(at?.since(row.opened_at?).as_secs_f64());
    json!({
        "monitor": row.monitor,
        "kind": row.kind.as_str(),
        "opened_at": text(row.opened_at),
        "would_be_sent_at": text(row.would_at),
        "would_be_sent_after_s": after(row.would_at),
        "was_sent_at": text(row.sent_at),
        "was_sent_after_s": after(row.sent_at),
    })
}

/// `12 mails instead of 31: 9 as before, 3 new, 22 no longer`
pub fn summary(rows: &[ReplayRow]) -> String {
    let both = rows
        .iter()
        .filter(|row| row.would_at.is_some() && row.sent_at.is_some())
        .count();
    let would = rows.iter().filter(|row| row.would_at.is_some()).count();
    let sent = rows.iter().filter(|row| row.sent_at.is_some()).count();
    format!(
        "{would} {} instead of {sent}: {both} as before, {} new, {} no longer",
        if would == 1 { "mail" } else { "mails" },
        would - both,
        sent - both
    )
}
