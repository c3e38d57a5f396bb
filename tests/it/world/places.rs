//! Several locations at the recorder's door: frames of probes in, one truth out.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use rusqlite::Connection;
use sitewatch::cli::why::command::Asked as Question;
use sitewatch::config::Config;
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::{Entry, Outcome, Reply};
use sitewatch::domain::cluster::{
    ClusterRole, ClusterSettings, HubSettings, NatsCredentials, NatsServer,
};
use sitewatch::domain::event::What;
use sitewatch::domain::location::{
    DownWhen, Frame, LocationName, Observation, Places, Presence, ProbeName, Quorum, Receipt, Share,
};
use sitewatch::domain::monitor::{Monitor, MonitorId};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::checks::history::{HistoryQuery, Whence};
use sitewatch::store::facts::incidents::IncidentQuery;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;
use sitewatch::view::time_text::Clock;

use super::config::{config, monitor, seconds};
use super::scene::{START, Weather, look};

const SITE: MonitorId = MonitorId(1);

fn name(text: &str) -> LocationName {
    LocationName::parse(text).unwrap()
}

/// `nyc`, or `nyc 2/4` for the second of four.
fn sender(text: &str) -> ProbeName {
    let (location, share) = match text.split_once(' ') {
        None => (text, None),
        Some((location, share)) => (location, Some(Share::parse(share).unwrap())),
    };
    ProbeName {
        location: name(location),
        share,
    }
}

/// Each probe has a spool of its own.
fn spool_of(sender: &ProbeName) -> u64 {
    7 + sender.share.map_or(0, |share| u64::from(share.number()))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_ms(START.as_ms() + second * 1000)
}

fn second(at: Timestamp) -> f64 {
    (at.as_ms() - START.as_ms()) as f64 / 1000.0
}

fn hub(monitors: Vec<Monitor>, locations: &[&str]) -> Config {
    let locations: Arc<[LocationName]> = locations.iter().map(|text| name(text)).collect();
    let quorum = Arc::new(Quorum {
        locations: Arc::clone(&locations),
        down_when: DownWhen::Majority,
        alert_on_regional: false,
    });
    let mut config = config(monitors);
    for monitor in &mut config.monitors {
        let monitor = Arc::make_mut(monitor);
        Arc::make_mut(&mut monitor.rules).quorum = Some(Arc::clone(&quorum));
    }
    config.cluster = Some(Arc::new(ClusterSettings {
        server: NatsServer {
            host: "127.0.0.1".into(),
            port: 4222,
            tls: false,
            ca_pem: None,
            credentials: NatsCredentials::None,
        },
        role: ClusterRole::Hub(HubSettings {
            places: Places {
                locations,
                down_when: DownWhen::Majority,
                here: None,
                silent_after: seconds(120),
            },
            is_standby: false,
            stream_bytes: 1 << 31,
            stream_age: seconds(7 * 86_400),
        }),
    }));
    config
}

/// A hub, and what its probes send.
struct Desk {
    directory: tempfile::TempDir,
    config: Arc<Config>,
    recorder: Option<Recorder>,
    /// The next number of each spool.
    seqs: std::collections::BTreeMap<String, u64>,
    receipts: Arc<Mutex<Vec<Receipt>>>,
    asks: Vec<String>,
    /// So many seconds the clock of a probe is ahead.
    ahead: std::collections::BTreeMap<String, i64>,
    /// Each frame comes so often.
    copies: usize,
}

impl Desk {
    fn new(config: Config) -> Self {
        let mut desk = Self {
            directory: tempfile::tempdir().unwrap(),
            config: Arc::new(config),
            recorder: None,
            seqs: std::collections::BTreeMap::new(),
            receipts: Arc::default(),
            asks: Vec::new(),
            ahead: std::collections::BTreeMap::new(),
            copies: 1,
        };
        desk.start(0);
        desk
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("a.db")
    }

    fn start(&mut self, now: i64) {
        self.recorder = None;
        let store = Store::open(&self.path(), at(now)).unwrap();
        let (recorder, _) = Recorder::open(store, Arc::clone(&self.config), at(now)).unwrap();
        self.recorder = Some(recorder);
    }

    fn take(&mut self, entries: Vec<Entry>, now: i64) {
        let recorder = self.recorder.as_mut().unwrap();
        let Outcome { asks, .. } = recorder.take(entries, at(now));
        let asks = asks.iter().map(|ask| ask.location.to_string());
        self.asks.extend(asks);
    }

