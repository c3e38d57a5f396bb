//! Format `discord`: a webhook of a Discord channel.
//!
//! Source: Discord developer docs, "Webhook resource: Execute Webhook" (204, with `wait` 200), "Message resource:
//! Allowed mentions" (`parse: []`), "Embed limits" (title 256, description 4096, all 6000), "Rate limits" (429 with
//! `retry_after` in seconds).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::Said;
use super::request::Request;
use super::story::{self, Story};
use super::{escape, reply};
use crate::domain::secret::Secret;

/// Of an embed's title.
const TITLE_CHARS_MAX: usize = 256;
/// Of an embed's description.
const TEXT_CHARS_MAX: usize = 4096;
/// Of the paragraph, so that most of the description is left for the lines.
const LEAD_CHARS_MAX: usize = 1500;

/// An embed: its text mentions nobody, and `allowed_mentions` makes sure.
pub(super) fn request(url: &Secret, fields: &Map<String, Value>, message: &Message) -> Request {
    let story = Story::of(message);
    // A backslash before a sign of ASCII: the escape of a text that fits may be twice as long.
    let escaped = |text: &str, max: usize| {
        let whole = escape::markdown(text);
        match whole.encode_utf16().count() <= max {
            true => whole,
            false => escape::markdown(&story::cut(text, max / 2, story::utf16)),
        }
    };
    let lead = escaped(story.lead, LEAD_CHARS_MAX);
    let description = if story.rest.is_empty() {
        lead
    } else {
        let fences = "\n```\n\n```".len();
        let room = TEXT_CHARS_MAX - fences - lead.encode_utf16().count();
        let lines = story::cut(&escape::code_block(story.rest), room, story::utf16);
        format!("{lead}\n```\n{lines}\n```")
    };
    let mut embed = json!({
        "title": escaped(story.title, TITLE_CHARS_MAX),
        "description": description,
        "color": story.mood.colour(),
        "timestamp": message.decided_at.to_string(),
    });
    if let Some(link) = &message.link {
        embed["url"] = json!(link);
    }
    let object = json!({
        "embeds": [embed],
        "allowed_mentions": { "parse": [] },
    });
    Request::post(url.reveal(), &object, fields)
}

/// Errors are `{"message", "code"}`; too many requests say for how many seconds.
pub(super) fn said(body: &[u8]) -> Said {
    let Some(object) = reply::object(body) else {
        return reply::plain(body);
    };
    let seconds = object.get("retry_after").and_then(Value::as_f64);
    Said {
        words: object
            .get("message")
            .and_then(Value::as_str)
            .map(str::to_owned),
        wait: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.ceil()).ok()),
        ..Said::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_in_seconds() {
        let said =
            said(br#"{"message":"You are being rate limited.","retry_after":1.3,"global":false}"#);
        assert_eq!(said.wait, Some(Duration::from_secs(2)));
        assert_eq!(said.words.as_deref(), Some("You are being rate limited."));
    }
}
