//! `${NAME}` in strings, and `$${` for a literal `${`.

use std::borrow::Cow;
use std::ops::Range;

use super::reader::Reading;
use super::table::Table;
use crate::config::environment::Environment;
use crate::domain::redaction::STARS;
use crate::domain::safe_text;

/// A longer text is no value of a person: it would be parsed, compared and shown.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// A request's body is only sent.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Nothing goes on beyond this: more than any text may have.
const EXPANDED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A string with its names replaced, and the values that came from outside.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct Expanded<'a> {
    /// The text with every name replaced.
    pub text: Cow<'a, str>,
    /// The values that were put in, but the empty ones.
    pub values: Vec<String>,
    /// Whether there was a name at all.
    pub has_names: bool,
}

/// What cannot be replaced: the bytes of it and why.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) enum ExpandError {
    /// No such variable.
    Unset(String, Range<usize>),
    /// `${` without `}`.
    Unclosed(Range<usize>),
    /// What stands between is no name.
    NoName(String, Range<usize>),
}

/// The text with stars for what `${NAME}` stands for: for texts that are only shown.
pub(in crate::config) fn starred(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(open) = rest.find("${") {
        let (before, named) = rest.split_at(open);
        let close = named.find('}').map_or(named.len(), |close| close + 1);
        match before.strip_suffix('$') {
            Some(before) => {
                out.push_str(before);
                out.push_str("${");
                rest = named.get(2..).unwrap_or("");
            }
            None => {
                out.push_str(before);
                out.push_str(STARS);
                rest = named.get(close..).unwrap_or("");
            }
        }
    }
    out.push_str(rest);
    out
}

/// A text that is only shown to people: what came by `${NAME}` is stars in it, and nothing turns its direction.
pub(in crate::config) fn words(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    key: &'static str,
) -> Option<String> {
    let text = reading.some_text(table, key)?;
    let words = match text.came_by_name {
        true => starred(text.raw),
        false => text.value.into_owned(),
    };
    let plain = safe_text::block(&words);
    if plain != words && !text.inherited {
        let message = format!("`{key}` has control characters, which are left out");
        reading.warn(text.place, message);
    }
    Some(plain)
}

/// How long the text of a key may be, in bytes.
pub(in crate::config) fn bytes_max(key: &str) -> usize {
    match key {
        "body" => BODY_BYTES_MAX,
        _ => TEXT_BYTES_MAX,
    }
}

/// What is wrong with a text of so many bytes, and what to do.
pub(super) fn too_long(key: &str, bytes: usize) -> (String, String) {
    let most = format!("at most {} are read", bytes_max(key));
    let label = match key {
        "body" => format!("{most}; name a `body_file`"),
        _ => most,
    };
    (format!("`{key}` has {bytes} bytes"), label)
}

/// Replaces every `${NAME}`.
pub(in crate::config) fn expand<'a>(
    raw: &'a str,
    environment: &Environment,
) -> Result<Expanded<'a>, Vec<ExpandError>> {
    if !raw.contains("${") {
        return Ok(Expanded {
            text: Cow::Borrowed(raw),
            values: Vec::new(),
            has_names: false,
        });
    }
    let mut out = String::with_capacity(raw.len());
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    let mut has_names = false;
    let mut from = 0;
    // What is put in may be long and its name stand often; the caller refuses what is too long.
    while out.len() <= EXPANDED_BYTES_MAX
        && let Some(found) = raw[from..].find("${")
    {
        let open = from + found;
        if raw[from..open].ends_with('$') {
            out.push_str(&raw[from..open - 1]);
            out.push_str("${");
            from = open + 2;
            continue;
        }
        out.push_str(&raw[from..open]);
        let Some(length) = raw[open..].find('}') else {
            errors.push(ExpandError::Unclosed(open..raw.len()));
            from = raw.len();
            break;
        };
        let close = open + length;
        let name = &raw[open + 2..close];
        from = close + 1;
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            errors.push(ExpandError::NoName(name.to_owned(), open..from));
            continue;
        }
        // A variable that is set and empty is set: somebody meant it so.
        match environment.variables.get(name) {
            Some(value) => {
                has_names = true;
                out.push_str(value);
                if !value.is_empty() {
                    values.push(value.clone());
                }
            }
            None => errors.push(ExpandError::Unset(name.to_owned(), open..from)),
        }
    }
    out.push_str(&raw[from..]);
    match errors.is_empty() {
        true => Ok(Expanded {
            text: Cow::Owned(out),
            values,
            has_names,
        }),
        false => Err(errors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_shown_has_stars() {
        assert_eq!(starred("a ${B}c$${D}${E}"), "a ***c${D}***");
        assert_eq!(starred("plain $x }"), "plain $x }");
    }

    #[test]
    fn replaces_names() {
        let environment = Environment {
            variables: [("A", "alpha"), ("B_2", "beta"), ("E", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Environment::default()
        };
        let ok = |raw| expand(raw, &environment).map(|expanded| expanded.text.into_owned());
        assert_eq!(ok("plain $x $$ }"), Ok("plain $x $$ }".to_owned()));
        assert_eq!(ok("${A}-${B_2}${E}!"), Ok("alpha-beta!".to_owned()));
        assert_eq!(ok("$${A} ${A}"), Ok("${A} alpha".to_owned()));
        assert_eq!(
            ok("x${C}${A"),
            Err(vec![
                ExpandError::Unset("C".to_owned(), 1..5),
                ExpandError::Unclosed(5..8)
            ])
        );
        assert_eq!(
            ok("${A-B}"),
            Err(vec![ExpandError::NoName("A-B".to_owned(), 0..6)])
        );
        assert_eq!(
            expand("${A}${E}", &environment).map(|expanded| expanded.values),
            Ok(vec!["alpha".to_owned()])
        );
    }
}
