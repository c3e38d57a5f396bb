//! Mails that do not wait for the database, since they are about it: sent at once, noted in the outbox when it takes
//! writes again. What could not leave until then is queued there like any other.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::channels::{Channels, send_now};
use crate::clock;
use crate::config::Config;
use crate::daemon::health::counters::Health;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::logging::targets::{MAIL_FAILED, MAIL_SENT};
use crate::daemon::recorder::message::Entry;
use crate::daemon::recorder::queue::Door;
use crate::domain::notification::{Letter, MailKind, Parcel};
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::{Mail, Mailer};
use crate::policy::outbox::message_id;
use crate::policy::outbox::retry::Outcome;
use crate::store::outbox::attempts;
use crate::view::channel::{Message, request};
use crate::view::mail::context::Context;
use crate::view::mail::render::render;

/// The first repetition after a mail server put it off; each next after twice the time ..
const AGAIN_AFTER: Duration = Duration::from_secs(15);
/// .. and at most this.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

/// One an hour and recipient is made; a mail server that is away for days must not pile them up.
const KEPT_MAX: usize = 100;

/// One mail to one recipient.
#[derive(Debug)]
struct Item {
    letter: Arc<Letter>,
    to: Recipient,
    tries: u32,
    next_at: Timestamp,
}

/// What is on its way past the outbox.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Urgent {
    items: Vec<Item>,
    deliveries: JoinSet<(Item, Outcome)>,
}

/// What a delivery needs.
pub(in crate::daemon) struct Way<'a> {
    pub(in crate::daemon) config: &'a Config,
    pub(in crate::daemon) mailer: Option<&'a Arc<Mailer>>,
    pub(super) channels: &'a Channels,
    pub(in crate::daemon) host: &'a str,
    pub(in crate::daemon) door: &'a Door,
    pub(in crate::daemon) health: &'a Health,
    pub(in crate::daemon) gate: &'a Gate,
}

impl Urgent {
    pub(in crate::daemon) fn push(&mut self, letter: Letter, now: Timestamp) {
        let letter = Arc::new(letter);
        for to in &letter.to {
            if self.items.len() < KEPT_MAX {
                self.items.push(Item {
                    letter: Arc::clone(&letter),
                    to: to.clone(),
                    tries: 0,
                    next_at: now,
                });
            }
        }
    }

    /// Puts on its way what is due; hands to the outbox what was tried, or waits for the hours of its recipient, and
    /// can be queued there by now.
    pub(in crate::daemon) fn step(&mut self, way: &Way<'_>, now: Timestamp) {
        let takes_writes = !way.health.write_failing.load(Relaxed);
        let mut waiting = Vec::new();
        for item in std::mem::take(&mut self.items) {
            let closed_until = way.config.hours.closed_until(item.to.key(), now);
            if (item.tries > 0 || closed_until.is_some()) && takes_writes {
                queue(way.door, &item);
            } else if item.next_at <= now && closed_until.is_none() {
                self.deliver(item, way, now);
            } else {
                waiting.push(item);
            }
        }
        self.items.append(&mut waiting);
    }

    /// At the end: lets what is on its way end, at most until then; the rest is queued for the next start.
    pub(in crate::daemon) async fn finish(
        &mut self,
        way: &Way<'_>,
        until: Instant,
        now: Timestamp,
    ) {
        while let Ok(Some(ended)) = timeout_at(until, self.deliveries.join_next()).await {
            if let Ok((item, outcome)) = ended {
                self.delivered(UrgentItem(item), outcome, way, now);
            }
        }
        for item in self.items.drain(..) {
            queue(way.door, &item);
        }
    }

