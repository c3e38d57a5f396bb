//! The configuration from outside: what is said of wrong files, what the example holds, what never panics.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::path::Path;

use sitewatch::config::{self, Environment, keys};
use sitewatch::domain::settings::MailTransport;
use sitewatch::domain::subject::SubjectKind;

use crate::support::golden;

/// Files with what is wrong in them and the whole of what is said about it.
///
/// `SITEWATCH_BLESS=1 cargo test` rewrites the second part.
const WRONG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/config_wrong.txt");

fn environment(directory: &Path) -> Environment {
    Environment {
        variables: [("HOME", "/home/kim"), ("SECRET", "hunter22")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        directory: directory.to_owned(),
        is_root: false,
    }
}

/// What is said of a file, without the directory of the test.
fn said(text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
    match config::load(Path::new("monitors.toml"), &environment(directory.path())) {
        Ok(_) => "it is valid".to_owned(),
        Err(errors) => errors
            .to_string()
            .replace(&directory.path().display().to_string(), "/dir"),
    }
}

#[test]
fn line_ends_of_old_macs_are_one_error() {
    let file = "[defaults]\rinterval = \"1m\"\r\r# all\r[[monitor]]\rurl = \"https://a.test/\"\rintervall = 3\r";
    for text in [
        file.to_owned(),
        format!("{file}\n"),
        format!("{file}# {}", "x".repeat(300_000)),
    ] {
        let said = said(&text);
        let first =
            "error: a line ends with a carriage return alone (U+000D)\n --> monitors.toml:1:12\n";
        assert!(said.starts_with(first), "{said}");
        assert!(said.ends_with("\n1 error in monitors.toml"), "{said}");
    }
    assert_eq!(
        said(&file.replace("\rintervall = 3", "").replace('\r', "\r\n")),
        "it is valid"
    );
}

#[cfg(not(feature = "http3"))]
#[test]
fn what_needs_http_3_is_refused_where_there_is_none() {
    for word in ["3", "offered"] {
        let said = said(&format!(
            "[[monitor]]\nurl = \"https://a.test/\"\nhttp = \"{word}\"\n"
        ));
        let first = format!(
            "error: this program was built without the feature `http3`, which `http = \"{word}\"` needs\n"
        );
        assert!(said.starts_with(&first), "{said}");
        let help = "take the package, or build it with `cargo build --features http3`";
        assert!(said.contains(help), "{said}");
    }
    for word in ["1.1", "2"] {
        let text = format!("[[monitor]]\nurl = \"https://a.test/\"\nhttp = \"{word}\"\n");
        assert_eq!(said(&text), "it is valid");
    }
}

#[test]
fn a_time_zone_that_is_none_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[[monitor]]\nurl = \"https://a.test/\"\n";
    std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
    for (zone, is_wrong) in [
        ("Mars/Olympus", true),
        (":Mars/Olympus", true),
        ("XYZ", true),
        ("CET-1CEST", true),
        ("/no/such/file", true),
        ("/no/zoneinfo/Europe/Berlin", true),
        ("Europe/Berlin", false),
        (":Europe/Berlin", false),
        ("UTC", false),
        ("CET-1CEST,M3.5.0,M10.5.0/3", false),
        ("", false),
    ] {
        let mut environment = environment(directory.path());
        environment.variables.insert("TZ".into(), zone.into());
        let config = config::load(Path::new("monitors.toml"), &environment).unwrap();
        let found = config
            .warnings
            .iter()
            .find(|warning| warning.contains("$TZ"));
        assert_eq!(found.is_some(), is_wrong, "{zone}: {found:?}");
        if let Some(warning) = found {
            assert!(warning.contains("times are in UTC"), "{warning}");
            let offset = config.daemon.timezone.to_fixed_offset().unwrap();
            assert_eq!(offset.seconds(), 0, "{zone}");
        }
    }
}

#[test]
fn what_a_mail_server_is_told_in_secret_is_masked() {
    let directory = tempfile::tempdir().unwrap();
    let masked = |username: &str| {
        let text = format!(
            "[email]\nhost = \"mail.test\"\nusername = \"{username}\"\npassword = \"pa55word\"\n\
             from = \"a@b.test\"\nto = [\"a@b.test\"]\n"
        );
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let config = config::load(Path::new("monitors.toml"), &environment(directory.path()));
        let transport = config.unwrap().email.unwrap().transport;
        let MailTransport::Smtp(server) = transport else {
            panic!("it is a server");
        };
        let said = server.masks.apply("535 kim hunter22 pa55word");
        said.into_owned()
    };
    assert_eq!(masked("${SECRET}"), "535 kim *** ***");
    assert_eq!(masked("kim hunter22"), "535 kim hunter22 ***");
}

