//! The daemon from its first line to its last: opens everything, runs it, and takes it down in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::active::{self, Force, Parts, Running};
use super::announcement::announce;
use super::checks::local::Live;
use super::cluster::{hub, probe};
use super::control::held_windows::take_up_windows;
use super::control::reload;
use super::control::requests::Desk;
use super::control::socket::ControlSocket;
use super::health::counters::{Health, States};
use super::health::database_doubts::Doubts;
use super::health::disk_wait::DiskWait;
use super::health::heartbeat;
use super::health::watchdog::Supervisor;
use super::hubs::gate::Gate;
use super::hubs::standby::{self, Claim, Elected};
use super::logging::targets;
use super::notifier::run;
use super::opening::{OPENING, Opened, open};
use super::process::check_runtime;
use super::process::fd_limit;
use super::process::malloc_trim;
use super::process::parent_pipe::Leash;
use super::process::patience::{Waited, patiently};
pub use super::process::signals::Ending;
use super::process::signals::{Signals, Told};
use super::recorder::evidence::Keeper;
use super::recorder::evidence_shelf::Shelf;
use super::recorder::message::Entry;
use super::recorder::queue::{Door, queue};
use super::recorder::thread::{self, Ended};
pub use super::run_error::RunError;
use super::schedule::cron_jobs;
use super::schedule::duties::Duties;
use super::schedule::scheduler::{Command, Handle, Scheduler};
use super::source_lists::rounds;
use super::web::server::WebServer;
use super::web::sources::Sources;
use super::wishes::pass_on;
use crate::blocking;
use crate::clock;
use crate::config::{Config, Environment};
use crate::domain::cluster::ClusterRole;
use crate::domain::notification::{News, Notice};
use crate::probe::Prober;
use crate::service;
use crate::store::error::StoreError;
use crate::store::file::corruption;
use crate::store::reader::open_readers;

/// After the grace for checks and mails, the recorder gets this long to write what is left.
const LAST_WRITE: Duration = Duration::from_secs(20);

/// A disk that damages a new database again and again is beyond help ..
const SET_ASIDE_MAX: usize = 3;
/// .. where that happens within this time.
const SET_ASIDE_WITHIN: Duration = Duration::from_secs(3600);

/// How often it is looked whether the recorder still runs.
const RECORDER_LOOKED_AT: Duration = Duration::from_secs(1);

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
    /// Whether it ends with the process that holds the other end of its standard input.
    pub is_leashed: bool,
}

/// How one life of the daemon ended.
#[must_use]
enum Life {
    /// The daemon ends.
    Ended(Ending),
    /// Another hub leads: this one follows it.
    Overtaken,
}

/// Runs the daemon until it is told to stop. A database that turns out to be damaged is set aside and a
/// new one begun: watching goes before remembering.
///
/// # Errors
/// What the machine refused.
pub fn run(start: &Start) -> Result<Ending, RunError> {
    if let Some(allowed) = fd_limit::too_few() {
        return Err(RunError::Descriptors(allowed));
    }
    let cluster = start.config.cluster.as_deref();
    if let Some((cluster, ClusterRole::Probe(own))) =
        cluster.map(|cluster| (cluster, &cluster.role))
    {
        return probe::run(start, cluster, own);
    }
    let config = Arc::new(start.config.clone());
    let mut set_aside: Vec<Instant> = Vec::new();
    let mut told = None;
    let mut doubts = Doubts::default();
    let mut was_overtaken = false;
    let mut disk = DiskWait::default();
    loop {
        match led_once(start, &config, told.take(), (was_overtaken, &mut disk)) {
            Err(RunError::Store(why)) if why.is_damage() => {
                set_aside.retain(|at| clock::tick() - *at < SET_ASIDE_WITHIN);
                if set_aside.len() >= SET_ASIDE_MAX {
                    return Err(why.into());
                }
                disk.rest();
                told = match doubts.set_aside(&config, &why, &mut disk, start.is_leashed)? {
                    Waited::Done(told) => told,
                    Waited::Stopped(ending) => return Ok(ending),
                };
                set_aside.extend(told.as_ref().map(|_| clock::tick()));
                continue;
            }
            Ok(Life::Overtaken) => was_overtaken = true,
            Ok(Life::Ended(ending)) => return Ok(ending),
            Err(why) => return Err(why),
        }
        disk.rest();
    }
}

