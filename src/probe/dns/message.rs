//! DNS messages (RFC 1035 section 4): writes a question, reads what a server says to it.
//!
//! Bytes of a stranger: each loop has a bound.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::records;
use crate::domain::dns_record::RecordType;

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

/// The error code of a server that does not want to answer.
pub(super) const REFUSED: u16 = 5;

/// The kind of address that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// What is asked for: the records of one type, and what is made of each.
pub(super) trait RecordKind: Copy + Send + Sync + 'static {
    /// What is made of a record.
    type Record: Clone + Send + Sync + 'static;

    /// Whether a part of the answer will do where the whole cannot be had: to connect one address is enough.
    const PARTS_WILL_DO: bool;

    /// The type's number on the wire.
    fn code(self) -> u16;

    /// Reads the data of a record, which stands at `data` in the message; `None` if it is broken.
    fn record(self, message: &[u8], data: Range<usize>) -> Option<Self::Record>;
}

impl RecordKind for Family {
    type Record = IpAddr;

    const PARTS_WILL_DO: bool = true;

    fn code(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }

    fn record(self, message: &[u8], data: Range<usize>) -> Option<IpAddr> {
        let data = message.get(data)?;
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

impl RecordKind for RecordType {
    type Record = String;

    const PARTS_WILL_DO: bool = false;

    fn code(self) -> u16 {
        self.code()
    }

    fn record(self, message: &[u8], data: Range<usize>) -> Option<String> {
        records::text(self, message, data)
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

    /// The name of the root.
    pub(super) fn root() -> Self {
        Self(vec![0])
    }

    /// Its text without the final dot; a dot for the root. Dots and backslashes within a label are escaped, and all
    /// bytes that are not letters of ASCII (RFC 1035 section 5.1).
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        let mut rest = &self.0[..];
        while let Some((length, behind)) = rest.split_first()
            && let Some((label, behind)) = behind.split_at_checked(usize::from(*length))
            && !label.is_empty()
        {
            if !text.is_empty() {
                text.push('.');
            }
            for byte in label {
                match byte {
                    b'.' | b'\\' => text.extend(['\\', char::from(*byte)]),
                    b'!'..=b'~' => text.push(char::from(*byte)),
                    _ => text.push_str(&format!("\\{byte:03}")),
                }
            }
            rest = behind;
        }
        match text.is_empty() {
            true => ".".to_owned(),
            false => text,
        }
    }

    /// Reads the name at `at`, and says where what follows begins.
    pub(super) fn read(message: &[u8], mut at: usize) -> Option<(Self, usize)> {
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

/// A question for the records of this type, recursion desired.
pub(super) fn question(id: u16, name: &WireName, code: u16, edns: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.0.len() + 27);
    out.extend(id.to_be_bytes());
    out.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
    out.extend(&name.0);
    out.extend(code.to_be_bytes());
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
pub(super) enum Said<R> {
    /// It belongs to no question of ours.
    NotOurs,
    /// It is no DNS message.
    Malformed,
    /// These.
    Records(Vec<R>),
    /// Cut short; so much was in it.
    Truncated(Vec<R>),
    /// Another name has the records, if any; the server did not look further.
    Alias(WireName),
    /// The aliases lead nowhere.
    Circle,
    /// NXDOMAIN.
    NoName,
    /// The name is there, without a record of this type.
    NoRecord,
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
struct Sections<R> {
    aliases: Vec<(WireName, WireName)>,
    records: Vec<(WireName, R)>,
    has_soa: bool,
    code_above: u16,
    broken: bool,
}

/// Reads a message that may answer this question.
pub(super) fn read<W: RecordKind>(
    message: &[u8],
    id: u16,
    name: &WireName,
    wanted: W,
) -> Said<W::Record> {
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
                    && word(end) == Some(wanted.code())
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
    let sections = Sections::read(message, begin, &header, wanted);
    conclude::<W>(&header, sections, name)
}

fn conclude<W: RecordKind>(
    header: &Header,
    sections: Sections<W::Record>,
    name: &WireName,
) -> Said<W::Record> {
    let mut at = name;
    let mut steps = 0;
    let records = loop {
        let found: Vec<W::Record> = sections
            .records
            .iter()
            .filter(|(owner, _)| owner == at)
            .map(|(_, record)| record.clone())
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
        _ if header.truncated => Said::Truncated(records),
        3 => Said::NoName,
        0 if sections.broken && !W::PARTS_WILL_DO => Said::Malformed,
        0 if !records.is_empty() => Said::Records(records),
        0 if sections.broken => Said::Malformed,
        0 if sections.has_soa => Said::NoRecord,
        0 if at != name => Said::Alias(at.clone()),
        // As glibc knows a server that was made the system's by mistake.
        0 if header.records[0] == 0
            && header.records[1] > 0
            && !header.authoritative
            && !header.recursive =>
        {
            Said::Referral
        }
        0 => Said::NoRecord,
        code => Said::Code(code),
    }
}

impl<R> Sections<R> {
    fn read<W: RecordKind<Record = R>>(
        message: &[u8],
        begin: usize,
        header: &Header,
        wanted: W,
    ) -> Self {
        let mut found = Self {
            aliases: Vec::new(),
            records: Vec::new(),
            has_soa: false,
            code_above: 0,
            broken: false,
        };
        let mut at = begin;
        let mut left = RECORDS_MAX;
        for (section, count) in header.records.iter().enumerate() {
            for _ in 0..*count {
                if left == 0 {
                    // What else there is in the first section may be of the wanted type.
                    found.broken = section == 0;
                    return found;
                }
                left -= 1;
                match found.take(message, at, section, wanted) {
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
    fn take<W: RecordKind<Record = R>>(
        &mut self,
        message: &[u8],
        at: usize,
        section: usize,
        wanted: W,
    ) -> Option<usize> {
        let (owner, at) = WireName::read(message, at)?;
        let fixed = message.get(at..at + 10)?;
        let kind = u16::from_be_bytes([fixed[0], fixed[1]]);
        let class = u16::from_be_bytes([fixed[2], fixed[3]]);
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let begin = at + 10;
        let data = begin..begin + length;
        message.get(data.clone())?;
        match (section, kind) {
            (0, kind) if kind == wanted.code() && class == CLASS_IN => {
                self.records.push((owner, wanted.record(message, data)?));
            }
            (0, TYPE_CNAME) if class == CLASS_IN => {
                let (target, _) = WireName::read(message, begin)?;
                self.aliases.push((owner, target));
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
        let mut out = question(7, &name("web.test"), Family::V4.code(), false);
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        for (place, count) in counts.iter().enumerate() {
            out[6 + 2 * place..8 + 2 * place].copy_from_slice(&count.to_be_bytes());
        }
        out.extend(tail);
        out
    }

    fn said(message: &[u8]) -> Said<IpAddr> {
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
        let want = Said::Records(vec![Ipv4Addr::LOCALHOST.into()]);
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
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &stray)), Said::NoRecord);
        let six = record(SELF, 28, &[0; 16]);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &six)), Said::NoRecord);
        let short = record(SELF, 1, &[127, 0, 0]);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &short)), Said::Malformed);
        // What stands before a broken end counts.
        let tail = [home, vec![0xff; 3]].concat();
        assert_eq!(said(&answer(0x8180, [2, 0, 0], &tail)), want);
    }

    #[test]
    fn what_is_no_address_is_told_apart() {
        assert_eq!(said(&answer(0x8183, [0; 3], &[])), Said::NoName);
        assert_eq!(said(&answer(0x8180, [0; 3], &[])), Said::NoRecord);
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
        assert_eq!(said(&answer(0x8180, [1, 1, 0], &tail)), Said::NoRecord);
        let circle = record(SELF, 5, SELF);
        assert_eq!(said(&answer(0x8180, [1, 0, 0], &circle)), Said::Circle);
        let ns = record(&[0], 2, &[1, b'n', 0]);
        assert_eq!(said(&answer(0x8100, [0, 1, 0], &ns)), Said::Referral);
        assert_eq!(said(&answer(0x8180, [0, 1, 0], &ns)), Said::NoRecord);
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
    fn only_a_whole_answer_is_compared() {
        let ask = |kind: RecordType, flags: u16, counts: [u16; 3], tail: &[u8]| {
            let mut message = question(7, &name("web.test"), kind.code(), false);
            message[2..4].copy_from_slice(&flags.to_be_bytes());
            for (place, count) in counts.iter().enumerate() {
                message[6 + 2 * place..8 + 2 * place].copy_from_slice(&count.to_be_bytes());
            }
            message.extend(tail);
            read(&message, 7, &name("web.test"), kind)
        };
        let mail = |place: u8| record(SELF, 15, &[0, place, 0xc0, 12]);
        let two = [mail(1), mail(2)].concat();
        let texts = |all: &[&str]| -> Vec<String> { all.iter().map(|&text| text.into()).collect() };
        let both = Said::Records(texts(&["1 web.test", "2 web.test"]));
        assert_eq!(ask(RecordType::Mx, 0x8180, [2, 0, 0], &two), both);
        // One that is broken, one that is missing.
        let short = [mail(1), record(SELF, 15, &[0])].concat();
        assert_eq!(
            ask(RecordType::Mx, 0x8180, [2, 0, 0], &short),
            Said::Malformed
        );
        assert_eq!(
            ask(RecordType::Mx, 0x8180, [3, 0, 0], &two),
            Said::Malformed
        );
        let many = mail(1).repeat(RECORDS_MAX + 1);
        let count = u16::try_from(RECORDS_MAX).unwrap();
        assert!(matches!(
            ask(RecordType::Mx, 0x8180, [count, 0, 0], &many),
            Said::Records(all) if all.len() == RECORDS_MAX
        ));
        let more = ask(RecordType::Mx, 0x8180, [count + 1, 0, 0], &many);
        assert_eq!(more, Said::Malformed);
        // An alias is an answer only to the question for it.
        let to = record(SELF, 5, &[1, b'x', 0]);
        let alias = Said::Alias(name("x"));
        assert_eq!(ask(RecordType::Mx, 0x8180, [1, 0, 0], &to), alias);
        let is_it = Said::Records(texts(&["x"]));
        assert_eq!(ask(RecordType::Cname, 0x8180, [1, 0, 0], &to), is_it);
        // Records of another name or class are not asked for.
        let stray = record(&[1, b'y', 0], 15, &[0, 1, 0]);
        assert_eq!(
            ask(RecordType::Mx, 0x8180, [1, 0, 0], &stray),
            Said::NoRecord
        );
        let mut chaos = mail(1);
        chaos[5] = 3;
        assert_eq!(
            ask(RecordType::Mx, 0x8180, [1, 0, 0], &chaos),
            Said::NoRecord
        );
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
