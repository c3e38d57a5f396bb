//! What is kept, what is forgotten, and what becomes of names.

use std::time::Duration;

use sitewatch::domain::check::{Chain, Check, FailureKind, Redirect, Verdict};
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::settings::{EvidenceRetention, Retention};
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::facts::monitors::MonitorFacts;
use sitewatch::store::writer::Store;

use super::{DAY, HOUR, MINUTE, Place, START, at, check, enroll, facts, failure, record, settle};

fn retain(store: &mut Store, days: u64, now: i64) {
    let keep = Some(Duration::from_secs(days * 86_400));
    let retention = Retention {
        checks: keep,
        rollups: None,
        evidence: EvidenceRetention::default(),
    };
    while store.retain(&retention, at(now)).unwrap() == Step::More {}
}

fn number(store: &Store, sql: &str) -> i64 {
    store.outbox().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A check whose chain no other has.
fn unlike(ms: i64) -> Check {
    let mut check = check('U', ms);
    check.chain = Chain {
        final_url: format!("https://a.example/{}{ms}", "x".repeat(1500)).into(),
        ..(*check.chain).clone()
    }
    .into();
    check
}

#[test]
fn old_checks_go_and_the_report_stays() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a", "b"]);
    for day in 0..40 {
        let mut checks = Vec::new();
        for step in 0..96 {
            let moment = START + day * DAY + step * 15 * MINUTE;
            checks.push((ids[0], unlike(moment)));
            let letter = if step == 7 { 'D' } else { 'U' };
            checks.push((ids[1], check(letter, moment)));
        }
        record(&mut store, &checks);
        settle(&mut store, START + (day + 1) * DAY + 5 * MINUTE);
    }
    let end = START + 40 * DAY;
    let report = |store: &Store| {
        let _ = store;
        let rows = place.reader().report(&[], at(START), at(end)).unwrap();
        rows.iter()
            .map(|row| format!("{:?} {:?}", row.account, row.tally))
            .collect::<Vec<_>>()
    };
    let before = report(&store);
    let pages = number(&store, "PRAGMA page_count");
    assert!(number(&store, "SELECT count(*) FROM chains") > 3000);
    retain(&mut store, 10, end);
    assert_eq!(report(&store), before);
    let oldest = number(&store, "SELECT min(id) >> 32 FROM ledger") * HOUR;
    assert_eq!(oldest, end - 10 * DAY);
    let chains = number(&store, "SELECT count(*) FROM chains");
    assert!((960..1300).contains(&chains), "{chains} chains");
    // What is left of one page in twenty, and 8 MiB at least, stays for the next hours.
    assert!(number(&store, "PRAGMA freelist_count") <= 2048);
    assert!(number(&store, "PRAGMA page_count") <= pages);
    // What is kept can still be read.
    assert!(
        !place
            .reader()
            .checks(ids[0], at(START), at(end))
            .unwrap()
            .is_empty()
    );
    store.check_integrity().unwrap();
}

#[test]
fn a_clock_that_jumps_forward_deletes_nothing_for_a_day() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    settle(&mut store, START + 2 * HOUR);
    retain(&mut store, 1, START + 2 * HOUR);
    let later = START + 400 * DAY;
    record(&mut store, &[(ids[0], check('U', later))]);
    settle(&mut store, later + 2 * HOUR);
    let blocks = "SELECT count(*) FROM ledger";
    retain(&mut store, 1, later + 2 * HOUR);
    assert_eq!(number(&store, blocks), 2);
    retain(&mut store, 1, later + 3 * HOUR);
    assert_eq!(number(&store, blocks), 2);
    retain(&mut store, 1, later + 27 * HOUR);
    assert_eq!(number(&store, blocks), 1);
}

#[test]
fn a_nonce_in_every_chain_stays_bounded() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let checks: Vec<_> = (0..3000)
        .map(|n| {
            let mut check = check('U', START + n * 1000);
            let url = format!("https://{n}.a.example/{n}?session={n}");
            check.chain = Chain {
                final_url: url.into(),
                ..(*check.chain).clone()
            }
            .into();
            (ids[0], check)
        })
        .collect();
    record(&mut store, &checks);
    let chains = number(&store, "SELECT count(*) FROM chains");
    assert!(chains <= 1000, "{chains} chains");
}

