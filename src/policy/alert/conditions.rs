//! What a check says beside up and down: slowness, single failures, certificate, way.

use std::sync::Arc;

use super::certificate_expiry;
use super::intermittent::Intermittent;
use super::machine::Machine;
use super::monitor::Recipients;
use super::redirect_drift::Drift;
use super::slow::Slow;
use super::state::Status;
use crate::domain::check::{Chain, Check, FailureKind};
use crate::domain::location::{Quorum, Seen};
use crate::domain::notification::News;

impl Machine<'_> {
    /// What a check says beside up and down: slowness, single failures, certificate, way.
    pub(super) fn look_beside(&mut self, check: &Arc<Check>) {
        let kept = &mut self.memory.kept;
        match kept.status {
            Status::Pending | Status::Up { .. } | Status::Suspect { .. } => {
                kept.slow = kept.slow.after(self.rules, check.at, &check.verdict);
            }
            Status::Down(_) | Status::Recovering { .. } => {
                kept.slow = match kept.slow {
                    Slow::No | Slow::Counting { .. } => Slow::No,
                    told @ Slow::Told { .. } => told,
                };
            }
        }
        let window = self.memory.recent.window;
        if matches!(kept.status, Status::Up { .. }) && window.is_bad() {
            kept.intermittent.get_or_insert(Intermittent {
                since: check.at,
                told: false,
            });
        } else if window.is_clean() {
            kept.intermittent = None;
        }
        self.look_at_certificate(check);
        // Several locations may be led different ways: each has its own.
        let quorum = self.rules.quorum.as_ref();
        let are_several = quorum.is_some_and(|quorum| quorum.locations.len() > 1);
        if are_several {
            self.memory.kept.drift = None;
        } else if check.verdict.is_good() {
            self.look_at_way(check);
        }
    }

    pub(super) fn look_at_certificate(&mut self, check: &Arc<Check>) {
        let Some(seen) = &check.certificate else {
            return;
        };
        let ended = check
            .verdict
            .failure()
            .is_some_and(|failure| failure.kind == FailureKind::TlsExpired);
        if ended || self.hold().is_some() {
            return;
        }
        let told = &mut self.memory.kept.certificates;
        let steps = &self.around.alerts.certificate_expiry;
        let Some(step) = certificate_expiry::due(steps, told, seen, check.at) else {
            return;
        };
        certificate_expiry::remember(told, seen.fingerprint, step);
        let news = News::CertificateExpiring {
            check: Box::new(Check::clone(check)),
            step,
        };
        self.say(news, Recipients::Configured);
    }

    fn look_at_way(&mut self, check: &Arc<Check>) {
        if !self.rules.alert_on_redirect_change {
            self.memory.kept.drift = None;
            return;
        }
        let held = self.hold().is_some();
        let Some(drift) = &mut self.memory.kept.drift else {
            self.memory.kept.drift = Some(Box::new(Drift::starting_with(&check.chain)));
            return;
        };
        if !drift.sees(&check.chain, self.rules.failures_before_down) || held {
            return;
        }
        let before = drift.accept(&check.chain);
        let news = News::RedirectChanged {
            before: Box::new(before.as_ref().clone()),
            check: Box::new(Check::clone(check)),
            locations: Vec::new(),
        };
        self.say(news, Recipients::Configured);
    }

    /// Whether as many locations as make it down are led another way than each of them was. `heard` is the seat whose
    /// check came.
    pub(super) fn look_at_ways(&mut self, quorum: &Quorum, heard: usize) {
        let (rules, now) = (self.rules, self.now);
        let held = self.hold().is_some();
        let counts = !self.memory.kept.paused;
        let Some(seats) = self.memory.kept.seats.as_mut().filter(|_| counts) else {
            return;
        };
        if quorum.locations.len() < 2 || !rules.alert_on_redirect_change {
            seats.list.iter_mut().for_each(|seat| seat.drift = None);
            return;
        }
        let needed = rules.failures_before_down;
        let seat = seats.list.get_mut(heard);
        if !seat.is_some_and(|seat| seat.sees_way(needed)) || held {
            return;
        }
        let to_open = seats.tally(rules, now).to_open(quorum.down_when);
        let seats = &mut seats.list;
        let chains: Vec<Option<Arc<Chain>>> = (seats.iter())
            .map(|seat| match seat.seen(rules, now) {
                Seen::Fresh => seat.other_way(needed).map(Arc::clone),
                Seen::Silent | Seen::Offline => None,
            })
            .collect();
        if chains.iter().flatten().count() < to_open {
            return;
        }
        let mut news = None;
        for (place, (seat, chain)) in seats.iter_mut().zip(&chains).enumerate() {
            let Some(drift) = &mut seat.drift else {
                continue;
            };
            let Some(chain) = chain else {
                chains
                    .iter()
                    .flatten()
                    .for_each(|chain| drift.expect(chain));
                continue;
            };
            let before = drift.accept(chain);
            if place == heard {
                news = seat.newest().map(|check| (before, Arc::clone(check)));
            }
        }
        let Some((before, check)) = news else { return };
        let led = seats.iter().zip(&chains);
        let locations = led.filter_map(|(seat, chain)| chain.as_ref().map(|_| &seat.location));
        let news = News::RedirectChanged {
            before: Box::new(before.as_ref().clone()),
            check: Box::new(Check::clone(&check)),
            locations: locations.cloned().collect(),
        };
        self.say(news, Recipients::Configured);
    }
}
