//! The key by which webhooks are signed.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::domain::redaction::STARS;

/// How Standard Webhooks marks a key in base64.
const PREFIX: &str = "whsec_";
/// A file larger than this is not a key.
const BYTES_MAX: usize = 4096;

/// A shared secret for HMAC-SHA256, as Standard Webhooks 1.0.0 has it. No `Display`, and a starred `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Arc<[u8]>);

/// Why the content of a `secret_file` is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// Nothing in it.
    #[error("is empty; write a random text into it, or whsec_ and base64")]
    Empty,
    /// Larger than a key is.
    #[error("has {0} bytes; a key has at most {BYTES_MAX}")]
    Long(usize),
    /// `whsec_` is followed by something else than base64.
    #[error("begins with whsec_, and what follows is not base64")]
    NotBase64,
}

impl SigningKey {
    /// Reads what a `secret_file` holds: `whsec_` and base64 stands for the bytes; anything else is the key as it is,
    /// without the white space at its ends.
    ///
    /// # Errors
    /// If there is nothing, too much, or no base64 after `whsec_`.
    pub fn parse(content: &[u8]) -> Result<Self, SigningKeyError> {
        let content = content.trim_ascii();
        if content.len() > BYTES_MAX {
            return Err(SigningKeyError::Long(content.len()));
        }
        let key = match content.strip_prefix(PREFIX.as_bytes()) {
            Some(encoded) => STANDARD
                .decode(encoded)
                .or_else(|_| STANDARD_NO_PAD.decode(encoded))
                .map_err(|_| SigningKeyError::NotBase64)?,
            None => content.to_vec(),
        };
        if key.is_empty() {
            return Err(SigningKeyError::Empty);
        }
        Ok(Self(key.into()))
    }

    /// The bytes, for the signature only.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_or_the_content_itself() {
        let parsed = |content: &str| SigningKey::parse(content.as_bytes());
        assert_eq!(parsed("whsec_YWJj\n").unwrap().reveal(), b"abc");
        assert_eq!(parsed("whsec_YWI").unwrap().reveal(), b"ab");
        assert_eq!(parsed(" plain key \r\n").unwrap().reveal(), b"plain key");
        assert_eq!(parsed("\n"), Err(SigningKeyError::Empty));
        assert_eq!(parsed("whsec_"), Err(SigningKeyError::Empty));
        assert_eq!(parsed("whsec_%"), Err(SigningKeyError::NotBase64));
        assert_eq!(parsed(&"x".repeat(4097)), Err(SigningKeyError::Long(4097)));
        assert_eq!(format!("{:?}", parsed("abc").unwrap()), "***");
    }
}
