//! Sends what the outbox holds: looks when it is woken or something is due, sends, has the outcome written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::blocking;
use super::board::Board;
use super::events::{MAIL_FAILED, MAIL_SENT};
use super::health::{Health, Part};
use super::notifier_desk::{Desk, Task};
use super::notifier_letter::{Letter, Writer};
use super::notifier_trial::no_email;
use super::notifier_urgent::{Urgent, Way};
use super::recorder_entry::{Entry, Reply};
use super::recorder_queue::Door;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::control::Answer;
use crate::domain::address::Address;
use crate::domain::notice::{Letter as OutboxLetter, MailKind};
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::Mailer;
use crate::mail::smtp::SmtpSetupError;
use crate::policy::connectivity;
use crate::policy::outbox::delivery::{Outcome, Settled};
use crate::policy::outbox::pause::Pause;
use crate::policy::outbox::row::{Holds, Lane, RowId, Waiting};
use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::{outbox, outbox_attempt};

use std::sync::atomic::Ordering::Relaxed;

pub use super::notifier_trial::test_mail;

/// The watchdog wants a sign of life, and a due time is met within this.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// After the clock was set the recorder first brings due times and ages into the new time: a mail must not be given up
/// because the clock was set forward.
const CLOCK_SETTLES: Duration = Duration::from_secs(2);
/// A database that could not be read is tried again after this.
const READ_RETRY: Duration = Duration::from_secs(5);

/// Why the way out could not be set up.
pub type SetupError = SmtpSetupError;

/// What others tell the notifier.
#[derive(Clone)]
pub struct Handle(mpsc::UnboundedSender<Message>);

enum Message {
    Wake,
    Urgent(OutboxLetter),
    Reconfigure(Arc<Config>),
    Test(Vec<String>, oneshot::Sender<Answer>),
    Retry(oneshot::Sender<Answer>),
    Stop(Instant, oneshot::Sender<()>),
}

impl Handle {
    /// Something about mails was written: look again.
    pub fn wake(&self) {
        let _ = self.0.send(Message::Wake);
    }

    /// Sends a letter now, past the outbox.
    pub fn send_at_once(&self, letter: OutboxLetter) {
        let _ = self.0.send(Message::Urgent(letter));
    }

    /// Another configuration is in force; a pause ends.
    pub fn reconfigure(&self, config: Arc<Config>) {
        let _ = self.0.send(Message::Reconfigure(config));
    }

    /// Sends a test mail to these addresses (none: `[email].to`) and says what the server answered.
    pub async fn test(&self, to: Vec<String>) -> Answer {
        self.ask(|reply| Message::Test(to, reply)).await
    }

    /// Tries everything now, what was given up too.
    pub async fn retry(&self) -> Answer {
        self.ask(Message::Retry).await
    }

    /// Lets what is on its way end, at most until then.
    pub async fn stop(&self, until: Instant) {
        let (reply, stopped) = oneshot::channel();
        let _ = self.0.send(Message::Stop(until, reply));
        let _ = stopped.await;
    }

    async fn ask(&self, message: impl FnOnce(oneshot::Sender<Answer>) -> Message) -> Answer {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(message(reply));
        answer.await.unwrap_or_else(|_| Answer::Failed {
            lines: vec!["the notifier has stopped".to_owned()],
        })
    }
}

/// Starts the notifier on the current runtime.
///
/// # Errors
/// When the way out cannot be set up.
pub fn start(
    config: Arc<Config>,
    board: Board,
    door: Door,
    health: Arc<Health>,
) -> Result<(Handle, JoinHandle<()>), SetupError> {
    let mailer = mailer(&config)?;
    Ok(start_by(Clock::Wall, mailer, config, board, door, health))
}

/// Starts the notifier with this way out, in this time.
pub fn start_by(
    clock: Clock,
    mailer: Option<Arc<Mailer>>,
    config: Arc<Config>,
    board: Board,
    door: Door,
    health: Arc<Health>,
) -> (Handle, JoinHandle<()>) {
    let (sender, messages) = mpsc::unbounded_channel();
    let pause = pause_left(&config);
    let notifier = Notifier {
        office: Arc::new(Office {
            board,
            host: host(),
            health: Arc::clone(&health),
            clock,
            started_at: clock.now(),
            reader: Mutex::new(None),
        }),
        config,
        mailer,
        door,
        health,
        desk: Desk::new(pause),
        deliveries: JoinSet::new(),
        urgent: Urgent::default(),
    };
    (Handle(sender), tokio::spawn(notifier.run(messages)))
}

