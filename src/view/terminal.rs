//! What a text is written for: a terminal of some width, or a file.

use std::borrow::Cow;

use super::wrap;

/// The surface that a view writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns of a terminal, or those that `COLUMNS` asks for; `None` for a file or a pipe, where nothing is cut.
    pub columns: Option<u16>,
    /// Whether it is a terminal, on which a text can be drawn again.
    pub is_terminal: bool,
    /// Whether colours may be used.
    pub colour: bool,
    /// Whether characters beyond ASCII may be used for decoration (bars, arrows).
    pub unicode: bool,
}

impl Screen {
    /// A file or a pipe: plain, whole, one record a line.
    pub const PLAIN: Self = Self {
        columns: None,
        is_terminal: false,
        colour: false,
        unicode: true,
    };

    /// A terminal of this width, without colours, with Unicode.
    pub const fn terminal(columns: u16) -> Self {
        Self {
            columns: Some(columns),
            is_terminal: true,
            colour: false,
            unicode: true,
        }
    }

    /// A line of running text, broken between words where a terminal is too narrow for it.
    pub fn broken<'a>(&self, line: &'a str) -> Cow<'a, str> {
        match self.columns {
            Some(columns) => Cow::Owned(wrap::lines(line, usize::from(columns)).join("\n")),
            None => Cow::Borrowed(line),
        }
    }

    /// The same for a line that begins `indent` columns from the left, as its other lines then do.
    pub fn hanging<'a>(&self, line: &'a str, indent: usize) -> Cow<'a, str> {
        match self.columns {
            Some(columns) => Cow::Owned(wrap::hanging("", line, indent, usize::from(columns))),
            None => Cow::Borrowed(line),
        }
    }

    /// The text in this tone, if the screen has colours.
    pub fn paint<'a>(&self, tone: Tone, text: &'a str) -> Cow<'a, str> {
        if self.colour && !text.is_empty() {
            Cow::Owned(format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code()))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// What a colour says; meaning is never by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Broken.
    Bad,
    /// Beside the point.
    Faint,
    /// The point.
    Strong,
    /// A link, a name.
    Accent,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "1;31",
            Self::Faint => "2",
            Self::Strong => "1",
            Self::Accent => "36",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_on_a_terminal_only() {
        let line = "3 sites: 3 up · checks on time";
        assert_eq!(
            Screen::terminal(16).broken(line),
            "3 sites: 3 up ·\nchecks on time"
        );
        assert_eq!(Screen::terminal(80).broken(line), line);
        assert_eq!(Screen::PLAIN.broken(line), line);
    }
}
