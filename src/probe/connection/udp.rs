//! A UDP socket for one connection of QUIC that nobody's packets can hold the thread with.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::sync::Notify;

use super::paced::Rest;

/// After so many datagrams it is the others' turn. Each is decrypted, and each of its bytes may be a frame: a full one
/// takes some tenths of a millisecond at worst.
const TURN_DATAGRAMS: usize = 4;

/// A datagram counts as at least so many bytes: what it costs here beside its bytes.
const DATAGRAM_BYTES_MIN: usize = 256;

/// A socket that pauses after [`TURN_DATAGRAMS`] and counts all bytes that come.
#[derive(Debug)]
pub(super) struct PacedUdp {
    inner: Arc<dyn AsyncUdpSocket>,
    turn: Mutex<Turn>,
    counted: Arc<Counted>,
}

/// What came since the last pause.
#[derive(Debug)]
struct Turn {
    datagrams: usize,
    rest: Option<Arc<Rest>>,
    /// The kernel gives up to 64 datagrams in one piece; those that were too many for a turn are here.
    kept: Vec<u8>,
    /// Whose they are.
    kept_meta: RecvMeta,
    bytes_left: u64,
}

/// How many bytes may come.
#[derive(Debug, Default)]
pub(super) struct Counted {
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
    /// At most so many bytes may come; what is more is dropped. A datagram counts as at least 256 bytes.
    pub(super) fn new(inner: Arc<dyn AsyncUdpSocket>, most: u64) -> (Self, Arc<Counted>) {
        let counted = Arc::new(Counted::default());
        let socket = Self {
            inner,
            turn: Mutex::new(Turn {
                datagrams: 0,
                rest: None,
                kept: Vec::new(),
                kept_meta: RecvMeta::default(),
                bytes_left: most,
            }),
            counted: Arc::clone(&counted),
        };
        (socket, counted)
    }
}

impl Turn {
    /// Datagrams that were received before, as many as may be given now.
    fn give_kept(&mut self, buffer: &mut [u8], meta: &mut RecvMeta) {
        *meta = self.kept_meta;
        let most = meta.stride.saturating_mul(TURN_DATAGRAMS - self.datagrams);
        let length = self.kept.len().min(most).min(buffer.len());
        buffer[..length].copy_from_slice(&self.kept[..length]);
        self.kept.drain(..length);
        meta.len = length;
        self.datagrams += length.div_ceil(meta.stride);
    }

    /// What came and is more than may be given now, is kept.
    fn keep(&mut self, buffer: &[u8], meta: &mut RecvMeta) {
        let stride = meta.stride.max(1);
        let most = stride * (TURN_DATAGRAMS - self.datagrams);
        self.datagrams += meta.len.min(most).div_ceil(stride).max(1);
        if meta.len > most {
            self.kept.extend_from_slice(&buffer[most..meta.len]);
            self.kept_meta = *meta;
            meta.len = most;
        }
    }

