//! Whether locations are heard, and whether their clocks are right: told once, and once when it is over.

use std::time::Duration;

use super::engine::Recorder;
use super::sharing::{Sharing, Standing};
use super::staged::Deed;
use crate::domain::location::{LocationName, Presence, ProbeName};
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

/// Probes that fell silent together, or came back together.
#[derive(Default)]
struct Changed {
    senders: Vec<ProbeName>,
    /// What they are called.
    names: Vec<String>,
    /// The earliest of the last signs of life.
    since: Option<Timestamp>,
    longest: Duration,
}

impl Changed {
    fn note(&mut self, since: Timestamp) {
        self.since = Some(self.since.map_or(since, |before| before.min(since)));
    }

    fn add(&mut self, sharing: &Sharing, senders: Vec<ProbeName>) {
        self.names.extend(sharing.named(&senders));
        self.senders.extend(senders);
    }
}

impl Recorder {
    /// A sign of life of a probe.
    pub(super) fn presence(&mut self, presence: &Presence, now: Timestamp) {
        let (sender, at) = (&presence.sender, presence.received_at);
        let Some(location) = self.probes.known.get_mut(&sender.location) else {
            return;
        };
        match location.sharing.greeted(sender.share, at) {
            Standing::Taken => {}
            Standing::Refused { is_news } => {
                if is_news {
                    let split = location.sharing.split();
                    self.say_of_us(location_news::other_share(sender, split), now);
                }
                return;
            }
        }
        let probe = location.sharing.probe(sender.share, now);
        probe.heard(at);
        probe.is_offline = presence.offline_since.is_some();
        probe
            .offsets
            .push_back(at.as_ms() - presence.sent_at.as_ms());
        if probe.offsets.len() > OFFSETS_MAX {
            probe.offsets.pop_front();
        }
        let offset_ms = probe.offset_ms();
        let is_off = offset_ms != 0;
        let was_off = std::mem::replace(&mut probe.clock_told, is_off);
        let is_offline = location.sharing.is_any_offline();
        location.sight.set_offline(is_offline);
        if was_off == is_off {
            return;
        }
        let news = match is_off {
            true => location_news::clock_is_off(sender, offset_ms),
            false => location_news::clock_is_right(sender),
        };
        self.say_of_us(news, now);
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
        let (mut silent, mut back) = (Changed::default(), Changed::default());
        for (name, location) in &mut self.probes.known {
            location.sharing.look(now);
            let (mut fell_silent, mut came_back) = (Vec::new(), Vec::new());
            for (share, probe) in location.sharing.expected_mut() {
                let sender = || ProbeName {
                    location: name.clone(),
                    share,
                };
                match probe.silent_from {
                    None if now.since(probe.heard_at) > silent_after => {
                        probe.silent_from = Some(probe.heard_at);
                        probe.back_at = None;
                        silent.note(probe.heard_at);
                        fell_silent.push(sender());
                    }
                    Some(from) => {
                        if let Some(at) = probe.back_at.filter(|at| now.since(*at) >= BACK_WAIT) {
                            probe.silent_from = None;
                            probe.back_at = None;
                            back.longest = back.longest.max(at.since(from));
                            came_back.push(sender());
                        }
                    }
                    None => {}
                }
            }
            silent.add(&location.sharing, fell_silent);
            back.add(&location.sharing, came_back);
        }
        if let Some(since) = silent.since {
            let since = self.moment(since);
            self.say_of_us(location_news::silent(&silent.names, &since), now);
        }
        if !back.names.is_empty() {
            self.say_of_us(location_news::back(&back.names, back.longest), now);
        }
        for sender in silent.senders.iter().chain(&back.senders) {
            self.keep_probe(sender, now);
        }
    }

    pub(super) fn tell_of_twin(&mut self, sender: &ProbeName, now: Timestamp) {
        self.say_of_us(location_news::twin(sender), now);
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
        for (name, location) in &mut self.probes.known {
            if let Some(seen) = location.sight.changed(now) {
                let shares = location.sharing.expected().map(|(share, _)| share);
                changed.push((name.clone(), seen, shares.collect::<Vec<_>>()));
            }
        }
        for (location, seen, shares) in changed {
            for share in shares {
                let sender = ProbeName {
                    location: location.clone(),
                    share,
                };
                self.keep_probe(&sender, now);
            }
            let write = move |batch: &mut crate::store::transaction::Batch<'_>| {
                batch.put_location_event(&location, seen, now)
            };
            self.staged.deed(Deed::Write(Box::new(write)), now);
        }
    }

    /// Writes down when checks arrived that came late.
    pub(super) fn note_arrival(&mut self, location: &LocationName, late: Arrival, now: Timestamp) {
        let Some(its) = self.probes.known.get_mut(location) else {
            return;
        };
        let goes_on = |before: &Arrival| {
            late.from > before.from && late.arrived_at.since(before.arrived_at) < TOGETHER
        };
        let arrival = match its.arrival.filter(goes_on) {
            Some(before) => Arrival {
                to: before.to.max(late.to),
                ..before
            },
            None => late,
        };
        its.arrival = Some(arrival);
        let location = location.clone();
        let write = move |batch: &mut crate::store::transaction::Batch<'_>| {
            batch.put_arrival(&location, arrival)
        };
        self.staged.deed(Deed::Write(Box::new(write)), now);
    }
}
