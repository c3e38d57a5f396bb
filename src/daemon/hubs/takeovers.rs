//! Two hubs with real databases over a log in memory that breaks, loses answers and forgets, in virtual time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::follower::{Follower, Stop};
use super::gate::{Gate, Shut};
use super::leader::{Leader, written};
use super::standby::Claim;
use crate::clock;
use crate::daemon::recorder::message::Entry;
use crate::daemon::recorder::queue::{Door, Queue, queue};
use crate::domain::hub_copy::HubCopy;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::link::error::LinkError;
use crate::link::ways::{Appended, LogEnd, LogWay, Logged};
use crate::store::reader::Reader;
use crate::store::writer::Store;
use crate::wire::hub_log::CopyAsked;

#[derive(Default)]
struct State {
    random: u64,
    /// In a hundred, how often something goes wrong.
    faults: u64,
    is_away: bool,
    entries: Vec<Vec<u8>>,
    asked: Option<mpsc::UnboundedSender<(CopyAsked, u64)>>,
    answers: HashMap<u64, oneshot::Sender<Vec<u8>>>,
    next: u64,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn goes_wrong(&self) -> Result<(), LinkError> {
        let mut state = self.state();
        state.random = state
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        match state.is_away || (state.random >> 33) % 100 < state.faults {
            true => Err(LinkError::Broken("by the test".to_owned())),
            false => Ok(()),
        }
    }

    fn connect(&self) -> Connection {
        Connection {
            server: self.clone(),
            asked: tokio::sync::Mutex::new(None),
        }
    }
}

/// One connection.
struct Connection {
    server: Server,
    asked: tokio::sync::Mutex<Option<mpsc::UnboundedReceiver<(CopyAsked, u64)>>>,
}

impl LogWay for Connection {
    async fn end(&self) -> Result<LogEnd, LinkError> {
        self.server.goes_wrong()?;
        let state = self.server.state();
        let number = state.entries.len() as u64;
        Ok(LogEnd {
            number,
            newest: state.entries.last().map(|bytes| Logged {
                number,
                bytes: bytes.clone(),
            }),
        })
    }

    async fn entry(&self, number: u64) -> Result<Option<Logged>, LinkError> {
        self.server.goes_wrong()?;
        let state = self.server.state();
        let place = usize::try_from(number).unwrap() - 1;
        Ok(state.entries.get(place).map(|bytes| Logged {
            number,
            bytes: bytes.clone(),
        }))
    }

    async fn append(&self, after: u64, entry: &[u8]) -> Result<Appended, LinkError> {
        self.server.goes_wrong()?;
        let mut state = self.server.state();
        let newest = state.entries.len() as u64;
        if newest != after {
            return Ok(Appended::Overtaken);
        }
        state.entries.push(entry.to_vec());
        drop(state);
        // It is written, and the answer may get lost.
        self.server.goes_wrong()?;
        Ok(Appended::Taken(after + 1))
    }

    async fn ask_copy(&self, asked: &CopyAsked) -> Result<Vec<u8>, LinkError> {
        self.server.goes_wrong()?;
        let told = {
            let mut state = self.server.state();
            state.next += 1;
            let token = state.next;
            let (tell, told) = oneshot::channel();
            let sent = state
                .asked
                .as_ref()
                .is_some_and(|asks| asks.send((asked.clone(), token)).is_ok());
            if !sent {
                return Err(LinkError::NoService);
            }
            state.answers.insert(token, tell);
            told
        };
        match timeout(Duration::from_secs(5), told).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(LinkError::Timeout),
        }
    }

    async fn say_hello(&self, host: &str) -> Result<(), LinkError> {
        self.server.goes_wrong()?;
        let hello = CopyAsked {
            id: 0,
            offset: 0,
            host: host.to_owned(),
        };
        if let Some(asks) = &self.server.state().asked {
            let _ = asks.send((hello, 0));
        }
        Ok(())
    }

    async fn copy_asked(&self) -> Result<(CopyAsked, String), LinkError> {
        let mut asked = self.asked.lock().await;
        let asked = asked.get_or_insert_with(|| {
            let (asks, asked) = mpsc::unbounded_channel();
            self.server.state().asked = Some(asks);
            asked
        });
        let (asked, token) = asked.recv().await.unwrap();
        let token = match token {
            0 => String::new(),
            token => token.to_string(),
        };
        Ok((asked, token))
    }

    async fn tell_copy(&self, token: &str, answer: &[u8]) -> Result<(), LinkError> {
        self.server.goes_wrong()?;
        let token = token.parse().unwrap();
        if let Some(tell) = self.server.state().answers.remove(&token) {
            let _ = tell.send(answer.to_vec());
        }
        Ok(())
    }
}

