//! Certificates that no library makes: put together byte by byte.

use std::sync::Arc;

use ring::digest::{self, digest};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RsaKeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, alg_id};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};

const BIT_STRING: u8 = 3;
const OCTETS: u8 = 4;
const OID: u8 = 6;
const SEQUENCE: u8 = 0x30;

/// An element of DER.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut all = vec![tag];
    match content.len() {
        length @ 0..=127 => all.push(length as u8),
        length @ 128..=255 => all.extend([0x81, length as u8]),
        length => all.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    all.extend(content);
    all
}

/// A key, the same one for the same seed.
#[derive(Clone)]
pub enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    /// With the algorithm that stands in the certificate.
    Rsa(Arc<RsaKeyPair>, Vec<u8>),
    /// Somebody else's: signs with nothing but zeros.
    Foreign(Vec<u8>),
}

/// How a certificate is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Sha256,
    Sha384,
    Sha512,
    /// RSA-PSS instead of PKCS 1.
    Pss256,
    Pss384,
    Pss512,
    /// With this object identifier, and zeros.
    Other(&'static [u8]),
}

impl Key {
    pub fn p256(seed: u8) -> Self {
        Self::P256(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).expect("in range"))
    }

    pub fn p384(seed: u8) -> Self {
        Self::P384(p384::ecdsa::SigningKey::from_slice(&[seed; 48]).expect("in range"))
    }

    pub fn p521(seed: u8) -> Self {
        let mut scalar = [seed; 66];
        scalar[0] = 0;
        Self::P521(p521::ecdsa::SigningKey::from_slice(&scalar).expect("in range"))
    }

    /// A key for all uses of RSA, or one for RSA-PSS with the algorithm that this says.
    pub fn rsa(algorithm: Option<&[u8]>) -> Self {
        let pem = include_str!("rsa2048.pem");
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let pair = RsaKeyPair::from_pkcs8(key.secret_der()).expect("a key");
        let algorithm = algorithm.unwrap_or(&alg_id::RSA_ENCRYPTION);
        Self::Rsa(Arc::new(pair), algorithm.to_vec())
    }

    fn spki(&self) -> Vec<u8> {
        let of = |algorithm: &[u8], key: &[u8]| {
            tlv(
                SEQUENCE,
                &[&tlv(SEQUENCE, &[algorithm]), &tlv(BIT_STRING, &[&[0], key])],
            )
        };
        match self {
            Self::P256(key) => of(
                &alg_id::ECDSA_P256,
                key.verifying_key().to_sec1_point(false).as_bytes(),
            ),
            Self::P384(key) => of(
                &alg_id::ECDSA_P384,
                key.verifying_key().to_sec1_point(false).as_bytes(),
            ),
            Self::P521(key) => of(
                &alg_id::ECDSA_P521,
                key.verifying_key().to_sec1_point(false).as_bytes(),
            ),
            Self::Rsa(pair, algorithm) => of(algorithm, pair.public_key().as_ref()),
            Self::Foreign(spki) => spki.clone(),
        }
    }

    fn algorithm(&self, by: By) -> Vec<u8> {
        let is_rsa = matches!(self, Self::Rsa(..));
        match (by, is_rsa) {
            (By::Sha256, false) => alg_id::ECDSA_SHA256.to_vec(),
            (By::Sha384, false) => alg_id::ECDSA_SHA384.to_vec(),
            (By::Sha512, false) => alg_id::ECDSA_SHA512.to_vec(),
            (By::Sha256, true) => alg_id::RSA_PKCS1_SHA256.to_vec(),
            (By::Sha384, true) => alg_id::RSA_PKCS1_SHA384.to_vec(),
            (By::Sha512, true) => alg_id::RSA_PKCS1_SHA512.to_vec(),
            (By::Pss256, _) => alg_id::RSA_PSS_SHA256.to_vec(),
            (By::Pss384, _) => alg_id::RSA_PSS_SHA384.to_vec(),
            (By::Pss512, _) => alg_id::RSA_PSS_SHA512.to_vec(),
            (By::Other(oid), _) => tlv(OID, &[oid]),
        }
    }

    fn sign(&self, by: By, message: &[u8]) -> Vec<u8> {
        let hash = match by {
            By::Sha256 | By::Pss256 => &digest::SHA256,
            By::Sha384 | By::Pss384 => &digest::SHA384,
            By::Sha512 | By::Pss512 => &digest::SHA512,
            By::Other(_) => return vec![0; 64],
        };
        let digest = digest(hash, message);
        let digest = digest.as_ref();
        match self {
            Self::P256(key) => {
                use p256::ecdsa::signature::hazmat::PrehashSigner;
                let made: p256::ecdsa::DerSignature = key.sign_prehash(digest).expect("signed");
                made.as_bytes().to_vec()
            }
            Self::P384(key) => {
                use p384::ecdsa::signature::hazmat::PrehashSigner;
                let made: p384::ecdsa::DerSignature = key.sign_prehash(digest).expect("signed");
                made.as_bytes().to_vec()
            }
            Self::P521(key) => {
                use p521::ecdsa::signature::hazmat::PrehashSigner;
                let made: p521::ecdsa::DerSignature = key.sign_prehash(digest).expect("signed");
                made.as_bytes().to_vec()
            }
            Self::Rsa(pair, _) => {
                let padding: &dyn ring::signature::RsaEncoding = match by {
                    By::Pss256 => &ring::signature::RSA_PSS_SHA256,
                    By::Pss384 => &ring::signature::RSA_PSS_SHA384,
                    By::Pss512 => &ring::signature::RSA_PSS_SHA512,
                    By::Sha384 => &ring::signature::RSA_PKCS1_SHA384,
                    By::Sha512 => &ring::signature::RSA_PKCS1_SHA512,
                    By::Sha256 | By::Other(_) => &ring::signature::RSA_PKCS1_SHA256,
                };
                let mut made = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut made)
                    .expect("signed");
                made
            }
            Self::Foreign(_) => vec![0; 128],
        }
    }

    /// The private key, PKCS 8 or SEC 1, in PEM.
    pub fn pem(&self, sec1: bool) -> String {
        let (curve, scalar, size) = match self {
            Self::P256(key) => (&alg_id::ECDSA_P256, key.to_bytes().to_vec(), 32),
            Self::P384(key) => (&alg_id::ECDSA_P384, key.to_bytes().to_vec(), 48),
            Self::P521(key) => (&alg_id::ECDSA_P521, key.to_bytes().to_vec(), 66),
            Self::Rsa(..) => return include_str!("rsa2048.pem").to_owned(),
            Self::Foreign(_) => panic!("its key is not here"),
        };
        assert_eq!(scalar.len(), size);
        // ECPrivateKey with the public key, which ring wants to see.
        let spki = self.spki();
        let point = &spki[spki.len() - (2 * size + 1)..];
        let public = tlv(0xa1, &[&tlv(BIT_STRING, &[&[0], point])]);
        // The curve is the second of the two identifiers.
        let parameters = tlv(0xa0, &[&curve[9..]]);
        let curve_within: &[u8] = if sec1 { &parameters } else { &[] };
        let inner = tlv(
            SEQUENCE,
            &[&[2, 1, 1], &tlv(OCTETS, &[&scalar]), curve_within, &public],
        );
        if sec1 {
            return pem("EC PRIVATE KEY", &inner);
        }
        let whole = tlv(
            SEQUENCE,
            &[
                &[2, 1, 0],
                &tlv(SEQUENCE, &[curve]),
                &tlv(OCTETS, &[&inner]),
            ],
        );
        pem("PRIVATE KEY", &whole)
    }
}

