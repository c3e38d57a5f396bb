//! Verifies and records for one connection.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use super::anchors::Trust;
use super::signed::{Signed, schemes};
use super::verify::{Fault, Parts, verify};
use crate::domain::probe::RootEnd;

/// What a connection showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The verified path, or, where there is a fault, all that the server sent; leaf first. Empty before the server
    /// showed any.
    pub certificates: Vec<CertificateDer<'static>>,
    /// When the anchor of the verified path ends, where that is known.
    pub anchor: Option<Arc<RootEnd>>,
    /// What is wrong with them, also where that is let pass.
    pub fault: Option<Fault>,
}

/// The verifier of one connection. It keeps what it saw: also when it refused that, which is when a person wants to
/// see it most.
#[derive(Debug)]
pub struct Recorder {
    trust: Arc<Trust>,
    provider: Arc<CryptoProvider>,
    host: Box<str>,
    must_hold: bool,
    seen: Mutex<Seen>,
}

impl Recorder {
    /// A verifier for one connection to `host`; `must_hold` says whether a fault ends the handshake.
    pub fn new(
        trust: &Arc<Trust>,
        provider: &Arc<CryptoProvider>,
        host: &str,
        must_hold: bool,
    ) -> Self {
        Self {
            trust: Arc::clone(trust),
            provider: Arc::clone(provider),
            host: host.into(),
            must_hold,
            seen: Mutex::default(),
        }
    }

    /// Takes out what was seen.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parts = Parts {
            trust: &self.trust,
            algorithms: &self.provider.signature_verification_algorithms,
        };
        let seen = look(parts, leaf, intermediates, &self.host, now);
        let refusal = match &seen.fault {
            Some(fault) if self.must_hold => Some(fault.alert()),
            _ => None,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        match refusal {
            Some(error) => Err(error.into()),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Signed::Tls12.check(&self.provider, self.must_hold, message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Signed::Tls13.check(&self.provider, self.must_hold, message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes(&self.provider, self.must_hold)
    }
}

/// Verifies, and keeps what a person wants to see.
fn look(
    parts: Parts<'_>,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    host: &str,
    now: UnixTime,
) -> Seen {
    let chain: Vec<CertificateDer<'_>> = std::iter::once(leaf)
        .chain(intermediates)
        .map(|der| CertificateDer::from(der.as_ref()))
        .collect();
    match verify(parts, &chain, host, now) {
        Ok(path) => Seen {
            certificates: path.certificates,
            anchor: path.anchor,
            fault: None,
        },
        Err(fault) => Seen {
            certificates: chain.into_iter().map(CertificateDer::into_owned).collect(),
            anchor: None,
            fault: Some(fault),
        },
    }
}
