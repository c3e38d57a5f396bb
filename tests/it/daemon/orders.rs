//! Orders are kept with who gave them and when, and shown where people look.

use serde_json::Value;

use super::{House, Site, monitor, text};

/// What `status --json` says of the orders in force for a monitor: word, note, and that this user gave it.
fn in_force(house: &House, name: &str) -> Vec<String> {
    let status = text(&house.ask(&["status", name, "--json"]).stdout);
    let status: Value = serde_json::from_str(&status).unwrap();
    let orders = status["orders"].as_array().unwrap();
    orders
        .iter()
        .map(|order| {
            assert_eq!(
                order["by"]["uid"],
                rustix::process::geteuid().as_raw(),
                "{order}"
            );
            let at = order["at"].as_str().unwrap();
            assert!(at.ends_with('Z'), "{order}");
            let note = order["note"].as_str().unwrap_or("-");
            format!("{} {note}", order["order"].as_str().unwrap())
        })
        .collect()
}

fn ordered(house: &House, arguments: &[&str]) -> String {
    let output = house.ask(arguments);
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout)
}

#[tokio::test]
async fn who_gave_an_order_is_kept_and_shown() {
    let site = Site::start(503);
    let tagged =
        |name: &str| monitor(name, site.port).trim_end().to_owned() + "\ntags = [\"prod\"]\n\n";
    let house = House::new(&(tagged("shop") + &tagged("blog") + &monitor("lab", site.port)));
    let daemon = house.start().await;
    house
        .until("all are down", || house.open_incidents() == 3)
        .await;

    assert_eq!(
        ordered(&house, &["mute", "--tag", "prod"]),
        "2 monitors muted\n"
    );
    assert_eq!(in_force(&house, "blog"), ["mute -"]);
    assert_eq!(in_force(&house, "lab"), Vec::<String>::new());
    let wrong = house.ask(&["ack", "--tag", "prud", "--tag", "prod"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert_eq!(
        text(&wrong.stderr),
        "error: no enabled monitor has the tag `prud`\n"
    );
    ordered(&house, &["ack", "shop", "--note", "on it"]);
    assert_eq!(in_force(&house, "shop"), ["mute -", "ack on it"]);
    ordered(&house, &["pause", "--all"]);
    assert_eq!(in_force(&house, "lab"), ["pause -"]);

    // As it stands in the tables, over a kill of the daemon.
    drop(daemon);
    let status = text(&house.ask(&["status", "blog"]).stdout);
    assert!(status.contains("muted by "), "{status}");
    let incidents = text(&house.ask(&["incidents", "shop"]).stdout);
    assert!(
        incidents.contains("(acked by ") && incidents.contains(": on it)"),
        "{incidents}"
    );
    let incidents = text(&house.ask(&["incidents", "shop", "--json"]).stdout);
    let incident: Value = serde_json::from_str(&incidents).unwrap();
    assert_eq!(
        incident["acked_by"]["uid"],
        rustix::process::geteuid().as_raw()
    );
    let incidents = text(&house.ask(&["incidents", "blog", "--json"]).stdout);
    let incident: Value = serde_json::from_str(&incidents).unwrap();
    assert_eq!(incident["acked_by"], Value::Null);
}

#[tokio::test]
async fn what_was_refused_is_no_order() {
    let site = Site::start(200);
    let house = House::new(&(monitor("shop", site.port) + &monitor("blog", site.port)));
    let _daemon = house.start().await;
    ordered(&house, &["pause", "shop"]);
    let first = in_force(&house, "shop");
    let at = |house: &House| {
        let status = text(&house.ask(&["status", "shop", "--json"]).stdout);
        let status: Value = serde_json::from_str(&status).unwrap();
        status["orders"][0]["at"].as_str().unwrap().to_owned()
    };
    let paused_at = at(&house);
    ordered(&house, &["pause", "shop"]);
    // One of them followed.
    ordered(&house, &["pause", "--all"]);
    assert_eq!((in_force(&house, "shop"), at(&house)), (first, paused_at));
    assert_eq!(in_force(&house, "blog"), ["pause -"]);
    ordered(&house, &["resume", "--all"]);
    assert_eq!(in_force(&house, "blog"), Vec::<String>::new());
}

#[tokio::test]
async fn a_window_is_ascribed_to_the_order_that_opened_it() {
    let site = Site::start(200);
    let always = "[[maintenance]]\nstart = 2020-01-01T00:00:00Z\nend = 2100-01-01T00:00:00Z\n\n";
    let house = House::new(&(monitor("shop", site.port) + always));
    let _daemon = house.start().await;
    let shown = || in_force(&house, "shop");
    let none = Vec::<String>::new();
    assert_eq!(shown(), none);
    for (time, note) in [("2h", "long"), ("300ms", "short")] {
        ordered(
            &house,
            &["maintenance", "shop", "--for", time, "--note", note],
        );
    }
    house
        .until("only the long one is left", || {
            shown() == ["maintenance long"]
        })
        .await;
    ordered(&house, &["maintenance", "shop", "--end"]);
    assert_eq!(shown(), none);
    // It might have lasted an hour. The configuration's goes on, which nobody ordered.
    let wrapped = house.ask(&["maintenance", "shop", "--for", "1h", "--", "/bin/true"]);
    assert!(wrapped.status.success(), "{wrapped:?}");
    house
        .until("its window is over", || shown().is_empty())
        .await;
}
