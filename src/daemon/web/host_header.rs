//! Whom a request means: `Host`, as RFC 9112 section 3.2 wants it.

use hyper::header::{HOST, HeaderMap};
use hyper::http::uri::Authority;

/// Whether a request may be answered: HTTP/1.1 names its host exactly once (an empty name is one), older
/// versions at most once.
pub(super) fn is_named_rightly(headers: &HeaderMap, must_name: bool) -> bool {
    let mut given = headers.get_all(HOST).iter();
    match (given.next(), given.next()) {
        (None, _) => !must_name,
        (Some(host), None) => host.is_empty() || host.to_str().is_ok_and(is_host),
        (Some(_), Some(_)) => false,
    }
}

/// The host that a request names, with its port.
pub(super) fn named(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .filter(|host| is_host(host))
}

/// A name or an address, perhaps with a port; nobody's credentials.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let port = text.get(authority.host().len()..).unwrap_or_default();
    !authority.host().is_empty()
        && text.starts_with(authority.host())
        && (matches!(port, "" | ":") || authority.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_perhaps() {
        for (text, want) in [
            ("status.example", true),
            ("status.example:8080", true),
            ("status.example:", true),
            ("127.0.0.1:80", true),
            ("[::1]:8080", true),
            ("my_host", true),
            ("a b", false),
            ("a/b", false),
            ("a?b", false),
            ("me@a", false),
            ("a:b", false),
            ("a:99999", false),
            ("a,b:1:2", false),
            ("<a>", false),
            (":80", false),
        ] {
            assert_eq!(is_host(text), want, "{text}");
        }
    }

    #[test]
    fn once_where_it_must_and_never_twice() {
        let with = |hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, host.parse().expect("a field value"));
            }
            [true, false].map(|must_name| is_named_rightly(&headers, must_name))
        };
        assert_eq!(with(&[]), [false, true]);
        assert_eq!(with(&[""]), [true, true]);
        assert_eq!(with(&["a:1"]), [true, true]);
        assert_eq!(with(&["a@b"]), [false, false]);
        assert_eq!(with(&["a", "a"]), [false, false]);
        assert_eq!(with(&["a", "b"]), [false, false]);
    }
}
