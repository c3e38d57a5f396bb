//! What the store costs: bytes, microseconds, and how long questions take. It makes its own data.
//!
//! `cargo bench --bench store` takes a minute; the figures of the documentation come from
//! `cargo bench --bench store -- --rows 10000000` and `-- --rows 50000000` (`--monitors 1000`, `--directory DIR`).
//! `--alone` fills it faster, without a reader beside the writer, for who only wants to know how long questions take.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;
use sitewatch::cli::why::command::Asked;
use sitewatch::clock::tick;
use sitewatch::domain::check::{
    Certificate, Chain, Check, Failure, FailureKind, HttpVersion, Micros, Redirect, Timings,
    Verdict,
};
use sitewatch::domain::incident::{Cause, Incident, IncidentKey};
use sitewatch::domain::monitor::{MonitorId, MonitorName};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::checks::history::HistoryQuery;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::facts::monitors::MonitorFacts;
use sitewatch::store::facts::rules::StoredRules;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;
use sitewatch::view::time_text::Clock;

const START: i64 = 1_787_529_600_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

struct Size {
    rows: i64,
    monitors: i64,
    directory: Option<PathBuf>,
    is_alone: bool,
}

fn arguments() -> Size {
    let mut size = Size {
        rows: 1_000_000,
        monitors: 1000,
        directory: None,
        is_alone: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rows" => size.rows = words.next().unwrap().parse().unwrap(),
            "--monitors" => size.monitors = words.next().unwrap().parse().unwrap(),
            "--directory" => size.directory = words.next().map(PathBuf::from),
            "--alone" => size.is_alone = true,
            _ => {}
        }
    }
    size
}

/// A small generator, the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap() % below
    }
}

/// Half of the monitors are redirected once, a fifth have four addresses, one check of two hundred fails.
struct Site {
    chains: Vec<Arc<Chain>>,
    certificate: Arc<Certificate>,
    phases: [u32; 5],
    bytes: u64,
}

impl Site {
    fn new(number: i64, dice: &mut Dice) -> Self {
        let host = format!("www.site-{number}.example");
        let addresses = if number % 5 == 0 { 4 } else { 1 };
        let chain = |place: i64| {
            let address = |port| {
                Some(
                    format!("203.0.{}.{place}:{port}", number % 250)
                        .parse()
                        .unwrap(),
                )
            };
            let final_url = format!("https://{host}/");
            let redirect = Redirect {
                url: format!("http://{host}/"),
                status: 301,
                location: Some(final_url.clone()),
                remote_addr: address(80),
            };
            let redirects = if number % 2 == 0 {
                vec![redirect]
            } else {
                Vec::new()
            };
            Arc::new(Chain {
                redirects,
                final_url: final_url.into(),
                remote_addr: address(443),
            })
        };
        Self {
            chains: (0..addresses).map(chain).collect(),
            certificate: Arc::new(Certificate {
                not_after: Timestamp::from_ms(START + 60 * DAY),
                not_before: Timestamp::from_ms(START - 30 * DAY),
                subject: format!("CN={host}"),
                issuer: "C=US, O=Let's Encrypt, CN=R11".to_owned(),
                fingerprint: number.unsigned_abs(),
            }),
            phases: [1500, 12_000, 25_000, 20_000 + dice.roll(300_000), 3000],
            bytes: u64::from(dice.roll(200_000)),
        }
    }

