//! blackbox_exporter's modules, with the targets of a `prometheus.yml`.

use std::time::Duration;

use serde_json::Value;

use super::page::{Entry, ImportError, Imported, Page, list, literal, quoted};
use super::statuses::Statuses;
use super::yaml::{self, pairs_of, text_of, texts_of};
use crate::domain::span;

/// Reads the modules of blackbox_exporter and the targets that Prometheus gives them. Without modules
/// (`text` is the `prometheus.yml` itself) each target is checked with the defaults.
///
/// # Errors
/// When a text is no YAML, or neither modules nor targets are there.
pub fn blackbox(text: &str, targets: Option<&str>) -> Result<Imported, ImportError> {
    let root = yaml::parse(text)?;
    let targets = match targets {
        Some(targets) => yaml::parse(targets)?,
        None => root.clone(),
    };
    let modules = root.get("modules");
    let jobs = targets.get("scrape_configs").and_then(Value::as_array);
    if modules.is_none() && jobs.is_none() {
        return Err(ImportError::Format(
            "there are no `modules` and no `scrape_configs`: is this blackbox_exporter's file?"
                .to_owned(),
        ));
    }
    let mut page = Page::new("blackbox");
    let empty = Vec::new();
    let global = targets
        .get("global")
        .and_then(|global| global.get("scrape_interval"));
    let mut used: Vec<String> = Vec::new();
    for job in jobs.unwrap_or(&empty) {
        let path = job
            .get("metrics_path")
            .and_then(text_of)
            .unwrap_or_default();
        let names = job
            .get("params")
            .and_then(|params| params.get("module"))
            .map(texts_of)
            .unwrap_or_default();
        if names.is_empty() && !path.ends_with("/probe") {
            continue;
        }
        let name = names
            .first()
            .cloned()
            .unwrap_or_else(|| "http_2xx".to_owned());
        used.push(name.clone());
        let module = modules.and_then(|modules| modules.get(&name));
        self::job(&mut page, job, &name, module, global);
    }
    if let Some(Value::Object(modules)) = modules {
        for (name, module) in modules {
            let prober = module.get("prober").and_then(text_of).unwrap_or_default();
            if !used.contains(name) {
                page.left_out.push(format!(
                    "the module `{name}` ({prober}) has no targets; give them with --targets prometheus.yml"
                ));
            }
        }
    }
    Ok(page.finish())
}

fn job(page: &mut Page, job: &Value, name: &str, module: Option<&Value>, global: Option<&Value>) {
    let job_name = job.get("job_name").and_then(text_of).unwrap_or_default();
    let prober = module
        .and_then(|module| module.get("prober"))
        .and_then(text_of)
        .unwrap_or_else(|| "http".to_owned());
    let span = |value: Option<&Value>| {
        value
            .and_then(text_of)
            .and_then(|text| span::parse(&text).ok())
    };
    let interval = span(job.get("scrape_interval").or(global)).unwrap_or(Duration::from_secs(60));
    for key in [
        "file_sd_configs",
        "http_sd_configs",
        "kubernetes_sd_configs",
        "dns_sd_configs",
        "consul_sd_configs",
    ] {
        if job.get(key).is_some() {
            page.left_out
                .push(format!("{job_name}: the targets of {key}"));
        }
    }
    if prober != "http" {
        page.left_out.push(format!(
            "{job_name}: {prober} is not checked, only http and https"
        ));
        return;
    }
    if module.is_none() {
        page.left_out
            .push(format!("{job_name}: the module `{name}` is not known; its targets are checked with the defaults"));
    }
    for group in job
        .get("static_configs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let labels = group.get("labels").map(pairs_of).unwrap_or_default();
        for target in group.get("targets").map(texts_of).unwrap_or_default() {
            let url = match target.contains("://") {
                true => literal(&target),
                false => format!("http://{}", literal(&target)),
            };
            let mut entry = Entry::new(None, &url);
            let mut tags = vec![literal(&job_name)];
            tags.extend(
                labels
                    .iter()
                    .map(|(label, value)| literal(&format!("{label}:{value}"))),
            );
            tags.retain(|tag| !tag.is_empty());
            entry.texts("tags", &tags);
            let timeout = span(module.and_then(|module| module.get("timeout")));
            entry.timing(Some(interval), timeout, None);
            if let Some(http) = module.and_then(|module| module.get("http")) {
                self::http(page, &mut entry, http);
            }
            page.push(entry);
        }
    }
}

