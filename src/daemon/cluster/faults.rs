//! A courier and a taker over a broker in memory that loses, doubles and forgets, in virtual time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::mpsc;

use super::courier::{Courier, News};
use super::hub_frames::Taker;
use super::spooler::Shared;
use crate::clock;
use crate::daemon::checks::test_monitors;
use crate::daemon::health::counters::Health;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::recorder::message::{Entry, NotRecorded};
use crate::daemon::recorder::queue::{Door, Queue, queue};
use crate::domain::location::{LocationName, Observation, ProbeName, Receipt, Share};
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::link::error::LinkError;
use crate::link::ways::{Fetched, Heard, HubWay, ProbeWay};
use crate::store::spool::Spool;
use crate::wire::notes::{CheckNow, Done, Hi, ListHead, Told};

#[derive(Default)]
struct State {
    random: u64,
    /// In a hundred, how often something goes wrong.
    faults: u64,
    /// Every break of a connection counts it up.
    breaks: u64,
    stream: BTreeMap<u64, (ProbeName, Vec<u8>)>,
    newest: u64,
    acknowledged: u64,
    delivered: u64,
    done: HashMap<ProbeName, Done>,
    told: HashMap<ProbeName, VecDeque<Told>>,
    lost: usize,
    doubled: usize,
}

impl State {
    fn dice(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % below
    }

    fn goes_wrong(&mut self) -> bool {
        let faults = self.faults;
        self.dice(100) < faults
    }
}

#[derive(Clone, Default)]
struct Broker {
    state: Arc<Mutex<State>>,
}

impl Broker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn break_connections(&self) {
        self.state().breaks += 1;
    }

    /// The power fails: what was not yet on the disk is gone.
    fn forget_newest(&self) {
        let mut state = self.state();
        let count = state.dice(6);
        for _ in 0..count {
            let newest = state.newest;
            if newest > state.acknowledged && state.stream.remove(&newest).is_some() {
                state.newest -= 1;
                state.lost += 1;
            }
        }
        state.delivered = state.delivered.min(state.newest);
    }

    fn way(&self, sender: &ProbeName) -> Way {
        Way {
            broker: self.clone(),
            sender: sender.clone(),
            since: self.state().breaks,
        }
    }
}

/// A connection to the broker, of either side.
struct Way {
    broker: Broker,
    /// Of a probe; the hub's is not looked at.
    sender: ProbeName,
    since: u64,
}

fn broken() -> LinkError {
    LinkError::Broken("on purpose".to_owned())
}

