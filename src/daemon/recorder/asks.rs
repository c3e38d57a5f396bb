//! How the first failure at one location makes the others look.

use std::time::Duration;

use super::engine::Recorder;
use super::message::Turn;
use super::probes::Location;
use crate::domain::location::{Ask, LocationName};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::Event;

/// A location is asked so often a second at most, and as often at once.
pub(super) const ASKS_A_SECOND: f64 = 50.0;

/// If more than this share of a location's monitors began to fail within [`BURST_WAIT`], the others are not asked: it
/// is that location, or everything, which the checks that are due anyway will tell.
const BURST_SHARE: f64 = 0.2;

/// With fewer than so many the share says nothing.
const BURST_MIN: usize = 5;

/// See [`BURST_SHARE`].
const BURST_WAIT: Duration = Duration::from_secs(60);

impl Location {
    fn may_ask(&mut self, now: Timestamp) -> bool {
        let (tokens, at) = self.tokens;
        let tokens = (tokens + now.since(at).as_secs_f64() * ASKS_A_SECOND).min(ASKS_A_SECOND);
        let may = tokens >= 1.0;
        self.tokens = (if may { tokens - 1.0 } else { tokens }, now);
        may
    }

    /// Notes that a monitor began to fail there; whether so many did that it is not about the monitor.
    fn is_burst(&mut self, now: Timestamp) -> bool {
        while self
            .began
            .front()
            .is_some_and(|at| now.since(*at) > BURST_WAIT)
        {
            self.began.pop_front();
        }
        // More than these say nothing new.
        if self.began.len() <= self.monitors {
            self.began.push_back(now);
        }
        #[expect(clippy::cast_precision_loss, reason = "a share of at most millions")]
        let share = self.began.len() as f64 / self.monitors.max(1) as f64;
        self.began.len() > BURST_MIN && share > BURST_SHARE
    }
}

impl Recorder {
    /// Makes a monitor due at once, wherever it is checked, but at one location.
    pub(super) fn check_now(
        &mut self,
        place: usize,
        unless_since: Timestamp,
        but: Option<&LocationName>,
        now: Timestamp,
    ) {
        let Some(slot) = self.fleet.slots.get(place) else {
            return;
        };
        let monitor = slot.id;
        let turn = Turn::CheckNow {
            monitor,
            unless_since,
        };
        let Some(quorum) = slot.monitor.rules.quorum.clone() else {
            return self.turns.push(turn);
        };
        let wait = slot.monitor.rules.retry_interval;
        let here = self.places_of_hub().and_then(|places| places.here.clone());
        if let Some(its) = but.and_then(|but| self.probes.known.get_mut(but))
            && its.is_burst(now)
        {
            return;
        }
        for location in quorum.locations.iter().filter(|one| Some(*one) != but) {
            if here.as_ref() == Some(location) {
                self.turns.push(turn);
                continue;
            }
            let key = (monitor, location.clone());
            let asked = self.probes.asked.get(&key);
            let too_soon = asked.is_some_and(|at| *at <= now && now.since(*at) < wait);
            let Some(its) = self.probes.known.get_mut(location).filter(|_| !too_soon) else {
                continue;
            };
            if its.may_ask(now) {
                self.probes.asked.insert(key, now);
                self.probes.asks.push(Ask {
                    location: location.clone(),
                    monitor,
                    unless_since,
                });
            }
        }
    }

    /// Whether another check of a monitor is this process's to make: others are made where the check came from.
    pub(super) fn is_checked_here(&self, place: usize, event: Event<'_>) -> bool {
        let quorum = self.fleet.slots[place].monitor.rules.quorum.as_ref();
        let here = self.places_of_hub().and_then(|places| places.here.as_ref());
        match (quorum, here, event) {
            (None, ..) => true,
            (Some(_), None, _) => false,
            (Some(_), Some(here), Event::Heard { location, .. }) => here == location,
            (Some(quorum), Some(here), _) => quorum.has(here),
        }
    }

    /// What the locations are to be asked.
    pub(super) fn take_asks(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.probes.asks)
    }
}
