//! The daemon as its orders and its reloads see it: the configuration in force and the ways to all parts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::checks::canaries::Aviary;
use super::checks::local::{Live, Tools};
use super::cluster::hub;
use super::control::held_windows::HeldWindows;
use super::health::counters::Health;
use super::health::live_status::Board;
use super::health::self_check;
use super::hubs::gate::Gate;
use super::notifier::run;
use super::process::fd_limit;
use super::recorder::message::Enrolled;
use super::recorder::queue::Door;
use super::schedule::cron_jobs::{Agenda, Duty};
use super::schedule::recheck_limit::Rechecks;
use super::schedule::scheduler::{Command, Handle};
use super::schedule::timetable::Planned;
use super::source_lists::shelf::Shelf;
use crate::clock;
use crate::config::{Config, Environment};
use crate::domain::monitor::{CronText, Monitor, MonitorId, MonitorName, Schedule};
use crate::domain::settings::HeartbeatSettings;
use crate::domain::timestamp::Timestamp;
use crate::probe::Prober;

/// Settling leaves the minute of the hour to cron jobs of others.
const SETTLE_AT: &str = "20 4 * * * *";
/// Thousands of checks a second fill the journal before the hour is over.
const SETTLE_IF_LONG_AT: &str = "50 * * * * *";
/// Twice a minute: an outage of a minute may be all that a strict objective allows.
const BURNS_AT: &str = "10,40 * * * * *";
/// Retention runs when people sleep.
const RETAIN_AT: &str = "40 17 3 * * *";

/// What the heartbeat is told.
pub type HeartbeatOrders = Option<(HeartbeatSettings, Arc<Prober>)>;

/// One daemon at work.
pub struct Running {
    /// Where the configuration came from and comes from again.
    pub file: PathBuf,
    /// The environment of the process: `${NAME}` means the same at every reload.
    pub environment: Environment,
    /// `--database`, which goes before the file also at a reload.
    pub database: Option<PathBuf>,
    /// The counters.
    pub health: Arc<Health>,
    /// What the monitors show.
    pub board: Board,
    /// The recorder's.
    pub door: Door,
    /// The scheduler's.
    pub scheduler: Handle,
    /// The wire and our own line.
    pub live: Arc<Live>,
    /// The notifier's.
    pub notifier: run::Handle,
    /// The status page's.
    pub shown: watch::Sender<Arc<Config>>,
    /// The calendar's.
    pub agenda: watch::Sender<Agenda>,
    /// The heartbeat's.
    pub heartbeat: watch::Sender<HeartbeatOrders>,
    /// The link to other locations, where there are any.
    pub cluster: Option<hub::Handle>,
    /// One reload at a time.
    pub reloading: tokio::sync::Mutex<()>,
    /// What is known of the lists of `[[source]]`.
    pub lists: Shelf,
    /// Maintenance windows that last as long as a command.
    pub held_windows: HeldWindows,
    force: RwLock<Force>,
    refused: Mutex<Option<String>>,
    rechecks: Mutex<Rechecks>,
}

/// What is in force.
#[derive(Debug, Clone)]
pub struct Force {
    /// The configuration.
    pub config: Arc<Config>,
    /// The numbers of its monitors.
    pub ids: Arc<HashMap<MonitorName, MonitorId>>,
    /// Since when.
    pub since: Timestamp,
}

impl Force {
    /// A configuration with the numbers that the database gave its monitors.
    pub fn new(config: Arc<Config>, enrolled: &Enrolled, now: Timestamp) -> Self {
        Self {
            config,
            ids: Arc::new(enrolled.ids.iter().cloned().collect()),
            since: now,
        }
    }

    /// The same after a list changed.
    pub fn amended(
        &self,
        config: Arc<Config>,
        removed: &[MonitorName],
        enrolled: &Enrolled,
    ) -> Self {
        let mut ids = HashMap::clone(&self.ids);
        for name in removed {
            ids.remove(name);
        }
        ids.extend(enrolled.ids.iter().cloned());
        Self {
            config,
            ids: Arc::new(ids),
            // The time of the configuration is that of its files.
            since: self.since,
        }
    }
}

