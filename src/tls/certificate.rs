//! Reads certificates: what is worth remembering of one.

use rustls::pki_types::UnixTime;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::domain::check::Certificate;
use crate::domain::probe::RootEnd;
use crate::domain::safe_text;
use crate::domain::timestamp::Timestamp;

/// A subject or issuer is shown up to this many characters.
pub(super) const NAME_CHARS_MAX: usize = 200;

/// What is worth remembering of a path, leaf first; `None` if the leaf cannot be read. `verified` says whether the
/// ends of its intermediates count too.
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

pub(super) fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().map(|(_, cert)| cert)
}

pub(super) fn not_after(cert: &X509Certificate<'_>) -> Timestamp {
    Timestamp::from_ms(cert.validity().not_after.timestamp().saturating_mul(1000))
}

pub(super) fn not_before(cert: &X509Certificate<'_>) -> Timestamp {
    Timestamp::from_ms(cert.validity().not_before.timestamp().saturating_mul(1000))
}

pub(super) fn name(name: &x509_parser::x509::X509Name<'_>) -> String {
    safe_text::line(&name.to_string(), NAME_CHARS_MAX).into_owned()
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

/// When a certificate ends, as that of an anchor.
pub(super) fn end(der: &[u8]) -> Option<RootEnd> {
    let cert = parse(der)?;
    Some(RootEnd {
        subject: name(cert.subject()).into(),
        not_before: not_before(&cert),
        not_after: not_after(&cert),
        fingerprint: fingerprint(der),
    })
}

/// Whether a certificate's common name is this host, a wildcard for its first label included.
pub(super) fn has_common_name(der: &[u8], host: &str) -> bool {
    parse(der).is_some_and(|cert| {
        let mut names = cert.subject().iter_common_name();
        names.any(|name| name.as_str().is_ok_and(|name| stands_for(name, host)))
    })
}

/// Whether a name of a certificate is this host, a wildcard for its first label included.
fn stands_for(name: &str, host: &str) -> bool {
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((label, parent))) => {
            !label.is_empty() && parent.contains('.') && domain.eq_ignore_ascii_case(parent)
        }
        (Some(_), None) => false,
        (None, _) => name.eq_ignore_ascii_case(host),
    }
}

/// Whether one of a certificate's DNS names is this host.
pub fn is_for(der: &[u8], host: &str) -> bool {
    let Some(cert) = parse(der) else { return false };
    let Ok(Some(names)) = cert.subject_alternative_name() else {
        return false;
    };
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(name) => stands_for(name, host),
        _ => false,
    })
}
