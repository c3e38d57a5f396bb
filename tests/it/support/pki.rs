//! Certificates of every kind, made on the spot.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;

/// A certificate with its key, able to sign others.
pub struct Pair {
    pub der: CertificateDer<'static>,
    pub pem: String,
    key: KeyPair,
    params: CertificateParams,
}

/// Days from now, for validity.
pub type Days = i64;

fn params(name: &str, from: Days, to: Days) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = sitewatch::clock::now().as_seconds();
    let day = |days: Days| {
        let seconds = now + days * 86_400;
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds.unsigned_abs())
    };
    params.not_before = day(from);
    params.not_after = day(to);
    params
}

impl Pair {
    fn sign(params: CertificateParams, issuer: Option<&Self>) -> Self {
        let key = KeyPair::generate().expect("a key");
        let signed = match issuer {
            None => params.self_signed(&key),
            Some(issuer) => {
                let by = Issuer::from_params(&issuer.params, &issuer.key);
                params.signed_by(&key, &by)
            }
        }
        .expect("a certificate");
        Self {
            der: signed.der().clone(),
            pem: signed.pem(),
            key,
            params,
        }
    }

    /// A root, or an intermediate below `issuer`.
    pub fn authority(name: &str, issuer: Option<&Self>, from: Days, to: Days) -> Self {
        let mut params = params(name, from, to);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        Self::sign(params, issuer)
    }

    /// A server's (or client's) certificate for these names, below `issuer` or self-signed.
    pub fn leaf(names: &[&str], issuer: Option<&Self>, from: Days, to: Days) -> Self {
        let mut params = params(names.first().unwrap_or(&"site.test"), from, to);
        params.subject_alt_names = CertificateParams::new(
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        )
        .expect("valid names")
        .subject_alt_names;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Self::sign(params, issuer)
    }

    /// A self-signed one for these names that is an authority's too, as `openssl req -x509` makes it.
    pub fn as_openssl_makes_it(names: &[&str]) -> Self {
        let mut leaf = Self::leaf(names, None, -1, 90);
        leaf.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        leaf.params.extended_key_usages = Vec::new();
        Self::sign(leaf.params, None)
    }

    /// A certificate that has its name only in the CN.
    pub fn leaf_with_cn_only(name: &str, issuer: &Self) -> Self {
        let mut params = params(name, -1, 90);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Self::sign(params, Some(issuer))
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A server that shows this certificate and then these.
    pub fn server(&self, others: &[&Self]) -> ServerConfig {
        self.server_with(others, None)
    }

    /// The same, and it wants a client certificate by this authority.
    pub fn server_with(&self, others: &[&Self], clients: Option<&Self>) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let chain = std::iter::once(self)
            .chain(others.iter().copied())
            .map(|pair| pair.der.clone())
            .collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("TLS versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(authority.der.clone()).expect("a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .expect("a verifier");
                builder.with_client_cert_verifier(verifier)
            }
        };
        builder
            .with_single_cert(chain, key)
            .expect("a key that fits")
    }
}

/// A root, a leaf for `site.test` below it, and a server with it.
pub fn good_site() -> (Pair, ServerConfig) {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let leaf = Pair::leaf(&["site.test"], Some(&root), -1, 90);
    let server = leaf.server(&[]);
    (root, server)
}
