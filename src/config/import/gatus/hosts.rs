//! Gatus' endpoints of `icmp://` and those with a `dns` part.

use serde_json::Value;

use super::ports::{begin, end};
use super::{alerts, conditions};
use crate::config::import::name_servers;
use crate::config::import::toml_writer::{Page, Weight};
use crate::config::import::yaml::text_at;
use crate::domain::dns_record::RecordType;

/// A host that is pinged: Gatus sends one packet.
pub(super) fn ping(
    page: &mut Page,
    item: &Value,
    root: &Value,
    mail: &alerts::Mail,
    called: &str,
    url: &str,
) {
    let mut entry = begin(page, item, called, url);
    entry.set("packets", "1");
    let client = item.get("client").unwrap_or(&Value::Null);
    match text_at(client, "network").as_deref() {
        Some("ip4") => entry.text("ip_version", "4"),
        Some("ip6") => entry.text("ip_version", "6"),
        Some(_) | None => {}
    }
    conditions::of_host(page, &mut entry, item);
    end(page, entry, item, root, mail);
}

/// A name that a name server is asked for.
pub(super) fn name(
    page: &mut Page,
    item: &Value,
    root: &Value,
    mail: &alerts::Mail,
    called: &str,
    server: &str,
    question: &Value,
) {
    let name = text_at(question, "query-name").unwrap_or_default();
    let written = text_at(question, "query-type").unwrap_or_else(|| "A".to_owned());
    let Some(record_type) = RecordType::parse(&written) else {
        let what = name_servers::cannot_ask(&written);
        page.lose(Weight::Unchecked, what, &format!("{called} ({server})"));
        return;
    };
    let url = name_servers::question(Some(server), &name, record_type);
    let mut entry = begin(page, item, called, &url);
    conditions::of_name(page, &mut entry, item, record_type);
    end(page, entry, item, root, mail);
}
