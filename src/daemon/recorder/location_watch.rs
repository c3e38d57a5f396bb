//! Whether locations are heard, and whether their clocks are right: told once, and once when it is over.

use std::time::Duration;

use super::engine::Recorder;
use super::staged::Deed;
use crate::domain::location::{LocationName, Presence};
use crate::domain::notification::{News, Notice};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::location_news;
use crate::store::facts::arrivals::Arrival;

/// So many signs of life of a probe are compared to know its clock.
const OFFSETS_MAX: usize = 20;

/// What comes late within so much time is one arrival: a backlog has thousands of frames.
const TOGETHER: Duration = Duration::from_secs(1);

/// A location that is heard again is told after this, together with others.
const BACK_WAIT: Duration = Duration::from_secs(10);

impl Recorder {
    /// A sign of life of a probe.
    pub(super) fn presence(&mut self, presence: &Presence, now: Timestamp) {
        let location = &presence.location;
        self.hear_location(location, presence.received_at);
        let Some(probe) = self.probes.known.get_mut(location) else {
            return;
        };
        probe.sight.set_offline(presence.offline_since.is_some());
        let offset = presence.received_at.as_ms() - presence.sent_at.as_ms();
        probe.offsets.push_back(offset);
        if probe.offsets.len() > OFFSETS_MAX {
            probe.offsets.pop_front();
        }
        let offset_ms = probe.offset_ms();
        let is_off = offset_ms != 0;
        if std::mem::replace(&mut probe.clock_told, is_off) == is_off {
            return;
        }
        let news = match is_off {
            true => location_news::clock_is_off(location, offset_ms),
            false => location_news::clock_is_right(location),
        };
        self.say_of_us(news, now);
    }

    pub(super) fn hear_location(&mut self, location: &LocationName, at: Timestamp) {
        if let Some(probe) = self.probes.known.get_mut(location) {
            probe.heard_at = probe.heard_at.max(at);
            if probe.silent_from.is_some() {
                probe.back_at.get_or_insert(at);
            }
        }
    }

    /// Tells which locations fell silent, and which are heard again.
    pub(super) fn look_at_locations(&mut self, now: Timestamp) {
        if self.probes.known.is_empty() {
            return;
        }
        self.note_sights(now);
        let Some(silent_after) = self.places_of_hub().map(|places| places.silent_after) else {
            return;
        };
        let mut silent = Vec::new();
        let mut back = Vec::new();
        for (location, probe) in &mut self.probes.known {
            match probe.silent_from {
                None if now.since(probe.heard_at) > silent_after => {
                    probe.silent_from = Some(probe.heard_at);
                    probe.back_at = None;
                    silent.push((location.clone(), probe.heard_at));
                }
                Some(from) => {
                    if let Some(at) = probe.back_at.filter(|at| now.since(*at) >= BACK_WAIT) {
                        probe.silent_from = None;
                        probe.back_at = None;
                        back.push((location.clone(), at.since(from)));
                    }
                }
                None => {}
            }
        }
        self.tell_of_silent(&silent, now);
        self.tell_of_back(&back, now);
        for location in silent
            .iter()
            .map(|(one, _)| one)
            .chain(back.iter().map(|(one, _)| one))
        {
            let Some(probe) = self.probes.known.get(location) else {
                continue;
            };
            let stored = probe.stored();
            self.keep_probe(&location.clone(), stored, now);
        }
    }

    fn tell_of_silent(&mut self, silent: &[(LocationName, Timestamp)], now: Timestamp) {
        let Some((_, since)) = silent.iter().min_by_key(|(_, since)| *since) else {
            return;
        };
        let since = self.moment(*since);
        let locations: Vec<LocationName> = silent.iter().map(|(one, _)| one.clone()).collect();
        self.say_of_us(location_news::silent(&locations, &since), now);
    }

    fn tell_of_back(&mut self, back: &[(LocationName, Duration)], now: Timestamp) {
        let Some((_, after)) = back.iter().max_by_key(|(_, after)| *after) else {
            return;
        };
        let locations: Vec<LocationName> = back.iter().map(|(one, _)| one.clone()).collect();
        self.say_of_us(location_news::back(&locations, *after), now);
    }

    pub(super) fn tell_of_twin(&mut self, location: &LocationName, now: Timestamp) {
        self.say_of_us(location_news::twin(location), now);
    }

    fn say_of_us(&mut self, news: News, now: Timestamp) {
        if let News::Trouble { what, detail } = &news {
            tracing::warn!("{what}: {detail}");
        }
        let notice = Notice {
            about: None,
            news,
            decided_at: now,
        };
        self.say(notice, None, now);
    }

    /// Writes down of which locations the word counts again, or no longer.
    pub(super) fn note_sights(&mut self, now: Timestamp) {
        let mut changed = Vec::new();
        for (location, probe) in &mut self.probes.known {
            if let Some(seen) = probe.sight.changed(now) {
                changed.push((location.clone(), seen, probe.stored()));
            }
        }
        for (location, seen, stored) in changed {
            self.keep_probe(&location, stored, now);
            let write = move |batch: &mut crate::store::transaction::Batch<'_>| {
                batch.put_location_event(&location, seen, now)
            };
            self.staged.deed(Deed::Write(Box::new(write)), now);
        }
    }

    /// Writes down when checks arrived that came late.
    pub(super) fn note_arrival(&mut self, location: &LocationName, late: Arrival, now: Timestamp) {
        let Some(probe) = self.probes.known.get_mut(location) else {
            return;
        };
        let goes_on = |before: &Arrival| {
            late.from > before.from && late.arrived_at.since(before.arrived_at) < TOGETHER
        };
        let arrival = match probe.arrival.filter(goes_on) {
            Some(before) => Arrival {
                to: before.to.max(late.to),
                ..before
            },
            None => late,
        };
        probe.arrival = Some(arrival);
        let location = location.clone();
        let write = move |batch: &mut crate::store::transaction::Batch<'_>| {
            batch.put_arrival(&location, arrival)
        };
        self.staged.deed(Deed::Write(Box::new(write)), now);
    }
}
