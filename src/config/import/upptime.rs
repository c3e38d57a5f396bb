//! Upptime's `.upptimerc.yml`.

use std::time::Duration;

use serde_json::Value;

use super::documents::{documents, map_texts};
use super::toml_writer::{Entry, ImportError, Imported, Page, Source, Weight, literal};
use super::yaml::{is_true, text_at, text_of, texts_of};
use crate::domain::safe_text;

/// What GitHub's scheduler gives Upptime: a check every five minutes.
const INTERVAL: Duration = Duration::from_secs(300);

/// Its limit of a whole request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longer one of the two times that it waits before it tries a failed check again.
const RETRY: Duration = Duration::from_secs(10);

/// So many redirects it follows where no number is written.
const REDIRECTS: u64 = 3;

/// The statuses that Upptime takes for up where none are named (its source, `update.ts`).
const STATUSES: &str = "[\"200-208\", 226, \"300-308\"]";

/// Reads a configuration of Upptime.
///
/// # Errors
/// When the text is no YAML, or has no sites.
pub fn upptime(sources: &[Source]) -> Result<Imported, ImportError> {
    let found = documents(sources, &["sites"])?;
    let is_there = found
        .iter()
        .any(|document| document.get("sites").is_some_and(Value::is_array));
    let sites: Vec<&Value> = found
        .iter()
        .filter_map(|document| document.get("sites")?.as_array())
        .flatten()
        .collect();
    if !is_there {
        return Err(ImportError::Nothing(
            "there are no `sites`: is this Upptime's .upptimerc.yml?".to_owned(),
        ));
    }
    let mut page = Page::new("upptime");
    page.follow_anywhere();
    page.default_key("cookies = false");
    for item in sites {
        let mut item = item.clone();
        map_texts(&mut item, &variables);
        site(&mut page, &item);
    }
    for document in &found {
        if document
            .get("notifications")
            .is_some_and(|list| !list.is_null())
        {
            page.lose_all(Weight::Told, "`notifications`: their services are named by secrets of the repository; write a [[channel]] for each");
        }
        if document.get("workflowSchedule").is_some() {
            page.lose_all(
                Weight::Detail,
                "`workflowSchedule`: checked every 5 minutes",
            );
        }
    }
    Ok(page.finish())
}

/// `$NAME` is a secret of the repository.
fn variables(text: &str) -> String {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let mut pieces = text.split('$');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let length = piece.chars().take_while(|c| is_name(*c)).count();
        let begins = piece.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
        match begins && length > 1 {
            true => out.push_str(&format!("${{{}}}{}", &piece[..length], &piece[length..])),
            false => {
                out.push_str(if piece.starts_with('{') { "$$" } else { "$" });
                out.push_str(piece);
            }
        }
    }
    out
}

fn site(page: &mut Page, item: &Value) {
    let url = text_at(item, "url").unwrap_or_default();
    let name = text_at(item, "name").unwrap_or_else(|| url.clone());
    let check = text_at(item, "check").unwrap_or_else(|| "http".to_owned());
    if check == "tcp-ping" {
        port(page, item, &name, &url);
        return;
    }
    if check != "http" {
        let what = format!("not checked ({check}; there are no monitors of that kind)");
        page.lose(Weight::Unchecked, what, &format!("{name} ({url})"));
        return;
    }
    let mut entry = Entry::new(Some(&name), &url);
    // A failure is tried again after a second and after ten more; up is told at once.
    entry.timing(page, Some(INTERVAL), Some(TIMEOUT), Some(RETRY));
    entry.set("failures_before_down", "3");
    entry.set("successes_before_up", "1");
    if let Some(method) = text_at(item, "method") {
        entry.method(page, &method);
    }
    if let Some(body) = text_at(item, "body") {
        entry.text("body", &body);
    }
    headers(page, &mut entry, item);
    statuses(page, &mut entry, item);
    let slow: Option<u64> = text_at(item, "maxResponseTime").and_then(|ms| ms.parse().ok());
    if let Some(slow) = slow.filter(|ms| *ms > 0) {
        entry.span("degraded_after", Duration::from_millis(slow));
    }
    body(&mut entry, item);
    let is = |key: &str| item.get(key).is_some_and(is_true);
    if is("__dangerous__insecure")
        || is("__dangerous__disable_verify_peer")
        || is("__dangerous__disable_verify_host")
    {
        entry.set("verify_tls", "false");
    }
    let redirects = text_at(item, "maxRedirects").and_then(|count| count.parse().ok());
    entry.redirects(page, redirects.unwrap_or(REDIRECTS));
    if is("ipv6") {
        entry.text("ip_version", "6");
    }
    for key in [
        "__dangerous__body_degraded",
        "__dangerous__body_degraded_if_text_missing",
    ] {
        if item.get(key).is_some() {
            page.lose(Weight::Verdict, key, &entry.called());
        }
    }
    if item.get("assignees").is_some() {
        page.lose(Weight::Told, "assignees", &entry.called());
    }
    page.push(entry);
}

/// A TCP port.
fn port(page: &mut Page, item: &Value, name: &str, host: &str) {
    let port = item.get("port").and_then(text_of).unwrap_or_default();
    let mut entry = Entry::new(Some(name), &format!("tcp://{host}:{port}"));
    entry.timing(page, Some(INTERVAL), Some(TIMEOUT), Some(RETRY));
    entry.set("failures_before_down", "3");
    entry.set("successes_before_up", "1");
    if item.get("ipv6").is_some_and(is_true) {
        entry.text("ip_version", "6");
    }
    page.push(entry);
}

/// What counts as up.
fn statuses(page: &mut Page, entry: &mut Entry, item: &Value) {
    let mut codes = Vec::new();
    for code in item
        .get("expectedStatusCodes")
        .map(texts_of)
        .unwrap_or_default()
    {
        match code.parse::<u16>() {
            // As a number, since `0418` is none here.
            Ok(code) if (100..600).contains(&code) => codes.push(code.to_string()),
            _ => {
                let what = format!("the status `{}`", safe_text::line(&code, 40));
                page.lose(Weight::Verdict, what, &entry.called());
            }
        }
    }
    match codes.is_empty() {
        true => entry.set("expect_status", STATUSES),
        false => entry.set("expect_status", format!("[{}]", codes.join(", "))),
    }
}

/// A list of `Name: value` lines.
fn headers(page: &mut Page, entry: &mut Entry, item: &Value) {
    let headers: Vec<(String, String)> = item
        .get("headers")
        .map(texts_of)
        .unwrap_or_default()
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    entry.headers(page, &headers);
}

/// A body that holds one text is down, or degraded, without regard to upper case in Upptime's later versions; here the
/// text counts as it is written.
fn body(entry: &mut Entry, item: &Value) {
    let text = |key: &str| item.get(key).and_then(text_of);
    if let Some(missing) = text("__dangerous__body_down_if_text_missing") {
        entry.texts("body_contains", &[literal(&missing)]);
    }
    if let Some(bad) = text("__dangerous__body_down") {
        entry.texts("body_excludes", &[literal(&bad)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_variables() {
        for (text, wanted) in [
            (
                "Authorization: Bearer $SECRET_SITE_2",
                "Authorization: Bearer ${SECRET_SITE_2}",
            ),
            ("https://x/$TOKEN", "https://x/${TOKEN}"),
            ("costs $5", "costs $5"),
            ("${x}", "$${x}"),
            ("$a", "$a"),
        ] {
            assert_eq!(variables(text), wanted);
        }
    }
}
