//! The texts a configuration is made of, and places in them.

use std::path::PathBuf;
use std::sync::Arc;

/// Larger files are read in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// A span of bytes in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    /// Index into the list of sources.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Place {
    /// A part of it, counted from its start; never beyond its end.
    pub(super) fn part(self, start: usize, end: usize) -> Self {
        let move_by = |by: usize| {
            self.start
                .saturating_add(u32::try_from(by).unwrap_or(u32::MAX))
                .min(self.end)
        };
        Self {
            file: self.file,
            start: move_by(start),
            end: move_by(end),
        }
    }
}

/// One file as it was read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its name in messages: as given, relative to the working directory where it lies below it.
    pub shown: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What stands in it.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
    /// How many lines of the file stand before this text.
    lines_before: usize,
}

impl Source {
    pub(super) fn new(shown: String, path: PathBuf, text: Arc<str>) -> Self {
        let after_breaks = text
            .bytes()
            .zip(1u32..)
            .filter_map(|(byte, next)| (byte == b'\n').then_some(next));
        let line_starts = std::iter::once(0).chain(after_breaks).collect();
        Self {
            shown,
            path,
            text,
            line_starts,
            lines_before: 0,
        }
    }

    /// The text in pieces that can be parsed one after the other, each with whole entries: the tree of a large
    /// file takes many times its size. One piece where the file is small or cannot be cut safely.
    pub(super) fn pieces(self) -> Vec<Self> {
        if self.text.len() < PIECE_BYTES * 4
            || self.text.contains("\"\"\"")
            || self.text.contains("'''")
        {
            return vec![self];
        }
        let mut cuts: Vec<u32> = vec![0];
        let mut in_entries = false;
        for start in &self.line_starts {
            let rest = self.text.get(*start as usize..).unwrap_or("");
            let line = rest.trim_start_matches([' ', '\t']);
            if !line.starts_with('[') {
                continue;
            }
            let is_monitor = line.starts_with("[[monitor]]");
            let is_entry = is_monitor
                || line.starts_with("[[maintenance]]")
                || line.starts_with("[monitor.")
                || line.starts_with("[maintenance.");
            if in_entries && !is_entry {
                // Another section, or a list over several lines: only the whole can tell.
                return vec![self];
            }
            in_entries = in_entries || is_entry;
            let last = cuts.last().copied().unwrap_or(0);
            if is_monitor && (start - last) as usize >= PIECE_BYTES {
                cuts.push(*start);
            }
        }
        let ends = cuts
            .iter()
            .skip(1)
            .map(|cut| *cut as usize)
            .chain([self.text.len()]);
        cuts.iter()
            .zip(ends)
            .map(|(start, end)| Self {
                lines_before: self.line_of(*start),
                ..Self::new(
                    self.shown.clone(),
                    self.path.clone(),
                    self.text.get(*start as usize..end).unwrap_or("").into(),
                )
            })
            .collect()
    }

    /// The number of a line as people count: from 1, from the file's beginning.
    pub(super) const fn number(&self, line: usize) -> usize {
        self.lines_before + line + 1
    }

    /// The line of a byte, counted from 0.
    pub(super) fn line_of(&self, byte: u32) -> usize {
        self.line_starts
            .partition_point(|start| *start <= byte)
            .saturating_sub(1)
    }

    /// A line without its end, and the byte at which it starts.
    pub(super) fn line(&self, line: usize) -> (u32, &str) {
        let start = self.line_starts.get(line).copied().unwrap_or(0);
        let end = self
            .line_starts
            .get(line + 1)
            .map_or(self.text.len(), |next| *next as usize);
        let text = self.text.get(start as usize..end).unwrap_or("");
        (start, text.trim_end_matches(['\n', '\r']))
    }

    /// Line and column of a byte as people count them: from 1, in characters.
    pub(super) fn line_and_column(&self, byte: u32) -> (usize, usize) {
        let line = self.line_of(byte);
        let (start, text) = self.line(line);
        let before = byte.saturating_sub(start) as usize;
        let column = text
            .char_indices()
            .take_while(|(at, _)| *at < before)
            .count();
        (self.number(line), column + 1)
    }

    /// What stands at a place.
    pub(super) fn slice(&self, place: Place) -> &str {
        self.text
            .get(place.start as usize..place.end as usize)
            .unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("monitors.toml".into(), "/monitors.toml".into(), text.into())
    }

    #[test]
    fn large_files_are_cut_between_entries() {
        let mut text = String::from("[daemon]\n\n");
        for number in 0..60_000 {
            text.push_str(&format!(
                "[[monitor]]\nurl = \"https://{number}.example/\"\n"
            ));
        }
        let whole = source(&text);
        let pieces = whole.clone().pieces();
        assert!(pieces.len() > 4);
        let joined: String = pieces.iter().map(|piece| &*piece.text).collect();
        assert_eq!(joined, text);
        assert!(
            pieces[1..]
                .iter()
                .all(|piece| piece.text.starts_with("[[monitor]]"))
        );
        let at = whole.text.find("59999").unwrap();
        let in_last = pieces[pieces.len() - 1].text.find("59999").unwrap();
        assert_eq!(
            pieces[pieces.len() - 1].line_and_column(u32::try_from(in_last).unwrap()),
            whole.line_and_column(u32::try_from(at).unwrap())
        );
        for uncut in [
            "[alerts]\n",
            "[[monitor]]\nbody = \"\"\"\n[[monitor]]\n\"\"\"\n",
            "  [x,\n",
        ] {
            assert_eq!(source(&format!("{text}{uncut}")).pieces().len(), 1);
        }
    }
}
