//! The channels: each has its own desk, so that a pause or a silence of one holds nothing of the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::compose::{Posting, Topic, Writer};
use super::conversation::{CameTo, Delivery, Office, noted, written};
use super::dispatcher::{Desk, Task};
use crate::blocking;
use crate::channel::{Sender, Sent};
use crate::config::Config;
use crate::daemon::health::counters::ChannelTrouble;
use crate::daemon::recorder::message::{Entry, WriteWork};
use crate::daemon::recorder::queue::Door;
use crate::domain::channel::{Channel, ChannelName, Events};
use crate::domain::duration_text::Human;
use crate::domain::notification::{MailKind, News, Notice};
use crate::domain::recipient::Recipient;
use crate::domain::status_code;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::out_of_reach::Said;
use crate::policy::outbox::plan::Silenced;
use crate::policy::outbox::queued::{Holds, Lane, RowId, Waiting};
use crate::policy::outbox::rest::Rest;
use crate::policy::outbox::retry::{Outcome, PAUSE};
use crate::policy::outbox::transport_pause::Pause;
use crate::store::outbox::channels;
use crate::tls;
use crate::view::channel::{Answer, Reply, Request, read_answer};

/// At a reload the recorder knows a new channel a moment before this part does. A message that is younger waits for it.
const KNOWN_AFTER: Duration = Duration::from_secs(10);

/// All channels of the configuration in force.
pub(super) struct Channels {
    ways: BTreeMap<ChannelName, ChannelWay>,
    /// Those to which there is no way: what they are to be told waits.
    broken: BTreeMap<ChannelName, Broken>,
    tasks: JoinSet<()>,
    /// What each task has on its way.
    under_way: HashMap<task::Id, (ChannelName, RowId)>,
}

struct ChannelWay {
    channel: Arc<Channel>,
    sender: Arc<Sender>,
    desk: Desk,
    /// Whether something waited for it at the last look.
    has_waiting: bool,
    /// Whether it was told that its template fails.
    is_fault_told: Arc<AtomicBool>,
}

/// A channel that cannot be set up.
struct Broken {
    pause: Pause,
    is_told: bool,
    /// For when it can.
    desk: Desk,
}

/// What a delivery needs besides its row.
pub(super) struct Shared<'a> {
    pub(super) office: &'a Arc<Office>,
    pub(super) config: &'a Arc<Config>,
    pub(super) door: &'a Door,
    pub(super) deliveries: &'a mpsc::UnboundedSender<Delivery>,
}

impl Channels {
    /// The channels of a configuration, with the pauses that the last process left behind.
    pub(super) fn new(config: &Config, mut pauses: Vec<(String, Pause)>, now: Timestamp) -> Self {
        let mut all = Self {
            ways: BTreeMap::new(),
            broken: BTreeMap::new(),
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
        };
        all.set(config, now, |name| {
            let at = pauses.iter().position(|(of, _)| of == name.as_str());
            Desk::new(at.map(|at| pauses.swap_remove(at).1))
        });
        all
    }

    /// Another configuration is in force: what was paused is tried again.
    ///
    /// Answers which channels were reached in another way before: what their services asked for counts no more.
    pub(super) fn reconfigure(&mut self, config: &Config, now: Timestamp) -> Vec<ChannelName> {
        let mut before = std::mem::take(&mut self.ways);
        let is_other = |channel: &&Arc<Channel>| {
            let way = before.get(&channel.name);
            way.is_some_and(|way| way.channel != **channel)
        };
        let others = config.channels.iter().filter(is_other);
        let others = others.map(|channel| channel.name.clone()).collect();
        let mut broken = std::mem::take(&mut self.broken);
        let told: Vec<(ChannelName, Timestamp)> = broken
            .iter()
            .filter(|(_, broken)| broken.is_told)
            .map(|(name, broken)| (name.clone(), broken.pause.since))
            .collect();
        self.set(config, now, |name| {
            let desk = before.remove(name).map(|way| way.desk);
            let desk = desk.or_else(|| broken.remove(name).map(|broken| broken.desk));
            let mut desk = desk.unwrap_or_else(|| Desk::new(None));
            desk.wake_up(now);
            desk
        });
        for (name, since) in told {
            if let Some(broken) = self.broken.get_mut(&name) {
                broken.is_told = true;
                broken.pause.since = since;
            }
        }
        others
    }

