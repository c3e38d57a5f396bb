//! Every JSON object of the commands, held against `docs/api.schema.json`.

use std::collections::BTreeSet;

use sitewatch::domain::check::FailureKind;
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::notification::{About, Letter, MailKind, News, Notice};
use sitewatch::domain::recipient::Recipient;

use super::*;
use crate::support::schema;

const API: &str = include_str!("../../../docs/api.md");

/// Mails of the open outage of `shop`: one that waits, one that was refused.
fn queue_mails(place: &Place) {
    let opened_at = Timestamp::from_ms(START + 3 * 60_000);
    let now = Timestamp::from_ms(START + 5 * 60_000);
    let mut store = Store::open(&place.path("s.db"), now).unwrap();
    let mut batch = store.batch().unwrap();
    let letter = Letter {
        notice: Notice {
            about: Some(About {
                monitor: MonitorId(1),
                name: MonitorName::parse("shop").unwrap(),
                url: "https://shop.example/".into(),
            }),
            news: News::Down {
                incident: IncidentKey {
                    monitor: MonitorId(1),
                    opened_at,
                },
                cause: Cause {
                    failure: failure(503),
                    status: Some(503),
                },
                up_since: None,
                check: Box::new(check(opened_at, 503)),
                checks_failed: 3,
                last_good: None,
                held: None,
                locations: Vec::new(),
            },
            decided_at: now,
        },
        message_id: "1-down@example.com".into(),
        to: vec![Recipient::restored("ops@example.com").unwrap()],
    };
    batch.enqueue(&letter, now).unwrap();
    batch.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_is_documented() {
    let site = Site::plain(|_| redirect(302, "https://127.0.0.1:1/")).await;
    let place = Place::with_history();
    queue_mails(&place);
    fs::write(
        place.path("new.toml"),
        "[daemon]\ndatabase = \"s.db\"\n\
         [email]\ndirectory = \"out\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n\
         [[monitor]]\nname = \"shop\"\nurl = \"https://shop.example/\"\n",
    )
    .unwrap();
    let file = place.path("monitors.toml");
    let objective = "[[objective]]\nname = \"Both\"\nuptime = 99.9\n";
    let text = fs::read_to_string(&file).unwrap() + objective;
    fs::write(&file, text).unwrap();
    let url = site.url("/");
    let mut found = BTreeSet::new();
    for arguments in [
        vec!["check", &url, "--json"],
        vec!["history", "--json"],
        vec!["status", "--json"],
        vec!["incidents", "--json"],
        vec!["why", "shop", "--json"],
        vec!["report", "--period", "2026-11-22", "--json"],
        vec!["report", "--period", "2026-11-22", "--explain", "--json"],
        vec!["explain", "404", "--json"],
        vec!["explain", "577", "--json"],
        vec!["explain", "5xx", "--json"],
        vec!["explain", "tls_expired", "--json"],
        vec!["email", "queue", "--json"],
        vec!["events", "--after", "oldest", "--json"],
        vec![
            "replay",
            "--config",
            "new.toml",
            "--since",
            "2026-11-22",
            "--json",
        ],
        vec!["email", "test", "--config", "new.toml", "--json"],
    ] {
        let ran = place.run(&arguments);
        let names = schema::assert_output(&arguments, &ran.stdout);
        assert!(!names.is_empty(), "{arguments:?}: {}", ran.stderr);
        found.extend(names);
    }
    let document = schema::document();
    for (name, definition) in schema::defs(&document) {
        let of_a_command = definition["description"]
            .as_str()
            .is_some_and(|text| text.contains("--json`"));
        assert!(
            // An incident's evidence needs a daemon: `daemon::evidence` holds it against the schema.
            !of_a_command || found.contains(name.as_str()) || name == "evidence",
            "`{name}` is documented and was not seen"
        );
    }
}

#[test]
fn explained_words_are_whole() {
    let place = Place::new("");
    for kind in FailureKind::ALL {
        place.run(&["explain", kind.as_str(), "--json"]);
    }
}

#[test]
fn the_words_of_the_schema_are_those_of_the_program() {
    let document = schema::document();
    let words = |name: &str| -> BTreeSet<String> {
        let words = document["$defs"][name]["enum"].as_array().unwrap();
        words
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let kinds = FailureKind::ALL.iter().map(|kind| kind.as_str().to_owned());
    assert_eq!(words("kind"), kinds.collect());
    let mails = MailKind::ALL.iter().map(|kind| kind.as_str().to_owned());
    assert_eq!(words("mail_kind"), mails.collect());
}

#[test]
fn the_page_names_every_object_and_no_other() {
    let document = schema::document();
    let defs = schema::defs(&document);
    let named: BTreeSet<&str> = API
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| ")?
                .rsplit(" | `")
                .next()?
                .strip_suffix("` |")
        })
        .collect();
    let known: BTreeSet<&str> = defs
        .iter()
        .filter(|(_, definition)| {
            let text = definition["description"].as_str().unwrap_or_default();
            text.contains("--json`") || text.contains("`/")
        })
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(named, known);
}
