//! A message in pieces that every service can lay out, cut to its limits.

use super::escape;
use super::message::Message;
use crate::domain::notification::MailKind;

/// What shows that something was cut.
const CUT: char = '…';

/// A message as a chat shows it: title, one paragraph, and a block of aligned lines.
pub(super) struct Story<'a> {
    /// The summary, one line.
    pub(super) title: &'a str,
    /// The monitor of a message about one.
    name: Option<&'a str>,
    /// The first paragraph of the text, unwrapped.
    pub(super) lead: &'a str,
    /// What follows it, without the small print.
    pub(super) rest: &'a str,
    /// What colour it has.
    pub(super) mood: Mood,
}

/// What a message means for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Something is down.
    Bad,
    /// Something wants to be looked at.
    Warning,
    /// It is over.
    Good,
    /// Neither.
    Neutral,
}

impl Mood {
    fn of(message: &Message) -> Self {
        let any = |state| message.monitors.iter().any(|row| row.state == Some(state));
        match (MailKind::parse(message.kind), message.state) {
            (Some(MailKind::Degraded | MailKind::RedirectChanged | MailKind::Blind), _) => {
                Self::Warning
            }
            (Some(MailKind::Trouble | MailKind::Burn), _) => Self::Warning,
            (Some(MailKind::Report | MailKind::Test), _) => Self::Neutral,
            (Some(MailKind::Flapping), _) => Self::Warning,
            (_, Some("down")) => Self::Bad,
            (_, Some("up" | "degraded")) => Self::Good,
            _ if any("down") => Self::Bad,
            _ if any("degraded") => Self::Warning,
            _ if any("up") => Self::Good,
            _ => Self::Warning,
        }
    }

    /// `#rrggbb` of it.
    pub(super) const fn colour(self) -> u32 {
        match self {
            Self::Bad => 0x00c6_2828,
            Self::Warning => 0x00b2_6a00,
            Self::Good => 0x002e_7d32,
            Self::Neutral => 0x0054_6e7a,
        }
    }
}

impl<'a> Story<'a> {
    pub(super) fn of(message: &'a Message) -> Self {
        let text = message.text.trim();
        let text = text.split("\n-- \n").next().unwrap_or(text);
        let (_, rest) = text.split_once("\n\n").unwrap_or((text, ""));
        Self {
            title: &message.summary,
            name: message.monitor,
            lead: &message.lead,
            rest: match MailKind::parse(message.kind) {
                // It says what to look at in an inbox.
                Some(MailKind::Test) => "",
                _ => rest.trim_matches('\n').trim_end(),
            },
            mood: Mood::of(message),
        }
    }

    /// The title in HTML: what happened, and the monitor's name as a word of code, in which no client looks for
    /// names or addresses.
    pub(super) fn title_html(&self, bold: &str) -> String {
        let whole = || (self.title, "");
        let (word, name) = match self.name {
            Some(name) => self
                .title
                .strip_suffix(name)
                .map_or_else(whole, |word| (word, name)),
            None => whole(),
        };
        let word = escape::html(&escape::inert(word.trim_end()));
        match name {
            "" => format!("<{bold}>{word}</{bold}>"),
            name => format!(
                "<{bold}>{word}</{bold}> <code>{}</code>",
                escape::html(name)
            ),
        }
    }

    /// Paragraph and lines as one text.
    pub(super) fn body(&self) -> String {
        match self.rest.is_empty() {
            true => self.lead.to_owned(),
            false => format!("{}\n\n{}", self.lead, self.rest),
        }
    }
}

/// How much of a limit one character takes.
pub(super) type Weight = fn(char) -> usize;

/// Limits in characters.
pub(super) const fn character(_: char) -> usize {
    1
}

/// Limits in UTF-16 code units, as services in JavaScript and Java count characters.
pub(super) const fn utf16(c: char) -> usize {
    c.len_utf16()
}

/// Limits in bytes.
pub(super) const fn byte(c: char) -> usize {
    c.len_utf8()
}

/// Limits in bytes of the JSON string that it becomes.
pub(super) const fn json_byte(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// The beginning of a text, cut at the end of a line where it is longer than `max`. A first line that is too long by
/// itself is cut within.
pub(super) fn cut(text: &str, max: usize, weight: Weight) -> String {
    let weigh = |text: &str| text.chars().map(weight).sum::<usize>();
    if weigh(text) <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(weight(CUT) + weight('\n'));
    let mut used = 0;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        used += weigh(line);
        if used > room {
            break;
        }
        end += line.len();
    }
    let kept = text[..end].trim_end();
    if !kept.is_empty() {
        return format!("{kept}\n{CUT}");
    }
    let mut used = 0;
    let head: String = text
        .chars()
        .take_while(|c| {
            used += weight(*c);
            used <= room
        })
        .collect();
    format!("{}{CUT}", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_line() {
        assert_eq!(cut("a\nb", 3, character), "a\nb");
        assert_eq!(cut("aa\nbb\ncc", 7, character), "aa\n…");
        assert_eq!(cut("aa\nbb\ncc", 8, character), "aa\nbb\ncc");
        assert_eq!(cut("aaaa\nbbbb\ncccc", 13, character), "aaaa\nbbbb\n…");
        assert_eq!(cut("abcdefgh", 5, character), "abc…");
        assert_eq!(cut("", 0, character), "");
    }

    #[test]
    fn no_limit_is_overrun() {
        let text = "äöü\n\"quoted\"\n\u{1}\u{1f600}\u{1f600} end\nand more of it\n";
        for weight in [character, utf16, byte, json_byte] as [Weight; 4] {
            for max in 8..60 {
                let cut = cut(text, max, weight);
                let used: usize = cut.chars().map(weight).sum();
                assert!(used <= max, "{max} {used} {cut:?}");
            }
        }
    }

    #[test]
    fn weight_of_json_is_what_is_written() {
        for text in ["plain", "\"\\", "\n\r\t", "ä€😀", "\u{1}\u{7f}"] {
            let weight: usize = text.chars().map(json_byte).sum();
            let written = serde_json::to_string(text).unwrap();
            assert!(weight >= written.len() - 2, "{text:?}");
        }
    }
}
