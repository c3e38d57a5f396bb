//! One text to one URL, or to what is wrong with it in words.

use std::net::{IpAddr, Ipv6Addr};

use url::{ParseError, Url};

use super::nearest::nearest;
use crate::config::read::scalars::{Wrong, short_enough};
use crate::domain::safe_text;

/// Browsers and servers stop at 8 KiB or before; the probe stops following at this.
const URL_BYTES_MAX: usize = 32 * 1024;

/// A URL that says where; a host's name without its scheme is answered with the usual one.
pub(in crate::config) fn absolute(text: &str, usual: &str) -> Result<Url, Wrong> {
    read(text, usual, &[])
}

/// The URL of a monitor in HTTP; there are monitors of other schemes as well.
pub(in crate::config) fn of_monitor(text: &str) -> Result<Url, Wrong> {
    read(text, "https", &["tcp", "tls", "icmp", "dns"])
}

fn read(text: &str, usual: &str, others: &[&str]) -> Result<Url, Wrong> {
    short_enough(text, URL_BYTES_MAX, "the URL")?;
    if text.trim().is_empty() {
        return Err(Wrong::new(
            "the URL is empty",
            "write it like \"https://example.com/\"",
        ));
    }
    let slip = several(text)
        .or_else(|| white_space(text))
        .or_else(|| enclosed(text))
        .or_else(|| backslashes(text).filter(|_| !text.contains("://")))
        .or_else(|| scheme(text, usual, others));
    if let Some(wrong) = slip {
        return Err(wrong);
    }
    // What the parser takes is a URL, however odd it looks: other words are only for what it refuses.
    Url::parse(text).map_err(|error| {
        backslashes(text)
            .or_else(|| host(text))
            .unwrap_or_else(|| refused(text, error))
    })
}

/// What is wrong with a URL of any kind before it is read: white space, brackets around it.
pub(in crate::config) fn slip(text: &str) -> Option<Wrong> {
    let too_long = short_enough(text, URL_BYTES_MAX, "the URL").err();
    too_long
        .or_else(|| white_space(text))
        .or_else(|| enclosed(text))
}

/// `https://a.example https://b.example`
///
/// Without white space a comma may belong to a path or a query; in a host it does not.
fn several(text: &str) -> Option<Wrong> {
    let host = text.split_once("://").map_or("", |(_, rest)| {
        rest.split(['/', '?', '#', '\\']).next().unwrap_or("")
    });
    let is_listed = !text.contains(char::is_whitespace) && host.contains([',', ';']);
    let parts: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || is_listed && matches!(c, ',' | ';'))
        .map(|part| part.trim_matches([',', ';']))
        .filter(|part| !part.is_empty())
        .collect();
    let is_several = parts.len() > 1
        && parts
            .iter()
            .all(|part| part.starts_with("http://") || part.starts_with("https://"));
    is_several.then(|| {
        Wrong::new(
            format!("{} URLs in one text", parts.len()),
            "each has a text of its own; each [[monitor]] has one `url`",
        )
    })
}

fn white_space(text: &str) -> Option<Wrong> {
    let (at, c) = text
        .char_indices()
        .find(|(_, c)| c.is_whitespace() || c.is_control() || safe_text::is_unsafe(*c))?;
    let trimmed = text.trim();
    let wrong = match c {
        ' ' | '\t' | '\n' | '\r' if !trimmed.contains(char::is_whitespace) => Wrong::new(
            format!("the URL `{trimmed}` has white space around it"),
            format!("write \"{trimmed}\""),
        ),
        ' ' | '\t' | '\n' | '\r' => Wrong::new(
            format!("the URL `{trimmed}` has white space in it"),
            "write %20 for a space",
        ),
        _ => Wrong::new(
            "the URL has an invisible character in it",
            format!(
                "take out U+{:04X}, which is often copied along",
                u32::from(c)
            ),
        ),
    };
    Some(wrong.at(at..at + c.len_utf8()))
}

