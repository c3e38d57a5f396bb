//! One check from its first packet to the recorder's door: probe, judge, doubt, hand over.

use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use super::addresses::{Eyes, look};
use super::canaries::Aviary;
use super::catch_panic::caught;
use super::judging::Judges;
use crate::daemon::health::counters::Health;
use crate::daemon::health::standstill::{BEAT_EVERY, Stood};
use crate::daemon::recorder::evidence_shelf::Shelf;
use crate::daemon::recorder::message::Entry;
use crate::daemon::recorder::queue::Door;
use crate::daemon::schedule::scheduler::{Outcome, World};
use crate::daemon::schedule::timetable::Missed;
use url::Host;

use crate::clock;
use crate::domain::check::{Chain, Check, Failure, FailureKind, Micros, Timings, Verdict};
use crate::domain::evidence::{Keep, RawEvidence};
use crate::domain::monitor::{Monitor, MonitorId};
use crate::domain::timestamp::Timestamp;
use crate::policy::verdict::own_network::{self, BlindTime, Canary, Line, Unfinished, Worth};
use crate::probe::Prober;

/// A failed check waits at most this long for the canaries.
const CANARY_WAIT: Duration = Duration::from_secs(30);

/// While we are blind the canaries are asked this often, so that the end is noticed.
const BLIND_ASKS_EVERY: Duration = Duration::from_secs(10);

/// The wire, the clocks and the recorder's door: what the scheduler acts on in the daemon.
pub struct Live {
    health: Arc<Health>,
    door: Door,
    shelf: Shelf,
    line: Mutex<Line>,
    tools: RwLock<Tools>,
    judges: Judges,
}

/// What a reload replaces.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Sends the requests.
    pub prober: Arc<Prober>,
    /// Know whether our own line is alive.
    pub canaries: Arc<Aviary>,
}

impl Live {
    /// Nothing reached yet; blind, where the process before this one was.
    pub fn new(
        tools: Tools,
        (door, shelf): (Door, Shelf),
        health: Arc<Health>,
        now: Timestamp,
        unfinished: Option<Unfinished>,
    ) -> Arc<Self> {
        let blind = unfinished.is_some();
        let live = Arc::new(Self {
            health,
            door,
            shelf,
            line: Mutex::new(Line::new(now, unfinished)),
            tools: RwLock::new(tools),
            judges: Judges::behind_checks(),
        });
        live.show_line();
        tokio::spawn(beating(Arc::downgrade(&live)));
        if blind {
            tokio::spawn(Arc::clone(&live).look_for_the_end());
        }
        live
    }

    /// The next check uses these.
    pub fn set_tools(&self, tools: Tools) {
        *self.tools.write().unwrap_or_else(PoisonError::into_inner) = tools;
    }

