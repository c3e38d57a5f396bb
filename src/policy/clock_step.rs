//! What a set clock means for what is remembered: moments keep their distance from now, by the monotonic clock.

use std::sync::Arc;
use std::time::Duration;

use super::alert::flapping::Flap;
use super::alert::slow::Slow;
use super::alert::state::{Ack, Announcement, Kept, Memory, Outage, Status};
use crate::domain::check::Check;
use crate::domain::timestamp::Timestamp;

/// A clock that was set by more than this anchors the record at the new time. Below it recorded time waits until the
/// clock has caught up.
pub const STEP_MIN: Duration = Duration::from_secs(120);

/// No machine runs this program before it was written (2026-01-01): an earlier time is that of a clock without a
/// battery, and what is recorded is right.
const WRITTEN_AT: Timestamp = Timestamp::from_ms(1_767_225_600_000);

/// A clock that was behind at the start is set forward within this: time servers are asked again and again, but
/// the line may come back later than the machine.
const ASSUMED_FOR: Duration = Duration::from_secs(86_400);

/// Nobody mutes or acknowledges for longer; what is due later belongs to another clock.
const DUE_WITHIN: Duration = Duration::from_secs(400 * 86_400);

/// One step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// The beginning of what was dated by the clock as it was: the start of the process, by that clock.
    pub era_from: Timestamp,
    /// What the clock would show now.
    pub from: Timestamp,
    /// What it shows.
    pub to: Timestamp,
}

impl ClockStep {
    /// The step between two looks at the clocks, if it is one: `lived` passed in between.
    pub fn between(
        era_from: Timestamp,
        before: Timestamp,
        after: Timestamp,
        lived: Duration,
    ) -> Option<Self> {
        let step = Self {
            era_from,
            from: before.plus(lived),
            to: after,
        };
        (step.by_ms().unsigned_abs() > millis(STEP_MIN)).then_some(step)
    }

    /// By how much the clock was set; negative: back.
    pub const fn by_ms(&self) -> i64 {
        self.to.as_ms().saturating_sub(self.from.as_ms())
    }

    /// Whether it was set back.
    pub const fn is_back(&self) -> bool {
        self.by_ms() < 0
    }

    /// Whether what lies ahead of the new time was recorded by a wrong clock. Else the new time is the wrong one.
    pub fn is_believed(&self) -> bool {
        self.to >= WRITTEN_AT
    }

    /// Whether this step, which a start assumed because the clock was behind the record, may still be taken back.
    pub fn is_open_at(&self, now: Timestamp) -> bool {
        now >= self.to && now.since(self.to) <= ASSUMED_FOR
    }

