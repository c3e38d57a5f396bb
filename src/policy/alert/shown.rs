//! What is shown of a monitor after a step.

use super::machine::Machine;
use super::state::{Ack, Flags, Shown, ShownState, Status};
use crate::domain::check::{FailureKind, Verdict};

impl Machine<'_> {
    /// Derives what is shown.
    pub(in crate::policy) fn show(&mut self) {
        let kept = &self.memory.kept;
        let newest = self.memory.recent.newest.as_deref();
        let blind = newest.is_some_and(|check| matches!(check.verdict, Verdict::Unknown(_)))
            || self.is_unheard();
        let degraded = newest.and_then(|check| match &check.verdict {
            Verdict::Degraded(failure) => Some(failure.kind),
            Verdict::Up | Verdict::Down(_) | Verdict::Unknown(_) => None,
        });
        let degraded = degraded.or(kept.intermittent.map(|_| FailureKind::Intermittent));
        let at = newest.map_or(self.now, |check| check.at);
        let (state, since, reason) = match &kept.status {
            Status::Pending => (ShownState::Pending, self.now, None),
            Status::Suspect { up_since: None, .. } => (ShownState::Pending, self.now, None),
            Status::Down(outage) | Status::Recovering { outage, .. } => {
                let kind = outage.cause.failure.kind;
                (ShownState::Down, outage.opened_at(), Some(kind))
            }
            Status::Up { .. } | Status::Suspect { .. } if blind => {
                (ShownState::Unknown, at, Some(FailureKind::Local))
            }
            Status::Up { since } => match (degraded, kept.shown.state) {
                (Some(kind), _) => (ShownState::Degraded, at, Some(kind)),
                (None, ShownState::Degraded | ShownState::Unknown) => (ShownState::Up, at, None),
                (None, ShownState::Pending | ShownState::Up | ShownState::Down) => {
                    (ShownState::Up, *since, None)
                }
            },
            // What is being confirmed is shown as what it was before.
            Status::Suspect { .. } => match kept.shown.state {
                ShownState::Degraded => (ShownState::Degraded, at, kept.shown.reason),
                ShownState::Pending | ShownState::Up | ShownState::Down | ShownState::Unknown => {
                    (ShownState::Up, at, None)
                }
            },
        };
        let same = state == kept.shown.state && kept.shown != Shown::default();
        let since = if same && state != ShownState::Down {
            kept.shown.since
        } else {
            since
        };
        let shown = Shown {
            state,
            since,
            flags: self.flags(),
            incident: kept.status.outage().map(|outage| outage.key),
            reason,
        };
        self.memory.kept.shown = shown;
    }

    /// Whether it has locations and none of them is heard any more.
    fn is_unheard(&self) -> bool {
        let seats = self.memory.kept.seats.as_ref();
        seats.is_some_and(|seats| seats.is_unheard(self.rules, self.now))
    }

    fn flags(&self) -> Flags {
        let kept = &self.memory.kept;
        let failing = matches!(
            kept.status,
            Status::Suspect { .. } | Status::Down(_) | Status::Recovering { .. }
        );
        Flags {
            paused: kept.paused,
            muted: kept.muted_until.is_some(),
            maintenance: self.in_maintenance(),
            acked: kept
                .status
                .outage()
                .is_some_and(|outage| outage.ack != Ack::None),
            flapping: kept.flap.is_on(),
            parent_down: failing && self.around.parents.iter().any(|parent| parent.failing),
        }
    }
}
