//! Runs the timetable: starts what is due, takes orders, notices suspend and clock steps.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::timetable::Planned;
use crate::domain::check::Check;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;

/// What the scheduler can be told.
#[derive(Debug)]
pub enum Command {
    /// These monitors are to be checked from now on, and nobody else, with this many slots.
    Replace {
        /// All of them.
        planned: Vec<Planned>,
        /// `max_concurrent_checks`.
        slots: u32,
    },
    /// A confirming check at this moment, beside the grid.
    CheckAt {
        /// Whose.
        monitor: MonitorId,
        /// When.
        at: Timestamp,
    },
    /// A check as soon as a slot is free, unless one began at or after `unless_since`.
    CheckNow {
        /// Whose.
        monitor: MonitorId,
        /// For a parent: when the child's failed check began; for a person: now.
        unless_since: Timestamp,
        /// Told the outcome; dropped where there will be none (unknown, paused, stopped).
        outcome: Option<oneshot::Sender<Check>>,
    },
    /// A person pauses or resumes.
    SetPaused {
        /// Whom.
        monitor: MonitorId,
        /// Pauses, or resumes.
        paused: bool,
    },
    /// The moment of a cron monitor has come.
    Trigger {
        /// Whose.
        monitor: MonitorId,
        /// The moment of its expression.
        slot: Timestamp,
    },
    /// Start nothing more; end when the checks on their way have ended, at the latest after this time.
    Stop {
        /// `shutdown_grace`.
        grace: Duration,
    },
}

/// How the other parts speak to the scheduler, from any thread. What is said after its end is lost.
///
/// The channel needs no bound of its own: every check on its way (which are bounded) leads to at most
/// one order for itself and one for each parent, and people type slowly.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
}

impl Handle {
    /// A handle and the receiving end for the scheduler.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        (Self { commands }, receiver)
    }

    /// Gives an order.
    pub fn send(&self, command: Command) {
        // A scheduler that has ended has nothing to start: the order is moot.
        let _ = self.commands.send(command);
    }

    /// A confirming check at this moment.
    pub fn check_at(&self, monitor: MonitorId, at: Timestamp) {
        self.send(Command::CheckAt { monitor, at });
    }

    /// A check of a parent now, unless one began at or after `unless_since`.
    pub fn check_now(&self, monitor: MonitorId, unless_since: Timestamp) {
        self.send(Command::CheckNow {
            monitor,
            unless_since,
            outcome: None,
        });
    }
}
