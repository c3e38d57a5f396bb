//! Verifies a server's certificates as other clients do.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::CertificateError;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use webpki::{EndEntityCert, KeyUsage};

use super::anchors::{Anchors, Trust};
use super::certificate;
use super::der::{Outline, Rewritten, rewrite};
use super::effort::Effort;
use super::select::select;
use crate::domain::probe::RootEnd;
use crate::domain::timestamp::Timestamp;

/// An anchor that ends later than this is not worth a search for another: longer than any step of
/// `certificate_expiry` that makes sense.
const HORIZON: std::time::Duration = std::time::Duration::from_secs(400 * 86_400);

/// Paths that are looked for where the anchor of one ends soon.
const PATHS_MAX: usize = 4;

type Algorithm<'a> = &'a dyn SignatureVerificationAlgorithm;

/// What a verification goes by.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// What is trusted.
    pub trust: &'a Trust,
    /// The signatures that can be checked.
    pub algorithms: &'a WebPkiSupportedAlgorithms,
}

/// A verified path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The leaf and the intermediates that it needs, leaf first, without the anchor.
    pub certificates: Vec<CertificateDer<'static>>,
    /// When its anchor ends, where that is known. No other path has one that ends later.
    pub anchor: Option<Arc<RootEnd>>,
}

/// What is wrong with a server's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// What webpki says.
    Webpki(webpki::Error),
    /// A critical extension that nobody here knows, by its number.
    CriticalExtension(String),
}

impl Fault {
    /// What rustls is told, so that the server gets the right alert.
    pub const fn alert(&self) -> CertificateError {
        match self {
            Self::Webpki(webpki::Error::CertExpired { .. }) => CertificateError::Expired,
            Self::Webpki(webpki::Error::CertNotValidYet { .. }) => CertificateError::NotValidYet,
            Self::Webpki(webpki::Error::CertNotValidForName(_)) => {
                CertificateError::NotValidForName
            }
            Self::Webpki(webpki::Error::BadDer | webpki::Error::TrailingData(_)) => {
                CertificateError::BadEncoding
            }
            Self::CriticalExtension(_) => CertificateError::UnhandledCriticalExtension,
            Self::Webpki(_) => CertificateError::UnknownIssuer,
        }
    }
}

impl From<webpki::Error> for Fault {
    fn from(error: webpki::Error) -> Self {
        Self::Webpki(error)
    }
}

/// Verifies the certificates that a server sent, leaf first, for a host as it stands in the URL or in the
/// configuration: a name (a final dot does not count) or an address (IPv6 with or without brackets).
///
/// # Errors
/// What is wrong with them.
pub fn verify(
    parts: Parts<'_>,
    chain: &[CertificateDer<'_>],
    host: &str,
    now: UnixTime,
) -> Result<Path, Fault> {
    let Some((leaf, sent)) = chain.split_first() else {
        return Err(Fault::Webpki(webpki::Error::BadDer));
    };
    let sent = select(leaf, sent);
    let effort = Effort::new(parts.trust.anchors.search_units);
    let counted = effort.of(parts.algorithms.all);
    let algorithms: Vec<Algorithm<'_>> = counted.iter().map(|one| one as Algorithm<'_>).collect();
    let path = match path(parts.trust, &algorithms, leaf, &sent, now) {
        Ok(path) => path,
        Err(_) if parts.trust.names(leaf) => {
            certificate::check_dates(leaf, now)?;
            Path {
                certificates: vec![leaf.clone().into_owned()],
                anchor: None,
            }
        }
        Err(_) if effort.is_spent() => {
            return Err(webpki::Error::MaximumSignatureChecksExceeded.into());
        }
        Err(fault) => return Err(fault),
    };
    check_name(parts.trust, leaf, host)?;
    Ok(path)
}