#[test]
fn every_wrong_file_is_explained() {
    let table = std::fs::read_to_string(WRONG).unwrap();
    let cases: Vec<&str> = table.split("=== ").skip(1).collect();
    assert!(cases.len() > 230, "only {} cases", cases.len());
    let bless = golden::blesses();
    let mut blessed = String::new();
    for case in cases {
        let (title, rest) = case.split_once('\n').unwrap();
        let (text, want) = rest.split_once("---\n").unwrap_or((rest, ""));
        let said = said(text);
        assert!(!said.contains("hunter2"), "{title} shows a secret:\n{said}");
        if bless {
            writeln!(blessed, "=== {title}\n{text}---\n{said}").unwrap();
        } else {
            let want = want.trim_end_matches('\n');
            assert_eq!(said, want, "{title}; {}", golden::HOW);
        }
    }
    if bless {
        std::fs::write(WRONG, blessed).unwrap();
    }
}

#[test]
fn the_page_about_alerts_names_the_defaults() {
    let page = include_str!("../../docs/alerts.md");
    let (_, block) = page.rsplit_once("```toml\n[alerts]\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let block = &format!("[alerts]\n{block}");
    let alerts = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let loaded = config::load(Path::new("monitors.toml"), &environment(directory.path()));
        loaded.unwrap().alerts
    };
    assert_eq!(alerts(block), alerts(""));
    let given = block.lines().filter(|line| line.contains(" = ")).count();
    let section = keys::SECTIONS
        .iter()
        .find(|section| section.name == "alerts");
    // But `to`: its default depends on [email] and the channels.
    let keys = section.unwrap().keys.len() - 1;
    assert_eq!(given, keys, "each key of [alerts] but `to`");
}

/// A line of the example that holds a key, with or without its `#`.
fn key_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix('#').unwrap_or(line);
    let (name, _) = line.split_once(" = ")?;
    let is_key = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_key.then_some(name)
}

fn header_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix('#').unwrap_or(line);
    let inner = line.strip_prefix('[')?.split(']').next()?;
    Some(inner.trim_start_matches('['))
}

#[test]
fn the_example_documents_every_key_once() {
    let mut section = "";
    let mut found: Vec<(String, String)> = Vec::new();
    for line in config::EXAMPLE.lines() {
        if let Some(header) = header_of(line) {
            section = header;
        } else if let Some(key) = key_of(line) {
            found.push((section.to_owned(), key.to_owned()));
        }
    }
    for top in keys::TOP {
        assert!(found.contains(&(String::new(), top.name.to_owned())));
    }
    for section in keys::SECTIONS {
        if section.name == "defaults" {
            continue;
        }
        for key in section.keys {
            // A list has a monitor's keys, too, which stand where a monitor has them.
            let is_monitors =
                section.name == "source" && keys::find(keys::MONITOR.keys, key.name).is_some();
            if is_monitors && key.name != "url" {
                continue;
            }
            let here = (section.name.to_owned(), key.name.to_owned());
            let count = found.iter().filter(|found| **found == here).count();
            assert_eq!(count, 1, "{} in {}", key.name, section.header());
        }
    }
}

/// The line of a monitor's URL of a kind that has this key.
fn url_with(key: &str) -> &'static str {
    let kinds = keys::find(keys::MONITOR.keys, key).expect("a key").kinds;
    let kind = SubjectKind::ALL.into_iter().find(|kind| kinds.has(*kind));
    match kind.expect("some kind has it") {
        SubjectKind::Http => "url = \"https://example.com/\"",
        SubjectKind::Tcp => "url = \"tcp://example.com:25\"",
        SubjectKind::Tls => "url = \"tls://example.com:25\"",
        SubjectKind::Icmp => "url = \"icmp://example.com\"",
        SubjectKind::Dns => "url = \"dns:///example.com\"",
    }
}