    fn wait(&mut self, now: i64) {
        self.take(Vec::new(), now);
    }

    fn presence(&mut self, location: &str, now: i64) {
        let ahead = self.ahead.get(location).copied().unwrap_or(0);
        let sender = sender(location);
        let presence = Presence {
            spool: spool_of(&sender),
            sender,
            sent_at: at(now + ahead),
            received_at: at(now),
            version: "1".into(),
            waiting: 0,
            offline_since: None,
        };
        self.take(vec![Entry::Presence(Box::new(presence))], now);
    }

    fn frame(&mut self, location: &str, checks: &[(i64, Weather)], now: i64) -> Frame {
        let ahead = self.ahead.get(location).copied().unwrap_or(0);
        let seq = self.seqs.entry(location.to_owned()).or_default();
        let after = *seq;
        *seq += 1;
        let sender = sender(location);
        Frame {
            spool: spool_of(&sender),
            sender,
            seq: *seq,
            after,
            sent_at: at(now + ahead),
            received_at: at(now),
            list_version: 1,
            observations: checks
                .iter()
                .map(|(began, weather)| Observation::Checked {
                    monitor: SITE,
                    check: Box::new(look(*weather, at(began + ahead))),
                })
                .collect(),
        }
    }

    fn deliver(&mut self, frame: &Frame, now: i64) {
        for _ in 0..self.copies {
            let receipts = Arc::clone(&self.receipts);
            let reply = Reply::with(move |receipt| receipts.lock().unwrap().push(receipt.unwrap()));
            let frame = Box::new(frame.clone());
            self.take(vec![Entry::Frame { frame, reply }], now);
        }
    }

    /// One check that arrives a second after it began.
    fn check(&mut self, location: &str, began: i64, weather: Weather) {
        let frame = self.frame(location, &[(began, weather)], began + 1);
        self.deliver(&frame, began + 1);
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.path()).unwrap()
    }

    /// Begin and end of each incident, and the mails of it.
    fn incidents(&self) -> Vec<(f64, Option<f64>, Vec<&'static str>)> {
        let query = IncidentQuery::default();
        let listed = self.reader().incidents(&query).unwrap();
        listed
            .iter()
            .map(|one| {
                let incident = &one.incident;
                let mails = one.mails.iter().map(|mail| mail.kind.as_str()).collect();
                let end = incident.closed_at.map(second);
                (second(incident.opened_at()), end, mails)
            })
            .collect()
    }

    fn history(&self, whose: Whence) -> Vec<(String, f64, String)> {
        let query = HistoryQuery {
            whose,
            ..HistoryQuery::default()
        };
        let mut found = Vec::new();
        self.reader()
            .history_of_locations(&query, &mut |monitor, location, check, _| {
                assert_eq!(monitor.id, SITE);
                let location = location.map_or("-".to_owned(), ToString::to_string);
                let state = check.verdict.state().to_string();
                found.push((location, second(check.at), state));
                ControlFlow::Continue(())
            })
            .unwrap();
        found.reverse();
        found
    }

    /// The words of mails about us.
    fn troubles(&self) -> Vec<String> {
        let connection = Connection::open(self.path()).unwrap();
        let mut statement = connection
            .prepare("SELECT notice FROM outbox WHERE kind = 'trouble' ORDER BY id")
            .unwrap();
        let notices = statement.query_map([], |row| row.get(0)).unwrap();
        let words = notices.map(|notice| {
            let notice: serde_json::Value =
                serde_json::from_str(&notice.unwrap_or_else(|_: rusqlite::Error| String::new()))
                    .unwrap();
            let news = &notice["news"];
            let (kind, what) = (&news["kind"], &news["what"]);
            format!("{} {}", kind.as_str().unwrap(), what.as_str().unwrap())
        });
        words.collect()
    }

    fn down_mail(&self) -> serde_json::Value {
        let connection = Connection::open(self.path()).unwrap();
        let notice: String = connection
            .query_row(
                "SELECT notice FROM outbox WHERE kind = 'down' LIMIT 1",
                [],
                |row| row.get(0),
            )
            .unwrap();
        serde_json::from_str(&notice).unwrap()
    }
}

