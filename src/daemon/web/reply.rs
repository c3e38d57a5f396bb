//! Answers with the headers that every one of them carries.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::budget::Budget;
use crate::store::error::StoreError;

/// What a handler says: an answer, a fault of the asker, or that the database cannot be read.
pub(super) type Made = Result<Reply, StoreError>;

/// What is said below `/api` where there is nothing, or nothing for this reader.
pub(super) const NOTHING_HERE: &str = "there is nothing at this path; see /api/v1/monitors, /api/v1/monitors/NAME, \
    /api/v1/monitors/NAME/checks, /api/v1/incidents and /api/v1/maintenance";

/// Smaller answers gain nothing from being packed.
const PACK_FROM_BYTES: usize = 1400;

/// Nothing is loaded from elsewhere, nothing inline runs, nothing frames us, no form goes anywhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How long an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Asked anew each time, with its tag.
    Revalidate,
    /// For a minute, by anybody.
    Minute,
    /// For ever: the path changes with the content.
    Forever,
    /// Not at all.
    Never,
}

/// One answer, complete.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) media_type: &'static str,
    pub(super) keep: Keep,
    pub(super) body: Bytes,
    /// The body packed, made when the first client that takes it asks.
    packed: Option<Bytes>,
    /// Where its bytes are counted, once they are.
    budget: Option<Budget>,
    tag: HeaderValue,
}

impl Reply {
    /// A good answer.
    pub(super) fn new(media_type: &'static str, keep: Keep, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let hash = Sha256::digest(&body);
        let hex: String = hash
            .iter()
            .take(12)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            status: StatusCode::OK,
            media_type,
            keep,
            body,
            packed: None,
            budget: None,
            // Weak: the packed form has the same tag.
            tag: HeaderValue::from_str(&format!("W/\"{hex}\""))
                .expect("hexadecimal digits in quotes are a valid field value"),
        }
    }

    /// The same, its bytes counted for as long as anybody holds them.
    #[must_use]
    pub(super) fn counted(mut self, budget: &Budget) -> Self {
        self.body = budget.hold(self.body);
        self.budget = Some(budget.clone());
        self
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + self.packed.as_ref().map_or(0, Bytes::len)
    }

    /// The same with another status.
    #[must_use]
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// One line of text.
    pub(super) fn text(status: StatusCode, text: &'static str) -> Self {
        Self::new("text/plain; charset=utf-8", Keep::Never, text).with_status(status)
    }

    /// Too much is under way.
    pub(super) fn later() -> Self {
        let text = "Too many readers at the moment. Try again in some seconds.\n";
        Self::text(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// A fault as a JSON object.
    pub(super) fn fault(status: StatusCode, what: &str) -> Self {
        let body = serde_json::json!({ "error": what }).to_string();
        Self::new(JSON, Keep::Never, body).with_status(status)
    }

    /// The response to one request.
    pub(super) fn response(&mut self, request: &HeaderMap, head_only: bool) -> Response<Bytes> {
        let unchanged = self.status == StatusCode::OK && matches_tag(request, &self.tag);
        let packed = !unchanged && self.body.len() >= PACK_FROM_BYTES && takes_gzip(request);
        let body = if packed {
            self.packed()
        } else {
            self.body.clone()
        };
        let length = HeaderValue::from(body.len());
        let sent = if unchanged || head_only {
            Bytes::new()
        } else {
            body
        };
        let mut response = Response::new(sent);
        *response.status_mut() = if unchanged {
            StatusCode::NOT_MODIFIED
        } else {
            self.status
        };
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::CONTENT_SECURITY_POLICY, POLICY);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::REFERRER_POLICY, "no-referrer");
        set(HeaderName::from_static("x-robots-tag"), "noindex");
        set(header::VARY, "Authorization, Accept-Encoding");
        set(
            header::CACHE_CONTROL,
            match self.keep {
                Keep::Revalidate => "no-cache",
                Keep::Minute => "max-age=60",
                Keep::Forever => "max-age=31536000, immutable",
                Keep::Never => "no-store",
            },
        );
        // A badge is made to stand in other people's pages.
        let elsewhere = if self.keep == Keep::Minute {
            "cross-origin"
        } else {
            "same-origin"
        };
        set(
            HeaderName::from_static("cross-origin-resource-policy"),
            elsewhere,
        );
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            set(header::RETRY_AFTER, "5");
        }
        if !unchanged {
            set(header::CONTENT_TYPE, self.media_type);
            if packed {
                set(header::CONTENT_ENCODING, "gzip");
            }
            headers.insert(header::CONTENT_LENGTH, length);
        }
        if self.status == StatusCode::OK && self.keep != Keep::Never {
            headers.insert(header::ETAG, self.tag.clone());
        }
        response
    }

    fn packed(&mut self) -> Bytes {
        self.packed
            .get_or_insert_with(|| {
                let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
                match packer.write_all(&self.body).and_then(|()| packer.finish()) {
                    Ok(packed) => match &self.budget {
                        Some(budget) => budget.hold(packed.into()),
                        None => packed.into(),
                    },
                    // A Vec takes all writes.
                    Err(_) => Bytes::new(),
                }
            })
            .clone()
    }
}

/// The API's media type.
pub(super) const JSON: &str = "application/json";

/// Whether `If-None-Match` names what we have; weak comparison (RFC 9110 section 8.8.3.2).
fn matches_tag(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let ours = tag.as_bytes();
    let ours = ours.strip_prefix(b"W/").unwrap_or(ours);
    request.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|theirs| {
            let theirs = theirs.trim_ascii();
            theirs == b"*" || theirs.strip_prefix(b"W/").unwrap_or(theirs) == ours
        })
    })
}

/// Whether `Accept-Encoding` takes gzip (RFC 9110 section 12.5.3): named, and not with weight 0.
fn takes_gzip(request: &HeaderMap) -> bool {
    request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .any(|value| {
            value.to_str().is_ok_and(|value| {
                value.split(',').any(|coding| {
                    let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
                    let weight = weight.trim();
                    let refused = weight
                        .strip_prefix("q=")
                        .is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
                    name.trim().eq_ignore_ascii_case("gzip") && !refused
                })
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_only_for_who_takes_it() {
        for (value, takes) in [
            ("gzip, deflate, br", true),
            ("GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(
                takes_gzip(&request(header::ACCEPT_ENCODING, value)),
                takes,
                "{value}"
            );
        }
    }

    #[test]
    fn what_did_not_change_is_not_sent_again() {
        let mut reply = Reply::new("text/plain", Keep::Revalidate, "hello");
        let whole = reply.response(&HeaderMap::new(), false);
        let tag = whole.headers()[header::ETAG].clone();
        let again = HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)]);
        let response = reply.response(&again, false);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert!(response.headers().get(header::CONTENT_LENGTH).is_none());
        let other = request(header::IF_NONE_MATCH, "\"other\", \"another\"");
        assert_eq!(reply.response(&other, false).status(), StatusCode::OK);
    }

    #[test]
    fn a_head_has_the_length_of_the_body() {
        let mut reply = Reply::new("text/plain", Keep::Never, "x".repeat(5000));
        let response = reply.response(&HeaderMap::new(), true);
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "5000");
        let gzip = request(header::ACCEPT_ENCODING, "gzip");
        let response = reply.response(&gzip, false);
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    }
}
