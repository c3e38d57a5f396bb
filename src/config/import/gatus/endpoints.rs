//! Gatus' `config.yaml`: a file, several, or a folder, as they are or wrapped for Kubernetes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::alerts::{self, Mail};
use super::conditions;
use super::hosts;
use super::ports;
use super::timing;
use crate::config::import::documents::{documents, map_texts, merge};
use crate::config::import::go_duration;
use crate::config::import::toml_writer::{Entry, ImportError, Imported, Page, Source, Weight};
use crate::config::import::yaml::{is_false, is_true, pairs_of, text_at, text_of, texts_of};
use crate::domain::duration_text::{LONGEST, Written};

/// What Gatus' configuration is known by, inside a wrapper.
const KEYS: [&str; 4] = ["endpoints", "alerting", "external-endpoints", "services"];

/// Reads a configuration of Gatus.
///
/// # Errors
/// When a text is no YAML, or none has endpoints.
pub fn gatus(sources: &[Source]) -> Result<Imported, ImportError> {
    let mut root = Value::Object(serde_json::Map::new());
    for document in documents(sources, &KEYS)? {
        if document.is_object() {
            merge(&mut root, document);
        }
    }
    let defaults = RefCell::new(BTreeMap::new());
    map_texts(&mut root, &|text| {
        variables(text, &mut defaults.borrow_mut())
    });
    let endpoints = root.get("endpoints").or_else(|| root.get("services"));
    let Some(Value::Array(endpoints)) = endpoints else {
        return Err(ImportError::Nothing(
            "there are no `endpoints`: is this Gatus' config.yaml?".to_owned(),
        ));
    };
    let mut page = Page::new("gatus");
    page.follow_anywhere();
    page.default_key("cookies = false");
    alerts::email(&mut page, &root);
    let mail = Mail::read(&mut page, &root, endpoints);
    for item in endpoints {
        endpoint(&mut page, item, &root, &mail);
    }
    elsewhere(&mut page, &root);
    for (name, default) in defaults.into_inner() {
        let what = format!("the default `{default}` of ${{{name}}}: set {name} to it");
        page.lose_all(Weight::Detail, what);
    }
    if let Some(window) = root.get("maintenance") {
        maintenance(&mut page, window);
    }
    Ok(page.finish())
}

/// What else is checked there.
fn elsewhere(page: &mut Page, root: &Value) {
    for (key, what) in [
        ("external-endpoints", "not checked (told from outside)"),
        ("suites", "not checked (a suite of requests)"),
    ] {
        let list = root.get(key).and_then(Value::as_array);
        for item in list.into_iter().flatten() {
            let name = text_at(item, "name").unwrap_or_default();
            let called = match text_at(item, "group") {
                Some(group) => format!("{group}/{name}"),
                None => name,
            };
            page.lose(Weight::Unchecked, what, &called);
        }
    }
    if root.get("remote").is_some() {
        page.lose_all(
            Weight::Unchecked,
            "`remote`: the endpoints of other instances",
        );
    }
    if root.get("announcements").is_some() {
        page.lose_all(Weight::Detail, "`announcements`");
    }
}

