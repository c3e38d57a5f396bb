//! `why`: through the real daemon, and after it stopped.

use serde_json::Value;

use super::{House, Site, monitor, text};

fn why(house: &House, name: &str) -> Value {
    let output = house.ask(&["why", name, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn held_by(why: &Value) -> Vec<String> {
    let holds = why["holds"].as_array().unwrap().iter();
    holds
        .map(|hold| hold["by"].as_str().unwrap().to_owned())
        .collect()
}

fn events(why: &Value) -> Vec<String> {
    let steps = why["steps"].as_array().unwrap().iter();
    steps
        .map(|step| step["event"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn it_says_what_was_told_and_what_holds_the_rest() {
    let site = Site::start(200);
    let silent = format!(
        "{}to = []\n\n",
        monitor("silent", site.port).trim_end().to_owned() + "\n"
    );
    let reports = format!(
        "{}to = [\"chat\"]\n\n[[channel]]\nname = \"chat\"\nformat = \"json\"\nurl = \"http://127.0.0.1:9/\"\n\
         events = [\"report\"]\n\n",
        monitor("reports", site.port).trim_end().to_owned() + "\n"
    );
    let all = monitor("shop", site.port) + &monitor("quiet", site.port) + &silent + &reports;
    let house = House::new(&all);
    let daemon = house.start().await;
    house
        .until("all were good", || {
            ["shop", "quiet", "silent", "reports"]
                .iter()
                .all(|name| why(&house, name)["state"] == "up")
        })
        .await;
    let up = why(&house, "shop");
    assert_eq!(
        (&up["incident"], &up["complete"]),
        (&Value::Null, &Value::Bool(true)),
        "{up}"
    );
    assert!(up["next_check_at"].is_string(), "{up}");
    let good_at = up["steps"][0]["at"].as_str().unwrap().to_owned();
    assert!(
        house
            .ask(&["mute", "quiet", "--for", "1h"])
            .status
            .success()
    );
    site.answers(503);
    house.until("the mail", || !house.mails().is_empty()).await;
    house
        .until("all are down", || {
            ["shop", "quiet", "silent", "reports"]
                .iter()
                .all(|name| why(&house, name)["state"] == "down")
        })
        .await;

    let shop = why(&house, "shop");
    assert_eq!(shop["complete"], true, "{shop}");
    assert_eq!(
        events(&shop),
        ["up", "suspect", "suspect", "down", "decided"],
        "{shop}"
    );
    assert_eq!(shop["steps"][3]["check"]["status"], 503, "{shop}");
    assert_eq!(shop["told"][0]["kind"], "down");
    assert!(shop["told"][0]["sent_at"].is_string(), "{shop}");
    assert_eq!(held_by(&shop), [""; 0], "{shop}");
    let quiet = why(&house, "quiet");
    assert_eq!(held_by(&quiet), ["mute"], "{quiet}");
    assert!(quiet["holds"][0]["until"].is_string(), "{quiet}");
    assert!(quiet["holds"][0]["who"].is_string(), "{quiet}");
    assert!(events(&quiet).contains(&"order".to_owned()), "{quiet}");
    assert_eq!(quiet["told"].as_array().map(Vec::len), Some(0));
    assert_eq!(held_by(&why(&house, "silent")), ["nobody"]);
    let reports = why(&house, "reports");
    assert_eq!(held_by(&reports), ["nobody"]);
    let reason = reports["reason"].as_str().unwrap();
    assert!(
        reason.ends_with("; nobody is told: chat takes no DOWN."),
        "{reason}"
    );
    assert!(house.ask(&["ack", "shop"]).status.success());
    assert_eq!(held_by(&why(&house, "shop")), ["ack"]);
    for order in [
        &["maintenance", "shop", "--for", "1h"][..],
        &["maintenance", "shop", "--end"],
        &["amend", "shop", "--as", "real"],
        &["amend", "shop", "--undo"],
    ] {
        assert!(house.ask(order).status.success(), "{order:?}");
    }

    drop(daemon);
    let stopped = why(&house, "shop");
    assert_eq!(
        (&stopped["state"], &stopped["next_check_at"]),
        (&"down".into(), &Value::Null)
    );
    let told = text(&house.ask(&["why", "shop"]).stdout);
    assert!(told.starts_with("shop is down since "), "{told}");
    let one_line = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        one_line.contains("No daemon runs here: nothing is checked"),
        "{told}"
    );
    assert!(told.contains("failed, 3 in a row: down: 503"), "{told}");
    for order in [
        "maintenance by ",
        "maintenance --end by ",
        "amend as real by ",
        "amend --undo by ",
    ] {
        assert!(told.contains(&format!("  {order}")), "{order}: {told}");
    }
    assert!(
        told.contains("\nTold\n") && told.contains("DOWN to ops@example.com"),
        "{told}"
    );
    // At the end of its first check it was up.
    let then = house.ask(&["why", "shop", "--at", &good_at, "--json"]);
    let then: Value = serde_json::from_slice(&then.stdout).unwrap();
    assert_eq!(
        (&then["state"], &then["incident"]),
        (&"up".into(), &Value::Null),
        "{then}"
    );
    assert_eq!(house.ask(&["why", "shap"]).status.code(), Some(2));
}

/// The mail server is not to be had: each try rests the transport for a while, which no pause says.
#[tokio::test]
async fn a_mail_server_that_is_not_there_holds_the_message() {
    let site = Site::start(503);
    let house = House::new("");
    let nobody_listens = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let text_of = format!(
        "[daemon]\ndatabase = \"sitewatch.db\"\ncontrol_socket = \"control.sock\"\n\n\
         [email]\nhost = \"127.0.0.1\"\nport = {nobody_listens}\ntls = \"none\"\n\
         from = \"alerts@example.com\"\nto = [\"ops@example.com\"]\n\n[alerts]\ngroup_wait = \"1s\"\n\n\
         [defaults]\ninterval = \"2s\"\ntimeout = \"2s\"\nretry_interval = \"200ms\"\n\n{}",
        monitor("shop", site.port)
    );
    std::fs::write(house.path().join("monitors.toml"), text_of).unwrap();
    let _daemon = house.start().await;
    house
        .until("the message was tried", || {
            let shop = why(&house, "shop");
            let reason = shop["reason"].as_str().unwrap();
            assert!(!reason.contains("none waits"), "{shop}");
            let is_held = held_by(&shop) == ["transport"];
            is_held && shop["holds"][0]["until"] == shop["next_message_at"]
        })
        .await;
    let queue = text(&house.ask(&["email", "queue", "--json"]).stdout);
    let queued: Value = serde_json::from_str(&queue).unwrap();
    assert!(queued["attempts"].as_u64() >= Some(1), "{queued}");
}
