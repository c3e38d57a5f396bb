//! How locations agree: each check of one of them makes votes, and the votes make what is known of the monitor.
//!
//! What is known is written down as a check of the monitor itself: that of the first location whose word counts, with
//! the verdict of all. So everything behind it (uptime, pages, mails) sees one monitor.

use std::sync::Arc;
use std::time::Duration;

use super::confirm::Voter;
use super::location_news::sentence;
use super::machine::Machine;
use super::monitor::Effect;
use super::quorum::{Agreement, Tally};
use super::seats::{Regional, Seat, Seats};
use super::state::Status;
use crate::domain::check::{Check, CheckState, Failure, FailureKind, Verdict};
use crate::domain::incident::Cause;
use crate::domain::location::{LocationName, Quorum, Seen};
use crate::domain::timestamp::Timestamp;

impl Machine<'_> {
    /// Takes in one check of one location. A late one is only remembered.
    pub(in crate::policy) fn heard(
        &mut self,
        location: &LocationName,
        check: &Arc<Check>,
        is_late: bool,
    ) {
        let rules = self.rules;
        let Some(quorum) = &rules.quorum else { return };
        // A check that was in flight when its monitor was paused decides nothing any more.
        let counts = !self.memory.kept.paused;
        let now = self.now;
        let seats = self.seats(quorum);
        let Some(place) = seats.place(location) else {
            return;
        };
        let is_first = seats.is_nobody_known(rules, now);
        let Some(seat) = seats.list.get_mut(place) else {
            return;
        };
        if is_late {
            return seat.hear_late(rules, check);
        }
        let began_to_fail = seat.hear(rules, check, now, counts);
        if is_first && seat.seen(rules, now) == Seen::Fresh {
            seats.wait(now);
        }
        if began_to_fail {
            self.effects.push(Effect::CheckParents);
            if quorum.locations.len() > 1 {
                let unless_since = check.at;
                self.effects.push(Effect::AskOthers { unless_since });
            }
        }
        self.agree(quorum, Some(place));
        self.look_at_ways(quorum, place);
    }

    /// What the passing of time makes of the votes: a location that is not heard has none.
    pub(super) fn agree_in_time(&mut self) {
        let rules = self.rules;
        let Some(quorum) = &rules.quorum else {
            self.memory.kept.seats = None;
            return;
        };
        let now = self.now;
        // What one of several was confirming when it fell silent says nothing any more; one alone goes on as it would
        // without locations.
        let are_several = quorum.locations.len() > 1;
        for seat in &mut self.seats(quorum).list {
            if are_several && seat.seen(rules, now) == Seen::Silent {
                seat.forget_counts();
            }
        }
        self.agree(quorum, None);
    }

    fn seats(&mut self, quorum: &Quorum) -> &mut Seats {
        let seats = self.memory.kept.seats.get_or_insert_default();
        seats.fit(quorum, self.now);
        seats
    }

    /// What the votes say now. `heard` is the seat whose check came.
    fn agree(&mut self, quorum: &Quorum, heard: Option<usize>) {
        let (rules, now) = (self.rules, self.now);
        let counts = !self.memory.kept.paused;
        let is_down = self.memory.kept.status.outage().is_some();
        let mut seats = self.memory.kept.seats.take().unwrap_or_default();
        seats.end_wait(rules, now);
        let tally = seats.tally(rules, now);
        let agreement = match counts {
            true => tally.agree(quorum.down_when, is_down),
            false => Agreement::Stay,
        };
        let view = View {
            quorum,
            seats: &seats,
            tally,
            known: (seats.list.iter())
                .map(|seat| seat.seen(rules, now) == Seen::Fresh)
                .collect(),
            heard,
            must_tell: agreement != Agreement::Stay,
        };
        let newest = self.memory.recent.newest.as_ref();
        let joint = view.joint_check(newest, now);
        let stand = Stand::of(&view);
        self.memory.kept.seats = Some(seats);
        if let Some(joint) = &joint {
            self.effects.push(Effect::Record(Arc::clone(joint)));
        }
        self.take_joint(joint.as_ref(), counts);
        // As long as nobody knows anything, it stands where it stood.
        if counts && tally.known > 0 {
            self.stand(agreement, &stand, joint.as_deref());
            self.note_regional(is_down, joint.as_deref());
        }
        self.remember_good(joint.as_ref());
        self.look_beside_joint(joint.as_ref(), heard, counts);
        self.ask_for_another(heard);
        if let Some(joint) = joint.filter(|joint| joint.verdict.is_good()) {
            self.close_windows(joint.at, |window| window.ends_with_good_check(joint.at));
        }
    }

    /// Where the check came from, another one is made at once if something is being confirmed.
    fn ask_for_another(&mut self, heard: Option<usize>) {
        let kept = &self.memory.kept;
        let seats = kept.seats.as_ref();
        let Some(seat) = heard.and_then(|place| seats?.list.get(place)) else {
            return;
        };
        let wants = seat.voter.wants_another()
            || kept.slow.wants_confirmation(self.rules)
            || super::monitor::is_recounting(&kept.status);
        if let (true, Some(check)) = (wants, seat.newest().map(Arc::clone)) {
            self.ask_again_after(&check);
        }
    }

    fn check_of(&self, place: Option<usize>) -> Option<Arc<Check>> {
        let seats = self.memory.kept.seats.as_ref()?;
        seats.list.get(place?)?.newest().map(Arc::clone)
    }

    /// What is known of the monitor is newer now.
    fn take_joint(&mut self, joint: Option<&Arc<Check>>, counts: bool) {
        let Some(joint) = joint else { return };
        let recent = &mut self.memory.recent;
        recent.newest = Some(Arc::clone(joint));
        if matches!(joint.verdict, Verdict::Unknown(_)) {
            return;
        }
        let before = recent.known_at.replace(joint.at);
        if matches!(joint.verdict, Verdict::Down(_)) {
            recent.last_bad = Some(Arc::clone(joint));
        }
        if counts && before.is_some_and(|before| self.rules.is_gap(before, joint.at)) {
            self.forget_beside(before);
        }
    }

    /// Where the monitor stands after the vote.
    fn stand(&mut self, agreement: Agreement, stand: &Stand, joint: Option<&Check>) {
        let failed_now = stand.heard == Some(CheckState::Down);
        if let (Some(drift), true) = (&mut self.memory.kept.drift, failed_now) {
            drift.candidate = None;
        }
        let raw = joint.map(|joint| joint.verdict.state());
        let status = std::mem::take(&mut self.memory.kept.status);
        match (agreement, status) {
            (Agreement::Open, status) => {
                let up_since = match status {
                    Status::Up { since } => Some(since),
                    Status::Suspect { up_since, .. } => up_since,
                    Status::Pending | Status::Down(_) | Status::Recovering { .. } => None,
                };
                self.memory.recent.window.push(true);
                if let Some((first_bad, cause, failed)) = stand.down.clone() {
                    let closed_at = self.memory.kept.seats.as_ref();
                    let closed_at = closed_at.and_then(|seats| seats.closed_at);
                    let opened_at = match closed_at {
                        Some(end) if first_bad <= end => end.plus(Duration::from_millis(1)),
                        Some(_) | None => first_bad,
                    };
                    self.open(opened_at, up_since, cause, failed);
                }
                self.mark_down(true);
            }
            (Agreement::Close, Status::Down(outage) | Status::Recovering { outage, .. }) => {
                let closed_at = stand.good_since.unwrap_or(self.now).max(outage.opened_at());
                if let Some(seats) = &mut self.memory.kept.seats {
                    seats.closed_at = Some(closed_at);
                }
                self.mark_down(false);
                self.close(&outage, closed_at);
            }
            (_, Status::Down(outage) | Status::Recovering { outage, .. }) if failed_now => {
                self.mark_down(true);
                self.still_down(outage);
            }
            (_, Status::Down(outage) | Status::Recovering { outage, .. }) => {
                self.mark_down(true);
                self.memory.kept.status = match stand.rising {
                    Some((first_good, count)) => Status::Recovering {
                        outage,
                        first_good,
                        count,
                    },
                    None => Status::Down(outage),
                };
            }
            (_, status) => {
                if raw == Some(CheckState::Down) {
                    self.memory.recent.window.push(true);
                } else if matches!(raw, Some(CheckState::Up | CheckState::Degraded)) {
                    self.memory.recent.window.push(false);
                }
                self.memory.kept.status = stand.without_incident(status);
            }
        }
    }

    /// Notes which locations are down in the open incident; without one, that none is.
    fn mark_down(&mut self, is_open: bool) {
        let seats = self.memory.kept.seats.iter_mut();
        for seat in seats.flat_map(|seats| &mut seats.list) {
            seat.was_down = match is_open {
                true => seat.was_down || matches!(seat.voter, Voter::Down { .. }),
                false => false,
            };
        }
    }

    /// Begins, goes on with or ends a time in which it fails from some locations only.
    fn note_regional(&mut self, was_down: bool, joint: Option<&Check>) {
        let is_down = was_down && self.memory.kept.status.outage().is_some();
        let (Some(joint), Some(seats)) = (joint, &mut self.memory.kept.seats) else {
            return;
        };
        let kind = match &joint.verdict {
            Verdict::Degraded(failure) => Some(failure.kind),
            Verdict::Up | Verdict::Down(_) => None,
            // Nothing is known: it goes on.
            Verdict::Unknown(_) => return,
        };
        seats.regional = match (kind, seats.regional) {
            (Some(FailureKind::Regional), regional) if !is_down => {
                Some(regional.unwrap_or(Regional {
                    since: joint.at,
                    told: false,
                }))
            }
            _ => None,
        };
    }

    /// During an outage the last good check stays the one before it.
    fn remember_good(&mut self, joint: Option<&Arc<Check>>) {
        let Some(joint) = joint.filter(|joint| joint.verdict.is_good()) else {
            return;
        };
        let recent = &mut self.memory.recent;
        if self.memory.kept.status.outage().is_none() {
            recent.last_good = Some(Arc::clone(joint));
            recent.good_in_outage = None;
        } else {
            recent.good_in_outage = Some(Arc::clone(joint));
        }
    }

    /// What is beside up and down: of the monitor as a whole, and the certificate of each location.
    fn look_beside_joint(
        &mut self,
        joint: Option<&Arc<Check>>,
        heard: Option<usize>,
        counts: bool,
    ) {
        if !counts {
            return;
        }
        match joint {
            Some(joint) if !matches!(joint.verdict, Verdict::Unknown(_)) => {
                self.look_beside(joint);
            }
            Some(_) | None => {
                if let Some(check) = self.check_of(heard) {
                    self.look_at_certificate(&check);
                }
            }
        }
    }
}

