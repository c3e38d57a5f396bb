//! A probe from its first line to its last: it takes its monitors from the hub, checks them by the same scheduler as a
//! daemon, and keeps what it saw until the hub has it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::courier::{Courier, News, unless_since};
use super::probe_lists::{self, Applied};
use super::spooler::{self, Shared};
use crate::blocking;
use crate::clock;
use crate::config::{Config, Environment};
use crate::daemon::active;
use crate::daemon::checks::local::Live;
use crate::daemon::health::counters::Health;
use crate::daemon::lifecycle::{Ending, Start};
use crate::daemon::logging::targets;
use crate::daemon::process::check_runtime;
use crate::daemon::process::fd_limit;
use crate::daemon::process::malloc_trim;
use crate::daemon::process::parent_pipe::Leash;
use crate::daemon::process::patience::{Waited, patiently};
use crate::daemon::process::signals::{Signals, Told};
use crate::daemon::recorder::evidence_shelf::Shelf;
use crate::daemon::recorder::message::Entry;
use crate::daemon::recorder::queue::{Door, queue};
use crate::daemon::run_error::RunError;
use crate::daemon::schedule::cron_jobs::{self, Agenda, Duty, Firing};
use crate::daemon::schedule::scheduler::{Command, Handle, Scheduler};
use crate::domain::cluster::{ClusterSettings, ProbeSettings};
use crate::domain::location::Share;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::probe::Prober;
use crate::service;
use crate::store::spool::Spool;
use crate::wire::WireError;

/// How often the probe looks after itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A monitor that cannot be checked here is recorded as unknown this often.
const UNRESOLVED_EVERY: Duration = Duration::from_secs(60);

/// The spooler writes every second; a disk that hangs this long has a probe that is stuck.
const SPOOLER_STUCK: Duration = Duration::from_secs(60);

/// News of the hub that wait: it asks for at most 50 checks a second by itself, and for more where a person does.
const NEWS_MAX: usize = 1024;

/// After the checks the last frames get this long to reach the stream.
const LAST_SEND: Duration = Duration::from_secs(3);

/// Runs a probe until it is told to stop.
///
/// # Errors
/// What the machine refused.
pub fn run(
    start: &Start,
    cluster: &ClusterSettings,
    probe: &ProbeSettings,
) -> Result<Ending, RunError> {
    malloc_trim::keep_in_bounds();
    service::status("opening the spool");
    let path = start.config.daemon.database.clone();
    let opening = move || Spool::open(&path, clock::now());
    let spool = match patiently("opening the spool", start.is_leashed, opening)? {
        Waited::Done(spool) => spool?,
        Waited::Stopped(ending) => return Ok(ending),
    };
    let runtime = check_runtime::new()?;
    let ending = runtime.block_on(live(start, cluster, probe, spool));
    runtime.shutdown_background();
    ending
}

/// A probe at work.
struct Running {
    door: Door,
    scheduler: Handle,
    shared: Arc<Shared>,
    health: Arc<Health>,
    agenda: watch::Sender<Agenda>,
    is_linked: watch::Receiver<bool>,
    here: Here,
    slots: u32,
    /// The list in force, to be read again when its files changed.
    list: Option<(u64, Arc<[u8]>)>,
    unresolved: Vec<(MonitorId, Arc<str>)>,
    unresolved_at: Option<Timestamp>,
    monitors: usize,
    /// The unit's status as it was said last.
    shown: String,
}

