//! blackbox_exporter and Prometheus.

use super::*;

const MODULES: &str = "
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http: { valid_http_versions: [HTTP/1.1, HTTP/2.0] }
  login: { prober: http, http: { method: POST } }
  tcp: { prober: tcp }
  ping: { prober: icmp }
";

/// A job with these lines; monitors as URL and tags, and what is lost.
fn job(lines: &str) -> (Vec<String>, Vec<String>) {
    let indented: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let targets = format!("scrape_configs:\n  - job_name: j\n{indented}");
    let beside = |pattern: &str| match pattern {
        "targets/*.yml" => vec![source(
            "- targets: [https://f.example/]\n  labels: {env: prod}\n",
        )],
        "list.json" => vec![source("[{\"targets\": [\"https://g.example/\"]}]")],
        _ => Vec::new(),
    };
    let imported = import::blackbox(&[source(MODULES)], &[source(&targets)], &beside).unwrap();
    let monitors = loaded(&imported)
        .monitors
        .iter()
        .map(|monitor| {
            format!(
                "{} {} [{}]",
                monitor
                    .http()
                    .map_or("-", |http| http.target.method.as_str()),
                monitor.subject.url_text(),
                monitor.tags.join(" ")
            )
        })
        .collect();
    let lost = imported
        .left_out
        .iter()
        .filter(|line| !line.contains("has no targets"))
        .cloned()
        .collect();
    (monitors, lost)
}

#[test]
fn modules_with_the_targets_of_prometheus() {
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
"#;
    let imported = import::blackbox(&[source(modules)], &[source(prometheus)], &nothing).unwrap();
    assert_eq!(
        imported.left_out,
        [
            "fail_if_body_matches_regexp `a|b`; body_excludes takes plain texts: https://prometheus.io, http://example.com:8080",
            "the module `http_post` (http) has no targets",
        ]
    );
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "prometheus.io | GET https://prometheus.io/ | 200-201, 204 every 15s within 5s | down after 3, up after 2",
            "example.com:8080 | GET http://example.com:8080/ | 200-201, 204 every 15s within 5s | down after 3, up after 2",
        ]
    );
    assert_eq!(*config.monitors[0].tags, ["blackbox", "team:web"]);
    let alone = import::blackbox(&[source(prometheus)], &[], &nothing).unwrap();
    assert_eq!(loaded(&alone).monitors.len(), 2, "{:?}", alone.left_out);
    let without = import::blackbox(&[source(modules)], &[], &nothing).unwrap();
    assert!(without.left_out[0].contains("give them with --targets"));
}

#[test]
fn jobs_of_other_exporters_are_no_sites() {
    for (lines, wanted) in [
        (
            "metrics_path: /snmp\nparams: {module: [if_mib]}\nstatic_configs: [{targets: [192.0.2.1]}]",
            0,
        ),
        (
            "metrics_path: /snmp\nparams: {module: [http_2xx]}\nstatic_configs: [{targets: [192.0.2.1]}]",
            0,
        ),
        (
            "metrics_path: /ipmi\nparams: {module: [default]}\nstatic_configs: [{targets: [192.0.2.1]}]",
            0,
        ),
        ("static_configs: [{targets: [\"localhost:9100\"]}]", 0),
        (
            "params: {module: [http_2xx]}\nstatic_configs: [{targets: [a.example]}]",
            1,
        ),
        (
            "metrics_path: /blackbox/probe\nstatic_configs: [{targets: [a.example]}]",
            1,
        ),
    ] {
        assert_eq!(job(lines).0.len(), wanted, "{lines}");
    }
}

