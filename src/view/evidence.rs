//! The first failing answer of an incident, for people and as JSON, and what differs from the last good one.

use std::fmt::{self, Write};

use serde::Serialize;

use super::json::{self, Audience, CheckObject, Utc};
use super::line_diff;
use super::terminal::{Screen, Tone};
use super::time_text::{Clock, grouped};
use crate::domain::check::Check;
use crate::domain::evidence::{Evidence, Head, KeptBody};
use crate::domain::redaction;
use crate::domain::safe_text;
use crate::domain::status_code;

/// A mail shows a diff that has fewer lines.
pub const MAIL_LINES_MAX: usize = 20;

/// Fields that differ from answer to answer and mean nothing.
const VOLATILE: [&str; 5] = ["date", "age", "expires", "set-cookie", "last-modified"];

/// Words in names of fields that number requests.
const VOLATILE_WORDS: [&str; 5] = ["request-id", "requestid", "trace", "cf-ray", "correlation"];

/// A longer line is compared in pieces: pages are often one line.
const LINE_BYTES_MAX: usize = 300;

/// From this length on a piece ends where a tag or a value does.
const PIECE_BYTES_MIN: usize = 60;

/// What is shown of an incident's answer.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The incident's id.
    pub incident: &'a str,
    /// Its monitor.
    pub monitor: &'a str,
    /// The monitor's URL.
    pub url: &'a str,
    /// The first failed check.
    pub check: &'a Check,
    /// Its answers; `None` if they are not kept.
    pub evidence: Option<&'a Evidence>,
    /// The last good check and its answers.
    pub good: Option<(&'a Check, &'a Evidence)>,
    /// The diff, where it was asked for and can be made.
    pub diff: Option<&'a [String]>,
}

/// As `evidence --json` prints it.
#[derive(Debug, Serialize)]
pub struct EvidenceObject<'a> {
    incident: &'a str,
    monitor: &'a str,
    check: CheckObject<'a>,
    heads: Vec<HeadObject<'a>>,
    body: Option<&'a str>,
    body_base64: Option<String>,
    body_bytes: u64,
    truncated: bool,
    good_at: Option<Utc>,
    diff: Option<String>,
}

#[derive(Debug, Serialize)]
struct HeadObject<'a> {
    url: String,
    status: u16,
    http_version: &'static str,
    headers: Vec<[&'a str; 2]>,
}

/// As `evidence --json` prints it.
pub fn object<'a>(shown: &Shown<'a>) -> EvidenceObject<'a> {
    let heads = shown.evidence.map_or(&[][..], |evidence| &evidence.heads);
    let body = shown.evidence.and_then(|evidence| evidence.body.as_ref());
    let (text, bytes) = match body {
        Some(KeptBody::Text(text)) => (Some(text.as_str()), None),
        Some(KeptBody::Bytes(bytes)) => (None, Some(base64(bytes))),
        None => (None, None),
    };
    EvidenceObject {
        incident: shown.incident,
        monitor: shown.monitor,
        check: json::check(shown.monitor, shown.url, shown.check, Audience::Owner),
        heads: heads.iter().map(head_object).collect(),
        body: text,
        body_base64: bytes,
        body_bytes: match shown.evidence {
            Some(evidence) => evidence.body_bytes,
            None => shown.check.body_bytes,
        },
        truncated: shown.evidence.is_some_and(|evidence| evidence.truncated),
        good_at: shown.good.map(|(check, _)| Utc(check.at)),
        diff: shown.diff.map(|lines| {
            let mut text = lines.join("\n");
            text.push_str(if lines.is_empty() { "" } else { "\n" });
            text
        }),
    }
}

fn head_object(head: &Head) -> HeadObject<'_> {
    HeadObject {
        url: redaction::shown(&head.url).into_owned(),
        status: head.status,
        http_version: head.http_version.as_str(),
        headers: head
            .fields
            .iter()
            .map(|(name, value)| [name.as_str(), value.as_str()])
            .collect(),
    }
}

