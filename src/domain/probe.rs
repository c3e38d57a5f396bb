//! What a probe saw on the wire, before anybody judged it.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::check::{Certificate, FailureKind, HttpVersion, Timings};
use super::evidence::RawHead;
use super::timestamp::Timestamp;

/// Everything one probe saw, hop by hop. All texts are masked already; the body is as received.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Wall time of the first DNS query.
    pub started: Timestamp,
    /// Monotonic time from there to the end, and the phases summed over the chain.
    pub timings: Timings,
    /// Every answer that was followed, in order.
    pub redirects: Vec<Hop>,
    /// The heads of those answers, where they are kept (same order and length), else nothing.
    pub heads: Vec<RawHead>,
    /// How the chain ended.
    pub end: End,
    /// The certificate of the last https hop that showed one.
    pub certificate: Option<Arc<Certificate>>,
    /// The trusted root of that certificate's path, where it ends before all else in it.
    pub root: Option<Arc<RootEnd>>,
    /// The version of HTTP that was agreed on with the last hop, if that is not HTTP/1.1.
    pub agreed: Option<HttpVersion>,
    /// A certificate fault that `verify_tls = false` let pass, or an address family that failed while
    /// another worked: facts beside the verdict, one line each.
    pub remarks: Vec<String>,
}

/// When a trusted root ends. It counts as trusted after that, as RFC 5280 section 6.1 has it, but other clients
/// refuse it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RootEnd {
    /// Whose it is, one safe line.
    pub subject: Box<str>,
    /// The beginning of its lifetime.
    pub not_before: Timestamp,
    /// The end of it.
    pub not_after: Timestamp,
    /// As of [`Certificate`].
    pub fingerprint: u64,
}

/// How a detail of `certificate_expiring` begins that is about a trusted root.
pub const ROOT: &str = "the root ";

/// One answer and the way to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    /// The URL requested, without userinfo, masked.
    pub url: String,
    /// The status of the answer.
    pub status: u16,
    /// The raw Location, masked; bytes that are not UTF-8 as U+FFFD.
    pub location: Option<String>,
    /// The address that answered.
    pub remote_addr: Option<SocketAddr>,
    /// From its first DNS query to its complete header (or, at the end of the chain, its last byte).
    pub took: Duration,
}

/// How a chain ended.
#[derive(Debug, Clone)]
pub enum End {
    /// A final answer came, its body read as far as wanted.
    Answered(Answer),
    /// A redirect was not followed; its hop is the last of [`Probe::redirects`].
    Refused {
        /// Which redirect rule was broken: one of the `redirect_*` kinds.
        kind: FailureKind,
        /// One line for a person.
        detail: String,
    },
    /// No complete answer came.
    Failed {
        /// Which phase broke, and how.
        kind: FailureKind,
        /// One line for a person.
        detail: String,
        /// The URL that was asked, without userinfo, masked.
        url: String,
        /// The address it was asked at, where one was reached or tried last.
        remote_addr: Option<SocketAddr>,
        /// The header that had come, where only the body broke.
        header: Option<Box<Answer>>,
    },
}

/// A final answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// URL, status, address.
    pub hop: Hop,
    /// The version the server spoke.
    pub http_version: HttpVersion,
    /// The header fields in order, names in lower case, values as received.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What of the body is kept: all that was read where an assertion needs it, else its first bytes.
    pub body: Vec<u8>,
    /// Is given back when the answer is dropped: its share of the room for bodies.
    pub place: Option<Arc<dyn Any + Send + Sync>>,
    /// How many bytes of the body arrived, after de-chunking and before decoding.
    pub body_bytes: u64,
    /// Whether the body went on past what was read.
    pub body_cut: bool,
    /// Retry-After in seconds from now (RFC 9110 section 10.2.3).
    pub retry_after_s: Option<u32>,
    /// Whether credentials or user-set headers were left out because the origin had changed.
    pub credentials_dropped: bool,
}

impl Answer {
    /// The first value of a field, as text.
    pub fn header(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value))
    }
}
