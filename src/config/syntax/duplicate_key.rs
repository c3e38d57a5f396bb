//! A key that stands twice: the parser tells where the second is, this finds the first.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::split_large::Headers;

/// Where a key stands that was refused as a duplicate.
pub(in crate::config) struct Twice {
    /// Where it stood first.
    pub first: Option<Range<usize>>,
    /// Where the header of its section begins; for a header itself, its own line.
    pub header: usize,
}

/// Finds the first of a key; `root` is what could be read, and has the first only.
pub(in crate::config) fn twice(root: &DeTable<'_>, text: &str, second: &Range<usize>) -> Twice {
    let name = unquoted(text.get(second.clone()).unwrap_or(""));
    let header = header_before(text, second.start);
    let is_header = header.is_some_and(|header| text[header..second.start].lines().count() <= 1);
    if let Some(header) = header.filter(|_| is_header) {
        return Twice {
            first: first_header(text, header),
            header,
        };
    }
    let section = header.and_then(|header| section_of(&text[header..]));
    let mut search = Search {
        name,
        before: second.start,
        last: None,
    };
    match section.and_then(|section| root.get(section)) {
        Some(value) => search.value(value.get_ref()),
        None => search.table(root),
    }
    Twice {
        first: search.last,
        header: header.unwrap_or(0),
    }
}

/// The name in the first header that reads as the one at this byte.
fn first_header(text: &str, second: usize) -> Option<Range<usize>> {
    let name_of = |line: &str| {
        line.get(1..line.find(']')?)
            .map(str::trim)
            .map(str::to_owned)
    };
    let name = name_of(text.get(second..)?.trim_start_matches([' ', '\t']))?;
    let (at, _) = Headers::new(text)
        .take_while(|(at, _)| *at < second)
        .find(|(_, line)| name_of(line).as_ref() == Some(&name))?;
    let start = at + text.get(at..)?.find(&name)?;
    Some(start..start + name.len())
}

fn unquoted(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

/// The start of the last header line at or above a byte.
fn header_before(text: &str, at: usize) -> Option<usize> {
    let line_start = |at: usize| {
        text[..at]
            .rfind('\n')
            .map_or(0, |line_break| line_break + 1)
    };
    let mut start = line_start(at.min(text.len()));
    loop {
        if text[start..]
            .trim_start_matches([' ', '\t'])
            .starts_with('[')
        {
            return Some(start);
        }
        start = line_start(start.checked_sub(1)?);
    }
}

/// The name of the section that a header begins.
fn section_of(header: &str) -> Option<&str> {
    let name = header.trim_start_matches([' ', '\t', '[']);
    let end = name.find([']', '.', '\n'])?;
    Some(unquoted(name[..end].trim()))
}

/// The last key of a name that stands before a byte.
struct Search<'a> {
    name: &'a str,
    before: usize,
    last: Option<Range<usize>>,
}

impl Search<'_> {
    fn table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let span = key.span();
            let is_later = self
                .last
                .as_ref()
                .is_none_or(|last| last.start < span.start);
            if key.get_ref() == self.name && span.end <= self.before && is_later {
                self.last = Some(span);
            }
            self.value(value.get_ref());
        }
    }

    fn value(&mut self, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.table(table),
            DeValue::Array(array) => array.iter().for_each(|item| self.value(item.get_ref())),
            _ => {}
        }
    }
}
