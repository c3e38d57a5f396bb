//! The hub's end of the link, on a thread of its own: lists and asks go out, frames and signs of life come in.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::hub_frames::Taker;
use super::hub_lists::{Lists, Watched};
use crate::clock;
use crate::daemon::active::Force;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::hubs::standby::Claim;
use crate::daemon::hubs::{Leader, say_farewell};
use crate::daemon::logging::targets;
use crate::daemon::recorder::message::{Enrolled, Entry};
use crate::daemon::recorder::queue::Door;
use crate::domain::cluster::{ClusterSettings, HubSettings};
use crate::domain::location::{Ask, Presence, ProbeName, Share};
use crate::domain::monitor::MonitorId;
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;
use crate::link::error::LinkError;
use crate::link::nats::{NatsHub, NatsLog};
use crate::link::ways::{HubWay, LogWay};
use crate::wire::notes::{CheckNow, Hi, Told};

/// Asks that wait: one that is lost costs at most an interval.
const ASKS_MAX: usize = 1024;

/// What is shown of a probe's version.
const VERSION_CHARS_MAX: usize = 40;

/// A probe says every ten seconds that it is there; what is more than this is not listened to.
const HI_EVERY_MIN: Duration = Duration::from_secs(1);

/// A hub has at most 32 locations, each with at most 64 probes that share it, and those that it had before.
const PROBES_MAX: usize = 4096;

/// How the other parts of a hub speak to the link.
#[derive(Debug, Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    /// What every message passes.
    pub gate: Gate,
    watched: watch::Sender<Option<Watched>>,
}

/// The running link of a hub.
pub struct Link {
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Link {
    /// Ends the thread; what is not acknowledged comes again.
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Handle {
    /// Passes on that another location is to check now. Whether there was room for it.
    pub fn ask(&self, ask: Ask) -> bool {
        self.asks.try_send(ask).is_ok()
    }

    /// Another configuration is in force, with these numbers.
    pub fn watch(&self, force: &Force, enrolled: &Enrolled) {
        self.watched.send_replace(Some(Watched {
            config: Arc::clone(&force.config),
            ids: Arc::clone(&force.ids),
            paused: enrolled.paused.iter().copied().collect(),
        }));
    }

    /// A person pauses or resumes a monitor.
    pub fn set_paused(&self, monitor: MonitorId, paused: bool) {
        self.watched.send_modify(|watched| {
            if let Some(watched) = watched {
                match paused {
                    true => watched.paused.insert(monitor),
                    false => watched.paused.remove(&monitor),
                };
            }
        });
    }
}

/// Starts the link.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    cluster: Arc<ClusterSettings>,
    hub: HubSettings,
    (claim, database): (Claim, PathBuf),
    door: Door,
) -> io::Result<(Handle, Link)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (asks, wanted) = mpsc::channel(ASKS_MAX);
    let watched = watch::Sender::new(None);
    let (leader, gate) = Leader::new(claim, database, door.clone());
    let mut worker = Worker {
        cluster,
        hub,
        leader,
        taker: Taker::new(door.clone(), gate.clone()),
        door,
        wanted,
        watched: watched.subscribe(),
        lists: Lists::default(),
        probes: Probes::default(),
    };
    let (end, ended) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("link".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = worker.run() => {}
                    _ = ended => {}
                }
                say_farewell(&mut worker.leader, &worker.cluster.server).await;
            });
        })?;
    let link = Link {
        end: Some(end),
        thread: Some(thread),
    };
    let handle = Handle {
        asks,
        gate,
        watched,
    };
    Ok((handle, link))
}

struct Worker {
    cluster: Arc<ClusterSettings>,
    hub: HubSettings,
    door: Door,
    taker: Taker,
    leader: Leader,
    wanted: mpsc::Receiver<Ask>,
    watched: watch::Receiver<Option<Watched>>,
    lists: Lists,
    probes: Probes,
}

impl Worker {
    async fn run(&mut self) {
        let mut backoff = Backoff::default();
        let mut told = None;
        loop {
            let began = clock::tick();
            let why = self.connected(&mut told).await;
            let lasted = clock::tick().duration_since(began);
            if told.as_ref() != Some(&why) {
                tracing::error!(
                    target: targets::TROUBLE,
                    "{why}; until it is back nothing is known of the locations"
                );
                told = Some(why);
            }
            self.leader.away().await;
            tokio::time::sleep(backoff.after(lasted)).await;
        }
    }

    async fn connected(&mut self, told: &mut Option<LinkError>) -> LinkError {
        let server = &self.cluster.server;
        let (client, driver) = match NatsHub::connect(server).await {
            Ok(connected) => connected,
            Err(why) => return why,
        };
        let (bytes, age) = (self.hub.stream_bytes, self.hub.stream_age);
        let working = async {
            let begun = async {
                let log = NatsLog::begin(client.clone()).await?;
                Ok((NatsHub::begin(client, bytes, age).await?, log))
            };
            match begun.await {
                Ok((way, log)) => {
                    let server = &self.cluster.server;
                    tracing::info!(
                        "connected to the NATS server {}:{}",
                        server.host,
                        server.port
                    );
                    *told = None;
                    self.work(&way, &log).await
                }
                Err(why) => why,
            }
        };
        tokio::select! {
            why = driver.run() => why,
            why = working => why,
        }
    }

