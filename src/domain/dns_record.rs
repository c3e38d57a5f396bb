//! The records that a `dns://` monitor may ask for, and their text.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A type of record that people write down and compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// An alias.
    Cname,
    /// The keys of a signed zone below (RFC 4034).
    Ds,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
    /// The name of an address.
    Ptr,
    /// The begin of a zone.
    Soa,
    /// The host of a service (RFC 2782).
    Srv,
    /// The keys of an SSH server (RFC 4255).
    Sshfp,
    /// The certificates of a service (RFC 6698).
    Tlsa,
    /// Text.
    Txt,
}

/// How `answers` are compared with what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AnswersMatch {
    /// These and no others.
    #[default]
    Exact,
    /// At least these.
    Contains,
}

impl AnswersMatch {
    /// Both, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Exact, Self::Contains];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Contains => "contains",
        }
    }

    /// The rule of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }
}

impl RecordType {
    /// All of them, in order of their names.
    pub const ALL: [Self; 13] = [
        Self::A,
        Self::Aaaa,
        Self::Caa,
        Self::Cname,
        Self::Ds,
        Self::Mx,
        Self::Ns,
        Self::Ptr,
        Self::Soa,
        Self::Srv,
        Self::Sshfp,
        Self::Tlsa,
        Self::Txt,
    ];

    /// The name, as `dig` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Caa => "CAA",
            Self::Cname => "CNAME",
            Self::Ds => "DS",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Sshfp => "SSHFP",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
        }
    }

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Ptr => 12,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Srv => 33,
            Self::Ds => 43,
            Self::Sshfp => 44,
            Self::Tlsa => 52,
            Self::Caa => 257,
        }
    }

    /// The type of a name in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }

    /// How its text looks, for a person who wrote another.
    pub const fn example(self) -> &'static str {
        match self {
            Self::A => "192.0.2.1",
            Self::Aaaa => "2001:db8::1",
            Self::Caa => "0 issue \"ca.example.net\"",
            Self::Cname | Self::Ptr => "www.example.com",
            Self::Ds => "12345 13 2 0123abcd",
            Self::Mx => "10 mail.example.com",
            Self::Ns => "ns1.example.com",
            Self::Soa => "ns1.example.com hostmaster.example.com 2026112900 7200 3600 1209600 300",
            Self::Srv => "10 60 5060 sip.example.com",
            Self::Sshfp => "4 2 0123abcd",
            Self::Tlsa => "3 1 1 0123abcd",
            Self::Txt => "v=spf1 -all",
        }
    }

    /// The form by which two texts of this type are compared: names without case and final dot, addresses as
    /// addresses, numbers as numbers, texts joined and without quotes. `None` if it is no text of this type.
    pub fn normal(self, text: &str) -> Option<String> {
        let text = text.trim();
        match self {
            Self::A => text
                .parse::<Ipv4Addr>()
                .ok()
                .map(|address| address.to_string()),
            Self::Aaaa => text
                .parse::<Ipv6Addr>()
                .ok()
                .map(|address| address.to_string()),
            Self::Cname | Self::Ns | Self::Ptr => name(text),
            Self::Mx => fields(text, &[Field::Number, Field::Name]),
            Self::Srv => fields(
                text,
                &[Field::Number, Field::Number, Field::Number, Field::Name],
            ),
            Self::Soa => {
                let mut form = [Field::Number; 7];
                form[..2].fill(Field::Name);
                fields(text, &form)
            }
            Self::Ds | Self::Tlsa => hexadecimal(text, 3),
            Self::Sshfp => hexadecimal(text, 2),
            Self::Caa => property(text),
            Self::Txt => strings(text),
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Clone, Copy)]
enum Field {
    Number,
    Name,
}

/// A name without case and final dot; the root is a dot.
fn name(text: &str) -> Option<String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return None;
    }
    let bare = text.strip_suffix('.').unwrap_or(text);
    match bare {
        "" => Some(".".to_owned()),
        bare => Some(bare.to_ascii_lowercase()),
    }
}

fn number(text: &str) -> Option<String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| text.parse::<u32>().ok())??;
    Some(number.to_string())
}

fn fields(text: &str, form: &[Field]) -> Option<String> {
    let mut words = text.split_whitespace();
    let mut out = Vec::with_capacity(form.len());
    for field in form {
        let word = words.next()?;
        out.push(match field {
            Field::Number => number(word)?,
            Field::Name => name(word)?,
        });
    }
    words.next().is_none().then(|| out.join(" "))
}

