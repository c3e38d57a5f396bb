//! Gatus' alerting providers as channels.

use serde_json::{Map, Value};

use crate::config::import::channels::{Channel, Incomplete};
use crate::config::import::toml_writer::{Page, Weight};
use crate::config::import::yaml::{is_true, text_at, text_of, texts_of};
use crate::domain::channel::Format;

/// Gatus' public servers.
const NTFY: &str = "https://ntfy.sh";
const MATRIX: &str = "https://matrix-client.matrix.org";

/// Keys of a provider that are not about its service, or taken over elsewhere.
const ABOUT_ALERTS: [&str; 3] = ["default-alert", "overrides", "group"];

/// The format of a provider; `None` where no channel takes its place.
pub(super) fn format(kind: &str) -> Option<Format> {
    Some(match kind {
        "discord" => Format::Discord,
        // Both take Slack's request.
        "slack" | "mattermost" | "rocketchat" => Format::Slack,
        "teams" | "teams-workflows" => Format::Teams,
        "telegram" => Format::Telegram,
        "ntfy" => Format::Ntfy,
        "pushover" => Format::Pushover,
        "gotify" => Format::Gotify,
        "matrix" => Format::Matrix,
        "pagerduty" => Format::Pagerduty,
        "opsgenie" => Format::Opsgenie,
        "custom" => Format::Json,
        _ => return None,
    })
}

/// A provider while it is read: which of its keys were looked at.
struct Provider<'a> {
    kind: &'a str,
    config: &'a Map<String, Value>,
    seen: Vec<&'static str>,
}

impl Provider<'_> {
    fn text(&mut self, key: &'static str) -> Option<String> {
        self.seen.push(key);
        let text = self.config.get(key).and_then(text_of)?;
        (!text.trim().is_empty()).then_some(text)
    }

    fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.seen.push(key);
        self.config.get(key).map(texts_of).unwrap_or_default()
    }

    fn called(&self, key: &str) -> String {
        format!("`{key}` of alerting.{}", self.kind)
    }

    fn secret(
        &mut self,
        channel: &mut Channel,
        key: &'static str,
        own: &'static str,
    ) -> Result<(), Incomplete> {
        let (text, called) = (self.text(own), self.called(own));
        channel.secret(key, text, &called)
    }

    fn webhook(&mut self, channel: &mut Channel, own: &'static str) -> Result<(), Incomplete> {
        let (url, called) = (self.text(own), self.called(own));
        channel.webhook(url, &called)
    }
}

/// The channel that a provider's settings make; its name, `None` if something is missing or not valid. What the channel
/// does otherwise is named once.
pub(super) fn channel(
    page: &mut Page,
    kind: &str,
    config: &Map<String, Value>,
    wanted: &str,
    has_recovery: bool,
) -> Option<String> {
    let mut provider = Provider {
        kind,
        config,
        seen: Vec::new(),
    };
    let mut channel = service(&mut provider, format(kind)?).ok()?;
    if !has_recovery {
        channel.without_recovery();
    }
    let client = config.get("client");
    if client
        .and_then(|client| client.get("insecure"))
        .is_some_and(is_true)
    {
        channel.insecure();
    }
    let (name, is_new) = page.channel(wanted, channel)?;
    if is_new {
        let mut keys: Vec<&str> = config
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, _)| key.as_str())
            .filter(|key| !ABOUT_ALERTS.contains(key) && *key != "client")
            .filter(|key| !provider.seen.contains(key))
            .collect();
        let client_keys = client.and_then(Value::as_object);
        let has_more = client_keys.is_some_and(|map| map.keys().any(|key| key != "insecure"));
        keys.extend(has_more.then_some("client"));
        if !keys.is_empty() {
            let what = format!("of alerting.{kind}: {}", keys.join(", "));
            page.lose(Weight::Detail, what, &format!("the channel {name}"));
        }
        match kind {
            "custom" => page.lose(
                Weight::Told,
                "alerting.custom: its method and body; the channel posts our JSON object (`format = \"template\"` with a `body_file` makes another)",
                &format!("the channel {name}"),
            ),
            "teams" => page.lose(
                Weight::Told,
                "alerting.teams: connectors of Office 365 are switched off; make a workflow and give its address",
                &format!("the channel {name}"),
            ),
            _ => {}
        }
    }
    Some(name)
}