async fn live(
    start: &Start,
    cluster: &ClusterSettings,
    probe: &ProbeSettings,
    spool: Spool,
) -> Result<Ending, RunError> {
    let config = Arc::new(start.config.clone());
    let leash = match start.is_leashed {
        true => Leash::of_standard_input()?,
        false => Leash::none(),
    };
    let mut signals = Signals::listen(leash)?;
    blocking::run(|| ()).await?;
    let now = clock::now();
    let health = Arc::new(Health::new(now));
    let prober = Arc::new(Prober::new(&config.dns)?);
    let (door, entries) = queue();
    let (scheduler, commands) = Handle::new();
    let (agenda, agenda_seen) = watch::channel(nothing_due());
    let kept = spool.list().unwrap_or_default();
    let shared = Shared::new(spool);
    let (news, mut heard) = mpsc::channel(NEWS_MAX);
    let courier = Courier::new(probe.name(), Arc::clone(&shared), Arc::clone(&health), news);
    let mut running = Running {
        door: door.clone(),
        scheduler: scheduler.clone(),
        shared: Arc::clone(&shared),
        health: Arc::clone(&health),
        agenda,
        is_linked: courier.is_linked.subscribe(),
        here: Here::of(start, probe),
        slots: slots(&config),
        list: None,
        unresolved: Vec::new(),
        unresolved_at: None,
        monitors: 0,
        shown: String::new(),
    };
    let sent = courier.sent.subscribe();
    let spooling = spooler::spawn(
        Arc::clone(&shared),
        entries,
        scheduler.clone(),
        probe.spool_bytes,
    )?;
    let (ended, end) = tokio::sync::oneshot::channel();
    let linking = link_thread(courier, cluster.clone(), end)?;
    let tools = active::tools(&config, &prober);
    let live = Live::new(
        tools,
        (door.clone(), Shelf::default()),
        Arc::clone(&health),
        now,
        None,
    );
    let scheduling = tokio::spawn(Scheduler::new(live, health, commands).run());
    let calendar = tokio::spawn(keep_calendar(agenda_seen, scheduler.clone(), door.clone()));
    tracing::info!(
        spool = %config.daemon.database.display(),
        "sitewatch {} started as the probe {}", env!("CARGO_PKG_VERSION"), probe.name()
    );
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if let Some((version, bytes)) = kept {
        running.take_list(version, bytes.into()).await;
    }
    service::ready(&running.line());
    tokio::spawn(malloc_trim::give_back());
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::Stop | Told::Abandoned => break,
                Told::Reload => running.read_list_again().await,
            },
            news = heard.recv() => match news {
                Some(News::CheckNow(check)) => {
                    let since = unless_since(&check, clock::now());
                    running.scheduler.check_now(MonitorId(check.monitor), since);
                }
                Some(News::List { version, bytes }) => running.hear_list(version, bytes).await,
                None => return Err(RunError::Broken("link")),
            },
            () = tokio::time::sleep(LOOK_EVERY) => {
                if spooling.is_finished() {
                    return Err(RunError::Broken("spool"));
                }
                running.look_after(clock::now());
            }
        }
    }
    service::stopping("stopping: waiting for running checks");
    tracing::info!("stopping: waiting for running checks");
    calendar.abort();
    let grace = config.daemon.shutdown_grace;
    scheduler.send(Command::Stop { grace });
    let ending = tokio::select! {
        _ = scheduling => Ending::Orderly,
        () = signals.second() => Ending::Forced,
    };
    door.push(Entry::Stop);
    let _ = blocking::run(move || spooling.join()).await;
    // What could not be sent in time stays in the spool.
    let all_sent = async {
        while *sent.borrow() < shared.spool().newest() && *running.is_linked.borrow() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(LAST_SEND, all_sent).await;
    let _ = ended.send(());
    let _ = blocking::run(move || linking.join()).await;
    tracing::info!("stopped");
    Ok(ending)
}

/// Everything of the link on a thread of its own: what a NATS server sends never holds the thread of the checks.
fn link_thread(
    courier: Courier,
    cluster: ClusterSettings,
    end: tokio::sync::oneshot::Receiver<()>,
) -> Result<std::thread::JoinHandle<()>, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new()
        .name("link".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = courier.run(&cluster.server) => {}
                    _ = end => {}
                }
            });
        })?;
    Ok(thread)
}

fn nothing_due() -> Agenda {
    Agenda {
        zone: jiff::tz::TimeZone::UTC,
        entries: std::collections::BTreeMap::new(),
    }
}

/// What a list is read with.
#[derive(Clone)]
struct Here {
    environment: Environment,
    /// Where the names of files in a list are looked up: beside the probe's own file.
    directory: PathBuf,
    share: Option<Share>,
}

impl Here {
    fn of(start: &Start, probe: &ProbeSettings) -> Self {
        let full = start.environment.directory.join(&start.file);
        Self {
            environment: start.environment.clone(),
            directory: full.parent().map_or_else(PathBuf::new, PathBuf::from),
            share: probe.share,
        }
    }

    fn read(&self, list: &[u8]) -> Result<Applied, WireError> {
        probe_lists::apply(list, self.share, &self.environment, &self.directory)
    }
}

fn slots(config: &Config) -> u32 {
    let room = fd_limit::make_room(config.daemon.max_concurrent_checks);
    if let Some(warning) = room.warning {
        tracing::warn!("{warning}");
    }
    room.slots
}