    fn set(&mut self, config: &Config, now: Timestamp, mut desk: impl FnMut(&ChannelName) -> Desk) {
        let channels = config.channels.iter();
        let messages = channels.filter(|channel| !channel.format().is_level());
        let mut basis = None;
        for channel in messages {
            let basis = basis.get_or_insert_with(tls::Basis::load);
            match Sender::new(channel, basis) {
                Ok(sender) => {
                    let way = ChannelWay {
                        channel: Arc::clone(channel),
                        sender: Arc::new(sender),
                        desk: desk(&channel.name),
                        has_waiting: false,
                        is_fault_told: Arc::default(),
                    };
                    self.ways.insert(channel.name.clone(), way);
                }
                Err(why) => {
                    tracing::error!("channel {}: {why}", channel.name);
                    let pause = Pause {
                        since: now,
                        tried_at: now,
                        until: now.plus(PAUSE),
                        why,
                    };
                    let broken = Broken {
                        pause,
                        is_told: false,
                        desk: desk(&channel.name),
                    };
                    self.broken.insert(channel.name.clone(), broken);
                }
            }
        }
    }

    /// Has it written which channels there are.
    pub(super) fn note(config: &Config, door: &Door) {
        let channels = config.channels.iter();
        let known: Vec<(String, &'static str)> = channels
            .map(|channel| (channel.name.to_string(), channel.format().as_str()))
            .collect();
        door.push(Entry::Write(Box::new(move |batch| {
            Ok(channels::put(batch.outbox(), &known)?)
        })));
    }

    /// Does what is due for these lanes, each a channel's. Answers when to look again at the latest.
    pub(super) fn look(
        &mut self,
        shared: &Shared<'_>,
        lanes: &[Lane],
        silenced: &Silenced,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut wake_at: Option<Timestamp> = None;
        for lane in lanes {
            let is_gone = |name: &ChannelName| match shared.config.channel(name) {
                // One that cannot be set up keeps what waits for it.
                Some(channel) => channel.format().is_level(),
                None => true,
            };
            if lane.to.channel().is_some_and(is_gone) {
                let later = drop_lane(shared, lane, now);
                wake_at = [wake_at, later].into_iter().flatten().min();
            }
        }
        if self.broken.values().any(|one| !one.pause.rests(now)) {
            self.reconfigure(shared.config, now);
        }
        for (name, broken) in &mut self.broken {
            if !std::mem::replace(&mut broken.is_told, true) {
                let said = Said::Paused(broken.pause.why.clone());
                tell_out_of_reach(shared.config, shared.door, name, &said, now);
            }
        }
        let broken = self.broken.values().map(|one| one.pause.until);
        wake_at = wake_at.into_iter().chain(broken).min();
        for (name, way) in &mut self.ways {
            let own = lanes.iter().find(|lane| lane.to.channel() == Some(name));
            let settings = way.channel.alerts(&shared.config.alerts);
            let lanes = own.map_or(&[][..], std::slice::from_ref);
            way.has_waiting = own.is_some();
            let hours = &shared.config.hours;
            let (tasks, wake) = way.desk.next((&settings, hours), lanes, silenced, now);
            if own.is_some() {
                if let Some(said) = way.desk.reach().news(now) {
                    tell_out_of_reach(shared.config, shared.door, name, &said, now);
                }
                let told_at = way.desk.reach().due_at();
                wake_at = [wake_at, wake, told_at].into_iter().flatten().min();
            }
            for task in tasks {
                match task {
                    Task::Write(work) => shared.door.push(Entry::Write(work)),
                    Task::Deliver(rows) => {
                        for row in rows {
                            let id = row.id;
                            let posting = way.posting(shared, row);
                            let task = self.tasks.spawn(posting.post());
                            self.under_way.insert(task.id(), (name.clone(), id));
                        }
                    }
                }
            }
        }
        wake_at
    }

    /// Ready when a task ends; never ready while there is none.
    pub(super) async fn next(&mut self) -> Result<task::Id, task::JoinError> {
        match self.tasks.join_next_with_id().await {
            None => std::future::pending().await,
            Some(ended) => ended.map(|(id, ())| id),
        }
    }

    /// Takes note that a task ended, after its last report.
    pub(super) fn ended(&mut self, ended: Result<task::Id, task::JoinError>) {
        let id = match ended {
            Ok(id) => id,
            Err(error) => {
                tracing::error!("a fault of sitewatch ended a delivery to a channel");
                error.id()
            }
        };
        if let Some((name, row)) = self.under_way.remove(&id)
            && let Some(way) = self.ways.get_mut(&name)
        {
            way.desk.conversation_ended([(name.as_str(), row)]);
        }
    }

    /// The desk of a channel, and its format.
    pub(super) fn desk(&mut self, name: &ChannelName) -> Option<&mut Desk> {
        self.ways.get_mut(name).map(|way| &mut way.desk)
    }

    /// What keeps each channel. A pause whose time is over keeps one for which something waits: that is tried now.
    pub(super) fn troubles(&self, now: Timestamp) -> Vec<ChannelTrouble> {
        let troubles = self.ways.iter().map(|(name, way)| {
            let pauses = |pause: &&Pause| way.has_waiting || pause.rests(now);
            let rests = |rest: &&Rest| way.has_waiting || rest.rests(now);
            ChannelTrouble {
                name: name.to_string(),
                pause: way.desk.pause().filter(pauses).cloned(),
                rest: way.desk.rest().filter(rests).cloned(),
            }
        });
        let broken = self.broken.iter().map(|(name, broken)| ChannelTrouble {
            name: name.to_string(),
            pause: Some(broken.pause.clone()),
            rest: None,
        });
        troubles
            .chain(broken)
            .filter(|trouble| trouble.pause.is_some() || trouble.rest.is_some())
            .collect()
    }

    /// How many channels there are that messages leave by.
    pub(super) fn len(&self) -> usize {
        self.ways.len() + self.broken.len()
    }

    /// The channel of a name with the way there.
    pub(super) fn way(&self, name: &ChannelName) -> Option<(Arc<Channel>, Arc<Sender>)> {
        let way = self.ways.get(name)?;
        Some((Arc::clone(&way.channel), Arc::clone(&way.sender)))
    }

    /// Lets what is on its way end, at most until then.
    pub(super) async fn finish(&mut self, until: Instant) {
        while let Ok(Some(_)) = timeout_at(until, self.tasks.join_next()).await {}
        self.tasks.abort_all();
    }
}

impl ChannelWay {
    fn posting(&self, shared: &Shared<'_>, row: Waiting) -> ChannelPosting {
        ChannelPosting {
            office: Arc::clone(shared.office),
            config: Arc::clone(shared.config),
            door: shared.door.clone(),
            deliveries: shared.deliveries.clone(),
            channel: Arc::clone(&self.channel),
            sender: Arc::clone(&self.sender),
            is_fault_told: Arc::clone(&self.is_fault_told),
            trouble: self.desk.trouble().map(|(at, why)| (at, why.to_owned())),
            row,
        }
    }
}

/// What was decided for a channel that is no longer configured has nowhere to go. Answers when to look again at what
/// is too young to tell.
fn drop_lane(shared: &Shared<'_>, lane: &Lane, now: Timestamp) -> Option<Timestamp> {
    let newest = lane.waiting.iter().map(|row| row.queued_at).max()?;
    let known_at = newest.plus(KNOWN_AFTER);
    // One that lies ahead was written before the clock was set back.
    if newest <= now && known_at > now {
        return Some(known_at);
    }
    let (to, count) = (lane.to.key().to_owned(), lane.waiting.len());
    tracing::warn!("{count} messages to the channel {to} are dropped: it is no longer configured");
    shared.door.push(Entry::Write(Box::new(move |batch| {
        channels::drop_waiting(batch.outbox(), &to, now)?;
        Ok(())
    })));
    None
}

/// News that a channel is paused, or that nothing gets through to it, for the others.
pub(super) fn tell_out_of_reach(
    config: &Config,
    door: &Door,
    name: &ChannelName,
    said: &Said,
    now: Timestamp,
) {
    let detail = match said {
        Said::Paused(why) => format!(
            "Nothing leaves by the channel {name} until this is fixed: {why}. It is tried again in 15 minutes, at a \
             reload and by `sitewatch email retry`; `sitewatch channel test {name}` shows what the service answers."
        ),
        Said::Silent { since, why } => format!(
            "Nothing has got through to the channel {name} for {}: {why}. `sitewatch email queue` shows what waits \
             and what was dropped, `sitewatch channel test {name}` what the service answers.",
            Human(now.since(*since))
        ),
    };
    tell_others(config, door, name, detail, now);
}

/// News that an instance of Alertmanager takes nothing, for the others.
pub(super) fn tell_level_out_of_reach(
    config: &Config,
    door: &Door,
    (name, place): (&ChannelName, &str),
    said: &Said,
    now: Timestamp,
) {
    let detail = match said {
        Said::Paused(why) => format!(
            "The channel {name} cannot show anything at {place} until this is fixed: {why}. It is tried again in \
             15 minutes, at a reload and by `sitewatch email retry`; `sitewatch channel test {name}` shows the answer."
        ),
        Said::Silent { since, why } => format!(
            "The channel {name} could not show anything at {place} for {}: {why}. It is tried again each minute; \
             incidents that are open when it is back are shown.",
            Human(now.since(*since))
        ),
    };
    tell_others(config, door, name, detail, now);
}

/// News about a channel, for everybody else who is told of troubles.
fn tell_others(config: &Config, door: &Door, name: &ChannelName, detail: String, now: Timestamp) {
    let others = config.told.iter();
    let others: Vec<Recipient> = others
        .filter(|to| to.channel() != Some(name))
        .cloned()
        .collect();
    if others.is_empty() {
        return;
    }
    door.push(Entry::Say {
        notice: Box::new(Notice {
            about: None,
            news: News::Trouble {
                what: format!("channel {name}"),
                detail,
            },
            decided_at: now,
        }),
        to: Some(others),
    });
}

/// One message on its way.
struct ChannelPosting {
    office: Arc<Office>,
    config: Arc<Config>,
    door: Door,
    deliveries: mpsc::UnboundedSender<Delivery>,
    channel: Arc<Channel>,
    sender: Arc<Sender>,
    is_fault_told: Arc<AtomicBool>,
    trouble: Option<(Timestamp, String)>,
    row: Waiting,
}

impl ChannelPosting {
    async fn post(self) {
        let name = self.channel.name.as_str();
        let now = self.office.clock.now();
        if self.config.hours.closed_until(name, now).is_some() {
            self.tell(None, CameTo::Gone);
            return;
        }
        let (topic, came_to) = match misfit(&self.channel, self.row.kind) {
            None => self.deliver().await,
            Some(Misfit::Drop) => (None, CameTo::Void),
            Some(Misfit::Dissolve) => {
                let row = self.row.id;
                let dissolve: WriteWork =
                    Box::new(move |batch| Ok(channels::dissolve(batch.outbox(), row, now)?));
                match written(&self.door, dissolve).await {
                    Ok(()) => (None, CameTo::Gone),
                    Err(why) => (None, not_written(&why)),
                }
            }
        };
        self.tell(topic, came_to);
    }