    fn check(&self, at: i64, dice: &mut Dice) -> Check {
        let chain = &self.chains[dice.roll(u32::try_from(self.chains.len()).unwrap()) as usize];
        let fails = dice.roll(200) == 0;
        let [dns, connect, tls, ttfb, body] = self
            .phases
            .map(|usual| usual * 9 / 10 + dice.roll(usual / 5 + 1));
        let verdict = if fails {
            let detail = [
                "503 Service Unavailable",
                "502 Bad Gateway",
                "429 Too Many Requests",
            ];
            Verdict::Down(Failure {
                kind: FailureKind::Status,
                detail: detail[dice.roll(3) as usize].into(),
            })
        } else {
            Verdict::Up
        };
        Check {
            at: Timestamp::from_ms(at),
            verdict,
            status: Some(if fails { 503 } else { 200 }),
            chain: Arc::clone(chain),
            redirect_times: chain
                .redirects
                .iter()
                .map(|_| Micros::new(15_000 + dice.roll(9000)))
                .collect(),
            timings: Timings {
                dns: Some(Micros::new(dns)),
                connect: Some(Micros::new(connect)),
                tls: Some(Micros::new(tls)),
                ttfb: Some(Micros::new(ttfb)),
                body: Some(Micros::new(body)),
                total: Micros::new(dns + connect + tls + ttfb + body + dice.roll(500)),
            },
            http_version: Some(HttpVersion::Http11),
            body_bytes: if dice.roll(4) == 0 {
                self.bytes + u64::from(dice.roll(900))
            } else {
                self.bytes
            },
            retry_after_s: None,
            certificate: Some(Arc::clone(&self.certificate)),
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }
    }
}

struct Bench {
    store: Store,
    sites: Vec<Site>,
    ids: Vec<MonitorId>,
    dice: Dice,
    minute: i64,
    commits: Vec<Duration>,
    steps: Vec<Duration>,
    recorded: i64,
    /// CPU that making the data took, in microseconds.
    making_us: f64,
}

impl Bench {
    fn new(path: &Path, monitors: i64) -> Self {
        let mut store = Store::open(path, Timestamp::from_ms(START)).unwrap();
        let facts: Vec<MonitorFacts> = (0..monitors)
            .map(|number| MonitorFacts {
                name: MonitorName::parse(&format!("site {number}")).unwrap(),
                url: format!("http://www.site-{number}.example/"),
                interval: Duration::from_secs(60),
                public: true,
                renamed_from: None,
            })
            .collect();
        let ids = store.enroll(&facts, Timestamp::from_ms(START)).unwrap().ids;
        let mut dice = Dice(0x5eed_5eed_5eed);
        let sites = (0..monitors)
            .map(|number| Site::new(number, &mut dice))
            .collect();
        Self {
            store,
            sites,
            ids,
            dice,
            minute: 0,
            commits: Vec::new(),
            steps: Vec::new(),
            recorded: 0,
            making_us: 0.0,
        }
    }

    /// One minute of all monitors in batches of `size`; settles three minutes after each hour.
    fn minute(&mut self, size: usize) {
        let count = i64::try_from(self.sites.len()).unwrap();
        let begin = START + self.minute * MINUTE;
        let before = cpu_us();
        let mut checks = Vec::with_capacity(self.sites.len());
        for (site, place) in self.sites.iter().zip(0..) {
            let at = begin + place * MINUTE / count + i64::from(self.dice.roll(20));
            checks.push(site.check(at, &mut self.dice));
        }
        self.making_us += cpu_us() - before;
        for (checks, ids) in checks.chunks(size).zip(self.ids.chunks(size)) {
            let started = tick();
            let mut batch = self.store.batch().unwrap();
            for (check, id) in checks.iter().zip(ids) {
                batch.record(*id, check, Duration::from_secs(60)).unwrap();
            }
            batch.commit().unwrap();
            self.commits.push(started.elapsed());
            self.recorded += i64::try_from(checks.len()).unwrap();
        }
        self.minute += 1;
        if self.minute % 60 == 3 {
            self.settle(begin + MINUTE);
        }
    }

    fn settle(&mut self, now: i64) {
        loop {
            let started = tick();
            let step = self.store.settle(Timestamp::from_ms(now)).unwrap();
            self.steps.push(started.elapsed());
            if step == Step::Done {
                break;
            }
        }
    }

