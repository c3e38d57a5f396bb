//! The clock is set while sites are watched: what was recorded ahead counts nowhere, what goes on keeps its length.

use std::ops::ControlFlow;
use std::sync::Arc;

use sitewatch::config::Config;
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::{Entry, Reply};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::settings::{EvidenceRetention, Retention};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::alert::monitor::Order;
use sitewatch::store::checks::history::{Dated, HistoryQuery};
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::facts::incidents::{IncidentQuery, ListedIncident};
use sitewatch::store::facts::report::ReportRow;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

use super::config::{config, monitor, seconds};
use super::scene::{START, Weather, look};

pub(super) const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

/// A recorder under a clock that goes wrong: `real` seconds have passed since [`START`], the clock is `lead` ahead.
pub(super) struct Desk {
    directory: tempfile::TempDir,
    config: Arc<Config>,
    recorder: Option<Recorder>,
    pub(super) real: i64,
    lead: i64,
}

pub(super) fn at(real: i64) -> Timestamp {
    Timestamp::from_ms(START.as_ms() + real * 1000)
}

/// In seconds after [`START`].
fn since(at: Timestamp) -> i64 {
    (at.as_ms() - START.as_ms()).div_euclid(1000)
}

fn settings() -> Config {
    config(vec![monitor("a"), monitor("b")])
}

impl Desk {
    /// A process that starts under a clock that is `lead` ahead.
    fn new(lead: i64) -> Self {
        Self::with(settings(), lead)
    }

    pub(super) fn with(config: Config, lead: i64) -> Self {
        let mut desk = Self {
            directory: tempfile::tempdir().unwrap(),
            config: Arc::new(config),
            recorder: None,
            real: 0,
            lead,
        };
        desk.start();
        desk
    }

    fn start(&mut self) {
        self.recorder = None;
        let path = self.directory.path().join("a.db");
        let store = Store::open(&path, self.now()).unwrap();
        let (recorder, _) = Recorder::open(store, Arc::clone(&self.config), self.now()).unwrap();
        self.recorder = Some(recorder);
    }

    pub(super) fn now(&self) -> Timestamp {
        at(self.real + self.lead)
    }

    fn recorder(&mut self) -> &mut Recorder {
        self.recorder.as_mut().unwrap()
    }

    pub(super) fn take(&mut self, entries: Vec<Entry>, passed: i64) {
        let now = self.now();
        self.recorder().lived(seconds(passed.unsigned_abs()));
        self.recorder().take(entries, now);
    }

    /// So many checks, one each 10 s.
    pub(super) fn checks(&mut self, weather: Weather, count: i64) {
        for _ in 0..count {
            self.real += 10;
            let check = Box::new(look(weather, self.now()));
            let monitor = MonitorId(1);
            self.take(vec![Entry::Checked { monitor, check }], 10);
        }
    }

    /// Time passes without a check.
    pub(super) fn wait(&mut self, passed: i64) {
        self.real += passed;
        self.take(Vec::new(), passed);
    }

    /// Somebody sets the clock.
    pub(super) fn set(&mut self, lead: i64) {
        self.lead = lead;
        self.take(Vec::new(), 0);
    }

    /// The process is stopped; when it starts again the clock is another one.
    pub(super) fn restart(&mut self, stopped_for: i64, lead: i64) {
        self.recorder = None;
        self.real += stopped_for;
        self.lead = lead;
        self.start();
    }

    fn settle(&mut self) {
        let recorder = self.recorder.take().unwrap();
        let now = self.now();
        let mut store = recorder.into_store();
        while store.settle(now).unwrap() == Step::More {}
        drop(store);
        // The process that goes on is another one, as far as its clock is concerned.
        self.start();
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(&self.directory.path().join("a.db")).unwrap()
    }

