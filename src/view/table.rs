//! Columns of text: aligned, and cut to fit a terminal; in a file or a pipe as wide as they need.
//!
//! Where a terminal is too narrow, long texts give way first, then columns of little importance are left out, then
//! texts become short, and shorter still, and those that others can be read without are left out. Only then names are
//! cut, on the side that leaves them different from each other, and as long as they stay different; what is missing
//! then is taken from texts, and from names last of all.

use std::collections::HashSet;
use std::fmt::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::terminal::{Screen, Tone};

/// Spaces between two columns on a terminal.
const GAP: usize = 2;

/// A table narrower than this has nothing left to drop.
const COLUMN_MIN: usize = 4;

/// A text of this width still says something: columns are left out before texts become shorter.
const TEXT_COMFORTABLE: usize = 24;

/// Texts are not cut below this width while names can be cut and still differ.
const TEXT_MIN: usize = 8;

/// As many names are compared, to bound the time.
const NAMES_COMPARED_MAX: usize = 1_000;

/// Names are not cut below this width.
const NAME_MIN: usize = 8;

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
    /// Names: they are cut last of all.
    Name,
    /// Its texts lose their end, down to this width.
    Cut(usize),
    /// The same; it goes where names are whole without it and would be cut beside it.
    CutOrDrop(usize),
    /// It goes; the highest number first.
    Drop(u8),
}

impl Fit {
    /// Down to which width its texts may be cut, where they may.
    const fn text_min(self) -> Option<usize> {
        match self {
            Self::Cut(least) | Self::CutOrDrop(least) => Some(least),
            Self::Keep | Self::Name | Self::Drop(_) => None,
        }
    }
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
    /// Where names lose characters.
    names: Loss,
    screen: Screen,
}

/// The part of a text that is left out where there is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    End,
    Start,
    Middle,
}

impl Layout {
    /// Finds widths that show the sample as whole as the screen allows.
    pub fn of<'a>(
        columns: &[Column],
        sample: impl IntoIterator<Item = &'a Vec<Cell>>,
        screen: Screen,
    ) -> Self {
        let rows: Vec<&Vec<Cell>> = sample.into_iter().collect();
        let mut widths: Vec<usize> = columns.iter().map(|column| column.title.width()).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(*row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let mut layout = Self {
            columns: columns.to_vec(),
            widths: widths.iter().copied().map(Some).collect(),
            names: Loss::End,
            screen,
        };
        if let Some(room) = screen.columns {
            let names = layout.names_of(&rows);
            layout.shrink(usize::from(room), &widths, &names);
            layout.names = layout.least_loss(&names);
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
            let loss = match column.fit {
                Fit::Name => self.names,
                Fit::Keep | Fit::Cut(_) | Fit::CutOrDrop(_) | Fit::Drop(_) => Loss::End,
            };
            let text = shorten(&cell.text, width, loss);
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
        whole(&self.widths)
    }

    fn shrink(&mut self, room: usize, natural: &[usize], names: &HashSet<&str>) {
        self.narrow(room, |fit| Some(fit.text_min()?.max(TEXT_COMFORTABLE)));
        while self.whole() > room && self.drop_one() {}
        self.narrow(room, |fit| Some(fit.text_min()?.max(COLUMN_MIN)));
        self.narrow(room, |fit| Some(fit.text_min()?.min(TEXT_MIN)));
        if self.whole() > room {
            self.drop_for_names(room);
        }
        if self.whole() > room {
            let telling = telling_width(names);
            self.narrow(room, |fit| (fit == Fit::Name).then_some(telling));
        }
        self.narrow(room, |fit| fit.text_min().map(|_| COLUMN_MIN));
        self.narrow(room, |fit| (fit == Fit::Name).then_some(NAME_MIN));
        // A column that was left out may have had more room than was missing.
        let mut spare = room.saturating_sub(self.whole());
        for (width, natural) in self.widths.iter_mut().zip(natural) {
            if let Some(width) = width {
                let more = natural.saturating_sub(*width).min(spare);
                *width += more;
                spare -= more;
            }
        }
    }

    /// Narrows columns, the widest first, down to the width that `least` answers for them, until the table fits.
    fn narrow(&mut self, room: usize, least: impl Fn(Fit) -> Option<usize>) {
        while self.whole() > room {
            let excess = self.whole() - room;
            let widest = self
                .columns
                .iter()
                .zip(&mut self.widths)
                .filter_map(|(column, width)| Some((least(column.fit)?, width.as_mut()?)))
                .filter(|(least, width)| **width > *least)
                .max_by_key(|(_, width)| **width);
            let Some((least, width)) = widest else {
                return;
            };
            *width = width.saturating_sub(excess.min(4)).max(least);
        }
    }

    /// Leaves out the least important column, if there is one that may go.
    fn drop_one(&mut self) -> bool {
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
            Some((_, width)) => {
                *width = None;
                true
            }
            None => false,
        }
    }

    /// Leaves out texts that may go, if names are whole without them.
    fn drop_for_names(&mut self, room: usize) {
        let mut widths = self.widths.clone();
        for (column, width) in self.columns.iter().zip(&mut widths) {
            if matches!(column.fit, Fit::CutOrDrop(_)) {
                *width = None;
            }
        }
        if whole(&widths) <= room {
            self.widths = widths;
        }
    }

    /// The column of names.
    fn place_of_names(&self) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.fit == Fit::Name)
    }

    fn names_of<'a>(&self, rows: &[&'a Vec<Cell>]) -> HashSet<&'a str> {
        let Some(place) = self.place_of_names() else {
            return HashSet::new();
        };
        rows.iter()
            .filter_map(|row| Some(row.get(place)?.text.as_str()))
            .collect()
    }

    /// The way to shorten names that leaves most of them different.
    fn least_loss(&self, names: &HashSet<&str>) -> Loss {
        let width = self
            .place_of_names()
            .and_then(|place| self.widths.get(place).copied().flatten());
        match width {
            Some(width) if names.iter().any(|name| name.width() > width) => {
                most_different(names, width).0
            }
            _ => Loss::End,
        }
    }
}

