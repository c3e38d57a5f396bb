//! Slips that the parser cannot name: comments of other languages, a `;` or `,` at the end of a line, `:` for `=`,
//! characters that nobody sees or that look like others. Each is a fault of its own; the text is given back as it was
//! meant, byte for byte as long, so that what is wrong elsewhere is heard as well.

use std::ops::Range;
use std::sync::Arc;

use super::odd_characters::{Odd, odd};
use super::parse::SYNTAX_ERRORS_MAX;
use super::split_large::{after_string, line_end};
use crate::config::diagnostic::problem::Fault;
use crate::config::read::reader::Reading;
use crate::config::read::table::place;

/// How other languages begin a comment.
const COMMENTS: [&str; 6] = ["//", "/*", "<!--", "--", ";", "%"];

/// So much of a line is looked at.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// One slip.
struct Slip {
    at: Range<usize>,
    message: String,
    label: String,
}

/// The text without its slips, each of which is a fault of the syntax.
pub(in crate::config) fn mended(reading: &mut Reading<'_>, file: u32, text: Arc<str>) -> Arc<str> {
    let mut scan = Scan {
        text: &text,
        at: 0,
        depth: 0,
        line_start: 0,
        key_start: Some(0),
        bytes: Vec::new(),
        slips: Vec::new(),
    };
    scan.run();
    let (bytes, slips) = (scan.bytes, scan.slips);
    if slips.is_empty() {
        return text;
    }
    for slip in slips {
        let fault = Fault::new(place(file, slip.at), slip.message, slip.label);
        reading.syntax_faults.push(fault);
    }
    match String::from_utf8(bytes) {
        Ok(mended) => mended.into(),
        Err(_) => text,
    }
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    /// Open brackets of values.
    depth: usize,
    line_start: usize,
    /// Where a key may begin: at a line, behind `{` and `,`; none behind a `:`, so that no text is looked at twice.
    key_start: Option<usize>,
    /// The text as it was meant; empty while nothing is wrong.
    bytes: Vec<u8>,
    slips: Vec<Slip>,
}

