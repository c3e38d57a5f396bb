//! What Uptime Kuma sends.

use serde_json::Value;

use crate::config::import::toml_writer::{Entry, Page, Weight, literal, quoted};
use crate::config::import::yaml::{is_false, is_true, pairs_of, text_at};

pub(super) fn request(page: &mut Page, entry: &mut Entry, item: &Value) {
    if let Some(method) = text_at(item, "method") {
        entry.method(page, &literal(&method));
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(written) = text_at(item, "headers") {
        match serde_json::from_str::<Value>(&written) {
            Ok(map) => headers = pairs_of(&map),
            Err(_) => page.lose(
                Weight::Verdict,
                "the headers, which are not valid JSON",
                &entry.called(),
            ),
        }
    }
    for (_, value) in &mut headers {
        *value = literal(value);
    }
    if let Some(body) = text_at(item, "body") {
        let is_typed = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if !is_typed {
            let content_type = match text_at(item, "httpBodyEncoding").as_deref() {
                Some("xml") => "text/xml; charset=utf-8",
                Some("form") => "application/x-www-form-urlencoded",
                _ => "application/json",
            };
            headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        }
        entry.text("body", &literal(&body));
    }
    authentication(page, entry, item, &mut headers);
    entry.headers(page, &headers);
}

/// A monitor whose way to log in is not known here would be down for ever: it is kept, but disabled.
fn authentication(
    page: &mut Page,
    entry: &mut Entry,
    item: &Value,
    headers: &mut Vec<(String, String)>,
) {
    // Before version 1.14 there was basic authentication only, and no name for it.
    let has_user = text_at(item, "basic_auth_user").is_some();
    let method = match item.get("authMethod") {
        None if has_user => "basic".to_owned(),
        _ => text_at(item, "authMethod").unwrap_or_default(),
    };
    if matches!(method.as_str(), "" | "none") {
        return;
    }
    let called = entry.called();
    if method != "basic" {
        let what =
            format!("authentication by {method}; disabled, without it the site would be down");
        page.lose(Weight::Unchecked, what, &called);
        entry.disable(&format!("it logs in by {method}"));
        return;
    }
    let user = literal(&text_at(item, "basic_auth_user").unwrap_or_default());
    let password = literal(&text_at(item, "basic_auth_pass").unwrap_or_default());
    if user.is_empty() {
        page.lose(
            Weight::Verdict,
            "basic authentication without a user name",
            &called,
        );
        return;
    }
    let login = format!(
        "{{ username = {}, password = {} }}",
        quoted(&user),
        quoted(&password)
    );
    entry.set("basic_auth", login);
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
}

/// The proxy of a monitor. Another protocol than http is not spoken here: the monitor is kept, but disabled.
pub(super) fn proxy(page: &mut Page, entry: &mut Entry, item: &Value, root: &Value) {
    let Some(id) = item.get("proxyId").filter(|id| !id.is_null()) else {
        return;
    };
    let list = root.get("proxyList").and_then(Value::as_array);
    let proxy = list
        .into_iter()
        .flatten()
        .find(|proxy| proxy.get("id") == Some(id));
    if proxy.is_some_and(|proxy| proxy.get("active").is_some_and(is_false)) {
        return;
    }
    let url = proxy.and_then(proxy_url);
    if !url.is_some_and(|url| entry.proxy(&literal(&url))) {
        page.lose(
            Weight::Unchecked,
            "the proxy, which is not an http:// one of this export; disabled",
            &entry.called(),
        );
        entry.disable("it was checked by a proxy that is not known here");
    }
}

fn proxy_url(proxy: &Value) -> Option<String> {
    if text_at(proxy, "protocol").as_deref() != Some("http") {
        return None;
    }
    let host = text_at(proxy, "host")?;
    let port: u16 = text_at(proxy, "port")?.parse().ok()?;
    let mut url = url::Url::parse(&format!("http://{host}:{port}")).ok()?;
    if proxy.get("auth").is_some_and(is_true) {
        url.set_username(&text_at(proxy, "username").unwrap_or_default())
            .ok()?;
        url.set_password(text_at(proxy, "password").as_deref())
            .ok()?;
    }
    Some(url.into())
}
