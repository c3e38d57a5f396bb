//! Caddy: the site addresses of a Caddyfile.

use std::collections::BTreeSet;

use super::place::{Place, finish, is_one_host};
use crate::config::import::toml_writer::{ImportError, Imported, Page, Source};

/// Reads the site addresses of a Caddyfile.
///
/// # Errors
/// When there is no site.
pub fn caddy(sources: &[Source]) -> Result<Imported, ImportError> {
    let mut page = Page::new("caddy");
    let mut places = BTreeSet::new();
    let mut sites = 0;
    for source in sources {
        for address in addresses(&source.text) {
            sites += 1;
            if let Some(place) = place(&mut page, &address) {
                places.insert(place);
            }
        }
    }
    if sites == 0 {
        return Err(ImportError::Nothing(
            "there is no site address: is this a Caddyfile?".to_owned(),
        ));
    }
    Ok(finish(page, &places))
}

/// What stands before the blocks of the outermost level; without a block the first line is the address.
fn addresses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut pending: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        let opens = line.ends_with('{') && (line.len() == 1 || line.ends_with(" {"));
        if depth == 0 {
            let head = if opens {
                line[..line.len() - 1].trim()
            } else {
                line
            };
            let is_continued = head.ends_with(',');
            pending.extend(
                head.split([',', ' ', '\t'])
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned),
            );
            if opens || !is_continued && found.is_empty() {
                // `(name)` is a snippet, `&(name)` a route of its own, no address the options of all.
                let is_site = !head.starts_with(['(', '&']) && !head.starts_with("import");
                if is_site {
                    found.append(&mut pending);
                }
                pending.clear();
            }
        }
        if opens {
            depth += 1;
        } else if line == "}" {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 && line == "}" {
            pending.clear();
        }
    }
    found
}

/// A `#` begins a comment at the start of a word.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return &line[..at];
        }
        before = c;
    }
    line
}

fn place(page: &mut Page, address: &str) -> Option<Place> {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, address),
    };
    let (host_port, path) = match rest.find('/') {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, ""),
    };
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (host_port, None),
    };
    if host.is_empty() {
        // `:8080` serves whatever name it is asked for.
        return None;
    }
    if !is_one_host(page, host) {
        return None;
    }
    let is_plain = scheme == Some("http") || (scheme.is_none() && port == Some(80));
    Some(Place {
        host: host.to_owned(),
        is_tls: !is_plain,
        port,
        path: path.trim_end_matches('*').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_before_blocks() {
        for (text, wanted) in [
            ("a.example {\n  respond ok\n}\n", "a.example"),
            ("a.example\nreverse_proxy localhost:1\n", "a.example"),
            (
                "{\n  email x@y.example\n}\n\n(snip) {\n  log\n}\na.example, b.example {\n  import snip\n  handle /x {\n    respond no\n  }\n}\nc.example:8443 { # note\n}\n",
                "a.example b.example c.example:8443",
            ),
            ("a.example,\nb.example {\n}\n", "a.example b.example"),
            ("# nothing\n", ""),
        ] {
            assert_eq!(addresses(text).join(" "), wanted, "{text}");
        }
    }
}
