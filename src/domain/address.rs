//! Mail addresses.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::safe_text;

/// The octets of a local part (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// The octets of a domain: 255 in a message (RFC 5321 section 4.5.3.1.2), of which the DNS lets a name have 253.
const DOMAIN_BYTES_MAX: usize = 253;
/// The octets of a label of a domain (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// The octets of a whole address: a path has 256 with its angle brackets (RFC 5321 section 4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 254;
/// A list in one string is taken apart into at most this many addresses: they are only shown.
const SUGGESTED_MAX: usize = 20;

/// A mailbox as the configuration writes it: `ops@example.com` or `Ops <ops@example.com>`.
///
/// Two addresses are the same when their mailbox is; the display name is decoration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    name: Option<Arc<str>>,
    mailbox: Arc<str>,
}

/// A mailbox as it stands in an envelope and a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The part before the `@`, quoted where it has to be.
    pub local: String,
    /// The domain in ASCII, or an address literal in its brackets.
    pub domain: String,
}

impl Wire {
    /// Whether a server has to know SMTPUTF8 to take it.
    pub fn needs_utf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// Why a text is not a mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; {}", self.message(), self.advice())]
pub enum AddressError {
    /// Nothing of it is.
    None(String),
    /// It holds more than one.
    Several {
        /// What was written.
        text: String,
        /// Each address in it.
        parts: Vec<String>,
    },
    /// A display name that has to be quoted, or that looks like an address.
    Name {
        /// The name.
        name: String,
        /// The whole address as it can be written.
        instead: String,
    },
    /// Over the limits of RFC 5321.
    Long(String),
}

impl AddressError {
    /// What is wrong.
    pub fn message(&self) -> String {
        match self {
            Self::None(text) => format!("`{text}` is not a mail address"),
            Self::Several { text, parts } => format!("`{text}` holds {} addresses", parts.len()),
            Self::Name { name, .. } => {
                format!("`{name}` cannot stand before an address as it is")
            }
            Self::Long(text) => format!("`{text}` is too long for a mail address"),
        }
    }

    /// What to write instead, where a list may stand.
    pub fn advice(&self) -> String {
        match self {
            Self::None(_) => "write \"ops@example.com\" or \"Ops <ops@example.com>\"".to_owned(),
            Self::Several { parts, .. } => format!("write [{}]", quoted(parts)),
            Self::Name { instead, .. } => format!("write {}", toml(instead)),
            Self::Long(_) => "at most 64 bytes stand before the @, and 254 in all".to_owned(),
        }
    }

    /// The same where one address is wanted, not a list.
    pub fn advice_for_one(&self) -> String {
        match self {
            Self::Several { parts, .. } => format!("write one: {}", toml(&parts[0])),
            Self::None(_) | Self::Name { .. } | Self::Long(_) => self.advice(),
        }
    }
}

/// A text as a TOML string.
fn toml(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn quoted(parts: &[String]) -> String {
    let mut shown: Vec<String> = parts
        .iter()
        .take(SUGGESTED_MAX)
        .map(|part| toml(part))
        .collect();
    if parts.len() > SUGGESTED_MAX {
        shown.push("..".to_owned());
    }
    shown.join(", ")
}

impl Address {
    /// Parses an address (RFC 5322 mailbox, the part of it that people write). Whatever it takes can be mailed to:
    /// [`Address::wire`] answers for it.
    ///
    /// # Errors
    /// If the text is not a mail address, holds more than one, or is too long for mail servers.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        parse_one(text).map_err(|error| match several(text) {
            Some(parts) => AddressError::Several {
                text: text.trim().to_owned(),
                parts,
            },
            None => error,
        })
    }

    /// An address that a version before wrote down: whatever that version took is taken.
    ///
    /// # Errors
    /// When it has no `@`.
    pub fn restored(text: &str) -> Result<Self, AddressError> {
        if let Ok(address) = parse_one(text) {
            return Ok(address);
        }
        let trimmed = text.trim();
        let (name, mailbox) = match trimmed.strip_suffix('>').and_then(|t| t.rsplit_once('<')) {
            Some((name, mailbox)) => (name.trim().trim_matches('"').trim(), mailbox.trim()),
            None => ("", trimmed),
        };
        if !mailbox.contains('@') {
            return Err(AddressError::None(text.to_owned()));
        }
        Ok(Self {
            name: (!name.is_empty()).then(|| name.into()),
            mailbox: mailbox.into(),
        })
    }

    /// The display name, where one was written.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The bare address, `local@domain`.
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    /// What stands behind the last `@`.
    pub fn domain(&self) -> &str {
        self.mailbox
            .rsplit_once('@')
            .map(|(_, domain)| domain)
            .expect("both constructors refuse an address without `@`")
    }

    /// The address as mail servers take it: what envelope and header are made of. None only for one that a version
    /// before took and that no server would.
    pub fn wire(&self) -> Option<Wire> {
        wire(&self.mailbox).ok()
    }
}

