//! Whether a site's redirects lead another way than they did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::check::Chain;

/// A site that balances between chains has few of them.
const KNOWN_MAX: usize = 5;

/// The redirect chains that a site is known to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The chain that counts as normal.
    pub baseline: Arc<Chain>,
    /// Fingerprints of the last five known ones, the newest last; the baseline's is among them.
    pub known: Vec<u64>,
    /// Another chain, not yet seen often enough.
    pub candidate: Option<Candidate>,
}

/// A chain on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which one.
    pub fingerprint: u64,
    /// How often in a row.
    pub count: u16,
}

impl Drift {
    /// Starts with a chain that is normal because it is the first.
    pub fn starting_with(chain: &Arc<Chain>) -> Self {
        Self {
            baseline: Arc::clone(chain),
            known: vec![fingerprint(chain)],
            candidate: None,
        }
    }

    /// Takes in the chain of one good check. Says whether it is unknown and came `needed` times in a row:
    /// then it is to be mailed, and [`Self::accept`]ed once it was.
    pub fn sees(&mut self, chain: &Arc<Chain>, needed: u16) -> bool {
        let seen = fingerprint(chain);
        if self.known.last() == Some(&seen) {
            self.candidate = None;
            return false;
        }
        let count = match self.candidate {
            Some(candidate) if candidate.fingerprint == seen => candidate.count.saturating_add(1),
            Some(_) | None => 1,
        };
        if count >= needed && self.known.contains(&seen) {
            let _ = self.accept(chain);
            return false;
        }
        self.candidate = Some(Candidate {
            fingerprint: seen,
            count: count.min(needed),
        });
        count >= needed
    }

    /// Takes a chain as known that was mailed of another location: it is no news when it comes here as well.
    pub fn expect(&mut self, chain: &Chain) {
        let told = fingerprint(chain);
        if self.known.contains(&told) {
            return;
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.remove(0);
        }
        // The newest stays the baseline's.
        self.known.insert(self.known.len().saturating_sub(1), told);
    }

    /// Makes a chain the baseline and returns the former one.
    pub fn accept(&mut self, chain: &Arc<Chain>) -> Arc<Chain> {
        let seen = fingerprint(chain);
        self.known.retain(|known| *known != seen);
        if self.known.len() >= KNOWN_MAX {
            self.known.remove(0);
        }
        self.known.push(seen);
        self.candidate = None;
        std::mem::replace(&mut self.baseline, Arc::clone(chain))
    }
}

/// What of a chain is compared: URLs without query and fragment, and codes. FNV-1a, since the value is
/// stored and must not change with the compiler.
pub fn fingerprint(chain: &Chain) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for redirect in &chain.redirects {
        feed(without_query(&redirect.url).as_bytes());
        feed(&[0]);
        feed(&redirect.status.to_be_bytes());
    }
    feed(&[1]);
    feed(without_query(&chain.final_url).as_bytes());
    hash
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::Redirect;

    fn chain(url: &str, status: u16, end: &str) -> Arc<Chain> {
        Arc::new(Chain {
            redirects: vec![Redirect {
                url: url.into(),
                status,
                location: None,
                remote_addr: None,
            }],
            final_url: end.into(),
            remote_addr: None,
        })
    }

    #[test]
    fn urls_and_codes_are_compared_and_what_varies_in_them_is_not() {
        let (from, to) = ("http://a.test/", "https://a.test/");
        let mut drift = Drift::starting_with(&chain(from, 302, to));
        for same in [
            chain("http://a.test/?session=1", 302, "https://a.test/?token=2"),
            chain(from, 302, "https://a.test/#top"),
        ] {
            assert!(!drift.sees(&same, 1), "{same:?}");
        }
        for other in [
            chain(from, 301, to),
            chain("http://a.test/x", 302, to),
            chain(from, 302, "https://a.test/x"),
        ] {
            assert!(drift.sees(&other, 1), "{other:?}");
        }
        // A known way that comes back is the baseline again, and no news.
        drift.accept(&chain(from, 301, to));
        assert!(!drift.sees(&chain(from, 302, to), 1));
        assert_eq!(drift.baseline, chain(from, 302, to));
    }
}
