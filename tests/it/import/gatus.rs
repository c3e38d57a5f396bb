//! Gatus.

use super::*;

/// An endpoint below some alerting; what becomes of it, its keys and what is lost.
fn endpoint(alerting: &str, endpoint: &str) -> (Vec<String>, Vec<String>) {
    let text = format!(
        "alerting: {{{alerting}}}\nendpoints:\n  - {{name: x, url: \"https://a.example/\", {endpoint}}}\n"
    );
    let imported = import::gatus(&[source(&text)]).unwrap();
    loaded(&imported);
    let keys = keys(&imported);
    let keys = keys[2..].iter().map(|key| (*key).to_owned());
    (keys.collect(), imported.left_out.clone())
}

const MAIL: &str =
    "email: {from: a@example.com, host: mail.example.com, port: 587, to: ops@example.com}";

#[test]
fn a_configuration_as_in_the_documentation() {
    let imported = import::gatus(&[source(
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
    conditions: [
      "[STATUS] == any(200, 429)",
      "[BODY] == pat(*herman*)",
      "len([BODY].data) > 0",
      "has([BODY].errors) == false",
      "[BODY].age < 65.5"
    ]
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
    )])
    .unwrap();
    assert_eq!(
        imported.left_out,
        [
            "[RESPONSE_TIME]: a slow answer is degraded here and mailed, but not down: core/front-end",
            "alerts with several thresholds; all are told after 3 failures: core/front-end",
            "[CERTIFICATE_EXPIRATION] > 48h; certificates are warned of by `certificate_expiry` in [alerts], 21, 7 and 1 days before the end: core/front-end",
            "numbers are compared as Gatus does, but one in quotes does not count: back-end",
            "an answer without such a record is down here: example-dns-query",
            "the time zone of `maintenance`, Europe/Amsterdam, is the whole file's: [daemon].timezone",
        ]
    );
    assert_eq!(imported.variables, ["API_KEY", "SLACK_PATH"]);
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "core/front-end | GET https://twin.sh/health | 200 every 5m within 10s | down after 3, up after 2",
            "back-end | POST https://example.org/ | 200, 429 every 30s within 10s | down after 3, up after 2",
            "icmp-ping | - icmp://example.org | - every 1m within 10s | down after 3, up after 2",
            "example-dns-query | - dns://8.8.8.8/example.com | - every 1m within 10s | down after 3, up after 2",
        ]
    );
    let [front, back, ..] = &config.monitors[..] else {
        panic!("two monitors");
    };
    assert!(!front.http().unwrap().target.verify_tls && *front.tags == ["core"]);
    assert_eq!(front.http().unwrap().expectation.json.len(), 1);
    assert_eq!(back.http().unwrap().expectation.body_contains, ["herman"]);
    assert_eq!(back.http().unwrap().expectation.json.len(), 3);
    assert_eq!(config.email.map(|email| email.to.len()), Some(2));
    assert_eq!(config.maintenance.len(), 1);
}

