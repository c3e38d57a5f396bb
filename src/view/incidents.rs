//! Outages as a table.

use std::fmt::{self, Write};

use super::rows::IncidentRow;
use super::table::{self, Cell, Column, Fit};
use super::terminal::{Screen, Tone};
use super::time_text::{Clock, is_narrow};
use crate::domain::amendment;
use crate::domain::duration_text::{Human, between_clock_times};

/// Writes outages, newest first.
pub fn write(
    rows: &[IncidentRow],
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let columns = [
        Column::left("NAME").fit(Fit::Name),
        Column::left("FROM"),
        Column::left("TO"),
        Column::right("LASTED"),
        Column::left("CAUSE").fit(Fit::CutOrDrop(16)),
        Column::right("FAILED").fit(Fit::Drop(1)),
        Column::left("MAILS").fit(Fit::Drop(2)),
    ];
    let cells = rows.iter().map(|row| of(row, clock, screen));
    table::write(&columns, cells, screen, out)?;
    if !rows.is_empty() {
        writeln!(out, "{}", screen.paint(Tone::Faint, &clock.caption()))?;
    }
    Ok(())
}

fn of(row: &IncidentRow, clock: &Clock, screen: Screen) -> Vec<Cell> {
    let incident = &row.incident;
    let time = |at| clock.column(at, screen);
    let until = incident.closed_at.unwrap_or(clock.now);
    let lasted = between_clock_times(incident.opened_at(), until);
    let mut asides: Vec<String> = Vec::new();
    if incident.maintenance {
        asides.push("maintenance".to_owned());
    }
    if incident.acked_at.is_some() || incident.ack_note.is_some() {
        let by = row.acked_by.as_ref();
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        match &incident.ack_note {
            Some(note) => asides.push(format!("acked{by}: {note}")),
            None => asides.push(format!("acked{by}")),
        }
    }
    if let Some(at) = row.escalated_at {
        asides.push(format!("escalated {}", time(at)));
    }
    asides.extend(
        row.notes
            .iter()
            .map(|note| format!("note by {}: {}", note.by, note.text)),
    );
    let mut cause = incident.cause.failure.detail.to_string();
    if let Some(amended) = amendment::in_force(&row.amendments) {
        let note = amended.note.as_ref().map(|note| format!(" ({note})"));
        // Before the cause, which a narrow terminal cuts.
        cause = format!(
            "AMENDED {} by {}{}: {cause}",
            amended.counts_as.as_str(),
            amended.by,
            note.unwrap_or_default()
        );
    }
    if !asides.is_empty() {
        cause.push_str(&format!(" ({})", asides.join(", ")));
    }
    vec![
        row.monitor.as_str().into(),
        time(incident.opened_at()).into(),
        match incident.closed_at {
            Some(at) => time(at).into(),
            None if is_narrow(screen) => Cell::toned("open", Tone::Bad),
            None => Cell::toned("still down", Tone::Bad),
        },
        Human(lasted).to_string().into(),
        cause.into(),
        incident.checks_failed.to_string().into(),
        mails(row).into(),
    ]
}

/// `2 sent`, `1 sent, 1 waiting`, `none`.
fn mails(row: &IncidentRow) -> String {
    let sent = row
        .mails
        .iter()
        .filter(|mail| mail.sent_at.is_some())
        .count();
    match (sent, row.mails.len() - sent) {
        (0, 0) => "none".to_owned(),
        (sent, 0) => format!("{sent} sent"),
        (0, unsent) => format!("{unsent} not sent"),
        (sent, unsent) => format!("{sent} sent, {unsent} not"),
    }
}
