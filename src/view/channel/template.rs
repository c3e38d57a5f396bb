//! Format `template`: the user's own text over the object of format `json`.

use serde_json::{Map, Value, json};

use super::message::Message;
use super::request::Request;
use crate::domain::channel::Channel;
use crate::domain::secret::Secret;
use crate::policy::template::{self, Printing};

/// The rendered template. If it cannot be rendered, summary and text stand in its place, and the request says why.
pub(super) fn request(channel: &Channel, url: &Secret, text: &str, message: &Message) -> Request {
    let printing = printing(channel);
    let object = serde_json::to_value(message)
        .expect("objects of strings, numbers and text keys can be written as JSON");
    let rendered = template::render(text, &object, printing);
    let template_fault = rendered.as_ref().err().map(ToString::to_string);
    let plain = json!({ "summary": message.summary, "text": message.text });
    let request = match (printing, rendered) {
        (Printing::Json, Ok(body)) => json_request(url, body, &channel.fields),
        (Printing::Json, Err(_)) => Request::post(url.reveal(), &plain, &channel.fields),
        (Printing::Bare, body) => Request {
            body: body.unwrap_or_else(|_| format!("{}\n\n{}", message.summary, message.text)),
            ..Request::post(url.reveal(), &plain, &Map::new())
        },
    };
    Request {
        template_fault,
        ..request
    }
}

/// The text as it is, unless fields are laid over it.
fn json_request(url: &Secret, body: String, fields: &Map<String, Value>) -> Request {
    let request = Request::post(url.reveal(), &json!({}), fields);
    if fields.is_empty() {
        return Request { body, ..request };
    }
    match serde_json::from_str::<Value>(&body) {
        Ok(object @ Value::Object(_)) => Request::post(url.reveal(), &object, fields),
        Ok(_) | Err(_) => Request { body, ..request },
    }
}

/// As the `Content-Type` of the channel's `headers` says.
fn printing(channel: &Channel) -> Printing {
    let headers = channel.headers.iter();
    let value = headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.reveal())
        .next_back();
    Printing::of_content_type(value)
}