#[test]
fn hosts_and_names() {
    for (endpoint, wanted, lost) in [
        (
            "url: 'icmp://a.example', conditions: ['[CONNECTED] == true', '[RESPONSE_TIME] < 300'], client: {network: ip4}, alerts: [{type: discord}]",
            "url = \"icmp://a.example\"|retry_interval = \"1m\"|packets = 1|ip_version = \"4\"|degraded_after = \"300ms\"|on_slow = \"alert\"|failures_before_down = 5|successes_before_up = 1|to = [\"discord\"]",
            "[RESPONSE_TIME]: a slow answer is degraded here and mailed, but not down: n",
        ),
        (
            "url: 'icmp://a.example', conditions: ['[CONNECTED] == false']",
            "url = \"icmp://a.example\"|retry_interval = \"1m\"|packets = 1|enabled = false|to = []",
            "the condition `[CONNECTED] == false`; disabled: n",
        ),
        (
            "url: 'icmp://a.example', conditions: ['[BODY] == x']",
            "url = \"icmp://a.example\"|retry_interval = \"1m\"|packets = 1|to = []",
            "conditions that only a web site can meet: n",
        ),
        (
            "url: '1.1.1.1:5353', dns: {query-name: a.example, query-type: A}, conditions: ['[BODY] == 192.0.2.7', '[DNS_RCODE] == NOERROR']",
            "url = \"dns://1.1.1.1:5353/a.example\"|retry_interval = \"1m\"|answers = [\"192.0.2.7\"]|answers_match = \"contains\"|to = []",
            "",
        ),
        (
            "url: '1.1.1.1', dns: {query-name: a.example, query-type: MX}, conditions: ['[BODY] == mail.example']",
            "url = \"dns://1.1.1.1/a.example?type=MX\"|retry_interval = \"1m\"|to = []",
            "the condition `[BODY] == mail.example`; `answers` has whole MX records, as `10 mail.example.com`: n|an answer without such a record is down here: n",
        ),
        (
            "url: '1.1.1.1', dns: {query-name: a.example, query-type: A}, conditions: ['[DNS_RCODE] == NXDOMAIN']",
            "url = \"dns://1.1.1.1/a.example\"|retry_interval = \"1m\"|enabled = false|to = []",
            "the condition `[DNS_RCODE] == NXDOMAIN`; disabled: n|an answer without such a record is down here: n",
        ),
    ] {
        let text = format!(
            "alerting: {{discord: {{webhook-url: 'https://h.example/', default-alert: {{failure-threshold: 5, success-threshold: 1}}}}}}\nendpoints: [{{name: n, {endpoint}}}]"
        );
        let imported = import::gatus(&[source(&text)]).unwrap();
        loaded(&imported);
        assert_eq!(keys(&imported)[1..].join("|"), wanted, "{endpoint}");
        let told = |line: &&String| !line.starts_with("alerts by");
        let told: Vec<&str> = imported
            .left_out
            .iter()
            .filter(told)
            .map(String::as_str)
            .collect();
        assert_eq!(told.join("|"), lost, "{endpoint}");
    }
    let text = "endpoints: [{name: n, url: '1.1.1.1', dns: {query-name: a.example, query-type: ANY}}, {name: s, url: 'ssh://a.example'}]";
    assert_eq!(
        import::gatus(&[source(text)]).unwrap().left_out,
        [
            "not checked (the record type `ANY` cannot be asked for): n (1.1.1.1)",
            "not checked (ssh; there are no monitors of that kind): s (ssh://a.example)",
        ]
    );
}

#[test]
fn thresholds_are_those_of_the_alert_then_of_its_provider() {
    let discord = "discord: {webhook-url: \"https://h.example/\", default-alert: {failure-threshold: 5, success-threshold: 1}}";
    for (alerting, alerts, wanted) in [
        (
            discord,
            "alerts: [{type: discord}]",
            "failures_before_down = 5|successes_before_up = 1",
        ),
        (
            discord,
            "alerts: [{type: discord, failure-threshold: 4}]",
            "failures_before_down = 4|successes_before_up = 1",
        ),
        (
            "slack: {}",
            "alerts: [{type: slack, failure-threshold: 7, success-threshold: 4}]",
            "failures_before_down = 7|successes_before_up = 4",
        ),
        ("slack: {}", "alerts: [{type: slack}]", ""),
        (
            "slack: {}",
            "alerts: [{type: slack, failure-threshold: 9}, {type: ntfy, failure-threshold: 2}]",
            "failures_before_down = 2",
        ),
        (
            "slack: {default-alert: {enabled: false, failure-threshold: 9}}",
            "alerts: [{type: slack}, {type: ntfy, failure-threshold: 2}]",
            "failures_before_down = 2",
        ),
        // Mail decides where it tells.
        (
            MAIL,
            "alerts: [{type: slack, failure-threshold: 1}, {type: email, failure-threshold: 6}]",
            "failures_before_down = 6",
        ),
    ] {
        let (keys, _) = endpoint(
            alerting,
            &format!("conditions: [\"[STATUS] < 300\"], {alerts}"),
        );
        let got: Vec<&str> = keys
            .iter()
            .map(String::as_str)
            .filter(|key| key.contains("_before_"))
            .collect();
        assert_eq!(got.join("|"), wanted, "{alerts}");
    }
}

