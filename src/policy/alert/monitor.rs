//! The alert machine of one monitor: what a check, an order or the passing of time changes, and what is
//! to be done about it. Pure: the recorder does what the effects say, in one transaction.

use std::sync::Arc;
use std::time::Duration;

use super::dependencies::{self, Parent};
use super::escalation;
use super::machine::Machine;
use super::ordered_windows::{OrderedWindow, WINDOWS_MAX};
use crate::domain::check::Check;
use crate::domain::incident::{Incident, IncidentKey};
use crate::domain::location::LocationName;
use crate::domain::monitor::{MonitorId, Rules};
use crate::domain::notification::News;
use crate::domain::recipient::Recipient;
use crate::domain::settings::{AlertSettings, Escalation};
use crate::domain::timestamp::Timestamp;

pub use super::state::{
    Ack, Announcement, Flags, Hold, Kept, Memory, Outage, Recent, Shown, ShownState, Status,
};

/// What happens to a monitor.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A check ended. Its `at` is later than that of any check before.
    Checked(&'a Arc<Check>),
    /// A check of one of its locations arrived; only for monitors with locations.
    Heard {
        /// From where.
        location: &'a LocationName,
        /// What it found. Its `at` is later than that of any check of the location before.
        check: &'a Arc<Check>,
        /// Whether it is too old to say anything of the present.
        is_late: bool,
    },
    /// Time passed: a moment of [`wake_at`], the edge of a window, a parent that changed.
    Tick,
    /// Somebody wants something.
    Order(&'a Order),
    /// A parent is good again after it was down or suspected.
    ParentRecovered,
    /// Its configuration changed.
    Reconfigured {
        /// What was learnt of the site belongs to another URL.
        url_changed: bool,
    },
    /// It is gone from the configuration, or disabled there.
    Removed,
}

/// What a person can want of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Check it no more.
    Pause,
    /// Check it again.
    Resume,
    /// Hold its mails.
    Mute {
        /// Until then.
        until: Timestamp,
    },
    /// Hold them no more.
    Unmute,
    /// Take note of its open incident: reminders rest.
    Ack {
        /// Until then; none: until the incident is over.
        until: Option<Timestamp>,
        /// A word for the others, one line; without one the last stays.
        note: Option<Arc<str>>,
    },
    /// Open a maintenance window over it.
    Maintain(OrderedWindow),
    /// End the windows that were opened by order.
    EndMaintenance,
    /// The command of this window exited: the first good check that begins from now on ends the window.
    CommandEnded {
        /// Its number.
        window: u64,
    },
    /// Whoever ran the command of this window is gone: the window ends.
    RunnerGone {
        /// Its number.
        window: u64,
    },
}

/// Why an order was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing to take note of.
    #[error("it is not down, there is nothing to acknowledge")]
    NotDown,
    /// It is paused already.
    #[error("it is paused already")]
    Paused,
    /// It was not paused.
    #[error("it is not paused")]
    NotPaused,
    /// It was not muted.
    #[error("it is not muted")]
    NotMuted,
    /// There is no window to end.
    #[error("no window of `sitewatch maintenance` is open over it")]
    NotInMaintenance,
    /// It has as many windows as are kept.
    #[error("it has {WINDOWS_MAX} windows already; `sitewatch maintenance NAME --end` ends them")]
    TooManyWindows,
}

/// What of the world around a monitor decides with its rules and its memory.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Whose machine this is.
    pub monitor: MonitorId,
    /// `[alerts]`
    pub alerts: &'a AlertSettings,
    /// Whether a maintenance window covers it now.
    pub maintenance: bool,
    /// What it depends on.
    pub parents: &'a [Parent],
    /// Whether we are known to be offline now.
    pub offline: bool,
    /// The steps of escalation that its outages have.
    pub steps: &'a [Arc<Escalation>],
}

/// What follows from one event.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Step {
    /// What is remembered from now on.
    pub after: Memory,
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
    /// Why an order was not followed; then nothing else changed.
    pub refusal: Option<Refusal>,
}

/// One deed that a step asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Store a new incident.
    Open(Incident),
    /// Store what changed of an open incident.
    Progress(Incident),
    /// Store the end of an incident.
    Close {
        /// The incident, with its end.
        incident: Incident,
        /// What ended it.
        ending: Ending,
    },
    /// Show an open incident where a channel shows those: nothing holds its DOWN.
    Raise(Incident),
    /// Queue a mail.
    Say {
        /// What to say.
        news: Box<News>,
        /// The recipient.
        to: Recipients,
    },
    /// Drop and log the mails of an incident that have not left.
    DropWaiting(IncidentKey),
    /// Drop what its steps of escalation said and what has not left: somebody works on it.
    StopEscalation(IncidentKey),
    /// Store a window that was ordered, as it is planned or, once it is over, as it was.
    Window {
        /// Its begin.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// Store a check of the monitor as a whole: what its locations agree on.
    Record(Arc<Check>),
    /// Make the parents due at once.
    CheckParents,
    /// Make it due at once at every other location.
    AskOthers {
        /// When the failed check began.
        unless_since: Timestamp,
    },
    /// Check again this long after the end of the check, beside the grid.
    CheckAgain {
        /// The wait.
        after: Duration,
    },
}

