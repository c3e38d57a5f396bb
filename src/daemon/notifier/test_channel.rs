//! A test message by a channel, beside the outbox: what the service says is wanted now, not later.

use url::Url;

use super::channels::send_now;
use super::flush_once::said;
use super::levels::posting::place;
use crate::channel::Sender;
use crate::clock;
use crate::config::Config;
use crate::control::Answer;
use crate::domain::channel::{Channel, ChannelName, Service};
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::redaction::STARS;
use crate::domain::safe_text;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::message_id;
use crate::policy::outbox::retry::Outcome;
use crate::tls;
use crate::view::channel::{Message, Request, alertmanager, request};
use crate::view::mail::context::Context;

/// So much of a request's body is shown.
const BODY_CHARS_MAX: usize = 4000;

/// Header fields of ours whose value is a secret.
const SECRET_FIELDS: [&str; 2] = ["authorization", "x-gotify-key"];
/// The one header field of a user's whose value is none.
const PLAIN_FIELD: &str = "content-type";

/// Sends a test message and tells what was sent where, secrets masked, and what was answered.
pub async fn test_channel(config: &Config, name: &str, host: &str) -> Answer {
    let channel = ChannelName::parse(name)
        .ok()
        .and_then(|name| config.channel(&name));
    let Some(channel) = channel else {
        return unknown(config, name);
    };
    let sender = match Sender::new(channel, &tls::Basis::load()) {
        Ok(sender) => sender,
        Err(error) => {
            return Answer::Failed { lines: vec![error] };
        }
    };
    if let Service::Alertmanager { urls, .. } = &channel.service {
        return test_level(config, channel, &sender, urls, host).await;
    }
    let now = clock::now();
    let parcel = Parcel {
        kind: MailKind::Test,
        notices: vec![Notice {
            about: None,
            news: News::Test,
            decided_at: now,
        }],
    };
    let context = Context {
        page_url: config.page_url(),
        ..Context::bare(now, config.daemon.timezone.clone(), host)
    };
    let moment = now.as_ms().to_string();
    let id = message_id::make(host, &["test", name, &moment], "");
    let id = message_id::of_channel(&id, name);
    let message = Message::new(&parcel, &context, &id);
    let request = request(channel, &message);
    let at = clock::now();
    let outcome = send_now(channel, &sender, &request, || at).await;
    let mut lines = shown(channel, &request, at);
    lines.push(format!("{name}: {}", said(&outcome)));
    if matches!(outcome, Outcome::Accepted(_)) {
        Answer::Done { lines }
    } else {
        Answer::Failed { lines }
    }
}

/// Shows every instance an alert that ends after a minute.
async fn test_level(
    config: &Config,
    channel: &Channel,
    sender: &Sender,
    urls: &[Secret],
    host: &str,
) -> Answer {
    let mut lines = Vec::new();
    let mut is_taken = true;
    let page_url = config.page_url();
    for url in urls {
        let alert = alertmanager::test_alert(channel, host, page_url.as_deref(), clock::now());
        let request = alertmanager::post(channel, url, &[alert]);
        let outcome = send_now(channel, sender, &request, clock::now).await;
        lines.extend(shown(channel, &request, clock::now()));
        lines.push(format!(
            "{} at {}: {}",
            channel.name,
            place(url),
            said(&outcome)
        ));
        is_taken &= matches!(outcome, Outcome::Accepted(_));
    }
    match is_taken {
        true => Answer::Done { lines },
        false => Answer::Failed { lines },
    }
}

fn unknown(config: &Config, name: &str) -> Answer {
    let names: Vec<&str> = config
        .channels
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let known = match names.as_slice() {
        [] => "the configuration has no [[channel]]".to_owned(),
        names => format!("the channels are {}", names.join(", ")),
    };
    Answer::Refused {
        lines: vec![format!("there is no channel `{name}`: {known}")],
    }
}

/// The request without its secrets.
fn shown(channel: &Channel, request: &Request, at: Timestamp) -> Vec<String> {
    let masks = &channel.masks;
    let place = Url::parse(request.url.reveal()).ok().map_or_else(
        || STARS.to_owned(),
        |url| {
            let port = url
                .port()
                .map_or_else(String::new, |port| format!(":{port}"));
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{port}/{STARS}", url.scheme())
        },
    );
    let mut lines = vec![format!(
        "{} ({}): {} {place}",
        channel.name,
        channel.format(),
        request.method
    )];
    let stamped = request.stamped(at);
    let stamped = stamped.iter().map(|(name, value)| (*name, value));
    let fields = request.headers.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value));
    for (name, value) in fields.chain(stamped) {
        let known = name.to_ascii_lowercase();
        let is_users = |(users, _): &(String, Secret)| users.eq_ignore_ascii_case(name);
        let is_secret = SECRET_FIELDS.contains(&known.as_str())
            || known != PLAIN_FIELD && channel.headers.iter().any(is_users);
        let value = match is_secret {
            true => STARS.to_owned(),
            false => masks.apply(value.reveal()).into_owned(),
        };
        lines.push(format!("  {name}: {}", safe_text::line(&value, 300)));
    }
    let body = masks.apply(&request.body);
    lines.push(format!("  {}", safe_text::line(&body, BODY_CHARS_MAX)));
    lines
}
