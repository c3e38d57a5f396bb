//! A place that a web server or reverse proxy serves.

use std::collections::BTreeSet;

use crate::config::import::toml_writer::{Entry, Imported, Page, Weight, literal};

/// A place that is served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) host: String,
    /// Whether it is served over TLS.
    pub(super) is_tls: bool,
    /// The port, where it is not the scheme's.
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

impl Place {
    fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let usual = if self.is_tls { 443 } else { 80 };
        let port = self
            .port
            .filter(|port| *port != usual)
            .map_or_else(String::new, |port| format!(":{port}"));
        let path = match self.path.is_empty() {
            true => "/",
            false => &self.path,
        };
        format!("{scheme}://{}{port}{path}", self.host)
    }
}

/// Writes the places, each once; one that is served over TLS too is checked over TLS only.
pub(super) fn finish(mut page: Page, places: &BTreeSet<Place>) -> Imported {
    let over_tls: BTreeSet<(&str, &str)> = places
        .iter()
        .filter(|place| place.is_tls)
        .map(|place| (place.host.as_str(), place.path.as_str()))
        .collect();
    for place in places {
        let has_twin = !place.is_tls
            && place.port.is_none_or(|port| port == 80)
            && over_tls.contains(&(place.host.as_str(), place.path.as_str()));
        if !has_twin {
            page.push(Entry::new(None, &literal(&place.url())));
        }
    }
    page.finish()
}

/// Whether a name is one host, not a pattern; patterns are named as lost.
pub(super) fn is_one_host(page: &mut Page, name: &str) -> bool {
    if name.is_empty() || name == "_" {
        return false;
    }
    let is_plain = name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
    let is_named = name.contains(['.', ':']) || name == "localhost";
    if !is_plain || !is_named {
        page.lose(
            Weight::Unchecked,
            "not checked (a pattern or a name without a domain stands for no one host)",
            name,
        );
    }
    is_plain && is_named
}