/// Runs until it ends or another hub leads; before that, a hub finds out whether it leads.
fn led_once(
    start: &Start,
    config: &Arc<Config>,
    set_aside: Option<String>,
    (was_overtaken, disk): (bool, &mut DiskWait),
) -> Result<Life, RunError> {
    let cluster = start.config.cluster.as_deref();
    let Some((cluster, ClusterRole::Hub(own))) = cluster.map(|cluster| (cluster, &cluster.role))
    else {
        return run_once(start, config, set_aside, (None, disk));
    };
    let elected = loop {
        match standby::run(start, (cluster, own), was_overtaken) {
            Err(RunError::Store(error)) if error.is_about_disk() => {
                match disk.pass(config, &error, start.is_leashed)? {
                    Waited::Done(()) => {}
                    Waited::Stopped(ending) => return Ok(Life::Ended(ending)),
                }
            }
            elected => break elected?,
        }
    };
    match elected {
        Elected::Ended(ending) => Ok(Life::Ended(ending)),
        Elected::Leads(config, claim) => {
            let start = Start {
                config: *config,
                file: start.file.clone(),
                database: start.database.clone(),
                environment: start.environment.clone(),
                is_leashed: start.is_leashed,
            };
            let config = Arc::new(start.config.clone());
            run_once(&start, &config, set_aside, (Some(claim), disk))
        }
    }
}

fn run_once(
    start: &Start,
    config: &Arc<Config>,
    set_aside: Option<String>,
    (claim, disk): (Option<Claim>, &mut DiskWait),
) -> Result<Life, RunError> {
    malloc_trim::keep_in_bounds();
    service::status("opening the database");
    let mut opened = loop {
        let to_open = Arc::clone(config);
        let opening = move || open(&to_open, clock::now());
        let error = match patiently(OPENING, start.is_leashed, opening)? {
            Waited::Done(Err(error)) if error.is_about_disk() => error,
            Waited::Done(opened) => break opened?,
            Waited::Stopped(ending) => return Ok(Life::Ended(ending)),
        };
        match disk.pass(config, &error, start.is_leashed)? {
            Waited::Done(()) => {}
            Waited::Stopped(ending) => return Ok(Life::Ended(ending)),
        }
    };
    let mut news = Vec::new();
    news.extend(disk.over().map(say));
    let runtime = check_runtime::new()?;
    let config = Arc::clone(&opened.config);
    for detail in set_aside.into_iter().chain(disk.take_set_aside()) {
        opened.recorder.tell_of_set_aside(detail, clock::now());
    }
    let ending = runtime.block_on(live(start, config, (opened, claim), news));
    // A name lookup or a check that hangs must not keep the process.
    runtime.shutdown_background();
    ending
}

/// Everything that has to be ended.
struct Household {
    running: Arc<Running>,
    scheduler: JoinHandle<u32>,
    recorder: std::thread::JoinHandle<Ended>,
    control: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    web: Option<WebServer>,
    link: Option<hub::Link>,
}

