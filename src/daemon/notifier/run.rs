//! Sends what the outbox holds: looks when it is woken or something is due, sends, has the outcome written.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, JoinHandle, JoinSet};
use tokio::time::Instant;

use super::channels::{self, Channels, Shared};
use super::conversation::{CameTo, Conversation, Delivery, Office};
use super::delivery_log;
use super::dispatcher::{Desk, Task};
use super::flush_once::retry_lines;
use super::handle::Message;
use super::levels::all::Levels;
use super::pauses_left::pauses_left;
use super::test_mail::no_email;
use super::urgent::{Urgent, Way};
use crate::blocking;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::control::Answer;
use crate::daemon::health::counters::{Health, Part};
use crate::daemon::health::live_status::Board;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::recorder::message::Entry;
use crate::daemon::recorder::queue::Door;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::Mailer;
use crate::mail::smtp::{Line, SmtpSetupError};
use crate::policy::outbox::plan::{Silenced, waits_since};
use crate::policy::outbox::queued::{Lane, RowId, Waiting};
use crate::policy::verdict::own_network;
use crate::store::outbox::{alerts, attempts, queries};

use std::sync::atomic::Ordering::Relaxed;

pub use super::handle::Handle;
pub use super::host_name::host;
pub use super::test_channel::test_channel;
pub use super::test_mail::test_mail;

/// The watchdog wants a sign of life, and a due time is met within this.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// After the clock was set the recorder first brings due times and ages into the new time: a mail must not be given up
/// because the clock was set forward.
const CLOCK_SETTLES: Duration = Duration::from_secs(2);
/// A connection stays open for so long after its last mail: news comes in bursts, and servers count connections.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// A database that could not be read is tried again after this.
const READ_RETRY: Duration = Duration::from_secs(5);

/// Why the way out could not be set up.
pub type SetupError = SmtpSetupError;

/// Starts the notifier on a thread of its own: what a mail server costs (TLS, answers) never holds the thread that
/// starts checks. The task ends with the notifier.
///
/// # Errors
/// When mail cannot be set up, or there is no thread for it.
pub fn start(
    config: Arc<Config>,
    board: Board,
    door: Door,
    (health, gate): (Arc<Health>, Gate),
) -> Result<(Handle, JoinHandle<()>), SetupError> {
    let mailer = mailer(&config)?;
    let health = (health, gate);
    let (handle, notifier, messages) = prepare(Clock::Wall, mailer, config, board, door, health);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (tell, has_ended) = oneshot::channel::<()>();
    std::thread::Builder::new()
        .name("mail".to_owned())
        .spawn(move || {
            runtime.block_on(notifier.run(messages));
            // A name lookup that hangs must not keep the process.
            runtime.shutdown_background();
            drop(tell);
        })?;
    let ended = tokio::spawn(async move {
        let _ = has_ended.await;
    });
    Ok((handle, ended))
}

/// Starts the notifier with this mailer, in this time, on the current runtime.
pub fn start_by(
    clock: Clock,
    mailer: Option<Arc<Mailer>>,
    config: Arc<Config>,
    board: Board,
    door: Door,
    health: Arc<Health>,
) -> (Handle, JoinHandle<()>) {
    let health = (health, Gate::open());
    let (handle, notifier, messages) = prepare(clock, mailer, config, board, door, health);
    (handle, tokio::spawn(notifier.run(messages)))
}

fn prepare(
    clock: Clock,
    mailer: Option<Arc<Mailer>>,
    config: Arc<Config>,
    board: Board,
    door: Door,
    (health, gate): (Arc<Health>, Gate),
) -> (Handle, Notifier, mpsc::UnboundedReceiver<Message>) {
    let (sender, messages) = mpsc::unbounded_channel();
    let (deliveries, delivered) = mpsc::unbounded_channel();
    let (pause, channel_pauses) = pauses_left(&config);
    Channels::note(&config, &door);
    let notifier = Notifier {
        office: Arc::new(Office {
            board,
            host: host(),
            health: Arc::clone(&health),
            gate,
            clock,
            started_at: clock.now(),
            reader: Mutex::new(None),
        }),
        channels: Channels::new(&config, channel_pauses, clock.now()),
        levels: Levels::new(&config, clock.now()),
        config,
        mailer,
        door,
        health,
        desk: Desk::new(pause),
        conversations: JoinSet::new(),
        under_way: HashMap::new(),
        idle: Vec::new(),
        deliveries,
        delivered,
        stopping: Arc::default(),
        urgent: Urgent::default(),
    };
    (Handle(sender), notifier, messages)
}

