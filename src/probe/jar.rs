//! The cookie jar that lives for one check.

use cookie_store::CookieStore;
use url::Url;

/// More cookies in one check are a bug of the site's; browsers stop at 180 a domain.
const COOKIES_MAX: usize = 180;

/// A cookie longer than this is not kept (RFC 6265 section 6.1).
const COOKIE_BYTES_MAX: usize = 4096;

/// Cookies by the rules of RFC 6265: host, path, Secure. Empty and free until a site sets one.
#[derive(Debug, Default)]
pub(super) struct Jar(Option<Box<(CookieStore, usize)>>);

impl Jar {
    /// Keeps what an answer from `url` sets.
    pub(super) fn keep<'a>(&mut self, url: &Url, values: impl Iterator<Item = &'a [u8]>) {
        for value in values {
            let Ok(value) = std::str::from_utf8(value) else {
                continue;
            };
            let (store, kept) = &mut **self.0.get_or_insert_default();
            if value.len() <= COOKIE_BYTES_MAX && *kept < COOKIES_MAX {
                *kept += 1;
                // A cookie that is none, or is for another host, is passed over as in a browser.
                let _ = store.parse(value, url);
            }
        }
    }

    /// What is sent to `url`: longer paths first (RFC 6265 section 5.4), then by name; empty for none.
    /// What is marked Secure goes over https alone, to loopback too, where the store would let it pass.
    pub(super) fn header(&self, url: &Url) -> String {
        let Some(inner) = &self.0 else {
            return String::new();
        };
        let mut cookies: Vec<_> = inner
            .0
            .matches(url)
            .into_iter()
            .filter(|cookie| url.scheme() == "https" || cookie.secure() != Some(true))
            .map(|cookie| (cookie.path.len(), cookie.name(), cookie.value()))
            .collect();
        cookies.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        cookies
            .iter()
            .map(|(_, name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_rules_of_a_browser() {
        let url = |text: &str| Url::parse(text).unwrap();
        let mut jar = Jar::default();
        assert_eq!(jar.header(&url("http://example.com/")), "");
        jar.keep(
            &url("https://www.example.com/shop/"),
            [
                &b"here=1"[..],
                b"all=2; Domain=example.com; Path=/",
                b"safe=3; Secure; Path=/",
                b"foreign=4; Domain=other.example",
                b"gone=5; Max-Age=0",
                b"\xff\xfe=6",
                b"junk",
            ]
            .into_iter(),
        );
        for (to, want) in [
            ("https://www.example.com/shop/x", "here=1; all=2; safe=3"),
            ("https://www.example.com/", "all=2; safe=3"),
            ("http://www.example.com/", "all=2"),
            ("https://example.com/shop/", "all=2"),
            ("https://other.example/", ""),
        ] {
            assert_eq!(jar.header(&url(to)), want, "{to}");
        }
        let mut jar = Jar::default();
        let set = [&b"safe=1; Secure"[..], b"plain=2"];
        jar.keep(&url("https://127.0.0.1/"), set.into_iter());
        assert_eq!(jar.header(&url("http://127.0.0.1/")), "plain=2");
        assert_eq!(jar.header(&url("https://127.0.0.1/")), "plain=2; safe=1");
    }
}