/// `<https://..>`, `(https://..)`, `[words](https://..)`
fn enclosed(text: &str) -> Option<Wrong> {
    let inner = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'))
        .or_else(|| {
            text.strip_prefix('(')
                .and_then(|text| text.strip_suffix(')'))
        })
        .or_else(|| {
            text.strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
        })
        .or_else(|| {
            text.strip_prefix('`')
                .and_then(|text| text.strip_suffix('`'))
        })
        .or_else(|| {
            let (_, link) = text.strip_prefix('[')?.split_once("](")?;
            link.strip_suffix(')')
        })?;
    Some(Wrong::new(
        format!("the URL `{text}` has brackets or quotes around it"),
        format!("write \"{inner}\""),
    ))
}

/// `https:\\example.com\path`
fn backslashes(text: &str) -> Option<Wrong> {
    let (before, _) = text.split_once(['?', '#']).unwrap_or((text, ""));
    before.contains('\\').then(|| {
        Wrong::new(
            format!("the URL `{text}` has backslashes in it"),
            format!("write \"{}\"", text.replace('\\', "/")),
        )
    })
}

/// What is wrong with what stands before the host.
fn scheme(text: &str, usual: &str, others: &[&str]) -> Option<Wrong> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some(without_scheme(text, usual));
    };
    if scheme.is_empty() {
        return Some(without_scheme(text, usual));
    }
    let lower = scheme.to_ascii_lowercase();
    if lower != "http" && lower != "https" {
        let known = ["https", "http"].into_iter().chain(others.iter().copied());
        let label = match nearest(scheme, known) {
            Some(known) => format!("did you mean `{known}://`?"),
            None if others.is_empty() => "only http:// and https:// are checked".to_owned(),
            None => "http://, https://, tcp://, tls://, icmp:// and dns:// are checked".to_owned(),
        };
        return Some(
            Wrong::new(format!("the scheme `{scheme}` cannot be checked"), label)
                .at(0..scheme.len()),
        );
    }
    let inner = rest.to_ascii_lowercase();
    if let Some(second) = ["http://", "https://", "http:/", "https:/"]
        .iter()
        .find(|second| inner.starts_with(**second))
    {
        let host = rest
            .get(second.len()..)
            .unwrap_or("")
            .trim_start_matches('/');
        // `http` may be the name of a host.
        if second.ends_with("//") || is_host(host) {
            let second = second.trim_end_matches('/').trim_end_matches(':');
            return Some(Wrong::new(
                format!("the URL `{text}` begins with two schemes"),
                format!("write \"{second}://{host}\""),
            ));
        }
    }
    if rest.starts_with('/') && is_host(rest.trim_start_matches('/')) {
        let rest = rest.trim_start_matches('/');
        return Some(Wrong::new(
            format!("the URL `{text}` has a slash too many"),
            format!("write \"{lower}://{rest}\""),
        ));
    }
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return Some(Wrong::new(
            format!("the URL `{text}` has no host"),
            "write it like \"https://example.com/\"",
        ));
    }
    None
}

/// Whether a text begins with the name or address of a host.
fn is_host(text: &str) -> bool {
    let host = host_and_port(text);
    let name = host.split(':').next().unwrap_or("");
    name.contains('.') || name == "localhost" || host.starts_with('[')
}

/// `https:/x`, `https//x`, `https;//x`, `example.com`
fn without_scheme(text: &str, usual: &str) -> Wrong {
    let letters = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(letters);
    let signs = rest
        .find(|c: char| !matches!(c, ':' | '/' | ';' | '.' | ','))
        .unwrap_or(rest.len());
    let (signs, rest) = rest.split_at(signs);
    let lower = word.to_ascii_lowercase();
    let known = match lower.as_str() {
        "http" | "https" => Some(lower.as_str()),
        _ if signs.contains('/') && signs.len() > 1 => nearest(&lower, ["https", "http"]),
        _ => None,
    };
    if let Some(known) = known.filter(|_| signs.contains([':', '/', ';']) && is_host(rest)) {
        let message = match signs {
            ":/" => format!("a slash is missing after `{word}:`"),
            "//" => format!("a colon is missing after `{word}`"),
            ":" => format!("`//` is missing after `{word}:`"),
            _ => format!("`{word}{signs}` is not how a URL begins"),
        };
        return Wrong::new(message, format!("write \"{known}://{rest}\""))
            .at(0..word.len() + signs.len());
    }
    let fixed = text
        .trim_start_matches("https:")
        .trim_start_matches("http:");
    let fixed = fixed
        .strip_prefix("://")
        .unwrap_or(fixed)
        .trim_start_matches('/');
    let authority = host_and_port(fixed);
    let path = fixed
        .get(fixed.find(['/', '?', '#']).unwrap_or(fixed.len())..)
        .unwrap_or("");
    if let Some(host) = bracketed(authority) {
        return Wrong::new(
            format!("the URL `{text}` has no scheme"),
            format!("write \"http://{host}{path}\""),
        );
    }
    let name = authority.split(':').next().unwrap_or_default();
    let is_address =
        name == "localhost" || name.parse::<IpAddr>().is_ok() || authority.starts_with('[');
    let scheme = if is_address { "http" } else { usual };
    Wrong::new(
        format!("the URL `{text}` has no scheme"),
        format!("write \"{scheme}://{fixed}\""),
    )
}

