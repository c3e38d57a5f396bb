//! A monitor's `url`, read: what is checked and where.

use std::borrow::Cow;
use std::fmt;

use url::{Host, Url};

use super::kind::SubjectKind;
use super::question::{DnsLocator, question};
use super::url_parts::{HostPort, LocatorError, Parts, a_url, icmp, socket, wrong};

/// A longer text is no host and no name.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// A monitor's `url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locator {
    /// `http://` or `https://`
    Http(Url),
    /// `tcp://HOST:PORT`
    Tcp(HostPort),
    /// `tls://HOST:PORT`
    Tls(HostPort),
    /// `icmp://HOST`
    Icmp(Host<String>),
    /// `dns://[SERVER[:PORT]]/NAME?type=TYPE`
    Dns(DnsLocator),
}

impl Locator {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead.
    pub fn parse(text: &str) -> Result<Self, LocatorError> {
        match SubjectKind::of_url(text) {
            Some(SubjectKind::Http) | None => match Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self::Http(url)),
                Ok(url) => wrong(
                    format!("the scheme `{}` cannot be checked", url.scheme()),
                    SCHEMES,
                ),
                Err(error) => wrong(error.to_string(), "write it like \"https://example.com/\""),
            },
            Some(kind) => Self::parse_of(kind, text),
        }
    }

    /// Reads a URL of a kind that is not HTTP.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead.
    pub fn parse_of(kind: SubjectKind, text: &str) -> Result<Self, LocatorError> {
        if text.len() > TEXT_BYTES_MAX {
            return wrong(
                format!("the URL has {} bytes", text.len()),
                format!("at most {TEXT_BYTES_MAX} are read"),
            );
        }
        let rest = text.split_once(':').map_or("", |(_, rest)| rest);
        let parts = match (rest.strip_prefix("//"), kind) {
            (Some(rest), _) => Parts::of(rest),
            // RFC 4501 lets the server and its slashes be left out.
            (None, SubjectKind::Dns) => Parts {
                authority: "",
                path: rest.split('?').next().unwrap_or_default(),
                query: rest.split_once('?').map(|(_, query)| query),
                fragment: None,
            },
            (None, _) => {
                let rest = rest.trim_start_matches('/');
                let scheme = kind.scheme();
                return wrong(
                    format!("`//` is missing after `{scheme}:`"),
                    format!("write \"{scheme}://{rest}\""),
                );
            }
        };
        if parts.authority.contains('@') {
            return wrong(
                format!("{} has no user name and no password", a_url(kind)),
                "leave out what stands before the @",
            );
        }
        if parts.fragment.is_some() {
            return wrong(
                format!("{} has no `#`", a_url(kind)),
                "leave it out, with what stands behind it",
            );
        }
        match kind {
            SubjectKind::Http => Self::parse(text),
            SubjectKind::Tcp => socket(kind, &parts).map(Self::Tcp),
            SubjectKind::Tls => socket(kind, &parts).map(Self::Tls),
            SubjectKind::Icmp => icmp(&parts).map(Self::Icmp),
            SubjectKind::Dns => question(&parts).map(Self::Dns),
        }
    }

    /// Its kind.
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Self::Http(_) => SubjectKind::Http,
            Self::Tcp(_) => SubjectKind::Tcp,
            Self::Tls(_) => SubjectKind::Tls,
            Self::Icmp(_) => SubjectKind::Icmp,
            Self::Dns(_) => SubjectKind::Dns,
        }
    }

    /// The URL of an HTTP monitor.
    pub const fn http(&self) -> Option<&Url> {
        match self {
            Self::Http(url) => Some(url),
            Self::Tcp(_) | Self::Tls(_) | Self::Icmp(_) | Self::Dns(_) => None,
        }
    }

    /// Whether it has a user name or a password.
    pub fn has_userinfo(&self) -> bool {
        self.http()
            .is_some_and(|url| !url.username().is_empty() || url.password().is_some())
    }

    /// Its text, in the one form that each URL has.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Http(url) => Cow::Borrowed(url.as_str()),
            Self::Tcp(_) | Self::Tls(_) | Self::Icmp(_) | Self::Dns(_) => {
                Cow::Owned(self.to_string())
            }
        }
    }

    /// The name of a monitor that was given none, of any length: of HTTP host, port if not the scheme's, and path
    /// unless `/`.
    pub fn default_name(&self) -> String {
        match self {
            Self::Http(url) => {
                let mut name = url.host_str().unwrap_or("site").to_owned();
                if let Some(port) = url.port() {
                    name.push_str(&format!(":{port}"));
                }
                if url.path() != "/" {
                    name.push_str(url.path());
                }
                name
            }
            Self::Tcp(at) | Self::Tls(at) => at.to_string(),
            Self::Icmp(host) => host.to_string(),
            Self::Dns(question) => question.default_name(),
        }
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => f.write_str(url.as_str()),
            Self::Tcp(at) => write!(f, "tcp://{at}"),
            Self::Tls(at) => write!(f, "tls://{at}"),
            Self::Icmp(host) => write!(f, "icmp://{host}"),
            Self::Dns(question) => question.fmt(f),
        }
    }
}