/// What differs between the last good answer and the failing one.
pub fn diff(good: &Evidence, failing: &Evidence) -> Vec<String> {
    let (old, new) = (compared(good, failing), compared(failing, good));
    let old: Vec<&str> = old.iter().map(String::as_str).collect();
    let new: Vec<&str> = new.iter().map(String::as_str).collect();
    line_diff::diff(&old, &new)
}

/// The lines of an answer as they are compared with another one: its last head and its body, as far as both go.
fn compared(answer: &Evidence, with: &Evidence) -> Vec<String> {
    let mut lines = Vec::new();
    for head in &answer.heads {
        lines.push(redaction::shown(&head.url).into_owned());
        lines.push(status_line(head));
        let fields = head.fields.iter().filter(|(name, _)| !is_volatile(name));
        lines.extend(fields.map(|(name, value)| format!("{name}: {value}")));
        lines.push(String::new());
    }
    match &answer.body {
        Some(KeptBody::Text(text)) => {
            let other = match &with.body {
                Some(KeptBody::Text(other)) if with.truncated => other.len(),
                Some(KeptBody::Text(_) | KeptBody::Bytes(_)) | None => usize::MAX,
            };
            let is_cut = answer.truncated || other < text.len();
            let mut body = pieces(&text[..text.floor_char_boundary(other.min(text.len()))]);
            // The last line may have been cut.
            if is_cut && body.len() > 1 {
                body.pop();
            }
            lines.extend(body);
        }
        Some(KeptBody::Bytes(bytes)) => {
            lines.push(format!(
                "({} bytes that are no text)",
                grouped(bytes.len() as u64)
            ));
        }
        None => {}
    }
    lines
}

fn is_volatile(name: &str) -> bool {
    VOLATILE.contains(&name) || VOLATILE_WORDS.iter().any(|word| name.contains(word))
}

/// Lines, long ones in pieces.
fn pieces(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim_end();
        if line.len() <= LINE_BYTES_MAX {
            found.push(line.to_owned());
            continue;
        }
        let mut from = 0;
        for (at, c) in line.char_indices() {
            let length = at + c.len_utf8() - from;
            let ends = matches!(c, '>' | ',' | ';' | '}') && length >= PIECE_BYTES_MIN;
            if ends || length >= LINE_BYTES_MAX {
                found.push(line[from..at + c.len_utf8()].to_owned());
                from = at + c.len_utf8();
            }
        }
        if from < line.len() {
            found.push(line[from..].to_owned());
        }
    }
    found
}

/// `HTTP/1.1 503 Service Unavailable`
pub(super) fn status_line(head: &Head) -> String {
    let name = status_code::lookup(head.status).map_or("", |code| code.name);
    format!("{} {} {name}", head.http_version.as_str(), head.status)
        .trim_end()
        .to_owned()
}

/// For people.
pub fn write(
    shown: &Shown<'_>,
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let heading = format!(
        "{} failed at {}, incident {}",
        shown.monitor,
        clock.civil(shown.check.at),
        shown.incident
    );
    writeln!(out, "{}", screen.broken(&heading))?;
    if let Some(failure) = shown.check.verdict.failure() {
        let why = safe_text::line(&failure.detail, 1000);
        let why = format!("{}: {}", failure.kind, redaction::shown(&why));
        writeln!(out, "{}", screen.paint(Tone::Bad, &why))?;
    }
    if let Some(diff) = shown.diff {
        return write_diff(shown, diff, clock, screen, out);
    }
    let Some(evidence) = shown
        .evidence
        .filter(|evidence| !evidence.heads.is_empty() || evidence.body.is_some())
    else {
        return writeln!(out, "\nNo answer came.");
    };
    for head in &evidence.heads {
        let url = safe_text::line(&head.url, 4096);
        writeln!(
            out,
            "\n{}",
            screen.paint(Tone::Faint, &redaction::shown(&url))
        )?;
        writeln!(out, "{}", status_line(head))?;
        for (name, value) in &head.fields {
            writeln!(out, "{name}: {}", safe_text::line(value, usize::MAX))?;
        }
    }
    write_body(evidence, screen, out)?;
    if let Some((check, _)) = shown.good {
        let hint = format!(
            "last good answer {}; what differs:\nsitewatch evidence {} --diff",
            clock.civil(check.at),
            shown.incident
        );
        writeln!(out, "\n{}", screen.paint(Tone::Faint, &hint))?;
    }
    Ok(())
}

