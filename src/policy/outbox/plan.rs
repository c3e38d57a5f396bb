//! What leaves for one recipient now: single mails in order, merged ones, or a digest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::collecting::Collecting;
pub use super::deed::{Deed, Silenced};
use super::hold;
use super::hours::Hours;
use super::queued::{Holds, Lane, RowId, Tries, Waiting};
use super::retry::{BACKOFF_MAX, LATER_MAX, PAUSE};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::MailKind;
use crate::domain::settings::AlertSettings;
use crate::domain::timestamp::Timestamp;

/// While a recipient is backed off, a new mail may try at once when the last try is this long ago:
/// an alert does not wait half an hour for a server that is back since long.
pub(super) const FRESH_TRY: Duration = Duration::from_secs(60);

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
            | MailKind::Escalated
            | MailKind::Up
            | MailKind::Degraded
            | MailKind::Flapping
            | MailKind::RedirectChanged => !self.first.may_have_arrived(),
            MailKind::WasDown
            | MailKind::Digest
            | MailKind::Blind
            | MailKind::Trouble
            | MailKind::Burn
            | MailKind::Report
            | MailKind::Test => false,
        }
    }

    /// Whether it waited for the opening hours of its recipient, and may be told with all else that did.
    fn opens(&self) -> bool {
        let is_about_us = match self.first.kind {
            MailKind::Blind
            | MailKind::Trouble
            | MailKind::Burn
            | MailKind::Report
            | MailKind::Test => !self.first.may_have_arrived(),
            MailKind::Down
            | MailKind::StillDown
            | MailKind::Escalated
            | MailKind::Up
            | MailKind::Degraded
            | MailKind::Flapping
            | MailKind::RedirectChanged
            | MailKind::WasDown
            | MailKind::Digest => false,
        };
        let waited = self.waiting().any(Waiting::waited_for_hours);
        waited && (self.groups() || is_about_us)
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
        self.waiting().map(|row| row.id)
    }

    fn waiting(&self) -> impl Iterator<Item = &Waiting> + Clone {
        std::iter::once(self.first).chain(self.up)
    }

    /// How it leaves by itself.
    fn deed(&self) -> Deed {
        match self.up {
            None => Deed::Send(self.first.id),
            Some(up) => Deed::Merge {
                down: self.first.id,
                up: up.id,
            },
        }
    }
}

/// Plans a lane. Nothing of it may be on its way while this is asked.
pub fn plan(
    settings: &AlertSettings,
    lane: &Lane,
    silenced: &Silenced,
    hours: &Hours,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    let closed_until = hours.closed_until(lane.to.key(), now);
    let superseded = superseded(settings, &lane.waiting, closed_until.is_some());
    plan.deeds
        .extend(superseded.iter().copied().map(Deed::Supersede));
    let (rows, marks) = hold::apart(&lane.waiting, &superseded, silenced, closed_until.is_some());
    plan.deeds.extend(marks);
    if closed_until.is_some() {
        plan.wake_at = closed_until;
        return plan;
    }
    if let Some(until) = backed_off_until(&rows, now) {
        plan.wake_at = Some(until);
        return plan;
    }

    let mut held_monitors: BTreeSet<MonitorId> = BTreeSet::new();
    let mut group: Vec<Unit> = Vec::new();
    // Services that are told of single incidents get no digests.
    let has_digests = settings.group_limit < u32::MAX;
    for unit in units(&rows) {
        let held = unit
            .first
            .monitor
            .is_some_and(|m| held_monitors.contains(&m));
        let put_off = unit.put_off_until(now);
        if held || put_off.is_some() {
            plan.wake_at = earliest(plan.wake_at, put_off);
            // In order per monitor: what comes after it waits for it.
            held_monitors.extend(unit.first.monitor);
            held_monitors.extend(&unit.first.members);
        } else if unit.groups() || has_digests && unit.opens() {
            group.push(unit);
        } else {
            plan.deeds.push(Deed::Send(unit.first.id));
        }
    }
    let newest = lane.waiting.iter().map(|row| row.id).max();
    let newest = newest.unwrap_or(RowId(0));
    let before = lane.collecting.as_ref();
    let digest = |units: &[Unit], continues: bool| {
        let mut ids: Vec<RowId> = units.iter().flat_map(Unit::rows).collect();
        ids.sort_unstable();
        let rows = units.iter().flat_map(Unit::waiting);
        let next = Collecting::next(before, continues, rows, newest, now);
        Deed::Digest(ids, Box::new(next))
    };
    if has_digests && group.iter().any(Unit::opens) {
        // The hours of the recipient began: everything is one message.
        plan.deeds.push(match group.as_slice() {
            [one] => one.deed(),
            all => digest(all, false),
        });
        return plan;
    }
    let Sorted {
        ordinary,
        collected,
        until,
    } = sort(settings, lane, group, now);
    let (ordinary, gathered_at) = without_gathering(settings, ordinary, now);
    plan.wake_at = earliest(plan.wake_at, gathered_at);
    match group_ready_at(settings, &ordinary, now) {
        None => {}
        Some(ready_at) if ready_at > now => plan.wake_at = earliest(plan.wake_at, Some(ready_at)),
        Some(_) if ordinary.len() > limit(settings) => {
            // It takes along what has collected: nothing waits for two intervals.
            let continues = !collected.is_empty();
            let all: Vec<Unit> = collected.into_iter().chain(ordinary).collect();
            plan.deeds.push(digest(&all, continues));
            return plan;
        }
        Some(_) => plan.deeds.extend(ordinary.iter().map(Unit::deed)),
    }
    match collected.as_slice() {
        [] => {}
        _ if until > now => plan.wake_at = earliest(plan.wake_at, Some(until)),
        [one] => {
            let next = Collecting::next(before, true, one.waiting(), newest, now);
            plan.deeds.push(Deed::Collect(Box::new(next)));
        }
        many => plan.deeds.push(digest(many, true)),
    }
    plan
}

