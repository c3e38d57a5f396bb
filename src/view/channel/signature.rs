//! Signatures of webhooks: Standard Webhooks 1.0.0 (standard-webhooks.md, "Signature scheme": symmetric, `v1`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::request::Request;
use crate::domain::channel::SigningKey;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;

/// The header field that says when an attempt is made.
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
/// The one that signs it.
pub(super) const SIGNATURE: &str = "webhook-signature";

/// What the header fields of an attempt are made of. Receivers refuse times that are a few minutes old, so they are
/// made when the attempt begins, not when the message was written: between the two something may wait for the disk.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The webhook-id.
    pub(super) id: String,
    /// By which it is signed, if there is one.
    pub(super) key: Option<SigningKey>,
}

impl Request {
    /// The header fields that an attempt at `now` has beside [`Request::headers`].
    pub fn stamped(&self, now: Timestamp) -> Vec<(&'static str, Secret)> {
        let Some(stamp) = &self.stamp else {
            return Vec::new();
        };
        let seconds = now.as_seconds();
        let mut fields = vec![(TIMESTAMP, Secret::new(seconds.to_string()))];
        if let Some(key) = &stamp.key {
            let signature = sign(key, &stamp.id, seconds, &self.body);
            fields.push((SIGNATURE, Secret::new(signature)));
        }
        fields
    }
}

/// The value of `webhook-signature` over a message's id, the time of the attempt in seconds and the body.
fn sign(key: &SigningKey, id: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.reveal());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body.as_bytes());
    format!("v1,{}", STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn as_the_reference_signs() {
        let key = SigningKey::parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