    fn tell(self, topic: Option<Topic>, came_to: CameTo) {
        let _ = self.deliveries.send(Delivery {
            to: Recipient::Channel(self.channel.name.clone()),
            row: self.row,
            topic,
            came_to,
        });
    }

    async fn deliver(&self) -> (Option<Topic>, CameTo) {
        match self.write().await {
            Ok(Posting::Ready { topic, request }) => {
                self.tell_fault(&request);
                let clock = self.office.clock;
                let noted = async {
                    noted(&self.door, self.row.id, &self.office).await?;
                    Ok(clock.now())
                };
                let sent = self.sender.send(&request, noted).await;
                let outcome = outcome(&self.channel, sent, self.office.clock.now());
                (Some(topic), CameTo::Outcome(outcome))
            }
            Ok(Posting::Void) => (None, CameTo::Void),
            Ok(Posting::Gone) => (None, CameTo::Gone),
            Err(why) => (None, not_written(&why)),
        }
    }

    /// Says once that the template cannot be rendered.
    fn tell_fault(&self, request: &Request) {
        let Some(why) = &request.template_fault else {
            return;
        };
        if self.is_fault_told.swap(true, Relaxed) {
            return;
        }
        let name = &self.channel.name;
        let detail = format!(
            "The template of the channel {name} cannot be rendered: {why}. Its messages leave with summary and text \
             in its place."
        );
        tracing::error!("{detail}");
        tell_others(
            &self.config,
            &self.door,
            name,
            detail,
            self.office.clock.now(),
        );
    }

