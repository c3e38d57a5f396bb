//! How long readers wait: `/` with 1 000 monitors of 90 days, `/metrics` with 10 000.
//!
//! ```text
//! cargo bench --bench pages                     # answers live for a second: each is asked for 1.1 s after the last one
//! cargo bench --bench pages -- serve 200 [DAYS] # serves the page of 200 monitors to a browser, until standard input ends:
//!                                               # outages, slow ones, maintenance; 0 days are the first 40 minutes
//! ```
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints, measures by the clock and waits"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sitewatch::clock;
use sitewatch::config::{Config, Environment, load};
use sitewatch::daemon::health::counters::Health;
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::Entry;
use sitewatch::daemon::web::server::WebServer;
use sitewatch::daemon::web::sources::Sources;
use sitewatch::domain::check::{
    Chain, Check, Failure, FailureKind, HttpVersion, Micros, Timings, Verdict,
};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::writer::Store;
use tempfile::TempDir;
use tokio::sync::watch;

const ROUNDS: usize = 8;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if let [word, monitors, days @ ..] = &arguments[..]
        && word == "serve"
    {
        let monitors = monitors.parse().expect("a number of monitors");
        let days = days.first().map_or(90, |days| days.parse().expect("days"));
        let stand = Stand::new(monitors, &Past::Lively { days });
        println!("http://{}/", stand.server.address());
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        return;
    }
    let few = Stand::new(1_000, &Past::Even { days: 90 });
    few.measure("/", "page of 1 000 monitors, 90 days each");
    few.measure(
        "/monitor/api-000.customer-7.example.com",
        "page of one monitor",
    );
    few.measure("/api/v1/monitors", "status objects of 1 000 monitors");
    drop(few);
    let many = Stand::new(10_000, &Past::Even { days: 1 });
    many.measure("/metrics", "metrics of 10 000 monitors");
    many.measure("/", "first page of 10 000 monitors");
}

/// What was seen before.
enum Past {
    /// Four checks a day, one of 97 failed: what is measured.
    Even { days: u64 },
    /// What people want to see on the page.
    Lively { days: u64 },
}

impl Past {
    /// How long ago there were checks, in seconds, the oldest first.
    fn times(&self) -> Vec<u64> {
        match *self {
            Self::Even { days } => (0..days * 4).rev().map(|slot| slot * 21_600 + 60).collect(),
            Self::Lively { days: 0 } => (0..20).rev().map(|slot| slot * 120 + 20).collect(),
            Self::Lively { days } => {
                let coarse = (4..days * 4).rev().map(|slot| slot * 21_600 + 60);
                let fine = (0..96).rev().map(|slot| slot * 900 + 60);
                coarse.chain(fine).collect()
            }
        }
    }

    /// What monitor `index` answered `ago` seconds ago, in check `number`.
    fn check(&self, index: usize, number: usize, ago: u64, at: Timestamp) -> Check {
        let number = number as u64;
        let day = ago / 86_400;
        let (down, ms) = match self {
            Self::Even { .. } => ((index as u64 + number).is_multiple_of(97), 77),
            Self::Lively { days } => {
                let wave = (number + index as u64 * 5) % 24;
                let usual = 30 + (index as u64 * 37) % 160 + wave.abs_diff(12) * 4;
                let is_down_now = index % 40 == 6 && ago < if *days == 0 { 1_000 } else { 5_400 };
                let was_down = index % 9 == 2 && (day == 20 + index as u64 % 50 || day == 3);
                let is_slow = index % 40 == 9 && ago < 2_000;
                (is_down_now || was_down, if is_slow { 2_700 } else { usual })
            }
        };
        check(at, down, ms)
    }
}

struct Stand {
    server: WebServer,
    _recorder: Recorder,
    _directory: TempDir,
}