#[test]
fn the_example_loads_as_it_is_and_with_each_key() {
    assert_eq!(said(config::EXAMPLE), "it is valid");
    let directory = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    for name in ["mail-ca.pem", "client.pem"] {
        std::fs::write(directory.path().join(name), certificate.pem()).unwrap();
    }
    std::fs::write(directory.path().join("client-key.pem"), key.serialize_pem()).unwrap();
    for name in ["smtp-password", "password", "token", "request.json"] {
        std::fs::write(directory.path().join(name), "secret\n").unwrap();
    }
    let mut environment = environment(directory.path());
    environment
        .variables
        .insert("SMTP_PASSWORD".to_owned(), "secret".to_owned());

    // Each key alone, with what it needs and without what it excludes.
    let needs: &[(&str, &[&str])] = &[
        ("username", &["password_file"]),
        ("password", &["username"]),
        ("password_file", &["username"]),
        ("start", &["end"]),
        ("end", &["start"]),
        ("schedule", &["duration"]),
        ("duration", &["schedule"]),
        ("monitors", &["schedule", "duration"]),
        ("tags", &["schedule", "duration"]),
        ("note", &["schedule", "duration"]),
    ];
    let lines: Vec<&str> = config::EXAMPLE.lines().collect();
    let mut tried = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(key) = line.strip_prefix('#').and(key_of(line)) else {
            continue;
        };
        let section_of = |at: usize| {
            lines[..at]
                .iter()
                .rev()
                .find_map(|line| header_of(line))
                .unwrap_or_default()
        };
        let section = section_of(at);
        // Until these can be checked.
        if section == "monitor" && url_with(key).contains("icmp:") | url_with(key).contains("dns:")
        {
            continue;
        }
        // Each format takes keys of its own: `channels::docs` reads a whole example of each.
        // So does each role: `cluster::config` reads both.
        if section == "channel" || section == "cluster" {
            continue;
        }
        // These need [cluster].
        if section == "monitor" && ["locations", "down_when", "on_regional"].contains(&key) {
            continue;
        }
        let wanted: &[&str] = needs
            .iter()
            .find(|(name, _)| *name == key && matches!(section, "maintenance" | "email"))
            .map_or(&[], |(_, needs)| needs);
        let wanted: &[&str] = match section {
            "source" if key == "token_file" => &["url"],
            "source" if key != "url" => &["file"],
            "escalation" => &["after", "to"],
            "hours" => &["to", "open"],
            "objective" => &["name", "uptime"],
            _ => wanted,
        };
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let same = section_of(index) == section;
            let wanted = same && key_of(line).is_some_and(|name| wanted.contains(&name));
            let opens = line
                .strip_prefix("#[[")
                .and_then(|line| line.strip_suffix("]]"))
                .is_some_and(|name| name == section);
            let is_host = key == "directory" && line.starts_with("host = ");
            let is_url = section == "monitor" && line.starts_with("url = ");
            let shown = match index == at || wanted || opens {
                true => line.trim_start_matches('#'),
                false if is_host => "",
                false if is_url => url_with(key),
                false => line,
            };
            text.push_str(shown);
            text.push('\n');
        }
        std::fs::write(directory.path().join("monitors.toml"), &text).unwrap();
        let loaded = config::load(Path::new("monitors.toml"), &environment);
        if let Err(errors) = loaded {
            panic!("with `{key}` of [{section}]:\n{errors}");
        }
        tried += 1;
    }
    assert!(tried > 80, "only {tried} keys were tried");
}

#[test]
fn what_is_shown_loads_and_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let text = r#"
include = ["more/*.toml"]
[email]
host = "smtp.example.com"
from = "Sitewatch <alerts@example.com>"
to = ["ops@example.com"]
username = "u"
password = "${SECRET}"
[defaults]
interval = "20s"
headers = { "X-Api-Key" = "hunter2-literal", Accept = "text/html" }
[[monitor]]
url = "https://me:hunter2@example.com/?page=1"
[[monitor]]
name = "by \"cron\""
url = "https://example.org/"
schedule = "0 */5 * * * *"
basic_auth = { username = "u", password = "hunter2" }
headers = {}
[[maintenance]]
tags = ["x"]
start = 2026-12-01T02:00:00+01:00
end = 2026-12-01T03:00:00+01:00
"#;
    std::fs::create_dir(directory.path().join("more")).unwrap();
    std::fs::write(directory.path().join("more/body.json"), "{}").unwrap();
    std::fs::write(
        directory.path().join("more/a.toml"),
        "[[monitor]]\nurl = \"https://more.example.com/\"\nmethod = \"POST\"\nbody_file = \"body.json\"\ntags = [\"x\"]\n",
    )
    .unwrap();
    std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
    let environment = environment(directory.path());
    let file = Path::new("monitors.toml");
    let mut shown = String::new();
    config::show::show(file, &environment, &mut shown).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    std::fs::write(directory.path().join("shown.toml"), &shown).unwrap();
    let before = config::load(file, &environment).unwrap();
    let after = config::load(Path::new("shown.toml"), &environment).unwrap();
    let diff = config::diff(&before, &after);
    assert!(
        diff.added.is_empty() && diff.removed.is_empty() && diff.settings.is_empty(),
        "{diff}"
    );
    let changed: Vec<String> = diff
        .changed
        .iter()
        .flat_map(|change| {
            change
                .keys
                .iter()
                .map(|key| format!("{} {}", change.name, key.key))
        })
        .collect();
    assert_eq!(
        changed,
        [
            "example.com url",
            "example.com headers",
            "example.com basic_auth",
            "by \"cron\" basic_auth",
            "more.example.com headers",
        ],
        "only masked secrets differ"
    );
}

