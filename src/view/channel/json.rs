//! Format `json`: our own object, as a webhook after Standard Webhooks 1.0.0.

use serde_json::{Map, Value};

use super::message::Message;
use super::request::Request;
use super::signature::Stamp;
use crate::domain::channel::SigningKey;
use crate::domain::secret::Secret;

/// The object itself with `webhook-id`; the time of the attempt comes with each attempt, signed where there is a key.
pub(super) fn request(
    url: &Secret,
    key: Option<&SigningKey>,
    fields: &Map<String, Value>,
    message: &Message,
) -> Request {
    let mut request = Request::post(url.reveal(), message, fields);
    request.set("webhook-id", message.id);
    request.stamp = Some(Stamp {
        id: message.id.to_owned(),
        key: key.cloned(),
    });
    request
}
