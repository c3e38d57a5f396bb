//! What other tools ask of name servers and of hosts that are pinged, as URLs.

use std::net::{IpAddr, Ipv6Addr};

use crate::domain::dns_record::RecordType;

/// Other tools take an answer without an error and without a record for a good one.
pub(super) const EMPTY_IS_DOWN: &str = "an answer without such a record is down here";

/// Why a question of a type that is not known is not carried over.
pub(super) fn cannot_ask(record_type: &str) -> String {
    format!("not checked (the record type `{record_type}` cannot be asked for)")
}

/// The URL of a host that is pinged.
pub(super) fn ping(host: &str) -> String {
    format!("icmp://{}", bracketed(host.trim().trim_end_matches('/')))
}

/// The URL of a question: of the server with or without a port, `None` for those of `[dns]`.
pub(super) fn question(server: Option<&str>, name: &str, record_type: RecordType) -> String {
    let server = server.map_or_else(String::new, |server| bracketed(server.trim()));
    let name = name.trim();
    let name = match (record_type, name.parse::<IpAddr>()) {
        (RecordType::Ptr, Ok(address)) => reversed(address),
        _ => name.to_owned(),
    };
    match record_type {
        RecordType::A => format!("dns://{server}/{name}"),
        other => format!("dns://{server}/{name}?type={other}"),
    }
}

/// An IPv6 address needs brackets in a URL.
fn bracketed(host: &str) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}

/// The name under which the name of an address stands: RFC 1035, section 3.5, and RFC 3596, section 2.5.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev();
            let nibbles: String = nibbles
                .map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4))
                .collect();
            format!("{nibbles}ip6.arpa")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::subject::Locator;

    #[test]
    fn questions_are_urls_that_can_be_checked() {
        for (server, name, record_type, wanted) in [
            (None, "a.example", RecordType::A, "dns:///a.example"),
            (
                Some("8.8.8.8"),
                "a.example.",
                RecordType::Mx,
                "dns://8.8.8.8/a.example?type=MX",
            ),
            (
                Some("2620:fe::9"),
                "a.example",
                RecordType::A,
                "dns://[2620:fe::9]/a.example",
            ),
            (
                Some("ns.example:5353"),
                "192.0.2.7",
                RecordType::Ptr,
                "dns://ns.example:5353/7.2.0.192.in-addr.arpa?type=PTR",
            ),
            (
                None,
                "2001:db8::1",
                RecordType::Ptr,
                "dns:///1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa?type=PTR",
            ),
        ] {
            let url = question(server, name, record_type);
            let locator = Locator::parse(&url).map(|locator| locator.to_string());
            assert_eq!(locator.as_deref(), Ok(wanted), "{url}");
        }
        assert_eq!(ping(" ::1 "), "icmp://[::1]");
        assert_eq!(ping("a.example/"), "icmp://a.example");
    }
}
