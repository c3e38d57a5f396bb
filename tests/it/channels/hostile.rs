//! Whatever a site or a list of names holds is data in every format: no mention, no markup, no link, and always JSON.

use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Value;
use sitewatch::domain::channel::{Channel, Format, Service};
use sitewatch::domain::check::{Chain, Check, Failure, FailureKind, Redirect, Verdict};
use sitewatch::domain::incident::Cause;
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::notification::{MailKind, News, Notice, Parcel};
use sitewatch::domain::safe_text;
use sitewatch::domain::secret::Secret;
use sitewatch::view::channel::{Message, alertmanager, request};
use sitewatch::view::mail::context::Context;

use super::channel;
use crate::mails::samples;

/// Patterns of what must not be there, or is ours.
static CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?s)<(pre|code)>.*?</(pre|code)>").unwrap());
static FOUND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[@#]\w|\w://|(?i)evil\.example|(^|\s)/start").unwrap());
static MENTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"@\w").unwrap());
static ESCAPED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\[[:punct:]]").unwrap());
static MARKUP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[*_~|<>@#\[\]()\\]|://").unwrap());
static AS_IN_MATTERMOST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)[@#~]\w|\w://|\bwww\.").unwrap());
static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^>]*>").unwrap());

/// What would be a mention, markup or a link in one service or the other.
const PIECES: [&str; 44] = [
    "@everyone",
    "@here",
    "@channel",
    "@room",
    "<!channel>",
    "<!here|here>",
    "<@U012AB3CD>",
    "<@123456789012345678>",
    "<@&1>",
    "<#C1>",
    "<at>Kim</at>",
    "<http://evil.example|click>",
    "[click](http://evil.example)",
    "http://evil.example/?token=abc",
    "https://evil.example",
    "evil.example",
    "<a href=\"http://evil.example\">x</a>",
    "</pre><b>x</b>",
    "</code></pre><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "```\n@everyone\n```",
    "``",
    "`",
    "**bold** _it_ ~~no~~ ||spoiler||",
    "*bold*",
    "# heading",
    "> quote",
    "\\",
    "\\\\\"",
    "\",\"text\":\"injected",
    "\"}],\"x\":[{\"",
    "{{ text }}",
    "{% for a in b %}",
    "${HOME}",
    "\r\nX-Evil: 1\r\n\r\n",
    "\u{1b}[31mred\u{7}",
    "\u{202e}gnp.exe\u{2066}",
    "\u{0}\u{85}\u{2028}",
    "&amp;&lt;!channel&gt;",
    ":smile: <:x:1> <t:1:R>",
    "/start #tag",
    "tg://user?id=1 matrix.to/#/@x:y",
    "\u{1f600}\u{1f468}\u{200d}\u{1f469}",
    "a perfectly ordinary sentence",
];

/// Numbers that come again with each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(4) {
            match self.below(8) {
                0 => text.push(char::from_u32(self.below(0x11_0000) as u32).unwrap_or('x')),
                1 => text.push_str(&"long ".repeat(self.below(400))),
                _ => text.push_str(PIECES[self.below(PIECES.len())]),
            }
            if self.below(2) == 0 {
                text.push(' ');
            }
        }
        text
    }
}