#[test]
fn targets_are_rewritten_as_prometheus_does() {
    let probe = "metrics_path: /probe\nparams: {module: [http_2xx]}\n";
    for (lines, wanted) in [
        (
            "static_configs: [{targets: [c.example]}]\nrelabel_configs:\n- {source_labels: [__address__], target_label: __param_target, replacement: \"https://$1/health\"}\n- {target_label: __address__, replacement: \"blackbox:9115\"}",
            "GET https://c.example/health [j]",
        ),
        (
            "static_configs: [{targets: [\"https://c.example\"]}]\nrelabel_configs:\n- {source_labels: [__address__], target_label: __param_target}\n- {source_labels: [__param_target], target_label: instance}\n- {target_label: __address__, replacement: \"blackbox:9115\"}",
            "GET https://c.example/ [j]",
        ),
        (
            "static_configs:\n- targets: [\"https://c.example\"]\n  labels: {module: login}\nrelabel_configs: [{source_labels: [module], target_label: __param_module}]",
            "POST https://c.example/ [j module:login]",
        ),
        (
            "static_configs: [{targets: [a.example, b.example]}]\nrelabel_configs: [{source_labels: [__address__], regex: \"b.*\", action: keep}]",
            "GET http://b.example/ [j]",
        ),
        (
            "file_sd_configs: [{files: [\"targets/*.yml\", list.json]}]",
            "GET https://f.example/ [j env:prod], GET https://g.example/ [j]",
        ),
    ] {
        let (monitors, lost) = job(&format!("{probe}{lines}"));
        assert_eq!(monitors.join(", "), wanted, "{lines}: {lost:?}");
    }
    let (monitors, _) = job(
        "metrics_path: /probe\nparams: {module: [http_2xx], target: [\"https://d.example/\"]}\nstatic_configs: [{targets: [\"blackbox:9115\"]}]",
    );
    assert_eq!(monitors, ["GET https://d.example/ [j]"]);
}

#[test]
fn hosts_and_names() {
    for (module, target, wanted, lost) in [
        (
            "prober: icmp",
            "10.0.0.1",
            "icmp://10.0.0.1|packets = 1",
            "",
        ),
        (
            "prober: icmp, icmp: {preferred_ip_protocol: ip4, ip_protocol_fallback: false, ttl: 5}",
            "a.example",
            "icmp://a.example|packets = 1|ip_version = \"4\"",
            "ttl: icmp://a.example",
        ),
        (
            "prober: dns, dns: {query_name: a.example, query_type: A, validate_answer_rrs: {fail_if_none_matches_regexp: ['192.0.2.7']}}",
            "9.9.9.9:53",
            "dns://9.9.9.9:53/a.example|answers = [\"192.0.2.7\"]|answers_match = \"contains\"",
            "",
        ),
        (
            "prober: dns, dns: {query_name: a.example, query_type: A, validate_answer_rrs: {fail_if_not_matches_regexp: [\"a.example.\\t300\\tIN\\tA\\t192.0.2.7\"]}}",
            "9.9.9.9",
            "dns://9.9.9.9/a.example|answers = [\"192.0.2.7\"]",
            "",
        ),
        (
            "prober: dns, dns: {query_name: a.example, query_type: MX, valid_rcodes: [NOERROR], validate_answer_rrs: {fail_if_matches_regexp: ['x']}}",
            "9.9.9.9",
            "dns://9.9.9.9/a.example?type=MX",
            "patterns of validate_answer_rrs; `answers` has whole records: dns://9.9.9.9/a.example?type=MX|an answer without such a record is down here: dns://9.9.9.9/a.example?type=MX",
        ),
        (
            "prober: dns, dns: {query_name: a.example, query_type: A, valid_rcodes: [NXDOMAIN]}",
            "9.9.9.9",
            "dns://9.9.9.9/a.example|enabled = false",
            "valid_rcodes NXDOMAIN; only NOERROR is good; disabled: dns://9.9.9.9/a.example|an answer without such a record is down here: dns://9.9.9.9/a.example",
        ),
        (
            "prober: dns, dns: {query_name: a.example}",
            "9.9.9.9",
            "",
            "not checked (the record type `ANY` cannot be asked for): 9.9.9.9",
        ),
        (
            "prober: dns",
            "9.9.9.9",
            "",
            "not checked (the dns module has no query_name): 9.9.9.9",
        ),
    ] {
        let modules = format!("modules: {{m: {{{module}}}}}");
        let jobs = format!(
            "scrape_configs: [{{metrics_path: /probe, params: {{module: [m]}}, static_configs: [{{targets: [\"{target}\"]}}]}}]"
        );
        let imported = import::blackbox(&[source(&modules)], &[source(&jobs)], &nothing).unwrap();
        loaded(&imported);
        let of_kind: Vec<&str> = keys(&imported)
            .into_iter()
            .filter_map(|line| match line.strip_prefix("url = ") {
                Some(url) => Some(url.trim_matches('"')),
                None => ["packets", "ip_version", "answers", "enabled"]
                    .iter()
                    .any(|key| line.starts_with(key))
                    .then_some(line),
            })
            .collect();
        assert_eq!(of_kind.join("|"), wanted, "{module}");
        assert_eq!(imported.left_out.join("|"), lost, "{module}");
    }
}

