//! The daemon from its first line to its last: opens everything, runs it, and takes it down in order.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::calendar;
use super::checking::Live;
use super::duties::Duties;
use super::health::Health;
use super::heartbeat;
use super::orders::Desk;
use super::recorder::Recorder;
use super::recorder_entry::{Enrolled, Entry, Outcome, Turn};
use super::recorder_queue::queue;
use super::recorder_thread::{self, Ended};
use super::reload;
use super::running::{self, Force, Parts, Running};
use super::scheduler::{Command, Handle, Scheduler};
use super::socket::{ControlSocket, SocketError};
use super::supervisor::Supervisor;
use crate::clock;
use crate::config::{Config, Environment};
use crate::domain::notice::{News, Notice};
use crate::domain::timestamp::Timestamp;
use crate::probe::{ProbeSetupError, Prober};
use crate::service;
use crate::store::error::StoreError;
use crate::store::writer::Store;

/// While the database is migrated or checked, systemd is asked for this much more time ..
const PATIENCE: Duration = Duration::from_secs(30);
/// .. this often.
const PATIENCE_EVERY: Duration = Duration::from_secs(10);

/// After the grace for checks and mails, the recorder gets this long to write what is left.
const LAST_WRITE: Duration = Duration::from_secs(20);

/// What the daemon starts with.
pub struct Start {
    /// The configuration; its database is `--database` where that was given.
    pub config: Config,
    /// Where it came from.
    pub file: PathBuf,
    /// `--database`
    pub database: Option<PathBuf>,
    /// The environment of the process.
    pub environment: Environment,
}

/// How the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Ending {
    /// As asked, everything written.
    Orderly,
    /// By a second signal, or because something did not end in time: what is not written is lost.
    Forced,
}

/// What the machine refused.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database.
    #[error("cannot {0}")]
    Store(#[from] StoreError),
    /// The control socket.
    #[error("cannot {0}")]
    Socket(#[from] SocketError),
    /// The TLS parts.
    #[error("cannot {0}")]
    Probe(#[from] ProbeSetupError),
    /// Threads, signals, timers.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// The database broke while it was in use.
    #[error("the database is damaged: {0}; the next start sets it aside and begins a new one")]
    Damaged(String),
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// What the machine refused.
pub fn run(start: Start) -> Result<Ending, RunError> {
    service::status("opening the database");
    let now = clock::now();
    let (store, set_aside) = patiently(|| open_store(&start.config.daemon.database, now))?;
    let config = Arc::new(start.config.clone());
    let (recorder, enrolled) = patiently(|| Recorder::open(store, Arc::clone(&config), now))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ending = runtime.block_on(live(start, config, recorder, enrolled, set_aside));
    // A name lookup or a check that hangs must not keep the process.
    runtime.shutdown_background();
    ending
}

/// Opens the database; a damaged one is set aside, since watching goes before remembering.
fn open_store(path: &Path, now: Timestamp) -> Result<(Store, Option<String>), StoreError> {
    Ok((Store::open(path, now)?, None))
}

/// Does what may take long and asks systemd for patience meanwhile.
fn patiently<T>(work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || {
            while is_done.recv_timeout(PATIENCE_EVERY) == Err(RecvTimeoutError::Timeout) {
                service::extend_timeout(PATIENCE);
                service::status("bringing the database up to date");
            }
        });
        let outcome = work();
        drop(done);
        outcome
    })
}

/// Everything that has to be ended.
struct Household {
    running: Arc<Running>,
    scheduler: JoinHandle<u32>,
    recorder: std::thread::JoinHandle<Ended>,
    control: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

async fn live(
    start: Start,
    config: Arc<Config>,
    recorder: Recorder,
    enrolled: Enrolled,
    set_aside: Option<String>,
) -> Result<Ending, RunError> {
    let mut signals = Signals::listen()?;
    let socket = ControlSocket::bind(&config.daemon.control_socket)?;
    let mut household = assemble(start, Arc::clone(&config), recorder, &enrolled, socket)?;
    let running = Arc::clone(&household.running);
    if let Some(detail) = set_aside {
        running.door.push(trouble("database", detail));
    }
    announce(&config);
    service::ready(&running.line(clock::now()));
    let supervisor = Supervisor(Arc::clone(&running));
    household.others.push(tokio::spawn(supervisor.run()));
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::Stop => break,
                Told::Reload => {
                    let running = Arc::clone(&running);
                    tokio::spawn(async move { reload::reload(&running).await });
                }
            },
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                if household.recorder.is_finished() {
                    break;
                }
            }
        }
    }
    let grace = running.force().config.daemon.shutdown_grace;
    let ending = tokio::select! {
        ending = take_down(household, grace) => ending,
        () = signals.second() => {
            tracing::warn!("a second signal: ending at once");
            Ok(Ending::Forced)
        }
    };
    tracing::info!("stopped");
    ending
}