/// Gatus replaces `$NAME` and `${NAME}` by the environment's values, and `$$` is a dollar sign. `${NAME:-text}` is
/// Flux's form, which has a text for a variable that is not set.
fn variables(text: &str, defaults: &mut BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(next) = after.strip_prefix('$') {
            out.push_str(if next.starts_with('{') { "$$" } else { "$" });
            rest = next;
            continue;
        }
        let (inside, behind) = match after
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
        {
            Some((inside, behind)) => (inside, behind),
            None => after.split_at(name_length(after)),
        };
        let name = &inside[..name_length(inside)];
        if name.is_empty() {
            // `${` without a name or an end is a text there, and would be a fault here.
            out.push_str(if after.starts_with('{') { "$$" } else { "$" });
            rest = after;
            continue;
        }
        if let Some(default) = inside[name.len()..].strip_prefix(":-") {
            defaults.insert(name.to_owned(), default.to_owned());
        }
        out.push_str(&format!("${{{name}}}"));
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn name_length(text: &str) -> usize {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.starts_with(|c: char| c.is_ascii_digit()) {
        true => 0,
        false => text.chars().take_while(|c| is_part(*c)).count(),
    }
}

fn endpoint(page: &mut Page, item: &Value, root: &Value, mail: &Mail) {
    let url = text_at(item, "url").unwrap_or_default();
    let name = text_at(item, "name").unwrap_or_else(|| url.clone());
    let called = match text_at(item, "group") {
        Some(group) => format!("{group}/{name}"),
        None => name,
    };
    let scheme = url.split("://").next().unwrap_or_default().to_lowercase();
    if let Some(question) = item.get("dns").filter(|dns| dns.is_object()) {
        hosts::name(page, item, root, mail, &called, &url, question);
        return;
    }
    let other_kind = ["dns", "ssh", "grpc"]
        .iter()
        .find(|kind| item.get(kind).is_some());
    if scheme == "icmp" && other_kind.is_none() {
        hosts::ping(page, item, root, mail, &called, &url);
        return;
    }
    if let (Some((url, starttls)), None) = (ports::url_of(&url), other_kind) {
        ports::endpoint(page, item, root, mail, &called, (&url, starttls));
        return;
    }
    if !matches!(scheme.as_str(), "http" | "https") && !url.starts_with("${")
        || other_kind.is_some()
    {
        let kind = other_kind.map_or(scheme.as_str(), |kind| kind);
        let what = format!("not checked ({kind}; there are no monitors of that kind)");
        page.lose(Weight::Unchecked, what, &format!("{called} ({url})"));
        return;
    }
    let mut entry = Entry::new(Some(&called), &url);
    if let Some(group) = text_at(item, "group") {
        entry.texts("tags", &[group]);
    }
    timing::timing(page, &mut entry, item);
    if item.get("enabled").is_some_and(is_false) {
        entry.set("enabled", "false");
    }
    request(page, &mut entry, item);
    client(page, &mut entry, item);
    conditions::conditions(page, &mut entry, item);
    alerts::alerts(page, &mut entry, item, root, mail);
    if item.get("maintenance-windows").is_some() {
        let what = "maintenance-windows: its own times of silence; write them as [[maintenance]]";
        page.lose(Weight::Told, what, &called);
    }
    page.push(entry);
}

fn client(page: &mut Page, entry: &mut Entry, item: &Value) {
    let client = item.get("client").unwrap_or(&Value::Null);
    let called = entry.called();
    if client.get("insecure").is_some_and(is_true) {
        entry.set("verify_tls", "false");
    }
    if client.get("ignore-redirect").is_some_and(is_true) {
        entry.set("follow_redirects", "false");
    }
    if let Some(proxy) = text_at(client, "proxy-url")
        && !entry.proxy(&proxy)
    {
        page.lose(
            Weight::Unchecked,
            "the proxy is not an http:// URL; disabled",
            &called,
        );
        entry.disable("it was checked by a proxy that is not an http:// URL");
    }
    match text_at(client, "network").as_deref() {
        Some("ip4") => entry.text("ip_version", "4"),
        Some("ip6") => entry.text("ip_version", "6"),
        Some(_) | None => {}
    }
    for key in ["oauth2", "identity-aware-proxy", "tls"] {
        if client.get(key).is_some_and(|value| !value.is_null()) {
            let what = format!("client.{key}; disabled, without it the site would be down");
            page.lose(Weight::Unchecked, what, &called);
            entry.disable(&format!("it needs client.{key}"));
        }
    }
    if client.get("dns-resolver").is_some() {
        let what = "client.dns-resolver; `servers` in [dns] is for all monitors together";
        page.lose(Weight::Verdict, what, &called);
    }
}

fn request(page: &mut Page, entry: &mut Entry, item: &Value) {
    if let Some(method) = text_at(item, "method") {
        entry.method(page, &method);
    }
    let mut headers = item.get("headers").map(pairs_of).unwrap_or_default();
    if let Some(body) = text_at(item, "body") {
        let is_graphql = item.get("graphql").is_some_and(is_true);
        let body = match is_graphql {
            true => {
                headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
                serde_json::json!({ "query": body }).to_string()
            }
            false => body,
        };
        if is_graphql && text_at(item, "method").is_none() {
            entry.text("method", "POST");
        }
        entry.text("body", &body);
    }
    entry.headers(page, &headers);
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn maintenance(page: &mut Page, window: &Value) {
    if window.get("enabled").is_some_and(is_false) {
        return;
    }
    let start = text_at(window, "start").unwrap_or_default();
    let duration = text_at(window, "duration").and_then(|text| go_duration::parse(&text));
    let clock = start.split_once(':').and_then(|(hour, minute)| {
        let hour: u8 = hour.parse().ok().filter(|hour| *hour < 24)?;
        let minute: u8 = minute.parse().ok().filter(|minute| *minute < 60)?;
        Some((hour, minute))
    });
    let (Some((hour, minute)), Some(duration)) = (clock, duration) else {
        page.lose_all(Weight::Told, "`maintenance`: its start or duration");
        return;
    };
    let days: Vec<String> = window
        .get("every")
        .map(texts_of)
        .unwrap_or_default()
        .iter()
        .filter_map(|day| day.get(..3).map(str::to_lowercase))
        .filter(|day| DAYS.contains(&day.as_str()))
        .collect();
    let days = if days.is_empty() {
        "*".to_owned()
    } else {
        days.join(",")
    };
    let zone = window
        .get("timezone")
        .and_then(text_of)
        .unwrap_or_else(|| "UTC".to_owned());
    let is_wrong = !page.timezone(&zone) || duration.is_zero();
    if is_wrong {
        page.lose_all(
            Weight::Told,
            format!("`maintenance`: its time zone `{zone}` or its duration is not valid"),
        );
        return;
    }
    page.lose_all(
        Weight::Detail,
        format!("the time zone of `maintenance`, {zone}, is the whole file's: [daemon].timezone"),
    );
    page.window(format!(
        "schedule = \"0 {minute} {hour} * * {days}\"\nduration = \"{}\"",
        // A configuration takes no longer one.
        Written(duration.min(LONGEST))
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_gatus_own() {
        for (text, wanted) in [
            ("https://$HOST/x", "https://${HOST}/x"),
            ("${A}-$B-$C_1.x", "${A}-${B}-${C_1}.x"),
            ("cost: $$5", "cost: $5"),
            ("$${A}", "$${A}"),
            ("a $ b", "a $ b"),
            ("${A:-b}", "${A}"),
            ("$", "$"),
            ("${", "$${"),
            ("${HOST:-a.b", "$${HOST:-a.b"),
            ("${}", "$${}"),
            ("${-x}", "$${-x}"),
            ("$1", "$1"),
        ] {
            assert_eq!(variables(text, &mut BTreeMap::new()), wanted, "{text}");
        }
    }
}
