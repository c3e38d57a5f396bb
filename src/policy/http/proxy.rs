//! Which proxy a URL is requested through.

use std::net::IpAddr;

use url::{Host, Url};

use crate::domain::target::Proxy;

/// The proxy for a URL, if any.
pub fn proxy_for<'a>(proxy: &'a Proxy, url: &Url) -> Option<&'a Url> {
    match proxy {
        Proxy::None | Proxy::Direct(_) => None,
        Proxy::Through(through) => Some(through),
        Proxy::Environment {
            http,
            https,
            no_proxy,
        } => {
            let through = if url.scheme() == "https" { https } else { http };
            through.as_ref().filter(|_| !is_excepted(no_proxy, url))
        }
    }
}

/// `NO_PROXY` as curl reads it: hosts and domains (with all below them), addresses, networks, `*`,
/// each with an optional port.
fn is_excepted(no_proxy: &str, url: &Url) -> bool {
    let (name, address) = match url.host() {
        None => return false,
        Some(Host::Domain(name)) => (name.trim_end_matches('.').to_ascii_lowercase(), None),
        Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
    };
    no_proxy
        .split([',', ' '])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .any(|entry| {
            if entry == "*" {
                return true;
            }
            if let Some(address) = address {
                return covers(entry, address);
            }
            let (entry, port) = match entry.rsplit_once(':') {
                Some((host, port)) => match port.parse::<u16>() {
                    Ok(port) => (host, Some(port)),
                    Err(_) => (entry, None),
                },
                None => (entry, None),
            };
            let domain = entry
                .trim_start_matches("*.")
                .trim_matches('.')
                .to_ascii_lowercase();
            let below = name
                .strip_suffix(&domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            !domain.is_empty() && below && (port.is_none() || port == url.port_or_known_default())
        })
}

/// Whether an entry is this address or a network (`10.0.0.0/8`) that holds it.
fn covers(entry: &str, address: IpAddr) -> bool {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    let (network, bits) = match bare.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (bare, Some(u32::MAX)),
    };
    let (Ok(network), Some(bits)) = (network.parse::<IpAddr>(), bits) else {
        return false;
    };
    let same_head = |a: u128, b: u128, width: u32| {
        let bits = bits.min(width);
        bits == 0 || (a ^ b) >> (width - bits) == 0
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => same_head(
            u128::from(network.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            same_head(network.to_bits(), address.to_bits(), 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_read_as_curl_reads_them() {
        for (no_proxy, url, direct) in [
            ("", "http://example.com/", false),
            ("*", "http://example.com/", true),
            ("example.com", "http://example.com/", true),
            ("example.com", "http://www.example.com/", true),
            (".example.com", "http://www.example.com/", true),
            (".example.com", "http://example.com/", true),
            ("*.example.com", "http://a.example.com/", true),
            ("example.com", "http://badexample.com/", false),
            ("localhost, EXAMPLE.com", "https://example.com./", true),
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("127.0.0.1", "http://127.0.0.1:81/", true),
            ("0.0.0.0/0", "http://8.8.8.8/", true),
            ("fd00::/8", "http://[fd00::1]/", true),
            ("[::1]", "http://[::1]/", true),
            ("10.0.0.0/99x", "http://10.0.0.1/", false),
        ] {
            let url = Url::parse(url).unwrap();
            let proxy = Proxy::Environment {
                http: Some(Url::parse("http://p:1/").unwrap()),
                https: Some(Url::parse("http://p:2/").unwrap()),
                no_proxy: no_proxy.to_owned(),
            };
            assert_eq!(
                proxy_for(&proxy, &url).is_none(),
                direct,
                "{no_proxy} {url}"
            );
        }
    }
}
