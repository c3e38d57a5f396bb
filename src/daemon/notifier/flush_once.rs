//! `email retry` without a daemon: this process takes the database and sends what waits, once.

use super::compose::{Letter, Writer};
use super::dispatcher::{Desk, Task};
use crate::clock;
use crate::config::Config;
use crate::daemon::health::live_status::Board;
use crate::daemon::recorder::message::WriteWork;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::Mailer;
use crate::mail::smtp::Line;
use crate::policy::alert::maintenance::Windows;
use crate::policy::alert::monitor::Hold;
use crate::policy::outbox::plan::Silenced;
use crate::policy::outbox::retry::{Outcome, Settled};
use crate::store::error::StoreError;
use crate::store::outbox::queries::Retried;
use crate::store::outbox::{attempts, queries};
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
    /// How many nobody needs any more: their outage is over, and their recipient knows.
    pub dropped: usize,
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
    // Before what was given up is revived: an attempt cut short counts as one.
    attempts::recover(batch.outbox(), started_at)?;
    let retried = queries::retry(batch.outbox(), started_at)?;
    batch.commit()?;
    let reader = Reader::open(store.path())?;
    let board = Board::default();
    let silenced = silenced(store, config, started_at)?;
    let mut desk = Desk::new(attempts::pause(store.outbox())?);
    desk.wake_up(started_at);
    let mut emptied = Emptied::default();
    let mut line = Line::default();
    // Nothing is waited for: there is no company to come.
    let mut settings = config.alerts.clone();
    settings.group_wait = std::time::Duration::ZERO;
    settings.group_interval = std::time::Duration::ZERO;
    for _ in 0..TURNS_MAX {
        let lanes = queries::lanes(store.outbox())?;
        let now = clock::now();
        let (tasks, _) = desk.next(&settings, &lanes, &silenced, now);
        if tasks.is_empty() {
            break;
        }
        let mut rows = Vec::new();
        for task in tasks {
            match task {
                Task::Write(work) => write(store, work)?,
                Task::Deliver(mails) => {
                    desk.conversation_ended([]);
                    rows.extend(mails);
                }
            }
        }
        for row in rows {
            let Some(lane) = lanes.iter().find(|lane| lane.waiting.contains(&row)) else {
                continue;
            };
            let mailbox = lane.to.mailbox();
            let now = clock::now();
            let is_kept = desk.pause().is_some_and(|pause| pause.rests(now))
                || desk.rest().is_some_and(|rest| rest.rests(now));
            if is_kept {
                desk.gone(mailbox);
                continue;
            }
            let letter = Writer {
                reader: &reader,
                board: &board,
                config,
                host,
                started_at,
                trouble: desk.trouble(),
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
                    let id = row.id;
                    let noted = async {
                        let begin: WriteWork = Box::new(move |batch| {
                            Ok(attempts::begin(batch.outbox(), id, clock::now())?)
                        });
                        write(store, begin).map_err(|error| error.to_string())
                    };
                    let outcome = mailer.send_over(&mut line, &mail, &lane.to, noted).await;
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
    mailer.close(&mut line).await;
    emptied.dropped = retried.dropped;
    let health = queries::health(store.outbox())?;
    emptied.left = usize::try_from(health.waiting + health.failed).unwrap_or(usize::MAX);
    Ok(emptied)
}

/// Whose mails a mute or a window holds back, by the database and the configuration.
fn silenced(store: &Store, config: &Config, now: Timestamp) -> Result<Silenced, StoreError> {
    let mutes = attempts::mutes(store.outbox())?;
    let mut silenced: Silenced = mutes
        .into_iter()
        .filter(|(_, until)| now < *until)
        .map(|(monitor, _)| (monitor, Hold::Mute))
        .collect();
    for (monitor, until) in attempts::ordered_windows(store.outbox())? {
        if now < until {
            silenced.insert(monitor, Hold::Maintenance);
        }
    }
    let windows = Windows::new(&config.maintenance, &config.daemon.timezone, now);
    let known = store.monitors()?;
    for monitor in &config.monitors {
        let stored = known.iter().find(|stored| stored.name == monitor.name);
        let covering = windows.covering(monitor);
        if let Some(stored) = stored
            && covering
                .iter()
                .any(|number| windows.open(*number).is_some())
        {
            silenced.insert(stored.id, Hold::Maintenance);
        }
    }
    Ok(silenced)
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
        Outcome::Rest(error) => format!("refused, until it is mended: {error}"),
        Outcome::Pause(error) => format!("no mail can leave: {error}"),
        Outcome::Unknown(error) => format!("may have arrived: {error}"),
    }
}

/// What `email retry` did, a line each.
pub(super) fn retry_lines(retried: &Retried) -> Vec<String> {
    let Retried {
        waiting,
        failed,
        dropped,
    } = *retried;
    let mut lines = Vec::new();
    if waiting + failed > 0 {
        lines.push(format!(
            "tried now: {waiting} waiting and {failed} failed mails"
        ));
    }
    match dropped {
        0 => {}
        1 => lines.push(
            "1 failed mail is dropped: its outage is over, and its recipient was told so".to_owned(),
        ),
        many => lines.push(format!(
            "{many} failed mails are dropped: their outages are over, and their recipients were told so"
        )),
    }
    if lines.is_empty() {
        lines.push("no mail waits and none has failed".to_owned());
    }
    lines
}