fn write_body(evidence: &Evidence, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let kept = match &evidence.body {
        Some(KeptBody::Text(text)) => {
            writeln!(out, "\n{}", safe_text::block(text).trim_end())?;
            text.len()
        }
        Some(KeptBody::Bytes(bytes)) => {
            let length = grouped(bytes.len() as u64);
            writeln!(out, "\n({length} bytes that are no text; --json has them)")?;
            bytes.len()
        }
        None => 0,
    };
    if evidence.truncated {
        let came = grouped(evidence.body_bytes);
        let what = match kept {
            0 => format!("({came} bytes of body came; none of them are kept)"),
            kept => format!(
                "({came} bytes of body came; the first {} are kept)",
                grouped(kept as u64)
            ),
        };
        writeln!(out, "{}", screen.paint(Tone::Faint, &what))?;
    }
    Ok(())
}

fn write_diff(
    shown: &Shown<'_>,
    diff: &[String],
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let Some((good, _)) = shown.good else {
        return Ok(());
    };
    if diff.is_empty() {
        return writeln!(
            out,
            "\nNothing that is kept differs from the last good answer of {}.",
            clock.civil(good.at)
        );
    }
    writeln!(out, "\n--- last good answer, {}", clock.civil(good.at))?;
    writeln!(
        out,
        "+++ first failing answer, {}",
        clock.civil(shown.check.at)
    )?;
    for line in diff {
        let tone = match line.as_bytes().first() {
            Some(b'-') => Some(Tone::Bad),
            Some(b'+') => Some(Tone::Good),
            Some(b'@') => Some(Tone::Faint),
            _ => None,
        };
        match tone {
            Some(tone) => writeln!(out, "{}", screen.paint(tone, line))?,
            None => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| {
            bits << 8 | u32::from(three.get(at).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let digit = bits >> (18 - 6 * place) & 63;
            match place <= three.len() {
                true => text.push(char::from(DIGITS[digit as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::HttpVersion;

    fn answer(status: u16, body: &str, truncated: bool) -> Evidence {
        Evidence {
            heads: vec![Head {
                url: "https://a.test/".to_owned(),
                status,
                http_version: HttpVersion::Http11,
                fields: vec![("date".to_owned(), format!("now {status}"))],
            }],
            body: Some(KeptBody::Text(body.to_owned())),
            body_bytes: body.len() as u64,
            truncated,
        }
    }

    #[test]
    fn what_differs_between_two_answers() {
        let lines = diff(
            &answer(200, "a\nb\nc", false),
            &answer(503, "a\nx\nc", false),
        );
        let wanted = [
            "@@ -1,6 +1,6 @@",
            " https://a.test/",
            "-HTTP/1.1 200 OK",
            "+HTTP/1.1 503 Service Unavailable",
            " ",
            " a",
            "-b",
            "+x",
            " c",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn what_was_cut_does_not_differ() {
        let lines = diff(
            &answer(200, "a\nb\nc", true),
            &answer(200, "a\nb\nc, and more\nd", false),
        );
        assert_eq!(lines, Vec::<String>::new());
        let lines = diff(
            &answer(200, "a\nb\nc\nd", false),
            &answer(200, "a\nb\nc", true),
        );
        assert_eq!(lines, Vec::<String>::new());
    }

    #[test]
    fn a_page_of_one_line_is_compared_in_pieces() {
        let page = "<p>something that is said</p>".repeat(40);
        let other = page.replacen("said", "not said", 1);
        let lines = diff(&answer(200, &page, false), &answer(200, &other, false));
        assert!(lines.len() < MAIL_LINES_MAX, "{lines:?}");
        assert!(lines.iter().all(|line| line.len() < 100), "{lines:?}");
    }

    #[test]
    fn base64_as_in_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
