//! Uptime Kuma: the export and the database.

use serde_json::json;

use super::*;

const MAIL: &str = r#"{"type":"smtp","smtpHost":"mail.example.com","smtpPort":587,"smtpSecure":false,"smtpFrom":"kuma@example.com","smtpTo":"a@example.com","smtpCC":"boss@example.com"}"#;

fn export(monitors: serde_json::Value) -> String {
    json!({
        "version": "1.23.16",
        "notificationList": [
            { "id": 1, "name": "Mail", "config": MAIL },
            { "id": 2, "name": "Chat", "config": "{\"type\":\"telegram\"}" },
            { "id": 3, "name": "Second", "config": MAIL.replace("a@example", "c@example").replace(",\"smtpCC\":\"boss@example.com\"", "") },
        ],
        "proxyList": [
            { "id": 1, "protocol": "http", "host": "10.0.0.1", "port": 3128, "auth": 1, "active": 1, "username": "u", "password": "p@ss" },
            { "id": 2, "protocol": "socks5", "host": "10.0.0.1", "port": 1080, "active": 1 },
        ],
        "monitorList": monitors,
    })
    .to_string()
}

/// A monitor with these keys more than the usual ones.
fn one(more: serde_json::Value) -> (Vec<String>, Vec<String>) {
    let mut monitor = json!({
        "id": 7, "name": "m", "type": "http", "url": "https://a.example/", "method": "GET", "interval": 60,
        "accepted_statuscodes": ["200-299"], "maxredirects": 10, "active": true, "notificationIDList": { "1": true },
    });
    for (key, value) in more.as_object().unwrap() {
        monitor[key] = value.clone();
    }
    let imported = import::uptime_kuma(&export(json!([monitor]))).unwrap();
    loaded(&imported);
    let keys = keys(&imported);
    let keys = keys[1..].iter().map(|key| (*key).to_owned());
    (keys.collect(), imported.left_out)
}

#[test]
fn an_export() {
    let imported = import::uptime_kuma(&export(json!([
        { "id": 1, "name": "Shops", "type": "group", "active": true, "interval": 60 },
        { "id": 2, "name": "Shop", "url": "https://shop.example.com/", "method": "GET", "type": "http", "parent": 1,
          "interval": 30, "retryInterval": 20, "timeout": 48, "maxretries": 2, "maxredirects": 10, "active": true,
          "accepted_statuscodes": ["200-299", "401"], "headers": "{\"X-A\": \"${literal}\"}",
          "tags": [{ "name": "prod", "value": "" }, { "name": "team", "value": "web" }], "description": "Kim knows" },
        { "id": 3, "name": "Shop", "url": "https://api.example.com/", "method": "POST", "type": "keyword", "keyword": "ok",
          "body": "{}", "interval": 60, "active": false, "accepted_statuscodes": ["200-299"],
          "authMethod": "basic", "basic_auth_user": "u", "basic_auth_pass": "hunter2" },
        { "id": 5, "name": "Ping", "type": "ping", "hostname": "example.com", "interval": 60 },
        { "id": 6, "name": "Down is good", "url": "https://x.example.com/", "type": "http", "upsideDown": true },
    ])))
    .unwrap();
    assert_eq!(
        imported.left_out,
        [
            "not checked (upside down mode): Down is good",
            "smtpCC of `Mail`: boss@example.com stands among the recipients instead",
            "a timeout of 48s, cut to the interval: Shop",
        ]
    );
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "Shop | GET https://shop.example.com/ | 200-299, 401 every 30s within 30s | down after 3, up after 1",
            "Shop (2) | POST https://api.example.com/ | 200-299 every 1m within 48s | down after 1, up after 1",
            "Ping | - icmp://example.com | - every 1m within 48s | down after 1, up after 1",
        ]
    );
    assert_eq!(*config.monitors[0].tags, ["prod", "team:web", "Shops"]);
    assert_eq!(
        config.monitors[0].http().unwrap().target.headers[0]
            .1
            .reveal(),
        "${literal}"
    );
    assert!(!config.monitors[1].enabled);
    assert_eq!(config.email.unwrap().to.len(), 2);
}

