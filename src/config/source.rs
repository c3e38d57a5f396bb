//! The texts a configuration is made of, and places in them.

use std::path::PathBuf;
use std::sync::Arc;

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
        }
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
        (line + 1, column + 1)
    }

    /// What stands at a place.
    pub(super) fn slice(&self, place: Place) -> &str {
        self.text
            .get(place.start as usize..place.end as usize)
            .unwrap_or("")
    }
}
