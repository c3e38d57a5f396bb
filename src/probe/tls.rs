//! TLS of one kind of HTTP client: what its verifier and its session store see goes into the trace.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, NamedGroup, SignatureScheme};

use super::trace::mark;
use crate::clock;
use crate::domain::target::ClientCertificate;
use crate::tls::{Basis, Fault, Parts, Trust, look, or_let_pass};

/// The TLS configuration of one kind of client.
///
/// # Errors
/// One line that says which of the PEM texts is of no use.
pub(super) fn client_config(
    basis: &Basis,
    ca_pem: Option<&[u8]>,
    identity: Option<&ClientCertificate>,
) -> Result<ClientConfig, String> {
    let verifier = Arc::new(Verifier {
        trust: Trust::new(&basis.anchors, ca_pem)?,
        provider: Arc::clone(&basis.provider),
    });
    // reqwest leaves the ALPN of a preconfigured client alone.
    let alpn: &[&[u8]] = &[b"http/1.1"];
    let mut config = crate::tls::client_config(&basis.provider, verifier, identity, alpn)?;
    config.resumption = Resumption::store(Arc::new(HelloMark));
    Ok(config)
}

/// Writes what it sees into the trace of the running request.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
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
        let parts = Parts {
            trust: &self.trust,
            algorithms: &self.provider.signature_verification_algorithms,
        };
        let seen = look(parts, leaf, intermediates, &name.to_str(), now);
        let refusal = seen.fault.as_ref().map(Fault::alert);
        let must_hold = mark(|trace| {
            trace.certificates = seen.certificates;
            trace.certificate_fault = seen.fault;
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
        let outcome = verify_tls12_signature(message, leaf, signature, algorithms);
        or_let_pass(outcome, must_hold())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let outcome = verify_tls13_signature(message, leaf, signature, algorithms);
        or_let_pass(outcome, must_hold())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn must_hold() -> bool {
    mark(|trace| trace.wishes.verify_tls) != Some(false)
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
