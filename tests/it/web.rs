//! The web server over a real database: what readers with and without the token get.

mod crowd;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use sitewatch::clock;
use sitewatch::config::environment::Environment;
use sitewatch::config::{Config, load};
use sitewatch::daemon::health::counters::Health;
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::Entry;
use sitewatch::daemon::web::server::WebServer;
use sitewatch::daemon::web::sources::Sources;
use sitewatch::domain::check::{
    Certificate, Chain, Check, Failure, FailureKind, HttpVersion, Micros, Redirect, Timings,
    Verdict,
};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::writer::Store;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::support::schema;

const TOKEN: &str = "open-sesame";

const CONFIG: &str = r#"
[daemon]
database = "web.db"
timezone = "Europe/Berlin"

[web]
listen = "127.0.0.1:0"
title = "Our <sites>"
token_file = "token"
show_urls = true

[[monitor]]
name = "shop"
url = "https://user:geheim@shop.example/start?secret=1"
tags = ["prod"]
note = "Runbook: https://wiki.example/shop"
interval = "90s"
timeout = "1500ms"
failures_before_down = 1

[[monitor]]
name = "<b>&\"/ü ?"
url = "https://odd.example/"

[[monitor]]
name = "backoffice"
url = "https://backoffice.example/"
public = false
failures_before_down = 1

[[maintenance]]
monitors = ["backoffice"]
start = 2000-01-01T00:00:00Z
end = 2100-01-01T00:00:00Z
"#;

struct Fixture {
    server: WebServer,
    recorder: Recorder,
    config: watch::Sender<Arc<Config>>,
    health: Arc<Health>,
    directory: TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the API answers in JSON")
    }
}

