//! `degraded_after = "3x usual"`, over weeks: what is slow depends on the hour of the week, and is told with its reason.

use std::sync::Arc;

use jiff::tz::TimeZone;
use sitewatch::cli::why::command::Asked as Question;
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::{Entry, Upkeep};
use sitewatch::domain::check::{Check, Micros, Timings};
use sitewatch::domain::incident::Beginnings;
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::notification::{MailKind, News};
use sitewatch::domain::slow_limit::{Factor, SlowLimit};
use sitewatch::domain::subject::Subject;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::replay::Replay;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::outbox::queries;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;
use sitewatch::view::mail::context::Currents;
use sitewatch::view::mail::render;
use sitewatch::view::time_text::Clock;

use super::config::{config, monitor, seconds};
use super::runs::in_memory;
use super::scene::{Weather, look};

/// Monday, 2026-11-23, 00:00 in UTC.
const MONDAY: Timestamp = Timestamp::from_ms(1_795_392_000_000);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const EVERY: u64 = 10 * MINUTE;
const SHOP: MonitorId = MonitorId(1);

fn after(seconds_later: u64) -> Timestamp {
    MONDAY.plus(seconds(seconds_later))
}

/// The nightly copy of Mondays from three to four takes the site's time.
const fn ordinary_ms(second: u64) -> u32 {
    let is_copying = second % (7 * DAY) / HOUR == 3;
    if is_copying { 900 } else { 100 }
}

fn slow_shop() -> sitewatch::config::Config {
    let mut shop = monitor("shop");
    if let Subject::Http(http) = &mut shop.subject {
        let expectation = Arc::make_mut(&mut http.expectation);
        expectation.degraded_after = SlowLimit::Usual(Factor::new(3.0).unwrap());
    }
    Arc::make_mut(&mut shop.rules).interval = seconds(EVERY);
    config(vec![shop])
}

struct Weeks {
    directory: tempfile::TempDir,
    config: Arc<sitewatch::config::Config>,
    recorder: Recorder,
}

impl Weeks {
    fn new() -> Self {
        let directory = in_memory();
        let config = Arc::new(slow_shop());
        let store = Store::open(&directory.path().join("a.db"), MONDAY).unwrap();
        let (recorder, _) = Recorder::open(store, Arc::clone(&config), MONDAY).unwrap();
        Self {
            directory,
            config,
            recorder,
        }
    }

    fn check(&mut self, second: u64, total_ms: u32) {
        let at = after(second);
        let check = Check {
            timings: Timings {
                total: Micros::new(total_ms * 1000),
                ..Timings::default()
            },
            ..look(Weather::Up, at)
        };
        let entry = Entry::Checked {
            monitor: SHOP,
            check: Box::new(check),
        };
        let ended = at.plus(std::time::Duration::from_millis(total_ms.into()));
        assert!(self.recorder.take([entry], ended).committed);
    }

    /// As every hour.
    fn settle(&mut self, second: u64) {
        let now = after(second);
        let upkeep = Box::new(move |store: &mut Store| match store.settle(now).unwrap() {
            Step::More => Upkeep::More,
            Step::Done => Upkeep::Done,
        });
        let _ = self.recorder.take([Entry::Upkeep(upkeep)], now);
        while self.recorder.has_upkeep() {
            let _ = self.recorder.take([], now);
        }
    }

