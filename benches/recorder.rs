//! CPU per check from the recorder's door to the disk: step, state, transaction.
//!
//! `cargo bench --bench recorder [MONITORS] [CHECKS]`

#[path = "../tests/it/world/config.rs"]
#[expect(
    clippy::unwrap_used,
    reason = "shared with tests: one that cannot go on has failed"
)]
mod config;

use std::sync::Arc;
use std::time::Instant;

use sitewatch::daemon::recorder::Recorder;
use sitewatch::daemon::recorder_entry::Entry;
use sitewatch::domain::check::{Chain, Check, Failure, FailureKind, Micros, Timings, Verdict};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::writer::Store;

const START: Timestamp = Timestamp::from_ms(1_795_377_600_000);
const BATCH: usize = 1000;

#[expect(clippy::print_stdout, reason = "a bench reports")]
#[expect(clippy::disallowed_methods, reason = "a bench measures")]
#[expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<usize>().ok());
    let monitors = numbers.next().unwrap_or(10_000);
    let checks = numbers.next().unwrap_or(400_000);
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("bench.db"), START).unwrap();
    let all = (0..monitors).map(|number| config::monitor(&format!("m{number}")));
    let config = config::config(all.collect());
    let (mut recorder, enrolled) = Recorder::open(store, Arc::new(config), START).unwrap();
    let chain = Arc::new(Chain {
        final_url: "https://example.com/".into(),
        ..Chain::default()
    });
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let mut now = START;
    let mut number = 0;
    while number < checks {
        let entries: Vec<Entry> = (number..number + BATCH)
            .map(|number| {
                // One of 500 fails, each time another monitor.
                let verdict = if number % 500 == 7 {
                    Verdict::Down(Failure {
                        kind: FailureKind::Status,
                        detail: "503 is not expected".into(),
                    })
                } else {
                    Verdict::Up
                };
                Entry::Checked {
                    monitor: enrolled.ids[number % monitors].1,
                    check: Box::new(check(now, verdict, &chain)),
                }
            })
            .collect();
        let _ = recorder.work(entries, now);
        number += BATCH;
        now = Timestamp::from_ms(now.as_ms() + 50);
    }
    let _ = recorder.take([], now);
    let per_check = |seconds: f64| seconds * 1e6 / checks as f64;
    println!(
        "{monitors} monitors, {checks} checks: {:.2} us CPU each, {:.2} us elapsed",
        per_check(cpu_seconds() - cpu),
        per_check(began.elapsed().as_secs_f64())
    );
}

fn check(at: Timestamp, verdict: Verdict, chain: &Arc<Chain>) -> Check {
    let time = |us| Some(Micros(us + u32::try_from(at.as_ms() % 997).unwrap_or(0)));
    Check {
        at,
        verdict,
        status: Some(200),
        chain: Arc::clone(chain),
        redirect_times: Vec::new(),
        timings: Timings {
            dns: time(1000),
            connect: time(2000),
            tls: time(20_000),
            ttfb: time(40_000),
            body: time(300),
            total: Micros(64_000),
        },
        http_version: None,
        body_bytes: 1256,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Vec::new(),
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
