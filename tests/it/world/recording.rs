//! The recorder at its door: orders, reloads, parents, windows, a full disk.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use sitewatch::config::Config;
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::{Entry, Refused, Reply, Turn};
use sitewatch::domain::check::Verdict;
use sitewatch::domain::event::What;
use sitewatch::domain::monitor::{CronText, MonitorId, MonitorName};
use sitewatch::domain::settings::{Covers, Maintenance, MaintenanceTime, ReportSettings};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::alert::monitor::{Hold, Order};
use sitewatch::policy::alert::ordered_windows::{Ends, OrderedWindow};
use sitewatch::store::error::StoreError;
use sitewatch::store::facts::incidents::IncidentQuery;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;

use super::config::{config, monitor, recipient, seconds};
use super::scene::{START, Weather, look};

struct Desk {
    directory: tempfile::TempDir,
    recorder: Recorder,
    now: Timestamp,
    turns: Vec<Turn>,
}

impl Desk {
    fn new(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("a.db"), START).unwrap();
        let (recorder, _) = Recorder::open(store, Arc::new(config), START).unwrap();
        Self {
            directory,
            recorder,
            now: START,
            turns: Vec::new(),
        }
    }

    /// The same database under a process that knows nothing.
    fn reopened(self, config: Config) -> Self {
        let Self {
            directory,
            recorder,
            now,
            ..
        } = self;
        drop(recorder);
        let store = Store::open(&directory.path().join("a.db"), now).unwrap();
        let (recorder, _) = Recorder::open(store, Arc::new(config), now).unwrap();
        Self {
            directory,
            recorder,
            now,
            turns: Vec::new(),
        }
    }

    fn take(&mut self, entry: Entry) {
        let outcome = self.recorder.take([entry], self.now);
        self.turns.extend(outcome.turns);
    }

    /// Lets `seconds_later` pass and hands in a check.
    fn check(&mut self, monitor: i64, weather: Weather, seconds_later: u64) {
        self.now = self.now.plus(seconds(seconds_later));
        self.take(Entry::Checked {
            monitor: MonitorId(monitor),
            check: Box::new(look(weather, self.now)),
        });
    }

    fn fails(&mut self, monitor: i64) {
        for _ in 0..3 {
            self.check(monitor, Weather::Down(503), 10);
        }
    }

    fn order(&mut self, monitor: i64, order: Order) -> String {
        let answer = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&answer);
        self.take(Entry::Order {
            monitors: vec![MonitorId(monitor)],
            order,
            given: None,
            reply: Reply::with(move |refused: Result<Vec<Refused>, _>| {
                *told.lock().unwrap() = match refused {
                    Ok(refused) => refused.first().map_or("done".into(), |r| r.why.clone()),
                    Err(error) => error.to_string(),
                };
            }),
        });
        let answer = answer.lock().unwrap();
        answer.clone()
    }

    fn reload(&mut self, config: Config) {
        let fine = Arc::new(AtomicU32::new(0));
        let told = Arc::clone(&fine);
        self.take(Entry::Reconfigure {
            config: Arc::new(config),
            given: None,
            reply: Reply::with(move |enrolled| {
                told.store(u32::from(enrolled.is_ok()), SeqCst);
            }),
        });
        assert_eq!(fine.load(SeqCst), 1);
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.directory.path().join("a.db")).unwrap()
    }

    /// Incidents, oldest first: name, begin and end in seconds, failed checks, in maintenance.
    fn incidents(&self) -> Vec<String> {
        let since = |at: Timestamp| at.since(START).as_secs();
        let listed = self.reader().incidents(&IncidentQuery::default()).unwrap();
        listed
            .iter()
            .rev()
            .map(|listed| {
                let incident = &listed.incident;
                format!(
                    "{} {}-{} {}{}",
                    listed.name,
                    since(incident.key.opened_at),
                    incident
                        .closed_at
                        .map_or(String::new(), |at| since(at).to_string()),
                    incident.checks_failed,
                    if incident.maintenance {
                        " maintenance"
                    } else {
                        ""
                    }
                )
            })
            .collect()
    }

    /// What is in the outbox for ops, in order: kind, state.
    fn mails(&self) -> Vec<String> {
        let reader = self.reader();
        let mut rows = reader
            .outbox()
            .prepare("SELECT kind || ' ' || state FROM outbox WHERE mailbox = 'ops@example.com' ORDER BY id")
            .unwrap();
        rows.query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    fn count(&self, what: &str) -> i64 {
        let reader = self.reader();
        let db = reader.outbox();
        db.query_row(what, [], |row| row.get(0)).unwrap()
    }
}

