//! What is remembered of each location of a monitor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::confirm::Voter;
use super::quorum::{Tally, Vote};
use super::redirect_drift::{Drift, fingerprint};
use crate::domain::check::{Chain, Check, CheckState, Verdict};
use crate::domain::location::{LocationName, LocationStatus, Quorum, Seen};
use crate::domain::monitor::Rules;
use crate::domain::timestamp::Timestamp;

/// The locations of one monitor, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Seats {
    /// One for each location.
    pub list: Vec<Seat>,
    /// Down at fewer locations than make it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional: Option<Regional>,
    /// When the newest incident ended: the next one begins later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Since when those are awaited who were not heard since: then the word of one counted again after that of none
    /// did, the hub started, or their checks began. `None` as soon as nobody is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaited_from: Option<Timestamp>,
}

/// Since when seats are awaited, and who was heard.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// As [`Seats::awaited_from`].
    from: Option<Timestamp>,
    /// When anybody was heard last.
    newest: Option<Timestamp>,
}

/// A monitor that fails from some of its locations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regional {
    /// The check with which that began.
    pub since: Timestamp,
    /// Whether that was mailed.
    pub told: bool,
}

/// One location of one monitor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seat {
    /// The location's name.
    pub location: LocationName,
    /// What it has confirmed.
    pub voter: Voter,
    /// Whether it was down in the incident that is open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_down: bool,
    /// The redirect chains that it is led by, kept only where several locations are told of changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Box<Drift>>,
    /// What its newest stored checks tell as well: rebuilt at start, never written.
    #[serde(skip)]
    pub heard: Heard,
}

impl PartialEq for Seat {
    /// Whether what is stored of them is the same.
    fn eq(&self, other: &Self) -> bool {
        (&self.location, &self.voter, self.was_down, &self.drift)
            == (&other.location, &other.voter, other.was_down, &other.drift)
    }
}

/// What was heard of a location.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// When its newest check that was not late arrived, by the hub's clock.
    pub at: Option<Timestamp>,
    /// When its newest check began that said anything of the site.
    pub known_at: Option<Timestamp>,
    /// Its newest check.
    pub newest: Option<Arc<Check>>,
    /// Late checks that no other check has followed yet; the newest of them.
    late: Vec<Arc<Check>>,
}

impl Seat {
    const fn new(location: LocationName) -> Self {
        Self {
            location,
            voter: Voter::Pending,
            was_down: false,
            drift: None,
            heard: Heard {
                at: None,
                known_at: None,
                newest: None,
                late: Vec::new(),
            },
        }
    }

    /// Takes in a check that arrived now. With `counts` it changes what is confirmed. Says whether it is the first bad
    /// one after others.
    pub fn hear(
        &mut self,
        rules: &Rules,
        check: &Arc<Check>,
        now: Timestamp,
        counts: bool,
    ) -> bool {
        if counts && !self.heard.late.is_empty() {
            self.catch_up(rules);
        }
        self.heard.at = Some(now);
        self.take_in(rules, check, counts);
        counts && matches!(check.verdict, Verdict::Down(_)) && self.voter.just_began_to_fail()
    }

    /// Keeps a check that arrived too late to be a vote.
    pub fn hear_late(&mut self, rules: &Rules, check: &Arc<Check>) {
        self.heard.newest = Some(Arc::clone(check));
        let enough =
            usize::from(rules.failures_before_down) + usize::from(rules.successes_before_up);
        if self.heard.late.len() >= enough {
            self.heard.late.remove(0);
        }
        self.heard.late.push(Arc::clone(check));
    }

    /// After a backlog the newest of it say where the location stands.
    fn catch_up(&mut self, rules: &Rules) {
        self.voter = Voter::Pending;
        self.heard.known_at = None;
        for check in std::mem::take(&mut self.heard.late) {
            self.take_in(rules, &check, true);
        }
    }

