//! What leaves for one recipient now: single mails in order, merged ones, or a digest.

use std::collections::BTreeSet;
use std::time::Duration;

use super::delivery::{BACKOFF_MAX, PAUSE};
use super::row::{Holds, Lane, RowId, Tries, Waiting};
use crate::domain::monitor::MonitorId;
use crate::domain::notice::MailKind;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;

/// While a recipient is backed off, a new mail may try at once when the last try is this long ago:
/// an alert does not wait half an hour for a server that is back since long.
const FRESH_TRY: Duration = Duration::from_secs(60);

/// One thing to do with rows of a lane; done in order, and stopped at the first that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Deed {
    /// Deliver a row as it is.
    Send(RowId),
    /// An outage that ended before its DOWN could leave: form one WAS DOWN mail of the two, and deliver it.
    Merge {
        /// The DOWN that never left.
        down: RowId,
        /// The UP that came after it.
        up: RowId,
    },
    /// Form one digest of these rows, and deliver it.
    Digest(Vec<RowId>),
    /// A newer row says all that this one would: it is dropped.
    Supersede(RowId),
}

/// What to do for a lane, and when to look again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Plan {
    /// What to do now.
    pub deeds: Vec<Deed>,
    /// When the next deed is due if nothing changes; none: when something new is queued.
    pub wake_at: Option<Timestamp>,
}

/// Rows that leave together as one mail.
#[derive(Debug)]
struct Unit<'a> {
    first: &'a Waiting,
    /// The UP that makes a DOWN a WAS DOWN.
    up: Option<&'a Waiting>,
}

impl Unit<'_> {
    /// Whether it may be told in a digest. Digests, merged mails and what may have arrived stay as they are.
    fn groups(&self) -> bool {
        match self.first.kind {
            MailKind::Down
            | MailKind::StillDown
            | MailKind::Up
            | MailKind::Degraded
            | MailKind::Flapping
            | MailKind::RedirectChanged => !self.first.may_have_arrived(),
            MailKind::WasDown
            | MailKind::Digest
            | MailKind::Blind
            | MailKind::Trouble
            | MailKind::Report
            | MailKind::Test => false,
        }
    }

    /// Until when this mail itself was put off.
    fn put_off_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.first.tries {
            Tries::Failed {
                holds: Holds::Mail,
                next_at,
                ..
            } => later(next_at, now),
            Tries::None | Tries::Failed { .. } => None,
        }
    }

    fn rows(&self) -> impl Iterator<Item = RowId> {
        std::iter::once(self.first.id).chain(self.up.map(|up| up.id))
    }
}

/// Plans a lane. Nothing of it may be on its way while this is asked.
pub fn plan(settings: &AlertSettings, lane: &Lane, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let superseded = superseded(&lane.waiting);
    plan.deeds
        .extend(superseded.iter().copied().map(Deed::Supersede));
    let rows: Vec<&Waiting> = lane
        .waiting
        .iter()
        .filter(|row| !superseded.contains(&row.id))
        .collect();
    if let Some(until) = backed_off_until(&rows, now) {
        plan.wake_at = Some(until);
        return plan;
    }

    let mut held_monitors: BTreeSet<MonitorId> = BTreeSet::new();
    // A digest tells of many: while it is put off, nothing that came after it may overtake it.
    let mut held_all = false;
    let mut group: Vec<Unit> = Vec::new();
    for unit in units(&rows) {
        let held = held_all && unit.groups()
            || unit
                .first
                .monitor
                .is_some_and(|m| held_monitors.contains(&m));
        let put_off = unit.put_off_until(now);
        if held || put_off.is_some() {
            plan.wake_at = earliest(plan.wake_at, put_off);
            // In order per monitor: what comes after it waits for it.
            held_monitors.extend(unit.first.monitor);
            held_all |= unit.first.kind == MailKind::Digest;
        } else if unit.groups() {
            group.push(unit);
        } else {
            plan.deeds.push(Deed::Send(unit.first.id));
        }
    }
    match group_ready_at(settings, lane, &group, now) {
        None => {}
        Some(ready_at) if ready_at > now => plan.wake_at = earliest(plan.wake_at, Some(ready_at)),
        Some(_) => plan.deeds.extend(release(settings, &group)),
    }
    plan
}