/// What the votes are taken from.
struct View<'a> {
    quorum: &'a Quorum,
    seats: &'a Seats,
    tally: Tally,
    /// Of each seat, whether its word counts.
    known: Vec<bool>,
    heard: Option<usize>,
    /// Whether an incident begins or ends.
    must_tell: bool,
}

impl<'a> View<'a> {
    /// The seats whose word counts, in order.
    fn known(&self) -> impl Iterator<Item = (usize, &'a Seat)> {
        let seats = self.seats.list.iter().enumerate();
        seats.filter(|(place, _)| self.known.get(*place) == Some(&true))
    }

    fn to_open(&self) -> usize {
        self.tally.to_open(self.quorum.down_when)
    }

    /// The check that is to be written down for the monitor, if one is.
    fn joint_check(&self, newest: Option<&Arc<Check>>, now: Timestamp) -> Option<Arc<Check>> {
        let Some((lead, _)) = self.known().next() else {
            return self.nobody_knows(newest);
        };
        let heard = self.heard.and_then(|place| self.seats.list.get(place));
        let first = [heard, self.seats.list.get(lead)];
        let any = |wanted: fn(&Seat) -> bool| {
            let known = self.known().map(|(_, seat)| seat);
            let counts = |seat: &&Seat| self.known().any(|(_, one)| std::ptr::eq(one, *seat));
            let mut candidates = first.into_iter().flatten().filter(counts).chain(known);
            candidates.find(|seat| wanted(seat))
        };
        let bad = self.known().filter(|(_, seat)| seat.is_bad()).count();
        let (seat, verdict) = if bad > 0 && bad >= self.to_open() {
            (any(Seat::is_bad)?, None)
        } else if self.tally.down > 0 {
            (
                any(Seat::is_good)?,
                Some(Verdict::Degraded(self.regional())),
            )
        } else {
            let lead = self.seats.list.get(lead).filter(|seat| seat.is_good());
            let seat = lead.or_else(|| any(Seat::is_good))?;
            let verdict = seat.newest().map(|check| self.degraded(&check.verdict));
            (seat, verdict)
        };
        let base = seat.newest()?;
        let verdict = verdict.unwrap_or_else(|| base.verdict.clone());
        let is_due = self.must_tell
            || self.heard == Some(lead)
            || newest.is_none_or(|newest| !is_same(&newest.verdict, &verdict));
        is_due.then(|| {
            let moment = heard.and_then(Seat::newest).map_or(now, |check| check.at);
            let at = later(moment, newest);
            match at == base.at && verdict == base.verdict {
                true => Arc::clone(base),
                false => Arc::new(Check {
                    at,
                    verdict,
                    ..Check::clone(base)
                }),
            }
        })
    }