enum Unfit {
    Form,
    Length,
}

fn parse_one(text: &str) -> Result<Address, AddressError> {
    let none = || AddressError::None(text.to_owned());
    if text.chars().any(safe_text::is_unsafe) {
        return Err(none());
    }
    let trimmed = text.trim();
    let (phrase, mailbox) = match outside_quotes(trimmed).find(|(_, c)| *c == '<') {
        Some((at, _)) => {
            let inner = trimmed[at + 1..].strip_suffix('>').ok_or_else(none)?;
            (trimmed[..at].trim(), inner.trim())
        }
        None => ("", trimmed),
    };
    match wire(mailbox) {
        Ok(_) => {}
        Err(Unfit::Form) => return Err(none()),
        Err(Unfit::Length) => return Err(AddressError::Long(text.to_owned())),
    }
    let mailbox = unquoted(mailbox);
    let name = name(phrase, &mailbox)?;
    Ok(Address {
        name: (!name.is_empty()).then(|| name.into()),
        mailbox: mailbox.into(),
    })
}

/// The characters that no double quotes enclose, with their places. A quote that is never closed is a character.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quoted_until = 0;
    text.char_indices().filter(move |(at, c)| {
        if *at < quoted_until {
            return false;
        }
        if *c == '"'
            && let Some(len) = quoted_len(&text[*at..])
        {
            quoted_until = at + len;
            return false;
        }
        true
    })
}

/// The length of the quoted string that a text begins with, its quotes included.
fn quoted_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What a quoted string means.
fn meaning(quoted: &str) -> String {
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(quoted);
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(c);
        }
    }
    out
}

fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The display name of a phrase. One that could be meant as a second address is refused.
fn name(phrase: &str, mailbox: &str) -> Result<String, AddressError> {
    let is_quoted = phrase.starts_with('"') && quoted_len(phrase) == Some(phrase.len());
    let name = if is_quoted {
        meaning(phrase).trim().to_owned()
    } else {
        phrase.to_owned()
    };
    let is_address = name.eq_ignore_ascii_case(mailbox);
    let is_wrong = name.contains(['<', '>'])
        || name.contains('@') && !(is_quoted && is_address)
        || !is_quoted && outside_quotes(phrase).any(|(_, c)| matches!(c, ',' | ';'));
    if !is_wrong {
        return Ok(name);
    }
    let harmless = name.replace(['<', '>', '@'], " ");
    let harmless = safe_text::line(harmless.trim(), 100);
    Err(AddressError::Name {
        instead: match harmless.as_ref() {
            "" => mailbox.to_owned(),
            plain if plain.contains([',', ';']) => format!("{} <{mailbox}>", in_quotes(plain)),
            plain => format!("{plain} <{mailbox}>"),
        },
        name,
    })
}

