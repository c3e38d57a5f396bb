//! A TCP connection that nobody's bytes can hold the thread with.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
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

/// The others' turn, which lasts until the runtime has woken this task. A reader that holds a piece already takes a
/// `Pending` for no more than the end of what is there, and reads again within the same turn of its task.
#[derive(Debug)]
pub(super) struct Rest {
    is_over: AtomicBool,
    waker: Mutex<Waker>,
}

impl Rest {
    /// Begins now; the task of `context` is woken at its end.
    pub(super) fn begin(context: &Context<'_>) -> Arc<Self> {
        let rest = Arc::new(Self {
            is_over: AtomicBool::new(false),
            waker: Mutex::new(context.waker().clone()),
        });
        let waker = Waker::from(Arc::clone(&rest));
        give_way(&mut Context::from_waker(&waker));
        rest
    }

    /// Pending until it is over; wakes the newest of its waiters.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if self.is_over.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        waker.clone_from(context.waker());
        // It may have ended before the waker was there.
        if self.is_over.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Wake for Rest {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        let newest = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        newest.wake();
    }
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
    /// The last pause, until something is read after it.
    rest: Option<Arc<Rest>>,
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
            rest: None,
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
        if let Some(rest) = &self.rest {
            ready!(rest.poll(context));
            self.rest = None;
        }
        let is_over = match self.turn_begun {
            Some(begun) => self.turn_bytes >= TURN_BYTES || clock::tick() - begun >= TURN,
            None => false,
        };
        if is_over {
            self.end_turn();
            self.rest = Some(Rest::begin(context));
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    /// A reader that takes no notice of `Pending` gets at most a turn's bytes before the runtime has had its own turn.
    #[tokio::test]
    async fn a_turn_ends_for_a_reader_that_asks_again_at_once() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let sender = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(&vec![7; 512 * 1024]);
        });
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut paced = Paced::new(tcp, u64::MAX);
        let (mut all, mut most) = (0, 0);
        while all < 512 * 1024 {
            let came = std::future::poll_fn(|context| {
                let (mut came, mut refused) = (0, 0);
                while refused < 20 {
                    let mut space = [0; 4096];
                    let mut buffer = ReadBuf::new(&mut space);
                    match Pin::new(&mut paced).poll_read(context, &mut buffer) {
                        Poll::Ready(Ok(())) if buffer.filled().is_empty() => break,
                        Poll::Ready(read) => {
                            read.unwrap();
                            came += buffer.filled().len();
                        }
                        Poll::Pending => refused += 1,
                    }
                }
                match came {
                    0 => Poll::Pending,
                    came => Poll::Ready(came),
                }
            })
            .await;
            all += came;
            most = most.max(came);
            tokio::task::yield_now().await;
        }
        sender.join().unwrap();
        assert!(most <= TURN_BYTES, "{most} bytes in a turn");
    }
}