/// What ended an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The site is good again.
    Recovered,
    /// Somebody paused the monitor.
    Paused,
    /// It was removed or disabled.
    Removed,
}

/// To whom a mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Those of the rules.
    Configured,
    /// Those of a step of escalation.
    Escalation {
        /// Those who are told by it.
        to: Vec<Recipient>,
        /// Of these, those whose message an acknowledgement stopped.
        again: Vec<Recipient>,
    },
    /// Those, and only those, for whom a mail of one of these incidents was queued.
    Told(Vec<IncidentKey>),
    /// With `recovery = false`: those for whom a mail of this incident still waits. It is over before they were told,
    /// and they are to be told that, not that it goes on.
    Untold(IncidentKey),
    /// Of these, those of one side.
    Of(Side, Box<Recipients>),
}

/// The two sides of recipients, which flapping tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Those who read messages: flapping spares them the single ones.
    Messages,
    /// Services that hold incidents: what opens one there has to close that one.
    Incidents,
}

/// What an event makes of a monitor.
pub fn step(
    rules: &Rules,
    around: &Surroundings<'_>,
    before: &Memory,
    event: Event<'_>,
    now: Timestamp,
) -> Step {
    let mut machine = Machine::new(rules, around, before, now);
    match event {
        Event::Checked(check) => machine.checked(check),
        Event::Heard {
            location,
            check,
            is_late,
        } => machine.heard(location, check, is_late),
        Event::Tick => machine.agree_in_time(),
        Event::Order(order) => {
            if let Err(refusal) = machine.order(order) {
                return Step {
                    after: before.clone(),
                    effects: Vec::new(),
                    refusal: Some(refusal),
                };
            }
        }
        Event::ParentRecovered => machine.parent_recovered(),
        Event::Reconfigured { url_changed } => {
            machine.reconfigured(url_changed);
            machine.agree_in_time();
        }
        Event::Removed => machine.gone(),
    }
    machine.settle()
}

/// When a monitor wants a [`Event::Tick`] without anything else happening; the edges of maintenance
/// windows, which many monitors share, are not its business.
pub fn wake_at(
    rules: &Rules,
    around: &Surroundings<'_>,
    memory: &Memory,
    now: Timestamp,
) -> Option<Timestamp> {
    let kept = &memory.kept;
    let mut moments = [None; 8];
    let seats = kept.seats.as_ref();
    moments[7] = seats.and_then(|seats| seats.next_silence(rules, now));
    moments[5] = kept.windows.next_end();
    moments[0] = kept.muted_until;
    if let Status::Down(outage) = &kept.status {
        if let Ack::Until(until) = outage.ack {
            moments[1] = Some(until);
        }
        match outage.announcement {
            Announcement::Waiting { .. } => {
                if kept.flap.is_on() {
                    let down_after = around.alerts.flapping.down_after;
                    moments[2] = Some(outage.opened_at().plus(down_after));
                }
                if !around.parents.is_empty() {
                    moments[3] = Some(dependencies::verify_until(outage.opened_at()));
                }
            }
            Announcement::Made { last, reminders } => {
                let held =
                    around.maintenance || kept.windows.is_open(now) || kept.muted_until.is_some();
                if outage.ack == Ack::None && !held {
                    moments[4] = super::reminder::due_at(around.alerts, last, reminders);
                    moments[6] = escalation::due_at(around.steps, outage);
                }
            }
        }
    }
    moments.into_iter().flatten().filter(|at| *at > now).min()
}

/// Whether a monitor waits for a check beside its grid: a failure or a recovery is being confirmed.
pub fn wants_confirmation(memory: &Memory) -> bool {
    match &memory.kept.status {
        Status::Pending | Status::Up { .. } => false,
        Status::Suspect { .. } | Status::Recovering { .. } => true,
        Status::Down(_) => is_recounting(&memory.kept.status),
    }
}

/// Whether failures are counted again, after what it depends on is good again.
pub(super) fn is_recounting(status: &Status) -> bool {
    match status {
        Status::Pending
        | Status::Up { .. }
        | Status::Suspect { .. }
        | Status::Recovering { .. } => false,
        Status::Down(outage) => matches!(
            outage.announcement,
            Announcement::Waiting {
                recount: Some(_),
                ..
            }
        ),
    }
}

/// What is shown of a monitor, as of its last step.
pub const fn shown(memory: &Memory) -> Shown {
    memory.kept.shown
}
