//! Commands as their users meet them: whole standard output, standard error and exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod json;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sitewatch::domain::check::{
    Chain, Check, Failure, FailureKind, HttpVersion, Micros, Redirect, Timings, Verdict,
};
use sitewatch::domain::incident::{Cause, Incident, IncidentKey};
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::store::compaction::settle::Step;
use sitewatch::store::facts::monitors::MonitorFacts;
use sitewatch::store::writer::Store;

use crate::support::schema;
use crate::support::site::{Act, Site, answer, closed_port, redirect};

/// 2026-11-22T12:00:00Z
const START: i64 = 1_795_348_800_000;

/// A directory with a configuration and, where wanted, a database.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("monitors.toml"), config).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Two monitors: `shop` redirects and fails its last three checks, `blog` is up.
    fn with_history() -> Self {
        let place = Self::new(
            "[daemon]\ndatabase = \"s.db\"\ntimezone = \"Europe/Berlin\"\n\
             [[monitor]]\nname = \"shop\"\nurl = \"https://shop.example/\"\n\
             [[monitor]]\nname = \"blog\"\nurl = \"https://blog.example/\"\n",
        );
        let at = |minutes: i64| Timestamp::from_ms(START + minutes * 60_000);
        let mut store = Store::open(&place.path("s.db"), at(0)).unwrap();
        let facts = ["shop", "blog"].map(|name| MonitorFacts {
            name: MonitorName::parse(name).unwrap(),
            url: format!("https://{name}.example/"),
            interval: Duration::from_secs(60),
            public: true,
            renamed_from: None,
        });
        let ids = store.enroll(&facts, at(0)).unwrap().ids;
        let mut batch = store.batch().unwrap();
        for minute in 0..6 {
            let status = if minute < 3 { 200 } else { 503 };
            batch
                .record(ids[0], &check(at(minute), status), Duration::from_secs(60))
                .unwrap();
            batch
                .record(ids[1], &check(at(minute), 200), Duration::from_secs(60))
                .unwrap();
        }
        batch
            .put_incident(&Incident {
                key: IncidentKey {
                    monitor: ids[0],
                    opened_at: at(3),
                },
                began_at: None,
                clock_is_wrong: false,
                closed_at: None,
                cause: Cause {
                    failure: failure(503),
                    status: Some(503),
                },
                checks_failed: 3,
                maintenance: false,
                acked_at: None,
                ack_note: None,
            })
            .unwrap();
        batch.commit().unwrap();
        drop(store);
        place
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_sitewatch"))
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let here = self.directory.path().display().to_string();
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .unwrap()
                .replace(&here, "HERE")
        };
        let stdout = text(&output.stdout);
        schema::assert_output(arguments, &stdout);
        Ran {
            stdout,
            stderr: text(&output.stderr),
            code: output.status.code().unwrap(),
        }
    }

    fn check(&self, arguments: &str, stdout: &str, stderr: &str, code: i32) {
        let ran = self.run(&arguments.split_whitespace().collect::<Vec<_>>());
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str(), ran.code),
            (stdout, stderr, code),
            "sitewatch {arguments}"
        );
    }
}

struct Ran {
    stdout: String,
    stderr: String,
    code: i32,
}

fn failure(status: u16) -> Failure {
    Failure {
        kind: FailureKind::Status,
        detail: format!("{status}: expected 200-299").into(),
    }
}

