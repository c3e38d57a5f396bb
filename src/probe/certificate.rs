//! Reads certificates: what is worth remembering of one, and what was wrong with it, in words.

use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::domain::check::{Certificate, FailureKind};
use crate::domain::text;
use crate::domain::timestamp::Timestamp;

/// A subject or issuer is shown up to this many characters.
const NAME_CHARS_MAX: usize = 200;

/// So many names of a certificate for another host are shown.
const NAMES_SHOWN: usize = 3;

/// What is worth remembering of a path, leaf first: `verified` says whether the ends of its
/// intermediates count too. None where the leaf cannot be read.
pub fn read(path: &[impl AsRef<[u8]>], verified: bool) -> Option<Certificate> {
    let leaf_der = path.first()?.as_ref();
    let leaf = parse(leaf_der)?;
    let mut certificate = Certificate {
        not_after: not_after(&leaf),
        not_before: not_before(&leaf),
        subject: name(leaf.subject()),
        issuer: name(leaf.issuer()),
        fingerprint: fingerprint(leaf_der),
    };
    if verified {
        for der in &path[1..] {
            let Some(other) = parse(der.as_ref()) else {
                continue;
            };
            if not_after(&other) < certificate.not_after {
                certificate.not_after = not_after(&other);
                certificate.not_before = not_before(&other);
                certificate.fingerprint = fingerprint(der.as_ref());
            }
        }
    }
    Some(certificate)
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, cert)| cert)
}

fn not_after(cert: &X509Certificate<'_>) -> Timestamp {
    Timestamp::from_ms(cert.validity().not_after.timestamp().saturating_mul(1000))
}

fn not_before(cert: &X509Certificate<'_>) -> Timestamp {
    Timestamp::from_ms(cert.validity().not_before.timestamp().saturating_mul(1000))
}

fn name(name: &x509_parser::x509::X509Name<'_>) -> String {
    text::line(&name.to_string(), NAME_CHARS_MAX).into_owned()
}

fn fingerprint(der: &[u8]) -> u64 {
    let digest = Sha256::digest(der);
    let (first, _) = digest
        .split_first_chunk::<8>()
        .expect("a SHA-256 has 32 bytes");
    u64::from_be_bytes(*first)
}

/// Checks the dates of a certificate that is trusted by itself.
///
/// # Errors
/// When `now` is outside of them, or it cannot be read.
pub(super) fn check_dates(der: &[u8], now: UnixTime) -> Result<(), webpki::Error> {
    let cert = parse(der).ok_or(webpki::Error::BadDer)?;
    let seconds = |at: i64| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            u64::try_from(at).unwrap_or(0),
        ))
    };
    let not_before = seconds(cert.validity().not_before.timestamp());
    let not_after = seconds(cert.validity().not_after.timestamp());
    if now < not_before {
        return Err(webpki::Error::CertNotValidYet {
            time: now,
            not_before,
        });
    }
    if now > not_after {
        return Err(webpki::Error::CertExpired {
            time: now,
            not_after,
        });
    }
    Ok(())
}

/// What a certificate fault is called, and one line about it.
pub(super) fn fault(
    fault: &webpki::Error,
    sent: &[CertificateDer<'_>],
    host: &str,
) -> (FailureKind, String) {
    use webpki::Error as E;
    let moment = |at: &UnixTime| {
        Timestamp::from_ms(i64::try_from(at.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX))
    };
    match fault {
        E::CertExpired { not_after, .. } => {
            let end = moment(not_after);
            let detail = format!(
                "{} ended on {}",
                whose(sent, |cert| self::not_after(cert) == end),
                end.to_jiff()
            );
            (FailureKind::TlsExpired, detail)
        }
        E::CertNotValidYet { not_before, .. } => {
            let begin = moment(not_before);
            let detail = format!(
                "{} begins on {}",
                whose(sent, |cert| self::not_before(cert) == begin),
                begin.to_jiff()
            );
            (FailureKind::TlsNotYetValid, detail)
        }
        E::CertNotValidForName(_) => {
            let detail = format!("the certificate is not for `{host}`: {}", names(sent));
            (FailureKind::TlsHostname, detail)
        }
        E::UnknownIssuer | E::CaUsedAsEndEntity => (FailureKind::TlsUntrusted, untrusted(sent)),
        E::InvalidSignatureForPublicKey
        | E::CertDistrusted
        | E::CertRevoked
        | E::EndEntityUsedAsCa
        | E::NameConstraintViolation
        | E::PathLenConstraintViolated
        | E::RequiredEkuNotFoundContext(_) => {
            let detail = format!("the certificate is not trusted: {fault}");
            (FailureKind::TlsUntrusted, detail)
        }
        _ => {
            let detail = format!("the certificate is of no use: {fault}");
            (FailureKind::TlsHandshake, detail)
        }
    }
}

/// Which of the certificates a date belongs to, as the subject of a sentence.
fn whose(sent: &[CertificateDer<'_>], is_it: impl Fn(&X509Certificate<'_>) -> bool) -> String {
    let found = sent
        .iter()
        .enumerate()
        .find_map(|(place, der)| parse(der).filter(&is_it).map(|cert| (place, cert)));
    match found {
        Some((place, cert)) if place > 0 => {
            format!("the intermediate certificate {}", name(cert.subject()))
        }
        _ => "the certificate".to_owned(),
    }
}

fn names(sent: &[CertificateDer<'_>]) -> String {
    let Some(leaf) = sent.first().and_then(|der| parse(der)) else {
        return "it cannot be read".to_owned();
    };
    let names: Vec<String> = leaf
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| &extension.value.general_names)
        .into_iter()
        .flatten()
        .filter_map(|general| match general {
            GeneralName::DNSName(name) => Some(text::line(name, NAME_CHARS_MAX).into_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes)
                    .ok()
                    .map(|octets| std::net::Ipv4Addr::from(octets).to_string()),
                16 => <[u8; 16]>::try_from(*bytes)
                    .ok()
                    .map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return format!(
            "it has no subject alternative name ({} alone does not count)",
            name(leaf.subject())
        );
    }
    let shown = names[..names.len().min(NAMES_SHOWN)].join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => format!("it is for {shown}"),
        more => format!("it is for {shown} and {more} more"),
    }
}

fn untrusted(sent: &[CertificateDer<'_>]) -> String {
    let parsed: Vec<_> = sent.iter().filter_map(|der| parse(der)).collect();
    let Some(leaf) = parsed.first() else {
        return "the certificate cannot be read".to_owned();
    };
    if leaf.subject() == leaf.issuer() {
        return "the certificate is self-signed".to_owned();
    }
    let top = parsed.last().unwrap_or(leaf);
    if parsed.len() == 1 {
        format!(
            "the certificate is by {}, which is not trusted here, and the server sends no \
             intermediate certificate",
            name(leaf.issuer())
        )
    } else if top.subject() == top.issuer() {
        format!("its root {} is not trusted here", name(top.subject()))
    } else {
        format!(
            "no trusted root leads to it: {} is not trusted here",
            name(top.issuer())
        )
    }
}