/// What stands before path and query, without userinfo.
fn host_and_port(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    authority.rsplit('@').next().unwrap_or(authority)
}

/// An IPv6 address without its brackets, in them; with its port where the last group can only be one.
fn bracketed(authority: &str) -> Option<String> {
    if authority.starts_with('[') || authority.matches(':').count() < 2 {
        return None;
    }
    let without_zone = |host: &str| -> Option<Ipv6Addr> { host.split('%').next()?.parse().ok() };
    if without_zone(authority).is_some() {
        return Some(format!("[{}]", authority.split('%').next().unwrap_or("")));
    }
    let (host, port) = authority.rsplit_once(':')?;
    let is_port = port.parse::<u16>().is_ok();
    without_zone(host)
        .filter(|_| is_port)
        .map(|_| format!("[{}]:{port}", host.split('%').next().unwrap_or("")))
}

/// What is wrong with the host of a URL whose scheme is right.
fn host(text: &str) -> Option<Wrong> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = host_and_port(rest);
    let at = text.len() - rest.len() + rest.find(authority).unwrap_or(0);
    let behind = text.get(at + authority.len()..).unwrap_or("");
    let place = at..at + authority.len();
    if let Some(inner) = authority.strip_prefix('[') {
        let Some((inner, port)) = inner.split_once(']') else {
            return Some(
                Wrong::new(
                    "the bracket of the address is not closed",
                    "close it with `]`",
                )
                .at(place),
            );
        };
        if let Some((address, zone)) = inner.split_once('%') {
            return Some(zone_wrong(scheme, address, zone, port, behind).at(place));
        }
        if inner.parse::<Ipv6Addr>().is_err() {
            return Some(
                Wrong::new(
                    format!("`{inner}` is not an IPv6 address"),
                    "only an IPv6 address is written in brackets, like https://[2001:db8::1]/",
                )
                .at(place),
            );
        }
        return None;
    }
    let written = bracketed(authority)?;
    if let Some((address, zone)) = authority.split_once('%') {
        let zone = zone.split(':').next().unwrap_or(zone);
        return Some(zone_wrong(scheme, address, zone, "", behind).at(place));
    }
    Some(
        Wrong::new(
            format!("the IPv6 address `{authority}` needs brackets in a URL"),
            format!("write \"{scheme}://{written}{behind}\""),
        )
        .at(place),
    )
}

fn zone_wrong(scheme: &str, address: &str, zone: &str, port: &str, behind: &str) -> Wrong {
    Wrong::new(
        format!("a zone (`%{zone}`) cannot be part of a URL"),
        format!(
            "write \"{scheme}://[{address}]{port}{behind}\", with an address that needs no zone"
        ),
    )
}

