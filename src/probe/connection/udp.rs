//! A UDP socket for one connection of QUIC that nobody's packets can hold the thread with.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::sync::Notify;

use super::paced::give_way;

/// After so many bytes it is the others' turn. A packet is decrypted, and costs some microseconds.
const TURN_BYTES: usize = 16 * 1024;

/// A socket that pauses after [`TURN_BYTES`] and counts all bytes that come.
#[derive(Debug)]
pub(super) struct PacedUdp {
    inner: Arc<dyn AsyncUdpSocket>,
    turn_bytes: AtomicUsize,
    counted: Arc<Counted>,
}

/// How many bytes may come.
#[derive(Debug)]
pub(super) struct Counted {
    left: AtomicU64,
    over: Notify,
    is_over: OnceLock<()>,
}

impl Counted {
    /// Ends once more came than may come.
    pub(super) async fn over(&self) {
        if self.is_over.get().is_none() {
            self.over.notified().await;
        }
    }
}

impl PacedUdp {
    /// At most so many bytes may come; what is more is dropped.
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, most: u64) -> (Self, Arc<Counted>) {
        let counted = Arc::new(Counted {
            left: AtomicU64::new(most),
            over: Notify::new(),
            is_over: OnceLock::new(),
        });
        let socket = Self {
            inner,
            turn_bytes: AtomicUsize::new(0),
            counted: Arc::clone(&counted),
        };
        (socket, counted)
    }
}

impl AsyncUdpSocket for PacedUdp {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.counted.is_over.get().is_some() {
            return Poll::Pending;
        }
        if self.turn_bytes.load(Ordering::Relaxed) >= TURN_BYTES {
            self.turn_bytes.store(0, Ordering::Relaxed);
            give_way(context);
            return Poll::Pending;
        }
        // One at a time: the kernel puts many packets into each.
        let (buffers, meta) = match (buffers, meta) {
            ([first, ..], [meta, ..]) => (std::slice::from_mut(first), std::slice::from_mut(meta)),
            (buffers, meta) => (buffers, meta),
        };
        let polled = self.inner.poll_recv(context, buffers, meta);
        match &polled {
            Poll::Ready(Ok(count)) => {
                let came: usize = meta.iter().take(*count).map(|meta| meta.len).sum();
                self.turn_bytes.fetch_add(came, Ordering::Relaxed);
                let left = self.counted.left.load(Ordering::Relaxed);
                match left.checked_sub(came as u64) {
                    Some(left) => self.counted.left.store(left, Ordering::Relaxed),
                    None => {
                        let _ = self.counted.is_over.set(());
                        self.counted.over.notify_waiters();
                        self.counted.over.notify_one();
                        return Poll::Pending;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.turn_bytes.store(0, Ordering::Relaxed),
        }
        polled
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}