/// It is good for two minutes, then fails from two of three for three.
fn outage(desk: &mut Desk) {
    for began in [0, 60] {
        for (place, location) in ["fra", "nyc", "sgp"].into_iter().enumerate() {
            desk.check(location, began + place as i64, Weather::Up);
        }
    }
    for began in [120, 130, 140] {
        desk.check("fra", began, Weather::Down(503));
        desk.check("nyc", began + 1, Weather::Down(503));
        desk.check("sgp", began + 2, Weather::Up);
    }
    for began in [180, 190] {
        desk.check("fra", began, Weather::Up);
        desk.check("nyc", began + 1, Weather::Up);
        desk.check("sgp", began + 2, Weather::Up);
    }
}

#[test]
fn an_outage_seen_from_two_of_three_is_one_incident_and_each_check_is_kept_once() {
    let mut once = Desk::new(hub(vec![monitor("a")], &["fra", "nyc", "sgp"]));
    outage(&mut once);
    let mails = vec!["down", "down", "up", "up"];
    assert_eq!(once.incidents(), [(121.0, Some(180.0), mails)]);
    let seen = once.history(Whence::Each);
    assert_eq!(seen.len(), 21);
    assert!(seen.iter().all(|(location, ..)| location != "-"));
    let nyc = once.history(Whence::Some(vec![name("nyc")]));
    assert_eq!(nyc.len(), 7);
    assert_eq!(nyc[2], ("nyc".into(), 121.0, "down".into()));
    // The first failure of each of the two asked the others.
    assert_eq!(once.asks, ["nyc", "sgp", "fra"]);
    let notice = once.down_mail();
    let said: Vec<String> = notice["news"]["locations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["location"], one["state"]))
        .collect();
    assert_eq!(
        said,
        ["\"fra\" \"down\"", "\"nyc\" \"down\"", "\"sgp\" \"up\""]
    );

    // Frames that come twice change nothing.
    let mut twice = Desk::new(hub(vec![monitor("a")], &["fra", "nyc", "sgp"]));
    twice.copies = 2;
    outage(&mut twice);
    assert_eq!(twice.incidents(), once.incidents());
    assert_eq!(twice.history(Whence::Each), seen);
    let receipts = twice.receipts.lock().unwrap();
    assert_eq!(receipts.len(), 42);
    assert!(receipts.chunks(2).all(|both| both[0] == both[1]));
}

#[test]
fn a_frame_out_of_order_is_not_taken_and_comes_again() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra"]));
    let first = desk.frame("fra", &[(0, Weather::Up)], 1);
    let second = desk.frame("fra", &[(60, Weather::Up)], 61);
    desk.deliver(&second, 61);
    desk.deliver(&first, 62);
    desk.deliver(&second, 63);
    let done: Vec<u64> = desk
        .receipts
        .lock()
        .unwrap()
        .iter()
        .map(|one| one.done_seq)
        .collect();
    assert_eq!(done, [0, 1, 2]);
    assert_eq!(desk.history(Whence::Each).len(), 2);
    // A hub that starts again knows what it has.
    desk.start(70);
    desk.deliver(&second, 71);
    assert_eq!(desk.receipts.lock().unwrap().last().unwrap().done_seq, 2);
    assert_eq!(desk.history(Whence::Each).len(), 2);
    // A new spool begins at 1; the old one is refused from then on.
    let fresh = Frame {
        spool: 8,
        seq: 1,
        after: 0,
        ..desk.frame("fra", &[(120, Weather::Up)], 121)
    };
    desk.deliver(&fresh, 121);
    let old = desk.frame("fra", &[(180, Weather::Up)], 181);
    desk.deliver(&old, 181);
    desk.deliver(&old, 182);
    assert_eq!(desk.history(Whence::Each).len(), 3);
    assert_eq!(desk.troubles(), ["trouble location fra"]);
}

#[test]
fn what_comes_late_is_history_and_raises_no_alarm() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc"]));
    for location in ["fra", "nyc"] {
        desk.check(location, 0, Weather::Up);
    }
    let hours: Vec<(i64, Weather)> = (1..170).map(|n| (n * 60, Weather::Down(503))).collect();
    for location in ["fra", "nyc"] {
        let frame = desk.frame(location, &hours, 10_800);
        desk.deliver(&frame, 10_800);
    }
    assert!(desk.incidents().is_empty());
    assert_eq!(desk.history(Whence::Each).len(), 340);
    for began in [10_810, 10_820] {
        for location in ["fra", "nyc"] {
            desk.check(location, began, Weather::Up);
        }
    }
    assert!(desk.incidents().is_empty());
}

