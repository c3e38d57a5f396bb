//! A TCP connection that nobody's bytes can hold the thread with.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::limits::Excess;
use crate::clock;

/// After so many bytes it is the others' turn.
const TURN_BYTES: usize = 16 * 1024;

/// No more are read at once: records of TLS with a byte each take about a millisecond then.
const READ_BYTES: usize = 4 * 1024;

/// After so long it is the others' turn as well: what is made of the bytes above (TLS records, header fields, chunks)
/// costs what the other side chooses. With one read more it stays below 2 ms.
const TURN: Duration = Duration::from_micros(500);

/// Gives way to all others. A task that only wakes itself comes again before the runtime has looked at sockets and
/// timers, which it does after 61 turns of such tasks; this one waits until it has.
pub(super) fn give_way(context: &mut Context<'_>) {
    // Its waker is kept by the runtime from here on.
    let _ = pin!(tokio::task::yield_now()).poll(context);
}

/// A connection that pauses after [`TURN_BYTES`] or [`TURN`], and counts all bytes that come.
#[derive(Debug)]
pub(in crate::probe) struct Paced {
    tcp: Take<TcpStream>,
    /// What was read too far, to be read again.
    before: Bytes,
    /// Since the last pause.
    turn_bytes: usize,
    /// When the first of these were read.
    turn_begun: Option<Instant>,
    left: u64,
}

impl Paced {
    /// At most so many bytes may come.
    pub(in crate::probe) fn new(tcp: TcpStream, most: u64) -> Self {
        Self {
            tcp: tcp.take(0),
            before: Bytes::new(),
            turn_bytes: 0,
            turn_begun: None,
            left: most,
        }
    }

    const fn end_turn(&mut self) {
        self.turn_bytes = 0;
        self.turn_begun = None;
    }

    /// The next read gives these.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.before = bytes;
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let taken = self.before.len().min(buffer.remaining());
            buffer.put_slice(&self.before[..taken]);
            self.before.advance(taken);
            return Poll::Ready(Ok(()));
        }
        let is_over = match self.turn_begun {
            Some(begun) => self.turn_bytes >= TURN_BYTES || clock::tick() - begun >= TURN,
            None => false,
        };
        if is_over {
            self.end_turn();
            give_way(context);
            return Poll::Pending;
        }
        // hyper's buffer grows to 400 KiB, and a socket may hold as much.
        self.tcp.set_limit(READ_BYTES as u64);
        let start = buffer.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(context, buffer);
        match &polled {
            Poll::Ready(Ok(())) => {
                let came = buffer.filled().len() - start;
                self.turn_bytes += came;
                self.turn_begun.get_or_insert_with(clock::tick);
                match self.left.checked_sub(came as u64) {
                    Some(left) => self.left = left,
                    None => return Poll::Ready(Err(Excess::WireBytes.into())),
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.end_turn(),
        }
        polled
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.tcp.get_mut()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.tcp.get_mut()).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.tcp.get_mut()).poll_flush(context)
    }

    /// The end of the connection, a moment later, says the same.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
