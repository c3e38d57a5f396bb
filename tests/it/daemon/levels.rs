//! Alertmanager through the real daemon: two web servers as its instances.

use serde_json::Value;

use super::channels::{Act, Came, Hook};
use super::telling::another_day;
use super::{House, Site, monitor, text};

fn house(hooks: [&Hook; 2], site: &Site) -> House {
    let house = House::new("");
    let shop = monitor("shop", site.port).trim_end().to_owned();
    let [one, two] = hooks.map(|hook| hook.port);
    let config = format!(
        "{shop}\nto = [\"ops@example.com\", \"am\"]\nnote = \"call Kim\"\n\n[[channel]]\nname = \"am\"\n\
         format = \"alertmanager\"\nurls = [\"http://127.0.0.1:{one}\", \"http://127.0.0.1:{two}/below/\"]\n\
         labels = {{ team = \"web\" }}\ntoken = \"t0ken-value\"\n\n"
    );
    house.configure("1s", &config);
    house
}

fn alerts(hook: &Hook) -> Vec<Value> {
    let came: Vec<Came> = hook.came();
    let posts = came
        .iter()
        .map(|came| came.body.as_array().unwrap().clone());
    posts.flatten().collect()
}

/// The deliveries of the newest incident to the channel.
fn deliveries(house: &House) -> Vec<Value> {
    let output = text(&house.ask(&["incidents", "--json"]).stdout);
    let incident: Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
    let mails = incident["mails"].as_array().unwrap().clone();
    mails
        .into_iter()
        .filter(|mail| mail["to"] == "am")
        .collect()
}

#[tokio::test]
async fn an_incident_is_posted_to_every_instance_until_each_has_its_end() {
    let site = Site::start(503);
    let (first, second) = (Hook::start(&[]), Hook::start(&[Act::Answer(500, "")]));
    let house = house([&first, &second], &site);
    let daemon = house.start().await;
    house
        .until("both are shown it", || {
            first.came().len() == 1 && second.came().len() == 2
        })
        .await;
    house
        .until("that is written", || {
            deliveries(&house)
                .iter()
                .any(|one| one["sent_at"].is_string())
        })
        .await;
    let alert = &alerts(&first)[0];
    assert_eq!(alerts(&second)[0]["labels"], alert["labels"]);
    let labels = &alert["labels"];
    assert_eq!(labels["alertname"], "SiteDown");
    assert_eq!(labels["monitor"], "shop");
    assert_eq!(
        labels["instance"],
        format!("http://127.0.0.1:{}/", site.port)
    );
    assert_eq!(labels["team"], "web");
    assert_eq!(labels.as_object().unwrap().len(), 5);
    assert_eq!(alert["annotations"]["summary"], "DOWN 503 shop");
    assert_eq!(alert["annotations"]["note"], "call Kim");
    let output = text(&house.ask(&["incidents", "--json"]).stdout);
    let incident: Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
    assert_eq!(alert["startsAt"], incident["opened_at"]);
    assert!(alert["endsAt"].as_str() > alert["startsAt"].as_str());
    assert!(
        second.came()[0]
            .head
            .starts_with("POST /below/api/v2/alerts HTTP/1.1\r\n")
    );
    assert!(first.came()[0].head.contains("Bearer t0ken-value"));
    assert!(house.ask(&["email", "queue", "--json"]).stdout.is_empty());

    // A killed daemon posts it again at once, and does not wait for the minute.
    drop(daemon);
    let daemon = house.start().await;
    house
        .until("it is posted again", || first.came().len() == 2)
        .await;
    let again = &alerts(&first)[1];
    assert_eq!(again["labels"], alert["labels"]);
    assert_eq!(again["startsAt"], alert["startsAt"]);
    assert!(again["endsAt"].as_str() > alert["endsAt"].as_str());

    // The end is posted until each has it, also by another process.
    drop(daemon);
    let _daemon = house.start().await;
    site.answers(200);
    house
        .until("the end is written", || {
            let sent = deliveries(&house);
            sent.len() == 2 && sent.iter().all(|one| one["sent_at"].is_string())
        })
        .await;
    let output = text(&house.ask(&["incidents", "--json"]).stdout);
    let incident: Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
    for hook in [&first, &second] {
        let alerts = alerts(hook);
        assert_eq!(alerts.last().unwrap()["endsAt"], incident["closed_at"]);
    }
    let kinds: Vec<Value> = deliveries(&house)
        .iter()
        .map(|one| one["kind"].clone())
        .collect();
    assert_eq!(kinds, ["down", "up"]);
    assert_eq!(deliveries(&house)[0]["channel"], "alertmanager");
    assert_eq!(deliveries(&house)[0]["message_id"], incident["id"]);
    house.until("UP by mail", || house.mails().len() == 2).await;
}

