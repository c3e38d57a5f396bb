//! Verifies and records for one connection.
//!
//! The server chooses how many certificates there are and with which keys. Where that costs more than a moment, the
//! handshake goes on with the verification owed: it is done on another thread, before anything is sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use super::anchors::Trust;
use super::der::Outline;
use super::effort::units_of;
use super::signed::{Signed, schemes};
use super::verify::{Fault, Parts, verify};
use crate::domain::probe::RootEnd;

/// A verification that may cost more than this is owed: a unit is about a tenth of a millisecond, and no peer may hold
/// the thread of the checks for 2 ms. A leaf and two intermediates of P-384 are owed; with one, as the large public
/// authorities have it, they are not.
const UNITS_AT_ONCE_MAX: u32 = 10;

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
    may_owe: bool,
    seen: Mutex<Seen>,
    owed: Mutex<Option<Owed>>,
}

/// A verification that is not done yet.
#[derive(Debug)]
struct Owed {
    /// As the server sent them, leaf first.
    chain: Vec<CertificateDer<'static>>,
    now: UnixTime,
    /// The signature over the handshake, once it came.
    signature: Option<(Signed, Vec<u8>, DigitallySignedStruct)>,
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
            may_owe: false,
            seen: Mutex::default(),
            owed: Mutex::default(),
        }
    }

    /// The same for a caller that does what is owed ([`Self::verify_owed`]) before it sends anything.
    pub fn owing(self) -> Self {
        Self {
            may_owe: true,
            ..self
        }
    }

    /// Whether a verification is owed.
    pub fn owes(&self) -> bool {
        self.owed().is_some()
    }

    /// Does the verification that is owed: milliseconds of work, for a thread that may be held so long.
    ///
    /// # Errors
    /// What would have ended the handshake.
    pub fn verify_owed(&self) -> Result<(), rustls::Error> {
        let Some(owed) = self.owed().take() else {
            return Ok(());
        };
        let Some((leaf, intermediates)) = owed.chain.split_first() else {
            return Ok(());
        };
        self.verify_chain(leaf, intermediates, owed.now)?;
        if let Some((version, message, signature)) = &owed.signature {
            version.check(&self.provider, self.must_hold, message, leaf, signature)?;
        }
        Ok(())
    }

    /// Takes out what was seen. What is still owed is done first.
    pub fn take(&self) -> Seen {
        // Its fault is in what was seen.
        let _ = self.verify_owed();
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn owed(&self) -> MutexGuard<'_, Option<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
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
            None => Ok(()),
        }
    }

    fn verify_signature(
        &self,
        version: Signed,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if let Some(owed) = &mut *self.owed() {
            owed.signature = Some((version, message.to_vec(), signature.clone()));
            return Ok(HandshakeSignatureValid::assertion());
        }
        version.check(&self.provider, self.must_hold, message, leaf, signature)
    }
}

/// What the keys of a chain may cost together: each may sign the certificate below it, and the leaf's the handshake.
/// One that nobody can read costs nothing.
fn units_of_chain<'a>(chain: impl Iterator<Item = &'a CertificateDer<'a>>) -> u32 {
    chain
        .filter_map(|der| Outline::read(der))
        .map(|outline| units_of(outline.key))
        .fold(0, u32::saturating_add)
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
        let chain = || std::iter::once(leaf).chain(intermediates);
        if self.may_owe && units_of_chain(chain()) > UNITS_AT_ONCE_MAX {
            *self.owed() = Some(Owed {
                chain: chain().map(|der| der.clone().into_owned()).collect(),
                now,
                signature: None,
            });
            return Ok(ServerCertVerified::assertion());
        }
        self.verify_chain(leaf, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(Signed::Tls12, message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(Signed::Tls13, message, leaf, signature)
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
