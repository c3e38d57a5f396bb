//! The clock is set in, into and over a maintenance window: what is down when no window is open is told, once.

use std::collections::BTreeMap;

use sitewatch::config::Config;
use sitewatch::domain::monitor::CronText;
use sitewatch::domain::settings::{Covers, Maintenance, MaintenanceTime};
use sitewatch::store::reader::Reader;

use super::clock::{Desk, HOUR, at};
use super::config::{config, monitor, seconds};
use super::scene::{START, Weather};

/// The window, in seconds after [`START`] by the clock: 20:17 to 20:34.
const BEGIN: i64 = 1020;
const END: i64 = 2040;

/// What happens, one after the other.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Time passes without a check until so many seconds have really passed.
    Until(i64),
    /// So many checks, one each 10 s.
    Up(i64),
    Down(i64),
    /// The clock is set: from now on it is so many seconds ahead.
    Set(i64),
    /// The process is killed and starts so many seconds later, under a clock that is so many seconds ahead.
    Restart(i64, i64),
}

use Act::{Down, Restart, Set, Until, Up};

fn once() -> MaintenanceTime {
    MaintenanceTime::Once {
        start: at(BEGIN),
        end: at(END),
    }
}

fn each_day() -> MaintenanceTime {
    MaintenanceTime::Cron {
        schedule: CronText("0 17 20 * * *".into()),
        duration: seconds(1020),
    }
}

fn settings(when: MaintenanceTime) -> Config {
    let mut config = config(vec![monitor("a")]);
    config.maintenance.push(Maintenance {
        note: "".into(),
        covers: Covers::All,
        when,
    });
    config
}

/// The mails that were decided since the last look, each with the real time, if every recipient is to get it.
fn decided(reader: &Reader, desk: &Desk, seen: &mut i64) -> Vec<String> {
    let mut rows = reader
        .outbox()
        .prepare("SELECT id, kind, mailbox FROM outbox WHERE id > ?1 ORDER BY id")
        .unwrap();
    let rows = rows.query_map([*seen], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
    });
    let mut mails: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows.unwrap() {
        let (id, kind, mailbox) = row.unwrap();
        *seen = id;
        mails.entry(kind).or_default().push(mailbox);
    }
    mails
        .into_iter()
        .map(|(kind, mut to)| {
            to.sort();
            assert_eq!(to, ["boss@example.com", "ops@example.com"], "{kind}");
            format!("{kind}@{}", desk.real)
        })
        .collect()
}

/// Acts one after the other, under a window that comes once and under one that comes each day; `told` is what is
/// mailed, and when, by the seconds that really passed.
fn check(acts: &[Act], told: &str) {
    for when in [once(), each_day()] {
        let mut desk = Desk::with(settings(when.clone()), 0);
        let reader = desk.reader();
        let (mut seen, mut mails) = (0, Vec::new());
        for act in acts {
            let (weather, count) = match *act {
                Until(real) => {
                    desk.wait(real - desk.real);
                    assert_eq!(decided(&reader, &desk, &mut seen), [""; 0]);
                    continue;
                }
                Set(lead) => {
                    desk.set(lead);
                    mails.extend(decided(&reader, &desk, &mut seen));
                    continue;
                }
                Restart(stopped_for, lead) => {
                    desk.restart(stopped_for, lead);
                    desk.wait(0);
                    mails.extend(decided(&reader, &desk, &mut seen));
                    continue;
                }
                Up(count) => (Weather::Up, count),
                Down(count) => (Weather::Down(503), count),
            };
            for _ in 0..count {
                desk.checks(weather, 1);
                mails.extend(decided(&reader, &desk, &mut seen));
            }
        }
        assert_eq!(mails.join(" "), told, "{acts:?} {when:?}");
    }
}

#[test]
fn the_window_is_where_the_cases_think() {
    assert_eq!(START.as_seconds() % 86_400, 20 * HOUR);
    check(&[Until(1000), Up(1), Down(60), Up(2)], "");
    check(&[Until(1000), Up(1), Down(103)], "down@2040");
    let before = [Until(970), Up(1), Down(5), Up(2)];
    check(&before, "down@1010 up@1050");
}

#[test]
fn back_into_a_window_that_was_over() {
    let told = [Until(2090), Up(1), Down(3), Set(-600)];
    let with = |acts: &[Act]| [&told, acts].concat();
    check(&with(&[Down(3), Up(2)]), "down@2130 up@2180");
    // The reminder is due 600 s after the mail, and the window is over then.
    check(
        &with(&[Down(80), Set(0), Down(2), Up(2)]),
        "down@2130 still_down@2730 up@2970",
    );
    // What begins in it waits for its second end, or for the right time.
    let begins = [Until(2090), Up(1), Set(-600)];
    let with = |acts: &[Act]| [&begins, acts].concat();
    check(
        &with(&[Down(60), Set(0), Down(3), Up(2)]),
        "down@2640 up@2750",
    );
    check(&with(&[Down(5), Set(0), Up(2)]), "down@2150 up@2170");
    check(&with(&[Down(5), Up(2), Set(0), Up(2)]), "");
}

