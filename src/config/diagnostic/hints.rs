//! What to write in place of a value of the wrong type.

use std::time::Duration;

use toml::de::DeValue;

use super::redact;
use crate::config::keys::{self, Kind};
use crate::config::read::table::Found;
use crate::domain::address::{Address, AddressError};
use crate::domain::duration_text::Written;
use crate::domain::expectation::StatusSet;

/// A longer value is not repeated.
const WRITTEN_BYTES_MAX: usize = 120;

/// Where a string is wanted.
pub(in crate::config) fn for_text(found: Found<'_>, wanted: &str) -> String {
    let one_string = || "write one string in quotes".to_owned();
    if redact::is_sensitive(found.key) {
        return one_string();
    }
    let is_choice = wanted.contains('"');
    match (found.value, wanted) {
        (DeValue::Integer(number), "a size") => format!("write \"{number}B\""),
        (DeValue::Integer(number), "a percentage") => format!("write \"{number}%\""),
        (_, "a percentage") => "write it like \"80%\"".to_owned(),
        (DeValue::Integer(number), "a duration") => format!("write \"{number}s\" for seconds"),
        (DeValue::Float(number), "a duration") => match seconds(number.as_str()) {
            Some(span) if span.subsec_nanos() > 0 => format!("write \"{}ms\"", span.as_millis()),
            Some(span) => format!("write \"{}\"", Written(span)),
            None => "write a duration like \"30s\" or \"5m\"".to_owned(),
        },
        (DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_), "a duration") => {
            "write a duration like \"30s\" or \"5m\"".to_owned()
        }
        (DeValue::Boolean(_) | DeValue::Table(_), _) if is_choice => format!("write {wanted}"),
        (DeValue::Integer(_) | DeValue::Boolean(_) | DeValue::Table(_), "a URL") => {
            "write it like \"https://example.com/\"".to_owned()
        }
        (DeValue::Integer(number), _)
            if is_choice && !wanted.contains(&format!("\"{number}\"")) =>
        {
            format!("write {wanted}")
        }
        (DeValue::Integer(_) | DeValue::Boolean(_), "a mail address") => {
            "write it like \"ops@example.com\"".to_owned()
        }
        (DeValue::Integer(number), _) => format!("write \"{number}\""),
        (DeValue::Float(number), _) => format!("write \"{number}\""),
        (DeValue::Array(list), _) if list.len() == 1 => {
            "write the string without the brackets".to_owned()
        }
        (DeValue::Array(_) | DeValue::Table(_), _) => one_string(),
        _ => "write it in quotes".to_owned(),
    }
}

/// `1.5` as a length of time.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    let ms = seconds * 1000.0;
    (seconds > 0.0 && seconds < 86_400.0 && ms.fract() == 0.0)
        .then(|| Duration::from_secs_f64(seconds))
}

/// Where `true` or `false` is wanted.
pub(in crate::config) fn for_flag(found: Found<'_>, default: bool) -> String {
    match found.value {
        DeValue::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "false" => format!("write {} without quotes", text.to_ascii_lowercase()),
            "yes" | "on" | "y" | "1" | "enabled" => "write true".to_owned(),
            "no" | "off" | "n" | "0" | "disabled" => "write false".to_owned(),
            _ => format!("write {default} or {}", !default),
        },
        DeValue::Integer(number) => match number.as_str() {
            "1" => "write true".to_owned(),
            "0" => "write false".to_owned(),
            _ => format!("write {default} or {}", !default),
        },
        _ => format!("write {default} or {}", !default),
    }
}

/// Where a whole number is wanted.
pub(in crate::config) fn for_count(found: Found<'_>, low: i64, high: i64) -> String {
    let within = |text: &str| {
        let number: i64 = text.trim().parse().ok()?;
        (low..=high).contains(&number).then_some(number)
    };
    match found.value {
        DeValue::String(text) => match within(text) {
            Some(number) => format!("write {number} without quotes"),
            None => format!("write a number from {low} to {high}, without quotes"),
        },
        DeValue::Float(number) => match within(number.as_str().trim_end_matches(".0")) {
            Some(number) => format!("write {number}"),
            None => format!("write a whole number from {low} to {high}"),
        },
        _ => format!("write a number from {low} to {high}"),
    }
}

