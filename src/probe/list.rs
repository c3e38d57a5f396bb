//! Asks for the list of a `[[source]]`: one GET, its redirects followed one by one, bounded in bytes and time.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{
    ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
};
use tokio::time::timeout_at;
use url::Url;

use super::classify;
use super::errand::Errands;
use crate::clock;
use crate::domain::duration_text::Exact;
use crate::domain::secret::Secret;
use crate::policy::http::private_address::is_private;
use crate::policy::http::redirect::private_literal;

/// A list that is redirected more often than this goes in circles.
const REDIRECTS_MAX: usize = 5;

/// No server's validator is longer; one that is is not sent back.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// What is asked for.
#[derive(Debug)]
pub struct ListRequest<'a> {
    /// Where; a user and a password in it are sent.
    pub url: &'a Url,
    /// A bearer token, for this origin only.
    pub token: Option<&'a Secret>,
    /// What the answer before was marked with.
    pub validators: &'a Validators,
    /// The bytes that are read at most.
    pub bytes_max: u64,
    /// The time for everything.
    pub within: Duration,
}

/// What a server marks a list with, so that one that did not change need not be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// A list as it came.
#[derive(Debug)]
pub enum ListAnswer {
    /// It is what it was when the validators came.
    Unchanged,
    /// All of it.
    Body {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its marks.
        validators: Validators,
    },
}

/// Why there is no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListFault {
    /// No answer, or one that says that there is no list.
    Unreachable(String),
    /// An answer that ended before its announced end.
    Cut(String),
    /// More bytes than asked for.
    TooLarge,
}

/// # Errors
/// Why there is no list.
pub(super) async fn fetch(
    errands: &Errands,
    request: &ListRequest<'_>,
) -> Result<ListAnswer, ListFault> {
    let deadline = clock::tick() + request.within;
    let late = || {
        let within = Exact(request.within);
        ListFault::Unreachable(format!("no whole answer within {within}"))
    };
    timeout_at(deadline, follow(errands, request))
        .await
        .unwrap_or_else(|_| Err(late()))
}

async fn follow(errands: &Errands, request: &ListRequest<'_>) -> Result<ListAnswer, ListFault> {
    let unreachable = |why: &str| Err(ListFault::Unreachable(why.to_owned()));
    let mut url = request.url.clone();
    let mut token = request.token;
    let mut from_public = false;
    for _ in 0..=REDIRECTS_MAX {
        if from_public && private_literal(&url).is_some() {
            return unreachable("it redirects from a public address to a private one");
        }
        let mut asking = errands.list_client(from_public).get(url.clone());
        if let Some(token) = token {
            asking = asking.bearer_auth(token.reveal());
        }
        let Validators {
            etag,
            last_modified,
        } = request.validators;
        for (name, value) in [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)] {
            if let Some(value) = value {
                asking = asking.header(name, value.clone());
            }
        }
        let answer = asking
            .send()
            .await
            .map_err(|error| ListFault::Unreachable(classify::of_errand(&error)))?;
        let remote = answer.remote_addr();
        from_public = remote.is_some_and(|address| !is_private(address.ip()));
        match answer.status() {
            StatusCode::OK => return whole(answer, request.bytes_max).await,
            StatusCode::NOT_MODIFIED if *request.validators != Validators::default() => {
                return Ok(ListAnswer::Unchanged);
            }
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => {
                let location = answer.headers().get(LOCATION);
                let next = location
                    .and_then(|location| url.join(location.to_str().ok()?).ok())
                    .filter(|next| matches!(next.scheme(), "http" | "https"));
                let Some(next) = next else {
                    return unreachable("it redirects to nowhere");
                };
                if url.scheme() == "https" && next.scheme() == "http" {
                    return unreachable("it redirects from https to http");
                }
                if next.origin() != url.origin() {
                    token = None;
                }
                url = next;
            }
            status => return unreachable(&format!("it answered {}", status.as_u16())),
        }
    }
    unreachable(&format!("more than {REDIRECTS_MAX} redirects"))
}

async fn whole(mut answer: reqwest::Response, bytes_max: u64) -> Result<ListAnswer, ListFault> {
    if answer
        .content_length()
        .is_some_and(|length| length > bytes_max)
    {
        return Err(ListFault::TooLarge);
    }
    let kept = |name: HeaderName| {
        let value = answer.headers().get(name)?;
        (value.len() <= VALIDATOR_BYTES_MAX).then(|| value.clone())
    };
    let validators = Validators {
        etag: kept(ETAG),
        last_modified: kept(LAST_MODIFIED),
    };
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) => {
                if (bytes.len() + piece.len()) as u64 > bytes_max {
                    return Err(ListFault::TooLarge);
                }
                bytes.extend_from_slice(&piece);
            }
            Ok(None) => return Ok(ListAnswer::Body { bytes, validators }),
            Err(_) => {
                let length = bytes.len();
                return Err(ListFault::Cut(format!(
                    "the answer ended early, after {length} bytes"
                )));
            }
        }
    }
}
