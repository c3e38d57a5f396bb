//! What modules of blackbox_exporter with `prober: icmp` and `prober: dns` ask for.

use serde_json::Value;

use crate::config::import::name_servers;
use crate::config::import::toml_writer::{Entry, Page, Weight, literal};
use crate::config::import::yaml::{is_false, is_true, text_at, texts_of};
use crate::domain::dns_record::RecordType;

/// A host that is pinged: blackbox_exporter sends one packet.
pub(super) fn icmp(page: &mut Page, entry: &mut Entry, icmp: Option<&Value>) {
    entry.set("packets", "1");
    let Some(icmp) = icmp else { return };
    match (
        text_at(icmp, "preferred_ip_protocol").as_deref(),
        icmp.get("ip_protocol_fallback").is_some_and(is_false),
    ) {
        (Some("ip4"), true) => entry.text("ip_version", "4"),
        (Some("ip6"), true) => entry.text("ip_version", "6"),
        _ => {}
    }
    lose(
        page,
        entry,
        icmp,
        &["ttl", "payload_size", "dont_fragment", "source_ip_address"],
    );
}

/// The URL of a question to the target.
///
/// # Errors
/// Why it cannot be checked.
pub(super) fn dns_url(target: &str, dns: Option<&Value>) -> Result<String, String> {
    let text = |key: &str| dns.and_then(|dns| text_at(dns, key));
    let Some(name) = text("query_name") else {
        return Err("not checked (the dns module has no query_name)".to_owned());
    };
    let written = text("query_type").unwrap_or_else(|| "ANY".to_owned());
    let Some(record_type) = RecordType::parse(&written) else {
        return Err(name_servers::cannot_ask(&written));
    };
    let class = text("query_class").unwrap_or_else(|| "IN".to_owned());
    if !class.eq_ignore_ascii_case("IN") {
        return Err(format!(
            "not checked (the class `{class}` cannot be asked for)"
        ));
    }
    let server = target.split_once("://").map_or(target, |(_, rest)| rest);
    Ok(literal(&name_servers::question(
        Some(server),
        &name,
        record_type,
    )))
}

pub(super) fn dns(page: &mut Page, entry: &mut Entry, dns: &Value) {
    let called = entry.called();
    let codes = dns.get("valid_rcodes").map(texts_of).unwrap_or_default();
    if codes
        .iter()
        .any(|code| !code.eq_ignore_ascii_case("NOERROR"))
    {
        let has_good = codes
            .iter()
            .any(|code| code.eq_ignore_ascii_case("NOERROR"));
        let what = format!("valid_rcodes {}; only NOERROR is good", codes.join(", "));
        match has_good {
            true => page.lose(Weight::Verdict, what, &called),
            false => {
                page.lose(Weight::Unchecked, format!("{what}; disabled"), &called);
                entry.disable("it expected an error in the answer");
            }
        }
    }
    if dns.get("dns_over_tls").is_some_and(is_true) {
        page.lose(Weight::Unchecked, "dns_over_tls; disabled", &called);
        entry.disable("it asked over TLS");
    }
    let answers = dns.get("validate_answer_rrs").unwrap_or(&Value::Null);
    let mut wanted: Vec<String> = Vec::new();
    let mut unknown = false;
    for key in ["fail_if_none_matches_regexp", "fail_if_not_matches_regexp"] {
        for pattern in answers.get(key).map(texts_of).unwrap_or_default() {
            match address(&pattern) {
                Some(address) if !wanted.contains(&address) => wanted.push(address),
                Some(_) => {}
                None => unknown = true,
            }
        }
    }
    for key in ["fail_if_matches_regexp", "fail_if_all_match_regexp"] {
        unknown |= answers
            .get(key)
            .map(texts_of)
            .is_some_and(|list| !list.is_empty());
    }
    // Of several patterns one is enough there, and all are needed here.
    match wanted.as_slice() {
        [one] if is_of(dns, one) => {
            entry.texts("answers", &wanted);
            let is_all = answers
                .get("fail_if_not_matches_regexp")
                .is_some_and(|list| !texts_of(list).is_empty());
            if !is_all {
                entry.text("answers_match", "contains");
            }
        }
        [] => page.lose(Weight::Detail, name_servers::EMPTY_IS_DOWN, &called),
        _ => unknown = true,
    }
    if unknown {
        let what = "patterns of validate_answer_rrs; `answers` has whole records";
        page.lose(Weight::Verdict, what, &called);
    }
    for key in ["validate_authority_rrs", "validate_additional_rrs"] {
        if dns.get(key).is_some_and(Value::is_object) {
            page.lose(Weight::Verdict, key, &called);
        }
    }
    if dns.get("recursion_desired").is_some_and(is_false) {
        let what = "recursion_desired: false; the server is asked to look further";
        page.lose(Weight::Verdict, what, &called);
    }
    lose(
        page,
        entry,
        dns,
        &["source_ip_address", "transport_protocol"],
    );
}

/// Whether a text is a record of the type that is asked for.
fn is_of(dns: &Value, text: &str) -> bool {
    let kind = text_at(dns, "query_type").and_then(|kind| RecordType::parse(&kind));
    kind.is_some_and(|kind| kind.normal(text).is_some())
}

/// The address at the end of a pattern for a line of a zone file.
fn address(pattern: &str) -> Option<String> {
    let end = pattern.trim_end_matches('$');
    let last = end
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '*' | '+'))
        .next()?
        .replace("\\.", ".");
    last.parse::<std::net::IpAddr>()
        .ok()
        .map(|address| address.to_string())
}

fn lose(page: &mut Page, entry: &Entry, module: &Value, keys: &[&str]) {
    for key in keys {
        let is_set = |value: &Value| !value.is_null() && !is_false(value) && value != "udp";
        if module.get(key).is_some_and(is_set) {
            page.lose(Weight::Detail, *key, &entry.called());
        }
    }
}
