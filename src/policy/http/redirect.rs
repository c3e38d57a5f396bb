//! Follow a redirect or stop: RFC 9110 section 15.4 and the Fetch standard's HTTP-redirect fetch.

use std::borrow::Cow;
use std::net::IpAddr;

use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::private_address::is_private;
use crate::domain::check::FailureKind;
use crate::domain::redaction;
use crate::domain::safe_text;
use crate::domain::target::{Method, Target};

/// A URL longer than this is followed by nobody (hyper's own limit is 65 534 bytes).
const URL_BYTES_MAX: usize = 32 * 1024;

/// A Location in a message is cut to this many characters.
const SHOWN_CHARS: usize = 160;

/// One request of a chain.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where it goes. The fragment is kept for show and is never sent.
    pub url: Url,
    /// What it asks.
    pub method: Method,
    /// Whether the target's body goes with it.
    pub keeps_body: bool,
    /// Whether credentials, user-set headers and a client certificate go with it: not after the
    /// origin has changed once, also when the chain comes back.
    pub keeps_credentials: bool,
}

/// What follows from an answer.
#[derive(Debug, Clone)]
pub enum Next {
    /// It is the final one.
    Stay,
    /// It leads on.
    Follow(Request),
    /// It leads on, but not for us.
    Refuse {
        /// One of the `redirect_*` kinds.
        kind: FailureKind,
        /// One line for a person.
        detail: String,
    },
}

impl Request {
    /// The first request of a chain.
    pub fn first(target: &Target) -> Self {
        Self {
            url: target.url(),
            method: target.method.clone(),
            keeps_body: target.body.is_some(),
            keeps_credentials: true,
        }
    }
}

/// Whether a status is a redirect status: 300, 304, 305 and 306 are final answers.
pub const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Decides on the answer to `current`, `redirects` of which came before it. `locations` are the
/// values of all its Location fields.
pub fn next(
    target: &Target,
    current: &Request,
    status: u16,
    locations: &[&[u8]],
    redirects: usize,
) -> Next {
    if !target.follow_redirects || !is_redirect(status) {
        return Next::Stay;
    }
    let refuse = |kind, detail| Next::Refuse { kind, detail };
    let url = match destination(&current.url, locations) {
        Ok(url) => url,
        Err(why) => {
            return refuse(FailureKind::RedirectInvalid, format!("{status} {why}"));
        }
    };
    if redirects >= usize::from(target.max_redirects) {
        let detail = match target.max_redirects {
            0 => format!("{status} to {}, and no redirect is allowed", shown(&url)),
            most => format!(
                "more than {most} redirects; the last leads to {}",
                shown(&url)
            ),
        };
        return refuse(FailureKind::RedirectLimit, detail);
    }
    if current.url.scheme() == "https" && url.scheme() == "http" && !target.allow_downgrade {
        let detail = format!(
            "{status} leads from https to {}; allow_downgrade lets it pass",
            shown(&url)
        );
        return refuse(FailureKind::RedirectDowngrade, detail);
    }
    let (method, keeps_body) = rewritten(current, status);
    Next::Follow(Request {
        keeps_credentials: current.keeps_credentials && url.origin() == current.url.origin(),
        url,
        method,
        keeps_body,
    })
}

/// 301 and 302 turn POST into GET, 303 turns everything but HEAD (and GET) into GET; 307 and 308
/// change nothing.
fn rewritten(current: &Request, status: u16) -> (Method, bool) {
    let to_get = match status {
        301 | 302 => current.method == Method::Post,
        303 => !matches!(current.method, Method::Get | Method::Head),
        _ => false,
    };
    if to_get {
        (Method::Get, false)
    } else {
        (current.method.clone(), current.keeps_body)
    }
}

