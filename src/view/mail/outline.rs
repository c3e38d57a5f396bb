//! A mail before it is text or HTML: what it says, in which order. Both parts are made of the same.

use crate::domain::safe_text;

/// What a mail says.
#[derive(Debug, Clone, Default)]
pub(super) struct Doc {
    /// How it is coloured.
    pub(super) tone: Tone,
    /// The word of the state with its symbol: never colour alone.
    pub(super) badge: String,
    /// What it is about: the monitor's name, or us.
    pub(super) title: String,
    /// A link under the title: the monitor's URL.
    pub(super) link: Option<String>,
    /// Its page on our status page, where that has an address.
    pub(super) page: Option<String>,
    /// Paragraphs; the first tells the whole story.
    pub(super) lead: Vec<String>,
    /// Labelled parts.
    pub(super) parts: Vec<Part>,
    /// Small print.
    pub(super) footer: String,
}

impl Doc {
    /// Adds a part, unless it is empty.
    pub(super) fn part(&mut self, label: &'static str, body: Body) {
        let empty = match &body {
            Body::Prose(paragraphs) => paragraphs.iter().all(|p| p.trim().is_empty()),
            Body::Table(table) | Body::Wide(table) => table.rows.is_empty(),
            Body::Command(lines) | Body::Lines(lines) => lines.is_empty(),
            Body::Quote(text) | Body::Note(text) => text.trim().is_empty(),
        };
        if !empty {
            self.parts.push(Part { label, body });
        }
    }

    /// Adds a part of one paragraph.
    pub(super) fn prose(&mut self, label: &'static str, text: impl Into<String>) {
        self.part(label, Body::Prose(vec![text.into()]));
    }
}

/// One labelled part.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) label: &'static str,
    pub(super) body: Body,
}

/// How a part is laid out.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// Running text, paragraph by paragraph.
    Prose(Vec<String>),
    /// Aligned columns beside the label.
    Table(Table),
    /// Aligned columns over the whole width.
    Wide(Table),
    /// A shell command to copy, its words quoted already.
    Command(Vec<String>),
    /// What somebody else wrote.
    Quote(String),
    /// Lines that stay as they are.
    Lines(Vec<String>),
    /// What the configuration says: its web addresses may be links.
    Note(String),
}

/// Whether two words are one to the eye, so that no line ends between them: `1 043`, `43 ms`, `99.94 %`.
pub(super) fn is_one_word(before: &str, after: &str) -> bool {
    let unit = after.trim_end_matches([',', '.', ';', ':', ')']);
    let is_number = before.ends_with(|c: char| c.is_ascii_digit());
    let last = before.trim_start_matches(['(', '<']);
    let is_group = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    is_number && matches!(unit, "ms" | "%")
        || is_group(last) && (1..=3).contains(&last.len()) && unit.len() == 3 && is_group(unit)
}

/// A longer note is cut: nobody reads on.
const NOTE_CHARS_MAX: usize = 4000;

/// Deeper lines of a note begin here, so that a column is left for them.
const NOTE_INDENT_MAX: usize = 24;

/// One line of a note.
pub(super) struct NoteLine {
    /// How many blanks stand before it.
    pub(super) indent: usize,
    /// The rest; empty for a line that parts paragraphs.
    pub(super) text: String,
}

/// The lines of a note as they were written, fit to be shown; a tab is four blanks.
pub(super) fn note_lines(note: &str) -> Vec<NoteLine> {
    let plain = safe_text::block(&note.replace("\r\n", "\n").replace('\r', "\n"));
    let plain = plain.replace('\t', "    ");
    let plain = safe_text::line_end(plain.trim_end(), NOTE_CHARS_MAX);
    plain
        .lines()
        .skip_while(|line| line.trim().is_empty())
        .map(|line| {
            let text = line.trim();
            let indent = line.len() - line.trim_start().len();
            NoteLine {
                indent: indent.min(NOTE_INDENT_MAX),
                text: text.to_owned(),
            }
        })
        .collect()
}

/// Rows of aligned cells.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// The names of the columns; empty for a table that explains itself.
    pub(super) head: Vec<&'static str>,
    /// Columns whose cells stand at the right.
    pub(super) right: Vec<usize>,
    /// The column that is broken into lines where a row is too long.
    pub(super) breaks: usize,
    /// The rows.
    pub(super) rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Cell {
    /// A cell that draws attention.
    pub(super) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            tone: Tone::Plain,
        }
    }
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Bad.
    Down,
    /// Good.
    Up,
    /// To be looked at.
    Warn,
    /// Neither.
    Muted,
}
