//! Shows a fault as a compiler does: the line, a caret under the word, what to do about it.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::fault::Fault;
use super::redact;
use super::source_map::{Place, Source};
use crate::domain::redaction::STARS;
use crate::domain::safe_text;

/// A line longer than this is cut around the marked word, in columns.
const LINE_COLUMNS_MAX: usize = 160;
/// In a longer line secrets are not looked for, so nothing of it is shown.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// What is kept before the marked word of such a line.
const LEAD_COLUMNS: usize = 60;

/// One place to show: where, with which mark, and the words behind the mark.
struct Mark<'a> {
    place: Place,
    line: usize,
    number: usize,
    sign: char,
    label: &'a str,
}

/// Writes one fault, ending with a line break.
pub(in crate::config) fn fault(
    out: &mut impl fmt::Write,
    fault: &Fault,
    sources: &[Source],
) -> fmt::Result {
    writeln!(out, "error: {}", safe_text::line(&fault.message, 1000))?;
    let Some((place, source)) = fault
        .place
        .and_then(|place| Some((place, sources.get(place.file as usize)?)))
    else {
        if !fault.help.is_empty() {
            writeln!(out, "  {}", fault.help)?;
        }
        return Ok(());
    };
    let mark = |place: Place, sign, label| -> Option<Mark<'_>> {
        let source = sources.get(place.file as usize)?;
        let line = source.line_of(place.start);
        Some(Mark {
            place,
            line,
            number: source.number(line),
            sign,
            label,
        })
    };
    let mut marks: Vec<Mark<'_>> = fault
        .others
        .iter()
        .filter_map(|(place, label)| mark(*place, '-', label.as_str()))
        .chain(mark(place, '^', fault.label.as_str()))
        .collect();
    let gutter = marks
        .iter()
        .map(|mark| mark.number.to_string().len())
        .max()
        .unwrap_or(1);

    let (line, column) = source.line_and_column(place.start);
    writeln!(out, "{:gutter$}--> {}:{line}:{column}", "", source.shown)?;
    writeln!(out, "{:gutter$} |", "")?;
    let elsewhere = {
        let apart = marks.iter().position(|mark| mark.place.file != place.file);
        apart.map(|_| {
            let (here, there): (Vec<_>, Vec<_>) = marks
                .drain(..)
                .partition(|mark| mark.place.file == place.file);
            marks = here;
            there
        })
    };
    marks.sort_by_key(|mark| mark.place);
    block(out, &marks, source, gutter)?;
    for mark in elsewhere.unwrap_or_default() {
        let Some(other) = sources.get(mark.place.file as usize) else {
            continue;
        };
        let (line, column) = other.line_and_column(mark.place.start);
        writeln!(out, "{:gutter$}::: {}:{line}:{column}", "", other.shown)?;
        writeln!(out, "{:gutter$} |", "")?;
        block(out, &[mark], other, gutter)?;
    }
    if !fault.help.is_empty() {
        writeln!(out, "{:gutter$} = {}", "", fault.help)?;
    }
    Ok(())
}

