//! The examples of `docs/alerts.md`, so that the page cannot go stale.

use std::time::Duration;

use super::scene;
use crate::domain::check::FailureKind;
use crate::domain::duration_text;
use crate::domain::incident::IncidentKey;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::MailKind;
use crate::domain::recipient::Recipient;
use crate::domain::settings::{AlertSettings, Flapping, OpeningHours};
use crate::domain::timestamp::Timestamp;
use crate::domain::week::OpenTime;
use crate::policy::outbox::collecting::CauseKey;
use crate::policy::outbox::hours::Hours;
use crate::policy::outbox::simulate::{Decided, rehearse};

const PAGE: &str = include_str!("../../../../docs/alerts.md");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/alerts.md");

/// What leaves for one recipient with the default settings: `DOWN shop 0s, UP shop 100s, DOWN api 110s 404`. With
/// `open(Mon-Fri 08:00-18:00)` before them it begins on a Monday at 17:00.
fn leaves(events: &str) -> String {
    const START: Timestamp = Timestamp::from_ms(1_795_453_200_000);
    let ops = || vec![Recipient::restored("ops@example.com").unwrap()];
    let (hours, events) = match events
        .strip_prefix("open(")
        .and_then(|it| it.split_once("), "))
    {
        Some((open, events)) => {
            let open = open.split(", ").map(|line| OpenTime::parse(line).unwrap());
            let entry = OpeningHours {
                to: ops(),
                open: open.collect(),
            };
            (Hours::new(vec![entry], jiff::tz::TimeZone::UTC), events)
        }
        None => (Hours::default(), events),
    };
    let has_hours = !hours.entries().is_empty();
    let settings = AlertSettings {
        group_wait: Duration::from_secs(10),
        group_limit: 3,
        group_interval: Duration::from_secs(60),
        reminder: None,
        recovery: true,
        flapping: Flapping::default(),
        certificate_expiry: Vec::new(),
    };
    let events: Vec<Vec<&str>> = events
        .split(", ")
        .map(|event| event.split(' ').collect())
        .collect();
    let number = |name: &str| events.iter().position(|event| event[1] == name).unwrap();
    let decided: Vec<Decided> = events
        .iter()
        .map(|event| {
            let monitor = MonitorId(i64::try_from(number(event[1])).unwrap());
            Decided {
                at: START.plus(duration_text::parse(event[2]).unwrap()),
                kind: MailKind::parse(&event[0].to_ascii_lowercase()).unwrap(),
                monitor,
                incident: Some(IncidentKey {
                    monitor,
                    opened_at: START,
                }),
                cause: event[0].ends_with("DOWN").then(|| CauseKey {
                    kind: FailureKind::Status,
                    status: event.get(3).map_or(Some(503), |word| word.parse().ok()),
                }),
                to: ops(),
                again: Vec::new(),
            }
        })
        .collect();
    let end = START.plus(Duration::from_secs(86_400));
    let lines: Vec<String> = rehearse(|_| settings.clone(), &hours, &decided, &[], end)
        .iter()
        .map(|sending| {
            let kind = sending.kind.as_str().to_ascii_uppercase();
            let mut names: Vec<&str> = sending
                .tells
                .iter()
                .map(|place| events[*place][1])
                .collect();
            names.dedup();
            let after = sending.at.since(START);
            let names = names.join(" ");
            match has_hours {
                true => format!("{} {kind} {names}", duration_text::Human(after)),
                false => format!("{}s {kind} {names}", after.as_secs()),
            }
        })
        .collect();
    lines.join("\n")
}

/// All that follows from the events of one example.
fn follows(kind: &str, events: &str) -> String {
    if kind == "mails" {
        return leaves(events);
    }
    let timeline = if events.contains(';') {
        events.to_owned()
    } else {
        format!("; {events}")
    };
    let follows = scene::run(&timeline, false);
    assert_eq!(
        scene::run(&timeline, true),
        follows,
        "with restarts: {events}"
    );
    follows
}

/// The page with what really follows from the events of each example, and how many examples there are.
fn page_as_it_should_be() -> (String, usize) {
    let (mut page, mut examples) = (String::new(), 0);
    let mut write = |lines: &str| {
        page.push_str(lines);
        page.push('\n');
    };
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        write(line);
        let Some(kind @ ("timeline" | "mails")) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n");
        for (index, example) in block.split("\n\n").enumerate() {
            if index > 0 {
                write("");
            }
            let (events, _) = example.split_once('\n').unwrap_or((example, ""));
            write(events);
            let follows = follows(kind, events);
            if !follows.is_empty() {
                write(&follows);
            }
            examples += 1;
        }
        write("```");
    }
    (page, examples)
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a person asks by the environment to accept what follows now"
)]
fn the_examples_come_out_as_the_page_says() {
    let (page, examples) = page_as_it_should_be();
    assert!(examples >= 20, "only {examples} examples");
    if std::env::var_os("SITEWATCH_BLESS").is_some() {
        std::fs::write(PATH, page).unwrap();
        return;
    }
    for (now, said) in page.lines().zip(PAGE.lines()) {
        assert_eq!(
            now, said,
            "docs/alerts.md says something else; if this is right, accept it with \
             `SITEWATCH_BLESS=1 cargo test`, and see whether the words around it are still true"
        );
    }
    assert_eq!(page, PAGE);
}