impl Scan<'_> {
    fn run(&mut self) {
        while self.slips.len() < SYNTAX_ERRORS_MAX
            && let Some(byte) = self.text.as_bytes().get(self.at).copied()
        {
            // A longer line is no line of a person, and each look at it takes time.
            if self.at - self.line_start > LINE_BYTES_MAX
                && byte != b'\n'
                && byte != b'"'
                && byte != b'\''
            {
                self.at += 1;
                continue;
            }
            match byte {
                b'"' | b'\'' => {
                    let end = after_string(self.text, self.at).min(self.text.len());
                    let end = end.max(self.at + 1);
                    let string = self.text.get(self.at..end).unwrap_or("");
                    if let Some(line_break) = string.rfind('\n') {
                        self.line_start = self.at + line_break + 1;
                    }
                    self.at = end;
                }
                b'#' => self.at = line_end(self.text, self.at),
                b'\n' => {
                    self.at += 1;
                    self.begin_line(self.at);
                }
                b'[' | b'{' => {
                    self.depth += 1;
                    self.at += 1;
                    if byte == b'{' {
                        self.key_start = Some(self.at);
                    }
                }
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                b'/' | b'<' | b'-' | b'%' | b';' => self.comment(),
                b',' => self.comma(),
                b':' => self.colon(),
                0x80.. => self.odd(),
                0..=0x1f if !matches!(byte, b'\t' | b'\r') => self.odd(),
                _ => self.at += 1,
            }
        }
    }

    fn begin_line(&mut self, at: usize) {
        self.line_start = at;
        self.key_start = Some(at);
    }

    fn before(&self) -> &str {
        self.text.get(self.line_start..self.at).unwrap_or("")
    }

    /// Notes a slip; what is written in its place is as long.
    fn slip(&mut self, at: Range<usize>, message: impl Into<String>, label: impl Into<String>) {
        if self.bytes.is_empty() {
            self.bytes = self.text.as_bytes().to_vec();
        }
        self.slips.push(Slip {
            at,
            message: message.into(),
            label: label.into(),
        });
    }

    /// A comment of another language; a `;` that ends a line.
    fn comment(&mut self) {
        let text = self.text;
        let rest = line_from(text, self.at);
        let (line_start, comment) = (self.line_start, self.at);
        let indented = text.get(line_start..comment).unwrap_or("");
        let before = indented.trim_end();
        let begins = COMMENTS.into_iter().find(|begin| rest.starts_with(*begin));
        let stands_apart = before.is_empty()
            || before.len() < indented.len()
            || before.ends_with(['"', '\'', ']', '}']);
        // A value without quotes may have any of these.
        let is_value = before.ends_with('=');
        let (Some(begin), false) = (begins, is_value) else {
            self.at += 1;
            return;
        };
        let behind = rest.get(begin.len()..).unwrap_or("").trim_start();
        if begin == ";" && !before.is_empty() && (behind.is_empty() || behind.starts_with('#')) {
            let at = self.at..self.at + 1;
            self.slip(at.clone(), "a line needs no `;` at its end", "take it out");
            blank(&mut self.bytes, at);
            self.at += 1;
            return;
        }
        if begin == ";" && !before.is_empty() && is_assignment(behind) {
            let at = self.at..self.at + 1;
            self.slip(
                at,
                "each key is on a line of its own",
                "begin a new line here",
            );
            if let Some(byte) = self.bytes.get_mut(self.at) {
                *byte = b'\n';
            }
            self.at += 1;
            self.begin_line(self.at);
            return;
        }
        // `--x = 1` is a key; so may be a number or a date behind a sign.
        let is_dash = begin == "--" && !(behind.is_empty() || rest.starts_with("-- "));
        let is_percent = begin == "%" && !before.is_empty();
        if !stands_apart || is_dash || is_percent {
            self.at += begin.len();
            return;
        }
        let line_end = self.at + self.whole_rest().trim_end().len();
        let end = match begin {
            "/*" => self.closed_by("*/"),
            "<!--" => self.closed_by("-->"),
            _ => line_end,
        };
        let at = self.at..line_end.min(end).max(self.at + begin.len());
        self.slip(
            at,
            format!("`{begin}` does not begin a comment"),
            format!("a comment begins with `#`: write # instead of {begin}"),
        );
        blank(&mut self.bytes, self.at..end);
        self.at = end.max(self.at + 1);
        if let Some(line_break) = self
            .text
            .get(self.line_start..self.at)
            .and_then(|it| it.rfind('\n'))
        {
            self.begin_line(self.line_start + line_break + 1);
        }
    }

    fn whole_rest(&self) -> &str {
        let rest = self.text.get(self.at..).unwrap_or("");
        rest.lines().next().unwrap_or("")
    }

    /// The byte behind a comment's end, or the line's where nothing closes it.
    fn closed_by(&self, close: &str) -> usize {
        let rest = self.text.get(self.at..).unwrap_or("");
        match rest.find(close) {
            Some(found) => self.at + found + close.len(),
            None => self.at + self.whole_rest().trim_end().len(),
        }
    }

    /// `key = "value",`
    fn comma(&mut self) {
        let rest = line_from(self.text, self.at);
        let behind = rest.get(1..).unwrap_or("").trim_start();
        let before = self.before();
        let ends = behind.is_empty() || behind.starts_with('#');
        if self.depth == 0 && ends && is_assignment(before.trim_start()) {
            let at = self.at..self.at + 1;
            self.slip(at.clone(), "a line needs no `,` at its end", "take it out");
            blank(&mut self.bytes, at);
        }
        self.at += 1;
        self.key_start = Some(self.at);
    }

    /// `key: value`
    fn colon(&mut self) {
        // Outside of brackets a key begins with its line.
        let start = self.key_start.take();
        let key = start
            .filter(|start| self.depth > 0 || *start == self.line_start)
            .and_then(|start| self.text.get(start..self.at))
            .unwrap_or("")
            .trim();
        let bare = key.trim_matches(['"', '\'']);
        let is_key = bare.starts_with(|c: char| c.is_ascii_alphabetic())
            && bare
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let rest = self.text.get(self.at + 1..).unwrap_or("");
        let has_value = rest.starts_with([' ', '\t', '"', '\'', '[', '{', '\n', '\r', '='])
            || rest.is_empty()
            || rest.starts_with(|c: char| c.is_ascii_digit());
        if !is_key || !has_value {
            self.at += 1;
            return;
        }
        let at = self.at..self.at + 1;
        let is_both = rest.starts_with('=');
        self.slip(
            at.clone(),
            "a key and its value are joined by `=`, not by `:`",
            match is_both {
                true => "take it out",
                false => "write `=`",
            },
        );
        if let Some(byte) = self.bytes.get_mut(self.at) {
            *byte = if is_both { b' ' } else { b'=' };
        }
        self.at += 1;
    }

    /// A character that does not belong outside of quotes.
    fn odd(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or("");
        let Some(c) = rest.chars().next() else {
            self.at += 1;
            return;
        };
        let Some(found) = odd(c) else {
            self.at += c.len_utf8();
            return;
        };
        if matches!(found.instead, "\"" | "'") {
            return self.quote(found);
        }
        // Several in a row are one slip.
        let run = rest.chars().take_while(|other| *other == c).count() * c.len_utf8();
        let at = self.at..self.at + run;
        let is_known = self.slips.last().is_some_and(|last| {
            last.at.start >= self.line_start && last.message == found.message()
        });
        if !is_known {
            self.slip(at.clone(), found.message(), found.advice());
        }
        replace(&mut self.bytes, at, found.instead);
        self.at += run;
    }

    /// A text in quotes that are none: both quotes are one slip.
    fn quote(&mut self, open: Odd) {
        let line = line_from(self.text, self.at);
        let own = open.c.len_utf8();
        let close = line
            .char_indices()
            .skip(1)
            .filter_map(|(at, c)| match c {
                '"' | '\'' => Some((at, c)),
                c => odd(c)
                    .filter(|odd| matches!(odd.instead, "\"" | "'"))
                    .map(|_| (at, c)),
            })
            .last();
        let (end, inner) = match close {
            Some((at, c)) => (at + c.len_utf8(), line.get(own..at).unwrap_or("")),
            None => (
                line.trim_end().len(),
                line.get(own..).unwrap_or("").trim_end(),
            ),
        };
        let has_quotes =
            inner.contains(['"', '\'', '\\']) || inner.chars().any(|c| odd(c).is_some());
        let at = self.at..self.at + end;
        let start = self.at;
        self.slip(
            at.clone(),
            format!("`{}` is {}, which TOML does not take", open.c, open.name()),
            "write a plain \" at both ends",
        );
        if close.is_none() || has_quotes {
            // What it was meant to be cannot be told: an empty text.
            blank(&mut self.bytes, at.clone());
            replace(&mut self.bytes, start..start + own, "\"\"");
        } else {
            let closing = start + own + inner.len();
            replace(&mut self.bytes, start..start + own, " \"");
            replace(&mut self.bytes, closing..at.end, "\"");
        }
        self.at = at.end.max(self.at + own);
    }
}

