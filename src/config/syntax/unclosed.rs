//! Brackets that are never closed. TOML's parser reads on past them and stumbles over everything that follows;
//! here the one true fault is found, and its value taken out, so that what is wrong elsewhere is heard as well.

use std::ops::Range;
use std::sync::Arc;

use super::parse::{SYNTAX_ERRORS_MAX, parsed, without_wrong_lines};
use super::split_large::{after_line, after_string};
use crate::config::diagnostic::problem::Fault;
use crate::config::read::reader::Reading;
use crate::config::read::table::place;

/// No value of ours stands in more brackets.
const DEPTH_MAX: usize = 32;
/// A bracket that closes this many lines later belongs to something else.
const LINES_LOOKED_AT: usize = 1000;

/// A `key = value` that does not end where its writer thought.
struct Broken {
    /// All of it.
    range: Range<usize>,
    /// What is left open, one byte.
    opened: usize,
    /// What closes it.
    close: String,
}

/// The text without the entries whose brackets are not closed; each of them is a fault of the syntax.
pub(in crate::config) fn mended(reading: &mut Reading<'_>, file: u32, text: Arc<str>) -> Arc<str> {
    let broken = broken(&text);
    // Only the parser knows what is right.
    if broken.is_empty() || parsed(&text).is_some() {
        return without_wrong_lines(reading, file, text);
    }
    let mut bytes = text.as_bytes().to_vec();
    for one in &broken {
        for byte in bytes.get_mut(one.range.clone()).into_iter().flatten() {
            if !matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    let Ok(mended) = String::from_utf8(bytes) else {
        return text;
    };
    for one in broken {
        let opened = text.get(one.opened..=one.opened).unwrap_or("[");
        reading.syntax_faults.push(Fault::new(
            place(file, one.opened..one.opened + 1),
            match opened {
                "\"" | "'" => "the quote is not closed".to_owned(),
                bracket => format!("`{bracket}` is not closed"),
            },
            format!("close it with `{}`", one.close),
        ));
    }
    without_wrong_lines(reading, file, mended.into())
}

fn broken(text: &str) -> Vec<Broken> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut closing = Closing { text, known: 0 };
    while found.len() < SYNTAX_ERRORS_MAX
        && let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty())
    {
        match rest.trim_start_matches([' ', '\t']).as_bytes().first() {
            Some(b'[' | b'#' | b'\n' | b'\r') => at = after_line(text, at),
            _ => {
                let (end, open) = entry(text, at, &mut closing);
                found.extend(open.map(|(opened, close)| Broken {
                    range: at..end,
                    opened,
                    close,
                }));
                at = end;
            }
        }
    }
    found
}

/// The byte after an entry, and what it leaves open with what would close it.
fn entry(text: &str, from: usize, closing: &mut Closing<'_>) -> (usize, Option<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut stack: Vec<usize> = Vec::new();
    let mut open = None;
    // The last byte that is neither white space nor comment.
    let mut last = b'=';
    let mut at = from;
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'"' | b'\'' => {
                let end = after_string(text, at).min(bytes.len());
                let is_closed = end > at + 1 && bytes.get(end - 1) == Some(&byte);
                if !is_closed && end == bytes.len() {
                    // Nothing is known of what stands behind it.
                    return (end, open);
                }
                if !is_closed && !stack.is_empty() {
                    open.get_or_insert((at, char::from(byte).to_string()));
                }
                (at, last) = (end, byte);
                continue;
            }
            b'#' => {
                at += text[at..].find('\n').unwrap_or(bytes.len() - at);
                continue;
            }
            // The parser refuses it, and says so better.
            b'[' | b'{' if stack.len() >= DEPTH_MAX => return (bytes.len(), None),
            b'[' | b'{' => stack.push(at),
            b']' | b'}' => {
                let pair = if byte == b']' { b'[' } else { b'{' };
                if let Some(index) = stack.iter().rposition(|at| bytes[*at] == pair) {
                    if let Some(inner) = stack.get(index + 1) {
                        open.get_or_insert((*inner, closers(bytes, &stack[index + 1..])));
                    }
                    stack.truncate(index);
                }
            }
            b'\n' if stack.is_empty() => return (at + 1, open),
            b'\n' if closing.begins_anew(at + 1, stack.last().map(|at| bytes[*at]), last) => {
                let open = open.or_else(|| Some((*stack.first()?, closers(bytes, &stack))));
                return (at + 1, open);
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            last = byte;
        }
        at += 1;
    }
    let open = open.or_else(|| Some((*stack.first()?, closers(bytes, &stack))));
    (bytes.len(), open)
}

