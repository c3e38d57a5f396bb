//! Uptime Kuma: its JSON export, or the rows of its database in the same shape.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::answer;
use super::hosts;
use super::request;
use super::telling::Notifications;
use crate::config::import::toml_writer::{Entry, ImportError, Imported, Page, Weight, literal};
use crate::config::import::yaml::{is_false, is_true, text_at, text_of};

/// Groups nest a few levels deep; a circle of parents must not hang the import.
const PARENTS_MAX: usize = 32;

/// What Uptime Kuma takes when no interval is written.
const INTERVAL: Duration = Duration::from_secs(60);

/// Reads an export of Uptime Kuma.
///
/// # Errors
/// When the text is no JSON, or has no monitors.
pub fn uptime_kuma(text: &str) -> Result<Imported, ImportError> {
    let root: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| ImportError::Format(format!("this is not valid JSON: {error}")))?;
    uptime_kuma_value(&root)
}

/// Reads what an export of Uptime Kuma holds, wherever it comes from.
///
/// # Errors
/// When it has no monitors.
pub fn uptime_kuma_value(root: &Value) -> Result<Imported, ImportError> {
    let list = match root {
        Value::Array(_) => Some(root),
        root => root.get("monitorList"),
    };
    let monitors: Vec<&Value> = match list {
        Some(Value::Array(list)) => list.iter().collect(),
        // The form of the web socket, by id.
        Some(Value::Object(by_id)) => by_id.values().collect(),
        _ => {
            return Err(ImportError::Nothing(
                "there is no `monitorList`: is this Uptime Kuma's export? Its database, kuma.db, can be read as well"
                    .to_owned(),
            ));
        }
    };
    let mut page = Page::new("uptime-kuma");
    page.follow_anywhere();
    let notifications = Notifications::read(&mut page, root);
    let by_id = monitors
        .iter()
        .filter_map(|item| Some((item.get("id").and_then(text_of)?, *item)))
        .collect();
    let kuma = Kuma {
        by_id,
        notifications,
        root,
    };
    for item in &monitors {
        kuma.monitor(&mut page, item);
    }
    for (key, weight, what) in [
        ("statusPageList", Weight::Detail, "status pages"),
        (
            "maintenanceList",
            Weight::Told,
            "maintenance windows; write them as [[maintenance]]",
        ),
    ] {
        let any = root
            .get(key)
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
        if any {
            page.lose_all(weight, what);
        }
    }
    Ok(page.finish())
}

/// The whole export.
struct Kuma<'a> {
    by_id: HashMap<String, &'a Value>,
    notifications: Notifications,
    root: &'a Value,
}