fn check(at: Timestamp, status: u16) -> Check {
    Check {
        at,
        verdict: if status < 400 {
            Verdict::Up
        } else {
            Verdict::Down(failure(status))
        },
        status: Some(status),
        chain: Arc::new(Chain {
            redirects: vec![Redirect {
                url: "https://shop.example/".into(),
                status: 302,
                location: Some("/in?token=secret".into()),
                remote_addr: Some(([203, 0, 113, 7], 443).into()),
            }],
            final_url: "https://shop.example/in?token=secret".into(),
            remote_addr: Some(([203, 0, 113, 7], 443).into()),
        }),
        redirect_times: [Micros::new(20_000)].into(),
        timings: Timings {
            dns: Some(Micros::new(1_000)),
            connect: Some(Micros::new(2_000)),
            tls: Some(Micros::new(3_000)),
            ttfb: Some(Micros::new(4_000)),
            body: Some(Micros::new(500)),
            total: Micros::new(30_500),
        },
        http_version: Some(HttpVersion::Http11),
        body_bytes: 12,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

#[test]
fn history_is_filtered_and_masked() {
    let place = Place::with_history();
    place.check(
        "history shop --state down --limit 1",
        "TIME                 STATE  CODE   TOOK            WHAT\n\
         2026-11-22 13:05:00  down    503  31 ms  ████████  503: expected 200-299 \
         (302 → https://shop.example/in?token=***)\n",
        "",
        0,
    );
    place.check(
        "history --json --status 5xx --until 2026-11-22T13:04",
        concat!(
            r#"{"monitor":"shop","url":"https://shop.example/","at":"2026-11-22T12:03:00.000Z","state":"down","#,
            r#""status":503,"failure":{"kind":"status","detail":"503: expected 200-299"},"#,
            r#""final_url":"https://shop.example/in?token=***","redirects":[{"url":"https://shop.example/","#,
            r#""status":302,"location":"/in?token=***","remote_addr":"203.0.113.7:443","ms":20.0}],"#,
            r#""timings_ms":{"dns":1.0,"connect":2.0,"tls":3.0,"ttfb":4.0,"body":0.5,"total":30.5},"#,
            r#""remote_addr":"203.0.113.7:443","http_version":"HTTP/1.1","body_bytes":12,"#,
            r#""retry_after_s":null,"certificate":null}"#,
            "\n"
        ),
        "",
        0,
    );
    let changes = place.run(&["history", "shop", "--changes", "--csv"]);
    let lines: Vec<&str> = changes.stdout.lines().collect();
    assert_eq!(
        lines.len(),
        3,
        "a header, the fall, the first check: {}",
        changes.stdout
    );
    assert!(lines[1].starts_with("shop,https://shop.example/,2026-11-22T12:03:00.000Z,down,503,"));
    assert!(lines[2].starts_with("shop,https://shop.example/,2026-11-22T12:00:00.000Z,up,200,"));
}

#[test]
fn incidents_and_reports_tell_the_same() {
    let place = Place::with_history();
    let incidents = place.run(&["incidents", "--open", "--json"]);
    assert!(
        incidents.stdout.starts_with(
            r#"{"id":"1-1795348980000","monitor":"shop","url":"https://shop.example/","opened_at":"2026-11-22T12:03:00.000Z","closed_at":null,"#
        ),
        "{}",
        incidents.stdout
    );
    let report = place.run(&[
        "report",
        "--period",
        "2026-11-22T12:00Z..2026-11-22T12:06Z",
        "--csv",
    ]);
    assert_eq!(
        report.stdout,
        "monitor,url,from,to,uptime_percent,coverage_percent,outages,up_s,downtime_s,longest_outage_s,mttr_s,\
         degraded_s,maintenance_s,unknown_s,checks,p50_ms,p95_ms,p99_ms,objective,period,uptime_target,budget_s,\
         budget_left_s,burn_1h,burn_6h,burn_3d\n\
         shop,https://shop.example/,2026-11-22T12:00:00.000Z,2026-11-22T12:06:00.000Z,50,100,1,180.000,180.000,\
         180.000,,0.000,0.000,0.000,6,30.975,30.975,30.975,,,,,,,,\n\
         blog,https://blog.example/,2026-11-22T12:00:00.000Z,2026-11-22T12:06:00.000Z,100,100,0,360.000,0.000,\
         ,,0.000,0.000,0.000,6,30.975,30.975,30.975,,,,,,,,\n",
        "{}",
        report.stderr
    );
    let explained = place.run(&[
        "report",
        "shop",
        "--period",
        "2026-11-22T12:00Z..2026-11-22T12:06Z",
        "--explain",
    ]);
    assert!(
        explained
            .stdout
            .contains("  3m  down       1-1795348980000  503: expected 200-299"),
        "{}",
        explained.stdout
    );
    let page = place.run(&["report", "--period", "2026-11-22", "--html"]);
    assert!(
        page.stdout.starts_with("<!DOCTYPE html>") && page.code == 0,
        "{}",
        page.stderr
    );
    for outside in ["src=", "href=\"http", "@import", "url("] {
        assert!(!page.stdout.contains(outside), "the page needs {outside}");
    }
    // What scrolls is reached by keyboard and has a name of its own.
    let scrolls: Vec<&str> = page.stdout.split("<div class=\"scroll\"").skip(1).collect();
    let mut names: Vec<&str> = scrolls
        .iter()
        .filter_map(|tag| {
            tag.strip_prefix(" tabindex=\"0\" role=\"region\" aria-label=\"")?
                .split('"')
                .next()
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    assert!(
        !names.is_empty() && names.len() == scrolls.len(),
        "{names:?}"
    );
}

#[test]
fn status_is_unknown_without_a_daemon() {
    let place = Place::with_history();
    let ran = place.run(&["status"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(
        lines[0].starts_with("NAME  STATE ") && lines[1].starts_with("shop  unknown "),
        "{}",
        ran.stdout
    );
    assert!(
        lines[4].starts_with("2 sites: 2 unknown · no daemon runs, the newest check is "),
        "{}",
        ran.stdout
    );
    // A width that is asked for holds in a pipe, too.
    let narrow = Command::new(env!("CARGO_BIN_EXE_sitewatch"))
        .arg("status")
        .current_dir(place.directory.path())
        .env("COLUMNS", "30")
        .output()
        .unwrap();
    let narrow = String::from_utf8(narrow.stdout).unwrap();
    assert!(
        narrow.lines().all(|line| line.chars().count() <= 30),
        "{narrow}"
    );
    let json = place.run(&["status", "blog", "--json"]);
    assert!(
        json.stdout
            .starts_with(r#"{"monitor":"blog","url":"https://blog.example/","state":"unknown","#)
    );
}

#[test]
fn status_shows_what_needs_somebody_first_and_keeps_the_order_of_the_configuration() {
    let place = Place::with_history();
    let mut config = "[daemon]\ndatabase = \"s.db\"\n".to_owned();
    for name in ["first", "shop", "between", "last"] {
        config.push_str(&format!(
            "[[monitor]]\nname = \"{name}\"\nurl = \"https://{name}.example/\"\n"
        ));
    }
    fs::write(place.path("monitors.toml"), config).unwrap();
    let states = |arguments: &[&str]| -> Vec<String> {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let fields = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            words.join(" ")
        };
        // The heads, and after the rows an empty line and the summary.
        let rows = ran
            .stdout
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty());
        rows.map(fields).collect()
    };
    // What the database does not know yet waits for its first check, which is no trouble.
    assert_eq!(
        states(&["status"]),
        [
            "shop unknown",
            "blog unknown",
            "first pending",
            "between pending",
            "last pending"
        ]
    );
    assert_eq!(
        states(&["status", "last", "shop"]),
        ["shop unknown", "last pending"]
    );
}

#[test]
fn what_is_wrong_is_said_with_the_place_that_was_looked_at() {
    let place = Place::with_history();
    place.check(
        "history shpo",
        "",
        "error: no monitor `shpo`; did you mean `shop`?\n  looked in monitors.toml and HERE/s.db\n",
        2,
    );
    place.check(
        "history zz shpo blog yy",
        "",
        "error: no monitors `zz`, `shpo` (did you mean `shop`?) and `yy`\n  \
         looked in monitors.toml and HERE/s.db\n",
        2,
    );
    place.check(
        "history --state broken",
        "",
        "error: --state: `broken` is not a state; a check is up, degraded, down or unknown\n",
        2,
    );
    place.check(
        "history --status 600",
        "",
        "error: --status: status 600 does not exist; codes go from 100 to 599\n",
        2,
    );
    place.check(
        "run --json",
        "",
        "error: `sitewatch run` has no `--json`\n",
        2,
    );
    place.check(
        "check ftp://example.com/",
        "",
        "error: `ftp://example.com/` cannot be checked: only http://, https://, tcp://, tls://, icmp:// and dns:// can\n",
        2,
    );
    #[cfg(not(feature = "http3"))]
    for word in ["3", "offered"] {
        place.check(
            &format!("check --http {word} https://example.com/"),
            "",
            &format!(
                "error: invalid value '{word}' for '--http <VERSION>': this program was built without the feature \
                 `http3`; take the package, or build it with `cargo build --features http3`\n\nFor more \
                 information, try '--help'.\n"
            ),
            2,
        );
    }
    let empty = Place::new("[daemon]\ndatabase = \"none.db\"\n");
    empty.check(
        "email test",
        "",
        "error: monitors.toml has no [email]: nothing is mailed\n",
        2,
    );
    empty.check(
        "status",
        "",
        "error: there is no database at `HERE/none.db`; `sitewatch run` creates it\n  the configuration is monitors.toml\n",
        1,
    );
    // Nothing waits where nothing was ever recorded, and no database is made to find that out.
    let unused = Place::new(
        "[daemon]\ndatabase = \"none.db\"\n[email]\ndirectory = \"out\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\n",
    );
    let ran = unused.run(&["email", "retry"]);
    let why = "error: there is no database at `HERE/none.db`; `sitewatch run` creates it\n  \
               the configuration is monitors.toml\n";
    assert!(ran.stderr.ends_with(why), "{}", ran.stderr);
    assert_eq!(ran.code, 1);
    assert!(!unused.path("none.db").exists());
    empty.check(
        "check nobody",
        "",
        "error: no monitor `nobody`\n  looked in monitors.toml; a URL begins with its scheme, like https:// or tcp://\n",
        2,
    );
    empty.check(
        "check zz http://127.0.0.1:1/ yy",
        "",
        "error: no monitors `zz` and `yy`\n  looked in monitors.toml; a URL begins with its scheme, like https:// or tcp://\n",
        2,
    );
    let unset = Place::new(
        "[daemon]\ndatabase = \"none.db\"\n[email]\nhost = \"${NOT_SET}\"\nfrom = \"a@b\"\nto = [\"a@b\"]\n",
    );
    let ran = unset.run(&["history"]);
    assert!(
        ran.stderr
            .starts_with("warning: the configuration is not valid: "),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn a_command_that_speaks_no_json_says_so() {
    let place = Place::new("[[monitor]]\nurl = \"https://a.test/\"\n");
    for words in [
        &["check"][..],
        &["show"],
        &["diff", "new.toml"],
        &["example"],
        &["init", "-"],
    ] {
        let mut arguments = vec!["config"];
        arguments.extend(words);
        arguments.push("--json");
        let ran = place.run(&arguments);
        let want = format!("error: `sitewatch config {}` has no `--json`\n", words[0]);
        assert_eq!(
            (ran.stderr.as_str(), ran.stdout.as_str()),
            (want.as_str(), "")
        );
        assert_eq!(ran.code, 2, "{words:?}");
    }
}

#[test]
fn without_a_configuration_it_is_said_where_one_was_looked_for() {
    if fs::exists("/etc/sitewatch/monitors.toml").unwrap() {
        // On a machine that is watched by sitewatch itself there always is a configuration.
        return;
    }
    let bare = Place::new("");
    fs::remove_file(bare.path("monitors.toml")).unwrap();
    let missing = "error: there is no configuration; looked at\n  HERE/monitors.toml\n  \
                   /etc/sitewatch/monitors.toml\n\
                   `sitewatch config example > monitors.toml` writes one to begin with\n";
    bare.check("check", "", missing, 2);
    bare.check(
        "check shop.example",
        "",
        &format!("{missing}only a URL needs none: is `https://shop.example` meant?\n"),
        2,
    );
    bare.check(
        "check --nagios",
        "SITEWATCH UNKNOWN - there is no configuration; looked at HERE/monitors.toml, \
         /etc/sitewatch/monitors.toml\n",
        "",
        3,
    );
}

#[test]
fn a_period_before_the_first_check_is_an_empty_one() {
    let place = Place::with_history();
    let json = place.run(&["report", "shop", "--period", "2020-01", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    // The times add up to the period: both are nothing.
    assert_eq!(row["from"], row["to"], "{}", json.stdout);
    assert_eq!(row["unknown_s"], 0.0);
    assert!(row["uptime_percent"].is_null() && row["coverage_percent"].is_null());
    place.check(
        "report shop --period 2020-01 --explain",
        "shop: nothing is recorded of this period\n",
        "",
        0,
    );
}

#[test]
fn an_order_without_a_name_is_told_how_all_are_meant() {
    let place = Place::new("");
    for command in ["mute", "pause", "ack --note x"] {
        let ran = place.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 2);
        assert!(
            ran.stderr.contains("<NAME|--tag <TAG>|--all>\n"),
            "{}",
            ran.stderr
        );
    }
    let both = place.run(&["mute", "shop", "--all"]);
    assert!(
        both.stderr.contains("cannot be used with"),
        "{}",
        both.stderr
    );
}

#[test]
fn damage_that_only_a_query_meets_names_its_file() {
    let place = Place::with_history();
    let database = rusqlite::Connection::open(place.path("s.db")).unwrap();
    let (page, size): (u32, u32) = database
        .query_row(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master WHERE name = 'chains'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    drop(database);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(place.path("s.db"))
        .unwrap();
    let garbage = vec![0xAA; usize::try_from(size).unwrap()];
    let at = u64::from(page - 1) * u64::from(size);
    std::os::unix::fs::FileExt::write_all_at(&file, &garbage, at).unwrap();
    for command in ["history", "history --json", "status --json"] {
        let ran = place.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 1, "{command}: {}", ran.stderr);
        for said in [
            "error: the database is damaged: ",
            "looked in monitors.toml and HERE/s.db\n",
            ".recover\n",
        ] {
            assert!(ran.stderr.contains(said), "{command}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_backup_is_a_database() {
    let place = Place::with_history();
    assert_eq!(place.run(&["backup", "copy.db"]).code, 0);
    let copy = place.run(&["history", "--database", "copy.db", "--json"]);
    assert_eq!(copy.stdout, place.run(&["history", "--json"]).stdout);
    assert_eq!(copy.stdout.lines().count(), 12);
    place.check(
        "backup copy.db",
        "",
        "error: back up to `copy.db`: the file exists and is not overwritten\n",
        1,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_by_its_exit_code() {
    let site = Site::plain(|request| match request.path.as_str() {
        "/good" => answer(200, "", "fine"),
        "/away" => redirect(301, "/good"),
        _ => answer(503, "Retry-After: 120\r\n", "busy"),
    })
    .await;
    let place = Place::new("");
    let good = place.run(&["check", "--json", &site.url("/away")]);
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert!(
        good.stdout
            .contains(r#""state":"up","status":200,"failure":null,"#),
        "{}",
        good.stdout
    );
    assert!(
        good.stdout.contains(r#""status":301,"location":"/good","#),
        "{}",
        good.stdout
    );
    let bad = place.run(&["check", &site.url("/bad")]);
    assert_eq!(bad.code, 1);
    assert!(bad.stdout.starts_with("DOWN  "), "{}", bad.stdout);
    assert!(bad.stdout.contains("; Retry-After: 2m\n"), "{}", bad.stdout);
    assert!(
        bad.stdout.contains("`sitewatch explain 503` says more"),
        "{}",
        bad.stdout
    );
    assert!(
        !bad.stdout.contains('\u{1b}'),
        "no colour in a pipe: {}",
        bad.stdout
    );
    let nobody = format!("http://127.0.0.1:{}/", closed_port().await);
    let refused = place.run(&["check", "--json", &nobody]);
    assert!(
        refused.stdout.contains(r#""kind":"connect_refused""#),
        "{}",
        refused.stdout
    );
    assert_eq!(refused.code, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_has_four_exit_codes() {
    let site = Site::plain(|request| match request.path.as_str() {
        "/good" => answer(200, "", "fine"),
        _ => answer(503, "", "busy"),
    })
    .await;
    let place = Place::new("");
    for (url, code, word) in [("/good", 0, "OK"), ("/bad", 2, "CRITICAL")] {
        let ran = place.run(&["check", "--nagios", &site.url(url)]);
        assert_eq!(ran.code, code, "{}", ran.stdout);
        assert!(
            ran.stdout.starts_with(&format!("SITEWATCH {word} - ")),
            "{}",
            ran.stdout
        );
        assert!(ran.stdout.contains(" | time=0."), "{}", ran.stdout);
    }
    place.check(
        "check --nagios --bogus",
        "SITEWATCH UNKNOWN - unexpected argument '--bogus' found\n",
        "",
        3,
    );
    place.check(
        "check --nagios",
        "SITEWATCH UNKNOWN - nothing to check\n",
        "",
        3,
    );
    let unknown = place.run(&["check", "--nagios", "nobody"]);
    assert_eq!(unknown.code, 3);
    assert!(
        unknown
            .stdout
            .starts_with("SITEWATCH UNKNOWN - no monitor `nobody`"),
        "{}",
        unknown.stdout
    );
}

/// `degraded_after = "3x usual"` without a daemon: by what was recorded at this hour of the week.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_knows_what_is_usual_for_a_monitor() {
    let site = Site::plain(|_| {
        let mut acts = vec![Act::Wait(Duration::from_millis(50))];
        acts.extend(answer(200, "", "fine"));
        acts
    })
    .await;
    let monitor = |name: &str| {
        let url = site.url("/");
        format!("[[monitor]]\nname = \"{name}\"\nurl = \"{url}\"\ndegraded_after = \"3x usual\"\n")
    };
    let names = ["quick", "slow", "new"];
    let monitors = names.map(monitor).concat();
    let place = Place::new(&format!("[daemon]\ndatabase = \"s.db\"\n{monitors}"));
    let now = sitewatch::clock::now();
    let hour = Duration::from_secs(3600);
    let mut store = Store::open(&place.path("s.db"), now.minus(hour * 24 * 30)).unwrap();
    let facts = names.map(|name| MonitorFacts {
        name: MonitorName::parse(name).unwrap(),
        url: site.url("/"),
        interval: Duration::from_secs(60),
        public: true,
        renamed_from: None,
    });
    let ids = store.enroll(&facts, now).unwrap().ids;
    let mut batch = store.batch().unwrap();
    // The hour may turn while this runs: the next one is known as well.
    for week in (1..=3).rev() {
        for later in 0..2 {
            let at = now.minus(hour * (24 * 7 * week - later));
            for (id, took_ms) in [(ids[0], 1), (ids[1], 10_000)] {
                let mut usual = check(at, 200);
                usual.timings.total = Micros::new(took_ms * 1000);
                batch.record(id, &usual, Duration::from_secs(60)).unwrap();
            }
        }
    }
    batch.commit().unwrap();
    while store.settle(now).unwrap() == Step::More {}
    drop(store);
    let ran = place.run(&["check", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = |name: &str| -> serde_json::Value {
        let lines = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let mut lines = lines.filter(|line: &serde_json::Value| line["monitor"] == name);
        lines.next().unwrap()
    };
    let quick = told("quick");
    assert_eq!(quick["state"], "degraded", "{quick}");
    assert_eq!(quick["failure"]["kind"], "slow", "{quick}");
    let detail = quick["failure"]["detail"].as_str().unwrap();
    let reason = "3x the usual 1 ms (median at this hour of the week, 3 weeks)";
    assert!(detail.contains(reason), "{detail}");
    assert_eq!(told("slow")["state"], "up");
    assert_eq!(told("new")["state"], "up");
    assert_eq!(
        ran.stderr,
        "what is usual for new at this hour of the week is not known yet (it takes two weeks of checks): no \
         time counts as slow\n"
    );
}

#[test]
fn codes_are_explained_without_any_set_up() {
    let place = Place::new("");
    for code in [
        "100",
        "206",
        "308",
        "404",
        "444",
        "503",
        "526",
        "599",
        "999",
        "577",
        "4xx",
        "tls_expired",
    ] {
        let ran = place.run(&["explain", code]);
        assert_eq!(ran.code, 0, "{code}: {}", ran.stderr);
        assert!(ran.stdout.lines().count() >= 4, "{code}: {}", ran.stdout);
    }
    place.check(
        "explain 42",
        "",
        "error: 42 is not an HTTP status: a code has three digits, from 100 to 599 (some servers send up to 999)\n",
        2,
    );
    for code in ["0200", "+200", "1000"] {
        assert_eq!(place.run(&["explain", code]).code, 2, "{code}");
    }
}

#[test]
fn packagers_get_completions_and_manual_pages() {
    let place = Place::new("");
    for shell in ["bash", "zsh", "fish"] {
        let ran = place.run(&["completions", shell]);
        assert!(ran.code == 0 && ran.stdout.contains("incidents"), "{shell}");
    }
    assert!(place.run(&["man"]).stdout.contains(".TH sitewatch 1"));
    fs::create_dir(place.path("man")).unwrap();
    assert_eq!(place.run(&["man", "--directory", "man"]).code, 0);
    assert!(place.path("man/sitewatch-history.1").exists());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::with_history();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sitewatch"))
        .args(["history", "--json"])
        .current_dir(place.directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );
}

#[test]
fn another_configuration_is_tried_on_what_was_recorded() {
    let place = Place::with_history();
    let config = |failures: u16| {
        format!(
            "[daemon]\ndatabase = \"s.db\"\ntimezone = \"UTC\"\n\
             [email]\ndirectory = \"out\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n\
             [[monitor]]\nname = \"shop\"\nurl = \"https://shop.example/\"\nfailures_before_down = {failures}\n"
        )
    };
    for (failures, line) in [
        (
            2,
            "NAME  ALERT  WOULD SEND            AFTER  IN  SENT  AFTER  IN\n\
             shop  down   2026-11-22 12:04:10  1m 10s      -\n",
        ),
        (
            3,
            "NAME  ALERT  WOULD SEND            AFTER  IN  SENT  AFTER  IN\n\
             shop  down   2026-11-22 12:05:10  2m 10s      -\n",
        ),
        (4, ""),
    ] {
        fs::write(place.path("new.toml"), config(failures)).unwrap();
        let ran = place.run(&["replay", "--config", "new.toml", "--since", "2026-11-22"]);
        assert_eq!((ran.stdout.as_str(), ran.code), (line, 0), "{}", ran.stderr);
        // The same monitor by a list.
        let of_list = config(failures).replace(
            "[[monitor]]\nname = \"shop\"\nurl = \"https://shop.example/\"",
            "[[source]]\nfile = \"shops.txt\"",
        );
        fs::write(place.path("new.toml"), of_list).unwrap();
        fs::write(place.path("shops.txt"), "https://shop.example/ shop\n").unwrap();
        let ran = place.run(&["replay", "--config", "new.toml", "--since", "2026-11-22"]);
        assert_eq!((ran.stdout.as_str(), ran.code), (line, 0), "{}", ran.stderr);
    }
}

#[test]
fn a_check_of_the_configuration_says_who_is_told_when_and_when_nobody_is() {
    let place = Place::new(
        "[daemon]\ndatabase = \"s.db\"\n\
         [email]\ndirectory = \"out\"\nfrom = \"a@example.com\"\nto = [\"office@example.com\"]\n\
         [[channel]]\nname = \"hook\"\nformat = \"json\"\nurl = \"https://hook.example/\"\nevents = [\"down\"]\n\
         [[monitor]]\nname = \"shop\"\nurl = \"https://shop.example/\"\ntags = [\"prod\"]\n\
         [[monitor]]\nname = \"blog\"\nurl = \"https://blog.example/\"\nto = [\"office@example.com\", \"ops@example.com\"]\n\
         [[escalation]]\nafter = \"30m\"\nto = [\"boss@example.com\", \"hook\"]\ntags = [\"prod\"]\n\
         [[escalation]]\nafter = \"2h\"\nto = [\"boss@example.com\"]\n\
         [[hours]]\nto = [\"office@example.com\"]\nopen = [\"Mon-Fri 08:00-18:00\", \"sat 10:00-14:00\"]\n",
    );
    let ran = place.run(&["config", "check"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = ran.stdout.split_once("files in").unwrap().1;
    let told = told.split_once('\n').unwrap().1;
    assert_eq!(
        told,
        "          office@example.com: shop\n          \
         office@example.com, ops@example.com: blog\n\
         after 30m boss@example.com, hook: shop\n\
         after 2h  boss@example.com: all\n\
         hours     office@example.com: Mon-Fri 08:00-18:00, Sat 10:00-14:00\n"
    );
    assert_eq!(
        ran.stderr,
        "warning: monitors.toml:22: the channel `hook` is told of no escalation: its `events` has no \"escalated\"\n\
         warning: nobody can be told of `shop` from Mon 18:00 to Tue 08:00, Tue 18:00 to Wed 08:00, Wed 18:00 to \
         Thu 08:00, and 3 more times of the week: all who are told of it have [[hours]]\n"
    );
}

#[test]
fn a_first_file_is_written_once_and_is_valid() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_sitewatch"))
            .args(arguments)
            .current_dir(directory.path())
            .env_clear()
            .env("HOME", directory.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, printed, _) = run(&["config", "init", "-"]);
    assert_eq!(code, Some(0));
    assert!(printed.starts_with("#:schema "), "{printed}");
    let (code, out, err) = run(&["config", "init"]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert!(err.starts_with("monitors.toml written\n"), "{err}");
    let file = directory.path().join("monitors.toml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), printed);
    let (code, out, err) = run(&["config", "check"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.starts_with("monitors.toml is valid: 0 monitors\n"),
        "{out}"
    );
    let (code, _, err) = run(&["config", "init"]);
    assert_eq!(code, Some(2));
    assert_eq!(
        err,
        "error: `monitors.toml` exists and is not overwritten; name another file, or `-` for standard output\n"
    );
    // A link that leads nowhere is there as well.
    std::os::unix::fs::symlink("nowhere.toml", directory.path().join("link.toml")).unwrap();
    assert_eq!(run(&["config", "init", "link.toml"]).0, Some(2));
    assert!(!directory.path().join("nowhere.toml").exists());
    assert_eq!(run(&["config", "init", "none/x.toml"]).0, Some(1));
    assert_eq!(
        run(&["--config", "other.toml", "config", "init"]).0,
        Some(0)
    );
    assert!(directory.path().join("other.toml").exists());
    // `> monitors.toml`: the shell made it.
    let redirected = std::fs::File::create(&file).unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_sitewatch"))
        .args(["config", "init"])
        .current_dir(directory.path())
        .stdout(redirected)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), printed);
}
