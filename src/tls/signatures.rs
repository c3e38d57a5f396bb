//! Signatures that other clients check and ring does not: ECDSA on P-521, ECDSA on P-256 and P-384 with SHA-512, and
//! RSA-PSS by a key that is for RSA-PSS alone.

use ring::digest::{self, digest};
use ring::signature::{self as by_ring, UnparsedPublicKey};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use webpki::ring as known;

/// The schemes of TLS for RSA-PSS by a key that is for RSA-PSS alone (RFC 8446 section 4.2.3).
const RSA_PSS_PSS_SHA256: SignatureScheme = SignatureScheme::Unknown(0x0809);
const RSA_PSS_PSS_SHA384: SignatureScheme = SignatureScheme::Unknown(0x080a);
const RSA_PSS_PSS_SHA512: SignatureScheme = SignatureScheme::Unknown(0x080b);

/// Schemes that nobody here can check, offered where certificate faults are let pass: a server may have nothing else.
/// Ed448, the Brainpool curves, SHA-1 and SHA-224.
pub(super) const UNCHECKED: [SignatureScheme; 8] = [
    SignatureScheme::ED448,
    SignatureScheme::Unknown(0x081a),
    SignatureScheme::Unknown(0x081b),
    SignatureScheme::Unknown(0x081c),
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::ECDSA_SHA1_Legacy,
    SignatureScheme::Unknown(0x0301),
    SignatureScheme::Unknown(0x0303),
];

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// ring's signatures and these.
pub(super) static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        known::ECDSA_P256_SHA256,
        known::ECDSA_P256_SHA384,
        known::ECDSA_P384_SHA256,
        known::ECDSA_P384_SHA384,
        known::ED25519,
        known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        known::RSA_PKCS1_2048_8192_SHA256,
        known::RSA_PKCS1_2048_8192_SHA384,
        known::RSA_PKCS1_2048_8192_SHA512,
        known::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        known::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        known::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
        P256_SHA512,
        P384_SHA512,
        P521_SHA256,
        P521_SHA384,
        P521_SHA512,
        PSS_SHA256[0],
        PSS_SHA256[1],
        PSS_SHA384[0],
        PSS_SHA384[1],
        PSS_SHA512[0],
        PSS_SHA512[1],
    ],
    // TLS 1.3 takes the first curve of a scheme only, TLS 1.2 any.
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[
                known::ECDSA_P384_SHA384,
                known::ECDSA_P256_SHA384,
                P521_SHA384,
            ],
        ),
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[
                known::ECDSA_P256_SHA256,
                known::ECDSA_P384_SHA256,
                P521_SHA256,
            ],
        ),
        (SignatureScheme::ED25519, &[known::ED25519]),
        (
            SignatureScheme::RSA_PSS_SHA512,
            &[known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PSS_SHA384,
            &[known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PSS_SHA256,
            &[known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA512,
            &[known::RSA_PKCS1_2048_8192_SHA512],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA384,
            &[known::RSA_PKCS1_2048_8192_SHA384],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA256,
            &[known::RSA_PKCS1_2048_8192_SHA256],
        ),
        (
            SignatureScheme::ECDSA_NISTP521_SHA512,
            &[P521_SHA512, P384_SHA512, P256_SHA512],
        ),
        (RSA_PSS_PSS_SHA512, &PSS_SHA512),
        (RSA_PSS_PSS_SHA384, &PSS_SHA384),
        (RSA_PSS_PSS_SHA256, &PSS_SHA256),
    ],
};

static P256_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA512,
    hash: &digest::SHA512,
    check: p256,
};
static P384_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA512,
    hash: &digest::SHA512,
    check: p384,
};
static P521_SHA256: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA256,
    hash: &digest::SHA256,
    check: p521,
};
static P521_SHA384: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA384,
    hash: &digest::SHA384,
    check: p521,
};
static P521_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA512,
    hash: &digest::SHA512,
    check: p521,
};

/// The algorithm of a key that is for RSA-PSS with whatever hash: the object identifier alone.
const ANY_PSS_KEY: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a");

/// By a key for any hash, and by a key for this hash.
static PSS_SHA256: [Algorithm; 2] = [
    &Pss {
        key: ANY_PSS_KEY,
        signature: alg_id::RSA_PSS_SHA256,
        check: &by_ring::RSA_PSS_2048_8192_SHA256,
    },
    &Pss {
        key: alg_id::RSA_PSS_SHA256,
        signature: alg_id::RSA_PSS_SHA256,
        check: &by_ring::RSA_PSS_2048_8192_SHA256,
    },
];
static PSS_SHA384: [Algorithm; 2] = [
    &Pss {
        key: ANY_PSS_KEY,
        signature: alg_id::RSA_PSS_SHA384,
        check: &by_ring::RSA_PSS_2048_8192_SHA384,
    },
    &Pss {
        key: alg_id::RSA_PSS_SHA384,
        signature: alg_id::RSA_PSS_SHA384,
        check: &by_ring::RSA_PSS_2048_8192_SHA384,
    },
];
static PSS_SHA512: [Algorithm; 2] = [
    &Pss {
        key: ANY_PSS_KEY,
        signature: alg_id::RSA_PSS_SHA512,
        check: &by_ring::RSA_PSS_2048_8192_SHA512,
    },
    &Pss {
        key: alg_id::RSA_PSS_SHA512,
        signature: alg_id::RSA_PSS_SHA512,
        check: &by_ring::RSA_PSS_2048_8192_SHA512,
    },
];

/// Checks by a key (SEC1) over a digest a signature (DER).
type Check = fn(&[u8], &[u8], &[u8]) -> Option<()>;

/// ECDSA on a curve with a hash that ring does not have for it.
#[derive(Debug)]
struct Ecdsa {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    hash: &'static digest::Algorithm,
    check: Check,
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }

    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let digest = digest(self.hash, message);
        (self.check)(key, digest.as_ref(), signature).ok_or(InvalidSignature)
    }
}

/// RSA-PSS, which ring has, by a key whose algorithm webpki's list does not have.
#[derive(Debug)]
struct Pss {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    check: &'static dyn by_ring::VerificationAlgorithm,
}

impl SignatureVerificationAlgorithm for Pss {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }

    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.check, key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }
}

fn p256(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
    key.verify_prehash(digest, &signature).ok()
}

fn p384(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    use p384::ecdsa::signature::hazmat::PrehashVerifier;
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
    key.verify_prehash(digest, &signature).ok()
}

fn p521(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    use p521::ecdsa::signature::hazmat::PrehashVerifier;
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p521::ecdsa::Signature::from_der(signature).ok()?;
    key.verify_prehash(digest, &signature).ok()
}
