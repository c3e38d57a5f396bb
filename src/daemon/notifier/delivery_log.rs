//! What the log says of deliveries.

use std::sync::atomic::Ordering::Relaxed;

use super::compose::Topic;
use crate::daemon::health::counters::Health;
use crate::daemon::logging::targets::{MAIL_FAILED, MAIL_SENT};
use crate::domain::recipient::Recipient;
use crate::policy::outbox::queued::Waiting;
use crate::policy::outbox::retry::{Outcome, Settled};

/// Logs what became of a message.
pub(super) fn log(
    health: &Health,
    row: &Waiting,
    to: &Recipient,
    topic: Option<&Topic>,
    (outcome, settled): (&Outcome, &Settled),
) {
    if to.channel().is_some() {
        return log_channel(health, row, to.key(), topic, (outcome, settled));
    }
    let to = to.key();
    let kind = row.kind.as_str();
    let monitor = topic.and_then(|topic| topic.monitor.as_deref());
    let subject = topic.map(|topic| topic.subject.as_str());
    match (settled, outcome) {
        (Settled::Sent, Outcome::Accepted(answer)) => {
            health.mails_sent.fetch_add(1, Relaxed);
            tracing::info!(target: MAIL_SENT, monitor, to, subject, "mail {kind} sent: {answer}");
        }
        (Settled::Sent, _) => {}
        (Settled::Failed { error }, _) => {
            tracing::error!(target: MAIL_FAILED, monitor, to,
                "mail {kind} given up: {error}; `sitewatch email retry` tries it again");
        }
        (Settled::Later { error, .. }, Outcome::Pause(_)) => {
            tracing::error!(target: MAIL_FAILED, monitor, to,
                "MAIL IS STUCK until this is fixed: {error}; tried again in 15 minutes, \
                 at a reload and by `sitewatch email retry`");
        }
        (Settled::Later { error, .. }, Outcome::Rest(_)) => {
            tracing::error!(target: MAIL_FAILED, monitor, to,
                "mail to {to} is paused until this is fixed: {error}; tried again in 15 minutes \
                 and by `sitewatch email retry`");
        }
        (Settled::Later { at, error, .. }, _) => {
            let next_attempt_at = at.to_string();
            tracing::warn!(target: MAIL_FAILED, monitor, to, next_attempt_at,
                "mail {kind} has to wait: {error}");
        }
    }
}

fn log_channel(
    health: &Health,
    row: &Waiting,
    to: &str,
    topic: Option<&Topic>,
    (outcome, settled): (&Outcome, &Settled),
) {
    let kind = row.kind.as_str();
    let monitor = topic.and_then(|topic| topic.monitor.as_deref());
    let subject = topic.map(|topic| topic.subject.as_str());
    match (settled, outcome) {
        (Settled::Sent, _) => {
            health.mails_sent.fetch_add(1, Relaxed);
            tracing::info!(target: MAIL_SENT, monitor, to, subject, "message {kind} sent by the channel {to}");
        }
        (Settled::Failed { error }, _) => {
            tracing::error!(target: MAIL_FAILED, monitor, to,
                "message {kind} to the channel {to} given up: {error}; `sitewatch email retry` tries it again");
        }
        (Settled::Later { error, .. }, Outcome::Pause(_)) => {
            tracing::error!(target: MAIL_FAILED, monitor, to,
                "THE CHANNEL {to} IS STUCK until this is fixed: {error}; tried again in 15 minutes, \
                 at a reload and by `sitewatch email retry`");
        }
        (Settled::Later { at, error, .. }, _) => {
            let next_attempt_at = at.to_string();
            tracing::warn!(target: MAIL_FAILED, monitor, to, next_attempt_at,
                "message {kind} to the channel {to} has to wait: {error}");
        }
    }
}
