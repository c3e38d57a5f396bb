//! Format `json`: our own object, as a webhook after Standard Webhooks 1.0.0.

use serde_json::{Map, Value};

use super::message::Message;
use super::request::Request;
use super::signature;
use crate::domain::channel::SigningKey;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;

/// The object itself with `webhook-id` and `webhook-timestamp`, and signed where there is a key.
pub(super) fn request(
    url: &Secret,
    key: Option<&SigningKey>,
    fields: &Map<String, Value>,
    message: &Message,
    now: Timestamp,
) -> Request {
    let mut request = Request::post(url.reveal(), message, fields);
    let seconds = now.as_seconds();
    request.set("webhook-id", message.id);
    request.set("webhook-timestamp", seconds.to_string());
    if let Some(key) = key {
        let signature = signature::sign(key, message.id, seconds, &request.body);
        request.set("webhook-signature", signature);
    }
    request
}
