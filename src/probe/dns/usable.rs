//! Which addresses of a name are tried, and in which order.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::domain::safe_text;
use crate::policy::http::private_address::is_private;

/// More addresses of one name are not tried.
const ADDRESSES_MAX: usize = 16;

/// The kernel is asked for a route to so many addresses of a family; as a rule they go the same way.
const ROUTES_MAX: usize = 4;

/// Orders addresses for the attempts (6, 4, 6, 4, ...), without those that may not or cannot be used.
pub(super) fn usable(mut all: Vec<IpAddr>, public_only: bool) -> Vec<IpAddr> {
    if public_only {
        all.retain(|address| !is_private(*address));
    }
    let (mut v6, v4): (Vec<_>, Vec<_>) = all.into_iter().partition(IpAddr::is_ipv6);
    // A host without IPv6 of its own says nothing about the site's.
    if !v6.is_empty() && !v4.is_empty() && !is_any_routed(&v6) {
        v6.clear();
    }
    let mut ordered = Vec::with_capacity(ADDRESSES_MAX.min(v6.len() + v4.len()));
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    while ordered.len() < ADDRESSES_MAX {
        match (v6.next(), v4.next()) {
            (None, None) => break,
            (six, four) => ordered.extend(six.into_iter().chain(four)),
        }
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

/// Whether an attempt at any of these addresses has a chance.
pub(super) fn is_of_use(all: &[IpAddr], public_only: bool) -> bool {
    let allowed: Vec<IpAddr> = all
        .iter()
        .copied()
        .filter(|address| !public_only || !is_private(*address))
        .take(ROUTES_MAX)
        .collect();
    is_any_routed(&allowed)
}

fn is_any_routed(all: &[IpAddr]) -> bool {
    all.iter()
        .take(ROUTES_MAX)
        .any(|address| to_address(*address).is_ok())
}

/// The sentence about a private address behind a public one.
pub(in crate::probe) fn blocked(host: &str, address: IpAddr) -> String {
    format!(
        "`{}` is at the private address {address}, while the redirect came from a public one; \
         allow_private_redirect lets it pass",
        safe_text::middle(host, 100)
    )
}

/// Whether this host has a route to an address: asks the kernel, sends nothing.
pub(in crate::probe) fn has_route(address: IpAddr) -> bool {
    // Whatever else is wrong, the attempt itself will say so.
    !to_address(address).is_err_and(|error| error.kind() == ErrorKind::NetworkUnreachable)
}

/// Connects a datagram socket, which sends nothing.
fn to_address(address: IpAddr) -> std::io::Result<()> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))?.connect(SocketAddr::new(address, 53))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(all: &[&str], public_only: bool, want: &str) {
        let all = all.iter().map(|text| text.parse().unwrap()).collect();
        let shown: Vec<String> = usable(all, public_only)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown.join(" "), want);
    }

    #[test]
    fn addresses_are_ordered_and_filtered() {
        check(&["127.0.0.1", "::1"], false, "::1 127.0.0.1");
        check(
            &["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"],
            false,
            "::1 127.0.0.1 127.0.0.2 127.0.0.3",
        );
        check(&["10.0.0.1", "93.184.216.34"], true, "93.184.216.34");
        check(&["::ffff:10.0.0.1", "93.184.216.34"], true, "93.184.216.34");
        check(&["10.0.0.1", "::1"], true, "");
        check(&["64:ff9b::a00:1"], true, "");
        check(&["10.0.0.1"], false, "10.0.0.1");
    }

    #[test]
    fn a_long_family_does_not_push_the_other_out() {
        let mut all: Vec<IpAddr> = (1..=40)
            .map(|last| Ipv4Addr::new(127, 0, 1, last).into())
            .collect();
        all.push(Ipv6Addr::LOCALHOST.into());
        let tried = usable(all, false);
        assert_eq!(tried.len(), ADDRESSES_MAX);
        assert_eq!(tried[0], IpAddr::V6(Ipv6Addr::LOCALHOST));
    }

    #[test]
    fn private_addresses_are_of_no_use_to_a_public_redirect() {
        let home = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        assert!(is_of_use(&home, false));
        assert!(!is_of_use(&home, true));
        assert!(!is_of_use(&[], false));
    }
}