async fn keep_calendar(agenda: watch::Receiver<Agenda>, scheduler: Handle, door: Door) {
    let fire = |firing: Firing| {
        for duty in &firing.duties {
            if let Duty::Check(monitor) = duty {
                cron_check(*monitor, &firing, &scheduler, &door);
            }
        }
    };
    if let Err(error) = cron_jobs::run(agenda, fire).await {
        tracing::error!(%error, "the calendar broke: cron monitors rest");
    }
}

fn cron_check(monitor: MonitorId, firing: &Firing, scheduler: &Handle, door: &Door) {
    let mut missed = firing.missed;
    if firing.in_time {
        scheduler.send(Command::Trigger {
            monitor,
            slot: firing.slot,
        });
    } else {
        let (first, count) = missed.unwrap_or((firing.slot, 0));
        missed = Some((first, count + 1));
    }
    if let Some((from, count)) = missed {
        door.push(Entry::Missed {
            monitor,
            from,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        });
    }
}

impl Running {
    /// A list of the hub: it is kept, so that a restart needs neither hub nor server.
    async fn hear_list(&mut self, version: u64, bytes: Vec<u8>) {
        if self
            .list
            .as_ref()
            .is_some_and(|(known, _)| *known == version)
        {
            return;
        }
        if let Err(error) = self.shared.spool().put_list(version, &bytes) {
            tracing::error!(target: targets::TROUBLE, "the list of monitors cannot be kept: {error}");
        }
        self.take_list(version, bytes.into()).await;
    }

    async fn take_list(&mut self, version: u64, bytes: Arc<[u8]>) {
        let (list, here) = (Arc::clone(&bytes), self.here.clone());
        // A hundred thousand monitors take seconds: not on the thread that checks.
        let applied = blocking::run(move || here.read(&list)).await;
        // Also one that cannot be read is known: it is not fetched again and again.
        self.shared.list_version.store(version, Relaxed);
        self.list = Some((version, bytes));
        let Applied {
            planned,
            monitors,
            agenda,
            unresolved,
        } = match applied {
            Ok(Ok(applied)) => applied,
            Ok(Err(why)) => {
                tracing::error!(
                    target: targets::TROUBLE,
                    "the hub's list of monitors cannot be used: {why}; the one before stays in force"
                );
                return;
            }
            Err(_) => {
                tracing::error!(target: targets::TROUBLE, "the hub's list of monitors could not be read");
                return;
            }
        };
        self.monitors = planned.len();
        tracing::info!("{} monitors from the hub", self.monitors);
        for (_, why) in unresolved.iter().take(10) {
            tracing::warn!(target: targets::TROUBLE, "a monitor cannot be checked here: {why}");
        }
        self.unresolved = unresolved;
        self.unresolved_at = None;
        self.shared.set_monitors(monitors);
        self.scheduler.send(Command::Replace {
            planned,
            slots: self.slots,
        });
        self.agenda.send_replace(agenda);
        service::status(&self.line());
    }

    /// Files that monitors name may have other content.
    async fn read_list_again(&mut self) {
        service::reloading();
        if let Some((version, bytes)) = self.list.clone() {
            self.take_list(version, bytes).await;
        }
        service::ready(&self.line());
    }

    fn look_after(&mut self, now: Timestamp) {
        self.health.standstill.beat();
        service::catch_up();
        let alive_at = Timestamp::from_ms(self.shared.alive_at.load(Relaxed));
        if now.since(alive_at) < SPOOLER_STUCK {
            service::watchdog();
        } else {
            tracing::error!(target: targets::TROUBLE, "the spool stands still: the watchdog is not fed");
        }
        let line = self.line();
        if line != self.shown {
            service::status(&line);
            self.shown = line;
        }
        let is_time = self
            .unresolved_at
            .is_none_or(|at| now < at || now.since(at) >= UNRESOLVED_EVERY);
        if is_time && !self.unresolved.is_empty() {
            self.unresolved_at = Some(now);
            for (monitor, why) in &self.unresolved {
                self.door.push(Entry::Checked {
                    monitor: *monitor,
                    check: Box::new(probe_lists::unresolved(why, now)),
                });
            }
        }
    }

    /// The unit's status.
    fn line(&self) -> String {
        let linked = match *self.is_linked.borrow() {
            true => "connected",
            false => "not connected to the NATS server",
        };
        let waiting = self.shared.spool().waiting();
        let mut line = format!(
            "{} monitors, {linked}, {waiting} frames wait for the hub",
            self.monitors
        );
        if !self.unresolved.is_empty() {
            line.push_str(&format!(
                ", {} monitors cannot be checked here",
                self.unresolved.len()
            ));
        }
        line
    }
}
