//! From a text to its tree, or to everything that is wrong with its syntax.

use std::collections::HashSet;
use std::sync::Arc;

use toml::de::DeTable;

use super::duplicate_key::{Twice, twice};
use super::parser_words;
use crate::config::diagnostic::source_map::Place;
use crate::config::read::reader::Reading;
use crate::config::read::table::place;

/// More syntax errors than this of one file are noise that the first ones caused.
pub(super) const SYNTAX_ERRORS_MAX: usize = 50;

/// In a larger text not all errors are asked for at once: each takes hundreds of bytes, and two bytes are enough to
/// make one.
const RECOVERED_BYTES_MAX: usize = 256 * 1024;
/// So many of them are found, one after the other.
const LARGE_ERRORS_MAX: usize = 10;
/// A large text is parsed again for each of its first errors, but not more of it than this in all.
const REPEATED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The tree of a text that is right.
pub(in crate::config) fn parsed(text: &str) -> Option<DeTable<'_>> {
    DeTable::parse(text).ok().map(toml::Spanned::into_inner)
}

/// Parses a text of which it is known that something is, or was, wrong: all its syntax errors are reported, and what
/// could be read is given back.
pub(in crate::config) fn parse<'t>(
    reading: &mut Reading<'_>,
    file: u32,
    text: &'t str,
) -> DeTable<'t> {
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
    let mut lines = Lines::default();
    let mut had_lone_return = reading.syntax_faults.iter().any(|fault| {
        fault.message == parser_words::LONE_RETURN
            && fault.place.is_some_and(|place| place.file == file)
    });
    // What was taken out of a line explains what is left of it.
    let known = reading.syntax_faults.iter().filter_map(|fault| fault.place);
    for place in known.filter(|place| place.file == file) {
        let before = text.get(..place.start as usize).unwrap_or("");
        lines
            .explained
            .push(before.rfind('\n').map_or(0, |at| at + 1));
    }
    // The parser reads the values after the lines.
    let mut errors: Vec<_> = errors.into_iter().take(SYNTAX_ERRORS_MAX).collect();
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let at = place(file, span.clone());
        if lines.is_consequence(error.message(), &span, text) {
            continue;
        }
        // Such a file is one long line to the parser: what else it says of it leads astray.
        if parser_words::is_lone_return(error.message()) {
            if !had_lone_return {
                let fault = parser_words::fault(error.message(), at, text);
                reading.syntax_faults.push(fault);
            }
            had_lone_return = true;
            continue;
        }
        if !parser_words::is_duplicate(error.message()) {
            let fault = parser_words::fault(error.message(), at, text);
            reading.syntax_faults.push(fault);
            continue;
        }
        let Twice { first, header } = twice(&root, text, &span);
        // Where a whole section appears twice, its keys need not be named as well.
        if headers_twice.contains(&header) {
            continue;
        }
        let before = text.get(header..span.start).unwrap_or("");
        let is_header = before.trim_start().starts_with('[') && !before.contains('\n');
        if is_header {
            headers_twice.push(header);
        }
        let mut fault = match is_header {
            true => parser_words::header_twice(at, text.get(header..).unwrap_or("")),
            false => parser_words::key_twice(at, text.get(span).unwrap_or("")),
        };
        if let Some(first) = first {
            fault = fault.and(place(file, first), "first here");
        }
        reading.syntax_faults.push(fault);
    }
    root
}

/// Which lines have been explained: the parser stumbles on over the rest of a line that is wrong.
#[derive(Default)]
struct Lines {
    explained: Vec<usize>,
    /// A line whose quote is open, and which quote.
    open: Option<(usize, char)>,
}

impl Lines {
    /// Whether an error only follows from one before it.
    fn is_consequence(&mut self, message: &str, span: &std::ops::Range<usize>, text: &str) -> bool {
        let before = text.get(..span.start).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let is_explained = self.explained.contains(&start);
        let line = text
            .get(start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or("");
        let closes = self.open.is_some_and(|(line_after, quote)| {
            line_after == start && line.matches(quote).count() % 2 == 1
        });
        if parser_words::follows(message) && (is_explained || closes) {
            return true;
        }
        self.explained.push(start);
        let line_after = start + line.len() + 1;
        match message.split(", expected ").next() {
            Some("invalid basic string") => self.open = Some((line_after, '"')),
            Some("invalid literal string") => self.open = Some((line_after, '\'')),
            _ => {}
        }
        false
    }
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
        let fault = parser_words::fault(error.message(), place(file, span.clone()), &text);
        reading.syntax_faults.push(fault);
        if parser_words::is_lone_return(error.message()) {
            break;
        }
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
pub(in crate::config) fn forget_consequences(reading: &mut Reading<'_>) {
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