#[test]
fn a_difference_names_monitors_and_keys() {
    let directory = tempfile::tempdir().unwrap();
    let environment = environment(directory.path());
    let load = |text: &str| {
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        config::load(Path::new("monitors.toml"), &environment).unwrap()
    };
    let old = load(
        r#"
[daemon]
database = "a.db"
[web]
listen = "127.0.0.1:8080"
[[monitor]]
name = "same"
url = "https://same.example.com/"
[[monitor]]
name = "gone"
url = "https://gone.example.com/"
[[monitor]]
name = "shop"
url = "https://shop.example.com/"
basic_auth = { username = "u", password = "hunter2" }
[[monitor]]
name = "wiki"
url = "https://wiki.example.com/"
[[monitor]]
name = "moved"
url = "https://moved.example.com/"
"#,
    );
    let new = load(
        r#"
[daemon]
database = "b.db"
[web]
listen = "127.0.0.1:9090"
[alerts]
reminder = "1h"
[[monitor]]
name = "same"
url = "https://same.example.com/"
[[monitor]]
name = "new"
url = "https://new.example.com/"
[[monitor]]
name = "shop"
url = "https://shop.example.com/"
basic_auth = { username = "u", password = "hunter3" }
interval = "30s"
expect_status = ["2xx", 404]
[[monitor]]
name = "docs"
url = "https://wiki.example.com/"
renamed_from = "wiki"
[[monitor]]
name = "moved2"
url = "https://moved.example.com/"
"#,
    );
    let said = config::diff(&old, &new)
        .to_string()
        .replace(&directory.path().display().to_string(), "/dir");
    assert_eq!(
        said,
        "\
+ new
+ moved2
- gone
- moved
~ shop: interval 1m -> 30s, basic_auth changed, expect_status 200-299 -> 200-299, 404
> wiki -> docs: renamed, its history stays
~ [alerts] reminder off -> 1h
! [daemon] database /dir/a.db -> /dir/b.db: takes effect at the next start
! [web] listen 127.0.0.1:8080 -> 127.0.0.1:9090: takes effect at the next start
? `moved` is gone and `moved2` is new with the same URL: was renamed_from = \"moved\" meant?
2 added, 2 removed, 2 changed, 1 unchanged"
    );
    assert_eq!(
        config::diff(&new, &new).to_string(),
        "nothing would change; 5 monitors"
    );
    let one = load("[[monitor]]\nurl = \"https://a.example.com/\"\n");
    assert_eq!(
        config::diff(&one, &one).to_string(),
        "nothing would change; 1 monitor"
    );
}

#[test]
fn a_reading_command_takes_what_it_needs() {
    let directory = tempfile::tempdir().unwrap();
    let environment = environment(directory.path());
    let file = Path::new("monitors.toml");
    let write = |text: &str| std::fs::write(directory.path().join(file), text).unwrap();
    write(
        "[daemon]\ndatabase = \"x.db\"\n[email]\nhost = \"${NOPE}\"\n[[monitor]]\nurl = \"https://a.example.com/\"\ninterval = \"x\"\n",
    );
    let brief = config::load_brief(file, &environment).unwrap();
    assert_eq!(brief.database, directory.path().join("x.db"));
    assert_eq!(brief.monitors[0].as_str(), "a.example.com");
    assert!(brief.config.is_none());
    assert_eq!(
        brief.warning.as_deref(),
        Some("the configuration is not valid: monitors.toml:3: [email] needs `from` (and 2 more)")
    );
    write("[daemon]\ndatabase = \"${NOPE}\"\n");
    assert!(config::load_brief(file, &environment).is_err());
}

#[test]
fn warnings_name_the_place_and_the_remedy() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let environment = environment(directory.path());
    let file = directory.path().join("monitors.toml");
    std::fs::write(
        &file,
        r#"[web]
listen = "0.0.0.0:8080"
[email]
host = "smtp.example.com"
from = "a@example.com"
to = ["ops@example.com"]
username = "u"
password = "hunter2"
[[monitor]]
url = "https://smtp.example.com/"
verify_tls = false
interval = "2s"
to = []
expect_status = [301, "308"]
[[monitor]]
url = "https://example.com/"
expect_status = [301, 200]
[[monitor]]
url = "https://example.org/"
expect_status = [301]
follow_redirects = false
"#,
    )
    .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let config = config::load(Path::new("monitors.toml"), &environment).unwrap();
    assert_eq!(
        config.warnings,
        [
            "monitors.toml:2: [web] listens at 0.0.0.0:8080, which others can reach without encryption; put a TLS proxy in front and listen at 127.0.0.1",
            "monitors.toml:8: a secret (`password`) is in a world-readable file; write \"${NAME}\" or a file's name instead, or run `chmod 640 monitors.toml`",
            "monitors.toml:11: https://smtp.example.com/ is checked without looking at its certificate (`verify_tls = false`)",
            "monitors.toml:12: an interval under 5s is hard on the site that is checked",
            "monitors.toml:14: expect_status names redirects alone, and they are followed: write follow_redirects = false to make one the final answer",
            "nobody is told of `smtp.example.com`: its `to` is empty",
            "`smtp.example.com` watches smtp.example.com, which is also the mail server: while it is down, no mail about it can leave",
        ]
    );
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let config = config::load(Path::new("monitors.toml"), &environment).unwrap();
    assert_eq!(config.warnings.len(), 6);
}

