//! What the recorder wants of the other parts, on its way to them.

use super::cluster::hub;
use super::notifier::run;
use super::recorder::message::{Outcome, Turn};
use super::schedule::scheduler::{Command, Handle};

/// The recorder's wishes, from its thread.
pub(super) fn pass_on(
    outcome: Outcome,
    scheduler: &Handle,
    notifier: &run::Handle,
    cluster: Option<&hub::Handle>,
) {
    if let Some(cluster) = cluster {
        if outcome.committed {
            cluster.gate.committed();
        }
        for ask in outcome.asks {
            // One that is lost costs at most an interval.
            let _ = cluster.ask(ask);
        }
        for turn in &outcome.turns {
            if let Turn::SetPaused { monitor, paused } = turn {
                cluster.set_paused(*monitor, *paused);
            }
        }
    }
    for turn in outcome.turns {
        match turn {
            Turn::CheckAt { monitor, at } => scheduler.check_at(monitor, at),
            Turn::CheckNow {
                monitor,
                unless_since,
            } => scheduler.check_now(monitor, unless_since),
            Turn::SetPaused { monitor, paused } => {
                scheduler.send(Command::SetPaused { monitor, paused });
            }
        }
    }
    for letter in outcome.letters {
        notifier.send_at_once(letter);
    }
    if outcome.mails {
        notifier.wake();
    }
}
