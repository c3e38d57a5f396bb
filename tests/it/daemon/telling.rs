//! Escalation and opening hours through the real daemon, over a `kill -9` and a reload.

use serde_json::Value;
use sitewatch::clock;

use super::channels::Hook;
use super::{House, Site, monitor, text};

/// Three days from now, for an hour: closed for the whole of a test.
pub(super) fn another_day() -> String {
    let today = clock::now().in_zone(&jiff::tz::TimeZone::UTC).weekday();
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let then = (usize::try_from(today.to_monday_zero_offset()).unwrap() + 3) % 7;
    format!("{} 10:00-11:00", days[then])
}

fn config(site: &Site, hook: &Hook, hours: &str) -> String {
    let shop = monitor("shop", site.port);
    format!(
        "{}\nto = [\"ops@example.com\", \"office@example.com\"]\n\n{}\
         [[escalation]]\nafter = \"2s\"\nto = [\"hook\"]\n\n{hours}",
        shop.trim_end(),
        hook.config("")
    )
}

fn lines(house: &House, arguments: &[&str]) -> Vec<Value> {
    let output = text(&house.ask(arguments).stdout);
    let lines = output.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn more_people_hear_of_an_outage_and_others_in_the_morning() {
    let (site, hook) = (Site::start(503), Hook::start(&[]));
    let house = House::new("");
    let hours = format!(
        "[[hours]]\nto = [\"office@example.com\"]\nopen = [\"{}\"]\n",
        another_day()
    );
    house.configure("1s", &config(&site, &hook, &hours));
    let daemon = house.start().await;
    house
        .until("DOWN by mail, ESCALATED by the channel", || {
            house.mails().len() == 1 && hook.came().len() == 1
        })
        .await;
    assert_eq!(house.subjects(), ["[DOWN 503] shop"]);
    assert_eq!(hook.summaries(), ["ESCALATED 2s shop"]);
    let told = &hook.came()[0].body;
    assert_eq!(
        (&told["kind"], &told["state"]),
        (&"escalated".into(), &"down".into())
    );

    let queue = lines(&house, &["email", "queue", "--json"]);
    assert_eq!(queue.len(), 1, "{queue:?}");
    let held = &queue[0];
    assert_eq!(
        (&held["to"], &held["kind"]),
        (&"office@example.com".into(), &"down".into())
    );
    assert_eq!(held["held"]["by"], "hours");
    let until: jiff::Timestamp = held["held"]["until"].as_str().unwrap().parse().unwrap();
    assert!(until > clock::now().to_jiff(), "{held}");
    assert_eq!(held["next_attempt_at"], held["held"]["until"]);
    let incident = lines(&house, &["incidents", "--json"]).remove(0);
    assert!(incident["escalated_at"].is_string(), "{incident}");
    assert_eq!(incident["id"], told["incident"]);
    let why = lines(&house, &["why", "shop", "--json"]).remove(0);
    let by_hours = why["holds"].as_array().unwrap().iter();
    let by_hours =
        by_hours.filter(|hold| hold["by"] == "hours" && hold["to"][0] == "office@example.com");
    assert_eq!(by_hours.count(), 1, "{why}");
    let status = text(&house.ask(&["status"]).stdout);
    assert!(
        status.contains("1 mail waiting · 1 of them for the hours of its recipient"),
        "{status}"
    );
    let retried = text(&house.ask(&["email", "retry"]).stdout);
    assert!(
        retried.contains("1 mail waits for the opening hours of the recipients"),
        "{retried}"
    );

    // Killed and started again, it tells nobody anything twice, and holds what it held.
    drop(daemon);
    let without_daemon = text(&house.ask(&["email", "retry"]).stdout);
    assert!(
        without_daemon.contains("1 mail waits for the opening hours of the recipients"),
        "{without_daemon}"
    );
    site.answers(200);
    let _daemon = house.start().await;
    house
        .until("UP to those who were told", || {
            house.mails().len() == 2 && hook.came().len() == 2
        })
        .await;
    assert!(
        hook.summaries()[1].starts_with("UP after "),
        "{:?}",
        hook.summaries()
    );
    assert_eq!(lines(&house, &["email", "queue", "--json"]).len(), 2);

    // Without hours everything leaves: of an outage that is over, one mail.
    house.configure("1s", &config(&site, &hook, ""));
    assert!(house.ask(&["reload"]).status.success());
    house
        .until("WAS DOWN to the office", || house.mails().len() == 3)
        .await;
    let last = house
        .subjects()
        .into_iter()
        .find(|subject| subject.starts_with("[WAS DOWN "));
    assert!(last.is_some(), "{:?}", house.subjects());
    house
        .until("an empty queue", || {
            lines(&house, &["email", "queue", "--json"]).is_empty()
        })
        .await;
    assert_eq!(hook.came().len(), 2);
}

#[tokio::test]
async fn an_acknowledged_outage_is_not_escalated() {
    let (site, hook) = (Site::start(503), Hook::start(&[]));
    let house = House::new("");
    house.configure("5s", &config(&site, &hook, ""));
    let _daemon = house.start().await;
    // The step comes after 2 s and leaves 5 s after it.
    house
        .until("the step is decided", || {
            let queue = lines(&house, &["email", "queue", "--json"]);
            queue.iter().any(|row| row["kind"] == "escalated")
        })
        .await;
    assert!(house.ask(&["ack", "shop"]).status.success());
    // One file for both.
    house.until("DOWN", || house.mails().len() == 1).await;
    house
        .until("nothing waits", || {
            lines(&house, &["email", "queue", "--json"]).is_empty()
        })
        .await;
    assert_eq!(hook.came().len(), 0);
    let incident = lines(&house, &["incidents", "--json"]).remove(0);
    assert_eq!(incident["escalated_at"], Value::Null, "{incident}");
    assert_eq!(incident["mails"].as_array().unwrap().len(), 2, "{incident}");
    // The past, once more: the acknowledgement holds there as well.
    let replayed = lines(&house, &["replay", "--since", "1h", "--json"]);
    let would = |kind: &str| {
        let rows = replayed.iter().filter(|row| row["kind"] == kind);
        rows.filter(|row| row["would_be_sent_at"].is_string())
            .count()
    };
    assert_eq!((would("down"), would("escalated")), (1, 0), "{replayed:?}");
}
