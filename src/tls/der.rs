//! The outline of a certificate, read as leniently as it can be, and a form of it that webpki reads.
//!
//! webpki takes certificates of version 3 whose critical extensions are among six. Other clients take more: old devices
//! show version 1, private authorities mark policies as critical. Such a certificate is rewritten for webpki, and its
//! signature is checked over what was signed.

use rustls::pki_types::CertificateDer;

const BOOLEAN: u8 = 0x01;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// Version 3, as it stands in a certificate.
const VERSION_3: [u8; 5] = [VERSION, 3, 2, 1, 2];

/// Extensions below 2.5.29 that webpki decides by: key usage, alternative names, basic constraints, name constraints,
/// extended key usage.
const DECIDING: [u8; 5] = [15, 17, 19, 30, 37];
const BASIC_CONSTRAINTS: u8 = 19;

/// Extensions below 2.5.29 that may be critical and change nothing here: key identifiers, distribution points of
/// revocation lists, and all about policies, which no browser asks for.
const HARMLESS: [u8; 7] = [14, 31, 32, 33, 35, 36, 54];

/// The same elsewhere: Netscape's certificate type, OCSP without check, addresses and systems of routers.
const HARMLESS_ELSEWHERE: [&[u8]; 4] = [
    b"\x60\x86\x48\x01\x86\xf8\x42\x01\x01",
    b"\x2b\x06\x01\x05\x05\x07\x30\x01\x05",
    b"\x2b\x06\x01\x05\x05\x07\x01\x07",
    b"\x2b\x06\x01\x05\x05\x07\x01\x08",
];

/// An element: its tag, its content, all its bytes.
#[derive(Debug, Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// Takes the first element off.
fn take<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    let input = *rest;
    let (&tag, after) = input.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        // Three bytes of length are 16 MiB: more than a handshake carries.
        0x81..=0x83 => {
            let (length, after) = after.split_at_checked(usize::from(first & 0x0f))?;
            let length = length
                .iter()
                .fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
            (length, after)
        }
        _ => return None,
    };
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(Element {
        tag,
        content,
        whole: &input[..input.len() - after.len()],
    })
}

fn take_tagged<'a>(rest: &mut &'a [u8], tag: u8) -> Option<Element<'a>> {
    take(rest).filter(|element| element.tag == tag)
}

/// An element of this tag with these parts.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let mut all = vec![tag];
    if length < 0x80 {
        all.push(significant.first().copied().unwrap_or(0));
    } else {
        all.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
        all.extend_from_slice(significant);
    }
    parts.iter().for_each(|part| all.extend_from_slice(part));
    all
}

/// The parts of a certificate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline<'a> {
    /// What is signed, all its bytes.
    tbs: &'a [u8],
    /// Serial number and the algorithm of the signature.
    serial: &'a [u8],
    algorithm: &'a [u8],
    /// Who signed it.
    pub(super) issuer: &'a [u8],
    validity: &'a [u8],
    /// Whose it is.
    pub(super) subject: &'a [u8],
    /// The key, all its bytes.
    pub(super) key: &'a [u8],
    extensions: &'a [u8],
    /// The algorithm and the signature behind what is signed.
    signature: [&'a [u8]; 2],
    /// Whether it is of version 1 (or 2), which knows no extensions.
    pub(super) is_old: bool,
}

#[derive(Debug, Clone, Copy)]
struct Extension<'a> {
    oid: &'a [u8],
    critical: bool,
    value: &'a [u8],
    whole: &'a [u8],
}

impl Extension<'_> {
    /// Its last number where it is below 2.5.29.
    fn standard(&self) -> Option<u8> {
        match self.oid {
            [0x55, 0x1d, number] => Some(*number),
            _ => None,
        }
    }

    fn is_unknown(&self) -> bool {
        match self.standard() {
            Some(number) => !DECIDING.contains(&number) && !HARMLESS.contains(&number),
            None => !HARMLESS_ELSEWHERE.contains(&self.oid),
        }
    }
}

