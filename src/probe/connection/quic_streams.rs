//! The streams of a QUIC connection as HTTP/3 sees them, of which none can hold the thread.
//!
//! The library above reads the streams that only it cares about (settings, GOAWAY) until nothing is left, in one poll,
//! and takes some microseconds for a frame of three bytes. It also adds up the pieces of a frame at each new piece. So
//! small pieces are joined here, and a stream gives no more than [`UNASKED_BYTES`] or [`ANSWER_BYTES`] in a turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use h3::error::Code;
use h3::quic::{
    BidiStream, Connection, ConnectionErrorIncoming, OpenStreams, RecvStream, SendStream,
    StreamErrorIncoming, StreamId, WriteBuf,
};
use hyper::body::Bytes;

use super::paced::Rest;

/// All streams that the server opens together, in a turn: a healthy one sends less than this in all.
const UNASKED_BYTES: usize = 256;

/// The stream of the answer, in a turn.
const ANSWER_BYTES: usize = 3 * 1024;

/// Pieces of less are joined.
const PIECE_BYTES: usize = 256;

/// A server that opens streams: each one counts as so many bytes.
const STREAM_BYTES: usize = 64;

/// A connection, or what opens streams of it.
pub(super) struct PacedStreams<C> {
    inner: C,
    unasked: Arc<Pace>,
}

/// A stream in both directions.
pub(super) struct PacedBidi {
    send: h3_quinn::SendStream<Bytes>,
    receive: PacedReceive,
}

/// What comes of a stream.
pub(super) struct PacedReceive {
    inner: h3_quinn::RecvStream,
    id: StreamId,
    /// The library waits for the next piece.
    is_waiting: bool,
    pace: Arc<Pace>,
    /// Was received and not yet given.
    kept: Bytes,
    /// How the stream ended, behind what is kept.
    end: Option<Result<(), StreamErrorIncoming>>,
}

/// How much may be given in a turn, for one stream or several.
struct Pace {
    turn_bytes: usize,
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    given: usize,
    rest: Option<Arc<Rest>>,
}

impl Pace {
    fn new(turn_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            turn_bytes,
            turn: Mutex::default(),
        })
    }

    /// How many bytes may be given now; pending while it is the others' turn.
    fn poll_room(&self, context: &Context<'_>) -> Poll<usize> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = &turn.rest {
            ready!(rest.poll(context));
            *turn = Turn::default();
        }
        match self.turn_bytes.checked_sub(turn.given) {
            Some(room) if room > 0 => Poll::Ready(room),
            Some(_) | None => {
                turn.rest = Some(Rest::begin(context));
                Poll::Pending
            }
        }
    }

    fn gave(&self, bytes: usize) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        turn.given += bytes;
    }
}

impl PacedStreams<h3_quinn::Connection> {
    pub(super) fn new(connection: quinn::Connection) -> Self {
        Self {
            inner: h3_quinn::Connection::new(connection),
            unasked: Pace::new(UNASKED_BYTES),
        }
    }
}

impl Connection<Bytes> for PacedStreams<h3_quinn::Connection> {
    type RecvStream = PacedReceive;
    type OpenStreams = PacedStreams<h3_quinn::OpenStreams>;

    fn poll_accept_recv(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        ready!(self.unasked.poll_room(context));
        let accepted = ready!(Connection::<Bytes>::poll_accept_recv(
            &mut self.inner,
            context
        ))?;
        self.unasked.gave(STREAM_BYTES);
        Poll::Ready(Ok(PacedReceive::new(accepted, Arc::clone(&self.unasked))))
    }

    fn poll_accept_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        let accepted = Connection::<Bytes>::poll_accept_bidi(&mut self.inner, context);
        accepted.map_ok(|stream| PacedBidi::new(stream, Arc::clone(&self.unasked)))
    }

    fn opener(&self) -> Self::OpenStreams {
        PacedStreams {
            inner: Connection::<Bytes>::opener(&self.inner),
            unasked: Arc::clone(&self.unasked),
        }
    }
}

impl<C> OpenStreams<Bytes> for PacedStreams<C>
where
    C: OpenStreams<
            Bytes,
            BidiStream = h3_quinn::BidiStream<Bytes>,
            SendStream = h3_quinn::SendStream<Bytes>,
        >,
{
    type BidiStream = PacedBidi;
    type SendStream = h3_quinn::SendStream<Bytes>;

    fn poll_open_bidi(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        let opened = self.inner.poll_open_bidi(context);
        opened.map_ok(|stream| PacedBidi::new(stream, Pace::new(ANSWER_BYTES)))
    }

    fn poll_open_send(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.inner.poll_open_send(context)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.inner.close(code, reason);
    }
}

impl Clone for PacedStreams<h3_quinn::OpenStreams> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            unasked: Arc::clone(&self.unasked),
        }
    }
}

impl PacedBidi {
    fn new(stream: h3_quinn::BidiStream<Bytes>, pace: Arc<Pace>) -> Self {
        let (send, receive) = stream.split();
        Self {
            send,
            receive: PacedReceive::new(receive, pace),
        }
    }
}

impl BidiStream<Bytes> for PacedBidi {
    type SendStream = h3_quinn::SendStream<Bytes>;
    type RecvStream = PacedReceive;

    fn split(self) -> (Self::SendStream, Self::RecvStream) {
        (self.send, self.receive)
    }
}

impl RecvStream for PacedBidi {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.receive.poll_data(context)
    }

    fn stop_sending(&mut self, code: u64) {
        self.receive.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.receive.recv_id()
    }
}

impl SendStream<Bytes> for PacedBidi {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(context)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, context: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(context)
    }

    fn reset(&mut self, code: u64) {
        self.send.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

impl PacedReceive {
    fn new(inner: h3_quinn::RecvStream, pace: Arc<Pace>) -> Self {
        Self {
            id: inner.recv_id(),
            inner,
            is_waiting: false,
            pace,
            kept: Bytes::new(),
            end: None,
        }
    }

    /// Joins what is there, until it is a piece of a fair size or the end. Pending if there is nothing.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut joined: Vec<u8> = Vec::new();
        while self.end.is_none() && joined.len() < PIECE_BYTES {
            let polled = self.inner.poll_data(context);
            self.is_waiting = polled.is_pending();
            match polled {
                Poll::Pending if joined.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(Some(piece))) if joined.is_empty() && piece.len() >= PIECE_BYTES => {
                    self.kept = piece;
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(Some(piece))) => joined.extend_from_slice(&piece),
                Poll::Ready(Ok(None)) => self.end = Some(Ok(())),
                Poll::Ready(Err(error)) => self.end = Some(Err(error)),
            }
        }
        self.kept = joined.into();
        Poll::Ready(())
    }
}

impl RecvStream for PacedReceive {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let room = ready!(self.pace.poll_room(context));
        if self.kept.is_empty() && self.end.is_none() {
            ready!(self.poll_more(context));
        }
        if !self.kept.is_empty() {
            let piece = self.kept.split_to(self.kept.len().min(room));
            self.pace.gave(piece.len());
            return Poll::Ready(Ok(Some(piece)));
        }
        match self.end.replace(Ok(())) {
            Some(Err(error)) => Poll::Ready(Err(error)),
            Some(Ok(())) | None => Poll::Ready(Ok(None)),
        }
    }

    fn stop_sending(&mut self, code: u64) {
        // While it waits, the library has no stream to stop and would panic; the end of the stream stops it as well.
        if !self.is_waiting {
            self.inner.stop_sending(code);
        }
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}