/// Where a list is wanted; `written` is what stands there.
pub(in crate::config) fn for_list(found: Found<'_>, written: &str) -> String {
    let is_short = written.len() <= WRITTEN_BYTES_MAX && !written.contains('\n');
    let in_brackets = || match is_short && !redact::is_sensitive(found.key) {
        true => format!("write [{written}]"),
        false => "write it in brackets".to_owned(),
    };
    match found.value {
        DeValue::Table(_) if written.starts_with('{') => match is_short {
            true => format!("put it in a list: {} = [{written}]", found.key),
            false => "put it in a list: [{ .. }]".to_owned(),
        },
        // A header of its own.
        DeValue::Table(_) => format!(
            "write the header in double brackets: [[monitor.{}]]",
            found.key
        ),
        DeValue::String(text) if matches!(kind_of(found.key), Some(Kind::JsonTests)) => {
            let path = match text.starts_with('$') && is_short {
                true => written,
                false => "\"$.status\"",
            };
            format!("write [{{ path = {path}, exists = true }}]")
        }
        DeValue::String(text) => match members(found.key, text) {
            Some(members) if is_short => format!("write [{members}]"),
            _ => in_brackets(),
        },
        _ => in_brackets(),
    }
}

/// What a key of that name takes.
fn kind_of(key: &str) -> Option<Kind> {
    keys::SECTIONS
        .iter()
        .flat_map(|section| section.keys)
        .chain(keys::TOP)
        .find(|known| known.name == key)
        .map(|known| known.kind)
}

/// The members of a list that was written as one text, as TOML.
fn members(key: &str, text: &str) -> Option<String> {
    match kind_of(key)? {
        Kind::Statuses => statuses(text),
        Kind::Recipients => match Address::parse(text) {
            Err(AddressError::Several { parts, .. }) => {
                Some(quoted(parts.iter().map(String::as_str)))
            }
            _ => None,
        },
        Kind::Names | Kind::Globs | Kind::Spans | Kind::Servers | Kind::Urls => by_commas(text),
        Kind::Texts if key == "tags" || key == "canaries" => by_commas(text),
        _ => None,
    }
}

fn by_commas(text: &str) -> Option<String> {
    let parts: Vec<&str> = text
        .split([',', ';', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    (parts.len() > 1).then(|| quoted(parts.into_iter()))
}

fn quoted<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<String> = parts
        .map(|part| format!("\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    parts.join(", ")
}

/// Several statuses in one text, or one, as members of a list: codes bare, the others in quotes.
pub(in crate::config) fn statuses(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let parts: Vec<&str> = text
        .split([',', ';', '|', '/', '\n', '"', '\''])
        .flat_map(|part| {
            // A range may have blanks around its sign.
            match part.contains('-') && StatusSet::member(part).is_ok() {
                true => vec![part.trim()],
                false => part.split_whitespace().collect(),
            }
        })
        .filter(|part| !part.is_empty() && !matches!(*part, "or" | "and" | "OR" | "AND" | "||"))
        .collect();
    if parts.is_empty() || parts.iter().any(|part| StatusSet::member(part).is_err()) {
        return None;
    }
    let members: Vec<String> = parts
        .iter()
        .map(
            |part| match part.bytes().all(|byte| byte.is_ascii_digit()) {
                true => (*part).to_owned(),
                false => format!("\"{part}\""),
            },
        )
        .collect();
    Some(members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_one_text_is_taken_apart() {
        for (text, want) in [
            ("200", Some("200")),
            ("200,301", Some("200, 301")),
            ("200, 2xx; 300-302", Some("200, \"2xx\", \"300-302\"")),
            ("200 301", Some("200, 301")),
            ("200 or 301", Some("200, 301")),
            ("200|301", Some("200, 301")),
            ("[200, 301]", Some("200, 301")),
            ("200 - 204", Some("\"200 - 204\"")),
            ("ok", None),
            ("", None),
            ("200,ok", None),
        ] {
            assert_eq!(statuses(text).as_deref(), want, "{text}");
        }
        assert_eq!(members("tags", "a, b").as_deref(), Some("\"a\", \"b\""));
        assert_eq!(
            members("certificate_expiry", "21d,7d").as_deref(),
            Some("\"21d\", \"7d\"")
        );
        assert_eq!(members("body_contains", "Hello, you"), None);
        assert_eq!(
            members("to", "a@b.example, c@d.example").as_deref(),
            Some("\"a@b.example\", \"c@d.example\"")
        );
    }
}