impl Way {
    fn state(&self) -> Result<MutexGuard<'_, State>, LinkError> {
        let state = self.broker.state();
        match state.breaks == self.since {
            true => Ok(state),
            false => Err(broken()),
        }
    }

    async fn until_broken(&self) -> LinkError {
        loop {
            if self.state().is_err() {
                return broken();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl ProbeWay for Way {
    async fn publish(&self, frames: Vec<Vec<u8>>) -> Result<Vec<u64>, LinkError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut numbers = Vec::new();
        let mut state = self.state()?;
        for frame in frames {
            if state.goes_wrong() {
                // Taken or not: nobody knows.
                if state.dice(2) == 0 {
                    state.newest += 1;
                    let newest = state.newest;
                    state.stream.insert(newest, (self.sender.clone(), frame));
                }
                return Err(LinkError::Timeout);
            }
            state.newest += 1;
            let newest = state.newest;
            state.stream.insert(newest, (self.sender.clone(), frame));
            numbers.push(newest);
        }
        Ok(numbers)
    }

    async fn done(&self) -> Result<Option<Done>, LinkError> {
        Ok(self.state()?.done.get(&self.sender).cloned())
    }

    async fn list(&self) -> Result<Option<ListHead>, LinkError> {
        self.state().map(|_| None)
    }

    async fn piece(&self, _: usize) -> Result<Option<Vec<u8>>, LinkError> {
        self.state().map(|_| None)
    }

    async fn hi(&self, _: &Hi) -> Result<(), LinkError> {
        self.state().map(|_| ())
    }

    async fn heard(&self) -> Result<Heard, LinkError> {
        loop {
            let told = {
                let mut state = self.state()?;
                let queue = state.told.entry(self.sender.clone()).or_default();
                queue.pop_front()
            };
            if let Some(told) = told {
                return Ok(Heard::Told(told));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl HubWay for Way {
    async fn fetch(&self, max: usize) -> Result<Vec<Fetched>, LinkError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut state = self.state()?;
        if state.goes_wrong() {
            // What is not acknowledged comes again.
            state.delivered = state.acknowledged;
            state.doubled += 1;
        }
        let from = state.delivered;
        let frames = state.stream.range(from + 1..).take(max);
        let fetched: Vec<Fetched> = frames
            .map(|(number, (sender, bytes))| Fetched {
                sender: Some(sender.clone()),
                bytes: bytes.clone(),
                number: *number,
                token: number.to_string(),
            })
            .collect();
        if let Some(last) = fetched.last() {
            state.delivered = last.number;
        }
        Ok(fetched)
    }

    async fn acknowledge(&self, token: &str) -> Result<(), LinkError> {
        let mut state = self.state()?;
        if !state.goes_wrong() {
            state.acknowledged = state.acknowledged.max(token.parse().unwrap());
        }
        Ok(())
    }

    async fn put_done(&self, sender: &ProbeName, done: &Done) -> Result<(), LinkError> {
        let mut state = self.state()?;
        match state.goes_wrong() {
            true => Err(LinkError::Timeout),
            false => {
                state.done.insert(sender.clone(), done.clone());
                Ok(())
            }
        }
    }

    async fn list_of(&self, _: &LocationName) -> Result<Option<ListHead>, LinkError> {
        Ok(None)
    }

    async fn put_list(&self, _: &LocationName, _: &ListHead, _: &[&[u8]]) -> Result<(), LinkError> {
        Ok(())
    }

    async fn tell(&self, _: &LocationName, told: &Told) -> Result<(), LinkError> {
        let mut state = self.state()?;
        // All that share the location hear it.
        if !state.goes_wrong() {
            for queue in state.told.values_mut() {
                queue.push_back(told.clone());
            }
        }
        Ok(())
    }

    async fn ask(&self, _: &LocationName, _: &CheckNow) -> Result<(), LinkError> {
        Ok(())
    }

    async fn heard(&self) -> Result<(LocationName, Hi), LinkError> {
        Err(self.until_broken().await)
    }

    async fn purge(&self, number: u64) -> Result<(), LinkError> {
        let mut state = self.state()?;
        assert!(number <= state.acknowledged.max(state.delivered));
        state.stream = state.stream.split_off(&(number + 1));
        Ok(())
    }
}

/// The probes of a location that so many share.
fn senders(count: u16) -> Vec<ProbeName> {
    let location = LocationName::parse("nyc").unwrap();
    let shares = (1..=count).map(|number| Share::new(number, count).filter(|_| count > 1));
    shares
        .map(|share| ProbeName {
            location: location.clone(),
            share,
        })
        .collect()
}

/// What a recorder does with frames, by its contract, without a database.
#[derive(Default)]
struct Recorded {
    done: HashMap<u64, u64>,
    /// By spool.
    seen: HashMap<u64, Vec<Timestamp>>,
    missed: u32,
    refused: u64,
}

impl Recorded {
    fn take(&mut self, entries: &Queue) {
        for entry in entries.take(Duration::ZERO) {
            let Entry::Frame { frame, reply } = entry else {
                panic!("only frames come here");
            };
            self.refused += 1;
            if self.refused.is_multiple_of(97) {
                reply.tell(Err(NotRecorded("the disk is full".to_owned())));
                continue;
            }
            let done = self.done.entry(frame.spool).or_default();
            if frame.after <= *done && *done < frame.seq {
                *done = frame.seq;
                for observation in &frame.observations {
                    match observation {
                        Observation::Checked { check, .. } => {
                            self.seen.entry(frame.spool).or_default().push(check.at);
                        }
                        Observation::Missed { count, .. } => self.missed += count,
                    }
                }
            }
            reply.tell(Ok(Receipt {
                spool: frame.spool,
                done_seq: *done,
            }));
        }
    }
}

fn observation(number: i64) -> Observation {
    let mut check = test_monitors::check();
    check.at = Timestamp::from_ms(1_700_000_000_000 + number);
    Observation::Checked {
        monitor: MonitorId(number % 7),
        check: Box::new(check),
    }
}

/// A probe: its spool, and its courier, which may be killed.
struct Side {
    sender: ProbeName,
    shared: Arc<Shared>,
    sending: tokio::task::JoinHandle<()>,
    _news: mpsc::Receiver<News>,
    made: Vec<Timestamp>,
}

impl Side {
    fn new(broker: &Broker, sender: ProbeName, spool: &Path) -> Self {
        let spool = Spool::open(spool, clock::now()).unwrap();
        let shared = Shared::new(spool);
        let (sending, news) = courier(broker, &sender, &shared);
        Self {
            sender,
            shared,
            sending,
            _news: news,
            made: Vec::new(),
        }
    }

    fn kill(&mut self, broker: &Broker) {
        self.sending.abort();
        (self.sending, self._news) = courier(broker, &self.sender, &self.shared);
    }

    fn append(&mut self, numbers: std::ops::Range<i64>) {
        let new: Vec<_> = numbers.map(observation).collect();
        let times = new.iter().filter_map(|one| match one {
            Observation::Checked { check, .. } => Some(check.at),
            Observation::Missed { .. } => None,
        });
        self.made.extend(times);
        let mut spool = self.shared.spool();
        spool.append(&new, clock::now(), 1).unwrap();
        let newest = spool.newest();
        drop(spool);
        self.shared.newest.send_replace(newest);
    }
}

/// Begins a courier over the broker; aborting the task is a kill.
fn courier(
    broker: &Broker,
    sender: &ProbeName,
    shared: &Arc<Shared>,
) -> (tokio::task::JoinHandle<()>, mpsc::Receiver<News>) {
    let (news, heard) = mpsc::channel(16);
    let health = Arc::new(Health::new(clock::now()));
    let courier = Courier::new(sender.clone(), Arc::clone(shared), health, news);
    let (broker, sender) = (broker.clone(), sender.clone());
    let task = tokio::spawn(async move {
        loop {
            let _ = courier.work(&broker.way(&sender)).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    (task, heard)
}

fn taker(broker: &Broker, door: &Door) -> tokio::task::JoinHandle<()> {
    let (broker, door) = (broker.clone(), door.clone());
    let hub = senders(1).remove(0);
    tokio::spawn(async move {
        let mut taker = Taker::new(door, Gate::open());
        loop {
            let _ = taker.run(&broker.way(&hub)).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
}

/// Cuts, lost acknowledgements, doubled deliveries, a broker that loses power, couriers and takers that are killed.
async fn every_check_arrives_once(seed: u64, probes: u16) {
    let place = tempfile::tempdir().unwrap();
    let broker = Broker::default();
    broker.state().random = seed;
    broker.state().faults = 10;
    let (door, entries) = queue();
    let mut recorded = Recorded::default();
    let senders = senders(probes).into_iter().enumerate();
    let mut sides: Vec<Side> = senders
        .map(|(place_of, sender)| {
            Side::new(
                &broker,
                sender,
                &place.path().join(format!("{place_of}.db")),
            )
        })
        .collect();
    let mut taking = taker(&broker, &door);
    let mut made = 0_i64;
    for turn in 0..4000 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let chosen = broker.state().dice(probes.into());
        let chosen = usize::try_from(chosen).unwrap();
        if turn % 5 == 0 {
            let count = broker.state().dice(4) as i64;
            sides[chosen].append(made..made + count);
            made += count;
        }
        recorded.take(&entries);
        let what = broker.state().dice(400);
        match what {
            0..=3 => broker.break_connections(),
            4 => {
                broker.break_connections();
                broker.forget_newest();
            }
            5 => sides[chosen].kill(&broker),
            6 => {
                taking.abort();
                taking = taker(&broker, &door);
            }
            _ => {}
        }
    }
    broker.state().faults = 0;
    for _ in 0..4000 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        recorded.take(&entries);
        let waiting: Vec<usize> = (0..sides.len())
            .filter(|place| sides[*place].shared.spool().waiting() > 0)
            .collect();
        if waiting.is_empty() {
            break;
        }
        // A frame more, as time brings: what was lost at the end is noticed by it.
        for place in waiting {
            if sides[place].shared.spool().newest() < 100_000 {
                sides[place].append(made..made + 1);
                made += 1;
            }
        }
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            recorded.take(&entries);
        }
    }
    let state = broker.state();
    assert!(
        state.breaks > 10 && state.doubled > 10,
        "seed {seed}: too quiet"
    );
    drop(state);
    assert_eq!(recorded.missed, 0);
    for side in &sides {
        let spool = side.shared.spool();
        assert_eq!(spool.waiting(), 0, "seed {seed}, {}", side.sender);
        let seen = recorded.seen.get(&spool.id()).cloned().unwrap_or_default();
        assert_eq!(seen.len(), side.made.len(), "seed {seed}, {}", side.sender);
        assert_eq!(
            seen, side.made,
            "seed {seed}, {}: once, and in order",
            side.sender
        );
        side.sending.abort();
    }
    taking.abort();
}

#[tokio::test(start_paused = true)]
async fn faults_of_any_kind_lose_and_double_nothing() {
    for seed in 1..=6 {
        every_check_arrives_once(seed, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_several_probes_share_a_location() {
    for seed in 7..=9 {
        every_check_arrives_once(seed, 3).await;
    }
}
