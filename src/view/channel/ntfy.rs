//! Format `ntfy`: a topic of ntfy.sh or of an own server.
//!
//! Source: ntfy documentation, "Publish as JSON" (POST to the server's root), "Message priority", "Tags & emojis",
//! "Click action", "Access tokens" (Bearer), "Limitations" (a message of 4 096 bytes; a longer one becomes a file);
//! the server reads twice that of a JSON body.

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{self, Said};
use super::request::Request;
use super::story::{self, Mood, Story};
use crate::domain::secret::Secret;

/// Of the message: a longer one becomes a file.
const TEXT_BYTES_MAX: usize = 4096;
/// Of the message within the JSON body, so that the body stays below the 8 192 bytes that the server reads.
const TEXT_JSON_BYTES_MAX: usize = 4608;
/// Of the title.
const TITLE_BYTES_MAX: usize = 256;

/// Plain text: without `markdown` nothing in it is read as markup.
pub(super) fn request(url: &Secret, fields: &Map<String, Value>, message: &Message) -> Request {
    let (root, topic) = root_and_topic(url.reveal());
    let story = Story::of(message);
    let (priority, tag) = match story.mood {
        Mood::Bad => (4, "rotating_light"),
        Mood::Warning => (3, "warning"),
        Mood::Good => (3, "white_check_mark"),
        Mood::Neutral => (3, "information_source"),
    };
    let text = story::cut(&story.body(), TEXT_BYTES_MAX, story::byte);
    let mut object = json!({
        "topic": topic,
        "title": story::cut(story.title, TITLE_BYTES_MAX, story::byte),
        "message": story::cut(&text, TEXT_JSON_BYTES_MAX, story::json_byte),
        "priority": priority,
        "tags": [tag],
    });
    if let Some(link) = &message.link {
        object["click"] = json!(link);
    }
    Request::post(root, &object, fields)
}

/// `https://ntfy.sh/topic?auth=x` is the root `https://ntfy.sh/?auth=x` and the topic.
fn root_and_topic(url: &str) -> (String, String) {
    let (address, query) = match url.find(['?', '#']) {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    let address = address.trim_end_matches('/');
    let begin = address.find("://").map_or(0, |at| at + 3);
    match address[begin..].rfind('/') {
        Some(at) => {
            let (root, topic) = address.split_at(begin + at);
            (format!("{root}/{query}"), topic[1..].to_owned())
        }
        None => (format!("{address}/{query}"), String::new()),
    }
}

/// Errors are `{"code", "http", "error", "link"}`.
pub(super) fn said(body: &[u8]) -> Said {
    reply::under("error", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_is_the_last_part_of_the_path() {
        for (url, root, topic) in [
            ("https://ntfy.sh/alerts", "https://ntfy.sh/", "alerts"),
            ("https://ntfy.sh/alerts/", "https://ntfy.sh/", "alerts"),
            (
                "http://h:1/below/alerts?auth=x",
                "http://h:1/below/?auth=x",
                "alerts",
            ),
            ("https://ntfy.sh", "https://ntfy.sh/", ""),
        ] {
            assert_eq!(root_and_topic(url), (root.to_owned(), topic.to_owned()));
        }
    }

    #[test]
    fn the_reason_is_read() {
        let said =
            said(br#"{"code":40301,"http":403,"error":"forbidden","link":"https://ntfy.sh/docs"}"#);
        assert_eq!(said.words.as_deref(), Some("forbidden"));
    }
}