/// The rest of a line, as far as it is looked at.
fn line_from(text: &str, at: usize) -> &str {
    let end = text.floor_char_boundary(at.saturating_add(LINE_BYTES_MAX));
    let rest = text.get(at..end).unwrap_or("");
    rest.lines().next().unwrap_or("")
}

/// `key = ..`
fn is_assignment(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'')
    });
    rest.len() < line.len() && rest.trim_start().starts_with('=')
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in bytes.get_mut(range).into_iter().flatten() {
        if !matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Writes spaces, and at their end the text as far as it fits.
fn replace(bytes: &mut [u8], range: Range<usize>, text: &str) {
    let Some(room) = bytes.get_mut(range) else {
        return;
    };
    room.fill(b' ');
    let start = room.len().saturating_sub(text.len());
    for (byte, new) in room[start..].iter_mut().zip(text.bytes()) {
        *byte = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text as it was meant, and how many slips it has.
    #[track_caller]
    fn check(text: &str, slips: usize, meant: &str) {
        let mut scan = Scan {
            text,
            at: 0,
            depth: 0,
            line_start: 0,
            key_start: Some(0),
            bytes: Vec::new(),
            slips: Vec::new(),
        };
        scan.run();
        assert_eq!(scan.slips.len(), slips, "{text}");
        let mended = match scan.bytes.is_empty() {
            true => text.to_owned(),
            false => String::from_utf8(scan.bytes).unwrap(),
        };
        assert_eq!(mended.len(), text.len());
        let plain = |text: &str| -> String { text.split_whitespace().collect() };
        assert_eq!(plain(&mended), plain(meant), "{text}");
    }

    #[test]
    fn what_is_right_is_left_alone() {
        for text in [
            "",
            "a = \"// x ; /* -- \u{201c}\"\n",
            "# // ; \u{a0}\nb = 'c'\n",
            "#",
            "a = 1 # b: c;",
            "a = 1\n## \" ##",
            "a = \"\"\"\n// x\n; y\n\"\"\"\n[x]\n",
            "a = -1\nb = 2026-12-01T02:00:00Z\nc = 02:00:00\n",
            "a = [\n  1,\n  2,\n]\n--x = 1\n",
            "a = { b = 1, c = [2] }\n",
            // The parser says it better.
            "a = https://a.example/\nb = /etc/*.toml\nc = */5 * * * *\n",
            "größe = 1\n",
        ] {
            check(text, 0, text);
        }
    }

    #[test]
    fn slips_are_found_and_what_was_meant() {
        check("[[a]] // x\nb = 1 // y\n// z\n", 3, "[[a]]\nb = 1\n");
        check("; x\na = 1;\nb = \"x\"; # y\n", 3, "a = 1\nb = \"x\" # y\n");
        check("a = 1; b = 2\n", 1, "a = 1\nb = 2\n");
        check("/* x\n y */\na = 1 /* z */\n", 2, "a = 1");
        check("<!-- x -->\n-- y\na = 1 -- z\n", 3, "a = 1");
        check("a = 1,\nb = [1,\n2],\n", 1, "a = 1\nb = [1,\n2],\n");
        check("a: 1\nb : \"c\"\nd := 2\n", 3, "a = 1\nb = \"c\"\nd = 2\n");
        check("a = { b: 1, \"c\": 2 }\n", 2, "a = { b = 1, \"c\" = 2 }");
        check("a = [{\n  b: 1\n}]\n", 1, "a = [{\n  b = 1\n}]\n");
        check("a = { b = 1 } c: 2\n", 0, "a = { b = 1 } c: 2\n");
        check("a\u{a0}=\u{a0}\u{a0}1\n", 1, "a = 1\n");
        check("a = \u{201c}x\u{201d}\n", 1, "a = \"x\"\n");
        check("a = [\u{201c}x\u{201d}]\n", 1, "a = [\"x\"]\n");
        check("a = \u{201e}x\n", 1, "a = \"\"\n");
        check("a \u{ff1d} 1\n\u{feff}b = 2\n", 2, "a = 1\nb = 2\n");
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test measures what the work takes"
    )]
    fn long_files_of_signs_take_no_time() {
        let begun = std::time::Instant::now();
        for line in [
            ":".repeat(4096),
            format!("{}{}", "x".repeat(2048), ":".repeat(2048)),
            format!("{}{}", ",".repeat(2048), " ".repeat(2048)),
            format!("{}x{}", "x;".repeat(1024), " ".repeat(2048)),
        ] {
            let text = format!("a = [\n{}", format!("{line}\n").repeat(500));
            check(&text, 0, &text);
        }
        // Quadratic it takes minutes.
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    }
}