fn parcel(numbers: &mut Numbers) -> Parcel {
    let mut check = samples::check(22, 503, 1001);
    let failure = Failure {
        kind: [
            FailureKind::Body,
            FailureKind::Status,
            FailureKind::TlsHostname,
        ][numbers.below(3)],
        detail: safe_text::line(&numbers.text(), 300).into(),
    };
    check.verdict = Verdict::Down(failure.clone());
    check.excerpt = Some(numbers.text().into());
    check.chain = Arc::new(Chain {
        redirects: vec![Redirect {
            url: numbers.text(),
            status: 302,
            location: Some(numbers.text()),
            remote_addr: None,
        }],
        final_url: numbers.text().into(),
        remote_addr: None,
    });
    let good = Check {
        verdict: Verdict::Up,
        ..check.clone()
    };
    let cause = Cause {
        failure,
        status: Some(503),
    };
    let down = News::Down {
        incident: samples::incident(),
        cause: cause.clone(),
        up_since: None,
        check: Box::new(check),
        checks_failed: 3,
        last_good: Some(Box::new(good.clone())),
        held: None,
        locations: Vec::new(),
    };
    let up = News::Up {
        incident: samples::incident(),
        cause,
        closed_at: samples::at(845),
        check: Box::new(good),
        checks_failed: 3,
        flapping_since: None,
    };
    let mut notice = |news: News| -> Notice {
        let mut notice = samples::one(news, 30).notices.remove(0);
        if let Some(about) = &mut notice.about {
            let name = safe_text::line(&numbers.text(), 200).into_owned();
            about.name = MonitorName::parse(&name).unwrap_or(about.name.clone());
        }
        notice
    };
    let trouble = News::Trouble {
        what: "channel x".to_owned(),
        detail: "@everyone <!channel>".to_owned(),
    };
    let (down, mut up, mut trouble) = (notice(down), notice(up), notice(trouble));
    trouble.about = None;
    up.about = down.about.clone();
    let (kind, notices) = match numbers.below(5) {
        0 => (MailKind::Up, vec![up]),
        1 => (MailKind::WasDown, vec![down, up]),
        2 => (MailKind::Digest, vec![down, up]),
        3 => (MailKind::Trouble, vec![trouble]),
        _ => (MailKind::Down, vec![down]),
    };
    Parcel { kind, notices }
}

/// Every string of a value with the path to it.
fn strings(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Array(items) => {
            for item in items {
                strings(item, &format!("{path}[]"), found);
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                strings(item, &format!("{path}.{key}"), found);
            }
        }
        _ => {}
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// HTML whose only tags are ours, closed in order.
fn html_is_ours(html: &str, tags: &[&str], link: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{html}");
        } else if tag == format!("a href=\"{link}\"") {
            open.push("a");
        } else {
            assert!(tags.contains(&tag), "{tag} in {html}");
            if tag != "br" {
                open.push(tag);
            }
        }
    }
    assert!(open.is_empty(), "{html}");
}

/// Outside of code nothing that a client of Telegram or Matrix makes a link or a mention of.
fn nothing_to_find(html: &str) {
    let text = CODE.replace_all(html, " ");
    assert!(!FOUND.is_match(&text), "{text}");
}

/// What services like Slack show: our own marks are a block of code and the link at the end.
fn is_harmless_where_markdown_is_read(text: &str, link: &str) {
    let text = text.strip_suffix(link).unwrap_or(text);
    let mut parts = text.split("```");
    let plain = parts.next().unwrap();
    let code = parts.count();
    assert!(code == 0 || code == 2, "{text}");
    assert!(!AS_IN_MATTERMOST.is_match(plain), "{plain}");
    let plain = ESCAPED.replace_all(plain, "");
    assert!(!MARKUP.is_match(&plain), "{plain}");
}