#[test]
fn who_is_told_stays_the_same() {
    for (alerts, wanted) in [
        ("interval: 60s", "to = []"),
        ("alerts: []", "to = []"),
        ("alerts: [{type: email, enabled: false}]", "to = []"),
        ("alerts: [{type: email, enabled: no}]", "to = []"),
        ("alerts: [{type: email}]", ""),
        ("alerts: [{type: discord}]", ""),
        (
            "alerts: [{type: email, provider-override: {to: b@example.com}}]",
            "to = [\"b@example.com\"]",
        ),
        (
            "alerts: [{type: email}, {type: email, provider-override: {to: \"b@example.com, c@example.com\"}}]",
            "to = [\"ops@example.com\", \"b@example.com\", \"c@example.com\"]",
        ),
        (
            "group: web, alerts: [{type: email}]",
            "to = [\"web@example.com\"]",
        ),
        ("group: other, alerts: [{type: email}]", ""),
    ] {
        let alerting = "email: {from: a@example.com, host: mail.example.com, to: ops@example.com, overrides: [{group: web, to: web@example.com}]}";
        let (keys, _) = endpoint(alerting, alerts);
        let got = keys.iter().find(|key| key.starts_with("to = "));
        assert_eq!(got.map_or("", String::as_str), wanted, "{alerts}");
    }
    let told = |alert: &str| {
        let text = format!(
            "alerting: {{{MAIL}}}\nendpoints: [{{name: x, url: \"https://a.example/\", alerts: [{alert}]}}]"
        );
        loaded(&import::gatus(&[source(&text)]).unwrap())
            .alerts
            .recovery
    };
    assert!(!told("{type: email}"));
    assert!(told("{type: email, send-on-resolved: true}"));
    assert!(told("{type: discord}"));
}

#[test]
fn what_is_told_otherwise_is_one_line() {
    let endpoints: String = (0..6).fold(String::new(), |text, number| {
        text + &format!("  - {{name: s{number}, url: \"https://a.example/{number}\", alerts: [{{type: discord}}]}}\n")
    });
    let imported = import::gatus(&[source(&format!("endpoints:\n{endpoints}"))]).unwrap();
    assert_eq!(
        imported.left_out,
        ["alerts by discord; mail tells instead (6 monitors): s0, s1, s2, s3 and 2 more"]
    );
}

#[test]
fn conditions_on_the_status() {
    for (condition, wanted, is_named) in [
        ("[STATUS] == 200", "expect_status = [200]", false),
        ("200 == [STATUS]", "expect_status = [200]", false),
        ("400 > [STATUS]", "expect_status = [\"100-399\"]", false),
        (
            "[STATUS] != any(404, 500)",
            "expect_status = [\"100-403\", \"405-499\", \"501-599\"]",
            false,
        ),
        ("[STATUS] == 200 || [STATUS] == 404", "", true),
        ("[STATUS] >= 200 && [STATUS] < 400", "", true),
        ("[STATUS] == 2xx", "", true),
        ("[STATUS] == pat(2*)", "expect_status = [\"2xx\"]", false),
        (
            "[status] != pat(?0[34])",
            "expect_status = [\"100-102\", \"105-202\", \"205-302\", \"305-402\", \"405-502\", \"505-599\"]",
            false,
        ),
        ("[STATUS] == pat([)", "", true),
        ("[STATUS] == [RESPONSE_TIME]", "", true),
        ("[STATUS] > 700", "", true),
        (
            "[CONNECTED] == true",
            "expect_status = [\"100-599\"]",
            false,
        ),
    ] {
        let (keys, left_out) = endpoint("", &format!("conditions: [\"{condition}\"]"));
        let got = keys.iter().find(|key| key.starts_with("expect_status"));
        assert_eq!(got.map_or("", String::as_str), wanted, "{condition}");
        let named = left_out.iter().any(|line| line.contains("[STATUS]"));
        assert_eq!(named, is_named, "{condition}: {left_out:?}");
    }
}

