//! The one HTTP request of a message.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::signature::Stamp;
use crate::domain::secret::Secret;

/// A request that is ready to be sent, without following redirects.
///
/// URL and header fields hold tokens: `Debug` shows the method and the length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST` or `PUT`.
    pub method: &'static str,
    /// The whole address, for [`url::Url::parse`].
    pub url: Secret,
    /// Header fields, each name once. `User-Agent` and `Host` are the sender's business.
    pub headers: Vec<(String, Secret)>,
    /// The body; the header field `Content-Type` says what it is.
    pub body: String,
    /// What the header fields of each attempt are made of: [`Request::stamped`].
    pub(super) stamp: Option<Stamp>,
    /// Why the user's template could not be rendered, one line: the body holds summary and text then.
    pub template_fault: Option<String>,
}

impl Request {
    /// A POST of a JSON object over which `fields` are laid.
    pub(super) fn post(
        url: impl Into<std::sync::Arc<str>>,
        object: &impl Serialize,
        fields: &Map<String, Value>,
    ) -> Self {
        Self {
            method: "POST",
            url: Secret::new(url),
            headers: vec![(
                "Content-Type".to_owned(),
                Secret::new("application/json; charset=utf-8"),
            )],
            body: overlaid(object, fields),
            stamp: None,
            template_fault: None,
        }
    }

    /// Sets a header field, in place of one of the same name.
    pub(super) fn set(&mut self, name: &str, value: impl Into<std::sync::Arc<str>>) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), Secret::new(value)));
    }

    /// Adds `Authorization: Bearer TOKEN`, if there is a token.
    #[must_use]
    pub(super) fn bearer(mut self, token: Option<&Secret>) -> Self {
        if let Some(token) = token {
            self.set("Authorization", format!("Bearer {}", token.reveal()));
        }
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An object as JSON, in its own order where nothing is laid over it.
fn overlaid(object: &impl Serialize, fields: &Map<String, Value>) -> String {
    let written = if fields.is_empty() {
        serde_json::to_string(object)
    } else {
        serde_json::to_value(object).map(|mut value| {
            if let Value::Object(object) = &mut value {
                object.extend(fields.clone());
            }
            value.to_string()
        })
    };
    written.expect("objects of strings, numbers and text keys can be written as JSON")
}

/// An address with a path below it: `https://a.example/` and `v2/x` is `https://a.example/v2/x`. A query of the base
/// stays behind the path.
pub(super) fn below(base: &Secret, path: &str) -> String {
    let base = base.reveal();
    let (address, query) = match base.find('?') {
        Some(at) => base.split_at(at),
        None => (base, ""),
    };
    format!("{}/{path}{query}", address.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_laid_over_the_top_level() {
        let fields = json!({"b": 2, "c": {"d": 1}});
        let fields = fields.as_object().unwrap();
        assert_eq!(
            overlaid(&json!({"a": 1, "b": 1}), fields),
            r#"{"a":1,"b":2,"c":{"d":1}}"#
        );
    }

    #[test]
    fn the_path_is_added_below_the_base() {
        for (base, want) in [
            ("https://a.example", "https://a.example/v2/x"),
            ("https://a.example/", "https://a.example/v2/x"),
            ("https://a.example/b/?k=1", "https://a.example/b/v2/x?k=1"),
        ] {
            assert_eq!(below(&Secret::new(base), "v2/x"), want);
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let request = Request::post("https://a.example/s3cret", &json!({}), &Map::new())
            .bearer(Some(&Secret::new("t0ken")));
        let shown = format!("{request:?}");
        assert!(
            !shown.contains("s3cret") && !shown.contains("t0ken"),
            "{shown}"
        );
    }
}
