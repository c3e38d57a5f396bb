//! Kept answers: what is dropped with its suspicion, what goes first when the room is full, what is kept how long.

use std::time::Duration;

use sitewatch::domain::check::HttpVersion;
use sitewatch::domain::evidence::{Evidence, Head, KeptBody};
use sitewatch::domain::incident::{Cause, Incident, IncidentKey};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::settings::{EvidenceRetention, Retention};
use sitewatch::policy::clock_step::ClockStep;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::facts::evidence::{EvidenceRow, KeptAnswer};
use sitewatch::store::writer::Store;

use super::{DAY, MINUTE, Place, START, at, check, enroll, record, settle};

fn answer(letter: char, ms: i64, bytes: usize) -> KeptAnswer {
    // Hardly to be compressed.
    let mut number = u64::try_from(ms).unwrap();
    let body = (0..bytes).map(|_| {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'!' + u8::try_from((number >> 33) % 90).unwrap())
    });
    KeptAnswer {
        check: check(letter, ms),
        evidence: Evidence {
            heads: vec![Head {
                url: "https://a.example/".to_owned(),
                status: 503,
                http_version: HttpVersion::Http11,
                fields: Vec::new(),
            }],
            body: Some(KeptBody::Text(body.collect())),
            body_bytes: bytes as u64,
            truncated: false,
        },
    }
}

fn put(store: &mut Store, monitor: MonitorId, answers: &[KeptAnswer], limit: u64) {
    let mut batch = store.batch().unwrap();
    for answer in answers {
        let is_good = answer.check.verdict.is_good();
        let row = EvidenceRow::new(monitor, is_good, answer).unwrap();
        batch.put_evidence(&row, limit).unwrap();
    }
    batch.commit().unwrap();
}

