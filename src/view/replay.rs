//! Mails that another configuration would have sent, beside those that were sent.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::json::Seconds;
use super::table::{self, Cell, Column, Fit};
use super::terminal::{Screen, Tone};
use super::time_text::Clock;
use crate::domain::duration_text::Human;
use crate::domain::notification::MailKind;
use crate::domain::timestamp::Timestamp;

/// One alert on either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRow {
    /// The monitor's name.
    pub monitor: String,
    /// What it says.
    pub kind: MailKind,
    /// The first failed check of its incident.
    pub opened_at: Option<Timestamp>,
    /// How it would have left.
    pub would: Option<Leaving>,
    /// How it left then.
    pub was: Option<Leaving>,
}

/// How an alert leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When its mail left; `None` if it waits.
    pub sent_at: Option<Timestamp>,
    /// What tells it together with others: a digest, a WAS DOWN; and of how many.
    pub within: Option<(MailKind, usize)>,
}

impl Leaving {
    fn at(&self) -> Timestamp {
        self.sent_at.unwrap_or(self.decided_at)
    }
}

impl ReplayRow {
    /// What it is sorted by.
    pub fn at(&self) -> Option<Timestamp> {
        let leaving = self.would.as_ref().or(self.was.as_ref());
        leaving.map(Leaving::at)
    }

    fn after(&self, leaving: Option<&Leaving>) -> Option<std::time::Duration> {
        Some(leaving?.sent_at?.since(self.opened_at?))
    }
}

/// How many mails left on both sides; of several alerts in a digest only one did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mails {
    /// By the other configuration.
    pub would: usize,
    /// At that time.
    pub was: usize,
}

/// Writes the two side by side, oldest first.
pub fn write(
    rows: &[ReplayRow],
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let columns = [
        Column::left("NAME").fit(Fit::Name),
        Column::left("ALERT"),
        Column::left("WOULD SEND"),
        Column::right("AFTER").fit(Fit::Drop(1)),
        Column::left("IN").fit(Fit::Drop(2)),
        Column::left("SENT"),
        Column::right("AFTER").fit(Fit::Drop(1)),
        Column::left("IN").fit(Fit::Drop(2)),
    ];
    let cells = rows.iter().map(|row| of(row, clock, screen));
    table::write(&columns, cells, screen, out)
}

fn of(row: &ReplayRow, clock: &Clock, screen: Screen) -> Vec<Cell> {
    let time = |leaving: Option<&Leaving>| match leaving {
        None => Cell::toned("-", Tone::Warning),
        Some(Leaving { sent_at: None, .. }) => Cell::toned("waits", Tone::Warning),
        Some(Leaving {
            sent_at: Some(at), ..
        }) => clock.column(*at, screen).into(),
    };
    let after = |leaving: Option<&Leaving>| {
        row.after(leaving)
            .map_or_else(String::new, |after| Human(after).to_string())
    };
    let within = |leaving: Option<&Leaving>| match leaving.and_then(|leaving| leaving.within) {
        Some((MailKind::Digest, many)) => format!("digest of {many}"),
        Some((kind, _)) => kind.as_str().replace('_', " "),
        None => String::new(),
    };
    let (would, was) = (row.would.as_ref(), row.was.as_ref());
    vec![
        row.monitor.as_str().into(),
        row.kind.as_str().replace('_', " ").into(),
        time(would),
        after(would).into(),
        within(would).into(),
        time(was),
        after(was).into(),
        within(was).into(),
    ]
}

/// One row as JSON; `after_s` counts from the first failed check to the mail's leaving.
pub fn json(row: &ReplayRow) -> Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let (would, was) = (row.would.as_ref(), row.was.as_ref());
    let after = |leaving| {
        let after = row.after(leaving)?;
        Some(Seconds(
            u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
        ))
    };
    let decided = |leaving: Option<&Leaving>| text(leaving.map(|leaving| leaving.decided_at));
    let sent = |leaving: Option<&Leaving>| text(leaving.and_then(|leaving| leaving.sent_at));
    let within = |leaving: Option<&Leaving>| {
        let (kind, many) = leaving?.within?;
        Some(json!({ "kind": kind.as_str(), "alerts": many }))
    };
    json!({
        "monitor": row.monitor,
        "kind": row.kind.as_str(),
        "opened_at": text(row.opened_at),
        "would_be_decided_at": decided(would),
        "would_be_sent_at": sent(would),
        "would_be_sent_after_s": after(would),
        "would_be_sent_in": within(would),
        "was_decided_at": decided(was),
        "was_sent_at": sent(was),
        "was_sent_after_s": after(was),
        "was_sent_in": within(was),
    })
}

/// `3 mails instead of 31, with 12 alerts instead of 31: 9 as before, 3 new, 22 no longer; DOWN in the middle 42s after
/// the first failed check instead of 1m 2s`
pub fn summary(rows: &[ReplayRow], mails: Mails) -> String {
    let both = rows
        .iter()
        .filter(|row| row.would.is_some() && row.was.is_some())
        .count();
    let would = rows.iter().filter(|row| row.would.is_some()).count();
    let was = rows.iter().filter(|row| row.was.is_some()).count();
    let mut text = format!(
        "{} {} instead of {}, with {would} {} instead of {was}: {both} as before, {} new, {} no longer",
        mails.would,
        if mails.would == 1 { "mail" } else { "mails" },
        mails.was,
        if would == 1 { "alert" } else { "alerts" },
        would - both,
        was - both
    );
    let delay = |side: fn(&ReplayRow) -> Option<&Leaving>| {
        let downs = rows.iter().filter(|row| row.kind == MailKind::Down);
        let mut delays: Vec<_> = downs.filter_map(|row| row.after(side(row))).collect();
        delays.sort_unstable();
        delays.get(delays.len() / 2).copied()
    };
    match (
        delay(|row| row.would.as_ref()),
        delay(|row| row.was.as_ref()),
    ) {
        (Some(would), Some(was)) => text.push_str(&format!(
            "; a DOWN comes {} after the first failed check (median) instead of {}",
            Human(would),
            Human(was)
        )),
        (Some(would), None) => text.push_str(&format!(
            "; a DOWN comes {} after the first failed check (median)",
            Human(would)
        )),
        (None, _) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_printed_as_they_are() {
        let at = Timestamp::from_ms;
        let leaving = |sent_at| Leaving {
            decided_at: at(1_795_377_602_300),
            sent_at: Some(at(sent_at)),
            within: None,
        };
        let row = ReplayRow {
            monitor: "shop".into(),
            kind: MailKind::Down,
            opened_at: Some(at(1_795_377_600_000)),
            would: Some(leaving(1_795_377_612_300)),
            was: Some(leaving(1_795_377_662_000)),
        };
        let text = json(&row).to_string();
        assert!(text.contains(r#""would_be_sent_after_s":12.3,"#), "{text}");
        assert!(text.contains(r#""was_sent_after_s":62,"#), "{text}");
    }
}