/// The ways to all parts, to put a [`Running`] together.
pub struct Parts {
    /// See [`Running::file`].
    pub file: PathBuf,
    /// See [`Running::environment`].
    pub environment: Environment,
    /// See [`Running::database`].
    pub database: Option<PathBuf>,
    /// See [`Running::health`].
    pub health: Arc<Health>,
    /// See [`Running::board`].
    pub board: Board,
    /// See [`Running::door`].
    pub door: Door,
    /// See [`Running::scheduler`].
    pub scheduler: Handle,
    /// See [`Running::live`].
    pub live: Arc<Live>,
    /// See [`Running::notifier`].
    pub notifier: run::Handle,
    /// See [`Running::shown`].
    pub shown: watch::Sender<Arc<Config>>,
    /// See [`Running::agenda`].
    pub agenda: watch::Sender<Agenda>,
    /// See [`Running::heartbeat`].
    pub heartbeat: watch::Sender<HeartbeatOrders>,
    /// See [`Running::cluster`].
    pub cluster: Option<hub::Handle>,
}

impl Running {
    /// A daemon whose parts run.
    pub fn new(parts: Parts, force: Force) -> Self {
        let Parts {
            file,
            environment,
            database,
            health,
            board,
            door,
            scheduler,
            live,
            notifier,
            shown,
            agenda,
            heartbeat,
            cluster,
        } = parts;
        Self {
            file,
            environment,
            database,
            health,
            board,
            door,
            scheduler,
            live,
            notifier,
            shown,
            agenda,
            heartbeat,
            cluster,
            reloading: tokio::sync::Mutex::new(()),
            lists: Shelf::default(),
            held_windows: HeldWindows::default(),
            force: RwLock::new(force),
            refused: Mutex::new(None),
            rechecks: Mutex::default(),
        }
    }

    /// What is in force.
    pub fn force(&self) -> Force {
        let force = self.force.read().unwrap_or_else(PoisonError::into_inner);
        force.clone()
    }

    /// Another configuration is in force from now on.
    pub fn set_force(&self, force: Force) {
        self.shown.send_replace(Arc::clone(&force.config));
        *self.force.write().unwrap_or_else(PoisonError::into_inner) = force;
    }

    /// A refused reload stays in the unit's status until one is accepted.
    pub fn set_refused(&self, line: Option<String>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }

    /// Takes so many rechecks of all `monitors`.
    ///
    /// # Errors
    /// After what time they can be had.
    pub(super) fn take_rechecks(&self, wanted: usize, monitors: usize) -> Result<(), Duration> {
        let mut rechecks = self.rechecks.lock().unwrap_or_else(PoisonError::into_inner);
        rechecks.take(wanted, monitors, clock::tick())
    }

    /// What messages pass before they leave.
    pub fn gate(&self) -> Gate {
        let cluster = self.cluster.as_ref();
        cluster.map_or_else(Gate::open, |cluster| cluster.gate.clone())
    }

    /// Whether this hub leads: 1, 0; without `[cluster]` -1.
    pub fn leads(&self) -> i64 {
        let cluster = self.cluster.as_ref();
        cluster.map_or(-1, |cluster| i64::from(cluster.gate.is_open()))
    }

    /// The unit's status.
    pub fn line(&self, now: Timestamp) -> String {
        let refused = self
            .refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let has_email = self.force().config.has_way_out();
        let mails = has_email.then(|| self.health.mails_waiting.load(Relaxed));
        let states = self.health.states();
        let mut troubles = self_check::troubles(&self.health);
        troubles.extend(self_check::notes(&self.health));
        troubles.extend(self_check::heartbeat(&self.health));
        troubles.extend(self_check::blind(&self.health, now));
        troubles.extend(self_check::pause(&self.health, now).filter(|_| has_email));
        let line = self_check::line(&states, mails, &troubles, now);
        match refused {
            Some(refused) if states.down == 0 && troubles.is_empty() => refused,
            Some(refused) => format!("{refused}; {line}"),
            None => line,
        }
    }

