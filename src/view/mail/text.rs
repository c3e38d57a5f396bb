//! The text part: at most 78 columns where words fit into them, readable in any terminal. A word that does not, an
//! address mostly, stays whole, so that it can be clicked and copied.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::domain::safe_text;

use super::outline::{self, Body, Cell, Doc, Table};

/// RFC 5322 section 2.1.1.
pub(super) const COLUMNS: usize = 78;
/// The column in which the bodies of parts begin.
const INDENT: usize = 16;
/// Longer texts than this are cut: nobody reads on.
const CHARS_MAX: usize = 4000;

/// Writes a mail as text.
pub(super) fn write(doc: &Doc) -> String {
    let mut out = String::new();
    for (index, paragraph) in doc.lead.iter().enumerate() {
        // The addresses, of the site and of its page, stand below the sentence that tells the whole story.
        let addresses = doc.link.iter().chain(&doc.page).filter(|_| index == 0);
        for text in std::iter::once(paragraph).chain(addresses) {
            for line in wrap(text, COLUMNS) {
                push_line(&mut out, 0, &line);
            }
        }
    }
    for (index, part) in doc.parts.iter().enumerate() {
        // Short neighbours stand together, larger blocks apart.
        let apart =
            index == 0 || stands_apart(&part.body) || stands_apart(&doc.parts[index - 1].body);
        if apart && !out.is_empty() {
            out.push('\n');
        }
        match &part.body {
            Body::Prose(paragraphs) => {
                let lines: Vec<String> = paragraphs
                    .iter()
                    .flat_map(|paragraph| wrap(paragraph, COLUMNS - INDENT))
                    .collect();
                labelled(&mut out, part.label, &lines);
            }
            Body::Quote(text) => labelled(&mut out, part.label, &wrap(text, COLUMNS - INDENT)),
            Body::Note(text) => labelled(&mut out, part.label, &note(text, COLUMNS - INDENT)),
            Body::Table(rows) => labelled(&mut out, part.label, &table(rows, COLUMNS - INDENT)),
            Body::Lines(lines) => {
                push_line(&mut out, 0, part.label);
                let end = lines.iter().rposition(|line| !line.trim().is_empty());
                for line in &lines[..end.map_or(0, |end| end + 1)] {
                    push_line(&mut out, 2, &cut(line, COLUMNS - 2));
                }
            }
            Body::Wide(rows) => {
                push_line(&mut out, 0, part.label);
                for line in table(rows, COLUMNS - 2) {
                    push_line(&mut out, 2, &line);
                }
            }
            Body::Command(words) => labelled(&mut out, part.label, &command(words)),
        }
    }
    out.push_str("\n-- \n");
    for line in wrap(&doc.footer, COLUMNS) {
        push_line(&mut out, 0, &line);
    }
    out
}

/// The paragraphs before the parts as one line.
pub(super) fn lead(doc: &Doc) -> String {
    let paragraphs = doc.lead.iter();
    let clean: Vec<_> = paragraphs
        .map(|paragraph| safe_text::line(paragraph, CHARS_MAX))
        .collect();
    clean.join(" ")
}

fn stands_apart(body: &Body) -> bool {
    match body {
        Body::Prose(paragraphs) => paragraphs.len() > 1,
        Body::Table(table) => table.rows.len() > 1,
        Body::Wide(_) | Body::Quote(_) | Body::Lines(_) => true,
        Body::Command(_) | Body::Note(_) => false,
    }
}

fn push_line(out: &mut String, indent: usize, line: &str) {
    out.extend(std::iter::repeat_n(' ', indent));
    out.push_str(line);
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

fn labelled(out: &mut String, label: &str, lines: &[String]) {
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        push_line(out, 0, &format!("{label:<INDENT$}{line}"));
    }
}

/// The lines of a note as they were written; one that is too wide goes on below its own beginning.
fn note(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for outline::NoteLine { indent, text } in outline::note_lines(text) {
        let blanks = " ".repeat(indent);
        match indent + text.width() > columns {
            true => {
                let wrapped = wrap(&text, columns.saturating_sub(indent));
                lines.extend(wrapped.iter().map(|line| format!("{blanks}{line}")));
            }
            false => lines.push(format!("{blanks}{text}")),
        }
    }
    lines
}