    /// Whether so many may come yet.
    fn take(&mut self, meta: &RecvMeta) -> bool {
        let datagrams = meta.len.div_ceil(meta.stride.max(1)).max(1);
        let came = meta.len.max(datagrams * DATAGRAM_BYTES_MIN) as u64;
        match self.bytes_left.checked_sub(came) {
            Some(left) => self.bytes_left = left,
            None => return false,
        }
        true
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
        let ([buffer, ..], [meta, ..]) = (buffers, meta) else {
            return Poll::Ready(Ok(0));
        };
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = &turn.rest {
            ready!(rest.poll(context));
            turn.rest = None;
            turn.datagrams = 0;
        }
        if turn.datagrams >= TURN_DATAGRAMS {
            turn.rest = Some(Rest::begin(context));
            return Poll::Pending;
        }
        if !turn.kept.is_empty() {
            turn.give_kept(buffer, meta);
            return Poll::Ready(Ok(1));
        }
        // One at a time: the kernel puts many datagrams into each.
        let one = std::slice::from_mut(buffer);
        let polled = self
            .inner
            .poll_recv(context, one, std::slice::from_mut(meta));
        match &polled {
            Poll::Ready(Ok(0) | Err(_)) => {}
            Poll::Ready(Ok(_)) => {
                if !turn.take(meta) {
                    let _ = self.counted.is_over.set(());
                    self.counted.over.notify_waiters();
                    self.counted.over.notify_one();
                    return Poll::Pending;
                }
                turn.keep(buffer, meta);
            }
            Poll::Pending => turn.datagrams = 0,
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use quinn::{Runtime as _, TokioRuntime};

    use super::*;

    /// Sends `count` datagrams that the kernel may join, and receives them all; the most of a turn.
    async fn most_of_a_turn(count: u8, size: usize) -> usize {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let receiving = UdpSocket::bind(any).unwrap();
        let to = receiving.local_addr().unwrap();
        let inner = TokioRuntime.wrap_udp_socket(receiving).unwrap();
        let (paced, _counted) = PacedUdp::new(inner, u64::MAX);
        let sending = TokioRuntime
            .wrap_udp_socket(UdpSocket::bind(any).unwrap())
            .unwrap();
        let contents: Vec<u8> = (0..count).flat_map(|number| vec![number; size]).collect();
        for part in contents.chunks(size * sending.max_transmit_segments().min(30)) {
            let transmit = Transmit {
                destination: to,
                ecn: None,
                contents: part,
                segment_size: Some(size),
                src_ip: None,
            };
            while let Err(error) = sending.try_send(&transmit) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                tokio::task::yield_now().await;
            }
        }
        let (mut all, mut most) = (Vec::new(), 0);
        while all.len() < contents.len() {
            let came = std::future::poll_fn(|context| {
                let (mut came, mut refused) = (Vec::new(), 0);
                while refused < 5 {
                    let mut space = vec![0; 64 * 1024];
                    let mut meta = [RecvMeta::default()];
                    let mut buffers = [IoSliceMut::new(&mut space)];
                    match paced.poll_recv(context, &mut buffers, &mut meta) {
                        Poll::Ready(read) => {
                            assert_eq!(read.unwrap(), 1);
                            assert_eq!(meta[0].stride, size);
                            came.extend_from_slice(&buffers[0][..meta[0].len]);
                        }
                        Poll::Pending => refused += 1,
                    }
                }
                match came.is_empty() {
                    true => Poll::Pending,
                    false => Poll::Ready(came),
                }
            })
            .await;
            most = most.max(came.len() / size);
            all.extend(came);
            tokio::task::yield_now().await;
        }
        assert_eq!(all, contents);
        most
    }

    /// A reader that takes no notice of `Pending` gets at most a turn's datagrams, and each of them once, in order.
    #[tokio::test]
    async fn a_turn_ends_though_the_kernel_gives_more_at_once() {
        assert_eq!(most_of_a_turn(100, 1200).await, TURN_DATAGRAMS);
        assert_eq!(most_of_a_turn(100, 30).await, TURN_DATAGRAMS);
        assert_eq!(most_of_a_turn(3, 1200).await, 3);
    }

    #[tokio::test]
    async fn empty_and_short_datagrams_count_as_well() {
        let receiving = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = receiving.local_addr().unwrap();
        let inner = TokioRuntime.wrap_udp_socket(receiving).unwrap();
        let (paced, counted) = PacedUdp::new(inner, 10 * DATAGRAM_BYTES_MIN as u64);
        let sending = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for number in 0..11 {
            sending.send_to(&vec![1; number % 2], to).unwrap();
        }
        let mut came = 0;
        let over = async {
            std::future::poll_fn(|context| {
                let mut space = [0; 2048];
                let mut meta = [RecvMeta::default()];
                let mut buffers = [IoSliceMut::new(&mut space)];
                while paced.poll_recv(context, &mut buffers, &mut meta).is_ready() {
                    came += 1;
                }
                Poll::<()>::Pending
            })
            .await;
        };
        tokio::select! {
            () = counted.over() => {}
            () = over => {}
        }
        assert_eq!(came, 10);
    }
}
