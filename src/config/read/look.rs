//! What the status page of `[web]` looks like: logo, words, link and colour.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::env_vars;
use super::reader::Reading;
use super::scalars::{self, Wrong};
use super::table::{Placed, Table};
use crate::config::diagnostic::problem::Fault;
use crate::domain::colour::Colour;
use crate::domain::settings::{Logo, WebLook};

/// Every reader of the page loads it.
const LOGO_BYTES_MAX: u64 = 256 * 1024;
/// How far into an SVG its first element is looked for: declarations and a comment stand before it.
const SVG_HEAD_BYTES: usize = 4096;

/// Reads the keys that are about looks.
pub(in crate::config) fn look(reading: &mut Reading<'_>, table: &Table<'_>) -> WebLook {
    let link = reading.some_parsed(table, "link", "an https:// or http:// URL", scalars::url);
    let accent = reading.some_parsed(table, "accent", "a colour", colour);
    WebLook {
        description: env_vars::words(reading, table, "description").unwrap_or_default(),
        link: link.map(|link| String::from(link.it)),
        accent: accent.map(|accent| accent.it),
        logo: logo(reading, table),
    }
}

fn colour(text: &str) -> Result<Colour, Wrong> {
    Colour::parse(text).ok_or_else(|| {
        Wrong::new(
            format!("`{text}` is not a valid colour"),
            "write it like \"#0a7bc9\"",
        )
    })
}

fn logo(reading: &mut Reading<'_>, table: &Table<'_>) -> Option<Logo> {
    let found = table.get("logo")?;
    let written = found.value.as_str().unwrap_or_default();
    if written.starts_with("http://") || written.starts_with("https://") {
        reading.fault(Fault::new(
            found.place,
            "`logo` is a URL, and pages load nothing from elsewhere".to_owned(),
            "download it and write the name of the file",
        ));
        return None;
    }
    let Placed {
        it: (path, bytes),
        place,
        ..
    } = reading.content(table, "logo", LOGO_BYTES_MAX)?;
    let Some((media_type, extension)) = picture(&bytes) else {
        reading.fault(Fault::new(
            place,
            format!("`{}` is not a picture", path.display()),
            "a PNG, JPEG, WebP, GIF or SVG file is needed",
        ));
        return None;
    };
    Some(Logo {
        path,
        media_type,
        extension,
        hash: short_hash(&bytes),
        bytes: Arc::clone(&bytes),
    })
}

fn short_hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The media type and extension of a picture, by what it holds.
fn picture(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(("image/png", "png"));
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some(("image/jpeg", "jpg"));
    }
    if bytes.starts_with(b"GIF8") {
        return Some(("image/gif", "gif"));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some(("image/webp", "webp"));
    }
    let head = &bytes[..bytes.len().min(SVG_HEAD_BYTES)];
    let text = String::from_utf8_lossy(head);
    let is_markup = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('<');
    (is_markup && text.contains("<svg")).then_some(("image/svg+xml", "svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_content() {
        for (bytes, want) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some("png")),
            (b"\xff\xd8\xff\xe0", Some("jpg")),
            (b"GIF89a", Some("gif")),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some("webp")),
            (b"<svg xmlns=\"\"/>", Some("svg")),
            (
                b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a --><svg/>",
                Some("svg"),
            ),
            (b"<html><body>", None),
            (b"RIFF", None),
            (b"", None),
        ] {
            assert_eq!(picture(bytes).map(|found| found.1), want);
        }
    }
}