/// The first columns of a line.
fn cut(line: &str, columns: usize) -> String {
    if line.width() <= columns {
        return line.to_owned();
    }
    let mut shown = String::new();
    for c in line.chars() {
        if shown.width() + c.width().unwrap_or(0) >= columns {
            break;
        }
        shown.push(c);
    }
    shown.push('\u{2026}');
    shown
}

/// Breaks text into lines, at blanks only.
fn wrap(paragraph: &str, columns: usize) -> Vec<String> {
    let clean = safe_text::line(paragraph, CHARS_MAX);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut words: Vec<String> = Vec::new();
    let mut before = "";
    for word in clean.split(' ') {
        match words.last_mut() {
            Some(last) if outline::is_one_word(before, word) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        before = word;
    }
    for word in &words {
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Aligned rows: the column that breaks gets what the others leave.
fn table(table: &Table, columns: usize) -> Vec<String> {
    let head: Vec<Cell> = table.head.iter().map(|name| (*name).into()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&head)
        .filter(|head| !head.is_empty())
        .chain(&table.rows)
        .map(|row| {
            row.iter()
                .map(|cell| safe_text::line(&cell.text, CHARS_MAX).into_owned())
                .collect()
        })
        .collect();
    let width_count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..width_count)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.width())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let gaps = 2 * width_count.saturating_sub(1);
    let others: usize = widths
        .iter()
        .enumerate()
        .filter(|(column, _)| *column != table.breaks)
        .map(|(_, width)| width)
        .sum();
    if let Some(width) = widths.get_mut(table.breaks) {
        *width = (*width).min(columns.saturating_sub(others + gaps).max(12));
    }
    rows.iter()
        .flat_map(|row| {
            let lines = table_row(row, &widths, table);
            // A row whose fixed columns are too wide already is broken like text; one long word is not its fault.
            let room = widths.get(table.breaks).copied().unwrap_or(0);
            let has_long_word = row
                .get(table.breaks)
                .is_some_and(|cell| cell.split(' ').any(|word| word.width() > room));
            let is_fixed = widths.iter().sum::<usize>() + gaps > columns;
            lines.into_iter().flat_map(move |line| {
                match line.width() > columns && (is_fixed || !has_long_word) {
                    true => wrap(&line, columns),
                    false => vec![line],
                }
            })
        })
        .collect()
}

fn table_row(row: &[String], widths: &[usize], table: &Table) -> Vec<String> {
    let broken: Vec<String> = row
        .get(table.breaks)
        .map(|cell| wrap(cell, widths[table.breaks]))
        .unwrap_or_default();
    let mut lines = Vec::new();
    for index in 0..broken.len().max(1) {
        let mut line = String::new();
        for (column, width) in widths.iter().enumerate() {
            let cell = if column == table.breaks {
                broken.get(index).map_or("", String::as_str)
            } else if index == 0 {
                row.get(column).map_or("", String::as_str)
            } else {
                ""
            };
            if column > 0 {
                line.push_str("  ");
            }
            let padding = width.saturating_sub(cell.width());
            if table.right.contains(&column) {
                line.extend(std::iter::repeat_n(' ', padding));
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', padding));
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// A command over several lines, as a shell takes it.
fn command(words: &[String]) -> Vec<String> {
    // Room for the indent of the lines that follow and for ` \` at the end.
    let columns = COLUMNS - INDENT - 4;
    let mut lines: Vec<String> = vec![String::new()];
    for word in words {
        let word = safe_text::line(word, CHARS_MAX).into_owned();
        let line = lines.last_mut().expect("it begins with one line");
        if line.is_empty() {
            *line = word;
        } else if line.width() + 1 + word.width() <= columns {
            line.push(' ');
            line.push_str(&word);
        } else {
            line.push_str(" \\");
            lines.push(format!("  {word}"));
        }
    }
    lines
}
