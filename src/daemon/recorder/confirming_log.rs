//! What the log says while a change of state is not yet one.

use crate::daemon::logging::targets;
use crate::policy::alert::state::Status;

/// Says that a failure or a recovery is being confirmed.
pub(super) fn log_confirming(name: &str, before: &Status, after: &Status) {
    match (before, after) {
        (Status::Pending | Status::Up { .. }, Status::Suspect { cause, .. }) => {
            let why = &cause.failure.detail;
            let state = if *before == Status::Pending {
                "pending"
            } else {
                "up"
            };
            tracing::info!(target: targets::STATE, monitor = name, state, "{name} failed, being confirmed: {why}");
        }
        (Status::Down(_), Status::Recovering { .. }) => {
            tracing::info!(target: targets::STATE, monitor = name, state = "down", "{name} answers again, being confirmed");
        }
        _ => {}
    }
}