#[test]
fn a_silent_location_is_told_once_and_so_is_its_return() {
    let mut desk = Desk::new(hub(vec![monitor("a"), monitor("b")], &["fra", "nyc"]));
    for now in (0..=300).step_by(10) {
        desk.presence("fra", now);
        if now <= 100 {
            desk.presence("nyc", now);
        }
    }
    assert_eq!(desk.troubles(), ["trouble location nyc"]);
    // A restart does not tell it again.
    desk.start(310);
    for now in (320..=520).step_by(10) {
        desk.presence("fra", now);
    }
    assert_eq!(desk.troubles(), ["trouble location nyc"]);
    for now in (530..=560).step_by(10) {
        desk.presence("fra", now);
        desk.presence("nyc", now);
    }
    assert_eq!(desk.troubles(), ["trouble location nyc", "back nyc"]);
    // All at once are one mail.
    for now in (570..800).step_by(10) {
        desk.wait(now);
    }
    assert_eq!(
        desk.troubles().last().unwrap(),
        "trouble locations fra and nyc"
    );
    assert_eq!(desk.troubles().len(), 3);
}

#[test]
fn a_clock_that_is_off_is_corrected_and_told() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc", "sgp"]));
    desk.ahead.insert("nyc".into(), 5 * 3600);
    for location in ["fra", "nyc", "sgp"] {
        desk.presence(location, 0);
    }
    outage(&mut desk);
    let incidents = desk.incidents();
    let spans: Vec<(f64, Option<f64>)> = incidents.iter().map(|one| (one.0, one.1)).collect();
    assert_eq!(spans, [(121.0, Some(180.0))]);
    assert_eq!(desk.troubles(), ["trouble clock nyc"]);
    desk.ahead.clear();
    for now in 200..230 {
        desk.presence("nyc", now);
    }
    assert_eq!(desk.troubles(), ["trouble clock nyc", "back clock nyc"]);
}

#[test]
fn a_hub_that_starts_again_goes_on_where_it_was() {
    let mut calm = Desk::new(hub(vec![monitor("a")], &["fra", "nyc", "sgp"]));
    outage(&mut calm);
    let mut restless = Desk::new(hub(vec![monitor("a")], &["fra", "nyc", "sgp"]));
    for began in [0, 60] {
        for (place, location) in ["fra", "nyc", "sgp"].into_iter().enumerate() {
            restless.check(location, began + place as i64, Weather::Up);
            restless.start(began + place as i64 + 2);
        }
    }
    for began in [120, 130, 140] {
        restless.check("fra", began, Weather::Down(503));
        restless.check("nyc", began + 1, Weather::Down(503));
        restless.check("sgp", began + 2, Weather::Up);
        restless.start(began + 4);
    }
    for began in [180, 190] {
        restless.check("fra", began, Weather::Up);
        restless.check("nyc", began + 1, Weather::Up);
        restless.start(began + 3);
        restless.check("sgp", began + 2, Weather::Up);
    }
    assert_eq!(restless.incidents(), calm.incidents());
    assert_eq!(restless.history(Whence::Each), calm.history(Whence::Each));
}

