//! Reports from roll-ups are those from the checks themselves, for any schedule, outage, stop and window.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use sitewatch::domain::check::{Check, Micros};
use sitewatch::domain::incident::{Cause, Incident, IncidentKey};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::policy::availability::histogram::Histogram;
use sitewatch::policy::availability::timeline::{Timeline, Voice, Word};
use sitewatch::policy::availability::uptime::{Overlays, account, pieces};
use sitewatch::store::checks::observed_period::Course;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::transaction::SpanKind;
use sitewatch::store::writer::Store;

use super::{DAY, HOUR, MINUTE, Place, START, at, check, facts};

/// What happened to one monitor.
#[derive(Debug, Clone)]
struct Life {
    interval: i64,
    /// Verdict and how many intervals passed since the check before (in tenths, so that it drifts).
    checks: Vec<(char, i64)>,
    windows: Vec<(i64, i64)>,
    pauses: Vec<(i64, i64)>,
    first: i64,
}

fn life() -> impl Strategy<Value = Life> {
    let check = (
        prop_oneof![6 => Just('U'), 2 => Just('D'), 1 => Just('S'), 1 => Just('?')],
        prop_oneof![12 => Just(10_i64), 2 => 1..25_i64, 1 => 200..900_i64],
    );
    let spans = || prop::collection::vec((0..4 * DAY, 0..5 * HOUR), 0..3);
    (
        prop_oneof![
            Just(7 * MINUTE),
            Just(MINUTE * 25),
            Just(HOUR),
            Just(9 * HOUR),
            Just(DAY)
        ],
        prop::collection::vec(check, 1..150),
        spans(),
        spans(),
        0..DAY,
    )
        .prop_map(|(interval, checks, windows, pauses, first)| Life {
            interval,
            checks,
            windows,
            pauses,
            first,
        })
}

impl Life {
    fn checks(&self) -> Vec<Check> {
        let mut moment = START + self.first;
        let mut checks = Vec::new();
        for (letter, tenths) in &self.checks {
            checks.push(check(*letter, moment));
            moment += self.interval * tenths / 10 + 1;
        }
        checks
    }

    /// Two failed checks in a row open one, a good one closes it.
    fn incidents(&self) -> Vec<(i64, Option<i64>)> {
        let mut incidents: Vec<(i64, Option<i64>)> = Vec::new();
        let mut failed: Option<(i64, u32)> = None;
        for (check, (letter, _)) in self.checks().iter().zip(&self.checks) {
            let moment = check.at.as_ms();
            match (letter, failed) {
                ('D', None) => failed = Some((moment, 1)),
                ('D', Some((first, count))) => {
                    failed = Some((first, count + 1));
                    if count == 1 {
                        incidents.push((first, None));
                    }
                }
                ('U' | 'S', Some((_, count))) => {
                    if count > 1 {
                        incidents.last_mut().unwrap().1 = Some(moment);
                    }
                    failed = None;
                }
                _ => {}
            }
        }
        incidents
    }

    fn spans(&self, spans: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let mut list: BTreeMap<i64, i64> = BTreeMap::new();
        for (from, long) in spans {
            list.insert(START + from, START + from + long);
        }
        list.into_iter().collect()
    }

    fn store(&self, store: &mut Store, monitor: MonitorId) {
        let mut batch = store.batch().unwrap();
        for (opened_at, closed_at) in self.incidents() {
            batch
                .put_incident(&Incident {
                    key: IncidentKey {
                        monitor,
                        opened_at: at(opened_at),
                    },
                    began_at: None,
                    clock_is_wrong: false,
                    closed_at: closed_at.map(at),
                    cause: Cause {
                        failure: check('D', 0).verdict.failure().unwrap().clone(),
                        status: Some(503),
                    },
                    checks_failed: 2,
                    maintenance: false,
                    acked_at: None,
                    ack_note: None,
                })
                .unwrap();
        }
        for (kind, spans) in [
            (SpanKind::Maintenance, &self.windows),
            (SpanKind::Paused, &self.pauses),
        ] {
            for (from, to) in self.spans(spans) {
                batch
                    .put_span(monitor, kind, at(from), Some(at(to)))
                    .unwrap();
            }
        }
        batch.commit().unwrap();
    }

