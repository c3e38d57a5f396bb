//! Channels through the real daemon: a web server as the service, with its answers by turns.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use serde_json::Value;

use crate::smtp::server::{self, At, Script, Server};
use crate::support::pki::Pair;
use sitewatch::domain::timestamp::Timestamp;

use super::{House, Site, monitor, text};

/// What the service does with a request; after the last of its acts it answers 204.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// An answer with this status and these header lines.
    Answer(u16, &'static str),
    /// It reads all and hangs up.
    Cut,
    /// It reads all and says nothing.
    Hang,
    /// It reads all and says for ever that it is still at work.
    Flood,
}

/// A request that came.
#[derive(Clone)]
pub(super) struct Came {
    pub(super) head: String,
    pub(super) body: Value,
    at: Instant,
    arrived: Timestamp,
}

impl Came {
    fn field(&self, name: &str) -> String {
        let start = format!("{}:", name.to_ascii_lowercase());
        let line = self
            .head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with(&start));
        line.map_or_else(String::new, |line| line[start.len()..].trim().to_owned())
    }

    fn summary(&self) -> &str {
        self.body["summary"].as_str().unwrap_or_default()
    }
}

/// A web server that takes hooks.
pub(super) struct Hook {
    pub(super) port: u16,
    acts: Arc<Mutex<VecDeque<Act>>>,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Hook {
    pub(super) fn start(acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let acts = Arc::new(Mutex::new(acts.iter().copied().collect::<VecDeque<_>>()));
        let came = Arc::new(Mutex::new(Vec::new()));
        let (next, noted) = (Arc::clone(&acts), Arc::clone(&came));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (next, noted) = (Arc::clone(&next), Arc::clone(&noted));
                std::thread::spawn(move || serve(stream, &next, &noted));
            }
        });
        Self { port, acts, came }
    }

    pub(super) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    pub(super) fn summaries(&self) -> Vec<String> {
        let came = self.came();
        came.iter().map(|came| came.summary().to_owned()).collect()
    }

    pub(super) fn config(&self, keys: &str) -> String {
        format!(
            "[[channel]]\nname = \"hook\"\nformat = \"json\"\n\
             url = \"http://127.0.0.1:{}/in/s3cretpath\"\n{keys}\n\n",
            self.port
        )
    }
}

