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
/// Of the paragraph within `text`, so that room is left for the lines.
const LEAD_CHARS_MAX: usize = 1500;
/// With less room than this no lines are shown.
const CODE_CHARS_MIN: usize = 100;
/// Of a piece of rich text; Slack's own limit for the text of a block.
const PIECE_CHARS_MAX: usize = 3000;

/// Whether it is Slack itself, which shows `text` in notifications only and as it is. Services that are like Slack
/// show it instead of blocks, and read Markdown in it whatever `mrkdwn` says.
fn is_slack(url: &Secret) -> bool {
    let url = url::Url::parse(url.reveal()).ok();
    let host = url.as_ref().and_then(|url| url.host_str());
    let is_of = |domain: &str, host: &str| {
        let before = host.strip_suffix(domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    host.is_some_and(|host| is_of("slack.com", host) || is_of("slack-gov.com", host))
}

/// What is shown where blocks are not.
fn text(story: &Story, link: Option<&str>, is_slack: bool) -> String {
    if is_slack {
        let text = format!("{}\n{}", story.title, story.lead);
        let text = escape::slack(&escape::no_mention(&text));
        return story::cut(&text, TEXT_CHARS_MAX, story::utf16);
    }
    let units = |text: &str| text.encode_utf16().count();
    let title = cut_escaped(story.title, TITLE_CHARS_MAX * 4);
    let lead = cut_escaped(story.lead, LEAD_CHARS_MAX);
    let mut text = format!("{title}\n{lead}");
    let link = link.map_or_else(String::new, |link| format!("\n{link}"));
    let fences = "\n```\n\n```".len();
    let used = units(&text) + units(&link) + fences;
    let room = TEXT_CHARS_MAX.saturating_sub(used);
    if !story.rest.is_empty() && room >= CODE_CHARS_MIN {
        let rest = escape::no_mention(&escape::code_block(story.rest));
        let rest = story::cut(&escape::slack(&rest), room, story::utf16);
        text.push_str(&format!("\n```\n{rest}\n```"));
    }
    if units(&text) + units(&link) <= TEXT_CHARS_MAX {
        text.push_str(&link);
    }
    text
}

/// The beginning of an escaped text; an escape that was cut in two is left out.
fn cut_escaped(text: &str, max: usize) -> String {
    let whole = escape::like_slack(text);
    let mut cut = story::cut(&whole, max, story::utf16);
    if cut == whole {
        return cut;
    }
    let head = cut.trim_end_matches('…');
    let slashes = head.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if slashes % 2 == 1 {
        cut = format!("{}…", &head[..head.len() - 1]);
    }
    cut
}

/// Rich text holds text as text: nothing in it is read as markup.
pub(super) fn request(url: &Secret, fields: &Map<String, Value>, message: &Message) -> Request {
    let story = Story::of(message);
    let plain = |text: &str| json!([{ "type": "text", "text": text }]);
    let mut rich = vec![json!({
        "type": "rich_text_section",
        "elements": plain(&story::cut(story.lead, PIECE_CHARS_MAX, story::utf16)),
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
    let object = json!({
        "text": text(&story, message.link.as_deref(), is_slack(url)),
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

/// Yes is the word `ok`; services that are like Slack say nothing, or JSON, whose no is `"ok": false` (Slack's Web API)
/// or `"success": false` (Rocket.Chat).
pub(super) fn said(body: &[u8]) -> Said {
    if let Some(object) = reply::object(body) {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let is_no = |key: &str| object.get(key) == Some(&Value::Bool(false));
        return Said {
            verdict: match is_no("ok") || is_no("success") {
                true => Verdict::No,
                false => Verdict::Silent,
            },
            words: text("message").or(text("error")).map(str::to_owned),
            wait: None,
        };
    }
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
    fn slack_is_known_by_its_name() {
        for (url, want) in [
            ("https://hooks.slack.com/services/T/B/X", true),
            ("https://hooks.slack-gov.com/services/T/B/X", true),
            ("https://mattermost.example.com/hooks/x", false),
            ("https://hooks.notslack.com/x", false),
            ("https://slack.com.example.org/x", false),
        ] {
            assert_eq!(is_slack(&Secret::new(url)), want, "{url}");
        }
    }

    #[test]
    fn ok_is_yes_and_a_word_of_error_is_no() {
        assert_eq!(said(b"ok").verdict, Verdict::Silent);
        assert_eq!(said(b"").verdict, Verdict::Silent);
        assert_eq!(said(br#"{"ok":true}"#).verdict, Verdict::Silent);
        let no = said(br#"{"ok":false,"error":"channel_not_found"}"#);
        assert_eq!(no.verdict, Verdict::No);
        assert_eq!(no.words.as_deref(), Some("channel_not_found"));
        let no = said(br#"{"success":false,"error":"Invalid integration id"}"#);
        assert_eq!(no.verdict, Verdict::No);
        assert_eq!(said(b"no_service").verdict, Verdict::No);
        assert_eq!(
            said(b"invalid_payload").words.as_deref(),
            Some("invalid_payload")
        );
    }
}
