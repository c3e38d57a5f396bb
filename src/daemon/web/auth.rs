//! Who asks: somebody with the token, or anybody.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use crate::domain::secret::Secret;
use crate::view::json::Audience;

/// What a request may see; `urls` says whether the public sees the monitored URLs.
///
/// A token that is wrong counts as none: what it would open does not exist then either.
pub(super) fn audience(headers: &HeaderMap, token: Option<&Secret>, urls: bool) -> Audience {
    let (Some(token), Some(given)) = (token, bearer(headers)) else {
        return Audience::Public { urls };
    };
    // Digests have one length and share no prefix with the token: how long this takes tells nothing.
    let equal = Sha256::digest(given)
        .iter()
        .zip(Sha256::digest(token.reveal().as_bytes()).iter())
        .fold(0, |differing, (a, b)| differing | (a ^ b))
        == 0;
    if equal && !token.reveal().is_empty() {
        Audience::Owner
    } else {
        Audience::Public { urls }
    }
}

/// The credentials of `Authorization: Bearer`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let token = Secret::new("s3cret-token");
        for (given, want) in [
            ("Bearer s3cret-token", Audience::Owner),
            ("bearer  s3cret-token ", Audience::Owner),
            ("Bearer s3cret-toke", Audience::Public { urls: false }),
            ("Bearer s3cret-token2", Audience::Public { urls: false }),
            ("Bearer ", Audience::Public { urls: false }),
            ("Basic s3cret-token", Audience::Public { urls: false }),
            ("s3cret-token", Audience::Public { urls: false }),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, given.parse().unwrap())]);
            assert_eq!(audience(&headers, Some(&token), false), want, "{given}");
            assert_eq!(
                audience(&headers, None, false),
                Audience::Public { urls: false }
            );
        }
        assert_eq!(
            audience(&HeaderMap::new(), Some(&token), false),
            Audience::Public { urls: false }
        );
    }
}