#[test]
fn without_locations_nothing_of_them_is_stored() {
    let mut desk = Desk::new(config(vec![monitor("a")]));
    for began in [60, 70, 80, 90] {
        let check = Box::new(look(Weather::Down(503), at(began)));
        let monitor = SITE;
        desk.take(vec![Entry::Checked { monitor, check }], began + 1);
    }
    let connection = Connection::open(desk.path()).unwrap();
    for table in ["locations", "series", "probes"] {
        let rows: i64 = connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    for text in [
        "SELECT kept FROM states",
        "SELECT text FROM rule_texts",
        "SELECT notice FROM outbox",
    ] {
        let text: String = connection.query_row(text, [], |row| row.get(0)).unwrap();
        assert!(
            !text.contains("location") && !text.contains("seats"),
            "{text}"
        );
    }
}

fn retold(desk: &Desk, at: Timestamp, is_now: bool) -> sitewatch::view::why::Why {
    let clock = Clock {
        zone: TimeZone::UTC,
        now: at,
    };
    let reader = desk.reader();
    let known = reader.monitors().unwrap();
    let asked = Question {
        config: Some(&desk.config),
        clock: &clock,
        at,
        is_now,
    };
    asked.why(&reader, &known[0]).unwrap().unwrap()
}

fn steps(why: &sitewatch::view::why::Why) -> Vec<String> {
    let steps = why.steps.iter();
    steps
        .map(|step| format!("{} {}: {}", second(step.at), step.event, step.text))
        .collect()
}

/// The recorded checks of all locations go through confirmation and vote once more, and say who said what.
#[test]
fn why_tells_what_each_location_said_and_what_their_votes_made_of_it() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc", "sgp"]));
    outage(&mut desk);
    let why = retold(&desk, at(200), true);
    assert!(why.complete, "{why:?}");
    let down = retold(&desk, at(150), false);
    assert_eq!(down.incident.as_deref(), Some("1-1795377721000"));
    assert!(
        down.reason
            .ends_with("Of its locations fra says down, nyc says down."),
        "{}",
        down.reason
    );
    let golden = [
        "0 vote: fra: it says good",
        "0 up: good: up",
        "1 vote: nyc: it says good",
        "2 vote: sgp: it says good",
        "120 vote: fra: failed, 1 of 3 in a row that make it say down: not expected",
    ];
    assert_eq!(steps(&why)[..golden.len()], golden, "{:#?}", steps(&why));
    let of = |event: &str| -> Vec<String> {
        let all = why.steps.iter().filter(|step| step.event == event);
        all.map(|step| format!("{} {}", second(step.at), step.text))
            .collect()
    };
    assert_eq!(
        of("down"),
        ["141 fra and nyc say down, 2 of 3 locations, 2 make it down: down"]
    );
    assert_eq!(
        of("up").last().unwrap(),
        "190 fra and sgp say good, 2 of 3 locations, 2 make it up: up again"
    );
    assert_eq!(of("decided").len(), 2, "{:#?}", steps(&why));
    let step = why.steps.iter().find(|step| step.event == "vote").unwrap();
    assert_eq!(step.location, Some(name("fra")));
}

/// What came late decided nothing when it was made, and the retelling knows when it came.
#[test]
fn why_goes_by_when_a_check_arrived() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc", "sgp"]));
    for minute in 0..30 {
        for (place, location) in ["fra", "nyc"].into_iter().enumerate() {
            desk.check(location, minute * 60 + place as i64, Weather::Up);
        }
        if minute < 5 {
            desk.check("sgp", minute * 60 + 2, Weather::Up);
        }
    }
    // From minute 5 on sgp was cut off and saw an outage of its own; it comes in two frames.
    let minutes = |range: std::ops::Range<i64>| -> Vec<(i64, Weather)> {
        range.map(|n| (n * 60 + 2, Weather::Down(503))).collect()
    };
    for (part, now) in [(minutes(5..15), 1790), (minutes(15..28), 1790)] {
        let frame = desk.frame("sgp", &part, now);
        desk.deliver(&frame, now);
    }
    desk.check("sgp", 1795, Weather::Up);
    let why = retold(&desk, at(1799), true);
    assert!(why.complete);
    let late: Vec<String> = steps(&why)
        .into_iter()
        .filter(|step| step.contains("sgp"))
        .collect();
    assert_eq!(
        late,
        [
            "2 vote: sgp: it says good",
            "377.001 silent: sgp: nothing was heard for 2m 15s, so it has no vote",
            "1795 heard: sgp: its word counts again",
            "1795 vote: sgp: good, 1 of 2 in a row that make it say good",
        ],
        "{:#?}",
        steps(&why)
    );
    let arrivals = desk.reader().arrivals(at(0), at(2000)).unwrap();
    assert_eq!(arrivals.len(), 1, "{arrivals:?}");
}

