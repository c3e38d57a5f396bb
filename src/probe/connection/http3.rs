//! One request and its answer over HTTP/3.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use h3::client::{Connection, RequestStream, builder};
use h3::error::{ConnectionError, LocalError, StreamError};
use http_body_util::Full;
use hyper::body::{Buf, Bytes};
use hyper::http::response::Parts;
use hyper::{Method, Request, Version};
use quinn::VarInt;

use super::answer_error::{AnswerError, SendError, Three};
use super::http2::{announced, bounded, header_list_max, prepared};
use super::limits::{Excess, INTERIM_MAX};
use super::quic::Quic;
use super::quic_streams::{PacedReceive, PacedStreams};

/// RFC 9114 section 8.1: the end of a connection without a fault.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// The library says the same of an empty piece of a body and of its end: after so many in a row it is the end.
const EMPTY_PIECES_MAX: u32 = 16;

type Receiving = RequestStream<PacedReceive, Bytes>;

/// Where the body comes from.
pub(super) struct Source {
    body: Receiving,
    line: Line,
    /// As the header tells it.
    length: Option<u64>,
    has_body: bool,
    came: u64,
    empty: u32,
}

/// What goes on while an answer is waited for.
struct Line {
    quic: Quic,
    driver: Connection<PacedStreams<h3_quinn::Connection>, Bytes>,
    is_over: bool,
    /// The code with which this side gave the connection up.
    fault: Option<String>,
    /// Sends the body of the request; what goes wrong is told by the answer.
    upload: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Sends a request and awaits its answer's header.
///
/// # Errors
/// What broke.
pub(super) async fn send(
    quic: Quic,
    request: Request<Full<Bytes>>,
) -> Result<(Parts, Source), SendError> {
    let (mut request, body) = prepared(request).map_err(SendError::Request)?;
    *request.version_mut() = Version::HTTP_3;
    let is_head = request.method() == Method::HEAD;
    let connection = PacedStreams::new(quic.connection.clone());
    let building = builder()
        .max_field_section_size(header_list_max().into())
        .send_grease(false)
        .build::<_, _, Bytes>(connection)
        .await;
    let (driver, mut sender) = building.map_err(|error| of_connection(&quic, &error))?;
    let counted = Arc::clone(&quic.counted);
    let mut line = Line {
        quic,
        driver,
        is_over: false,
        fault: None,
        upload: None,
        over: Box::pin(async move { counted.over().await }),
    };
    let sending = line.beside(sender.send_request(request)).await?;
    let stream = sending.map_err(|error| line.told(error))?;
    let (mut sent, mut answering) = stream.split();
    line.upload = Some(Box::pin(async move {
        let has_room = body.is_empty() || sent.send_data(body).await.is_ok();
        if has_room {
            let _ = sent.finish().await;
        }
        // Nothing else is asked over this connection, but without this it would be closed.
        std::future::pending::<()>().await;
        drop(sender);
    }));
    let mut interim = 0;
    let head = loop {
        let answered = line.beside(answering.recv_response()).await?;
        let head = answered.map_err(|error| line.told(error))?;
        if !head.status().is_informational() || head.status() == 101 {
            break head;
        }
        interim += 1;
        if interim > INTERIM_MAX {
            return Err(AnswerError::Excess(Excess::Interim).into());
        }
    };
    let (head, ()) = head.into_parts();
    bounded(&head.headers)?;
    // RFC 9110 section 6.4.1: these have none, whatever their header says and the server sends.
    let has_body = !is_head && !matches!(head.status.as_u16(), 204 | 304);
    let source = Source {
        body: answering,
        line,
        length: match has_body {
            true => announced(&head.headers),
            false => Some(0),
        },
        has_body,
        came: 0,
        empty: 0,
    };
    Ok((head, source))
}

impl Line {
    /// Work, while the connection goes on; an error if more came than may come.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, AnswerError> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            self.poll(context)?;
            work.as_mut().poll(context).map(Ok)
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Result<(), AnswerError> {
        if self.over.as_mut().poll(context).is_ready() {
            return Err(AnswerError::Excess(Excess::WireBytes));
        }
        // What went wrong is told by the answer or its body.
        if !self.is_over
            && let Poll::Ready(error) = self.driver.poll_close(context)
        {
            self.is_over = true;
            self.fault = code_of(&error);
        }
        if let Some(upload) = &mut self.upload {
            let _ = upload.as_mut().poll(context);
        }
        Ok(())
    }

