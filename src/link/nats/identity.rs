//! Who we are to a NATS server: an Ed25519 key that signs what the server gives us to sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::domain::cluster::NatsCredentials;
use crate::domain::nkey;
use crate::domain::secret::Secret;

/// What CONNECT says of us, beside the rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Proof {
    /// Our public key, where the server knows users by it.
    pub nkey: Option<String>,
    /// What an account says of us, where the server knows accounts.
    pub jwt: Option<String>,
    /// The signature.
    pub sig: Option<String>,
}

/// Signs what the server gave us.
///
/// # Errors
/// One line, if the seed is of no use.
pub(super) fn prove(credentials: &NatsCredentials, nonce: &str) -> Result<Proof, String> {
    let (seed, jwt) = match credentials {
        NatsCredentials::None => return Ok(Proof::default()),
        NatsCredentials::Nkey(seed) => (seed, None),
        NatsCredentials::Jwt { jwt, seed } => (seed, Some(jwt.reveal().to_owned())),
    };
    let pair = pair(seed)?;
    let sig = URL_SAFE_NO_PAD.encode(pair.sign(nonce.as_bytes()));
    Ok(Proof {
        nkey: jwt.is_none().then(|| public(&pair)),
        jwt,
        sig: Some(sig),
    })
}

fn pair(seed: &Secret) -> Result<Ed25519KeyPair, String> {
    let seed = nkey::seed(seed.reveal()).map_err(|why| format!("nkey_file {why}"))?;
    Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| "the seed is of no use".to_owned())
}

fn public(pair: &Ed25519KeyPair) -> String {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(pair.public_key().as_ref()) {
        *to = *from;
    }
    nkey::public_text(&key)
}

/// A new user: its seed, to be kept secret, and its public key.
///
/// # Errors
/// One line, if the system gives no random numbers.
pub fn new_user() -> Result<(Secret, String), String> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    let seed = Secret::new(nkey::seed_text(&seed));
    let public = public_of(&seed)?;
    Ok((seed, public))
}

/// The public key of a seed.
///
/// # Errors
/// One line, if it is no seed.
pub fn public_of(seed: &Secret) -> Result<String, String> {
    Ok(public(&pair(seed)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair that `nk -gen user -pubout` of nkeys made, from its documentation.
    #[test]
    fn a_known_pair() {
        let seed = Secret::new("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY");
        assert_eq!(
            public_of(&seed).unwrap(),
            "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
        );
    }

    #[test]
    fn a_new_user_can_sign() {
        let (seed, public) = new_user().unwrap();
        let proof = prove(&NatsCredentials::Nkey(seed.clone()), "nonce").unwrap();
        assert_eq!(proof.nkey.as_deref(), Some(public.as_str()));
        let signature = URL_SAFE_NO_PAD.decode(proof.sig.unwrap()).unwrap();
        let key = pair(&seed).unwrap();
        let known =
            ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key.public_key());
        assert!(known.verify(b"nonce", &signature).is_ok());
        assert_eq!(
            prove(&NatsCredentials::None, "x").unwrap(),
            Proof::default()
        );
    }
}