fn is_harmless(format: Format, body: &Value, link: &str) {
    let mut found = Vec::new();
    strings(body, "", &mut found);
    for (path, text) in &found {
        let unsafe_at = text
            .chars()
            .position(|c| c != '\n' && c != '\u{2060}' && c.is_control());
        // Our own object has Locations as they came.
        let is_raw = matches!(format, Format::Json | Format::Template);
        assert!(is_raw || unsafe_at.is_none(), "{format} {path}: {text:?}");
    }
    match format {
        Format::Slack => {
            let text = body["text"].as_str().unwrap();
            assert!(!text.contains(['<', '>']) && units(text) <= 4000, "{text}");
            assert!(!MENTION.is_match(text), "{text}");
            assert_eq!(
                (&body["mrkdwn"], &body["parse"]),
                (&Value::Bool(false), &"none".into())
            );
            assert!(!body.to_string().contains("\"mrkdwn\",\"text\""));
            assert!(units(body["blocks"][0]["text"]["text"].as_str().unwrap()) <= 150);
            for (path, text) in &found {
                assert!(!path.contains("elements") || units(text) <= 3000);
                assert!(!path.ends_with(".url") || text == link);
            }
        }
        Format::Discord => {
            assert_eq!(body["allowed_mentions"], serde_json::json!({ "parse": [] }));
            assert!(body.get("content").is_none());
            let embed = &body["embeds"][0];
            let (title, text) = (
                embed["title"].as_str().unwrap(),
                embed["description"].as_str().unwrap(),
            );
            assert!(
                units(title) <= 256 && units(text) <= 4096,
                "{}",
                units(text)
            );
            let mut parts = text.split("```");
            let lead = parts.next().unwrap();
            let code = parts.count();
            assert!(code == 0 || code == 2, "{text}");
            // Without escaped signs no sign of markup is left.
            for plain in [title, lead] {
                let plain = ESCAPED.replace_all(plain, "");
                assert!(!MARKUP.is_match(&plain), "{plain}");
            }
        }
        Format::Teams => {
            assert!(
                body.to_string().len() <= 28 * 1024,
                "{}",
                body.to_string().len()
            );
            let card = &body["attachments"][0]["content"];
            for element in card["body"].as_array().unwrap() {
                assert_eq!(element["type"], "RichTextBlock");
                assert_eq!(element["inlines"][0]["type"], "TextRun");
            }
            assert!(card["msteams"].get("entities").is_none());
        }
        Format::Telegram => {
            let text = body["text"].as_str().unwrap();
            html_is_ours(text, &["b", "code", "pre"], link);
            nothing_to_find(&text.replace(link, ""));
            let plain = TAG.replace_all(text, "");
            let plain = plain
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&amp;", "&");
            assert!(units(&plain) <= 4096, "{}", units(&plain));
        }
        Format::Ntfy => {
            assert!(body.get("markdown").is_none() && body.get("actions").is_none());
            assert!(body["message"].as_str().unwrap().len() <= 4096);
            assert!(body.to_string().len() <= 8192);
            assert_eq!(body["topic"], "alerts");
        }
        Format::Gotify => {
            let kind = &body["extras"]["client::display"]["contentType"];
            assert_eq!(kind, "text/plain");
        }
        Format::Pushover => {
            assert!(body.get("html").is_none());
            assert!(units(body["message"].as_str().unwrap()) <= 1024);
            assert!(units(body["title"].as_str().unwrap()) <= 250);
        }
        Format::Pagerduty => {
            assert!(units(body["payload"]["summary"].as_str().unwrap()) <= 1024);
            assert!(body.to_string().len() <= 512 * 1024);
        }
        Format::Opsgenie => {
            let length = |key: &str| {
                body.get(key)
                    .map_or(0, |text| units(text.as_str().unwrap()))
            };
            assert!(length("message") <= 130 && length("description") <= 15_000);
        }
        Format::Matrix => {
            assert!(
                body.to_string().len() <= 60_000,
                "{}",
                body.to_string().len()
            );
            assert_eq!(body["m.mentions"], serde_json::json!({}));
            let html = body["formatted_body"].as_str().unwrap();
            html_is_ours(html, &["strong", "br", "pre", "code"], link);
            nothing_to_find(&html.replace(link, ""));
        }
        Format::Apprise => assert_eq!(body["format"], "text"),
        Format::Json | Format::Template | Format::Alertmanager => {}
    }
}

