//! A list of URLs, one a line.

use super::page::{Entry, ImportError, Imported, Page, literal};

/// Reads one URL a line, each with a name behind it or without; `#` begins a comment.
///
/// # Errors
/// None today: lines that are no URL are left out and named.
pub fn urls(text: &str) -> Result<Imported, ImportError> {
    let mut page = Page::new("urls");
    let mut seen = std::collections::HashSet::new();
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (url, name) = match line.split_once(char::is_whitespace) {
            Some((url, name)) => (url, literal(name.trim().trim_start_matches('#').trim())),
            None => (line, String::new()),
        };
        let has_scheme = url.contains("://");
        let full = match has_scheme {
            true => literal(url),
            false => format!("https://{}", literal(url)),
        };
        let looks_like_a_host = has_scheme || (url.contains(['.', ':']) && !url.contains(','));
        if !looks_like_a_host {
            page.left_out
                .push(format!("line {number}: `{url}` is no URL"));
            continue;
        }
        if !seen.insert(full.clone()) {
            page.left_out
                .push(format!("line {number}: {url} stands twice"));
            continue;
        }
        let mut entry = Entry::new(Some(name.as_str()).filter(|name| !name.is_empty()), &full);
        if !has_scheme {
            entry.comment("https:// is a guess");
        }
        page.push(entry);
    }
    Ok(page.finish())
}