impl<'a> Outline<'a> {
    /// `None` if even the outline cannot be read, or if bytes follow it.
    pub(super) fn read(mut der: &'a [u8]) -> Option<Self> {
        let mut whole = take_tagged(&mut der, SEQUENCE)?.content;
        if !der.is_empty() {
            return None;
        }
        let tbs = take_tagged(&mut whole, SEQUENCE)?;
        let signature = [
            take_tagged(&mut whole, SEQUENCE)?.whole,
            take_tagged(&mut whole, BIT_STRING)?.whole,
        ];
        let mut rest = tbs.content;
        let mut next = take(&mut rest)?;
        let mut is_old = true;
        if next.tag == VERSION {
            is_old = next.whole != VERSION_3;
            next = take(&mut rest)?;
        }
        let mut outline = Self {
            tbs: tbs.whole,
            serial: next.whole,
            algorithm: take_tagged(&mut rest, SEQUENCE)?.whole,
            issuer: take_tagged(&mut rest, SEQUENCE)?.whole,
            validity: take_tagged(&mut rest, SEQUENCE)?.whole,
            subject: take_tagged(&mut rest, SEQUENCE)?.whole,
            key: take_tagged(&mut rest, SEQUENCE)?.whole,
            extensions: &[],
            signature,
            is_old,
        };
        // Between the key and the extensions may be unique identifiers, which nobody uses.
        while let Some(element) = take(&mut rest) {
            if element.tag == EXTENSIONS {
                let mut inside = element.content;
                outline.extensions = take_tagged(&mut inside, SEQUENCE)?.content;
            }
        }
        Some(outline)
    }

    fn extensions(&self) -> impl Iterator<Item = Extension<'a>> {
        let mut rest = self.extensions;
        std::iter::from_fn(move || {
            let element = take_tagged(&mut rest, SEQUENCE)?;
            let mut inside = element.content;
            let oid = take_tagged(&mut inside, OID)?.content;
            let mut next = take(&mut inside)?;
            let mut critical = false;
            if next.tag == BOOLEAN {
                critical = next.content != [0];
                next = take(&mut inside)?;
            }
            Some(Extension {
                oid,
                critical,
                value: next.content,
                whole: element.whole,
            })
        })
    }

    fn extension(&self, number: u8) -> Option<&'a [u8]> {
        let mut all = self.extensions();
        let found = all.find(|extension| extension.standard() == Some(number))?;
        Some(found.value)
    }

    /// The identifier of its key, where it has one.
    pub(super) fn key_id(&self) -> Option<&'a [u8]> {
        let mut value = self.extension(14)?;
        take_tagged(&mut value, 0x04).map(|id| id.content)
    }

    /// The identifier of its issuer's key, where it has one.
    pub(super) fn issuer_key_id(&self) -> Option<&'a [u8]> {
        let mut value = self.extension(35)?;
        let mut inside = take_tagged(&mut value, SEQUENCE)?.content;
        take_tagged(&mut inside, 0x80).map(|id| id.content)
    }
}

/// A certificate as webpki reads it.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// For webpki.
    pub(super) der: CertificateDer<'static>,
    /// What its signature would be over, and what it is over.
    pub(super) signed: [Vec<u8>; 2],
    /// A critical extension that nobody knows.
    pub(super) unknown: Option<String>,
    /// Whether it is of an old version and signed by itself: only trust makes such a one an authority's.
    pub(super) is_old_root: bool,
}

