//! One request and its answer over HTTP/2, by the library below hyper's. The check's own task drives the connection:
//! nothing is spawned, and nothing outlives the check.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use h2::client::{Builder, Connection, ResponseFuture};
use h2::{Reason, RecvStream, SendStream};
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use hyper::http::response::Parts;
use hyper::http::uri::{Authority, Scheme, Uri};
use hyper::{HeaderMap, Request, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer_error::{AnswerError, SendError};
use super::limits::{Excess, FIELD_BYTES_MAX, FIELDS_MAX, HEADER_BYTES_MAX, INTERIM_MAX};
use super::stream::Link;

/// What the two sides agree on by it in the TLS handshake.
pub(in crate::probe) const ALPN: &[u8] = b"h2";

/// So much of a body may come before it is asked for: as much as is read of a body without asking for room.
const WINDOW_BYTES: u32 = 64 * 1024;

/// RFC 9113 counts so much for each field beside its name and value.
const FIELD_OVERHEAD: usize = 32;

/// What a server may make us hold of streams that were reset; ours is one.
const RESET_STREAMS_MAX: usize = 4;

/// Where the body comes from.
pub(super) struct Source {
    body: RecvStream,
    upload: Upload,
    wire: Wire,
    /// As the header tells it.
    length: Option<u64>,
    came: u64,
}

/// Sends a request and awaits its answer's header.
///
/// # Errors
/// What broke.
pub(super) async fn send(
    link: Link,
    request: Request<Full<Bytes>>,
) -> Result<(Parts, Source), SendError> {
    let (request, body) = prepared(request).map_err(SendError::Request)?;
    let is_head = request.method() == hyper::Method::HEAD;
    let broke = Broke::default();
    let watched = Watched {
        link,
        broke: broke.clone(),
    };
    let handshake = Builder::new()
        .enable_push(false)
        .max_concurrent_streams(0)
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(header_list_max())
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .handshake::<_, Bytes>(watched)
        .await;
    let (mut sender, connection) = handshake.map_err(|error| broke.told(error))?;
    let ends = body.is_empty();
    let (mut answering, stream) = sender
        .send_request(request, ends)
        .map_err(|error| broke.told(error))?;
    let mut wire = Wire {
        connection: Some(connection),
        broke,
    };
    let mut upload = Upload {
        stream: (!ends).then_some(stream),
        left: body,
    };
    let mut interim = 0;
    let head = std::future::poll_fn(|context| {
        if let Poll::Ready(head) = poll_head(&mut answering, &mut interim, context) {
            return Poll::Ready(head);
        }
        upload.poll(context);
        let is_over = wire.poll(context).is_ready();
        match poll_head(&mut answering, &mut interim, context) {
            Poll::Pending if is_over => Poll::Ready(Err(HeadError::Closed)),
            polled => polled,
        }
    })
    .await;
    let answer = head.map_err(|error| match error {
        HeadError::Two(error) => wire.broke.told(error),
        HeadError::Interim => AnswerError::Excess(Excess::Interim),
        HeadError::Closed => AnswerError::Closed,
    })?;
    let (head, body) = answer.into_parts();
    bounded(&head.headers)?;
    let length = match is_head || body.is_end_stream() {
        true => Some(0),
        false => announced(&head.headers),
    };
    let source = Source {
        body,
        upload,
        wire,
        length,
        came: 0,
    };
    Ok((head, source))
}

/// Why there is no header.
enum HeadError {
    Two(h2::Error),
    Interim,
    Closed,
}

/// The header, past the interim ones before it.
fn poll_head(
    answering: &mut ResponseFuture,
    interim: &mut usize,
    context: &mut Context<'_>,
) -> Poll<Result<hyper::Response<RecvStream>, HeadError>> {
    while let Poll::Ready(Some(Ok(_))) = answering.poll_informational(context) {
        *interim += 1;
        if *interim > INTERIM_MAX {
            return Poll::Ready(Err(HeadError::Interim));
        }
    }
    Pin::new(answering).poll(context).map_err(HeadError::Two)
}

/// The limit of all headers, as this version counts them.
pub(super) fn header_list_max() -> u32 {
    u32::try_from(HEADER_BYTES_MAX + FIELDS_MAX * FIELD_OVERHEAD).unwrap_or(u32::MAX)
}

pub(super) fn bounded(headers: &HeaderMap) -> Result<(), AnswerError> {
    let is_long = |(name, value): (&HeaderName, &hyper::header::HeaderValue)| {
        name.as_str().len() + value.len() > FIELD_BYTES_MAX
    };
    if headers.len() > FIELDS_MAX {
        return Err(AnswerError::Excess(Excess::Fields));
    }
    if headers.iter().any(is_long) {
        return Err(AnswerError::Excess(Excess::FieldBytes));
    }
    Ok(())
}

/// The length that the header tells.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A request as HTTP/2 and HTTP/3 have it: what was the `Host` field is the authority of its URI, and fields that are
/// about one connection of HTTP/1.1 are gone.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn prepared(request: Request<Full<Bytes>>) -> Result<(Request<()>, Bytes), String> {
    let (mut head, mut full) = request.into_parts();
    let host = head.headers.remove(HOST);
    let authority = host
        .as_ref()
        .and_then(|host| Authority::try_from(host.as_bytes()).ok())
        .ok_or("its Host field is not the name of a host")?;
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        head.headers.remove(name);
    }
    head.headers.remove("keep-alive");
    head.headers.remove("proxy-connection");
    if head.headers.get(TE).is_some_and(|te| te != "trailers") {
        head.headers.remove(TE);
    }
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTPS);
    uri.authority = Some(authority);
    head.uri = Uri::from_parts(uri).map_err(|_| "its URL cannot be written")?;
    head.version = Version::HTTP_2;
    let context = &mut Context::from_waker(std::task::Waker::noop());
    let body = match Pin::new(&mut full).poll_frame(context) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        Poll::Ready(_) | Poll::Pending => Bytes::new(),
    };
    if !body.is_empty() && !head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Ok((Request::from_parts(head, ()), body))
}

