//! Text that came from outside, made fit for a line of ours.

use std::any::Any;
use std::borrow::Cow;

/// Whether a character must not reach a terminal, a header or a page as it is: C0 and C1 controls,
/// line and paragraph separators, and the bidirectional controls that make a line lie.
pub const fn is_unsafe(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

/// Joins letters of Persian and Indic scripts, or parts of an emoji.
const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// What a joiner may stand beside: a letter outside of ASCII with its marks, or a part of an emoji.
fn is_joined(c: Option<char>) -> bool {
    c.is_some_and(|c| {
        let is_mark = matches!(c, '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}');
        let is_emoji = matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
        !c.is_ascii() && (c.is_alphanumeric() || is_mark || is_emoji || is_sign_of_script(c))
    })
}

/// Vowel signs and viramas, which are no letters of their own.
const fn is_sign_of_script(c: char) -> bool {
    matches!(
        c,
        '\u{591}'..='\u{5c7}'
            | '\u{610}'..='\u{61a}'
            | '\u{64b}'..='\u{65f}'
            | '\u{900}'..='\u{dff}'
            | '\u{1000}'..='\u{109f}'
    )
}

/// The first character that must not be shown, with its byte. A joiner between two letters or parts of an emoji is
/// orthography.
pub fn first_unsafe(text: &str) -> Option<(usize, char)> {
    let mut before = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|(_, c)| *c);
        if is_unsafe(c) && !(is_joiner(c) && is_joined(before) && is_joined(after)) {
            return Some((at, c));
        }
        before = Some(c);
    }
    None
}

/// A text of several lines without the characters that must not be shown.
pub fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, c)) = first_unsafe(rest) {
        out.push_str(&rest[..at]);
        if matches!(c, '\n' | '\t') {
            out.push(c);
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// One line of at most `max_chars` characters: unsafe characters become spaces, runs of white space
/// one space, the ends are trimmed, and what was cut shows as `…`.
pub fn line(text: &str, max_chars: usize) -> Cow<'_, str> {
    let clean = first_unsafe(text).is_none()
        && !text.contains("  ")
        && text.trim().len() == text.len()
        && text.chars().count() <= max_chars;
    if clean {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(max_chars * 4));
    let mut count = 0;
    let mut gap = false;
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_orthography = is_joiner(c) && is_joined(before) && is_joined(chars.peek().copied());
        before = Some(c);
        if is_unsafe(c) && !is_orthography || c.is_whitespace() {
            gap = count > 0;
            continue;
        }
        let needed = if gap { 2 } else { 1 };
        if count + needed > max_chars {
            if count >= max_chars {
                out.pop();
            }
            out.push('…');
            break;
        }
        if gap {
            out.push(' ');
            gap = false;
        }
        out.push(c);
        count += needed;
    }
    Cow::Owned(out)
}

/// The beginning of a line of ours, cut at `max_chars` with `…`; its spaces stay as they are.
pub fn line_end(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.chars().count() <= max_chars {
        return Cow::Borrowed(text);
    }
    let head: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    Cow::Owned(format!("{head}…"))
}

/// At most `max_chars` characters with the middle cut out, for names and URLs whose ends matter.
pub fn middle(text: &str, max_chars: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= max_chars {
        return Cow::Borrowed(text);
    }
    let keep = max_chars.saturating_sub(1);
    let head = keep.div_ceil(2);
    let tail = keep - head;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    Cow::Owned(format!("{start}…{end}"))
}

/// At most `max_bytes` bytes of UTF-8 with the middle cut out.
pub fn middle_bytes(text: &str, max_bytes: usize) -> Cow<'_, str> {
    if text.len() <= max_bytes {
        return Cow::Borrowed(text);
    }
    let keep = max_bytes.saturating_sub('…'.len_utf8());
    let head = text.floor_char_boundary(keep.div_ceil(2));
    let tail = text.ceil_char_boundary(text.len() - keep / 2);
    Cow::Owned(format!("{}…{}", &text[..head], &text[tail..]))
}

/// The message of a panic.
pub fn of_panic(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_cut_between_characters() {
        for text in ["", "abcdef", "ääääää", "a€€€€€b"] {
            for most in 3..=20 {
                let cut = middle_bytes(text, most);
                assert!(cut.len() <= most.max(3), "{text} {most} {cut}");
                assert_eq!(cut == text, text.len() <= most, "{text} {most}");
            }
        }
        assert_eq!(middle_bytes("abcdefghij", 7), "ab…ij");
    }

    #[test]
    fn joiners_stand_between_letters_and_parts_of_an_emoji() {
        let family = "👨\u{200d}👩\u{200d}👧 Family";
        for name in [
            "خانه\u{200c}ها",
            family,
            "क्\u{200d}ष",
            "🏳\u{fe0f}\u{200d}🌈",
            "👩🏽\u{200d}💻",
        ] {
            assert_eq!(first_unsafe(name), None, "{name}");
            assert_eq!(line(name, 40), name);
            assert_eq!(line(&format!(" {name}\n"), 40), name);
            assert_eq!(block(name), name);
        }
        for (name, at) in [
            ("a\u{200d}b", 1),
            ("\u{200c}خ", 0),
            ("خ\u{200c}", 2),
            ("خ\u{200c}\u{200c}خ", 2),
            ("خ\u{202e}خ", 2),
            ("خ\u{200b}خ", 2),
            ("خ\u{200f}خ", 2),
            ("x\u{feff}", 1),
        ] {
            assert_eq!(first_unsafe(name).map(|(at, _)| at), Some(at), "{name}");
        }
        assert_eq!(block("- a\n\t- b\u{202e}\r\u{1b}[1m"), "- a\n\t- b[1m");
    }

    #[test]
    fn one_safe_line() {
        assert_eq!(line("plain text", 20), "plain text");
        assert_eq!(line("a\r\nBcc: x\u{1b}[31m", 40), "a Bcc: x [31m");
        assert_eq!(line("  \u{202e}evil\u{0} ", 40), "evil");
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("ab cdef", 3), "ab…");
    }

    #[test]
    fn a_line_of_ours_keeps_its_spaces() {
        assert_eq!(line_end("a  b", 4), "a  b");
        assert_eq!(line_end("a  bcd", 4), "a  …");
    }

    #[test]
    fn ends_are_kept() {
        assert_eq!(
            middle("https://example.com/a/long/path", 15),
            "https:/…ng/path"
        );
        assert_eq!(middle("short", 15), "short");
    }
}