/// The units of a lane that may leave.
struct Sorted<'a> {
    /// Those that leave after `group_wait`.
    ordinary: Vec<Unit<'a>>,
    /// Those that collect after a digest.
    collected: Vec<Unit<'a>>,
    /// Until when they collect.
    until: Timestamp,
}

/// Parts what collects after a digest from what leaves as ever.
fn sort<'a>(
    settings: &AlertSettings,
    lane: &Lane,
    group: Vec<Unit<'a>>,
    now: Timestamp,
) -> Sorted<'a> {
    let mut sorted = Sorted {
        ordinary: Vec::new(),
        collected: Vec::new(),
        until: now,
    };
    // One that lies ahead was written before the clock was set back.
    let collecting = lane.collecting.as_ref().filter(|it| it.since <= now);
    let Some(collecting) = collecting else {
        sorted.ordinary = group;
        return sorted;
    };
    sorted.until = collecting.until(settings);
    let mut held: BTreeSet<MonitorId> = BTreeSet::new();
    for unit in group {
        // In order per monitor: what comes after something that collects, collects.
        let follows = unit.first.monitor.is_some_and(|m| held.contains(&m));
        if follows || collecting.takes(unit.first) {
            held.extend(unit.first.monitor);
            sorted.collected.push(unit);
        } else {
            sorted.ordinary.push(unit);
        }
    }
    let came_in_time = |unit: &Unit| unit.first.queued_at < sorted.until;
    if !collecting.hurried && !sorted.collected.iter().any(came_in_time) {
        // Nothing came in the interval: it is over.
        sorted.ordinary.append(&mut sorted.collected);
        sorted.ordinary.sort_by_key(|unit| unit.first.id);
    }
    sorted
}

/// Takes out escalations that gather, and says until when: outages that began within an interval escalate within one,
/// and are to be one digest. They are many, and each newest one waits for the next.
fn without_gathering<'a>(
    settings: &AlertSettings,
    ordinary: Vec<Unit<'a>>,
    now: Timestamp,
) -> (Vec<Unit<'a>>, Option<Timestamp>) {
    let is_step = |unit: &&Unit| unit.first.kind == MailKind::Escalated;
    let queued = || {
        ordinary
            .iter()
            .filter(is_step)
            .map(|unit| unit.first.queued_at)
    };
    let is_storm = queued().count() > limit(settings);
    let ends = queued().min().zip(queued().max()).map(|(oldest, newest)| {
        let longest = settings.group_interval.max(settings.group_wait);
        newest.plus(settings.group_wait).min(oldest.plus(longest))
    });
    // A moment that lies ahead was written before the clock was set back.
    let is_known = queued().all(|at| at <= now);
    match ends.filter(|ends| is_storm && is_known && *ends > now) {
        None => (ordinary, None),
        until => {
            let others = ordinary.into_iter().filter(|unit| !is_step(&unit));
            (others.collect(), until)
        }
    }
}

fn limit(settings: &AlertSettings) -> usize {
    usize::try_from(settings.group_limit).unwrap_or(usize::MAX)
}

/// What a mail waits for that no mute and no window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Others to the same recipient, so that many become one digest.
    ForGroup,
    /// News collect for a while after a digest.
    ForDigest,
    /// Nothing leaves to the recipient, or nothing about this monitor: the server put off a mail, or refused us.
    ForRecipient,
    /// The server put off this mail itself.
    ForRetry,
    /// The recipient has opening hours.
    ForHours,
}

