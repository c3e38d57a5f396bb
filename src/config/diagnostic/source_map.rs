//! The texts a configuration is made of, and places in them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// A span of bytes in one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::config) struct Place {
    /// Index into the list of sources.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Place {
    /// A part of it, counted from its start; never beyond its end.
    pub(in crate::config) fn part(self, start: usize, end: usize) -> Self {
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
pub(in crate::config) struct Source {
    /// Its name in messages: as given, relative to the working directory where it lies below it.
    pub shown: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What stands in it.
    pub text: Arc<str>,
    /// Asked for only where something is to be shown.
    line_starts: OnceLock<Vec<u32>>,
    /// Where a text that is cut out of a file goes on elsewhere in it: a line here, and the same line there.
    jumps: Vec<(usize, usize)>,
}

impl Source {
    pub(in crate::config) fn new(shown: String, path: PathBuf, text: Arc<str>) -> Self {
        Self {
            shown,
            path,
            text,
            line_starts: OnceLock::new(),
            jumps: Vec::new(),
        }
    }

    /// A part of the file, or several parts one after the other, each of whole lines; each with how many lines of
    /// the file stand before it.
    pub(in crate::config) fn extract(&self, parts: &[(Range<usize>, usize)]) -> Self {
        let mut text = String::with_capacity(parts.iter().map(|(range, _)| range.len()).sum());
        let mut jumps = Vec::with_capacity(parts.len());
        let mut lines = 0;
        for (range, lines_before) in parts {
            let part = self.text.get(range.clone()).unwrap_or("");
            jumps.push((lines, *lines_before));
            lines += line_breaks(part);
            text.push_str(part);
        }
        Self {
            jumps,
            ..Self::new(self.shown.clone(), self.path.clone(), text.into())
        }
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let after_breaks = self
                .text
                .bytes()
                .zip(1u32..)
                .filter_map(|(byte, next)| (byte == b'\n').then_some(next));
            std::iter::once(0).chain(after_breaks).collect()
        })
    }

    /// The number of a line as people count: from 1, from the file's beginning.
    pub(in crate::config) fn number(&self, line: usize) -> usize {
        let at = self.jumps.partition_point(|(here, _)| *here <= line);
        match at.checked_sub(1).and_then(|at| self.jumps.get(at)) {
            Some((here, in_file)) => in_file + (line - here) + 1,
            None => line + 1,
        }
    }

    /// The line of a byte, counted from 0.
    pub(in crate::config) fn line_of(&self, byte: u32) -> usize {
        self.line_starts()
            .partition_point(|start| *start <= byte)
            .saturating_sub(1)
    }

    /// A line without its end, and the byte at which it starts.
    pub(in crate::config) fn line(&self, line: usize) -> (u32, &str) {
        let start = self.line_starts().get(line).copied().unwrap_or(0);
        let end = self
            .line_starts()
            .get(line + 1)
            .map_or(self.text.len(), |next| *next as usize);
        let text = self.text.get(start as usize..end).unwrap_or("");
        (start, text.trim_end_matches(['\n', '\r']))
    }

    /// Line and column of a byte as people count them: from 1, in characters.
    pub(in crate::config) fn line_and_column(&self, byte: u32) -> (usize, usize) {
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
    pub(in crate::config) fn slice(&self, place: Place) -> &str {
        self.text
            .get(place.start as usize..place.end as usize)
            .unwrap_or("")
    }
}

/// How many lines end in a text.
pub(in crate::config) fn line_breaks(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// What sorts places as they stand in the files, also where a file was read in several pieces.
pub(in crate::config) fn in_order(sources: &[Source], place: Place) -> (usize, usize, u32) {
    let Some(source) = sources.get(place.file as usize) else {
        return (usize::MAX, 0, place.start);
    };
    let file = sources.iter().position(|other| other.path == source.path);
    let line = source.number(source.line_of(place.start));
    (file.unwrap_or(usize::MAX), line, place.start)
}