impl Stand {
    fn new(monitors: usize, past: &Past) -> Self {
        let directory = TempDir::new().expect("a directory");
        let config = Arc::new(config(&directory, monitors, past));
        let now = clock::now();
        let store = Store::open(&config.daemon.database, now).expect("a new database");
        let database_id = store.database_id().to_owned();
        let (mut recorder, _) =
            Recorder::open(store, Arc::clone(&config), now).expect("monitors are enrolled");
        let board = recorder.board();
        let all = board.all();
        let began = Instant::now();
        for (number, ago) in past.times().into_iter().enumerate() {
            let at = now.minus(Duration::from_secs(ago));
            let entries = all.iter().enumerate().map(|(index, live)| Entry::Checked {
                monitor: live.id,
                check: Box::new(past.check(index, number, ago, at)),
            });
            let _ = recorder.work(entries.collect::<Vec<_>>(), at);
        }
        recorder.flush(now).expect("the database takes it");
        let mut store = recorder.into_store();
        while store.settle(now).expect("it settles") != Step::Done {}
        let (recorder, _) = Recorder::open(store, Arc::clone(&config), now).expect("opened again");
        println!("filled in {:.1?}", began.elapsed());
        let board = recorder.board();
        let database = config.daemon.database.clone();
        let (_, config) = watch::channel(config);
        let sources = Sources {
            board,
            health: Arc::new(Health::new(now)),
            config,
            database,
            database_id,
        };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let began = Instant::now();
        let server = WebServer::start(listen, sources).expect("a free port");
        let stand = Self {
            server,
            _recorder: recorder,
            _directory: directory,
        };
        let _ = stand.get("/");
        println!("first page after {:.1?}", began.elapsed());
        // The past is read in portions, between requests.
        std::thread::sleep(Duration::from_secs(5));
        stand
    }

    fn get(&self, path: &str) -> usize {
        let mut stream = TcpStream::connect(self.server.address()).expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
        answer.len()
    }

    fn measure(&self, path: &str, what: &str) {
        let mut bytes = 0;
        let mut taken: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(1100));
                let began = Instant::now();
                bytes = self.get(path);
                began.elapsed()
            })
            .collect();
        taken.sort();
        println!(
            "{what}: median {:.1?}, least {:.1?}, most {:.1?}, {} KiB",
            taken[ROUNDS / 2],
            taken[0],
            taken[ROUNDS - 1],
            bytes / 1024
        );
    }
}

fn config(directory: &TempDir, monitors: usize, past: &Past) -> Config {
    let mut text =
        "[daemon]\ndatabase = \"pages.db\"\n[web]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    for index in 0..monitors {
        text.push_str(&format!(
            "[[monitor]]\nname = \"api-{:03}.customer-{}.example.com\"\nurl = \"https://site-{index}.example/\"\n\
             tags = [\"group-{}\"]\ninterval = \"6h\"\n",
            index / 20,
            index % 20,
            index % 20
        ));
    }
    if matches!(past, Past::Lively { .. }) {
        let now = clock::now();
        let (begin, end) = (
            now.minus(Duration::from_secs(1_500)),
            now.plus(Duration::from_secs(5_400)),
        );
        text.push_str(&format!(
            "[[maintenance]]\nnote = \"New disks for the database\"\nmonitors = [\"api-000.customer-1.example.com\"]\n\
             start = {begin}\nend = {end}\n"
        ));
    }
    let file = directory.path().join("monitors.toml");
    std::fs::write(&file, text).expect("written");
    let environment = Environment {
        directory: directory.path().to_owned(),
        ..Environment::default()
    };
    load(&file, &environment).expect("the file is valid")
}

fn check(at: Timestamp, down: bool, total_ms: u64) -> Check {
    Check {
        at,
        verdict: if down {
            Verdict::Down(Failure {
                kind: FailureKind::Status,
                detail: "503 Service Unavailable".into(),
            })
        } else if total_ms > 2_000 {
            Verdict::Degraded(Failure {
                kind: FailureKind::Slow,
                detail: "2.7 s, over 2 s".into(),
            })
        } else {
            Verdict::Up
        },
        status: Some(if down { 503 } else { 200 }),
        chain: Arc::new(Chain {
            redirects: Vec::new(),
            final_url: "https://site.example/".into(),
            remote_addr: Some(([192, 0, 2, 7], 443).into()),
        }),
        redirect_times: Box::default(),
        timings: Timings {
            dns: Some(Micros::new(1_203)),
            connect: Some(Micros::new(10_500)),
            tls: Some(Micros::new(22_100)),
            ttfb: Some(Micros::new(40_000)),
            body: Some(Micros::new(3_200)),
            total: Micros::new(u32::try_from(total_ms * 1_000 + 3).expect("a short time")),
        },
        http_version: Some(HttpVersion::Http11),
        body_bytes: 1256,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}
