//! Gatus' `config.yaml`.

use std::time::Duration;

use serde_json::Value;

use super::page::{Email, Entry, ImportError, Imported, Page, quoted};
use super::statuses::Statuses;
use super::yaml::{self, pairs_of, text_of, texts_of};
use crate::domain::span;

/// Reads a configuration of Gatus.
///
/// # Errors
/// When the text is no YAML, or has no endpoints.
pub fn gatus(text: &str) -> Result<Imported, ImportError> {
    let root = yaml::parse(text)?;
    let endpoints = root.get("endpoints").or_else(|| root.get("services"));
    let Some(Value::Array(endpoints)) = endpoints else {
        return Err(ImportError::Format(
            "there are no `endpoints`: is this Gatus' config.yaml?".to_owned(),
        ));
    };
    let mut page = Page::new("gatus");
    email(&mut page, &root);
    for item in endpoints {
        endpoint(&mut page, item);
    }
    for key in ["external-endpoints", "suites", "remote", "announcements"] {
        if root.get(key).is_some() {
            page.left_out
                .push(format!("`{key}`: sitewatch has nothing like it"));
        }
    }
    if let Some(window) = root.get("maintenance") {
        maintenance(&mut page, window);
    }
    Ok(page.finish())
}

fn email(page: &mut Page, root: &Value) {
    let Some(Value::Object(providers)) = root.get("alerting") else {
        return;
    };
    for (name, provider) in providers {
        if name != "email" {
            page.left_out
                .push(format!("alerting by {name}: only mail is sent"));
            continue;
        }
        let text = |key: &str| provider.get(key).and_then(text_of).unwrap_or_default();
        let port = provider
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok());
        let from = text("from");
        let username = Some(text("username")).filter(|name| !name.is_empty());
        page.email(Email {
            host: text("host"),
            tls: match port {
                Some(465) => Some("implicit"),
                _ => None,
            },
            port,
            username: username.or_else(|| Some(from.clone())),
            password: Some(text("password")).filter(|password| !password.is_empty()),
            from,
            to: text("to").split(',').map(str::to_owned).collect(),
        });
    }
}

fn endpoint(page: &mut Page, item: &Value) {
    let text = |key: &str| {
        item.get(key)
            .and_then(text_of)
            .filter(|text| !text.is_empty())
    };
    let url = text("url").unwrap_or_default();
    let name = text("name").unwrap_or_else(|| url.clone());
    let called = match text("group") {
        Some(group) => format!("{group}/{name}"),
        None => name,
    };
    let scheme = url.split("://").next().unwrap_or_default().to_lowercase();
    let other_kind = ["dns", "ssh", "grpc"]
        .iter()
        .find(|kind| item.get(kind).is_some());
    if !matches!(scheme.as_str(), "http" | "https") && !url.starts_with("${")
        || other_kind.is_some()
    {
        let kind = other_kind.map_or(scheme.as_str(), |kind| kind);
        page.left_out.push(format!(
            "{called}: {kind} is not checked, only http and https"
        ));
        return;
    }
    let mut entry = Entry::new(Some(&called), &url);
    if let Some(group) = text("group") {
        entry.texts("tags", &[group]);
    }
    let client = item.get("client").cloned().unwrap_or(Value::Null);
    let of_client = |key: &str| client.get(key).and_then(text_of);
    let span = |text: Option<String>| text.and_then(|text| span::parse(&text).ok());
    entry.timing(span(text("interval")), span(of_client("timeout")), None);
    if item.get("enabled") == Some(&Value::Bool(false)) {
        entry.set("enabled", "false");
    }
    request(page, &mut entry, item);
    if of_client("insecure").as_deref() == Some("true") {
        entry.set("verify_tls", "false");
    }
    if of_client("ignore-redirect").as_deref() == Some("true") {
        entry.set("follow_redirects", "false");
    }
    if let Some(proxy) = of_client("proxy-url") {
        match proxy.starts_with("http://") {
            true => entry.text("proxy", &proxy),
            false => page
                .left_out
                .push(format!("{called}: the proxy, which is not http://")),
        }
    }
    for key in [
        "dns-resolver",
        "oauth2",
        "identity-aware-proxy",
        "tls",
        "network",
    ] {
        if client.get(key).is_some() {
            page.left_out.push(format!("{called}: client.{key}"));
        }
    }
    conditions(page, &mut entry, item);
    alerts(page, &mut entry, item);
    for key in ["maintenance-windows", "ui", "store"] {
        if item.get(key).is_some() {
            page.left_out.push(format!("{called}: {key}"));
        }
    }
    page.push(entry);
}

