//! Breaks running text into lines, by the width that characters take on a terminal.

use unicode_width::UnicodeWidthStr;

/// The lines of a text, each at most `columns` wide; a word longer than that stands alone and whole.
pub fn lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The text with a label before its first line and the other lines indented by `indent` columns.
pub fn hanging(label: &str, text: &str, indent: usize, columns: usize) -> String {
    let mut out = String::new();
    for (index, line) in lines(&format!("{label}{text}"), columns.saturating_sub(indent))
        .iter()
        .enumerate()
    {
        if index > 0 {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("a-very-long-word b", 5), ["a-very-long-word", "b"]);
        assert_eq!(lines("", 5), [""; 0]);
        assert_eq!(hanging("Note: ", "one two", 2, 12), "Note: one\n  two");
    }
}