    /// All that are heard are offline; the first of them speaks.
    fn nobody_knows(&self, newest: Option<&Arc<Check>>) -> Option<Arc<Check>> {
        let heard = self.heard?;
        let check = self.seats.list.get(heard)?.newest()?;
        let is_known = newest.is_some_and(|check| !matches!(check.verdict, Verdict::Unknown(_)));
        let at = later(check.at, newest);
        (heard == 0 || is_known).then(|| match at == check.at {
            true => Arc::clone(check),
            false => Arc::new(Check {
                at,
                ..Check::clone(check)
            }),
        })
    }

    /// `fails from sgp only (1 of 4; 3 are needed)`
    fn regional(&self) -> Failure {
        let down = self
            .known()
            .filter(|(_, seat)| matches!(seat.voter, Voter::Down { .. }));
        let names = sentence(down.map(|(_, seat)| &seat.location));
        let (count, all) = (self.tally.down, self.tally.all);
        let needed = self.quorum.needed();
        let are = if needed == 1 { "is" } else { "are" };
        Failure {
            kind: FailureKind::Regional,
            detail: format!("fails from {names} only ({count} of {all}; {needed} {are} needed)")
                .into(),
        }
    }

    /// A good verdict is degraded where as many locations say so as would open an incident.
    fn degraded(&self, verdict: &Verdict) -> Verdict {
        let Verdict::Degraded(failure) = verdict else {
            return verdict.clone();
        };
        let says_so = |seat: &Seat| {
            let newest = seat.newest().map(|check| &check.verdict);
            matches!(newest, Some(Verdict::Degraded(other)) if other.kind == failure.kind)
        };
        let count = self.known().filter(|(_, seat)| says_so(seat)).count();
        match count >= self.to_open() {
            true => verdict.clone(),
            false => Verdict::Up,
        }
    }
}

