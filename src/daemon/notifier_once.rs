//! `email retry` without a daemon: this process takes the database and sends what waits, once.

use super::board::Board;
use super::notifier_desk::{Desk, Task};
use super::notifier_letter::{Letter, Writer};
use super::recorder_entry::WriteWork;
use crate::clock;
use crate::config::Config;
use crate::mail::mailer::Mailer;
use crate::policy::outbox::delivery::{Outcome, Settled};
use crate::store::error::StoreError;
use crate::store::outbox;
use crate::store::reader::Reader;
use crate::store::writer::Store;

/// More turns than rows can need: against a fault of ours that would send for ever.
const TURNS_MAX: usize = 100_000;

/// What became of the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emptied {
    /// A line for each attempt.
    pub lines: Vec<String>,
    /// How many left.
    pub sent: usize,
    /// How many are still there.
    pub left: usize,
}

/// Sends everything that waits or was given up, one mail after the other, each once.
///
/// # Errors
/// What the database says.
pub async fn empty(
    store: &mut Store,
    config: &Config,
    mailer: &Mailer,
    host: &str,
) -> Result<Emptied, StoreError> {
    let started_at = clock::now();
    let batch = store.batch()?;
    outbox::retry(batch.outbox(), started_at)?;
    batch.commit()?;
    let reader = Reader::open(store.path())?;
    let board = Board::default();
    let mut desk = Desk::default();
    let mut emptied = Emptied::default();
    // Nothing is waited for: there is no company to come.
    let mut settings = config.alerts.clone();
    settings.group_wait = std::time::Duration::ZERO;
    settings.group_interval = std::time::Duration::ZERO;
    for _ in 0..TURNS_MAX {
        let lanes = outbox::lanes(store.outbox())?;
        let now = clock::now();
        let (tasks, _) = desk.next(&settings, &lanes, now);
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            let row = match task {
                Task::Write(work) => {
                    write(store, work)?;
                    continue;
                }
                Task::Deliver(row) => row,
            };
            let Some(lane) = lanes.iter().find(|lane| lane.waiting.contains(&row)) else {
                continue;
            };
            let mailbox = lane.to.mailbox();
            if desk.paused().is_some() {
                desk.gone(mailbox);
                continue;
            }
            let letter = Writer {
                reader: &reader,
                board: &board,
                config,
                host,
                started_at,
                trouble: desk.trouble_since(row.queued_at),
                now,
            }
            .write(row.id)?;
            match letter {
                Letter::Gone => desk.gone(mailbox),
                Letter::Void => {
                    let work = desk.dropped(mailbox, &row, now);
                    write(store, work)?;
                }
                Letter::Ready(_, mail) => {
                    let outcome = mailer.send(&mail, &lane.to).await;
                    let (settled, work) = desk.delivered(mailbox, &row, &outcome, clock::now());
                    write(store, work)?;
                    emptied.sent += usize::from(settled == Settled::Sent);
                    let subject = &mail.rendered.subject;
                    emptied
                        .lines
                        .push(format!("{mailbox}: {subject}: {}", said(&outcome)));
                }
            }
        }
    }
    let health = outbox::health(store.outbox())?;
    emptied.left = usize::try_from(health.waiting + health.failed).unwrap_or(usize::MAX);
    Ok(emptied)
}

fn write(store: &mut Store, mut work: WriteWork) -> Result<(), StoreError> {
    let mut batch = store.batch()?;
    work(&mut batch)?;
    batch.commit()
}

/// What an attempt came to, for a person.
pub fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(answer) => format!("accepted: {answer}"),
        Outcome::Temporary { error, .. } => format!("not now: {error}"),
        Outcome::Permanent(error) => format!("refused: {error}"),
        Outcome::Pause(error) => format!("no mail can leave: {error}"),
        Outcome::Unknown(error) => format!("may have arrived: {error}"),
    }
}