    /// Where a further start at `now` anchors the record, while this step may be taken back: the machine may have taken
    /// a little less time to start, and what was recorded before this step must not be touched again.
    pub fn anchor_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.is_open_at(now.plus(STEP_MIN))
            .then_some(now.max(self.to))
    }

    /// Whether `forth` shows that this step, which a start assumed, was none: the clock was behind, and now shows
    /// a time after everything that was recorded.
    pub fn is_taken_back_by(&self, forth: &Self) -> bool {
        let is_open = self.is_open_at(forth.from.plus(STEP_MIN));
        !forth.is_back() && is_open && forth.to.plus(STEP_MIN) >= self.from
    }

    /// The moment of something that happened.
    pub fn past(&self, at: Timestamp) -> Timestamp {
        let of_the_era = at >= self.era_from && at <= self.from.plus(STEP_MIN);
        if of_the_era || (self.is_back() && at > self.to) {
            self.moved(at).min(self.to)
        } else {
            at
        }
    }

    /// The moment of something that is to happen.
    pub fn due(&self, at: Timestamp) -> Timestamp {
        let ahead = if self.is_back() { self.to } else { self.from };
        if at > ahead && at <= ahead.max(self.from).plus(DUE_WITHIN) {
            self.moved(at)
        } else {
            at
        }
    }

    /// The beginning of a check that may have been under way when the clock was set, and is handed in at `now`.
    pub fn begun(&self, at: Timestamp, now: Timestamp) -> Timestamp {
        let under_way = if self.is_back() {
            at > now
        } else {
            // The step was noticed at most so long after it was made.
            at >= self.era_from && at < self.to.minus(Duration::from_secs(2)) && at <= self.from
        };
        if under_way {
            self.moved(at).min(now)
        } else {
            at
        }
    }

    fn moved(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_ms(at.as_ms().saturating_add(self.by_ms()))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Memory {
    /// Moves what is remembered into the time of a clock that was set.
    pub fn clock_was_set(&mut self, step: &ClockStep) {
        self.kept.clock_was_set(step);
        let recent = &mut self.recent;
        if let Some(at) = &mut recent.known_at {
            *at = step.past(*at);
        }
        // Most of them are the same check.
        let mut moved: Vec<(Arc<Check>, Arc<Check>)> = Vec::new();
        for place in [
            &mut recent.newest,
            &mut recent.last_good,
            &mut recent.good_in_outage,
            &mut recent.last_bad,
        ] {
            let Some(check) = place else { continue };
            let known = moved.iter().find(|(old, _)| Arc::ptr_eq(old, check));
            let new = match known {
                Some((_, new)) => Arc::clone(new),
                None => {
                    let mut new = Check::clone(check);
                    new.at = step.past(new.at);
                    let new = Arc::new(new);
                    moved.push((Arc::clone(check), Arc::clone(&new)));
                    new
                }
            };
            *check = new;
        }
    }
}

impl Kept {
    fn clock_was_set(&mut self, step: &ClockStep) {
        let past = |at: &mut Timestamp| *at = step.past(*at);
        let maybe = |at: &mut Option<Timestamp>| {
            if let Some(at) = at {
                *at = step.past(*at);
            }
        };
        match &mut self.status {
            Status::Pending => {}
            Status::Up { since } => past(since),
            Status::Suspect {
                up_since,
                first_bad,
                ..
            } => {
                maybe(up_since);
                past(first_bad);
            }
            Status::Down(outage) => outage.clock_was_set(step),
            Status::Recovering {
                outage, first_good, ..
            } => {
                outage.clock_was_set(step);
                past(first_good);
            }
        }
        past(&mut self.shown.since);
        maybe(&mut self.gone_at);
        maybe(&mut self.counted_after);
        if let Some(until) = &mut self.muted_until {
            *until = step.due(*until);
        }
        self.windows.clock_was_set(step);
        match &mut self.flap {
            Flap::Calm { changes } => changes.iter_mut().for_each(past),
            Flap::Flapping(spell) => past(&mut spell.since),
        }
        if let Some(intermittent) = &mut self.intermittent {
            past(&mut intermittent.since);
        }
        match &mut self.slow {
            Slow::No => {}
            Slow::Counting { since, .. } | Slow::Told { since, .. } => past(since),
        }
        if let Some(seats) = &mut self.seats {
            seats.move_times(|at| step.past(at));
        }
    }
}

impl Kept {
    /// The steps that starts `assumed` were none, the clock had been behind until `forth`, which this has gone through
    /// already: what has not changed since is what it was `before`.
    pub fn clock_had_been_behind(
        &mut self,
        before: &Self,
        assumed: &[ClockStep],
        forth: &ClockStep,
    ) {
        let mut unchanged = before.clone();
        for step in assumed.iter().chain([forth]) {
            unchanged.clock_was_set(step);
        }
        if *self == unchanged {
            *self = before.clone();
            return;
        }
        if self.shown.since == unchanged.shown.since {
            self.shown.since = before.shown.since;
        }
        if let (Status::Up { since }, Status::Up { since: then }, Status::Up { since: was }) =
            (&mut self.status, &unchanged.status, &before.status)
            && since == then
        {
            *since = *was;
        }
        if let (Some(outage), Some(was)) = (self.status.outage_mut(), before.status.outage())
            && outage.key == was.key
        {
            outage.began_at = was.began_at;
            outage.up_since = was.up_since;
        }
    }
}

impl Outage {
    fn clock_was_set(&mut self, step: &ClockStep) {
        let opened_at = step.past(self.opened_at());
        self.began_at = (opened_at != self.key.opened_at).then_some(opened_at);
        if let Some(at) = &mut self.up_since {
            *at = step.past(*at);
        }
        if let Some(at) = &mut self.acked_at {
            *at = step.past(*at);
        }
        if let Ack::Until(until) = &mut self.ack {
            *until = step.due(*until);
        }
        if let Announcement::Made { last, .. } = &mut self.announcement {
            *last = step.past(*last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after the beginning of the era.
    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000 + seconds * 1000)
    }

    fn step(from: i64, to: i64) -> ClockStep {
        ClockStep {
            era_from: at(0),
            from: at(from),
            to: at(to),
        }
    }

    #[test]
    fn two_minutes_are_no_step() {
        let lived = Duration::from_millis(500);
        let by = |after| ClockStep::between(at(0), at(1000), after, lived).map(|step| step.by_ms());
        assert_eq!(by(at(1000).plus(lived)), None);
        assert_eq!(by(at(881)), None);
        assert_eq!(by(at(1120)), None);
        assert_eq!(by(at(880)), Some(-120_500));
        assert_eq!(by(at(1121)), Some(120_500));
    }

    #[test]
    fn what_happened_keeps_its_distance_from_now() {
        for (from, to) in [(100, -7100), (100, 7300)] {
            let step = step(from, to);
            let by = to - from;
            assert_eq!(step.past(at(100)), at(to));
            assert_eq!(step.past(at(40)), at(40 + by));
            assert_eq!(step.past(at(0)), at(by));
            // Of another clock, which nobody knows to be wrong.
            assert_eq!(step.past(at(-9000)), at(-9000));
            assert_eq!(step.due(at(160)), at(160 + by));
            assert_eq!(step.due(at(-9000)), at(-9000));
        }
        // What is ahead of a clock that was set back is never left there.
        assert_eq!(step(100, -7100).past(at(-60)), at(-7260));
        let era = ClockStep {
            era_from: at(50),
            ..step(100, 0)
        };
        assert_eq!(era.past(at(20)), at(-80));
    }

    #[test]
    fn a_check_under_way_began_as_long_before_now_as_it_took() {
        let back = step(100, -7100);
        assert_eq!(back.begun(at(95), at(-7100)), at(-7105));
        assert_eq!(back.begun(at(-7099), at(-7098)), at(-7099));
        let forth = step(100, 7300);
        assert_eq!(forth.begun(at(95), at(7301)), at(7295));
        assert_eq!(forth.begun(at(7299), at(7301)), at(7299));
    }

    #[test]
    fn a_clock_without_a_battery_is_not_believed() {
        let mut step = step(100, 0);
        assert!(step.is_believed());
        step.to = Timestamp::from_ms(10_000);
        assert!(!step.is_believed());
        // And when it is set right, what was dated before it stopped stays.
        let right = ClockStep {
            era_from: Timestamp::from_ms(10_000),
            from: Timestamp::from_ms(60_000),
            to: at(500),
        };
        assert_eq!(right.past(at(-100)), at(-100));
        assert_eq!(right.past(Timestamp::from_ms(30_000)), at(470));
        assert_eq!(right.due(at(3600)), at(3600));
    }
}
