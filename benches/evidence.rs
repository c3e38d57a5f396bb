//! What kept answers cost: processor time an incident, bytes in the database, and how long questions take beside them.
//!
//! `cargo bench --bench evidence` records two days of 50 000 incidents each, in a minute; `-- --days 30` a month.
//! `--directory DIR` keeps the database there.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sitewatch::clock::tick;
use sitewatch::domain::check::{Chain, Check, Failure, FailureKind, HttpVersion, Timings, Verdict};
use sitewatch::domain::evidence::{RawEvidence, RawHead};
use sitewatch::domain::incident::{Cause, Incident, IncidentKey};
use sitewatch::domain::monitor::{MonitorId, MonitorName};
use sitewatch::domain::redaction::Masks;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::verdict::evidence;
use sitewatch::store::facts::evidence::{EvidenceRow, KeptAnswer};
use sitewatch::store::facts::incidents::IncidentQuery;
use sitewatch::store::facts::monitors::MonitorFacts;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

const START: i64 = 1_787_529_600_000;
const DAY_MS: i64 = 86_400_000;
const MONITORS: i64 = 1000;
const LIMIT: u64 = 512 << 20;
/// An error page of an ordinary size, in lines of about 60 bytes.
const LINES: u64 = 100;
/// Incidents that come together: one transaction.
const TOGETHER: i64 = 10;

struct Size {
    days: i64,
    incidents: i64,
    directory: Option<PathBuf>,
}

fn arguments() -> Size {
    let mut size = Size {
        days: 2,
        incidents: 50_000,
        directory: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--days" => size.days = words.next().unwrap().parse().unwrap(),
            "--incidents" => size.incidents = words.next().unwrap().parse().unwrap(),
            "--directory" => size.directory = words.next().map(PathBuf::from),
            _ => {}
        }
    }
    size
}

fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn check(at: i64, is_good: bool) -> Check {
    let failure = Failure {
        kind: FailureKind::Status,
        detail: "503 Service Unavailable: expected 200-299".into(),
    };
    Check {
        at: Timestamp::from_ms(at),
        verdict: if is_good {
            Verdict::Up
        } else {
            Verdict::Down(failure)
        },
        status: Some(if is_good { 200 } else { 503 }),
        chain: Arc::new(Chain {
            final_url: "https://www.example.com/".into(),
            ..Chain::default()
        }),
        redirect_times: Box::default(),
        timings: Timings::default(),
        http_version: Some(HttpVersion::Http11),
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

/// A page with a number on each line that no other page has.
fn answer(number: i64, is_good: bool) -> Box<RawEvidence> {
    let mut word = number.unsigned_abs() + 1;
    let mut body = String::from("<!doctype html><title>503</title>\n");
    for line in 0..LINES {
        word = word
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(line);
        body.push_str(&format!(
            "<p class=\"line\">request {word:016x} at node-{:02}</p>\n",
            word % 64
        ));
    }
    let field = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Box::new(RawEvidence {
        heads: vec![RawHead {
            url: "https://www.example.com/".to_owned(),
            status: if is_good { 200 } else { 503 },
            http_version: HttpVersion::Http11,
            fields: vec![
                field("server", "nginx"),
                field("content-type", "text/html; charset=utf-8"),
                field("set-cookie", "session=0123456789abcdef; Path=/; HttpOnly"),
                field("x-request-id", &number.to_string()),
            ],
        }],
        body_bytes: body.len() as u64,
        body: body.into_bytes(),
        is_decoded: true,
        is_cut: false,
        masks: Masks::default(),
    })
}

fn row(monitor: MonitorId, number: i64, at: i64, is_good: bool) -> EvidenceRow {
    let check = check(at, is_good);
    let kept = KeptAnswer {
        evidence: evidence::fit(*answer(number, is_good), &check),
        check,
    };
    EvidenceRow::new(monitor, is_good, &kept).unwrap()
}

fn incident(monitor: MonitorId, at: i64) -> Incident {
    let failed = check(at, false);
    Incident {
        key: IncidentKey {
            monitor,
            opened_at: Timestamp::from_ms(at),
        },
        began_at: None,
        clock_is_wrong: false,
        closed_at: Some(Timestamp::from_ms(at + 60_000)),
        cause: Cause {
            failure: failed.verdict.failure().unwrap().clone(),
            status: failed.status,
        },
        checks_failed: 3,
        maintenance: false,
        acked_at: None,
        ack_note: None,
    }
}

fn slowest(path: &Path, name: &str, query: &IncidentQuery) {
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let began = tick();
            let reader = Reader::open(path).unwrap();
            assert!(!reader.incidents(query).unwrap().is_empty());
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "{name}: median {:.2?}, slowest of 50 {:.2?}",
        times[25], times[49]
    );
}

fn main() {
    let size = arguments();
    let temporary = tempfile::tempdir().unwrap();
    let directory = size.directory.as_deref().unwrap_or(temporary.path());
    let path = directory.join("evidence.db");
    let mut store = Store::open(&path, Timestamp::from_ms(START)).unwrap();
    let facts: Vec<MonitorFacts> = (0..MONITORS)
        .map(|number| MonitorFacts {
            name: MonitorName::parse(&format!("site {number}")).unwrap(),
            url: format!("https://www.site-{number}.example/"),
            interval: Duration::from_secs(60),
            public: true,
            renamed_from: None,
        })
        .collect();
    let ids = store.enroll(&facts, Timestamp::from_ms(START)).unwrap().ids;
    let id = |number: i64| ids[usize::try_from(number % MONITORS).unwrap()];
    let (mut packing, mut writing) = (Duration::ZERO, Duration::ZERO);
    let mut most = 0;
    for day in 0..size.days {
        let begin = START + day * DAY_MS;
        let mut batch = store.batch().unwrap();
        for number in 0..MONITORS {
            let good = row(id(number), number, begin + number, true);
            batch.put_evidence(&good, LIMIT).unwrap();
        }
        batch.commit().unwrap();
        for first in (0..size.incidents).step_by(usize::try_from(TOGETHER).unwrap()) {
            let numbers = first..(first + TOGETHER).min(size.incidents);
            let at = |number: i64| begin + MONITORS + number * (DAY_MS - MONITORS) / size.incidents;
            let before = cpu();
            let rows: Vec<EvidenceRow> = numbers
                .clone()
                .map(|number| row(id(number), day * size.incidents + number, at(number), false))
                .collect();
            let packed = cpu();
            let mut batch = store.batch().unwrap();
            for number in numbers {
                batch
                    .put_incident(&incident(id(number), at(number)))
                    .unwrap();
            }
            batch.commit().unwrap();
            let opened = cpu();
            let mut batch = store.batch().unwrap();
            for row in &rows {
                batch.put_evidence(row, LIMIT).unwrap();
            }
            batch.commit().unwrap();
            packing += packed - before;
            writing += cpu() - opened;
        }
        most = most.max(Reader::open(&path).unwrap().evidence_bytes().unwrap());
    }
    let count = u32::try_from(size.days * size.incidents).unwrap();
    let of_one = (packing + writing) / count;
    let hourly = of_one * u32::try_from(size.incidents / 24).unwrap();
    println!(
        "{count} incidents in {} days: {:.1?} to mask and pack each, {:.1?} to write it; {} an hour take {:.2?}, {:.3} % \
         of a core",
        size.days,
        packing / count,
        writing / count,
        size.incidents / 24,
        hourly,
        hourly.as_secs_f64() / 36.0
    );
    println!(
        "at most {:.1} MiB of {} MiB are kept; the file has {:.1} MiB",
        most as f64 / 1_048_576.0,
        LIMIT >> 20,
        std::fs::metadata(&path).unwrap().len() as f64 / 1_048_576.0
    );
    assert!(most <= LIMIT);
    let newest = IncidentQuery {
        limit: Some(50),
        ..IncidentQuery::default()
    };
    slowest(&path, "incidents --limit 50", &newest);
    let of_one = IncidentQuery {
        monitors: vec![id(0)],
        ..newest.clone()
    };
    slowest(&path, "incidents NAME --limit 50", &of_one);
}