    fn take_in(&mut self, rules: &Rules, check: &Arc<Check>, counts: bool) {
        self.heard.newest = Some(Arc::clone(check));
        if matches!(check.verdict, Verdict::Unknown(_)) {
            return;
        }
        let before = self.heard.known_at.replace(check.at);
        if !counts {
            return;
        }
        if before.is_some_and(|before| rules.is_gap(before, check.at)) {
            self.forget_counts();
        }
        if let (Some(drift), Verdict::Down(_)) = (&mut self.drift, &check.verdict) {
            drift.candidate = None;
        }
        self.voter = std::mem::take(&mut self.voter).hear(rules, check);
    }

    /// Forgets what is being counted.
    pub fn forget_counts(&mut self) {
        self.voter = std::mem::take(&mut self.voter).without_counts();
        if let Some(drift) = &mut self.drift {
            drift.candidate = None;
        }
    }

    /// Takes in where the redirects of its newest check led, if that was good. Says whether another way came `needed`
    /// times in a row.
    pub fn sees_way(&mut self, needed: u16) -> bool {
        let newest = self.heard.newest.as_ref();
        let Some(check) = newest.filter(|check| check.verdict.is_good()) else {
            return false;
        };
        match &mut self.drift {
            Some(drift) => drift.sees(&check.chain, needed),
            None => {
                self.drift = Some(Box::new(Drift::starting_with(&check.chain)));
                false
            }
        }
    }

    /// The chain of its newest check, where that is another way and came `needed` times in a row.
    pub fn other_way(&self, needed: u16) -> Option<&Arc<Chain>> {
        let chain = &self.newest()?.chain;
        let candidate = self.drift.as_ref()?.candidate?;
        let is_it = candidate.count >= needed && candidate.fingerprint == fingerprint(chain);
        is_it.then_some(chain)
    }

    /// Whether its word counts at a moment.
    pub fn seen(&self, rules: &Rules, now: Timestamp) -> Seen {
        let fresh = |at: Timestamp| now.since(at) <= rules.fresh_for();
        if !self.heard.at.is_some_and(fresh) {
            return Seen::Silent;
        }
        match self.newest().map(|check| &check.verdict) {
            Some(Verdict::Unknown(_)) => Seen::Offline,
            Some(Verdict::Up | Verdict::Degraded(_) | Verdict::Down(_)) | None => Seen::Fresh,
        }
    }

    /// When its word stops counting, if nothing is heard until then.
    pub fn silent_from(&self, rules: &Rules) -> Option<Timestamp> {
        let until = self.heard.at?.plus(rules.fresh_for());
        Some(until.plus(std::time::Duration::from_millis(1)))
    }

    /// Whether its word may still come: nobody was heard since it fell silent, or it had no time to be heard again
    /// since somebody was.
    fn is_awaited(&self, rules: &Rules, waiting: Waiting, now: Timestamp) -> bool {
        let has_time = |from: Timestamp| {
            let is_heard = self.heard.at.is_some_and(|at| at >= from);
            !is_heard && now.since(from) <= rules.fresh_for()
        };
        let is_proven = || {
            let until = self.heard.at.map(|at| at.plus(rules.fresh_for()));
            until.is_none_or(|until| waiting.newest.is_some_and(|newest| newest > until))
        };
        match self.seen(rules, now) {
            Seen::Fresh => false,
            Seen::Silent => waiting.from.is_some_and(has_time) || !is_proven(),
            Seen::Offline => waiting.from.is_some_and(has_time),
        }
    }

    fn vote(&self, rules: &Rules, waiting: Waiting, now: Timestamp) -> Vote {
        match (self.seen(rules, now), &self.voter) {
            (Seen::Silent | Seen::Offline, _) if self.is_awaited(rules, waiting, now) => {
                Vote::Awaited
            }
            (seen @ (Seen::Silent | Seen::Offline), _) => Vote::Unknown(seen),
            (Seen::Fresh, Voter::Down { .. }) => Vote::Down,
            (Seen::Fresh, Voter::Good { .. }) => Vote::Good {
                saw_it: self.was_down,
            },
            (Seen::Fresh, Voter::Pending | Voter::Failing { .. } | Voter::Rising { .. }) => {
                Vote::Wavering
            }
        }
    }

