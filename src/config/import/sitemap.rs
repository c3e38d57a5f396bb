//! Sitemaps (sitemaps.org): the pages of `<urlset>`.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::toml_writer::{Entry, ImportError, Imported, Page, Source, Weight, literal};

/// Reads the pages of a sitemap.
///
/// # Errors
/// When the text is no XML, an index of other sitemaps, or no sitemap.
pub fn sitemap(sources: &[Source]) -> Result<Imported, ImportError> {
    let mut page = Page::new("sitemap");
    for source in sources {
        add(&mut page, source.text.trim_start_matches('\u{feff}'))?;
    }
    let imported = page.finish();
    let is_nothing = imported.monitors == 0 && imported.left_out.is_empty();
    if is_nothing && !sources.iter().any(|source| looks_like(&source.text)) {
        return Err(ImportError::Nothing(
            "there is no `<urlset>`: is this a sitemap?".to_owned(),
        ));
    }
    Ok(imported)
}

/// Whether a text begins like a sitemap.
pub(super) fn looks_like(text: &str) -> bool {
    let head: String = text.chars().take(2000).collect();
    head.contains("<urlset") || head.contains("<sitemapindex") || head.contains(":urlset")
}

/// Adds the pages of one sitemap; images and translations that it names are no pages.
pub(super) fn add(page: &mut Page, text: &str) -> Result<(), ImportError> {
    let refused = |why: String| ImportError::Format(why);
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut location = String::new();
    let mut seen = std::collections::HashSet::new();
    loop {
        let event = reader.read_event().map_err(|error| {
            refused(format!(
                "this is not valid XML at byte {}: {error}",
                reader.error_position()
            ))
        })?;
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                path.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
                // Deeper than any sitemap; the prefix of `image:loc` keeps its element in another place.
                if path.len() > 64 {
                    return Err(refused(
                        "the file is nested too deep for a sitemap".to_owned(),
                    ));
                }
                location.clear();
            }
            Event::Text(text) => {
                location.push_str(&text.decode().unwrap_or_default());
            }
            Event::CData(text) => {
                location.push_str(&text.decode().unwrap_or_default());
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().unwrap_or_default();
                location.push_str(&entity(&name));
            }
            Event::End(_) => {
                let place: Vec<&str> = path.iter().map(String::as_str).collect();
                match place[..] {
                    ["urlset", "url", "loc"] => {
                        let url = literal(location.trim());
                        if seen.insert(url.clone()) {
                            page.push(Entry::new(None, &url));
                        }
                    }
                    ["sitemapindex", "sitemap", "loc"] => {
                        let what = "a list of other sitemaps, each to be imported by itself";
                        page.lose(Weight::Unchecked, what, location.trim());
                    }
                    _ => {}
                }
                path.pop();
                location.clear();
            }
            _ => {}
        }
    }
    Ok(())
}

/// The character of a reference: the five of XML and those by number.
fn entity(name: &str) -> String {
    let number = name
        .strip_prefix('#')
        .and_then(|number| match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        });
    match (name, number.and_then(char::from_u32)) {
        (_, Some(character)) => character.to_string(),
        ("amp", _) => "&".to_owned(),
        ("lt", _) => "<".to_owned(),
        ("gt", _) => ">".to_owned(),
        ("quot", _) => "\"".to_owned(),
        ("apos", _) => "'".to_owned(),
        _ => String::new(),
    }
}