    fn now(&self) -> i64 {
        START + self.minute * MINUTE
    }
}

fn cpu_us() -> f64 {
    // This thread's, so that a reader beside it is not counted.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let ns: f64 = text.split(' ').next().unwrap().parse().unwrap();
    ns / 1000.0
}

fn written_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    line.unwrap().parse().unwrap()
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).max(1) - 1;
    times[place].as_secs_f64() * 1000.0
}

fn saturated(bench: &mut Bench, path: &Path, rows: i64) {
    let stop = AtomicBool::new(false);
    let questions = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let reader = Reader::open(path).unwrap();
            reader.outbox().busy_timeout(Duration::ZERO).unwrap();
            let mut questions = 0;
            while !stop.load(Ordering::Relaxed) {
                let until = Timestamp::from_ms(START + 400 * DAY);
                reader
                    .history(&limited(None), &mut |_, _, _| ControlFlow::Continue(()))
                    .unwrap();
                reader
                    .report(&[MonitorId(1)], Timestamp::from_ms(START), until)
                    .unwrap();
                questions += 2;
            }
            questions
        });
        let (started, cpu) = (tick(), cpu_us());
        bench.making_us = 0.0;
        while bench.recorded < rows {
            bench.minute(500);
        }
        let took = started.elapsed().as_secs_f64();
        let cpu = cpu_us() - cpu - bench.making_us;
        stop.store(true, Ordering::Relaxed);
        let rows = bench.recorded as f64;
        println!("writer, beside a reader that never rests, settling included:");
        println!(
            "  {:.0} checks/s, {:.2} us CPU a check",
            rows / took,
            cpu / rows
        );
        reading.join().unwrap()
    });
    let p99 = percentile(&mut bench.commits, 99);
    let step = percentile(&mut bench.steps, 99);
    println!("  commit of 500: p99 {p99:.1} ms; step of settling: p99 {step:.1} ms");
    println!("  {questions} questions answered meanwhile, no SQLITE_BUSY on either side");
}

/// The same rows with nobody beside the writer, in one transaction a minute.
fn filled(bench: &mut Bench, rows: i64) {
    let started = tick();
    let together = bench.sites.len();
    while bench.recorded < rows {
        bench.minute(together);
    }
    let took = started.elapsed().as_secs_f64();
    println!("filled in {took:.0} s: {:.0} checks/s", rows as f64 / took);
}

fn paced(bench: &mut Bench) {
    let (before, recorded) = (written_bytes(), bench.recorded);
    // Four hours of batches as they are: what came within a second.
    for _ in 0..240 {
        let a_second = bench.sites.len().div_ceil(60);
        bench.minute(a_second);
    }
    let rows = (bench.recorded - recorded) as f64;
    let bytes = (written_bytes() - before) / rows;
    println!("batches of one second: {bytes:.0} bytes written a check, settling included");
}

fn limited(monitor: Option<MonitorId>) -> HistoryQuery {
    HistoryQuery {
        monitors: monitor.into_iter().collect(),
        limit: Some(50),
        ..HistoryQuery::default()
    }
}

/// The median of five, each with an opening of its own.
fn asked(path: &Path, name: &str, question: impl Fn(&Reader)) {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let started = tick();
            question(&Reader::open(path).unwrap());
            started.elapsed()
        })
        .collect();
    println!("  {name}: {:.1} ms", percentile(&mut times, 50));
}

