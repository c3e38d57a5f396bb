//! A row of the outbox as the plan sees it.

use super::collecting::{CauseKey, Collecting};
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::MailKind;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::state::Hold;

/// The number of a row: rows of one decision come in the order in which they were decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// One mail to one recipient that has not left yet, and that no other mail carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its number.
    pub id: RowId,
    /// What kind of mail. A digest and a merged mail are rows of their own, which carry others.
    pub kind: MailKind,
    /// Whose news.
    pub monitor: Option<MonitorId>,
    /// The outage it belongs to.
    pub incident: Option<IncidentKey>,
    /// Of a DOWN, a reminder or an escalation: the cause of the outage.
    pub cause: Option<CauseKey>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often it was tried.
    pub tries: Tries,
    /// Why it was held back after it was queued, if it was.
    pub held: Option<Held>,
    /// Of a digest: the monitors whose trouble it tells.
    pub tells: Vec<MonitorId>,
    /// Of a digest: all monitors that it tells of.
    pub members: Vec<MonitorId>,
    /// Of a reminder or an escalation: whether its recipient was told of the outage before, or may have been.
    pub follows: bool,
}

/// A window or a mute began while a mail waited, or its recipient has other opening hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Why it was held.
    pub why: Hold,
    /// When that ended; none while it lasts.
    pub released_at: Option<Timestamp>,
}

/// What came of the tries so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// Never tried.
    None,
    /// Tried, and not accepted as far as is known.
    Failed {
        /// How often; at least 1.
        count: u32,
        /// How many of them ended after the end of DATA without an answer: it may have arrived.
        unknown: u32,
        /// When first: what is given up is given up some days after it.
        first_at: Timestamp,
        /// When last.
        last_at: Timestamp,
        /// When the next is due.
        next_at: Timestamp,
        /// What waits with it.
        holds: Holds,
    },
}

/// How far a temporary refusal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The server or the recipient said later: everything to this recipient waits.
    Recipient,
    /// The server refused us when it was told of the recipient: everything to this recipient rests until somebody
    /// mends that.
    Refused,
    /// The service said until when: everything to this recipient rests until then.
    Asked,
    /// This message was put off: only it, and what comes after it about the same monitor, waits.
    Mail,
    /// No mail can leave at all: nothing waits for the time of this row, everything for the transport.
    Transport,
}

impl Holds {
    /// The word of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Refused => "refused",
            Self::Asked => "asked",
            Self::Mail => "mail",
            Self::Transport => "transport",
        }
    }

    /// The variant of a word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "recipient" => Some(Self::Recipient),
            "refused" => Some(Self::Refused),
            "asked" => Some(Self::Asked),
            "mail" => Some(Self::Mail),
            "transport" => Some(Self::Transport),
            _ => None,
        }
    }
}

impl Waiting {
    /// Whether an attempt of it may have arrived: such a mail is repeated as it is, never merged.
    pub const fn may_have_arrived(&self) -> bool {
        matches!(self.tries, Tries::Failed { unknown: 1.., .. })
    }

    /// Whether it is the first that its recipient would hear of an outage that is to be merged with the end of it.
    pub fn begins(&self) -> bool {
        let goes_on = matches!(self.kind, MailKind::StillDown | MailKind::Escalated);
        let is_first = self.kind == MailKind::Down || goes_on && !self.follows;
        is_first && !self.may_have_arrived()
    }

    /// Since when nothing but the way out keeps it.
    pub const fn waits_since(&self) -> Timestamp {
        match self.held {
            Some(Held {
                released_at: Some(at),
                ..
            }) => at,
            Some(Held {
                released_at: None, ..
            })
            | None => self.queued_at,
        }
    }

    /// Whether it is marked as held.
    pub const fn is_held(&self) -> bool {
        self.held_by().is_some()
    }

    /// Why it is held by its mark, if it is.
    pub const fn held_by(&self) -> Option<Hold> {
        match self.held {
            Some(Held {
                why,
                released_at: None,
            }) => Some(why),
            Some(Held {
                released_at: Some(_),
                ..
            })
            | None => None,
        }
    }

    /// Whether the opening hours of its recipient held it last: everything that they held leaves as one message.
    pub const fn waited_for_hours(&self) -> bool {
        matches!(
            self.held,
            Some(Held {
                why: Hold::Hours,
                ..
            })
        )
    }

    /// Until when it rests because the server refused us for this recipient, or said when to come again.
    pub const fn rests_until(&self) -> Option<Timestamp> {
        match self.tries {
            Tries::Failed {
                holds: Holds::Refused | Holds::Asked,
                next_at,
                ..
            } => Some(next_at),
            Tries::None | Tries::Failed { .. } => None,
        }
    }

    /// Whether the server put off it, or its recipient, when it was tried last.
    pub const fn was_put_off(&self) -> bool {
        match self.tries {
            Tries::Failed { holds, .. } => !matches!(holds, Holds::Transport),
            Tries::None => false,
        }
    }

    /// How often it was tried.
    pub const fn attempts(&self) -> u32 {
        match self.tries {
            Tries::None => 0,
            Tries::Failed { count, .. } => count,
        }
    }

    /// How many tries have no known outcome.
    pub const fn unknown(&self) -> u32 {
        match self.tries {
            Tries::None => 0,
            Tries::Failed { unknown, .. } => unknown,
        }
    }
}

/// Everything that waits for one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// The recipient.
    pub to: Recipient,
    /// Its rows, in the order of their numbers.
    pub waiting: Vec<Waiting>,
    /// What collects after the newest digest to it. An interval that is over stays here until the next one.
    pub collecting: Option<Collecting>,
}
