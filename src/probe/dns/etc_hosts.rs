//! The system's static table of names, `/etc/hosts` (hosts(5)).

use std::collections::HashMap;
use std::net::IpAddr;

/// A table larger than this is cut: block lists are long, but not this long.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// More names are not kept, so that a table full of short lines does not fill the memory.
const NAMES_MAX: usize = 500_000;

/// More addresses of one name are not kept: far more than will be tried.
const ADDRESSES_MAX: usize = 64;

/// Names, in lower case, and their addresses in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Hosts(HashMap<Box<str>, Vec<IpAddr>>);

impl Hosts {
    /// Reads the text of a table; what is no entry is passed over.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(whole_lines(text, BYTES_MAX));
        let mut table: HashMap<Box<str>, Vec<IpAddr>> = HashMap::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(|word| {
                // `fe80::1%lo0`: the zone has no meaning for a URL.
                word.split('%').next().unwrap_or(word).parse().ok()
            }) else {
                continue;
            };
            for name in words {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                let is_full = table.len() >= NAMES_MAX;
                if is_full && !table.contains_key(name.as_str()) {
                    continue;
                }
                let addresses = table.entry(name.into()).or_default();
                if addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Self(table)
    }

    /// The addresses of a name given in lower case without a final dot.
    pub(super) fn get(&self, name: &str) -> &[IpAddr] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The first `max` bytes without the line that was cut: half an address is another address.
pub(super) fn whole_lines(text: &[u8], max: usize) -> &[u8] {
    if text.len() <= max {
        return text;
    }
    let end = text[..max].iter().rposition(|byte| *byte == b'\n');
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hosts: &Hosts, name: &str) -> String {
        let all: Vec<String> = hosts.get(name).iter().map(ToString::to_string).collect();
        all.join(" ")
    }

    #[test]
    fn reads_names_of_an_address() {
        let hosts = Hosts::parse(
            b"\xef\xbb\xbf127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # own\n# 1.2.3.4 no\n\
              junk line\n10.0.0.1 Shop.Example shop.\n\xff\xfe broken\n10.0.0.1 shop\n\
              10.0.0.2\tshop cr\r\n10.0.0.3 caf\xe9 latin\n10.0.0.4#gone\n10.0.0.5\n\
              fe80::1%eth0 printer\n10.0.0.300 wrong\n  10.0.0.6  indented",
        );
        for (name, want) in [
            ("localhost", "127.0.0.1 ::1"),
            ("ip6-localhost", "::1"),
            ("shop.example", "10.0.0.1"),
            ("shop", "10.0.0.1 10.0.0.2"),
            ("cr", "10.0.0.2"),
            ("latin", "10.0.0.3"),
            ("printer", "fe80::1"),
            ("indented", "10.0.0.6"),
            ("no", ""),
            ("line", ""),
            ("gone", ""),
            ("wrong", ""),
            ("broken", ""),
        ] {
            assert_eq!(shown(&hosts, name), want, "{name}");
        }
    }

    #[test]
    fn a_huge_table_is_cut_at_a_line() {
        assert_eq!(whole_lines(b"10.0.0.1 a\n10.0.0.2 b", 20), b"10.0.0.1 a");
        assert_eq!(whole_lines(b"10.0.0.1 a", 5), b"");
        assert_eq!(whole_lines(b"10.0.0.1 a", 10), b"10.0.0.1 a");
        let mut table = Vec::new();
        for number in 0..100 {
            table.extend(format!("10.0.1.{number} many\n").into_bytes());
        }
        assert_eq!(Hosts::parse(&table).get("many").len(), ADDRESSES_MAX);
    }
}