/// What each row of a lane waits for, and until when: by the same steps as [`plan`]. Rows that leave now are not there,
/// nor those that a mute or a window holds.
pub fn waits(
    settings: &AlertSettings,
    lane: &Lane,
    hours: &Hours,
    now: Timestamp,
) -> BTreeMap<RowId, (Waits, Timestamp)> {
    if let Some(until) = hours.closed_until(lane.to.key(), now) {
        let all = lane
            .waiting
            .iter()
            .map(|row| (row.id, (Waits::ForHours, until)));
        return all.collect();
    }
    let superseded = superseded(settings, &lane.waiting, false);
    let is_free = |row: &&Waiting| !row.is_held() && !superseded.contains(&row.id);
    let rows: Vec<&Waiting> = lane.waiting.iter().filter(is_free).collect();
    if let Some(until) = backed_off_until(&rows, now) {
        let all = rows
            .iter()
            .map(|row| (row.id, (Waits::ForRecipient, until)));
        return all.collect();
    }
    let mut waits = BTreeMap::new();
    let mut behind: BTreeMap<MonitorId, Timestamp> = BTreeMap::new();
    let mut group: Vec<Unit> = Vec::new();
    for unit in units(&rows) {
        let put_off = unit.put_off_until(now);
        let earlier = unit.first.monitor.and_then(|it| behind.get(&it).copied());
        if let Some(until) = put_off.max(earlier) {
            let what = match put_off {
                Some(_) => Waits::ForRetry,
                None => Waits::ForRecipient,
            };
            waits.extend(unit.rows().map(|row| (row, (what, until))));
            for monitor in unit.first.monitor.iter().chain(&unit.first.members) {
                behind.insert(*monitor, until);
            }
        } else if unit.groups() {
            group.push(unit);
        }
    }
    if settings.group_limit < u32::MAX && group.iter().any(Unit::opens) {
        // The hours of the recipient began: all of it leaves.
        return waits;
    }
    let mut sorted = sort(settings, lane, group, now);
    let gathering: Vec<RowId> = sorted.ordinary.iter().flat_map(Unit::rows).collect();
    let gathered_at;
    (sorted.ordinary, gathered_at) = without_gathering(settings, sorted.ordinary, now);
    if let Some(until) = gathered_at {
        let others: BTreeSet<RowId> = sorted.ordinary.iter().flat_map(Unit::rows).collect();
        let gathering = gathering.into_iter().filter(|row| !others.contains(row));
        waits.extend(gathering.map(|row| (row, (Waits::ForGroup, until))));
    }
    let ready_at = group_ready_at(settings, &sorted.ordinary, now);
    let mut add = |units: &[Unit], what, until: Timestamp| {
        let rows = units.iter().flat_map(Unit::rows);
        waits.extend(rows.map(|row| (row, (what, until))));
    };
    match ready_at.filter(|at| *at > now) {
        Some(at) => add(&sorted.ordinary, Waits::ForGroup, at),
        // A digest takes along what has collected.
        None if sorted.ordinary.len() > limit(settings) => return waits,
        None => {}
    }
    if sorted.until > now {
        add(&sorted.collected, Waits::ForDigest, sorted.until);
    }
    waits
}

/// Since when the oldest message of a lane waits that may leave. What a mute or a window holds does not; what collects
/// after a digest does from the end of the interval on.
pub fn waits_since(settings: &AlertSettings, lane: &Lane, now: Timestamp) -> Option<Timestamp> {
    let since = |row: &Waiting| {
        let own = row.waits_since();
        let Some(collecting) = &lane.collecting else {
            return Some(own);
        };
        let is_told = row.attempts() == 0
            && row
                .monitor
                .is_some_and(|monitor| collecting.members.contains(&monitor));
        if collecting.takes(row) {
            let until = collecting.until(settings);
            (until <= now).then_some(own.max(until))
        } else if is_told {
            // It collected, and leaves by itself since this interval began.
            Some(own.max(collecting.since))
        } else {
            Some(own)
        }
    };
    let rows = lane.waiting.iter().filter(|row| !row.is_held());
    rows.filter_map(since).min()
}

/// When a group may leave: after its wait.
fn group_ready_at(settings: &AlertSettings, group: &[Unit], now: Timestamp) -> Option<Timestamp> {
    let oldest = group.iter().map(|unit| unit.first.queued_at).min()?;
    // A moment that lies ahead was written before the clock was set back: it counts as now.
    Some(oldest.min(now).plus(if oldest > now {
        Duration::ZERO
    } else {
        settings.group_wait
    }))
}

/// Until when everything to this recipient waits, if it does.
fn backed_off_until(rows: &[&Waiting], now: Timestamp) -> Option<Timestamp> {
    let mut until: Option<Timestamp> = None;
    let mut last = Timestamp::MIN;
    // A refusal of us does not go away by news.
    let rests_until = rows.iter().filter_map(|row| rests(row, now)).max();
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
        .max(rests_until)
        .filter(|until| *until > now)
}

/// Until when a row rests, if it does.
fn rests(row: &Waiting, now: Timestamp) -> Option<Timestamp> {
    let until = row.rests_until()?;
    let is_asked = matches!(
        row.tries,
        Tries::Failed {
            holds: Holds::Asked,
            ..
        }
    );
    match is_asked {
        true => (until > now && until.since(now) <= LATER_MAX * 2).then_some(until),
        false => later(until, now),
    }
}

/// A due time, if it lies ahead; one further ahead than any delay is from before a clock step, and is due.
fn later(at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let longest = BACKOFF_MAX.max(PAUSE) * 2;
    (at > now && at.since(now) <= longest).then_some(at)
}

