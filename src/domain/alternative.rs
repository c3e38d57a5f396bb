//! Another place for a site, by its own word.

use std::net::SocketAddr;

use url::{Host, Url};

/// Where a site says that it serves HTTP/3 (RFC 7838, RFC 9460).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alternative {
    /// The host and port of the https URL that it stands for.
    pub origin: (String, u16),
    /// Where it is; `None`: at the origin's own host.
    pub host: Option<Host<String>>,
    /// Its UDP port.
    pub port: u16,
    /// Whether the origin was reached at a public address, so that the alternative may not be at a private one.
    pub public_only: bool,
}

impl Alternative {
    /// The alternative for the URL of an answer that came from `peer`; `None` if the URL is not https.
    pub fn of(
        url: &Url,
        peer: Option<SocketAddr>,
        at: (Option<Host<String>>, u16),
        is_public: impl Fn(SocketAddr) -> bool,
    ) -> Option<Self> {
        if url.scheme() != "https" {
            return None;
        }
        Some(Self {
            origin: (url.host_str()?.to_owned(), url.port_or_known_default()?),
            host: at.0,
            port: at.1,
            public_only: peer.is_some_and(is_public),
        })
    }

    /// Whether it stands for this URL.
    pub fn is_for(&self, url: &Url) -> bool {
        url.scheme() == "https"
            && url.host_str() == Some(self.origin.0.as_str())
            && url.port_or_known_default() == Some(self.origin.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alternative_stands_for_its_origin_alone() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let found = Alternative::of(&url("https://a.example/x"), None, (None, 8443), |_| true);
        let found = found.expect("an https URL");
        for (text, wanted) in [
            ("https://a.example/", true),
            ("https://a.example:443/y", true),
            ("https://a.example:444/", false),
            ("https://b.example/", false),
            ("http://a.example:443/", false),
        ] {
            assert_eq!(found.is_for(&url(text)), wanted, "{text}");
        }
        assert!(Alternative::of(&url("http://a.example/"), None, (None, 1), |_| true).is_none());
    }
}