    /// Its newest check.
    pub fn newest(&self) -> Option<&Arc<Check>> {
        self.heard.newest.as_ref()
    }

    /// Whether its newest check failed.
    pub fn is_bad(&self) -> bool {
        self.newest()
            .is_some_and(|check| matches!(check.verdict, Verdict::Down(_)))
    }

    /// Whether its newest check was good.
    pub fn is_good(&self) -> bool {
        self.newest().is_some_and(|check| check.verdict.is_good())
    }

    /// What it says, for people.
    pub fn status(&self, rules: &Rules, now: Timestamp) -> LocationStatus {
        let newest = self.newest();
        let seen = self.seen(rules, now);
        let degraded = newest.is_some_and(|check| matches!(check.verdict, Verdict::Degraded(_)));
        let (state, since) = match (&self.voter, seen) {
            (_, Seen::Silent) => (CheckState::Unknown, self.heard.at),
            (_, Seen::Offline) => (CheckState::Unknown, newest.map(|check| check.at)),
            (Voter::Pending, Seen::Fresh) => (CheckState::Unknown, None),
            (Voter::Down { first_bad, .. } | Voter::Rising { first_bad, .. }, Seen::Fresh) => {
                (CheckState::Down, Some(*first_bad))
            }
            (Voter::Good { since }, Seen::Fresh) if degraded => {
                (CheckState::Degraded, Some(*since))
            }
            (Voter::Good { since }, Seen::Fresh) => (CheckState::Up, Some(*since)),
            // What is being confirmed is shown as what it was before.
            (Voter::Failing { up_since, .. }, Seen::Fresh) => match up_since {
                Some(since) => (CheckState::Up, Some(*since)),
                None => (CheckState::Unknown, None),
            },
        };
        LocationStatus {
            location: self.location.clone(),
            state,
            confirming: seen == Seen::Fresh
                && matches!(self.voter, Voter::Failing { .. } | Voter::Rising { .. }),
            seen,
            since,
            last_check_at: newest.map(|check| check.at),
            status: newest.and_then(|check| check.status),
            failure: newest.and_then(|check| check.verdict.failure().cloned()),
            address: newest.and_then(|check| check.chain.remote_addr),
            total: newest.map(|check| check.timings.total),
        }
    }
}

impl Seats {
    /// Gives each location of the rules its seat, and nobody else one. New ones are awaited.
    pub fn fit(&mut self, quorum: &Quorum, now: Timestamp) {
        let fits = self.list.len() == quorum.locations.len()
            && (self.list.iter().zip(quorum.locations.iter()))
                .all(|(seat, location)| seat.location == *location);
        if fits {
            return;
        }
        let mut before = std::mem::take(&mut self.list);
        let mut any_new = false;
        let seats = quorum.locations.iter().map(|location| {
            let known = before.iter().position(|seat| seat.location == *location);
            match known {
                Some(known) => before.swap_remove(known),
                None => {
                    any_new = true;
                    Seat::new(location.clone())
                }
            }
        });
        self.list = seats.collect();
        if any_new {
            self.wait(now);
        }
    }

    /// From now on those are awaited whose word does not count: each has as long to be heard as it has before it is
    /// silent. One alone has nobody to wait for.
    pub fn wait(&mut self, now: Timestamp) {
        self.awaited_from = (self.list.len() > 1).then_some(now);
    }

    /// Whether the word of none counts.
    pub fn is_nobody_known(&self, rules: &Rules, now: Timestamp) -> bool {
        let known = |seat: &Seat| seat.seen(rules, now) == Seen::Fresh;
        !self.list.iter().any(known)
    }

    /// Waits for nobody any more once all were heard, or had their time.
    pub fn end_wait(&mut self, rules: &Rules, now: Timestamp) {
        let Some(from) = self.awaited_from else {
            return;
        };
        let is_heard = |seat: &Seat| seat.heard.at.is_some_and(|at| at >= from);
        if now.since(from) > rules.fresh_for() || self.list.iter().all(is_heard) {
            self.awaited_from = None;
        }
    }