/// Reminders and escalations that something else of the same outage makes pointless; and, where recoveries are not
/// mailed, each UP whose DOWN has left already. While its hours keep a recipient from being told there are no
/// reminders.
fn superseded(settings: &AlertSettings, rows: &[Waiting], is_closed: bool) -> BTreeSet<RowId> {
    // Looked up, since a storm may be of very many.
    let mut outages: BTreeMap<Option<IncidentKey>, Vec<&Waiting>> = BTreeMap::new();
    for row in rows {
        outages.entry(row.incident).or_default().push(row);
    }
    let pointless = |row: &Waiting| {
        let rows = outages.get(&row.incident).map_or(&[][..], Vec::as_slice);
        let is_told_already = || !settings.recovery && !rows.iter().any(|other| other.begins());
        let is_pointless = row.kind == MailKind::StillDown
            && (is_closed && row.follows || is_outdated(row, rows))
            || row.kind == MailKind::Escalated && is_passed(row, rows)
            || row.kind == MailKind::Up && is_told_already();
        is_pointless && !row.may_have_arrived()
    };
    rows.iter()
        .filter(|row| pointless(row))
        .map(|row| row.id)
        .collect()
}

/// Whether something that waits beside a reminder says all that it would.
fn is_outdated(reminder: &Waiting, rows: &[&Waiting]) -> bool {
    rows.iter().any(|other| {
        other.incident == reminder.incident
            && match other.kind {
                MailKind::Down => !other.may_have_arrived(),
                MailKind::StillDown => other.id > reminder.id,
                // It says the same, and that it is time for others to know.
                MailKind::Escalated => !other.may_have_arrived(),
                // Whoever was told nothing before is told both in one.
                MailKind::Up => other.id > reminder.id && reminder.follows,
                MailKind::WasDown
                | MailKind::Degraded
                | MailKind::Flapping
                | MailKind::RedirectChanged
                | MailKind::Digest
                | MailKind::Blind
                | MailKind::Trouble
                | MailKind::Burn
                | MailKind::Report
                | MailKind::Test => false,
            }
    })
}

/// Whether something that waits beside an escalation says all that it would: a later step, or the end of an outage of
/// which its recipient was told before, or is told by another message of the two.
fn is_passed(escalation: &Waiting, rows: &[&Waiting]) -> bool {
    let of_outage = || {
        rows.iter()
            .filter(|row| row.incident == escalation.incident)
    };
    let is_begun = || {
        let mut before = of_outage().filter(|row| row.id < escalation.id);
        escalation.follows || before.any(|row| row.kind == MailKind::Down && row.begins())
    };
    let mut later = of_outage().filter(|row| row.id > escalation.id);
    later.any(|row| {
        row.kind == MailKind::Escalated && !row.may_have_arrived()
            || row.kind == MailKind::Up && is_begun()
    })
}

