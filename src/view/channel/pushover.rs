//! Format `pushover`: an application of Pushover.
//!
//! Source: Pushover "Message API": `POST /1/messages.json` (message 1 024 characters, title 250, url 512; `html` off
//! unless asked for), "Response format" (`status` 1 or not, `errors`), "Being friendly to our API" (4xx: not again;
//! 5xx: again after 5 seconds or more).

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{self, Said, Verdict};
use super::request::{self, Request};
use super::story::{self, Mood, Story};
use crate::domain::secret::Secret;

/// Of the message.
const TEXT_CHARS_MAX: usize = 1024;
/// Of the title.
const TITLE_CHARS_MAX: usize = 250;
/// Of the address that opens.
const URL_CHARS_MAX: usize = 512;

/// Plain text: `html` and `monospace` are off.
pub(super) fn request(
    url: &Secret,
    token: &Secret,
    user: &Secret,
    fields: &Map<String, Value>,
    message: &Message,
) -> Request {
    let story = Story::of(message);
    let priority = match story.mood {
        Mood::Bad => 1,
        Mood::Warning | Mood::Good | Mood::Neutral => 0,
    };
    let mut object = json!({
        "token": token.reveal(),
        "user": user.reveal(),
        "title": story::cut(story.title, TITLE_CHARS_MAX, story::utf16),
        "message": story::cut(&story.body(), TEXT_CHARS_MAX, story::utf16),
        "priority": priority,
        "timestamp": message.decided_at.as_seconds(),
    });
    let link = message.link.as_ref();
    if let Some(link) = link.filter(|link| link.len() <= URL_CHARS_MAX) {
        object["url"] = json!(link);
        object["url_title"] = json!("Open page");
    }
    Request::post(request::below(url, "1/messages.json"), &object, fields)
}

/// Yes is `"status": 1`. Anything else there is about the request, and the same request is not to be sent again.
pub(super) fn said(body: &[u8]) -> Said {
    let Some(object) = reply::object(body) else {
        return reply::plain(body);
    };
    let errors = object.get("errors").and_then(Value::as_array);
    let words: Vec<&str> = errors
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    Said {
        verdict: match object.get("status").and_then(Value::as_i64) {
            Some(1) | None => Verdict::Silent,
            Some(_) => Verdict::NeverThis,
        },
        words: (!words.is_empty()).then(|| words.join(", ")),
        ..Said::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_other_than_1_is_no() {
        assert_eq!(said(br#"{"status":1,"request":"x"}"#), Said::default());
        let no = said(br#"{"user":"invalid","errors":["user identifier is invalid"],"status":0}"#);
        assert_eq!(no.verdict, Verdict::NeverThis);
        assert_eq!(no.words.as_deref(), Some("user identifier is invalid"));
    }
}