fn two() -> Config {
    config(vec![monitor("a"), monitor("b")])
}

#[test]
fn a_paused_monitor_closes_its_incident_and_drops_its_mails() {
    let mut desk = Desk::new(two());
    desk.check(1, Weather::Up, 1);
    assert_eq!(
        desk.order(
            1,
            Order::Ack {
                until: None,
                note: None
            }
        ),
        "it is not down, there is nothing to acknowledge"
    );
    desk.fails(1);
    assert_eq!(desk.mails(), ["down waiting"]);
    assert_eq!(desk.order(1, Order::Pause), "done");
    assert_eq!(desk.mails(), ["down dropped"]);
    assert_eq!(desk.incidents(), ["a 11-31 3"]);
    let monitor = MonitorId(1);
    assert_eq!(
        desk.turns.last(),
        Some(&Turn::SetPaused {
            monitor,
            paused: true
        })
    );
    assert_eq!(
        desk.count("SELECT count(*) FROM spans WHERE kind = 'paused' AND to_at IS NULL"),
        1
    );
    let mut desk = desk.reopened(two());
    assert_eq!(desk.order(1, Order::Pause), "it is paused already");
    assert_eq!(desk.order(1, Order::Resume), "done");
    assert_eq!(
        desk.count("SELECT count(*) FROM spans WHERE to_at IS NULL"),
        0
    );
}

#[test]
fn what_was_said_with_an_ack_stays_with_its_incident() {
    let mut desk = Desk::new(two());
    let ack = |note: Option<&str>| Order::Ack {
        until: None,
        note: note.map(Into::into),
    };
    let noted = |desk: &Desk| {
        let listed = desk.reader().incidents(&IncidentQuery::default()).unwrap();
        let incident = &listed[0].incident;
        let status = desk.reader().status(&[], desk.now).unwrap();
        (
            incident.acked_at.map(|at| at.since(START).as_secs()),
            incident.ack_note.as_deref().map(str::to_owned),
            status[0].ack_note.clone(),
        )
    };
    let said = |text: &str| Some(text.to_owned());
    desk.fails(1);
    assert_eq!(noted(&desk), (None, None, None));
    assert_eq!(desk.order(1, ack(Some("deploy"))), "done");
    assert_eq!(noted(&desk), (Some(30), said("deploy"), said("deploy")));
    let mut desk = desk.reopened(two());
    // Who says nothing more leaves what was said.
    assert_eq!(desk.order(1, ack(None)), "done");
    desk.check(1, Weather::Down(503), 60);
    assert_eq!(noted(&desk), (Some(30), said("deploy"), said("deploy")));
    assert_eq!(desk.order(1, ack(Some("disk swapped"))), "done");
    desk.check(1, Weather::Up, 60);
    desk.check(1, Weather::Up, 10);
    assert_eq!(noted(&desk), (Some(30), said("disk swapped"), None));
    // It was that outage's, not the monitor's.
    desk.fails(1);
    assert_eq!(noted(&desk), (None, None, None));
}

#[test]
fn the_end_of_a_mute_wakes_the_notifier() {
    let mut desk = Desk::new(two());
    desk.fails(1);
    let until = desk.now.plus(seconds(600));
    assert_eq!(desk.order(1, Order::Mute { until }), "done");
    assert_eq!(
        desk.recorder.board().silenced(),
        [(MonitorId(1), Hold::Mute)].into()
    );
    let wake_at = desk.recorder.wake_at().unwrap();
    assert_eq!(wake_at, until);
    desk.now = until;
    let outcome = desk.recorder.take([], until);
    assert!(outcome.mails, "what was held may leave");
    assert!(desk.recorder.board().silenced().is_empty());
}