/// A hub that leads: a thread that writes its database, and its end of the log.
struct Leading {
    door: Door,
    gate: Gate,
    log: tokio::task::JoinHandle<()>,
    writer: tokio::task::JoinHandle<()>,
}

impl Leading {
    fn start(server: &Server, path: &Path, claim: Claim) -> Self {
        let (door, entries) = queue();
        let store = Store::open(path, clock::now()).unwrap();
        let (mut leader, gate) = Leader::new(claim, path.to_owned(), door.clone());
        let seen = gate.clone();
        let writer = tokio::spawn(write(store, entries, seen));
        let server = server.clone();
        let log = tokio::spawn(async move {
            loop {
                let _ = leader.run(&server.connect()).await;
                leader.away().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Self {
            door,
            gate,
            log,
            writer,
        }
    }

    /// Decides something, and tells it if that may be.
    async fn tell(&self, message: i64) -> Result<(), Shut> {
        let note = Box::new(move |batch: &mut crate::store::transaction::Batch<'_>| {
            batch.missed(MonitorId(message), Timestamp::from_ms(0), 1)
        });
        written(&self.door, note).await.unwrap();
        self.gate.pass().await
    }

    /// Kill -9.
    async fn kill(mut self) {
        self.log.abort();
        let _ = (&mut self.log).await;
        self.door.push(Entry::Stop);
        self.writer.await.unwrap();
    }
}

/// The recorder's thread as a task: virtual time does not wait for threads.
async fn write(mut store: Store, entries: Queue, gate: Gate) {
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        for entry in entries.take(Duration::ZERO) {
            match entry {
                Entry::Write(mut work) => {
                    let mut batch = store.batch().unwrap();
                    work(&mut batch).unwrap();
                    batch.commit().unwrap();
                }
                Entry::WriteAndTell(mut work, reply) => {
                    let mut batch = store.batch().unwrap();
                    work(&mut batch).unwrap();
                    batch.commit().unwrap();
                    reply.tell(Ok(()));
                }
                Entry::Stop => return,
                other => panic!("{other:?}"),
            }
            gate.committed();
        }
    }
}

/// Follows until it leads.
async fn follow(server: Server, path: PathBuf, is_standby: bool) -> Claim {
    let store = Store::open(&path, clock::now()).unwrap();
    let mut follower = Follower::new(store, is_standby, "b".to_owned()).unwrap();
    loop {
        match follower.follow(&server.connect()).await {
            Ok(claim) => return claim,
            Err(Stop::Store(why)) => panic!("{why}"),
            Err(Stop::Link(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

/// What a database holds of what was decided.
fn decided(path: &Path) -> Vec<i64> {
    Reader::open(path).unwrap().missed_of_all()
}

fn begins() -> Claim {
    Claim {
        copy: HubCopy {
            term: 0,
            boot: 1,
            position: 0,
            number: 0,
            leads: true,
            is_followed: false,
        },
        is_written: false,
        former: None,
    }
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_takes_over_and_the_former_leader_tells_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a.db"), directory.path().join("b.db"));
    let server = Server::default();
    let leading = Leading::start(&server, &a, begins());
    seconds(3).await;
    assert_eq!(leading.tell(1).await, Ok(()));
    assert_eq!(leading.gate.note(), "");
    let following = tokio::spawn(follow(server.clone(), b.clone(), true));
    seconds(30).await;
    assert!(!following.is_finished(), "there is a leader");
    assert!(
        leading.gate.note().ends_with("leads, b follows"),
        "{}",
        leading.gate.note()
    );
    for message in 2..20 {
        assert_eq!(leading.tell(message).await, Ok(()));
    }
    // It is cut off from the log: in time nothing passes, and the other takes over.
    leading.log.abort();
    let late = leading.tell(20);
    let claim = timeout(Duration::from_secs(60), following)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(late.await, Err(Shut::Silent));
    assert!(
        claim.is_written && claim.copy.is_followed && claim.copy.term == 2,
        "{claim:?}"
    );
    assert_eq!(
        decided(&b),
        (1..20).collect::<Vec<_>>(),
        "20 was never told"
    );
    let newer = Leading::start(&server, &b, claim);
    seconds(1).await;
    assert_eq!(newer.tell(21).await, Ok(()));
    // The former one is back, as after SIGSTOP: it finds out before anything leaves.
    let (mut leader, gate) = Leader::new(
        Claim {
            copy: HubCopy {
                term: 1,
                is_followed: true,
                ..begins().copy
            },
            is_written: true,
            former: None,
        },
        a.clone(),
        leading.door.clone(),
    );
    let connection = server.connect();
    let running = leader.run(&connection);
    let asked = async {
        assert_eq!(gate.pass().await, Err(Shut::Overtaken));
    };
    tokio::select! {
        why = running => panic!("{why}"),
        () = asked => {}
    }
    leading.kill().await;
    // What it had not told is lost with its database: it takes a new copy.
    let following = tokio::spawn(follow(server.clone(), a.clone(), false));
    seconds(30).await;
    assert!(!following.is_finished());
    assert_eq!(newer.tell(22).await, Ok(()));
    seconds(2).await;
    following.abort();
    let _ = following.await;
    let mut all: Vec<i64> = (1..20).collect();
    all.extend([21, 22]);
    assert_eq!(decided(&a), all);
    newer.kill().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_breaks_what_was_told_is_known_to_the_next_leader() {
    for seed in 0..4 {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().join("a.db"), directory.path().join("b.db")];
        let server = Server::default();
        server.state().random = seed * 77 + 1;
        let mut leads = 0;
        let mut leading = Leading::start(&server, &paths[0], begins());
        seconds(3).await;
        let mut told = Vec::new();
        let mut next = 1;
        for round in 0..8 {
            let path = paths[1 - leads].clone();
            let mut following = tokio::spawn(follow(server.clone(), path, leads == 0));
            server.state().faults = [0, 2, 10][usize::try_from(round % 3).unwrap()];
            for _ in 0..40 {
                if leading.tell(next).await == Ok(()) {
                    told.push(next);
                }
                next += 1;
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            server.state().faults = 0;
            seconds(20).await;
            assert!(
                !following.is_finished(),
                "seed {seed} round {round}: the leader lives"
            );
            // Nobody knows whether these are told: the leader dies.
            let last = leading.tell(next);
            if round % 2 == 0 {
                let _ = timeout(Duration::from_millis(1), last).await;
            } else if last.await == Ok(()) {
                told.push(next);
            }
            next += 1;
            leading.kill().await;
            server.state().faults = 5;
            let claim = timeout(Duration::from_secs(120), &mut following)
                .await
                .unwrap()
                .unwrap();
            server.state().faults = 0;
            leads = 1 - leads;
            let known = decided(&paths[leads]);
            for message in &told {
                assert!(
                    known.contains(message),
                    "seed {seed} round {round}: {message}"
                );
            }
            leading = Leading::start(&server, &paths[leads], claim);
            seconds(3).await;
            // The probes send again what was not told.
            for message in 1..next {
                if told.contains(&message) {
                    continue;
                }
                // What was decided and not told waits in the outbox.
                let passed = match known.contains(&message) {
                    true => leading.gate.pass().await,
                    false => leading.tell(message).await,
                };
                if passed == Ok(()) {
                    told.push(message);
                }
            }
        }
        assert_eq!(
            told.len(),
            usize::try_from(next - 1).unwrap(),
            "everything was told"
        );
        leading.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_loses_its_disk_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a.db"), directory.path().join("b.db"));
    let server = Server::default();
    let leading = Leading::start(&server, &a, begins());
    let following = tokio::spawn(follow(server.clone(), b.clone(), true));
    seconds(30).await;
    assert_eq!(leading.tell(1).await, Ok(()));
    for kept in [usize::MAX, 3, 0] {
        server.state().is_away = true;
        seconds(40).await;
        let entries = server.state().entries.len().min(kept);
        server.state().entries.truncate(entries);
        server.state().is_away = false;
        seconds(40).await;
        assert_eq!(leading.tell(2).await, Ok(()), "it leads on");
        assert!(!following.is_finished(), "and nobody else does");
    }
    assert_eq!(leading.tell(3).await, Ok(()));
    seconds(2).await;
    assert_eq!(decided(&b), [1, 2, 3]);
    following.abort();
    leading.kill().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_leads_on_and_needs_no_new_copy() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a.db"), directory.path().join("b.db"));
    let server = Server::default();
    let mut leading = Leading::start(&server, &a, begins());
    let following = tokio::spawn(follow(server.clone(), b.clone(), true));
    seconds(30).await;
    for round in 1..5 {
        assert_eq!(leading.tell(round).await, Ok(()));
        leading.kill().await;
        let claim = timeout(
            Duration::from_secs(10),
            follow(server.clone(), a.clone(), false),
        );
        leading = Leading::start(&server, &a, claim.await.unwrap());
        seconds(5).await;
        assert!(!following.is_finished());
        assert_eq!(decided(&b), (1..=round).collect::<Vec<_>>());
    }
    let copies = server.state().next;
    assert!(copies < 5, "it asked {copies} times for a copy");
    following.abort();
    leading.kill().await;
}
