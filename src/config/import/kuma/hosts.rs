//! Uptime Kuma's monitors of ports, hosts and names.

use serde_json::Value;

use crate::config::import::name_servers;
use crate::config::import::toml_writer::{Entry, Page, Weight, literal};
use crate::config::import::yaml::{text_at, text_of};
use crate::domain::dns_record::RecordType;

/// The server that Uptime Kuma asks when none is written.
const DEFAULT_SERVER: &str = "1.1.1.1";

/// Echo requests of one check; Uptime Kuma takes up to 100.
const PACKETS_MAX: u64 = 20;

/// The database's columns are named otherwise than the export's keys.
fn either(item: &Value, exported: &str, column: &str) -> Option<String> {
    text_at(item, exported).or_else(|| text_at(item, column))
}

pub(super) fn port_url(item: &Value) -> String {
    let host = text_at(item, "hostname").unwrap_or_default();
    let host = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host,
    };
    let port = item.get("port").and_then(text_of).unwrap_or_default();
    format!("tcp://{}:{port}", literal(&host))
}

pub(super) fn ping_url(item: &Value) -> String {
    literal(&name_servers::ping(
        &text_at(item, "hostname").unwrap_or_default(),
    ))
}

/// Version 1 sends one packet, version 2 takes a lost one of several for a failure.
pub(super) fn ping(page: &mut Page, entry: &mut Entry, item: &Value) {
    let count = either(item, "ping_count", "pingCount").and_then(|count| count.parse().ok());
    let count: u64 = count.unwrap_or(1).clamp(1, PACKETS_MAX);
    entry.set("packets", count.to_string());
    if count > 1 {
        entry.text("max_loss", "0%");
        let what = "a lost packet of several is degraded here, down is all of them";
        page.lose(Weight::Verdict, what, &entry.called());
    }
}

fn record_type(item: &Value) -> Result<RecordType, String> {
    let written = either(item, "dns_resolve_type", "dnsResolveType");
    let written = written.unwrap_or_else(|| "A".to_owned());
    RecordType::parse(&written).ok_or_else(|| name_servers::cannot_ask(&written))
}

/// # Errors
/// Why it cannot be checked.
pub(super) fn dns_url(item: &Value) -> Result<String, String> {
    let servers = either(item, "dns_resolve_server", "dnsResolveServer");
    let servers = servers.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    let server = servers.split(',').next().unwrap_or_default().trim();
    let port = text_at(item, "port").filter(|port| port != "53");
    let server = match port {
        Some(port) if server.contains(':') && !server.starts_with('[') => {
            format!("[{server}]:{port}")
        }
        Some(port) => format!("{server}:{port}"),
        None => server.to_owned(),
    };
    let name = text_at(item, "hostname").unwrap_or_default();
    Ok(literal(&name_servers::question(
        Some(&server),
        &name,
        record_type(item)?,
    )))
}

pub(super) fn dns(page: &mut Page, entry: &mut Entry, item: &Value) {
    let called = entry.called();
    let servers = either(item, "dns_resolve_server", "dnsResolveServer").unwrap_or_default();
    let others = servers.split(',').skip(1).map(str::trim);
    let others: Vec<&str> = others.filter(|server| !server.is_empty()).collect();
    if !others.is_empty() {
        let what = format!(
            "the name servers beside the first one, {}",
            others.join(", ")
        );
        page.lose(Weight::Detail, what, &called);
    }
    let Ok(record_type) = record_type(item) else {
        return;
    };
    // The database keeps the list as a text.
    let conditions = match item.get("conditions") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(value) => value.clone(),
        None => Value::Null,
    };
    let conditions = conditions.as_array().map_or(&[][..], Vec::as_slice);
    match conditions {
        [] => {}
        // Uptime Kuma looks for one record that meets all of them.
        [one] if equals(one).is_some_and(|text| record_type.normal(&text).is_some()) => {
            let answer = equals(one).map(|text| literal(&text));
            entry.texts("answers", &answer.into_iter().collect::<Vec<_>>());
            entry.text("answers_match", "contains");
        }
        _ => {
            let what = format!(
                "conditions on records; `answers` has whole {record_type} records, as `{}`",
                record_type.example()
            );
            page.lose(Weight::Verdict, what, &called);
        }
    }
}

/// The text that a record must be.
fn equals(condition: &Value) -> Option<String> {
    let is = |key: &str, wanted: &str| text_at(condition, key).as_deref() == Some(wanted);
    let is_one = is("variable", "record") && is("operator", "equals");
    text_at(condition, "value").filter(|_| is_one)
}