fn request(page: &mut Page, entry: &mut Entry, item: &Value) {
    let text = |key: &str| {
        item.get(key)
            .and_then(text_of)
            .filter(|text| !text.is_empty())
    };
    if let Some(method) = text("method") {
        entry.text("method", &method.to_ascii_uppercase());
    }
    let mut headers = item.get("headers").map(pairs_of).unwrap_or_default();
    if let Some(body) = text("body") {
        let is_graphql = item.get("graphql") == Some(&Value::Bool(true));
        let body = match is_graphql {
            true => {
                headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
                serde_json::json!({ "query": body }).to_string()
            }
            false => body,
        };
        if is_graphql && text("method").is_none() {
            entry.text("method", "POST");
        }
        entry.text("body", &body);
    }
    entry.headers(&headers, &mut page.left_out);
}

fn alerts(page: &mut Page, entry: &mut Entry, item: &Value) {
    let Some(Value::Array(alerts)) = item.get("alerts") else {
        return;
    };
    for alert in alerts {
        let kind = alert.get("type").and_then(text_of).unwrap_or_default();
        if kind != "email" {
            page.left_out
                .push(format!("{}: the alert by {kind}", entry.called()));
            continue;
        }
        let count = |key: &str| {
            alert
                .get(key)
                .and_then(Value::as_u64)
                .filter(|count| (1..=1000).contains(count))
        };
        if let Some(count) = count("failure-threshold") {
            entry.set("failures_before_down", count.to_string());
        }
        if let Some(count) = count("success-threshold") {
            entry.set("successes_before_up", count.to_string());
        }
    }
}

/// A condition taken apart: what is looked at, how, and against what.
fn condition_parts(condition: &str) -> Option<(&str, &str, &str)> {
    ["==", "!=", "<=", ">=", "<", ">"]
        .into_iter()
        .filter_map(|operator| Some((condition.find(operator)?, operator)))
        .min_by_key(|(at, operator)| (*at, std::cmp::Reverse(operator.len())))
        .map(|(at, operator)| {
            (
                condition[..at].trim(),
                operator,
                condition[at + operator.len()..].trim(),
            )
        })
}

fn compares(operator: &str, left: u64, right: u64) -> bool {
    match operator {
        "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    }
}

fn inside<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    text.strip_prefix(function)?
        .strip_prefix('(')?
        .strip_suffix(')')
}

#[derive(Default)]
struct Found {
    statuses: Option<Statuses>,
    contains: Vec<String>,
    excludes: Vec<String>,
    matches: Vec<String>,
    json: Vec<String>,
}

fn conditions(page: &mut Page, entry: &mut Entry, item: &Value) {
    let mut found = Found::default();
    for condition in item.get("conditions").map(texts_of).unwrap_or_default() {
        let understood = condition_parts(&condition)
            .is_some_and(|parts| one_condition(entry, &mut found, parts));
        if !understood {
            page.left_out
                .push(format!("{}: the condition `{condition}`", entry.called()));
        }
    }
    if let Some(statuses) = found.statuses {
        match statuses.toml() {
            Some(list) => entry.set("expect_status", list),
            None => page.left_out.push(format!(
                "{}: conditions on [STATUS] that exclude each other",
                entry.called()
            )),
        }
    } else {
        // Without a condition on the status every answer is good.
        entry.set("expect_status", "[\"100-599\"]");
    }
    entry.texts("body_contains", &found.contains);
    entry.texts("body_excludes", &found.excludes);
    entry.texts("body_matches", &found.matches);
    if !found.json.is_empty() {
        entry.set("json", format!("[{}]", found.json.join(", ")));
    }
}

fn one_condition(entry: &mut Entry, found: &mut Found, parts: (&str, &str, &str)) -> bool {
    let (left, operator, right) = parts;
    match left {
        "[STATUS]" => {
            let statuses = found.statuses.get_or_insert_with(Statuses::all);
            let codes: Option<Vec<u64>> = match inside(right, "any") {
                Some(list) => list
                    .split(',')
                    .map(|code| code.trim().parse().ok())
                    .collect(),
                None => right.parse().ok().map(|code| vec![code]),
            };
            let Some(codes) = codes else { return false };
            let any = operator != "!=";
            statuses.keep(|status| {
                let mut compared = codes
                    .iter()
                    .map(|code| compares(operator, u64::from(status), *code));
                if any {
                    compared.any(|yes| yes)
                } else {
                    compared.all(|yes| yes)
                }
            });
            true
        }
        "[CONNECTED]" => operator == "==" && right == "true",
        "[RESPONSE_TIME]" => {
            let Ok(ms) = right.trim_end_matches("ms").trim().parse::<u64>() else {
                return false;
            };
            if !operator.starts_with('<') || ms == 0 {
                return false;
            }
            entry.span("degraded_after", Duration::from_millis(ms));
            entry.text("on_slow", "alert");
            entry.comment("a slow answer is degraded here, not down");
            true
        }
        "[CERTIFICATE_EXPIRATION]" => {
            entry.comment(format!(
                "certificates: `{right}` before the end; see certificate_expiry in [alerts], which warns 21, 7 and 1 days before"
            ));
            operator.starts_with('>')
        }
        "[BODY]" => body(found, operator, right),
        _ => json(found, left, operator, right),
    }
}

