//! What was recorded comes back, newest first.

use std::ops::ControlFlow;

use sitewatch::domain::check::{Check, CheckState};
use sitewatch::store::checks::history::HistoryQuery;
use sitewatch::store::reader::Reader;

use super::{DAY, HOUR, MINUTE, Place, START, at, check, enroll, record, rich, settle};

fn all(reader: &Reader, query: &HistoryQuery) -> Vec<(String, Check)> {
    let mut found = Vec::new();
    reader
        .history(query, &mut |monitor, check, _| {
            found.push((monitor.name.to_string(), check));
            ControlFlow::Continue(())
        })
        .expect("read");
    found
}

/// Names and minutes since the start.
fn told(reader: &Reader, query: &HistoryQuery) -> String {
    let words: Vec<String> = all(reader, query)
        .iter()
        .map(|(name, check)| format!("{name}{}", (check.at.as_ms() - START) / MINUTE))
        .collect();
    words.join(" ")
}

#[test]
fn a_check_comes_back_whole_before_and_after_settling() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["shop"]);
    let checks: Vec<Check> = (0..3)
        .map(|n| rich(START + i64::from(n) * MINUTE, n))
        .collect();
    let pairs: Vec<_> = checks.iter().map(|check| (ids[0], check.clone())).collect();
    record(&mut store, &pairs);
    let newest_first = || checks.iter().rev().cloned().collect::<Vec<_>>();
    let read = || -> Vec<Check> {
        let found = all(&place.reader(), &HistoryQuery::default());
        found.into_iter().map(|(_, check)| check).collect()
    };
    assert_eq!(read(), newest_first());
    settle(&mut store, START + 2 * HOUR);
    assert_eq!(store.journal_rows().unwrap(), 0);
    assert_eq!(read(), newest_first());
    let past = store.load(20).unwrap().remove(&ids[0]).unwrap();
    assert_eq!(past.newest, newest_first());
    assert_eq!(past.last_bad, checks.last().cloned());
    assert_eq!(past.last_good, None);
}

#[test]
fn filters_and_order() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a", "b"]);
    let mut checks = Vec::new();
    for (letter, minute) in "UUDDUU".chars().zip(0..) {
        checks.push((ids[0], check(letter, START + minute * 30 * MINUTE)));
    }
    checks.push((ids[1], check('S', START + 45 * MINUTE)));
    checks.push((ids[1], check('?', START + 130 * MINUTE)));
    record(&mut store, &checks);
    let query = HistoryQuery::default;
    for settled in [false, true] {
        if settled {
            settle(&mut store, START + 2 * HOUR + 10 * MINUTE);
            assert!(store.journal_rows().unwrap() < 5);
        }
        let reader = place.reader();
        let check = |query: HistoryQuery, expected: &str| {
            assert_eq!(told(&reader, &query), expected, "settled: {settled}");
        };
        check(query(), "a150 b130 a120 a90 a60 b45 a30 a0");
        check(
            HistoryQuery {
                limit: Some(3),
                ..query()
            },
            "a150 b130 a120",
        );
        check(
            HistoryQuery {
                limit: Some(0),
                ..query()
            },
            "",
        );
        check(
            HistoryQuery {
                monitors: vec![ids[1]],
                ..query()
            },
            "b130 b45",
        );
        check(
            HistoryQuery {
                states: vec![CheckState::Down],
                ..query()
            },
            "a90 a60",
        );
        check(
            HistoryQuery {
                statuses: vec![500..=599, 404..=404],
                ..query()
            },
            "a90 a60",
        );
        check(
            HistoryQuery {
                since: Some(at(START + 45 * MINUTE)),
                until: Some(at(START + 120 * MINUTE)),
                ..query()
            },
            "a90 a60 b45",
        );
        check(
            HistoryQuery {
                changes: true,
                ..query()
            },
            "b130 a120 a60 b45 a0",
        );
        // The check before the first wanted one decides whether that is a change.
        check(
            HistoryQuery {
                changes: true,
                since: Some(at(START + 90 * MINUTE)),
                ..query()
            },
            "b130 a120",
        );
        check(
            HistoryQuery {
                changes: true,
                states: vec![CheckState::Up],
                limit: Some(1),
                ..query()
            },
            "a120",
        );
    }
}

#[test]
fn a_pager_that_goes_away_ends_it() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["a"]);
    let checks: Vec<_> = (0..10)
        .map(|n| (ids[0], check('U', START + n * DAY / 10)))
        .collect();
    record(&mut store, &checks);
    let mut seen = 0;
    let mut one = |_: &_, _, _| {
        seen += 1;
        ControlFlow::Break(())
    };
    place
        .reader()
        .history(&HistoryQuery::default(), &mut one)
        .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn status_is_read_from_where_the_newest_check_is() {
    let place = Place::new();
    let mut store = place.store();
    let ids = enroll(&mut store, &["old", "new", "none"]);
    record(
        &mut store,
        &[(ids[0], check('D', START)), (ids[1], check('U', START))],
    );
    settle(&mut store, START + 2 * HOUR);
    record(&mut store, &[(ids[1], check('S', START + 2 * HOUR))]);
    let rows = place
        .reader()
        .status(&[], at(START + 2 * HOUR + MINUTE))
        .unwrap();
    let told: Vec<String> = rows
        .iter()
        .map(|row| {
            let state = row.newest.as_ref().map(|check| check.state().as_str());
            let share = row.day;
            format!("{} {state:?} {share:?}", row.monitor.name)
        })
        .collect();
    assert_eq!(
        told,
        [
            "new Some(\"degraded\") Some(100.0)",
            "none None None",
            "old Some(\"down\") Some(100.0)"
        ]
    );
    let resolved = place
        .reader()
        .resolve(rows[2].newest.as_ref().unwrap())
        .unwrap();
    assert_eq!(resolved, check('D', START));
}
