//! Mails that wait for the end of a mute or a window that began after they were queued, or for the opening hours of
//! their recipient.

use std::collections::{BTreeMap, BTreeSet};

use super::deed::{Deed, Silenced};
use super::queued::{RowId, Waiting};
use crate::domain::incident::IncidentKey;
use crate::domain::notification::MailKind;
use crate::policy::alert::state::Hold;

/// The rows that may be planned for, and what is to be marked on rows that begin or cease to be held.
pub(super) fn apart<'a>(
    rows: &'a [Waiting],
    but: &BTreeSet<RowId>,
    silenced: &Silenced,
    is_closed: bool,
) -> (Vec<&'a Waiting>, Vec<Deed>) {
    let mut free = Vec::with_capacity(rows.len());
    let mut begin: BTreeMap<Hold, Vec<RowId>> = BTreeMap::new();
    let mut end = Vec::new();
    // Looked up, since a window may cover very many.
    let over: BTreeSet<IncidentKey> = match silenced.is_empty() {
        true => BTreeSet::new(),
        false => rows
            .iter()
            .filter(|row| row.kind == MailKind::Up)
            .filter_map(|row| row.incident)
            .collect(),
    };
    for row in rows.iter().filter(|row| !but.contains(&row.id)) {
        let why = match is_closed {
            true => Some(Hold::Hours),
            false => hold(row, &over, silenced),
        };
        match why {
            None => {
                if row.is_held() {
                    end.push(row.id);
                }
                free.push(row);
            }
            Some(why) if row.held_by() == Some(why) => {}
            Some(why) => begin.entry(why).or_default().push(row.id),
        }
    }
    let mut marks: Vec<Deed> = begin
        .into_iter()
        .map(|(why, rows)| Deed::Hold(rows, why))
        .collect();
    if !end.is_empty() {
        marks.push(Deed::Release(end));
    }
    (free, marks)
}

/// Why a row waits for a mute or a window, if it does.
fn hold(row: &Waiting, over: &BTreeSet<IncidentKey>, silenced: &Silenced) -> Option<Hold> {
    match row.kind {
        MailKind::Down
        | MailKind::StillDown
        | MailKind::Escalated
        | MailKind::Degraded
        | MailKind::Flapping
        | MailKind::RedirectChanged => {
            let why = silenced.get(&row.monitor?)?;
            // The recovery of an outage leaves at once, and not before what began it.
            let is_over = row
                .incident
                .is_some_and(|incident| over.contains(&incident));
            (!is_over).then_some(*why)
        }
        MailKind::Digest => {
            let mut holds = row.tells.iter().map(|monitor| silenced.get(monitor));
            let first = holds.next()??;
            holds.all(|hold| hold.is_some()).then_some(*first)
        }
        MailKind::Up
        | MailKind::WasDown
        | MailKind::Blind
        | MailKind::Trouble
        | MailKind::Burn
        | MailKind::Report
        | MailKind::Test => None,
    }
}