fn release(settings: &AlertSettings, group: &[Unit]) -> Vec<Deed> {
    if group.len() > usize::try_from(settings.group_limit).unwrap_or(usize::MAX) {
        return vec![Deed::Digest(group.iter().flat_map(Unit::rows).collect())];
    }
    group
        .iter()
        .map(|unit| match unit.up {
            None => Deed::Send(unit.first.id),
            Some(up) => Deed::Merge {
                down: unit.first.id,
                up: up.id,
            },
        })
        .collect()
}

/// When a group may leave: after its wait, and after the collecting that follows a digest.
fn group_ready_at(
    settings: &AlertSettings,
    lane: &Lane,
    group: &[Unit],
    now: Timestamp,
) -> Option<Timestamp> {
    let oldest = group.iter().map(|unit| unit.first.queued_at).min()?;
    // A moment that lies ahead was written before the clock was set back: it counts as now.
    let waited = oldest.min(now).plus(if oldest > now {
        Duration::ZERO
    } else {
        settings.group_wait
    });
    let collected = lane
        .digest_formed_at
        .filter(|formed| *formed <= now)
        .map_or(Timestamp::MIN, |formed| {
            formed.plus(settings.group_interval)
        });
    Some(waited.max(collected))
}

/// Until when everything to this recipient waits, if it does.
fn backed_off_until(rows: &[&Waiting], now: Timestamp) -> Option<Timestamp> {
    let mut until: Option<Timestamp> = None;
    let mut last = Timestamp::MIN;
    for row in rows {
        if let Tries::Failed {
            holds: Holds::Recipient,
            last_at,
            next_at,
            ..
        } = row.tries
        {
            until = until.max(later(next_at, now));
            last = last.max(last_at);
        }
    }
    let has_fresh = rows.iter().any(|row| row.attempts() == 0);
    until
        .map(|until| {
            if has_fresh {
                until.min(last.plus(FRESH_TRY))
            } else {
                until
            }
        })
        .filter(|until| *until > now)
}

/// A due time, if it lies ahead; one further ahead than any delay is from before a clock step, and is due.
fn later(at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let longest = BACKOFF_MAX.max(PAUSE) * 2;
    (at > now && at.since(now) <= longest).then_some(at)
}

/// Reminders that a waiting DOWN, a newer reminder or an UP of the same outage makes pointless.
fn superseded(rows: &[Waiting]) -> BTreeSet<RowId> {
    rows.iter()
        .filter(|row| row.kind == MailKind::StillDown && !row.may_have_arrived())
        .filter(|reminder| {
            rows.iter().any(|other| {
                other.incident == reminder.incident
                    && match other.kind {
                        MailKind::Down => !other.may_have_arrived(),
                        MailKind::StillDown | MailKind::Up => other.id > reminder.id,
                        MailKind::WasDown
                        | MailKind::Degraded
                        | MailKind::Flapping
                        | MailKind::RedirectChanged
                        | MailKind::Digest
                        | MailKind::Blind
                        | MailKind::Trouble
                        | MailKind::Report
                        | MailKind::Test => false,
                    }
            })
        })
        .map(|row| row.id)
        .collect()
}

/// Pairs each UP with the waiting DOWN of its outage; a DOWN that may have arrived is left alone.
fn units<'a>(rows: &[&'a Waiting]) -> Vec<Unit<'a>> {
    let mut units: Vec<Unit> = Vec::with_capacity(rows.len());
    for row in rows {
        let partner = units.iter_mut().find(|unit| {
            row.kind == MailKind::Up
                && unit.first.kind == MailKind::Down
                && unit.first.incident == row.incident
                && unit.up.is_none()
                && !unit.first.may_have_arrived()
                && !row.may_have_arrived()
        });
        match partner {
            Some(unit) => unit.up = Some(row),
            None => units.push(Unit {
                first: row,
                up: None,
            }),
        }
    }
    units
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