/// A PEM section.
pub fn pem(label: &str, der: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63] as char;
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
        if text.len() % 65 == 64 {
            text.push('\n');
        }
    }
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        text.trim_end()
    )
}

/// What stands in a certificate.
#[derive(Clone)]
pub struct Plan {
    pub version: u8,
    pub serial: Vec<u8>,
    pub subject: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    /// The content of the identifier, whether critical, the value.
    pub extensions: Vec<(Vec<u8>, bool, Vec<u8>)>,
    pub by: By,
}

impl Plan {
    /// A certificate of an authority.
    pub fn authority(subject: &'static str) -> Self {
        let is_ca = tlv(SEQUENCE, &[&[1, 1, 0xff]]);
        Self::bare(subject).with(&[0x55, 0x1d, 19], true, &is_ca)
    }

    /// A server's, with the subject as its name.
    pub fn server(subject: &'static str) -> Self {
        Self::bare(subject).named(&[(0x82, subject.as_bytes())])
    }

    /// Version 3 without extensions.
    pub fn bare(subject: &'static str) -> Self {
        Self {
            version: 3,
            serial: vec![1],
            subject,
            from: "20200101000000Z",
            to: "20900101000000Z",
            extensions: Vec::new(),
            by: By::Sha256,
        }
    }

    pub fn dates(self, from: &'static str, to: &'static str) -> Self {
        Self { from, to, ..self }
    }