    /// Writes the message on a thread that may wait, since it reads the database.
    async fn write(&self) -> Result<Posting, String> {
        let (office, config) = (Arc::clone(&self.office), Arc::clone(&self.config));
        let (channel, row) = (Arc::clone(&self.channel), self.row.id);
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
                writer.post(row, &channel)
            })
        });
        match written.await {
            Ok(Ok(posting)) => Ok(posting),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("a fault of sitewatch".to_owned()),
        }
    }
}

/// A row that does not fit its channel: it was queued before the channel was a pager.
pub(super) enum Misfit {
    /// It carries others, which leave by themselves.
    Dissolve,
    /// A pager is not told of such things.
    Drop,
}

/// Why a message of this kind cannot leave by a channel, if so.
pub(super) fn misfit(channel: &Channel, kind: MailKind) -> Option<Misfit> {
    let format = channel.format();
    if !format.takes_incidents_only() {
        return None;
    }
    match kind {
        MailKind::Digest | MailKind::WasDown => Some(Misfit::Dissolve),
        MailKind::Flapping => Some(Misfit::Drop),
        other => (!Events::default_of(format).takes(other)).then_some(Misfit::Drop),
    }
}

fn not_written(why: &str) -> CameTo {
    CameTo::Outcome(Outcome::Temporary {
        holds: Holds::Mail,
        error: format!("the message could not be written: {why}"),
    })
}