#[test]
fn a_renamed_monitor_keeps_its_open_incident() {
    let mut desk = Desk::new(two());
    desk.fails(1);
    let mut renamed = monitor("c");
    renamed.renamed_from = Some(MonitorName::parse("a").unwrap());
    desk.reload(config(vec![renamed, monitor("b")]));
    desk.check(1, Weather::Up, 60);
    desk.check(1, Weather::Up, 10);
    assert_eq!(desk.incidents(), ["c 10-90 3"]);
    assert_eq!(desk.mails(), ["down waiting", "up waiting"]);
}

#[test]
fn whoever_leaves_while_down_leaves_without_a_word() {
    for how in ["removed", "disabled", "removed while we slept"] {
        let mut desk = Desk::new(two());
        desk.fails(1);
        desk.now = desk.now.plus(seconds(5));
        let mut without = config(vec![monitor("b")]);
        if how == "disabled" {
            let mut disabled = monitor("a");
            disabled.enabled = false;
            without.monitors.push(Arc::new(disabled));
        }
        if how == "removed while we slept" {
            desk = desk.reopened(without);
        } else {
            desk.reload(without);
        }
        assert_eq!(desk.incidents(), ["a 10-35 3"], "{how}");
        assert_eq!(desk.mails(), ["down dropped"], "{how}");
        // Late results of it change nothing, and it can come back.
        desk.check(1, Weather::Down(503), 10);
        desk.reload(two());
        desk.check(1, Weather::Down(503), 10);
        desk.check(1, Weather::Up, 10);
        assert_eq!(desk.incidents(), ["a 10-35 3"], "{how}");
        assert_eq!(
            desk.count("SELECT count(*) FROM spans WHERE kind = 'removed' AND to_at IS NOT NULL"),
            1,
            "{how}"
        );
    }
}

#[test]
fn a_recovery_goes_to_exactly_those_who_were_told() {
    let to = |names: &[&str]| {
        let mut config = two();
        let rules = Arc::make_mut(&mut Arc::make_mut(&mut config.monitors[0]).rules);
        rules.to = names.iter().map(|name| recipient(name)).collect();
        config
    };
    let mut desk = Desk::new(to(&["ops@example.com", "boss@example.com"]));
    desk.fails(1);
    // Others are responsible now: they get the reminder, and with it the end.
    desk.reload(to(&["night@example.com", "Ops <ops@example.com>"]));
    desk.check(1, Weather::Down(503), 620);
    desk.reload(to(&["nobody@example.com"]));
    desk.check(1, Weather::Up, 60);
    desk.check(1, Weather::Up, 10);
    let reader = desk.reader();
    let mut rows = reader
        .outbox()
        .prepare("SELECT kind, group_concat(mailbox, ' ') FROM (SELECT * FROM outbox ORDER BY mailbox) GROUP BY kind")
        .unwrap();
    let told: Vec<(String, String)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let row = |kind: &str, to: &str| (kind.to_owned(), to.to_owned());
    assert_eq!(
        told,
        [
            row("down", "boss@example.com ops@example.com"),
            row("still_down", "night@example.com ops@example.com"),
            row("up", "boss@example.com night@example.com ops@example.com"),
        ]
    );
}

#[test]
fn children_of_a_failing_parent_are_silent() {
    let child = |name| {
        let mut child = monitor(name);
        child.depends_on = [MonitorName::parse("router").unwrap()].into();
        child
    };
    let mut desk = Desk::new(config(vec![monitor("router"), child("a"), child("b")]));
    for monitor in 1..=3 {
        desk.check(monitor, Weather::Up, 1);
    }
    desk.turns.clear();
    desk.check(2, Weather::Down(503), 57);
    assert_eq!(
        desk.turns,
        [
            Turn::CheckNow {
                monitor: MonitorId(1),
                unless_since: desk.now
            },
            Turn::CheckAt {
                monitor: MonitorId(2),
                at: desk.now.plus(seconds(10))
            }
        ]
    );
    desk.check(1, Weather::Down(503), 1);
    for _ in 0..3 {
        desk.check(1, Weather::Down(503), 9);
        desk.check(2, Weather::Down(503), 1);
        desk.check(3, Weather::Down(503), 1);
    }
    // Three incidents, one mail.
    assert_eq!(desk.incidents().len(), 3);
    assert_eq!(desk.mails(), ["down waiting"]);
    desk.check(1, Weather::Up, 60);
    desk.check(1, Weather::Up, 10);
    // The router is back; a recovers, b stays down and is told after three more failures.
    desk.check(2, Weather::Up, 1);
    desk.check(2, Weather::Up, 10);
    desk.fails(3);
    assert_eq!(desk.mails(), ["down waiting", "up waiting", "down waiting"]);
}

