//! A writer that is killed in the middle loses nothing that it had acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sitewatch::domain::check::CheckState;
use sitewatch::policy::availability::timeline::{Timeline, Voice, Word};
use sitewatch::policy::availability::uptime::{Overlays, account, pieces};
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::facts::monitors::MonitorFacts;
use sitewatch::store::writer::Store;

use super::{MINUTE, Place, START, at, check, facts};

/// Names the database to the child; without it that test has nothing to do.
const DATABASE: &str = "SITEWATCH_TEST_CRASH_DATABASE";
const MONITORS: usize = 40;

fn all() -> Vec<MonitorFacts> {
    (0..MONITORS)
        .map(|n| facts(&format!("m{n}"), MINUTE))
        .collect()
}

/// The child: writes minute after minute, settles every hour, and says each minute that was committed.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how the parent tells its own child what to do"
)]
fn child() {
    let Ok(path) = std::env::var(DATABASE) else {
        return;
    };
    let mut store = Store::open(Path::new(&path), at(START)).unwrap();
    let ids = store.enroll(&all(), at(START)).unwrap().ids;
    let begin = store
        .load(1)
        .unwrap()
        .values()
        .filter_map(|past| past.newest.first())
        .map(|check| (check.at.as_ms() - START) / MINUTE + 1)
        .max()
        .unwrap_or(0);
    for minute in begin.. {
        let now = START + minute * MINUTE;
        let mut batch = store.batch().unwrap();
        for (id, place) in ids.iter().zip(0..) {
            let letter = if (minute + place) % 17 == 0 { 'D' } else { 'U' };
            batch
                .record(*id, &check(letter, now), Duration::from_secs(60))
                .unwrap();
        }
        batch.commit().unwrap();
        // As the test harness writes to the standard output as well, lines of ours have a mark.
        writeln!(std::io::stderr(), "committed {minute}").unwrap();
        if minute % 60 == 3 {
            while store.settle(at(now)).unwrap() == Step::More {}
        }
    }
}

#[test]
fn killed_again_and_again() {
    let place = Place::new();
    let mut acknowledged = -1;
    for round in 0..8_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::crash::child",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(DATABASE, &place.path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for line in lines.take(usize::try_from(40 + 37 * round).unwrap()) {
            if let Some(minute) = line.unwrap().strip_prefix("committed ") {
                acknowledged = minute.parse().unwrap();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        whole(&place, acknowledged);
    }
}

/// The file is sound, has everything acknowledged, and its report is that of its checks.
fn whole(place: &Place, acknowledged: i64) {
    let reader = place.reader();
    assert_eq!(reader.daemon(), None);
    reader.check_integrity().unwrap();
    let monitors = reader.monitors().unwrap();
    assert_eq!(monitors.len(), MONITORS);
    let end = at(START + (acknowledged + 2) * MINUTE);
    let courses = reader.courses(&[], at(START), end).unwrap();
    for monitor in monitors.iter().take(5) {
        let checks = reader.checks(monitor.id, at(START), end).unwrap();
        assert!(i64::try_from(checks.len()).unwrap() > acknowledged);
        let words = checks.iter().map(|check| Word {
            at: check.at,
            voice: Voice::of(check.verdict.state()),
            interval_ms: MINUTE,
        });
        let timeline = Timeline::of(words, START, end.as_ms());
        let pieces = pieces(START, end.as_ms(), &timeline, &Overlays::default());
        let course = &courses[&monitor.id];
        assert_eq!(course.whole(), account(&pieces, &[], end.as_ms()));
        let down = checks
            .iter()
            .filter(|check| check.verdict.state() == CheckState::Down);
        assert_eq!(course.tally.checks[2], down.count() as u64);
    }
}