/// The same words as an alert: lines without signs of control, in labels that are ours.
fn is_harmless_alert(numbers: &mut Numbers, level: &Channel) {
    let cause = Cause {
        failure: Failure {
            kind: FailureKind::Body,
            detail: numbers.text().into(),
        },
        status: None,
    };
    let outage = alertmanager::Outage {
        incident: samples::incident(),
        monitor: &numbers.text(),
        url: &numbers.text(),
        cause: &cause,
        note: &numbers.text(),
    };
    let facts = alertmanager::facts(&outage, Some("https://status.example.com/"));
    let (began, now) = (samples::at(0), samples::at(60));
    let alert = alertmanager::alert(level, &facts, began, None, now);
    let request = alertmanager::post(level, &level.service.urls()[0], &[alert]);
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let object = body[0].as_object().unwrap();
    assert_eq!(object.len(), 5);
    assert_eq!(body[0]["labels"].as_object().unwrap().len(), 5);
    let annotations = body[0]["annotations"].as_object().unwrap().len();
    assert!((4..=5).contains(&annotations));
    let link = body[0]["generatorURL"].as_str().unwrap();
    let link = url::Url::parse(link).unwrap();
    assert_eq!(link.host_str(), Some("status.example.com"));
    let mut found = Vec::new();
    strings(&body, "", &mut found);
    for (path, text) in &found {
        let is_block = path.ends_with(".note");
        let is_unsafe = |c: char| c.is_control() && !(is_block && c == '\n');
        assert!(!text.contains(is_unsafe), "{path}: {text:?}");
        // A monitor's name, and so its page's address, is short.
        let is_link = path.ends_with(".generatorURL");
        assert!(is_link || text.chars().count() <= 4000, "{path}");
    }
}

fn rounds(seed: u64, rounds: usize) {
    let mut numbers = Numbers(seed);
    let mut formats: Vec<_> = Format::ALL
        .into_iter()
        .filter(|format| !format.is_level())
        .map(channel::of)
        .collect();
    let like_slack = "https://mattermost.example.com/hooks/xx";
    formats.push(Channel {
        service: Service::Slack {
            url: Secret::new(like_slack),
        },
        ..channel::of(Format::Slack)
    });
    let context = Context {
        page_url: Some("https://status.example.com/".to_owned()),
        ..Context::bare(samples::at(860), TimeZone::UTC, "mon1")
    };
    let level = channel::of(Format::Alertmanager);
    for _ in 0..rounds {
        is_harmless_alert(&mut numbers, &level);
        let parcel = parcel(&mut numbers);
        let message = Message::new(&parcel, &context, "msg_1");
        let link = message.link.clone().unwrap();
        for channel in &formats {
            let format = channel.format();
            let composed = request(channel, &message);
            assert_eq!(composed.template_fault, None, "{format}");
            let body: Value = serde_json::from_str(&composed.body)
                .unwrap_or_else(|error| panic!("{format}: {error}: {}", composed.body));
            assert!(body.is_object());
            is_harmless(format, &body, &link);
            if composed.url.reveal() == like_slack {
                is_harmless_where_markdown_is_read(body["text"].as_str().unwrap(), &link);
            }
            if format == Format::Json {
                assert!(composed.body.len() < 100_000, "{}", composed.body.len());
            }
            url::Url::parse(composed.url.reveal()).unwrap();
            for (name, value) in &composed.headers {
                assert!(reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok());
                assert!(reqwest::header::HeaderValue::from_str(value.reveal()).is_ok());
            }
        }
    }
}

/// So many messages a thread; with `SITEWATCH_HOSTILE=25000`, which wants an optimised build, 100 000 of them in every
/// format.
#[expect(clippy::disallowed_methods, reason = "the length of this test alone")]
fn rounds_a_thread() -> usize {
    let asked = std::env::var("SITEWATCH_HOSTILE");
    asked.map_or(280, |count| count.parse().expect("a number"))
}

/// Names, bodies and Locations of every message are hostile.
#[test]
fn hostile_words_stay_words() {
    let count = rounds_a_thread();
    std::thread::scope(|scope| {
        for seed in 1..5 {
            scope.spawn(move || rounds(seed, count));
        }
    });
}
