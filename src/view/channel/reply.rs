//! What a service's answer means for a delivery.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::domain::redaction::{self, Masks};
use crate::domain::timestamp::Timestamp;
use crate::domain::{safe_text, status_code};
use crate::policy::http::retry_after;
use crate::policy::outbox::retry::BACKOFF_MAX;

/// So much of an answer's body is read at most; no service's yes or no is longer.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// So much of a service's own words is shown.
const WORDS_CHARS_MAX: usize = 300;
/// A service that asks for a longer wait is asked again after this.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// A service's whole answer.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The body, or its first [`ANSWER_BYTES_MAX`] bytes.
    pub body: &'a [u8],
}

/// What a delivery came to. Words are one safe line without secrets, fit after the channel's name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// The service took it.
    Delivered,
    /// The service may take it later.
    Later {
        /// How long it asks us to wait.
        after: Option<Duration>,
        /// The reason, in the words of the service.
        words: String,
    },
    /// The service will never take this message.
    Refused(String),
    /// Nothing will get through until somebody mends the channel or the service.
    Pause(String),
}

/// What the body says beside the status, as the service's documentation has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// Yes or no, where the body says it.
    pub(super) verdict: Verdict,
    /// The service's reasons.
    pub(super) words: Option<String>,
    /// How long it asks us to wait.
    pub(super) wait: Option<Duration>,
}

/// Whether a body says yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Verdict {
    /// The status alone counts.
    #[default]
    Silent,
    /// No, and it may be yes another time.
    No,
    /// No, for ever.
    NeverThis,
}

/// Judges status, header fields and what the body says.
pub(super) fn judge(reply: &Reply, said: Said, masks: &Masks, now: Timestamp) -> Answer {
    let words = words(reply.status, said.words.as_deref(), masks);
    let by_header = || {
        let value = reply.headers.get(RETRY_AFTER)?.to_str().ok()?;
        let seconds = retry_after::parse(value, now)?;
        Some(Duration::from_secs(seconds.into()))
    };
    // Only a limit on us is worth a day: a service that is ill is asked as often as a mail server would be.
    let longest = match reply.status {
        500..=599 => BACKOFF_MAX,
        _ => WAIT_MAX,
    };
    let later = |words| Answer::Later {
        after: said.wait.or_else(by_header).map(|wait| wait.min(longest)),
        words,
    };
    match (reply.status, said.verdict) {
        (200..=299, Verdict::Silent) => Answer::Delivered,
        (408 | 425 | 429 | 500..=599, _) | (200..=299, Verdict::No) => later(words),
        (300..=399 | 401 | 403 | 404 | 410, _) => Answer::Pause(words),
        (200..=299 | 400..=499, _) => Answer::Refused(words),
        // No HTTP status that a service could mean.
        _ => later(words),
    }
}

/// `answers 404 Not Found: no such webhook`
fn words(status: u16, said: Option<&str>, masks: &Masks) -> String {
    let name = status_code::lookup(status).map_or_else(String::new, |s| format!(" {}", s.name));
    let said = masks.apply(said.unwrap_or_default());
    let said = redaction::shown(&said);
    let said = safe_text::line(&said, WORDS_CHARS_MAX);
    if said.is_empty() {
        return format!("answers {status}{name}");
    }
    format!("answers {status}{name}: {said}")
}

/// A body that is plain text says why in its first words; a page in HTML and bytes that are no text do not.
pub(super) fn plain(body: &[u8]) -> Said {
    let text = text(body).trim();
    Said {
        words: (!text.is_empty() && !text.starts_with('<')).then(|| text.to_owned()),
        ..Said::default()
    }
}

/// The body as text, where it is all text; a character that the end cuts in two does not count.
fn text(body: &[u8]) -> &str {
    let body = &body[..body.len().min(ANSWER_BYTES_MAX)];
    match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    }
}

/// A 2xx with a page in HTML came from something else than the service: a proxy that wants a login, another server at
/// that address.
pub(super) fn no_page(reply: &Reply, said: Said) -> Said {
    let is_page = reply.body.trim_ascii_start().starts_with(b"<");
    let is_2xx = (200..=299).contains(&reply.status);
    if !is_page || !is_2xx || said.verdict != Verdict::Silent {
        return said;
    }
    Said {
        verdict: Verdict::No,
        words: Some("a page is no answer of this service".to_owned()),
        ..said
    }
}

/// A body that is a JSON object says why under this key; another one in its first words.
pub(super) fn under(key: &str, body: &[u8]) -> Said {
    match object(body) {
        Some(object) => Said {
            words: object.get(key).and_then(Value::as_str).map(str::to_owned),
            ..Said::default()
        },
        None => plain(body),
    }
}

/// The body as JSON, if it is an object.
pub(super) fn object(body: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let body = &body[..body.len().min(ANSWER_BYTES_MAX)];
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, said: Said) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        let reply = Reply {
            status,
            headers: &headers,
            body: b"",
        };
        judge(&reply, said, &Masks::default(), Timestamp::from_ms(0))
    }

    #[test]
    fn the_status_decides_where_the_body_is_silent() {
        for status in [200, 202, 204] {
            assert_eq!(judged(status, Said::default()), Answer::Delivered);
        }
        for status in [408, 425, 429, 500, 503, 599, 100, 700] {
            let answer = judged(status, Said::default());
            let wait = Some(Duration::from_secs(7));
            assert!(
                matches!(answer, Answer::Later { after, .. } if after == wait),
                "{status}"
            );
        }
        for status in [301, 307, 401, 403, 404, 410] {
            assert!(
                matches!(judged(status, Said::default()), Answer::Pause(_)),
                "{status}"
            );
        }
        for status in [400, 405, 413, 422] {
            assert!(
                matches!(judged(status, Said::default()), Answer::Refused(_)),
                "{status}"
            );
        }
    }

    #[test]
    fn a_service_that_is_ill_does_not_silence_us_for_a_day() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "86400".parse().unwrap());
        for (status, seconds) in [(429, 86_400), (503, 1800), (500, 1800)] {
            let reply = Reply {
                status,
                headers: &headers,
                body: b"",
            };
            let now = Timestamp::from_ms(0);
            let answer = judge(&reply, Said::default(), &Masks::default(), now);
            let wait = Some(Duration::from_secs(seconds));
            assert!(
                matches!(answer, Answer::Later { after, .. } if after == wait),
                "{status}"
            );
        }
    }

    #[test]
    fn a_body_that_says_no_is_no_delivery() {
        let said = |verdict| Said {
            verdict,
            words: Some("no\nsuch \u{1b}[31mroom".to_owned()),
            wait: Some(Duration::from_secs(3)),
        };
        assert_eq!(
            judged(200, said(Verdict::No)),
            Answer::Later {
                after: Some(Duration::from_secs(3)),
                words: "answers 200 OK: no such [31mroom".to_owned(),
            }
        );
        assert!(matches!(
            judged(200, said(Verdict::NeverThis)),
            Answer::Refused(_)
        ));
        assert!(matches!(
            judged(500, said(Verdict::NeverThis)),
            Answer::Later { .. }
        ));
    }

    #[test]
    fn pages_are_not_words_and_secrets_are_masked() {
        assert_eq!(plain(b" <html>no").words, None);
        assert_eq!(plain(b"no_team\n").words.as_deref(), Some("no_team"));
        let masks = Masks::new(["hook-s3cret".to_owned()]);
        assert_eq!(
            words(404, Some("no hook-s3cret here"), &masks),
            "answers 404 Not Found: no *** here"
        );
    }
}