/// What closes all that are open, the innermost first.
fn closers(bytes: &[u8], open: &[usize]) -> String {
    let close = |at: &usize| if bytes[*at] == b'[' { ']' } else { '}' };
    open.iter().rev().map(close).collect()
}

/// What is known of the lines to come, so that they are looked at once and not from each line before them.
struct Closing<'t> {
    text: &'t str,
    /// A line that closes a bracket, or 0; from the line that was looked from up to it there is no header.
    known: usize,
}

impl Closing<'_> {
    /// Whether a line inside brackets can only be meant as the begin of something else.
    fn begins_anew(&mut self, line_start: usize, inside: Option<u8>, last: u8) -> bool {
        let rest = self.text.get(line_start..).unwrap_or("");
        let Some(line) = rest.lines().next().map(str::trim) else {
            return false;
        };
        if is_header(line) {
            return true;
        }
        if !is_assignment(line) || inside == Some(b'{') && matches!(last, b',' | b'{') {
            return false;
        }
        // Where a bracket closes later on, something else is wrong than that it is missing.
        !self.closes(line_start)
    }

    /// Whether a line from here on closes a bracket, before the next header.
    fn closes(&mut self, line_start: usize) -> bool {
        if line_start <= self.known {
            return true;
        }
        let mut at = line_start;
        let rest = self.text.get(line_start..).unwrap_or("");
        for line in rest.split_inclusive('\n').take(LINES_LOOKED_AT) {
            let trimmed = line.trim();
            if is_header(trimmed) {
                return false;
            }
            if trimmed.starts_with([']', '}']) {
                self.known = at;
                return true;
            }
            at += line.len();
        }
        false
    }
}

/// `[alerts]`, `[[monitor]]`; no list of values.
fn is_header(line: &str) -> bool {
    let name = line.trim_start_matches('[');
    let depth = line.len() - name.len();
    let Some((name, rest)) = name.split_once(']') else {
        return false;
    };
    let closed = rest.len() - rest.trim_start_matches(']').len() + 1;
    let rest = rest.trim_start_matches(']').trim_start();
    (1..=2).contains(&depth)
        && depth == closed
        && (rest.is_empty() || rest.starts_with('#'))
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| is_bare(c) || "\"' ".contains(c))
        && !matches!(name, "true" | "false" | "inf" | "nan")
}

/// `key = ..`
fn is_assignment(line: &str) -> bool {
    let rest = line.trim_start_matches(is_bare);
    rest.len() < line.len() && rest.trim_start().starts_with('=')
}

const fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left open, as line and what closes it.
    #[track_caller]
    fn check(text: &str, want: &[(usize, &str)]) {
        let found: Vec<(usize, String)> = broken(text)
            .into_iter()
            .map(|one| (text[..one.opened].lines().count(), one.close))
            .collect();
        let found: Vec<(usize, &str)> = found.iter().map(|(l, c)| (*l, c.as_str())).collect();
        assert_eq!(found, want, "{text}");
    }

    #[test]
    fn what_is_closed_is_left_alone() {
        for text in [
            "",
            "a = 1",
            "a = [\n  \"x\", # [ {\n  'y',\n]\nb = { c = 1,\n d = 2 }\n",
            "a = \"\"\"\n[x]\nb = [\n\"\"\"\n",
            "a = [[1, 2], [3]]\nb = [{ c = [\"]\"] }]\n[[monitor]]\n",
            "a = [\n  [true],\n  [1979-05-27],\n]\n",
            // Something else is wrong with these.
            "a = {\n  b = 1\n  c = 2\n}\nd = 1\n",
            "a = [\n  b = 1\n]\n",
            "a = ]\n",
            "a = \"x\nb = 1\n",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn what_is_open_is_found_where_it_opened() {
        check("a = [1\nb = 2\n", &[(1, "]")]);
        check("a = [\n  1,\n\n[b]\nc = 2\n", &[(1, "]")]);
        check("a = { b = 1\nc = 2\n", &[(1, "}")]);
        check("a = [{ b = 1\nc = 2\nd = [3", &[(1, "}]"), (3, "]")]);
        check("a = [{ b = 1 ]\nc = 2\n", &[(1, "}")]);
        check("a = [\n  \"x,\n  \"y\",\n]\nc = 2\n", &[(2, "\"")]);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test measures what the work takes"
    )]
    fn long_files_of_open_brackets_take_no_time() {
        let begun = std::time::Instant::now();
        let block = format!("{}}}\n", "a=1\n".repeat(900));
        check(&format!("b = [\n{}]\n", block.repeat(1000)), &[]);
        let short = format!("{}}}\n", "b = [\na=1 ]\n".repeat(450));
        check(&short.repeat(500), &[]);
        // Quadratic it takes minutes.
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    }
}
