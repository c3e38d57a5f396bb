//! An answer in any version of HTTP.

#[cfg(feature = "http3")]
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::http::response::Parts;

use super::answer_error::{AnswerError, SendError};
use super::paced::give_way;
use super::stream::Link;
use super::{http1, http2};
#[cfg(feature = "http3")]
use super::{http3, quic::Quic};

/// After so many pieces of a body it is the others' turn: a piece may be one byte, and each costs some microseconds.
const TURN_PIECES: u32 = 64;

/// An answer whose header is complete, and the connection that its body comes from.
pub(in crate::probe) struct Reply {
    /// Its header.
    pub(in crate::probe) head: Parts,
    source: Source,
    turn_pieces: u32,
}

/// Where the body comes from.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every answer comes by HTTP/1.1, and a box would cost each check an allocation"
)]
enum Source {
    One(http1::Source),
    Two(Box<http2::Source>),
    /// Behind a lock that nobody else takes: parts of it may be shared by no threads.
    #[cfg(feature = "http3")]
    Three(Box<Mutex<http3::Source>>),
}

/// Sends a request in the version that was agreed on, and awaits its answer's header. `request` may be asked for a
/// second time; nothing is sent twice.
///
/// # Errors
/// What broke.
pub(in crate::probe) async fn send(
    link: Link,
    request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
) -> Result<Reply, SendError> {
    let is_two = link.agreed() == Some(http2::ALPN);
    let (head, source) = match is_two {
        true => {
            let request = request().map_err(SendError::Request)?;
            // Large, and in the way of checks that have no use for it.
            let (head, source) = Box::pin(http2::send(link, request)).await?;
            (head, Source::Two(Box::new(source)))
        }
        false => {
            let (head, source) = http1::send(link, request).await?;
            (head, Source::One(source))
        }
    };
    Ok(Reply {
        head,
        source,
        turn_pieces: 0,
    })
}

/// Sends a request by HTTP/3, and awaits its answer's header.
///
/// # Errors
/// What broke.
#[cfg(feature = "http3")]
pub(in crate::probe) async fn send_by_quic(
    quic: Quic,
    request: Request<Full<Bytes>>,
) -> Result<Reply, SendError> {
    let (head, source) = http3::send(quic, request).await?;
    Ok(Reply {
        head,
        source: Source::Three(Box::new(Mutex::new(source))),
        turn_pieces: 0,
    })
}

impl Reply {
    /// The length of the body, where the header tells it.
    pub(in crate::probe) fn content_length(&self) -> Option<u64> {
        match &self.source {
            Source::One(source) => source.length(),
            Source::Two(source) => source.length(),
            #[cfg(feature = "http3")]
            Source::Three(source) => {
                let source = source.lock().unwrap_or_else(PoisonError::into_inner);
                source.length()
            }
        }
    }

    /// The next piece of the body; none at its end.
    ///
    /// # Errors
    /// What broke.
    pub(in crate::probe) async fn chunk(&mut self) -> Result<Option<Bytes>, AnswerError> {
        std::future::poll_fn(|context| self.poll_chunk(context)).await
    }

    fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, AnswerError>> {
        if self.turn_pieces >= TURN_PIECES {
            self.turn_pieces = 0;
            give_way(context);
            return Poll::Pending;
        }
        let polled = match &mut self.source {
            Source::One(source) => source.poll_data(context),
            Source::Two(source) => source.poll_data(context),
            #[cfg(feature = "http3")]
            Source::Three(source) => {
                let source = source.get_mut().unwrap_or_else(PoisonError::into_inner);
                source.poll_data(context)
            }
        };
        match &polled {
            Poll::Pending => self.turn_pieces = 0,
            Poll::Ready(_) => self.turn_pieces += 1,
        }
        polled
    }
}