/// So many numbers, then bytes in hexadecimal, which may have blanks in them.
fn hexadecimal(text: &str, numbers: usize) -> Option<String> {
    let mut words = text.split_whitespace();
    let mut out = Vec::with_capacity(numbers + 1);
    for _ in 0..numbers {
        out.push(number(words.next()?)?);
    }
    let digits: String = words.collect();
    let is_whole = !digits.is_empty()
        && digits.len().is_multiple_of(2)
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    out.push(digits.to_ascii_lowercase());
    is_whole.then(|| out.join(" "))
}

/// The flags, the tag and the value of a CAA record.
fn property(text: &str) -> Option<String> {
    let (flags, rest) = text.split_once(char::is_whitespace)?;
    let (tag, value) = rest.trim_start().split_once(char::is_whitespace)?;
    let flags = number(flags)?;
    let value = strings(value.trim())?;
    Some(format!("{flags} {} {value}", tag.to_ascii_lowercase()))
}

/// Strings between quotes joined, or one without quotes.
fn strings(text: &str) -> Option<String> {
    let mut rest = text;
    if !rest.starts_with('"') {
        return Some(rest.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    loop {
        let mut chars = rest.strip_prefix('"')?.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => out.push(escaped(&mut chars)?),
                c => out.push(c),
            }
        }
        rest = chars.as_str().trim_start();
        if rest.is_empty() {
            return Some(out);
        }
    }
}

/// What follows a backslash: three digits of a byte, or the character itself.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let rest = chars.as_str();
    let digits = rest
        .get(..3)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse::<u8>().ok()) {
        Some(byte) if byte.is_ascii() => {
            *chars = rest[3..].chars();
            Some(char::from(byte))
        }
        Some(_) | None => chars.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_in_any_case() {
        for kind in RecordType::ALL {
            assert_eq!(RecordType::parse(kind.as_str()), Some(kind));
            assert_eq!(
                RecordType::parse(&kind.as_str().to_ascii_lowercase()),
                Some(kind)
            );
            assert!(kind.normal(kind.example()).is_some(), "{kind}");
        }
        assert_eq!(RecordType::parse("ANY"), None);
        assert_eq!(RecordType::parse(""), None);
    }

    #[test]
    fn two_texts_of_one_record_are_the_same() {
        for (kind, one, other) in [
            ("A", "192.0.2.1", " 192.0.2.1 "),
            ("AAAA", "2001:DB8:0:0::1", "2001:db8::1"),
            ("CNAME", "WWW.Example.com.", "www.example.com"),
            ("NS", ".", "."),
            ("MX", "010  Mail.example.com.", "10 mail.example.com"),
            ("MX", "0 .", "0 ."),
            ("SRV", "1 2 3 a.", "01 2 3 A"),
            ("SOA", "a. b. 1 2 3 4 5", "A B 1 2 3 4 5"),
            ("TXT", "\"v=spf1 \" \"-all\"", "v=spf1 -all"),
            ("TXT", "\"a\\\"b\\\\c\\059\"", "a\"b\\c;"),
            ("TXT", "a;b", "\"a\\;b\""),
            ("TXT", "\"\"", ""),
            ("CAA", "0 Issue \"ca.test\"", "0 issue ca.test"),
            ("DS", "1 13 2 AB CD", "1 13 2 abcd"),
            ("TLSA", "3 1 1 AbCd", "3 1 1 abcd"),
            ("SSHFP", "4 2 ab", "4 2 AB"),
        ] {
            let kind = RecordType::parse(kind).unwrap();
            let normal = kind.normal(one);
            assert!(normal.is_some(), "{kind} {one}");
            assert_eq!(normal, kind.normal(other), "{kind} {one}");
        }
        assert_ne!(RecordType::Txt.normal("a"), RecordType::Txt.normal("A"));
    }

    #[test]
    fn what_is_no_text_of_a_type_is_refused() {
        for (kind, text) in [
            ("A", "2001:db8::1"),
            ("A", "192.0.2.256"),
            ("AAAA", "192.0.2.1"),
            ("CNAME", "a b"),
            ("CNAME", ""),
            ("MX", "mail.example.com"),
            ("MX", "ten mail.example.com"),
            ("MX", "10 mail.example.com extra"),
            ("SRV", "1 2 a"),
            ("SOA", "a b 1 2 3 4"),
            ("TXT", "\"open"),
            ("TXT", "\"a\" b"),
            ("CAA", "0 issue"),
            ("DS", "1 13 2"),
            ("DS", "1 13 2 abc"),
            ("TLSA", "3 1 1 xy"),
        ] {
            let kind = RecordType::parse(kind).unwrap();
            assert_eq!(kind.normal(text), None, "{kind} {text}");
        }
    }
}
