//! Syntax errors in our words: what TOML's parser says, made to teach.

use super::odd_characters::odd;
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::redact;
use crate::config::diagnostic::source_map::Place;
use crate::config::keys::{self, Form, Kind};

/// Where a value, a key or a bracket is wrong in a way that needs no look at the text: the parser's words, what is
/// wrong, what to do.
const WORDS: [(&str, &str, &str); 30] = [
    (
        "missing opening quote",
        "a quote is missing before this",
        "open it with `\"`",
    ),
    (
        "missing comma between array elements",
        "a comma is missing in this list",
        "put a comma before this",
    ),
    (
        "missing comma between key-value pairs",
        "a comma is missing between these braces",
        "put a comma before this",
    ),
    (
        "extra comma in array",
        "there is a comma too many",
        "take it out",
    ),
    (
        "extra comma in inline table",
        "there is a comma too many",
        "take it out",
    ),
    (
        "integers with a radix cannot be signed",
        "a number with 0x, 0o or 0b has no sign",
        "take the sign away",
    ),
    (
        "radix must be lowercase",
        "the letter of 0x, 0o or 0b is a small one",
        "write it small",
    ),
    (
        "unexpected leading zero",
        "a number does not begin with a zero",
        "take the zero away",
    ),
    (
        "unexpected sign",
        "a sign is alone here",
        "write a number after it, or take it out",
    ),
    (
        "redundant numeric sign",
        "a number has one sign",
        "take one away",
    ),
    (
        "redundant integer number prefix",
        "a number has one of 0x, 0o and 0b",
        "take one away",
    ),
    (
        "`_` may only go between digits",
        "`_` goes between two digits of a number",
        "take it out",
    ),
    (
        "missing key for inline table element",
        "a key is missing before the `=`",
        "write { key = value }",
    ),
    (
        "missing inline table opening",
        "there is a `}` too many",
        "take it out",
    ),
    (
        "missing array opening",
        "there is a `]` too many",
        "take it out",
    ),
    (
        "missing table open",
        "there is a `]` too many",
        "take it out",
    ),
    (
        "unquoted keys cannot be empty",
        "a key is missing here",
        "write key = value",
    ),
    (
        "unexpected `=` in array",
        "a list holds values, and no keys",
        "write { key = value } for a table in a list",
    ),
    (
        "unclosed array table",
        "`[[` is not closed",
        "close it with `]]`",
    ),
    ("unclosed table", "`[` is not closed", "close it with `]`"),
    ("unclosed array", "`[` is not closed", "close it with `]`"),
    (
        "unclosed inline table",
        "`{` is not closed",
        "close it with `}`",
    ),
    (
        "keys cannot be multi-line literal strings",
        "a key is on one line",
        "write it in one pair of quotes",
    ),
    (
        "keys cannot be multi-line basic strings",
        "a key is on one line",
        "write it in one pair of quotes",
    ),
    (
        "missing comment start",
        "a comment begins with `#`",
        "write # before it",
    ),
    (
        "extra assignment between key-value pairs",
        "there is an `=` too many",
        "take it out",
    ),
    ("extra `=`", "there is an `=` too many", "take it out"),
    (
        "invalid literal string",
        "the quote is not closed",
        "close it with `'`",
    ),
    ("recursion limit", TOO_DEEP.0, TOO_DEEP.1),
    (
        "cannot recurse further; max recursion depth met",
        TOO_DEEP.0,
        TOO_DEEP.1,
    ),
];

const TOO_DEEP: (&str, &str) = (
    "tables and lists are nested too deep",
    "sitewatch has no key that needs more than three levels",
);

/// What to do about a backslash that begins no escape.
const BACKSLASH: &str = "put the text in single quotes, or write `\\\\` for a backslash";

/// Whether the parser says that something appears twice.
pub(super) fn is_duplicate(message: &str) -> bool {
    what(message) == "duplicate key"
}

/// Whether an error may only follow from another in the same line.
pub(in crate::config) fn follows(message: &str) -> bool {
    matches!(
        what(message),
        "key with no value"
            | "unexpected key or value"
            | "invalid unquoted key"
            | "missing assignment between key-value pairs"
            | "missing escaped value"
            | "too few unicode value digits"
            | "invalid inline table element"
            | "invalid key-value pair"
            | "unquoted keys cannot be empty"
            | "invalid value"
    ) || is_of_escape(what(message))
}

/// What the parser says is wrong, without what it expected.
fn what(message: &str) -> &str {
    message.split(", expected ").next().unwrap_or(message)
}

fn is_of_escape(what: &str) -> bool {
    what.contains("escape") || what.contains("unicode")
}

/// A header that was there before; `line` begins with it.
pub(super) fn header_twice(at: Place, line: &str) -> Fault {
    let written = line.trim_start();
    let end = written.find('\n').unwrap_or(written.len());
    let written = written[..end].trim_end();
    let end = written.rfind(']').map_or(written.len(), |at| at + 1);
    let written = &written[..end];
    let name = written.trim_matches(['[', ']', ' ', '\t']);
    let section = keys::SECTIONS.iter().find(|section| section.name == name);
    let label = match section.map(|section| section.form) {
        Some(Form::List) => format!("write [[{name}]] in each place: it is a list"),
        Some(Form::Table) | None => format!("put these keys into the first [{name}]"),
    };
    Fault::new(at, format!("`{written}` appears twice"), label)
}