#[tokio::test]
async fn an_instance_that_is_gone_pauses_and_the_other_goes_on() {
    let site = Site::start(503);
    let (first, second) = (Hook::start(&[]), Hook::start(&[Act::Answer(404, ""); 3]));
    let house = house([&first, &second], &site);
    let _daemon = house.start().await;
    house
        .until("DOWN and TROUBLE by mail", || house.mails().len() == 2)
        .await;
    assert_eq!(first.came().len(), 1);
    let status = text(&house.ask(&["status"]).stdout);
    let place = format!("THE CHANNEL am at 127.0.0.1:{} IS STUCK", second.port);
    assert!(status.contains(&place), "{status}");
    assert!(!status.contains(&first.port.to_string()), "{status}");
    house.ask(&["email", "retry"]);
    house
        .until("it is tried again", || second.came().len() == 2)
        .await;
    assert_eq!(house.mails().len(), 2, "told once: {:?}", house.subjects());
}

#[tokio::test]
async fn what_holds_a_down_holds_an_alert_and_a_test_asks_every_instance() {
    let site = Site::start(200);
    let (first, second) = (Hook::start(&[]), Hook::start(&[]));
    let house = house([&first, &second], &site);
    let _daemon = house.start().await;
    let tested = house.ask(&["channel", "test", "am"]);
    assert_eq!(tested.status.code(), Some(0), "{}", text(&tested.stderr));
    assert!(!text(&tested.stdout).contains("t0ken-value"));
    for hook in [&first, &second] {
        assert_eq!(alerts(hook)[0]["labels"]["alertname"], "SitewatchTest");
    }
    house
        .until("a first check", || {
            !house.ask(&["history", "--json"]).stdout.is_empty()
        })
        .await;
    house.ask(&["mute", "shop", "--for", "1h"]);
    site.answers(503);
    house
        .until("the incident", || house.open_incidents() == 1)
        .await;
    assert_eq!(first.came().len(), 1);
    assert_eq!(deliveries(&house), Vec::<Value>::new());
    house.ask(&["unmute", "shop"]);
    house
        .until("it is shown", || {
            first.came().len() == 2 && second.came().len() == 2
        })
        .await;
}

fn add(house: &House, text: &str) {
    let path = house.path().join("monitors.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, before + text).unwrap();
}

/// Hours are of recipients who read; Alertmanager has its own, and is shown an incident while mail waits for morning.
#[tokio::test]
async fn hours_of_others_do_not_hold_an_alert_and_those_of_a_level_are_an_error() {
    let site = Site::start(503);
    let (first, second) = (Hook::start(&[]), Hook::start(&[]));
    let house = house([&first, &second], &site);
    let hours = |to: &str| {
        format!(
            "\n[[hours]]\nto = [\"{to}\"]\nopen = [\"{}\"]\n",
            another_day()
        )
    };
    add(&house, &hours("ops@example.com"));
    let _daemon = house.start().await;
    house
        .until("both are shown it", || {
            first.came().len() == 1 && second.came().len() == 1
        })
        .await;
    house
        .until("the mail waits for its hours", || {
            let queue = text(&house.ask(&["email", "queue", "--json"]).stdout);
            queue.contains("\"by\":\"hours\"")
        })
        .await;
    site.answers(200);
    house
        .until("the end is shown", || {
            let has_ended = |hook: &Hook| alerts(hook).len() > 1;
            has_ended(&first) && has_ended(&second)
        })
        .await;
    assert!(house.mails().is_empty(), "{:?}", house.subjects());
    add(&house, &hours("am"));
    let checked = house.ask(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(2));
    let said = text(&checked.stderr) + &text(&checked.stdout);
    assert!(said.contains("`am`") && said.contains("hours"), "{said}");
}