/// How wide columns are together, with what stands between them.
fn whole(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    let count = shown.clone().count();
    shown.sum::<usize>() + GAP * count.saturating_sub(1)
}

/// The way to shorten names to this width that leaves most of them different, and how many differ then.
fn most_different(names: &HashSet<&str>, width: usize) -> (Loss, usize) {
    let different = |loss| {
        let compared = names.iter().take(NAMES_COMPARED_MAX);
        let short: HashSet<String> = compared.map(|name| shorten(name, width, loss)).collect();
        short.len()
    };
    let mut best = (Loss::End, different(Loss::End));
    for loss in [Loss::Start, Loss::Middle] {
        let count = different(loss);
        if count > best.1 {
            best = (loss, count);
        }
    }
    best
}

/// The least width at which all names differ still.
fn telling_width(names: &HashSet<&str>) -> usize {
    let compared = names.len().min(NAMES_COMPARED_MAX);
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let (mut too_few, mut enough) = (NAME_MIN.saturating_sub(1), widest.max(NAME_MIN));
    while enough - too_few > 1 {
        let width = too_few.midpoint(enough);
        match most_different(names, width).1 == compared {
            true => enough = width,
            false => too_few = width,
        }
    }
    enough
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

/// The text within a width, its middle left out where it is longer: for URLs, whose ends tell most.
pub fn cut(text: &str, width: usize) -> String {
    shorten(text, width, Loss::Middle)
}

/// The text within a width, its end left out where it is longer.
pub fn cut_end(text: &str, width: usize) -> String {
    shorten(text, width, Loss::End)
}

/// The text within a width; where it is longer, an ellipsis stands for what was left out.
fn shorten(text: &str, width: usize, loss: Loss) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let (before, after) = match loss {
        Loss::End => (room, 0),
        Loss::Start => (0, room),
        Loss::Middle => (room.div_ceil(2), room / 2),
    };
    let mut head = taken(text.chars(), before);
    while loss == Loss::End && head.last() == Some(&' ') {
        head.pop();
    }
    let mut tail = taken(text.chars().rev(), after);
    tail.reverse();
    head.into_iter().chain(['…']).chain(tail).collect()
}

