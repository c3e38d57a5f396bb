//! Format `opsgenie`: alerts of Opsgenie, and of Jira Service Management by the same API.
//!
//! Source: Opsgenie docs, "Alert API: Create Alert" (message 130 characters, alias 512, description 15 000, source 100,
//! entity 512; 202), "Close Alert" (`identifierType=alias`, note 25 000), "Authentication" (GenieKey), "Response"
//! (`result`, `message`), "API rate limiting" (429).

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{self, Said};
use super::request::{self, Request};
use super::story::{self, Story};
use crate::domain::secret::Secret;
use crate::view::page;

/// Of the message.
const TITLE_CHARS_MAX: usize = 130;
/// Of the description.
const TEXT_CHARS_MAX: usize = 15_000;
/// Of alias and entity.
const NAME_CHARS_MAX: usize = 512;

/// The alias is the incident: its UP closes what its DOWN created. A test has an alias of its own.
pub(super) fn request(
    url: &Secret,
    token: &Secret,
    fields: &Map<String, Value>,
    message: &Message,
) -> Request {
    let story = Story::of(message);
    let alias = message.incident.as_deref().unwrap_or(message.id);
    let alias = story::cut(alias, NAME_CHARS_MAX, story::character);
    let text = story::cut(&story.body(), TEXT_CHARS_MAX, story::utf16);
    let mut request = if message.is_over() {
        let object = json!({ "source": "sitewatch", "note": text });
        let alias = page::words::segment(&alias);
        let path = format!("v2/alerts/{alias}/close?identifierType=alias");
        Request::post(request::below(url, &path), &object, fields)
    } else {
        let mut object = json!({
            "message": story::cut(story.title, TITLE_CHARS_MAX, story::utf16),
            "alias": alias,
            "description": text,
            "source": "sitewatch",
            "priority": if message.incident.is_some() { "P1" } else { "P5" },
            "details": { "host": message.host },
        });
        if let Some(name) = message.monitor {
            object["entity"] = json!(story::cut(name, NAME_CHARS_MAX, story::utf16));
        }
        if let Some(url) = &message.url {
            object["details"]["url"] = json!(url);
        }
        if let Some(link) = &message.link {
            object["details"]["page"] = json!(link);
        }
        Request::post(request::below(url, "v2/alerts"), &object, fields)
    };
    request.set("Authorization", format!("GenieKey {}", token.reveal()));
    request
}

/// Errors are `{"message", "took", "requestId"}`.
pub(super) fn said(body: &[u8]) -> Said {
    reply::under("message", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_read() {
        let said = said(br#"{"message":"Key format is not valid!","took":0.001,"requestId":"x"}"#);
        assert_eq!(said.words.as_deref(), Some("Key format is not valid!"));
    }
}
