//! Who is told by Uptime Kuma: notifications, and the monitors that name them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::services;
use crate::config::import::toml_writer::{Email, Entry, Page, Told, Weight, addresses, literal};
use crate::config::import::yaml::{is_false, is_true, text_at, text_of};

/// A notification that a monitor may name.
enum Notification {
    Mail(Vec<String>),
    /// A service that a channel may take over.
    Service {
        name: String,
        kind: String,
        config: Value,
    },
}

/// All notifications, by id.
pub(super) struct Notifications {
    by_id: BTreeMap<String, Notification>,
}

impl Notifications {
    /// Takes over where mails go; the first notification by mail gives the server.
    pub(super) fn read(page: &mut Page, root: &Value) -> Self {
        let mut by_id = BTreeMap::new();
        let list = root.get("notificationList").and_then(Value::as_array);
        let mut server: Option<(String, String)> = None;
        for notification in list.into_iter().flatten() {
            let Some(id) = notification.get("id").and_then(text_of) else {
                continue;
            };
            if notification.get("active").is_some_and(is_false) {
                continue;
            }
            let name = text_at(notification, "name").unwrap_or_default();
            let config = config_of(notification);
            let kind = text_at(&config, "type").unwrap_or_default();
            if kind != "smtp" {
                by_id.insert(id, Notification::Service { name, kind, config });
                continue;
            }
            let to = recipients(page, &config, &name);
            let text = |key: &str| text_at(&config, key).unwrap_or_default();
            let own = (text("smtpHost"), text("smtpPort"));
            match &server {
                None => {
                    server = Some(own);
                    mail_server(page, &config, &name, to.clone());
                }
                Some(known) if *known != own => page.lose_all(
                    Weight::Told,
                    format!(
                        "the mail server of `{name}`; its recipients are told by the first one"
                    ),
                ),
                Some(_) => {}
            }
            by_id.insert(id, Notification::Mail(to));
        }
        Self { by_id }
    }

    /// Who is told of a monitor: nobody where it names no notification.
    pub(super) fn tell(&self, page: &mut Page, entry: &mut Entry, item: &Value) {
        let called = entry.called();
        if let Some(count) = text_at(item, "resendInterval").filter(|count| count != "0") {
            let what = format!(
                "resendInterval, a reminder every {count} failed checks; `reminder` in [alerts] is for all monitors together"
            );
            page.lose(Weight::Told, what, &called);
        }
        let Some(ids) = named(item) else { return };
        let mut to = Vec::new();
        let mut channels: Vec<String> = Vec::new();
        let mut is_told = false;
        for notification in ids.iter().filter_map(|id| self.by_id.get(id)) {
            is_told = true;
            match notification {
                Notification::Mail(more) => to.extend(more.iter().cloned()),
                Notification::Service { name, kind, config } => {
                    match services::channel(page, kind, config, name) {
                        Some(channel) if channels.contains(&channel) => {}
                        Some(channel) => channels.push(channel),
                        None => {
                            let what =
                                format!("the notification {name} ({kind}); mail tells instead");
                            page.lose(Weight::Told, what, &called);
                        }
                    }
                }
            }
        }
        let mut to = addresses(&to);
        to.extend(channels);
        match (is_told, to.is_empty()) {
            (false, _) => entry.told(Told::Nobody),
            (true, false) => entry.told(Told::Only(to)),
            (true, true) => entry.told(Told::Mail),
        }
    }
}

fn config_of(notification: &Value) -> Value {
    match notification.get("config") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(other) => other.clone(),
        None => Value::Null,
    }
}

/// The notifications that a monitor names, `None` where the export does not say. An object has the ids as names, with
/// true for those that count.
fn named(item: &Value) -> Option<Vec<String>> {
    match item.get("notificationIDList")? {
        Value::Object(ids) => Some(
            ids.iter()
                .filter(|(_, on)| is_true(on))
                .map(|(id, _)| id.clone())
                .collect(),
        ),
        Value::Array(ids) => Some(ids.iter().filter_map(text_of).collect()),
        _ => None,
    }
}

fn recipients(page: &mut Page, config: &Value, name: &str) -> Vec<String> {
    let mut texts = vec![text_at(config, "smtpTo").unwrap_or_default()];
    for key in ["smtpCC", "smtpBCC"] {
        let Some(more) = text_at(config, key) else {
            continue;
        };
        page.lose_all(
            Weight::Told,
            format!("{key} of `{name}`: {more} stands among the recipients instead"),
        );
        texts.push(more);
    }
    addresses(&texts)
}

fn mail_server(page: &mut Page, config: &Value, name: &str, to: Vec<String>) {
    let is = |key: &str| config.get(key).is_some_and(is_true);
    let text = |key: &str| text_at(config, key).unwrap_or_default();
    let secret = |key: &str| text_at(config, key).map(|text| literal(&text));
    let (username, password) = (secret("smtpUsername"), secret("smtpPassword"));
    let tls = match (is("smtpSecure"), is("smtpIgnoreSTARTTLS")) {
        (true, _) => "implicit",
        (false, true) if username.is_none() => "none",
        (false, true) => {
            page.lose_all(
                Weight::Told,
                format!("`{name}`: a login without TLS is refused; STARTTLS is used"),
            );
            "starttls"
        }
        (false, false) => "starttls",
    };
    if is("smtpIgnoreTLSError") {
        page.lose_all(
            Weight::Told,
            format!("`{name}`: TLS errors of the mail server are not ignored; give its certificate as [email].ca_file"),
        );
    }
    page.email(Email {
        host: text("smtpHost"),
        port: text("smtpPort").parse().ok(),
        tls: Some(tls),
        username,
        password,
        from: text("smtpFrom"),
        to,
    });
}
