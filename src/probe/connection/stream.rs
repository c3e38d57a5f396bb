//! The stream that hyper reads an answer from and writes a request to.

use std::io::{self, BufRead as _, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use hyper::body::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::heads::Heads;
use super::paced::Paced;

/// A connection that stands.
#[derive(Debug)]
pub(in crate::probe) enum Link {
    /// To an http:// site, or to the proxy before it.
    Plain(Paced),
    /// To an https:// site.
    Tls(Box<TlsStream<Paced>>),
}

/// Lets go of three things that hyper would stumble over. What comes before the request is written is kept back until
/// then: such a server answers at accept. A failure to send is no failure as long as an answer can be read: such a
/// server has answered before it had all. And headers are read only up to our limits.
#[derive(Debug)]
pub(super) struct Guarded {
    link: Link,
    heads: Heads,
    /// Waits for the first byte of the request to be written.
    waiting: Option<Waker>,
    /// Whether this reader's request is on its way: what comes before is kept back.
    has_asked: bool,
    /// How much of the request was written.
    written: usize,
    /// How much of it an earlier connection over the same link has written.
    repeated: usize,
    /// What an earlier one has read and made nothing of.
    before: Bytes,
    sending: Sending,
}

/// How the request goes out.
#[derive(Debug)]
enum Sending {
    Going,
    /// More of it waits for room.
    Waiting,
    /// The other side takes no more; the error is told at most once.
    Failed(Option<io::Error>),
}

impl Guarded {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            heads: Heads::default(),
            waiting: None,
            has_asked: false,
            written: 0,
            repeated: 0,
            before: Bytes::new(),
            sending: Sending::Going,
        }
    }

    /// The same link for another reader that sends the same request: it writes nothing twice, and reads `before` again.
    pub(super) fn rewound(mut self, before: Bytes) -> Self {
        self.repeated = self.written;
        self.has_asked = false;
        self.before = before;
        self
    }

    /// Whether the request could not be sent whole so far.
    const fn is_cut_short(&self) -> bool {
        matches!(self.sending, Sending::Waiting | Sending::Failed(_))
    }

    fn begin(&mut self) {
        self.has_asked = true;
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// What hyper is told of an attempt to write.
    fn note_written(
        &mut self,
        polled: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Pending => {
                self.sending = Sending::Waiting;
                Poll::Pending
            }
            Poll::Ready(Ok(count)) => {
                self.sending = Sending::Going;
                self.written += count;
                self.begin();
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) if is_the_peers_end(&error) => {
                self.begin();
                self.sending = Sending::Failed(Some(error));
                Poll::Ready(Ok(length))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    /// How much of these bytes needs no writing.
    fn passed_over(&mut self, length: usize) -> Option<usize> {
        let passed = match self.sending {
            Sending::Failed(_) => length,
            _ if self.repeated > 0 => self.repeated.min(length),
            _ => return None,
        };
        self.repeated = self.repeated.saturating_sub(passed);
        self.begin();
        Some(passed)
    }
}

/// Whether the other side takes nothing more.
fn is_the_peers_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
    )
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.has_asked {
            this.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        if !this.before.is_empty() {
            let taken = this.before.len().min(buffer.remaining());
            buffer.put_slice(&this.before[..taken]);
            this.before.advance(taken);
            return Poll::Ready(Ok(()));
        }
        let start = buffer.filled().len();
        match ready!(this.link.read(context, buffer)) {
            // The reset is about what we still had to send.
            Err(error)
                if is_the_peers_end(&error) && this.heads.is_over() && this.is_cut_short() =>
            {
                return Poll::Ready(Ok(()));
            }
            read => read?,
        }
        let came = &buffer.filled()[start..];
        if came.is_empty() {
            if !this.heads.is_over()
                && let Sending::Failed(error) = &mut this.sending
                && let Some(error) = error.take()
            {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(Ok(()));
        }
        if !this.heads.is_over() {
            this.heads.feed(came)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(passed) = self.passed_over(bytes.len()) {
            return Poll::Ready(Ok(passed));
        }
        let polled = match &mut self.link {
            Link::Plain(link) => Pin::new(link).poll_write(context, bytes),
            Link::Tls(link) => Pin::new(link).poll_write(context, bytes),
        };
        self.note_written(polled, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if let Some(passed) = self.passed_over(length) {
            return Poll::Ready(Ok(passed));
        }
        let polled = match &mut self.link {
            Link::Plain(link) => Pin::new(link).poll_write_vectored(context, pieces),
            Link::Tls(link) => Pin::new(link).poll_write_vectored(context, pieces),
        };
        self.note_written(polled, length)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.link {
            Link::Plain(link) => link.is_write_vectored(),
            Link::Tls(link) => link.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.sending, Sending::Failed(_)) {
            return Poll::Ready(Ok(()));
        }
        let polled = match &mut self.link {
            Link::Plain(link) => Pin::new(link).poll_flush(context),
            Link::Tls(link) => Pin::new(link).poll_flush(context),
        };
        match polled {
            Poll::Ready(Err(error)) if is_the_peers_end(&error) => {
                self.begin();
                self.sending = Sending::Failed(Some(error));
                Poll::Ready(Ok(()))
            }
            polled => polled,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.link {
            Link::Plain(link) => Pin::new(link).poll_shutdown(context),
            Link::Tls(link) => Pin::new(link).poll_shutdown(context),
        }
    }
}

impl Guarded {
    /// See [`Link::close`].
    pub(super) fn close(&mut self) {
        self.link.close();
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read(context, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(link) => Pin::new(link).poll_write(context, bytes),
            Self::Tls(link) => Pin::new(link).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(link) => Pin::new(link).poll_flush(context),
            Self::Tls(link) => Pin::new(link).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(link) => Pin::new(link).poll_shutdown(context),
            Self::Tls(link) => Pin::new(link).poll_shutdown(context),
        }
    }
}

impl Link {
    /// The protocol that both sides agreed on in the TLS handshake.
    pub(in crate::probe) fn agreed(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(link) => link.get_ref().1.alpn_protocol(),
        }
    }

    /// Says goodbye as far as that goes at once: TLS has a message for it.
    pub(in crate::probe) fn close(&mut self) {
        if let Self::Tls(link) = self {
            let _ = Pin::new(link).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }

    fn read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(link) => Pin::new(link).poll_read(context, buffer),
            Self::Tls(link) => {
                ready!(Pin::new(&mut **link).poll_read(context, buffer))?;
                take_decrypted(link, buffer);
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// Adds what else is decrypted already. A read gives the content of one record, and a record may hold one byte: each
/// would cost hyper a turn of its own. An end or a fault that shows here is told by the next read.
fn take_decrypted(link: &mut TlsStream<Paced>, buffer: &mut ReadBuf<'_>) {
    let mut reader = link.get_mut().1.reader();
    while buffer.remaining() > 0
        && let Ok(content @ [_, ..]) = reader.fill_buf()
    {
        let taken = content.len().min(buffer.remaining());
        buffer.put_slice(&content[..taken]);
        reader.consume(taken);
    }
}