fn serve(mut stream: TcpStream, next: &Mutex<VecDeque<Act>>, noted: &Mutex<Vec<Came>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().unwrap())
        })
        .unwrap_or(0);
    while bytes.len() < head_end + length {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    noted.lock().unwrap().push(Came {
        head,
        body: serde_json::from_slice(&bytes[head_end..]).unwrap_or(Value::Null),
        at: sitewatch::clock::tick(),
        arrived: sitewatch::clock::now(),
    });
    let act = next.lock().unwrap().pop_front();
    match act {
        Some(Act::Cut) => {}
        Some(Act::Hang) => {
            // Until the other side gives up.
            let _ = stream.read(&mut buffer);
        }
        Some(Act::Flood) => {
            let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(400);
            while stream.write_all(interim.as_bytes()).is_ok() {}
        }
        Some(Act::Answer(status, fields)) => {
            let answer = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: 2\r\n\r\nno");
            let _ = stream.write_all(answer.as_bytes());
        }
        None => {
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    }
}

/// A house with mail and one channel, both told of `shop`.
fn house(hook: &Hook, keys: &str, site: &Site) -> House {
    let house = House::new("");
    let shop = monitor("shop", site.port).trim_end().to_owned();
    let shop = format!("{shop}\nto = [\"ops@example.com\", \"hook\"]\n\n");
    house.configure("1s", &(shop + &hook.config(keys)));
    house
}

fn ids(hook: &Hook) -> Vec<String> {
    let came = hook.came();
    came.iter().map(|came| came.field("webhook-id")).collect()
}

#[tokio::test]
async fn an_outage_is_told_by_the_channel_as_by_mail() {
    let (site, hook) = (Site::start(503), Hook::start(&[]));
    let house = house(&hook, "", &site);
    let _daemon = house.start().await;
    house
        .until("DOWN on both ways", || {
            house.mails().len() == 1 && hook.came().len() == 1
        })
        .await;
    site.answers(200);
    house
        .until("UP on both ways", || {
            house.mails().len() == 2 && hook.came().len() == 2
        })
        .await;
    let came = hook.came();
    assert_eq!(came[0].summary(), "DOWN 503 shop");
    assert!(
        came[1].summary().starts_with("UP after "),
        "{}",
        came[1].summary()
    );
    assert!(came[0].head.starts_with("POST /in/s3cretpath HTTP/1.1\r\n"));
    assert_eq!(came[0].body["kind"], "down");
    assert_eq!(came[0].body["monitor"], "shop");
    assert_eq!(came[0].body["incident"], came[1].body["incident"]);
    assert_eq!(came[0].body["id"], came[0].field("webhook-id"));
    let output = text(&house.ask(&["incidents", "--json"]).stdout);
    let incident: Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
    let by_channel: Vec<&Value> = incident["mails"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mail| mail["to"] == "hook")
        .collect();
    assert_eq!(by_channel.len(), 2, "{incident}");
    assert_eq!(by_channel[0]["channel"], "json");
    assert_eq!(by_channel[0]["message_id"], came[0].body["id"]);
    assert!(by_channel[1]["sent_at"].is_string());
}

#[tokio::test]
async fn what_a_service_says_of_time_is_kept_and_5xx_is_tried_again() {
    let site = Site::start(503);
    let hook = Hook::start(&[Act::Answer(429, "Retry-After: 3\r\n"), Act::Answer(500, "")]);
    let house = house(&hook, "", &site);
    let _daemon = house.start().await;
    house
        .until("the third try", || hook.came().len() == 3)
        .await;
    let came = hook.came();
    assert!(came[1].at.duration_since(came[0].at) >= Duration::from_millis(2900));
    assert!(came[2].at.duration_since(came[1].at) >= Duration::from_secs(3));
    let ids = ids(&hook);
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
}

#[tokio::test]
async fn a_message_that_may_have_arrived_is_repeated_at_most_twice_with_its_id() {
    let site = Site::start(503);
    let hook = Hook::start(&[Act::Cut, Act::Cut, Act::Cut, Act::Cut]);
    let house = house(&hook, "", &site);
    let _daemon = house.start().await;
    let queue = || text(&house.ask(&["email", "queue", "--json"]).stdout);
    house
        .until("it is given up", || queue().contains("\"failed\""))
        .await;
    assert_eq!(hook.came().len(), 3);
    let ids = ids(&hook);
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    let queued: Value = serde_json::from_str(queue().lines().next().unwrap()).unwrap();
    assert_eq!(queued["to"], "hook");
    assert_eq!(queued["channel"], "json");
    assert_eq!(queued["message_id"], ids[0].as_str());
    assert_eq!(queued["subject"], "DOWN 503 shop");
    assert_eq!(house.subjects(), ["[DOWN 503] shop"]);
}

#[tokio::test]
async fn a_channel_that_is_gone_pauses_and_the_others_hear_of_it_once() {
    let site = Site::start(503);
    let hook = Hook::start(&[Act::Answer(410, ""), Act::Answer(410, "")]);
    let house = house(&hook, "", &site);
    let _daemon = house.start().await;
    house
        .until("DOWN and TROUBLE by mail", || house.mails().len() == 2)
        .await;
    let mut subjects = house.subjects();
    subjects.sort();
    assert_eq!(subjects[0], "[DOWN 503] shop");
    assert!(
        subjects[1].starts_with("[TROUBLE channel hook] sitewatch on "),
        "{subjects:?}"
    );
    let status = text(&house.ask(&["status"]).stdout);
    assert!(status.contains("THE CHANNEL hook IS STUCK"), "{status}");
    let queue = text(&house.ask(&["email", "queue", "--json"]).stdout);
    let queued: Value = serde_json::from_str(queue.lines().next().unwrap()).unwrap();
    assert_eq!(queued["held"]["by"], "channel", "{queue}");
    assert!(queued["held"]["until"].is_string());
    // Tried again by order, refused again: nobody is told a second time. Then it works.
    house.ask(&["email", "retry"]);
    house
        .until("the second try", || hook.came().len() == 2)
        .await;
    house.ask(&["email", "retry"]);
    house
        .until("the third try", || hook.came().len() == 3)
        .await;
    house
        .until("nothing waits", || {
            house.ask(&["email", "queue", "--json"]).stdout.is_empty()
        })
        .await;
    assert_eq!(house.mails().len(), 2, "{:?}", house.subjects());
    assert!(!text(&house.ask(&["status"]).stdout).contains("IS STUCK"));
}

#[tokio::test]
async fn a_channel_that_hangs_does_not_delay_mail() {
    let site = Site::start(503);
    let hook = Hook::start(&vec![Act::Hang; 20]);
    let house = house(&hook, "timeout = \"20s\"", &site);
    let _daemon = house.start().await;
    house
        .until("the hook is asked", || hook.came().len() == 1)
        .await;
    house
        .until("DOWN by mail", || house.mails().len() == 1)
        .await;
    site.answers(200);
    house.until("UP by mail", || house.mails().len() == 2).await;
    assert_eq!(hook.came().len(), 1, "the channel still waits");
}

/// Interim answers without end: they are given up long before the timeout, and the message may have arrived.
#[tokio::test]
async fn a_channel_that_floods_is_left() {
    let site = Site::start(200);
    let hook = Hook::start(&[Act::Flood]);
    let house = house(&hook, "timeout = \"5m\"", &site);
    let _daemon = house.start().await;
    let test = house.ask(&["channel", "test", "hook"]);
    let said = text(&test.stdout) + &text(&test.stderr);
    assert!(
        said.contains("may have arrived: the answer takes more than 1s of the processor"),
        "{said}"
    );
}

#[tokio::test]
async fn a_mail_server_that_refuses_the_login_does_not_delay_a_channel() {
    let (site, hook) = (Site::start(503), Hook::start(&[]));
    let refusal = server::Act::Say("535 5.7.8 bad credentials");
    let mails = Server::start(Script {
        faults: vec![(At::Mail, None, usize::MAX, refusal)],
        ..Script::default()
    })
    .await;
    let house = house(&hook, "", &site);
    let path = house.path().join("monitors.toml");
    let smtp = format!(
        "host = \"127.0.0.1\"\nport = {}\ntls = \"none\"",
        mails.address.port()
    );
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("directory = \"outbox/\"", &smtp)).unwrap();
    let _daemon = house.start().await;
    house.until("DOWN", || hook.came().len() == 1).await;
    house
        .until("mail pauses", || {
            text(&house.ask(&["status"]).stdout).contains("MAIL IS STUCK")
        })
        .await;
    let queued = text(&house.ask(&["email", "queue", "--json"]).stdout);
    assert!(
        queued.contains("ops@example.com") && !queued.contains("\"hook\""),
        "{queued}"
    );
    // While mail pauses, the end is told at once, and so is that.
    site.answers(200);
    house.until("UP", || hook.came().len() >= 2).await;
    let of_shop = |came: &Came| came.body["monitor"] == "shop";
    let (down, up) = (&hook.came()[0], hook.came());
    let up = up.iter().rfind(|came| of_shop(came)).unwrap();
    for came in [down, up] {
        let decided = came.body["decided_at"].as_str().unwrap();
        let decided = Timestamp::from_jiff(decided.parse().unwrap());
        let late = came.arrived.since(decided);
        // A group_wait of 1 s, and a machine that is busy with other tests.
        assert!(late < Duration::from_secs(10), "{late:?}");
    }
}

