//! How a request or its answer breaks, in the types of what speaks each version of HTTP.

use std::io;

use super::limits::Excess;

/// Why no header of an answer came.
#[derive(Debug)]
pub(in crate::probe) enum SendError {
    /// Such a request cannot be written; why.
    Request(String),
    /// See there.
    Answer(AnswerError),
}

/// Why an answer is not whole.
#[derive(Debug)]
pub(in crate::probe) enum AnswerError {
    /// HTTP/1.1 broke.
    One(hyper::Error),
    /// HTTP/2 broke.
    Two(h2::Error),
    /// What it came over broke.
    Io(io::Error),
    /// It passes a limit.
    Excess(Excess),
    /// The connection was closed in order before the end.
    Closed,
    /// The body has ended, and its length is not the announced one.
    Length,
    /// HTTP/3 broke.
    #[cfg(feature = "http3")]
    Three(Three),
}

/// How HTTP/3 broke; codes by their names in RFC 9114.
#[cfg(feature = "http3")]
#[derive(Debug)]
pub(in crate::probe) enum Three {
    /// The server reset the stream.
    Reset(String),
    /// What came is not valid; the code that says how, where it is known.
    Invalid(Option<String>),
    /// The connection came to its end.
    Connection(quinn::ConnectionError),
}

impl From<AnswerError> for SendError {
    fn from(error: AnswerError) -> Self {
        Self::Answer(error)
    }
}
