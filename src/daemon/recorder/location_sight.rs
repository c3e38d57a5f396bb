//! Whether the word of a location counts at all, for the events; and which of its checks came late.

use std::time::Duration;

use crate::domain::check::Check;
use crate::domain::location::Seen;
use crate::domain::timestamp::Timestamp;
use crate::policy::clock_step::ClockStep;
use crate::store::facts::arrivals::Arrival;

/// A check that came so long after its end came late. A frame waits a quarter of a second, and lines are slow.
const LATE_MIN: Duration = Duration::from_secs(5);

/// Whether the word of a location counts.
#[derive(Debug)]
pub(super) struct Sight {
    /// What the newest event says.
    told: Option<Seen>,
    /// Since when it is waited for; its newest check that was not late arrived then.
    since: Timestamp,
    /// Whether any arrived since the start.
    is_heard: bool,
    /// It has a word for so long after that.
    patience: Duration,
    /// Whether its signs of life say that it is offline.
    is_offline: bool,
}

impl Sight {
    pub(super) const fn new(told: Option<Seen>, now: Timestamp) -> Self {
        Self {
            told,
            since: now,
            is_heard: false,
            patience: Duration::ZERO,
            is_offline: false,
        }
    }

    pub(super) const fn told(&self) -> Option<Seen> {
        self.told
    }

    /// One of its monitors is waited for that long.
    pub(super) fn wait_at_least(&mut self, patience: Duration) {
        if !self.is_heard {
            self.patience = self.patience.max(patience);
        }
    }

    /// A check arrived whose word counts that long.
    pub(super) fn heard(&mut self, now: Timestamp, patience: Duration) {
        let until = self.since.plus(self.patience);
        let is_longer = !self.is_heard || now.plus(patience) >= until;
        if is_longer {
            (self.since, self.patience) = (now, patience);
        }
        self.is_heard = true;
    }

    pub(super) const fn set_offline(&mut self, is_offline: bool) {
        self.is_offline = is_offline;
    }

    pub(super) fn move_times(&mut self, step: &ClockStep) {
        self.since = step.past(self.since);
    }

    /// What is to be told now, if that is another thing than before.
    pub(super) fn changed(&mut self, now: Timestamp) -> Option<Seen> {
        let is_silent = now.since(self.since) > self.patience;
        let seen = match (is_silent, self.is_heard, self.is_offline) {
            (true, ..) => Seen::Silent,
            // After a start it stands as it stood.
            (false, false, _) => return None,
            (false, true, true) => Seen::Offline,
            (false, true, false) => Seen::Fresh,
        };
        let before = self.told.replace(seen);
        (before != Some(seen)).then_some(seen)
    }
}

/// What came late of a frame, with one more check of it.
pub(super) fn late_with(
    before: Option<Arrival>,
    check: &Check,
    arrived_at: Timestamp,
) -> Option<Arrival> {
    let ended = check.at.plus(check.timings.total.as_duration());
    if arrived_at.since(ended) < LATE_MIN {
        return before;
    }
    let (from, to) = before.map_or((check.at, check.at), |before| (before.from, before.to));
    Some(Arrival {
        from: from.min(check.at),
        to: to.max(check.at),
        arrived_at,
    })
}
