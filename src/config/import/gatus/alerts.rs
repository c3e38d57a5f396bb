//! Who is told by Gatus, after how many failures.

use std::collections::HashMap;

use serde_json::Value;

use crate::config::import::toml_writer::{Email, Entry, Page, Told, Weight, addresses};
use crate::config::import::yaml::{is_false, is_true, text_at, text_of, texts_of};

/// Gatus' own defaults.
const FAILURES: u64 = 3;
const SUCCESSES: u64 = 2;
/// What our keys take.
const COUNT_MAX: u64 = 1000;

/// Who is told by mail, and whether of recoveries.
#[derive(Debug, Default)]
pub(super) struct Mail {
    by_group: HashMap<String, Vec<String>>,
    of_all: Vec<String>,
    /// Whether a mail of any endpoint tells of a recovery.
    tells_recovery: bool,
}

impl Mail {
    /// Reads the recipients of the provider and of its groups.
    pub(super) fn read(page: &mut Page, root: &Value, endpoints: &[Value]) -> Self {
        let is_silent = tells_no_recovery(endpoints, root);
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
        }
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
    default: Option<&'a Value>,
}

impl Alert<'_> {
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
        .map(|own| {
            let kind = text_at(own, "type").unwrap_or_default();
            let provider = root.get("alerting").and_then(|all| all.get(&kind));
            let default = provider.and_then(|provider| provider.get("default-alert"));
            Alert { kind, own, default }
        })
        .filter(Alert::is_enabled)
        .collect();
    let called = entry.called();
    for alert in &alerts {
        if alert.kind != "email" {
            let what = format!("alerts by {}; mail tells instead", alert.kind);
            page.lose(Weight::Told, what, &called);
        }
        if let Some(every) = alert.get("minimum-reminder-interval").and_then(text_of) {
            let what = format!(
                "a reminder every {every}; `reminder` in [alerts] is for all monitors together"
            );
            page.lose(Weight::Told, what, &called);
        }
    }
    let by_mail: Vec<&Alert<'_>> = alerts
        .iter()
        .filter(|alert| alert.kind == "email")
        .collect();
    let deciding: Vec<&Alert<'_>> = match by_mail.is_empty() {
        true => alerts.iter().collect(),
        false => by_mail.clone(),
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
    let resolves = |alert: &&Alert<'_>| alert.get("send-on-resolved").is_some_and(is_true);
    if mail.tells_recovery && !by_mail.is_empty() && !by_mail.iter().any(resolves) {
        let what = "recoveries are told as well, as others are with send-on-resolved";
        page.lose(Weight::Told, what, &called);
    }
    recipients(page, entry, &by_mail, item, mail);
}

/// An endpoint's own recipients, its group's, or the provider's.
fn recipients(
    page: &mut Page,
    entry: &mut Entry,
    by_mail: &[&Alert<'_>],
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
    let to = addresses(&texts);
    if !to.is_empty() {
        entry.told(Told::Only(to));
    }
}

/// Whether no mail of any endpoint tells of a recovery, which is Gatus' default.
fn tells_no_recovery(endpoints: &[Value], root: &Value) -> bool {
    let default = root.pointer("/alerting/email/default-alert");
    let mut mails = endpoints
        .iter()
        .filter_map(|item| item.get("alerts")?.as_array())
        .flatten()
        .filter(|own| text_at(own, "type").as_deref() == Some("email"))
        .map(|own| Alert {
            kind: "email".to_owned(),
            own,
            default,
        })
        .filter(Alert::is_enabled)
        .peekable();
    mails.peek().is_some() && mails.all(|alert| !alert.get("send-on-resolved").is_some_and(is_true))
}