/// The name of this host, as mails call it.
pub fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let name = crate::domain::text::line(&name, 100);
    if name.is_empty() {
        "this host".to_owned()
    } else {
        name.into_owned()
    }
}

/// The pause of the way out that the last process left behind.
fn pause_left(config: &Config) -> Option<Pause> {
    let reader = Reader::open(&config.daemon.database).ok()?;
    outbox_attempt::pause(reader.outbox()).ok()?
}

fn mailer(config: &Config) -> Result<Option<Arc<Mailer>>, SetupError> {
    config
        .email
        .as_ref()
        .map(|email| Mailer::new(email).map(Arc::new))
        .transpose()
}

/// What letters are written with, on a thread of their own, since they read the database.
struct Office {
    clock: Clock,
    board: Board,
    host: String,
    started_at: Timestamp,
    health: Arc<Health>,
    /// With how often the database had been written anew when it was opened.
    reader: Mutex<Option<(Reader, u64)>>,
}

impl Office {
    fn read<T>(
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
            // Opened anew the next time: the file may have been replaced.
            *reader = None;
        }
        result
    }
}

struct Notifier {
    office: Arc<Office>,
    config: Arc<Config>,
    mailer: Option<Arc<Mailer>>,
    door: Door,
    health: Arc<Health>,
    desk: Desk,
    deliveries: JoinSet<Delivery>,
    urgent: Urgent,
}

/// How one mail fared.
struct Delivery {
    to: Address,
    row: Waiting,
    monitor: Option<String>,
    came_to: CameTo,
}

enum CameTo {
    Outcome(Outcome),
    Void,
    Gone,
}

fn not_written(why: &str) -> CameTo {
    CameTo::Outcome(Outcome::Temporary {
        holds: Holds::Mail,
        error: format!("the mail could not be written: {why}"),
    })
}

/// Writes down that the message of a row goes now, and waits until that is safe.
async fn noted(door: &Door, row: RowId, clock: Clock) -> Result<(), String> {
    let now = clock.now();
    let (tell, told) = oneshot::channel();
    door.push(Entry::WriteAndTell(
        Box::new(move |batch| Ok(outbox_attempt::begin(batch.outbox(), row, now)?)),
        Reply::with(move |written| {
            let _ = tell.send(written);
        }),
    ));
    match told.await {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(_) => Err("the recorder has stopped".to_owned()),
    }
}

