//! Cuts a large file into texts that are parsed one after the other: the tree of a file takes many times its size.
//!
//! The cuts are at headers only, found by a scanner that knows strings, comments and brackets; whatever it is not
//! sure of stays whole.

use std::ops::Range;

use crate::config::diagnostic::source_map::{Source, line_breaks};

/// Files of four times this are read in pieces of about this size, in bytes: the tree of one stays in the processor's
/// cache.
const PIECE_BYTES: usize = 64 * 1024;

/// What a header begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    /// `[[monitor]]`: a piece may begin here.
    Monitor,
    /// `[[maintenance]]`: an entry that stays in the piece it is in.
    Window,
    /// `[monitor.headers]`: a part of the monitor before it.
    Part,
    /// `[alerts]` and everything else that stands once.
    Section,
}

/// The text in pieces: first everything that is no entry, from wherever it stands, then the entries in their order.
/// One piece where the file is small or cannot be cut safely.
pub(in crate::config) fn pieces(source: Source) -> Vec<Source> {
    if source.text.len() < PIECE_BYTES * 4 {
        return vec![source];
    }
    let Some(Cuts { sections, entries }) = cuts(&source.text) else {
        return vec![source];
    };
    let mut counted = (0, 0);
    let mut entry = |range: Range<usize>| {
        let (from, lines) = counted;
        let lines = lines + line_breaks(source.text.get(from..range.start).unwrap_or(""));
        counted = (range.start, lines);
        source.extract(&[(range, lines)])
    };
    let entries: Vec<Source> = entries.into_iter().map(&mut entry).collect();
    let lines_before = |at| line_breaks(source.text.get(..at).unwrap_or(""));
    let sections: Vec<_> = sections
        .into_iter()
        .map(|range| (range.clone(), lines_before(range.start)))
        .collect();
    std::iter::once(source.extract(&sections))
        .chain(entries)
        .collect()
}

/// Where a file falls apart, in byte ranges.
struct Cuts {
    /// What stands once.
    sections: Vec<Range<usize>>,
    /// The entries, some in each.
    entries: Vec<Range<usize>>,
}

/// Where to cut; none where an entry is written in a way that only the whole can tell.
fn cuts(text: &str) -> Option<Cuts> {
    let mut sections = Vec::new();
    let mut entries = Vec::new();
    // The file's top belongs to no header.
    let mut begun = 0;
    let mut in_entries = false;
    for (at, header) in Headers::new(text) {
        let begins = begins(header)?;
        let goes_on = match begins {
            Begins::Part => {
                if !in_entries {
                    return None;
                }
                true
            }
            Begins::Section => !in_entries,
            Begins::Window => in_entries,
            Begins::Monitor => in_entries && at - begun < PIECE_BYTES,
        };
        if goes_on {
            continue;
        }
        match in_entries {
            true => entries.push(begun..at),
            false => sections.push(begun..at),
        }
        begun = at;
        in_entries = begins != Begins::Section;
    }
    match in_entries {
        true => entries.push(begun..text.len()),
        false => sections.push(begun..text.len()),
    }
    Some(Cuts { sections, entries })
}

/// What a header line begins; none where it names an entry in a way that is not understood here.
fn begins(header: &str) -> Option<Begins> {
    if header.starts_with("[[monitor]]") {
        return Some(Begins::Monitor);
    }
    if header.starts_with("[[maintenance]]") {
        return Some(Begins::Window);
    }
    if header.starts_with("[monitor.") {
        return Some(Begins::Part);
    }
    let name = header.trim_start_matches(['[', ' ', '\t', '"', '\'']);
    // An escape may spell any name.
    let is_unclear =
        name.starts_with("monitor") || name.starts_with("maintenance") || name.starts_with('\\');
    (!is_unclear).then_some(Begins::Section)
}

/// The headers of a file, each with the byte at which its line starts.
pub(in crate::config) struct Headers<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Headers<'t> {
    pub(in crate::config) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte after a `key = value`, which may take several lines.
    fn after_entry(&self, from: usize) -> usize {
        let bytes = self.text.as_bytes();
        let (mut at, mut depth) = (from, 0_usize);
        while let Some(byte) = bytes.get(at).copied() {
            match byte {
                b'"' | b'\'' => {
                    at = after_string(self.text, at);
                    continue;
                }
                b'#' => {
                    // Its line break may end the entry.
                    at = line_end(self.text, at);
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                b'\n' if depth == 0 => return at + 1,
                _ => {}
            }
            at += 1;
        }
        self.text.len()
    }
}

