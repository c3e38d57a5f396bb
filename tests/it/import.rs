//! Other tools' configurations, written after their documentation, and what becomes of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use sitewatch::config::import::{self, Imported};
use sitewatch::config::{self, Config, Environment};
use sitewatch::domain::monitor::Monitor;
use sitewatch::domain::span::Written;

/// Loads what an import wrote.
fn loaded(imported: &Imported) -> Config {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("monitors.toml"), &imported.toml).unwrap();
    let environment = Environment {
        variables: [("HOME", "/home/kim"), ("API_KEY", "abcdef")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        directory: directory.path().to_owned(),
        is_root: false,
    };
    match config::load(Path::new("monitors.toml"), &environment) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}\n{}", imported.toml),
    }
}

/// One monitor as a line.
fn line(monitor: &Monitor) -> String {
    format!(
        "{} | {} {} | {} every {} within {} | down after {}",
        monitor.name,
        monitor.target.method.as_str(),
        monitor.target.url_text(),
        monitor.expectation.status,
        Written(monitor.rules.interval),
        Written(monitor.rules.timeout),
        monitor.rules.failures_before_down,
    )
}

fn lines(config: &Config) -> Vec<String> {
    config
        .monitors
        .iter()
        .map(|monitor| line(monitor))
        .collect()
}

#[test]
fn gatus() {
    let imported = import::gatus(
        r#"
alerting:
  slack:
    webhook-url: "https://hooks.slack.com/services/x"
  email:
    from: "from@example.com"
    username: "from@example.com"
    password: "hunter2"
    host: "mail.example.com"
    port: 587
    to: "recipient1@example.com,recipient2@example.com"
default-endpoint: &defaults
  group: core
  interval: 5m
  client:
    timeout: 10s
    insecure: true
endpoints:
  - <<: *defaults
    name: front-end
    url: "https://twin.sh/health"
    conditions:
      - "[STATUS] == 200"
      - "[BODY].status == UP"
      - "[RESPONSE_TIME] < 150"
      - "[CERTIFICATE_EXPIRATION] > 48h"
    alerts:
      - type: email
        failure-threshold: 5
        success-threshold: 2
      - type: slack
  - name: back-end
    url: "https://example.org/"
    method: post
    body: '{"a": 1}'
    headers:
      X-Api-Key: "${API_KEY}"
    interval: 30s
    conditions:
      - "[STATUS] == any(200, 429)"
      - "[BODY] == pat(*herman*)"
      - "len([BODY].data) > 0"
      - "has([BODY].errors) == false"
      - "[BODY].age < 65.5"
  - name: icmp-ping
    url: "icmp://example.org"
    conditions:
      - "[CONNECTED] == true"
  - name: example-dns-query
    url: "8.8.8.8"
    dns:
      query-name: "example.com"
      query-type: "A"
    conditions:
      - "[DNS_RCODE] == NOERROR"
maintenance:
  start: 23:00
  duration: 1h
  timezone: "Europe/Amsterdam"
  every: [Monday, Thursday]
"#,
    )
    .unwrap();
    assert_eq!(
        imported.left_out,
        [
            "alerting by slack: only mail is sent",
            "core/front-end: the alert by slack",
            "back-end: the condition `len([BODY].data) > 0`",
            "icmp-ping: icmp is not checked, only http and https",
            "example-dns-query: dns is not checked, only http and https",
        ]
    );
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "core/front-end | GET https://twin.sh/health | 200 every 5m within 10s | down after 5",
            "back-end | POST https://example.org/ | 200, 429 every 30s within 10s | down after 3",
        ]
    );
    let [front, back] = &config.monitors[..] else {
        panic!("two monitors");
    };
    assert!(!front.target.verify_tls && *front.tags == ["core"]);
    assert_eq!(front.expectation.json.len(), 1);
    assert_eq!(back.expectation.body_contains, ["herman"]);
    assert_eq!(back.expectation.json.len(), 2);
    assert_eq!(config.email.map(|email| email.to.len()), Some(2));
    assert_eq!(config.maintenance.len(), 1);
}

#[test]
fn uptime_kuma() {
    let imported = import::uptime_kuma(
        r#"{
"version": "1.23.13",
"notificationList": [
  {"id": 1, "name": "Mail", "config": "{\"type\":\"smtp\",\"smtpHost\":\"smtp.example.com\",\"smtpPort\":465,\"smtpSecure\":true,\"smtpUsername\":\"u\",\"smtpPassword\":\"hunter2\",\"smtpFrom\":\"\\\"Kuma\\\" <kuma@example.com>\",\"smtpTo\":\"ops@example.com, kim@example.com\"}"},
  {"id": 2, "name": "Chat", "config": "{\"type\":\"telegram\"}"}
],
"monitorList": [
  {"id": 1, "name": "Shops", "type": "group", "interval": 60},
  {"id": 2, "name": "Shop", "url": "https://shop.example.com/", "method": "GET", "type": "http", "parent": 1,
   "interval": 30, "retryInterval": 20, "timeout": 48, "maxretries": 2, "maxredirects": 10, "active": true,
   "accepted_statuscodes": ["200-299", "401"], "ignoreTls": false, "headers": "{\"X-A\": \"${literal}\"}",
   "tags": [{"name": "prod", "value": ""}, {"name": "team", "value": "web"}], "description": "Kim knows"},
  {"id": 3, "name": "Shop", "url": "https://api.example.com/", "method": "POST", "type": "keyword", "keyword": "ok",
   "body": "{}", "interval": 60, "active": false, "accepted_statuscodes": ["200-299"],
   "authMethod": "basic", "basic_auth_user": "u", "basic_auth_pass": "hunter2"},
  {"id": 4, "name": "Query", "url": "https://q.example.com/", "type": "json-query", "jsonPath": "status.code",
   "expectedValue": "1.0", "interval": 60, "accepted_statuscodes": ["200-299"]},
  {"id": 5, "name": "Ping", "type": "ping", "hostname": "example.com", "interval": 60},
  {"id": 6, "name": "Down is good", "url": "https://x.example.com/", "type": "http", "upsideDown": true}
]}"#,
    )
    .unwrap();
    assert_eq!(
        imported.left_out,
        [
            "the notification `Chat` (telegram)",
            "Ping: ping is not checked, only http and https",
            "Down is good: upside down mode, the monitor is left out",
        ]
    );
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "Shop | GET https://shop.example.com/ | 200-299, 401 every 30s within 30s | down after 3",
            "Shop (2) | POST https://api.example.com/ | 200-299 every 1m within 10s | down after 3",
            "Query | GET https://q.example.com/ | 200-299 every 1m within 10s | down after 3",
        ]
    );
    assert_eq!(*config.monitors[0].tags, ["prod", "team:web", "Shops"]);
    assert_eq!(
        config.monitors[0].target.headers[0].1.reveal(),
        "${literal}"
    );
    assert!(!config.monitors[1].enabled);
    assert_eq!(config.monitors[2].expectation.json.len(), 1);
    let email = config.email.unwrap();
    assert_eq!(email.from.to_string(), "Kuma <kuma@example.com>");
    assert_eq!(email.to.len(), 2);
}

