//! What is kept of an answer to show later why a check failed.

use serde::{Deserialize, Serialize};

use super::check::HttpVersion;
use super::redaction::Masks;

/// So much of a failing answer's body is kept, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// So much of a good answer's body is kept, in bytes: a page's beginning is enough to compare with.
pub const GOOD_BODY_BYTES_MAX: usize = 16 * 1024;

/// So much of one head of a redirect is kept, in bytes. Fifty of them are an answer's worth.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What a check keeps of the answers that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// The answers of a check that fails.
    Failing,
    /// The answers of a good check too, to compare later failures with.
    Good,
}

/// The answers of one check as they came, secrets in clear: kept in memory only until they are masked.
#[derive(Debug, Clone)]
pub struct RawEvidence {
    /// One head for each answer, in order.
    pub heads: Vec<RawHead>,
    /// The beginning of the last answer's body.
    pub body: Vec<u8>,
    /// Whether content codings are taken off already.
    pub is_decoded: bool,
    /// Whether the body goes on after what is here.
    pub is_cut: bool,
    /// How many bytes of the body arrived.
    pub body_bytes: u64,
    /// The values that must not be stored.
    pub masks: Masks,
}

/// One head as it came.
#[derive(Debug, Clone)]
pub struct RawHead {
    /// The URL that was requested, without userinfo, masked.
    pub url: String,
    /// The status.
    pub status: u16,
    /// The version the server spoke.
    pub http_version: HttpVersion,
    /// The fields in order, names in lower case.
    pub fields: Vec<(String, Vec<u8>)>,
}

/// The answers of one check without secrets, as they are stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// One head for each answer, in order; empty if no answer came.
    pub heads: Vec<Head>,
    /// The beginning of the last answer's body; `None` where there is none, or none is kept.
    pub body: Option<KeptBody>,
    /// How many bytes of the body arrived.
    pub body_bytes: u64,
    /// Whether the body goes on after what is kept.
    pub truncated: bool,
}

/// One head without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The URL that was requested.
    pub url: String,
    /// The status.
    pub status: u16,
    /// The version the server spoke.
    pub http_version: HttpVersion,
    /// The fields in order, names in lower case.
    pub fields: Vec<(String, String)>,
}

/// A body as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeptBody {
    /// In its charset.
    Text(String),
    /// It is no text.
    Bytes(Vec<u8>),
}
