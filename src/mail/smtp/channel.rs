//! One connection to a mail server: a command goes, its answer comes, and nothing that was not asked for counts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::reply::{Reply, ReplyFault, ReplyReader};

/// So much is read at a time: what stands behind an answer is never more.
const CHUNK_BYTES: usize = 4096;
/// A server that refuses in the middle of a message and closes has said why: its answer is waited for so long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The network, or TLS.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server closed in order, without an answer.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// What came is not SMTP.
    #[error("{0}")]
    Fault(#[from] ReplyFault),
    /// An answer to something that was not asked: which answer belongs to which command is not known any more.
    #[error("the server sends more answers than it was asked for")]
    Unasked,
}

impl Broken {
    /// The TLS error in it.
    pub fn tls(&self) -> Option<&rustls::Error> {
        match self {
            Self::Io(error) => tls_error(error),
            Self::Closed | Self::Fault(_) | Self::Unasked => None,
        }
    }
}

/// The TLS error in an I/O error.
pub fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What the bytes go over.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection and what came of it.
#[derive(Debug)]
pub struct Channel {
    stream: Stream,
    reader: ReplyReader,
}

impl Channel {
    /// A connection on which nothing was said yet.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            reader: ReplyReader::default(),
        }
    }

    /// Sends a command and reads its answer.
    ///
    /// # Errors
    /// When the connection is of no more use.
    pub async fn command(&mut self, command: &str) -> Result<Reply, Broken> {
        if let Some(goodbye) = self.unasked()? {
            return Ok(goodbye);
        }
        match self.write(command.as_bytes()).await {
            Ok(()) => self.reply().await,
            Err(error) => self.last_words(error).await,
        }
    }

    /// Whether something came that was not asked for. A server that shuts down may say so at any time (421).
    ///
    /// # Errors
    /// When it is anything else.
    pub fn unasked(&mut self) -> Result<Option<Reply>, Broken> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        match self.reader.take()? {
            Some(reply) if reply.code == 421 => Ok(Some(reply)),
            Some(_) | None => Err(Broken::Unasked),
        }
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// When none comes.
    pub async fn reply(&mut self) -> Result<Reply, Broken> {
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            if let Some(reply) = self.reader.take()? {
                return Ok(reply);
            }
            match self.stream.read(&mut chunk).await? {
                0 => return Err(Broken::Closed),
                len => self.reader.feed(&chunk[..len]),
            }
        }
    }

    /// Sends bytes, all of them.
    ///
    /// # Errors
    /// What the network says.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Why a write failed: the refusal that the server sent before it closed, where there is one.
    ///
    /// # Errors
    /// The error of the write where the server said nothing.
    pub async fn last_words(&mut self, error: io::Error) -> Result<Reply, Broken> {
        match tokio::time::timeout(LAST_WORDS, self.reply()).await {
            Ok(Ok(reply)) if reply.code >= 400 => Ok(reply),
            _ => Err(Broken::Io(error)),
        }
    }

    /// The bare connection, where nothing at all came behind the last answer: what was said in clear must not count
    /// inside TLS (RFC 3207 section 6).
    pub fn into_silent_plain(self) -> Option<TcpStream> {
        let Stream::Plain(stream) = self.stream else {
            return None;
        };
        // The server has nothing to say before our first message of TLS.
        let is_silent = self.reader.is_empty() && !matches!(stream.try_read(&mut [0]), Ok(1..));
        is_silent.then_some(stream)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
