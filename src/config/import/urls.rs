//! A list of URLs as people keep and paste them: one a line, bare, in bullets, brackets, quotes or Markdown links.

use super::sitemap;
use super::toml_writer::{Entry, ImportError, Imported, Page, Source, literal};

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
        page.lose_line(number, &format!("`{line}` is not a URL"));
        return;
    }
    if !seen.insert(full.clone()) {
        page.lose_line(number, &format!("{url} appears twice"));
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
    if let Some(found) = link(line).or_else(|| behind(line)) {
        return found;
    }
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

/// The first link of HTML: `<a href="url">name</a>`.
fn link(line: &str) -> Option<(String, String)> {
    let (_, rest) = line.split_once("href=")?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (url, rest) = rest[1..].split_once(quote)?;
    let text = rest.split_once('>').map_or("", |(_, text)| text);
    let text = text.split('<').next().unwrap_or_default();
    url.contains("://").then(|| (url.to_owned(), name(text)))
}

/// A URL behind its name: `Shop: https://shop.example/`, a row of a Markdown table, `- Shop
/// [x](https://shop.example/)`.
fn behind(line: &str) -> Option<(String, String)> {
    let at = ["https://", "http://"]
        .iter()
        .filter_map(|scheme| line.find(scheme))
        .min()?;
    let before = &line[..at];
    // A name has a letter, and what stands in quotes or brackets is no name.
    let is_name =
        before.contains(char::is_alphanumeric) && !before.starts_with(['<', '"', '\'', '`', '[']);
    let is_apart = before.ends_with(|c: char| c.is_whitespace() || ":|,;(<\"'`=".contains(c));
    if before.is_empty() || !is_apart || is_remark(before, &line[at..]) {
        return None;
    }
    let stop = |c: char| c.is_whitespace() || matches!(c, '|' | '>' | '"' | '\'' | '`');
    let (url, rest) = match line[at..].find(stop) {
        Some(end) => line[at..].split_at(end),
        None => (&line[at..], ""),
    };
    let url = without_end(url);
    if !is_name {
        // A row of a table may begin with its mark alone.
        let is_mark = before.chars().all(|c| c.is_whitespace() || c == '|');
        return is_mark.then(|| (url.to_owned(), name(rest)));
    }
    let before = before.split('[').next().unwrap_or_default();
    let before =
        before.trim_matches(|c: char| c.is_whitespace() || "|:,;-(<\"'`=\u{2013}".contains(c));
    let is_key = matches!(
        before.to_lowercase().as_str(),
        "url" | "link" | "site" | "website"
    );
    match is_key {
        true => Some((url.to_owned(), name(rest))),
        false => Some((url.to_owned(), before.to_owned())),
    }
}

/// Whether a link only belongs to what is said of a host before it: `shop.example # see https://wiki.example/`.
fn is_remark(before: &str, link: &str) -> bool {
    // `Shop #1` is a name.
    let is_comment = before
        .match_indices('#')
        .any(|(at, _)| !before[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let first = before.split_whitespace().next().unwrap_or("");
    let is_host = first.ends_with(|c: char| c.is_alphanumeric() || c == '/')
        && first.trim_matches('.').contains('.');
    // A host may be the name of its own URL.
    let host = link.split('/').nth(2).unwrap_or("").trim();
    is_comment || is_host && host != first
}

/// A URL without the signs of the sentence it stands in; a bracket that it opened itself is its own.
fn without_end(url: &str) -> &str {
    let mut url = url;
    loop {
        let opened = url.matches('(').count();
        let is_foreign =
            url.ends_with([',', ';']) || url.ends_with(')') && url.matches(')').count() > opened;
        match url.char_indices().next_back().filter(|_| is_foreign) {
            Some((last, _)) => url = &url[..last],
            None => return url,
        }
    }
}

fn name(rest: &str) -> String {
    rest.trim()
        .trim_matches(|c: char| c.is_whitespace() || ",;#|\u{2013}-".contains(c))
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
            ("Shop: https://a.example/", "https://a.example/", "Shop"),
            ("Shop https://a.example/", "https://a.example/", "Shop"),
            (
                "Shop \u{2013} https://a.example/",
                "https://a.example/",
                "Shop",
            ),
            (
                "| Shop | https://a.example/ |",
                "https://a.example/",
                "Shop",
            ),
            (
                "| https://a.example/ | Shop |",
                "https://a.example/",
                "Shop",
            ),
            ("- url: https://a.example/", "https://a.example/", ""),
            ("Shop,https://a.example/", "https://a.example/", "Shop"),
            (
                "<li><a class=\"x\" href=\"https://a.example/\">Shop</a></li>",
                "https://a.example/",
                "Shop",
            ),
            (
                "the shop (https://a.example/)",
                "https://a.example/",
                "the shop",
            ),
            (
                "https://a.example/?to=https://b.example/",
                "https://a.example/?to=https://b.example/",
                "",
            ),
            (
                "shop.example.com # runbook https://wiki.example/shop",
                "shop.example.com",
                "runbook https://wiki.example/shop",
            ),
            (
                "shop.example.com (behind https://lb.example/)",
                "shop.example.com",
                "(behind https://lb.example/)",
            ),
            (
                "localhost:8080 # see https://wiki.example/",
                "localhost:8080",
                "see https://wiki.example/",
            ),
            (
                "a.example https://a.example/x",
                "https://a.example/x",
                "a.example",
            ),
            (
                "a.example: https://b.example/",
                "https://b.example/",
                "a.example",
            ),
            (
                "Shop #1: https://a.example/",
                "https://a.example/",
                "Shop #1",
            ),
            (
                "Rust: https://a.example/Rust_(x)",
                "https://a.example/Rust_(x)",
                "Rust",
            ),
            (
                "the shop (https://a.example/x_(y)),",
                "https://a.example/x_(y)",
                "the shop",
            ),
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
