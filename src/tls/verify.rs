//! Verifies a server's certificates as browsers do.

use std::net::IpAddr;

use rustls::CertificateError;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::anchors::Trust;
use super::certificate;

/// What a verification goes by.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// What is trusted.
    pub trust: &'a Trust,
    /// The signatures that can be checked.
    pub algorithms: &'a WebPkiSupportedAlgorithms,
}

/// A verified path: leaf first, without its anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The leaf and the intermediates that it needs.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// What is wrong with a server's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub(super) webpki::Error);

impl Fault {
    /// What rustls is told, so that the server gets the right alert.
    pub const fn alert(&self) -> CertificateError {
        match &self.0 {
            webpki::Error::CertExpired { .. } => CertificateError::Expired,
            webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
            webpki::Error::CertNotValidForName(_) => CertificateError::NotValidForName,
            webpki::Error::BadDer | webpki::Error::TrailingData(_) => CertificateError::BadEncoding,
            _ => CertificateError::UnknownIssuer,
        }
    }
}

impl From<webpki::Error> for Fault {
    fn from(error: webpki::Error) -> Self {
        Self(error)
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
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(Fault(webpki::Error::BadDer));
    };
    let entity = EndEntityCert::try_from(leaf)?;
    let verified = entity.verify_for_usage(
        parts.algorithms.all,
        &parts.trust.anchors,
        intermediates,
        now,
        KeyUsage::server_auth(),
        None,
        None,
    );
    let certificates = match verified {
        Ok(path) => std::iter::once(leaf.clone().into_owned())
            .chain(
                path.intermediate_certificates()
                    .map(|cert| cert.der().into_owned()),
            )
            .collect(),
        Err(_) if parts.trust.pinned.iter().any(|pinned| pinned == leaf) => {
            certificate::check_dates(leaf, now)?;
            vec![leaf.clone().into_owned()]
        }
        Err(error) => return Err(Fault(error)),
    };
    match server_name(host) {
        Some(name) => entity.verify_is_valid_for_subject_name(&name)?,
        None if certificate::is_for(leaf, bare(host)) => {}
        None => return Err(Fault(webpki::Error::MalformedDnsIdentifier)),
    }
    Ok(Path { certificates })
}

/// A host without the brackets of an IPv6 address or the final dot of a name.
pub(super) fn bare(host: &str) -> &str {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host)
}

/// The host in rustls's words. None where rustls takes no such name, as of a label that ends with a hyphen.
pub(super) fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = bare(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(host.to_owned()).ok()
}