    /// Whether a location's word may still come.
    pub fn is_awaited(&self, seat: &Seat, rules: &Rules, now: Timestamp) -> bool {
        seat.is_awaited(rules, self.waiting(), now)
    }

    fn waiting(&self) -> Waiting {
        Waiting {
            from: self.awaited_from,
            newest: self.list.iter().filter_map(|seat| seat.heard.at).max(),
        }
    }

    /// The seat of a location.
    pub fn place(&self, location: &LocationName) -> Option<usize> {
        self.list.iter().position(|seat| seat.location == *location)
    }

    /// What a location is remembered by after a start: its newest checks, newest first.
    pub fn restore(&mut self, location: &LocationName, newest_first: &[Arc<Check>]) {
        let Some(seat) = self.list.iter_mut().find(|seat| seat.location == *location) else {
            return;
        };
        // What was heard since is newer.
        if seat.heard.newest.is_some() {
            return;
        }
        let newest = newest_first.first();
        let known = newest_first
            .iter()
            .find(|check| !matches!(check.verdict, Verdict::Unknown(_)));
        seat.heard = Heard {
            at: newest.map(|check| check.at.plus(check.timings.total.as_duration())),
            known_at: known.map(|check| check.at),
            newest: newest.map(Arc::clone),
            late: Vec::new(),
        };
    }

    /// Moves all times, since the clock was set.
    pub fn move_times(&mut self, past: impl Fn(Timestamp) -> Timestamp) {
        self.closed_at = self.closed_at.map(&past);
        self.awaited_from = self.awaited_from.map(&past);
        if let Some(regional) = &mut self.regional {
            regional.since = past(regional.since);
        }
        for seat in &mut self.list {
            seat.voter.move_times(&past);
            let heard = &mut seat.heard;
            heard.at = heard.at.map(&past);
            heard.known_at = heard.known_at.map(&past);
            let late = heard.late.iter_mut();
            for check in heard.newest.iter_mut().chain(late) {
                *check = Arc::new(Check {
                    at: past(check.at),
                    ..Check::clone(check)
                });
            }
        }
    }

    /// Forgets what is confirmed and counted: nobody watches any more.
    pub fn forget(&mut self) {
        for seat in &mut self.list {
            seat.voter = Voter::Pending;
            seat.was_down = false;
        }
        self.regional = None;
    }

    /// All votes, counted.
    pub fn tally(&self, rules: &Rules, now: Timestamp) -> Tally {
        let waiting = self.waiting();
        let votes = (self.list.iter()).map(|seat| seat.vote(rules, waiting, now));
        Tally::of(votes)
    }

    /// Whether a failure is being confirmed anywhere.
    pub fn any_failing(&self) -> bool {
        let failing = |seat: &Seat| matches!(seat.voter, Voter::Failing { .. });
        self.list.iter().any(failing)
    }

    /// Whether all were heard once and none is any more.
    pub fn is_unheard(&self, rules: &Rules, now: Timestamp) -> bool {
        let silent = |seat: &Seat| seat.seen(rules, now) == Seen::Silent;
        self.list.iter().any(|seat| seat.heard.at.is_some()) && self.list.iter().all(silent)
    }

    /// At how many it fails, confirmed.
    pub fn down(&self) -> u32 {
        let down = |seat: &&Seat| matches!(seat.voter, Voter::Down { .. });
        u32::try_from(self.list.iter().filter(down).count()).unwrap_or(u32::MAX)
    }

    /// What all of them say, for people.
    pub fn statuses(&self, rules: &Rules, now: Timestamp) -> Vec<LocationStatus> {
        self.list
            .iter()
            .map(|seat| seat.status(rules, now))
            .collect()
    }

    /// When the next of them falls silent, or is awaited no longer, after `now`.
    pub fn next_silence(&self, rules: &Rules, now: Timestamp) -> Option<Timestamp> {
        let waited = |from: Timestamp| {
            from.plus(rules.fresh_for())
                .plus(std::time::Duration::from_millis(1))
        };
        self.list
            .iter()
            .filter_map(|seat| seat.silent_from(rules))
            .chain(self.awaited_from.map(waited))
            .filter(|at| *at > now)
            .min()
    }
}