#[test]
fn the_schema_takes_the_example_and_refuses_mistakes() {
    let schema = config::schema::schema();
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.set_default_draft(boon::Draft::V7);
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    let is_valid = |text: &str| {
        let document: toml::Table = toml::from_str(text).unwrap();
        let value = serde_json::to_value(document).unwrap();
        schemas.validate(&value, index).is_ok()
    };
    assert!(is_valid(config::EXAMPLE));
    for right in [
        "[[monitor]]\nurl = \"https://e.example/\"\nexpect_status = [200, \"3xx\", \"404-410\"]\ntimeout = \"1m 30s\"",
        "[[monitor]]\nurl = \"${URL}\"\ninterval = \"${EVERY}\"",
        "[[maintenance]]\nstart = 2026-12-01T02:00:00Z\nend = 2026-12-01T03:00:00Z",
    ] {
        assert!(is_valid(right), "{right}");
    }
    for wrong in [
        "[[monitor]]\nurl = \"https://e.example/\"\nintervall = \"5s\"",
        "[[monitor]]\nurl = \"https://e.example/\"\ninterval = 5",
        "[[monitor]]\nurl = \"https://e.example/\"\ninterval = \"5\"",
        "[[monitor]]\nurl = \"https://e.example/\"\ninterval = \"5s\"\nschedule = \"0 0 * * * *\"",
        "[[monitor]]\nname = \"x\"",
        "[[monitor]]\nurl = \"example.com\"",
        "[[monitor]]\nurl = \"https://e.example/\"\nexpect_status = []",
        "[[monitor]]\nurl = \"https://e.example/\"\nmax_redirects = 51",
        "[defaults]\nname = \"x\"",
        "[emial]",
        "[email]\nhost = \"h\"",
    ] {
        assert!(!is_valid(wrong), "{wrong}");
    }
}

/// Every key with its place in the schema.
fn properties<'v>(
    at: &str,
    schema: &'v serde_json::Value,
    found: &mut Vec<(String, &'v serde_json::Value)>,
) {
    if let Some(items) = schema.get("items") {
        properties(at, items, found);
    }
    let keys = schema.get("properties").and_then(|keys| keys.as_object());
    for (name, key) in keys.into_iter().flatten() {
        let at = format!("{at}.{name}");
        found.push((at.clone(), key));
        properties(&at, key, found);
    }
}

#[test]
fn the_schema_teaches() {
    let schema = config::schema::schema();
    assert!(schema["$id"].as_str().unwrap().ends_with(".schema.json"));
    let line = config::EXAMPLE.lines().next().unwrap();
    assert_eq!(line, config::init::SCHEMA_LINE);
    let mut found = Vec::new();
    properties("", &schema, &mut found);
    let mut with_examples = 0;
    for (at, key) in &found {
        assert!(
            key["description"]
                .as_str()
                .is_some_and(|text| text.len() > 5),
            "{at}"
        );
        let examples = key.get("examples").and_then(|list| list.as_array());
        let default = key.get("default");
        for example in examples.into_iter().flatten().chain(default) {
            let mut schemas = boon::Schemas::new();
            let mut compiler = boon::Compiler::new();
            compiler.set_default_draft(boon::Draft::V7);
            compiler.add_resource("key.json", (*key).clone()).unwrap();
            let index = compiler.compile("key.json", &mut schemas).unwrap();
            assert!(schemas.validate(example, index).is_ok(), "{at}: {example}");
        }
        with_examples += usize::from(examples.is_some());
    }
    assert!(
        found.len() > 150 && with_examples > 90,
        "{with_examples} of {}",
        found.len()
    );
}

#[test]
fn a_file_without_a_monitor_is_a_warning() {
    let warned = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let config = config::load(Path::new("monitors.toml"), &environment(directory.path()));
        config.unwrap().warnings.join("|")
    };
    let monitor = "[[monitor]]\nurl = \"https://a.example/\"\n";
    let nobody = "there is no [email] and no [[channel]]: checks are recorded and nobody is told";
    for (text, want) in [
        (
            "",
            "the file is empty: nothing is checked and nobody is told; `sitewatch config init -` prints a first one",
        ),
        (
            "\n \n",
            "the file is empty: nothing is checked and nobody is told; `sitewatch config init -` prints a first one",
        ),
        (
            "# x\n",
            "the file has only comments: nothing is checked and nobody is told",
        ),
        (
            "[daemon]\nlog = \"info\"\n",
            "there is no [[monitor]]: nothing is checked",
        ),
        (
            "[[monitor]]\nurl = \"https://a.example/\"\nenabled = false\n",
            "no monitor is enabled: nothing is checked",
        ),
        (monitor, nobody),
    ] {
        assert_eq!(warned(text), want, "{text}");
    }
    let redirects = "expect_status names redirects alone, and they are followed: write follow_redirects = false to make \
                     one the final answer";
    for (keys, is_warned) in [
        ("expect_status = [301]", true),
        ("expect_status = [\"3xx\"]", true),
        ("expect_status = [301, \"302-308\"]", true),
        ("expect_status = [200, 301]", false),
        ("expect_status = [301]\nfollow_redirects = false", false),
    ] {
        assert_eq!(
            warned(&format!("{monitor}{keys}\n")).contains(redirects),
            is_warned,
            "{keys}"
        );
    }
}

#[test]
fn the_last_line_may_be_a_comment_without_an_end() {
    for wrong in [
        "speed 1",
        "a = [1",
        "url: 2",
        "// x",
        "[[monitor]",
        "a = 1;",
    ] {
        for comment in [
            "#", "##", "## x ##", "# x;", "# x,", "# x:", "# \"", "# [", "# //",
        ] {
            for before in ["\n", " "] {
                let text = format!("{wrong}{before}{comment}");
                let got = said(&text);
                assert_ne!(got, "it is valid", "{text}");
                assert_eq!(got, said(&format!("{text}\n")), "{text}");
            }
        }
    }
}

