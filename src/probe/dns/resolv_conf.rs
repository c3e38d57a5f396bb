//! Reads `/etc/resolv.conf` (resolv.conf(5)) as glibc does: what cannot be read is passed over and remembered, and
//! discards nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::etc_hosts::whole_lines;
use crate::domain::name_server::NameServer;
use crate::domain::safe_text;

/// The file has a handful of lines; more than this is not looked at.
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// As glibc (MAXNS). A fourth server would be asked by nobody else on this host, so nobody knows whether it is right.
const SERVERS_MAX: usize = 3;

/// More search domains are passed over. glibc has no limit since 2.26; each is two questions for each check.
const SEARCH_MAX: usize = 16;

/// As glibc (RES_MAXNDOTS).
const NDOTS_MAX: usize = 15;

/// As glibc (RES_MAXRETRANS).
const TIMEOUT_S_MAX: usize = 30;

/// As glibc (RES_MAXRETRY).
const ATTEMPTS_MAX: usize = 5;

/// So many faults of one file are remembered.
const PASSED_OVER_MAX: usize = 16;

/// Options that ask for nothing that we do not do anyway, or that mean nothing to us.
const NO_MATTER: [&str; 13] = [
    "debug",
    "inet6",
    "insecure1",
    "insecure2",
    "ip6-bytestring",
    "ip6-dotint",
    "no-ip6-dotint",
    "no-check-names",
    "no-reload",
    "no-tld-query",
    "no_tld_query",
    "single-request-reopen",
    "trust-ad",
];

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ResolvConf {
    /// In the order of the file, perhaps none.
    pub(super) servers: Vec<NameServer>,
    /// In lower case, without dots at the ends. `None` where the file says nothing about it.
    pub(super) search: Option<Vec<String>>,
    pub(super) ndots: Option<usize>,
    /// How long a server is waited for before the next one is asked.
    pub(super) timeout: Option<Duration>,
    /// How often each server is asked.
    pub(super) attempts: Option<usize>,
    pub(super) rotate: bool,
    pub(super) edns0: bool,
    pub(super) use_vc: bool,
    pub(super) single_request: bool,
    pub(super) no_aaaa: bool,
    /// What could not be read.
    pub(super) passed_over: Vec<PassedOver>,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PassedOver {
    /// What and why, for a person.
    pub(super) what: String,
    /// Whether a lookup may fail of it: a server or a search domain is missing.
    pub(super) matters: bool,
}

impl ResolvConf {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        if bytes.len() > BYTES_MAX {
            let what = format!("all that follows the first {} KiB", BYTES_MAX / 1024);
            found.pass_over(what, true);
        }
        let text = String::from_utf8_lossy(whole_lines(bytes, BYTES_MAX));
        for line in text.trim_start_matches('\u{feff}').lines() {
            found.line(line);
        }
        found
    }

    fn line(&mut self, line: &str) {
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        if line.is_empty() || line.starts_with(['#', ';']) {
            return;
        }
        // Words behind a comment sign are no domains.
        let mut words = line
            .split_whitespace()
            .take_while(|word| !word.starts_with(['#', ';']));
        let Some(keyword) = words.next() else { return };
        match keyword {
            "nameserver" => self.server(words.next()),
            "domain" => self.search(words.take(1)),
            "search" => self.search(words),
            "options" => words.for_each(|word| self.option(word)),
            "sortlist" | "family" | "lookup" => {}
            _ => self.pass_over(
                format!(
                    "`{}` is not a keyword of this file",
                    safe_text::line(keyword, 40)
                ),
                false,
            ),
        }
    }

    fn server(&mut self, word: Option<&str>) {
        let Some(word) = word else {
            return self.pass_over("a `nameserver` without an address".to_owned(), true);
        };
        // `192.0.2.1:53` is refused by every system; `[192.0.2.1]:53` is how BSD gives a port.
        let server = match word.parse::<SocketAddr>() {
            Ok(_) if !word.starts_with('[') => None,
            Ok(_) | Err(_) => NameServer::parse(word)
                .or_else(|| old_style(word).map(|ip| SocketAddr::from((ip, 53)).into())),
        };
        match server {
            None => self.pass_over(
                format!(
                    "nameserver `{}` is not an IP address",
                    safe_text::line(word, 60)
                ),
                true,
            ),
            Some(server) if self.servers.contains(&server) => {}
            Some(server) if self.servers.len() >= SERVERS_MAX => self.pass_over(
                format!("nameserver {server}: no system asks more than {SERVERS_MAX}"),
                true,
            ),
            Some(server) => self.servers.push(server),
        }
    }

    /// The last `domain` or `search` line counts; one without a word is none.
    fn search<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        let mut list = Vec::new();
        let mut any = false;
        for word in words {
            any = true;
            // The root: the name as it is, which is asked for anyway.
            if word == "." {
                continue;
            }
            if list.len() >= SEARCH_MAX {
                let what = format!("search domains after the first {SEARCH_MAX}");
                self.pass_over(what, true);
                break;
            }
            match domain(word) {
                Some(domain) if list.contains(&domain) => {}
                Some(domain) => list.push(domain),
                None => {
                    let what = format!(
                        "search domain `{}` is not a valid domain",
                        safe_text::line(word, 60)
                    );
                    self.pass_over(what, true);
                }
            }
        }
        if any {
            self.search = Some(list);
        }
    }

    fn option(&mut self, word: &str) {
        let (name, value) = match word.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        // Digits only; more than fit are more than the bound.
        let number = |max: usize| {
            let value = value.filter(|value| !value.is_empty())?;
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| value.parse().unwrap_or(max).min(max))
        };
        let seconds = |count: usize| Duration::from_secs(u64::try_from(count).unwrap_or(1));
        match (name, value) {
            ("ndots", _) if let Some(dots) = number(NDOTS_MAX) => self.ndots = Some(dots),
            ("timeout", _) if let Some(count) = number(TIMEOUT_S_MAX) => {
                self.timeout = Some(seconds(count.max(1)));
            }
            ("attempts", _) if let Some(count) = number(ATTEMPTS_MAX) => {
                self.attempts = Some(count.max(1));
            }
            ("rotate", None) => self.rotate = true,
            ("edns0", None) => self.edns0 = true,
            ("use-vc" | "usevc" | "tcp", None) => self.use_vc = true,
            ("single-request", None) => self.single_request = true,
            ("no-aaaa", None) => self.no_aaaa = true,
            (name, None) if NO_MATTER.contains(&name) => {}
            _ => self.pass_over(format!("option `{}`", safe_text::line(word, 40)), false),
        }
    }

    fn pass_over(&mut self, what: String, matters: bool) {
        if self.passed_over.len() < PASSED_OVER_MAX {
            self.passed_over.push(PassedOver { what, matters });
        }
    }
}

