//! What goes in at the recorder's door, and what comes back.

use std::fmt;
use std::sync::Arc;

use super::burns::BurnSeen;
use crate::config::Config;
use crate::config::source_lists::compose::ListChange;
use crate::domain::check::{Check, Verdict};
use crate::domain::location::{Ask, Frame, Presence, Receipt};
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::notification::{Letter, Notice};
use crate::domain::order::GivenOrder;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::Order;
use crate::policy::verdict::own_network::BlindTime;
use crate::store::error::StoreError;
use crate::store::transaction::Batch;
use crate::store::writer::Store;

/// One thing for the recorder: every change of state passes this one door, in one order.
pub enum Entry {
    /// A check ended.
    Checked {
        /// The monitor's number.
        monitor: MonitorId,
        /// What it found.
        check: Box<Check>,
    },
    /// What a probe of another location sent.
    Frame {
        /// What the probe sent.
        frame: Box<Frame>,
        /// Told once it is committed.
        reply: Reply<Receipt>,
    },
    /// A probe's sign of life.
    Presence(Box<Presence>),
    /// Slots that passed without a check.
    Missed {
        /// The monitor's number.
        monitor: MonitorId,
        /// The first of them.
        from: Timestamp,
        /// How many.
        count: u32,
    },
    /// We are known to be offline since then: alerts are held while it is so.
    WentBlind(Timestamp),
    /// We are online again, which is told.
    SeesAgain(Box<BlindTime>),
    /// A person wants something of one or many monitors: all of them or none.
    Order {
        /// The numbers of the monitors.
        monitors: Vec<MonitorId>,
        /// What was ordered.
        order: Order,
        /// As it was given, to be kept where any of them follow it; `None` if nobody gave it.
        given: Option<Box<GivenOrder>>,
        /// Told when it is committed.
        reply: Reply<Vec<Refused>>,
    },
    /// A valid configuration takes the place of the one in force.
    Reconfigure {
        /// The new one.
        config: Arc<Config>,
        /// Who ordered it, if somebody did through the control socket.
        given: Option<Box<GivenOrder>>,
        /// Told what changed once it is committed.
        reply: Reply<Enrolled>,
    },
    /// A list changed: a configuration that differs from the one in force in these monitors only.
    Relist {
        /// The new one, and what differs.
        relist: Box<Relist>,
        /// Told the numbers of the added and changed monitors once it is committed.
        reply: Reply<Enrolled>,
    },
    /// News about many or about us: blind periods, troubles, reports. To the default recipients
    /// unless others are named.
    Say {
        /// The facts of the message.
        notice: Box<Notice>,
        /// To whom; none: `[email].to`.
        to: Option<Vec<Recipient>>,
    },
    /// A moment of the report's schedule has come.
    Report,
    /// What the windows of all objectives say that are to be told.
    Burns(Vec<BurnSeen>),
    /// A write of another part (what became of a mail), within the recorder's next transaction. It is
    /// called again where that transaction failed and is repeated.
    Write(WriteWork),
    /// A write that somebody waits for: told once it is committed, or that the database takes no writes.
    WriteAndTell(WriteWork, Reply<()>),
    /// Upkeep of the whole store (settling, retention, a backup), between two transactions. Called
    /// until it says that it is done; other entries are served in between.
    Upkeep(UpkeepWork),
    /// Commit what is there and end.
    Stop,
}

impl Entry {
    /// Whether it is more than one good check among others, and should not wait for them.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Checked { check, .. } => match check.verdict {
                Verdict::Up | Verdict::Degraded(_) => false,
                Verdict::Down(_) | Verdict::Unknown(_) => true,
            },
            // Past the limit every check brings one: they gather as checks do.
            Self::Missed { .. } | Self::Presence(_) => false,
            Self::Frame { .. }
            | Self::WentBlind(_)
            | Self::SeesAgain(_)
            | Self::Order { .. }
            | Self::Reconfigure { .. }
            | Self::Relist { .. }
            | Self::Say { .. }
            | Self::Report
            | Self::Burns(_)
            | Self::Write(_)
            | Self::WriteAndTell(..)
            | Self::Upkeep(_)
            | Self::Stop => true,
        }
    }
}