fn http(page: &mut Page, entry: &mut Entry, http: &Value) {
    let text = |key: &str| {
        http.get(key)
            .and_then(text_of)
            .filter(|text| !text.is_empty())
    };
    let flag = |key: &str| http.get(key) == Some(&Value::Bool(true));
    if let Some(method) = text("method").filter(|method| method != "GET") {
        entry.text("method", &method.to_ascii_uppercase());
    }
    let headers: Vec<(String, String)> = http
        .get("headers")
        .map(pairs_of)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, literal(&value)))
        .collect();
    entry.headers(&headers, &mut page.left_out);
    if let Some(body) = text("body") {
        entry.text("body", &literal(&body));
    }
    let codes = http
        .get("valid_status_codes")
        .map(texts_of)
        .unwrap_or_default();
    let codes: Vec<u16> = codes.iter().filter_map(|code| code.parse().ok()).collect();
    if !codes.is_empty() {
        let mut statuses = Statuses::all();
        statuses.keep(|status| codes.contains(&status));
        if let Some(statuses) = statuses.toml() {
            entry.set("expect_status", statuses);
        }
    }
    if http.get("follow_redirects") == Some(&Value::Bool(false)) || flag("no_follow_redirects") {
        entry.set("follow_redirects", "false");
    }
    match (
        text("preferred_ip_protocol").as_deref(),
        http.get("ip_protocol_fallback"),
    ) {
        (Some("ip4"), Some(Value::Bool(false))) => entry.text("ip_version", "4"),
        (Some("ip6"), Some(Value::Bool(false))) => entry.text("ip_version", "6"),
        _ => {}
    }
    if let Some(proxy) = text("proxy_url") {
        match proxy.starts_with("http://") {
            true => entry.text("proxy", &literal(&proxy)),
            false => page.left_out.push(format!(
                "{}: the proxy, which is not http://",
                entry.called()
            )),
        }
    }
    if flag("fail_if_not_ssl") {
        entry.set("expect_final_url", quoted("/^https:/"));
    }
    bodies(page, entry, http);
    response_headers(page, entry, http);
    credentials(page, entry, http);
    tls(page, entry, http);
    for key in [
        "fail_if_ssl",
        "valid_http_versions",
        "fail_if_body_json_matches_cel",
        "fail_if_body_json_not_matches_cel",
        "oauth2",
        "compression",
        "skip_resolve_phase_with_proxy",
    ] {
        if http
            .get(key)
            .is_some_and(|value| *value != Value::Bool(false))
        {
            page.left_out.push(format!("{}: {key}", entry.called()));
        }
    }
}

fn bodies(page: &mut Page, entry: &mut Entry, http: &Value) {
    let patterns = |key: &str| http.get(key).map(texts_of).unwrap_or_default();
    let mut must: Vec<String> = Vec::new();
    for pattern in patterns("fail_if_body_not_matches_regexp") {
        match crate::config::value::regex(&pattern) {
            Ok(_) => must.push(literal(&pattern)),
            Err(_) => page
                .left_out
                .push(format!("{}: the pattern `{pattern}`", entry.called())),
        }
    }
    entry.texts("body_matches", &must);
    let mut must_not: Vec<String> = Vec::new();
    for pattern in patterns("fail_if_body_matches_regexp") {
        // A pattern without operators is a text.
        match regex::escape(&pattern) == pattern {
            true => must_not.push(literal(&pattern)),
            false => page.left_out.push(format!(
                "{}: fail_if_body_matches_regexp `{pattern}`; body_excludes takes plain texts",
                entry.called()
            )),
        }
    }
    entry.texts("body_excludes", &must_not);
}

fn response_headers(page: &mut Page, entry: &mut Entry, http: &Value) {
    let rules = |key: &str| {
        http.get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut wanted: Vec<String> = Vec::new();
    for rule in rules("fail_if_header_not_matches") {
        let part = |key: &str| rule.get(key).and_then(text_of).unwrap_or_default();
        let (name, pattern) = (part("header"), part("regexp"));
        let may_be_absent = rule.get("allow_missing") == Some(&Value::Bool(true));
        let is_right = crate::config::value::regex(&pattern).is_ok()
            && !name.is_empty()
            && name.bytes().all(crate::config::value::is_token_byte);
        match is_right && !may_be_absent {
            true => wanted.push(format!(
                "{} = {}",
                quoted(&name),
                quoted(&literal(&format!("/{pattern}/")))
            )),
            false => page.left_out.push(format!(
                "{}: the rule on the header `{name}`",
                entry.called()
            )),
        }
    }
    if !wanted.is_empty() {
        entry.set("expect_headers", format!("{{ {} }}", wanted.join(", ")));
    }
    for rule in rules("fail_if_header_matches") {
        let name = rule.get("header").and_then(text_of).unwrap_or_default();
        page.left_out.push(format!(
            "{}: fail_if_header_matches of `{name}`",
            entry.called()
        ));
    }
}

fn credentials(page: &mut Page, entry: &mut Entry, http: &Value) {
    if let Some(basic) = http.get("basic_auth") {
        let part = |key: &str| basic.get(key).and_then(text_of).map(|text| literal(&text));
        let username = part("username").unwrap_or_default();
        match (part("password"), part("password_file")) {
            (Some(password), _) if !username.is_empty() => entry.set(
                "basic_auth",
                format!(
                    "{{ username = {}, password = {} }}",
                    quoted(&username),
                    quoted(&password)
                ),
            ),
            (None, Some(file)) => {
                // The file is not here, so that the result would not load with it.
                entry.comment(format!(
                    "basic_auth = {{ username = {}, password_file = {} }}",
                    quoted(&username),
                    quoted(&file)
                ));
                page.left_out.push(format!(
                    "{}: basic_auth by a file stands in a comment",
                    entry.called()
                ));
            }
            _ => page
                .left_out
                .push(format!("{}: basic_auth", entry.called())),
        }
    }
    for key in ["bearer_token", "bearer_token_file", "authorization"] {
        if http.get(key).is_some() {
            entry.comment("bearer_token_file = \"token\"");
            page.left_out.push(format!(
                "{}: {key}; put the token into a file for bearer_token_file",
                entry.called()
            ));
        }
    }
}

fn tls(page: &mut Page, entry: &mut Entry, http: &Value) {
    let Some(tls) = http.get("tls_config") else {
        return;
    };
    if tls.get("insecure_skip_verify") == Some(&Value::Bool(true)) {
        entry.set("verify_tls", "false");
    }
    for key in ["ca_file", "cert_file", "key_file"] {
        if let Some(file) = tls.get(key).and_then(text_of) {
            entry.comment(format!("tls_config had {key} = {}", list(&[file])));
            page.left_out.push(format!(
                "{}: tls_config.{key} stands in a comment",
                entry.called()
            ));
        }
    }
    if tls.get("server_name").is_some() {
        page.left_out
            .push(format!("{}: tls_config.server_name", entry.called()));
    }
}