    /// What the next check uses.
    pub(in crate::daemon) fn tools(&self) -> Tools {
        let tools = self.tools.read().unwrap_or_else(PoisonError::into_inner);
        tools.clone()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn probe(
        &self,
        monitor: &Monitor,
        tools: &Tools,
        keep: Keep,
    ) -> (Check, Option<Box<RawEvidence>>) {
        let (wall, tick) = (clock::now(), clock::tick());
        let began = self.health.standstill.beat();
        let probing = pin!(async {
            let room = monitor.rules.interval;
            let subject = &monitor.subject;
            let eyes = Eyes {
                prober: &tools.prober,
                judges: &self.judges,
                canaries: Some(&tools.canaries),
            };
            look(eyes, subject, wall, room, keep).await
        });
        let probed = caught(probing).await.flatten();
        let took = clock::tick().duration_since(tick);
        let told = |panic: &str| {
            self.health.panics.fetch_add(1, Relaxed);
            tracing::error!(monitor = %monitor.name, panic, "a check panicked; this is a bug");
        };
        let judged = probed.map(|judged| {
            judged.panic.iter().for_each(|panic| told(panic));
            (judged.check, judged.evidence)
        });
        let (mut check, evidence) = judged.unwrap_or_else(|panic| {
            told(&panic);
            let mut check = nothing_seen(monitor, wall, took);
            check.verdict =
                local("the check ended in a fault of sitewatch itself; its log has more");
            (check, None)
        });
        if let Some(why) = stood_still(self.health.standstill.since(began), &check) {
            check.verdict = excused(&check, why);
        }
        if let Some(by_ms) = own_network::parted(wall, clock::now(), took) {
            check.verdict = local(&format!(
                "the clock was set or the machine slept during the check (by {} s)",
                by_ms / 1000
            ));
        }
        (check, evidence)
    }

    /// Turns a failure that may be our own into `unknown`.
    async fn doubt(
        self: &Arc<Self>,
        id: MonitorId,
        monitor: &Monitor,
        check: &mut Check,
        tools: &Tools,
    ) {
        let now = clock::now();
        if check.has_reached() {
            let over = self.line().reached(check.chain.remote_addr, now);
            self.tell_blind_time(over);
        }
        let worth = self.line().worth(check, now);
        match worth {
            Worth::Stands => {}
            Worth::Unknown(why) => check.verdict = excused(check, why),
            Worth::AskCanaries if tools.canaries.is_empty() => {}
            Worth::AskCanaries => {
                let asked = tools.canaries.ask(&self.health.standstill);
                let canary = tokio::time::timeout(CANARY_WAIT, asked)
                    .await
                    .unwrap_or(Some(Canary::None));
                let Some(canary) = canary else {
                    check.verdict =
                        excused(check, "sitewatch stood still while it asked the canaries");
                    return;
                };
                let now = clock::now();
                let here = is_here(monitor, check);
                let heard = self
                    .line()
                    .heard(canary, here, id, &monitor.name, check.at, now);
                self.show_line();
                self.tell_blind_time(heard.over);
                if heard.offline {
                    check.verdict = excused(check, "we are offline: no canary answers either");
                }
                if let Some(from) = heard.blind_from {
                    self.door.push(Entry::WentBlind(from));
                }
                if heard.began {
                    self.went_blind();
                }
            }
        }
    }

    fn show_line(&self) {
        let since = self.line().blind_from().map_or(0, Timestamp::as_ms);
        self.health.blind_since_ms.store(since, Relaxed);
    }

    fn went_blind(self: &Arc<Self>) {
        tracing::warn!(
            "we are offline: sites fail and no canary answers; nothing is alerted until one does"
        );
        let live = Arc::clone(self);
        tokio::spawn(async move {
            // They were silent just now.
            tokio::time::sleep(BLIND_ASKS_EVERY).await;
            live.look_for_the_end().await;
        });
    }

    /// Asks the canaries until one answers, or a check found out otherwise that we see.
    async fn look_for_the_end(self: Arc<Self>) {
        while self.line().is_blind() {
            let canaries = self.tools().canaries;
            let Some(canary) = canaries.ask(&self.health.standstill).await else {
                continue;
            };
            match canary {
                Canary::Sings | Canary::None => {
                    let over = self.line().sees_again(clock::now());
                    self.tell_blind_time(over);
                }
                Canary::Silent | Canary::MailServerSilent => {
                    self.line().still_blind();
                    tokio::time::sleep(BLIND_ASKS_EVERY).await;
                }
            }
        }
    }

    fn tell_blind_time(&self, over: Option<BlindTime>) {
        let Some(over) = over else {
            return;
        };
        tracing::warn!(
            seconds = over.to.since(over.from).as_secs(),
            monitors = over.monitors,
            "we are online again; what was not verified meanwhile counts as unknown"
        );
        self.show_line();
        self.door.push(Entry::SeesAgain(Box::new(over)));
    }
}

impl World for Live {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn check(
        self: Arc<Self>,
        id: MonitorId,
        monitor: Arc<Monitor>,
        wants_copy: bool,
    ) -> Outcome {
        let tools = self.tools();
        let keep = self.shelf.keep_for(id, monitor.keep_evidence);
        let (mut check, evidence) = self.probe(&monitor, &tools, keep).await;
        let hit_deadline = check
            .verdict
            .failure()
            .is_some_and(|failure| failure.kind.is_deadline());
        self.doubt(id, &monitor, &mut check, &tools).await;
        tracing::debug!(
            monitor = %monitor.name,
            state = %check.verdict.state(),
            status = check.status,
            ms = check.timings.total.as_ms(),
            "checked"
        );
        let outcome = Outcome {
            hit_deadline,
            retry_after: check
                .retry_after_s
                .filter(|_| check.status == Some(429))
                .map(|seconds| Duration::from_secs(seconds.into())),
            check: wants_copy.then(|| check.clone()),
        };
        if let Some(evidence) = evidence
            && matches!(check.verdict, Verdict::Up | Verdict::Down(_))
        {
            self.shelf.put(id, check.at, evidence);
        }
        self.door.push(Entry::Checked {
            monitor: id,
            check: Box::new(check),
        });
        outcome
    }

    fn missed(&self, missed: Vec<Missed>) {
        for Missed { id, first, count } in missed {
            self.door.push(Entry::Missed {
                monitor: id,
                from: first,
                count: u32::try_from(count).unwrap_or(u32::MAX),
            });
        }
    }

