//! Uptime Kuma's JSON export.

use std::time::Duration;

use serde_json::Value;

use super::page::{Email, Entry, ImportError, Imported, Page, literal, quoted};
use super::yaml::text_of;
use crate::domain::expectation::StatusSet;

/// Reads an export of Uptime Kuma.
///
/// # Errors
/// When the text is no JSON, or has no monitors.
pub fn uptime_kuma(text: &str) -> Result<Imported, ImportError> {
    let root: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| ImportError::Format(format!("this is no JSON: {error}")))?;
    let list = match &root {
        Value::Array(list) => Some(list),
        root => root.get("monitorList").and_then(Value::as_array),
    };
    let Some(list) = list else {
        return Err(ImportError::Format(
            "there is no `monitorList`: is this Uptime Kuma's export?".to_owned(),
        ));
    };
    let mut page = Page::new("uptime-kuma");
    notifications(&mut page, &root);
    for item in list {
        monitor(&mut page, item, list);
    }
    for (key, what) in [("proxyList", "proxies"), ("statusPageList", "status pages")] {
        let any = root
            .get(key)
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
        if any {
            page.left_out.push(what.to_owned());
        }
    }
    Ok(page.finish())
}

fn notifications(page: &mut Page, root: &Value) {
    let Some(list) = root.get("notificationList").and_then(Value::as_array) else {
        return;
    };
    let mut has_mail = false;
    for notification in list {
        let name = notification
            .get("name")
            .and_then(text_of)
            .unwrap_or_default();
        let config = match notification.get("config") {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
            Some(other) => other.clone(),
            None => Value::Null,
        };
        let text = |key: &str| config.get(key).and_then(text_of).unwrap_or_default();
        if text("type") != "smtp" || has_mail {
            page.left_out
                .push(format!("the notification `{name}` ({})", text("type")));
            continue;
        }
        has_mail = true;
        let secure = config.get("smtpSecure") == Some(&Value::Bool(true));
        let unsafe_tls = config.get("smtpIgnoreTLSError") == Some(&Value::Bool(true));
        if unsafe_tls {
            page.left_out.push(format!(
                "`{name}`: ignoring TLS errors of the mail server; see ca_file"
            ));
        }
        let not_empty = |text: String| Some(literal(&text)).filter(|text| !text.is_empty());
        page.email(Email {
            host: text("smtpHost"),
            port: text("smtpPort").parse().ok(),
            tls: Some(if secure { "implicit" } else { "starttls" }),
            username: not_empty(text("smtpUsername")),
            password: not_empty(text("smtpPassword")),
            from: text("smtpFrom"),
            to: text("smtpTo").split(',').map(str::to_owned).collect(),
        });
    }
}

fn monitor(page: &mut Page, item: &Value, all: &[Value]) {
    let text = |key: &str| {
        item.get(key)
            .and_then(text_of)
            .filter(|text| !text.is_empty())
    };
    let name = text("name").unwrap_or_default();
    let kind = text("type").unwrap_or_else(|| "http".to_owned());
    match kind.as_str() {
        "http" | "keyword" | "json-query" => {}
        "group" => return,
        other => {
            page.left_out.push(format!(
                "{name}: {other} is not checked, only http and https"
            ));
            return;
        }
    }
    let mut entry = Entry::new(
        Some(&literal(&name)),
        &literal(&text("url").unwrap_or_default()),
    );
    let seconds = |key: &str| {
        let seconds = item.get(key).and_then(Value::as_f64)?;
        Duration::try_from_secs_f64(seconds)
            .ok()
            .map(|span| Duration::from_millis(span.as_millis() as u64))
    };
    entry.timing(
        seconds("interval"),
        seconds("timeout"),
        seconds("retryInterval"),
    );
    let flag = |key: &str| match item.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        _ => false,
    };
    if item.get("active").is_some() && !flag("active") {
        entry.set("enabled", "false");
    }
    if let Some(retries) = item.get("maxretries").and_then(Value::as_u64) {
        entry.set("failures_before_down", (retries + 1).min(1000).to_string());
        entry.set("successes_before_up", "1");
    }
    tags(&mut entry, item, all);
    request(page, &mut entry, item);
    answer(page, &mut entry, item, &kind);
    if flag("ignoreTls") {
        entry.set("verify_tls", "false");
    }
    if let Some(note) = text("description") {
        entry.text("note", &literal(&note));
    }
    if flag("upsideDown") {
        page.left_out
            .push(format!("{name}: upside down mode, the monitor is left out"));
        return;
    }
    if item.get("proxyId").is_some_and(|id| !id.is_null()) {
        page.left_out.push(format!("{name}: its proxy"));
    }
    page.push(entry);
}