/// A configuration with another list in it.
#[derive(Debug)]
pub struct Relist {
    /// The whole configuration.
    pub config: Arc<Config>,
    /// What differs from the one in force.
    pub change: ListChange,
}

/// A write of another part.
pub type WriteWork = Box<dyn FnMut(&mut Batch<'_>) -> Result<(), StoreError> + Send>;

/// A slice of an upkeep.
pub type UpkeepWork = Box<dyn FnMut(&mut Store) -> Upkeep + Send>;

/// Whether an upkeep has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// Call again after others had their turn.
    More,
    /// Finished.
    Done,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checked { monitor, check } => {
                write!(f, "Checked({}, {})", monitor.0, check.verdict.state())
            }
            Self::Frame { frame, .. } => write!(f, "Frame({}, {})", frame.sender, frame.seq),
            Self::Presence(presence) => write!(f, "Presence({})", presence.sender),
            Self::Missed { monitor, count, .. } => write!(f, "Missed({}, {count})", monitor.0),
            Self::WentBlind(from) => write!(f, "WentBlind({from:?})"),
            Self::SeesAgain(over) => write!(f, "SeesAgain({:?})", over.to),
            Self::Order { order, .. } => write!(f, "Order({order:?})"),
            Self::Reconfigure { .. } => f.write_str("Reconfigure"),
            Self::Relist { .. } => f.write_str("Relist"),
            Self::Say { notice, .. } => write!(f, "Say({})", notice.news.kind().as_str()),
            Self::Report => f.write_str("Report"),
            Self::Burns(looks) => write!(f, "Burns({})", looks.len()),
            Self::Write(_) => f.write_str("Write"),
            Self::WriteAndTell(..) => f.write_str("WriteAndTell"),
            Self::Upkeep(_) => f.write_str("Upkeep"),
            Self::Stop => f.write_str("Stop"),
        }
    }
}

/// Who waits for an answer, if anybody does. Called once, from the recorder's thread: it must not block.
pub struct Reply<T>(Option<ReplyWith<T>>);

type ReplyWith<T> = Box<dyn FnOnce(Result<T, NotRecorded>) + Send>;

impl<T> Reply<T> {
    /// Nobody waits.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Calls this.
    pub fn with(tell: impl FnOnce(Result<T, NotRecorded>) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    /// Answers.
    pub fn tell(self, answer: Result<T, NotRecorded>) {
        if let Some(tell) = self.0 {
            tell(answer);
        }
    }
}

/// The database took no writes, so what was wanted did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database takes no writes: {0}")]
pub struct NotRecorded(pub String);

/// One monitor that did not follow an order that the others followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whose name.
    pub name: MonitorName,
    /// The reason, a sentence.
    pub why: String,
}

/// The monitors of a configuration with their numbers in the database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enrolled {
    /// In the order of the configuration, disabled ones included.
    pub ids: Vec<(MonitorName, MonitorId)>,
    /// Those among them that are paused by order.
    pub paused: Vec<MonitorId>,
    /// Windows that a command holds open, each with its monitors.
    pub held: Vec<(u64, MonitorId)>,
    /// Monitors that took over the history of another name, the former one first.
    pub renamed: Vec<(MonitorName, MonitorName)>,
}

/// What the recorder wants of the scheduler and the notifier.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// For the notifier: what leaves past the outbox.
    pub letters: Vec<Letter>,
    /// For the scheduler, in order.
    pub turns: Vec<Turn>,
    /// For other locations.
    pub asks: Vec<Ask>,
    /// Whether mails were queued, dropped or written about: the notifier looks again.
    pub mails: bool,
    /// Whether everything taken in so far is committed.
    pub committed: bool,
}

/// One wish about the checks of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A confirming check, beside the grid.
    CheckAt {
        /// The monitor's number.
        monitor: MonitorId,
        /// Not before.
        at: Timestamp,
    },
    /// A child began to fail: check this parent now, unless a check of it began since.
    CheckNow {
        /// The parent.
        monitor: MonitorId,
        /// When the child's failed check began.
        unless_since: Timestamp,
    },
    /// Pause or resume, as ordered.
    SetPaused {
        /// The monitor's number.
        monitor: MonitorId,
        /// Pause, or resume.
        paused: bool,
    },
}
