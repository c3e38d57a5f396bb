//! Format `pagerduty`: events of PagerDuty.
//!
//! Source: PagerDuty developer docs, "Events API v2 overview" and "Send an alert event" (`trigger`, `resolve`,
//! `dedup_key` 255 characters, `summary` 1 024, the event 512 KB; 202 with `"status": "success"`; 400 invalid, 429 too
//! many).

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{self, Said, Verdict};
use super::request::{self, Request};
use super::story::{self, Story};
use crate::domain::secret::Secret;

/// Of the summary.
const SUMMARY_CHARS_MAX: usize = 1024;
/// Of our text, of 512 KB that an event may have.
const TEXT_CHARS_MAX: usize = 16 * 1024;
/// Of the key.
const KEY_CHARS_MAX: usize = 255;

/// The key is the incident: its UP resolves what its DOWN triggered. A test has a key of its own.
pub(super) fn request(
    url: &Secret,
    token: &Secret,
    fields: &Map<String, Value>,
    message: &Message,
) -> Request {
    let story = Story::of(message);
    let key = message.incident.as_deref().unwrap_or(message.id);
    let mut object = json!({
        "routing_key": token.reveal(),
        "event_action": if message.is_over() { "resolve" } else { "trigger" },
        "dedup_key": story::cut(key, KEY_CHARS_MAX, story::character),
        "client": "sitewatch",
        "payload": {
            "summary": story::cut(story.title, SUMMARY_CHARS_MAX, story::utf16),
            "source": message.url.as_deref().or(message.monitor).unwrap_or(message.host),
            "severity": if message.incident.is_some() { "critical" } else { "info" },
            "timestamp": message.opened_at.unwrap_or(message.decided_at).to_string(),
            "custom_details": {
                "text": story::cut(&story.body(), TEXT_CHARS_MAX, story::character),
                "host": message.host,
            },
        },
    });
    if let Some(monitor) = message.monitor {
        object["payload"]["component"] = json!(monitor);
    }
    if let Some(cause) = &message.cause {
        object["payload"]["class"] = json!(cause.kind);
    }
    if let Some(link) = &message.link {
        object["client_url"] = json!(link);
        object["links"] = json!([{ "href": link, "text": "Open page" }]);
    }
    Request::post(request::below(url, "v2/enqueue"), &object, fields)
}

/// Yes is `"status": "success"`.
pub(super) fn said(body: &[u8]) -> Said {
    let Some(object) = reply::object(body) else {
        return reply::plain(body);
    };
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let errors = object.get("errors").and_then(Value::as_array);
    let words: Vec<&str> = text("message")
        .into_iter()
        .chain(errors.into_iter().flatten().filter_map(Value::as_str))
        .collect();
    Said {
        verdict: match text("status") {
            Some("success") | None => Verdict::Silent,
            Some("invalid event") => Verdict::NeverThis,
            Some(_) => Verdict::No,
        },
        words: (!words.is_empty()).then(|| words.join(": ")),
        ..Said::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_yes() {
        let yes = said(br#"{"status":"success","message":"Event processed","dedup_key":"7-1"}"#);
        assert_eq!(yes.verdict, Verdict::Silent);
        let no = said(br#"{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect"]}"#);
        assert_eq!(no.verdict, Verdict::NeverThis);
        assert_eq!(
            no.words.as_deref(),
            Some("Event object is invalid: Length of 'routing_key' is incorrect")
        );
        assert_eq!(
            said(br#"{"status":"throttle exceeded"}"#).verdict,
            Verdict::No
        );
    }
}
