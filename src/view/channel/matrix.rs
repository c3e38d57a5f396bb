//! Format `matrix`: a room of Matrix.
//!
//! Source: Matrix specification v1.11, client-server API: `PUT
//! /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`, "m.room.message" (`org.matrix.custom.html`), "User and
//! room mentions" (`m.mentions`), "Size limits" (65 536 bytes an event), "Rate limiting" (`M_LIMIT_EXCEEDED`,
//! `retry_after_ms`).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::Said;
use super::request::{self, Request};
use super::story::{self, Story};
use super::{escape, reply};
use crate::domain::secret::Secret;
use crate::view::page;

/// Of each of the two forms of the text: an event has 65 536 bytes, and markup can make HTML six times as long.
const TEXT_BYTES_MAX: usize = 6 * 1024;

/// Text and escaped HTML, the same in both; `m.mentions` says that nobody is meant.
pub(super) fn request(
    url: &Secret,
    token: &Secret,
    room: &str,
    fields: &Map<String, Value>,
    message: &Message,
) -> Request {
    let story = Story::of(message);
    let lead = story::cut(story.lead, TEXT_BYTES_MAX / 4, story::json_byte);
    let rest = story::cut(story.rest, TEXT_BYTES_MAX, story::json_byte);
    let mut text = format!("{}\n{lead}", story.title);
    let mut html = format!(
        "{}<br>{}",
        story.title_html("strong"),
        escape::html(&escape::inert(&lead))
    );
    if !rest.is_empty() {
        text.push_str(&format!("\n\n{rest}"));
        html.push_str(&format!("<pre><code>{}</code></pre>", escape::html(&rest)));
    }
    if let Some(link) = &message.link {
        text.push_str(&format!("\n{link}"));
        let link = escape::html(link);
        html.push_str(&format!("<a href=\"{link}\">{link}</a>"));
    }
    let object = json!({
        "msgtype": "m.text",
        "body": text,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {},
    });
    let path = format!(
        "_matrix/client/v3/rooms/{}/send/m.room.message/{}",
        page::words::segment(room),
        page::words::segment(message.id)
    );
    let request = Request::post(request::below(url, &path), &object, fields).bearer(Some(token));
    Request {
        method: "PUT",
        ..request
    }
}

/// Errors are `{"errcode", "error"}`; too many requests say for how many milliseconds.
pub(super) fn said(body: &[u8]) -> Said {
    let Some(object) = reply::object(body) else {
        return reply::plain(body);
    };
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let words: Vec<&str> = [text("errcode"), text("error")]
        .into_iter()
        .flatten()
        .collect();
    Said {
        words: (!words.is_empty()).then(|| words.join(": ")),
        wait: object
            .get("retry_after_ms")
            .and_then(Value::as_u64)
            .map(Duration::from_millis),
        ..Said::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_in_milliseconds() {
        let said = said(
            br#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":2000}"#,
        );
        assert_eq!(said.wait, Some(Duration::from_secs(2)));
        assert_eq!(
            said.words.as_deref(),
            Some("M_LIMIT_EXCEEDED: Too many requests")
        );
    }
}
