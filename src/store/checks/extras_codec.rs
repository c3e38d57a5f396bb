//! What some kinds of checks add, in few bytes: a tag and its content, one after the other.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::domain::check::{
    AddressCheck, Certificate, CheckState, Extras, Failure, FailureKind, HttpVersion, Micros,
    Packets, VersionCheck,
};
use crate::domain::timestamp::Timestamp;
use crate::domain::varint;
use crate::store::error::{Result, StoreError};

/// Two counts and two times.
const PACKETS: u8 = 1;
/// A count, then each text with its length before it.
const ANSWERS: u8 = 2;

/// The certificates, each once, then the addresses, each with the number of its certificate.
const ADDRESSES: u8 = 3;

/// A count, then the versions.
const VERSIONS: u8 = 4;

/// More of what was wrong at one address is not kept.
const DETAIL_BYTES_MAX: usize = 200;

/// Nothing where there are none.
pub(in crate::store) fn encode(extras: Option<&Extras>) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(Extras {
        packets,
        answers,
        addresses,
        versions,
    }) = extras
    else {
        return out;
    };
    if let Some(packets) = packets {
        out.extend([PACKETS, packets.sent, packets.received]);
        for time in [packets.min, packets.max] {
            varint::put(&mut out, time.map_or(0, |time| u64::from(time.get()) + 1));
        }
    }
    if let Some(answers) = answers {
        out.push(ANSWERS);
        varint::put(&mut out, answers.len() as u64);
        for answer in answers {
            put_text(&mut out, answer);
        }
    }
    if let Some(addresses) = addresses {
        out.push(ADDRESSES);
        put_addresses(&mut out, addresses);
    }
    if let Some(versions) = versions {
        out.push(VERSIONS);
        varint::put(&mut out, versions.len() as u64);
        for one in versions {
            out.push(match one.version {
                HttpVersion::Http10 => 10,
                HttpVersion::Http11 => 11,
                HttpVersion::Http2 => 20,
                HttpVersion::Http3 => 30,
            });
            put_outcome(&mut out, one.state, one.status, one.failure.as_ref());
            varint::put(
                &mut out,
                one.total.map_or(0, |time| u64::from(time.get()) + 1),
            );
        }
    }
    out
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    varint::put(out, text.len() as u64);
    out.extend(text.as_bytes());
}

fn put_addresses(out: &mut Vec<u8>, addresses: &[AddressCheck]) {
    let mut certificates: Vec<&Arc<Certificate>> = Vec::new();
    for certificate in addresses.iter().filter_map(|one| one.certificate.as_ref()) {
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    varint::put(out, certificates.len() as u64);
    for certificate in &certificates {
        for at in [certificate.not_before, certificate.not_after] {
            varint::put(out, at.as_ms().unsigned_abs());
        }
        put_text(out, &certificate.subject);
        put_text(out, &certificate.issuer);
        out.extend(certificate.fingerprint.to_le_bytes());
    }
    varint::put(out, addresses.len() as u64);
    for one in addresses {
        match one.addr.ip() {
            IpAddr::V4(address) => {
                out.push(4);
                out.extend(address.octets());
            }
            IpAddr::V6(address) => {
                out.push(6);
                out.extend(address.octets());
            }
        }
        out.extend(one.addr.port().to_le_bytes());
        put_outcome(out, one.state, one.status, one.failure.as_ref());
        varint::put(out, one.total.map_or(0, |time| u64::from(time.get()) + 1));
        let number = one.certificate.as_ref().and_then(|own| {
            let place = certificates.iter().position(|other| *other == own)?;
            Some(place as u64 + 1)
        });
        varint::put(out, number.unwrap_or(0));
    }
}

fn put_outcome(
    out: &mut Vec<u8>,
    state: CheckState,
    status: Option<u16>,
    failure: Option<&Failure>,
) {
    out.push(state as u8);
    varint::put(out, status.map_or(0, |status| u64::from(status) + 1));
    match failure {
        None => put_text(out, ""),
        Some(failure) => {
            put_text(out, failure.kind.as_str());
            let detail = &failure.detail;
            put_text(out, &detail[..detail.floor_char_boundary(DETAIL_BYTES_MAX)]);
        }
    }
}

/// The reverse of [`encode`].
pub(super) fn decode(bytes: &[u8]) -> Result<Option<Box<Extras>>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    read(bytes)
        .map(|extras| Some(Box::new(extras)))
        .ok_or_else(|| {
            StoreError::Damaged("what a check of its kind adds cannot be read".to_owned())
        })
}