/// The words of a certificate that is refused say why, as those of a site's do.
#[tokio::test]
async fn a_certificate_that_is_refused_is_told_with_its_reason() {
    let root = Pair::authority("Test Root", None, -60, 60);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let servers = [
        Pair::leaf(&["127.0.0.1"], Some(&root), -30, -2).server(&[]),
        Pair::leaf(&["other.test"], Some(&root), -1, 30).server(&[]),
    ];
    std::thread::spawn(move || {
        for (stream, server) in listener.incoming().zip(servers) {
            let mut tls = rustls::ServerConnection::new(Arc::new(server)).unwrap();
            let _ = tls.complete_io(&mut stream.unwrap());
        }
    });
    let (site, hook) = (Site::start(200), Hook::start(&[]));
    let house = house(&hook, "ca_file = \"ca.pem\"", &site);
    std::fs::write(house.path().join("ca.pem"), &root.pem).unwrap();
    let path = house.path().join("monitors.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let plain = format!("http://127.0.0.1:{}/in", hook.port);
    let secure = format!("https://127.0.0.1:{port}/in");
    std::fs::write(&path, config.replace(&plain, &secure)).unwrap();
    for want in [" expired on ", "the certificate is not for `127.0.0.1`"] {
        let test = house.ask(&["channel", "test", "hook"]);
        let said = text(&test.stdout) + &text(&test.stderr);
        assert!(said.contains("not now: TLS handshake failed: "), "{said}");
        assert!(said.contains(want), "{said}");
    }
}

#[tokio::test]
async fn what_a_channel_does_not_take_it_does_not_get() {
    let site = Site::start(503);
    let hook = Hook::start(&[]);
    let house = house(&hook, "events = [\"down\"]", &site);
    let _daemon = house.start().await;
    house.until("DOWN", || hook.came().len() == 1).await;
    house.until("the mail", || house.mails().len() == 1).await;
    site.answers(200);
    house.until("UP by mail", || house.mails().len() == 2).await;
    site.answers(503);
    house
        .until("a second DOWN", || hook.came().len() == 2)
        .await;
    assert_eq!(hook.summaries(), ["DOWN 503 shop", "DOWN 503 shop"]);
}

#[tokio::test]
async fn a_test_shows_what_goes_where_and_no_secret() {
    let site = Site::start(200);
    let hook = Hook::start(&[Act::Answer(410, "")]);
    let house = house(
        &hook,
        "token = \"t0ken-value\"\nheaders = { X-Key = \"k3y-of-ours\" }",
        &site,
    );
    let said = |arguments: &[&str]| {
        let output = house.ask(arguments);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(
            ["s3cretpath", "t0ken-value", "k3y-of-ours"]
                .iter()
                .all(|secret| !all.contains(secret)),
            "{all}"
        );
        (output.status.code().unwrap(), all)
    };
    let (code, first) = said(&["channel", "test", "hook"]);
    assert_eq!(code, 1);
    assert!(first.contains("410 Gone"), "{first}");
    let _daemon = house.start().await;
    let (code, second) = said(&["channel", "test", "hook"]);
    assert_eq!(code, 0, "{second}");
    assert!(second.contains("asked the running daemon"), "{second}");
    assert!(
        second.contains(&format!("POST http://127.0.0.1:{}/***", hook.port)),
        "{second}"
    );
    assert!(second.contains("204 No Content"), "{second}");
    assert!(second.contains("X-Key: ***"), "{second}");
    let (code, unknown) = said(&["channel", "test", "hok"]);
    assert_eq!(code, 2);
    assert!(unknown.contains("there is no channel `hok`"), "{unknown}");
    assert_eq!(hook.came()[1].field("authorization"), "Bearer t0ken-value");
    assert_eq!(hook.came()[1].field("x-key"), "k3y-of-ours");
    assert!(hook.summaries()[1].starts_with("TEST sitewatch on "));
    // Neither the log nor the database has them.
    for entry in std::fs::read_dir(house.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with("monitors.toml") {
            let bytes = std::fs::read(&path).unwrap();
            for secret in ["s3cretpath", "t0ken-value", "k3y-of-ours"] {
                let found = bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} in {}", path.display());
            }
        }
    }
    assert!(hook.acts.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_mail_every_channel_is_told() {
    let site = Site::start(503);
    let hook = Hook::start(&[]);
    let house = House::new("");
    let config = format!(
        "[daemon]\ndatabase = \"sitewatch.db\"\ncontrol_socket = \"control.sock\"\n\n[alerts]\ngroup_wait = \"1s\"\n\n\
         [defaults]\ninterval = \"5s\"\ntimeout = \"2s\"\nretry_interval = \"200ms\"\n\n{}{}",
        monitor("shop", site.port),
        hook.config("")
    );
    std::fs::write(house.path().join("monitors.toml"), config).unwrap();
    let check = house.ask(&["config", "check"]);
    assert_eq!(text(&check.stderr), "");
    assert!(
        text(&check.stdout).contains("channel   hook: json\n"),
        "{check:?}"
    );
    assert!(text(&check.stdout).contains("hook: shop"), "{check:?}");
    let _daemon = house.start().await;
    house.until("DOWN", || hook.came().len() == 1).await;
    assert_eq!(hook.summaries(), ["DOWN 503 shop"]);
}

/// The service refuses, hangs up and answers by turns, and the daemon is killed again and again.
#[tokio::test]
async fn kills_lose_nothing_and_double_nothing_but_what_may_have_arrived() {
    let site = Site::start(200);
    let turns = [
        Act::Answer(500, ""),
        Act::Cut,
        Act::Answer(429, "Retry-After: 1\r\n"),
        Act::Answer(204, ""),
        Act::Answer(200, ""),
    ];
    let hook = Hook::start(&turns.repeat(6));
    let house = house(&hook, "", &site);
    for round in 0..8_u64 {
        site.answers(if round % 2 == 0 { 503 } else { 200 });
        let daemon = house.start().await;
        // Each kill meets another moment of confirming, queueing and sending.
        tokio::time::sleep(Duration::from_millis(700 + 370 * round)).await;
        drop(daemon);
    }
    site.answers(200);
    let _daemon = house.start().await;
    house
        .until("all is told", || {
            house.open_incidents() == 0
                && house.ask(&["email", "queue", "--json"]).stdout.is_empty()
        })
        .await;
    let output = text(&house.ask(&["incidents", "--json"]).stdout);
    let came = hook.came();
    for line in output.lines() {
        let incident: Value = serde_json::from_str(line).unwrap();
        let sent: Vec<&Value> = incident["mails"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|mail| mail["to"] == "hook")
            .collect();
        // DOWN and UP, or one message of both; each arrived, in this order.
        let mut last = None;
        for mail in &sent {
            assert!(mail["sent_at"].is_string(), "{incident}");
            let first = came
                .iter()
                .position(|came| came.body["id"] == mail["message_id"]);
            assert!(first.is_some(), "{incident}");
            assert!(last <= first, "{incident}");
            last = first;
        }
    }
    for one in &came {
        let times = came
            .iter()
            .filter(|other| other.body["id"] == one.body["id"]);
        // 500, 429 and a kill between are no deliveries: each message comes a few times, never without end.
        assert!(times.count() <= 9, "{:?}", one.summary());
    }
}

/// A house that also does what stands in `[alerts]`.
fn alerts(house: &House, keys: &str) {
    let file = house.path().join("monitors.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        file,
        config.replace("[alerts]\n", &format!("[alerts]\n{keys}\n")),
    )
    .unwrap();
}

#[tokio::test]
async fn news_about_the_database_is_for_channels_that_take_trouble() {
    let site = Site::start(200);
    let (hook, other) = (Hook::start(&[]), Hook::start(&[]));
    let house = house(&hook, "events = [\"down\", \"up\"]", &site);
    let config = std::fs::read_to_string(house.path().join("monitors.toml")).unwrap();
    let config = config + &other.config("").replace("\"hook\"", "\"other\"");
    std::fs::write(house.path().join("monitors.toml"), config).unwrap();
    alerts(&house, "to = [\"ops@example.com\", \"hook\", \"other\"]");
    let _daemon = house.start().await;
    house
        .until("a check is recorded", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
    for end in ["", "-wal", "-shm", ".lock"] {
        std::fs::remove_file(house.path().join(format!("sitewatch.db{end}"))).unwrap();
    }
    house
        .until("TROUBLE by mail and by the other channel", || {
            !house.mails().is_empty() && !other.came().is_empty()
        })
        .await;
    assert!(
        other.summaries()[0].starts_with("TROUBLE database "),
        "{:?}",
        other.summaries()
    );
    site.answers(503);
    house.until("DOWN", || !hook.came().is_empty()).await;
    assert_eq!(hook.summaries(), ["DOWN 503 shop"]);
}

#[tokio::test]
async fn a_pager_is_told_of_each_outage_and_its_end_while_a_monitor_flaps() {
    let (site, hook) = (Site::start(200), Hook::start(&[]));
    let house = house(&hook, "token = \"r0uting-key\"", &site);
    let file = house.path().join("monitors.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let config = config.replace("format = \"json\"", "format = \"pagerduty\"");
    std::fs::write(file, config).unwrap();
    alerts(&house, "flapping = { changes = 2, within = \"1h\" }");
    let _daemon = house.start().await;
    for round in 1..=2 {
        site.answers(503);
        house
            .until("it is triggered", || hook.came().len() == 2 * round - 1)
            .await;
        site.answers(200);
        house
            .until("it is resolved", || hook.came().len() == 2 * round)
            .await;
    }
    let came = hook.came();
    let word = |came: &Came, key: &str| came.body[key].as_str().unwrap().to_owned();
    let actions: Vec<String> = came.iter().map(|one| word(one, "event_action")).collect();
    assert_eq!(actions, ["trigger", "resolve", "trigger", "resolve"]);
    let keys: Vec<String> = came.iter().map(|one| word(one, "dedup_key")).collect();
    assert!(keys[0] == keys[1] && keys[2] == keys[3] && keys[1] != keys[2]);
    let has = |word: &str| {
        let subjects = house.subjects();
        subjects.iter().filter(|one| one.starts_with(word)).count()
    };
    house
        .until("the mail about it", || has("[FLAPPING, ") == 1)
        .await;
    assert_eq!((has("[DOWN"), has("[UP")), (1, 0), "{:?}", house.subjects());
}

/// Mail is spared recoveries; an incident that a pager holds has to end there.
#[tokio::test]
async fn a_pager_is_told_of_the_end_also_where_no_recovery_is_mailed() {
    let (site, hook) = (Site::start(503), Hook::start(&[]));
    let house = house(&hook, "token = \"r0uting-key\"", &site);
    let file = house.path().join("monitors.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let config = config.replace("format = \"json\"", "format = \"pagerduty\"");
    std::fs::write(file, config).unwrap();
    alerts(&house, "recovery = false");
    let _daemon = house.start().await;
    house
        .until("it is told", || {
            hook.came().len() == 1 && house.mails().len() == 1
        })
        .await;
    site.answers(200);
    house
        .until("it is resolved", || hook.came().len() == 2)
        .await;
    let came = hook.came();
    assert_eq!(came[1].body["event_action"], "resolve");
    assert_eq!(came[1].body["dedup_key"], came[0].body["dedup_key"]);
    house
        .until("nothing waits", || {
            house.ask(&["email", "queue", "--json"]).stdout.is_empty()
        })
        .await;
    assert_eq!(house.subjects(), ["[DOWN 503] shop"]);
}

#[tokio::test]
async fn a_channel_that_is_gone_and_ill_by_turns_is_told_of_once() {
    let site = Site::start(503);
    let turns = [410, 500, 410, 503, 410].map(|status| Act::Answer(status, ""));
    let hook = Hook::start(&turns);
    let house = house(&hook, "", &site);
    let _daemon = house.start().await;
    house
        .until("DOWN and TROUBLE by mail", || house.mails().len() == 2)
        .await;
    for tries in 2..=6 {
        house
            .until("the next try", || {
                house.ask(&["email", "retry"]);
                hook.came().len() >= tries
            })
            .await;
    }
    house
        .until("nothing waits", || {
            house.ask(&["email", "queue", "--json"]).stdout.is_empty()
        })
        .await;
    assert_eq!(house.mails().len(), 2, "{:?}", house.subjects());
}

/// What `email queue` says beside its rows.
fn queue_notes(house: &House) -> String {
    text(&house.ask(&["email", "queue"]).stderr)
}

async fn paused(house: &House) {
    house
        .until("it pauses", || queue_notes(house).contains("IS STUCK"))
        .await;
}

#[tokio::test]
async fn a_pause_ends_where_a_command_delivers_without_a_daemon() {
    let site = Site::start(503);
    let hook = Hook::start(&[Act::Answer(410, "")]);
    let house = house(&hook, "", &site);
    let daemon = house.start().await;
    paused(&house).await;
    drop(daemon);
    let retried = house.ask(&["email", "retry"]);
    assert_eq!(retried.status.code(), Some(0), "{retried:?}");
    assert_eq!(hook.came().len(), 2);
    assert!(!queue_notes(&house).contains("IS STUCK"));
    let _daemon = house.start().await;
    let status = text(&house.ask(&["status"]).stdout);
    assert!(!status.contains("IS STUCK"), "{status}");
}

#[tokio::test]
async fn a_channel_that_is_taken_out_or_has_nothing_to_tell_pauses_no_more() {
    let site = Site::start(503);
    let hook = Hook::start(&[Act::Answer(410, "")]);
    let house = house(&hook, "", &site);
    let _daemon = house.start().await;
    paused(&house).await;
    let status = || text(&house.ask(&["status"]).stdout);
    assert!(status().contains("IS STUCK"), "{}", status());
    // Nothing waits for it any more: the monitor is gone.
    house.configure("1s", &hook.config(""));
    assert!(house.ask(&["reload"]).status.success());
    house
        .until("status says no more of it", || {
            !status().contains("IS STUCK")
        })
        .await;
    house.configure("1s", "");
    assert!(house.ask(&["reload"]).status.success());
    house
        .until("nor does the queue", || {
            !queue_notes(&house).contains("IS STUCK")
        })
        .await;
    assert_eq!(hook.came().len(), 1);
}

#[tokio::test]
async fn a_service_that_asked_for_patience_is_left_by_another_address() {
    let site = Site::start(503);
    let busy = Hook::start(&[Act::Answer(429, "Retry-After: 86400\r\n")]);
    let house = house(&busy, "", &site);
    let _daemon = house.start().await;
    house
        .until("it is put off", || {
            // A port may hold the same digits.
            let queue = text(&house.ask(&["email", "queue", "--json"]).stdout);
            busy.came().len() == 1 && queue.contains("429")
        })
        .await;
    let own = Hook::start(&[]);
    let file = house.path().join("monitors.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let (before, after) = (format!(":{}/in/", busy.port), format!(":{}/in/", own.port));
    std::fs::write(file, config.replace(&before, &after)).unwrap();
    assert!(house.ask(&["reload"]).status.success());
    house.until("DOWN", || own.came().len() == 1).await;
    assert_eq!(own.summaries(), ["DOWN 503 shop"]);
    assert_eq!(busy.came().len(), 1);
}

#[tokio::test]
async fn what_waited_for_a_chat_becomes_single_incidents_where_a_pager_takes_its_place() {
    let site = Site::start(503);
    let hook = Hook::start(&[Act::Answer(410, "")]);
    let house = House::new("");
    let to = |name| {
        format!(
            "{}\nto = [\"hook\"]\n\n",
            monitor(name, site.port).trim_end()
        )
    };
    let sites = to("shop") + &to("blog");
    house.configure("3s", &(sites + &hook.config("")));
    alerts(&house, "group_limit = 1");
    let _daemon = house.start().await;
    paused(&house).await;
    assert_eq!(hook.came()[0].body["kind"], "digest");
    let file = house.path().join("monitors.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let pager = config.replace(
        "format = \"json\"",
        "format = \"pagerduty\"\ntoken = \"r0uting-key\"",
    );
    std::fs::write(file, pager).unwrap();
    assert!(house.ask(&["reload"]).status.success());
    house
        .until("both incidents", || hook.came().len() == 3)
        .await;
    let came = hook.came();
    let keys: Vec<&Value> = came[1..].iter().map(|one| &one.body["dedup_key"]).collect();
    let output = text(&house.ask(&["incidents", "--json"]).stdout);
    for line in output.lines() {
        let incident: Value = serde_json::from_str(line).unwrap();
        assert!(keys.contains(&&incident["id"]), "{keys:?} {incident}");
    }
    assert_eq!(output.lines().count(), 2);
}