    async fn work(&mut self, way: &impl HubWay, log: &impl LogWay) -> LinkError {
        // What was put down before may be gone with the server's disk.
        self.lists = Lists::default();
        self.watched.mark_changed();
        let Self {
            taker,
            leader,
            door,
            wanted,
            watched,
            lists,
            probes,
            ..
        } = self;
        let lists = tokio::sync::Mutex::new(lists);
        tokio::select! {
            why = leader.run(log) => why,
            why = taker.run(way) => why,
            why = publish_lists(way, watched, &lists) => why,
            why = pass_on_asks(way, wanted) => why,
            why = hear(way, door, &lists, probes) => why,
        }
    }
}

async fn publish_lists(
    way: &impl HubWay,
    watched: &mut watch::Receiver<Option<Watched>>,
    lists: &tokio::sync::Mutex<&mut Lists>,
) -> LinkError {
    loop {
        if watched.changed().await.is_err() {
            return std::future::pending().await;
        }
        let now = watched.borrow_and_update().clone();
        if let Some(now) = now
            && let Err(why) = lists.lock().await.publish(way, &now).await
        {
            return why;
        }
    }
}

async fn pass_on_asks(way: &impl HubWay, wanted: &mut mpsc::Receiver<Ask>) -> LinkError {
    loop {
        let Some(ask) = wanted.recv().await else {
            return std::future::pending().await;
        };
        let age = clock::now().since(ask.unless_since).as_millis();
        let check = CheckNow {
            monitor: ask.monitor.0,
            unless_within_ms: u64::try_from(age).unwrap_or(u64::MAX),
        };
        if let Err(why) = way.ask(&ask.location, &check).await {
            return why;
        }
    }
}

async fn hear(
    way: &impl HubWay,
    door: &Door,
    lists: &tokio::sync::Mutex<&mut Lists>,
    probes: &mut Probes,
) -> LinkError {
    loop {
        let (location, hi) = match way.heard().await {
            Ok(heard) => heard,
            Err(why) => return why,
        };
        let share = match hi.share.as_deref().map(Share::parse) {
            None => None,
            Some(Ok(share)) => Some(share),
            Some(Err(why)) => {
                tracing::debug!("a sign of life of {location} was left out: {why}");
                continue;
            }
        };
        let sender = ProbeName { location, share };
        if !probes.may_speak(&sender) {
            continue;
        }
        // An announcement of its list got lost, or it could not fetch it.
        if let Ok(lists) = lists.try_lock()
            && let Some(head) = lists.head(&sender.location)
            && head.version != hi.list_version
            && let Err(why) = way.tell(&sender.location, &Told::List(head.clone())).await
        {
            return why;
        }
        let version = safe_text::line(&hi.version, VERSION_CHARS_MAX).into_owned();
        probes.say_version(&sender, &version);
        door.push(Entry::Presence(Box::new(presence(sender, &hi, version))));
    }
}

fn presence(sender: ProbeName, hi: &Hi, version: String) -> Presence {
    Presence {
        sender,
        spool: hi.spool,
        sent_at: Timestamp::from_ms(hi.sent_at),
        received_at: clock::now(),
        version: version.into(),
        waiting: hi.waiting,
        offline_since: hi.offline_since.map(Timestamp::from_ms),
    }
}

/// The probes that spoke since the start.
#[derive(Debug, Default)]
struct Probes(HashMap<ProbeName, Probe>);

#[derive(Debug)]
struct Probe {
    heard_at: Instant,
    version: String,
}

impl Probes {
    /// Whether a probe has its turn: one sign of life a second is enough.
    fn may_speak(&mut self, sender: &ProbeName) -> bool {
        let now = clock::tick();
        if let Some(probe) = self.0.get_mut(sender) {
            let is_time = now.duration_since(probe.heard_at) >= HI_EVERY_MIN;
            if is_time {
                probe.heard_at = now;
            }
            return is_time;
        }
        if self.0.len() >= PROBES_MAX {
            return false;
        }
        let probe = Probe {
            heard_at: now,
            version: String::new(),
        };
        self.0.insert(sender.clone(), probe);
        true
    }

    /// Says once which version a probe has.
    fn say_version(&mut self, sender: &ProbeName, version: &str) {
        let Some(probe) = self
            .0
            .get_mut(sender)
            .filter(|probe| probe.version != version)
        else {
            return;
        };
        version.clone_into(&mut probe.version);
        let ours = env!("CARGO_PKG_VERSION");
        match version == ours {
            true => tracing::info!("the probe {sender} is there"),
            false => tracing::warn!(
                target: targets::TROUBLE,
                "the probe {sender} runs sitewatch {version}, the hub {ours}: update the hub first, then the probes"
            ),
        }
    }
}
