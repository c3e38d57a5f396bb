//! CPU per check from the recorder's door to the disk: step, state, transaction.
//!
//! `cargo bench --bench recorder -- [MONITORS] [CHECKS]`
//! `cargo bench --bench recorder -- soak [DAYS] [MONITORS]`: so many days (30) of so many monitors (1 000) a minute
//! each in virtual time, with settling each hour and retention each day; what is resident and stored is told daily.

#[path = "../tests/it/world/config.rs"]
#[expect(
    clippy::unwrap_used,
    reason = "shared with tests: one that cannot go on has failed"
)]
mod config;

use std::sync::Arc;
use std::time::Instant;

use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::{Entry, Upkeep};
use sitewatch::domain::check::{Chain, Check, Failure, FailureKind, Micros, Timings, Verdict};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::writer::Store;

const START: Timestamp = Timestamp::from_ms(1_795_377_600_000);
const BATCH: usize = 1000;

#[expect(clippy::print_stdout, reason = "a bench reports")]
#[expect(clippy::disallowed_methods, reason = "a bench measures")]
#[expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<usize>().ok());
    if std::env::args().any(|word| word == "soak") {
        let days = numbers.next().unwrap_or(30);
        return soak(days, numbers.next().unwrap_or(1000));
    }
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

/// Days in virtual time, as the daemon drives the recorder: a transaction a second or less, upkeep at its hours.
#[expect(clippy::print_stdout, reason = "a bench reports")]
#[expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
fn soak(days: usize, monitors: usize) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("bench.db"), START).unwrap();
    let all = (0..monitors).map(|number| config::monitor(&format!("m{number}")));
    let config = config::config(all.collect());
    let keep = config.history;
    let (mut recorder, enrolled) = Recorder::open(store, Arc::new(config), START).unwrap();
    println!(
        "{:>5} {:>10} {:>9} {:>10} {:>12}",
        "day", "checks", "RSS MiB", "files MiB", "descriptors"
    );
    let mut checks = 0_u64;
    for minute in 0..days * 24 * 60 {
        let now = Timestamp::from_ms(START.as_ms() + i64::try_from(minute).unwrap() * 60_000);
        let entries = enrolled.ids.iter().enumerate().map(|(place, (name, id))| {
            // Each one fails for three minutes every five days.
            let verdict = if (minute + place * 7) % 7200 < 3 {
                let (kind, detail) = (FailureKind::Status, "503 is not expected".into());
                Verdict::Down(Failure { kind, detail })
            } else {
                Verdict::Up
            };
            let chain = Arc::new(Chain {
                final_url: format!("https://example.com/{}", name.as_str()).into(),
                ..Chain::default()
            });
            let check = Box::new(check(now, verdict, &chain));
            Entry::Checked {
                monitor: *id,
                check,
            }
        });
        let _ = recorder.take(entries.collect::<Vec<_>>(), now);
        checks += enrolled.ids.len() as u64;
        if minute % 60 == 4 {
            upkeep(&mut recorder, now, move |store| store.settle(now));
        }
        if minute % 1440 == 197 {
            upkeep(&mut recorder, now, move |store| store.retain(&keep, now));
        }
        if minute % 1440 == 1439 {
            let files = std::fs::read_dir(directory.path()).unwrap();
            let bytes: u64 = files
                .map(|file| file.unwrap().metadata().unwrap().len())
                .sum();
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let resident = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .unwrap();
            let kib: f64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
            println!(
                "{:>5} {checks:>10} {:>9.1} {:>10.1} {:>12}",
                minute / 1440 + 1,
                kib / 1024.0,
                bytes as f64 / 1_048_576.0,
                std::fs::read_dir("/proc/self/fd").unwrap().count()
            );
        }
    }
}

/// Runs an upkeep to its end, slice by slice.
#[expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]
fn upkeep(
    recorder: &mut Recorder,
    now: Timestamp,
    mut work: impl FnMut(&mut Store) -> sitewatch::store::error::Result<Step> + Send + 'static,
) {
    let upkeep = Entry::Upkeep(Box::new(move |store| match work(store).unwrap() {
        Step::More => Upkeep::More,
        Step::Done => Upkeep::Done,
    }));
    let _ = recorder.take([upkeep], now);
    while recorder.has_upkeep() {
        let _ = recorder.take([], now);
    }
}

fn check(at: Timestamp, verdict: Verdict, chain: &Arc<Chain>) -> Check {
    let time = |us| {
        Some(Micros::new(
            us + u32::try_from(at.as_ms() % 997).unwrap_or(0),
        ))
    };
    Check {
        at,
        verdict,
        status: Some(200),
        chain: Arc::clone(chain),
        redirect_times: Box::default(),
        timings: Timings {
            dns: time(1000),
            connect: time(2000),
            tls: time(20_000),
            ttfb: time(40_000),
            body: time(300),
            total: Micros::new(64_000),
        },
        http_version: None,
        body_bytes: 1256,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
