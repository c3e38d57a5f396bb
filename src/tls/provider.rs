//! The cryptography: ring's, and what other clients have and ring lacks.

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

use super::p521::{Keys, Secp521r1};
use super::signatures::ALGORITHMS;

/// ring's cryptography and P-521, with AES-128 in front as browsers have it: a handshake hashes a hundred times, and
/// processors have instructions for its SHA-256 but not for the SHA-384 of AES-256.
pub fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    // Last: only a server that takes nothing else gets it.
    provider.kx_groups.push(&Secp521r1);
    provider.signature_verification_algorithms = ALGORITHMS;
    provider.key_provider = &Keys;
    provider
}