impl Source {
    /// The length of the body, where the header tells it.
    pub(super) const fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece of the body; none at its end.
    pub(super) fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, AnswerError>> {
        let polled = match self.body.poll_data(context) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                self.upload.poll(context);
                let is_over = self.wire.poll(context).is_ready();
                match self.body.poll_data(context) {
                    Poll::Pending if is_over => return Poll::Ready(Err(AnswerError::Closed)),
                    polled => ready!(polled),
                }
            }
        };
        Poll::Ready(match polled {
            None => Ok(None),
            Some(Ok(data)) => {
                self.came += data.len() as u64;
                // What is wrong with it is told by the next piece.
                let _ = self.body.flow_control().release_capacity(data.len());
                Ok(Some(data))
            }
            // RFC 9113 section 8.1: it wants no more of the request, and has sent all of its answer.
            Some(Err(error))
                if error.reason() == Some(Reason::NO_ERROR)
                    && self.length.is_none_or(|length| self.came >= length) =>
            {
                Ok(None)
            }
            Some(Err(error)) if self.is_of_another_length(&error) => Err(AnswerError::Length),
            Some(Err(error)) => Err(self.wire.broke.told(error)),
        })
    }

    /// Whether the library refuses the length of the body. It says the same of other faults, but hardly of these there.
    fn is_of_another_length(&self, error: &h2::Error) -> bool {
        error.is_library()
            && error.reason() == Some(Reason::PROTOCOL_ERROR)
            && self.length.is_some_and(|length| self.came < length)
    }
}

/// The body of the request on its way.
struct Upload {
    /// `None` once all is sent, or the server wants no more.
    stream: Option<SendStream<Bytes>>,
    left: Bytes,
}

impl Upload {
    /// Sends as much as there is room for. What goes wrong is told by the answer.
    fn poll(&mut self, context: &mut Context<'_>) {
        while let Some(stream) = &mut self.stream {
            stream.reserve_capacity(self.left.len());
            let room = match stream.poll_capacity(context) {
                Poll::Ready(Some(Ok(room))) => room.min(self.left.len()),
                Poll::Ready(Some(Err(_)) | None) => {
                    self.stream = None;
                    return;
                }
                Poll::Pending => return,
            };
            let piece = self.left.split_to(room);
            let ends = self.left.is_empty();
            if stream.send_data(piece, ends).is_err() || ends {
                self.stream = None;
            }
        }
    }
}

/// A connection. Its callers drive it while they wait for it.
struct Wire {
    connection: Option<Connection<Watched, Bytes>>,
    broke: Broke,
}

impl Wire {
    /// Ready once the connection is over.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(());
        };
        // What went wrong is told by the answer or its body.
        let _ = ready!(Pin::new(connection).poll(context));
        self.connection = None;
        Poll::Ready(())
    }
}

/// The error of the connection below, which the library gives on without what is inside.
#[derive(Debug, Clone, Default)]
struct Broke(Arc<Mutex<Option<io::Error>>>);

impl Broke {
    /// What the library's error is about.
    fn told(&self, error: h2::Error) -> AnswerError {
        if !error.is_io() {
            return AnswerError::Two(error);
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.map_or(AnswerError::Closed, AnswerError::Io)
    }

    fn keep(&self, error: io::Error) -> io::Error {
        let like = io::Error::from(error.kind());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(error);
        like
    }
}

/// The connection below: keeps its first error, and says goodbye at its end.
#[derive(Debug)]
struct Watched {
    link: Link,
    broke: Broke,
}

impl Watched {
    fn kept<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        polled.map_err(|error| self.broke.keep(error))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.link.close();
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.link).poll_read(context, buffer);
        self.kept(polled)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.link).poll_write(context, bytes);
        self.kept(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.link).poll_write_vectored(context, pieces);
        self.kept(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.link.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.link).poll_flush(context);
        self.kept(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.link).poll_shutdown(context);
        self.kept(polled)
    }
}