/// What a site that means harm adds to the database in a day: ever new chains of the longest URLs.
#[test]
fn a_hostile_site_has_a_budget_of_bytes() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a", "b"]);
    let hostile = |n: i64, hops: i64, url: fn(i64, i64) -> String| {
        let mut check = check('D', START + n * 1000);
        check.verdict = Verdict::Down(failure(
            FailureKind::RedirectInvalid,
            &format!("{n} {}", "w".repeat(4000)),
        ));
        check.chain = Chain {
            redirects: (0..hops)
                .map(|hop| Redirect {
                    url: url(n, hop),
                    status: 301 + u16::try_from((n >> hop.min(40)) & 1).unwrap(),
                    location: Some(url(n, hop + 1)),
                    remote_addr: None,
                })
                .collect(),
            final_url: url(n, hops).into(),
            remote_addr: None,
        }
        .into();
        check
    };
    let long = |n, hop| format!("http://a.example/{n}/{hop}/{}", "p".repeat(8000));
    let by_path = |n, hop| format!("http://a.example/{n}/{hop}");
    let by_host = |n, hop| format!("http://{n}-{hop}.a.example/");
    let by_code = |_, _| "http://a.example/".to_owned();
    let mut n = 0;
    for url in [long as fn(i64, i64) -> String, by_path, by_host, by_code] {
        let checks = (0..600).map(|_| {
            n += 1;
            (ids[0], hostile(n, 10, url))
        });
        record(&mut store, &checks.collect::<Vec<_>>());
    }
    let bytes = "SELECT (SELECT sum(length(CAST(way AS BLOB))) FROM chains)
                      + (SELECT sum(length(detail)) FROM failures)";
    let spent = number(&store, bytes);
    assert!(spent < 1_700_000, "{spent} bytes");
    let chains = number(&store, "SELECT count(*) FROM chains");
    assert!(chains <= 1001, "{chains} chains");
    // Each check is still there, with its verdict and times.
    let checks = place
        .reader()
        .checks(ids[0], at(START), at(START + HOUR))
        .unwrap();
    assert_eq!(checks.len(), usize::try_from(n).unwrap());
    // The next day, and another monitor, begin with a budget of their own.
    for (monitor, moment) in [(ids[0], START + DAY), (ids[1], START + DAY)] {
        let mut whole = hostile(7, 3, long);
        whole.at = at(moment);
        record(&mut store, &[(monitor, whole.clone())]);
        let kept = place
            .reader()
            .checks(monitor, at(moment), at(moment + 1))
            .unwrap();
        assert_eq!(kept[0].chain.redirects, whole.chain.redirects);
    }
}

#[test]
fn an_honest_day_of_nonces_is_kept_whole() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let nonce = |n: i64, hop: i64| {
        format!(
            "https://login.a.example/{hop}/authorize?state={n}&request={}",
            "s".repeat(400)
        )
    };
    let mut all = Vec::new();
    for n in 0..200 {
        let mut check = check('U', START + n * 300_000);
        check.chain = Chain {
            redirects: (0..3)
                .map(|hop| Redirect {
                    url: nonce(n, hop),
                    status: 302,
                    location: Some(nonce(n, hop + 1)),
                    remote_addr: None,
                })
                .collect(),
            final_url: nonce(n, 3).into(),
            remote_addr: None,
        }
        .into();
        all.push((ids[0], check));
    }
    record(&mut store, &all);
    let kept = place
        .reader()
        .checks(ids[0], at(START), at(START + DAY))
        .unwrap();
    for (kept, (_, sent)) in kept.iter().zip(&all) {
        assert_eq!(kept.chain, sent.chain);
    }
    assert_eq!(kept.len(), 200);
}