    /// When checks began by what is shown, oldest first.
    fn history(&self, wrong: bool) -> Vec<i64> {
        let mut found = Vec::new();
        let query = HistoryQuery {
            by_wrong_clock: true,
            ..HistoryQuery::default()
        };
        self.reader()
            .history(&query, &mut |_, check, dated| {
                if (dated == Dated::Wrongly) == wrong {
                    found.push(since(check.at));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        found.reverse();
        if !wrong {
            let mut plain = 0;
            self.reader()
                .history(&HistoryQuery::default(), &mut |_, _, dated| {
                    assert_eq!(dated, Dated::Well);
                    plain += 1;
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!(plain, found.len());
        }
        found
    }

    pub(super) fn incidents(&self, all: bool) -> Vec<ListedIncident> {
        let query = IncidentQuery {
            by_wrong_clock: all,
            ..IncidentQuery::default()
        };
        self.reader().incidents(&query).unwrap()
    }

    /// Begin and end of the one incident that counts.
    fn incident(&self) -> (i64, Option<i64>) {
        let listed = self.incidents(false);
        assert_eq!(listed.len(), 1, "{listed:?}");
        let incident = &listed[0].incident;
        (since(incident.opened_at()), incident.closed_at.map(since))
    }

    /// The report of the real seconds `from` to `to`.
    fn report(&self, from: i64, to: i64) -> ReportRow {
        let reader = self.reader();
        reader
            .report(&[MonitorId(1)], at(from), at(to))
            .unwrap()
            .remove(0)
    }

    /// Up, down and unknown of a report in seconds.
    fn account(&self, from: i64, to: i64) -> (i64, i64, i64) {
        let account = self.report(from, to).account;
        (
            account.up_ms / 1000,
            account.down_ms / 1000,
            account.unknown_ms / 1000,
        )
    }
}

#[test]
fn a_clock_that_was_ahead_at_the_start_costs_only_what_it_saw() {
    let mut desk = Desk::new(2 * HOUR);
    desk.checks(Weather::Up, 3);
    desk.set(0);
    desk.checks(Weather::Up, 3);
    desk.checks(Weather::Down(503), 5);
    desk.checks(Weather::Up, 3);
    assert_eq!(desk.history(true), [7210, 7220, 7230]);
    assert_eq!(
        desk.history(false),
        (4..=14).map(|n| n * 10).collect::<Vec<_>>()
    );
    assert_eq!(desk.incident(), (70, Some(120)));
    // From the first check that counts on.
    assert_eq!(desk.account(0, 150), (60, 50, 0));
    assert_eq!(desk.report(0, 150).account.outages, 1);
    assert_eq!(desk.report(0, 150).tally.total(), 11);
    // When the time comes that the wrong clock showed, nothing is there.
    assert_eq!(desk.report(7200, 7300).tally.total(), 0);
    let status = desk.reader().status(&[], desk.now()).unwrap();
    let newest = status[0].newest.clone().unwrap();
    let newest = desk.reader().resolve(&newest).unwrap();
    assert_eq!(since(newest.at), 140);
}

#[test]
fn an_open_incident_keeps_its_name_and_its_length() {
    for steps in [
        vec![2 * HOUR, 0],
        vec![0, -HOUR, 0],
        vec![40 * YEAR, 0],
        vec![2 * HOUR, 5 * HOUR, HOUR, 0],
    ] {
        let mut desk = Desk::new(0);
        desk.checks(Weather::Up, 3);
        desk.checks(Weather::Down(503), 4);
        let name = desk.incidents(false)[0].incident.key;
        assert_eq!(since(name.opened_at), 40);
        for lead in &steps {
            desk.set(*lead);
            desk.checks(Weather::Down(503), 2);
            let (opened_at, closed_at) = desk.incident();
            assert_eq!((opened_at, closed_at), (40 + lead, None), "{steps:?}");
            assert_eq!(desk.incidents(false)[0].incident.key, name);
        }
        desk.checks(Weather::Up, 2);
        let closed = desk.real - 10;
        assert_eq!(desk.incident(), (40, Some(closed)), "{steps:?}");
        assert_eq!(desk.incidents(false)[0].incident.key, name);
        assert_eq!(desk.history(false).last(), Some(&desk.real));
        assert!(desk.history(false).is_sorted(), "{steps:?}");
        // What nobody saw by the right clock is unknown, and no more than that was lost.
        let account = desk.report(0, desk.real).account;
        assert_eq!(account.outages, 1);
        assert!(account.down_ms <= (closed - 40) * 1000, "{account:?}");
    }
}

#[test]
fn a_failure_that_is_being_confirmed_is_confirmed_all_the_same() {
    let mut desk = Desk::new(2 * HOUR);
    desk.checks(Weather::Up, 2);
    desk.checks(Weather::Down(503), 2);
    desk.set(0);
    assert!(desk.incidents(false).is_empty());
    desk.checks(Weather::Down(503), 1);
    assert_eq!(desk.incident(), (30, None));
    desk.checks(Weather::Up, 1);
    desk.set(-HOUR);
    desk.checks(Weather::Up, 1);
    assert_eq!(desk.incident(), (30 - HOUR, Some(60 - HOUR)));
}

#[test]
fn an_outage_that_was_over_before_the_step_counts_nowhere() {
    let mut desk = Desk::new(2 * HOUR);
    desk.checks(Weather::Up, 1);
    desk.checks(Weather::Down(503), 4);
    desk.checks(Weather::Up, 3);
    desk.set(0);
    desk.checks(Weather::Up, 3);
    assert!(desk.incidents(false).is_empty());
    let all = desk.incidents(true);
    assert!(all.len() == 1 && all[0].incident.clock_is_wrong);
    assert_eq!(desk.account(0, desk.real + 10), (30, 0, 0));
    desk.wait(3 * HOUR);
    assert_eq!(desk.report(0, desk.real).account.outages, 0);
}

#[test]
fn roll_ups_of_hours_that_never_were_are_taken_back() {
    for lead in [30 * HOUR, 20 * YEAR] {
        let mut desk = Desk::new(0);
        desk.checks(Weather::Up, 400);
        desk.settle();
        desk.set(lead);
        desk.checks(Weather::Down(503), 720);
        desk.settle();
        desk.checks(Weather::Down(503), 10);
        let before = desk.real;
        desk.set(0);
        assert_eq!(desk.history(true).len(), 730, "{lead}");
        desk.checks(Weather::Up, 800);
        let watched = desk.real;
        // The same, settled or not; the outage is over at the first good check of the right time.
        for settled in [false, true] {
            if settled {
                desk.settle();
                desk.wait(100_000);
                desk.settle();
            }
            let row = desk.report(0, watched);
            // The period ends before the last of them.
            assert_eq!(row.tally.checks, [1199, 0, 0, 0], "{lead} {settled}");
            let account = row.account;
            // The outage is known to have begun 10 s after the last good check, which speaks for two intervals.
            assert_eq!(account.up_ms, (4010 - 10 + 8000 - 10) * 1000);
            assert_eq!(account.down_ms, 110 * 1000);
            assert_eq!(account.unknown_ms, (before - 4000 - 120 + 10) * 1000);
        }
        let days = desk.report(-86_400, 86_400 * 400);
        assert_eq!(days.tally.total(), 1200);
        assert_eq!(desk.report(0, desk.real).account.down_ms, 110 * 1000);
    }
}

#[test]
fn a_process_that_starts_behind_its_own_record_anchors_it() {
    let mut desk = Desk::new(2 * HOUR);
    desk.checks(Weather::Up, 3);
    desk.checks(Weather::Down(503), 4);
    desk.restart(20, 0);
    assert_eq!(desk.history(false), [] as [i64; 0]);
    assert_eq!(desk.history(true).len(), 7);
    // The newest of what was recorded was 30 s old, by all that is known.
    assert_eq!(desk.incident(), (60, None));
    desk.checks(Weather::Down(503), 1);
    desk.checks(Weather::Up, 2);
    assert_eq!(desk.incident(), (60, Some(110)));
    assert_eq!(desk.history(false), [100, 110, 120]);
}

#[test]
fn a_clock_without_a_battery_takes_nothing_away() {
    let mut desk = Desk::new(0);
    desk.checks(Weather::Up, 5);
    desk.checks(Weather::Down(503), 4);
    // The machine boots in 1970, and hears of the right time a minute later.
    let epoch = -START.as_ms() / 1000;
    desk.restart(30, epoch + 20 - desk.real - 30);
    desk.checks(Weather::Down(503), 3);
    assert_eq!(desk.history(true), [] as [i64; 0]);
    assert!(desk.history(false).is_sorted());
    assert_eq!(desk.history(false).len(), 12);
    desk.set(0);
    desk.checks(Weather::Up, 2);
    assert_eq!(desk.history(true), [] as [i64; 0]);
    assert_eq!(desk.incident(), (60, Some(desk.real - 10)));
    assert_eq!(desk.history(false).last(), Some(&desk.real));
}

#[test]
fn nobody_lived_from_1970_to_now() {
    let epoch = -START.as_ms() / 1000;
    let mut desk = Desk::new(epoch + 60);
    desk.checks(Weather::Up, 5);
    desk.checks(Weather::Down(503), 4);
    desk.set(0);
    desk.checks(Weather::Down(503), 2);
    desk.checks(Weather::Up, 4);
    assert_eq!(desk.incident(), (60, Some(120)));
    let account = desk.report(-30 * 86_400, desk.real).account;
    assert!(
        account.up_ms <= 40_000 && account.down_ms <= 60_000,
        "{account:?}"
    );
    assert_eq!(
        account.unknown_ms,
        account.period_ms() - account.up_ms - account.down_ms
    );
    let status = desk.reader().status(&[], desk.now()).unwrap();
    let shown = status[0].shown.unwrap();
    assert_eq!(since(shown.since), 120);
}

#[test]
fn a_check_that_was_under_way_began_when_it_did() {
    for (lead, set) in [(2 * HOUR, 0), (0, 2 * HOUR)] {
        let mut desk = Desk::new(lead);
        desk.checks(Weather::Up, 2);
        let check = Box::new(look(Weather::Unknown, desk.now()));
        desk.wait(3);
        desk.set(set);
        let monitor = MonitorId(1);
        desk.take(vec![Entry::Checked { monitor, check }], 0);
        desk.checks(Weather::Up, 1);
        let seen = desk.history(false);
        assert_eq!(seen[seen.len() - 2..], [20 + set, 33 + set]);
        assert!(seen.is_sorted());
    }
}

#[test]
fn what_is_to_come_keeps_its_distance() {
    let mut desk = Desk::new(2 * HOUR);
    desk.checks(Weather::Up, 1);
    let order = Order::Mute {
        until: at(desk.real + 2 * HOUR + 600),
    };
    desk.take(
        vec![Entry::Order {
            monitors: vec![MonitorId(1)],
            order,
            given: None,
            reply: Reply::none(),
        }],
        0,
    );
    desk.checks(Weather::Down(503), 3);
    let queued = |desk: &Desk| -> Vec<(i64, i64)> {
        let reader = desk.reader();
        let mut rows = reader
            .outbox()
            .prepare("SELECT queued_at, next_attempt_at FROM outbox ORDER BY id")
            .unwrap();
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(queued, next): (i64, i64)| {
                (
                    since(Timestamp::from_ms(queued)),
                    since(Timestamp::from_ms(next)),
                )
            })
            .collect()
    };
    assert_eq!(queued(&desk), []);
    desk.set(0);
    desk.wait(560);
    assert_eq!(queued(&desk), [], "muted for ten minutes from the order on");
    desk.wait(20);
    let at_the_end = desk.real;
    assert_eq!(queued(&desk), [(at_the_end, at_the_end); 2]);
    // And back: a mail that waits is as old as it was.
    desk.set(3 * HOUR);
    assert_eq!(queued(&desk), [(at_the_end + 3 * HOUR, at_the_end); 2]);
    desk.set(-3 * HOUR);
    for (queued, next) in queued(&desk) {
        assert_eq!(queued, at_the_end - 3 * HOUR);
        assert!(next <= desk.real - 3 * HOUR);
    }
}

#[test]
fn two_minutes_are_caught_up_with() {
    let mut desk = Desk::new(100);
    desk.checks(Weather::Up, 3);
    desk.set(0);
    desk.checks(Weather::Up, 30);
    assert_eq!(desk.history(true), [] as [i64; 0]);
    let seen = desk.history(false);
    assert!(seen.is_sorted() && seen.len() == 33);
    assert_eq!(seen.last(), Some(&desk.real));
}

/// What a machine without a battery for its clock does: it goes on from the time it saved last, and hears of the right
/// one when the line is there.
fn behind_at_the_start(desk: &mut Desk, settles: bool, first: Weather, then: Weather) {
    desk.checks(Weather::Up, 300);
    desk.checks(Weather::Down(503), 5);
    desk.checks(Weather::Up, 100);
    desk.checks(Weather::Down(503), 4);
    if settles {
        desk.settle();
    }
    desk.restart(100, -HOUR);
    desk.checks(first, 3);
    desk.checks(then, 2);
}

#[test]
fn a_clock_that_was_behind_at_the_start_takes_nothing_away_for_long() {
    for settles in [false, true] {
        for restarts in [false, true] {
            let mut desk = Desk::new(0);
            behind_at_the_start(&mut desk, settles, Weather::Down(503), Weather::Down(503));
            // Whether the record was ahead nobody can know yet: the clock is believed.
            assert!(!desk.history(true).is_empty());
            if restarts {
                desk.restart(0, -HOUR);
                desk.checks(Weather::Down(503), 1);
            }
            desk.set(0);
            assert_eq!(desk.history(true), [] as [i64; 0], "{settles} {restarts}");
            desk.checks(Weather::Down(503), 1);
            desk.checks(Weather::Up, 2);
            let last = desk.real;
            let seen = desk.history(false);
            let before = (1..=409).map(|n| n * 10);
            let after = (1..=if restarts { 9 } else { 8 }).map(|n| 4190 + n * 10);
            assert_eq!(seen, before.chain(after).collect::<Vec<_>>());
            let incidents = desk.incidents(false);
            let spans: Vec<_> = incidents
                .iter()
                .map(|listed| {
                    let incident = &listed.incident;
                    (since(incident.opened_at()), incident.closed_at.map(since))
                })
                .collect();
            assert_eq!(spans, [(4060, Some(last - 10)), (3010, Some(3060))]);
            assert!(
                incidents
                    .iter()
                    .all(|listed| !listed.incident.clock_is_wrong)
            );
            // Counted as if the clock had never been wrong, also once it is summed up.
            let mut right = Desk::new(0);
            right.checks(Weather::Up, 300);
            right.checks(Weather::Down(503), 5);
            right.checks(Weather::Up, 100);
            right.checks(Weather::Down(503), 4);
            right.restart(100, 0);
            right.checks(Weather::Down(503), if restarts { 7 } else { 6 });
            right.checks(Weather::Up, 2);
            for _ in 0..2 {
                assert_eq!(desk.account(0, last), right.account(0, last));
                let (row, wanted) = (desk.report(0, last), right.report(0, last));
                assert_eq!(row.tally, wanted.tally);
                desk.wait(2 * HOUR);
                right.wait(2 * HOUR);
                desk.settle();
                right.settle();
            }
            let days = (
                desk.report(-86_400, 2 * 86_400),
                right.report(-86_400, 2 * 86_400),
            );
            assert_eq!(days.0.tally, days.1.tally);
        }
    }
}

#[test]
fn roll_ups_outlive_their_checks_when_the_clock_was_behind() {
    let mut desk = Desk::new(0);
    desk.checks(Weather::Up, 1500);
    desk.checks(Weather::Down(503), 30);
    desk.checks(Weather::Up, 16_000);
    desk.settle();
    desk.checks(Weather::Up, 20);
    // Of the first hours only roll-ups are left.
    let retention = Retention {
        checks: Some(seconds(3 * HOUR.unsigned_abs())),
        rollups: None,
        evidence: EvidenceRetention::default(),
    };
    let now = desk.now();
    let mut store = desk.recorder.take().unwrap().into_store();
    while store.retain(&retention, now).unwrap() == Step::More {}
    drop(store);
    desk.start();
    let end = desk.real;
    let before = (desk.report(0, end), desk.report(0, 86_400));
    assert!(before.0.tally.checks[0] > 17_000, "{:?}", before.0.tally);
    assert_eq!(before.0.account.down_ms, 300_000);
    desk.restart(100, -45 * HOUR);
    desk.checks(Weather::Up, 5);
    desk.settle();
    assert!(desk.report(0, end).tally.total() < 2000);
    desk.set(0);
    desk.checks(Weather::Up, 1);
    for settles in [false, true] {
        if settles {
            desk.wait(2 * HOUR);
            desk.settle();
        }
        let after = (desk.report(0, end), desk.report(0, 86_400));
        assert_eq!(after.0.tally.checks, before.0.tally.checks, "{settles}");
        assert_eq!(after.1.tally, before.1.tally, "{settles}");
        assert_eq!(after.1.account, before.1.account, "{settles}");
        assert_eq!(after.0.account.down_ms, before.0.account.down_ms);
        // What the last check before those that are left said is forgotten.
        let lost = before.0.account.up_ms - after.0.account.up_ms;
        assert!((0..=20_000).contains(&lost), "{lost}");
    }
    desk.wait(50 * HOUR);
    desk.settle();
    let days = desk.report(-86_400, 4 * 86_400);
    // The newest check began at the end of that period.
    let kept = before.0.tally.total() + 1;
    assert_eq!(days.tally.total(), kept + 6, "also by the roll-ups of days");
}

#[test]
fn two_power_cuts_before_the_right_time_leave_nothing_marked() {
    // The second start has the clock that was saved meanwhile, or, a little quicker, that of the first.
    for (second, settles) in [
        (-HOUR + 200, false),
        (-HOUR - 30, false),
        (-HOUR + 200, true),
    ] {
        let mut desk = Desk::new(0);
        desk.checks(Weather::Up, 400);
        let last = desk.real;
        desk.restart(60, -HOUR);
        let first_at = desk.real;
        desk.checks(Weather::Up, 60);
        desk.checks(Weather::Down(503), 4);
        desk.checks(Weather::Up, 36);
        if settles {
            desk.settle();
        }
        let cut = desk.real;
        let off = 120;
        desk.restart(off, second - off - (cut - first_at));
        desk.checks(Weather::Up, 5);
        desk.checks(Weather::Down(503), 4);
        desk.set(0);
        desk.checks(Weather::Down(503), 1);
        desk.checks(Weather::Up, 3);
        assert_eq!(desk.history(true), [] as [i64; 0], "{second}");
        let seen = desk.history(false);
        assert_eq!(seen.len(), 400 + 100 + 13, "{second}: {seen:?}");
        assert!(seen.is_sorted(), "{second}: {seen:?}");
        assert_eq!(seen[..400], (1..=400).map(|n| n * 10).collect::<Vec<_>>());
        // All of it lies between the last check by the right clock and now, in its order and with its distances.
        assert!(seen[400] > last, "{second}: {seen:?}");
        assert_eq!(seen.last(), Some(&desk.real));
        let first: Vec<i64> = seen[400..500].iter().map(|at| at - seen[400]).collect();
        assert_eq!(first, (0..100).map(|n| n * 10).collect::<Vec<_>>());
        // Both outages count once, each as long as it was.
        let lengths: Vec<i64> = desk
            .incidents(false)
            .iter()
            .map(|listed| {
                let incident = &listed.incident;
                assert!(!incident.clock_is_wrong);
                since(incident.closed_at.unwrap()) - since(incident.opened_at())
            })
            .collect();
        // While the clock catches up with the first start's, recorded time goes at half its speed.
        assert!((30..=50).contains(&lengths[0]), "{second}: {lengths:?}");
        assert_eq!(lengths[1..], [40], "{second}");
        let all = desk.incidents(true);
        assert_eq!(all.len(), 2, "{second}: {all:?}");
        for settles in [false, true] {
            if settles {
                desk.wait(2 * HOUR);
                desk.settle();
            }
            let row = desk.report(0, seen[512] + 10);
            assert_eq!(row.tally.checks, [400 + 60 + 36 + 5 + 3, 0, 9, 0]);
            assert_eq!(row.account.outages, 2);
        }
    }
}

#[test]
fn what_ended_while_the_clock_was_behind_ended_after_the_start() {
    let mut desk = Desk::new(0);
    behind_at_the_start(&mut desk, true, Weather::Down(503), Weather::Up);
    desk.set(0);
    desk.checks(Weather::Up, 1);
    let spans: Vec<_> = desk.incidents(false);
    let newest = &spans[0].incident;
    assert_eq!(since(newest.opened_at()), 4060);
    // The first good check was that after three failed ones.
    assert_eq!(newest.closed_at.map(since), Some(4230));
    assert_eq!(desk.history(true), [] as [i64; 0]);
    assert!(desk.history(false).is_sorted());
    let status = desk.reader().status(&[], desk.now()).unwrap();
    assert!(status[0].shown.unwrap().since <= desk.now());
}

#[test]
fn what_began_and_ended_while_the_clock_was_behind_is_dated_by_the_right_one() {
    let mut desk = Desk::new(0);
    desk.checks(Weather::Up, 360);
    desk.restart(100, -HOUR);
    desk.checks(Weather::Up, 2);
    desk.checks(Weather::Down(503), 4);
    desk.checks(Weather::Up, 3);
    desk.set(0);
    desk.checks(Weather::Up, 3);
    assert_eq!(desk.incident(), (3730, Some(3770)));
    assert_eq!(desk.report(0, desk.real).account.down_ms, 40_000);
    assert_eq!(desk.history(true), [] as [i64; 0]);
}

#[test]
fn an_old_assumption_is_not_taken_back() {
    // The record was two hours ahead, and the clock is right since the start.
    let mut desk = Desk::new(2 * HOUR);
    desk.checks(Weather::Up, 5);
    desk.restart(20, 0);
    desk.checks(Weather::Up, 5);
    assert_eq!(desk.history(true).len(), 5);
    // A step that does not reach what was put aside shows nothing.
    desk.set(HOUR);
    desk.checks(Weather::Up, 1);
    assert_eq!(desk.history(true).len(), 5);
    desk.set(0);
    desk.wait(26 * HOUR);
    let marked = desk.history(true).len();
    desk.set(3 * HOUR);
    assert_eq!(desk.history(true).len(), marked);
}

#[test]
fn checks_of_a_wrong_clock_are_kept_as_long_as_others() {
    let mut desk = Desk::new(20 * YEAR);
    desk.checks(Weather::Down(503), 4);
    desk.checks(Weather::Up, 3);
    desk.set(0);
    desk.checks(Weather::Up, 3);
    let retention = Retention {
        checks: Some(seconds(86_400 * 2)),
        rollups: None,
        evidence: EvidenceRetention::default(),
    };
    let kept = |desk: &mut Desk, days: i64| {
        for _ in 0..days {
            desk.wait(86_400);
            desk.checks(Weather::Up, 2);
        }
        desk.wait(2 * HOUR);
        desk.settle();
        let now = desk.now();
        let mut store = desk.recorder.take().unwrap().into_store();
        while store.retain(&retention, now).unwrap() == Step::More {}
        drop(store);
        desk.start();
        (desk.history(true).len(), desk.incidents(true).len())
    };
    assert_eq!(kept(&mut desk, 1), (7, 1));
    assert_eq!(kept(&mut desk, 1), (7, 1));
    let _ = kept(&mut desk, 1);
    assert_eq!(kept(&mut desk, 1), (0, 0));
}
