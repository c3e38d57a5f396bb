//! How the recorder keeps that we are offline: alerts are held, and the mail about it survives a crash.

use super::engine::Recorder;
use super::staged::Deed;
use crate::domain::check::Verdict;
use crate::domain::notification::{News, Notice, Stopped};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::Event;
use crate::policy::alert::state::Status;
use crate::policy::verdict::own_network::{BlindTime, Unfinished};
use crate::store::facts::offline_state::{self, Blind};

impl Recorder {
    /// We are offline since then: alerts are held until we are not.
    pub(in crate::daemon) fn went_blind(&mut self, from: Timestamp, now: Timestamp) {
        let was_blind = self.blind.is_some();
        let blind = Blind {
            from,
            stopped: self.blind.and_then(|blind| blind.stopped),
        };
        self.keep_blind(Some(blind), now);
        if !was_blind {
            self.line_changed(now);
        }
    }

    /// We see again: that it is over and the mail about it are one fact.
    pub(in crate::daemon) fn sees_again(&mut self, over: BlindTime, now: Timestamp) {
        if self.blind.is_none() {
            return;
        }
        let BlindTime {
            from,
            to,
            monitors,
            names,
            stopped,
        } = over;
        let notice = Notice {
            about: None,
            news: News::Blind {
                from,
                to,
                monitors,
                names,
                stopped,
            },
            decided_at: now,
        };
        self.say(notice, None, now);
        let reason = "offline";
        let gap = Deed::Gap {
            from,
            reason,
            at: now,
        };
        self.staged.deed(gap, now);
        self.keep_blind(None, now);
        self.line_changed(now);
    }

    pub(super) fn keep_blind(&mut self, kept: Option<Blind>, now: Timestamp) {
        self.blind = kept;
        let write = Deed::Write(Box::new(move |batch| {
            offline_state::put(batch.outbox(), kept.as_ref())
        }));
        self.staged.deed(write, now);
        self.staged.urgent = true;
    }

    /// Notes that a blind time went on while nobody looked.
    pub(super) fn take_up_blind_time(&mut self, now: Timestamp) {
        let Some(blind) = self.blind else {
            return;
        };
        let last_sign = self
            .fleet
            .slots
            .iter()
            .filter_map(|slot| slot.newest_ended());
        let ended = last_sign.max().unwrap_or(blind.from);
        let ended = ended.max(blind.from).min(now);
        let before = blind.stopped;
        let stopped = Stopped {
            from: before.map_or(ended, |before| before.from),
            to: now,
            times: before.map_or(1, |before| before.times.saturating_add(1)),
            blind_after: false,
        };
        tracing::warn!(
            "we were offline when sitewatch ended; nothing is alerted until we see again"
        );
        let stopped = Some(stopped);
        self.keep_blind(Some(Blind { stopped, ..blind }), now);
    }

    /// The blind time that was not over when another process ended, with whom it did not verify.
    pub fn unfinished_blind_time(&self) -> Option<Unfinished> {
        let blind = self.blind?;
        let unverified = self.fleet.slots.iter().filter(|slot| {
            let newest = slot.memory.recent.newest.as_ref();
            newest.is_some_and(|check| {
                check.at >= blind.from && matches!(check.verdict, Verdict::Unknown(_))
            })
        });
        Some(Unfinished {
            from: blind.from,
            stopped: blind.stopped?,
            unverified: unverified
                .map(|slot| (slot.id, slot.monitor.name.clone()))
                .collect(),
        })
    }

    fn line_changed(&mut self, now: Timestamp) {
        for place in 0..self.fleet.slots.len() {
            let held = match &self.fleet.slots[place].memory.kept.status {
                Status::Pending | Status::Up { .. } | Status::Suspect { .. } => false,
                Status::Down(_) | Status::Recovering { .. } => true,
            };
            if held {
                let _ = self.step(place, Event::Tick, now);
            }
        }
    }
}
