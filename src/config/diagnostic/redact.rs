//! Finds what must not be shown in a line of a configuration: passwords, tokens, userinfo of URLs.
//!
//! It works on raw text, since a line with a mistake in it is just the one that is shown.

use std::borrow::Cow;
use std::ops::Range;

use crate::domain::redaction::STARS;

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
const SENSITIVE_WHOLE: [&str; 9] = [
    "pass",
    "pwd",
    "key",
    "sig",
    "code",
    "state",
    "auth",
    "basic_auth",
    "bearer",
];

/// More is not shown of a sentence, and looking through it takes more than linear time, in bytes.
const SENTENCE_BYTES_MAX: usize = 4 * 1024;

/// Whether a key (of a table, of headers, of a query) holds a secret; a misspelt `passwrod` does too.
pub(in crate::config) fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name.ends_with("_file") || ["cookies", "open"].contains(&name.as_str()) {
        return false;
    }
    SENSITIVE.iter().any(|part| name.contains(part))
        || SENSITIVE_WHOLE.contains(&name.as_str())
        || ["password", "token", "secret"]
            .iter()
            .any(|word| name.len() > 3 && strsim::damerau_levenshtein(word, &name) <= 2)
}

/// The bytes of a line that must not be shown, in order and without overlap.
pub(in crate::config) fn secrets_of_line(line: &str) -> Vec<Range<usize>> {
    let mut found = urls(line);
    found.extend(assigned(line));
    apart(found)
}

/// Ranges in order and without overlap.
fn apart(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
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

/// How many bytes of a line belong to a secret of several lines that began in the text before it.
pub(super) fn secret_goes_on(before: &str, line: &str) -> usize {
    ["\"\"\"", "'''"]
        .into_iter()
        .filter(|quotes| before.matches(quotes).count() % 2 == 1)
        .filter_map(|quotes| {
            let opened = before.rfind(quotes)?;
            let start = before[..opened].rfind('\n').map_or(0, |at| at + 1);
            let is_secret = secrets_of_line(&format!("{}\"x\"", &before[start..opened]))
                .last()
                .is_some_and(|secret| secret.end > opened - start);
            is_secret.then(|| line.find(quotes).unwrap_or(line.len()))
        })
        .max()
        .unwrap_or(0)
}

/// A sentence without userinfo and sensitive query values of the URLs in it.
pub(in crate::config) fn sentence(text: &str) -> Cow<'_, str> {
    let Some(head) = text.get(..text.floor_char_boundary(SENTENCE_BYTES_MAX)) else {
        return Cow::Borrowed("");
    };
    if head.len() == text.len() {
        return starred(text, &apart(urls(text)));
    }
    // Of a URL that is cut it cannot be told where its password ends.
    let whole = head.rfind(ends_url).unwrap_or(0);
    let head = head.get(..whole).unwrap_or("");
    // A password may have blanks.
    let host = head.rfind("://").map_or(head.len(), |scheme| scheme + 3);
    let rest = head.get(host..).unwrap_or("");
    let head = match authority_end(head, host) < rest.len() {
        true => head,
        false => head.get(..host).unwrap_or(""),
    };
    Cow::Owned(format!("{}…", starred(head, &apart(urls(head)))))
}

/// The text with stars at these ranges.
pub(in crate::config) fn starred<'a>(text: &'a str, ranges: &[Range<usize>]) -> Cow<'a, str> {
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
        // A password may have blanks and quotes, though it should not; an address behind a URL is no password.
        let wide = &rest[..authority_end(text, start)];
        let userinfo = wide
            .rsplit_once('@')
            .map(|(userinfo, _)| userinfo)
            .filter(|userinfo| userinfo.contains(':'))
            .or_else(|| authority.rsplit_once('@').map(|(userinfo, _)| userinfo))
            .or_else(|| with_slash(url, authority));
        if let Some(userinfo) = userinfo.filter(|userinfo| !userinfo.is_empty()) {
            found.push(start..start + userinfo.len());
        }
    }
    // The scheme may be what is missing.
    for (at, _) in text.match_indices('@') {
        let before = text.get(..at).unwrap_or("");
        let start = before
            .char_indices()
            .rev()
            .find(|(_, c)| ends_url(*c) || matches!(c, '/' | '=' | ',' | '('))
            .map_or(0, |(start, c)| start + c.len_utf8());
        let is_userinfo = before[start..]
            .split_once(':')
            .is_some_and(|(_, word)| !word.is_empty());
        if is_userinfo {
            found.push(start..at);
        }
    }
    for (query, _) in text.match_indices('?') {
        found.extend(sensitive_of_query(text, query + 1));
    }
    found
}

