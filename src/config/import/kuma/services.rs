//! Uptime Kuma's notifications by services as channels.

use serde_json::{Map, Value};

use crate::config::import::channels::{Channel, Incomplete};
use crate::config::import::toml_writer::{Page, Weight, literal};
use crate::config::import::yaml::text_of;
use crate::domain::channel::Format;

/// Where Opsgenie answers in Europe.
const OPSGENIE_EU: &str = "https://api.eu.opsgenie.com";
/// What Uptime Kuma asks where no server is written.
const NTFY: &str = "https://ntfy.sh";

/// Keys that are about the notification, not about its service.
const ABOUT_ITSELF: [&str; 6] = [
    "type",
    "name",
    "isDefault",
    "applyExisting",
    "active",
    "userId",
];

/// The format of a notification; `None` where no channel takes its place.
fn format(kind: &str) -> Option<Format> {
    Some(match kind {
        "discord" => Format::Discord,
        // All take Slack's request.
        "slack" | "mattermost" | "rocket.chat" => Format::Slack,
        "teams" => Format::Teams,
        "telegram" => Format::Telegram,
        "ntfy" => Format::Ntfy,
        "pushover" => Format::Pushover,
        "gotify" => Format::Gotify,
        "matrix" => Format::Matrix,
        "PagerDuty" => Format::Pagerduty,
        "Opsgenie" => Format::Opsgenie,
        "webhook" => Format::Json,
        _ => return None,
    })
}

/// A notification while it is read: which of its keys were looked at.
struct Service<'a> {
    name: &'a str,
    config: &'a Map<String, Value>,
    seen: Vec<&'static str>,
}

impl Service<'_> {
    /// The text of a key, its dollar signs meant literally.
    fn text(&mut self, key: &'static str) -> Option<String> {
        self.seen.push(key);
        let text = self.config.get(key).and_then(text_of)?;
        (!text.trim().is_empty()).then(|| literal(&text))
    }

    fn called(&self, key: &str) -> String {
        format!("{key} of the notification {}", self.name)
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

/// The channel that a notification makes; its name, `None` if something is missing or not valid. What the channel does
/// otherwise is named once.
pub(super) fn channel(page: &mut Page, kind: &str, config: &Value, name: &str) -> Option<String> {
    let mut service = Service {
        name,
        config: config.as_object()?,
        seen: Vec::new(),
    };
    let channel = read(&mut service, kind, format(kind)?).ok()?;
    let wanted = if name.is_empty() { kind } else { name };
    let (given, is_new) = page.channel(wanted, channel)?;
    if is_new {
        let is_empty = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
        };
        let keys: Vec<&str> = service
            .config
            .iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(key, _)| key.as_str())
            .filter(|key| !ABOUT_ITSELF.contains(key) && !service.seen.contains(key))
            .collect();
        let about = format!("the channel {given}");
        if !keys.is_empty() {
            let what = format!("of a notification ({kind}): {}", keys.join(", "));
            page.lose(Weight::Detail, what, &about);
        }
        if kind == "webhook" {
            let what = "the body of a webhook; the channel posts our JSON object (`format = \"template\"` with a `body_file` makes another)";
            page.lose(Weight::Told, what, &about);
        }
    }
    Some(given)
}