#[test]
fn hosts_and_names() {
    for (item, wanted, lost) in [
        (
            json!({ "type": "ping", "hostname": "2001:db8::1" }),
            "icmp://[2001:db8::1]|packets = 1",
            "",
        ),
        (
            json!({ "type": "ping", "hostname": "a.example", "ping_count": 99 }),
            "icmp://a.example|packets = 20|max_loss = \"0%\"",
            "a lost packet of several is degraded here, down is all of them: n",
        ),
        (
            json!({ "type": "dns", "hostname": "a.example", "dns_resolve_type": "MX", "dns_resolve_server": "9.9.9.9, 1.1.1.1", "port": 53 }),
            "dns://9.9.9.9/a.example?type=MX",
            "the name servers beside the first one, 1.1.1.1: n",
        ),
        (
            json!({ "type": "dns", "hostname": "192.0.2.7", "dnsResolveType": "PTR", "dnsResolveServer": "ns.example", "port": 5353 }),
            "dns://ns.example:5353/7.2.0.192.in-addr.arpa?type=PTR",
            "",
        ),
        (
            json!({ "type": "dns", "hostname": "a.example",
                "conditions": [{ "type": "expression", "variable": "record", "operator": "equals", "value": "192.0.2.7" }] }),
            "dns://1.1.1.1/a.example|answers = [\"192.0.2.7\"]|answers_match = \"contains\"",
            "",
        ),
        (
            json!({ "type": "dns", "hostname": "a.example",
                "conditions": "[{\"variable\":\"record\",\"operator\":\"contains\",\"value\":\"192.\"}]" }),
            "dns://1.1.1.1/a.example",
            "conditions on records; `answers` has whole A records, as `192.0.2.1`: n",
        ),
        (
            json!({ "type": "dns", "hostname": "a.example", "dns_resolve_type": "ANY" }),
            "",
            "not checked (the record type `ANY` cannot be asked for): n",
        ),
    ] {
        let mut whole = json!({ "id": 1, "name": "n" });
        for (key, value) in item.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let imported = import::uptime_kuma(&export(json!([whole]))).unwrap();
        loaded(&imported);
        let of_kind: Vec<&str> = keys(&imported)
            .into_iter()
            .filter_map(|line| match line.strip_prefix("url = ") {
                Some(url) => Some(url.trim_matches('"')),
                None => ["packets", "max_loss", "answers"]
                    .iter()
                    .any(|key| line.starts_with(key))
                    .then_some(line),
            })
            .collect();
        assert_eq!(of_kind.join("|"), wanted, "{item}");
        let told = |line: &&String| !line.starts_with("smtpCC");
        let told: Vec<&str> = imported
            .left_out
            .iter()
            .filter(told)
            .map(String::as_str)
            .collect();
        assert_eq!(told.join("|"), lost, "{item}");
    }
}

#[test]
fn who_is_told_stays_the_same() {
    for (named, wanted) in [
        (json!({}), "to = []"),
        (json!({ "1": false }), "to = []"),
        (json!({ "9": true }), "to = []"),
        (json!({ "1": true }), ""),
        (json!({ "2": true }), ""),
        (json!({ "3": true }), "to = [\"c@example.com\"]"),
        (
            json!({ "1": true, "3": true }),
            "to = [\"a@example.com\", \"boss@example.com\", \"c@example.com\"]",
        ),
        (json!([3]), "to = [\"c@example.com\"]"),
    ] {
        let (keys, _) = one(json!({ "notificationIDList": named }));
        let got = keys.iter().find(|key| key.starts_with("to = "));
        assert_eq!(got.map_or("", String::as_str), wanted, "{named}");
    }
}

