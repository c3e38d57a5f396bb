//! What the verification of one server's certificates may cost.
//!
//! A server chooses how many signatures there are to check and with which keys. Each is checked once, and all together
//! cost at most [`UNITS_MAX`], and what the search among trust anchors of one name costs: how many of these there are
//! the configuration says, not the server.

use std::sync::{Mutex, PoisonError};

use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

/// A path has two to four signatures: by RSA and P-256 they cost 1 each, about a tenth of a millisecond, by P-384 4, by
/// P-521 10. Three of P-521 fit, and so do eight of P-384 or 32 others.
const UNITS_MAX: u32 = 32;

/// What one verification has done so far.
#[derive(Debug)]
pub(super) struct Effort(Mutex<State>);

#[derive(Debug)]
struct State {
    left: u32,
    is_spent: bool,
    known: Vec<Known>,
}

/// A signature that was checked.
#[derive(Debug)]
struct Known {
    key: Box<[u8]>,
    message: Box<[u8]>,
    signature: Box<[u8]>,
    algorithm: AlgorithmIdentifier,
    holds: bool,
}

impl Effort {
    /// With so many units more for the search among trust anchors of one name.
    pub(super) const fn new(search_units: u32) -> Self {
        Self(Mutex::new(State {
            left: UNITS_MAX.saturating_add(search_units),
            is_spent: false,
            known: Vec::new(),
        }))
    }

    /// Whether a signature was not checked, since it would have cost too much.
    pub(super) fn is_spent(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_spent
    }

    /// Signatures at the expense of this.
    pub(super) fn of<'a>(
        &'a self,
        algorithms: &[&'a dyn SignatureVerificationAlgorithm],
    ) -> Vec<Counted<'a>> {
        algorithms
            .iter()
            .map(|algorithm| Counted {
                algorithm: *algorithm,
                effort: self,
            })
            .collect()
    }
}

/// An algorithm whose checks are counted.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    algorithm: &'a dyn SignatureVerificationAlgorithm,
    effort: &'a Effort,
}

impl SignatureVerificationAlgorithm for Counted<'_> {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }

    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let algorithm = self.algorithm.signature_alg_id();
        let mut state = self.effort.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = state.known.iter().find(|known| {
            *known.signature == *signature
                && *known.key == *key
                && known.algorithm == algorithm
                && *known.message == *message
        });
        if let Some(known) = same {
            return if known.holds {
                Ok(())
            } else {
                Err(InvalidSignature)
            };
        }
        let units = units(self.algorithm.public_key_alg_id(), key);
        if units > state.left {
            state.is_spent = true;
            return Err(InvalidSignature);
        }
        state.left -= units;
        let checked = self.algorithm.verify_signature(key, message, signature);
        state.known.push(Known {
            key: key.into(),
            message: message.into(),
            signature: signature.into(),
            algorithm,
            holds: checked.is_ok(),
        });
        checked
    }
}

/// What a signature costs by a key that is given with its algorithm: what a SubjectPublicKeyInfo holds.
pub(super) fn units_of(key_info: &[u8]) -> u32 {
    // The header of the algorithm has two bytes.
    let algorithm = key_info.get(2..).unwrap_or_default();
    let is = |known: &AlgorithmIdentifier| algorithm.starts_with(known);
    let elliptic = [alg_id::ECDSA_P521, alg_id::ECDSA_P384];
    let known = elliptic.into_iter().find(is);
    units(known.unwrap_or(alg_id::RSA_ENCRYPTION), key_info)
}

fn units(key_algorithm: AlgorithmIdentifier, key: &[u8]) -> u32 {
    match key_algorithm {
        alg_id::ECDSA_P521 => 10,
        alg_id::ECDSA_P384 => 4,
        // RSA of more than 4096 bits.
        _ if key.len() > 600 => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says that a signature holds if it begins with 1, and counts nothing itself.
    #[derive(Debug)]
    struct Fake(AlgorithmIdentifier);

    impl SignatureVerificationAlgorithm for Fake {
        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            self.0
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ECDSA_SHA512
        }

        fn verify_signature(
            &self,
            _: &[u8],
            _: &[u8],
            signature: &[u8],
        ) -> Result<(), InvalidSignature> {
            match signature.first() {
                Some(1) => Ok(()),
                _ => Err(InvalidSignature),
            }
        }
    }

    #[test]
    fn each_signature_is_paid_for_once() {
        let fake = Fake(alg_id::ECDSA_P521);
        let effort = Effort::new(0);
        let counted = effort.of(&[&fake]);
        let check = |signature: &[u8]| counted[0].verify_signature(b"key", b"said", signature);
        for _ in 0..100 {
            assert!(check(&[1, 1]).is_ok());
            assert!(check(&[0, 1]).is_err());
        }
        assert!(check(&[1, 2]).is_ok());
        assert!(!effort.is_spent());
        // Three of the most expensive fit, the fourth does not.
        assert!(check(&[1, 4]).is_err());
        assert!(effort.is_spent());
        // What is known stays so.
        assert!(check(&[1, 1]).is_ok());
        assert!(check(&[1, 5]).is_err());
    }

    #[test]
    fn another_message_or_key_is_another_signature() {
        let fake = Fake(alg_id::ECDSA_P256);
        let effort = Effort::new(0);
        let counted = effort.of(&[&fake]);
        for number in 0..UNITS_MAX {
            let text = number.to_be_bytes();
            let key: &[u8] = if number % 2 == 0 { b"a" } else { &text };
            assert!(counted[0].verify_signature(key, &text, &[1]).is_ok());
        }
        assert!(counted[0].verify_signature(b"new", b"", &[1]).is_err());
    }
}
