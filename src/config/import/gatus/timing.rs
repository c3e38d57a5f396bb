//! How often Gatus asks, and how long it waits.

use std::time::Duration;

use serde_json::Value;

use crate::config::import::go_duration;
use crate::config::import::toml_writer::{Entry, Page, Weight};
use crate::config::import::yaml::text_at;

/// What Gatus takes when no interval is written.
const INTERVAL: Duration = Duration::from_secs(60);

pub(super) fn timing(page: &mut Page, entry: &mut Entry, item: &Value) {
    let client = item.get("client").unwrap_or(&Value::Null);
    let mut span = |of: &Value, key: &str| {
        let text = text_at(of, key)?;
        let span = go_duration::parse(&text);
        if span.is_none() && !text.contains("${") {
            page.lose(Weight::Verdict, format!("{key} `{text}`"), &entry.called());
        }
        span
    };
    let interval = span(item, "interval");
    let timeout = span(client, "timeout");
    // Gatus confirms by its next checks.
    let every = interval.unwrap_or(INTERVAL);
    entry.timing(page, interval, timeout, Some(every));
}