    /// Everything as it ordinarily is, from one moment up to another.
    fn pass(&mut self, from: u64, to: u64) {
        let mut second = from;
        while second < to {
            if second.is_multiple_of(HOUR) {
                self.settle(second);
            }
            self.check(second, ordinary_ms(second));
            second += EVERY;
        }
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.directory.path().join("a.db")).unwrap()
    }

    /// Why the newest check is not simply good.
    fn newest(&self) -> String {
        let newest = self.recorder.board().get(SHOP).unwrap().newest.unwrap();
        let failure = newest.verdict.failure();
        failure.map_or_else(String::new, |failure| failure.detail.to_string())
    }

    fn subjects(&self) -> Vec<String> {
        let reader = self.reader();
        let queued = queries::queue(reader.outbox()).unwrap();
        let (now, beginnings) = (after(0), Beginnings::default());
        let to_ops = queued
            .iter()
            .filter(|queued| queued.mail.to.key() == "ops@example.com");
        to_ops
            .map(|queued| {
                let parcel = &queued.mail.parcel;
                let subject = render::subject(parcel, "host", now, &beginnings, &Currents::new());
                match &parcel.notices[0].news {
                    News::Degraded { check, .. } => {
                        let failure = check.verdict.failure().unwrap();
                        format!("{subject}: {}", failure.detail)
                    }
                    _ => subject,
                }
            })
            .collect()
    }
}

#[test]
fn what_is_slow_depends_on_the_hour_of_the_week() {
    let mut weeks = Weeks::new();
    // Before two weeks are known nothing is slow, not even half a minute.
    weeks.pass(0, 7 * DAY);
    weeks.check(7 * DAY, 9_000);
    assert_eq!(weeks.newest(), "");
    weeks.pass(7 * DAY + EVERY, 14 * DAY + 3 * HOUR);
    assert_eq!(weeks.subjects(), [""; 0]);

    // A second is usual on Mondays at three ..
    let monday = 14 * DAY + 3 * HOUR;
    weeks.settle(monday);
    for slot in 0..6 {
        weeks.check(monday + slot * EVERY, 1_000);
        assert_eq!(weeks.newest(), "");
    }
    assert_eq!(weeks.subjects(), [""; 0]);
    // .. and ten times too long on Tuesdays, which is told when it is confirmed.
    let tuesday = 15 * DAY + 3 * HOUR;
    weeks.pass(monday + HOUR, tuesday);
    weeks.settle(tuesday);
    for slot in 0..3 {
        assert_eq!(weeks.subjects(), [""; 0], "slot {slot}");
        weeks.check(tuesday + slot * EVERY, 1_000);
        assert!(
            weeks.newest().contains("more than 3x the usual "),
            "{}",
            weeks.newest()
        );
    }
    let subjects = weeks.subjects();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    let wanted = "[DEGRADED slow] shop: ";
    assert!(subjects[0].starts_with(wanted), "{subjects:?}");
    let usual = "(median at this hour of the week, 2 weeks)";
    assert!(subjects[0].contains(usual), "{subjects:?}");
    is_explained(&weeks, tuesday + 2 * EVERY + 2);
    is_replayed(&weeks);
}

/// `why` tells the line, and comes to the same by itself.
fn is_explained(weeks: &Weeks, second: u64) {
    let clock = Clock {
        zone: TimeZone::UTC,
        now: after(second),
    };
    let question = Question {
        config: Some(&weeks.config),
        clock: &clock,
        at: clock.now,
        is_now: true,
    };
    let reader = weeks.reader();
    let stored = reader.monitors().unwrap().remove(0);
    let why = question.why(&reader, &stored).unwrap().unwrap();
    assert!(why.complete, "{why:?}");
    assert!(
        why.reason.contains("more than 3x the usual "),
        "{}",
        why.reason
    );
}

/// The recorded checks through the alert rules once more: the same news at the same moment, and no other.
fn is_replayed(weeks: &Weeks) {
    let reader = weeks.reader();
    let checks = reader.checks(SHOP, after(0), after(16 * DAY)).unwrap();
    let shop = &weeks.config.monitors[0];
    let mut replay = Replay::new(
        [(SHOP, &**shop)],
        &weeks.config.alerts,
        &[],
        &[],
        &TimeZone::UTC,
        after(0),
    );
    for check in checks {
        replay.check(0, check);
    }
    let said = replay.take_said();
    let kinds: Vec<MailKind> = said.iter().map(|said| said.news.kind()).collect();
    assert_eq!(kinds, [MailKind::Degraded]);
    let tuesday = 15 * DAY + 3 * HOUR + 2 * EVERY + 1;
    assert_eq!(said[0].at, after(tuesday));
}
