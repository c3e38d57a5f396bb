//! DNS messages (RFC 1035 section 4): writes a question for addresses, reads what a server says to it.
//!
//! Bytes of a stranger: each loop has a bound.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A name on the wire has at most this many bytes (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 255;

/// A label has at most this many (the same section).
const LABEL_BYTES_MAX: usize = 63;

/// A name jumps at most so often: each label may be somewhere else, but a jump to a jump leads nowhere new.
const JUMPS_MAX: usize = 128;

/// More records of one answer are not read. An address list of a hundred is already a curiosity.
const RECORDS_MAX: usize = 256;

/// More aliases within one answer are not followed; the longest chains of content networks have six.
const ALIASES_MAX: usize = 32;

/// What we take over UDP with EDNS: the size that passes everywhere without fragments.
const EDNS_BYTES: u16 = 1232;

const TYPE_CNAME: u16 = 5;
const TYPE_SOA: u16 = 6;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// The kind of address that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    const fn record_type(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }

    fn address(self, data: &[u8]) -> Option<IpAddr> {
        match self {
            Self::V4 => <[u8; 4]>::try_from(data)
                .ok()
                .map(|bytes| Ipv4Addr::from(bytes).into()),
            Self::V6 => <[u8; 16]>::try_from(data)
                .ok()
                .map(|bytes| Ipv6Addr::from(bytes).into()),
        }
    }
}

/// A name as it goes over the wire, without compression, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireName(Vec<u8>);

impl WireName {
    /// Any label is taken that fits: a hyphen at an end is no host name by the book, but such sites are.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(name.len() + 2);
        for label in name.split('.') {
            if label.is_empty() || label.len() > LABEL_BYTES_MAX {
                return None;
            }
            bytes.push(u8::try_from(label.len()).ok()?);
            bytes.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
        bytes.push(0);
        (bytes.len() <= NAME_BYTES_MAX).then_some(Self(bytes))
    }

    /// Reads the name at `at`, and says where what follows begins.
    fn read(message: &[u8], mut at: usize) -> Option<(Self, usize)> {
        let mut bytes = Vec::with_capacity(32);
        let mut end = None;
        let mut jumps = 0;
        loop {
            let length = usize::from(*message.get(at)?);
            match length {
                0 => {
                    bytes.push(0);
                    let end = end.unwrap_or(at + 1);
                    return (bytes.len() <= NAME_BYTES_MAX).then_some((Self(bytes), end));
                }
                0xc0.. => {
                    let to = (length & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                    end.get_or_insert(at + 2);
                    // Back only, so a circle passes a label each time and ends when the name is too long.
                    jumps += 1;
                    if to >= at || jumps > JUMPS_MAX {
                        return None;
                    }
                    at = to;
                }
                1..=LABEL_BYTES_MAX => {
                    let label = message.get(at..=at + length)?;
                    if bytes.len() + label.len() > NAME_BYTES_MAX {
                        return None;
                    }
                    bytes.push(label[0]);
                    bytes.extend(label[1..].iter().map(u8::to_ascii_lowercase));
                    at += length + 1;
                }
                _ => return None,
            }
        }
    }
}

/// A question for the addresses of a name, recursion desired.
pub(super) fn question(id: u16, name: &WireName, family: Family, edns: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.0.len() + 27);
    out.extend(id.to_be_bytes());
    out.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
    out.extend(&name.0);
    out.extend(family.record_type().to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    if edns {
        out.push(0);
        out.extend(TYPE_OPT.to_be_bytes());
        out.extend(EDNS_BYTES.to_be_bytes());
        out.extend([0; 6]);
    }
    out
}

/// What a message from the server says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// It belongs to no question of ours.
    NotOurs,
    /// It is no DNS message.
    Malformed,
    /// These addresses.
    Addresses(Vec<IpAddr>),
    /// Cut short; so much was in it.
    Truncated(Vec<IpAddr>),
    /// Another name has the addresses, if any; the server did not look further.
    Alias(WireName),
    /// The aliases lead nowhere.
    Circle,
    /// NXDOMAIN.
    NoName,
    /// The name is there, without an address of this family.
    NoAddress,
    /// The server only names other servers: it does not resolve for us.
    Referral,
    /// An error code.
    Code(u16),
}

struct Header {
    truncated: bool,
    authoritative: bool,
    recursive: bool,
    code: u16,
    records: [usize; 3],
}

/// What was read of the sections behind the question.
#[derive(Default)]
struct Sections {
    aliases: Vec<(WireName, WireName)>,
    addresses: Vec<(WireName, IpAddr)>,
    has_soa: bool,
    code_above: u16,
    broken: bool,
}