fn read(mut bytes: &[u8]) -> Option<Extras> {
    let mut extras = Extras::default();
    while let Some((tag, rest)) = bytes.split_first() {
        bytes = rest;
        match *tag {
            PACKETS => {
                let [sent, received] = *take(&mut bytes, 2)? else {
                    return None;
                };
                extras.packets = Some(Packets {
                    sent,
                    received,
                    min: time(&mut bytes)?,
                    max: time(&mut bytes)?,
                });
            }
            ANSWERS => {
                let count = usize::try_from(varint::take(&mut bytes)?).ok()?;
                // Each takes a byte at least.
                if count > bytes.len() {
                    return None;
                }
                let answers = (0..count).map(|_| text(&mut bytes).map(str::to_owned));
                extras.answers = Some(answers.collect::<Option<_>>()?);
            }
            ADDRESSES => extras.addresses = Some(addresses(&mut bytes)?),
            VERSIONS => {
                let versions = (0..count(&mut bytes)?).map(|_| version(&mut bytes));
                extras.versions = Some(versions.collect::<Option<_>>()?);
            }
            _ => return None,
        }
    }
    Some(extras)
}

fn text<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    let length = usize::try_from(varint::take(bytes)?).ok()?;
    std::str::from_utf8(take(bytes, length)?).ok()
}

/// A count of things, each of which takes a byte at least.
fn count(bytes: &mut &[u8]) -> Option<usize> {
    let count = usize::try_from(varint::take(bytes)?).ok()?;
    (count <= bytes.len()).then_some(count)
}

fn addresses(bytes: &mut &[u8]) -> Option<Box<[AddressCheck]>> {
    let certificates = (0..count(bytes)?).map(|_| {
        let mut moment = || {
            let ms = i64::try_from(varint::take(bytes)?).ok()?;
            Some(Timestamp::from_ms(ms))
        };
        let (not_before, not_after) = (moment()?, moment()?);
        Some(Arc::new(Certificate {
            not_before,
            not_after,
            subject: text(bytes)?.to_owned(),
            issuer: text(bytes)?.to_owned(),
            fingerprint: u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?),
        }))
    });
    let certificates: Vec<Arc<Certificate>> = certificates.collect::<Option<_>>()?;
    (0..count(bytes)?)
        .map(|_| address(bytes, &certificates))
        .collect()
}

fn address(bytes: &mut &[u8], certificates: &[Arc<Certificate>]) -> Option<AddressCheck> {
    let ip = match take(bytes, 1)? {
        [4] => IpAddr::from(<[u8; 4]>::try_from(take(bytes, 4)?).ok()?),
        [6] => IpAddr::from(<[u8; 16]>::try_from(take(bytes, 16)?).ok()?),
        _ => return None,
    };
    let port = u16::from_le_bytes(take(bytes, 2)?.try_into().ok()?);
    let (state, status, failure) = outcome(bytes)?;
    let total = time(bytes)?;
    let certificate = match usize::try_from(varint::take(bytes)?).ok()? {
        0 => None,
        number => Some(Arc::clone(certificates.get(number - 1)?)),
    };
    Some(AddressCheck {
        addr: SocketAddr::new(ip, port),
        state,
        status,
        failure,
        total,
        certificate,
    })
}

