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
    let label = match expected {
        Some("nothing") | None => String::new(),
        Some(expected) => format!("expected {expected}"),
    };
    Fault::new(at, what.to_owned(), label)
}