fn mailer(config: &Config) -> Result<Option<Arc<Mailer>>, SetupError> {
    config
        .email
        .as_ref()
        .map(|email| Mailer::new(email).map(Arc::new))
        .transpose()
}

struct Notifier {
    office: Arc<Office>,
    config: Arc<Config>,
    mailer: Option<Arc<Mailer>>,
    door: Door,
    health: Arc<Health>,
    /// Mail's.
    desk: Desk,
    channels: Channels,
    levels: Levels,
    conversations: JoinSet<Line>,
    /// The mails of each conversation.
    under_way: HashMap<task::Id, Talk>,
    /// Connections that wait for another mail.
    idle: Vec<Idle>,
    deliveries: mpsc::UnboundedSender<Delivery>,
    delivered: mpsc::UnboundedReceiver<Delivery>,
    stopping: Arc<AtomicBool>,
    urgent: Urgent,
}

struct Talk {
    mails: Vec<(String, RowId)>,
    mailer: Arc<Mailer>,
}

struct Idle {
    line: Line,
    mailer: Arc<Mailer>,
    since: Instant,
}

impl Notifier {
    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut look = true;
        let mut wake_at: Option<Timestamp> = None;
        let mut seen = (self.office.clock.now(), clock::tick());
        loop {
            let now = self.office.clock.now();
            let tick = clock::tick();
            if own_network::parted(seen.0, now, tick.duration_since(seen.1)).is_some() {
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
            self.close_idle(clock::tick());
            tokio::select! {
                message = messages.recv() => match message {
                    None => return,
                    Some(Message::Wake) => look = true,
                    Some(Message::Urgent(letter)) => self.urgent.push(*letter, now),
                    Some(Message::Reconfigure(config)) => {
                        self.reconfigure(config);
                        look = true;
                    }
                    Some(Message::Test(to, reply)) => self.test(&to, reply),
                    Some(Message::TestChannel(name, reply)) => self.test_channel(name, reply),
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
                Some(delivery) = self.delivered.recv() => {
                    self.delivered(delivery);
                    look = true;
                }
                Some(ended) = self.conversations.join_next_with_id(), if !self.conversations.is_empty() => {
                    self.conversation_ended(ended);
                    look = true;
                }
                ended = self.channels.next() => {
                    self.take_delivered();
                    self.channels.ended(ended);
                    look = true;
                }
                posted = self.levels.next() => {
                    let now = self.office.clock.now();
                    self.levels.posted(posted, &self.config, &self.door, now);
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
            mailer: self.mailer.as_ref(),
            channels: &self.channels,
            host: &self.office.host,
            door: &self.door,
            health: &self.health,
            gate: &self.office.gate,
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
                let outbox = reader.outbox();
                let unshown = alerts::oldest_unshown(outbox)?;
                let health = queries::health(outbox)?;
                let raised = alerts::raised(outbox)?;
                Ok((queries::lanes(outbox)?, health, raised, unshown))
            })
        })
        .await;
        let now = self.office.clock.now();
        let (lanes, health, raised, unshown) = match read {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::error!(%error, "the outbox cannot be read");
                return self.without_database(now);
            }
            Err(_) => return self.without_database(now),
        };
        self.levels.know(raised, &self.config, &self.door, now);
        let silenced = self.office.board.silenced();
        let ages = lanes
            .iter()
            .filter_map(|lane| waits_since(&self.config.alerts, lane, now));
        let waits_since = ages.chain(unshown).min();
        let (by_mail, by_channels): (Vec<Lane>, Vec<Lane>) = lanes
            .into_iter()
            .partition(|lane| lane.to.channel().is_none());
        let shared = Shared {
            office: &self.office,
            config: &self.config,
            door: &self.door,
            deliveries: &self.deliveries,
        };
        if !self.office.gate.is_open() {
            // Nothing may leave, and nothing is an attempt that failed.
            self.tell_health(&health, waits_since, now);
            return Some(now.plus(BEAT_EVERY));
        }
        let mut wake_at = self.channels.look(&shared, &by_channels, &silenced, now);
        let shown = self.levels.step(self.office.clock, &self.office.gate);
        wake_at = [wake_at, shown].into_iter().flatten().min();
        if self.mailer.is_some() {
            let mail = self.look_at_mail(&by_mail, &silenced, now);
            wake_at = [wake_at, mail].into_iter().flatten().min();
        }
        self.tell_health(&health, waits_since, now);
        wake_at
    }

    /// What was last known to be open is posted all the same.
    fn without_database(&mut self, now: Timestamp) -> Option<Timestamp> {
        let _ = self.levels.step(self.office.clock, &self.office.gate);
        Some(now.plus(READ_RETRY))
    }

    fn look_at_mail(
        &mut self,
        lanes: &[Lane],
        silenced: &Silenced,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let Config { alerts, hours, .. } = &*self.config;
        let (tasks, wake_at) = self.desk.next((alerts, hours), lanes, silenced, now);
        for task in tasks {
            match task {
                Task::Write(work) => self.door.push(Entry::Write(work)),
                Task::Deliver(rows) => self.deliver(lanes, rows),
            }
        }
        wake_at
    }

    fn tell_health(&self, outbox: &queries::Health, waits: Option<Timestamp>, now: Timestamp) {
        self.health.mails_waiting.store(outbox.waiting, Relaxed);
        self.health.mails_for_hours.store(outbox.for_hours, Relaxed);
        self.health.note_mail(waits, outbox.newest_failed_at, now);
        self.health
            .set_mail_refusals(outbox.newest_failed.clone(), outbox.resting.clone());
        self.health.set_mail_pause(self.desk.pause());
        self.health.set_mail_rest(self.desk.rest());
        let mut channels = self.channels.troubles(now);
        let paused = channels.iter().filter(|one| one.pause.is_some()).count();
        let (levels, shut) = self.levels.count();
        let mail_leaves = self.mailer.is_some() && self.desk.pause().is_none();
        let count = self.channels.len() + levels;
        let ways = count + usize::from(self.mailer.is_some());
        let is_shut = ways > 0 && paused + shut == count && !mail_leaves;
        channels.extend(self.levels.troubles());
        self.health.set_channel_troubles(channels, is_shut);
    }

    fn deliver(&mut self, lanes: &[Lane], rows: Vec<Waiting>) {
        let recipient = |row: &Waiting| {
            lanes
                .iter()
                .find(|lane| lane.waiting.iter().any(|waiting| waiting.id == row.id))
                .map(|lane| lane.to.clone())
        };
        let mails: Vec<(Recipient, Waiting)> = rows
            .into_iter()
            .filter_map(|row| recipient(&row).map(|to| (to, row)))
            .collect();
        let Some(mailer) = self.mailer.clone() else {
            return;
        };
        let own = self
            .idle
            .iter()
            .position(|idle| Arc::ptr_eq(&idle.mailer, &mailer));
        let line = own.map_or_else(Line::default, |place| self.idle.swap_remove(place).line);
        let keys = mails
            .iter()
            .map(|(to, row)| (to.key().to_owned(), row.id))
            .collect();
        let conversation = Conversation {
            office: Arc::clone(&self.office),
            config: Arc::clone(&self.config),
            mailer: Arc::clone(&mailer),
            door: self.door.clone(),
            trouble: self.desk.trouble().map(|(at, why)| (at, why.to_owned())),
            mails,
            line,
            deliveries: self.deliveries.clone(),
            stopping: Arc::clone(&self.stopping),
        };
        let task = self.conversations.spawn(conversation.hold());
        let talk = Talk {
            mails: keys,
            mailer,
        };
        self.under_way.insert(task.id(), talk);
    }

    fn conversation_ended(&mut self, ended: Result<(task::Id, Line), task::JoinError>) {
        self.take_delivered();
        let (id, line) = match ended {
            Ok((id, line)) => (id, Some(line)),
            Err(error) => {
                tracing::error!("a fault of sitewatch ended a conversation with the mail server");
                (error.id(), None)
            }
        };
        let Some(Talk { mails, mailer }) = self.under_way.remove(&id) else {
            return;
        };
        let mails = mails.iter().map(|(mailbox, row)| (mailbox.as_str(), *row));
        self.desk.conversation_ended(mails);
        if let Some(line) = line.filter(Line::is_open) {
            let since = clock::tick();
            self.idle.push(Idle {
                line,
                mailer,
                since,
            });
        }
    }

    /// Takes leave of servers to which nothing more is to be said.
    fn close_idle(&mut self, now: Instant) {
        let is_over = |idle: &mut Idle| now.duration_since(idle.since) >= IDLE_MAX;
        for idle in self.idle.extract_if(.., is_over) {
            tokio::spawn(async move {
                let Idle {
                    mut line, mailer, ..
                } = idle;
                mailer.close(&mut line).await;
            });
        }
    }

    /// What a task told before its end comes first.
    fn take_delivered(&mut self) {
        while let Ok(delivery) = self.delivered.try_recv() {
            self.delivered(delivery);
        }
    }

    fn delivered(&mut self, delivery: Delivery) {
        let now = self.office.clock.now();
        let Delivery {
            to,
            row,
            topic,
            came_to,
        } = delivery;
        let mailbox = to.key();
        let desk = match &to {
            Recipient::Mail(_) => &mut self.desk,
            Recipient::Channel(name) => match self.channels.desk(name) {
                Some(desk) => desk,
                // It was taken out of the configuration meanwhile: what came of it is still to be written.
                None => &mut Desk::new(None),
            },
        };
        match came_to {
            CameTo::Gone => desk.gone(mailbox),
            CameTo::Void => {
                let work = desk.dropped(mailbox, &row, now);
                self.door.push(Entry::Write(work));
            }
            CameTo::Outcome(outcome) => {
                let (settled, work) = desk.delivered(mailbox, &row, &outcome, now);
                self.door.push(Entry::Write(work));
                if let Recipient::Channel(name) = &to
                    && let Some(said) = desk.reach().news(now)
                {
                    channels::tell_out_of_reach(&self.config, &self.door, name, &said, now);
                }
                delivery_log::log(
                    &self.health,
                    &row,
                    &to,
                    topic.as_ref(),
                    (&outcome, &settled),
                );
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
        let now = self.office.clock.now();
        self.desk.wake_up(now);
        let others = self.channels.reconfigure(&self.config, now);
        self.levels.reconfigure(&self.config, now);
        Channels::note(&self.config, &self.door);
        self.door.push(Entry::Write(Box::new(move |batch| {
            for name in &others {
                attempts::end_rest_of(batch.outbox(), name.as_str(), now)?;
            }
            Ok(attempts::end_rests(batch.outbox(), now)?)
        })));
    }

    fn retry(&mut self, reply: oneshot::Sender<Answer>) {
        let (levels, _) = self.levels.count();
        if self.mailer.is_none() && self.channels.len() + levels == 0 {
            let _ = reply.send(no_email());
            return;
        }
        let now = self.office.clock.now();
        self.desk.wake_up(now);
        self.channels.reconfigure(&self.config, now);
        self.levels.wake_up(now);
        let mut reply = Some(reply);
        self.door.push(Entry::Write(Box::new(move |batch| {
            let retried = queries::retry(batch.outbox(), now)?;
            if let Some(reply) = reply.take() {
                let _ = reply.send(Answer::Done {
                    lines: retry_lines(&retried),
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

    /// The same by a channel.
    fn test_channel(&self, name: String, reply: oneshot::Sender<Answer>) {
        let (config, host) = (Arc::clone(&self.config), self.office.host.clone());
        tokio::spawn(async move {
            let _ = reply.send(test_channel(&config, &name, &host).await);
        });
    }

    /// Waits for mails in progress, at most until then, and records their results. Begins no further one.
    async fn finish(&mut self, until: Instant) {
        self.stopping.store(true, Relaxed);
        while !self.conversations.is_empty() {
            let next = self.conversations.join_next_with_id();
            match tokio::time::timeout_at(until, next).await {
                Ok(Some(ended)) => self.conversation_ended(ended),
                Ok(None) | Err(_) => break,
            }
        }
        self.channels.finish(until).await;
        let (config, clock) = (Arc::clone(&self.config), self.office.clock);
        self.levels.finish(until, &config, &self.door, clock).await;
        self.take_delivered();
        let left = self.conversations.len();
        if left > 0 {
            tracing::warn!(
                "{left} mails were on their way at the end: they are sent again at the next start"
            );
        }
        self.conversations.abort_all();
        let now = self.office.clock.now();
        if let Some((urgent, way)) = self.urgent_way() {
            urgent.finish(&way, until, now).await;
        }
        for Idle {
            mut line, mailer, ..
        } in self.idle.drain(..)
        {
            mailer.close(&mut line).await;
        }
    }
}
