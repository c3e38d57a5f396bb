//! Syntax errors in our words: what TOML's parser says, made to teach.

use std::collections::HashSet;
use std::sync::Arc;

use toml::de::DeTable;

use super::fault::Fault;
use super::found::place;
use super::reading::Reading;
use super::redact;
use super::source::Place;
use super::twice::{Twice, twice};
use crate::domain::text::is_unsafe;

/// More syntax errors than this of one file are noise that the first ones caused.
pub(super) const SYNTAX_ERRORS_MAX: usize = 50;

/// In a larger text not all errors are asked for at once: each takes hundreds of bytes, and two bytes are enough to
/// make one.
const RECOVERED_BYTES_MAX: usize = 256 * 1024;
/// So many of them are found, one after the other.
const LARGE_ERRORS_MAX: usize = 10;
/// A large text is parsed again for each of its first errors, but not more of it than this in all.
const REPEATED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Parses a file; all its syntax errors are reported, and what could be read is given back.
pub(super) fn parse<'t>(reading: &mut Reading<'_>, file: u32, text: &'t str) -> DeTable<'t> {
    let (root, errors) = match text.len() > RECOVERED_BYTES_MAX {
        // What is wrong was taken out before, or there is too much of it.
        true => match DeTable::parse(text) {
            Ok(root) => (root.into_inner(), Vec::new()),
            Err(error) => (DeTable::new(), vec![error]),
        },
        false => {
            let (root, errors) = DeTable::parse_recoverable(text);
            (root.into_inner(), errors)
        }
    };
    let mut headers_twice = Vec::new();
    for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
        let span = error.span().unwrap_or(0..0);
        let mut fault = fault(error.message(), place(file, span.clone()), text);
        if is_duplicate(error.message()) {
            let Twice { first, header } = twice(&root, text, &span);
            // Where a whole section stands twice, its keys need not be named as well.
            if headers_twice.contains(&header) {
                continue;
            }
            if text[header..span.start].trim_start().starts_with('[')
                && !text[header..span.start].contains('\n')
            {
                headers_twice.push(header);
            }
            if let Some(first) = first {
                fault = fault.and(place(file, first), "first here");
            }
        }
        reading.syntax_faults.push(fault);
    }
    root
}

/// A large text without the lines that are wrong, each of which is a fault; at most as many as are reported.
pub(super) fn without_wrong_lines(
    reading: &mut Reading<'_>,
    file: u32,
    text: Arc<str>,
) -> Arc<str> {
    if text.len() <= RECOVERED_BYTES_MAX {
        return text;
    }
    let tries = (REPEATED_BYTES_MAX / text.len()).clamp(1, LARGE_ERRORS_MAX);
    let mut text = text;
    for _ in 0..tries {
        let Err(error) = DeTable::parse(&text) else {
            break;
        };
        let Some(span) = error.span().filter(|span| span.start < text.len()) else {
            break;
        };
        let fault = fault(error.message(), place(file, span.clone()), &text);
        reading.syntax_faults.push(fault);
        let start = text.get(..span.start).and_then(|before| before.rfind('\n'));
        let start = start.map_or(0, |line_break| line_break + 1);
        let mut bytes = text.as_bytes().to_vec();
        let line = bytes.iter_mut().skip(start);
        for byte in line.take_while(|byte| !matches!(**byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
        let Ok(next) = String::from_utf8(bytes) else {
            break;
        };
        text = next.into();
    }
    text
}

/// Takes out what is only said because the syntax is wrong there: of the same line, and that something is
/// missing or stands outside of a section.
pub(super) fn forget_consequences(reading: &mut Reading<'_>) {
    if reading.syntax_faults.is_empty() {
        return;
    }
    let line_of = |place: &Place| {
        let source = reading.sources.get(place.file as usize)?;
        Some((place.file, source.line_of(place.start)))
    };
    let broken_places: Vec<Place> = reading
        .syntax_faults
        .iter()
        .filter_map(|fault| fault.place)
        .collect();
    let broken: HashSet<Option<(u32, usize)>> = broken_places.iter().map(line_of).collect();
    let broken_files: HashSet<u32> = broken_places.iter().map(|place| place.file).collect();
    reading.faults.retain(|fault| {
        let Some(place) = fault.place else {
            return true;
        };
        let same_file = broken_files.contains(&place.file);
        let on_broken_line = std::iter::once(&place)
            .chain(fault.others.iter().map(|(place, _)| place))
            .any(|place| broken.contains(&line_of(place)));
        !(on_broken_line || same_file && fault.follows_from_syntax)
    });
}

/// Whether the parser says that something stands twice.
fn is_duplicate(message: &str) -> bool {
    message.split(", expected ").next() == Some("duplicate key")
}

/// What to write for a text without its quotes, unless it is a secret.
fn in_quotes(found: &str, at: Place, text: &str) -> String {
    let before = text.get(..at.start as usize).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |line_break| line_break + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next());
    let column = (at.start as usize).saturating_sub(line_start);
    let is_secret = redact::secrets_of_line(line.unwrap_or(""))
        .iter()
        .any(|secret| secret.start < column + found.len() && column < secret.end);
    let plain = found.trim_matches(['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}']);
    match is_secret || plain.contains(['"', '\n']) {
        true => "write it in quotes".to_owned(),
        false => format!("write \"{plain}\""),
    }
}

/// The fault for one message of the parser at one place.
fn fault(message: &str, at: Place, text: &str) -> Fault {
    let found = text.get(at.start as usize..at.end as usize).unwrap_or("");
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    if is_duplicate(message) {
        return Fault::new(
            at,
            format!("`{found}` stands twice"),
            "a key stands once in its section; for a list of sections write [[..]]",
        );
    }
    let rest = text.get(at.start as usize..).unwrap_or("");
    let is_bare = rest.is_empty() || rest.starts_with(['\n', '\r', '#']);
    let (what, label) = match (what, expected) {
        ("string values must be quoted", _) if is_bare => {
            ("a value is missing", "write one behind the `=`".to_owned())
        }
        ("string values must be quoted", _) => match found {
            "yes" => ("`yes` is not a valid value", "write true".to_owned()),
            "no" => ("`no` is not a valid value", "write false".to_owned()),
            _ => ("a text stands in quotes", in_quotes(found, at, text)),
        },
        ("invalid unquoted key", _) if found.chars().any(|c| c.is_whitespace() || is_unsafe(c)) => {
            (
                "a key has a character that cannot be seen",
                "take it out; a space that was copied from a page is often another one".to_owned(),
            )
        }
        ("missing escaped value", _) => (
            "a backslash stands before what it does not go with",
            "write `\\\\` for a backslash, or put the text in single quotes".to_owned(),
        ),
        ("invalid basic string", _) => ("the quote is not closed", "close it with `\"`".to_owned()),
        ("invalid literal string", _) => {
            ("the quote is not closed", "close it with `'`".to_owned())
        }
        ("cannot recurse further; max recursion depth met" | "recursion limit", _) => (
            "tables and lists are nested too deep",
            "sitewatch has no key that needs more than three levels".to_owned(),
        ),
        ("unclosed array table", _) => ("`[[` is not closed", "close it with `]]`".to_owned()),
        ("unclosed table", _) => ("`[` is not closed", "close it with `]`".to_owned()),
        (what, Some("nothing") | None) => (what, String::new()),
        (what, Some(expected)) => (what, format!("expected {expected}")),
    };
    Fault::new(at, what, label)
}
