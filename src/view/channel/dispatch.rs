//! From the format of a channel to the file of its service.

use super::message::Message;
use super::reply::{self, Answer, Reply};
use super::request::Request;
use super::{
    alertmanager, apprise, discord, gotify, json, matrix, ntfy, opsgenie, pagerduty, pushover,
    slack, teams, telegram, template,
};
use crate::domain::channel::{Channel, Format, Service};
use crate::domain::timestamp::Timestamp;

/// Turns a message into the request of its channel; `now` is the moment of this attempt, which a signature holds.
///
/// Two attempts of one message differ in the time of the signature only. For Alertmanager, which takes no messages, it
/// is a post of no alerts to the first instance: see [`alertmanager`].
pub fn request(channel: &Channel, message: &Message, now: Timestamp) -> Request {
    let fields = &channel.fields;
    let mut request = match &channel.service {
        Service::Json { url, token, key } => {
            json::request(url, key.as_ref(), fields, message, now).bearer(token.as_ref())
        }
        Service::Slack { url } => slack::request(url, fields, message),
        Service::Discord { url } => discord::request(url, fields, message),
        Service::Teams { url } => teams::request(url, fields, message),
        Service::Telegram { url, token, chat } => {
            telegram::request(url, token, chat, fields, message)
        }
        Service::Ntfy { url, token } => ntfy::request(url, fields, message).bearer(token.as_ref()),
        Service::Gotify { url, token } => gotify::request(url, token, fields, message),
        Service::Pushover { url, token, chat } => {
            pushover::request(url, token, chat, fields, message)
        }
        Service::Pagerduty { url, token } => pagerduty::request(url, token, fields, message),
        Service::Opsgenie { url, token } => opsgenie::request(url, token, fields, message),
        Service::Matrix { url, token, chat } => matrix::request(url, token, chat, fields, message),
        Service::Apprise { url, token } => {
            apprise::request(url, fields, message).bearer(token.as_ref())
        }
        Service::Template { url, token, text } => {
            template::request(channel, url, text, message).bearer(token.as_ref())
        }
        Service::Alertmanager { urls, .. } => {
            let url = urls.first().expect("Service::new refuses none");
            alertmanager::post(channel, url, &[])
        }
    };
    if channel.format() != Format::Json {
        request.set("Idempotency-Key", message.id);
    }
    for (name, value) in &channel.headers {
        request.set(name, value.reveal());
    }
    request
}

/// Says what a service's answer means for the delivery; `now` is when it came.
pub fn read_answer(channel: &Channel, reply: &Reply, now: Timestamp) -> Answer {
    let body = reply.body;
    let said = match channel.format() {
        Format::Slack => slack::said(body),
        Format::Discord => discord::said(body),
        Format::Teams => teams::said(body),
        Format::Telegram => telegram::said(body),
        Format::Ntfy => ntfy::said(body),
        Format::Gotify => gotify::said(body),
        Format::Pushover => pushover::said(body),
        Format::Pagerduty => pagerduty::said(body),
        Format::Opsgenie => opsgenie::said(body),
        Format::Matrix => matrix::said(body),
        Format::Apprise => apprise::said(reply.status, body),
        Format::Json | Format::Template | Format::Alertmanager => reply::plain(body),
    };
    reply::judge(reply, said, &channel.masks, now)
}
