//! What a step changed of what is kept of a monitor: what is told of it, and whether it may wait to be written.

use crate::domain::incident::Cause;
use crate::domain::monitor::MonitorId;
use crate::policy::alert::state::{Kept, Memory, ShownState, Status};
use crate::store::facts::events::StateChange;

/// What is told of a change of the shown state.
pub(super) fn state_change(monitor: MonitorId, from: ShownState, after: &Memory) -> StateChange {
    let kept = &after.kept;
    let newest = after.recent.newest.as_deref();
    let failed = newest.and_then(|check| {
        let failure = check.verdict.failure()?.clone();
        let status = check.status;
        Some(Cause { failure, status })
    });
    let cause = match kept.shown.state {
        ShownState::Pending | ShownState::Up => None,
        ShownState::Down => kept.status.outage().map(|outage| outage.cause.clone()),
        ShownState::Degraded | ShownState::Unknown => failed,
    };
    StateChange {
        monitor,
        from,
        to: kept.shown.state,
        incident: kept.shown.incident,
        cause,
    }
}

/// Whether a count that must survive a crash went on.
pub(super) fn counts_differ(before: &Kept, after: &Kept) -> bool {
    match (&before.status, &after.status) {
        // Its count of failed checks is for the record only.
        (Status::Down(before), Status::Down(after)) => before.announcement != after.announcement,
        (before, after) => before != after,
    }
}