/// The next line break, or the text's end.
pub(super) fn line_end(text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    rest.iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |end| from + end)
}

/// The byte after the next line break.
pub(super) fn after_line(text: &str, from: usize) -> usize {
    (line_end(text, from) + 1).min(text.len())
}

/// The byte after a string that begins here.
pub(super) fn after_string(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let Some(quote) = bytes.get(from).copied() else {
        return from;
    };
    let is_long = bytes.get(from..from + 3) == Some(&[quote; 3]);
    let mut at = from + if is_long { 3 } else { 1 };
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            // A string that is not closed ends with its line.
            b'\n' if !is_long => return at,
            _ if byte == quote && !is_long => return at + 1,
            _ if byte == quote && bytes.get(at..at + 3) == Some(&[quote; 3]) => {
                // Up to two quotes may stand before the closing three.
                at += 3;
                while bytes.get(at) == Some(&quote) {
                    at += 1;
                }
                return at;
            }
            _ => at += 1,
        }
    }
    text.len()
}

impl<'t> Iterator for Headers<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.text.len() {
            let start = self.at;
            let line = self.text.get(start..)?.trim_start_matches([' ', '\t']);
            match line.as_bytes().first() {
                Some(b'[') => {
                    self.at = after_line(self.text, start);
                    return Some((start, line));
                }
                Some(b'#' | b'\n' | b'\r') => self.at = after_line(self.text, start),
                _ => self.at = self.after_entry(start),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::source_map::Source;

    fn source(text: &str) -> Source {
        Source::new("monitors.toml".into(), "/monitors.toml".into(), text.into())
    }

    /// A file of more than one piece, with `before` at its top, `between` in its middle and `after` at its end.
    fn large(before: &str, between: &str, after: &str) -> String {
        let entries = |from: u32| -> String {
            (from..from + 30_000)
                .map(|number| format!("[[monitor]]\nurl = \"https://{number}.example/\"\n"))
                .collect()
        };
        format!("{before}{}{between}{}{after}", entries(0), entries(30_000))
    }

    #[test]
    fn large_files_are_cut_between_entries() {
        for (before, between, after) in [
            ("[daemon]\n\n", "", ""),
            (
                "[daemon]\n",
                "[alerts]\nreminder = \"1h\"\n",
                "[web]\nlisten = \"[::1]:1\"",
            ),
            ("", "body = \"\"\"\n[[monitor]]\n\"\"\"\n", ""),
            ("", "body = '''\n[alerts]''''\n", ""),
            ("", "tags = [ # ]\n  \"]\",\n  [x\n]]\n", "# [x\n"),
            (
                "include = [\n \"[x]\",\n]\n",
                "[monitor.headers]\nA = \"b\"\n",
                "[[maintenance]]\n[[monitor]]\n",
            ),
            ("a = \"unclosed\n", "b = \"\\\"\" # \"\n", ""),
        ] {
            let text = large(before, between, after);
            let whole = source(&text);
            let pieces = pieces(whole.clone());
            assert!(pieces.len() > 4, "{before}{between}{after}");
            let length: usize = pieces.iter().map(|piece| piece.text.len()).sum();
            assert_eq!(length, text.len());
            assert!(
                pieces[1..]
                    .iter()
                    .all(|piece| piece.text.starts_with("[[m"))
            );
            assert!(!pieces[0].text.contains("[[monitor]]"));
            for needle in ["//59999", "//29999", "[web]", "reminder"] {
                let Some(at) = whole.text.find(needle) else {
                    continue;
                };
                let (piece, in_piece) = pieces
                    .iter()
                    .find_map(|piece| Some((piece, piece.text.find(needle)?)))
                    .unwrap();
                assert_eq!(
                    piece.line_and_column(u32::try_from(in_piece).unwrap()),
                    whole.line_and_column(u32::try_from(at).unwrap()),
                    "{needle}"
                );
            }
        }
    }

    #[test]
    fn what_only_the_whole_can_tell_stays_whole() {
        for unclear in [
            "[alerts]\n[monitor.headers]\nA = \"b\"\n",
            "[[ monitor ]]\n",
            "[[\"monitor\"]]\n",
            "[maintenance.x]\n",
            "[\"\\u006donitor\".x]\n",
        ] {
            assert_eq!(
                pieces(source(&large("", "", unclear))).len(),
                1,
                "{unclear}"
            );
        }
        assert_eq!(pieces(source("[[monitor]]\n[alerts]\n")).len(), 1);
    }
}