/// The addresses of a list that was written as one string: by commas, semicolons, angle brackets or blanks.
fn several(text: &str) -> Option<Vec<String>> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    for (at, c) in outside_quotes(text) {
        let end = match c {
            ',' | ';' | '\n' => at,
            '>' => at + 1,
            _ => continue,
        };
        pieces.push(&text[begin..end]);
        begin = at + c.len_utf8();
    }
    pieces.push(&text[begin..]);
    let addresses = |pieces: &[&str]| -> Option<Vec<String>> {
        let parsed: Option<Vec<String>> = pieces
            .iter()
            .map(|piece| piece.trim())
            .filter(|piece| !piece.is_empty())
            .map(|piece| parse_one(piece).ok().map(|address| address.to_string()))
            .collect();
        parsed.filter(|parsed| parsed.len() > 1)
    };
    addresses(&pieces).or_else(|| addresses(&text.split_whitespace().collect::<Vec<_>>()))
}

/// A mailbox without quotes that it does not need.
fn unquoted(mailbox: &str) -> String {
    let Some((local, domain)) = parts(mailbox) else {
        return mailbox.to_owned();
    };
    if !local.starts_with('"') {
        return mailbox.to_owned();
    }
    let plain = meaning(local);
    let local = if !plain.is_empty() && plain.chars().all(|c| is_atom(c) || c == '.') {
        plain
    } else {
        in_quotes(&plain)
    };
    format!("{local}@{domain}")
}

/// Local part and domain.
fn parts(mailbox: &str) -> Option<(&str, &str)> {
    if mailbox.starts_with('"') {
        let end = quoted_len(mailbox)?;
        let domain = mailbox[end..].strip_prefix('@')?;
        return Some((&mailbox[..end], domain));
    }
    mailbox.rsplit_once('@')
}

/// Whether a character may stand in an atom (RFC 5322 section 3.2.3, RFC 6532 section 3.2).
fn is_atom(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    !c.is_whitespace() && !safe_text::is_unsafe(c)
}

fn wire(mailbox: &str) -> Result<Wire, Unfit> {
    let (local, domain) = parts(mailbox).ok_or(Unfit::Form)?;
    let wire = Wire {
        local: wire_local(local).ok_or(Unfit::Form)?,
        domain: wire_domain(domain)?,
    };
    let is_long = wire.local.len() > LOCAL_BYTES_MAX
        || wire.local.len() + 1 + wire.domain.len() > ADDRESS_BYTES_MAX;
    if is_long {
        return Err(Unfit::Length);
    }
    Ok(wire)
}

/// The local part; one whose dots stand where an atom has none is quoted, as mail servers that gave such names out
/// want it.
fn wire_local(local: &str) -> Option<String> {
    let plain: Cow<'_, str> = if local.starts_with('"') {
        let plain = meaning(local);
        if plain.is_empty() || plain.chars().any(safe_text::is_unsafe) {
            return None;
        }
        plain.into()
    } else {
        if local.is_empty() || !local.chars().all(|c| is_atom(c) || c == '.') {
            return None;
        }
        local.into()
    };
    let is_dot_atom = plain
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom));
    Some(if is_dot_atom {
        plain.into_owned()
    } else {
        in_quotes(&plain)
    })
}

fn wire_domain(domain: &str) -> Result<String, Unfit> {
    if let Some(literal) = domain.strip_prefix('[') {
        let inner = literal.strip_suffix(']').ok_or(Unfit::Form)?;
        if let Ok(address) = inner.parse::<Ipv4Addr>() {
            return Ok(format!("[{address}]"));
        }
        let has_tag = inner
            .get(..5)
            .is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        let bare = if has_tag { &inner[5..] } else { inner };
        let address: Ipv6Addr = bare.parse().map_err(|_| Unfit::Form)?;
        return Ok(format!("[IPv6:{address}]"));
    }
    let ascii = if domain.is_ascii() {
        domain.to_owned()
    } else {
        match url::Host::parse(domain) {
            Ok(url::Host::Domain(ascii)) => ascii,
            Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) | Err(_) => return Err(Unfit::Form),
        }
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !ascii.split('.').all(is_label) {
        return Err(Unfit::Form);
    }
    if ascii.len() > DOMAIN_BYTES_MAX || ascii.split('.').any(|l| l.len() > LABEL_BYTES_MAX) {
        return Err(Unfit::Length);
    }
    Ok(ascii)
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.mailbox == other.mailbox
    }
}
impl Eq for Address {}
impl std::hash::Hash for Address {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.mailbox.hash(state);
    }
}
impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.mailbox.cmp(&other.mailbox)
    }
}

