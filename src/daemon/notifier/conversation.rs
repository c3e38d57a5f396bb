//! One conversation with the mail server: several mails over one connection, each told as soon as its outcome is known.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::compose::{Letter, Topic, Writer};
use crate::blocking;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::health::counters::Health;
use crate::daemon::health::live_status::Board;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::recorder::message::{Entry, Reply, WriteWork};
use crate::daemon::recorder::queue::Door;
use crate::domain::notification::MailKind;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::Mailer;
use crate::mail::smtp::Line;
use crate::policy::outbox::queued::{Holds, RowId, Waiting};
use crate::policy::outbox::retry::Outcome;
use crate::store::error::StoreError;
use crate::store::outbox::attempts;
use crate::store::reader::Reader;

/// What letters are written with, on a thread of their own, since they read the database.
pub(in crate::daemon) struct Office {
    pub(in crate::daemon) clock: Clock,
    pub(in crate::daemon) board: Board,
    pub(in crate::daemon) host: String,
    pub(in crate::daemon) started_at: Timestamp,
    pub(in crate::daemon) health: Arc<Health>,
    /// What every message passes.
    pub(in crate::daemon) gate: Gate,
    /// The reader, and how often the database had been rewritten when the reader opened it.
    pub(in crate::daemon) reader: Mutex<Option<(Reader, u64)>>,
}

impl Office {
    pub(in crate::daemon) fn read<T>(
        &self,
        config: &Config,
        query: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let moves = self.health.database_moves();
        let open = match reader.take() {
            Some((open, opened)) if opened == moves => open,
            Some(_) | None => Reader::open(&self.health.database_at(&config.daemon.database))?,
        };
        let (open, _) = reader.insert((open, moves));
        let result = query(open);
        if result.is_err() {
            // The next query opens the database again: the file may have been replaced.
            *reader = None;
        }
        result
    }
}

/// How one mail fared.
pub(in crate::daemon) struct Delivery {
    pub(in crate::daemon) to: Recipient,
    pub(in crate::daemon) row: Waiting,
    pub(in crate::daemon) topic: Option<Topic>,
    pub(super) came_to: CameTo,
}

pub(in crate::daemon) enum CameTo {
    Outcome(Outcome),
    Void,
    Gone,
}

/// Mails to different recipients, and what they need.
pub(in crate::daemon) struct Conversation {
    pub(super) office: Arc<Office>,
    pub(in crate::daemon) config: Arc<Config>,
    pub(in crate::daemon) mailer: Arc<Mailer>,
    pub(in crate::daemon) door: Door,
    /// The newest trouble with the mail server, for those that are late.
    pub(in crate::daemon) trouble: Option<(Timestamp, String)>,
    pub(in crate::daemon) mails: Vec<(Recipient, Waiting)>,
    pub(in crate::daemon) line: Line,
    pub(super) deliveries: mpsc::UnboundedSender<Delivery>,
    /// Whether the daemon ends: then no further mail is begun.
    pub(in crate::daemon) stopping: Arc<AtomicBool>,
}

impl Conversation {
    /// Sends the mails in order. Answers the connection, which the next conversation may go on with.
    pub(in crate::daemon) async fn hold(mut self) -> Line {
        let mut mails = std::mem::take(&mut self.mails).into_iter();
        while let Some((to, row)) = mails.next() {
            if self.stopping.load(Relaxed) {
                break;
            }
            let (topic, came_to) = self.deliver(&to, row.id).await;
            let shared = match &came_to {
                CameTo::Outcome(
                    outcome @ Outcome::Temporary {
                        holds: Holds::Transport,
                        ..
                    },
                ) => Some(outcome.clone()),
                _ => None,
            };
            let is_over = matches!(came_to, CameTo::Outcome(Outcome::Pause(_)));
            self.tell(to, row, topic, came_to);
            // The others met the same: the connection was to be theirs, too.
            if let Some(outcome) = shared {
                for (to, row) in mails.by_ref() {
                    self.tell(to, row, None, CameTo::Outcome(outcome.clone()));
                }
            }
            if is_over {
                break;
            }
        }
        self.line
    }

    fn tell(&self, to: Recipient, row: Waiting, topic: Option<Topic>, came_to: CameTo) {
        let _ = self.deliveries.send(Delivery {
            to,
            row,
            topic,
            came_to,
        });
    }

    async fn deliver(&mut self, to: &Recipient, row: RowId) -> (Option<Topic>, CameTo) {
        // It waited for those before it, and the hours of its recipient are over by now.
        let now = self.office.clock.now();
        if self.config.hours.closed_until(to.key(), now).is_some() {
            return (None, CameTo::Gone);
        }
        let (outgoing, mail) = match self.write(row).await {
            Ok(Letter::Ready(outgoing, mail)) => (outgoing, mail),
            Ok(Letter::Void) => return (None, CameTo::Void),
            Ok(Letter::Gone) => return (None, CameTo::Gone),
            // It is tried again like one that the server put off, not in a tight loop.
            Err(why) => return (None, not_written(&why)),
        };
        // A digest is about many, and about none of them more than about the others.
        let alone = outgoing.parcel.kind != MailKind::Digest;
        let about = outgoing.parcel.notices.first();
        let monitor = about
            .and_then(|notice| notice.about.as_ref())
            .filter(|_| alone)
            .map(|about| about.name.as_str().to_owned());
        let topic = Some(Topic {
            monitor,
            subject: mail.rendered.subject.clone(),
        });
        let noted = noted(&self.door, row, &self.office);
        let Some(to) = to.address() else {
            return (topic, CameTo::Gone);
        };
        let outcome = self
            .mailer
            .send_over(&mut self.line, &mail, to, noted)
            .await;
        (topic, CameTo::Outcome(outcome))
    }

    /// Writes the letter on a thread that may wait, since it reads the database.
    async fn write(&self, row: RowId) -> Result<Letter, String> {
        let (office, config) = (Arc::clone(&self.office), Arc::clone(&self.config));
        let trouble = self.trouble.clone();
        let written = blocking::run(move || {
            office.read(&config, |reader| {
                let writer = Writer {
                    reader,
                    board: &office.board,
                    config: &config,
                    host: &office.host,
                    started_at: office.started_at,
                    trouble: trouble.as_ref().map(|(at, why)| (*at, why.as_str())),
                    now: office.clock.now(),
                };
                writer.write(row)
            })
        });
        match written.await {
            Ok(Ok(letter)) => Ok(letter),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("a fault of sitewatch".to_owned()),
        }
    }
}

fn not_written(why: &str) -> CameTo {
    CameTo::Outcome(Outcome::Temporary {
        holds: Holds::Mail,
        error: format!("the mail could not be written: {why}"),
    })
}

/// Writes down that the message of a row goes now, and waits until that is safe and another hub would know of it.
pub(super) async fn noted(door: &Door, row: RowId, office: &Office) -> Result<(), String> {
    let now = office.clock.now();
    let begin: WriteWork = Box::new(move |batch| Ok(attempts::begin(batch.outbox(), row, now)?));
    written(door, begin).await?;
    office.gate.pass().await.map_err(|why| why.to_string())
}

/// Has something written, and waits until that is safe.
pub(super) async fn written(door: &Door, work: WriteWork) -> Result<(), String> {
    let (tell, told) = oneshot::channel();
    door.push(Entry::WriteAndTell(
        work,
        Reply::with(move |written| {
            let _ = tell.send(written);
        }),
    ));
    match told.await {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(_) => Err("the recorder has stopped".to_owned()),
    }
}