#[test]
fn a_window_of_the_configuration_holds_mails_and_is_written_down() {
    let mut with = two();
    with.maintenance.push(Maintenance {
        note: "".into(),
        covers: Covers::Some {
            monitors: vec![MonitorName::parse("a").unwrap()],
            tags: Vec::new(),
        },
        when: MaintenanceTime::Once {
            start: START.plus(seconds(5)),
            end: START.plus(seconds(300)),
        },
    });
    let mut desk = Desk::new(with);
    desk.fails(1);
    desk.fails(2);
    assert_eq!(desk.mails(), ["down waiting"]);
    assert_eq!(
        desk.count("SELECT count(*) FROM spans WHERE kind = 'maintenance'"),
        1
    );
    assert_eq!(desk.recorder.wake_at(), Some(START.plus(seconds(300))));
    desk.now = START.plus(seconds(300));
    let _ = desk.recorder.take([], desk.now);
    assert_eq!(desk.mails(), ["down waiting", "down waiting"]);
    assert_eq!(desk.incidents(), ["a 10- 3 maintenance", "b 40- 3"]);
}

#[test]
fn a_monitor_that_leaves_is_told_as_a_change_of_state() {
    let mut desk = Desk::new(two());
    desk.fails(1);
    desk.check(2, Weather::Up, 1);
    let changes = |desk: &Desk| -> Vec<String> {
        let events = desk.reader().events_after(0, 100).unwrap();
        let told = events.into_iter().filter_map(|event| match event.what {
            What::State { from, to, .. } => Some(format!("{} {from} {to}", event.monitor?)),
            _ => None,
        });
        told.collect()
    };
    let so_far = ["a pending down", "b pending up"];
    assert_eq!(changes(&desk), so_far);
    desk.reload(config(vec![monitor("b")]));
    let (before, last) = (changes(&desk)[..2].to_vec(), changes(&desk)[2..].to_vec());
    assert_eq!(
        (&before[..], &last[..]),
        (
            &so_far.map(str::to_owned)[..],
            &["a down pending".to_owned()][..]
        )
    );
    // It comes back, and begins where it was said to be.
    desk.reload(two());
    desk.check(1, Weather::Up, 60);
    assert_eq!(changes(&desk)[3..], ["a pending up"]);
}

#[test]
fn a_window_that_leaves_the_configuration_counts_no_longer() {
    let with = |minutes: u64| {
        let mut with = two();
        with.maintenance.push(Maintenance {
            note: "".into(),
            covers: Covers::Some {
                monitors: vec![MonitorName::parse("a").unwrap()],
                tags: Vec::new(),
            },
            when: MaintenanceTime::Once {
                start: START,
                end: START.plus(seconds(60 * minutes)),
            },
        });
        with
    };
    let lasted = |desk: &Desk| -> i64 {
        desk.count("SELECT sum(to_at - from_at) / 1000 FROM spans WHERE kind = 'maintenance'")
    };
    for is_restarted in [false, true] {
        let mut desk = Desk::new(with(60));
        let mut change = |later: u64, to: Config| {
            desk.check(1, Weather::Up, later);
            if is_restarted {
                let other = Desk::new(two());
                desk = std::mem::replace(&mut desk, other).reopened(to);
            } else {
                desk.reload(to);
            }
            lasted(&desk)
        };
        assert_eq!(change(60, with(60)), 3600, "{is_restarted}");
        // It was to last longer, and then it is over.
        assert_eq!(change(60, with(90)), 5400, "{is_restarted}");
        assert_eq!(change(480, two()), 600, "{is_restarted}");
        assert_eq!(change(60, two()), 600, "{is_restarted}");
        // The window of an order is none of the configuration.
        let window = OrderedWindow {
            id: 1,
            from: desk.now,
            until: desk.now.plus(seconds(1800)),
            ends: Ends::InTime,
            note: None,
        };
        assert_eq!(desk.order(1, Order::Maintain(window)), "done");
        let mut change = |later: u64, to: Config| {
            desk.check(1, Weather::Up, later);
            if is_restarted {
                let other = Desk::new(two());
                desk = std::mem::replace(&mut desk, other).reopened(to);
            } else {
                desk.reload(to);
            }
            lasted(&desk)
        };
        assert_eq!(change(60, two()), 2400, "{is_restarted}");
    }
}

