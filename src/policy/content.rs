//! A body as an assertion or a person reads it: decoded, bounded, as text.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::io::{ErrorKind, Read};

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::domain::probe::Answer;
use crate::domain::text;

/// More codings on one body are an attack, not a site.
const CODINGS_MAX: usize = 3;

/// A body's charset is looked for in this many first bytes (as browsers do).
const PRESCAN_BYTES: usize = 1024;

/// What is decoded for an excerpt.
const EXCERPT_BYTES: usize = 4 * 1024;

/// An excerpt has at most this many characters.
const EXCERPT_CHARS: usize = 500;

/// How decoded bytes end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// With the body itself.
    Whole,
    /// At the limit of what is read; the body went on.
    Limit,
    /// Where the content coding turned out to be broken, or ended too early.
    Broken,
}

/// A body after its content codings were taken off.
#[derive(Debug)]
pub(super) struct Content {
    bytes: Vec<u8>,
    tail: Tail,
    encoding: &'static Encoding,
    text: OnceCell<String>,
}

impl Content {
    /// The whole body of an answer, decoded to at most `max` bytes.
    ///
    /// # Errors
    /// One line, when its coding is unknown or broken.
    pub(super) fn of(answer: &Answer, max: usize) -> Result<Self, String> {
        let (bytes, tail) = decoded(answer, &answer.body, max)?;
        // What was cut before it was decoded ends in the middle of its coding, through no fault of it.
        let tail = if answer.body_cut { Tail::Limit } else { tail };
        Ok(Self::new(answer, bytes.into_owned(), tail))
    }

    fn new(answer: &Answer, bytes: Vec<u8>, tail: Tail) -> Self {
        let encoding = charset(answer, &bytes);
        Self {
            bytes,
            tail,
            encoding,
            text: OnceCell::new(),
        }
    }

    /// The first words of a body, for a person: without markup, one safe line. None where there is
    /// nothing to read.
    pub(super) fn excerpt(answer: &Answer) -> Option<String> {
        let (bytes, _) = decoded(answer, &answer.body, EXCERPT_BYTES).ok()?;
        let first = bytes[..bytes.len().min(EXCERPT_BYTES)].to_vec();
        let content = Self::new(answer, first, Tail::Limit);
        let readable = without_markup(content.text());
        let line = text::line(&readable, EXCERPT_CHARS);
        (!line.is_empty()).then(|| line.into_owned())
    }

    /// How many bytes there are.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How what is here ends.
    pub(super) const fn tail(&self) -> Tail {
        self.tail
    }

    /// The body in its charset; bytes that have no meaning in it are U+FFFD.
    pub(super) fn text(&self) -> &str {
        self.text
            .get_or_init(|| self.encoding.decode(&self.bytes).0.into_owned())
    }

    /// Whether a text occurs, in the bytes as they came or in the charset's reading of them.
    pub(super) fn contains(&self, needle: &str) -> bool {
        let as_bytes = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.contains(needle),
            Err(_) => {
                needle.is_empty()
                    || self
                        .bytes
                        .windows(needle.len())
                        .any(|window| window == needle.as_bytes())
            }
        };
        as_bytes || (self.encoding != UTF_8 && self.text().contains(needle))
    }
}

/// Takes off the content codings, the last one first, to at most `max` bytes; says how that ended.
fn decoded<'a>(
    answer: &Answer,
    body: &'a [u8],
    max: usize,
) -> Result<(Cow<'a, [u8]>, Tail), String> {
    let mut codings = Vec::new();
    for (name, value) in &answer.headers {
        if name.eq_ignore_ascii_case("content-encoding") {
            let value = String::from_utf8_lossy(value).to_ascii_lowercase();
            codings.extend(
                value
                    .split(',')
                    .map(|coding| coding.trim().to_owned())
                    .filter(|coding| !coding.is_empty() && coding != "identity"),
            );
        }
    }
    if codings.len() > CODINGS_MAX {
        return Err(format!("the body has {} content codings", codings.len()));
    }
    let mut bytes = Cow::Borrowed(body);
    let mut tail = Tail::Whole;
    if body.is_empty() {
        return Ok((bytes, tail));
    }
    for coding in codings.iter().rev() {
        let (out, end) = match coding.as_str() {
            "gzip" | "x-gzip" => drain(flate2::read::MultiGzDecoder::new(&*bytes), max),
            // RFC 9110 means zlib; some servers send the bare stream.
            "deflate" => match drain(flate2::read::ZlibDecoder::new(&*bytes), max) {
                Err(_) => drain(flate2::read::DeflateDecoder::new(&*bytes), max),
                zlib => zlib,
            },
            "br" => drain(brotli_decompressor::Decompressor::new(&*bytes, 4096), max),
            "zstd" => match ruzstd::decoding::StreamingDecoder::new(&*bytes) {
                Ok(decoder) => drain(decoder, max),
                Err(_) => Err(ErrorKind::InvalidData),
            },
            other => {
                return Err(format!(
                    "the body's content coding `{}` is unknown",
                    text::line(other, 40)
                ));
            }
        }
        .map_err(|_| format!("the body is no valid {coding}"))?;
        // The first coding that did not end well is why the next ones could not.
        if tail == Tail::Whole {
            tail = end;
        }
        bytes = Cow::Owned(out);
    }
    Ok((bytes, tail))
}

/// Reads a decoder to its end or to `max` bytes; a stream that breaks off gives what it has.
fn drain(mut decoder: impl Read, max: usize) -> Result<(Vec<u8>, Tail), ErrorKind> {
    let mut out = Vec::new();
    let mut buffer = [0u8; 8192];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok((out, Tail::Whole)),
            Ok(count) => {
                let room = max.saturating_sub(out.len());
                out.extend_from_slice(&buffer[..count.min(room)]);
                if count > room {
                    return Ok((out, Tail::Limit));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                return if out.is_empty() {
                    Err(error.kind())
                } else {
                    Ok((out, Tail::Broken))
                };
            }
        }
    }
}

/// The charset of a body: a byte order mark, the Content-Type, the page's own word, UTF-8.
fn charset(answer: &Answer, bytes: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    let content_type = answer.header("content-type").unwrap_or_default();
    let label = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let (_, rest) = lower.split_once("charset")?;
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let word: String = rest
            .trim_start_matches(['"', '\''])
            .chars()
            .take_while(|c| !c.is_whitespace() && !"\"';,/>".contains(*c))
            .collect();
        Encoding::for_label(word.as_bytes())
    };
    if let Some(encoding) = label(&content_type) {
        return encoding;
    }
    let is_markup = content_type.contains("html") || content_type.contains("xml");
    if is_markup {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN_BYTES)]);
        if let Some(encoding) = label(&head) {
            return encoding;
        }
    }
    if std::str::from_utf8(bytes).is_err() && is_markup {
        return WINDOWS_1252;
    }
    UTF_8
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
