//! Format `apprise`: an Apprise API server, which speaks to more than a hundred services.
//!
//! Source: Apprise API README, "API details": `POST /notify/{KEY}` and `POST /notify/` with `urls` (`title`, `body`,
//! `type`, `format`), status 200, 204 (no configuration or no tag fits: nobody was told), 400, 424 (somebody was not
//! told), 500.

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{self, Said, Verdict};
use super::request::{self, Request};
use super::story::{self, Mood, Story};
use crate::domain::secret::Secret;

/// Apprise cuts for each service; this much is sensible for all.
const TEXT_CHARS_MAX: usize = 16 * 1024;

/// Plain text: Apprise escapes it for each service.
pub(super) fn request(url: &Secret, fields: &Map<String, Value>, message: &Message) -> Request {
    let story = Story::of(message);
    let kind = match story.mood {
        Mood::Bad => "failure",
        Mood::Warning => "warning",
        Mood::Good => "success",
        Mood::Neutral => "info",
    };
    let mut body = story::cut(&story.body(), TEXT_CHARS_MAX, story::character);
    if let Some(link) = &message.link {
        body.push_str(&format!("\n\n{link}"));
    }
    let object = json!({
        "title": story.title,
        "body": body,
        "type": kind,
        "format": "text",
    });
    Request::post(notify_url(url), &object, fields)
}

/// A server without path is asked at `/notify/`; the key of a stored configuration is a part of the path.
fn notify_url(url: &Secret) -> String {
    let address = url.reveal();
    let host = address.find("://").map_or(0, |at| at + 3);
    match address[host..].trim_end_matches('/').contains(['/', '?']) {
        true => address.to_owned(),
        false => request::below(url, "notify/"),
    }
}

/// A 204 says that nobody was told.
pub(super) fn said(status: u16, body: &[u8]) -> Said {
    if status == 204 {
        return Said {
            verdict: Verdict::No,
            words: Some("no configuration with this key, or none with this tag".to_owned()),
            wait: None,
        };
    }
    reply::under("error", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_path_is_asked_at_notify() {
        for (url, want) in [
            ("http://apprise:8000", "http://apprise:8000/notify/"),
            ("http://apprise:8000/", "http://apprise:8000/notify/"),
            (
                "http://apprise:8000/notify/key",
                "http://apprise:8000/notify/key",
            ),
        ] {
            assert_eq!(notify_url(&Secret::new(url)), want);
        }
    }

    #[test]
    fn no_content_is_no_delivery() {
        assert_eq!(said(204, b"").verdict, Verdict::No);
        assert_eq!(said(200, b"").verdict, Verdict::Silent);
        assert_eq!(
            said(
                424,
                br#"{"error":"One or more notification could not be sent"}"#
            )
            .words
            .as_deref(),
            Some("One or more notification could not be sent")
        );
    }
}