#[test]
fn a_clock_set_back_moves_nothing_backwards() {
    let mut desk = Desk::new(two());
    desk.check(1, Weather::Up, 100);
    desk.now = START.plus(seconds(50));
    for _ in 0..3 {
        desk.check(1, Weather::Down(503), 0);
    }
    assert_eq!(
        desk.count("SELECT count(DISTINCT at) FROM journal WHERE monitor_id = 1"),
        4
    );
    let newest = desk
        .recorder
        .board()
        .get(MonitorId(1))
        .unwrap()
        .newest
        .unwrap();
    assert_eq!(newest.at, Timestamp::from_ms(START.as_ms() + 100_003));
    assert_eq!(desk.incidents(), ["a 100- 3"]);
}

#[test]
fn a_clock_that_was_two_hours_ahead_is_right_at_once() {
    let mut desk = Desk::new(two());
    desk.now = START.plus(seconds(7200));
    desk.check(1, Weather::Up, 60);
    desk.now = START;
    let mut times = Vec::new();
    for minute in 0..300 {
        let weather = if (60..70).contains(&minute) {
            Weather::Down(503)
        } else {
            Weather::Up
        };
        desk.check(1, weather, 60);
        let newest = desk.recorder.board().get(MonitorId(1)).unwrap().newest;
        times.push(newest.unwrap().at);
    }
    assert!(times.is_sorted_by(|a, b| a < b), "it always grows");
    // Ten minutes of outage are ten in the books.
    let listed = desk.reader().incidents(&IncidentQuery::default()).unwrap();
    let incident = &listed[0].incident;
    let lasted = incident.closed_at.unwrap().since(incident.key.opened_at);
    assert_eq!(lasted, seconds(600));
    assert_eq!(times[0], Timestamp::from_ms(START.as_ms() + 60_001));
    assert_eq!(times[299], desk.now);
    // A failure is confirmed by the clock, not by the time in the books.
    let mut desk = Desk::new(two());
    desk.now = START.plus(seconds(7200));
    desk.check(1, Weather::Up, 60);
    desk.now = START;
    desk.turns.clear();
    desk.check(1, Weather::Down(503), 60);
    assert_eq!(
        desk.turns,
        [Turn::CheckAt {
            monitor: MonitorId(1),
            at: desk.now.plus(seconds(10))
        }]
    );
}

#[test]
fn a_full_disk_stops_neither_checks_nor_decisions() {
    let mut desk = Desk::new(two());
    desk.check(1, Weather::Up, 1);
    // The next two transactions are refused, whatever is in them.
    let refusals = Arc::new(AtomicU32::new(2));
    desk.take(Entry::Write(Box::new(move |_| {
        let left = refusals.load(SeqCst);
        if left == 0 {
            return Ok(());
        }
        refusals.store(left - 1, SeqCst);
        Err(StoreError::Full)
    })));
    assert_eq!(desk.recorder.failure().unwrap().error, "the disk is full");
    desk.turns.clear();
    for _ in 0..3 {
        desk.check(1, Weather::Down(503), 0);
    }
    // Decided, wanted again, shown; not written.
    assert_eq!(desk.turns.len(), 2);
    assert_eq!(desk.incidents(), [""; 0]);
    assert_eq!(desk.recorder.unwritten(), 3);
    // Not even tried more often than every two seconds.
    desk.check(1, Weather::Down(503), 3);
    assert_eq!(desk.recorder.unwritten(), 4);
    desk.check(1, Weather::Down(503), 3);
    assert_eq!(desk.recorder.failure(), None);
    assert_eq!(desk.recorder.unwritten(), 0);
    assert_eq!(desk.incidents(), ["a 1- 5"]);
    assert_eq!(
        desk.count("SELECT count(*) FROM journal WHERE monitor_id = 1"),
        6
    );
    let _ = desk.recorder.take([], desk.now);
    assert_eq!(desk.mails(), ["down waiting", "trouble waiting"]);
}