/// As many characters as fit.
fn taken(chars: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::left("NAME").fit(Fit::Name),
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
            Screen::terminal(25),
            "NAME                   MS\n\
             shop                1 043\n\
             a-rather-long-name      7\n",
        );
        check(
            Screen::terminal(16),
            "NAME          MS\nshop       1 043\na-rather…      7\n",
        );
    }

    #[test]
    fn a_pipe_gets_the_table_as_wide_as_it_needs() {
        let wide = "NAME                   MS  NOTE\n\
                    shop                1 043  slow\n\
                    a-rather-long-name      7\n";
        check(Screen::PLAIN, wide);
        let narrow = Screen {
            columns: Some(16),
            ..Screen::PLAIN
        };
        check(
            narrow,
            "NAME          MS\nshop       1 043\na-rather…      7\n",
        );
    }

    #[test]
    fn names_are_cut_where_they_are_alike() {
        let shown = |names: [&str; 2], columns| {
            let rows = names.map(|name| vec![Cell::from(name), "7".into()]);
            let columns_of = [
                Column::left("NAME").fit(Fit::Name),
                Column::right("MS").fit(Fit::Keep),
            ];
            let mut out = String::new();
            write(&columns_of, rows, Screen::terminal(columns), &mut out).unwrap();
            out
        };
        assert_eq!(
            shown(["api-001.example.com", "api-002.example.com"], 16),
            "NAME          MS\napi-001.exa…   7\napi-002.exa…   7\n"
        );
        assert_eq!(
            shown(["www.customer-of-ours.one", "www.customer-of-ours.two"], 16),
            "NAME          MS\n…of-ours.one   7\n…of-ours.two   7\n"
        );
    }

    #[test]
    fn texts_give_way_before_columns_and_columns_before_names() {
        let columns = [
            Column::left("NAME").fit(Fit::Name),
            Column::left("CAUSE").fit(Fit::Cut(8)),
            Column::right("MAILS").fit(Fit::Drop(1)),
        ];
        let row = vec![
            Cell::from("api-001.example.com"),
            "connection refused by the only address".into(),
            "2".into(),
        ];
        let line = |room| {
            let mut out = String::new();
            write(&columns, [row.clone()], Screen::terminal(room), &mut out).unwrap();
            out.lines().last().unwrap().to_owned()
        };
        assert_eq!(
            line(54),
            "api-001.example.com  connection refused by the…      2"
        );
        assert_eq!(line(48), "api-001.example.com  connection refused by the…");
        assert_eq!(line(32), "api-001.example.com  connection…");
        assert_eq!(line(24), "api-001.examp…  connect…");
    }

    #[test]
    fn texts_give_way_before_what_tells_names_apart() {
        let columns = [
            Column::left("NAME").fit(Fit::Name),
            Column::left("CAUSE").fit(Fit::Cut(16)),
        ];
        let rows = ["1", "10", "11", "2"].map(|customer| {
            let name = format!("api-000.customer-{customer}.example.com");
            vec![Cell::from(name), "503 Service Unavailable".into()]
        });
        let shown = |room| {
            let mut out = String::new();
            write(&columns, rows.clone(), Screen::terminal(room), &mut out).unwrap();
            out
        };
        assert_eq!(
            shown(48),
            "NAME                             CAUSE\n\
             api-000.customer-1.example.com   503 Service Un…\n\
             api-000.customer-10.example.com  503 Service Un…\n\
             api-000.customer-11.example.com  503 Service Un…\n\
             api-000.customer-2.example.com   503 Service Un…\n"
        );
        assert_eq!(
            shown(32),
            "NAME                    CAUSE\n\
             api-000.customer-1.ex…  503 Ser…\n\
             api-000.customer-10.e…  503 Ser…\n\
             api-000.customer-11.e…  503 Ser…\n\
             api-000.customer-2.ex…  503 Ser…\n"
        );
    }

    #[test]
    fn a_text_that_may_go_goes_where_names_are_whole_without_it() {
        let columns = [
            Column::left("NAME").fit(Fit::Name),
            Column::right("CODE"),
            Column::left("WHAT").fit(Fit::CutOrDrop(16)),
        ];
        let row = vec![
            Cell::from("api-001.example.com"),
            "503".into(),
            "503 Service Unavailable".into(),
        ];
        let line = |room| {
            let mut out = String::new();
            write(&columns, [row.clone()], Screen::terminal(room), &mut out).unwrap();
            out.lines().last().unwrap().to_owned()
        };
        assert_eq!(line(36), "api-001.example.com   503  503 Serv…");
        assert_eq!(line(34), "api-001.example.com   503");
        assert_eq!(line(25), "api-001.example.com   503");
        // They would be cut without it as well.
        assert_eq!(line(24), "api-001…   503  503 Ser…");
    }

    #[test]
    fn wide_characters_are_counted_by_width() {
        assert_eq!(cut("日本語のサイト", 7), "日…ト");
        assert_eq!(cut_end("日本語のサイト", 8), "日本語…");
    }
}
