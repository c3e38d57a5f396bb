//! The HTML part: nothing remote, styles inline, no background of its own, so that dark mode can do its work.

use std::fmt::Write;

use crate::domain::safe_text;

use super::outline::{self, Body, Cell, Doc, Part, Table, Tone};

/// Longer texts than this are cut: nobody reads on.
const CHARS_MAX: usize = 4000;
const MONO: &str =
    "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;line-height:1.5";
const LABEL: &str = "margin:18px 0 2px;font-size:13px;font-weight:600;color:#57606a";
const FACT: &str = "margin:0 0 6px;font-weight:600;overflow-wrap:anywhere";
const TEXT: &str = "margin:0 0 6px;font-size:15px;overflow-wrap:anywhere";
const RULE: &str = "margin:18px 0 0;border:0;border-top:1px solid #d1d9e0";

/// A word with hyphens that is at most this long fits into every line as a whole.
const WHOLE_WORD_BYTES: usize = 24;

/// What mail programs with a dark mode of their own need; the others ignore it.
const DARK: &str = ":root{color-scheme:light dark;supported-color-schemes:light dark}\
@media (prefers-color-scheme:dark){.muted{color:#9198a1!important}.down{color:#f85149!important}\
.up{color:#3fb950!important}.warn{color:#d29922!important}.rule{border-color:#3d444d!important}\
a{color:#4493f8!important}}";

/// Writes a mail as one HTML document.
pub(super) fn write(doc: &Doc) -> String {
    let mut out = String::with_capacity(8192);
    out.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    out.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    out.push_str("<meta name=\"supported-color-schemes\" content=\"light dark\">\n");
    let _ = write!(
        out,
        "<title>{} {}</title>\n<style>{DARK}</style>\n</head>\n",
        escape(&doc.badge),
        escape(&doc.title)
    );
    out.push_str("<body style=\"margin:0;padding:16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-size:16px;line-height:1.45\">\n");
    out.push_str("<div style=\"max-width:640px\">\n");
    let _ = writeln!(
        out,
        "<p style=\"margin:0 0 10px\"><span style=\"display:inline-block;padding:3px 10px;border-radius:4px;font-weight:700;color:#ffffff;background-color:{}\">{}</span></p>",
        badge_colour(doc.tone),
        escape(&doc.badge)
    );
    let _ = writeln!(
        out,
        "<h1 style=\"margin:0 0 2px;font-size:20px;line-height:1.3;overflow-wrap:anywhere\">{}</h1>",
        escape(&doc.title)
    );
    if let Some(url) = &doc.link {
        let _ = writeln!(
            out,
            "<p class=\"muted\" style=\"margin:0 0 12px;font-size:14px;color:#57606a;overflow-wrap:anywhere\">{}</p>",
            link(url)
        );
    }
    if let Some(url) = &doc.page {
        let _ = writeln!(
            out,
            "<p style=\"margin:0 0 12px;overflow-wrap:anywhere\"><a href=\"{}\" style=\"color:#0969da;font-weight:600\">Open the status page</a></p>",
            escape(url)
        );
    }
    for (index, paragraph) in doc.lead.iter().enumerate() {
        // The first one tells the whole story.
        let size = if index == 0 { 17 } else { 16 };
        let _ = writeln!(
            out,
            "<p style=\"margin:10px 0;font-size:{size}px;overflow-wrap:anywhere\">{}</p>",
            prose(paragraph)
        );
    }
    let mut before = None;
    for one in &doc.parts {
        let weight = Weight::of(one.label);
        // A line parts the facts from what explains them, and that from what can be done.
        if before.is_some_and(|before| before != weight) {
            let _ = writeln!(out, "<hr class=\"rule\" style=\"{RULE}\">");
        }
        before = Some(weight);
        part(&mut out, one, weight);
    }
    let _ = writeln!(
        out,
        "<p class=\"muted rule\" style=\"margin:22px 0 0;padding-top:8px;border-top:1px solid #d1d9e0;font-size:13px;color:#57606a;overflow-wrap:anywhere\">{}</p>",
        escape(&doc.footer)
    );
    out.push_str("</div>\n</body>\n</html>\n");
    out
}

/// How much a part matters to somebody who was just woken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// What was expected and what came.
    Fact,
    /// What explains it.
    Detail,
    /// What can be done.
    Help,
}

