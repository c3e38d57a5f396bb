//! The database as its users see it: what goes in comes back, whatever happens in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod crash;
mod evidence;
mod first_edition;
mod history;
mod keeping;
mod kinds;
mod modes;
mod rescue;
mod trouble;
mod upgrade;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sitewatch::domain::check::{
    Certificate, Chain, Check, Failure, FailureKind, HttpVersion, Micros, Redirect, Timings,
    Verdict,
};
use sitewatch::domain::monitor::{MonitorId, MonitorName};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::facts::monitors::MonitorFacts;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

/// 2026-11-22T00:00:00Z, a Sunday.
pub const START: i64 = 1_795_305_600_000;
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// A database in a directory of its own.
pub struct Place {
    _directory: tempfile::TempDir,
    pub path: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("state/sitewatch.db");
        Self {
            _directory: directory,
            path,
        }
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path, at(START)).expect("a database")
    }

    pub fn reader(&self) -> Reader {
        Reader::open(&self.path).expect("a database")
    }
}

pub fn facts(name: &str, interval_ms: i64) -> MonitorFacts {
    MonitorFacts {
        name: MonitorName::parse(name).expect("a name"),
        url: format!("https://{name}.example/"),
        interval: Duration::from_millis(interval_ms.unsigned_abs()),
        public: true,
        renamed_from: None,
    }
}

pub fn enroll(store: &mut Store, names: &[&str]) -> Vec<MonitorId> {
    let facts: Vec<MonitorFacts> = names.iter().map(|name| facts(name, MINUTE)).collect();
    store.enroll(&facts, at(START)).expect("enrolled").ids
}

pub fn record(store: &mut Store, checks: &[(MonitorId, Check)]) {
    let mut batch = store.batch().expect("a transaction");
    for (monitor, check) in checks {
        batch
            .record(*monitor, check, Duration::from_secs(60))
            .expect("recorded");
    }
    batch.commit().expect("committed");
}

pub fn settle(store: &mut Store, now: i64) {
    while store.settle(at(now)).expect("settled") == Step::More {}
}

pub fn failure(kind: FailureKind, detail: &str) -> Failure {
    Failure {
        kind,
        detail: detail.into(),
    }
}

/// `U`, `S`low, `D`own or `?`, at a moment.
pub fn check(letter: char, ms: i64) -> Check {
    let (verdict, status) = match letter {
        'U' => (Verdict::Up, Some(200)),
        'S' => (
            Verdict::Degraded(failure(FailureKind::Slow, "2.5 s")),
            Some(200),
        ),
        'D' => (
            Verdict::Down(failure(FailureKind::Status, "503")),
            Some(503),
        ),
        _ => (
            Verdict::Unknown(failure(FailureKind::Local, "offline")),
            None,
        ),
    };
    Check {
        at: at(ms),
        verdict,
        status,
        chain: Arc::new(Chain {
            redirects: Vec::new(),
            final_url: "https://a.example/".into(),
            remote_addr: Some("203.0.113.7:443".parse().expect("an address")),
        }),
        redirect_times: Box::default(),
        timings: Timings {
            total: Micros::new(u32::try_from(ms.rem_euclid(90_000)).expect("small") + 1000),
            ..Timings::default()
        },
        http_version: status.map(|_| HttpVersion::Http11),
        body_bytes: 1256,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

/// A check with everything that one can have.
pub fn rich(ms: i64, number: u32) -> Check {
    Check {
        at: at(ms),
        verdict: Verdict::Down(failure(FailureKind::Status, &format!("503, try {number}"))),
        status: Some(503),
        chain: Arc::new(Chain {
            redirects: vec![
                Redirect {
                    url: "http://shop.example/".to_owned(),
                    status: 301,
                    location: Some("https://shop.example/?session=ü".to_owned()),
                    remote_addr: Some("203.0.113.7:80".parse().expect("an address")),
                },
                Redirect {
                    url: "https://shop.example/".to_owned(),
                    status: 302,
                    location: None,
                    remote_addr: None,
                },
            ],
            final_url: "https://shop.example/start".into(),
            remote_addr: Some("[2001:db8::7]:443".parse().expect("an address")),
        }),
        redirect_times: [Micros::new(21_400), Micros::new(0)].into(),
        timings: Timings {
            dns: Some(Micros::new(0)),
            connect: None,
            tls: Some(Micros::MAX),
            ttfb: Some(Micros::new(number)),
            body: Some(Micros::new(7)),
            total: Micros::new(77),
        },
        http_version: Some(HttpVersion::Http10),
        body_bytes: u64::from(number) << 20,
        retry_after_s: Some(0),
        certificate: Some(Arc::new(Certificate {
            not_after: at(START + 90 * DAY),
            not_before: at(START - DAY),
            subject: "CN=shop.example".to_owned(),
            issuer: "CN=Some CA".to_owned(),
            fingerprint: u64::MAX - 7,
        })),
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}
