//! One mail and who writes it, whatever takes it away.

use crate::domain::address::Address;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::queued::Holds;
use crate::policy::outbox::retry::Outcome;
use crate::view::mail::rendered::Rendered;

/// A mail with the addresses and ids of its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// Without angle brackets; the same at every repeat.
    pub message_id: String,
    /// The Message-IDs that it refers to.
    pub thread_roots: Vec<String>,
    /// Everybody who gets a mail with this Message-ID.
    pub everybody: Vec<Address>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// The `Date` of the mail: when it leaves.
    pub date: Timestamp,
    /// Subject and bodies.
    pub rendered: Rendered,
}

/// Who writes.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The `From`, and the envelope's sender.
    pub from: Address,
    /// The `Reply-To`.
    pub reply_to: Option<Address>,
}

/// The attempt could not be written down, and an attempt that nobody knows of might be repeated for ever.
pub(super) fn not_noted(error: &str) -> Outcome {
    Outcome::Temporary {
        holds: Holds::Recipient,
        error: format!("not sent, since that could not be written down: {error}"),
    }
}
