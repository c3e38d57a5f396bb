//! From the format of a channel to the file of its service.

use super::message::Message;
use super::reply::{self, Answer, Reply};
use super::request::Request;
use super::{
    alertmanager, apprise, discord, gotify, json, matrix, ntfy, opsgenie, pagerduty, pushover,
    signature, slack, teams, telegram, template,
};
use crate::domain::channel::{Channel, Format, Service};
use crate::domain::target::Proxy;
use crate::domain::timestamp::Timestamp;

/// Turns a message into the request of its channel.
///
/// Two attempts of one message differ in what [`Request::stamped`] adds only. For Alertmanager, which takes no
/// messages, it is a post of no alerts to the first instance: see [`alertmanager`].
pub fn request(channel: &Channel, message: &Message) -> Request {
    let fields = &channel.fields;
    let mut request = match &channel.service {
        Service::Json { url, token, key } => {
            json::request(url, key.as_ref(), fields, message).bearer(token.as_ref())
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
        let is_of_stamp = |own: &str| name.eq_ignore_ascii_case(own);
        if [signature::TIMESTAMP, signature::SIGNATURE]
            .into_iter()
            .any(is_of_stamp)
        {
            request.stamp = None;
        }
    }
    request
}

/// Says what a service's answer means for the delivery; `now` is when it came.
pub fn read_answer(channel: &Channel, reply: &Reply, now: Timestamp) -> Answer {
    let body = reply.body;
    let has_proxy = !matches!(channel.proxy, Proxy::None | Proxy::Direct(_));
    if reply.status == 407 && has_proxy {
        // It is the proxy that speaks: the service has seen nothing of the message.
        let words = "answers 407 Proxy Authentication Required: the proxy wants a login";
        return Answer::Pause(words.to_owned());
    }
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
    // What stands in the answer of a program of one's own is its own business.
    let is_own = matches!(
        channel.format(),
        Format::Json | Format::Template | Format::Apprise
    );
    let said = match is_own {
        true => said,
        false => reply::no_page(reply, said),
    };
    reply::judge(reply, said, &channel.masks, now)
}
