//! Characters that nobody sees, or that look like another one: how they are called, and what to write instead.

use std::ops::Range;

use crate::domain::safe_text;

/// What a character is called and what stands in its place in plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Odd {
    /// The character.
    pub c: char,
    /// Its name, with its article.
    pub called: &'static str,
    /// What to write: nothing, a space, or the character that it looks like.
    pub instead: &'static str,
}

impl Odd {
    /// `U+00A0, a no-break space`
    pub(in crate::config) fn name(self) -> String {
        format!("U+{:04X}, {}", u32::from(self.c), self.called)
    }

    /// Whether nothing, or only a gap, is seen where it stands.
    pub(in crate::config) fn is_invisible(self) -> bool {
        matches!(self.instead, "" | " ")
    }

    /// What is wrong with a text that has it.
    pub(in crate::config) fn message(self) -> String {
        match self.is_invisible() {
            true => format!("there is an invisible character here: {}", self.name()),
            false => format!("`{}` is {}", self.c, self.name()),
        }
    }

    /// What to do.
    pub(in crate::config) fn advice(self) -> String {
        match self.instead {
            "" if self.c.is_control() => "take it out".to_owned(),
            "" => "take it out; it is often copied along from a page".to_owned(),
            " " => "write a plain space in its place".to_owned(),
            instead => format!("write a plain {instead} in its place"),
        }
    }
}

/// What is known of a character that does not belong into a plain text.
pub(in crate::config) fn odd(c: char) -> Option<Odd> {
    let (called, instead) = match c {
        '\t' | '\n' | ' '..='~' => return None,
        '\u{a0}' => ("a no-break space", " "),
        '\u{202f}' => ("a narrow no-break space", " "),
        '\u{2007}' => ("a figure space", " "),
        '\u{3000}' => ("an ideographic space", " "),
        '\u{1680}' | '\u{2000}'..='\u{2006}' | '\u{2008}'..='\u{200a}' | '\u{205f}' => {
            ("a space of another width", " ")
        }
        '\u{ad}' => ("a soft hyphen", ""),
        '\u{200b}' => ("a zero width space", ""),
        '\u{200c}' => ("a zero width non-joiner", ""),
        '\u{200d}' => ("a zero width joiner", ""),
        '\u{2060}' => ("a word joiner", ""),
        '\u{feff}' => ("a byte order mark", ""),
        '\u{200e}' => ("a left-to-right mark", ""),
        '\u{200f}' | '\u{61c}' => ("a right-to-left mark", ""),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            ("a control that turns the direction of text", "")
        }
        '\u{2028}' => ("a line separator", " "),
        '\u{2029}' => ("a paragraph separator", " "),
        '\u{fe00}'..='\u{fe0f}' => ("a variation selector", ""),
        '\r' => ("a carriage return", ""),
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' => {
            ("a typographic quote", "\"")
        }
        '\u{ab}' | '\u{bb}' => ("a guillemet", "\""),
        '\u{ff02}' => ("a full-width quote", "\""),
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' => {
            ("a typographic quote", "'")
        }
        '\u{b4}' => ("an acute accent", "'"),
        '\u{ff07}' => ("a full-width quote", "'"),
        '\u{2010}' | '\u{2011}' => ("a typographic hyphen", "-"),
        '\u{2012}' | '\u{2013}' => ("an en dash", "-"),
        '\u{2014}' | '\u{2015}' => ("an em dash", "-"),
        '\u{2212}' => ("a minus sign", "-"),
        '\u{ff0d}' => ("a full-width hyphen", "-"),
        '\u{ff1d}' => ("a full-width equals sign", "="),
        '\u{ff1a}' => ("a full-width colon", ":"),
        '\u{ff0f}' => ("a full-width slash", "/"),
        '\u{2044}' | '\u{2215}' => ("a fraction slash", "/"),
        '\u{ff0c}' | '\u{3001}' => ("a full-width comma", ","),
        '\u{ff0e}' | '\u{3002}' => ("a full-width stop", "."),
        '\u{ff03}' => ("a full-width number sign", "#"),
        '\u{ff3b}' => ("a full-width bracket", "["),
        '\u{ff3d}' => ("a full-width bracket", "]"),
        '\u{ff5b}' => ("a full-width brace", "{"),
        '\u{ff5d}' => ("a full-width brace", "}"),
        '\u{ff20}' => ("a full-width at sign", "@"),
        '\u{2026}' => ("an ellipsis", "..."),
        c if safe_text::is_unsafe(c) => ("a control character", ""),
        _ => return None,
    };
    Some(Odd { c, called, instead })
}

/// The first character of a text that nobody sees or that looks like another one; joiners of letters and emoji are
/// what they seem.
pub(in crate::config) fn first(text: &str) -> Option<(Range<usize>, Odd)> {
    let invisible = first_invisible(text);
    let alike = text
        .char_indices()
        .filter_map(|(at, c)| Some((at..at + c.len_utf8(), odd(c)?)))
        .find(|(_, odd)| !odd.is_invisible());
    match (invisible, alike) {
        (Some(one), Some(other)) if other.0.start < one.0.start => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

/// The first that nobody sees.
pub(in crate::config) fn first_invisible(text: &str) -> Option<(Range<usize>, Odd)> {
    let first_unsafe = safe_text::first_unsafe(text).map(|(at, _)| at);
    text.char_indices()
        .filter_map(|(at, c)| Some((at, odd(c)?)))
        .find(|(at, odd)| {
            odd.is_invisible()
                && !matches!(odd.c, '\u{fe00}'..='\u{fe0f}')
                && (!safe_text::is_unsafe(odd.c) || first_unsafe == Some(*at))
        })
        .map(|(at, odd)| (at..at + odd.c.len_utf8(), odd))
}

/// What in a text nobody sees, or what looks like another character, where that is never meant.
pub(in crate::config) fn never_meant(text: &str, wanted: &str) -> Option<(Range<usize>, Odd)> {
    let found = match wanted {
        "a regular expression" | "a JSON path" | "a string" => None,
        "a name" | "a monitor's name" | "a tag" | "a path" => first_invisible(text),
        _ => first(text),
    };
    // An escape made it: the value's own words say more.
    found.filter(|(_, odd)| !odd.c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_has_a_name_and_what_to_write() {
        for (text, want) in [
            ("30\u{a0}s", "2..4 U+00A0, a no-break space"),
            ("a\u{200b}b", "1..4 U+200B, a zero width space"),
            ("200\u{2013}204", "3..6 U+2013, an en dash"),
            ("\u{201c}x\u{201d}", "0..3 U+201C, a typographic quote"),
            ("a\u{feff}", "1..4 U+FEFF, a byte order mark"),
            (
                "\u{202e}x",
                "0..3 U+202E, a control that turns the direction of text",
            ),
            ("a\0", "1..2 U+0000, a control character"),
            ("\u{2013}\u{200b}", "0..3 U+2013, an en dash"),
        ] {
            let (at, odd) = first(text).unwrap();
            assert_eq!(format!("{at:?} {}", odd.name()), want);
        }
        for text in ["plain", "größe", "\u{1f468}\u{200d}\u{1f469}", "a\tb", ""] {
            assert_eq!(first(text), None, "{text}");
        }
    }
}
