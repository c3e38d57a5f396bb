//! The TLS configuration of a connection.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::anchors::{SystemAnchors, Trust};
use super::provider::provider;
use super::recorder::Recorder;
use super::verify::server_name;
use crate::domain::certificates;
use crate::domain::target::ClientCertificate;

/// What all connections share. Loading it reads the system's trust store: once per process is enough.
#[derive(Debug, Clone)]
pub struct Basis {
    /// The cryptography.
    pub provider: Arc<CryptoProvider>,
    /// The system's trust anchors.
    pub anchors: SystemAnchors,
}

impl Basis {
    /// Reads the system's trust store.
    pub fn load() -> Self {
        Self {
            provider: Arc::new(provider()),
            anchors: SystemAnchors::load(),
        }
    }
}

/// One kind of connection: the same `ca_file`, client certificate and application protocol. Kept and used for many.
#[derive(Debug, Clone)]
pub struct Kind {
    config: ClientConfig,
    trust: Arc<Trust>,
}

/// What one connection needs.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// For this connection alone: its verifier is the recorder.
    pub config: Arc<ClientConfig>,
    /// The name to give to rustls. Where rustls takes no such name as the host's, it is a stand-in, and the host is
    /// not sent (SNI); the certificate is verified for the true host all the same.
    pub name: ServerName<'static>,
    /// What the connection shows.
    pub recorder: Arc<Recorder>,
}

impl Kind {
    /// `alpn` is empty for SMTP.
    ///
    /// # Errors
    /// One line that says which of the PEM texts is of no use.
    pub fn new(
        basis: &Basis,
        ca_pem: Option<&[u8]>,
        identity: Option<&ClientCertificate>,
        alpn: &[&[u8]],
    ) -> Result<Self, String> {
        let trust = Arc::new(Trust::new(&basis.anchors, ca_pem)?);
        let nowhere = Recorder::new(&trust, &basis.provider, "", true);
        let config = client_config(&basis.provider, Arc::new(nowhere), identity, alpn)?;
        Ok(Self { config, trust })
    }

    /// Prepares one connection to a host as it stands in the URL or the configuration. With `must_hold` a certificate
    /// fault ends the handshake.
    pub fn handshake(&self, host: &str, must_hold: bool) -> Handshake {
        self.prepared(host, self.recorder(host, must_hold))
    }

    /// The same for a caller that does what the recorder owes after the handshake, before it sends anything.
    pub fn owing_handshake(&self, host: &str, must_hold: bool) -> Handshake {
        let recorder = self.recorder(host, must_hold);
        // A client certificate is shown within the handshake, so to nobody who is not verified yet.
        let recorder = match self.config.client_auth_cert_resolver.has_certs() {
            true => recorder,
            false => recorder.owing(),
        };
        self.prepared(host, recorder)
    }

    fn recorder(&self, host: &str, must_hold: bool) -> Recorder {
        let provider = self.config.crypto_provider();
        Recorder::new(&self.trust, provider, host, must_hold)
    }

    fn prepared(&self, host: &str, recorder: Recorder) -> Handshake {
        let recorder = Arc::new(recorder);
        let mut config = self.config.clone();
        let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(&recorder) as _;
        config.dangerous().set_certificate_verifier(verifier);
        // An address as the name: rustls sends none then.
        let name = server_name(host)
            .unwrap_or_else(|| ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into()));
        Handshake {
            config: Arc::new(config),
            name,
            recorder,
        }
    }
}

/// A configuration for clients that bring no host of their own to [`Kind::handshake`]: rustls verifies for the host
/// that it is given.
///
/// # Errors
/// When the cryptography has no version of TLS.
pub fn verifying_config(basis: &Basis) -> Result<ClientConfig, String> {
    let roots = rustls::RootCertStore {
        roots: basis.anchors.0.list.clone(),
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&basis.provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Why a client certificate and its key cannot be used.
fn unusable(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            "the client certificate does not belong to its key".to_owned()
        }
        _ => "the client certificate's key is of no kind that can be used: RSA (2048 bits and more), ECDSA on P-256, \
              P-384 or P-521, or Ed25519, without a password"
            .to_owned(),
    }
}

/// A configuration with full handshakes only, without a session store.
///
/// # Errors
/// One line that says which part of the client certificate is unusable.
pub fn client_config(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&ClientCertificate>,
    alpn: &[&[u8]],
) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates::of_file(&identity.chain_pem)
                .map_err(|error| format!("the client certificate's file {error}"))?
                .into_iter()
                .map(CertificateDer::from)
                .collect();
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.reveal().as_bytes()).map_err(
                |_| "the client certificate's key is not a private key in PEM".to_owned(),
            )?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable(&error))?
        }
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}
