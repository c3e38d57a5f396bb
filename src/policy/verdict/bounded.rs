//! Limits the site's own texts that one check keeps: all of what honest sites send, a bounded part of anything else.

use crate::domain::check::{Chain, Redirect};
use crate::domain::safe_text;

/// A URL or a Location of a chain. Servers and browsers of today refuse longer ones, most of them at 8 KiB.
const URL_BYTES_MAX: usize = 8 * 1024;

/// All of a chain: a sign-on through four hops with a request of 4 KB in each URL and Location takes half of it.
const CHAIN_BYTES_MAX: usize = 64 * 1024;

/// A URL or a Location that comes after those have been spent.
const LEFT_BYTES_MAX: usize = 256;

/// Cuts the texts of a chain in their middles.
pub fn chain(mut chain: Chain) -> Chain {
    let mut left = CHAIN_BYTES_MAX;
    // Where it ends matters most.
    if let Some(cut) = shorter(&chain.final_url, &mut left) {
        chain.final_url = cut.into();
    }
    for Redirect { url, location, .. } in &mut chain.redirects {
        for whole in [Some(url), location.as_mut()].into_iter().flatten() {
            if let Some(cut) = shorter(whole, &mut left) {
                *whole = cut;
            }
        }
    }
    chain
}

fn shorter(whole: &str, left: &mut usize) -> Option<String> {
    let most = match whole.len() <= *left {
        true => URL_BYTES_MAX,
        false => (*left).clamp(LEFT_BYTES_MAX, URL_BYTES_MAX),
    };
    let cut = safe_text::middle_bytes(whole, most);
    *left = left.saturating_sub(cut.len());
    match cut {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(cut) => Some(cut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hops: usize, bytes: usize) -> Chain {
        let long = |n: usize| format!("http://a.example/{n}/{}", "x".repeat(bytes));
        chain(Chain {
            redirects: (0..hops)
                .map(|n| Redirect {
                    url: long(n),
                    status: 302,
                    location: Some(long(n + 1)),
                    remote_addr: None,
                })
                .collect(),
            final_url: long(hops).into(),
            remote_addr: None,
        })
    }

    fn bytes(chain: &Chain) -> usize {
        let hops = chain.redirects.iter();
        let hops = hops.map(|hop| hop.url.len() + hop.location.as_ref().map_or(0, String::len));
        hops.sum::<usize>() + chain.final_url.len()
    }

    #[test]
    fn honest_chains_are_whole_and_others_bounded() {
        assert!(!format!("{:?}", of(4, 4000)).contains('…'));
        assert!(!format!("{:?}", of(10, 2000)).contains('…'));
        for (hops, each) in [
            (10, 31_000),
            (50, 31_000),
            (50, 8000),
            (50, 1300),
            (1, 32_000),
        ] {
            let cut = of(hops, each);
            assert!(bytes(&cut) <= CHAIN_BYTES_MAX + 101 * LEFT_BYTES_MAX);
            assert_eq!(cut.redirects.len(), hops);
            assert!(
                cut.final_url
                    .starts_with(&format!("http://a.example/{hops}/"))
            );
        }
        // Two ways that were cut stay two.
        assert_ne!(of(1, 31_000), of(2, 31_000));
    }
}