fn version(bytes: &mut &[u8]) -> Option<VersionCheck> {
    let version = match take(bytes, 1)? {
        [10] => HttpVersion::Http10,
        [11] => HttpVersion::Http11,
        [20] => HttpVersion::Http2,
        [30] => HttpVersion::Http3,
        _ => return None,
    };
    let (state, status, failure) = outcome(bytes)?;
    Some(VersionCheck {
        version,
        state,
        status,
        failure,
        total: time(bytes)?,
    })
}

/// The reverse of [`put_outcome`].
fn outcome(bytes: &mut &[u8]) -> Option<(CheckState, Option<u16>, Option<Failure>)> {
    let state = usize::from(*take(bytes, 1)?.first()?);
    let status = match varint::take(bytes)? {
        0 => None,
        more => Some(u16::try_from(more - 1).ok()?),
    };
    let failure = match text(bytes)? {
        "" => None,
        kind => Some(Failure {
            kind: FailureKind::parse(kind)?,
            detail: text(bytes)?.into(),
        }),
    };
    Some((*CheckState::ALL.get(state)?, status, failure))
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn time(bytes: &mut &[u8]) -> Option<Option<Micros>> {
    match varint::take(bytes)? {
        0 => Some(None),
        more => u32::try_from(more - 1).ok().map(|us| Some(Micros::new(us))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_addresses() -> Box<[AddressCheck]> {
        let certificate = Arc::new(Certificate {
            not_after: Timestamp::from_ms(1_800_000_000_000),
            not_before: Timestamp::from_ms(1_700_000_000_000),
            subject: "CN=example.com".to_owned(),
            issuer: "CN=CA".to_owned(),
            fingerprint: u64::MAX - 7,
        });
        let good = AddressCheck {
            addr: "192.0.2.1:443".parse().unwrap(),
            state: CheckState::Up,
            status: Some(200),
            failure: None,
            total: Some(Micros::new(0)),
            certificate: Some(certificate),
        };
        let bad = AddressCheck {
            addr: "[2001:db8::1]:8443".parse().unwrap(),
            state: CheckState::Down,
            status: None,
            failure: Some(Failure {
                kind: FailureKind::ConnectRefused,
                detail: "nobody listens there".into(),
            }),
            total: None,
            certificate: None,
        };
        [good.clone(), bad, good].into()
    }

    fn all_versions() -> Box<[VersionCheck]> {
        let good = |version| VersionCheck {
            version,
            state: CheckState::Up,
            status: Some(200),
            failure: None,
            total: Some(Micros::new(7)),
        };
        let bad = VersionCheck {
            state: CheckState::Down,
            status: None,
            failure: Some(Failure {
                kind: FailureKind::ConnectTimeout,
                detail: "no answer".into(),
            }),
            ..good(HttpVersion::Http3)
        };
        [
            good(HttpVersion::Http10),
            good(HttpVersion::Http11),
            good(HttpVersion::Http2),
            bad,
        ]
        .into()
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let packets = Packets {
            sent: 3,
            received: 2,
            min: Some(Micros::new(0)),
            max: Some(Micros::new(70_000)),
        };
        let none = Packets {
            received: 0,
            min: None,
            max: None,
            ..packets
        };
        let answers: Box<[String]> = ["10 mx.example.com", "", "\u{fc}"]
            .map(str::to_owned)
            .into();
        for extras in [
            Extras {
                packets: Some(packets),
                ..Extras::default()
            },
            Extras {
                packets: Some(none),
                answers: Some(Box::default()),
                ..Extras::default()
            },
            Extras {
                addresses: Some(all_addresses()),
                versions: Some(all_versions()),
                ..Extras::default()
            },
            Extras {
                answers: Some(answers),
                ..Extras::default()
            },
        ] {
            let bytes = encode(Some(&extras));
            assert_eq!(decode(&bytes).unwrap().as_deref(), Some(&extras));
            for end in 1..bytes.len() {
                let _ = decode(&bytes[..end]);
            }
        }
        assert_eq!(encode(None), b"");
        assert_eq!(decode(b"").unwrap(), None);
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
