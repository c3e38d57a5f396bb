//! Format `telegram`: a bot of Telegram.
//!
//! Source: Telegram Bot API, "sendMessage" (4096 characters after entities parsing), "HTML style", "Making requests"
//! (`ok`, `description`), "ResponseParameters" (`retry_after`).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{Said, Verdict};
use super::request::{self, Request};
use super::story::{self, Story};
use super::{escape, reply};
use crate::domain::secret::Secret;

/// Of a message, counted after the markup is read.
const TEXT_CHARS_MAX: usize = 4096;

/// HTML with all others' text escaped. Clients look for names and addresses in text, but not in a block of code.
pub(super) fn request(
    url: &Secret,
    token: &Secret,
    chat: &str,
    fields: &Map<String, Value>,
    message: &Message,
) -> Request {
    let story = Story::of(message);
    let lead = story::cut(&escape::inert(story.lead), 1200, story::utf16);
    let link = message.link.as_deref().unwrap_or_default();
    let mut text = format!("{}\n{}", story.title_html("b"), escape::html(&lead));
    if !story.rest.is_empty() {
        let used: usize = [&text, link]
            .iter()
            .map(|text| text.encode_utf16().count())
            .sum();
        let room = TEXT_CHARS_MAX.saturating_sub(used);
        let rest = story::cut(story.rest, room, story::utf16);
        text.push_str(&format!("\n<pre>{}</pre>", escape::html(&rest)));
    }
    if !link.is_empty() {
        text.push_str(&format!("\n{}", escape::html(link)));
    }
    let object = json!({
        "chat_id": chat,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
    });
    let path = format!("bot{}/sendMessage", token.reveal());
    Request::post(request::below(url, &path), &object, fields)
}

/// No is `"ok": false`.
pub(super) fn said(body: &[u8]) -> Said {
    let Some(object) = reply::object(body) else {
        return reply::plain(body);
    };
    let parameters = object.get("parameters");
    let number = |name: &str| parameters.and_then(|parameters| parameters.get(name));
    let described = object.get("description").and_then(Value::as_str);
    let moved = number("migrate_to_chat_id").map(|id| format!("; the chat is now {id}"));
    Said {
        verdict: match object.get("ok") {
            Some(Value::Bool(false)) => Verdict::No,
            _ => Verdict::Silent,
        },
        words: described.map(|words| format!("{words}{}", moved.unwrap_or_default())),
        wait: number("retry_after")
            .and_then(Value::as_u64)
            .map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_and_the_wait_are_in_the_body() {
        let body = br#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}"#;
        let answer = said(body);
        assert_eq!(answer.verdict, Verdict::No);
        assert_eq!(answer.wait, Some(Duration::from_secs(35)));
        assert_eq!(said(br#"{"ok":true,"result":{}}"#), Said::default());
        let moved = br#"{"ok":false,"description":"Bad Request: group chat was upgraded","parameters":{"migrate_to_chat_id":-100123}}"#;
        assert_eq!(
            said(moved).words.as_deref(),
            Some("Bad Request: group chat was upgraded; the chat is now -100123")
        );
    }
}
