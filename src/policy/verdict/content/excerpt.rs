//! The first words of a body, for a person.

use std::borrow::Cow;

use super::body::Content;
use super::codings;
use crate::domain::probe::Answer;
use crate::domain::redaction::Masks;
use crate::domain::safe_text;

/// What is decoded for an excerpt.
const EXCERPT_BYTES: usize = 4 * 1024;

/// An excerpt has at most this many characters.
const EXCERPT_CHARS: usize = 500;

/// The first words of a body, without markup, as one safe line; `None` if there is nothing to read. `content` is what
/// an assertion read of the body.
pub(in crate::policy) fn excerpt(
    answer: &Answer,
    content: Option<&Content>,
    masks: &Masks,
) -> Option<String> {
    let first = match content {
        Some(content) => content.first(EXCERPT_BYTES).to_vec(),
        None => {
            let names = codings::named(answer);
            let end = match names.is_empty() {
                true => answer.body.len().min(EXCERPT_BYTES),
                false => answer.body.len(),
            };
            let body = Cow::Borrowed(&answer.body[..end]);
            codings::decoded(&names, body, true, EXCERPT_BYTES)
                .0
                .into_owned()
        }
    };
    let content = Content::part(answer, first);
    let readable = without_markup(content.text());
    // Before white space is joined, and after it: a secret may hold some.
    let masked = masks.apply_to_beginning(&readable);
    let line = safe_text::line(&masked, EXCERPT_CHARS);
    (!line.is_empty()).then(|| masks.apply(&line).into_owned())
}

/// A page without its tags, scripts and styles, roughly: for a glance, not for a browser.
fn without_markup(page: &str) -> Cow<'_, str> {
    if !page.trim_start().starts_with('<') {
        return Cow::Borrowed(page);
    }
    let mut out = String::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        out.push(' ');
        rest = &rest[at..];
        let lower: String = rest
            .chars()
            .take(8)
            .collect::<String>()
            .to_ascii_lowercase();
        let end = if lower.starts_with("<!--") {
            "-->"
        } else if lower.starts_with("<script") {
            "</script>"
        } else if lower.starts_with("<style") {
            "</style>"
        } else {
            ">"
        };
        match find_ignoring_case(rest, end) {
            Some(found) => rest = &rest[found + end.len()..],
            None => return Cow::Owned(out),
        }
    }
    out.push_str(rest);
    for (entity, plain) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        if out.contains(entity) {
            out = out.replace(entity, plain);
        }
    }
    Cow::Owned(out)
}

/// Where an ASCII text begins, in either case.
fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes()
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}
