//! Gatus' endpoints of `tcp://`, `tls://` and `starttls://`.

use serde_json::Value;

use super::{alerts, conditions, timing};
use crate::config::import::toml_writer::{Entry, Page, Weight};
use crate::config::import::yaml::{is_false, is_true, text_at};

/// The URL of an endpoint and the dialogue before TLS; `None` where it is of another kind.
pub(super) fn url_of(url: &str) -> Option<(String, Option<&'static str>)> {
    let (scheme, rest) = url.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "tcp" | "tls" => Some((url.to_owned(), None)),
        // Gatus knows it of SMTP alone.
        "starttls" => Some((format!("tls://{rest}"), Some("smtp"))),
        _ => None,
    }
}

pub(super) fn endpoint(
    page: &mut Page,
    item: &Value,
    root: &Value,
    mail: &alerts::Mail,
    called: &str,
    (url, starttls): (&str, Option<&str>),
) {
    let mut entry = begin(page, item, called, url);
    if let Some(protocol) = starttls {
        entry.text("starttls", protocol);
    }
    if let Some(body) = text_at(item, "body") {
        entry.text("send", &body);
    }
    let client = item.get("client").unwrap_or(&Value::Null);
    if url.starts_with("tls") && client.get("insecure").is_some_and(is_true) {
        entry.set("verify_tls", "false");
    }
    match text_at(client, "network").as_deref() {
        Some("ip4") => entry.text("ip_version", "4"),
        Some("ip6") => entry.text("ip_version", "6"),
        Some(_) | None => {}
    }
    for key in ["tls", "dns-resolver", "proxy-url"] {
        if client.get(key).is_some_and(|value| !value.is_null()) {
            page.lose(Weight::Verdict, format!("client.{key}"), called);
        }
    }
    conditions::of_port(page, &mut entry, item);
    end(page, entry, item, root, mail);
}

/// What endpoints of every kind begin with.
pub(super) fn begin(page: &mut Page, item: &Value, called: &str, url: &str) -> Entry {
    let mut entry = Entry::new(Some(called), url);
    if let Some(group) = text_at(item, "group") {
        entry.texts("tags", &[group]);
    }
    timing::timing(page, &mut entry, item);
    if item.get("enabled").is_some_and(is_false) {
        entry.set("enabled", "false");
    }
    entry
}

/// Who is told, and when not.
pub(super) fn end(
    page: &mut Page,
    mut entry: Entry,
    item: &Value,
    root: &Value,
    mail: &alerts::Mail,
) {
    alerts::alerts(page, &mut entry, item, root, mail);
    if item.get("maintenance-windows").is_some() {
        let what = "maintenance-windows: its own times of silence; write them as [[maintenance]]";
        page.lose(Weight::Told, what, &entry.called());
    }
    page.push(entry);
}
