//! A redirect chain as it is stored: URLs and codes, without the addresses, which change more often.

use serde::{Deserialize, Serialize};

use crate::domain::check::Chain;

/// URL, status and Location of each redirect, and where they ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Way {
    pub(in crate::store) redirects: Vec<(String, u16, Option<String>)>,
    pub(super) final_url: String,
}

impl Way {
    /// How many times a chain can be cut shorter.
    pub(super) const CUTS: u32 = 4;

    pub(in crate::store) fn of(chain: &Chain) -> Self {
        Self {
            redirects: chain
                .redirects
                .iter()
                .map(|hop| (hop.url.clone(), hop.status, hop.location.clone()))
                .collect(),
            final_url: chain.final_url.to_string(),
        }
    }

    pub(in crate::store) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    /// The same chain with shorter URLs: first without queries and fragments, then without paths, then without hosts;
    /// at last without its redirects, so that all chains are equal.
    #[must_use]
    pub(in crate::store) fn cut(&self, level: u32) -> Self {
        if level >= Self::CUTS {
            return Self {
                redirects: Vec::new(),
                final_url: "…".to_owned(),
            };
        }
        let shorter = |url: &str| match level {
            0 => url.to_owned(),
            1 => without_query(url).map_or_else(|| url.to_owned(), |rest| format!("{rest}?…")),
            2 => match url.split_once("://") {
                Some((scheme, rest)) => {
                    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                    format!("{scheme}://{host}/…")
                }
                None => "…".to_owned(),
            },
            _ => "…".to_owned(),
        };
        Self {
            redirects: self
                .redirects
                .iter()
                .map(|(url, status, location)| {
                    (shorter(url), *status, location.as_deref().map(shorter))
                })
                .collect(),
            final_url: shorter(&self.final_url),
        }
    }
}

fn without_query(url: &str) -> Option<&str> {
    url.find(['?', '#']).map(|end| &url[..end])
}

/// A number that is equal for chains with the same codes and the same URLs (without query and fragment).
pub(in crate::store) fn shape(way: &Way) -> i64 {
    // FNV-1a: stored, so it must be the same in every build.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (url, status, _) in &way.redirects {
        eat(without_query(url).unwrap_or(url).as_bytes());
        eat(&status.to_be_bytes());
    }
    eat(without_query(&way.final_url)
        .unwrap_or(&way.final_url)
        .as_bytes());
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(final_url: &str) -> Way {
        Way {
            redirects: vec![(
                "http://a/?n=1".to_owned(),
                302,
                Some(format!("{final_url}#x")),
            )],
            final_url: final_url.to_owned(),
        }
    }

    #[test]
    fn a_nonce_does_not_change_the_shape() {
        assert_eq!(
            shape(&way("http://a/in?s=1")),
            shape(&way("http://a/in?s=2"))
        );
        assert_ne!(shape(&way("http://a/in")), shape(&way("http://a/out")));
    }

    #[test]
    fn every_cut_leaves_less() {
        let whole = way("https://h:8/p/q?s=1");
        assert_eq!(whole.cut(1).final_url, "https://h:8/p/q?…");
        assert_eq!(whole.cut(2).final_url, "https://h:8/…");
        assert_eq!(whole.cut(3).final_url, "…");
        assert_eq!(whole.cut(3).redirects[0].1, 302);
    }
}