/// A domain that can stand behind a name: labels of letters, digits, `-` and `_` that are not all hyphens.
pub(super) fn domain(word: &str) -> Option<String> {
    let bare = word.trim_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        label.len() <= 63
            && label.bytes().any(|byte| byte != b'-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    (bare.len() <= 253 && bare.split('.').all(is_label)).then_some(bare)
}

/// Addresses as inet_aton(3) reads them, and with it glibc: `127.1`, `0x7f.1`, `017700000001`.
fn old_style(word: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = word
        .split('.')
        .take(5)
        .map(|part| {
            let (digits, radix) = match part.strip_prefix("0x").or(part.strip_prefix("0X")) {
                Some(hex) => (hex, 16),
                None if part.len() > 1 && part.starts_with('0') => (&part[1..], 8),
                None => (part, 10),
            };
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
            all_digits
                .then(|| u32::from_str_radix(digits, radix).ok())
                .flatten()
        })
        .collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let room = 32 - 8 * u32::try_from(first.len()).ok()?;
    if room < 32 && *last >= 1 << room {
        return None;
    }
    let mut number = *last;
    for (place, part) in first.iter().enumerate() {
        number |= part << (24 - 8 * place);
    }
    Some(number.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers, search list and what was passed over, in one line.
    fn check(text: impl AsRef<[u8]>, want: &str) {
        let read = ResolvConf::parse(text.as_ref());
        let servers: Vec<String> = read.servers.iter().map(ToString::to_string).collect();
        let search = match &read.search {
            None => "unset".to_owned(),
            Some(list) => format!("[{}]", list.join(" ")),
        };
        let over: Vec<&str> = read.passed_over.iter().map(|o| o.what.as_str()).collect();
        let got = format!("{} {search} {}", servers.join(" "), over.join(", "));
        let shown = String::from_utf8_lossy(text.as_ref()).into_owned();
        assert_eq!(got.trim(), want, "{shown:?}");
    }

    #[test]
    fn one_bad_word_discards_nothing_else() {
        check(
            "nameserver 10.0.0.1\nsearch corp..example lan\n",
            "10.0.0.1:53 [lan] search domain `corp..example` is not a valid domain",
        );
        check(
            "nameserver 10.0.0.300\nnameserver 10.0.0.1 # router\n",
            "10.0.0.1:53 unset nameserver `10.0.0.300` is not an IP address",
        );
        check(
            "nameserver\nnameservers 10.0.0.9\nnameserver 10.0.0.1 10.0.0.2\n",
            "10.0.0.1:53 unset a `nameserver` without an address, `nameservers` is not a keyword of this file",
        );
        check(
            "nameserver 10.0.0.1:5353\nnameserver [::1]:5353\nnameserver ::1",
            "[::1]:5353 [::1]:53 unset nameserver `10.0.0.1:5353` is not an IP address",
        );
        check(
            b"nameserver 10.0.0.1\nsearch b\xfcro.example good.example\n",
            "10.0.0.1:53 [good.example] search domain `b\u{fffd}ro.example` is not a valid domain",
        );
        check(
            "nameserver fe80::53%eth0\nnameserver fe80::1%3\n",
            "[fe80::53%eth0]:53 [fe80::1%3]:53 unset",
        );
        check(
            "nameserver 127.1\nnameserver 0x7f000001",
            "127.0.0.1:53 unset",
        );
        check(
            "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n",
            "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 unset nameserver 10.0.0.4:53: no system asks more than 3",
        );
    }

    #[test]
    fn the_search_list_is_the_last_one() {
        check("search a.test B.Test.\ndomain c.test d.test\n", "[c.test]");
        check(
            "domain c.test\nsearch a.test b.test a.test\n",
            "[a.test b.test]",
        );
        check("search a.test\nsearch\ndomain \n", "[a.test]");
        check("search .\n", "[]");
        check("search a.test .\n", "[a.test]");
        check("search --\n", "[] search domain `--` is not a valid domain");
        check("search a.test # home b.test\n", "[a.test]");
        check(
            "search _tcp.a.test xn--bro-hoa.example\n",
            "[_tcp.a.test xn--bro-hoa.example]",
        );
        check(
            format!("search {}\n", "a".repeat(64)),
            &format!(
                "[] search domain `{}…` is not a valid domain",
                "a".repeat(59)
            ),
        );
        let many: Vec<String> = (0..20).map(|number| format!("d{number}")).collect();
        let read = ResolvConf::parse(format!("search {}", many.join(" ")).as_bytes());
        assert_eq!(read.search.map(|list| list.len()), Some(SEARCH_MAX));
    }

    #[test]
    fn forms_of_the_file() {
        check("", "unset");
        check("# nothing\n; nothing\n\n \t\n", "unset");
        check(
            "nameserver\t10.0.0.1\r\nsearch lan\r\n",
            "10.0.0.1:53 [lan]",
        );
        check("\u{feff}nameserver 10.0.0.1", "10.0.0.1:53 unset");
        check(
            "sortlist 130.155.160.0/255.255.240.0 130.155.0.0\n",
            "unset",
        );
        check("nameserver 10.0.0.1\0\n\0\0", "10.0.0.1:53 unset");
        check(
            "nameserver 10.0.0.1\nnameserver 10.0.0.1\n",
            "10.0.0.1:53 unset",
        );
        let huge = ["nameserver 10.0.0.1\n".to_owned(), "#".repeat(BYTES_MAX)].concat();
        check(huge, "10.0.0.1:53 unset all that follows the first 64 KiB");
    }

    #[test]
    fn options_within_their_bounds() {
        let read = |options: &str| ResolvConf::parse(format!("options {options}\n").as_bytes());
        assert_eq!(read("ndots:5").ndots, Some(5));
        assert_eq!(read("ndots:0").ndots, Some(0));
        assert_eq!(read("ndots:16").ndots, Some(15));
        assert_eq!(read("ndots:99999999999999999999999").ndots, Some(15));
        for wrong in ["ndots", "ndots:", "ndots:-1", "ndots:x", "ndots:+5"] {
            let read = read(wrong);
            assert_eq!(read.ndots, None, "{wrong}");
            assert_eq!(read.passed_over.len(), 1, "{wrong}");
        }
        assert_eq!(read("timeout:1").timeout, Some(Duration::from_secs(1)));
        assert_eq!(read("timeout:0").timeout, Some(Duration::from_secs(1)));
        assert_eq!(read("timeout:99").timeout, Some(Duration::from_secs(30)));
        assert_eq!(read("attempts:0").attempts, Some(1));
        assert_eq!(read("attempts:9").attempts, Some(5));
        let all = read("rotate edns0 use-vc single-request no-aaaa trust-ad inet6 retrans:1");
        assert!(all.rotate && all.edns0 && all.use_vc && all.single_request && all.no_aaaa);
        assert_eq!(all.passed_over.len(), 1);
        assert!(!all.passed_over[0].matters);
        // Lines add up; the last word wins.
        let two = ResolvConf::parse(b"options ndots:2 rotate\noptions ndots:3\n");
        assert_eq!((two.ndots, two.rotate), (Some(3), true));
    }

    #[test]
    fn addresses_of_old() {
        let check = |text: &str, want: &str| {
            let got = old_style(text).map(|address| address.to_string());
            assert_eq!(got.as_deref().unwrap_or("none"), want, "{text}");
        };
        check("127.1", "127.0.0.1");
        check("10.1.258", "10.1.1.2");
        check("2130706433", "127.0.0.1");
        check("0x7f.0.0.1", "127.0.0.1");
        check("017.0.0.1", "15.0.0.1");
        for wrong in [
            "",
            "1.",
            ".1",
            "1.2.3.4.5",
            "256.1",
            "1.2.3.256",
            "1.16777216",
            "+1",
            "0x",
            "08.1",
        ] {
            check(wrong, "none");
        }
        check("0", "0.0.0.0");
    }
}