/// Where Location leads, seen from `base`, with the fragment inherited (RFC 9110 section 10.2.2).
///
/// # Errors
/// One clause that fits after the status.
pub fn destination(base: &Url, locations: &[&[u8]]) -> Result<Url, String> {
    let raw = match locations {
        [] => return Err("without a Location".to_owned()),
        [one] => one,
        // The same value twice is sloppy; two values are two destinations.
        [first, rest @ ..] if rest.iter().all(|other| other == first) => first,
        several => return Err(format!("with {} different Locations", several.len())),
    };
    let raw = raw.trim_ascii();
    if raw.is_empty() {
        return Err("with an empty Location".to_owned());
    }
    let written = as_text(raw);
    let reference = with_two_slashes(&written);
    let quoted = || {
        safe_text::middle(
            &safe_text::line(&redaction::shown(&written), 2000),
            SHOWN_CHARS,
        )
        .into_owned()
    };
    let mut url = base.join(&reference).map_err(|error| {
        format!(
            "with a Location that is not a valid URL ({error}): `{}`",
            quoted()
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("leads out of HTTP: `{}`", quoted()));
    }
    // What a monitor is redirected with is not a secret that it should hand on.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.fragment().is_none() {
        url.set_fragment(base.fragment());
    }
    if url.as_str().len() > URL_BYTES_MAX || hyper::http::Uri::try_from(url.as_str()).is_err() {
        return Err(format!(
            "with a Location that cannot be requested: `{}`",
            quoted()
        ));
    }
    Ok(url)
}

/// Slashes before a host may be many to a browser, of either kind; the parser knows two, unless a scheme
/// stands before them.
fn with_two_slashes(reference: &str) -> Cow<'_, str> {
    let start = reference.trim_start_matches(|c: char| c <= ' ');
    let rest = start.trim_start_matches(['/', '\\', '\t']);
    let slashes = start[..start.len() - rest.len()].matches(['/', '\\']);
    if slashes.count() > 2 {
        Cow::Owned(format!("//{rest}"))
    } else {
        Cow::Borrowed(reference)
    }
}

/// The bytes of a Location as text: UTF-8 as browsers take it, other bytes percent-encoded.
fn as_text(raw: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(raw) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(raw.len() + 16);
            for chunk in raw.utf8_chunks() {
                text.push_str(chunk.valid());
                for byte in chunk.invalid() {
                    text.push_str(&format!("%{byte:02X}"));
                }
            }
            Cow::Owned(text)
        }
    }
}

fn shown(url: &Url) -> String {
    safe_text::middle(
        &redaction::shown(&redaction::without_userinfo(url)),
        SHOWN_CHARS,
    )
    .into_owned()
}

/// The private address that a URL names literally, if it does.
pub fn private_literal(url: &Url) -> Option<IpAddr> {
    private_address_of(&url.host()?)
}

/// The same of a host.
pub fn private_address_of(host: &Host<&str>) -> Option<IpAddr> {
    let address = match host {
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
        Host::Domain(_) => return None,
    };
    is_private(address).then_some(address)
}

/// The requests that a chain has behind it, to find one that comes again: a digest of each, since a site decides how
/// long URL and cookies are. A check without a redirect keeps none.
#[derive(Debug, Default)]
pub struct Seen(Vec<[u8; 16]>);

impl Seen {
    /// Notes a request that was answered with a redirect.
    pub fn note(&mut self, request: &Request, cookies: &[u8]) {
        self.0.push(digest(request, cookies));
    }

    /// Whether the same method, URL (without fragment) and cookies came before.
    pub fn holds(&self, request: &Request, cookies: &[u8]) -> bool {
        !self.0.is_empty() && self.0.contains(&digest(request, cookies))
    }
}