/// The votes as far as they say where the monitor stands.
struct Stand {
    /// What the check said that came.
    heard: Option<CheckState>,
    /// Of an incident that begins: its beginning, its cause, its failed checks so far.
    down: Option<(Timestamp, Cause, u32)>,
    /// Of an incident that ends: since when it is good.
    good_since: Option<Timestamp>,
    /// Of a failure that is being confirmed by as many as make it down: its beginning, its cause, its failed checks.
    failing: Option<(Timestamp, Cause, u16)>,
    /// Of a recovery that is being confirmed by as many as end an incident: the first good check, and how many.
    rising: Option<(Timestamp, u16)>,
    /// Since when any of them is good.
    any_good: Option<Timestamp>,
}

impl Stand {
    fn of(view: &View<'_>) -> Self {
        let down_when = view.quorum.down_when;
        let (open, close) = (view.to_open(), view.tally.to_close(down_when));
        let heard = view.heard.and_then(|place| view.seats.list.get(place));
        let is_down = |seat: &Seat| matches!(seat.voter, Voter::Down { .. });
        let is_good = |seat: &Seat| matches!(seat.voter, Voter::Good { .. });
        let known = || view.known().map(|(_, seat)| seat);
        let failing: Vec<_> = known().filter_map(|seat| seat.voter.failure()).collect();
        let down: Vec<_> = known()
            .filter(|seat| is_down(seat))
            .filter_map(|seat| seat.voter.failure())
            .collect();
        let failed: u32 = down.iter().map(|(.., failed)| failed).sum();
        let recoveries: Vec<_> = known().filter_map(|seat| seat.voter.recovery()).collect();
        let good: Vec<_> = known()
            .filter(|seat| is_good(seat))
            .filter_map(|seat| seat.voter.recovery())
            .collect();
        let rising = nth(recoveries, close, |(at, _)| *at);
        Self {
            heard: heard
                .and_then(Seat::newest)
                .map(|check| check.verdict.state()),
            down: nth(down, open, |(at, ..)| *at).map(|(at, cause, _)| (at, cause.clone(), failed)),
            any_good: good.iter().map(|(at, _)| *at).min(),
            good_since: nth(good, close, |(at, _)| *at).map(|(at, _)| at),
            failing: nth(failing, open, |(at, ..)| *at).map(|(at, cause, count)| {
                let count = u16::try_from(count).unwrap_or(u16::MAX);
                (at, cause.clone(), count)
            }),
            rising,
        }
    }