#[test]
fn what_the_database_refuses_alone_holds_up_nothing_else() {
    let mut desk = Desk::new(two());
    desk.take(Entry::Write(Box::new(|batch| {
        batch
            .outbox()
            .execute("INSERT INTO nowhere VALUES (1)", [])?;
        Ok(())
    })));
    desk.fails(1);
    assert_eq!(desk.recorder.failure(), None);
    assert_eq!(desk.incidents(), ["a 10- 3"]);
}

#[test]
fn the_board_shows_what_is_decided() {
    let mut desk = Desk::new(two());
    let board = desk.recorder.board();
    let states = || -> Vec<String> {
        let all = board.all();
        all.iter()
            .map(|live| format!("{} {}", live.monitor.name, live.shown.state))
            .collect()
    };
    assert_eq!(states(), ["a pending", "b pending"]);
    desk.fails(1);
    desk.check(2, Weather::Up, 1);
    assert_eq!(states(), ["a down", "b up"]);
    let newest = board.get(MonitorId(2)).unwrap().newest.unwrap();
    assert_eq!(newest.verdict, Verdict::Up);
    desk.reload(config(vec![monitor("b")]));
    assert_eq!(states(), ["b up"]);
}

#[test]
fn a_report_that_was_missed_is_made_up_for_once() {
    // 2026-11-22 was a Sunday; START is within it.
    let with_reports = || {
        let mut config = two();
        config.report = Some(ReportSettings {
            schedule: CronText("0 0 8 * * *".into()),
            to: vec![recipient("ops@example.com")],
        });
        config
    };
    let reports = |desk: &Desk| -> Vec<String> {
        let reader = desk.reader();
        let mut rows = reader
            .outbox()
            .prepare("SELECT notice FROM outbox WHERE kind = 'report' ORDER BY id")
            .unwrap();
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|notice| {
            let notice: serde_json::Value = serde_json::from_str(&notice.unwrap()).unwrap();
            let ms = |name: &str| Timestamp::from_ms(notice["news"][name].as_i64().unwrap());
            let day = |at: Timestamp| at.to_jiff().strftime("%d %H:%M").to_string();
            format!("{} to {}", day(ms("from")), day(ms("to")))
        })
        .collect()
    };
    let mut desk = Desk::new(with_reports());
    assert_eq!(reports(&desk), Vec::<String>::new());
    // In its time, and the same moment again, as after a clock set back.
    desk.now = Timestamp::from_jiff("2026-11-23T08:00:00Z".parse().unwrap());
    desk.take(Entry::Report);
    desk.take(Entry::Report);
    assert_eq!(reports(&desk), ["22 08:00 to 23 08:00"]);
    // Three moments pass while nothing runs; then it starts twice.
    desk.now = Timestamp::from_jiff("2026-11-26T12:00:00Z".parse().unwrap());
    let desk = desk.reopened(with_reports());
    assert_eq!(reports(&desk).len(), 2);
    let mut desk = desk.reopened(with_reports());
    assert_eq!(reports(&desk)[1..], ["23 08:00 to 26 08:00"]);
    // Whoever switches reports off and on again starts anew.
    desk.reload(two());
    desk.now = Timestamp::from_jiff("2026-12-30T12:00:00Z".parse().unwrap());
    desk.reload(with_reports());
    assert_eq!(reports(&desk).len(), 2);
    desk.now = Timestamp::from_jiff("2026-12-31T08:00:00Z".parse().unwrap());
    desk.take(Entry::Report);
    assert_eq!(reports(&desk)[2..], ["30 08:00 to 31 08:00"]);
}