/// What can stand in a URL, told by the words of messages.
const SCHEMES: &str = "a URL begins with http://, https://, tcp://, tls://, icmp:// or dns://";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, canonical: &str, name: &str) {
        let locator = Locator::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(locator.text(), canonical, "{text}");
        assert_eq!(locator.default_name(), name, "{text}");
        assert_eq!(Locator::parse(canonical), Ok(locator), "{text}");
    }

    fn refused(text: &str, why: &str) {
        let error = Locator::parse(text).map(|locator| locator.to_string());
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err(why.to_owned()),
            "{text}"
        );
    }

    #[test]
    fn urls_have_one_form_and_a_name() {
        for (text, canonical, name) in [
            ("https://Example.com", "https://example.com/", "example.com"),
            (
                "tcp://DB.example:5432",
                "tcp://db.example:5432",
                "db.example:5432",
            ),
            ("TCP://127.0.0.1:22/", "tcp://127.0.0.1:22", "127.0.0.1:22"),
            (
                "tcp://[2001:DB8::1]:25",
                "tcp://[2001:db8::1]:25",
                "[2001:db8::1]:25",
            ),
            (
                "tls://münchen.example:993",
                "tls://xn--mnchen-3ya.example:993",
                "xn--mnchen-3ya.example:993",
            ),
            (
                "icmp://Router.example",
                "icmp://router.example",
                "router.example",
            ),
            ("icmp://[::1]", "icmp://[::1]", "[::1]"),
            ("dns:///example.com", "dns:///example.com", "example.com"),
            ("dns:example.com.", "dns:///example.com", "example.com"),
            (
                "dns:///Example.COM?type=mx",
                "dns:///example.com?type=MX",
                "example.com MX",
            ),
            (
                "dns://9.9.9.9/example.com?TYPE=MX",
                "dns://9.9.9.9/example.com?type=MX",
                "example.com MX @9.9.9.9",
            ),
            (
                "dns://9.9.9.9:53/example.com?clAsS=IN;tYpE=A",
                "dns://9.9.9.9/example.com",
                "example.com @9.9.9.9",
            ),
            (
                "dns://[2620:fe::9]:5353/_dmarc.example.com?type=TXT",
                "dns://[2620:fe::9]:5353/_dmarc.example.com?type=TXT",
                "_dmarc.example.com TXT @[2620:fe::9]:5353",
            ),
            ("dns:///.?type=NS", "dns:///.?type=NS", ". NS"),
        ] {
            check(text, canonical, name);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            (
                "tcp://db.example",
                "a tcp:// URL needs a port; write \"tcp://db.example:25\", with the port of the service",
            ),
            (
                "tcp://db.example:",
                "a tcp:// URL needs a port; write \"tcp://db.example:25\", with the port of the service",
            ),
            (
                "tls://[::1]",
                "a tls:// URL needs a port; write \"tls://[::1]:443\", with the port of the service",
            ),
            (
                "tcp://db.example:0",
                "`0` is not a port; ports go from 1 to 65535",
            ),
            (
                "tcp://db.example:+5",
                "`+5` is not a port; ports go from 1 to 65535",
            ),
            (
                "tcp://db.example:65536",
                "`65536` is not a port; ports go from 1 to 65535",
            ),
            (
                "tcp://db.example:ssh",
                "`ssh` is not a port; ports go from 1 to 65535",
            ),
            (
                "tcp://kim:secret@db.example:1",
                "a tcp:// URL has no user name and no password; leave out what stands before the @",
            ),
            (
                "tcp://db.example:1/path",
                "a tcp:// URL has no path: `/path` is too much; write \"tcp://db.example:1\"",
            ),
            (
                "tls://db.example:1?x=y",
                "a tls:// URL has no path: `?x=y` is too much; write \"tls://db.example:1\"",
            ),
            (
                "tcp://db.example:1#x",
                "a tcp:// URL has no `#`; leave it out, with what stands behind it",
            ),
            (
                "tcp://2001:db8::1:25",
                "the IPv6 address `2001:db8::1` needs brackets in a URL; write \"tcp://[2001:db8::1]:25\"",
            ),
            (
                "tcp://:25",
                "the URL has no host; write it like \"tcp://example.com\"",
            ),
            (
                "tcp://",
                "the URL has no host; write it like \"tcp://example.com:25\"",
            ),
            (
                "tcp:db.example:25",
                "`//` is missing after `tcp:`; write \"tcp://db.example:25\"",
            ),
            (
                "tcp://a b:1",
                "`a b` is not the name or address of a host; write it like \"tcp://example.com\"",
            ),
            (
                "icmp://a.example:7",
                "an icmp:// URL has no port: a ping goes to a host; write \"icmp://a.example\"",
            ),
            (
                "icmp://a.example/x",
                "an icmp:// URL has no path: `/x` is too much; write \"icmp://a.example\"",
            ),
            (
                "icmp://[fe80::1%eth0]",
                "a zone (`%eth0`) cannot be part of a URL; write \"icmp://[fe80::1]\", with an address that needs no zone",
            ),
            (
                "dns://9.9.9.9",
                "the URL has no name to ask for; write \"dns:///9.9.9.9\" to ask for 9.9.9.9, or \"dns://9.9.9.9/NAME\" to ask it for a name",
            ),
            (
                "dns:///",
                "the URL has no name to ask for; write it like \"dns:///example.com?type=MX\"",
            ),
            (
                "dns:///a..b",
                "`a..b` is not a name: there is nothing between two dots; write it like \"dns:///example.com?type=MX\"",
            ),
            (
                "dns:///a.example?type=WKS",
                "the type `WKS` cannot be asked for; these can: A, AAAA, CAA, CNAME, DS, MX, NS, PTR, SOA, SRV, SSHFP, TLSA, TXT",
            ),
            (
                "dns:///a.example?class=CH",
                "the class `CH` cannot be asked for; only IN can: leave the class out",
            ),
            (
                "dns:///a.example?typ=MX",
                "`typ` is not a part of a dns:// URL; write it like \"dns:///example.com?type=MX\"",
            ),
            (
                "ftp://a.example/",
                "the scheme `ftp` cannot be checked; a URL begins with http://, https://, tcp://, tls://, icmp:// or dns://",
            ),
        ] {
            refused(text, why);
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        for text in [
            "tcp:",
            "tcp:/",
            "tls:///",
            "icmp://]",
            "icmp://[",
            "dns://:",
            "dns://[/a",
            "dns:",
            "dns:?",
            "dns://a:b/c",
            "tcp://[]:1",
            "tcp://%:1",
            "tcp://\u{202e}:1",
        ] {
            let _ = Locator::parse(text);
            let long = format!("{text}{}", "x".repeat(70_000));
            assert!(Locator::parse(&long).is_err());
        }
    }
}