    /// The same period from the checks alone.
    fn agrees(&self, course: &Course, from: i64, to: i64) {
        let checks = self.checks();
        let first = checks[0].at.as_ms();
        if first >= to {
            assert_eq!(course.begin, None);
            return;
        }
        let from = from.max(first);
        let words = checks.iter().map(|check| Word {
            at: check.at,
            voice: Voice::of(check.verdict.state()),
            interval_ms: self.interval,
        });
        let overlays = Overlays {
            incidents: self
                .incidents()
                .into_iter()
                .filter(|(begin, end)| *begin < to && end.is_none_or(|end| end > from))
                .collect(),
            amended: HashMap::new(),
            maintenance: self.spans(&self.windows),
            unwatched: self.spans(&self.pauses),
        };
        let raw = if from < to {
            let timeline = Timeline::of(words, from, to);
            account(
                &pieces(from, to, &timeline, &overlays),
                &overlays.incidents,
                to,
            )
        } else {
            account(&[], &overlays.incidents, to)
        };
        assert_eq!(course.whole(), raw);
        assert_eq!(raw.period_ms(), (to - from).max(0));
        let inside: Vec<&Check> = checks
            .iter()
            .filter(|check| check.at.as_ms() >= from && check.at.as_ms() < to)
            .collect();
        assert_eq!(course.tally.total(), inside.len() as u64);
        let mut latency = Histogram::default();
        for check in inside.iter().filter(|check| check.verdict.is_good()) {
            latency.add(Micros::new(check.timings.total.get()));
        }
        assert_eq!(course.tally.latency, latency);
    }
}

proptest! {
    #![proptest_config(crate::support::cases::cases(48))]

    #[test]
    fn roll_ups_tell_what_the_checks_tell(
        lives in prop::collection::vec(life(), 1..4),
        settle_after in prop::collection::vec(1..120_usize, 1..8),
        steps in 0..6_usize,
        swaps in prop::collection::vec(0..300_usize, 0..6),
        from in -DAY..5 * DAY, long in 0..9 * DAY,
    ) {
        let place = Place::new();
        let mut store = place.store();
        let names = ["a", "b", "c"];
        let facts: Vec<_> = lives.iter().zip(names).map(|(life, name)| facts(name, life.interval)).collect();
        let ids = store.enroll(&facts, at(START)).unwrap().ids;
        let mut all: Vec<(MonitorId, i64, Check)> = Vec::new();
        for (life, id) in lives.iter().zip(&ids) {
            life.store(&mut store, *id);
            all.extend(life.checks().into_iter().map(|check| (*id, life.interval, check)));
        }
        all.sort_by_key(|(.., check)| check.at);
        // Checks that took long come to the recorder after later ones.
        for swap in swaps {
            let last = all.len() - 1;
            all.swap(swap.min(last), (swap + 3).min(last));
        }
        let mut rest = all.as_slice();
        let mut rounds = settle_after.iter().cycle();
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*rounds.next().unwrap()).min(rest.len()));
            let mut batch = store.batch().unwrap();
            for (id, interval, check) in now {
                let interval = Duration::from_millis(interval.unsigned_abs());
                batch.record(*id, check, interval).unwrap();
            }
            batch.commit().unwrap();
            rest = later;
            let newest = now.iter().map(|(.., check)| check.at.as_ms()).max().unwrap();
            while store.settle(at(newest + 5 * MINUTE)).unwrap() == Step::More {}
        }
        // A settling that was interrupted, half of the monitors in the ledger already.
        for _ in 0..steps {
            let _ = store.settle(at(START + 30 * DAY)).unwrap();
        }
        let (from, to) = (START + from, START + from + long);
        let courses = place.reader().courses(&[], at(from), at(to)).unwrap();
        for (life, id) in lives.iter().zip(&ids) {
            life.agrees(&courses[id], from, to);
        }
    }
}

#[test]
fn losses_name_incidents_and_gaps() {
    let place = Place::new();
    let mut store = place.store();
    let life = Life {
        interval: HOUR,
        checks: "UUDDUUU"
            .chars()
            .zip([10, 10, 10, 10, 10, 50, 10])
            .collect(),
        windows: vec![(8 * HOUR, HOUR / 2)],
        pauses: Vec::new(),
        first: 0,
    };
    let id = store.enroll(&[facts("a", HOUR)], at(START)).unwrap().ids[0];
    life.store(&mut store, id);
    let mut batch = store.batch().unwrap();
    for check in life.checks() {
        batch.record(id, &check, Duration::from_secs(3600)).unwrap();
    }
    batch.commit().unwrap();
    let losses = place
        .reader()
        .losses(id, at(START - DAY), at(START + 11 * HOUR), false)
        .unwrap()
        .unwrap();
    let told: Vec<String> = losses
        .pieces
        .iter()
        .map(|(piece, incident)| {
            format!(
                "{}-{} {:?} {}",
                (piece.from - START) / MINUTE,
                (piece.to - START) / MINUTE,
                piece.class,
                incident.is_some()
            )
        })
        .collect();
    assert_eq!(told, ["120-240 Down(0) true", "420-600 Silent false"]);
    // Each check is a millisecond later than the hour.
    assert_eq!(losses.row.account.uptime_percent(), Some(74.999));
    assert_eq!(losses.row.account.mttr_ms, Some(2 * HOUR + 2));
}