#[test]
fn a_new_name_takes_the_history_along() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["old", "other"]);
    record(&mut store, &[(ids[0], check('U', START))]);
    let renamed = MonitorFacts {
        renamed_from: Some(MonitorName::parse("old").unwrap()),
        ..facts("new", MINUTE)
    };
    let first = store
        .enroll(std::slice::from_ref(&renamed), at(START + 1))
        .unwrap();
    assert_eq!(first.ids, [ids[0]]);
    assert_eq!(first.renamed.len(), 1);
    // Said again it means nothing any more.
    let again = store.enroll(&[renamed], at(START + 2)).unwrap();
    assert_eq!((again.ids, again.renamed.len()), (vec![ids[0]], 0));
    let told: Vec<_> = store
        .monitors()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one.name.to_string(),
                one.removed_at.map(|at| at.as_ms() - START),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("new".to_owned(), None), ("other".to_owned(), Some(1))]
    );
}

/// Mails leave the database with their incident; those of none, and the words of all, after 90 days.
#[test]
fn mails_are_kept_as_long_as_their_incident() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let row = |id: i64,
               kind: &str,
               opened: Option<i64>,
               day: i64,
               state: &str,
               carrier: Option<i64>| {
        let done = if state == "waiting" {
            None
        } else {
            Some(START + day * DAY)
        };
        let monitor = opened.map(|_| ids[0].0);
        store
            .outbox()
            .execute(
                "INSERT INTO outbox (id, kind, recipient, mailbox, monitor_id, incident_opened_at, message_id, notice,
                                     queued_at, next_attempt_at, state, done_at, carrier_id)
                 VALUES (?1, ?2, 'o@x', 'o@x', ?3, ?4, ?1 || '@x', ?5, 0, 0, ?6, ?7, ?8)",
                (id, kind, monitor, opened, (kind != "digest").then_some("{\"long\":1}"), state, done, carrier),
            )
            .unwrap();
    };
    // Two outages; the first is forgotten with its roll-ups.
    for (opened, closed) in [(START, START + DAY), (START + 100 * DAY, START + 101 * DAY)] {
        store
            .outbox()
            .execute(
                "INSERT INTO incidents (monitor_id, opened_at, closed_at, kind, detail, status, checks_failed, maintenance)
                 VALUES (?1, ?2, ?3, 'status', '', 503, 3, 0)",
                (ids[0].0, opened, closed),
            )
            .unwrap();
    }
    // So is a window; what goes on stays.
    for (kind, from, to) in [
        ("maintenance", START, Some(START + HOUR)),
        ("maintenance", START + 100 * DAY, Some(START + 101 * DAY)),
        ("paused", START, None),
    ] {
        store
            .outbox()
            .execute(
                "INSERT INTO spans (monitor_id, kind, from_at, to_at) VALUES (?1, ?2, ?3, ?4)",
                (ids[0].0, kind, from, to),
            )
            .unwrap();
    }
    row(1, "digest", None, 1, "sent", None);
    row(2, "down", Some(START), 1, "sent", Some(1));
    row(3, "up", Some(START), 1, "failed", None);
    row(4, "report", None, 1, "sent", None);
    row(5, "down", Some(START + 100 * DAY), 100, "sent", None);
    row(6, "report", None, 150, "sent", None);
    row(7, "trouble", None, 0, "waiting", None);
    record(&mut store, &[(ids[0], check('U', START + 199 * DAY))]);
    settle(&mut store, START + 200 * DAY);
    let mails = |store: &Store| {
        let mut rows = store
            .outbox()
            .prepare("SELECT id || ' ' || length(coalesce(notice, '')) FROM outbox ORDER BY id")
            .unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<String>>()
    };
    let keep = |rollups: Option<u64>| Retention {
        checks: None,
        rollups: rollups.map(|days| Duration::from_secs(days * 86_400)),
        evidence: EvidenceRetention::default(),
    };
    while store.retain(&keep(None), at(START + 200 * DAY)).unwrap() == Step::More {}
    assert_eq!(mails(&store), ["1 0", "2 2", "3 10", "5 2", "6 10", "7 10"]);
    assert_eq!(number(&store, "SELECT count(*) FROM spans"), 3);
    while store
        .retain(&keep(Some(150)), at(START + 200 * DAY))
        .unwrap()
        == Step::More
    {}
    assert_eq!(mails(&store), ["5 2", "6 10", "7 10"]);
    assert_eq!(number(&store, "SELECT count(*) FROM spans"), 2);
}
