//! A mailbox in memory, for tests in virtual time: keeps what was sent, and can refuse as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::address::Address;
use crate::policy::outbox::retry::Outcome;

use super::outgoing::Mail;

/// A shared mailbox; clones see the same mails.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    delivered: Vec<(Address, Mail)>,
    script: VecDeque<Outcome>,
    asked: u64,
}

impl Memory {
    /// Answers the next deliveries with these outcomes, in order; after them everything is accepted.
    /// An unknown outcome delivers the mail all the same.
    pub fn script(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.inner().script.extend(outcomes);
    }

    /// What was delivered so far, to whom.
    pub fn delivered(&self) -> Vec<(Address, Mail)> {
        self.inner().delivered.clone()
    }

    /// How many deliveries were tried so far.
    pub fn asked(&self) -> u64 {
        self.inner().asked
    }

    /// Takes a mail in, or refuses it as the script says.
    pub fn take(&self, mail: &Mail, to: &Address) -> Outcome {
        let mut inner = self.inner();
        inner.asked += 1;
        let outcome = inner
            .script
            .pop_front()
            .unwrap_or_else(|| Outcome::Accepted("250 taken".to_owned()));
        if matches!(outcome, Outcome::Accepted(_) | Outcome::Unknown(_)) {
            inner.delivered.push((to.clone(), mail.clone()));
        }
        outcome
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