/// A silent location, one that is offline, and their return are events, each once, over restarts of the hub too.
#[test]
fn events_say_which_locations_are_heard() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc"]));
    let minute = |desk: &mut Desk, minute: i64, locations: &[&str]| {
        for location in locations {
            desk.check(location, minute * 60, Weather::Up);
        }
        desk.wait(minute * 60 + 30);
    };
    for now in 0..4 {
        minute(&mut desk, now, &["fra", "nyc"]);
    }
    for now in 4..9 {
        minute(&mut desk, now, &["fra"]);
        if now == 8 {
            desk.start(now * 60 + 31);
        }
    }
    for now in 9..12 {
        minute(&mut desk, now, &["fra", "nyc"]);
    }
    let mut offline = Presence {
        sender: sender("fra"),
        spool: 7,
        sent_at: at(730),
        received_at: at(730),
        version: "1".into(),
        waiting: 0,
        offline_since: Some(at(720)),
    };
    desk.take(vec![Entry::Presence(Box::new(offline.clone()))], 730);
    desk.wait(731);
    offline.offline_since = None;
    desk.take(vec![Entry::Presence(Box::new(offline))], 740);
    desk.wait(741);
    let events = desk.reader().events_after(0, 1000).unwrap();
    let seen: Vec<String> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Location { location, seen } => {
                Some(format!("{} {location} {}", second(event.at), seen.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        seen,
        [
            "1 fra fresh",
            "30 nyc fresh",
            "330 nyc silent",
            "570 nyc fresh",
            "731 fra offline",
            "741 fra fresh",
        ]
    );
}

/// When the checks of a location began that are recorded.
fn recorded(desk: &Desk, location: &str) -> Vec<f64> {
    let its = desk.history(Whence::Some(vec![name(location)]));
    its.into_iter().map(|(_, at, _)| at).collect()
}

#[test]
fn probes_that_share_a_location_each_have_their_own_numbers() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc"]));
    for probe in ["fra", "nyc 1/2", "nyc 2/2"] {
        desk.presence(probe, 0);
    }
    // Both count from one; frames come twice, also after a restart.
    desk.copies = 2;
    let one = desk.frame("nyc 1/2", &[(1, Weather::Up)], 2);
    let other = desk.frame("nyc 2/2", &[(3, Weather::Up)], 4);
    assert_eq!((one.seq, other.seq), (1, 1));
    desk.deliver(&one, 2);
    desk.deliver(&other, 4);
    desk.start(10);
    desk.deliver(&one, 11);
    desk.deliver(&other, 11);
    let next = desk.frame("nyc 2/2", &[(12, Weather::Up)], 13);
    desk.deliver(&next, 13);
    assert_eq!(recorded(&desk, "nyc"), [1.0, 3.0, 12.0]);
    let receipts = desk.receipts.lock().unwrap().clone();
    let done = |spool| {
        let its = receipts.iter().filter(|receipt| receipt.spool == spool);
        its.map(|receipt| receipt.done_seq).next_back()
    };
    assert_eq!((done(8), done(9)), (Some(1), Some(2)));
}

#[test]
fn a_share_that_is_silent_is_named_and_all_of_them_are_their_location() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc"]));
    let all = |desk: &mut Desk, probes: &[&str], seconds: std::ops::Range<i64>| {
        for now in seconds.step_by(10) {
            for probe in probes {
                desk.presence(probe, now);
            }
            desk.wait(now + 1);
        }
    };
    // The third was never started; that it is expected says the first one.
    all(&mut desk, &["fra", "nyc 1/3", "nyc 2/3"], 0..200);
    assert_eq!(desk.troubles(), ["trouble location nyc 3/3"]);
    all(
        &mut desk,
        &["fra", "nyc 1/3", "nyc 2/3", "nyc 3/3"],
        200..400,
    );
    all(&mut desk, &["fra"], 400..600);
    assert_eq!(
        desk.troubles()[1..],
        ["back nyc 3/3", "trouble location nyc"]
    );
    // One probe takes its place.
    all(&mut desk, &["fra", "nyc"], 600..700);
    assert_eq!(desk.troubles()[3..], ["back nyc"]);
}

#[test]
fn a_probe_that_shares_in_another_way_is_named_and_refused() {
    let mut desk = Desk::new(hub(vec![monitor("a")], &["fra", "nyc"]));
    for now in (0..100).step_by(10) {
        for probe in ["fra", "nyc 1/2", "nyc 2/2", "nyc 2/3"] {
            desk.presence(probe, now);
        }
    }
    assert_eq!(desk.troubles(), ["trouble location nyc 2/3"]);
    desk.check("nyc 2/3", 101, Weather::Up);
    desk.check("nyc 2/2", 103, Weather::Up);
    assert_eq!(recorded(&desk, "nyc"), [103.0]);
    // What is refused is not waited for.
    let refused = desk.receipts.lock().unwrap()[0].clone();
    assert_eq!(refused.done_seq, 1);
}
