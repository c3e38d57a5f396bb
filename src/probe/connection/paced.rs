//! A TCP connection that nobody's bytes can hold the thread with.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::limits::Excess;

/// After so many bytes it is the others' turn. What is made of them above (TLS records, header fields, chunks) takes a
/// fraction of a millisecond.
const TURN_BYTES: usize = 16 * 1024;

/// A connection that pauses after [`TURN_BYTES`] and counts all bytes that come.
#[derive(Debug)]
pub(in crate::probe) struct Paced {
    tcp: TcpStream,
    /// What was read too far, to be read again.
    before: Bytes,
    /// Since the last pause.
    turn_bytes: usize,
    left: u64,
}

impl Paced {
    /// At most so many bytes may come.
    pub(in crate::probe) const fn new(tcp: TcpStream, most: u64) -> Self {
        Self {
            tcp,
            before: Bytes::new(),
            turn_bytes: 0,
            left: most,
        }
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
        if self.turn_bytes >= TURN_BYTES {
            self.turn_bytes = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let start = buffer.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(context, buffer);
        match &polled {
            Poll::Ready(Ok(())) => {
                let came = buffer.filled().len() - start;
                self.turn_bytes += came;
                match self.left.checked_sub(came as u64) {
                    Some(left) => self.left = left,
                    None => return Poll::Ready(Err(Excess::WireBytes.into())),
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.turn_bytes = 0,
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
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    /// The end of the connection, a moment later, says the same.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
