//! How long one peer holds the thread of the checks at a time, and by how much a check outlasts its timeout: the checks
//! of ten hostile monitors alone on a thread, each poll of them measured by the processor time that it took. What the
//! daemon does on that thread beside (the timetable, handing over) no peer decides. Over QUIC a library's tasks work for a
//! check, so there the turns of the runtime are measured instead, beside one hostile monitor.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sitewatch::clock;
use sitewatch::config::environment::Environment;
use sitewatch::daemon::checks::judging::Judges;
use sitewatch::daemon::process::check_runtime;
use sitewatch::domain::monitor::Monitor;
use sitewatch::probe::Prober;
use tokio::time::{Instant, sleep_until};

use super::super::process::{Pinned, myself};
use super::kinds::{KINDS, monitor};

/// Hostile monitors at once.
const MONITORS: usize = 10;
const INTERVAL: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(4);

/// What was seen of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    /// Processor time of the longest poll, in milliseconds.
    pub(super) poll_ms: f64,
    /// By which the longest check outlasted its timeout, in milliseconds; below zero if none did. The wait for room and
    /// for a judge is not the check's.
    pub(super) overrun_ms: f64,
}

/// Measures one kind in a process of its own on core 1.
pub(super) fn measure(directory: &Path, kind: usize, port: u16) -> Held {
    let file = directory.join("held.toml");
    let monitors = (0..MONITORS).map(|number| monitor(&KINDS[kind], directory, port, number));
    let mut text = "[daemon]\ndatabase = \"held.db\"\n".to_owned();
    text.extend(monitors);
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("a plain name");
    let mut process = Pinned::start(1, &myself(), &["hostile-held", file], Stdio::piped(), &[]);
    let mut text = String::new();
    let mut out = process.0.stdout.take().expect("its output is piped");
    std::io::Read::read_to_string(&mut out, &mut text).expect("readable");
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    Held {
        poll_ms: numbers.next().unwrap_or(f64::NAN),
        overrun_ms: numbers.next().unwrap_or(f64::NAN),
    }
}

/// The role: checks the monitors of a file for a while and prints what was seen.
pub fn run(arguments: &[String]) {
    let file = PathBuf::from(arguments.first().expect("a file"));
    let config = sitewatch::config::load(&file, &Environment::default()).expect("it is valid");
    let runtime = check_runtime::new().expect("a runtime");
    let held = runtime.block_on(async {
        let prober = Prober::new(&config.dns).expect("TLS can be set up");
        let judges = Arc::new(Judges::behind_checks());
        let all = checks_of(&config.monitors, &prober, &judges).await;
        if !config.monitors.iter().any(|one| one.subject.speaks_http3()) {
            return all;
        }
        let end = clock::tick() + WINDOW;
        let one = checks_of(&config.monitors[..1], &prober, &judges);
        let (alone, poll_ms) = tokio::join!(one, longest_turn(end));
        Held {
            poll_ms,
            overrun_ms: all.overrun_ms.max(alone.overrun_ms),
        }
    });
    println!("{} {}", held.poll_ms, held.overrun_ms);
    runtime.shutdown_background();
}

/// Checks these for a while.
async fn checks_of(monitors: &[Arc<Monitor>], prober: &Prober, judges: &Arc<Judges>) -> Held {
    let end = clock::tick() + WINDOW;
    let mut tasks = Vec::new();
    for monitor in monitors {
        let (prober, judges, monitor) = (prober.clone(), Arc::clone(judges), monitor.clone());
        tasks.push(tokio::spawn(check_until(end, prober, judges, monitor)));
    }
    let mut all = Held {
        poll_ms: 0.0,
        overrun_ms: f64::MIN,
    };
    for task in tasks {
        let one = task.await.expect("a check does not panic");
        all.poll_ms = all.poll_ms.max(one.poll_ms);
        all.overrun_ms = all.overrun_ms.max(one.overrun_ms);
    }
    all
}

/// Processor time of the longest turn: between two looks of the runtime at its sockets and timers.
async fn longest_turn(end: Instant) -> f64 {
    let mut longest = 0.0_f64;
    while clock::tick() < end {
        let before = processor_ms();
        tokio::task::yield_now().await;
        longest = longest.max(processor_ms() - before);
    }
    longest
}

async fn check_until(
    end: Instant,
    prober: Prober,
    judges: Arc<Judges>,
    monitor: Arc<Monitor>,
) -> Held {
    let mut held = Held {
        poll_ms: 0.0,
        overrun_ms: f64::MIN,
    };
    let timeout_ms = monitor.rules.timeout.as_secs_f64() * 1000.0;
    let mut next = clock::tick();
    while next < end {
        sleep_until(next).await;
        let checking = async {
            let http = monitor.http().expect("its peer speaks HTTP");
            let probe = prober.run(&http.target, clock::now()).await;
            let took_ms = probe.timings.total.as_ms();
            let judged = judges
                .judge_answer(&http.expectation, &http.target, probe)
                .await;
            judged.map(|_| took_ms)
        };
        let (took_ms, poll_ms) = measured(checking).await;
        let took_ms = took_ms.expect("no panic that is not the answer's");
        held.poll_ms = held.poll_ms.max(poll_ms);
        held.overrun_ms = held.overrun_ms.max(took_ms - timeout_ms);
        next = (next + INTERVAL).max(clock::tick());
    }
    held
}

/// What a future gives, and the processor time of its longest poll in milliseconds.
async fn measured<T>(work: impl Future<Output = T>) -> (T, f64) {
    let mut work = pin!(work);
    let mut longest = 0.0_f64;
    let done = std::future::poll_fn(|context| {
        let before = processor_ms();
        let polled = work.as_mut().poll(context);
        longest = longest.max(processor_ms() - before);
        polled
    })
    .await;
    (done, longest)
}

fn processor_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1_000_000.0
}