    /// Gives the scheduler, the calendar and the heartbeat what a configuration means for them.
    pub fn spread(&self, config: &Config, enrolled: &Enrolled, prober: &Arc<Prober>) {
        let room = fd_limit::make_room(config.daemon.max_concurrent_checks);
        if let Some(warning) = room.warning {
            tracing::warn!("{warning}");
        }
        self.scheduler.send(Command::Replace {
            planned: planned(config, enrolled, &self.board),
            slots: room.slots,
        });
        self.agenda.send_replace(agenda(config, enrolled));
        if let Some(cluster) = &self.cluster {
            cluster.watch(&self.force(), enrolled);
        }
        self.heartbeat.send_replace(
            config
                .heartbeat
                .clone()
                .map(|settings| (settings, Arc::clone(prober))),
        );
    }
}

/// What checks with this configuration use.
pub fn tools(config: &Config, prober: &Arc<Prober>) -> Tools {
    Tools {
        canaries: Arc::new(Aviary::new(config.canaries.clone(), Arc::clone(prober))),
        prober: Arc::clone(prober),
    }
}

/// The enabled monitors with their numbers.
fn enabled<'a>(
    config: &'a Config,
    enrolled: &Enrolled,
) -> impl Iterator<Item = (&'a Arc<Monitor>, MonitorId)> {
    let ids: HashMap<MonitorName, MonitorId> = enrolled.ids.iter().cloned().collect();
    config
        .monitors
        .iter()
        .filter(|monitor| monitor.enabled && is_checked_here(config, monitor))
        .filter_map(move |monitor| Some((monitor, *ids.get(&monitor.name)?)))
}

fn planned(config: &Config, enrolled: &Enrolled, board: &Board) -> Vec<Planned> {
    let here = config.monitors.iter();
    let here = here.filter(|monitor| is_checked_here(config, monitor));
    planned_of(here, enrolled, board)
}

/// Whether this process checks a monitor itself: a hub only what its own location checks.
fn is_checked_here(config: &Config, monitor: &Monitor) -> bool {
    let Some(places) = config.places() else {
        return true;
    };
    let quorum = monitor.rules.quorum.as_ref();
    quorum
        .zip(places.here.as_ref())
        .is_some_and(|(quorum, here)| quorum.has(here))
}

/// The enabled ones of some monitors, as the scheduler needs them.
pub fn planned_of<'a>(
    monitors: impl IntoIterator<Item = &'a Arc<Monitor>>,
    enrolled: &Enrolled,
    board: &Board,
) -> Vec<Planned> {
    let paused: HashSet<MonitorId> = enrolled.paused.iter().copied().collect();
    let ids: HashMap<&MonitorName, MonitorId> =
        enrolled.ids.iter().map(|(name, id)| (name, *id)).collect();
    let enabled = monitors.into_iter().filter(|monitor| monitor.enabled);
    let planned = enabled.filter_map(|monitor| {
        let id = *ids.get(&monitor.name)?;
        let live = board.get(id);
        Some(Planned {
            id,
            paused: paused.contains(&id),
            last_check: live
                .as_ref()
                .and_then(|live| Some(live.newest.as_ref()?.at)),
            monitor: Arc::clone(monitor),
        })
    });
    planned.collect()
}

/// Everything that a configuration puts on the calendar.
pub fn agenda(config: &Config, enrolled: &Enrolled) -> Agenda {
    let mut entries: BTreeMap<CronText, Vec<Duty>> = BTreeMap::from([
        (CronText(SETTLE_AT.into()), vec![Duty::Settle]),
        (CronText(SETTLE_IF_LONG_AT.into()), vec![Duty::SettleIfLong]),
        (CronText(RETAIN_AT.into()), vec![Duty::Retain]),
    ]);
    for (monitor, id) in enabled(config, enrolled) {
        if let Schedule::Cron(text) = &monitor.schedule {
            let duties = entries.entry(text.clone()).or_default();
            duties.push(Duty::Check(id));
        }
    }
    if let Some(report) = &config.report {
        let duties = entries.entry(report.schedule.clone()).or_default();
        duties.push(Duty::Report);
    }
    if config.objectives.iter().any(|one| one.alerts_on_burn) {
        let duties = entries.entry(CronText(BURNS_AT.into())).or_default();
        duties.push(Duty::Burns);
    }
    Agenda {
        zone: config.daemon.timezone.clone(),
        entries,
    }
}
