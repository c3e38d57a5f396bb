//! TLS parts that all checks share: trust anchors, the verifier that records what it saw, the mark
//! at the start of a handshake.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, TrustAnchor, UnixTime};
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, NamedGroup, SignatureScheme,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::trace::mark;
use crate::clock;
use crate::domain::target::ClientCertificate;

/// The trust anchors of this system.
#[derive(Debug, Clone)]
pub(super) struct SystemAnchors(Arc<[TrustAnchor<'static>]>);

impl SystemAnchors {
    /// The system's own, or Mozilla's built in where it has none.
    pub(super) fn load() -> Self {
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

/// ring's cryptography, with AES-128 in front as browsers have it: a handshake hashes a hundred times, and processors
/// have instructions for its SHA-256 but not for the SHA-384 of AES-256.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    provider
}

/// The TLS configuration of one kind of client.
///
/// # Errors
/// One line that says which of the PEM texts is of no use.
pub(super) fn client_config(
    provider: &Arc<CryptoProvider>,
    system: &SystemAnchors,
    ca_pem: Option<&[u8]>,
    identity: Option<&ClientCertificate>,
) -> Result<ClientConfig, String> {
    let (anchors, pinned) = match ca_pem {
        None => (Arc::clone(&system.0), Vec::new()),
        Some(pem) => with_extra_anchors(system, pem)?,
    };
    let verifier = Verifier {
        anchors,
        pinned,
        provider: Arc::clone(provider),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(&identity.chain_pem)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| format!("the client certificate is no PEM: {error}"))?;
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.reveal().as_bytes())
                .map_err(|error| format!("the client certificate's key is no PEM: {error}"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client certificate is of no use: {error}"))?
        }
    };
    config.resumption = Resumption::store(Arc::new(HelloMark));
    // reqwest leaves the ALPN of a preconfigured client alone.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

type Anchors = (Arc<[TrustAnchor<'static>]>, Vec<CertificateDer<'static>>);

fn with_extra_anchors(system: &SystemAnchors, pem: &[u8]) -> Result<Anchors, String> {
    let extra = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the extra trust anchor is no PEM: {error}"))?;
    let mut anchors = system.0.to_vec();
    anchors.extend(
        extra
            .iter()
            .filter_map(|der| anchor_from_trusted_cert(der).ok().map(|a| a.to_owned())),
    );
    Ok((anchors.into(), extra))
}

/// Verifies as webpki does, and records the certificates, the path and the verdict: also when they
/// are refused, which is when a person wants to see them most.
#[derive(Debug)]
struct Verifier {
    anchors: Arc<[TrustAnchor<'static>]>,
    /// Certificates that the configuration trusts by themselves: a self-signed server certificate
    /// given as its own anchor is one, although webpki takes no anchor as an end entity.
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// The verified path, leaf first, without its anchor.
    fn path(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<Vec<CertificateDer<'static>>, webpki::Error> {
        let entity = EndEntityCert::try_from(leaf)?;
        let verified = entity.verify_for_usage(
            self.provider.signature_verification_algorithms.all,
            &self.anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        );
        let path = match verified {
            Ok(path) => std::iter::once(leaf.clone().into_owned())
                .chain(
                    path.intermediate_certificates()
                        .map(|cert| cert.der().into_owned()),
                )
                .collect(),
            Err(_) if self.pinned.iter().any(|pinned| pinned == leaf) => {
                super::certificate::check_dates(leaf, now)?;
                vec![leaf.clone().into_owned()]
            }
            Err(error) => return Err(error),
        };
        entity.verify_is_valid_for_subject_name(name)?;
        Ok(path)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let path = self.path(leaf, intermediates, name, now);
        let (certificates, fault) = match path {
            Ok(path) => (path, None),
            Err(fault) => {
                let sent = std::iter::once(leaf)
                    .chain(intermediates)
                    .map(|der| der.clone().into_owned());
                (sent.collect(), Some(fault))
            }
        };
        let refusal = fault.as_ref().map(refusal);
        let must_hold = mark(|trace| {
            trace.certificates = certificates;
            trace.certificate_fault = fault;
            trace.wishes.verify_tls
        });
        match refusal {
            Some(error) if must_hold != Some(false) => Err(error.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        or_let_pass(verify_tls12_signature(message, leaf, signature, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        or_let_pass(verify_tls13_signature(message, leaf, signature, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Without verification a certificate that cannot even be read is let pass: whoever sits between
/// could have shown one of his own.
fn or_let_pass(
    outcome: Result<HandshakeSignatureValid, rustls::Error>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    match outcome {
        Err(_) if mark(|trace| trace.wishes.verify_tls) == Some(false) => {
            Ok(HandshakeSignatureValid::assertion())
        }
        outcome => outcome,
    }
}

/// What rustls is told, so that the server gets the right alert.
const fn refusal(fault: &webpki::Error) -> CertificateError {
    match fault {
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::CertNotValidForName(_) => CertificateError::NotValidForName,
        webpki::Error::BadDer | webpki::Error::TrailingData(_) => CertificateError::BadEncoding,
        _ => CertificateError::UnknownIssuer,
    }
}

/// Keeps no session, so that every handshake is a full one, and marks its start: rustls asks for a
/// key exchange hint exactly when it begins a handshake, which is when TCP has come up. A test
/// guards that timing.
#[derive(Debug)]
struct HelloMark;

impl ClientSessionStore for HelloMark {
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        mark(|trace| {
            trace.hello.get_or_insert_with(clock::tick);
        });
        None
    }
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