fn tags(entry: &mut Entry, item: &Value, all: &[Value]) {
    let mut tags: Vec<String> = Vec::new();
    for tag in item
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let part = |key: &str| {
            tag.get(key)
                .and_then(text_of)
                .filter(|text| !text.is_empty())
        };
        match (part("name"), part("value")) {
            (Some(name), Some(value)) => tags.push(literal(&format!("{name}:{value}"))),
            (Some(name), None) => tags.push(literal(&name)),
            (None, _) => {}
        }
    }
    let parent = item.get("parent").filter(|parent| !parent.is_null());
    let group = parent.and_then(|parent| all.iter().find(|other| other.get("id") == Some(parent)));
    if let Some(name) = group.and_then(|group| group.get("name")).and_then(text_of) {
        tags.push(literal(&name));
    }
    tags.dedup();
    entry.texts("tags", &tags);
}

fn request(page: &mut Page, entry: &mut Entry, item: &Value) {
    let text = |key: &str| {
        item.get(key)
            .and_then(text_of)
            .filter(|text| !text.is_empty())
    };
    if let Some(method) = text("method").filter(|method| method != "GET") {
        entry.text("method", &method.to_ascii_uppercase());
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(written) = text("headers") {
        match serde_json::from_str::<Value>(&written) {
            Ok(map) => headers = super::yaml::pairs_of(&map),
            Err(_) => page.left_out.push(format!(
                "{}: its headers, which are no JSON",
                entry.called()
            )),
        }
    }
    for (_, value) in &mut headers {
        *value = literal(value);
    }
    if let Some(body) = text("body") {
        let encoding = text("httpBodyEncoding").unwrap_or_default();
        let typed = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if !typed {
            let content_type = match encoding.as_str() {
                "xml" => "text/xml; charset=utf-8",
                "form" => "application/x-www-form-urlencoded",
                _ => "application/json",
            };
            headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        }
        entry.text("body", &literal(&body));
    }
    match text("authMethod").as_deref() {
        None => {}
        Some("basic") => {
            let user = literal(&text("basic_auth_user").unwrap_or_default());
            let password = literal(&text("basic_auth_pass").unwrap_or_default());
            match user.is_empty() {
                true => page.left_out.push(format!(
                    "{}: basic authentication without a user",
                    entry.called()
                )),
                false => entry.set(
                    "basic_auth",
                    format!(
                        "{{ username = {}, password = {} }}",
                        quoted(&user),
                        quoted(&password)
                    ),
                ),
            }
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        }
        Some(other) => page
            .left_out
            .push(format!("{}: authentication by {other}", entry.called())),
    }
    entry.headers(&headers, &mut page.left_out);
}

fn answer(page: &mut Page, entry: &mut Entry, item: &Value, kind: &str) {
    let text = |key: &str| {
        item.get(key)
            .and_then(text_of)
            .filter(|text| !text.is_empty())
    };
    let codes = item
        .get("accepted_statuscodes")
        .map(super::yaml::texts_of)
        .unwrap_or_default();
    let (known, unknown): (Vec<String>, Vec<String>) = codes
        .into_iter()
        .partition(|code| StatusSet::member(code).is_ok());
    for code in unknown {
        page.left_out
            .push(format!("{}: the status `{code}`", entry.called()));
    }
    if !known.is_empty() && known != ["200-299"] {
        entry.texts("expect_status", &known);
    }
    match item.get("maxredirects").and_then(Value::as_u64) {
        Some(0) => entry.set("follow_redirects", "false"),
        Some(10) | None => {}
        Some(count) => entry.set("max_redirects", count.min(50).to_string()),
    }
    if kind == "keyword"
        && let Some(keyword) = text("keyword")
    {
        let inverted = matches!(item.get("invertKeyword"), Some(Value::Bool(true)));
        let key = if inverted {
            "body_excludes"
        } else {
            "body_contains"
        };
        entry.texts(key, &[literal(&keyword)]);
    }
    if kind == "json-query" {
        let path = text("jsonPath").unwrap_or_default();
        let full = match path.starts_with('$') {
            true => path.clone(),
            false => format!("$.{path}"),
        };
        let expected = text("expectedValue").unwrap_or_default();
        let operator = text("jsonPathOperator").unwrap_or_else(|| "==".to_owned());
        match serde_json_path::JsonPath::parse(&full).is_ok() && operator == "==" {
            true => {
                // Uptime Kuma compares texts.
                let exact = format!("^{}$", regex::escape(&expected));
                entry.set(
                    "json",
                    format!(
                        "[{{ path = {}, matches = {} }}]",
                        quoted(&full),
                        quoted(&literal(&exact))
                    ),
                );
            }
            false => page
                .left_out
                .push(format!("{}: the JSON query `{path}`", entry.called())),
        }
    }
}