/// Reads a message that may answer this question.
pub(super) fn read(message: &[u8], id: u16, name: &WireName, family: Family) -> Said {
    let word = |at: usize| {
        let bytes = message.get(at..at + 2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    };
    if word(0) != Some(id) {
        return Said::NotOurs;
    }
    let (Some(flags), Some(questions)) = (word(2), word(4)) else {
        return Said::Malformed;
    };
    let count = |at: usize| word(at).map_or(0, usize::from);
    let header = Header {
        truncated: flags & 0x0200 != 0,
        authoritative: flags & 0x0400 != 0,
        recursive: flags & 0x0080 != 0,
        code: flags & 0x000f,
        records: [count(6), count(8), count(10)],
    };
    let is_answer = flags & 0x8000 != 0 && flags & 0x7800 == 0;
    if !is_answer {
        return Said::NotOurs;
    }
    let begin = match questions {
        // An error about a question that was not understood need not repeat it.
        0 if header.code != 0 => return Said::Code(header.code),
        0 if header.truncated => return Said::Truncated(Vec::new()),
        1 => match WireName::read(message, 12) {
            Some((asked, end)) => {
                let same = asked == *name
                    && word(end) == Some(family.record_type())
                    && word(end + 2) == Some(CLASS_IN);
                if !same {
                    return Said::NotOurs;
                }
                end + 4
            }
            None => return Said::Malformed,
        },
        _ => return Said::Malformed,
    };
    let sections = Sections::read(message, begin, &header, family);
    conclude(&header, sections, name)
}

fn conclude(header: &Header, sections: Sections, name: &WireName) -> Said {
    let mut at = name;
    let mut steps = 0;
    let addresses = loop {
        let found: Vec<IpAddr> = sections
            .addresses
            .iter()
            .filter(|(owner, _)| owner == at)
            .map(|(_, address)| *address)
            .collect();
        if !found.is_empty() {
            break found;
        }
        match sections.aliases.iter().find(|(owner, _)| owner == at) {
            Some((_, target)) => at = target,
            None => break Vec::new(),
        }
        steps += 1;
        if steps > ALIASES_MAX {
            return Said::Circle;
        }
    };
    match header.code | sections.code_above << 4 {
        _ if header.truncated => Said::Truncated(addresses),
        3 => Said::NoName,
        0 if !addresses.is_empty() => Said::Addresses(addresses),
        0 if sections.broken => Said::Malformed,
        0 if sections.has_soa => Said::NoAddress,
        0 if at != name => Said::Alias(at.clone()),
        // As glibc knows a server that was made the system's by mistake.
        0 if header.records[0] == 0
            && header.records[1] > 0
            && !header.authoritative
            && !header.recursive =>
        {
            Said::Referral
        }
        0 => Said::NoAddress,
        code => Said::Code(code),
    }
}

impl Sections {
    fn read(message: &[u8], begin: usize, header: &Header, family: Family) -> Self {
        let mut found = Self::default();
        let mut at = begin;
        let mut left = RECORDS_MAX;
        for (section, count) in header.records.iter().enumerate() {
            for _ in 0..*count {
                if left == 0 {
                    return found;
                }
                left -= 1;
                match found.take(message, at, section, family) {
                    Some(next) => at = next,
                    None => {
                        found.broken = true;
                        return found;
                    }
                }
            }
        }
        found
    }

    /// Takes one record and says where the next begins; `None` where it cannot be read.
    fn take(&mut self, message: &[u8], at: usize, section: usize, family: Family) -> Option<usize> {
        let (owner, at) = WireName::read(message, at)?;
        let fixed = message.get(at..at + 10)?;
        let kind = u16::from_be_bytes([fixed[0], fixed[1]]);
        let class = u16::from_be_bytes([fixed[2], fixed[3]]);
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let begin = at + 10;
        let data = message.get(begin..begin + length)?;
        match (section, kind) {
            (0, TYPE_CNAME) if class == CLASS_IN => {
                let (target, _) = WireName::read(message, begin)?;
                self.aliases.push((owner, target));
            }
            (0, kind) if kind == family.record_type() && class == CLASS_IN => {
                self.addresses.push((owner, family.address(data)?));
            }
            (1, TYPE_SOA) => self.has_soa = true,
            (2, TYPE_OPT) => self.code_above = u16::from(fixed[4]),
            _ => {}
        }
        Some(begin + length)
    }
}

/// The name of an error code (RFC 6895 section 2.3).
pub(super) fn code_name(code: u16) -> String {
    let name = match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        16 => "BADVERS",
        other => return format!("error code {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> WireName {
        WireName::parse(text).unwrap()
    }

    /// An answer to `web.test A` with this header byte pair, counts and tail.
    fn answer(flags: u16, counts: [u16; 3], tail: &[u8]) -> Vec<u8> {
        let mut out = question(7, &name("web.test"), Family::V4, false);
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        for (place, count) in counts.iter().enumerate() {
            out[6 + 2 * place..8 + 2 * place].copy_from_slice(&count.to_be_bytes());
        }
        out.extend(tail);
        out
    }

    fn said(message: &[u8]) -> Said {
        read(message, 7, &name("WEB.test"), Family::V4)
    }

    fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
        let mut out = owner.to_vec();
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend(data);
        out
    }

    const SELF: &[u8] = &[0xc0, 12];

    #[test]
    fn addresses_come_from_the_end_of_the_aliases_in_any_order() {
        let home = record(SELF, 1, &[127, 0, 0, 1]);
        let want = Said::Addresses(vec![Ipv4Addr::LOCALHOST.into()]);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &home)), want);
        let other = [&[2, b'L', b'b'], SELF].concat();
        let tail = [
            record(&[2, b'l', b'B', 0xc0, 12], 1, &[127, 0, 0, 1]),
            record(SELF, 5, &other),
        ]
        .concat();
        assert_eq!(said(&answer(0x8180, [2, 0, 0], &tail)), want);
        // Of another name, of another type, of a wrong length.
        let stray = record(&[1, b'x', 0], 1, &[127, 0, 0, 1]);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &stray)), Said::NoAddress);
        let six = record(SELF, 28, &[0; 16]);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &six)), Said::NoAddress);
        let short = record(SELF, 1, &[127, 0, 0]);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &short)), Said::Malformed);
        // What stands before a broken end counts.
        let tail = [home, vec![0xff; 3]].concat();
        assert_eq!(said(&answer(0x8180, [2, 0, 0], &tail)), want);
    }

    #[test]
    fn what_is_no_address_is_told_apart() {
        assert_eq!(said(&answer(0x8183, [0; 3], &[])), Said::NoName);
        assert_eq!(said(&answer(0x8180, [0; 3], &[])), Said::NoAddress);
        assert_eq!(said(&answer(0x8182, [0; 3], &[])), Said::Code(2));
        assert_eq!(said(&answer(0x8380, [0; 3], &[])), Said::Truncated(vec![]));
        assert_eq!(said(&answer(0x0100, [0; 3], &[])), Said::NotOurs);
        let to = record(SELF, 5, &[1, b'x', 0]);
        assert_eq!(
            said(&answer(0x8180, [1, 0, 0], &to)),
            Said::Alias(name("x"))
        );
        let soa = record(&[0], 6, &[0; 22]);
        let tail = [to, soa].concat();
        assert_eq!(said(&answer(0x8180, [1, 1, 0], &tail)), Said::NoAddress);
        let circle = record(SELF, 5, SELF);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &circle)), Said::Circle);
        let ns = record(&[0], 2, &[1, b'n', 0]);
        assert_eq!(said(&answer(0x8100, [0, 1, 0], &ns)), Said::Referral);
        assert_eq!(said(&answer(0x8180, [0, 1, 0], &ns)), Said::NoAddress);
        // BADVERS: half of the code stands in the OPT record.
        let opt = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0];
        assert_eq!(said(&answer(0x8180, [0, 0, 1], &opt)), Said::Code(16));
        // An error need not repeat the question.
        let bare = [0, 7, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(said(&bare), Said::Code(1));
    }

    #[test]
    fn strangers_bytes_are_borne() {
        assert_eq!(said(&[]), Said::NotOurs);
        assert_eq!(said(&[0, 7]), Said::Malformed);
        assert_eq!(said(&[0, 8, 0x81, 0x80]), Said::NotOurs);
        let mut other = answer(0x8180, [0; 3], &[]);
        other[13] = b'x';
        assert_eq!(said(&other), Said::NotOurs);
        // Pointers to themselves, ahead, and out of the message.
        for pointer in [[0xc0, 26], [0xc0, 40], [0xff, 0xff], [0x80, 0]] {
            let tail = record(&pointer, 1, &[127, 0, 0, 1]);
            assert_eq!(said(&answer(0x8180, [1, 0, 0], &tail)), Said::Malformed);
        }
        // 64 KB of records, each a name of 255 bytes by pointers.
        let mut tail = Vec::new();
        while tail.len() < 60_000 {
            tail.extend(record(SELF, 5, SELF));
        }
        assert_eq!(said(&answer(0x8180, [5000, 0, 0], &tail)), Said::Circle);
        // Every prefix and every flipped byte of a good answer.
        let good = answer(0x8180, [1, 0, 0], &record(SELF, 1, &[127, 0, 0, 1]));
        for end in 0..good.len() {
            said(&good[..end]);
            for byte in [0, 0x3f, 0xc0, 0xff] {
                let mut bent = good.clone();
                bent[end] = byte;
                said(&bent);
            }
        }
    }

    #[test]
    fn a_name_jumps_only_so_often() {
        // A root, then pointers each to the one before.
        let chain = |jumps: usize| {
            let mut bytes = vec![0];
            for jump in 0..jumps {
                let to = u16::try_from((2 * jump).saturating_sub(1)).unwrap();
                bytes.extend((0xc000 | to).to_be_bytes());
            }
            WireName::read(&bytes, bytes.len() - 2).map(|(_, end)| end == bytes.len())
        };
        assert_eq!(chain(JUMPS_MAX), Some(true));
        assert_eq!(chain(JUMPS_MAX + 1), None);
    }

    #[test]
    fn names_that_fit() {
        let long = "a".repeat(63);
        assert!(WireName::parse(&long).is_some());
        assert!(WireName::parse(&format!("{long}a")).is_none());
        assert!(WireName::parse("a..b").is_none());
        assert!(WireName::parse("").is_none());
        assert!(WireName::parse(&[long.as_str(); 4].join(".")).is_none());
        assert!(WireName::parse("-a._b").is_some());
    }
}
