//! Who is told by Gatus, after how many failures.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::providers;
use crate::config::import::toml_writer::{Email, Entry, Page, Told, Weight, addresses};
use crate::config::import::yaml::{is_false, is_true, text_at, text_of, texts_of};

/// Gatus' own defaults.
const FAILURES: u64 = 3;
const SUCCESSES: u64 = 2;
/// What our keys take.
const COUNT_MAX: u64 = 1000;

/// Who is told by mail, and who is told of recoveries.
#[derive(Debug, Default)]
pub(super) struct Mail {
    by_group: HashMap<String, Vec<String>>,
    of_all: Vec<String>,
    /// Whether anybody is told of a recovery.
    tells_recovery: bool,
    /// The providers of which an alert in force tells of recoveries.
    resolving: HashSet<String>,
}

impl Mail {
    /// Reads the recipients of the provider and of its groups.
    pub(super) fn read(page: &mut Page, root: &Value, endpoints: &[Value]) -> Self {
        let (told, resolving) = recoveries(endpoints, root);
        let is_silent = told && resolving.is_empty();
        if is_silent {
            page.alerts("recovery = false");
        }
        let provider = root.pointer("/alerting/email");
        let overrides = provider
            .and_then(|provider| provider.get("overrides"))
            .and_then(Value::as_array);
        let mut by_group = HashMap::new();
        for one in overrides.into_iter().flatten() {
            let group = text_at(one, "group").unwrap_or_default();
            others(page, one, &["group", "to"], &format!("the group {group}"));
            if let Some(to) = one.get("to") {
                by_group.entry(group).or_insert_with(|| texts_of(to));
            }
        }
        let of_all = provider.and_then(|provider| provider.get("to"));
        Self {
            by_group,
            of_all: of_all.map(texts_of).unwrap_or_default(),
            tells_recovery: !is_silent,
            resolving,
        }
    }

    /// Whether a channel of a provider takes recoveries.
    fn has_recovery(&self, kind: &str) -> bool {
        !self.tells_recovery || self.resolving.contains(kind)
    }
}

/// Names what an override changes beside the recipients.
fn others(page: &mut Page, over: &Value, known: &[&str], called: &str) {
    let Value::Object(keys) = over else { return };
    for key in keys.keys().filter(|key| !known.contains(&key.as_str())) {
        let what = format!("another `{key}` for its mails");
        page.lose(Weight::Told, what, called);
    }
}

/// Takes over where mails go.
pub(super) fn email(page: &mut Page, root: &Value) {
    let Some(provider) = root.pointer("/alerting/email") else {
        return;
    };
    let text = |key: &str| text_at(provider, key).unwrap_or_default();
    let port = provider
        .get("port")
        .and_then(text_of)
        .and_then(|port| port.parse().ok());
    let from = text("from");
    let username = text_at(provider, "username");
    page.email(Email {
        host: text("host"),
        tls: (port == Some(465)).then_some("implicit"),
        port,
        username: username.or_else(|| Some(from.clone())),
        password: text_at(provider, "password"),
        from,
        to: provider.get("to").map(texts_of).unwrap_or_default(),
    });
    if provider.pointer("/client/insecure").is_some_and(is_true) {
        page.lose_all(
            Weight::Told,
            "alerting.email.client.insecure: a mail server's certificate is always verified; give its own as [email].ca_file",
        );
    }
}

/// One alert of an endpoint, laid over its provider's default.
struct Alert<'a> {
    kind: String,
    own: &'a Value,
    provider: Option<&'a Value>,
    default: Option<&'a Value>,
}

impl<'a> Alert<'a> {
    fn of(own: &'a Value, root: &'a Value) -> Self {
        let kind = text_at(own, "type").unwrap_or_default();
        let provider = root.get("alerting").and_then(|all| all.get(&kind));
        let provider = provider.filter(|provider| provider.is_object());
        let default = provider.and_then(|provider| provider.get("default-alert"));
        Self {
            kind,
            own,
            provider,
            default,
        }
    }

    /// Whether mail or a channel may tell it.
    fn may_be_carried(&self) -> bool {
        self.kind == "email" || self.provider.is_some() && providers::format(&self.kind).is_some()
    }

    /// The channel that tells it; `None` where none does.
    fn channel(&self, page: &mut Page, group: &str, called: &str, mail: &Mail) -> Option<String> {
        providers::format(&self.kind)?;
        let over = self.get("provider-override");
        let (config, wanted) = providers::settings(self.provider?, &self.kind, group, over, called);
        let has_recovery = mail.has_recovery(&self.kind);
        providers::channel(page, &self.kind, &config, &wanted, has_recovery)
    }

    fn resolves(&self) -> bool {
        self.get("send-on-resolved").is_some_and(is_true)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let is_there = |value: &&Value| !value.is_null();
        let own = self.own.get(key).filter(is_there);
        own.or_else(|| self.default?.get(key).filter(is_there))
    }

    fn is_enabled(&self) -> bool {
        !self.get("enabled").is_some_and(is_false)
    }

