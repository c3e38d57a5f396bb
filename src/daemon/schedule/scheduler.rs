//! Runs the timetable: starts what is due, takes orders, notices suspend and clock steps.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::timetable::{Ended, Missed, Planned, Start, Ticket, Timetable};
use crate::clock;
use crate::daemon::checks::catch_panic::caught;
use crate::daemon::health::counters::{Health, Part};
use crate::daemon::health::standstill::STOOD_STILL;
use crate::domain::check::Check;
use crate::domain::monitor::{Monitor, MonitorId};
use crate::domain::timestamp::Timestamp;
use crate::policy::verdict::own_network;

/// The loop wakes up at least this often, so that a suspend and a clock step are noticed.
const WAKE_AT_LEAST: Duration = Duration::from_secs(1);

/// Awake for the first time after this long: the process was stopped, or starved.
const STALLED: Duration = Duration::from_secs(5);

/// What a standstill or a clock step left undone is done within this time after it: nobody is to blame for that.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// Ended checks taken from the queue in one turn.
const FINISHED_AT_ONCE: usize = 256;

/// What the scheduler can be told.
#[derive(Debug)]
pub enum Command {
    /// These monitors are to be checked from now on, and nobody else, with this many slots.
    Replace {
        /// All of them.
        planned: Vec<Planned>,
        /// `max_concurrent_checks`.
        slots: u32,
    },
    /// Some monitors are new or changed, some are gone; all others stay as they are.
    Amend {
        /// Who is new or changed.
        planned: Vec<Planned>,
        /// Who is gone.
        gone: Vec<MonitorId>,
        /// The time over which the first checks of the new ones are spread.
        window: Duration,
    },
    /// A confirming check at this moment, beside the grid.
    CheckAt {
        /// The monitor's number.
        monitor: MonitorId,
        /// When the check is due.
        at: Timestamp,
    },
    /// A check as soon as a slot is free, unless one began at or after `unless_since`.
    CheckNow {
        /// The monitor's number.
        monitor: MonitorId,
        /// For a parent: when the child's failed check began; for a person: now.
        unless_since: Timestamp,
        /// Told the outcome; dropped where there will be none (unknown, paused, stopped).
        outcome: Option<oneshot::Sender<Check>>,
    },
    /// A person pauses or resumes.
    SetPaused {
        /// The monitor's number.
        monitor: MonitorId,
        /// Pauses, or resumes.
        paused: bool,
    },
    /// The moment of a cron monitor has come.
    Trigger {
        /// The monitor's number.
        monitor: MonitorId,
        /// The moment of its expression.
        slot: Timestamp,
    },
    /// Start nothing more; end when the checks on their way have ended, at the latest after this time.
    Stop {
        /// `shutdown_grace`.
        grace: Duration,
    },
}

/// How the other parts speak to the scheduler, from any thread. What is said after its end is lost.
///
/// The channel needs no bound of its own: every check on its way (which are bounded) leads to at most
/// one order for itself and one for each parent, and people type slowly.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
}

impl Handle {
    /// A handle and the receiving end for the scheduler.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        (Self { commands }, receiver)
    }

    /// Gives an order.
    pub fn send(&self, command: Command) {
        // A scheduler that has ended has nothing to start: the order is moot.
        let _ = self.commands.send(command);
    }

    /// A confirming check at this moment.
    pub fn check_at(&self, monitor: MonitorId, at: Timestamp) {
        self.send(Command::CheckAt { monitor, at });
    }

    /// A check of a parent now, unless one began at or after `unless_since`.
    pub fn check_now(&self, monitor: MonitorId, unless_since: Timestamp) {
        self.send(Command::CheckNow {
            monitor,
            unless_since,
            outcome: None,
        });
    }
}

/// How one check ended, for the scheduler.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Whether it ran into its deadline.
    pub hit_deadline: bool,
    /// The Retry-After of a 429.
    pub retry_after: Option<Duration>,
    /// What it found; only where it was asked for.
    pub check: Option<Check>,
}

/// What the scheduler acts on: the live daemon, or a script in tests.
pub trait World: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// One check, from the first packet to the recorder's queue.
    fn check(
        self: Arc<Self>,
        id: MonitorId,
        monitor: Arc<Monitor>,
        wants_copy: bool,
    ) -> impl Future<Output = Outcome> + Send;

    /// Slots passed without a check.
    fn missed(&self, missed: Vec<Missed>);

    /// The machine slept, or the clock was set by so many milliseconds.
    fn jumped(&self, by_ms: i64);
}

/// One look at all clocks.
#[derive(Debug, Clone, Copy)]
struct Look {
    wall: Timestamp,
    tick: Instant,
    /// How long the machine has been suspended since its start.
    slept: Duration,
}