/// As [`Address::parse`] reads it back.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) if name.contains(['"', '\\', ',', ';', '@']) => {
                write!(f, "{} <{}>", in_quotes(name), self.mailbox)
            }
            Some(name) => write!(f, "{name} <{}>", self.mailbox),
            None => f.write_str(&self.mailbox),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_mailboxes_and_refuses_the_rest() {
        let named = Address::parse("Sitewatch Alerts <alerts@example.com>").unwrap();
        assert_eq!(named.name(), Some("Sitewatch Alerts"));
        assert_eq!(named.mailbox(), "alerts@example.com");
        assert_eq!(named, Address::parse("alerts@example.com").unwrap());
        assert!(Address::parse("root@localhost").is_ok());
        let label = "x".repeat(64);
        for wrong in [
            "",
            "ops",
            "@example.com",
            "ops@",
            "a b@example.com",
            "a@b@c",
            "a@b\r\nBcc: c@d",
            "a@.b",
            "a@b..c",
            "a@b.",
            "a@-b.c",
            "a@b-.c",
            "a@b_c",
            "a@[1.2.3]",
            "a@[1.2.3.4",
            "a@[IPv6:1.2.3.4]",
            "a@[::1%eth0]",
            "\"a@example.com",
            "\"\"@example.com",
            "\"a\"b@example.com",
            "a(b)@example.com",
            "a\u{a0}b@example.com",
            "<ops@example.com",
            "ops@example.com>",
            "Ops <ops@example.com> now",
            "Ops <<ops@example.com>>",
            "a@\u{ff11}.\u{ff12}.\u{ff13}.\u{ff14}",
            &format!("{label}x@example.com"),
            &format!("a@{label}.com"),
            &format!("a@{}com", "abcdefghi.".repeat(26)),
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_taken_has_one_form_for_servers() {
        for (text, mailbox, wire) in [
            ("ops@example.com", "ops@example.com", "ops@example.com"),
            ("<ops@example.com>", "ops@example.com", "ops@example.com"),
            ("a+b@example.com", "a+b@example.com", "a+b@example.com"),
            (
                "o'neil@example.com",
                "o'neil@example.com",
                "o'neil@example.com",
            ),
            (
                "first..last@example.com",
                "first..last@example.com",
                "\"first..last\"@example.com",
            ),
            (
                "user.@example.com",
                "user.@example.com",
                "\"user.\"@example.com",
            ),
            (".x@example.com", ".x@example.com", "\".x\"@example.com"),
            (
                "\"first..last\"@example.com",
                "first..last@example.com",
                "\"first..last\"@example.com",
            ),
            ("\"ops\"@example.com", "ops@example.com", "ops@example.com"),
            (
                "\"a b\"@example.com",
                "\"a b\"@example.com",
                "\"a b\"@example.com",
            ),
            (
                "\"a\\\"b@c\"@example.com",
                "\"a\\\"b@c\"@example.com",
                "\"a\\\"b@c\"@example.com",
            ),
            (
                "Night <\"a,b\"@example.com>",
                "\"a,b\"@example.com",
                "\"a,b\"@example.com",
            ),
            (
                "ops@b\u{fc}cher.example",
                "ops@b\u{fc}cher.example",
                "ops@xn--bcher-kva.example",
            ),
            (
                "j\u{f6}rg@example.com",
                "j\u{f6}rg@example.com",
                "j\u{f6}rg@example.com",
            ),
            ("a@[192.0.2.1]", "a@[192.0.2.1]", "a@[192.0.2.1]"),
            (
                "a@[IPv6:2001:DB8::1]",
                "a@[IPv6:2001:DB8::1]",
                "a@[IPv6:2001:db8::1]",
            ),
            ("a@[2001:db8::1]", "a@[2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.mailbox(), mailbox, "{text}");
            let found = address.wire().unwrap();
            assert_eq!(format!("{}@{}", found.local, found.domain), wire, "{text}");
            assert_eq!(found.needs_utf8(), text.starts_with('j'), "{text}");
        }
    }

    #[test]
    fn a_list_in_one_string_is_refused_with_the_way_to_write_it() {
        let both = "[\"Ops <ops@x.org>\", \"Dev <dev@x.org>\"]";
        let bare = "[\"a@x.org\", \"b@x.org\"]";
        for (text, want) in [
            ("Ops <ops@x.org>, Dev <dev@x.org>", both),
            ("Ops <ops@x.org>; Dev <dev@x.org>", both),
            ("Ops <ops@x.org> Dev <dev@x.org>", both),
            ("Ops <ops@x.org>,Dev <dev@x.org>,", both),
            ("a@x.org, b@x.org", bare),
            ("a@x.org;b@x.org", bare),
            ("a@x.org b@x.org", bare),
            ("a@x.org, <b@x.org>", bare),
            (
                "\"Doe, Jane\" <j@x.org>, a@x.org",
                "[\"\\\"Doe, Jane\\\" <j@x.org>\", \"a@x.org\"]",
            ),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{}` holds 2 addresses; write {want}", text.trim())
            );
        }
        let one = Address::parse("a@x.org, b@x.org").unwrap_err();
        assert_eq!(one.advice_for_one(), "write one: \"a@x.org\"");
    }

    #[test]
    fn a_name_that_could_be_an_address_is_refused() {
        for (text, instead) in [
            ("Doe, Jane <j@x.org>", "\"\\\"Doe, Jane\\\" <j@x.org>\""),
            ("Doe; Jane <j@x.org>", "\"\\\"Doe; Jane\\\" <j@x.org>\""),
            ("ops@x Dev <j@x.org>", "\"ops x Dev <j@x.org>\""),
            ("a > b <j@x.org>", "\"a b <j@x.org>\""),
            (
                "\"Ops <ops@x.org>, Dev\" <j@x.org>",
                "\"\\\"Ops ops x.org , Dev\\\" <j@x.org>\"",
            ),
            ("\"ops@x.org\" <j@x.org>", "\"ops x.org <j@x.org>\""),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("; write {instead}")),
                "{text}: {error}"
            );
            let written: String = serde_json::from_str(instead).unwrap();
            assert!(Address::parse(&written).is_ok(), "{written}");
        }
        for (text, name) in [
            ("\"Doe, Jane\" <j@x.org>", "Doe, Jane"),
            ("\"j@x.org\" <j@x.org>", "j@x.org"),
            ("O'Neil \"Bob\" <j@x.org>", "O'Neil \"Bob\""),
            ("Team \"A, B\" <j@x.org>", "Team \"A, B\""),
            ("a 5\" disk <j@x.org>", "a 5\" disk"),
            ("Ops (night) <j@x.org>", "Ops (night)"),
            (
                "\u{dc}berwachung: B\u{fc}ro <j@x.org>",
                "\u{dc}berwachung: B\u{fc}ro",
            ),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.name(), Some(name), "{text}");
            let again = Address::parse(&address.to_string()).unwrap();
            assert_eq!(again.name(), Some(name), "{address}");
        }
    }

    #[test]
    fn what_was_written_down_before_is_read() {
        let old = Address::restored("Doe, Jane <j@x.org>").unwrap();
        assert_eq!((old.name(), old.mailbox()), (Some("Doe, Jane"), "j@x.org"));
        let unfit = Address::restored("a@b-.c").unwrap();
        assert_eq!((unfit.mailbox(), unfit.wire()), ("a@b-.c", None));
        assert!(Address::restored("ops").is_err());
    }
}
