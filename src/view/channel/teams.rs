//! Format `teams`: the webhook of a workflow of Microsoft Teams ("Post to a channel when a webhook request is
//! received").
//!
//! Source: Microsoft Learn, "Create incoming webhooks with Workflows for Microsoft Teams" and "Send Adaptive Cards
//! using an incoming webhook" (the envelope, 28 KB, 202), Adaptive Cards schema explorer (`RichTextBlock` and
//! `TextRun` hold no Markdown), "Rate limiting for incoming webhooks" (a 200 whose text tells of a 429).

use serde_json::{Map, Value, json};

use super::message::Message;
use super::reply::{self, Said, Verdict};
use super::request::Request;
use super::story::{self, Mood, Story};
use crate::domain::secret::Secret;

/// Of the whole message 28 KB are allowed; each line costs about 130 bytes beside its text.
const TEXT_BYTES_MAX: usize = 12 * 1024;
/// Of all lines together at most so many: each is an element of the card.
const LINES_MAX: usize = 80;

/// An adaptive card of runs of text: nothing in them is read as markup, and who is mentioned stands elsewhere.
pub(super) fn request(url: &Secret, fields: &Map<String, Value>, message: &Message) -> Request {
    let story = Story::of(message);
    let run = |text: &str, looks: Value| {
        let mut run = json!({ "type": "TextRun", "text": text });
        if let (Some(run), Value::Object(looks)) = (run.as_object_mut(), looks) {
            run.extend(looks);
        }
        run
    };
    let colour = match story.mood {
        Mood::Bad => "Attention",
        Mood::Warning => "Warning",
        Mood::Good => "Good",
        Mood::Neutral => "Default",
    };
    let title = json!({ "weight": "Bolder", "size": "Medium", "color": colour });
    let lead = story::cut(story.lead, 2000, story::json_byte);
    let mut body = vec![
        json!({ "type": "RichTextBlock", "inlines": [run(story.title, title)] }),
        json!({ "type": "RichTextBlock", "inlines": [run(&lead, json!({}))] }),
    ];
    // Blanks in a row would be shown as one.
    let rest = story.rest.replace("  ", "\u{a0}\u{a0}");
    let rest = story::cut(&rest, TEXT_BYTES_MAX, story::json_byte);
    let mut spacing = "Medium";
    for line in rest.lines().take(LINES_MAX) {
        if line.trim().is_empty() {
            spacing = "Small";
            continue;
        }
        let looks = json!({ "fontType": "Monospace", "size": "Small" });
        body.push(json!({
            "type": "RichTextBlock",
            "spacing": spacing,
            "inlines": [run(line, looks)],
        }));
        spacing = "None";
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
    });
    if let Some(link) = &message.link {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Open page", "url": link }]);
    }
    let object = json!({
        "type": "message",
        "summary": story.title,
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    });
    Request::post(url.reveal(), &object, fields)
}

/// A 200 may say that the message was not taken: the words of the documentation are looked for.
pub(super) fn said(body: &[u8]) -> Said {
    let error = reply::object(body)
        .and_then(|object| Some(object.get("error")?.get("message")?.as_str()?.to_owned()));
    if error.is_some() {
        return Said {
            words: error,
            ..Said::default()
        };
    }
    let said = reply::plain(body);
    let is_no = said
        .words
        .as_deref()
        .is_some_and(|words| words.contains("endpoint returned HTTP error"));
    Said {
        verdict: match is_no {
            true => Verdict::No,
            false => Verdict::Silent,
        },
        ..said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_200_that_tells_of_an_error_is_no() {
        let text = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429";
        assert_eq!(said(text).verdict, Verdict::No);
        assert_eq!(said(b"1").verdict, Verdict::Silent);
        assert_eq!(said(b"").verdict, Verdict::Silent);
        let error = br#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"not enabled"}}"#;
        assert_eq!(said(error).words.as_deref(), Some("not enabled"));
    }
}