impl Look {
    fn at(wall: Timestamp) -> Self {
        Self {
            wall,
            tick: clock::tick(),
            slept: clock::slept(),
        }
    }
}

struct Finished {
    ticket: Ticket,
    id: MonitorId,
    outcome: Outcome,
}

/// The running scheduler.
pub struct Scheduler<W> {
    world: Arc<W>,
    health: Arc<Health>,
    timetable: Timetable,
    commands: mpsc::UnboundedReceiver<Command>,
    finished: mpsc::UnboundedReceiver<Finished>,
    finish: mpsc::UnboundedSender<Finished>,
    asking: HashMap<MonitorId, Vec<oneshot::Sender<Check>>>,
    stop_at: Option<Instant>,
    /// Until then what is late is late because of a standstill or a clock step.
    excused_until: Option<Instant>,
}

impl<W: World> Scheduler<W> {
    /// A scheduler that waits for its first [`Command::Replace`].
    pub fn new(
        world: Arc<W>,
        health: Arc<Health>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let (finish, finished) = mpsc::unbounded_channel();
        Self {
            world,
            health,
            timetable: Timetable::new(1),
            commands,
            finished,
            finish,
            asking: HashMap::new(),
            stop_at: None,
            excused_until: None,
        }
    }

    /// Runs until it is told to stop and its checks have ended. Says how many it left behind.
    pub async fn run(mut self) -> u32 {
        let mut batch = Vec::new();
        let mut before = Look::at(self.world.now());
        loop {
            self.health.standstill.beat();
            let look = Look::at(self.world.now());
            self.look_at_clocks(before, look);
            before = look;
            let (now, tick) = (look.wall, look.tick);
            if let Some(stop_at) = self.stop_at {
                if self.timetable.in_flight() == 0 || tick >= stop_at {
                    return self.timetable.in_flight();
                }
            } else {
                self.start_due(now);
            }
            self.report();
            let wake_at = self.wake_at(now, tick);
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    // Nobody is left to give orders: the daemon is coming down.
                    None => self.obey(Command::Stop { grace: Duration::ZERO }),
                },
                _ = self.finished.recv_many(&mut batch, FINISHED_AT_ONCE) => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
            let now = self.world.now();
            for finished in batch.drain(..) {
                self.finish(finished, now);
            }
        }
    }

    fn wake_at(&self, now: Timestamp, tick: Instant) -> Instant {
        let idle = match self.timetable.next_due() {
            Some(due) if self.stop_at.is_none() => due.since(now).min(WAKE_AT_LEAST),
            Some(_) | None => WAKE_AT_LEAST,
        };
        let wake_at = tick + idle;
        self.stop_at.map_or(wake_at, |stop_at| stop_at.min(wake_at))
    }

    fn look_at_clocks(&mut self, before: Look, after: Look) {
        let awake = after.tick.duration_since(before.tick);
        let parted = own_network::parted(before.wall, after.wall, awake);
        if parted.is_some() || awake > STOOD_STILL {
            self.excused_until = Some(after.tick + CATCHING_UP);
        }
        if parted.is_none() && awake < STALLED {
            return;
        }
        let by_ms = parted.unwrap_or(0);
        let slept = after.slept.saturating_sub(before.slept);
        let set_by = own_network::parted(before.wall, after.wall, awake + slept);
        if parted.is_some() {
            tracing::warn!(
                by_ms,
                "the wall clock and the monotonic clock parted: the machine slept or the time was set; \
                 every due time is computed anew"
            );
            self.world.jumped(set_by.unwrap_or(0));
        } else {
            tracing::warn!(
                seconds = awake.as_secs(),
                "the daemon was held up; what was due meanwhile is recorded as missed"
            );
        }
        let missed = self.timetable.rebase(after.wall);
        // What a clock passed over in one step nobody lived through: there was nothing to miss.
        if set_by.is_none() {
            self.note_missed(missed);
        }
    }

    fn start_due(&mut self, now: Timestamp) {
        let mut missed = Vec::new();
        while let Some(start) = self.timetable.next_start(now) {
            self.health.checks.fetch_add(1, Relaxed);
            self.health.note_lateness(start.late);
            missed.extend(start.missed);
            self.spawn(start);
        }
        self.note_missed(missed);
    }

    fn note_missed(&self, missed: Vec<Missed>) {
        if missed.is_empty() {
            return;
        }
        let count: u64 = missed.iter().map(|missed| missed.count).sum();
        self.health.missed.fetch_add(count, Relaxed);
        let tick = clock::tick();
        if self.excused_until.is_none_or(|until| until <= tick) {
            self.health.note_overdue();
        }
        self.world.missed(missed);
    }

    fn spawn(&self, start: Start) {
        let world = Arc::clone(&self.world);
        let health = Arc::clone(&self.health);
        let finish = self.finish.clone();
        let wants_copy = self.asking.contains_key(&start.id);
        let check = async move {
            let Start {
                ticket,
                id,
                monitor,
                ..
            } = start;
            let checking = pin!(world.check(id, Arc::clone(&monitor), wants_copy));
            let outcome = match caught(checking).await {
                Ok(outcome) => outcome,
                Err(panic) => {
                    health.panics.fetch_add(1, Relaxed);
                    tracing::error!(monitor = %monitor.name, panic, "a check panicked; this is a bug");
                    Outcome::default()
                }
            };
            // The scheduler is gone only when the daemon is.
            let _ = finish.send(Finished {
                ticket,
                id,
                outcome,
            });
        };
        // On the heap from the start: tokio moves a future eight times on its way through a task, and this one has
        // kilobytes.
        tokio::spawn(Box::pin(check));
    }

    fn finish(&mut self, finished: Finished, now: Timestamp) {
        let Finished {
            ticket,
            id,
            outcome,
        } = finished;
        let ended = Ended {
            at: now,
            hit_deadline: outcome.hit_deadline,
            retry_after: outcome.retry_after,
        };
        let missed = self.timetable.finished(ticket, ended);
        self.note_missed(missed.into_iter().collect());
        if let Some(check) = outcome.check
            && let Some(asking) = self.asking.remove(&id)
        {
            for asked in asking {
                // Whoever asked may have hung up.
                let _ = asked.send(check.clone());
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.world.now();
        match command {
            Command::Replace { planned, slots } => {
                self.timetable.set_slots(slots);
                let ids: HashSet<MonitorId> = planned.iter().map(|planned| planned.id).collect();
                self.asking.retain(|id, _| ids.contains(id));
                self.timetable.replace(planned, now);
            }
            Command::Amend {
                planned,
                gone,
                window,
            } => {
                for id in &gone {
                    self.asking.remove(id);
                }
                self.timetable.amend(planned, &gone, window, now);
            }
            Command::CheckAt { monitor, at } => self.timetable.check_at(monitor, at),
            Command::CheckNow {
                monitor,
                unless_since,
                outcome,
            } => {
                let wanted = self.timetable.check_now(monitor, unless_since, now);
                if let Some(outcome) = outcome.filter(|_| wanted) {
                    self.asking.entry(monitor).or_default().push(outcome);
                }
            }
            Command::SetPaused { monitor, paused } => {
                self.timetable.set_paused(monitor, paused, now);
                if paused {
                    self.asking.remove(&monitor);
                }
            }
            Command::Trigger { monitor, slot } => {
                let missed = self.timetable.trigger(monitor, slot);
                self.note_missed(missed.into_iter().collect());
            }
            Command::Stop { grace } => {
                let stop_at = clock::tick() + grace;
                self.stop_at = Some(self.stop_at.map_or(stop_at, |before| before.min(stop_at)));
                self.asking.clear();
            }
        }
    }

    fn report(&self) {
        let gauge = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        self.health.beat(Part::Scheduler);
        self.health
            .monitors
            .store(gauge(self.timetable.monitors()), Relaxed);
        self.health
            .waiting
            .store(gauge(self.timetable.waiting()), Relaxed);
        self.health
            .in_flight
            .store(u64::from(self.timetable.in_flight()), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicI64;

    use super::*;
    use crate::daemon::checks::test_monitors;
    use crate::policy::schedule::interval_grid::Grid;

    /// Virtual time, and a list of what happened.
    struct Script {
        from: (Timestamp, Instant),
        shift_ms: AtomicI64,
        log: Mutex<Vec<String>>,
    }

    impl World for Script {
        fn now(&self) -> Timestamp {
            let shift = self.shift_ms.load(Relaxed);
            let passed = clock::tick().duration_since(self.from.1);
            Timestamp::from_ms(self.from.0.plus(passed).as_ms() + shift)
        }

        async fn check(
            self: Arc<Self>,
            _: MonitorId,
            monitor: Arc<Monitor>,
            wants_copy: bool,
        ) -> Outcome {
            self.log.lock().unwrap().push(monitor.name.to_string());
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(monitor.name.as_str() != "broken", "a bug in the probe");
            Outcome {
                check: wants_copy.then(test_monitors::check),
                ..Outcome::default()
            }
        }

        fn missed(&self, missed: Vec<Missed>) {
            let count: u64 = missed.iter().map(|missed| missed.count).sum();
            self.log.lock().unwrap().push(format!("missed {count}"));
        }

        fn jumped(&self, by_ms: i64) {
            self.log
                .lock()
                .unwrap()
                .push(format!("jumped {} s", by_ms / 1000));
        }
    }

    struct Rig {
        world: Arc<Script>,
        health: Arc<Health>,
        handle: Handle,
        task: tokio::task::JoinHandle<u32>,
    }

    fn rig(names: &[&str]) -> Rig {
        let from = Timestamp::from_ms(1_795_377_600_000);
        let world = Arc::new(Script {
            from: (from, clock::tick()),
            shift_ms: AtomicI64::new(0),
            log: Mutex::default(),
        });
        let health = Arc::new(Health::new(from));
        let (handle, commands) = Handle::new();
        let scheduler = Scheduler::new(Arc::clone(&world), Arc::clone(&health), commands);
        let task = tokio::spawn(scheduler.run());
        let planned = names.iter().zip(1..).map(|(name, id)| Planned {
            id: MonitorId(id),
            monitor: Arc::new(test_monitors::monitor(name, Duration::from_secs(60))),
            paused: false,
            last_check: Some(from.minus(Duration::from_secs(1))),
        });
        handle.send(Command::Replace {
            planned: planned.collect(),
            slots: 8,
        });
        Rig {
            world,
            health,
            handle,
            task,
        }
    }

    impl Rig {
        async fn seconds(&self, seconds: u64) -> Vec<String> {
            for _ in 0..seconds * 4 {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            std::mem::take(&mut *self.world.log.lock().unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_slot_once() {
        let rig = rig(&["a"]);
        assert_eq!(rig.seconds(600).await, ["a"; 10]);
        let (bins, _) = rig.health.lateness();
        assert_eq!(bins[..3].iter().sum::<u64>(), 10, "{bins:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_just_before_a_slot_does_not_make_it_late() {
        let rig = rig(&["a"]);
        let name = test_monitors::monitor("a", Duration::ZERO).name;
        let slot = Grid::new(&name, Duration::from_secs(60)).next_after(rig.world.now());
        let until = slot.since(rig.world.now());
        tokio::time::sleep(until - Duration::from_millis(2)).await;
        rig.handle.check_now(MonitorId(9), rig.world.now());
        assert_eq!(rig.seconds(1).await, ["a"]);
        let (_, late_ms) = rig.health.lateness();
        assert!(late_ms <= 1, "{late_ms}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_counted_and_the_next_check_comes() {
        let rig = rig(&["broken"]);
        assert_eq!(rig.seconds(180).await, ["broken"; 3]);
        assert_eq!(rig.health.panics.load(Relaxed), 3);
        assert_eq!(rig.health.in_flight.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_set_forward_is_noticed_within_a_second() {
        let rig = rig(&["a"]);
        rig.seconds(60).await;
        rig.world.shift_ms.store(600_000, Relaxed);
        let log = rig.seconds(2).await;
        // The ten slots in between were never lived through: nobody missed them, nobody is late.
        assert_eq!(log[0], "jumped 600 s");
        let checks = rig.seconds(600).await.len() + log.len() - 1;
        assert_eq!(checks, 11);
        assert_eq!(rig.health.missed.load(Relaxed), 0);
        assert_eq!(rig.health.overdue_for(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asked_is_told() {
        let rig = rig(&["a", "b"]);
        let ask = |monitor| {
            let (outcome, answer) = oneshot::channel();
            rig.handle.send(Command::CheckNow {
                monitor: MonitorId(monitor),
                unless_since: rig.world.now(),
                outcome: Some(outcome),
            });
            answer
        };
        let (one, again, nobody) = (ask(1), ask(1), ask(9));
        assert!(one.await.is_ok());
        assert!(again.await.is_ok());
        assert!(nobody.await.is_err());
        assert_eq!(rig.seconds(1).await, ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_checks_on_their_way_and_starts_no_more() {
        let rig = rig(&["a"]);
        rig.handle.check_now(MonitorId(1), rig.world.now());
        tokio::time::sleep(Duration::from_millis(20)).await;
        let grace = Duration::from_secs(10);
        rig.handle.send(Command::Stop { grace });
        let stopped = clock::tick();
        assert_eq!(rig.task.await.unwrap(), 0);
        assert!(clock::tick().duration_since(stopped) < Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_without_grace_leaves_them_behind() {
        let rig = rig(&["a"]);
        rig.handle.check_now(MonitorId(1), rig.world.now());
        tokio::time::sleep(Duration::from_millis(20)).await;
        let grace = Duration::ZERO;
        rig.handle.send(Command::Stop { grace });
        assert_eq!(rig.task.await.unwrap(), 1);
    }
}