fn assemble(
    start: Start,
    config: Arc<Config>,
    recorder: Recorder,
    enrolled: &Enrolled,
    socket: ControlSocket,
) -> Result<Household, RunError> {
    let now = clock::now();
    let health = Arc::new(Health::new(now));
    let prober = Arc::new(Prober::new(&config.dns)?);
    let (door, entries) = queue();
    let (scheduler, commands) = Handle::new();
    let board = recorder.board();
    let live = Arc::new(Live::new(
        running::tools(&config, &prober),
        door.clone(),
        Arc::clone(&health),
        now,
    ));
    let (agenda, agenda_seen) = watch::channel(running::agenda(&config, enrolled));
    let (heartbeat, heartbeat_seen) = watch::channel(None);
    let running = Arc::new(Running::new(
        Parts {
            file: start.file,
            environment: start.environment,
            database: start.database,
            health: Arc::clone(&health),
            board,
            door: door.clone(),
            scheduler: scheduler.clone(),
            live: Arc::clone(&live),
            agenda,
            heartbeat,
        },
        Force::new(Arc::clone(&config), enrolled, now),
    ));
    let recorder = recorder_thread::spawn(
        recorder,
        entries,
        door,
        Arc::clone(&health),
        move |outcome| pass_on(outcome, &scheduler),
    )?;
    let scheduling = Scheduler::new(live, Arc::clone(&health), commands);
    let scheduler = tokio::spawn(scheduling.run());
    let duties = Duties::new(Arc::clone(&running));
    let calendar = tokio::spawn(async move {
        if let Err(error) = calendar::run(agenda_seen, |firing| duties.fire(firing)).await {
            tracing::error!(%error, "the calendar broke: cron monitors, settling and reports rest");
        }
    });
    running.spread(&config, enrolled, &prober);
    let heartbeat = tokio::spawn(heartbeat::run(heartbeat_seen, health));
    let control = tokio::spawn(socket.serve(Arc::new(Desk(Arc::clone(&running)))));
    Ok(Household {
        running,
        scheduler,
        recorder,
        control,
        others: vec![calendar, heartbeat],
    })
}

/// The recorder's wishes, from its thread.
fn pass_on(outcome: Outcome, scheduler: &Handle) {
    for turn in outcome.turns {
        match turn {
            Turn::CheckAt { monitor, at } => scheduler.check_at(monitor, at),
            Turn::CheckNow {
                monitor,
                unless_since,
            } => scheduler.check_now(monitor, unless_since),
            Turn::SetPaused { monitor, paused } => {
                scheduler.send(Command::SetPaused { monitor, paused });
            }
        }
    }
}

fn announce(config: &Config) {
    let monitors = config
        .monitors
        .iter()
        .filter(|monitor| monitor.enabled)
        .count();
    tracing::info!(
        monitors,
        database = %config.daemon.database.display(),
        control_socket = %config.daemon.control_socket.display(),
        "sitewatch {} watches by {}", env!("CARGO_PKG_VERSION"), config.file.display()
    );
    if config.email.is_none() {
        tracing::warn!("there is no [email]: checks are recorded, nothing is mailed");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

fn trouble(what: &str, detail: String) -> Entry {
    Entry::Say {
        notice: Box::new(Notice {
            about: None,
            news: News::Trouble {
                what: what.to_owned(),
                detail,
            },
            decided_at: clock::now(),
        }),
        to: None,
    }
}

/// Ends everything: first the checks, then what they led to, then the database.
async fn take_down(household: Household, grace: Duration) -> Result<Ending, RunError> {
    let Household {
        running,
        scheduler,
        recorder,
        control,
        others,
    } = household;
    service::stopping("stopping: checks on their way end first");
    tracing::info!("stopping: checks on their way end first");
    control.abort();
    running.scheduler.send(Command::Stop { grace });
    let left_behind = scheduler.await.unwrap_or(0);
    if left_behind > 0 {
        tracing::warn!(left_behind, "checks did not end within shutdown_grace");
    }
    running.live.close(clock::now());
    for other in others {
        other.abort();
    }
    running.door.push(Entry::Stop);
    match ended(recorder, clock::tick() + LAST_WRITE).await {
        Some(Ended::Stopped(_)) => Ok(Ending::Orderly),
        Some(Ended::Damaged(error)) => Err(RunError::Damaged(error)),
        None => {
            tracing::error!("the database did not take the last writes in time");
            Ok(Ending::Forced)
        }
    }
}

/// The recorder's end, if it comes in time.
async fn ended(recorder: std::thread::JoinHandle<Ended>, until: Instant) -> Option<Ended> {
    while !recorder.is_finished() {
        if clock::tick() >= until {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    recorder
        .join()
        .inspect_err(|_| tracing::error!("the recorder panicked; this is a bug"))
        .ok()
}

enum Told {
    Stop,
    Reload,
}

/// SIGTERM and SIGINT stop, SIGHUP reloads.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }

    /// The next one that stops.
    async fn second(&mut self) {
        while matches!(self.next().await, Told::Reload) {}
    }
}