async fn live(
    start: &Start,
    config: Arc<Config>,
    (opened, claim): (Opened, Option<Claim>),
    news: Vec<Entry>,
) -> Result<Life, RunError> {
    let leash = match start.is_leashed {
        true => Leash::of_standard_input()?,
        false => Leash::none(),
    };
    let mut signals = Signals::listen(leash)?;
    let mut is_abandoned = false;
    let socket = ControlSocket::bind(&config.daemon.control_socket)?;
    // Reloads, mails and the outbox need one beside those that have a name.
    blocking::run(|| ()).await?;
    let mut household = assemble(start, &config, (opened, claim), socket)?;
    let running = Arc::clone(&household.running);
    let gate = running.gate();
    announce(&config);
    for entry in news {
        running.door.push(entry);
    }
    service::ready(&running.line(clock::now()));
    tokio::spawn(malloc_trim::give_back());
    let supervisor = Supervisor(Arc::clone(&running));
    household.others.push(tokio::spawn(supervisor.run()));
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::Stop => break,
                Told::Abandoned => {
                    is_abandoned = true;
                    break;
                }
                Told::Reload => {
                    let running = Arc::clone(&running);
                    tokio::spawn(async move { reload::reload(&running, false, None).await });
                }
            },
            () = gate.overtaken() => return tokio::select! {
                ended = after_overtaking(household) => ended,
                ending = signals.told_to_end() => Ok(Life::Ended(ending)),
            },
            () = tokio::time::sleep(RECORDER_LOOKED_AT) => {
                // By itself it ends only when the database is damaged.
                if household.recorder.is_finished() {
                    return tokio::select! {
                        ended = after_damage(household) => ended,
                        ending = signals.told_to_end() => Ok(Life::Ended(ending)),
                    };
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
    match ending {
        Ok(Ending::Orderly) if is_abandoned => Ok(Life::Ended(Ending::Abandoned)),
        ending => ending.map(Life::Ended),
    }
}

/// Starts every part. The first checks are planned when it returns.
fn assemble(
    start: &Start,
    config: &Arc<Config>,
    (opened, claim): (Opened, Option<Claim>),
    socket: ControlSocket,
) -> Result<Household, RunError> {
    let Opened {
        mut recorder,
        enrolled,
        database_id,
        lists,
        ..
    } = opened;
    let now = clock::now();
    let health = Arc::new(Health::new(now));
    let prober = Arc::new(Prober::new(&config.dns)?);
    let (door, entries) = queue();
    let (scheduler, commands) = Handle::new();
    let (shown, shown_seen) = watch::channel(Arc::clone(config));
    let (agenda, agenda_seen) = watch::channel(active::agenda(config, &enrolled));
    let (heartbeat, heartbeat_seen) = watch::channel(None);
    let board = recorder.board();
    health.set_states(States {
        // The recorder counts them within a second.
        pending: u32::try_from(board.len()).unwrap_or(u32::MAX),
        ..States::default()
    });
    let sources = Sources {
        board: board.clone(),
        health: Arc::clone(&health),
        config: shown_seen,
        database: config.daemon.database.clone(),
        database_id,
    };
    let web = open_web(config, sources)?;
    let tools = active::tools(config, &prober);
    let unfinished = recorder.unfinished_blind_time();
    let shelf = Shelf::default();
    recorder.keep_evidence(Keeper::new(shelf.clone(), door.clone()));
    let doors = (door.clone(), shelf);
    let live = Live::new(tools, doors, Arc::clone(&health), now, unfinished);
    let (cluster, link) = match open_link(config, claim, &door)? {
        Some((handle, link)) => (Some(handle), Some(link)),
        None => (None, None),
    };
    let gate = cluster
        .as_ref()
        .map_or_else(Gate::open, |cluster| cluster.gate.clone());
    let (notifier, notifying) = run::start(
        Arc::clone(config),
        board.clone(),
        door.clone(),
        (Arc::clone(&health), gate),
    )?;
    let parts = Parts {
        cluster: cluster.clone(),
        file: start.file.clone(),
        environment: start.environment.clone(),
        database: start.database.clone(),
        health: Arc::clone(&health),
        board,
        door: door.clone(),
        scheduler: scheduler.clone(),
        live: Arc::clone(&live),
        notifier: notifier.clone(),
        shown,
        agenda,
        heartbeat,
    };
    let force = Force::new(Arc::clone(config), &enrolled, now);
    let running = Arc::new(Running::new(parts, force));
    let tell = move |outcome| pass_on(outcome, &scheduler, &notifier, cluster.as_ref());
    let recorder = thread::spawn(recorder, entries, door, Arc::clone(&health), tell)?;
    let scheduling = Scheduler::new(live, Arc::clone(&health), commands);
    running.spread(config, &enrolled, &prober);
    take_up_windows(&running, &enrolled);
    for (key, entries) in lists {
        let known = rounds::known_at_start(entries);
        running.lists.change(&key, |list| *list = known);
    }
    rounds::begin(&running);
    Ok(Household {
        scheduler: tokio::spawn(scheduling.run()),
        recorder,
        control: tokio::spawn(socket.serve(Arc::new(Desk(Arc::clone(&running))))),
        others: vec![
            tokio::spawn(keep_calendar(
                agenda_seen,
                Duties::new(Arc::clone(&running)),
            )),
            tokio::spawn(heartbeat::run(heartbeat_seen, health)),
            notifying,
        ],
        web,
        link,
        running,
    })
}

/// The link to the probes of a hub.
fn open_link(
    config: &Config,
    claim: Option<Claim>,
    door: &Door,
) -> Result<Option<(hub::Handle, hub::Link)>, RunError> {
    let (Some(cluster), Some(claim)) = (&config.cluster, claim) else {
        return Ok(None);
    };
    match &cluster.role {
        ClusterRole::Hub(own) => {
            let claim = (claim, config.daemon.database.clone());
            let started = hub::start(Arc::clone(cluster), own.clone(), claim, door.clone())?;
            Ok(Some(started))
        }
        ClusterRole::Probe(_) => Ok(None),
    }
}

async fn keep_calendar(agenda: watch::Receiver<cron_jobs::Agenda>, duties: Duties) {
    if let Err(error) = cron_jobs::run(agenda, |firing| duties.fire(firing)).await {
        tracing::error!(%error, "the calendar broke: cron monitors, settling and reports rest");
    }
}

fn open_web(config: &Config, sources: Sources) -> Result<Option<WebServer>, RunError> {
    let Some(web) = &config.web else {
        return Ok(None);
    };
    let listen = web.listen;
    let server =
        WebServer::start(listen, sources).map_err(|source| RunError::Web { listen, source })?;
    tracing::info!("the status page is on http://{}/", server.address());
    Ok(Some(server))
}

/// News about us for everybody who is told of it.
fn say(news: News) -> Entry {
    Entry::Say {
        notice: Box::new(Notice {
            about: None,
            news,
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
        web,
        link,
    } = household;
    service::stopping("stopping: waiting for running checks");
    tracing::info!("stopping: waiting for running checks");
    control.abort();
    running.lists.set_tasks(Vec::new());
    let until = clock::tick() + grace;
    running.scheduler.send(Command::Stop { grace });
    let left_behind = scheduler.await.unwrap_or(0);
    if left_behind > 0 {
        tracing::warn!(left_behind, "checks did not end within shutdown_grace");
    }
    running.notifier.stop(until).await;
    for other in others {
        other.abort();
    }
    drop(web);
    running.door.push(Entry::Stop);
    let ended = ended(recorder, clock::tick() + LAST_WRITE).await;
    // After the last write, since the other hub has everything then, and knows that it may lead.
    drop(link);
    match ended {
        Some(Ended::Stopped(_)) => Ok(Ending::Orderly),
        Some(Ended::Unusable { why, store }) => {
            tracing::error!(target: targets::TROUBLE, "the last writes are lost: {why}");
            if matches!(why, StoreError::Overwritten) {
                let path = store.path().to_owned();
                drop(store);
                // The next start is with what was put there, and the log would be replayed into it.
                corruption::set_log_aside(&path, clock::now())?;
            }
            Ok(Ending::Forced)
        }
        None => {
            tracing::error!("the database did not take the last writes in time");
            Ok(Ending::Forced)
        }
    }
}

/// The recorder ended by itself: everything else goes, too, before a new one can begin.
async fn after_damage(household: Household) -> Result<Life, RunError> {
    service::status("the database is damaged or another's; NO SITE IS WATCHED for a moment");
    let until = clock::tick() + LAST_WRITE;
    household.control.abort();
    household.running.lists.set_tasks(Vec::new());
    household.scheduler.abort();
    household.running.notifier.stop(clock::tick()).await;
    for other in household.others {
        other.abort();
    }
    drop(household.web);
    drop(household.link);
    match ended(household.recorder, until).await {
        Some(Ended::Unusable { why, store }) => {
            let is_alone = readers_are_gone(store.path(), until).await;
            match (why, is_alone) {
                // What was written over the file is set aside: none of its readers is in the way.
                (why @ StoreError::Overwritten, _) | (why, true) => Err(why.into()),
                (_, false) => Err(RunError::Broken("a reader of the database")),
            }
        }
        Some(Ended::Stopped(_)) | None => Err(RunError::Broken("recorder")),
    }
}

/// Whether nothing in this process reads the database any more, at the latest then. Before that neither the store may
/// be dropped nor the file be opened again: closing a file lets go of all locks that the process has on it, and SQLite
/// would not know. Then another program could take the log away under the running daemon.
async fn readers_are_gone(database: &Path, until: Instant) -> bool {
    while open_readers(database) > 0 {
        if clock::tick() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

/// Another hub leads: nothing leaves here any more, and what this hub has not told is told there.
async fn after_overtaking(household: Household) -> Result<Life, RunError> {
    tracing::error!(target: targets::TROUBLE, "another hub leads: this one tells nothing any more, and follows it");
    service::status("another hub leads");
    household.control.abort();
    household.running.lists.set_tasks(Vec::new());
    household.scheduler.abort();
    household.running.notifier.stop(clock::tick()).await;
    for other in household.others {
        other.abort();
    }
    drop(household.web);
    household.running.door.push(Entry::Stop);
    let until = clock::tick() + LAST_WRITE;
    let ended = ended(household.recorder, until).await;
    drop(household.link);
    match ended {
        Some(Ended::Stopped(store)) => match readers_are_gone(store.path(), until).await {
            true => Ok(Life::Overtaken),
            false => Err(RunError::Broken("a reader of the database")),
        },
        Some(Ended::Unusable { why, .. }) => Err(why.into()),
        None => Err(RunError::Broken("recorder")),
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