/// Rewrites a certificate for webpki: as version 3, with the extensions that it decides by. A server's own certificate
/// loses its basic constraints: browsers take the certificate of an authority there. `None` if the outline or an
/// extension cannot be read: a constraint may stand in it or behind it.
pub(super) fn rewrite(der: &[u8], is_leaf: bool) -> Option<Rewritten> {
    let outline = Outline::read(der)?;
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut unknown = None;
    let mut read_bytes = 0;
    for extension in outline.extensions() {
        read_bytes += extension.whole.len();
        let decides = extension
            .standard()
            .is_some_and(|number| DECIDING.contains(&number));
        if decides && !(is_leaf && extension.standard() == Some(BASIC_CONSTRAINTS)) {
            kept.push(extension.whole);
        } else if extension.critical && extension.is_unknown() {
            unknown.get_or_insert_with(|| dotted(extension.oid));
        }
    }
    if read_bytes != outline.extensions.len() {
        return None;
    }
    let extensions = element(EXTENSIONS, &[&element(SEQUENCE, &kept)]);
    let tbs = element(
        SEQUENCE,
        &[
            &VERSION_3,
            outline.serial,
            outline.algorithm,
            outline.issuer,
            outline.validity,
            outline.subject,
            outline.key,
            if kept.is_empty() { &[] } else { &extensions },
        ],
    );
    let [algorithm, signature] = outline.signature;
    Some(Rewritten {
        der: element(SEQUENCE, &[&tbs, algorithm, signature]).into(),
        signed: [tbs, outline.tbs.to_vec()],
        unknown,
        is_old_root: outline.is_old && outline.issuer == outline.subject,
    })
}

/// Numbers of an object identifier that are shown.
const OID_NUMBERS_MAX: usize = 20;

/// An object identifier in its usual form: `1.2.840`.
pub(super) fn dotted(oid: &[u8]) -> String {
    let mut numbers: Vec<u128> = Vec::new();
    let mut number: u128 = 0;
    for byte in oid {
        number = (number.wrapping_shl(7)) | u128::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                numbers.push(number - first * 40);
            } else {
                numbers.push(number);
            }
            number = 0;
        }
        if numbers.len() >= OID_NUMBERS_MAX {
            break;
        }
    }
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    words.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers() {
        assert_eq!(dotted(b"\x55\x1d\x25"), "2.5.29.37");
        assert_eq!(
            dotted(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),
            "1.2.840.113549.1.1.11"
        );
        assert_eq!(dotted(b"\x88\x37\x03"), "2.999.3");
        assert_eq!(dotted(b""), "");
        assert_eq!(dotted(&[0xff; 60]), "");
    }

    #[test]
    fn what_hides_an_extension_is_not_rewritten() {
        let certificate = |extensions: &[&[u8]]| {
            let empty = element(SEQUENCE, &[]);
            let all = element(EXTENSIONS, &[&element(SEQUENCE, extensions)]);
            let mut parts: Vec<&[u8]> = vec![&VERSION_3, &[2, 1, 1]];
            parts.extend([empty.as_slice(); 5]);
            parts.push(&all);
            let tbs = element(SEQUENCE, &parts);
            element(SEQUENCE, &[&tbs, &empty, &[BIT_STRING, 1, 0]])
        };
        let constraints = element(SEQUENCE, &[b"\x06\x03\x55\x1d\x1e", b"\x04\x00"]);
        let kept = rewrite(&certificate(&[&constraints]), false).unwrap();
        assert!(kept.der.windows(3).any(|it| it == b"\x55\x1d\x1e"));
        for broken in [&b"\x30\x00"[..], b"\x04\x00", b"\x30\x84\x00\x00\x00\x00"] {
            let hidden = certificate(&[broken, &constraints]);
            assert!(rewrite(&hidden, false).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn lengths_of_every_size() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let made = element(SEQUENCE, &[&content]);
            let mut rest = made.as_slice();
            let read = take(&mut rest).unwrap();
            assert_eq!((read.tag, read.content.len()), (SEQUENCE, length));
            assert_eq!((read.whole.len(), rest.len()), (made.len(), 0));
        }
        for broken in [
            &[][..],
            &[0x30],
            &[0x30, 5, 1],
            &[0x30, 0x84, 0, 0, 0, 0],
            &[0x30, 0x82, 1],
        ] {
            assert!(take(&mut &broken[..]).is_none(), "{broken:?}");
        }
    }
}
