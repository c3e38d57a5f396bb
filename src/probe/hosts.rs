//! The system's static table of names, `/etc/hosts` (hosts(5)).

use std::collections::HashMap;
use std::net::IpAddr;

/// A table larger than this is cut: block lists are long, but not this long.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Names, in lower case, and their addresses in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Hosts(HashMap<Box<str>, Vec<IpAddr>>);

impl Hosts {
    /// Reads the text of a table; what is no entry is passed over.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&text[..text.len().min(BYTES_MAX)]);
        let mut table: HashMap<Box<str>, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(|word| {
                // `fe80::1%lo0`: the zone has no meaning for a URL.
                word.split('%').next().unwrap_or(word).parse().ok()
            }) else {
                continue;
            };
            for name in words {
                let addresses = table
                    .entry(name.trim_end_matches('.').to_ascii_lowercase().into())
                    .or_default();
                if !addresses.contains(&address) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_of_an_address() {
        let hosts = Hosts::parse(
            b"127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # own\n# 1.2.3.4 no\n\
              junk line\n10.0.0.1 Shop.Example shop.\n\xff\xfe broken\n10.0.0.1 shop\n",
        );
        let addresses = |name: &str| {
            let all: Vec<String> = hosts.get(name).iter().map(ToString::to_string).collect();
            all.join(" ")
        };
        assert_eq!(addresses("localhost"), "127.0.0.1 ::1");
        assert_eq!(addresses("shop.example"), "10.0.0.1");
        assert_eq!(addresses("shop"), "10.0.0.1");
        assert_eq!(addresses("no"), "");
        assert_eq!(addresses("line"), "");
    }
}