fn questions(bench: &Bench, path: &Path) {
    let now = Timestamp::from_ms(bench.now());
    let from = Timestamp::from_ms(bench.now() - 90 * DAY);
    let one = bench.ids[bench.ids.len() / 2];
    println!("questions, opening included:");
    asked(path, "history of one monitor, limit 50", |reader| {
        reader
            .history(
                &limited(Some(one)),
                &mut |_, _, _| ControlFlow::Continue(()),
            )
            .unwrap();
    });
    asked(path, "history of all, limit 50", |reader| {
        reader
            .history(&limited(None), &mut |_, _, _| ControlFlow::Continue(()))
            .unwrap();
    });
    asked(path, "report of one monitor over 90 days", |reader| {
        reader.report(&[one], from, now).unwrap();
    });
    asked(path, "report of all over 90 days", |reader| {
        reader.report(&[], from, now).unwrap();
    });
    asked(path, "status of all", |reader| {
        reader.status(&[], now).unwrap();
    });
    asked(path, "status of all with their newest checks", |reader| {
        let resolved = reader.together(|reader| {
            for row in reader.status(&[], now)? {
                row.newest
                    .map(|newest| reader.resolve(&newest))
                    .transpose()?;
            }
            Ok(())
        });
        resolved.unwrap();
    });
}

/// `why` of a monitor that is up, and of one with an open incident, without a daemon.
fn reasons(bench: &mut Bench, path: &Path) {
    let now = Timestamp::from_ms(bench.now());
    let begun = Timestamp::from_ms(START);
    let text: Arc<str> = StoredRules::default().text().unwrap().into();
    let rules = bench.ids.iter().map(|id| (*id, Arc::clone(&text)));
    let rules: Vec<(MonitorId, Arc<str>)> = rules.collect();
    let (up, down) = (
        bench.ids[bench.ids.len() / 2],
        bench.ids[bench.ids.len() / 3],
    );
    let opened_at = Timestamp::from_ms(bench.now() - 3 * DAY);
    let mut batch = bench.store.batch().unwrap();
    batch.put_rules(&rules, true, begun).unwrap();
    let cause = Cause {
        failure: Failure {
            kind: FailureKind::Status,
            detail: "503".into(),
        },
        status: Some(503),
    };
    let incident = Incident {
        key: IncidentKey {
            monitor: down,
            opened_at,
        },
        began_at: None,
        clock_is_wrong: false,
        closed_at: None,
        cause,
        checks_failed: 3,
        maintenance: false,
        acked_at: None,
        ack_note: None,
    };
    batch.put_incident(&incident).unwrap();
    batch.commit().unwrap();
    let clock = Clock {
        zone: TimeZone::UTC,
        now,
    };
    let question = Asked {
        config: None,
        clock: &clock,
        at: now,
        is_now: true,
    };
    for (name, id) in [
        ("why of a monitor that is up", up),
        ("why of one that is down for three days", down),
    ] {
        asked(path, name, |reader| {
            let stored = reader.monitors().unwrap();
            let stored = stored.into_iter().find(|stored| stored.id == id).unwrap();
            assert!(question.why(reader, &stored).unwrap().is_some());
        });
    }
}

fn main() {
    let size = arguments();
    let temporary = tempfile::tempdir().unwrap();
    let directory = size.directory.as_deref().unwrap_or(temporary.path());
    let path = directory.join("bench.db");
    println!(
        "{} rows of {} monitors, one a minute",
        size.rows, size.monitors
    );
    let mut bench = Bench::new(&path, size.monitors);
    if size.is_alone {
        filled(&mut bench, size.rows);
    } else {
        saturated(&mut bench, &path, size.rows);
    }
    paced(&mut bench);
    questions(&bench, &path);
    reasons(&mut bench, &path);
    let pages = |pragma: &str| -> f64 {
        let sql = format!("PRAGMA {pragma}");
        bench
            .store
            .outbox()
            .query_row(&sql, [], |row| row.get::<_, i64>(0))
            .unwrap() as f64
    };
    let bytes = pages("page_count") * pages("page_size");
    println!(
        "disk: {:.1} bytes a check, all included",
        bytes / bench.recorded as f64
    );
    let started = tick();
    bench.store.check_integrity().unwrap();
    println!(
        "integrity_check: ok, {:.1} s",
        started.elapsed().as_secs_f64()
    );
}
