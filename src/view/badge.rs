//! `/badge/NAME.svg`: a monitor's state in a small picture, without fonts or anything else from elsewhere.

use maud::{Markup, PreEscaped, html};

use super::page::rows::State;
use super::page::words;
use crate::domain::safe_text;

/// Longer names are cut in the middle: a badge stands in a line of text.
const LABEL_CHARS_MAX: usize = 40;
/// The height, and the room left and right of a text, in pixels.
const HEIGHT: u64 = 20;
const PADDING: u64 = 6;

/// What the right half says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge<'a> {
    /// The left half.
    pub label: &'a str,
    /// The colour.
    pub state: State,
    /// The right half.
    pub message: &'a str,
}

/// White on each of these has a contrast of at least 4.5.
const fn colour(state: State) -> &'static str {
    match state {
        State::Up => "#1a7f37",
        State::Degraded => "#9a6700",
        State::Down => "#b42318",
        State::Unknown | State::Pending | State::Paused => "#57606a",
    }
}

/// Tenths of a pixel that a text takes in an 11 pixel Verdana, within a few percent; `textLength` makes it exact.
fn width(text: &str) -> u64 {
    let tenths: u64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' => 35,
            'f' | 't' | 'r' | 'I' | ' ' | '(' | ')' | '/' | '-' | '[' | ']' => 46,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 108,
            'A'..='Z' => 77,
            _ if c.is_ascii() => 69,
            _ => 110,
        })
        .sum();
    tenths.div_ceil(10).max(8)
}

/// The picture.
pub fn badge(data: &Badge<'_>) -> Markup {
    let label = words::xml_safe(data.label);
    let label = safe_text::middle(&label, LABEL_CHARS_MAX);
    let (label_width, message_width) = (width(&label), width(data.message));
    let left = label_width + 2 * PADDING;
    let right = message_width + 2 * PADDING;
    let title = format!("{label}: {}", data.message);
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        svg xmlns="http://www.w3.org/2000/svg" width=(left + right) height=(HEIGHT) role="img" aria-label=(title) {
            title { (title) }
            clipPath id="r" { rect width=(left + right) height=(HEIGHT) rx="3" {} }
            g clip-path="url(#r)" {
                rect width=(left) height=(HEIGHT) fill="#24292f" {}
                rect x=(left) width=(right) height=(HEIGHT) fill=(colour(data.state)) {}
            }
            g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" {
                text x=(PADDING) y="14" textLength=(label_width) { (label) }
                text x=(left + PADDING) y="14" textLength=(message_width) { (data.message) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_well_formed_whatever_the_name() {
        let drawn = badge(&Badge {
            label: "<script>&\"' ]]>",
            state: State::Down,
            message: "down",
        })
        .into_string();
        assert!(
            drawn.contains("&lt;script&gt;&amp;&quot;' ]]&gt;: down"),
            "{drawn}"
        );
        assert!(!drawn.contains("<script"));
        let long = "x".repeat(200);
        let drawn = badge(&Badge {
            label: &long,
            state: State::Up,
            message: "99.98 %",
        });
        assert!(drawn.into_string().len() < 1200);
    }
}
