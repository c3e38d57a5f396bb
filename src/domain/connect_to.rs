//! Where a check connects instead of the host and port of its URL.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::alternative::Alternative;

/// A way to a site, without a proxy, that is not simply to the host and port of its URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Direct {
    /// Where to connect instead.
    pub connect_to: Option<ConnectTo>,
    /// Whether each address is checked by itself, and what the check is where some are bad; `None`: the first that
    /// answers counts.
    pub each: Option<BadAddress>,
    /// Where HTTP/3 is spoken, and for which origin alone; no key says so, the site does.
    pub alternative: Option<Alternative>,
}

impl Direct {
    /// Only another place.
    pub const fn to(place: ConnectTo) -> Self {
        Self {
            connect_to: Some(place),
            each: None,
            alternative: None,
        }
    }

    /// The same way to one address alone.
    pub fn pinned(&self, address: IpAddr) -> Self {
        Self::to(ConnectTo {
            host: match address {
                IpAddr::V4(address) => Host::Ipv4(address),
                IpAddr::V6(address) => Host::Ipv6(address),
            },
            port: self.connect_to.as_ref().and_then(|to| to.port),
        })
    }
}

/// What a check is while some addresses of several are bad, or some versions of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadAddress {
    /// Degraded.
    Degraded,
    /// Down.
    Down,
}

/// A longer text is no host and port.
const TEXT_BYTES_MAX: usize = 300;

/// Where to connect, as curl's `--connect-to`: the name that TLS asks for, the certificate's name and the `Host` header
/// stay those of the URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectTo {
    /// A name or an address.
    pub host: Host<String>,
    /// `None`: every connection to the URL's host goes there, at the port that it would have gone to. With a port only
    /// those to the URL's own host and port do.
    pub port: Option<u16>,
}

impl ConnectTo {
    /// Reads `203.0.113.7`, `origin.example.net:8443`, `[2001:db8::1]:443` or `2001:db8::1`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = || super::safe_text::line(text, 100).into_owned();
        let no_host = || format!("`{}` is not the name or address of a host", shown());
        if text.len() > TEXT_BYTES_MAX || text.contains(['/', '@', '?', '#', ' ']) {
            return Err(no_host());
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            let host = match address {
                IpAddr::V4(address) => Host::Ipv4(address),
                IpAddr::V6(address) => Host::Ipv6(address),
            };
            return Ok(Self { host, port: None });
        }
        let end = text.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match text[end..].rfind(':') {
            Some(colon) => (&text[..end + colon], Some(&text[end + colon + 1..])),
            None => (text, None),
        };
        let port = match port {
            None => None,
            Some(port) => {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                match port.parse::<u16>() {
                    Ok(number @ 1..) if is_number => Some(number),
                    _ => return Err(format!("`{}` has no port between 1 and 65535", shown())),
                }
            }
        };
        let host = Host::parse(host).map_err(|_| no_host())?;
        match &host {
            Host::Domain(name) if name.is_empty() => Err(no_host()),
            Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_) => Ok(Self { host, port }),
        }
    }

    /// The port to which a connection for `hop` goes instead, in a check of `own`; `None` if the rule does not hold for
    /// it.
    pub fn port_for(&self, own: &Url, hop: &Url) -> Option<u16> {
        let hop_port = hop.port_or_known_default()?;
        let is_own = own.host() == hop.host();
        let is_own_port = own.port_or_known_default() == Some(hop_port);
        if !is_own || self.port.is_some() && !is_own_port {
            return None;
        }
        Some(self.port.unwrap_or(hop_port))
    }

    /// The host without a copy of its name.
    pub fn borrowed(&self) -> Host<&str> {
        match &self.host {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        }
    }

    /// The rule as curl's `--connect-to` takes it, in a check of this host and port.
    pub fn curl_rule(&self, host: &str, port: Option<u16>) -> String {
        match (self.port, port) {
            (Some(to), Some(port)) => format!("{host}:{port}:{}:{to}", self.host),
            // Without a port it holds for all of them.
            (_, _) => format!("{host}::{}:", self.host),
        }
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_a_port() {
        for (text, wanted) in [
            ("203.0.113.7", Ok("203.0.113.7")),
            ("203.0.113.7:8443", Ok("203.0.113.7:8443")),
            ("Origin.Example.NET:8443", Ok("origin.example.net:8443")),
            ("origin", Ok("origin")),
            ("[2001:DB8::1]:443", Ok("[2001:db8::1]:443")),
            ("[2001:db8::1]", Ok("[2001:db8::1]")),
            ("2001:db8::1", Ok("[2001:db8::1]")),
            ("münchen.example", Ok("xn--mnchen-3ya.example")),
            ("a:0", Err("`a:0` has no port between 1 and 65535")),
            ("a:", Err("`a:` has no port between 1 and 65535")),
            ("a:+5", Err("`a:+5` has no port between 1 and 65535")),
            ("a:70000", Err("`a:70000` has no port between 1 and 65535")),
            (":443", Err("`:443` is not the name or address of a host")),
            ("", Err("`` is not the name or address of a host")),
            (
                "https://a",
                Err("`https://a` is not the name or address of a host"),
            ),
            ("k@a", Err("`k@a` is not the name or address of a host")),
            ("[::1", Err("`[::1` is not the name or address of a host")),
        ] {
            let read = ConnectTo::parse(text).map(|to| to.to_string());
            let read = read.as_deref().map_err(String::as_str);
            // An open bracket is refused, whatever stands behind the last colon.
            match (read, wanted) {
                (Err(_), Err(_)) => {}
                (read, wanted) => assert_eq!(read, wanted, "{text}"),
            }
        }
    }

    #[test]
    fn it_holds_for_the_own_host() {
        for (to, hop, wanted) in [
            ("192.0.2.1", "https://a.example/x", "192.0.2.1:443"),
            ("192.0.2.1", "http://a.example/", "192.0.2.1:80"),
            ("192.0.2.1", "http://A.example:81/", "192.0.2.1:81"),
            ("192.0.2.1", "https://b.example/", "-"),
            ("o.example:8443", "https://a.example/", "o.example:8443"),
            ("o.example:8443", "http://a.example/", "-"),
            ("o.example:8443", "https://a.example:444/", "-"),
        ] {
            let own = Url::parse("https://a.example/").expect("a URL");
            let hop_url = Url::parse(hop).expect("a URL");
            let to = ConnectTo::parse(to).expect("a host");
            let stop = match to.port_for(&own, &hop_url) {
                None => "-".to_owned(),
                Some(port) => format!("{}:{port}", to.host),
            };
            assert_eq!(stop, wanted, "{to} {hop}");
        }
    }
}