#[test]
fn conditions_on_the_body_compare_texts() {
    for (condition, wanted) in [
        (
            "[BODY].version == 1.10",
            r#"json = [{ path = "$.version", equals = "1.10" }]"#,
        ),
        (
            "[BODY].zip == 01234",
            r#"json = [{ path = "$.zip", equals = "01234" }]"#,
        ),
        (
            "[BODY].id == 12345678901234567890",
            r#"json = [{ path = "$.id", equals = "12345678901234567890" }]"#,
        ),
        (
            "[BODY].ready == true",
            r#"json = [{ path = "$.ready", matches = "^true$" }]"#,
        ),
        (
            "UP == [BODY].status",
            r#"json = [{ path = "$.status", matches = "^UP$" }]"#,
        ),
        (
            "[BODY].status == any(UP, OK)",
            r#"json = [{ path = "$.status", matches = "^(?:UP|OK)$" }]"#,
        ),
        (
            "[BODY].name == pat(j*n)",
            r#"json = [{ path = "$.name", matches = "^(?s:j.*n)$" }]"#,
        ),
        (
            "[BODY].status != DOWN",
            r#"json = [{ path = "$[?$.status == 'DOWN']", exists = false }]"#,
        ),
        (
            "[BODY].count != 5",
            r#"json = [{ path = "$[?$.count == '5' || $.count == 5]", exists = false }]"#,
        ),
        (
            "[BODY].count <= 5",
            r#"json = [{ path = "$[?$.count >= 6]", exists = false }]"#,
        ),
        (
            "[BODY].count < 5",
            r#"json = [{ path = "$[?$.count >= 5]", exists = false }]"#,
        ),
        (
            "len([BODY].data) >= 2",
            r#"json = [{ path = "$[?length($.data) >= 2]", exists = true }]"#,
        ),
        (
            "[BODY].token == ${TOKEN}",
            r#"json = [{ path = "$.token", equals = "${TOKEN}" }]"#,
        ),
        (
            "[BODY] == any(ok, fine)",
            r#"body_matches = ["^\\s*(?s:ok|fine)\\s*$"]"#,
        ),
        ("[BODY] != pat(*fatal*)", r#"body_excludes = ["fatal"]"#),
    ] {
        let (keys, left_out) = endpoint(
            "",
            &format!("conditions: [\"[STATUS] == 200\", \"{condition}\"]"),
        );
        assert!(
            keys.iter().any(|key| key == wanted),
            "{condition}: {keys:?}"
        );
        let lost = left_out.iter().filter(|line| {
            !line.starts_with("numbers are compared") && !line.starts_with("conditions that hold")
        });
        assert_eq!(lost.count(), 0, "{condition}: {left_out:?}");
    }
    let (_, left_out) = endpoint(
        "",
        "conditions: [\"[DOMAIN_EXPIRATION] > 720h\", \"[BODY].x ~ y\"]",
    );
    assert_eq!(
        left_out,
        [
            "the condition `[DOMAIN_EXPIRATION] > 720h`: x",
            "the condition `[BODY].x ~ y`: x"
        ]
    );
}

#[test]
fn times_keep_their_fractions_and_the_smallest_limit_counts() {
    for (written, wanted) in [
        ("interval: 1.5m", "interval = \"1m30s\""),
        ("interval: 90s", "interval = \"1m30s\""),
        ("client: {timeout: 2.5s}", "timeout = \"2s500ms\""),
        (
            "conditions: [\"[RESPONSE_TIME] < 900\", \"[RESPONSE_TIME] < 300\"]",
            "degraded_after = \"300ms\"",
        ),
        (
            "conditions: [\"[RESPONSE_TIME] < 1.5s\"]",
            "degraded_after = \"1s500ms\"",
        ),
        (
            "conditions: [\"[RESPONSE_TIME] <= 1s\"]",
            "degraded_after = \"1s\"",
        ),
    ] {
        let (keys, _) = endpoint("", written);
        assert!(keys.iter().any(|key| key == wanted), "{written}: {keys:?}");
    }
    let (_, left_out) = endpoint("", "interval: soon");
    assert_eq!(left_out, ["interval `soon`: x"]);
}

#[test]
fn wrappers_documents_and_folders_are_opened() {
    let site = "endpoints:\n  - {name: x, url: \"https://a.example/\"}\n";
    let indented = |text: &str, by: &str| -> String {
        text.lines().map(|line| format!("{by}{line}\n")).collect()
    };
    for texts in [
        vec![format!("---\nmetrics: true\n---\n{site}")],
        vec![format!(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n{}",
            indented(site, "    ")
        )],
        vec![format!(
            "apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n  data:\n    c: |\n{}",
            indented(site, "      ")
        )],
        vec![format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    config:\n{}",
            indented(site, "      ")
        )],
        vec!["apiVersion: v1\nkind: Service\n---\n".to_owned() + site],
        vec!["alerting: {}\n".to_owned(), site.to_owned()],
    ] {
        let sources: Vec<Source> = texts.iter().map(|text| source(text)).collect();
        let imported = import::gatus(&sources).unwrap();
        assert_eq!(imported.monitors, 1, "{texts:?}");
    }
    let two = import::gatus(&[
        source(site),
        source(&site.replace("a.example", "b.example")),
    ])
    .unwrap();
    assert_eq!(two.monitors, 2);
}

#[test]
fn what_would_be_down_without_it_is_disabled() {
    for (client, word) in [
        ("oauth2: {token-url: x}", "client.oauth2"),
        ("tls: {certificate-file: c.pem}", "client.tls"),
        ("proxy-url: \"socks5://p:1\"", "proxy"),
    ] {
        let (keys, left_out) = endpoint("", &format!("client: {{{client}}}"));
        assert!(keys.iter().any(|key| key == "enabled = false"), "{client}");
        assert!(
            left_out.iter().any(|line| line.contains(word)),
            "{left_out:?}"
        );
    }
}