impl Kuma<'_> {
    /// The groups of a monitor, its own first.
    fn groups(&self, item: &Value) -> Vec<&Value> {
        let mut groups = Vec::new();
        let mut child = item;
        while groups.len() < PARENTS_MAX
            && let Some(id) = child.get("parent").and_then(text_of)
            && let Some(group) = self.by_id.get(&id)
        {
            groups.push(*group);
            child = group;
        }
        groups
    }

    /// A monitor of a host that is no web site.
    fn host(&self, page: &mut Page, item: &Value, name: &str, kind: &str) {
        if item.get("upsideDown").is_some_and(is_true) {
            page.lose(Weight::Unchecked, "not checked (upside down mode)", name);
            return;
        }
        let url = match kind {
            "ping" => hosts::ping_url(item),
            "dns" => match hosts::dns_url(item) {
                Ok(url) => url,
                Err(what) => {
                    page.lose(Weight::Unchecked, what, name);
                    return;
                }
            },
            _ => hosts::port_url(item),
        };
        let mut entry = Entry::new(Some(&literal(name)), &url);
        let groups = self.groups(item);
        timing(page, &mut entry, item);
        match kind {
            "ping" => hosts::ping(page, &mut entry, item),
            "dns" => hosts::dns(page, &mut entry, item),
            _ => {}
        }
        let is_paused = |item: &Value| item.get("active").is_some_and(is_false);
        if is_paused(item) || groups.iter().any(|group| is_paused(group)) {
            entry.set("enabled", "false");
        }
        tags(&mut entry, item, &groups);
        if let Some(note) = text_at(item, "description") {
            entry.text("note", &literal(&note));
        }
        self.notifications.tell(page, &mut entry, item);
        page.push(entry);
    }

    fn monitor(&self, page: &mut Page, item: &Value) {
        let name = text_at(item, "name").unwrap_or_default();
        let kind = text_at(item, "type").unwrap_or_else(|| "http".to_owned());
        match kind.as_str() {
            "http" | "keyword" | "json-query" => {}
            "group" => return,
            "port" | "ping" | "dns" => {
                self.host(page, item, &name, &kind);
                return;
            }
            other => {
                let host = text_at(item, "hostname").or_else(|| text_at(item, "url"));
                let host = host.map_or_else(String::new, |host| format!(" ({host})"));
                let what = format!("not checked ({other}; there are no monitors of that kind)");
                page.lose(Weight::Unchecked, what, &format!("{name}{host}"));
                return;
            }
        }
        if item.get("upsideDown").is_some_and(is_true) {
            page.lose(Weight::Unchecked, "not checked (upside down mode)", &name);
            return;
        }
        let mut entry = Entry::new(
            Some(&literal(&name)),
            &literal(&text_at(item, "url").unwrap_or_default()),
        );
        let groups = self.groups(item);
        timing(page, &mut entry, item);
        let is_paused = |item: &Value| item.get("active").is_some_and(is_false);
        if is_paused(item) || groups.iter().any(|group| is_paused(group)) {
            entry.set("enabled", "false");
        }
        tags(&mut entry, item, &groups);
        request::request(page, &mut entry, item);
        request::proxy(page, &mut entry, item, self.root);
        answer::answer(page, &mut entry, item, &kind);
        if item.get("ignoreTls").is_some_and(is_true) {
            entry.set("verify_tls", "false");
        }
        if let Some(note) = text_at(item, "description") {
            entry.text("note", &literal(&note));
        }
        self.notifications.tell(page, &mut entry, item);
        page.push(entry);
    }
}

/// Times and numbers of tries. Uptime Kuma tells after the retries of a failed check, and of a recovery at once.
fn timing(page: &mut Page, entry: &mut Entry, item: &Value) {
    let seconds = |key: &str| {
        let seconds: f64 = item.get(key).and_then(text_of)?.parse().ok()?;
        let span = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Duration::from_millis(u64::try_from(span.as_millis()).ok()?))
    };
    let interval = seconds("interval").unwrap_or(INTERVAL);
    let is_set = |span: &Duration| !span.is_zero();
    // Without a timeout Uptime Kuma waits for four fifths of the interval.
    let timeout = seconds("timeout").filter(is_set);
    let retry = seconds("retryInterval").filter(is_set);
    entry.timing(
        page,
        Some(interval),
        Some(timeout.unwrap_or(interval * 4 / 5)),
        Some(retry.unwrap_or(interval)),
    );
    let retries: u64 = item
        .get("maxretries")
        .and_then(text_of)
        .and_then(|retries| retries.parse().ok())
        .unwrap_or(0);
    let failures = retries.saturating_add(1).min(1000);
    entry.set("failures_before_down", failures.to_string());
    entry.set("successes_before_up", "1");
    match text_at(item, "ipFamily").as_deref() {
        Some("ipv4" | "4") => entry.text("ip_version", "4"),
        Some("ipv6" | "6") => entry.text("ip_version", "6"),
        Some(_) | None => {}
    }
    if item.get("cacheBust").is_some_and(is_true) {
        let what = "cacheBust (a changing query against caches)";
        page.lose(Weight::Verdict, what, &entry.called());
    }
}

fn tags(entry: &mut Entry, item: &Value, groups: &[&Value]) {
    let mut tags: Vec<String> = Vec::new();
    for tag in item
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        match (text_at(tag, "name"), text_at(tag, "value")) {
            (Some(name), Some(value)) => tags.push(literal(&format!("{name}:{value}"))),
            (Some(name), None) => tags.push(literal(&name)),
            (None, _) => {}
        }
    }
    tags.extend(
        groups
            .iter()
            .filter_map(|group| text_at(group, "name"))
            .map(|name| literal(&name)),
    );
    let mut seen = std::collections::HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    entry.texts("tags", &tags);
}
