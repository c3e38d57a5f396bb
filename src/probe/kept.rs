//! What of the answers is kept for later, beside what is judged.

use super::body::KEPT_BYTES;
use super::connection::Reply;
use crate::domain::check::HttpVersion;
use crate::domain::evidence::{BODY_BYTES_MAX, GOOD_BODY_BYTES_MAX, HEAD_BYTES_MAX, Keep, RawHead};
use crate::domain::expectation::Expectation;

/// How much of the answers is kept for later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) keep: Keep,
    /// What the answers are judged by, where something is kept: it tells whether one fails by its head.
    pub(super) expectation: Option<&'a Expectation>,
}

impl<'a> Kept<'a> {
    /// Nothing is kept.
    pub(super) const NOTHING: Self = Self {
        keep: Keep::Nothing,
        expectation: None,
    };

    /// So much, of answers that are judged by this.
    pub(super) const fn of(keep: Keep, expectation: &'a Expectation) -> Self {
        Self {
            keep,
            expectation: Some(expectation),
        }
    }

    /// Of a body that no assertion reads. An answer that is good by its status seldom fails: it is not kept whole for
    /// that.
    pub(super) fn body_bytes(self, status: u16) -> usize {
        let may_fail = |wanted: &Expectation| {
            !wanted.status.contains(status)
                || wanted.final_url.is_some()
                || !wanted.headers.is_empty()
        };
        match self.keep {
            Keep::Nothing => KEPT_BYTES,
            Keep::Failing | Keep::Good if self.expectation.is_some_and(may_fail) => BODY_BYTES_MAX,
            Keep::Failing => KEPT_BYTES,
            Keep::Good => GOOD_BODY_BYTES_MAX,
        }
    }
}

/// The version of an answer.
pub(super) const fn version_of(answer: &Reply) -> HttpVersion {
    match answer.head.version {
        reqwest::Version::HTTP_10 => HttpVersion::Http10,
        reqwest::Version::HTTP_2 => HttpVersion::Http2,
        reqwest::Version::HTTP_3 => HttpVersion::Http3,
        _ => HttpVersion::Http11,
    }
}

/// The beginning of a head, without the URL that it answers.
pub(super) fn raw_head(answer: &Reply) -> RawHead {
    let mut left = HEAD_BYTES_MAX;
    let fields = answer.head.headers.iter().map_while(|(name, value)| {
        left = left.checked_sub(name.as_str().len() + value.len())?;
        Some((name.as_str().to_owned(), value.as_bytes().to_vec()))
    });
    RawHead {
        url: String::new(),
        status: answer.head.status.as_u16(),
        http_version: version_of(answer),
        fields: fields.collect(),
    }
}