#[test]
fn back_before_a_window_that_was_over() {
    let told = [Until(2190), Up(1), Down(3), Set(-1800)];
    let with = |acts: &[Act]| [&told, acts].concat();
    check(&with(&[Down(60), Up(2)]), "down@2230 up@2850");
    // A reminder that is due in it waits for its end.
    check(
        &with(&[Down(162), Up(2)]),
        "down@2230 still_down@3840 up@3870",
    );
}

#[test]
fn forth_over_the_end() {
    let held = [Until(1090), Up(1), Down(4), Set(3600)];
    let with = |acts: &[Act]| [&held, acts].concat();
    check(&with(&[Down(2), Up(2)]), "down@1140 up@1180");
    check(
        &with(&[Down(2), Set(0), Down(3), Up(2)]),
        "down@1140 up@1210",
    );
    check(
        &with(&[Set(0), Set(3600), Set(0), Up(2)]),
        "down@1140 up@1160",
    );
    check(
        &with(&[Set(0), Down(100), Up(2)]),
        "down@1140 still_down@2040 up@2160",
    );
}

#[test]
fn forth_over_the_begin() {
    let good = [Until(490), Up(1), Set(600)];
    let with = |acts: &[Act]| [&good, acts].concat();
    check(
        &with(&[Down(5), Set(0), Down(60), Up(2)]),
        "down@550 up@1170",
    );
    check(&with(&[Down(2), Set(0), Down(1)]), "down@530");
    check(&with(&[Down(100)]), "down@1440");
    let told = [Until(490), Up(1), Down(3), Set(600), Up(2)];
    check(&told, "down@530 up@550");
    let suspect = [Until(490), Up(1), Down(2), Set(600), Down(1), Set(0)];
    check(&suspect, "down@530");
}

#[test]
fn forth_over_all_of_it() {
    let suspect = [Until(490), Up(1), Down(2), Set(3600), Down(1), Up(2)];
    check(&suspect, "down@530 up@550");
    let told = [
        Until(490),
        Up(1),
        Down(3),
        Set(3600),
        Down(2),
        Set(0),
        Up(2),
    ];
    check(&told, "down@530 up@570");
}

#[test]
fn by_less_than_what_is_called_a_step() {
    let held = [Until(1990), Up(1), Down(3)];
    let with = |acts: &[Act]| [&held, acts].concat();
    check(
        &with(&[Set(60), Set(0), Down(4), Up(2)]),
        "down@2030 up@2090",
    );
    check(&with(&[Set(-60), Down(10), Up(2)]), "down@2100 up@2150");
    let told = [Until(2010), Up(1), Down(3), Set(-60), Down(2), Up(2)];
    check(&told, "down@2050 up@2090");
    check(&[Until(2040), Up(1), Set(-100), Down(15)], "down@2140");
    let before = [Until(950), Up(1), Set(100), Down(5), Set(0), Up(2)];
    check(&before, "down@1010 up@1030");
}

#[test]
fn to_a_time_that_nobody_believes() {
    let epoch = 60 - START.as_seconds();
    let held = [Until(1090), Up(1), Down(4), Set(epoch)];
    let with = |acts: &[Act]| [&held, acts].concat();
    check(
        &with(&[Down(1), Set(0), Down(2), Up(2)]),
        "down@1150 up@1190",
    );
    check(&with(&[Set(0), Down(2), Up(2)]), "");
    check(&with(&[Set(0), Down(100)]), "down@2040");
    let far = [
        Until(1090),
        Up(1),
        Down(4),
        Set(20 * 8766 * HOUR + HOUR),
        Down(1),
    ];
    check(
        &[&far[..], &[Set(0), Down(2), Up(2)]].concat(),
        "down@1140 up@1190",
    );
}

#[test]
fn while_nobody_lives() {
    let told = [Until(2090), Up(1), Down(3), Restart(20, -600)];
    let with = |acts: &[Act]| [&told, acts].concat();
    check(
        &with(&[Down(3), Set(0), Down(2), Up(2)]),
        "down@2130 up@2220",
    );
    check(&with(&[Down(3), Up(2)]), "down@2130 up@2200");
    let good = [Until(2090), Up(1), Restart(20, -600)];
    let with = |acts: &[Act]| [&good, acts].concat();
    check(
        &with(&[Down(60), Set(0), Down(2), Up(2)]),
        "down@2640 up@2760",
    );
    check(
        &with(&[Down(4), Set(0), Down(2), Up(2)]),
        "down@2160 up@2200",
    );
    let held = [Until(1090), Up(1), Down(4)];
    let with = |acts: &[Act]| [&held, acts].concat();
    check(&with(&[Restart(1000, 0), Up(2)]), "down@2140 up@2160");
    check(
        &with(&[Restart(20, 3600), Set(0), Up(2)]),
        "down@1160 up@1180",
    );
    check(&with(&[Restart(1000, -1000), Down(91)]), "down@3040");
}