fn digest(request: &Request, cookies: &[u8]) -> [u8; 16] {
    let url = request.url.as_str();
    let fragment = request.url.fragment().map_or(0, |text| text.len() + 1);
    let mut hash = Sha256::new();
    for part in [request.method.as_str(), &url[..url.len() - fragment]] {
        hash.update(part);
        hash.update([0]);
    }
    // In whatever order a site sets the same cookies.
    let mut cookies: Vec<&[u8]> = cookies
        .split(|byte| *byte == b';')
        .map(<[u8]>::trim_ascii)
        .collect();
    cookies.sort_unstable();
    for cookie in cookies {
        hash.update(cookie);
        hash.update(b";");
    }
    let whole: [u8; 32] = hash.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&whole[..16]);
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(base: &str, locations: &[&[u8]], want: &str) {
        let base = Url::parse(base).unwrap();
        let got = match destination(&base, locations) {
            Ok(url) => url.to_string(),
            Err(why) => why,
        };
        assert_eq!(got, want, "{locations:?}");
    }

    #[test]
    fn locations_resolve_as_in_a_browser() {
        let base = "http://example.com/a/b?q=1#frag";
        for (location, want) in [
            ("/x", "http://example.com/x#frag"),
            ("c", "http://example.com/a/c#frag"),
            ("../c", "http://example.com/c#frag"),
            ("?r=2", "http://example.com/a/b?r=2#frag"),
            ("#own", "http://example.com/a/b?q=1#own"),
            ("/x#own", "http://example.com/x#own"),
            ("//other.example/x", "http://other.example/x#frag"),
            ("https://other.example", "https://other.example/#frag"),
            ("HTTP://EXAMPLE.COM:80/", "http://example.com/#frag"),
            ("  /padded\t", "http://example.com/padded#frag"),
            ("/with space", "http://example.com/with%20space#frag"),
            ("/\u{fc}", "http://example.com/%C3%BC#frag"),
            (
                "//b\u{fc}cher.example/",
                "http://xn--bcher-kva.example/#frag",
            ),
            ("\\\\other.example\\x", "http://other.example/x#frag"),
            ("http:/x", "http://example.com/x#frag"),
            ("///other.example/x", "http://other.example/x#frag"),
            ("/\t\\//other.example", "http://other.example/#frag"),
            (
                "////",
                "with a Location that is not a valid URL (empty host): `////`",
            ),
            ("http://u:p@other.example/", "http://other.example/#frag"),
            ("./././x/..", "http://example.com/a/#frag"),
            ("", "with an empty Location"),
            ("   ", "with an empty Location"),
            (
                "mailto:ops@example.com",
                "leads out of HTTP: `mailto:ops@example.com`",
            ),
            (
                "javascript:alert(1)",
                "leads out of HTTP: `javascript:alert(1)`",
            ),
            (
                "ftp://example.com/",
                "leads out of HTTP: `ftp://example.com/`",
            ),
            (
                "http://exa mple.com/",
                "with a Location that is not a valid URL (invalid international domain name): `http://exa mple.com/`",
            ),
            (
                "http://[::1/",
                "with a Location that is not a valid URL (invalid IPv6 address): `http://[::1/`",
            ),
            (
                "http://example.com:99999/?token=abc",
                "with a Location that is not a valid URL (invalid port number): `http://example.com:99999/?token=***`",
            ),
        ] {
            check(base, &[location.as_bytes()], want);
        }
        check(base, &[b"/\xfc\xff"], "http://example.com/%FC%FF#frag");
        check(base, &[], "without a Location");
        check(base, &[b"/x", b"/x"], "http://example.com/x#frag");
        check(base, &[b"/x", b"/y"], "with 2 different Locations");
    }

    #[test]
    fn a_request_that_comes_again_is_known() {
        let request = |url: &str, method| Request {
            url: Url::parse(url).unwrap(),
            method,
            keeps_body: false,
            keeps_credentials: true,
        };
        let first = request("http://a.test/x#f", Method::Get);
        let mut seen = Seen::default();
        assert!(!seen.holds(&first, b"a=1; b=2"));
        seen.note(&first, b"a=1; b=2");
        for (url, method, cookies, want) in [
            ("http://a.test/x", Method::Get, &b"a=1; b=2"[..], true),
            ("http://a.test/x#g", Method::Get, b"b=2; a=1", true),
            ("http://a.test/x", Method::Post, b"a=1; b=2", false),
            ("http://a.test/y", Method::Get, b"a=1; b=2", false),
            ("http://a.test/x", Method::Get, b"a=1; b=3", false),
            ("http://a.test/x", Method::Get, b"", false),
        ] {
            let again = request(url, method);
            assert_eq!(seen.holds(&again, cookies), want, "{url} {cookies:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn any_location_resolves_or_is_refused(
            raw in proptest::collection::vec(any::<u8>(), 0..200),
            url in "https?://[a-z]{1,8}(:[0-9]{1,5})?/[!-~]{0,20}",
        ) {
            if let Ok(base) = Url::parse(&url)
                && let Ok(next) = destination(&base, &[&raw])
            {
                prop_assert!(matches!(next.scheme(), "http" | "https"));
                prop_assert!(next.has_host());
                prop_assert!(next.username().is_empty() && next.password().is_none());
                // What was resolved once resolves to itself.
                let again = destination(&base, &[next.as_str().as_bytes()]).unwrap();
                prop_assert_eq!(again, next);
            }
        }
    }
}