    fn count(&self, key: &str, default: u64) -> u64 {
        self.get(key)
            .and_then(text_of)
            .and_then(|count| count.parse().ok())
            .filter(|count| (1..=COUNT_MAX).contains(count))
            .unwrap_or(default)
    }
}

/// Thresholds and recipients of an endpoint. Without an alert in force Gatus tells nobody of it.
pub(super) fn alerts(page: &mut Page, entry: &mut Entry, item: &Value, root: &Value, mail: &Mail) {
    let own = item.get("alerts").and_then(Value::as_array);
    let alerts: Vec<Alert<'_>> = own
        .into_iter()
        .flatten()
        .map(|own| Alert::of(own, root))
        .filter(Alert::is_enabled)
        .collect();
    let called = entry.called();
    let group = text_at(item, "group").unwrap_or_default();
    let mut channels: Vec<String> = Vec::new();
    // By mail or by a channel.
    let mut carried: Vec<&Alert<'_>> = Vec::new();
    for alert in &alerts {
        match alert.channel(page, &group, &called, mail) {
            Some(name) => {
                carried.push(alert);
                if !channels.contains(&name) {
                    channels.push(name);
                }
            }
            None if alert.kind == "email" => carried.push(alert),
            None => {
                let what = format!("alerts by {}; mail tells instead", alert.kind);
                page.lose(Weight::Told, what, &called);
            }
        }
        if let Some(every) = alert.get("minimum-reminder-interval").and_then(text_of) {
            let what = format!(
                "a reminder every {every}; `reminder` in [alerts] is for all monitors together"
            );
            page.lose(Weight::Told, what, &called);
        }
    }
    let deciding: Vec<&Alert<'_>> = match carried.is_empty() {
        true => alerts.iter().collect(),
        false => carried.clone(),
    };
    let Some(first) = deciding
        .iter()
        .min_by_key(|alert| alert.count("failure-threshold", FAILURES))
    else {
        entry.told(Told::Nobody);
        return;
    };
    let failures = first.count("failure-threshold", FAILURES);
    let successes = first.count("success-threshold", SUCCESSES);
    if failures != FAILURES {
        entry.set("failures_before_down", failures.to_string());
    }
    if successes != SUCCESSES {
        entry.set("successes_before_up", successes.to_string());
    }
    let differ = deciding.iter().any(|other| {
        other.count("failure-threshold", FAILURES) != failures
            || other.count("success-threshold", SUCCESSES) != successes
    });
    if differ {
        let what =
            format!("alerts with several thresholds; all are told after {failures} failures");
        page.lose(Weight::Told, what, &called);
    }
    // A channel without any recovery takes none; mail and the others take all.
    let tells_more = |alert: &&&Alert<'_>| {
        let is_told = alert.kind == "email" || mail.resolving.contains(&alert.kind);
        is_told && !alert.resolves()
    };
    if mail.tells_recovery && carried.iter().any(|alert| tells_more(&alert)) {
        let what = "recoveries are told as well, as others are with send-on-resolved";
        page.lose(Weight::Told, what, &called);
    }
    let by_mail: Vec<&Alert<'_>> = carried
        .into_iter()
        .filter(|alert| alert.kind == "email")
        .collect();
    recipients(page, entry, &by_mail, channels, item, mail);
}

/// An endpoint's own recipients, its group's, or the provider's.
fn recipients(
    page: &mut Page,
    entry: &mut Entry,
    by_mail: &[&Alert<'_>],
    channels: Vec<String>,
    item: &Value,
    mail: &Mail,
) {
    let called = entry.called();
    let group = text_at(item, "group").unwrap_or_default();
    let of_group = mail.by_group.get(&group).unwrap_or(&mail.of_all);
    let mut texts: Vec<String> = Vec::new();
    for alert in by_mail {
        let over = alert.get("provider-override");
        if let Some(over) = over {
            others(page, over, &["to"], &called);
        }
        match over.and_then(|over| over.get("to")) {
            Some(to) => texts.extend(texts_of(to)),
            None => texts.extend(of_group.iter().cloned()),
        }
    }
    let mut to = addresses(&texts);
    to.extend(channels);
    entry.told(match to.is_empty() {
        true => Told::Mail,
        false => Told::Only(to),
    });
}

/// Whether anybody is told of anything by mail or a channel, and the providers that tell of a recovery, which is off in
/// Gatus by default.
fn recoveries(endpoints: &[Value], root: &Value) -> (bool, HashSet<String>) {
    let alerts = endpoints
        .iter()
        .filter_map(|item| item.get("alerts")?.as_array())
        .flatten()
        .map(|own| Alert::of(own, root))
        .filter(|alert| alert.is_enabled() && alert.may_be_carried());
    let mut is_told = false;
    let mut resolving = HashSet::new();
    for alert in alerts {
        is_told = true;
        if alert.resolves() {
            resolving.insert(alert.kind);
        }
    }
    (is_told, resolving)
}
