//! What a module of blackbox_exporter with `prober: http` asks for.

use serde_json::Value;

use crate::config::import::status_conditions::Statuses;
use crate::config::import::toml_writer::{Entry, Page, Weight, list, literal, quoted};
use crate::config::import::yaml::{is_false, is_true, pairs_of, text_at, text_of, texts_of};
use crate::config::read::scalars;

pub(super) fn http(page: &mut Page, entry: &mut Entry, http: &Value) {
    let text = |key: &str| text_at(http, key);
    let flag = |key: &str| http.get(key).is_some_and(is_true);
    if let Some(method) = text("method") {
        entry.method(page, &literal(&method));
    }
    let headers: Vec<(String, String)> = http
        .get("headers")
        .map(pairs_of)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, literal(&value)))
        .collect();
    let mut headers = headers;
    let token = text("bearer_token").map(|token| format!("Bearer {token}"));
    if let Some(token) = token.or_else(|| inline(http.get("authorization")?)) {
        headers.push(("Authorization".to_owned(), literal(&token)));
    }
    entry.headers(page, &headers);
    if let Some(body) = text("body") {
        entry.text("body", &literal(&body));
    }
    statuses(page, entry, http);
    if http.get("follow_redirects").is_some_and(is_false) || flag("no_follow_redirects") {
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
        if !entry.proxy(&literal(&proxy)) {
            needed(page, entry, "the proxy, which is not an http:// URL");
        }
    } else if flag("proxy_from_environment") {
        entry.text("proxy", "environment");
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
        "compression",
        "body_file",
        "no_proxy",
        "proxy_connect_header",
        "skip_resolve_phase_with_proxy",
    ] {
        if http
            .get(key)
            .is_some_and(|value| *value != Value::Bool(false) && !holds(key, value))
        {
            page.lose(Weight::Verdict, key, &entry.called());
        }
    }
}

/// What counts as up.
fn statuses(page: &mut Page, entry: &mut Entry, http: &Value) {
    let codes = http
        .get("valid_status_codes")
        .map(texts_of)
        .unwrap_or_default();
    let codes: Vec<u16> = codes.iter().filter_map(|code| code.parse().ok()).collect();
    if !codes.is_empty() {
        let mut statuses = Statuses::all();
        statuses.keep(|status| codes.contains(&status));
        match statuses.toml() {
            Some(statuses) => entry.set("expect_status", statuses),
            None => {
                let what = "valid_status_codes: none of them is a status; the default is 2xx";
                page.lose(Weight::Verdict, what, &entry.called());
            }
        }
    }
}

/// Something that is not carried over and without which the site would be down.
fn needed(page: &mut Page, entry: &mut Entry, what: &str) {
    let why = format!("{what}; disabled, without it the site would be down");
    page.lose(Weight::Unchecked, why, &entry.called());
    entry.disable(&format!("it needs {what}"));
}

/// Whether a rule holds for all that is checked here, so that nothing is lost: we speak HTTP/1.1.
fn holds(key: &str, value: &Value) -> bool {
    key == "valid_http_versions" && texts_of(value).iter().any(|version| version == "HTTP/1.1")
}

fn bodies(page: &mut Page, entry: &mut Entry, http: &Value) {
    let patterns = |key: &str| http.get(key).map(texts_of).unwrap_or_default();
    let mut must: Vec<String> = Vec::new();
    for pattern in patterns("fail_if_body_not_matches_regexp") {
        match scalars::regex(&pattern) {
            Ok(_) => must.push(literal(&pattern)),
            Err(_) => page.lose(
                Weight::Verdict,
                format!("the pattern `{pattern}`"),
                &entry.called(),
            ),
        }
    }
    entry.texts("body_matches", &must);
    let mut must_not: Vec<String> = Vec::new();
    for pattern in patterns("fail_if_body_matches_regexp") {
        // A pattern without operators is a text.
        match regex::escape(&pattern) == pattern {
            true => must_not.push(literal(&pattern)),
            false => page.lose(
                Weight::Verdict,
                format!("fail_if_body_matches_regexp `{pattern}`; body_excludes takes plain texts"),
                &entry.called(),
            ),
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
        let may_be_absent = rule.get("allow_missing").is_some_and(is_true);
        let is_right = scalars::regex(&pattern).is_ok()
            && !name.is_empty()
            && name.bytes().all(scalars::is_token_byte);
        match is_right && !may_be_absent {
            true => wanted.push(format!(
                "{} = {}",
                quoted(&name),
                quoted(&literal(&format!("/{pattern}/")))
            )),
            false => page.lose(
                Weight::Verdict,
                format!("the rule on the header `{name}`"),
                &entry.called(),
            ),
        }
    }
    if !wanted.is_empty() {
        entry.set("expect_headers", format!("{{ {} }}", wanted.join(", ")));
    }
    for rule in rules("fail_if_header_matches") {
        let name = rule.get("header").and_then(text_of).unwrap_or_default();
        page.lose(
            Weight::Verdict,
            format!("fail_if_header_matches of `{name}`"),
            &entry.called(),
        );
    }
}

/// What `authorization` sends, if it stands there and is not hidden.
fn inline(authorization: &Value) -> Option<String> {
    let credentials = text_at(authorization, "credentials").filter(|text| text != "<secret>")?;
    let kind = text_at(authorization, "type").unwrap_or_else(|| "Bearer".to_owned());
    Some(format!("{kind} {credentials}"))
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
                let what = "basic_auth by a file stands in a comment; disabled until it is there";
                page.lose(Weight::Unchecked, what, &entry.called());
                entry.disable("its password file is missing");
            }
            _ => needed(page, entry, "basic_auth"),
        }
    }
    if http.get("oauth2").is_some() {
        needed(page, entry, "oauth2");
    }
    for key in ["bearer_token_file", "authorization"] {
        if http.get(key).is_some_and(|value| inline(value).is_none()) {
            entry.comment("bearer_token_file = \"token\"");
            let what = format!("{key}; disabled until the token stands in a bearer_token_file");
            page.lose(Weight::Unchecked, what, &entry.called());
            entry.disable("its token is missing");
        }
    }
}

fn tls(page: &mut Page, entry: &mut Entry, http: &Value) {
    let Some(tls) = http.get("tls_config") else {
        return;
    };
    if tls.get("insecure_skip_verify").is_some_and(is_true) {
        entry.set("verify_tls", "false");
    }
    for key in ["ca_file", "cert_file", "key_file"] {
        if let Some(file) = tls.get(key).and_then(text_of) {
            entry.comment(format!("tls_config had {key} = {}", list(&[file])));
            needed(page, entry, &format!("tls_config.{key}"));
        }
    }
    if tls.get("server_name").is_some() {
        needed(page, entry, "tls_config.server_name");
    }
}
