//! A curl line that does what a check does, its secrets masked.

use std::path::Path;

use crate::domain::check::HttpVersion;
use crate::domain::monitor::Monitor;
use crate::domain::redaction;
use crate::domain::safe_text;
use crate::domain::subject::HttpSubject;
use crate::domain::target::{Credentials, IpVersion, Method, Proxy};

use super::words::shell_text;
use crate::view::shell::shell_word;

/// A longer body is not written into the command.
const BODY_BYTES_MAX: usize = 1000;

/// The words of the command, quoted for a shell. `version` is what it must speak; `None`: what the monitor asks for.
pub(super) fn words(
    monitor: &Monitor,
    http: &HttpSubject,
    version: Option<HttpVersion>,
) -> Vec<String> {
    let target = &http.target;
    let masked = |text: &str| redaction::shown(&target.masks.apply(text)).into_owned();
    let mut words: Vec<String> = vec!["curl".into()];
    let mut add = |words_of_one: &[&str]| words.push(quoted(words_of_one));
    if target.follow_redirects {
        add(&["-sSL"]);
        add(&["--max-redirs", &target.max_redirects.to_string()]);
    } else {
        add(&["-sS"]);
    }
    add(&["--max-time", &seconds(target.timeout)]);
    if target.cookies {
        add(&["-b", ""]);
    }
    match (&target.method, &target.body) {
        (Method::Get, None) => {}
        (Method::Post, Some(_)) => {}
        (Method::Head, _) => add(&["-I"]),
        (method, _) => add(&["-X", method.as_str()]),
    }
    let names = target.headers.iter().map(|(name, _)| name);
    if !names
        .clone()
        .any(|name| name.eq_ignore_ascii_case("user-agent"))
    {
        // What keeps robots out judges by it: without it curl may get another answer.
        add(&["-A", concat!("sitewatch/", env!("CARGO_PKG_VERSION"))]);
    }
    for (name, value) in &target.headers {
        let value = if is_secret_header(name) {
            redaction::STARS.to_owned()
        } else {
            masked(value.reveal())
        };
        add(&["-H", &format!("{name}: {value}")]);
    }
    match &target.credentials {
        Credentials::None => {}
        Credentials::Basic {
            username,
            is_hidden,
            ..
        } => {
            let username = match is_hidden {
                true => redaction::STARS.to_owned(),
                false => masked(username),
            };
            add(&["-u", &format!("{username}:{}", redaction::STARS)]);
        }
        Credentials::Bearer(_) => {
            add(&["-H", &format!("Authorization: Bearer {}", redaction::STARS)]);
        }
    }
    let files = target.files.as_deref();
    let path = |path: &Path| target.masks.apply(&path.to_string_lossy()).into_owned();
    let mut aside = None;
    if let Some(body) = &target.body {
        match (files.and_then(|files| files.body.as_deref()), inline(body)) {
            (Some(file), _) => add(&["--data-binary", &format!("@{}", path(file))]),
            (None, Some(text)) => {
                // As in a query: a form is one.
                let text = masked(&format!("?{text}"));
                words.push(format!("--data-raw {}", shell_text(&text[1..])));
            }
            (None, None) => {
                add(&["--data-binary", "@body"]);
                aside = Some(format!("# @body: its {} bytes, as configured", body.len()));
            }
        }
    }
    let mut add = |words_of_one: &[&str]| words.push(quoted(words_of_one));
    match target.ip_version {
        IpVersion::Any => {}
        IpVersion::V4 => add(&["-4"]),
        IpVersion::V6 => add(&["-6"]),
    }
    match version.or_else(|| target.http.asked()) {
        None => {}
        Some(HttpVersion::Http10 | HttpVersion::Http11) => add(&["--http1.1"]),
        Some(HttpVersion::Http2) => add(&["--http2"]),
        Some(HttpVersion::Http3) => add(&["--http3-only"]),
    }
    if !target.verify_tls {
        add(&["-k"]);
    }
    if let Some(ca) = files.and_then(|files| files.ca.as_deref()) {
        add(&["--cacert", &path(ca)]);
    }
    if let Some((chain, key)) = files.and_then(|files| files.client_certificate.as_ref()) {
        add(&["--cert", &path(chain)]);
        add(&["--key", &path(key)]);
    }
    match &target.proxy {
        Proxy::None => add(&["--noproxy", "*"]),
        Proxy::Direct(direct) => {
            let url = target.url();
            let host = url.host_str().unwrap_or_default();
            add(&["--noproxy", "*"]);
            if let Some(to) = &direct.connect_to {
                let rule = to.curl_rule(host, url.port_or_known_default());
                add(&["--connect-to", &masked(&rule)]);
            }
        }
        Proxy::Environment { .. } => {}
        Proxy::Through(proxy) => add(&["-x", &masked(&redaction::without_userinfo(proxy))]),
    }
    add(&["-o", "/dev/null", "-D", "-"]);
    add(&[&masked(&monitor.url_shown())]);
    words.extend(aside);
    words
}

/// Words that belong together, each for a shell.
fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    quoted.join(" ")
}

/// The body, if it may be written into the command.
fn inline(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let plain = |c: char| matches!(c, '\n' | '\r' | '\t') || !safe_text::is_unsafe(c);
    (text.len() <= BODY_BYTES_MAX && text.chars().all(plain)).then_some(text)
}

fn seconds(timeout: std::time::Duration) -> String {
    if timeout.subsec_millis() == 0 {
        timeout.as_secs().to_string()
    } else {
        format!("{}.{:03}", timeout.as_secs(), timeout.subsec_millis())
    }
}

/// Fields that carry credentials whatever their value is called.
fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "authorization",
        "cookie",
        "token",
        "secret",
        "password",
        "key",
        "signature",
    ]
    .iter()
    .any(|word| name.contains(word))
}