    fn deliver(&mut self, item: Item, way: &Way<'_>, now: Timestamp) {
        let parcel = Parcel {
            kind: MailKind::Trouble,
            notices: vec![item.letter.notice.clone()],
        };
        let context = Context {
            page_url: way.config.page_url(),
            ..Context::bare(now, way.config.daemon.timezone.clone(), way.host)
        };
        let to = match item.to.clone() {
            Recipient::Mail(address) => address,
            Recipient::Channel(name) => {
                let Some((channel, sender)) = way.channels.way(&name) else {
                    queue(way.door, &item);
                    return;
                };
                let id = message_id::of_channel(&item.letter.message_id, name.as_str());
                let message = Message::new(&parcel, &context, &id);
                let request = request(&channel, &message);
                let gate = way.gate.clone();
                self.deliveries.spawn(async move {
                    if let Err(why) = gate.pass().await {
                        return (item, why.outcome());
                    }
                    let outcome = send_now(&channel, &sender, &request, clock::now).await;
                    (item, outcome)
                });
                return;
            }
        };
        let Some(mailer) = way.mailer.cloned() else {
            queue(way.door, &item);
            return;
        };
        let everybody = item.letter.to.iter().filter_map(Recipient::address);
        let mail = Mail {
            message_id: item.letter.message_id.clone(),
            thread_roots: Vec::new(),
            everybody: everybody.cloned().collect(),
            queued_at: item.letter.notice.decided_at,
            date: now,
            rendered: render(&parcel, &context),
        };
        let gate = way.gate.clone();
        self.deliveries.spawn(async move {
            let passed = async { gate.pass().await.map_err(|why| why.to_string()) };
            let outcome = mailer.send(&mail, &to, passed).await;
            (item, outcome)
        });
    }

    /// The next delivery that ended; never ready while none is under way.
    pub(in crate::daemon) async fn next(&mut self) -> Option<(UrgentItem, Outcome)> {
        loop {
            match self.deliveries.join_next().await {
                None => return std::future::pending().await,
                Some(Ok((item, outcome))) => return Some((UrgentItem(item), outcome)),
                // A fault of ours; the others go on.
                Some(Err(_)) => {}
            }
        }
    }

    /// Takes note of what a delivery came to.
    pub(super) fn delivered(
        &mut self,
        UrgentItem(mut item): UrgentItem,
        outcome: Outcome,
        way: &Way<'_>,
        now: Timestamp,
    ) {
        let to = item.to.key();
        let what = match &item.to {
            Recipient::Mail(_) => "mail",
            Recipient::Channel(_) => "message",
        };
        match outcome {
            Outcome::Accepted(answer) => {
                way.health.mails_sent.fetch_add(1, Relaxed);
                tracing::info!(target: MAIL_SENT, to,
                    "{what} trouble sent past the queue: {answer}");
                note(way.door, &item, None, now);
            }
            // It may have arrived, and it is told again within the hour where it lasts.
            Outcome::Unknown(error) => {
                tracing::warn!(target: MAIL_FAILED, to,
                    "{what} trouble may have arrived: {error}");
                note(way.door, &item, None, now);
            }
            Outcome::Permanent(error) => {
                tracing::error!(target: MAIL_FAILED, to,
                    "{what} trouble dropped: {error}");
                note(way.door, &item, Some(error), now);
            }
            Outcome::Temporary { error, .. }
            | Outcome::Later { error, .. }
            | Outcome::Rest(error)
            | Outcome::Pause(error) => {
                let doublings = item.tries.min(10);
                let wait = (AGAIN_AFTER * 2_u32.pow(doublings)).min(AGAIN_AFTER_MAX);
                item.tries += 1;
                item.next_at = now.plus(wait);
                tracing::warn!(target: MAIL_FAILED, to,
                    "{what} trouble has to wait: {error}");
                self.items.push(item);
            }
        }
    }
}

/// A delivery that ended.
#[derive(Debug)]
pub(in crate::daemon) struct UrgentItem(Item);

/// Hands a mail to the outbox, where it waits like any other.
fn queue(door: &Door, item: &Item) {
    let letter = Letter {
        to: vec![item.to.clone()],
        ..(*item.letter).clone()
    };
    door.push(Entry::Write(Box::new(move |batch| {
        batch.enqueue(&letter, letter.notice.decided_at)
    })));
}

/// Has it written down what became of a mail; that is done once the database takes writes.
fn note(door: &Door, item: &Item, error: Option<String>, now: Timestamp) {
    let letter = Letter {
        to: vec![item.to.clone()],
        ..(*item.letter).clone()
    };
    door.push(Entry::Write(Box::new(move |batch| {
        batch.enqueue(&letter, letter.notice.decided_at)?;
        Ok(attempts::note_past_queue(
            batch.outbox(),
            &letter,
            error.as_deref(),
            now,
        )?)
    })));
}