/// Pairs each UP with what waits of the begin of its outage; what may have arrived is left alone.
fn units<'a>(rows: &[&'a Waiting]) -> Vec<Unit<'a>> {
    let mut units: Vec<Unit> = Vec::with_capacity(rows.len());
    // The units that begin an outage and have no UP yet, the oldest first.
    let mut begun: BTreeMap<Option<IncidentKey>, VecDeque<usize>> = BTreeMap::new();
    for row in rows {
        let partner = (row.kind == MailKind::Up && !row.may_have_arrived())
            .then(|| begun.get_mut(&row.incident)?.pop_front())
            .flatten();
        if let Some(place) = partner {
            units[place].up = Some(row);
            continue;
        }
        if row.begins() {
            let places = begun.entry(row.incident).or_default();
            places.push_back(units.len());
        }
        units.push(Unit {
            first: row,
            up: None,
        });
    }
    units
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {

    use super::super::queued::Held;
    use super::*;
    use crate::domain::recipient::Recipient;
    use crate::domain::settings::{Flapping, OpeningHours};
    use crate::domain::week::OpenTime;
    use crate::policy::alert::state::Hold;

    const START: i64 = 1_795_377_600_000;

    fn settings() -> AlertSettings {
        AlertSettings {
            group_wait: Duration::from_secs(10),
            group_limit: 3,
            group_interval: Duration::from_secs(300),
            reminder: None,
            recovery: true,
            flapping: Flapping::default(),
            certificate_expiry: Vec::new(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(START + seconds * 1000)
    }

    /// One row a word: `7:down/a@0` is row 7, a DOWN of monitor a, queued at second 0; `!450` tried, put off for
    /// the recipient until 450, last tried half-way; `~450` the message put off; `?450` the outcome unknown;
    /// `#450` the recipient rests until then.
    /// A `still_down+` is the first that its recipient hears.
    fn lane(words: &str) -> Lane {
        let waiting = words
            .split_whitespace()
            .map(|word| {
                let (id, rest) = word.split_once(':').unwrap();
                let (kind, rest) = rest.split_once('/').unwrap();
                let (first, kind) = match kind.strip_suffix('+') {
                    Some(kind) => (true, kind),
                    None => (false, kind),
                };
                let (monitor, rest) = rest.split_once('@').unwrap();
                let tried = rest.find(['!', '~', '?', '#']);
                let (queued, tries) = match tried {
                    None => (rest, Tries::None),
                    Some(cut) => {
                        let until: i64 = rest[cut + 1..].parse().unwrap();
                        let queued_at: i64 = rest[..cut].parse().unwrap();
                        let mark = &rest[cut..=cut];
                        let tries = Tries::Failed {
                            count: 1,
                            unknown: u32::from(mark == "?"),
                            first_at: at(queued_at),
                            last_at: at((queued_at + until) / 2),
                            next_at: at(until),
                            holds: match mark {
                                "~" => Holds::Mail,
                                "#" => Holds::Refused,
                                _ => Holds::Recipient,
                            },
                        };
                        (&rest[..cut], tries)
                    }
                };
                let monitor = monitor
                    .bytes()
                    .next()
                    .map(|letter| MonitorId(i64::from(letter)));
                Waiting {
                    id: RowId(id.parse().unwrap()),
                    kind: MailKind::parse(kind).unwrap(),
                    monitor,
                    incident: monitor.map(|monitor| IncidentKey {
                        monitor,
                        opened_at: at(-60),
                    }),
                    queued_at: at(queued.parse().unwrap()),
                    cause: None,
                    tries,
                    held: None,
                    tells: Vec::new(),
                    members: Vec::new(),
                    follows: !first,
                }
            })
            .collect();
        Lane {
            to: Recipient::restored("ops@example.com").unwrap(),
            waiting,
            collecting: None,
        }
    }

    /// An interval that began at 10 with these monitors.
    fn collecting(members: &str) -> Option<Collecting> {
        Some(Collecting {
            since: at(10),
            after: 0,
            members: members.bytes().map(|it| MonitorId(it.into())).collect(),
            causes: BTreeSet::new(),
            former: BTreeSet::new(),
            hurried: false,
        })
    }

    fn ids(rows: &[RowId]) -> String {
        let ids: Vec<String> = rows.iter().map(|row| row.0.to_string()).collect();
        ids.join("+")
    }

    /// The plan where nobody is muted.
    fn plan(settings: &AlertSettings, lane: &Lane, now: Timestamp) -> Plan {
        super::plan(settings, lane, &Silenced::new(), &Hours::default(), now)
    }

    fn shown(plan: &Plan) -> String {
        let mut words: Vec<String> = plan
            .deeds
            .iter()
            .map(|deed| match deed {
                Deed::Send(row) => format!("send {}", row.0),
                Deed::Merge { down, up } => format!("merge {}+{}", down.0, up.0),
                Deed::Digest(rows, _) => format!("digest {}", ids(rows)),
                Deed::Collect(_) => "collect".to_owned(),
                Deed::Supersede(row) => format!("drop {}", row.0),
                Deed::Hold(rows, why) => format!("hold {} {}", ids(rows), why.as_str()),
                Deed::Release(rows) => format!("release {}", ids(rows)),
            })
            .collect();
        if let Some(wake) = plan.wake_at {
            words.push(format!("wake {}", (wake.as_ms() - START) / 1000));
        }
        words.join(", ")
    }

    #[track_caller]
    fn check(words: &str, now: i64, want: &str) {
        assert_eq!(
            shown(&plan(&settings(), &lane(words), at(now))),
            want,
            "{words} at {now}"
        );
    }

    #[test]
    fn a_row_waits_for_the_collecting_or_for_its_recipient() {
        let said = |lane: &Lane, now: i64| -> String {
            let waits = waits(&settings(), lane, &Hours::default(), at(now));
            let words: Vec<String> = waits
                .iter()
                .map(|(row, (what, until))| {
                    let seconds = until.since(at(0)).as_secs();
                    format!("{} {what:?} {seconds}", row.0)
                })
                .collect();
            words.join(", ")
        };
        let mut two = lane("1:down/a@20 2:trouble/b@20 3:up/b@30");
        assert_eq!(said(&two, 40), "");
        two.collecting = collecting("ab");
        assert_eq!(said(&two, 40), "1 ForDigest 310, 3 ForDigest 310");
        assert_eq!(said(&two, 310), "");
        two.waiting[0].held = Some(Held {
            why: Hold::Mute,
            released_at: None,
        });
        assert_eq!(said(&two, 40), "3 ForDigest 310");
        let rests = lane("1:down/a@0#450 2:down/b@20");
        assert_eq!(said(&rests, 40), "1 ForRecipient 450, 2 ForRecipient 450");
        assert_eq!(said(&rests, 450), "");
    }

    #[test]
    fn what_collects_waits_from_the_end_of_the_interval_on() {
        let since = |lane: &Lane, now: i64| {
            let since = waits_since(&settings(), lane, at(now));
            since.map(|since| (since.as_ms() - START) / 1000)
        };
        let mut two = lane("1:down/a@20 2:trouble/b@40");
        assert_eq!(since(&two, 60), Some(20));
        two.collecting = collecting("a");
        assert_eq!(since(&two, 60), Some(40));
        two.waiting.pop();
        assert_eq!(since(&two, 309), None);
        assert_eq!(since(&two, 400), Some(310));
        // The next interval began with it, and it is on its way.
        let next = two.collecting.as_mut().unwrap();
        (next.since, next.after) = (at(315), 1);
        assert_eq!(since(&two, 400), Some(315));
        // What the server put off is not what the digest holds.
        two.waiting[0] = lane("1:down/a@20!900").waiting.remove(0);
        assert_eq!(since(&two, 400), Some(20));
        assert_eq!(since(&lane(""), 0), None);
    }

    #[test]
    fn a_storm_of_very_many_is_planned_in_a_moment() {
        // Each with its reminder and its end: what looks through all rows for each of them takes minutes.
        let mut many = Vec::new();
        for monitor in 0..40_000 {
            for kind in ["down", "still_down", "up"] {
                let mut row = lane(&format!("1:{kind}/a@0")).waiting.remove(0);
                row.id = RowId(i64::try_from(many.len()).unwrap() + 1);
                row.monitor = Some(MonitorId(monitor));
                row.incident = Some(IncidentKey {
                    monitor: MonitorId(monitor),
                    opened_at: at(-60),
                });
                many.push(row);
            }
        }
        let storm = Lane {
            waiting: many,
            ..lane("")
        };
        let silenced = (0..40_000).map(|monitor| (MonitorId(monitor), Hold::Mute));
        let begun = crate::clock::tick();
        let open = plan(&settings(), &storm, at(10));
        let muted = super::plan(
            &settings(),
            &storm,
            &silenced.collect(),
            &Hours::default(),
            at(10),
        );
        assert!(begun.elapsed() < Duration::from_secs(20));
        for plan in [open, muted] {
            let digests = plan.deeds.iter().filter_map(|deed| match deed {
                Deed::Digest(rows, _) => Some(rows.len()),
                _ => None,
            });
            assert_eq!(digests.collect::<Vec<_>>(), [80_000]);
        }
    }

    #[test]
    fn a_mail_waits_for_company_and_leaves() {
        check("", 0, "");
        check("1:down/a@0", 0, "wake 10");
        check("1:down/a@0", 10, "send 1");
        check("1:down/a@0 2:down/b@9", 10, "send 1, send 2");
        // What is not an alert has no company to wait for.
        check(
            "1:report/@0 2:blind/@0 3:trouble/@0",
            0,
            "send 1, send 2, send 3",
        );
    }

    #[test]
    fn more_than_the_limit_become_one_digest() {
        check(
            "1:down/a@0 2:down/b@1 3:down/c@2",
            10,
            "send 1, send 2, send 3",
        );
        check(
            "1:down/a@0 2:down/b@1 3:down/c@2 4:up/d@9",
            10,
            "digest 1+2+3+4",
        );
        // Formed once, it stays as it is; what comes after it collects.
        let mut collecting = lane("9:digest/@10 10:down/e@20 11:down/f@25");
        collecting.collecting = self::collecting("ef");
        let at_second = |lane: &Lane, second| shown(&plan(&settings(), lane, at(second)));
        assert_eq!(at_second(&collecting, 40), "send 9, wake 310");
        collecting.waiting.remove(0);
        assert_eq!(at_second(&collecting, 309), "wake 310");
        assert_eq!(at_second(&collecting, 310), "digest 10+11");
        // A person who cannot wait has it at once.
        let hurried = collecting.collecting.as_mut().unwrap();
        hurried.hurried = true;
        assert_eq!(at_second(&collecting, 40), "digest 10+11");
        // What is one mail leaves as it is, once the next interval is written.
        collecting.waiting.pop();
        assert_eq!(at_second(&collecting, 40), "collect");
        let written = plan(&settings(), &collecting, at(40)).deeds.remove(0);
        let Deed::Collect(next) = written else {
            panic!("{written:?}")
        };
        collecting.collecting = Some(*next);
        assert_eq!(at_second(&collecting, 40), "send 10");
    }

    #[test]
    fn an_outage_that_ended_before_its_mail_left_is_one_mail() {
        check("1:down/a@0 2:up/a@5", 10, "merge 1+2");
        // It counts as one, and keeps its order with others.
        check(
            "1:down/a@0 2:down/b@1 3:down/c@2 4:up/a@9",
            10,
            "merge 1+4, send 2, send 3",
        );
        check(
            "1:down/a@0 2:down/b@1 3:down/c@2 4:down/d@2 5:up/a@9",
            10,
            "digest 1+2+3+4+5",
        );
        // A DOWN that may have arrived is repeated as it is, and its UP follows it.
        check("1:down/a@0?40 2:up/a@5", 39, "wake 40");
        check("1:down/a@0?40 2:up/a@5", 40, "send 1, send 2");
    }

    #[test]
    fn pointless_reminders_are_dropped() {
        check("1:down/a@0 2:still_down/a@5", 10, "drop 2, send 1");
        check("1:still_down/a@0 2:still_down/a@5", 10, "drop 1, wake 15");
        check("1:still_down/a@0 2:up/a@5", 15, "drop 1, send 2");
        check("1:still_down/a@0 2:up/b@5", 15, "send 1, send 2");
    }

    #[test]
    fn a_reminder_that_is_all_somebody_would_hear_is_merged_with_the_recovery() {
        check("1:still_down+/a@0 2:up/a@5", 15, "merge 1+2");
        // The newest of several; a DOWN says more.
        check(
            "1:still_down+/a@0 2:still_down+/a@3 3:up/a@5",
            15,
            "drop 1, merge 2+3",
        );
        check(
            "1:down/a@0 2:still_down+/a@3 3:up/a@5",
            15,
            "drop 2, merge 1+3",
        );
        // It may have arrived: then the recovery comes after it.
        check("1:still_down+/a@0?10 2:up/a@5", 15, "send 1, send 2");
    }

    #[test]
    fn without_recoveries_only_what_was_not_told_is_merged() {
        let silent = AlertSettings {
            recovery: false,
            ..settings()
        };
        let check = |words: &str, want: &str| {
            assert_eq!(shown(&plan(&silent, &lane(words), at(15))), want, "{words}");
        };
        check("1:down/a@0 2:up/a@5", "merge 1+2");
        check("1:still_down+/a@0 2:up/a@5", "merge 1+2");
        check("2:up/a@5", "drop 2");
        check("1:down/b@0 2:up/a@5", "drop 2, send 1");
        check("1:still_down/a@0 2:up/a@5", "drop 1, drop 2");
        check("1:down/a@0?10 2:up/a@5", "drop 2, send 1");
        // Dropped at once, also while everything else has to wait.
        check("1:down/b@0!300 2:up/a@5", "drop 2, wake 300");
        check(
            "1:down/a@0 2:up/a@5 3:down/b@0 4:down/c@0 5:down/d@0",
            "digest 1+2+3+4+5",
        );
    }

    #[test]
    fn a_recipient_that_has_to_wait_waits_with_everything() {
        check("1:down/a@0!300", 100, "wake 300");
        check("1:down/a@0!300", 300, "send 1");
        // A new alert may try a minute after the last try.
        check("1:down/a@0!900 2:down/b@460", 480, "wake 510");
        check("1:down/a@0!900 2:down/b@460", 510, "send 1, send 2");
        // The outage of a mail server ends with one digest, not with a flood.
        check(
            "1:down/a@0!300 2:down/b@20 3:down/c@40 4:down/d@60",
            400,
            "digest 1+2+3+4",
        );
    }

    #[test]
    fn a_message_that_is_put_off_holds_only_its_monitor() {
        check("1:down/a@0~300 2:up/b@5 3:up/a@6", 20, "send 2, wake 300");
        check(
            "1:digest/@0~300 2:up/b@5 3:report/@6",
            20,
            "send 3, send 2, wake 300",
        );
        let mut digest = lane("1:digest/@0~300 2:up/b@5 3:up/c@6");
        digest.waiting[0].members = vec![MonitorId(i64::from(b'b'))];
        assert_eq!(
            shown(&plan(&settings(), &digest, at(20))),
            "send 3, wake 300"
        );
    }

    #[test]
    fn a_mute_holds_what_waits_and_lets_recoveries_through() {
        let monitor = |letter: u8| MonitorId(i64::from(letter));
        let muted: Silenced = [(monitor(b'a'), Hold::Mute)].into();
        let planned = |lane: &Lane, silenced: &Silenced| {
            shown(&super::plan(
                &settings(),
                lane,
                silenced,
                &Hours::default(),
                at(10),
            ))
        };
        let mut two = lane("1:down/a@0 2:down/b@0");
        assert_eq!(planned(&two, &muted), "hold 1 mute, send 2");
        // Marked once, then silent: no time wakes it, the end of the mute does.
        two.waiting[0].held = Some(Held {
            why: Hold::Mute,
            released_at: None,
        });
        two.waiting.pop();
        assert_eq!(planned(&two, &muted), "");
        assert_eq!(planned(&two, &Silenced::new()), "release 1, send 1");
        two.waiting[0].held = Some(Held {
            why: Hold::Mute,
            released_at: Some(at(9)),
        });
        assert_eq!(planned(&two, &Silenced::new()), "send 1");
        assert_eq!(planned(&two, &muted), "hold 1 mute");
        // The end of an outage is told inside the mute as well, to whoever was told or was to be.
        assert_eq!(planned(&lane("1:up/a@0"), &muted), "send 1");
        assert_eq!(planned(&lane("1:down/a@0 2:up/a@0"), &muted), "merge 1+2");
        assert_eq!(
            planned(&lane("1:flapping/a@0 2:up/a@0"), &muted),
            "send 1, send 2"
        );
        assert_eq!(
            planned(&lane("1:degraded/a@0 2:report/@0"), &muted),
            "hold 1 mute, send 2"
        );
        // A digest waits only where all of its trouble is held.
        let mut digest = lane("1:digest/@0");
        digest.waiting[0].tells = vec![monitor(b'a'), monitor(b'b')];
        assert_eq!(planned(&digest, &muted), "send 1");
        let both: Silenced = [
            (monitor(b'a'), Hold::Mute),
            (monitor(b'b'), Hold::Maintenance),
        ]
        .into();
        assert_eq!(planned(&digest, &both), "hold 1 mute");
    }

    #[test]
    fn an_escalation_says_what_a_reminder_would_and_less_than_a_later_step_or_the_end() {
        check("1:escalated/a@0", 10, "send 1");
        check("1:still_down/a@0 2:escalated/a@5", 10, "drop 1, wake 15");
        check("1:escalated/a@0 2:still_down/a@9", 10, "drop 2, send 1");
        check("1:escalated/a@0 2:still_down/b@0", 10, "send 1, send 2");
        check("1:down/a@0 2:escalated+/a@0", 10, "send 1, send 2");
        check("1:escalated/a@0 2:escalated/a@9", 10, "drop 1, wake 19");
        // Told before: the end is all there is to say. Else both in one.
        check("1:escalated/a@0 2:up/a@5", 15, "drop 1, send 2");
        check("1:escalated+/a@0 2:up/a@5", 15, "merge 1+2");
        check(
            "1:down/a@0 2:escalated+/a@0 3:up/a@5",
            15,
            "drop 2, merge 1+3",
        );
        // It may have arrived: the end follows it.
        check("1:escalated+/a@0?10 2:up/a@5", 15, "send 1, send 2");
        check(
            "1:escalated/a@0 2:escalated/b@0 3:escalated/c@1",
            10,
            "send 1, send 2, send 3",
        );
        // A storm waits for the newest of it, and nothing else does.
        let storm = "1:escalated/a@0 2:escalated/b@0 3:escalated/c@1 4:escalated/d@9 5:down/e@0";
        check(storm, 10, "send 5, wake 19");
        check(storm, 19, "digest 1+2+3+4+5");
    }

    #[test]
    fn outside_its_hours_a_recipient_is_told_nothing_and_at_their_begin_everything_in_one() {
        // The time of these tests begins on a Sunday at 20:00.
        let open = |line: &str| {
            let to = vec![Recipient::restored("ops@example.com").unwrap()];
            let open = vec![OpenTime::parse(line).unwrap()];
            Hours::new(vec![OpeningHours { to, open }], jiff::tz::TimeZone::UTC)
        };
        let hours = open("20:05-21:00");
        let planned = |words: &str, is_marked: bool, second: i64| {
            let mut lane = lane(words);
            for row in lane.waiting.iter_mut().filter(|_| is_marked) {
                row.held = Some(Held {
                    why: Hold::Hours,
                    released_at: None,
                });
            }
            let plan = super::plan(&settings(), &lane, &Silenced::new(), &hours, at(second));
            shown(&plan)
        };
        let all = "1:down/a@0 2:up/a@5 3:trouble/@9 4:report/@9 5:degraded/b@9 6:still_down/c@9";
        assert_eq!(
            planned(all, false, 20),
            "drop 6, hold 1+2+3+4+5 hours, wake 300"
        );
        assert_eq!(planned(all, true, 299), "drop 6, wake 300");
        // No reminder where the beginning was told, but what nobody has heard of stays.
        assert_eq!(
            planned("1:still_down+/c@9", false, 20),
            "hold 1 hours, wake 300"
        );
        let four = "1:down/a@0 2:up/a@5 3:trouble/@9 4:report/@9 5:degraded/b@9";
        assert_eq!(
            planned(four, true, 300),
            "release 1+2+3+4+5, digest 1+2+3+4+5"
        );
        // What is one thing is one mail.
        assert_eq!(
            planned("1:down/a@0 2:up/a@5", true, 300),
            "release 1+2, merge 1+2"
        );
        assert_eq!(planned("1:report/@0", true, 300), "release 1, send 1");
        // What may have arrived is repeated as it is.
        assert_eq!(
            planned("1:down/a@0?40 2:down/b@5", true, 300),
            "release 1+2, send 1, send 2"
        );
        // Services that open and close incidents of their own get no digests.
        let single = AlertSettings {
            group_limit: u32::MAX,
            ..settings()
        };
        let lane = lane("1:down/a@0 2:down/b@0 3:down/c@0 4:down/d@0");
        let told = super::plan(&single, &lane, &Silenced::new(), &hours, at(300));
        assert_eq!(shown(&told), "send 1, send 2, send 3, send 4");
        let waits = waits(&settings(), &lane, &hours, at(20));
        assert_eq!(waits.len(), 4);
        assert!(
            waits
                .values()
                .all(|wait| *wait == (Waits::ForHours, at(300)))
        );
        // A mute that goes on is what holds it when the hours begin.
        let muted: Silenced = [(MonitorId(i64::from(b'a')), Hold::Mute)].into();
        let mut both = self::lane("1:down/a@0");
        both.waiting[0].held = Some(Held {
            why: Hold::Hours,
            released_at: None,
        });
        let plan = super::plan(&settings(), &both, &muted, &hours, at(300));
        assert_eq!(shown(&plan), "hold 1 mute");
    }

    #[test]
    fn a_recipient_that_rests_waits_for_all_of_it_whatever_is_new() {
        check("1:down/a@0#900", 100, "wake 900");
        check("1:down/a@0#900 2:down/b@100", 800, "wake 900");
        check("1:down/a@0#900 2:up/a@100", 899, "wake 900");
        check("1:down/a@0#900 2:up/a@100", 900, "merge 1+2");
    }

    #[test]
    fn a_transport_that_rests_is_no_reason_of_a_row() {
        let mut lane = lane("1:down/a@0!900");
        if let Tries::Failed { holds, .. } = &mut lane.waiting[0].tries {
            *holds = Holds::Transport;
        }
        assert_eq!(shown(&plan(&settings(), &lane, at(20))), "send 1");
    }

    #[test]
    fn a_clock_set_back_holds_nothing_for_ever() {
        check("1:down/a@86400", 0, "send 1");
        check("1:down/a@0!86400", 5, "wake 10");
        check("1:down/a@0!86400", 10, "send 1");
    }
}
