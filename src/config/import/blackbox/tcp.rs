//! What a module of blackbox_exporter with `prober: tcp` asks for.

use serde_json::Value;

use crate::config::import::toml_writer::{Entry, Page, Weight, literal};
use crate::config::import::yaml::{is_false, is_true, text_at};
use crate::config::read::scalars;

/// The URL of a target: `host:port`.
pub(super) fn url_of(target: &str, tcp: Option<&Value>) -> String {
    let target = target.split_once("://").map_or(target, |(_, rest)| rest);
    let is_on = |key: &str| tcp.is_some_and(|tcp| tcp.get(key).is_some_and(is_true));
    let scheme = match is_on("tls") || starttls(tcp).is_some() {
        true => "tls",
        false => "tcp",
    };
    format!("{scheme}://{}", literal(target))
}

fn steps(tcp: Option<&Value>) -> &[Value] {
    let list = tcp.and_then(|tcp| tcp.get("query_response")?.as_array());
    list.map_or(&[], Vec::as_slice)
}

/// The step that begins TLS, and what was said before.
fn starttls(tcp: Option<&Value>) -> Option<String> {
    let steps = steps(tcp);
    let at = steps
        .iter()
        .position(|step| step.get("starttls").is_some_and(is_true))?;
    let said: Vec<String> = steps[..=at]
        .iter()
        .filter_map(|step| text_at(step, "send"))
        .collect();
    Some(said.join("\n").to_ascii_uppercase())
}

pub(super) fn tcp(page: &mut Page, entry: &mut Entry, tcp: &Value) {
    match (
        text_at(tcp, "preferred_ip_protocol").as_deref(),
        tcp.get("ip_protocol_fallback").is_some_and(is_false),
    ) {
        (Some("ip4"), true) => entry.text("ip_version", "4"),
        (Some("ip6"), true) => entry.text("ip_version", "6"),
        _ => {}
    }
    let is_tls = tcp.get("tls").is_some_and(is_true) || starttls(Some(tcp)).is_some();
    if let Some(config) = tcp.get("tls_config").filter(|_| is_tls) {
        if config.get("insecure_skip_verify").is_some_and(is_true) {
            entry.set("verify_tls", "false");
        }
        for (theirs, ours) in [("ca_file", "ca_file")] {
            if let Some(file) = text_at(config, theirs) {
                entry.text(ours, &literal(&file));
            }
        }
        for key in ["cert_file", "server_name"] {
            if config.get(key).is_some() {
                let what = format!("tls_config.{key}");
                page.lose(Weight::Verdict, what, &entry.called());
            }
        }
    }
    match starttls(Some(tcp)) {
        Some(said) => dialogue(page, entry, &said),
        None => query_response(page, entry, steps(Some(tcp))),
    }
}

/// The protocol in which TLS is asked for, by what is said.
fn dialogue(page: &mut Page, entry: &mut Entry, said: &str) {
    let protocol = [
        ("EHLO", "smtp"),
        ("HELO", "smtp"),
        ("STLS", "pop3"),
        ("AUTH TLS", "ftp"),
        ("STARTTLS", "imap"),
    ]
    .into_iter()
    .find_map(|(word, protocol)| said.contains(word).then_some(protocol));
    match protocol {
        Some(protocol) => entry.text("starttls", protocol),
        None => {
            let what = "a dialogue before TLS that is of no known protocol; disabled";
            page.lose(Weight::Unchecked, what, &entry.called());
            entry.disable("its dialogue before TLS is not known");
        }
    }
}

/// blackbox_exporter goes step by step; here one text is sent, and one pattern is waited for.
fn query_response(page: &mut Page, entry: &mut Entry, steps: &[Value]) {
    let mut send = String::new();
    let mut expect = None;
    let mut left = 0;
    for step in steps {
        let (says, wants) = (text_at(step, "send"), text_at(step, "expect"));
        let wants = wants.filter(|pattern| !pattern.is_empty());
        // Within a step it waits first.
        match (expect.is_some(), wants, says) {
            (false, Some(pattern), says) => {
                expect = Some(pattern);
                left += usize::from(says.is_some_and(|says| !says.is_empty()));
            }
            (false, None, Some(says)) => {
                send.push_str(&says);
                send.push('\n');
            }
            (true, None, None) | (false, None, None) => {}
            (true, _, _) => left += 1,
        }
    }
    if !send.is_empty() {
        entry.text("send", &literal(&send));
    }
    if let Some(pattern) = expect {
        // It looks at each line by itself.
        let by_line = format!("(?mR){pattern}");
        match scalars::regex(&by_line) {
            Ok(_) => entry.text("expect", &literal(&by_line)),
            Err(_) => page.lose(
                Weight::Verdict,
                format!("the pattern `{pattern}`"),
                &entry.called(),
            ),
        }
    }
    if left > 0 {
        let what = "query_response: what is said after the first answer";
        page.lose(Weight::Verdict, what, &entry.called());
    }
}