impl Weight {
    fn of(label: &str) -> Self {
        match label {
            "Expected" | "Got" | "Now" | "State now" | "Beside that" => Self::Fact,
            "Note" | "Try it" | "More" | "Acknowledge" | "Mute" => Self::Help,
            _ => Self::Detail,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Fact => FACT,
            Self::Detail | Self::Help => TEXT,
        }
    }
}

fn part(out: &mut String, part: &Part, weight: Weight) {
    let _ = writeln!(
        out,
        "<h2 class=\"muted\" style=\"{LABEL}\">{}</h2>",
        escape(part.label)
    );
    match &part.body {
        Body::Prose(paragraphs) => {
            let style = weight.text();
            for paragraph in paragraphs {
                let _ = writeln!(out, "<p style=\"{style}\">{}</p>", prose(paragraph));
            }
        }
        Body::Note(note) => {
            let _ = writeln!(out, "<p style=\"{TEXT}\">{}</p>", with_links(note));
        }
        Body::Table(rows) => table(out, rows),
        Body::Wide(rows) => cards(out, rows),
        Body::Command(words) => {
            // A word of a command is not to be torn at its hyphens.
            let words: Vec<String> = words
                .iter()
                .map(|word| {
                    let word = escape(word);
                    format!("<span style=\"display:inline-block;max-width:100%\">{word}</span>")
                })
                .collect();
            let _ = writeln!(
                out,
                "<p style=\"margin:0 0 6px;{MONO};font-size:14px;overflow-wrap:anywhere;word-break:break-word\">{}</p>",
                words.join(" ")
            );
        }
        Body::Lines(lines) => {
            // A line break in the source would be another one, since blanks are kept.
            let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
            let _ = writeln!(
                out,
                "<div style=\"margin:0 0 6px;white-space:pre-wrap;overflow-wrap:anywhere;{MONO};font-size:14px\">{}</div>",
                lines.join("<br>")
            );
        }
        Body::Quote(quote) => {
            let _ = writeln!(
                out,
                "<blockquote class=\"rule\" style=\"margin:0 0 6px;padding-left:10px;border-left:3px solid #d1d9e0;overflow-wrap:anywhere;{MONO};font-size:14px\">{}</blockquote>",
                escape(quote)
            );
        }
    }
}