#[test]
fn blackbox() {
    let modules = r#"
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http:
      valid_status_codes: [200, 201, 204]
      method: GET
      headers:
        Accept-Language: en-US
      follow_redirects: true
      fail_if_not_ssl: true
      fail_if_body_matches_regexp: ["Could not connect to database", "a|b"]
      fail_if_body_not_matches_regexp: ["Download the latest version"]
      fail_if_header_not_matches:
        - header: Access-Control-Allow-Origin
          regexp: '(\*|example\.com)'
      tls_config:
        insecure_skip_verify: false
      preferred_ip_protocol: "ip4"
      ip_protocol_fallback: false
  tcp_connect:
    prober: tcp
  http_post:
    prober: http
    http:
      method: POST
"#;
    let prometheus = r#"
global:
  scrape_interval: 15s
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ["localhost:9090"]
  - job_name: blackbox
    metrics_path: /probe
    params:
      module: [http_2xx]
    static_configs:
      - targets: ["https://prometheus.io", "example.com:8080"]
        labels: { team: web }
  - job_name: tcp
    metrics_path: /probe
    params:
      module: [tcp_connect]
    static_configs:
      - targets: ["db:5432"]
"#;
    let imported = import::blackbox(modules, Some(prometheus)).unwrap();
    assert_eq!(
        imported.left_out,
        [
            "https://prometheus.io: fail_if_body_matches_regexp `a|b`; body_excludes takes plain texts",
            "http://example.com:8080: fail_if_body_matches_regexp `a|b`; body_excludes takes plain texts",
            "tcp: tcp is not checked, only http and https",
            "the module `http_post` (http) has no targets; give them with --targets prometheus.yml",
        ]
    );
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "prometheus.io | GET https://prometheus.io/ | 200-201, 204 every 15s within 5s | down after 3",
            "example.com:8080 | GET http://example.com:8080/ | 200-201, 204 every 15s within 5s | down after 3",
        ]
    );
    assert_eq!(*config.monitors[0].tags, ["blackbox", "team:web"]);
    let alone = import::blackbox(prometheus, None).unwrap();
    assert_eq!(loaded(&alone).monitors.len(), 3, "{:?}", alone.left_out);
}

#[test]
fn urls() {
    let imported = import::urls(
        "# our sites\nhttps://example.com/\n\nexample.org\nhttps://shop.example.com/x Shop \"front\"\nnonsense\nhttps://example.com/\nftp://example.com/\n",
    )
    .unwrap();
    assert_eq!(
        imported.toml,
        r#"# Made by `sitewatch import urls`.
# Not carried over:
# - line 6: `nonsense` is no URL
# - line 7: https://example.com/ stands twice
# - ftp://example.com/: the scheme `ftp` cannot be checked

# Nobody is told of anything until this is filled in:
# [email]
# host = "smtp.example.com"
# from = "Sitewatch <alerts@example.com>"
# to = ["ops@example.com"]

[[monitor]]
url = "https://example.com/"

# https:// is a guess
[[monitor]]
url = "https://example.org"

[[monitor]]
name = "Shop \"front\""
url = "https://shop.example.com/x"
"#
    );
    assert_eq!(loaded(&imported).monitors.len(), 3);
}

#[test]
fn what_is_something_else_says_so() {
    for (said, got) in [
        (
            "there are no `endpoints`: is this Gatus' config.yaml?",
            import::gatus("a: 1").err(),
        ),
        (
            "there is no `monitorList`: is this Uptime Kuma's export?",
            import::uptime_kuma("{}").err(),
        ),
        (
            "there are no `modules` and no `scrape_configs`: is this blackbox_exporter's file?",
            import::blackbox("a: 1", None).err(),
        ),
    ] {
        assert_eq!(got.map(|error| error.to_string()).as_deref(), Some(said));
    }
}

proptest::proptest! {
    #![proptest_config(crate::support::cases::cases(256))]
    #[test]
    fn any_text_is_answered(text in "(\\PC|[\\[\\]\"':{}#&*\n -]){0,200}") {
        let _ = import::gatus(&text);
        let _ = import::blackbox(&text, Some(&text));
        let _ = import::uptime_kuma(&text);
        if let Ok(imported) = import::urls(&text) {
            loaded(&imported);
        }
    }
}