fn raw(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout can be set");
    stream
        .write_all(request.as_bytes())
        .expect("the server reads");
    let mut all = Vec::new();
    stream
        .read_to_end(&mut all)
        .expect("the server answers and closes");
    let all = String::from_utf8(all).expect("answers are UTF-8");
    let (head, body) = all.split_once("\r\n\r\n").expect("a header ends");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.expect("a status line"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn loaded(directory: &TempDir) -> Arc<Config> {
    let environment = Environment {
        directory: directory.path().to_owned(),
        ..Environment::default()
    };
    let file = directory.path().join("monitors.toml");
    Arc::new(load(&file, &environment).expect("the file is valid"))
}

impl Fixture {
    fn new() -> Self {
        Self::with("")
    }

    /// With further monitors.
    fn with(monitors: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("monitors.toml");
        std::fs::write(&file, format!("{CONFIG}{monitors}")).expect("written");
        std::fs::write(directory.path().join("token"), format!("{TOKEN}\n")).expect("written");
        let config = loaded(&directory);
        let now = clock::now();
        let store = Store::open(&config.daemon.database, now).expect("a new database");
        let database_id = store.database_id().to_owned();
        let (mut recorder, enrolled) =
            Recorder::open(store, Arc::clone(&config), now).expect("monitors are enrolled");
        drop(enrolled);
        let board = recorder.board();
        let id = |name: &str| {
            let all = board.all();
            let live = all.iter().find(|live| live.monitor.name.as_str() == name);
            live.expect("it is on the board").id
        };
        let mut entries = Vec::new();
        for (name, verdict) in [
            ("shop", down()),
            ("<b>&\"/ü ?", Verdict::Up),
            ("backoffice", down()),
        ] {
            for minutes in (1..6).rev() {
                let at = now.minus(Duration::from_secs(minutes * 60));
                let good = minutes > 2;
                let verdict = if good { Verdict::Up } else { verdict.clone() };
                entries.push(checked(id(name), check(at, verdict)));
            }
        }
        let _ = recorder.work(entries, now);
        recorder.flush(now).expect("the database takes it");
        let (sender, config) = watch::channel(config);
        let database = config.borrow().daemon.database.clone();
        let health = Arc::new(Health::new(now));
        let sources = Sources {
            board,
            health: Arc::clone(&health),
            config,
            database,
            database_id,
        };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            server: WebServer::start(listen, sources).expect("a free port"),
            recorder,
            config: sender,
            health,
            directory,
        }
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: status.example\r\nConnection: close\r\n{headers}\r\n"
        );
        let answer = raw(self.server.address(), &request);
        schema::assert_answer(path, answer.status, &answer.body);
        answer
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    fn get_trusted(&self, path: &str) -> Answer {
        let header = format!("Authorization: Bearer {TOKEN}\r\n");
        self.ask("GET", path, &header)
    }
}

fn down() -> Verdict {
    Verdict::Down(Failure {
        kind: FailureKind::Status,
        detail: "503 from 192.0.2.7:443 <script>alert(1)</script>".into(),
    })
}

fn checked(monitor: MonitorId, check: Check) -> Entry {
    Entry::Checked {
        monitor,
        check: Box::new(check),
    }
}

fn check(at: Timestamp, verdict: Verdict) -> Check {
    let status = if verdict == Verdict::Up { 200 } else { 503 };
    Check {
        at,
        verdict,
        status: Some(status),
        chain: Arc::new(Chain {
            redirects: vec![Redirect {
                url: "http://shop.example/?token=abc".to_owned(),
                status: 301,
                location: Some("https://me:pw@shop.example/start?sid=1".to_owned()),
                remote_addr: Some(([192, 0, 2, 7], 80).into()),
            }],
            final_url: "https://shop.example/start?sid=1".into(),
            remote_addr: Some(([192, 0, 2, 7], 443).into()),
        }),
        redirect_times: [Micros::new(21_400)].into(),
        timings: Timings {
            dns: Some(Micros::new(1_203)),
            connect: Some(Micros::new(10_500)),
            tls: Some(Micros::new(22_100)),
            ttfb: Some(Micros::new(40_000)),
            body: Some(Micros::new(3_200)),
            total: Micros::new(77_003),
        },
        http_version: Some(HttpVersion::Http11),
        body_bytes: 1256,
        retry_after_s: Some(120),
        // Signed by itself: both names are the host's.
        certificate: Some(Arc::new(Certificate {
            not_after: at.plus(Duration::from_secs(30 * 86_400)),
            not_before: at.minus(Duration::from_secs(60 * 86_400)),
            subject: "CN=shop.example".into(),
            issuer: "CN=shop.example self-signed".into(),
            fingerprint: 7,
        })),
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

const ODD: &str = "%3Cb%3E%26%22%2F%C3%BC%20%3F";

#[test]
fn every_address_answers_with_its_type() {
    let fixture = Fixture::new();
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/?tag=prod&page=1&x=y", "text/html; charset=utf-8"),
        ("/monitor/shop", "text/html; charset=utf-8"),
        (&format!("/monitor/{ODD}"), "text/html; charset=utf-8"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthz", "application/json"),
        ("/api/v1/monitors", "application/json"),
        ("/api/v1/monitors/shop", "application/json"),
        ("/api/v1/monitors/shop/checks", "application/json"),
        (
            &format!("/api/v1/monitors/{ODD}/checks"),
            "application/json",
        ),
        ("/api/v1/incidents", "application/json"),
        ("/api/v1/maintenance", "application/json"),
        ("/badge/shop.svg", "image/svg+xml; charset=utf-8"),
        (&format!("/badge/{ODD}.svg"), "image/svg+xml; charset=utf-8"),
        ("/feed.atom", "application/atom+xml; charset=utf-8"),
        ("/robots.txt", "text/plain; charset=utf-8"),
    ] {
        let answer = fixture.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some(media_type), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.is_some_and(|policy| policy.starts_with("default-src 'none'")));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let head = fixture.ask("HEAD", path, "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert!(head.header("content-length").is_some(), "{path}");
    }
    for path in [
        "/monitor/nobody",
        "/monitor/../../etc/passwd",
        "/monitor/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/../../etc/passwd",
        "/assets/style.css",
        "/assets/../Cargo.toml",
        "/api/v1",
        "/api/v1/monitors/nobody/checks",
        "/badge/nobody.svg",
        "/favicon.ico",
        "/monitor/%ff",
        "/%00",
    ] {
        assert_eq!(fixture.get(path).status, 404, "{path}");
    }
}

#[test]
fn nothing_but_get_and_head() {
    let fixture = Fixture::new();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X"] {
        for path in ["/", "/metrics", "/nowhere"] {
            let answer = fixture.ask(method, path, "Content-Length: 0\r\n");
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
}

#[test]
fn without_the_token_what_is_private_does_not_exist() {
    let fixture = Fixture::new();
    let unknown = fixture.get("/monitor/nobody");
    for path in [
        "/monitor/backoffice",
        "/api/v1/monitors/backoffice",
        "/api/v1/monitors/backoffice/checks",
        "/api/v1/incidents?monitor=backoffice",
        "/badge/backoffice.svg",
    ] {
        let answer = fixture.get(path);
        let other = fixture.get(&path.replace("backoffice", "nobody"));
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body.len(), other.body.len(), "{path}");
        assert_eq!(fixture.get_trusted(path).status, 200, "{path}");
        let wrong = fixture.ask("GET", path, "Authorization: Bearer open-sesam\r\n");
        assert_eq!(wrong.status, 404, "{path}");
    }
    assert_eq!(unknown.status, 404);
    for path in [
        "/",
        "/metrics",
        "/api/v1/monitors",
        "/api/v1/incidents",
        "/api/v1/maintenance",
        "/feed.atom",
    ] {
        assert!(!fixture.get(path).body.contains("backoffice"), "{path}");
        assert!(
            fixture.get_trusted(path).body.contains("backoffice"),
            "{path}"
        );
    }
    let page = fixture.get("/").body;
    assert!(
        !page.contains("Maintenance"),
        "a window of backoffice monitors only"
    );
    assert_eq!(fixture.get("/api/v1/maintenance").body, "[]");
    assert_eq!(
        fixture.get_trusted("/api/v1/maintenance").body,
        r#"[{"monitors":["backoffice"],"from":"2000-01-01T00:00:00.000Z","to":"2100-01-01T00:00:00.000Z","running":true,"note":""}]"#
    );
    let feed = fixture.get_trusted("/feed.atom").body;
    assert!(
        feed.contains("<title>Maintenance: backoffice</title>"),
        "{feed}"
    );
    assert!(page.contains("1 of 2 sites is down"), "{page}");
}

#[test]
fn no_answer_of_the_old_configuration_is_given_after_a_reload() {
    let fixture = Fixture::new();
    assert!(fixture.get("/").body.contains("Our &lt;sites&gt;"));
    let file = fixture.directory.path().join("monitors.toml");
    std::fs::write(file, CONFIG.replace("Our <sites>", "Renamed")).expect("written");
    fixture.config.send_replace(loaded(&fixture.directory));
    let page = fixture.get("/").body;
    assert!(page.contains("Renamed"), "{page}");
}

#[test]
fn without_the_token_addresses_queries_and_notes_are_not_told() {
    let fixture = Fixture::new();
    for path in [
        "/",
        "/monitor/shop",
        "/metrics",
        "/api/v1/monitors",
        "/api/v1/monitors/shop/checks",
        "/api/v1/incidents",
        "/feed.atom",
    ] {
        let body = fixture.get(path).body;
        for secret in [
            "192.0.2.7",
            "geheim",
            "secret=",
            "token=",
            "sid=",
            "me:pw",
            "Runbook",
            "\"mails\"",
            "<script>a",
        ] {
            assert!(!body.contains(secret), "{path} tells {secret}: {body}");
        }
    }
    let whole = fixture.get_trusted("/api/v1/monitors/shop").json();
    assert_eq!(whole["note"], "Runbook: https://wiki.example/shop");
    assert_eq!(whole["last_check"]["remote_addr"], "192.0.2.7:443");
    let page = fixture.get_trusted("/monitor/shop").body;
    assert!(page.contains("Runbook: https://wiki.example/shop"));
    assert!(page.contains("192.0.2.7:443"));
    for body in [page, whole.to_string()] {
        assert!(!body.contains("geheim"), "{body}");
    }
}

#[test]
fn urls_are_hidden_unless_show_urls_says_otherwise() {
    let fixture = Fixture::new();
    let file = fixture.directory.path().join("monitors.toml");
    let hidden = CONFIG.replace("show_urls = true\n", "");
    std::fs::write(file, hidden).expect("written");
    fixture.config.send_replace(loaded(&fixture.directory));
    for path in [
        "/",
        "/monitor/shop",
        "/metrics",
        "/api/v1/monitors",
        "/api/v1/monitors/shop",
        "/api/v1/monitors/shop/checks",
        "/api/v1/incidents",
        "/badge/shop.svg",
        "/feed.atom",
    ] {
        let body = fixture.get(path).body;
        assert!(!body.contains("shop.example"), "{path}: {body}");
        let trusted = fixture.get_trusted("/api/v1/monitors/shop").body;
        assert!(trusted.contains("shop.example"), "{trusted}");
    }
    let last = &fixture.get("/api/v1/monitors/shop").json()["last_check"];
    assert_eq!(last["url"], Value::Null);
    assert_eq!(last["final_url"], Value::Null);
    assert_eq!(last["redirects"][0]["location"], Value::Null);
    assert!(last["redirects"][0]["status"].is_number(), "{last}");
    assert_eq!(last["certificate"]["subject"], Value::Null);
    assert_eq!(last["certificate"]["issuer"], Value::Null);
    assert!(last["certificate"]["not_after"].is_string(), "{last}");
    let page = fixture.get("/monitor/shop").body;
    assert!(page.contains("Valid until"), "{page}");
    assert!(!page.contains("Issuer"), "{page}");
    let trusted = fixture.get_trusted("/monitor/shop").body;
    assert!(trusted.contains("CN=shop.example self-signed"), "{trusted}");
    let words = "it answers with an error (503 Service Unavailable)";
    assert_eq!(last["failure"]["detail"], words);
    let page = fixture.get("/").body;
    assert!(page.contains(words), "{page}");
}

#[test]
fn planned_incidents_take_no_room_from_others_and_all_others_are_counted() {
    let monitors = (0..420).map(|index| {
        let tag = if index < 210 { "planned" } else { "other" };
        format!(
            "[[monitor]]\nname = \"{tag}-{index}\"\nurl = \"https://a{index}.example/\"\n\
             tags = [\"{tag}\"]\nfailures_before_down = 1\n"
        )
    });
    let window = "[[maintenance]]\ntags = [\"planned\"]\nstart = 2000-01-01T00:00:00Z\n\
                  end = 2100-01-01T00:00:00Z\n";
    let mut fixture = Fixture::with(&(monitors.collect::<String>() + window));
    let now = clock::now();
    let fail = |fixture: &mut Fixture, tag: &str| {
        let all = fixture.recorder.board().all();
        let tagged = all
            .iter()
            .filter(|live| live.monitor.name.as_str().starts_with(tag));
        let entries: Vec<Entry> = tagged
            .map(|live| checked(live.id, check(now, down())))
            .collect();
        assert_eq!(entries.len(), 210);
        let _ = fixture.recorder.work(entries, now);
        fixture.recorder.flush(now).expect("the database takes it");
    };
    let open = |page: &str| {
        let section = page.split("class=\"incidents\"").nth(1).expect("a list");
        let section = section.split("</section>").next().expect("its end");
        section.to_owned()
    };
    // The outage of the shop is older than all of these.
    fail(&mut fixture, "planned-");
    let section = open(&fixture.get("/").body);
    assert!(section.contains(">shop</a>"), "{section}");
    assert!(!section.contains("planned-"), "{section}");
    fail(&mut fixture, "other-");
    let section = open(&fixture.get_trusted("/").body);
    assert!(
        section.contains("Open incidents <span class=\"quiet\">211</span>"),
        "{section}"
    );
    assert!(section.contains("and 11 sites more"), "{section}");
}

#[test]
fn a_page_wears_its_owners_look() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path();
    let logo = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    std::fs::write(directory.join("logo.svg"), logo).expect("written");
    let look = "logo = \"logo.svg\"\ndescription = \"A & B <Ltd>\"\nlink = \"https://www.example.com/\"\n\
                accent = \"#ffe600\"\n";
    let config = CONFIG.replace("show_urls = true\n", look);
    std::fs::write(directory.join("monitors.toml"), config).expect("written");
    fixture.config.send_replace(loaded(&fixture.directory));
    let page = fixture.get("/").body;
    assert!(page.contains("A &amp; B &lt;Ltd&gt;"), "{page}");
    assert!(page.contains("href=\"https://www.example.com/\""), "{page}");
    let path = |start: &str| {
        let rest = page.split(start).nth(1).expect("it is named");
        let end = rest.split('"').next().expect("it ends");
        format!("{start}{end}")
    };
    let logo_file = fixture.get(&path("/assets/logo-"));
    assert_eq!(logo_file.body, logo);
    assert_eq!(logo_file.header("content-type"), Some("image/svg+xml"));
    let accent = fixture.get(&path("/assets/accent-"));
    assert_eq!(
        accent.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert!(accent.body.contains("#ffe600"), "{}", accent.body);
    assert_eq!(fixture.get("/assets/logo-000000000000.svg").status, 404);
}

#[test]
fn the_objects_are_those_of_the_command_line() {
    let fixture = Fixture::new();
    let monitors = fixture.get("/api/v1/monitors").json();
    let shop = &monitors[0];
    assert_eq!(shop["monitor"], "shop");
    assert_eq!(shop["url"], "https://shop.example/start");
    assert_eq!(shop["state"], "down");
    assert_eq!(shop["last_check"]["failure"]["kind"], "status");
    assert_eq!(shop["last_check"]["remote_addr"], Value::Null);
    assert_eq!(
        shop["last_check"]["redirects"][0]["location"],
        "https://shop.example/start"
    );
    assert!(shop["uptime_percent_24h"].is_number(), "{shop}");
    assert_eq!(shop.get("note"), None);
    let up = fixture.get("/api/v1/monitors?state=up").json();
    assert_eq!(up.as_array().map(Vec::len), Some(1));
    let tagged = fixture.get("/api/v1/monitors?tag=prod").json();
    assert_eq!(tagged.as_array().map(Vec::len), Some(1));
    let count = |path: &str| fixture.get(path).json().as_array().map(Vec::len);
    assert_eq!(count("/api/v1/monitors/shop/checks"), Some(5));
    assert_eq!(count("/api/v1/monitors/shop/checks?limit=2"), Some(2));
    assert_eq!(count("/api/v1/monitors/shop/checks?state=down"), Some(2));
    assert_eq!(
        count("/api/v1/monitors/shop/checks?status=2xx,404"),
        Some(3)
    );
    assert_eq!(count("/api/v1/monitors/shop/checks?changes"), Some(2));
    assert_eq!(count("/api/v1/monitors/shop/checks?since=150s"), Some(2));
    assert_eq!(count("/api/v1/incidents?open"), Some(1));
    let incident = &fixture.get_trusted("/api/v1/incidents?monitor=shop").json()[0];
    assert_eq!(incident["cause"]["status"], 503);
    assert_eq!(incident["mails"], Value::Array(Vec::new()));
    for path in [
        "/api/v1/monitors?colour=red",
        "/api/v1/monitors?state=fine",
        "/api/v1/monitors/shop/checks?limit=0",
        "/api/v1/monitors/shop/checks?since=soon",
        "/api/v1/incidents?open=perhaps",
    ] {
        let answer = fixture.get(path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
}

#[test]
fn numbers_do_not_tell_of_what_is_private() {
    let fixture = Fixture::new();
    for (text, down) in [
        (fixture.get("/metrics").body, 1),
        (fixture.get_trusted("/metrics").body, 2),
    ] {
        for line in [
            format!(r#"sitewatch_monitors{{state="down"}} {down}"#),
            r#"sitewatch_monitors{state="up"} 1"#.to_owned(),
            r#"sitewatch_monitors{state="paused"} 0"#.to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}

#[test]
fn an_unknown_path_of_the_api_is_a_fault_in_json() {
    let answer = Fixture::new().get("/api/v1/nothing");
    assert_eq!(answer.status, 404);
    assert!(answer.json()["error"].is_string());
}

#[test]
fn a_page_says_how_its_monitor_is_checked() {
    let fixture = Fixture::new();
    let page = fixture.get("/monitor/shop").body;
    let how = "Checked every 1m30s, with a timeout of 1.5s. \
               Down after the first failure, up after 2 successes in a row.";
    assert!(page.contains(how), "{page}");
}

#[test]
fn metrics_follow_the_board() {
    let mut fixture = Fixture::new();
    let text = fixture.get("/metrics").body;
    for line in [
        r#"sitewatch_up{monitor="shop"} 0"#,
        r#"sitewatch_up{monitor="<b>&\"/ü ?"} 1"#,
        r#"sitewatch_status_code{monitor="shop"} 503"#,
        r#"sitewatch_check_duration_seconds{monitor="shop",phase="dns"} 0.001203"#,
        r#"sitewatch_check_duration_seconds{monitor="shop",phase="total"} 0.077003"#,
        r#"sitewatch_monitor_info{monitor="shop",url="https://shop.example/start"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let now = clock::now();
    let all = fixture.recorder.board().all();
    let shop = all.iter().find(|live| live.monitor.name.as_str() == "shop");
    let shop = shop.expect("it is on the board").id;
    let entries = (0..4).map(|step| {
        checked(
            shop,
            check(now.plus(Duration::from_millis(step)), Verdict::Up),
        )
    });
    let _ = fixture.recorder.work(
        entries.collect::<Vec<_>>(),
        now.plus(Duration::from_secs(1)),
    );
    // Answers live for a second: asked until the new one is there.
    let recovered = (0..100).any(|_| {
        std::thread::park_timeout(Duration::from_millis(50));
        fixture
            .get("/metrics")
            .body
            .contains("sitewatch_up{monitor=\"shop\"} 1")
    });
    assert!(recovered);
    assert!(fixture.recorder.take_commit_time().is_some());
    assert!(fixture.recorder.take_commit_time().is_none(), "told once");
    assert!(text.contains("# TYPE sitewatch_commit_duration_seconds histogram\n"));
    assert!(text.contains("sitewatch_commit_duration_seconds_bucket{le=\"0.0005\"} 0\n"));
}

#[test]
fn a_hub_says_whether_it_leads_and_others_say_nothing_of_it() {
    for (leads, expected) in [
        (None, None),
        (Some(0), Some("sitewatch_cluster_leader 0")),
        (Some(1), Some("sitewatch_cluster_leader 1")),
    ] {
        let fixture = Fixture::new();
        if let Some(leads) = leads {
            fixture.health.leads.store(leads, Ordering::Relaxed);
        }
        let text = fixture.get("/metrics").body;
        let found = text
            .lines()
            .find(|line| line.starts_with("sitewatch_cluster_leader"));
        assert_eq!(found, expected);
        let is_explained = text.contains("# TYPE sitewatch_cluster_leader gauge");
        assert_eq!(is_explained, expected.is_some());
    }
}

#[test]
fn what_was_not_changed_is_not_sent_again_and_what_is_long_is_packed() {
    let fixture = Fixture::new();
    let feed = fixture.get("/feed.atom");
    let tag = feed.header("etag").expect("a tag");
    let again = fixture.ask("GET", "/feed.atom", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let head = fixture.ask("HEAD", "/", "Accept-Encoding: gzip\r\n");
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert!(
        feed.body
            .contains("href=\"http://status.example/monitor/shop\"")
    );
    let page = fixture.get("/").body;
    let style = page
        .split("href=\"")
        .find(|rest| rest.starts_with("/assets/"));
    let style = style
        .and_then(|rest| rest.split('"').next())
        .expect("a style sheet");
    let style = fixture.get(style);
    assert_eq!(style.status, 200);
    let keep = style.header("cache-control");
    assert_eq!(keep, Some("max-age=31536000, immutable"));
}

#[test]
fn limits_hold() {
    let fixture = Fixture::new();
    let address = fixture.server.address();
    let long = "x".repeat(40_000);
    let answer = raw(
        address,
        &format!("GET /{long} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    );
    assert!([414, 431].contains(&answer.status), "{}", answer.status);
    let fields = "A: b\r\n".repeat(200);
    let answer = raw(address, &format!("GET / HTTP/1.1\r\n{fields}\r\n"));
    assert_eq!(answer.status, 431);
    let query = "tag=".to_owned() + &"y".repeat(5000);
    assert_eq!(fixture.get(&format!("/?{query}")).status, 400);
    let nonsense = raw(address, "HELO me\r\n\r\n");
    assert_eq!(nonsense.status, 400);
}

#[test]
fn a_request_names_its_host_once() {
    let fixture = Fixture::new();
    for (head, want) in [
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost:\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: [::1]:8080\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a b\r\n", 400),
        ("GET /nowhere HTTP/1.1\r\nHost: me@a\r\n", 400),
        ("HEAD / HTTP/1.1\r\n", 400),
    ] {
        let request = format!("{head}Connection: close\r\n\r\n");
        let answer = raw(fixture.server.address(), &request);
        assert_eq!(answer.status, want, "{head}");
    }
}

#[test]
fn health_tells_each_part() {
    let fixture = Fixture::new();
    let health = fixture.get("/healthz").json();
    assert_eq!(health["status"], "ok");
    for part in ["scheduler", "recorder", "notifier"] {
        assert_eq!(health["parts"][part]["alive"], true, "{health}");
    }
}

#[test]
fn it_stops_at_once_and_frees_its_port() {
    let fixture = Fixture::new();
    let address = fixture.server.address();
    let idle = TcpStream::connect(address).expect("listening");
    let began = clock::tick();
    fixture.server.stop();
    assert!(clock::tick().duration_since(began) < Duration::from_secs(5));
    drop(idle);
    std::net::TcpListener::bind(address).expect("the port is free again");
}