/// A pattern with `*` for anything, as a regular expression.
fn pattern(glob: &str) -> String {
    let parts: Vec<String> = glob.split('*').map(regex::escape).collect();
    format!("^(?s:{})$", parts.join(".*"))
}

fn body(found: &mut Found, operator: &str, right: &str) -> bool {
    let middle = inside(right, "pat").map(|glob| {
        let inner = glob
            .strip_prefix('*')
            .and_then(|rest| rest.strip_suffix('*'));
        (
            glob,
            inner.filter(|inner| !inner.contains('*') && !inner.is_empty()),
        )
    });
    match (operator, middle) {
        ("==", Some((_, Some(inner)))) => found.contains.push(inner.to_owned()),
        ("!=", Some((_, Some(inner)))) => found.excludes.push(inner.to_owned()),
        ("==", Some((glob, None))) => found.matches.push(pattern(glob)),
        ("==", None) if !right.starts_with("any(") && !right.is_empty() => {
            found
                .matches
                .push(format!(r"^\s*{}\s*$", regex::escape(right)));
        }
        _ => return false,
    }
    true
}

fn json(found: &mut Found, left: &str, operator: &str, right: &str) -> bool {
    let path_of = |placeholder: &str| {
        let rest = placeholder.strip_prefix("[BODY]")?;
        let path = format!("${rest}");
        serde_json_path::JsonPath::parse(&path)
            .is_ok()
            .then_some(path)
    };
    if let Some(path) = inside(left, "has").and_then(path_of) {
        let exists = match (operator, right) {
            ("==", "true") | ("!=", "false") => true,
            ("==", "false") | ("!=", "true") => false,
            _ => return false,
        };
        found
            .json
            .push(format!("{{ path = {}, exists = {exists} }}", quoted(&path)));
        return true;
    }
    let Some(path) = path_of(left) else {
        return false;
    };
    let path = quoted(&path);
    let number = right
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite());
    let test = match (operator, number, inside(right, "pat")) {
        ("==", _, Some(glob)) => format!("matches = {}", quoted(&pattern(glob))),
        ("==", Some(_), None) => format!("equals = {right}"),
        ("==", None, None) if matches!(right, "true" | "false") => format!("equals = {right}"),
        ("==", None, None) if !right.starts_with("any(") => {
            format!("equals = {}", quoted(right.trim_matches('"')))
        }
        ("<", Some(number), None) => format!("less_than = {number:?}"),
        (">", Some(number), None) => format!("greater_than = {number:?}"),
        _ => return false,
    };
    found.json.push(format!("{{ path = {path}, {test} }}"));
    true
}

fn maintenance(page: &mut Page, window: &Value) {
    let text = |key: &str| window.get(key).and_then(text_of);
    if text("enabled").as_deref() == Some("false") {
        return;
    }
    let start = text("start").unwrap_or_default();
    let duration = text("duration").and_then(|text| span::parse(&text).ok());
    let clock = start.split_once(':').and_then(|(hour, minute)| {
        let hour: u8 = hour.parse().ok().filter(|hour| *hour < 24)?;
        let minute: u8 = minute.parse().ok().filter(|minute| *minute < 60)?;
        Some((hour, minute))
    });
    let (Some((hour, minute)), Some(duration)) = (clock, duration) else {
        page.left_out
            .push("`maintenance`: its start or duration".to_owned());
        return;
    };
    let days: Vec<String> = window
        .get("every")
        .map(texts_of)
        .unwrap_or_default()
        .iter()
        .filter_map(|day| day.get(..3).map(str::to_owned))
        .collect();
    let days = if days.is_empty() {
        "*".to_owned()
    } else {
        days.join(",")
    };
    let zone = text("timezone").unwrap_or_else(|| "UTC".to_owned());
    page.window(format!(
        "# It was meant in {zone}; here it is in [daemon].timezone.\n\
         schedule = \"0 {minute} {hour} * * {days}\"\nduration = \"{}\"",
        span::Written(duration)
    ));
}