/// How long the part before path and query is of the URL whose scheme ends at `start`, blanks and quotes included.
fn authority_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or("");
    // The quote that stands before the scheme closes the URL, where nothing of it follows.
    let before = text.get(..start).unwrap_or("").trim_end_matches("://");
    let before = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
    let quote = if before.ends_with('\'') { '\'' } else { '"' };
    let mut last = ' ';
    for (at, c) in rest.char_indices() {
        let closes = c == quote && last != '\\' && {
            let behind = rest
                .get(at + 1..)
                .unwrap_or("")
                .trim_start_matches([' ', '\t']);
            behind.is_empty() || behind.starts_with([',', ']', '}', ')', '#', '\n', '\r'])
        };
        if closes || matches!(c, '/' | '?' | '#' | '\n' | '\r') {
            return at;
        }
        last = c;
    }
    rest.len()
}

/// The userinfo of `me:pa/ss@host`, whose password only looks like a port and a path.
fn with_slash<'t>(url: &'t str, authority: &str) -> Option<&'t str> {
    let (_, port) = authority.rsplit_once(':')?;
    let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    let (userinfo, _) = url.rsplit_once('@').filter(|_| !is_port)?;
    Some(userinfo)
}

/// The sensitive values of the query that starts here.
fn sensitive_of_query(text: &str, start: usize) -> Vec<Range<usize>> {
    let rest = text.get(start..).unwrap_or("");
    let query = &rest[..rest.find(ends_url).unwrap_or(rest.len())];
    let (mut found, mut from) = (Vec::new(), start);
    for pair in query.split(['&', ';', '#']) {
        if let Some((name, value)) = pair.split_once('=')
            && !value.is_empty()
            && is_sensitive(name)
            && !value.starts_with("${")
        {
            let value_start = from + name.len() + 1;
            found.push(value_start..value_start + value.len());
        }
        from += pair.len() + 1;
    }
    found
}

/// The strings that are assigned to sensitive keys, by `=` or, as YAML has it, by `:`.
fn assigned(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (equals, sign) in line.match_indices(['=', ':', '\u{ff1d}', '\u{ff1a}']) {
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
        let after = &line[equals + sign.len()..];
        if sign != "=" && !after.starts_with([' ', '\t', '"', '\'']) {
            continue;
        }
        let value = after.trim_start();
        let value_start = line.len() - value.len();
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            if let Some(list) = value.strip_prefix('[') {
                let length = list.find(']').unwrap_or(list.len());
                let list_start = line.len() - list.len();
                found.push(list_start..list_start + length);
                continue;
            }
            // Not a string: without its quotes a secret is a secret all the same, up to what may follow it.
            let end = value.find([',', '}', '#']).unwrap_or(value.len());
            let bare = value[..end].trim_end().len();
            if bare > 0 && !value.starts_with('{') {
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
            (r#"password = ["hunter2", "x"]"#, r#"password = [***]"#),
            (
                r#"Authorization = Bearer hunter2 # x"#,
                r#"Authorization = *** # x"#,
            ),
            (r#"basic_auth = "kim:hunter2""#, r#"basic_auth = "***""#),
            (r#"proxy = "kim:hunter2@host:1""#, r#"proxy = "***@host:1""#),
            (
                r#"url = "host/?key=hunter2&x=1""#,
                r#"url = "host/?key=***&x=1""#,
            ),
            (
                r#"to = ["Kim <a@b.example>"]"#,
                r#"to = ["Kim <a@b.example>"]"#,
            ),
            (r#"token = hunter2, x"#, r#"token = ***, x"#),
            (r#"interval = "30s""#, r#"interval = "30s""#),
            (r#"cookies = true"#, r#"cookies = true"#),
        ] {
            assert_eq!(starred(line, &secrets_of_line(line)), shown);
        }
        for (text, shown) in [
            (
                "`https://me:correct horse@host/` x",
                "`https://***@host/` x",
            ),
            ("`https://me:it's@a^b/` x", "`https://***@a^b/` x"),
            ("`https://me:a`b<c>d\"e@host/` x", "`https://***@host/` x"),
            ("`https://my name:p w@host` x", "`https://***@host` x"),
            ("`https://me:pa/ss@host/` x", "`https://***@host/` x"),
            (
                "url = \"https://me:correct horse@host/\"",
                "url = \"https://***@host/\"",
            ),
            (
                "url = 'https://me:p\", w@host/'",
                "url = 'https://***@host/'",
            ),
            (
                "url = \"https://me:p\\\" , w@host/\"",
                "url = \"https://***@host/\"",
            ),
            (
                "x = { url = \"http://a.example:80\", to = \"kim@b.example\" }",
                "x = { url = \"http://a.example:80\", to = \"kim@b.example\" }",
            ),
            (
                "see https://a.example or ask kim@b.example",
                "see https://a.example or ask kim@b.example",
            ),
            (
                "http://a.example:8080/@scope/x",
                "http://a.example:8080/@scope/x",
            ),
        ] {
            assert_eq!(starred(text, &secrets_of_line(text)), shown);
            assert_eq!(sentence(text), shown);
        }
        let long = format!("`https://me:{}@host/`", "ab ".repeat(2000));
        assert_eq!(sentence(&long), "`https://…");
        assert_eq!(
            sentence("`https://me:pw@host/` has no path"),
            "`https://***@host/` has no path"
        );
    }
}