/// A key that was there before.
pub(super) fn key_twice(at: Place, name: &str) -> Fault {
    let plain = name.trim_matches(['"', '\'']);
    let label = match kind_of(plain) {
        _ if plain == "url" => "keep one of them; another monitor begins with [[monitor]]",
        Some(
            Kind::Texts
            | Kind::Globs
            | Kind::Recipients
            | Kind::Secrets
            | Kind::Names
            | Kind::Servers
            | Kind::Statuses
            | Kind::Urls
            | Kind::Spans
            | Kind::Regexes,
        ) => "keep one of them: a list takes several values, [\"..\", \"..\"]",
        _ => "keep one of them",
    };
    Fault::new(at, format!("`{plain}` appears twice"), label)
}

/// What the key of a name takes, in whichever section.
fn kind_of(name: &str) -> Option<Kind> {
    let sections = keys::SECTIONS.iter().flat_map(|section| section.keys);
    let key = keys::TOP
        .iter()
        .chain(sections)
        .find(|key| key.name == name);
    key.map(|key| key.kind)
}

/// The line in which a byte stands, and the byte's place in it.
fn line_at(text: &str, at: usize) -> (&str, usize) {
    let start = text
        .get(..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |line_break| line_break + 1);
    let line = text.get(start..).unwrap_or("");
    (line.split(['\n', '\r']).next().unwrap_or(""), at - start)
}

/// The fault for one message of the parser at one place.
pub(in crate::config) fn fault(message: &str, at: Place, text: &str) -> Fault {
    let start = at.start as usize;
    let found = text.get(start..at.end as usize).unwrap_or("");
    let (line, column) = line_at(text, start.min(text.len()));
    let before = line.get(..column).unwrap_or("");
    let rest = line.get(column..).unwrap_or("");
    let what = what(message);
    let (message, label): (String, String) = if let Some(odd) = odd_at(what, text, start, found) {
        odd
    } else if let Some((_, message, label)) = WORDS.iter().find(|(words, _, _)| *words == what) {
        ((*message).to_owned(), (*label).to_owned())
    } else if is_of_escape(what) {
        (
            "a backslash in double quotes begins an escape, and this is none".to_owned(),
            BACKSLASH.to_owned(),
        )
    } else {
        match what {
            "invalid basic string" => unclosed(before, line),
            "string values must be quoted"
            | "invalid boolean"
            | "invalid float"
            | "invalid integer"
            | "invalid value"
            | "missing value"
            | "missing value for key" => value(found, at, line, before, rest),
            "invalid unquoted key" | "invalid inline table element" | "invalid key-value pair" => {
                key(found, rest)
            }
            "key with no value" | "missing assignment between key-value pairs" => {
                without_value(before, rest)
            }
            "unexpected key or value"
            | "unexpected content"
            | "unexpected content between comment and newline" => behind(before, rest),
            _ if what.starts_with("invalid date") || what.starts_with("invalid time") => (
                format!("`{found}` is not a valid date"),
                "write it like 2026-12-01T02:00:00Z, without quotes".to_owned(),
            ),
            _ => (
                "this is not valid TOML".to_owned(),
                "write key = value; texts need quotes, lists brackets".to_owned(),
            ),
        }
    };
    Fault::new(at, message, label)
}

/// What is said of such a line end.
pub(super) const LONE_RETURN: &str = "a line ends with a carriage return alone (U+000D)";

/// Whether a line ends as those of old Macs did.
pub(super) fn is_lone_return(message: &str) -> bool {
    message.starts_with("carriage return must be followed by newline")
}

/// A character that cannot be there at all.
fn odd_at(what: &str, text: &str, start: usize, found: &str) -> Option<(String, String)> {
    if is_lone_return(what) {
        return Some((
            LONE_RETURN.to_owned(),
            "save the file with the line ends of Unix or Windows".to_owned(),
        ));
    }
    let is_char = matches!(
        what,
        "invalid comment character" | "invalid basic string" | "invalid literal string"
    );
    let rest = text.get(start..)?;
    let c = match is_char {
        true => rest.chars().next()?,
        false => found.chars().find(|c| odd(*c).is_some())?,
    };
    let odd = odd(c)?;
    (c != '\r' && (odd.is_invisible() || !is_char)).then(|| (odd.message(), odd.advice()))
}

fn unclosed(before: &str, line: &str) -> (String, String) {
    let close = "close it with `\"`";
    let label = match before.contains("\"\"\"") {
        true => "close it with `\"\"\"`".to_owned(),
        // `"C:\new\"`: the last quote belongs to the backslash.
        false if line.trim_end().ends_with("\\\"") => {
            format!("{close}: `\\\"` is a quote inside the text; for paths take single quotes")
        }
        false => close.to_owned(),
    };
    ("the quote is not closed".to_owned(), label)
}

