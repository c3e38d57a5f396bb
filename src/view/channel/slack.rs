//! Format `slack`: an incoming webhook of Slack.
//!
//! Source: Slack developer docs, "Sending messages using incoming webhooks" (`text`, `blocks`; answers `ok`),
//! "Formatting message text" (escapes, `mrkdwn`), "Blocks" (header 150 characters, rich text), "chat.postMessage"
//! (`text` 4 000 characters), "Rate limits" (429 with Retry-After), changelog 2016-05-17 (words of errors).

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{Said, Verdict};
use super::request::Request;
use super::story::{self, Mood, Story};
use super::{escape, reply};
use crate::domain::secret::Secret;

/// Of a header block.
const TITLE_CHARS_MAX: usize = 150;
/// Of `text`, which is shown where blocks are not: in notifications, and by services that are like Slack.
const TEXT_CHARS_MAX: usize = 4000;
/// Of a piece of rich text; Slack's own limit for the text of a block.
const PIECE_CHARS_MAX: usize = 3000;

/// Rich text holds text as text: nothing in it is read as markup.
pub(super) fn request(url: &Secret, fields: &Map<String, Value>, message: &Message) -> Request {
    let story = Story::of(message);
    let plain = |text: &str| json!([{ "type": "text", "text": text }]);
    let mut rich = vec![json!({
        "type": "rich_text_section",
        "elements": plain(&story::cut(&story.lead, PIECE_CHARS_MAX, story::utf16)),
    })];
    if !story.rest.is_empty() {
        rich.push(json!({
            "type": "rich_text_preformatted",
            "elements": plain(&story::cut(story.rest, PIECE_CHARS_MAX, story::utf16)),
        }));
    }
    if let Some(link) = &message.link {
        rich.push(json!({
            "type": "rich_text_section",
            "elements": [{ "type": "link", "url": link }],
        }));
    }
    let sign = match story.mood {
        Mood::Bad => "\u{1f534} ",
        Mood::Warning => "\u{1f7e0} ",
        Mood::Good => "\u{1f7e2} ",
        Mood::Neutral => "",
    };
    let title = story::cut(
        &format!("{sign}{}", story.title),
        TITLE_CHARS_MAX,
        story::utf16,
    );
    let text = escape::slack(&escape::no_mention(&format!(
        "{}\n{}",
        story.title, story.lead
    )));
    let object = json!({
        "text": story::cut(&text, TEXT_CHARS_MAX, story::utf16),
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": title, "emoji": false } },
            { "type": "rich_text", "elements": rich },
        ],
    });
    Request::post(url.reveal(), &object, fields)
}

/// Yes is the word `ok`; services that are like Slack say nothing, or JSON.
pub(super) fn said(body: &[u8]) -> Said {
    let said = reply::plain(body);
    let is_word = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let verdict = match said.words.as_deref() {
        Some(words) if words != "ok" && words.len() <= 64 && is_word(words) => Verdict::No,
        _ => Verdict::Silent,
    };
    Said { verdict, ..said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_is_yes_and_a_word_of_error_is_no() {
        assert_eq!(said(b"ok").verdict, Verdict::Silent);
        assert_eq!(said(b"").verdict, Verdict::Silent);
        assert_eq!(said(br#"{"ok":true}"#).verdict, Verdict::Silent);
        assert_eq!(said(b"no_service").verdict, Verdict::No);
        assert_eq!(
            said(b"invalid_payload").words.as_deref(),
            Some("invalid_payload")
        );
    }
}
