//! A body after its content codings were taken off.

use std::borrow::Cow;
use std::cell::OnceCell;

use encoding_rs::{Encoding, UTF_8};

use super::charset;
use super::codings::{self, Tail};
use super::release::release;
use crate::domain::json::{Document, JsonFault};
use crate::domain::probe::Answer;

/// One answer takes twice its `max_body` (what came and what it decodes to, or that and its text) and this much: the
/// window of a decoder, a text that is longer in UTF-8, the places of JSON values.
const MEMORY_BESIDE_BODY: usize = 28 * 1024 * 1024;

/// What one value of a JSON text takes beside the text.
const JSON_VALUE_BYTES: usize = 8;

/// A body as assertions read it.
#[derive(Debug)]
pub(in crate::policy) struct Content {
    bytes: Vec<u8>,
    tail: Tail,
    encoding: &'static Encoding,
    /// How many bytes this may take in all.
    memory: usize,
    /// In its charset, where that is not what the bytes are.
    text: OnceCell<Text>,
}

#[derive(Debug)]
enum Text {
    /// The bytes are UTF-8, and so is the charset; what stands before is a byte order mark.
    Same {
        from: usize,
    },
    Decoded {
        text: String,
        is_cut: bool,
    },
}

impl Drop for Content {
    fn drop(&mut self) {
        release(std::mem::take(&mut self.bytes));
        if let Some(Text::Decoded { text, .. }) = self.text.take() {
            release(text.into_bytes());
        }
    }
}

impl Content {
    /// The whole body of an answer, which is taken out of it, decoded to at most `max` bytes.
    pub(in crate::policy) fn of(answer: &mut Answer, max: usize) -> Self {
        let body = Cow::Owned(std::mem::take(&mut answer.body));
        let names = codings::named(answer);
        let (bytes, tail) = codings::decoded(&names, body, answer.body_cut, max);
        let memory = max.saturating_mul(2).saturating_add(MEMORY_BESIDE_BODY);
        Self::new(answer, bytes.into_owned(), tail, memory)
    }

    /// A part that was decoded before.
    pub(crate) fn part(answer: &Answer, bytes: Vec<u8>) -> Self {
        Self::new(answer, bytes, Tail::Limit, MEMORY_BESIDE_BODY)
    }

    fn new(answer: &Answer, bytes: Vec<u8>, tail: Tail, memory: usize) -> Self {
        let encoding = charset::of(answer, &bytes);
        Self {
            bytes,
            tail,
            encoding,
            memory,
            text: OnceCell::new(),
        }
    }

    /// How many bytes there are.
    pub(in crate::policy) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The first bytes.
    pub(crate) fn first(&self, count: usize) -> &[u8] {
        &self.bytes[..self.bytes.len().min(count)]
    }

    /// How what is here ends.
    pub(in crate::policy) fn tail(&self) -> Tail {
        // A text that became too long was not read to its end either.
        match self.text.get() {
            Some(Text::Decoded { is_cut: true, .. }) if self.tail == Tail::Whole => Tail::Limit,
            _ => self.tail.clone(),
        }
    }

    /// The body in its charset; bytes that have no meaning in it are U+FFFD.
    pub(crate) fn text(&self) -> &str {
        match self.text.get_or_init(|| self.read()) {
            Text::Same { from } => self
                .utf8()
                .and_then(|text| text.get(*from..))
                .unwrap_or_default(),
            Text::Decoded { text, .. } => text,
        }
    }

    fn utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    fn read(&self) -> Text {
        if self.encoding == UTF_8 && self.utf8().is_some() {
            let has_mark = self.bytes.starts_with(b"\xef\xbb\xbf");
            return Text::Same {
                from: if has_mark { 3 } else { 0 },
            };
        }
        let most = self.memory.saturating_sub(self.bytes.len());
        let mut decoder = self.encoding.new_decoder();
        let mut text = String::new();
        let mut from = 0;
        loop {
            let rest = &self.bytes[from..];
            // Grows piece by piece: a text may become three times as long as its bytes, and most do not.
            let room = rest
                .len()
                .clamp(64, most.saturating_sub(text.len()).max(64));
            if text.len() >= most || text.try_reserve_exact(room).is_err() {
                return Text::Decoded { text, is_cut: true };
            }
            let (result, read, _) = decoder.decode_to_string(rest, &mut text, true);
            from += read;
            match result {
                encoding_rs::CoderResult::InputEmpty => {
                    return Text::Decoded {
                        text,
                        is_cut: false,
                    };
                }
                encoding_rs::CoderResult::OutputFull => {}
            }
        }
    }

    /// What the body may say: as its charset reads it, and, where that is another and the bytes are UTF-8, as UTF-8.
    /// A page that names a wrong charset is not a site that is down, and one of the two is what its readers see.
    pub(in crate::policy) fn readings(&self) -> impl Iterator<Item = &str> {
        let text = self.text();
        let other = match self.encoding == UTF_8 {
            true => None,
            false => self.utf8().filter(|other| *other != text),
        };
        std::iter::once(text).chain(other)
    }

    /// Whether a text occurs, in the bytes as they came or in a reading of them.
    pub(in crate::policy) fn contains(&self, needle: &str) -> bool {
        // What is UTF-8 itself is found in the parts of the bytes that are, or nowhere in them.
        let mut parts = self.bytes.utf8_chunks();
        parts.any(|part| part.valid().contains(needle))
            || needle.is_empty()
            || (self.encoding != UTF_8 && self.text().contains(needle))
    }

    /// A reading as JSON.
    pub(in crate::policy) fn json<'t>(&self, reading: &'t str) -> Result<Document<'t>, JsonFault> {
        let decoded = match self.text.get() {
            Some(Text::Decoded { text, .. }) => text.len(),
            Some(Text::Same { .. }) | None => 0,
        };
        let left = self.memory.saturating_sub(self.bytes.len() + decoded);
        let text = reading.trim_start_matches('\u{feff}');
        // Half of it: the list is moved when it grows.
        Document::parse(text, left / JSON_VALUE_BYTES / 2)
    }
}