#[test]
fn what_is_no_text_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let said = |name: &str, bytes: &[u8]| {
        std::fs::write(directory.path().join(name), bytes).unwrap();
        let loaded = config::load(Path::new(name), &environment(directory.path()));
        loaded.unwrap_err().to_string()
    };
    assert_eq!(
        said("kuma.db", b"SQLite format 3\0\x10\0"),
        "error: `kuma.db` is a SQLite database, not a TOML file in UTF-8\n  \
         is it Uptime Kuma's kuma.db? `sitewatch import uptime-kuma kuma.db > monitors.toml`\n\n1 error in kuma.db"
    );
    assert!(
        said("a b.toml", b"endpoints:\n- name: a\n").contains("gatus 'a b.toml' > monitors.toml")
    );
    assert!(
        said("monitors.toml", b"endpoints:\n- name: a\n")
            .contains("`mv monitors.toml gatus.old`, then `sitewatch import gatus gatus.old")
    );
    assert!(said("x", b"\xff\xfe[\0").contains("is UTF-16"));
    assert!(said("x", b"caf\xe9 = 1\n").contains("the file is not UTF-8"));
}

proptest::proptest! {
    #![proptest_config(crate::support::cases::cases(300))]

    /// Whatever a file holds: an answer, and one that can be shown.
    #[test]
    fn any_text_is_answered(text in "(\\PC|[\\[\\]\"'={}#$\n\t\\\\]){0,300}") {
        let _ = said(&text);
    }

    /// The example with pieces cut out, doubled and put elsewhere.
    #[test]
    fn a_damaged_example_is_answered(edits in proptest::collection::vec((0usize..9000, 0usize..40, 0usize..9000, 0u8..3), 1..6)) {
        let mut text: Vec<char> = config::EXAMPLE.replace("\n#", "\n").chars().collect();
        for (from, length, to, kind) in edits {
            let start = from.min(text.len());
            let end = (start + length).min(text.len());
            let piece: Vec<char> = match kind {
                0 => text.drain(start..end).collect(),
                1 => text[start..end].to_vec(),
                _ => text.splice(start..end, "\"]}".chars()).collect(),
            };
            let to = to.min(text.len());
            text.splice(to..to, piece);
        }
        let text: String = text.into_iter().collect();
        let _ = said(&text);
    }
}

#[test]
fn a_diff_shows_nothing_that_came_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let load = |value: &str| {
        let text = r#"
[web]
listen = "127.0.0.1:8080"
title = "${SECRET}"
[email]
host = "${SECRET}.example"
from = "a@example.com"
to = ["${SECRET}@example.com"]
[connectivity]
canaries = ["https://example.com/?token=LITERAL"]
[[monitor]]
name = "a"
url = "https://example.com/${SECRET}"
note = "${SECRET}, https://me:LITERAL@example.com/"
body_contains = ["${SECRET}"]
body_matches = ["${SECRET}.*"]
expect_headers = { X = "${SECRET}" }
expect_final_url = "https://${SECRET}.example/"
json = [{ path = "$.a", equals = "${SECRET}" }]
tags = ["${SECRET}"]
"#;
        std::fs::write(
            directory.path().join("monitors.toml"),
            text.replace("LITERAL", &format!("literal-{value}")),
        )
        .unwrap();
        let mut environment = environment(directory.path());
        environment
            .variables
            .insert("SECRET".to_owned(), value.to_owned());
        config::load(Path::new("monitors.toml"), &environment).unwrap()
    };
    let diff = config::diff(&load("hunter21"), &load("hunter22")).to_string();
    assert!(!diff.contains("hunter2"), "{diff}");
    // What is only shown is the same stars in both.
    assert!(!diff.contains("note") && !diff.contains("title"), "{diff}");
    for key in ["json changed", "[email] host changed"] {
        assert!(diff.contains(key), "{diff}");
    }
}

#[test]
fn what_is_valid_loses_no_monitor() {
    let directory = tempfile::tempdir().unwrap();
    let mut valid = 0;
    for key in keys::MONITOR.keys {
        for value in ["\"\"", "[]", "{}", "0", "false"] {
            let url = match key.name {
                "url" => "",
                _ => "url = \"https://example.com/\"\n",
            };
            let text = format!("[[monitor]]\n{url}{} = {value}\n", key.name);
            std::fs::write(directory.path().join("monitors.toml"), &text).unwrap();
            let loaded = config::load(Path::new("monitors.toml"), &environment(directory.path()));
            if let Ok(config) = loaded {
                assert_eq!(config.monitors.len(), 1, "{text}");
                valid += 1;
            }
        }
    }
    assert!(valid > 20, "only {valid} were valid");
}

/// Puts something into a folder.
type Make = Box<dyn FnOnce(&Path)>;

