//! What one answer may cost.

/// More interim answers (1xx) before the answer itself are a flood: a server has use for a handful.
pub(super) const INTERIM_MAX: usize = 100;

/// A healthy answer has 20 header fields, a baroque one 120; HAProxy and Envoy let pass no more than 100.
pub(super) const FIELDS_MAX: usize = 400;

/// All headers of one answer, those of interim answers included. Browsers take 256 KiB, curl 300 kB.
pub(super) const HEADER_BYTES_MAX: usize = 400 * 1024;

/// One header field with its name. curl takes 100 kB.
pub(super) const FIELD_BYTES_MAX: usize = 128 * 1024;

/// One byte of a body comes with at most so many others: a chunk of its own in a TLS record of its own has 40.
const WIRE_BYTES_PER_BODY_BYTE: u64 = 64;

/// Beside headers and body: a TLS handshake has at most 64 KiB, a session ticket after it one.
const WIRE_BYTES_BESIDE: u64 = 1024 * 1024;

/// All bytes that may come of a connection whose answer has a body of at most `max_body`.
pub(in crate::probe) const fn wire_bytes_max(max_body: u64) -> u64 {
    max_body
        .saturating_mul(WIRE_BYTES_PER_BODY_BYTE)
        .saturating_add(WIRE_BYTES_BESIDE + 2 * HEADER_BYTES_MAX as u64)
}

/// What may come over QUIC of an answer beyond what was asked for: nothing stands between, so more than this is held.
#[cfg(feature = "http3")]
pub(super) const QUIC_WINDOW_BYTES: u32 = 256 * 1024;

/// All bytes that may come over QUIC, where an answer has a body of at most `max_body`. Less than over TCP: a frame of
/// a header is held until it is whole, however long it is.
#[cfg(feature = "http3")]
pub(in crate::probe) const fn quic_bytes_max(max_body: u64) -> u64 {
    max_body
        .saturating_mul(2)
        .saturating_add(WIRE_BYTES_BESIDE + 2 * HEADER_BYTES_MAX as u64)
}

/// A limit that an answer passes, in words for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::probe) enum Excess {
    /// See [`INTERIM_MAX`].
    #[error("more than {INTERIM_MAX} interim answers (1xx) came, and no final one")]
    Interim,
    /// See [`FIELDS_MAX`].
    #[error("the answer has more than {FIELDS_MAX} header fields")]
    Fields,
    /// See [`HEADER_BYTES_MAX`].
    #[error("the answer's header is larger than {} KiB", HEADER_BYTES_MAX / 1024)]
    HeaderBytes,
    /// See [`FIELD_BYTES_MAX`].
    #[error("a header field of the answer is longer than {} KiB", FIELD_BYTES_MAX / 1024)]
    FieldBytes,
    /// See [`wire_bytes_max`].
    #[error("the server sends far more bytes than its answer has")]
    WireBytes,
}

impl From<Excess> for std::io::Error {
    fn from(excess: Excess) -> Self {
        Self::other(excess)
    }
}
