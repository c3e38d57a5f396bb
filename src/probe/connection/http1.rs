//! One request and its answer over HTTP/1.1, by hyper.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use http_body_util::Full;
use hyper::Request;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection};
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;

use super::answer_error::{AnswerError, SendError};
use super::limits::FIELDS_MAX;
use super::stream::{Guarded, Link};

/// Sends a request and awaits its answer's header. `request` is asked for a second time where the header turns out to
/// need more room than hyper keeps on its stack: nothing is sent twice, only read again.
///
/// # Errors
/// What broke.
pub(super) async fn send(
    link: Link,
    request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
) -> Result<(Parts, Source), SendError> {
    let first = request().map_err(SendError::Request)?;
    match answer(Guarded::new(link), first, None).await {
        Ok(reply) => Ok(reply),
        Err((error, Some((io, read)))) if error.is_parse_too_large() => {
            let again = request().map_err(SendError::Request)?;
            // Seldom needed, and large.
            Box::pin(answer(io.rewound(read), again, Some(FIELDS_MAX)))
                .await
                .map_err(|(error, _)| AnswerError::One(error).into())
        }
        Err((error, _)) => Err(AnswerError::One(error).into()),
    }
}

/// What is left of a connection: the link, and what was read and not understood.
type Remains = (Guarded, Bytes);

/// `fields` is how many header fields there is room for beyond what hyper has on its stack. That room is asked for with
/// each answer, 26 KB, so only those few that need it get it.
async fn answer(
    io: Guarded,
    request: Request<Full<Bytes>>,
    fields: Option<usize>,
) -> Result<(Parts, Source), (hyper::Error, Option<Remains>)> {
    let mut builder = Builder::new();
    builder
        .title_case_headers(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true);
    if let Some(fields) = fields {
        builder.max_headers(fields);
    }
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| (error, None))?;
    let mut connection = Wire(Some(connection), None);
    let answered = {
        let mut answering = pin!(sender.send_request(request));
        std::future::poll_fn(|context| {
            let is_over = connection.poll(context).is_ready();
            match answering.as_mut().poll(context) {
                Poll::Pending if is_over => {
                    // Nobody can answer any more: hyper says so as soon as it is asked.
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                polled => polled,
            }
        })
        .await
    };
    match answered {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            Ok((head, Source { body, connection }))
        }
        Err(error) => Err((error, connection.remains())),
    }
}

/// Where the body comes from.
pub(super) struct Source {
    body: Incoming,
    connection: Wire,
}

impl Source {
    /// The length of the body, where the header tells it.
    pub(super) fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece of the body; none at its end.
    pub(super) fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, AnswerError>> {
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let _ = self.connection.poll(context);
                    ready!(Pin::new(&mut self.body).poll_frame(context))
                }
            };
            match frame {
                None => return Poll::Ready(Ok(None)),
                Some(Err(error)) => return Poll::Ready(Err(AnswerError::One(error))),
                // Trailers are nobody's concern.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Ok(Some(data)));
                    }
                }
            }
        }
    }
}

/// A connection, or what remains of it after its end. Its callers drive it while they wait for it.
struct Wire(
    Option<Connection<TokioIo<Guarded>, Full<Bytes>>>,
    Option<Remains>,
);

impl Wire {
    /// Ready once the connection is over.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.0 else {
            return Poll::Ready(());
        };
        // What went wrong is told by the answer or its body.
        let _ = ready!(connection.poll_without_shutdown(context));
        self.end();
        Poll::Ready(())
    }

    fn end(&mut self) {
        if let Some(connection) = self.0.take() {
            let parts = connection.into_parts();
            self.1 = Some((parts.io.into_inner(), parts.read_buf));
        }
    }

    fn remains(mut self) -> Option<Remains> {
        self.end();
        self.1.take()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.end();
        if let Some((io, _)) = &mut self.1 {
            io.close();
        }
    }
}
