//! The signature over a handshake: that the server has the key of its certificate.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, PeerMisbehaved, SignatureScheme};
use webpki::{EndEntityCert, RawPublicKeyEntity};

use super::alerts::too_short;
use super::certificate::parse;
use super::der::Outline;
use super::signatures::UNCHECKED;
use super::words::short_rsa;

/// The version of TLS in which a handshake was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// A scheme of TLS 1.2 says the hash, and the certificate the curve.
    Tls12,
    /// A scheme of TLS 1.3 says both.
    Tls13,
}

impl Signed {
    /// Checks a signature by the key of a certificate. Without `must_hold` it accepts every signature: somebody in
    /// between could have shown a certificate of their own.
    pub(super) fn check(
        self,
        provider: &CryptoProvider,
        must_hold: bool,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if !must_hold {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let mapping = provider.signature_verification_algorithms.mapping;
        let Some((_, algorithms)) = mapping.iter().find(|(scheme, _)| *scheme == signed.scheme)
        else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        let algorithms = match self {
            Self::Tls13 if is_pkcs1(signed.scheme) => {
                return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
            }
            Self::Tls13 if is_ecdsa(signed.scheme) => &algorithms[..algorithms.len().min(1)],
            Self::Tls12 | Self::Tls13 => algorithms,
        };
        if by_any(algorithms, message, leaf, signed.signature()) {
            Ok(HandshakeSignatureValid::assertion())
        } else if let Some(bits) = parse(leaf).as_ref().and_then(short_rsa) {
            Err(too_short(bits))
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }
}

const fn is_ecdsa(scheme: SignatureScheme) -> bool {
    matches!(
        scheme,
        SignatureScheme::ECDSA_NISTP256_SHA256
            | SignatureScheme::ECDSA_NISTP384_SHA384
            | SignatureScheme::ECDSA_NISTP521_SHA512
    )
}

/// TLS 1.3 has these for certificates only.
const fn is_pkcs1(scheme: SignatureScheme) -> bool {
    matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
    )
}

fn by_any(
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &[u8],
) -> bool {
    if let Ok(entity) = EndEntityCert::try_from(leaf) {
        return algorithms.iter().any(|algorithm| {
            entity
                .verify_signature(*algorithm, message, signature)
                .is_ok()
        });
    }
    // A certificate that webpki does not read still has a key.
    let Some(outline) = Outline::read(leaf) else {
        return false;
    };
    let key = SubjectPublicKeyInfoDer::from(outline.key);
    RawPublicKeyEntity::try_from(&key).is_ok_and(|key| {
        algorithms
            .iter()
            .any(|algorithm| key.verify_signature(*algorithm, message, signature).is_ok())
    })
}

/// The schemes that a server may sign with. Without `must_hold` also those that nobody here can check.
pub(super) fn schemes(provider: &CryptoProvider, must_hold: bool) -> Vec<SignatureScheme> {
    let mut schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    if !must_hold {
        schemes.extend(UNCHECKED);
    }
    schemes
}
