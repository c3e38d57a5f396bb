//! The cookies of one check.

use url::Url;

use super::set_cookie::Cookie;
use crate::domain::timestamp::Timestamp;

/// So many cookies are kept, as browsers keep them for one domain; then the one that was used longest ago goes.
const COOKIES_MAX: usize = 180;

/// What they take in all. A tenth of it in a request is more than servers take.
const JAR_BYTES_MAX: usize = 256 * 1024;

/// A jar. Empty and free until a site sets a cookie.
#[derive(Debug, Default)]
pub struct Jar {
    /// In the order of their creation, which a renewal does not change, each with the count of its last use.
    cookies: Vec<(Cookie, u64)>,
    uses: u64,
}

impl Jar {
    /// Keeps what an answer from `url` sets.
    pub fn keep<'a>(&mut self, url: &Url, lines: impl Iterator<Item = &'a [u8]>, now: Timestamp) {
        for line in lines {
            if let Some(cookie) = Cookie::parse(line, url, now) {
                self.put(cookie, url, now);
            }
        }
    }

    fn put(&mut self, cookie: Cookie, url: &Url, now: Timestamp) {
        // What was set over https is not overwritten over http.
        let hides_a_secure_one = url.scheme() != "https"
            && self.cookies.iter().any(|(other, _)| {
                other.is_secure
                    && other.name == cookie.name
                    && (other.is_for_host(&cookie.domain) || cookie.is_for_host(&other.domain))
                    && other.is_for_path(&cookie.path)
            });
        if hides_a_secure_one {
            return;
        }
        let old = self
            .cookies
            .iter()
            .position(|(other, _)| other.is_same(&cookie));
        if cookie.is_over(now) {
            if let Some(old) = old {
                self.cookies.remove(old);
            }
            return;
        }
        self.uses += 1;
        match old {
            Some(old) => self.cookies[old] = (cookie, self.uses),
            None => self.cookies.push((cookie, self.uses)),
        }
        let bytes = |jar: &Self| jar.cookies.iter().map(|(it, _)| it.size()).sum::<usize>();
        while self.cookies.len() > COOKIES_MAX || bytes(self) > JAR_BYTES_MAX {
            let key =
                |(cookie, used): &(Cookie, u64)| (!cookie.is_over(now), cookie.is_secure, *used);
            let first = (0..self.cookies.len()).min_by_key(|at| key(&self.cookies[*at]));
            let Some(first) = first else { return };
            self.cookies.remove(first);
        }
    }

    /// What is sent to `url`: longer paths first, then older cookies (RFC 6265 section 5.4); empty for none.
    pub fn header(&mut self, url: &Url, now: Timestamp) -> Vec<u8> {
        let mut header = Vec::new();
        if self.cookies.is_empty() {
            return header;
        }
        let host = url.host_str().unwrap_or_default();
        let is_secure = url.scheme() == "https";
        self.uses += 1;
        let mut sent: Vec<&Cookie> = Vec::new();
        for (cookie, used) in &mut self.cookies {
            let goes = cookie.is_for_host(host)
                && cookie.is_for_path(url.path())
                && (is_secure || !cookie.is_secure)
                && !cookie.is_over(now);
            if goes {
                *used = self.uses;
                sent.push(cookie);
            }
        }
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        for cookie in sent {
            if !header.is_empty() {
                header.extend_from_slice(b"; ");
            }
            if !cookie.name.is_empty() {
                header.extend_from_slice(&cookie.name);
                header.push(b'=');
            }
            header.extend_from_slice(&cookie.value);
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000)
    }

    fn filled(from: &str, lines: &[&[u8]]) -> Jar {
        let mut jar = Jar::default();
        jar.keep(&url(from), lines.iter().copied(), now());
        jar
    }

    fn sent(jar: &mut Jar, to: &str) -> String {
        String::from_utf8_lossy(&jar.header(&url(to), now())).into_owned()
    }

    /// What one line set by `from` sends to `to`.
    fn check(from: &str, line: &str, to: &str, want: &str) {
        let mut jar = filled(from, &[line.as_bytes()]);
        assert_eq!(sent(&mut jar, to), want, "{from} {line} {to}");
    }

    #[test]
    fn follows_the_rules_of_a_browser() {
        let mut jar = Jar::default();
        assert_eq!(sent(&mut jar, "http://example.com/"), "");
        let mut jar = filled(
            "https://www.example.com/shop/",
            &[
                b"here=1",
                b"all=2; Domain=example.com; Path=/",
                b"safe=3; Secure; Path=/",
                b"foreign=4; Domain=other.example",
                b"gone=5; Max-Age=0",
            ],
        );
        for (to, want) in [
            ("https://www.example.com/shop/x", "here=1; all=2; safe=3"),
            ("https://www.example.com/", "all=2; safe=3"),
            ("http://www.example.com/", "all=2"),
            ("https://example.com/shop/", "all=2"),
            ("https://other.example/", ""),
        ] {
            assert_eq!(sent(&mut jar, to), want, "{to}");
        }
        // Loopback is no exception.
        let mut jar = filled("https://127.0.0.1/", &[b"safe=1; Secure", b"plain=2"]);
        assert_eq!(sent(&mut jar, "http://127.0.0.1/"), "plain=2");
        assert_eq!(sent(&mut jar, "https://127.0.0.1/"), "safe=1; plain=2");
    }

    #[test]
    fn names_and_values_are_what_was_sent() {
        let site = "http://example.com/";
        for (line, want) in [
            ("a=1", "a=1"),
            (" a = 1 ; Path=/", "a=1"),
            ("a=\"b c,d\"", "a=\"b c,d\""),
            ("a=b=c", "a=b=c"),
            ("a=", "a="),
            ("justvalue; Path=/", "justvalue"),
            ("=value", "value"),
            ("", ""),
            ("=", ""),
            ("; Path=/", ""),
            ("a=\u{1}", ""),
            ("a=b\tc", "a=b\tc"),
            ("a=ü", "a=ü"),
        ] {
            check(site, line, site, want);
        }
        let mut jar = filled(site, &[b"a=\xff\xfe", b"\xe9=1"]);
        assert_eq!(jar.header(&url(site), now()), b"a=\xff\xfe; \xe9=1");
        let long = format!("a={}", "x".repeat(4095));
        check(site, &long, site, &long);
        check(site, &format!("{long}x"), site, "");
    }

    #[test]
    fn domains_and_paths() {
        let shop = "http://shop.example.com/a/b";
        for (line, to, want) in [
            ("a=1", shop, "a=1"),
            ("a=1", "http://shop.example.com/a", "a=1"),
            ("a=1", "http://shop.example.com/ab", ""),
            ("a=1", "http://shop.example.com/", ""),
            ("a=1", "http://x.shop.example.com/a/b", ""),
            ("a=1; Domain=", shop, "a=1"),
            ("a=1; Domain=", "http://x.shop.example.com/a/", ""),
            ("a=1; Domain=.example.com", "http://x.example.com/a/", "a=1"),
            ("a=1; Domain=EXAMPLE.com", "http://example.com/a/", "a=1"),
            ("a=1; Domain=ample.com", shop, ""),
            ("a=1; Domain=x.shop.example.com", shop, ""),
            ("a=1; Domain=com", shop, ""),
            ("a=1; Domain=.com", shop, ""),
            ("a=1; Domain=other.test; Domain=example.com", shop, "a=1"),
            ("a=1; Path=in", shop, "a=1"),
            ("a=1; Path=/", "http://shop.example.com/", "a=1"),
            ("a=1; Path=/a/b/", "http://shop.example.com/a/b", ""),
            ("a=1; Path=/a/b/", "http://shop.example.com/a/b/c", "a=1"),
        ] {
            check(shop, line, to, want);
        }
        let address = "http://127.0.0.1/";
        check(address, "t=1; Domain=127.0.0.1", address, "t=1");
        check(address, "t=1; Domain=0.0.1", address, "");
        check("http://[::1]/", "t=1; Domain=[::1]", "http://[::1]/", "t=1");
        check(
            "http://b\u{fc}cher.example/",
            "t=1; Domain=b\u{fc}cher.example",
            "http://www.xn--bcher-kva.example/",
            "t=1",
        );
    }

    #[test]
    fn nobody_sets_cookies_for_strangers() {
        for suffix in ["co.uk", "uk", "com.au", "github.io"] {
            let host = format!("http://a.{suffix}/");
            let line = format!("t=1; Domain={suffix}");
            check(&host, &line, &host, "");
            check(&host, &line, &format!("http://victim.{suffix}/"), "");
            // The site of the suffix itself has it to itself.
            let own = format!("http://{suffix}/");
            check(&own, &line, &own, "t=1");
            check(&own, &line, &host, "");
            // The final dot of a name makes no other one of it.
            let dotted = format!("http://a.{suffix}./");
            let line = format!("t=1; Domain={suffix}.");
            check(&dotted, &line, &format!("http://victim.{suffix}./"), "");
        }
        check(
            "http://localhost/",
            "t=1; Domain=localhost",
            "http://localhost/",
            "t=1",
        );
    }

    #[test]
    fn dates_delete() {
        let site = "http://example.com/";
        for (line, want) in [
            ("f=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
            ("f=1; Expires=Thu, 01 Jan 1970 00:00:00 UTC", ""),
            ("f=1; Expires=Thu, 1 Jan 1970 00:00:00 GMT", ""),
            ("f=1; expires=\"thu, 01-jan-70 00:00:00\"", ""),
            ("f=1; Expires=Mon, 01-Jan-1601 00:00:00 GMT", ""),
            ("f=1; Expires=Fri, 31 Dec 2100 00:00:00 GMT", "f=1"),
            ("f=1; Expires=0", "f=1"),
            ("f=1; Expires=soon", "f=1"),
            ("f=1; Expires=", "f=1"),
            ("f=1; Max-Age=0", ""),
            ("f=1; Max-Age=-1", ""),
            ("f=1; Max-Age=-99999999999999999999", ""),
            ("f=1; Max-Age=99999999999999999999", "f=1"),
            (
                "f=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "f=1",
            ),
            ("f=1; Expires=Fri, 31 Dec 2100 00:00:00 GMT; Max-Age=0", ""),
            (
                "f=1; Max-Age=soon; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "",
            ),
            ("f=1; Max-Age=1.5", "f=1"),
            ("f=1; Max-Age=", "f=1"),
        ] {
            check(site, line, site, want);
            // It takes one away that was there.
            let mut jar = filled(site, &[b"f=0", line.as_bytes()]);
            assert_eq!(sent(&mut jar, site), want, "{line}");
        }
        let mut jar = filled(site, &[b"f=1; Max-Age=2"]);
        let later = now().plus(Duration::from_secs(2));
        assert_eq!(jar.header(&url(site), later), b"");
    }

    #[test]
    fn names_that_promise_something_keep_it() {
        let (http, https) = ("http://example.com/", "https://example.com/");
        for (from, line, want) in [
            (http, "__Host-t=1; Path=/", ""),
            (http, "__Host-t=1; Path=/; Secure", ""),
            (https, "__Host-t=1; Path=/; Secure", "__Host-t=1"),
            (https, "__Host-t=1; Path=/", ""),
            (https, "__Host-t=1; Secure", ""),
            (https, "__Host-t=1; Path=/; Secure; Domain=example.com", ""),
            (https, "__host-t=1; Path=/", ""),
            (https, "__Secure-t=1; Secure", "__Secure-t=1"),
            (https, "__Secure-t=1", ""),
            (http, "__Secure-t=1; Secure", ""),
            (https, "__SECURE-t=1", ""),
            (https, "=__Host-t=1; Path=/; Secure", ""),
            (https, "__Secure-t; Secure", ""),
            (http, "t=1; Secure", ""),
            (https, "t=1; Secure", "t=1"),
        ] {
            check(from, line, https, want);
        }
        let mut jar = filled(https, &[b"t=safe; Secure"]);
        jar.keep(&url(http), [&b"t=plain"[..], b"u=1"].into_iter(), now());
        assert_eq!(sent(&mut jar, https), "t=safe; u=1");
    }

    #[test]
    fn a_full_jar_gives_up_what_was_used_longest_ago() {
        let site = "http://example.com/";
        let mut jar = Jar::default();
        let lines = |from: usize, to: usize| -> Vec<Vec<u8>> {
            (from..to)
                .map(|n| format!("c{n}=1; Path=/p{n}").into_bytes())
                .collect()
        };
        let keep = |jar: &mut Jar, lines: &[Vec<u8>]| {
            jar.keep(&url(site), lines.iter().map(Vec::as_slice), now());
        };
        // Renewals and deletions take no room.
        for _ in 0..9 {
            keep(&mut jar, &lines(0, 21));
            keep(&mut jar, &[b"gone=1; Max-Age=0".to_vec()]);
        }
        keep(&mut jar, &[b"ticket=1".to_vec()]);
        assert_eq!(jar.cookies.len(), 22);
        keep(&mut jar, &lines(21, 179));
        assert_eq!(jar.cookies.len(), 180);
        assert_eq!(sent(&mut jar, "http://example.com/p0"), "c0=1; ticket=1");
        keep(&mut jar, &lines(179, 200));
        assert_eq!(jar.cookies.len(), 180);
        assert_eq!(sent(&mut jar, "http://example.com/p0"), "c0=1; ticket=1");
        assert_eq!(sent(&mut jar, "http://example.com/p1"), "ticket=1");
        assert_eq!(
            sent(&mut jar, "http://example.com/p199"),
            "c199=1; ticket=1"
        );
    }

    #[test]
    fn a_bomb_is_bounded() {
        let site = "http://example.com/";
        let mut jar = Jar::default();
        for n in 0..1000 {
            let line = format!("c{n}={}; Path=/", "x".repeat(4000));
            jar.keep(&url(site), std::iter::once(line.as_bytes()), now());
        }
        assert!(jar.header(&url(site), now()).len() <= JAR_BYTES_MAX + 2 * COOKIES_MAX);
    }
}