/// Sends a request beside the outbox and says what came of it.
pub(in crate::daemon) async fn send_now(
    channel: &Channel,
    sender: &Sender,
    request: &Request,
    now: impl Fn() -> Timestamp,
) -> Outcome {
    let sent = sender.send(request, async { Ok(now()) }).await;
    outcome(channel, sent, now())
}

/// What an answer, or its absence, means for the message.
pub(super) fn outcome(channel: &Channel, sent: Sent, now: Timestamp) -> Outcome {
    match sent {
        Sent::Answered(answered) => {
            let reply = Reply {
                status: answered.status,
                headers: &answered.headers,
                body: &answered.body,
            };
            match read_answer(channel, &reply, now) {
                Answer::Delivered => Outcome::Accepted(said(answered.status)),
                Answer::Later {
                    after: Some(after),
                    words,
                } => Outcome::Later {
                    after,
                    error: words,
                },
                Answer::Later { after: None, words } => Outcome::Temporary {
                    holds: Holds::Recipient,
                    error: words,
                },
                Answer::Refused(words) => Outcome::Permanent(words),
                Answer::Pause(words) => Outcome::Pause(words),
            }
        }
        // Nothing of it says that the service is well again, nor that it is not.
        Sent::Not(why) => Outcome::Temporary {
            holds: Holds::Transport,
            error: channel.masks.apply(&why).into_owned(),
        },
        Sent::Unknown(why) => Outcome::Unknown(channel.masks.apply(&why).into_owned()),
    }
}

/// `204 No Content`
fn said(status: u16) -> String {
    match status_code::lookup(status) {
        Some(known) => format!("{status} {}", known.name),
        None => status.to_string(),
    }
}