fn table(out: &mut String, table: &Table) {
    let _ = writeln!(
        out,
        "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"border-collapse:collapse;{MONO};font-size:13px\">"
    );
    if !table.head.is_empty() {
        out.push_str("<tr>");
        for (column, name) in table.head.iter().enumerate() {
            let _ = write!(
                out,
                "<td class=\"muted\" style=\"{};color:#57606a\">{}</td>",
                cell_style(column, table),
                escape(name)
            );
        }
        out.push_str("</tr>\n");
    }
    for row in &table.rows {
        out.push_str("<tr>");
        for (column, Cell { text, tone }) in row.iter().enumerate() {
            let (class, colour) = tone_style(*tone);
            let class = if class.is_empty() {
                String::new()
            } else {
                format!(" class=\"{class}\"")
            };
            let _ = write!(
                out,
                "<td{class} style=\"{}{colour}\">{}</td>",
                cell_style(column, table),
                match column == table.breaks {
                    true => breakable(text),
                    false => escape(text),
                }
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

/// A table with more columns than a phone is wide: each row a heading and a line of facts.
fn cards(out: &mut String, table: &Table) {
    for row in &table.rows {
        let title = row.get(table.breaks).map_or("", |cell| cell.text.as_str());
        let mut facts = Vec::new();
        for (column, cell) in row.iter().enumerate() {
            if column == table.breaks || cell.text.is_empty() {
                continue;
            }
            let (class, colour) = tone_style(cell.tone);
            let text = prose(&cell.text);
            // A number needs its name, a word speaks for itself.
            let name = match table.head.get(column) {
                Some(name) if table.right.contains(&column) => format!("{} ", escape(name)),
                Some(_) | None => String::new(),
            };
            facts.push(if class.is_empty() {
                format!("{name}{text}")
            } else {
                let style = colour.trim_start_matches(';');
                format!("{name}<span class=\"{class}\" style=\"{style}\">{text}</span>")
            });
        }
        let _ = writeln!(
            out,
            "<p class=\"rule\" style=\"margin:0;padding:6px 0;border-top:1px solid #d1d9e0;overflow-wrap:anywhere\"><strong>{}</strong><br>{}</p>",
            escape(title),
            facts.join(" &#183; ")
        );
    }
}

fn cell_style(column: usize, table: &Table) -> String {
    let align = if table.right.contains(&column) {
        "right"
    } else {
        "left"
    };
    let breaking = if column == table.breaks {
        "overflow-wrap:anywhere;word-break:break-word"
    } else {
        "white-space:nowrap"
    };
    format!("padding:1px 8px 1px 0;vertical-align:top;text-align:{align};{breaking}")
}

const fn badge_colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Down => "#b42318",
        Tone::Up => "#1a7f37",
        Tone::Warn => "#9a6700",
        Tone::Plain | Tone::Muted => "#57606a",
    }
}

const fn tone_style(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Plain => ("", ""),
        Tone::Down => ("down", ";color:#b42318;font-weight:600"),
        Tone::Up => ("up", ";color:#1a7f37"),
        Tone::Warn => ("warn", ";color:#9a6700;font-weight:600"),
        Tone::Muted => ("muted", ";color:#57606a"),
    }
}

/// Text that markup cannot come out of, one line without control characters.
fn escape(raw: &str) -> String {
    let clean = safe_text::line(raw, CHARS_MAX);
    let mut out = String::with_capacity(clean.len() + 16);
    for (at, c) in clean.char_indices() {
        match c {
            ' ' if is_within_a_number(&clean, at) => out.push_str("&nbsp;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// The same, with short words whole that have a hyphen: browsers end a line within a date.
fn prose(raw: &str) -> String {
    let text = escape(raw);
    if !text.contains('-') {
        return text;
    }
    let is_whole =
        |word: &str| word.trim_matches('-').contains('-') && word.len() <= WHOLE_WORD_BYTES;
    let words: Vec<String> = text
        .split(' ')
        .map(|word| match is_whole(word) {
            true => format!("<span style=\"white-space:nowrap\">{word}</span>"),
            false => word.to_owned(),
        })
        .collect();
    words.join(" ")
}

/// Whether no line is to end at this blank.
fn is_within_a_number(text: &str, at: usize) -> bool {
    // Only this many letters count, so that a long line costs no more for each of its blanks.
    let before = &text.as_bytes()[at.saturating_sub(8)..at];
    if !before.last().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let start = before.iter().rposition(|byte| *byte == b' ');
    let start = at - before.len() + start.map_or(0, |start| start + 1);
    let before = text.get(start..at).unwrap_or("0");
    let after = &text[at + 1..];
    let after = after.find(' ').map_or(after, |end| &after[..end]);
    outline::is_one_word(before, after)
}

/// The same, with places where an address is better broken than anywhere.
fn breakable(raw: &str) -> String {
    // No entity has either sign.
    escape(raw).replace('/', "/<wbr>").replace('?', "?<wbr>")
}

/// A link, where the text is a web address: only what the configuration wrote is ever linked.
fn link(url: &str) -> String {
    let shown = escape(url);
    if url.starts_with("https://") || url.starts_with("http://") {
        format!("<a href=\"{shown}\" style=\"color:#0969da\">{shown}</a>")
    } else {
        shown
    }
}

/// A note of the configuration: its web addresses become links, its lines stay.
fn with_links(note: &str) -> String {
    let lines: Vec<String> = outline::note_lines(note)
        .iter()
        .map(|line| {
            let words: Vec<String> = line.text.split(' ').map(link).collect();
            format!("{}{}", "&nbsp;".repeat(line.indent), words.join(" "))
        })
        .collect();
    lines.join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_not_torn() {
        assert_eq!(
            prose("since Wed 2026-07-22 14:02:11: <no>"),
            "since Wed <span style=\"white-space:nowrap\">2026-07-22</span> 14:02:11: &lt;no&gt;"
        );
        let long = "a-name-that-goes-on-and-on-for-longer-than-a-line";
        assert_eq!(prose(long), long);
    }

    #[test]
    fn lines_stand_one_below_the_other() {
        let body = Body::Lines(vec!["-one".to_owned(), "+<two>".to_owned()]);
        let mut out = String::new();
        part(
            &mut out,
            &Part {
                label: "What changed",
                body,
            },
            Weight::Detail,
        );
        assert!(out.contains(">-one<br>+&lt;two&gt;</div>"), "{out}");
    }
}
