//! What a check says beside up and down: slowness, single failures, certificate, way.

use std::sync::Arc;

use super::certificate_expiry;
use super::intermittent::Intermittent;
use super::machine::Machine;
use super::monitor::Recipients;
use super::redirect_drift::Drift;
use super::slow::Slow;
use super::state::Status;
use crate::domain::check::{Check, FailureKind};
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
        if check.verdict.is_good() {
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
        };
        self.say(news, Recipients::Configured);
    }
}
