//! What people say of an incident afterwards, and what scripts are told.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::{House, Site, monitor, text};

fn lines(house: &House, arguments: &[&str]) -> Vec<Value> {
    let output = house.ask(arguments);
    assert!(output.status.success(), "{output:?}");
    let output = text(&output.stdout);
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn one(house: &House, arguments: &[&str]) -> Value {
    let mut lines = lines(house, arguments);
    assert_eq!(lines.len(), 1, "{arguments:?}");
    lines.remove(0)
}

/// The shop after an outage that is over.
async fn after_an_outage(site: &Site, house: &House) -> super::Daemon {
    let daemon = house.start().await;
    house
        .until("it is down", || house.open_incidents() == 1)
        .await;
    house
        .until("the DOWN mail", || house.mails().len() == 1)
        .await;
    site.answers(200);
    house
        .until("the UP mail", || house.mails().len() == 2)
        .await;
    daemon
}

/// A report of the shop without its end, which moves on.
fn report(house: &House, raw: bool) -> Value {
    let period = "2000-01-01..2100-01-01";
    let mut arguments = vec!["report", "shop", "--json", "--period", period];
    arguments.extend(raw.then_some("--raw"));
    one(house, &arguments)
}

#[tokio::test]
async fn an_amended_incident_counts_as_ordered_until_that_is_taken_back() {
    let site = Site::start(503);
    let house = House::new(&monitor("shop", site.port));
    let daemon = after_an_outage(&site, &house).await;
    // From here on the figures stand still.
    house.ask(&["pause", "shop"]);
    let before = report(&house, false);
    assert_eq!(
        (&before["outages"], &before["amendments"]),
        (&1.into(), &0.into())
    );
    let whole = |report: &Value| -> f64 {
        ["up_s", "degraded_s", "downtime_s", "maintenance_s"]
            .iter()
            .map(|key| report[*key].as_f64().unwrap())
            .sum()
    };
    let down = before["downtime_s"].as_f64().unwrap();
    for (counts_as, gains) in [("maintenance", "maintenance_s"), ("false-alarm", "up_s")] {
        let said = house.ask(&[
            "amend",
            "shop",
            "--as",
            counts_as,
            "--note",
            "switch firmware",
        ]);
        assert!(said.status.success(), "{said:?}");
        let after = report(&house, false);
        assert_eq!(
            (&after["outages"], &after["downtime_s"]),
            (&0.into(), &0.into())
        );
        let gained = after[gains].as_f64().unwrap() - before[gains].as_f64().unwrap();
        assert!((gained - down).abs() < 0.01, "{after}");
        assert!((whole(&after) - whole(&before)).abs() < 0.01, "{after}");
        assert_eq!(after["raw"]["downtime_s"], before["downtime_s"], "{after}");
        assert_eq!(report(&house, true)["downtime_s"], before["downtime_s"]);
        let incident = one(&house, &["incidents", "shop", "--json"]);
        assert_eq!(incident["amended"]["as"], counts_as);
        assert_eq!(incident["amended"]["note"], "switch firmware");
        let undone = house.ask(&["amend", incident["id"].as_str().unwrap(), "--undo"]);
        assert!(undone.status.success(), "{undone:?}");
        let again = report(&house, false);
        for key in [
            "uptime_percent",
            "up_s",
            "downtime_s",
            "outages",
            "mttr_s",
            "raw",
        ] {
            assert_eq!(again[key], before[key], "{key}");
        }
    }
    let table = text(&house.ask(&["amend", "shop", "--as", "real"]).stdout);
    assert!(table.contains("counts as an outage"), "{table}");
    let table = text(&house.ask(&["report", "shop"]).stdout);
    assert!(table.contains("before 1 amendment)"), "{table}");
    let table = text(&house.ask(&["incidents", "shop"]).stdout);
    assert!(table.contains("AMENDED real by "), "{table}");
    for (wrong, says) in [
        (
            &["amend", "shap", "--as", "real"][..],
            "no incident and no monitor `shap`",
        ),
        (
            &["amend", "1-17", "--undo"],
            "no incident and no monitor `1-17`",
        ),
        (&["amend", "shop", "--as", "planned"], "false-alarm"),
        (&["amend", "shop"], "--as"),
        (&["note", "shop", " "], "a note needs a text"),
    ] {
        let refused = house.ask(wrong);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(text(&refused.stderr).contains(says), "{refused:?}");
    }
    drop(daemon);
}

#[tokio::test]
async fn each_change_comes_once_and_in_order_and_goes_on_after_a_cursor() {
    let site = Site::start(503);
    let house = House::new(&monitor("shop", site.port));
    let follow = |after: &str, to: &str| {
        let out = fs::File::create(house.path().join(to)).unwrap();
        let mut command = house.command(&["events", "--follow", "--json", "--after", after]);
        super::Daemon(command.stdout(out).stderr(Stdio::null()).spawn().unwrap())
    };
    let daemon = after_an_outage(&site, &house).await;
    let following = follow("oldest", "first");
    house.ask(&["note", "shop", "--public", "we look into it"]);
    house.ask(&["maintenance", "shop", "--for", "1h", "--note", "disks"]);
    drop(daemon); // kill -9
    let _daemon = house.start().await;
    let told = |to: &str| -> Vec<Value> {
        let text = fs::read_to_string(house.path().join(to)).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    };
    house
        .until("the gap is told", || {
            told("first").iter().any(|event| event["type"] == "gap")
        })
        .await;
    drop(following);
    let all = lines(&house, &["events", "--json", "--after", "oldest"]);
    let followed = told("first");
    assert_eq!(
        followed[..],
        all[..followed.len()],
        "followed or asked for: the same"
    );
    let cursors: Vec<i64> = all
        .iter()
        .map(|event| event["cursor"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(cursors.is_sorted_by(|a, b| a < b), "{cursors:?}");
    let short: Vec<String> = all
        .iter()
        .map(|event| {
            let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
            match event["type"].as_str().unwrap() {
                "state" => format!("{} to {}", word("from"), word("to")),
                "delivery" => format!("{} {}", word("kind"), word("outcome")),
                "order" => format!("order {}", word("order")),
                _ => word("reason"),
            }
        })
        .filter(|line| line != "stopped" && line != "up to unknown" && line != "unknown to up")
        .collect();
    assert_eq!(
        short,
        [
            "pending to down",
            "down queued",
            "down sent",
            "down to up",
            "up queued",
            "up sent",
            "order note",
            "order maintenance"
        ]
    );
    let order = all
        .iter()
        .find(|event| event["order"] == "maintenance")
        .unwrap();
    assert_eq!(order["args"]["note"], "disks");
    assert_eq!(order["by"]["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(order["monitor"], "shop");
    // Exclusive; the newest has none after it, another database's has no place here.
    let after = |cursor: &str| lines(&house, &["events", "--json", "--after", cursor]);
    assert_eq!(after(&cursors[0].to_string())[..], all[1..]);
    let gone = house.ask(&["events", "--after", "999999"]);
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert!(
        text(&gone.stderr).contains("is not of this database"),
        "{gone:?}"
    );
    assert_eq!(
        house.ask(&["events", "--after", "x"]).status.code(),
        Some(2)
    );
    // The table is for people.
    let table = text(&house.ask(&["events"]).stdout);
    assert!(
        table.contains("state     shop: pending to down (503"),
        "{table}"
    );
    assert!(
        table.contains("order     shop: note of incident "),
        "{table}"
    );
    let incident = one(&house, &["incidents", "shop", "--json"]);
    assert_eq!(incident["notes"][0]["text"], "we look into it");
    assert_eq!(incident["notes"][0]["public"], true);
}
