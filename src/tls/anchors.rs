//! Trust anchors: the system's, and those of a `ca_file`.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

/// The trust anchors of this system.
#[derive(Debug, Clone)]
pub struct SystemAnchors(pub(super) Arc<[TrustAnchor<'static>]>);

impl SystemAnchors {
    /// The system's own, or Mozilla's built in where it has none.
    pub fn load() -> Self {
        let found = rustls_native_certs::load_native_certs().certs;
        let anchors: Vec<_> = found
            .iter()
            .filter_map(|der| anchor_from_trusted_cert(der).ok().map(|a| a.to_owned()))
            .collect();
        if anchors.is_empty() {
            return Self(webpki_roots::TLS_SERVER_ROOTS.to_vec().into());
        }
        Self(anchors.into())
    }
}

/// Which certificates are trusted.
#[derive(Debug)]
pub struct Trust {
    pub(super) anchors: Arc<[TrustAnchor<'static>]>,
    /// Certificates of the `ca_file`. Each is trusted by itself, too: a self-signed server certificate given as its
    /// own anchor is one, although webpki takes no anchor as an end entity.
    pub(super) pinned: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// The system's anchors and those of a `ca_file`.
    ///
    /// # Errors
    /// One line when the `ca_file` is of no use.
    pub fn new(system: &SystemAnchors, ca_pem: Option<&[u8]>) -> Result<Self, String> {
        let Some(pem) = ca_pem else {
            return Ok(Self {
                anchors: Arc::clone(&system.0),
                pinned: Vec::new(),
            });
        };
        let pinned = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("the extra trust anchor is no PEM: {error}"))?;
        let mut anchors = system.0.to_vec();
        anchors.extend(
            pinned
                .iter()
                .filter_map(|der| anchor_from_trusted_cert(der).ok().map(|a| a.to_owned())),
        );
        Ok(Self {
            anchors: anchors.into(),
            pinned,
        })
    }
}