    /// Where a monitor stands that has no incident.
    fn without_incident(&self, before: Status) -> Status {
        let up_since = match before {
            Status::Up { since } => Some(since),
            Status::Suspect { up_since, .. } => up_since,
            Status::Pending | Status::Down(_) | Status::Recovering { .. } => None,
        };
        if let Some((first_bad, cause, count)) = self.failing.clone() {
            return Status::Suspect {
                up_since,
                first_bad,
                count,
                cause: Box::new(cause),
            };
        }
        match up_since.or(self.any_good) {
            Some(since) => Status::Up { since },
            None => Status::Pending,
        }
    }
}

/// The `count`-th smallest, from 1 on.
fn nth<T>(mut list: Vec<T>, count: usize, by: impl Fn(&T) -> Timestamp) -> Option<T> {
    let place = count.checked_sub(1)?;
    if place >= list.len() {
        return None;
    }
    list.sort_by_key(by);
    Some(list.swap_remove(place))
}

/// A moment, but later than the newest check.
fn later(at: Timestamp, newest: Option<&Arc<Check>>) -> Timestamp {
    match newest {
        Some(newest) if at <= newest.at => newest.at.plus(Duration::from_millis(1)),
        Some(_) | None => at,
    }
}

/// Whether two verdicts of a monitor say the same. How many locations fail is a part of it.
fn is_same(before: &Verdict, verdict: &Verdict) -> bool {
    if before.state() != verdict.state() {
        return false;
    }
    match (before.failure(), verdict.failure()) {
        (Some(before), Some(now)) if now.kind == FailureKind::Regional => before == now,
        (Some(before), Some(now)) if matches!(verdict, Verdict::Degraded(_)) => {
            before.kind == now.kind
        }
        (_, _) => true,
    }
}