    fn jumped(&self, by_ms: i64) {
        self.line().jumped(by_ms, clock::now());
        self.show_line();
    }
}

/// Beats for as long as checks can be made.
async fn beating(live: Weak<Live>) {
    while let Some(live) = live.upgrade() {
        live.health.standstill.beat();
        drop(live);
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

/// Why a check says nothing about its site, if we were held up while it ran.
fn stood_still(stood: Stood, check: &Check) -> Option<&'static str> {
    match (stood, check.verdict.failure()) {
        (Stood::Still, _) => Some("sitewatch stood still during the check"),
        // The answer may lie in the socket unread.
        (Stood::Briefly, Some(failure)) if failure.kind.is_deadline() => {
            Some("sitewatch was held up when the time of the check was over")
        }
        (Stood::No | Stood::Briefly, _) => None,
    }
}

/// Whether a check was of a site on this machine.
fn is_here(monitor: &Monitor, check: &Check) -> bool {
    let written = match monitor.subject.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let seen = check.chain.remote_addr;
    written || seen.is_some_and(|seen| seen.ip().to_canonical().is_loopback())
}

fn local(why: &str) -> Verdict {
    Verdict::Unknown(Failure {
        kind: FailureKind::Local,
        detail: why.into(),
    })
}

fn excused(check: &Check, why: &str) -> Verdict {
    match check.verdict.failure() {
        Some(failure) => local(&format!("{why} ({}: {})", failure.kind, failure.detail)),
        None => local(why),
    }
}

fn nothing_seen(monitor: &Monitor, at: Timestamp, took: Duration) -> Check {
    Check {
        at,
        verdict: Verdict::Up,
        status: None,
        chain: Arc::new(Chain {
            final_url: monitor.url_shown().into(),
            ..Chain::default()
        }),
        redirect_times: Box::default(),
        timings: Timings {
            total: Micros::of(took),
            ..Timings::default()
        },
        http_version: None,
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::config::{self, environment::Environment};
    use crate::daemon::active;
    use crate::daemon::recorder::engine::Recorder;
    use crate::daemon::recorder::queue::queue;
    use crate::policy::alert::state::ShownState;
    use crate::policy::verdict::judge::tests::PANIC_FIELD;
    use crate::store::writer::Store;

    /// A site whose answers make judging panic, for as long as the test runs.
    fn poisonous_site() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.read(&mut [0; 2048]);
                let answer =
                    format!("HTTP/1.1 200 OK\r\n{PANIC_FIELD}: 1\r\nContent-Length: 2\r\n\r\nok");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        port
    }

    /// From the socket to the incident: such a site is down after as many checks in a row as any other.
    #[tokio::test]
    async fn an_answer_that_makes_us_panic_is_its_sites_failure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("monitors.toml");
        let text = format!(
            "[daemon]\ndatabase = \"a.db\"\ncontrol_socket = \"a.sock\"\n[[monitor]]\nname = \"poison\"\n\
             url = \"http://127.0.0.1:{}/\"\n",
            poisonous_site()
        );
        std::fs::write(&file, text).unwrap();
        let config = Arc::new(config::load(&file, &Environment::default()).unwrap());
        let start = clock::now();
        let store = Store::open(&config.daemon.database, start).unwrap();
        let (mut recorder, enrolled) = Recorder::open(store, Arc::clone(&config), start).unwrap();
        let (_, id) = enrolled.ids[0].clone();
        let prober = Arc::new(Prober::new(&config.dns).unwrap());
        let (door, entries) = queue();
        let health = Arc::new(Health::new(start));
        let tools = active::tools(&config, &prober);
        let doors = (door, Shelf::default());
        let live = Live::new(tools, doors, Arc::clone(&health), start, None);
        let monitor = Arc::clone(&config.monitors[0]);
        for number in 1..=3 {
            let outcome = Arc::clone(&live)
                .check(id, Arc::clone(&monitor), true)
                .await;
            let check = outcome.check.expect("a copy");
            let failure = check.verdict.failure().expect("it failed");
            assert_eq!(
                (check.verdict.state().to_string(), failure.kind),
                ("down".to_owned(), FailureKind::Protocol)
            );
            assert!(
                failure.detail.contains("a fault of its own"),
                "{}",
                failure.detail
            );
            recorder.take(entries.take(Duration::ZERO), clock::now());
            let shown = recorder.board().get(id).expect("it is watched").shown;
            // While it is being confirmed it is what it was: nothing yet.
            let is_down = shown.state == ShownState::Down && shown.incident.is_some();
            assert_eq!(is_down, number == 3, "after {number}: {shown:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(health.panics.load(Relaxed), 3);
    }
}