    fn told(&self, error: StreamError) -> AnswerError {
        match error {
            StreamError::RemoteTerminate { code, .. } => {
                AnswerError::Three(Three::Reset(code.to_string()))
            }
            StreamError::HeaderTooBig { .. } => AnswerError::Excess(Excess::HeaderBytes),
            StreamError::StreamError { code, .. } => {
                AnswerError::Three(Three::Invalid(Some(code.to_string())))
            }
            // What came is not in order. A stream that ends without a header is: its server closed early.
            StreamError::ConnectionError {
                0:
                    ConnectionError::Local {
                        error: LocalError::Application { code, reason, .. },
                        ..
                    },
                ..
            } if !reason.starts_with("Stream finished") => {
                AnswerError::Three(Three::Invalid(Some(code.to_string())))
            }
            _ => match &self.fault {
                Some(code) => AnswerError::Three(Three::Invalid(Some(code.clone()))),
                None => closed(&self.quic),
            },
        }
    }
}

/// The connection is at its end, and why.
fn of_connection(quic: &Quic, error: &ConnectionError) -> AnswerError {
    match code_of(error) {
        Some(code) => AnswerError::Three(Three::Invalid(Some(code))),
        None => closed(quic),
    }
}

/// Why this side gave the connection up.
fn code_of(error: &ConnectionError) -> Option<String> {
    match error {
        ConnectionError::Local {
            error: LocalError::Application { code, .. },
            ..
        } => Some(code.to_string()),
        _ => None,
    }
}

fn closed(quic: &Quic) -> AnswerError {
    match quic.connection.close_reason() {
        // Nobody but the library above it closes it before its end, for what came.
        Some(quinn::ConnectionError::LocallyClosed) => AnswerError::Three(Three::Invalid(None)),
        Some(reason) => AnswerError::Three(Three::Connection(reason)),
        None => AnswerError::Closed,
    }
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
        if !self.has_body {
            return Poll::Ready(Ok(None));
        }
        loop {
            let polled = self.poll_piece(context);
            let piece = match polled {
                Poll::Ready(piece) => piece,
                Poll::Pending => {
                    if let Err(error) = self.line.poll(context) {
                        return Poll::Ready(Err(error));
                    }
                    ready!(self.poll_piece(context))
                }
            };
            match piece {
                Err(error) => return Poll::Ready(Err(self.line.told(error))),
                Ok(Some(piece)) => {
                    self.empty = 0;
                    self.came += piece.len() as u64;
                    return Poll::Ready(Ok(Some(piece)));
                }
                Ok(None) if self.empty < EMPTY_PIECES_MAX => self.empty += 1,
                Ok(None) => return Poll::Ready(self.end()),
            }
        }
    }

    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamError>> {
        self.body.poll_recv_data(context).map_ok(|piece| {
            piece.map(|mut piece| {
                let length = piece.remaining();
                piece.copy_to_bytes(length)
            })
        })
    }

    /// The library does not compare what came with what was announced.
    fn end(&self) -> Result<Option<Bytes>, AnswerError> {
        match self.length {
            Some(length) if self.came != length => Err(AnswerError::Length),
            Some(_) | None => Ok(None),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.quic.connection.close(NO_ERROR, b"");
        self.quic.endpoint.close(NO_ERROR, b"");
    }
}
