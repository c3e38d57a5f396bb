//! Where a name server is: an address, a port and, for a link-local address, the interface.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The port of DNS.
const PORT: u16 = 53;

/// Linux keeps interface names below 16 bytes; other systems' longest are not much longer.
const ZONE_BYTES_MAX: usize = 32;

/// A name server's address. The interface of a link-local address is kept by name, since its number changes when the
/// interface comes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameServer {
    address: SocketAddr,
    zone: Option<Box<str>>,
}

impl From<SocketAddr> for NameServer {
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            zone: None,
        }
    }
}

impl NameServer {
    /// Reads `192.0.2.1`, `192.0.2.1:53`, `fe80::53%eth0`, `[fe80::53%eth0]`, `[fe80::53%eth0]:53`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            let (host, rest) = inside.split_once(']')?;
            let port = match rest.strip_prefix(':') {
                Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                    port.parse().ok()?
                }
                None if rest.is_empty() => PORT,
                Some(_) | None => return None,
            };
            return scoped(host, port);
        }
        match text.parse::<SocketAddr>() {
            Ok(address) => Some(address.into()),
            Err(_) => scoped(text, PORT),
        }
    }

    /// The address without the interface's name.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The interface, by name or number as it was written.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Whether the address means nothing without an interface, and none is given.
    #[must_use]
    pub fn lacks_zone(&self) -> bool {
        match self.address {
            SocketAddr::V4(_) => false,
            SocketAddr::V6(six) => {
                self.zone.is_none() && six.scope_id() == 0 && six.ip().is_unicast_link_local()
            }
        }
    }
}

/// An address; one of IPv6 may name an interface.
fn scoped(text: &str, port: u16) -> Option<NameServer> {
    let Some((address, zone)) = text.split_once('%') else {
        let address: IpAddr = text.parse().ok()?;
        return Some(SocketAddr::new(address, port).into());
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let zone_is_readable = |zone: &str| {
        (1..=ZONE_BYTES_MAX).contains(&zone.len())
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"/%[]".contains(&byte))
    };
    zone_is_readable(zone).then(|| NameServer {
        address: SocketAddr::V6(SocketAddrV6::new(address, port, 0, 0)),
        zone: Some(zone.into()),
    })
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            None => self.address.fmt(f),
            Some(zone) => write!(f, "[{}%{zone}]:{}", self.address.ip(), self.address.port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_an_address() {
        let check = |text: &str, want: &str| {
            let got = NameServer::parse(text).map(|server| server.to_string());
            assert_eq!(got.as_deref().unwrap_or("none"), want, "{text}");
        };
        check("192.0.2.1", "192.0.2.1:53");
        check("192.0.2.1:5353", "192.0.2.1:5353");
        check("::1", "[::1]:53");
        check("[::1]", "[::1]:53");
        check("[192.0.2.1]:5353", "192.0.2.1:5353");
        check("[::1]:5353", "[::1]:5353");
        check("fe80::53%eth0", "[fe80::53%eth0]:53");
        check("[fe80::53%eth0]", "[fe80::53%eth0]:53");
        check("[fe80::53%eth0]:5353", "[fe80::53%eth0]:5353");
        check("[fe80::53%2]:53", "[fe80::53%2]:53");
        check("fe80::53%wg-home.5", "[fe80::53%wg-home.5]:53");
        for wrong in [
            "",
            "dns.example",
            "10.0.0.300",
            "fe80::53%",
            "fe80::53%a/b",
            "fe80::53%a%b",
            "[fe80::53%eth0",
            "[fe80::53%eth0]x",
            "[fe80::53%eth0]:",
            "[fe80::53%eth0]:+5",
            "[fe80::53%eth0]:70000",
            "192.0.2.1%eth0",
        ] {
            check(wrong, "none");
        }
    }

    #[test]
    fn a_link_local_address_wants_an_interface() {
        let lacks = |text: &str| NameServer::parse(text).unwrap().lacks_zone();
        assert!(lacks("fe80::53"));
        assert!(!lacks("fe80::53%eth0"));
        assert!(!lacks("2001:db8::53"));
        assert!(!lacks("192.0.2.1"));
    }
}