/// The path whose anchor ends last.
fn path(
    trust: &Trust,
    algorithms: &[Algorithm<'_>],
    leaf: &CertificateDer<'_>,
    sent: &[&CertificateDer<'_>],
    now: UnixTime,
) -> Result<Path, Fault> {
    let find = |anchors: &Anchors| {
        let plain: Vec<CertificateDer<'_>> = sent.iter().map(|der| borrowed(der)).collect();
        match plain_path(algorithms, anchors, leaf, &plain, now) {
            Ok(path) => Ok(path),
            Err(error) => rewritten_path(algorithms, anchors, leaf, &plain, now, error),
        }
    };
    let mut best = find(&trust.anchors)?;
    let now_ms = i64::try_from(now.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX);
    let horizon = Timestamp::from_ms(now_ms).plus(HORIZON);
    for _ in 1..PATHS_MAX {
        let Some(end) = best.anchor.as_ref().map(|anchor| anchor.not_after) else {
            break;
        };
        if end > horizon {
            break;
        }
        match find(&trust.anchors.later_than(end)) {
            Ok(better) => best = better,
            Err(_) => break,
        }
    }
    Ok(best)
}

fn borrowed<'a>(der: &'a CertificateDer<'_>) -> CertificateDer<'a> {
    CertificateDer::from(der.as_ref())
}

/// A path as webpki finds it.
fn plain_path(
    algorithms: &[Algorithm<'_>],
    anchors: &Anchors,
    leaf: &CertificateDer<'_>,
    sent: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<Path, webpki::Error> {
    let entity = EndEntityCert::try_from(leaf)?;
    let found = entity.verify_for_usage(
        algorithms,
        &anchors.list,
        sent,
        now,
        KeyUsage::server_auth(),
        None,
        None,
    )?;
    let above = found
        .intermediate_certificates()
        .map(|cert| cert.der().into_owned());
    Ok(Path {
        certificates: std::iter::once(leaf.clone().into_owned())
            .chain(above)
            .collect(),
        anchor: end_of(anchors, found.anchor()),
    })
}

fn end_of(anchors: &Anchors, found: &TrustAnchor<'_>) -> Option<Arc<RootEnd>> {
    let place = anchors
        .list
        .iter()
        .position(|anchor| std::ptr::from_ref(anchor).cast() == std::ptr::from_ref(found))?;
    anchors.ends.get(place)?.clone()
}

/// Another attempt with the certificates that webpki does not read, or does not take, in a form that it does.
fn rewritten_path(
    algorithms: &[Algorithm<'_>],
    anchors: &Anchors,
    leaf: &CertificateDer<'_>,
    sent: &[CertificateDer<'_>],
    now: UnixTime,
    error: webpki::Error,
) -> Result<Path, Fault> {
    let is_readable = |der: &CertificateDer<'_>| EndEntityCert::try_from(der).is_ok();
    let is_authority = error == webpki::Error::CaUsedAsEndEntity;
    if !is_authority && is_readable(leaf) && sent.iter().all(is_readable) {
        return Err(error.into());
    }
    let mut changes: Vec<(&CertificateDer<'_>, Rewritten)> = Vec::new();
    let readable_leaf = if !is_authority && is_readable(leaf) {
        leaf.clone().into_owned()
    } else {
        let Some(rewritten) = rewrite(leaf, true) else {
            return Err(error.into());
        };
        let der = rewritten.der.clone();
        changes.push((leaf, rewritten));
        der
    };
    let mut readable_sent = Vec::new();
    for der in sent {
        if is_readable(der) {
            readable_sent.push(der.clone().into_owned());
        } else if let Some(rewritten) = rewrite(der, false).filter(|new| !new.is_old_root) {
            readable_sent.push(rewritten.der.clone());
            changes.push((der, rewritten));
        }
    }
    let through: Vec<Through<'_>> = algorithms
        .iter()
        .map(|algorithm| Through {
            algorithm: *algorithm,
            changes: &changes,
        })
        .collect();
    let algorithms: Vec<Algorithm<'_>> = through
        .iter()
        .map(|through| through as Algorithm<'_>)
        .collect();
    let mut path = plain_path(&algorithms, anchors, &readable_leaf, &readable_sent, now)?;
    for certificate in &mut path.certificates {
        let change = changes.iter().find(|(_, new)| new.der == *certificate);
        if let Some((original, new)) = change {
            if let Some(unknown) = &new.unknown {
                return Err(Fault::CriticalExtension(unknown.clone()));
            }
            *certificate = (*original).clone().into_owned();
        }
    }
    Ok(path)
}

/// Checks the signature of a rewritten certificate over what was signed.
#[derive(Debug)]
struct Through<'a> {
    algorithm: Algorithm<'a>,
    changes: &'a [(&'a CertificateDer<'a>, Rewritten)],
}

impl SignatureVerificationAlgorithm for Through<'_> {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }

    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let original = self.changes.iter().find_map(|(_, new)| {
            let [new, original] = &new.signed;
            (new == message).then_some(original.as_slice())
        });
        self.algorithm
            .verify_signature(key, original.unwrap_or(message), signature)
    }
}

/// Whether the certificate is for the host. A common name does not count, but in a certificate that cannot have other
/// names and that the configuration trusts by itself.
fn check_name(trust: &Trust, leaf: &CertificateDer<'_>, host: &str) -> Result<(), Fault> {
    let rewritten;
    let entity = match EndEntityCert::try_from(leaf) {
        Ok(entity) => entity,
        Err(error) => {
            rewritten = rewrite(leaf, true).ok_or(error)?;
            EndEntityCert::try_from(&rewritten.der)?
        }
    };
    let outcome = match server_name(host) {
        Some(name) => entity.verify_is_valid_for_subject_name(&name),
        None if certificate::is_for(leaf, bare(host)) => Ok(()),
        None => Err(webpki::Error::MalformedDnsIdentifier),
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(_)
            if trust.names(leaf)
                && Outline::read(leaf).is_some_and(|outline| outline.is_old)
                && certificate::has_common_name(leaf, bare(host)) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// A host without the brackets of an IPv6 address or the final dot of a name.
pub(super) fn bare(host: &str) -> &str {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host)
}

/// The host as rustls's type; `None` if rustls refuses the name, as it does if a label ends with a hyphen.
pub(super) fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = bare(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(host.to_owned()).ok()
}
