//! Whole configurations in the shapes that people have, each with what its own tool makes of it: written after that
//! tool's rules and by hand, so that nothing of the import decides what is expected of the import.
//!
//! In `corpus/*.txt` a case begins with `=== name` (in lists.txt the first word is the format; `sql` is a script that
//! makes a kuma.db), `--- targets` begins the file for `--targets`, `--- name` another one beside it. Then:
//!
//! - `! words`: what a line of "not carried over" begins with, all of them in order; nothing else may be said;
//! - `$ NAMES`: the environment variables that are needed;
//! - `> name | told | failures/successes | interval/timeout/retry in s | other settings | answers`: a monitor. An answer
//!   is `+` (up) or `-` (down), the status, `[header=value]`, `:body`; `\s` and `\n` stand for white space.
//!
//! Each monitor is loaded by the real loader, its answers are judged by the real judge, and its thresholds are run
//! through the real alert machine. Of the faults that importers had, each kind has two cases or more:
//! thresholds (mail with default-alert; chat only; some recoveries), jobs of other exporters (keep, drop; several
//! modules), brackets (ConfigMap; anchors), conditions on the status (or and and; services of version 2; forms that
//! are not carried over), numbers as texts (texts and numbers; JSON queries), databases (sql version 1 and 2), who is
//! told (silent ones; overrides; two mail notifications), variables (variables and dollars; HelmRelease; upptime
//! bodies), wrappers (ConfigMap twice, documents, folder, chart), fractions (services; scrape timeouts), groups
//! (paused; sql version 2), flags as numbers (keyword; paused), relabelling (keep, drop; Probe; modules by label),
//! pasted lists (bullets; bare; many lines), noise (chat only; many lines).

use std::sync::Arc;
use std::time::Duration;

use sitewatch::clock;
use sitewatch::config::default_subject;
use sitewatch::domain::check::{Check, HttpVersion, Timings};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::probe::{Answer, End, Hop, Probe};
use sitewatch::domain::subject::{HttpSubject, Subject};
use sitewatch::domain::target::{Credentials, IpVersion};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::alert::monitor::{Effect, Event, Memory, Surroundings, step};
use sitewatch::policy::verdict::judge::judge;

use super::*;

/// One case, cut into what it gives and what is expected.
struct Case<'t> {
    name: &'t str,
    files: Vec<(&'t str, String)>,
    lost: Vec<&'t str>,
    variables: Vec<&'t str>,
    monitors: Vec<&'t str>,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            cases.push(Case {
                name,
                files: vec![("", String::new())],
                lost: Vec::new(),
                variables: Vec::new(),
                monitors: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut().unwrap();
        if let Some(lost) = line.strip_prefix("! ") {
            case.lost.push(lost);
        } else if let Some(names) = line.strip_prefix("$ ") {
            case.variables = names.split(' ').collect();
        } else if let Some(monitor) = line.strip_prefix("> ") {
            case.monitors.push(monitor);
        } else if let Some(name) = line.strip_prefix("--- ") {
            case.files.push((name, String::new()));
        } else {
            let (_, text) = case.files.last_mut().unwrap();
            text.push_str(line);
            text.push('\n');
        }
    }
    cases
}

fn database(script: &str) -> Imported {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kuma.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(script).unwrap();
    import::uptime_kuma_value(&sitewatch::store::file::kuma::read(&path).unwrap()).unwrap()
}

fn imported(format: &str, case: &Case<'_>) -> Imported {
    let named = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let first = [source(&case.files[0].1)];
    let beside = |pattern: &str| -> Vec<Source> {
        case.files[1..]
            .iter()
            .filter(|(name, _)| *name == pattern)
            .map(|(name, text)| named(name, text))
            .collect()
    };
    let all: Vec<Source> = case
        .files
        .iter()
        .map(|(name, text)| named(name, text))
        .collect();
    match format {
        "gatus" => import::gatus(&all),
        "kuma" => import::uptime_kuma(&case.files[0].1),
        "sql" => Ok(database(&case.files[0].1)),
        "blackbox" => import::blackbox(&first, &beside("targets"), &beside),
        "upptime" => import::upptime(&first),
        "csv" => import::csv(&first),
        "urls" => import::urls(&first),
        "sitemap" => import::sitemap(&first),
        "nginx" => import::nginx(&first, &beside),
        "caddy" => import::caddy(&first),
        "traefik" => import::traefik(&first),
        other => panic!("no format {other}"),
    }
    .unwrap()
}