/// What `include` of a folder with one odd thing in it gives.
fn included(make: impl FnOnce(&Path)) -> Result<config::Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("d");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("web.toml"),
        "[[monitor]]\nurl = \"https://a.example/\"\n",
    )
    .unwrap();
    make(&folder);
    let text = "include = [\"d/*.toml\"]\n";
    std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
    config::load(Path::new("monitors.toml"), &environment(directory.path())).map_err(|errors| {
        errors
            .to_string()
            .replace(&directory.path().display().to_string(), "/dir")
    })
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
}

#[test]
fn what_lies_in_the_folder_by_accident_does_no_harm() {
    let link = |to: &'static str, name: &'static str| {
        move |folder: &Path| std::os::unix::fs::symlink(to, folder.join(name)).unwrap()
    };
    let fine: [Make; 6] = [
        Box::new(link("root@host.4242:1700000000", ".#web.toml")),
        Box::new(link("web.toml", "z.toml")),
        Box::new(link("../monitors.toml", "self.toml")),
        Box::new(|folder| std::fs::create_dir(folder.join("old.toml")).unwrap()),
        Box::new(|folder| std::fs::write(folder.join("._web.toml"), b"\0\x05Mac OS X").unwrap()),
        Box::new(|folder| std::fs::write(folder.join("web.toml~"), "wrong").unwrap()),
    ];
    for make in fine {
        let config = included(make).unwrap();
        assert_eq!(config.monitors.len(), 1);
        assert_eq!(config.included[0].pattern, "d/*.toml");
        assert!(config.included[0].files.contains(&"d/web.toml".into()));
    }
    for (make, want) in [
        (
            Box::new(link("nowhere", "x.toml")) as Make,
            "cannot read `d/x.toml`: it is a link to `nowhere`, which is not there\n",
        ),
        (
            Box::new(|folder: &Path| fifo(&folder.join("x.toml"))),
            "cannot read `d/x.toml`: it is a pipe, and a regular file is needed\n",
        ),
        (
            Box::new(|folder: &Path| {
                drop(std::os::unix::net::UnixListener::bind(folder.join("x.toml")).unwrap());
            }),
            "cannot read `d/x.toml`: it is a socket, and a regular file is needed\n",
        ),
    ] {
        let said = included(make).unwrap_err();
        assert!(said.contains(want), "{said}");
        assert!(!said.contains("config example"), "{said}");
    }
}

#[test]
fn a_pattern_that_finds_nothing_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["d", "hidden", "folders/old.toml"] {
        std::fs::create_dir_all(directory.path().join(folder)).unwrap();
    }
    for name in ["d/web.toml", "hidden/.web.toml"] {
        let text = "[[monitor]]\nurl = \"https://a.example/\"\n";
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let warned = |include: &str| {
        let text = format!("include = [{include}]\n");
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let config = config::load(Path::new("monitors.toml"), &environment(directory.path()));
        let config = config.unwrap();
        let none = config.included.iter().filter(|one| one.files.is_empty());
        let matched = config.warnings.iter().filter(|line| line.contains("match"));
        let said: Vec<&str> = matched.map(String::as_str).collect();
        assert_eq!(none.count(), said.len(), "{include}");
        said.join(" ")
    };
    for pattern in [
        "nothere/*.toml",
        "d/*.tml",
        "d/web?.toml",
        "d/[a-c]*.toml",
        "**/none.toml",
        "/nothere/**/*.toml",
        "hidden/*.toml",
        "folders/*.toml",
        "${SECRET}/*.toml",
    ] {
        assert_eq!(
            warned(&format!("\"{pattern}\"")),
            format!("monitors.toml:1: `{pattern}` matches no file")
        );
    }
    for pattern in [
        "d/*.toml",
        "**/web.toml",
        "d/we[a-c].toml",
        "hidden/.*.toml",
    ] {
        assert_eq!(warned(&format!("\"{pattern}\"")), "");
    }
    // Each by itself, where it stands.
    assert_eq!(
        warned("\n  \"d/*.toml\",\n  \"e/*.toml\",\n  \"f/*.toml\",\n"),
        "monitors.toml:3: `e/*.toml` matches no file monitors.toml:4: `f/*.toml` matches no file"
    );
}