    pub fn by(self, by: By) -> Self {
        Self { by, ..self }
    }

    pub fn version(self, version: u8) -> Self {
        Self { version, ..self }
    }

    pub fn serial(self, serial: &[u8]) -> Self {
        Self {
            serial: serial.to_vec(),
            ..self
        }
    }

    pub fn with(mut self, oid: &[u8], critical: bool, value: &[u8]) -> Self {
        self.extensions
            .push((oid.to_vec(), critical, value.to_vec()));
        self
    }

    /// Subject alternative names: the tag (82 for DNS, 87 for addresses) and the value.
    pub fn named(self, names: &[(u8, &[u8])]) -> Self {
        let names: Vec<u8> = names
            .iter()
            .flat_map(|(tag, name)| tlv(*tag, &[name]))
            .collect();
        self.with(&[0x55, 0x1d, 17], false, &tlv(SEQUENCE, &[&names]))
    }

    fn name(subject: &str) -> Vec<u8> {
        let text = tlv(0x0c, &[subject.as_bytes()]);
        let part = tlv(SEQUENCE, &[&tlv(OID, &[&[0x55, 4, 3]]), &text]);
        tlv(SEQUENCE, &[&tlv(0x31, &[&part])])
    }

    /// Signs it by an issuer, or by itself.
    pub fn forge(&self, key: &Key, issuer: Option<&Forged>) -> Forged {
        let (by_name, by_key) = match issuer {
            Some(issuer) => (issuer.subject, &issuer.key),
            None => (self.subject, key),
        };
        let algorithm = tlv(SEQUENCE, &[&by_key.algorithm(self.by)]);
        let version = match self.version {
            1 => Vec::new(),
            version => tlv(0xa0, &[&[2, 1, version - 1]]),
        };
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(oid, critical, value)| {
                let critical: &[u8] = if *critical { &[1, 1, 0xff] } else { &[] };
                tlv(
                    SEQUENCE,
                    &[&tlv(OID, &[oid]), critical, &tlv(OCTETS, &[value])],
                )
            })
            .collect();
        let extensions = match extensions.is_empty() {
            true => Vec::new(),
            false => tlv(0xa3, &[&tlv(SEQUENCE, &[&extensions])]),
        };
        let dates = [self.from, self.to].map(|date| tlv(0x18, &[date.as_bytes()]));
        let tbs = tlv(
            SEQUENCE,
            &[
                &version,
                &tlv(2, &[&self.serial]),
                &algorithm,
                &Self::name(by_name),
                &tlv(SEQUENCE, &[&dates[0], &dates[1]]),
                &Self::name(self.subject),
                &key.spki(),
                &extensions,
            ],
        );
        let signature = by_key.sign(self.by, &tbs);
        let signature = tlv(BIT_STRING, &[&[0], &signature]);
        Forged {
            der: tlv(SEQUENCE, &[&tbs, &algorithm, &signature]),
            subject: self.subject,
            key: key.clone(),
        }
    }
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Forged {
    pub der: Vec<u8>,
    pub subject: &'static str,
    pub key: Key,
}

impl Forged {
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// A server that shows it and then these, by one version of TLS and one group of the key exchange, or any.
    pub fn server(
        &self,
        others: &[&Self],
        version: Option<u8>,
        group: Option<usize>,
    ) -> ServerConfig {
        let mut provider = sitewatch::tls::provider();
        if let Some(group) = group {
            provider.kx_groups = vec![provider.kx_groups[group]];
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.pem(false).as_bytes()).expect("PEM");
        let key = provider.key_provider.load_private_key(key).expect("a key");
        let chain = std::iter::once(self)
            .chain(others.iter().copied())
            .map(|forged| CertificateDer::from(forged.der.clone()))
            .collect();
        let versions: &[&rustls::SupportedProtocolVersion] = match version {
            Some(12) => &[&TLS12],
            Some(_) => &[&TLS13],
            None => &[&TLS12, &TLS13],
        };
        let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("TLS versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown))
    }
}