fn block(
    out: &mut impl fmt::Write,
    marks: &[Mark<'_>],
    source: &Source,
    gutter: usize,
) -> fmt::Result {
    let mut shown: Option<usize> = None;
    for mark in marks {
        if shown.is_some_and(|last| mark.line > last + 1) {
            writeln!(out, "...")?;
        }
        let (start, raw) = source.line(mark.line);
        let first = (mark.place.start.saturating_sub(start)) as usize;
        let last = (mark.place.end.saturating_sub(start)) as usize;
        if raw.len() > LINE_BYTES_MAX {
            if shown != Some(mark.line) {
                let number = mark.number;
                writeln!(out, "{number:>gutter$} | … (a line of {} bytes)", raw.len())?;
            }
            shown = Some(mark.line);
            match mark.label {
                "" => {}
                label => writeln!(
                    out,
                    "{:gutter$} | {} {}",
                    "",
                    mark.sign,
                    safe_text::line(label, 500)
                )?,
            }
            continue;
        }
        let hidden = redact::secret_goes_on(source.text.get(..start as usize).unwrap_or(""), raw);
        let line = shown_line(raw, first..last, hidden);
        if shown != Some(mark.line) {
            writeln!(out, "{:>gutter$} | {}", mark.number, line.text)?;
        }
        shown = Some(mark.line);
        // A place that only explains and has nothing to say is context: the line itself is enough.
        if mark.sign == '-' && mark.label.is_empty() {
            continue;
        }
        write!(out, "{:gutter$} | {:2$}", "", "", line.before)?;
        for _ in 0..line.marked.max(1) {
            out.write_char(mark.sign)?;
        }
        match mark.label {
            "" => writeln!(out)?,
            label => writeln!(out, " {}", safe_text::line(label, 500))?,
        }
    }
    Ok(())
}

/// A line as a terminal may have it, and where the marked part stands in it, in columns.
struct ShownLine {
    text: String,
    before: usize,
    marked: usize,
}

/// Whether nobody sees that a character is there.
const fn is_invisible(c: char) -> bool {
    safe_text::is_unsafe(c)
        || matches!(
            c,
            '\u{a0}' | '\u{ad}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
        )
}

fn shown_line(raw: &str, marked: Range<usize>, hidden: usize) -> ShownLine {
    let mut secrets = redact::secrets_of_line(raw);
    if hidden > 0 {
        secrets.retain(|secret| secret.start >= hidden);
        secrets.insert(0, 0..hidden);
    }
    // What is wrong inside a secret is marked under its stars.
    let start = secrets
        .iter()
        .find(|secret| secret.contains(&marked.start))
        .map_or(marked.start, |secret| secret.start);
    let marked = start..marked.end;
    let mut pieces: Vec<(usize, char)> = Vec::with_capacity(raw.len());
    for (at, c) in raw.char_indices() {
        match secrets.iter().find(|range| range.contains(&at)) {
            Some(range) if range.start == at => pieces.extend(STARS.chars().map(|star| (at, star))),
            Some(_) => {}
            None if c == '\t' => pieces.push((at, ' ')),
            // What cannot be seen is shown where it is marked, and takes its place else.
            None if is_invisible(c) && marked.contains(&at) => {
                let code = format!("<U+{:04X}>", u32::from(c));
                pieces.extend(code.chars().map(|c| (at, c)));
            }
            None if safe_text::is_unsafe(c) => pieces.push((at, ' ')),
            None => pieces.push((at, c)),
        }
    }
    let columns = |c: char| c.width().unwrap_or(0);
    let width = |keep: &dyn Fn(usize) -> bool| -> usize {
        pieces
            .iter()
            .filter(|(at, _)| keep(*at))
            .map(|(_, c)| columns(*c))
            .sum()
    };
    let before = width(&|at| at < marked.start);
    let inside = width(&|at| marked.contains(&at));
    let whole = width(&|_| true);
    let skip = match whole > LINE_COLUMNS_MAX {
        true => before.saturating_sub(LEAD_COLUMNS),
        false => 0,
    };
    let mut shown = String::with_capacity(raw.len().min(2 * LINE_COLUMNS_MAX));
    let mut at_column = 0;
    for (_, c) in &pieces {
        if at_column >= skip && at_column + columns(*c) <= skip + LINE_COLUMNS_MAX {
            shown.push(*c);
        }
        at_column += columns(*c);
    }
    let mut lead = before - skip;
    if skip > 0 {
        shown.insert(0, '…');
        lead += 1;
    }
    if whole > skip + LINE_COLUMNS_MAX {
        shown.push('…');
    }
    ShownLine {
        text: shown,
        before: lead,
        marked: inside.min(LINE_COLUMNS_MAX.saturating_sub(lead).max(1)),
    }
}