/// What the parser refuses, in words.
fn refused(text: &str, error: ParseError) -> Wrong {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = host_and_port(rest);
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !authority.ends_with(']') => (name, port),
        _ => (authority, ""),
    };
    // `me:pa/ss@host`
    let is_cut_password = rest
        .split_once(['/', '?', '#'])
        .is_some_and(|(before, behind)| !before.contains('@') && behind.contains('@'));
    let (why, label) = match error {
        // What stands there is the begin of a password, not a port.
        ParseError::InvalidPort if is_cut_password => (
            "what stands behind the `:` is not a port".to_owned(),
            "in a password write %2F for `/`, %3F for `?` and %23 for `#`",
        ),
        ParseError::InvalidPort => (
            format!("`{port}` is not a port"),
            "a port is a number from 1 to 65535",
        ),
        ParseError::EmptyHost => (
            "it has no host".to_owned(),
            "write it like \"https://example.com/\"",
        ),
        ParseError::InvalidIpv4Address => (
            format!("`{name}` is not an IPv4 address"),
            "an address has four numbers from 0 to 255, like 192.0.2.1",
        ),
        ParseError::InvalidIpv6Address => (
            format!("`{authority}` is not an IPv6 address"),
            "write it like https://[2001:db8::1]/",
        ),
        _ => (
            format!("`{name}` is not a host name"),
            "write it like \"https://example.com/\"",
        ),
    };
    Wrong::new(format!("`{text}` is not a valid URL: {why}"), label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_url_is_said_with_what_to_write() {
        for (text, want) in [
            ("https://a.example/", ""),
            ("http://[::1]:8080/x", ""),
            ("https://me:pw@a.example:8443/?u=https://b.example", ""),
            ("http://localhost", ""),
            (
                "https://api.example/check?urls=https://a.example,https://b.example",
                "",
            ),
            ("https://img.example/fit,https://a.example/x.png", ""),
            ("https://img.example/a;https://b.example/", ""),
            ("https://example.com\\status", ""),
            ("http://http:/status", ""),
            (
                "https://a.example,https://b.example",
                "2 URLs in one text|each has a text of its own; each [[monitor]] has one `url`",
            ),
            (
                "https://a.example/,\n https://b.example;",
                "2 URLs in one text|each has a text of its own; each [[monitor]] has one `url`",
            ),
            (
                "https://a^b\\x",
                "the URL `https://a^b\\x` has backslashes in it|write \"https://a^b/x\"",
            ),
            (
                "https://me:pa/ss@a.example/",
                "`https://me:pa/ss@a.example/` is not a valid URL: what stands behind the `:` is not a port|in a password write %2F for `/`, %3F for `?` and %23 for `#`",
            ),
            (
                "https:/a.example/",
                "a slash is missing after `https:`|write \"https://a.example/\"",
            ),
            (
                "http//a.example",
                "a colon is missing after `http`|write \"http://a.example\"",
            ),
            (
                "https:a.example",
                "`//` is missing after `https:`|write \"https://a.example\"",
            ),
            (
                "https;//a.example",
                "`https;//` is not how a URL begins|write \"https://a.example\"",
            ),
            (
                "htps//a.example",
                "a colon is missing after `htps`|write \"https://a.example\"",
            ),
            (
                "htp://a.example",
                "the scheme `htp` cannot be checked|did you mean `http://`?",
            ),
            (
                "://a.example",
                "the URL `://a.example` has no scheme|write \"https://a.example\"",
            ),
            (
                "//a.example",
                "the URL `//a.example` has no scheme|write \"https://a.example\"",
            ),
            (
                "https:///a.example/",
                "the URL `https:///a.example/` has a slash too many|write \"https://a.example/\"",
            ),
            (
                "https:///path",
                "the URL `https:///path` has no host|write it like \"https://example.com/\"",
            ),
            (
                "https://http://a.example/",
                "the URL `https://http://a.example/` begins with two schemes|write \"http://a.example/\"",
            ),
            (
                "https:\\\\a.example\\x",
                "the URL `https:\\\\a.example\\x` has backslashes in it|write \"https://a.example/x\"",
            ),
            (
                "<https://a.example/>",
                "the URL `<https://a.example/>` has brackets or quotes around it|write \"https://a.example/\"",
            ),
            (
                "[a](https://a.example/)",
                "the URL `[a](https://a.example/)` has brackets or quotes around it|write \"https://a.example/\"",
            ),
            (
                " https://a.example/",
                "the URL `https://a.example/` has white space around it|write \"https://a.example/\"",
            ),
            (
                "https://a.example, https://b.example",
                "2 URLs in one text|each has a text of its own; each [[monitor]] has one `url`",
            ),
            (
                "https://2001:db8::1/",
                "the IPv6 address `2001:db8::1` needs brackets in a URL|write \"https://[2001:db8::1]/\"",
            ),
            (
                "https://::1/",
                "the IPv6 address `::1` needs brackets in a URL|write \"https://[::1]/\"",
            ),
            (
                "http://::1",
                "the IPv6 address `::1` needs brackets in a URL|write \"http://[::1]\"",
            ),
            (
                "https://2001:db8:0:0:0:0:0:1:8443/x",
                "the IPv6 address `2001:db8:0:0:0:0:0:1:8443` needs brackets in a URL|write \"https://[2001:db8:0:0:0:0:0:1]:8443/x\"",
            ),
            (
                "https://fe80::1%eth0/",
                "a zone (`%eth0`) cannot be part of a URL|write \"https://[fe80::1]/\", with an address that needs no zone",
            ),
            (
                "https://[fe80::1%25eth0]:1/",
                "a zone (`%25eth0`) cannot be part of a URL|write \"https://[fe80::1]:1/\", with an address that needs no zone",
            ),
            (
                "https://[::1/",
                "the bracket of the address is not closed|close it with `]`",
            ),
            (
                "https://[a.example]/",
                "`a.example` is not an IPv6 address|only an IPv6 address is written in brackets, like https://[2001:db8::1]/",
            ),
            ("::1", "the URL `::1` has no scheme|write \"http://[::1]\""),
            (
                "2001:db8::1",
                "the URL `2001:db8::1` has no scheme|write \"http://[2001:db8::1]\"",
            ),
            (
                "[::1]:8080/x",
                "the URL `[::1]:8080/x` has no scheme|write \"http://[::1]:8080/x\"",
            ),
            (
                "192.0.2.1:80",
                "the URL `192.0.2.1:80` has no scheme|write \"http://192.0.2.1:80\"",
            ),
            (
                "https://256.1.1.1/",
                "`https://256.1.1.1/` is not a valid URL: `256.1.1.1` is not an IPv4 address|an address has four numbers from 0 to 255, like 192.0.2.1",
            ),
            (
                "https://a.example:x/",
                "`https://a.example:x/` is not a valid URL: `x` is not a port|a port is a number from 1 to 65535",
            ),
            (
                "https://a b/",
                "the URL `https://a b/` has white space in it|write %20 for a space",
            ),
            (
                "https://a^b/",
                "`https://a^b/` is not a valid URL: `a^b` is not a host name|write it like \"https://example.com/\"",
            ),
        ] {
            let said = match absolute(text, "https") {
                Ok(_) => String::new(),
                Err(wrong) => format!("{}|{}", wrong.message, wrong.label),
            };
            assert_eq!(said, want, "{text}");
        }
    }

    /// What version 0.1.0 took beyond the parser's own rules.
    fn was_taken(text: &str) -> bool {
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || safe_text::is_unsafe(c);
        let is_whole = text.split_once("://").is_some_and(|(scheme, rest)| {
            matches!(scheme, "http" | "https")
                && !rest.is_empty()
                && !rest.starts_with(['/', '?', '#'])
        });
        is_whole && !text.contains(is_odd) && Url::parse(text).is_ok()
    }

    #[test]
    fn what_was_taken_is_taken() {
        const PIECES: [&str; 22] = [
            "a.example",
            "\\",
            ",",
            ";",
            "@",
            ":",
            "[::1]",
            "::1",
            "http://",
            "https://",
            "/",
            "?u=",
            "#",
            "me:pw@",
            "%",
            "'",
            "`",
            ")",
            ">",
            "8080",
            "http:/",
            "",
        ];
        let mut taken = 0;
        for first in PIECES {
            for second in PIECES {
                for third in PIECES {
                    let rest = format!("{first}{second}{third}");
                    let text = format!("https://{rest}");
                    // Refused on purpose: a scheme or a list in the place of the host.
                    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or("");
                    let is_meant = rest.starts_with("http") || host.contains([',', ';']);
                    if is_meant || !was_taken(&text) {
                        continue;
                    }
                    taken += 1;
                    assert!(absolute(&text, "https").is_ok(), "{text}");
                }
            }
        }
        assert!(taken > 500, "{taken}");
    }
}