fn incident(monitor: MonitorId, opened: i64, closed: Option<i64>) -> Incident {
    let failed = check('D', opened);
    Incident {
        key: IncidentKey {
            monitor,
            opened_at: at(opened),
        },
        began_at: None,
        clock_is_wrong: false,
        closed_at: closed.map(at),
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

fn open(store: &mut Store, monitor: MonitorId, opened: i64, closed: Option<i64>) -> IncidentKey {
    let incident = incident(monitor, opened, closed);
    let mut batch = store.batch().unwrap();
    batch.put_incident(&incident).unwrap();
    batch.commit().unwrap();
    incident.key
}

fn count(store: &Store) -> i64 {
    let sql = "SELECT count(*) FROM evidence";
    store.outbox().query_row(sql, [], |row| row.get(0)).unwrap()
}

const MIB: u64 = 1 << 20;

#[test]
fn an_incident_has_its_failing_answer_and_the_good_one_before_it() {
    let place = Place::new();
    let mut store = place.store();
    let [shop] = enroll(&mut store, &["shop"])[..] else {
        panic!()
    };
    let good = [answer('U', START, 100), answer('U', START + MINUTE, 200)];
    put(&mut store, shop, &good, MIB);
    let key = open(
        &mut store,
        shop,
        START + 5 * MINUTE,
        Some(START + 9 * MINUTE),
    );
    put(
        &mut store,
        shop,
        &[answer('D', START + 5 * MINUTE, 300)],
        MIB,
    );
    let kept = || place.reader().evidence(key).unwrap();
    let found = kept().unwrap();
    assert_eq!(found.failing, answer('D', START + 5 * MINUTE, 300));
    // Of a day the first good one is kept.
    assert_eq!(found.good, Some(answer('U', START, 100)));
    // A later one takes its place, but not where it is compared with.
    put(&mut store, shop, &[answer('U', START + DAY, 100)], MIB);
    assert_eq!(kept().unwrap(), found);
    assert_eq!(count(&store), 3);
    let mut batch = store.batch().unwrap();
    batch.drop_evidence(shop, at(START + 5 * MINUTE)).unwrap();
    batch.commit().unwrap();
    assert_eq!(kept(), None);
    put(&mut store, shop, &[answer('U', START + 2 * DAY, 100)], MIB);
    assert_eq!(count(&store), 1);
}

#[test]
fn a_clock_that_was_ahead_does_not_keep_good_answers_out() {
    let place = Place::new();
    let mut store = place.store();
    let [shop] = enroll(&mut store, &["shop"])[..] else {
        panic!()
    };
    put(&mut store, shop, &[answer('U', START + 3 * DAY, 100)], MIB);
    let step = ClockStep {
        era_from: at(START + 3 * DAY),
        from: at(START + 3 * DAY),
        to: at(START),
    };
    store.clock_was_set(&step).unwrap();
    put(&mut store, shop, &[answer('U', START + MINUTE, 100)], MIB);
    let key = open(&mut store, shop, START + 5 * MINUTE, None);
    let failing = answer('D', START + 5 * MINUTE, 300);
    put(&mut store, shop, &[failing], MIB);
    let found = place.reader().evidence(key).unwrap().unwrap();
    assert_eq!(found.good, Some(answer('U', START + MINUTE, 100)));
}

#[test]
fn the_oldest_make_room_and_those_of_open_incidents_go_last() {
    let place = Place::new();
    let mut store = place.store();
    let [shop, rest] = enroll(&mut store, &["shop", "rest"])[..] else {
        panic!()
    };
    let first = open(&mut store, rest, START, None);
    put(&mut store, rest, &[answer('D', START, 3000)], MIB);
    let mut newest = first;
    for number in 1..3000 {
        let moment = START + number * MINUTE;
        newest = open(&mut store, shop, moment, Some(moment + MINUTE));
        put(&mut store, shop, &[answer('D', moment, 3000)], MIB);
        if number % 500 == 0 {
            let bytes = place.reader().evidence_bytes().unwrap();
            assert!(bytes <= MIB, "{bytes}");
        }
    }
    let reader = place.reader();
    assert!(reader.evidence(first).unwrap().is_some());
    assert!(reader.evidence(newest).unwrap().is_some());
    assert!((250..400).contains(&count(&store)), "{}", count(&store));
    let real: i64 = store
        .outbox()
        .query_row("SELECT sum(bytes) FROM evidence", [], |row| row.get(0))
        .unwrap();
    assert_eq!(reader.evidence_bytes().unwrap(), real as u64);
}

#[test]
fn good_answers_take_at_most_half_of_the_room() {
    let place = Place::new();
    let mut store = place.store();
    let names: Vec<String> = (0..200).map(|number| format!("m{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let monitors = enroll(&mut store, &names);
    for (number, monitor) in (0i64..).zip(&monitors) {
        put(
            &mut store,
            *monitor,
            &[answer('U', START + number, 8000)],
            MIB,
        );
    }
    let bytes = place.reader().evidence_bytes().unwrap();
    assert!((MIB / 3..=MIB / 2).contains(&bytes), "{bytes}");
}

#[test]
fn answers_are_kept_for_their_time_and_unconfirmed_ones_for_days() {
    let place = Place::new();
    let mut store = place.store();
    let [shop] = enroll(&mut store, &["shop"])[..] else {
        panic!()
    };
    let old = open(&mut store, shop, START, Some(START + MINUTE));
    let still_open = open(&mut store, shop, START + MINUTE, None);
    let young = open(
        &mut store,
        shop,
        START + 8 * DAY,
        Some(START + 8 * DAY + MINUTE),
    );
    for moment in [START, START + MINUTE, START + 8 * DAY, START + 7 * DAY] {
        put(&mut store, shop, &[answer('D', moment, 100)], MIB);
    }
    record(
        &mut store,
        &[
            (shop, check('U', START)),
            (shop, check('U', START + 10 * DAY)),
        ],
    );
    settle(&mut store, START + 11 * DAY);
    let mut retain = |keep: Option<u64>, now: i64| {
        let retention = Retention {
            checks: None,
            rollups: None,
            evidence: EvidenceRetention {
                keep: keep.map(|days| Duration::from_secs(days * 86_400)),
                bytes_max: MIB,
            },
        };
        while store.retain(&retention, at(now)).unwrap() == Step::More {}
        count(&store)
    };
    // No incident came of the one of day 7.
    assert_eq!(retain(Some(5), START + 11 * DAY), 2);
    let reader = place.reader();
    assert!(reader.evidence(old).unwrap().is_none());
    assert!(reader.evidence(still_open).unwrap().is_some());
    assert!(reader.evidence(young).unwrap().is_some());
    assert_eq!(retain(None, START + 11 * DAY + MINUTE), 0);
}