impl Notifier {
    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut look = true;
        let mut wake_at: Option<Timestamp> = None;
        let mut seen = (self.office.clock.now(), clock::tick());
        loop {
            let now = self.office.clock.now();
            let tick = clock::tick();
            if connectivity::parted(seen.0, now, tick.duration_since(seen.1)).is_some() {
                look = false;
                wake_at = Some(now.plus(CLOCK_SETTLES));
            }
            seen = (now, tick);
            if look || wake_at.is_some_and(|at| at <= now) {
                wake_at = self.look().await;
                look = false;
            }
            self.urgent_step(now);
            self.health.beat(Part::Notifier);
            tokio::select! {
                message = messages.recv() => match message {
                    None => return,
                    Some(Message::Wake) => look = true,
                    Some(Message::Urgent(letter)) => self.urgent.push(letter, now),
                    Some(Message::Reconfigure(config)) => {
                        self.reconfigure(config);
                        look = true;
                    }
                    Some(Message::Test(to, reply)) => self.test(&to, reply),
                    Some(Message::Retry(reply)) => {
                        self.retry(reply);
                        look = true;
                    }
                    Some(Message::Stop(until, reply)) => {
                        self.finish(until).await;
                        let _ = reply.send(());
                        return;
                    }
                },
                Some(delivery) = self.deliveries.join_next(), if !self.deliveries.is_empty() => {
                    if let Ok(delivery) = delivery {
                        self.delivered(delivery);
                    }
                    look = true;
                }
                Some((item, outcome)) = self.urgent.next() => {
                    let now = self.office.clock.now();
                    if let Some((urgent, way)) = self.urgent_way() {
                        urgent.delivered(item, outcome, &way, now);
                    }
                }
                () = tokio::time::sleep(BEAT_EVERY) => {}
            }
        }
    }

    fn urgent_way(&mut self) -> Option<(&mut Urgent, Way<'_>)> {
        let way = Way {
            config: &self.config,
            mailer: self.mailer.as_ref()?,
            host: &self.office.host,
            door: &self.door,
            health: &self.health,
        };
        Some((&mut self.urgent, way))
    }

    fn urgent_step(&mut self, now: Timestamp) {
        if let Some((urgent, way)) = self.urgent_way() {
            urgent.step(&way, now);
        }
    }

    /// Looks at the outbox and does what is due. Answers when to look again at the latest.
    async fn look(&mut self) -> Option<Timestamp> {
        let (office, config) = (Arc::clone(&self.office), Arc::clone(&self.config));
        let read = blocking::run(move || {
            office.read(&config, |reader| {
                let lanes = outbox::lanes(reader.outbox())?;
                Ok((lanes, outbox::health(reader.outbox())?))
            })
        })
        .await;
        let now = self.office.clock.now();
        let (lanes, health) = match read {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::error!(%error, "the outbox cannot be read");
                return Some(now.plus(READ_RETRY));
            }
            Err(_) => return Some(now.plus(READ_RETRY)),
        };
        self.tell_health(&health, now);
        self.mailer.as_ref()?;
        let silenced = self.office.board.silenced();
        let (tasks, wake_at) = self.desk.next(&self.config.alerts, &lanes, &silenced, now);
        self.health.set_mail_pause(self.desk.pause());
        for task in tasks {
            match task {
                Task::Write(work) => self.door.push(Entry::Write(work)),
                Task::Deliver(row) => self.deliver(&lanes, row),
            }
        }
        wake_at
    }

    fn tell_health(&self, outbox: &outbox::Health, now: Timestamp) {
        self.health.mails_waiting.store(outbox.waiting, Relaxed);
        self.health
            .note_mail(outbox.oldest_queued_at, outbox.newest_failed_at, now);
    }

    fn deliver(&mut self, lanes: &[Lane], row: Waiting) {
        let lane = lanes
            .iter()
            .find(|lane| lane.waiting.iter().any(|waiting| waiting.id == row.id));
        let (Some(lane), Some(mailer)) = (lane, &self.mailer) else {
            return;
        };
        let (to, mailer) = (lane.to.clone(), Arc::clone(mailer));
        let (office, config) = (Arc::clone(&self.office), Arc::clone(&self.config));
        let trouble = self.desk.trouble().map(|(at, why)| (at, why.to_owned()));
        let door = self.door.clone();
        self.deliveries.spawn(async move {
            let id = row.id;
            let clock = office.clock;
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
                    writer.write(id)
                })
            })
            .await;
            let mut monitor = None;
            let came_to = match written {
                Ok(Ok(Letter::Ready(outgoing, mail))) => {
                    // A digest is about many, and about none of them more than about the others.
                    let alone = outgoing.parcel.kind != MailKind::Digest;
                    monitor = outgoing.parcel.notices[0]
                        .about
                        .as_ref()
                        .filter(|_| alone)
                        .map(|about| about.name.as_str().to_owned());
                    CameTo::Outcome(mailer.send(&mail, &to, noted(&door, id, clock)).await)
                }
                Ok(Ok(Letter::Void)) => CameTo::Void,
                Ok(Ok(Letter::Gone)) => CameTo::Gone,
                // It is tried again like one that the server put off, not in a tight loop.
                Ok(Err(error)) => not_written(&error.to_string()),
                Err(_) => not_written("a fault of sitewatch"),
            };
            Delivery {
                to,
                row,
                monitor,
                came_to,
            }
        });
    }

    fn delivered(&mut self, delivery: Delivery) {
        let now = self.office.clock.now();
        let Delivery {
            to,
            row,
            monitor,
            came_to,
        } = delivery;
        let mailbox = to.mailbox();
        match came_to {
            CameTo::Gone => self.desk.gone(mailbox),
            CameTo::Void => {
                let work = self.desk.dropped(mailbox, &row, now);
                self.door.push(Entry::Write(work));
            }
            CameTo::Outcome(outcome) => {
                let (settled, work) = self.desk.delivered(mailbox, &row, &outcome, now);
                self.log(&row, mailbox, monitor.as_deref(), &outcome, &settled);
                self.door.push(Entry::Write(work));
            }
        }
    }

    fn log(
        &self,
        row: &Waiting,
        to: &str,
        monitor: Option<&str>,
        outcome: &Outcome,
        settled: &Settled,
    ) {
        let kind = row.kind.as_str();
        let monitor = monitor.unwrap_or("");
        match (settled, outcome) {
            (Settled::Sent, Outcome::Accepted(answer)) => {
                self.health.mails_sent.fetch_add(1, Relaxed);
                tracing::info!(target: MAIL_SENT, monitor, to, "mail {kind} sent: {answer}");
            }
            (Settled::Sent, _) => {}
            (Settled::Failed { error }, _) => {
                tracing::error!(target: MAIL_FAILED, monitor, to,
                    "mail {kind} given up: {error}; `sitewatch email retry` tries it again");
            }
            (Settled::Later { error, .. }, Outcome::Pause(_)) => {
                tracing::error!(target: MAIL_FAILED, monitor, to,
                    "NO MAIL LEAVES until this is mended: {error}; tried again in 15 minutes, \
                     at a reload and by `sitewatch email retry`");
            }
            (Settled::Later { at, error, .. }, _) => {
                let next_attempt_at = at.to_string();
                tracing::warn!(target: MAIL_FAILED, monitor, to, next_attempt_at,
                    "mail {kind} has to wait: {error}");
            }
        }
    }

    fn reconfigure(&mut self, config: Arc<Config>) {
        match mailer(&config) {
            Ok(mailer) => self.mailer = mailer,
            Err(error) => {
                tracing::error!("{error}; mails go on leaving the way they did");
            }
        }
        self.config = config;
        self.desk.wake_up(self.office.clock.now());
    }

    fn retry(&mut self, reply: oneshot::Sender<Answer>) {
        if self.mailer.is_none() {
            let _ = reply.send(no_email());
            return;
        }
        let now = self.office.clock.now();
        self.desk.wake_up(now);
        let mut reply = Some(reply);
        self.door.push(Entry::Write(Box::new(move |batch| {
            let (waiting, failed) = outbox::retry(batch.outbox(), now)?;
            if let Some(reply) = reply.take() {
                let _ = reply.send(Answer::Done {
                    lines: vec![retry_line(waiting, failed)],
                });
            }
            Ok(())
        })));
    }

    /// A test beside the outbox: what the server says is wanted now, not later.
    fn test(&self, to: &[String], reply: oneshot::Sender<Answer>) {
        let (config, mailer) = (Arc::clone(&self.config), self.mailer.clone());
        let (to, host) = (to.to_vec(), self.office.host.clone());
        tokio::spawn(async move {
            let answer = match (&mailer, &config.email) {
                (Some(mailer), Some(_)) => test_mail(mailer, &config, &to, &host).await,
                _ => no_email(),
            };
            let _ = reply.send(answer);
        });
    }

    /// Lets deliveries end, at most until then, and hands in what came of them.
    async fn finish(&mut self, until: Instant) {
        while !self.deliveries.is_empty() {
            let next = tokio::time::timeout_at(until, self.deliveries.join_next());
            match next.await {
                Ok(Some(Ok(delivery))) => self.delivered(delivery),
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let left = self.deliveries.len();
        if left > 0 {
            tracing::warn!(
                "{left} mails were on their way at the end: they are sent again at the next start"
            );
        }
        self.deliveries.abort_all();
    }
}

/// What `email retry` did.
fn retry_line(waiting: usize, failed: usize) -> String {
    match waiting + failed {
        0 => "nothing had to be hurried".to_owned(),
        _ => format!("tried now: {waiting} waiting and {failed} failed mails"),
    }
}
