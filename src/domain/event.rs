//! What happened, as scripts are told: changes of state, deliveries, orders, locations, times without watching.

use super::incident::{Cause, IncidentKey};
use super::location::{LocationName, Seen};
use super::order::GivenOrder;
use super::timestamp::Timestamp;

/// One event. Its cursor is larger than that of any event before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in the order of all events.
    pub cursor: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The name of the monitor; `None` if it is about several, or about none.
    pub monitor: Option<String>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The shown state of a monitor changed.
    State {
        /// From this.
        from: String,
        /// To this.
        to: String,
        /// The incident that is open since.
        incident: Option<IncidentKey>,
        /// Why it is not simply up.
        cause: Option<Cause>,
    },
    /// A message was queued, or its delivery ended.
    Delivery {
        /// Its number in the queue.
        id: i64,
        /// What it says.
        kind: String,
        /// The recipient.
        to: String,
        /// `queued`, `sent`, `failed` or `dropped`.
        outcome: String,
    },
    /// An order was followed.
    Order(GivenOrder),
    /// The word of a location counts again, or no longer.
    Location {
        /// Which.
        location: LocationName,
        /// Whether it counts.
        seen: Seen,
    },
    /// Nobody watched.
    Gap {
        /// Since then; the event is its end.
        from: Timestamp,
        /// `stopped` or `offline`.
        reason: String,
    },
}