/// Runs `config check` on something; exit status and standard error.
fn checked(directory: &Path, file: &str, input: std::process::Stdio) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sitewatch"))
        .args(["config", "check", "-c", file])
        .current_dir(directory)
        .stdin(input)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn a_check_changes_nothing_and_waits_for_nobody() {
    use std::io::Write as _;
    let directory = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(directory.path().join("m.toml"), text).unwrap();
    let monitor = "[[monitor]]\nurl = \"https://a.example/\"\n";
    let check = |file: &str| checked(directory.path(), file, std::process::Stdio::null());
    for (text, last) in [
        (format!("{monitor}x = 1\n"), "1 error in m.toml\n"),
        (format!("{monitor}x = 1\ny = 2\n"), "2 errors in m.toml\n"),
        ("endpoints:\n- name: a\n".to_owned(), "1 error in m.toml\n"),
        ("[[monitor]\n".to_owned(), "1 error in m.toml\n"),
    ] {
        write(&text);
        let (code, said) = check("m.toml");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.ends_with(&format!("\n\n{last}")), "{said}");
    }
    // The other commands that read the whole file end alike.
    write(&format!("{monitor}x = 1\n"));
    for arguments in ["check", "config show", "email test", "run", "replay"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_sitewatch"))
            .args(arguments.split(' '))
            .args(["-c", "m.toml", "--database", "none.db"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {said}");
        assert!(
            said.ends_with("\n\n1 error in m.toml\n"),
            "{arguments}: {said}"
        );
    }
    write(&format!("include = [\"nothere/*.toml\"]\n{monitor}"));
    let (code, said) = check("m.toml");
    assert_eq!(code, Some(0), "{said}");
    let warning = "warning: m.toml:1: `nothere/*.toml` matches no file\n";
    assert!(said.contains(warning), "{said}");

    // Nobody writes into these.
    fifo(&directory.path().join("fifo"));
    for text in ["include = [\"fifo\"]\n", "include = [\"fif*\"]\n"] {
        write(text);
        let (code, said) = check("m.toml");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("`fifo`: it is a pipe"), "{said}");
    }
    let (code, said) = check("fifo");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("it is a pipe"), "{said}");
    // A shell's own pipe is read, and not without a bound.
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(monitor.as_bytes()).unwrap();
    drop(writer);
    let (code, said) = checked(directory.path(), "/dev/stdin", reader.into());
    assert_eq!(code, Some(0), "{said}");
    let (reader, mut writer) = std::io::pipe().unwrap();
    let endless = std::thread::spawn(move || while writer.write_all(&[b'#'; 1 << 16]).is_ok() {});
    let (code, said) = checked(directory.path(), "/dev/stdin", reader.into());
    endless.join().unwrap();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("it is larger than"), "{said}");
}

#[test]
fn only_files_are_read_and_nothing_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fifo(&path("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    let monitor = "[[monitor]]\nurl = \"https://a.example/\"\n";
    let email = "[email]\nhost = \"localhost\"\nfrom = \"a@b.example\"\nto = [\"a@b.example\"]\n";
    for (key, kind) in [
        ("fifo", "a pipe"),
        ("socket", "a socket"),
        ("/dev/zero", "a device"),
    ] {
        for text in [
            format!("{email}username = \"u\"\npassword_file = \"{key}\"\n"),
            format!("{email}ca_file = \"{key}\"\n"),
            format!("[web]\nlisten = \"127.0.0.1:1\"\ntoken_file = \"{key}\"\n"),
            format!("{monitor}ca_file = \"{key}\"\n"),
            format!("{monitor}body_file = \"{key}\"\n"),
            format!("{monitor}bearer_token_file = \"{key}\"\n"),
            format!("{monitor}basic_auth = {{ username = \"u\", password_file = \"{key}\" }}\n"),
            format!(
                "{monitor}client_certificate = {{ cert_file = \"{key}\", key_file = \"{key}\" }}\n"
            ),
            format!("include = [\"{key}\"]\n"),
        ] {
            std::fs::write(path("monitors.toml"), &text).unwrap();
            let loaded = config::load(Path::new("monitors.toml"), &environment(directory.path()));
            let said = loaded.unwrap_err().to_string();
            let want = format!("it is {kind}, and a regular file is needed");
            assert!(said.contains(&want), "{text}{said}");
        }
    }
    for name in ["fifo", "socket"] {
        let said = config::load(Path::new(name), &environment(directory.path()))
            .unwrap_err()
            .to_string();
        assert!(said.contains("a regular file is needed"), "{said}");
    }
    let null = Path::new("/dev/null");
    assert!(config::load(null, &environment(directory.path())).is_ok());
    assert!(config::load_again(null, &environment(directory.path())).is_ok());
}

#[test]
fn a_pipe_is_read_once_and_not_by_a_daemon_that_runs() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    let directory = tempfile::tempdir().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer
        .write_all(b"[[monitor]]\nurl = \"https://a.example/\"\n")
        .unwrap();
    drop(writer);
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    let environment = environment(directory.path());
    let again = config::load_again(Path::new(&path), &environment).unwrap_err();
    assert!(again.to_string().contains("it is a pipe"), "{again}");
    let config = config::load(Path::new(&path), &environment).unwrap();
    assert_eq!(config.monitors.len(), 1);
}

#[test]
fn the_advice_to_write_a_file_never_costs_one() {
    let directory = tempfile::tempdir().unwrap();
    let environment = environment(directory.path());
    let said = |name: &str| {
        config::load(Path::new(name), &environment)
            .unwrap_err()
            .to_string()
    };
    let advice = "`sitewatch config example > monitors.toml` writes one to begin with";
    assert!(said("other.toml").contains(advice));
    std::fs::write(
        directory.path().join("monitors.toml"),
        "include = [\"none.toml\"]\n",
    )
    .unwrap();
    assert!(!said("other.toml").contains(advice));
    assert!(!said("monitors.toml").contains(advice));
}