fn service(provider: &mut Provider<'_>, format: Format) -> Result<Channel, Incomplete> {
    let mut channel = Channel::new(format);
    match format {
        Format::Discord | Format::Slack | Format::Teams => {
            provider.webhook(&mut channel, "webhook-url")?;
            if provider.kind != "slack" && format == Format::Slack {
                channel.field("channel", provider.text("channel"));
            }
        }
        Format::Json => {
            provider.webhook(&mut channel, "url")?;
            for key in ["method", "body", "placeholders"] {
                provider.seen.push(key);
            }
            provider.seen.push("headers");
            let headers = provider.config.get("headers").and_then(Value::as_object);
            for (name, value) in headers.into_iter().flatten() {
                let called = format!("the header {name} of alerting.custom");
                let value = text_of(value).unwrap_or_default();
                if !name.eq_ignore_ascii_case("content-type")
                    && !channel.header(name, "", &value, &called)
                {
                    return Err(Incomplete);
                }
            }
        }
        Format::Telegram => {
            provider.secret(&mut channel, "token", "token")?;
            provider.secret(&mut channel, "chat", "id")?;
            if let Some(url) = provider.text("api-url") {
                channel.server(&url)?;
            }
            channel.field("message_thread_id", provider.text("topic-id"));
        }
        Format::Ntfy => {
            let server = provider.text("url").unwrap_or_else(|| NTFY.to_owned());
            let (topic, called) = (provider.text("topic"), provider.called("topic"));
            channel.topic(&server, topic, &called)?;
            if provider.text("token").is_some() {
                provider.secret(&mut channel, "token", "token")?;
            }
            channel.field("priority", provider.text("priority"));
            channel.field("email", provider.text("email"));
            channel.field("click", provider.text("click"));
        }
        Format::Gotify => {
            let server = provider.text("server-url").ok_or(Incomplete)?;
            channel.server(&server)?;
            provider.secret(&mut channel, "token", "token")?;
            channel.field("priority", provider.text("priority"));
        }
        Format::Pushover => {
            provider.secret(&mut channel, "token", "application-token")?;
            provider.secret(&mut channel, "chat", "user-key")?;
            for key in ["priority", "sound", "ttl", "device"] {
                channel.field(key, provider.text(key));
            }
        }
        Format::Matrix => {
            let server = provider.text("server-url");
            channel.server(server.as_deref().unwrap_or(MATRIX))?;
            provider.secret(&mut channel, "token", "access-token")?;
            provider.secret(&mut channel, "chat", "internal-room-id")?;
        }
        Format::Pagerduty => provider.secret(&mut channel, "token", "integration-key")?,
        Format::Opsgenie => {
            provider.secret(&mut channel, "token", "api-key")?;
            channel.field("priority", provider.text("priority"));
            channel.field("source", provider.text("source"));
            channel.field_list("tags", &provider.texts("tags"));
        }
        Format::Apprise | Format::Template | Format::Alertmanager => return Err(Incomplete),
    }
    Ok(channel)
}

/// The settings in force for an alert: the provider's, over them those of the group, over them the alert's own; and how
/// the channel of them is called.
pub(super) fn settings(
    provider: &Value,
    kind: &str,
    group: &str,
    over: Option<&Value>,
    called: &str,
) -> (Map<String, Value>, String) {
    let mut config = provider.as_object().cloned().unwrap_or_default();
    let overrides = provider.get("overrides").and_then(Value::as_array);
    let of_group = overrides
        .into_iter()
        .flatten()
        .find(|one| !group.is_empty() && text_at(one, "group").as_deref() == Some(group));
    let mut wanted = kind.to_owned();
    for (laid, name) in [(of_group, group), (over, called)] {
        let Some(Value::Object(laid)) = laid else {
            continue;
        };
        for (key, value) in laid.iter().filter(|(key, _)| *key != "group") {
            config.insert(key.clone(), value.clone());
        }
        wanted = format!("{kind} {name}");
    }
    (config, wanted)
}
