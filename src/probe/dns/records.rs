//! The data of a record as text, bounded by its length field.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::message::WireName;
use crate::domain::dns_record::RecordType;

/// The bytes of one record and the place behind what was read of them.
struct Data<'a> {
    /// The whole message: names point into it.
    message: &'a [u8],
    at: usize,
    end: usize,
}

/// The text of a record of this type; `None` if its data is broken.
pub(super) fn text(kind: RecordType, message: &[u8], data: Range<usize>) -> Option<String> {
    let mut data = Data {
        message,
        at: data.start,
        end: data.end,
    };
    let text = match kind {
        RecordType::A => {
            let bytes = <[u8; 4]>::try_from(data.rest()).ok()?;
            Ipv4Addr::from(bytes).to_string()
        }
        RecordType::Aaaa => {
            let bytes = <[u8; 16]>::try_from(data.rest()).ok()?;
            Ipv6Addr::from(bytes).to_string()
        }
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => data.name()?,
        RecordType::Mx => format!("{} {}", data.number::<2>()?, data.name()?),
        RecordType::Srv => format!(
            "{} {} {} {}",
            data.number::<2>()?,
            data.number::<2>()?,
            data.number::<2>()?,
            data.name()?
        ),
        RecordType::Soa => {
            let mut text = format!("{} {}", data.name()?, data.name()?);
            for _ in 0..5 {
                let _ = write!(text, " {}", data.number::<4>()?);
            }
            text
        }
        RecordType::Ds => format!(
            "{} {} {} {}",
            data.number::<2>()?,
            data.number::<1>()?,
            data.number::<1>()?,
            data.hexadecimal()
        ),
        RecordType::Tlsa => format!(
            "{} {} {} {}",
            data.number::<1>()?,
            data.number::<1>()?,
            data.number::<1>()?,
            data.hexadecimal()
        ),
        RecordType::Sshfp => format!(
            "{} {} {}",
            data.number::<1>()?,
            data.number::<1>()?,
            data.hexadecimal()
        ),
        RecordType::Caa => {
            let flags = data.number::<1>()?;
            let tag = data.string()?;
            let value = data.rest();
            format!("{flags} {} \"{}\"", letters(tag), letters(value))
        }
        RecordType::Txt => {
            let mut joined = Vec::with_capacity(data.end - data.at);
            while data.at < data.end {
                joined.extend_from_slice(data.string()?);
            }
            return Some(letters(&joined));
        }
    };
    (data.at == data.end).then_some(text)
}

impl<'a> Data<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        if end > self.end {
            return None;
        }
        let bytes = self.message.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        self.bytes(self.end.saturating_sub(self.at))
            .unwrap_or_default()
    }

    /// A number of so many bytes.
    fn number<const COUNT: usize>(&mut self) -> Option<u32> {
        let bytes = self.bytes(COUNT)?;
        Some(
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte)),
        )
    }

    /// A string with its length before it.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number::<1>()?;
        self.bytes(usize::try_from(length).ok()?)
    }

    fn name(&mut self) -> Option<String> {
        let (name, end) = WireName::read(self.message, self.at)?;
        if end > self.end {
            return None;
        }
        self.at = end;
        Some(name.text())
    }

    fn hexadecimal(&mut self) -> String {
        let mut text = String::new();
        for byte in self.rest() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// Text that may be bytes: what is no UTF-8, and controls, as three digits behind a backslash (RFC 1035 section 5.1).
fn letters(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if c.is_ascii_control() => {
                    let _ = write!(text, "\\{:03}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\{byte:03}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, data: &[u8], want: Option<&str>) {
        let kind = RecordType::parse(kind).unwrap();
        // A name at the begin for pointers, and bytes behind that are not of the record.
        let message = [b"\x04Mail\x04test\0".as_slice(), data, &[0xff; 8]].concat();
        let text = text(kind, &message, 11..11 + data.len());
        assert_eq!(text.as_deref(), want, "{kind} {data:?}");
        if let Some(text) = text {
            assert!(kind.normal(&text).is_some(), "{kind} {text}");
        }
    }

    #[test]
    fn records_have_the_text_of_dig() {
        check("A", &[192, 0, 2, 1], Some("192.0.2.1"));
        check("A", &[192, 0, 2], None);
        check("A", &[192, 0, 2, 1, 0], None);
        check("AAAA", &[0; 16], Some("::"));
        check("NS", &[0xc0, 0], Some("mail.test"));
        check("NS", &[0], Some("."));
        check("NS", &[0xc0, 0, 0], None);
        check("PTR", b"\x03a.b\0", Some("a\\.b"));
        check("CNAME", &[0xc0, 11], None);
        check("MX", &[0, 10, 0xc0, 0], Some("10 mail.test"));
        check("MX", &[0, 0, 0], Some("0 ."));
        check("MX", &[0], None);
        check(
            "SRV",
            &[0, 1, 0, 2, 0x13, 0xc4, 0xc0, 0],
            Some("1 2 5060 mail.test"),
        );
        let mut soa = vec![0xc0, 0, 1, b'x', 0xc0, 5];
        for number in 1..=5_u32 {
            soa.extend(number.to_be_bytes());
        }
        check("SOA", &soa, Some("mail.test x.test 1 2 3 4 5"));
        check("SOA", &soa[..20], None);
        check("TXT", b"\x02v=\x03spf", Some("v=spf"));
        check("TXT", b"\0", Some(""));
        check("TXT", b"\x05ab", None);
        check("TXT", b"\x04\x1b\xc3\xa9\xff", Some("\\027é\\255"));
        check(
            "CAA",
            b"\x80\x05issueca.test",
            Some("128 issue \"ca.test\""),
        );
        check("CAA", b"\0\x09issue", None);
        check("DS", &[0, 1, 13, 2, 0xab], Some("1 13 2 ab"));
        check("TLSA", &[3, 1, 1, 0xab, 0xcd], Some("3 1 1 abcd"));
        check("SSHFP", &[4, 2, 1], Some("4 2 01"));
        for kind in RecordType::ALL {
            if kind != RecordType::Txt {
                check(kind.as_str(), &[], None);
            }
        }
    }
}
