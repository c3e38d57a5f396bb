//! P-521 for what is ours of a handshake: the key exchange, and a client certificate's key.

use std::sync::Arc;

use p521::ecdsa::signature::hazmat::PrehashSigner;
use p521::ecdsa::{DerSignature, SigningKey as EcdsaKey};
use p521::elliptic_curve::ecdh::diffie_hellman;
use p521::elliptic_curve::sec1::ToSec1Point;
use p521::pkcs8::DecodePrivateKey;
use p521::{PublicKey, SecretKey};
use ring::digest::{SHA512, digest};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::{ActiveKeyExchange, KeyProvider, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, NamedGroup, PeerMisbehaved, SignatureAlgorithm, SignatureScheme};

/// The field has 521 bits.
const FIELD_BYTES: usize = 66;

/// Half of all numbers of 521 bits are keys at the least: that so many draws in a row are none does not happen.
const DRAWS_MAX: usize = 128;

/// Key exchange on secp521r1.
#[derive(Debug)]
pub(super) struct Secp521r1;

impl SupportedKxGroup for Secp521r1 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let random = SystemRandom::new();
        let mut bytes = [0; FIELD_BYTES];
        for _ in 0..DRAWS_MAX {
            random
                .fill(&mut bytes)
                .map_err(|_| Error::FailedToGetRandomBytes)?;
            bytes[0] &= 1;
            if let Ok(secret) = SecretKey::from_slice(&bytes) {
                let public = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
                return Ok(Box::new(Exchange { secret, public }));
            }
        }
        Err(Error::FailedToGetRandomBytes)
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

struct Exchange {
    secret: SecretKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // TLS knows the uncompressed form only.
        let peer = Some(peer)
            .filter(|peer| peer.first() == Some(&4))
            .and_then(|peer| PublicKey::from_sec1_bytes(peer).ok())
            .ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::from(shared.raw_secret_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

/// Loads the private keys that ring takes, and those on P-521.
#[derive(Debug)]
pub(super) struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let secret = match &key {
            PrivateKeyDer::Pkcs8(der) => SecretKey::from_pkcs8_der(der.secret_pkcs8_der()).ok(),
            PrivateKeyDer::Sec1(der) => SecretKey::from_sec1_der(der.secret_sec1_der()).ok(),
            _ => None,
        };
        match secret {
            Some(secret) => Ok(Arc::new(Key(Arc::new(EcdsaKey::from(&secret))))),
            None => rustls::crypto::ring::default_provider()
                .key_provider
                .load_private_key(key),
        }
    }
}

/// The key of a client certificate.
#[derive(Clone)]
struct Key(Arc<EcdsaKey>);

/// Without the key.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(P-521)")
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_offered = offered.contains(&SignatureScheme::ECDSA_NISTP521_SHA512);
        is_offered.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let digest = digest(&SHA512, message);
        let signature: Result<DerSignature, _> = self.0.sign_prehash(digest.as_ref());
        signature
            .map(|signature| signature.as_bytes().to_vec())
            .map_err(|_| Error::General("signing with the client certificate's key failed".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}
