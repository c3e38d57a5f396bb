//! Columns of text: aligned, and cut to fit a terminal; in a file or a pipe as wide as they need.

use std::fmt::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::terminal::{Screen, Tone};

/// Spaces between two columns on a terminal.
const GAP: usize = 2;

/// A table narrower than this has nothing left to drop.
const COLUMN_MIN: usize = 4;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading, in capitals.
    pub title: &'static str,
    /// Numbers stand on the right.
    pub right: bool,
    /// What happens if the terminal is too narrow.
    pub fit: Fit,
}

/// What a column does if there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It stays as it is.
    Keep,
    /// Its texts lose their middle, down to this width.
    Cut(usize),
    /// It goes; the highest number first.
    Drop(u8),
}

impl Column {
    /// A column of words that stays.
    pub const fn left(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            fit: Fit::Keep,
        }
    }

    /// A column of numbers that stays.
    pub const fn right(title: &'static str) -> Self {
        Self {
            title,
            right: true,
            fit: Fit::Keep,
        }
    }

    /// The same column with another way to fit.
    #[must_use]
    pub const fn fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// What it says; one line, safe to print.
    pub text: String,
    /// Its colour.
    pub tone: Option<Tone>,
}

impl Cell {
    /// A cell in a colour.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone: Some(tone),
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            tone: None,
        }
    }
}

/// Columns with their widths, made for a screen and a sample of rows; more rows may follow one by one.
#[derive(Debug, Clone)]
pub struct Layout {
    columns: Vec<Column>,
    /// `None`: it is not shown.
    widths: Vec<Option<usize>>,
    screen: Screen,
}

impl Layout {
    /// Finds widths that show the sample as whole as the screen allows.
    pub fn of<'a>(
        columns: &[Column],
        sample: impl IntoIterator<Item = &'a Vec<Cell>>,
        screen: Screen,
    ) -> Self {
        let mut widths: Vec<Option<usize>> = columns
            .iter()
            .map(|column| Some(column.title.width()))
            .collect();
        for row in sample {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(Some(cell.text.width()));
            }
        }
        let mut layout = Self {
            columns: columns.to_vec(),
            widths,
            screen,
        };
        if let Some(columns) = screen.columns {
            layout.shrink(usize::from(columns));
        }
        layout
    }

    /// Writes the headings.
    pub fn heading(&self, out: &mut impl Write) -> fmt::Result {
        let titles: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::toned(column.title, Tone::Faint))
            .collect();
        self.row(&titles, out)
    }

    /// Writes one row.
    pub fn row(&self, cells: &[Cell], out: &mut impl Write) -> fmt::Result {
        let shown: Vec<(&Column, usize, &Cell)> = self
            .columns
            .iter()
            .zip(&self.widths)
            .zip(cells)
            .filter_map(|((column, width), cell)| Some((column, (*width)?, cell)))
            .collect();
        // Spaces are written when something follows, so that no line ends with them.
        let mut owed = 0;
        for (column, width, cell) in shown {
            let text = cut(&cell.text, width);
            let space = width.saturating_sub(text.width());
            let (before, after) = if column.right { (space, 0) } else { (0, space) };
            if !text.is_empty() {
                write!(out, "{:1$}", "", owed + before)?;
                let painted = match cell.tone {
                    Some(tone) => self.screen.paint(tone, &text),
                    None => text.as_str().into(),
                };
                out.write_str(&painted)?;
                owed = after + GAP;
            } else {
                owed += width + GAP;
            }
        }
        out.write_char('\n')
    }

    fn whole(&self) -> usize {
        let shown = self.widths.iter().flatten();
        let count = shown.clone().count();
        shown.sum::<usize>() + GAP * count.saturating_sub(1)
    }

    fn shrink(&mut self, room: usize) {
        while self.whole() > room {
            let excess = self.whole() - room;
            // The widest that may be cut gives first: a long URL before a long name.
            let widest = self
                .columns
                .iter()
                .zip(&mut self.widths)
                .filter_map(|(column, width)| match (column.fit, width) {
                    (Fit::Cut(least), Some(width)) if *width > least.max(COLUMN_MIN) => {
                        Some((least.max(COLUMN_MIN), width))
                    }
                    _ => None,
                })
                .max_by_key(|(_, width)| **width);
            if let Some((least, width)) = widest {
                *width = width.saturating_sub(excess.min(4)).max(least);
                continue;
            }
            let dropped = self
                .columns
                .iter()
                .zip(&mut self.widths)
                .filter_map(|(column, width)| match (column.fit, &width) {
                    (Fit::Drop(rank), Some(_)) => Some((rank, width)),
                    _ => None,
                })
                .max_by_key(|(rank, _)| *rank);
            match dropped {
                Some((_, width)) => *width = None,
                None => return,
            }
        }
    }
}

/// Writes headings and rows of a table that is complete.
pub fn write(
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<Cell>>,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let rows: Vec<Vec<Cell>> = rows.into_iter().collect();
    let layout = Layout::of(columns, &rows, screen);
    layout.heading(out)?;
    rows.iter().try_for_each(|row| layout.row(row, out))
}

/// The text within a width, its middle cut out where it is longer.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let keep = width.saturating_sub(1);
    let take = |chars: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let mut taken = Vec::new();
        for c in chars {
            let wide = c.width().unwrap_or(0);
            if used + wide > room {
                break;
            }
            used += wide;
            taken.push(c);
        }
        taken
    };
    let head = take(&mut text.chars(), keep.div_ceil(2));
    let mut tail = take(&mut text.chars().rev(), keep / 2);
    tail.reverse();
    head.into_iter().chain(['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::left("NAME").fit(Fit::Cut(6)),
        Column::right("MS"),
        Column::left("NOTE").fit(Fit::Drop(1)),
    ];

    fn check(screen: Screen, want: &str) {
        let rows = [
            vec!["shop".into(), "1 043".into(), "slow".into()],
            vec![
                "a-rather-long-name".into(),
                "7".into(),
                String::new().into(),
            ],
        ];
        let mut out = String::new();
        write(&COLUMNS, rows, screen, &mut out).unwrap();
        assert_eq!(out, want);
    }

    #[test]
    fn columns_fit_the_terminal() {
        check(
            Screen::terminal(80),
            "NAME                   MS  NOTE\n\
             shop                1 043  slow\n\
             a-rather-long-name      7\n",
        );
        check(
            Screen::terminal(24),
            "NAME            MS  NOTE\n\
             shop         1 043  slow\n\
             a-rat…-name      7\n",
        );
        check(
            Screen::terminal(14),
            "NAME       MS\nshop    1 043\na-r…me      7\n",
        );
    }

    #[test]
    fn a_pipe_gets_the_table_as_wide_as_it_needs() {
        let wide = "NAME                   MS  NOTE\n\
                    shop                1 043  slow\n\
                    a-rather-long-name      7\n";
        check(Screen::PLAIN, wide);
        let narrow = Screen {
            columns: Some(14),
            ..Screen::PLAIN
        };
        check(narrow, "NAME       MS\nshop    1 043\na-r…me      7\n");
    }

    #[test]
    fn wide_characters_are_counted_by_width() {
        assert_eq!(cut("日本語のサイト", 7), "日…ト");
    }
}
