//! Syntax errors in our words: what TOML's parser says, made to teach.

use super::fault::Fault;
use super::source::Place;

/// The fault for one message of the parser at one place.
pub(super) fn fault(message: &str, at: Place, text: &str) -> Fault {
    let found = text.get(at.start as usize..at.end as usize).unwrap_or("");
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    if what == "duplicate key" {
        return Fault::new(
            at,
            format!("`{found}` stands twice"),
            "a key stands once in its section; for a list of sections write [[..]]",
        );
    }
    let rest = text.get(at.start as usize..).unwrap_or("");
    let is_bare = rest.is_empty() || rest.starts_with(['\n', '\r', '#']);
    let (what, label) = match (what, expected) {
        ("string values must be quoted", _) if is_bare => {
            ("a value is missing", "write one behind the `=`".to_owned())
        }
        ("string values must be quoted", _) => (
            "a text stands in quotes",
            match found.contains(['"', '\n']) {
                true => "write it in quotes".to_owned(),
                false => format!("write \"{found}\""),
            },
        ),
        ("invalid basic string", _) => ("the quote is not closed", "close it with `\"`".to_owned()),
        ("invalid literal string", _) => {
            ("the quote is not closed", "close it with `'`".to_owned())
        }
        ("unclosed array table", _) => ("`[[` is not closed", "close it with `]]`".to_owned()),
        ("unclosed table", _) => ("`[` is not closed", "close it with `]`".to_owned()),
        (what, Some("nothing") | None) => (what, String::new()),
        (what, Some(expected)) => (what, format!("expected {expected}")),
    };
    Fault::new(at, what, label)
}