/// Judges an answer written as `200[x-a=b]:body`.
fn judged(monitor: &Monitor, written: &str) -> Check {
    let (head, body) = written.split_once(':').unwrap_or((written, ""));
    let (status, headers) = head.split_once('[').unwrap_or((head, ""));
    let headers: Vec<(String, Vec<u8>)> = headers
        .trim_end_matches(']')
        .split(',')
        .filter_map(|header| header.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .collect();
    let body = body.replace("\\s", " ").replace("\\n", "\n").into_bytes();
    answered(monitor, status.parse().unwrap(), headers, body)
}

pub(super) fn answered(
    monitor: &Monitor,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
) -> Check {
    let probe = Probe {
        started: clock::now(),
        timings: Timings::default(),
        heads: Vec::new(),
        redirects: Vec::new(),
        end: End::Answered(Answer {
            hop: Hop {
                url: monitor.subject.url_text().to_string(),
                status,
                location: None,
                remote_addr: None,
                took: Duration::ZERO,
            },
            http_version: HttpVersion::Http11,
            headers,
            body_bytes: body.len() as u64,
            body,
            place: None,
            body_cut: false,
            retry_after_s: None,
            credentials_dropped: false,
        }),
        certificate: None,
        root: None,
        agreed: None,
        remarks: Vec::new(),
    };
    let http = web_site_of(monitor);
    judge(&http.expectation, &http.target, probe)
}

/// What the monitor expects of a web site; of one that is none what any does.
fn web_site_of(monitor: &Monitor) -> HttpSubject {
    let any = || {
        let (_, subject) = default_subject(
            "https://a.example/",
            sitewatch::domain::connect_to::Direct::default(),
            sitewatch::domain::http_choice::HttpChoice::One,
        )
        .expect("a URL");
        subject.http().expect("an HTTP subject").clone()
    };
    monitor.http().cloned().unwrap_or_else(any)
}

/// After how many failed checks it is down, after how many good ones up, and the time to a confirming check in ms.
fn thresholds(config: &Config, monitor: &Monitor) -> (usize, usize, u128) {
    let around = Surroundings {
        monitor: MonitorId(1),
        alerts: &config.alerts,
        maintenance: false,
        parents: &[],
        offline: false,
        steps: &[],
    };
    let template = answered(monitor, 200, Vec::new(), Vec::new());
    let down = Probe {
        started: clock::now(),
        timings: Timings::default(),
        heads: Vec::new(),
        redirects: Vec::new(),
        end: End::Failed {
            kind: sitewatch::domain::check::FailureKind::ConnectRefused,
            detail: "refused".to_owned(),
            url: String::new(),
            remote_addr: None,
            header: None,
        },
        certificate: None,
        root: None,
        agreed: None,
        remarks: Vec::new(),
    };
    let http = web_site_of(monitor);
    let down = judge(&http.expectation, &http.target, down);
    let up = Check {
        verdict: sitewatch::domain::check::Verdict::Up,
        ..template
    };
    let mut memory = Memory::default();
    let mut now = Timestamp::from_ms(1_795_377_600_000);
    let mut counts = (0, 0, monitor.rules.interval.as_millis());
    let mut run = |check: &Check, counts: &mut u128| {
        let check = Arc::new(Check {
            at: now,
            ..check.clone()
        });
        let done = step(
            &monitor.rules,
            &around,
            &memory,
            Event::Checked(&check),
            now,
        );
        memory = done.after;
        let mut wait = monitor.rules.interval;
        let mut changed = false;
        for effect in &done.effects {
            match effect {
                Effect::Open(_) | Effect::Close { .. } => changed = true,
                Effect::CheckAgain { after } => {
                    wait = *after;
                    *counts = after.as_millis();
                }
                _ => {}
            }
        }
        now = now.plus(wait.min(monitor.rules.interval));
        changed
    };
    let mut retry = counts.2;
    run(&up, &mut retry);
    for count in 1..=1000 {
        if run(&down, &mut retry) {
            counts.0 = count;
            break;
        }
    }
    counts.2 = retry;
    for count in 1..=1000 {
        if run(&up, &mut retry) {
            counts.1 = count;
            break;
        }
    }
    counts
}

fn settings(monitor: &Monitor) -> String {
    let Some(http) = monitor.http() else {
        return of_port(monitor);
    };
    let target = &http.target;
    let redirects = format!("redirects={}", target.max_redirects);
    let has = |word: &'static str, is_so: bool| is_so.then_some(word);
    [
        Some(target.method.as_str()).filter(|method| *method != "GET"),
        has("off", !monitor.enabled),
        has("nofollow", !target.follow_redirects),
        Some(redirects.as_str()).filter(|_| target.max_redirects != 10),
        has("insecure", !target.verify_tls),
        has("v4", target.ip_version == IpVersion::V4),
        has("basic", !matches!(target.credentials, Credentials::None)),
        has(
            "anywhere",
            target.allow_downgrade && target.allow_private_redirect,
        ),
        has("nocookies", !target.cookies),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<&str>>()
    .join(" ")
}

/// The settings of a monitor that is no web site.
fn of_port(monitor: &Monitor) -> String {
    let (tcp, tls) = match &monitor.subject {
        Subject::Tcp(tcp) => (&**tcp, None),
        Subject::Tls(tls) => (&tls.tcp, Some(&tls.tls)),
        Subject::Icmp(icmp) => return format!("{} packets={}", icmp.url, icmp.manner.packets),
        Subject::Dns(dns) => {
            let mut words = vec![dns.url.to_string()];
            words.extend(dns.manner.answers.iter().cloned());
            return words.join(" ");
        }
        other => panic!("{}", other.url_text()),
    };
    let dialogue = &tcp.manner.dialogue;
    let send = String::from_utf8_lossy(&dialogue.send);
    let mut words = vec![tcp.url.to_string()];
    words.extend((!send.is_empty()).then(|| format!("send={send:?}")));
    words.extend(
        dialogue
            .expect
            .as_ref()
            .map(|pattern| format!("expect={pattern}")),
    );
    if let Some(tls) = tls {
        words.extend(tls.starttls.map(|protocol| format!("starttls={protocol}")));
        words.extend((!tls.verify_tls).then(|| "insecure".to_owned()));
    }
    words.extend((!monitor.enabled).then(|| "off".to_owned()));
    words.join(" ")
}

fn check(format: &str, case: &Case<'_>) {
    let called = format!("{format}: {}", case.name);
    let imported = imported(format, case);
    let said = imported.left_out.join("\n");
    assert_eq!(imported.left_out.len(), case.lost.len(), "{called}\n{said}");
    for (line, wanted) in imported.left_out.iter().zip(&case.lost) {
        assert!(line.starts_with(wanted), "{called}\n{said}");
    }
    assert_eq!(imported.variables, case.variables, "{called}");
    assert_eq!(imported.monitors, case.monitors.len(), "{called}\n{said}");
    if case.monitors.is_empty() {
        return;
    }
    let config = loaded(&imported);
    for (monitor, wanted) in config.monitors.iter().zip(&case.monitors) {
        let parts: Vec<&str> = wanted.split('|').map(str::trim).collect();
        let to: Vec<String> = monitor.rules.to.iter().map(ToString::to_string).collect();
        let told = match to.is_empty() {
            true => "-".to_owned(),
            false => to.join(" "),
        };
        let (failures, successes, retry) = thresholds(&config, monitor);
        // Where one failure is enough nothing is confirmed.
        let retry = match failures {
            1 => monitor.rules.retry_interval.as_millis(),
            _ => retry,
        };
        let seconds = |ms: u128| format!("{}", ms as f64 / 1000.0);
        let got = [
            monitor.name.to_string(),
            told,
            format!("{failures}/{successes}"),
            format!(
                "{}/{}/{}",
                seconds(monitor.rules.interval.as_millis()),
                seconds(monitor.rules.timeout.as_millis()),
                seconds(retry)
            ),
            settings(monitor),
        ];
        assert_eq!(
            got.join(" | "),
            parts[..5].join(" | "),
            "{called}\n{}",
            imported.toml
        );
        for answer in parts[5].split_whitespace() {
            let wanted_up = answer.starts_with('+');
            let check = judged(monitor, &answer[1..]);
            let is_up = check.verdict.is_good();
            assert_eq!(
                is_up, wanted_up,
                "{called}, {}, {answer}: {:?}\n{}",
                monitor.name, check.verdict, imported.toml
            );
        }
    }
}

/// The first file of each case of a group, with the first word of its name.
pub(super) fn files(group: &str) -> Vec<(String, String)> {
    let text = match group {
        "gatus" => include_str!("corpus/gatus.txt"),
        "kuma" => include_str!("corpus/kuma.txt"),
        "blackbox" => include_str!("corpus/blackbox.txt"),
        _ => include_str!("corpus/lists.txt"),
    };
    cases(text)
        .into_iter()
        .map(|case| {
            let word = case.name.split(' ').next().unwrap_or_default();
            (word.to_owned(), case.files[0].1.clone())
        })
        .collect()
}

#[test]
fn gatus_is_judged_as_by_gatus() {
    for case in cases(include_str!("corpus/gatus.txt")) {
        check("gatus", &case);
    }
}

#[test]
fn uptime_kuma_is_judged_as_by_uptime_kuma() {
    for case in cases(include_str!("corpus/kuma.txt")) {
        let format = if case.name.starts_with("sql") {
            "sql"
        } else {
            "kuma"
        };
        check(format, &case);
    }
}

#[test]
fn blackbox_is_judged_as_by_blackbox_exporter() {
    for case in cases(include_str!("corpus/blackbox.txt")) {
        check("blackbox", &case);
    }
}

#[test]
fn lists_are_judged_as_where_they_come_from() {
    for case in cases(include_str!("corpus/lists.txt")) {
        check(case.name.split(' ').next().unwrap(), &case);
    }
}

#[test]
fn the_corpus_is_large() {
    let groups = ["gatus", "kuma", "blackbox", "lists"];
    let count: usize = groups.iter().map(|group| files(group).len()).sum();
    assert!(count >= 60, "{count}");
}
