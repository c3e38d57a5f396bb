//! Format `gotify`: an application of a Gotify server.
//!
//! Source: Gotify API documentation, `POST /message` (header `X-Gotify-Key`; `title`, `message`, `priority`, `extras`),
//! "Message Extras" (`client::display`, `client::notification`), model `Error`.

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{self, Said};
use super::request::{self, Request};
use super::story::{self, Mood, Story};
use crate::domain::secret::Secret;

/// Gotify has no limit of its own; this much a phone can show.
const TEXT_CHARS_MAX: usize = 16 * 1024;

/// Plain text, and said so.
pub(super) fn request(
    url: &Secret,
    token: &Secret,
    fields: &Map<String, Value>,
    message: &Message,
) -> Request {
    let story = Story::of(message);
    let priority = match story.mood {
        Mood::Bad => 8,
        Mood::Warning => 5,
        Mood::Good => 5,
        Mood::Neutral => 2,
    };
    let mut extras = json!({ "client::display": { "contentType": "text/plain" } });
    if let Some(link) = &message.link {
        extras["client::notification"] = json!({ "click": { "url": link } });
    }
    let object = json!({
        "title": story.title,
        "message": story::cut(&story.body(), TEXT_CHARS_MAX, story::character),
        "priority": priority,
        "extras": extras,
    });
    let mut request = Request::post(request::below(url, "message"), &object, fields);
    request.set("X-Gotify-Key", token.reveal());
    request
}

/// Errors are `{"error", "errorCode", "errorDescription"}`.
pub(super) fn said(body: &[u8]) -> Said {
    let Some(object) = reply::object(body) else {
        return reply::plain(body);
    };
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    Said {
        words: text("errorDescription")
            .or(text("error"))
            .map(str::to_owned),
        ..Said::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_read() {
        let said = said(br#"{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token"}"#);
        assert_eq!(
            said.words.as_deref(),
            Some("you need to provide a valid access token")
        );
    }
}