fn read(service: &mut Service<'_>, kind: &str, format: Format) -> Result<Channel, Incomplete> {
    let mut channel = Channel::new(format);
    match format {
        Format::Discord => {
            service.webhook(&mut channel, "discordWebhookUrl")?;
            channel.field("username", service.text("discordUsername"));
        }
        Format::Slack => match kind {
            "mattermost" => {
                service.webhook(&mut channel, "mattermostWebhookUrl")?;
                channel.field("username", service.text("mattermostusername"));
                channel.field("channel", service.text("mattermostchannel"));
                channel.field("icon_emoji", service.text("mattermosticonemo"));
                channel.field("icon_url", service.text("mattermosticonurl"));
            }
            "rocket.chat" => {
                service.webhook(&mut channel, "rocketwebhookURL")?;
                channel.field("username", service.text("rocketusername"));
                channel.field("channel", service.text("rocketchannel"));
                channel.field("icon_emoji", service.text("rocketiconemo"));
            }
            _ => {
                service.webhook(&mut channel, "slackwebhookURL")?;
                channel.field("username", service.text("slackusername"));
                channel.field("channel", service.text("slackchannel"));
                channel.field("icon_emoji", service.text("slackiconemo"));
                // Ours has blocks as well.
                service.seen.push("slackrichmessage");
            }
        },
        Format::Teams => service.webhook(&mut channel, "webhookUrl")?,
        Format::Telegram => {
            service.secret(&mut channel, "token", "telegramBotToken")?;
            service.secret(&mut channel, "chat", "telegramChatID")?;
            if let Some(url) = service.text("telegramServerUrl") {
                channel.server(&url)?;
            }
            channel.field("message_thread_id", service.text("telegramMessageThreadID"));
            flag(
                service,
                &mut channel,
                "telegramSendSilently",
                "disable_notification",
            );
            flag(
                service,
                &mut channel,
                "telegramProtectContent",
                "protect_content",
            );
        }
        Format::Ntfy => ntfy(service, &mut channel)?,
        Format::Gotify => {
            let server = service.text("gotifyserverurl").ok_or(Incomplete)?;
            channel.server(&server)?;
            service.secret(&mut channel, "token", "gotifyapplicationToken")?;
            channel.field("priority", service.text("gotifyPriority"));
        }
        Format::Pushover => {
            service.secret(&mut channel, "token", "pushoverapptoken")?;
            service.secret(&mut channel, "chat", "pushoveruserkey")?;
            channel.field("device", service.text("pushoverdevice"));
            channel.field("sound", service.text("pushoversounds"));
            channel.field("ttl", service.text("pushoverttl"));
            // Theirs is for all messages alike; 2 asks for `retry` and `expire` as well.
            let priority = service.text("pushoverpriority");
            if priority.as_deref() == Some("2") {
                channel.field("retry", Some("30".to_owned()));
                channel.field("expire", Some("3600".to_owned()));
            }
            channel.field("priority", priority);
        }
        Format::Matrix => {
            let server = service.text("homeserverUrl").ok_or(Incomplete)?;
            channel.server(&server)?;
            service.secret(&mut channel, "token", "accessToken")?;
            service.secret(&mut channel, "chat", "internalRoomId")?;
        }
        Format::Pagerduty => {
            service.secret(&mut channel, "token", "pagerdutyIntegrationKey")?;
            let address = service.text("pagerdutyIntegrationUrl").unwrap_or_default();
            if address.contains(".eu.") {
                channel.server("https://events.eu.pagerduty.com")?;
            }
            // Without it Uptime Kuma leaves what it opened open.
            if service.text("pagerdutyAutoResolve").as_deref() != Some("resolve") {
                channel.without_recovery();
            }
        }
        Format::Opsgenie => {
            service.secret(&mut channel, "token", "opsgenieApiKey")?;
            if service.text("opsgenieRegion").as_deref() == Some("eu") {
                channel.server(OPSGENIE_EU)?;
            }
            let priority = service.text("opsgeniePriority");
            channel.field("priority", priority.map(|number| format!("P{number}")));
        }
        Format::Json => webhook(service, &mut channel)?,
        Format::Apprise | Format::Template | Format::Alertmanager => return Err(Incomplete),
    }
    Ok(channel)
}

fn flag(service: &mut Service<'_>, channel: &mut Channel, own: &'static str, field: &'static str) {
    let is_on = matches!(service.text(own).as_deref(), Some("true" | "1"));
    if is_on {
        channel.flag(field);
    }
}

fn ntfy(service: &mut Service<'_>, channel: &mut Channel) -> Result<(), Incomplete> {
    let server = service
        .text("ntfyserverurl")
        .unwrap_or_else(|| NTFY.to_owned());
    let (topic, called) = (service.text("ntfytopic"), service.called("ntfytopic"));
    channel.topic(&server, topic, &called)?;
    let (user, password) = (service.text("ntfyusername"), service.text("ntfypassword"));
    let token = service.text("ntfyaccesstoken");
    match service.text("ntfyAuthenticationMethod").as_deref() {
        Some("accessToken") if token.is_some() => {
            service.secret(channel, "token", "ntfyaccesstoken")?;
        }
        Some("none") => {}
        // Before it had the choice, a name and a password were it.
        Some(_) | None => {
            if let (Some(user), Some(password)) = (user, password) {
                let called = format!(
                    "what `printf '%s' USER:PASSWORD | base64` prints for the login of {}",
                    service.name
                );
                let login = format!("{user}:{password}");
                if !channel.header("Authorization", "Basic ", &login, &called) {
                    return Err(Incomplete);
                }
            }
        }
    }
    channel.field("priority", service.text("ntfyPriority"));
    channel.field("icon", service.text("ntfyIcon"));
    Ok(())
}

fn webhook(service: &mut Service<'_>, channel: &mut Channel) -> Result<(), Incomplete> {
    service.webhook(channel, "webhookURL")?;
    let method = service.text("httpMethod");
    if method.is_some_and(|method| !method.eq_ignore_ascii_case("post")) {
        return Err(Incomplete);
    }
    for key in [
        "webhookContentType",
        "webhookCustomBody",
        "webhookAdditionalHeaders",
    ] {
        service.seen.push(key);
    }
    let headers = service.config.get("webhookAdditionalHeaders");
    let headers = headers.and_then(Value::as_str).unwrap_or_default();
    let headers: Map<String, Value> = match headers.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text).map_err(|_| Incomplete)?,
    };
    for (name, value) in &headers {
        let called = service.called(&format!("the header {name}"));
        let value = literal(&text_of(value).unwrap_or_default());
        let is_ours = name.eq_ignore_ascii_case("content-type");
        if !is_ours && !channel.header(name, "", &value, &called) {
            return Err(Incomplete);
        }
    }
    Ok(())
}