#[test]
fn what_is_not_checked_is_named_target_by_target() {
    for (lines, wanted) in [
        (
            "metrics_path: /probe\nparams: {module: [grpc]}\nstatic_configs: [{targets: [\"10.0.0.1\"]}]",
            "not checked (grpc; there are no monitors of that kind): 10.0.0.1",
        ),
        (
            "metrics_path: /probe\nparams: {module: [http_2xx, login]}\nstatic_configs: [{targets: [a.example]}]",
            "the module `login` of the job `j`: blackbox_exporter takes the first of several",
        ),
        (
            "metrics_path: /probe\nfile_sd_configs: [{files: [\"/none/*.yml\"]}]",
            "the targets of file_sd `/none/*.yml`, which is not here",
        ),
        (
            "metrics_path: /probe\nconsul_sd_configs: [{server: x}]",
            "the targets of consul_sd_configs in the job `j`",
        ),
        (
            "metrics_path: /probe\nparams: {module: [other]}\nstatic_configs: [{targets: [a.example]}]",
            "the module `other` is not defined; checked with the defaults: a.example",
        ),
    ] {
        assert_eq!(job(lines).1, [wanted], "{lines}");
    }
}

#[test]
fn credentials_that_are_missing_disable_the_monitor() {
    for http in [
        "basic_auth: {username: u, password_file: /p}",
        "bearer_token_file: /t",
        "authorization: {credentials_file: /t}",
        "authorization: {credentials: <secret>}",
        "tls_config: {cert_file: /c, key_file: /k}",
        "oauth2: {client_id: x}",
    ] {
        let text = format!(
            "modules: {{m: {{prober: http, http: {{{http}}}}}}}\nscrape_configs: [{{job_name: j, metrics_path: /probe, params: {{module: [m]}}, static_configs: [{{targets: [a.example]}}]}}]"
        );
        let imported = import::blackbox(&[source(&text)], &[], &nothing).unwrap();
        assert!(!loaded(&imported).monitors[0].enabled, "{http}");
    }
}

#[test]
fn probe_resources_and_lists_of_targets() {
    let resource = "apiVersion: monitoring.coreos.com/v1\nkind: Probe\nmetadata: {name: shop}\nspec:\n  interval: 30s\n  module: http_2xx\n  targets: {staticConfig: {static: [\"https://a.example/\"], labels: {env: prod}}}\n";
    let list = "- targets: [\"https://a.example/\"]\n  labels: {env: prod}\n";
    for (text, tags) in [
        (resource, vec!["shop", "env:prod"]),
        (list, vec!["env:prod"]),
    ] {
        let imported = import::blackbox(&[source(text)], &[], &nothing).unwrap();
        let config = loaded(&imported);
        assert_eq!(
            &**config.monitors[0].subject.url_text(),
            "https://a.example/"
        );
        assert_eq!(*config.monitors[0].tags, *tags);
    }
}

/// A pattern that Go knows and this program does not is named, and what is written loads.
#[test]
fn a_port_whose_pattern_is_wrong_keeps_the_rest() {
    let modules = "modules: {m: {prober: tcp, tcp: {query_response: [{expect: 'PING :(.K'}]}}}";
    let targets = "scrape_configs: [{job_name: j, metrics_path: /probe, params: {module: [m]}, \
        static_configs: [{targets: ['a.example:22']}]}]";
    let imported = import::blackbox(&[source(modules)], &[source(targets)], &nothing).unwrap();
    assert_eq!(
        imported.left_out,
        ["the pattern `PING :(.K`: tcp://a.example:22"]
    );
    assert_eq!(loaded(&imported).monitors.len(), 1);
}