/// A value that is none.
fn value(found: &str, at: Place, line: &str, before: &str, rest: &str) -> (String, String) {
    let is_bare = rest.is_empty() || rest.starts_with('#');
    if is_bare || found.is_empty() && rest.starts_with([',', ']', '}']) {
        return (
            "a value is missing".to_owned(),
            "write one after the `=`".to_owned(),
        );
    }
    if before.trim_end().ends_with('=') && rest.starts_with('>') {
        return (
            "a key and its value are joined by `=`, not by `=>`".to_owned(),
            "write `=`".to_owned(),
        );
    }
    let name = before.trim_end().trim_end_matches('=').trim_end();
    let name = name.rsplit([' ', '\t', '{', ',', '.']).next().unwrap_or("");
    let takes_flag = matches!(kind_of(name.trim_matches(['"', '\''])), Some(Kind::Bool));
    let lower = found.to_ascii_lowercase();
    let not_valid = || format!("`{found}` is not a valid value");
    match lower.as_str() {
        "null" | "none" | "nil" | "undefined" | "~" => (
            format!("TOML has no `{found}`"),
            "leave the key out: its default holds".to_owned(),
        ),
        "true" | "yes" | "y" => (not_valid(), "write true".to_owned()),
        "false" | "no" | "n" => (not_valid(), "write false".to_owned()),
        "on" | "enabled" | "enable" if takes_flag => (not_valid(), "write true".to_owned()),
        "off" | "disabled" | "disable" if takes_flag => (not_valid(), "write false".to_owned()),
        _ => (
            "a text needs quotes".to_owned(),
            in_quotes(found, at, line, before.len()),
        ),
    }
}

/// What to write for a text without its quotes, unless it is a secret.
fn in_quotes(found: &str, at: Place, line: &str, column: usize) -> String {
    let is_secret = redact::secrets_of_line(line)
        .iter()
        .any(|secret| secret.start < column + found.len() && column < secret.end);
    let plain = found.trim_matches([
        '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '`', '\u{b4}',
    ]);
    match is_secret || plain.contains(['"', '\n', '\\']) || at.end == at.start {
        true => "write it in quotes".to_owned(),
        false => format!("write \"{plain}\""),
    }
}

/// A key that is none.
fn key(found: &str, rest: &str) -> (String, String) {
    if rest.starts_with(['"', '\'']) || found.starts_with(['"', '\'']) {
        return (
            "there is a quote where a key belongs".to_owned(),
            "is a quote before it not closed, or one too many?".to_owned(),
        );
    }
    if found.starts_with('@') {
        return (
            "a text needs quotes".to_owned(),
            "write it in quotes".to_owned(),
        );
    }
    match found.chars().find(|c| !c.is_ascii()) {
        Some(c) => (
            format!("`{c}` (U+{:04X}) cannot be part of a key", u32::from(c)),
            "keys have the letters a to z, digits, `_` and `-`; put others in quotes".to_owned(),
        ),
        None => (
            format!("`{found}` cannot be part of a key"),
            "a line is `key = value`, a [section] or a # comment".to_owned(),
        ),
    }
}

/// `url "https://..."`, `url`
fn without_value(before: &str, rest: &str) -> (String, String) {
    let name = before.trim_end();
    let name = name.rsplit([' ', '\t', '{', ',']).next().unwrap_or("");
    match rest.trim() {
        "" => (
            format!("`{name}` has no value"),
            format!("write {name} = value, or # before a comment"),
        ),
        _ => (
            format!("an `=` is missing after `{name}`"),
            format!("write {name} = value, or # before a comment"),
        ),
    }
}

/// Something behind what is complete.
fn behind(before: &str, rest: &str) -> (String, String) {
    let before = before.trim_end();
    let (is_header, begins_key) = (
        before.trim_start().starts_with('['),
        rest.split_once('=').is_some_and(|(name, _)| {
            let name = name.trim();
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        }),
    );
    let (message, label) = match rest.chars().next() {
        Some(']') if is_header => {
            let name = before.trim_matches(['[', ']', ' ', '\t']);
            let label = match keys::SECTIONS.iter().find(|section| section.name == name) {
                Some(section) => format!("write {}", section.header()),
                None => "take it out".to_owned(),
            };
            return ("there is a `]` too many".to_owned(), label);
        }
        Some(close @ (']' | '}')) => {
            return (
                format!("there is a `{close}` too many"),
                "take it out".to_owned(),
            );
        }
        _ if begins_key => ("each key is on a line of its own", "begin a new line here"),
        _ if is_header => (
            "a header is on a line of its own",
            "begin a new line here, or write # before a comment",
        ),
        _ if before.ends_with(['"', '\'']) => (
            "there is something after the closing quote",
            "put all of it in one pair of quotes; a quote inside a text is written \\\"",
        ),
        _ => (
            "there is something after the value",
            "put all of it in quotes, or take it out; a comment begins with `#`",
        ),
    };
    (message.to_owned(), label.to_owned())
}
