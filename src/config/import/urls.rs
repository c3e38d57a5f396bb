//! A list of URLs as people keep and paste them: one a line, bare, in bullets, brackets, quotes or Markdown links.

use super::page::{Entry, ImportError, Imported, Page, Source, Weight, literal};
use super::sitemap;

/// Reads one URL a line, each with a name behind it or without; `#` begins a comment. A sitemap is taken as well.
///
/// # Errors
/// When a text begins as a sitemap and is none.
pub fn urls(sources: &[Source]) -> Result<Imported, ImportError> {
    let mut page = Page::new("urls");
    let mut seen = std::collections::HashSet::new();
    for source in sources {
        let text = source.text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('<') && sitemap::looks_like(text) {
            sitemap::add(&mut page, text)?;
            continue;
        }
        for (line, number) in text.lines().zip(1..) {
            add(&mut page, &mut seen, line, number);
        }
    }
    Ok(page.finish())
}

fn add(page: &mut Page, seen: &mut std::collections::HashSet<String>, line: &str, number: usize) {
    let line = without_bullet(line.trim());
    if line.is_empty() || line.starts_with('#') {
        return;
    }
    let (url, name) = parts(line);
    let has_scheme = url.contains("://");
    let full = match has_scheme {
        true => literal(&url),
        false => format!("https://{}", literal(&url)),
    };
    let looks_like_a_host = has_scheme
        || (url.contains(['.', ':']) && !url.contains([',', '@']) && !url.starts_with(['.', ':']));
    if !looks_like_a_host {
        let what = format!("line {number}: `{line}` is not a URL");
        page.lose_all(Weight::Detail, what);
        return;
    }
    if !seen.insert(full.clone()) {
        page.lose_all(
            Weight::Detail,
            format!("line {number}: {url} appears twice"),
        );
        return;
    }
    let name = literal(&name);
    let mut entry = Entry::new(Some(name.as_str()).filter(|name| !name.is_empty()), &full);
    if !has_scheme {
        entry.comment("https:// is a guess");
    }
    page.push(entry);
}

/// Without the mark of a list: `-`, `*`, `+`, a bullet, `1.`, `2)`, a box to tick.
fn without_bullet(line: &str) -> &str {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = match line.strip_prefix(['-', '*', '+', '\u{2022}', '\u{2013}']) {
        Some(rest) => rest,
        None if digits > 0 => match line[digits..].strip_prefix(['.', ')']) {
            Some(rest) => rest,
            None => return line,
        },
        None => return line,
    };
    // `-` without a blank belongs to the text.
    if !rest.starts_with(char::is_whitespace) {
        return line;
    }
    let rest = rest.trim_start();
    let boxed = ["[ ]", "[x]", "[X]"]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark));
    boxed.unwrap_or(rest).trim_start()
}

/// The URL of a line, and the name that stands with it.
fn parts(line: &str) -> (String, String) {
    // [name](url)
    if let Some(rest) = line.strip_prefix('[')
        && let Some((name, rest)) = rest.split_once("](")
        && let Some((url, _)) = rest.split_once(')')
    {
        return (url.trim().to_owned(), name.trim().to_owned());
    }
    for (open, close) in [('<', '>'), ('"', '"'), ('\'', '\''), ('`', '`')] {
        if let Some(rest) = line.strip_prefix(open)
            && let Some((url, rest)) = rest.split_once(close)
        {
            return (url.trim().to_owned(), name(rest));
        }
    }
    // A comma ends a URL where a name follows it; within one it may stand.
    let at_blank = line.find(char::is_whitespace).unwrap_or(line.len());
    let first = &line[..at_blank];
    let at_comma = first
        .find([',', ';', '\t'])
        .filter(|at| !first[*at + 1..].contains('/') && !first[..*at].contains('?'));
    let end = at_comma.unwrap_or(at_blank);
    let (url, rest) = line.split_at(end);
    (url.trim_end_matches([',', ';']).to_owned(), name(rest))
}

fn name(rest: &str) -> String {
    rest.trim()
        .trim_start_matches([',', ';', '#', '\u{2013}', '-', '|'])
        .trim()
        .trim_matches('"')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_people_paste_them() {
        for (line, url, name) in [
            ("https://a.example/", "https://a.example/", ""),
            ("https://a.example/ Shop", "https://a.example/", "Shop"),
            ("https://a.example/,Shop", "https://a.example/", "Shop"),
            ("https://a.example/;Shop", "https://a.example/", "Shop"),
            ("https://a.example/, Shop", "https://a.example/", "Shop"),
            ("https://a.example/,", "https://a.example/", ""),
            ("https://a.example/a,b/c", "https://a.example/a,b/c", ""),
            ("https://a.example/?q=a,b", "https://a.example/?q=a,b", ""),
            ("<https://a.example/>", "https://a.example/", ""),
            (
                "\"https://a.example/\", \"Shop\"",
                "https://a.example/",
                "Shop",
            ),
            ("[Shop](https://a.example/)", "https://a.example/", "Shop"),
            ("- https://a.example/", "https://a.example/", ""),
            ("* [ ] https://a.example/", "https://a.example/", ""),
            ("12. a.example", "a.example", ""),
            ("1.2.3.4", "1.2.3.4", ""),
            (
                "https://a.example/ # the shop",
                "https://a.example/",
                "the shop",
            ),
        ] {
            let got = parts(without_bullet(line));
            assert_eq!(got, (url.to_owned(), name.to_owned()), "{line}");
        }
    }
}
