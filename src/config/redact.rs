//! Finds what must not be shown in a line of a configuration: passwords, tokens, userinfo of URLs.
//!
//! It works on raw text, since a line with a mistake in it is just the one that is shown.

use std::borrow::Cow;
use std::ops::Range;

use crate::domain::mask::STARS;

/// Parts of a key's name that make its value a secret.
const SENSITIVE: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "apikey",
    "api-key",
    "api_key",
    "signature",
];
/// Whole names that do.
const SENSITIVE_WHOLE: [&str; 7] = ["pass", "pwd", "key", "sig", "code", "state", "auth"];

/// Whether a key (of a table, of headers, of a query) holds a secret; a misspelt `passwrod` does too.
pub(super) fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name.ends_with("_file") || name == "cookies" {
        return false;
    }
    SENSITIVE.iter().any(|part| name.contains(part))
        || SENSITIVE_WHOLE.contains(&name.as_str())
        || ["password", "token", "secret"]
            .iter()
            .any(|word| name.len() > 3 && strsim::damerau_levenshtein(word, &name) <= 2)
}

/// The bytes of a line that must not be shown, in order and without overlap.
pub(super) fn secrets_of_line(line: &str) -> Vec<Range<usize>> {
    let mut found = urls(line);
    found.extend(assigned(line));
    found.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

/// A sentence without userinfo and sensitive query values of the URLs in it.
pub(super) fn sentence(text: &str) -> Cow<'_, str> {
    starred(text, &urls(text))
}

/// The text with stars at these ranges.
pub(super) fn starred<'a>(text: &'a str, ranges: &[Range<usize>]) -> Cow<'a, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        out.push_str(text.get(from..range.start).unwrap_or(""));
        out.push_str(STARS);
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    Cow::Owned(out)
}

const fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')
}

/// Userinfo and sensitive query values of everything that looks like a URL.
fn urls(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (scheme_end, _) in text.match_indices("://") {
        let start = scheme_end + 3;
        let rest = text.get(start..).unwrap_or("");
        let url = &rest[..rest.find(ends_url).unwrap_or(rest.len())];
        let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
        if let Some(at) = authority.rfind('@')
            && at > 0
        {
            found.push(start..start + at);
        }
        let Some(query) = url.find('?') else { continue };
        let mut from = query + 1;
        for pair in url[query + 1..].split(['&', ';', '#']) {
            if let Some((name, value)) = pair.split_once('=')
                && !value.is_empty()
                && is_sensitive(name)
                && !value.starts_with("${")
            {
                let value_start = start + from + name.len() + 1;
                found.push(value_start..value_start + value.len());
            }
            from += pair.len() + 1;
        }
    }
    found
}

/// The strings that are assigned to sensitive keys.
fn assigned(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (equals, _) in line.match_indices('=') {
        let before = line[..equals].trim_end().trim_end_matches(['"', '\'']);
        let name_start = before
            .char_indices()
            .rev()
            .find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
            .map_or(0, |(at, c)| at + c.len_utf8());
        let name = before.get(name_start..).unwrap_or("");
        // A part of a query is the business of `urls`.
        let in_query = before[..name_start].ends_with(['?', '&', ';']);
        if in_query || !is_sensitive(name) {
            continue;
        }
        let after = &line[equals + 1..];
        let value = after.trim_start();
        let value_start = line.len() - value.len();
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            // Not a string: without its quotes a secret is a secret all the same.
            let bare = value
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | '#'))
                .unwrap_or(value.len());
            if bare > 0 && !value.starts_with(['{', '[']) {
                found.push(value_start..value_start + bare);
            }
            continue;
        };
        let inner = value.trim_start_matches(quote);
        let inner_start = line.len() - inner.len();
        let inner_end = inner.find(quote).unwrap_or(inner.len());
        let secret = &inner[..inner_end];
        let only_names = secret.starts_with("${") && secret.ends_with('}');
        if !secret.is_empty() && !only_names {
            found.push(inner_start..inner_start + inner_end);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_secrets_and_nothing_else() {
        for (line, shown) in [
            (r#"password = "hunter2""#, r#"password = "***""#),
            (r#"passwrod = 'hunter2' # x"#, r#"passwrod = '***' # x"#),
            (
                r#"basic_auth = { username = "u", password = "p,}" }"#,
                r#"basic_auth = { username = "u", password = "***" }"#,
            ),
            (
                r#"headers = { "X-Api-Key" = "abc", Accept = "a" }"#,
                r#"headers = { "X-Api-Key" = "***", Accept = "a" }"#,
            ),
            (
                r#"url = "https://me:pw@example.com/?token=1&page=2""#,
                r#"url = "https://***@example.com/?token=***&page=2""#,
            ),
            (
                r#"password = "${SMTP_PASSWORD}""#,
                r#"password = "${SMTP_PASSWORD}""#,
            ),
            (
                r#"password_file = "smtp-password""#,
                r#"password_file = "smtp-password""#,
            ),
            (r#"token = hunter2, x"#, r#"token = ***, x"#),
            (r#"interval = "30s""#, r#"interval = "30s""#),
            (r#"cookies = true"#, r#"cookies = true"#),
        ] {
            assert_eq!(starred(line, &secrets_of_line(line)), shown);
        }
        assert_eq!(
            sentence("`https://me:pw@host/` has no path"),
            "`https://***@host/` has no path"
        );
    }
}