#[test]
fn flags_may_be_numbers() {
    for (more, wanted) in [
        (
            json!({ "type": "keyword", "keyword": "Error", "invertKeyword": 1 }),
            "body_excludes = [\"Error\"]",
        ),
        (
            json!({ "type": "keyword", "keyword": "Error", "invertKeyword": true }),
            "body_excludes = [\"Error\"]",
        ),
        (
            json!({ "type": "keyword", "keyword": "Error", "invertKeyword": 0 }),
            "body_contains = [\"Error\"]",
        ),
        (json!({ "active": 0 }), "enabled = false"),
        (json!({ "ignoreTls": 1 }), "verify_tls = false"),
        (json!({ "ipFamily": "ipv6" }), "ip_version = \"6\""),
        (
            json!({ "proxyId": 1 }),
            "proxy = \"http://u:p%40ss@10.0.0.1:3128/\"",
        ),
        (json!({ "maxretries": "4" }), "failures_before_down = 5"),
    ] {
        let (keys, left_out) = one(more.clone());
        assert!(keys.iter().any(|key| key == wanted), "{more}: {keys:?}");
        assert!(left_out.len() == 1, "{more}: {left_out:?}");
    }
}

#[test]
fn queries_of_json() {
    for (path, operator, expected, wanted) in [
        (
            "status.code",
            "==",
            "1.0",
            Some(r#"{ path = "$.status.code", equals = "1.0" }"#),
        ),
        (
            "$.a",
            "!=",
            "b",
            Some(
                r#"{ path = "$[?($.a >= '' || $.a <= 0 || $.a > 0 || $.a == true || $.a == false) && $.a != 'b']", exists = true }"#,
            ),
        ),
        (
            "$.a",
            "<",
            "5",
            Some(r#"{ path = "$.a", less_than = 5.0 }"#),
        ),
        (
            "$.a",
            ">=",
            "5",
            Some(r#"{ path = "$[?$.a >= 5]", exists = true }"#),
        ),
        (
            "$.a",
            "contains",
            "x.y",
            Some(
                r#"{ path = "$[?($.a >= '' || $.a <= 0 || $.a > 0 || $.a == true || $.a == false)]", exists = true }, { path = "$.a", matches = "x\\.y" }"#,
            ),
        ),
        ("$sum(a)", "==", "3", None),
    ] {
        let (keys, left_out) = one(json!({
            "type": "json-query", "jsonPath": path, "jsonPathOperator": operator, "expectedValue": expected,
        }));
        match wanted {
            Some(wanted) => assert!(
                keys.contains(&format!("json = [{wanted}]")),
                "{path}: {keys:?}"
            ),
            None => assert!(
                left_out.iter().any(|line| line.contains(path)),
                "{left_out:?}"
            ),
        }
    }
}

#[test]
fn what_is_lost_is_named() {
    for (more, word, is_disabled) in [
        (
            json!({ "resendInterval": 10 }),
            "every 10 failed checks",
            false,
        ),
        (json!({ "cacheBust": true }), "cacheBust", false),
        (
            json!({ "notificationIDList": { "2": true } }),
            "Chat (telegram)",
            false,
        ),
        (json!({ "authMethod": "ntlm" }), "ntlm", true),
        (json!({ "authMethod": "oauth2-cc" }), "oauth2-cc", true),
        (json!({ "authMethod": "mtls" }), "mtls", true),
        (json!({ "proxyId": 2 }), "proxy", true),
        (
            json!({ "accepted_statuscodes": ["200-299", "all"] }),
            "`all`",
            false,
        ),
        (json!({ "headers": "X: y" }), "headers", false),
    ] {
        let (keys, left_out) = one(more.clone());
        assert!(
            left_out.iter().any(|line| line.contains(word)),
            "{more}: {left_out:?}"
        );
        assert_eq!(
            keys.iter().any(|key| key == "enabled = false"),
            is_disabled,
            "{more}"
        );
    }
}

#[test]
fn children_of_a_paused_group_are_paused() {
    let monitors = |paused: i64| {
        export(json!([
            { "id": 1, "name": "Outer", "type": "group", "active": paused },
            { "id": 2, "name": "Inner", "type": "group", "active": true, "parent": 1 },
            { "id": 3, "name": "child", "type": "http", "url": "https://a.example/", "active": true, "parent": 2 },
            { "id": 4, "name": "circle", "type": "group", "parent": 4 },
        ]))
    };
    for (paused, enabled) in [(0, false), (1, true)] {
        let config = loaded(&import::uptime_kuma(&monitors(paused)).unwrap());
        assert_eq!(config.monitors[0].enabled, enabled);
        assert_eq!(*config.monitors[0].tags, ["Inner", "Outer"]);
    }
}

#[test]
fn a_database_is_read_as_its_export() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kuma #1.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute_batch(
            r#"
CREATE TABLE monitor (id INTEGER PRIMARY KEY, name VARCHAR, active BOOLEAN, interval INTEGER, url TEXT, type VARCHAR,
  keyword VARCHAR, maxretries INTEGER, ignore_tls BOOLEAN, upside_down BOOLEAN, maxredirects INTEGER,
  accepted_statuscodes_json TEXT, retry_interval INTEGER, method TEXT, basic_auth_user TEXT, basic_auth_pass TEXT,
  auth_method VARCHAR, invert_keyword BOOLEAN, parent INTEGER, json_path TEXT, expected_value TEXT, timeout DOUBLE);
INSERT INTO monitor (id, name, active, interval, url, type, maxretries, accepted_statuscodes_json, ignore_tls, timeout)
  VALUES (4, 'Shop', 1, 60, 'https://shop.example/', 'http', 2, '["200-299","404"]', 1, 9.6);
INSERT INTO monitor (id, name, active, interval, url, type, keyword, invert_keyword, accepted_statuscodes_json, auth_method,
  basic_auth_user, basic_auth_pass) VALUES (5, 'Api', 1, 60, 'https://api.example/', 'keyword', 'bad', 1, '["200-299"]', 'basic', 'u', 'p');
INSERT INTO monitor (id, name, active, interval, type) VALUES (6, 'Box', 1, 60, 'docker');
CREATE TABLE notification (id INTEGER PRIMARY KEY, name VARCHAR, active BOOLEAN, config TEXT);
INSERT INTO notification VALUES (1, 'Mail', 1, '{"type":"smtp","smtpHost":"mail.example","smtpFrom":"k@example.com","smtpTo":"a@example.com"}');
CREATE TABLE monitor_notification (id INTEGER PRIMARY KEY, monitor_id INTEGER, notification_id INTEGER);
INSERT INTO monitor_notification VALUES (1, 4, 1);
CREATE TABLE tag (id INTEGER PRIMARY KEY, name VARCHAR, color VARCHAR);
INSERT INTO tag VALUES (1, 'prod', '#fff');
CREATE TABLE monitor_tag (id INTEGER PRIMARY KEY, monitor_id INTEGER, tag_id INTEGER, value TEXT);
INSERT INTO monitor_tag VALUES (1, 4, 1, 'web');
"#,
        )
        .unwrap();
    let export = sitewatch::store::file::kuma::read(&path).unwrap();
    let imported = import::uptime_kuma_value(&export).unwrap();
    assert_eq!(
        imported.left_out,
        ["not checked (docker; there are no monitors of that kind): Box"]
    );
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "Shop | GET https://shop.example/ | 200-299, 404 every 1m within 9s600ms | down after 3, up after 1",
            "Api | GET https://api.example/ | 200-299 every 1m within 48s | down after 1, up after 1",
        ]
    );
    assert!(!config.monitors[0].http().unwrap().target.verify_tls);
    assert_eq!(*config.monitors[0].tags, ["prod:web"]);
    assert_eq!(
        config.monitors[1].http().unwrap().expectation.body_excludes,
        ["bad"]
    );
    // Nobody is told of what names no notification.
    assert!(
        imported.toml.contains("body_excludes = [\"bad\"]\nto = []"),
        "{}",
        imported.toml
    );
}

#[test]
fn other_databases_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.db");
    std::fs::write(&path, b"SQLite format 3\0 and then nothing").unwrap();
    assert!(sitewatch::store::file::kuma::read(&path).is_err());
    std::fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE other (x)")
        .unwrap();
    let error = sitewatch::store::file::kuma::read(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it has no table `monitor`: is this Uptime Kuma's kuma.db?"
    );
}
