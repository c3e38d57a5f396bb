//! A stream before TLS: read within bounds, and quoted safely where it says no.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::domain::check::FailureKind;
use crate::domain::safe_text;
use crate::domain::starttls::StartTls;

/// So much is read at a time.
const CHUNK_BYTES: usize = 2048;

/// One line. RFC 5321 says 512 bytes, IMAP servers list their capabilities in 1 000.
const LINE_BYTES_MAX: usize = 4096;

/// All that a server may say before TLS: a long greeting, a list of what it can, its go-ahead.
const DIALOGUE_BYTES_MAX: usize = 64 * 1024;

/// All lines of it. Greetings with a legal notice have 60.
const DIALOGUE_LINES_MAX: usize = 512;

/// What a person is shown of a server's words.
const WORDS_CHARS_MAX: usize = 150;

/// Why there is no TLS.
#[derive(Debug)]
pub(in crate::probe) enum UpgradeFault {
    /// Closed in order before the go-ahead; these were the last words, perhaps none.
    Closed {
        /// One safe line.
        last_words: String,
    },
    /// The connection broke.
    Broken(io::Error),
    /// The server has no TLS for us; one line says why, with its own words.
    NoTls(String),
}

impl UpgradeFault {
    /// The kind and one line for a person.
    pub(in crate::probe) fn told(&self, protocol: StartTls) -> (FailureKind, String) {
        let request = protocol.request();
        match self {
            Self::NoTls(why) => (FailureKind::TlsHandshake, why.clone()),
            Self::Closed { last_words } if last_words.is_empty() => (
                FailureKind::ClosedEarly,
                "the server closed the connection without a byte".to_owned(),
            ),
            Self::Closed { last_words } => (
                FailureKind::ClosedEarly,
                format!(
                    "the server closed the connection before its go-ahead for TLS ({request}); \
                     its last words: `{last_words}`"
                ),
            ),
            Self::Broken(io) if io.kind() == io::ErrorKind::TimedOut => (
                FailureKind::TimeoutResponse,
                format!("the connection went dead before the go-ahead for TLS ({request})"),
            ),
            Self::Broken(_) => (
                FailureKind::ConnectReset,
                format!("the connection was reset before the go-ahead for TLS ({request})"),
            ),
        }
    }
}

/// One safe line of a server's bytes.
pub(super) fn words(bytes: &[u8]) -> String {
    // More of it would be cut anyway.
    let begin = &bytes[..bytes.len().min(4 * WORDS_CHARS_MAX)];
    safe_text::line(&String::from_utf8_lossy(begin), WORDS_CHARS_MAX).into_owned()
}

/// The connection and what came of it.
pub(super) struct Dialogue<'a, S> {
    pub(super) protocol: StartTls,
    stream: &'a mut S,
    /// What came and was not taken yet.
    bytes: Vec<u8>,
    /// Before this no line of `bytes` ends.
    looked: usize,
    /// All that came.
    heard: usize,
    lines: usize,
    /// The newest bytes, for a person.
    last: Vec<u8>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Dialogue<'a, S> {
    pub(super) const fn new(protocol: StartTls, stream: &'a mut S) -> Self {
        Self {
            protocol,
            stream,
            bytes: Vec::new(),
            looked: 0,
            heard: 0,
            lines: 0,
            last: Vec::new(),
        }
    }

    /// Sends bytes. An answer may have come although that fails, so its failure is told by the next reading.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            let _ = self.stream.flush().await;
        }
    }

    /// Sends a command of a protocol in which each answer is asked for.
    pub(super) async fn command(&mut self, command: &str) -> Result<(), UpgradeFault> {
        if !self.bytes.is_empty() {
            return Err(UpgradeFault::NoTls(format!(
                "the {} server sends more than it was asked for: `{}`",
                self.protocol.name(),
                words(&self.bytes)
            )));
        }
        self.send(command.as_bytes()).await;
        Ok(())
    }

    /// Reads more.
    pub(super) async fn more(&mut self) -> Result<(), UpgradeFault> {
        let mut chunk = [0; CHUNK_BYTES];
        match self.stream.read(&mut chunk).await {
            Ok(0) => Err(UpgradeFault::Closed {
                last_words: words(self.last.trim_ascii()),
            }),
            Ok(came) => {
                self.heard += came;
                if self.heard > DIALOGUE_BYTES_MAX {
                    return Err(self.endless());
                }
                if self.bytes.is_empty() {
                    self.last.clear();
                }
                self.bytes.extend_from_slice(&chunk[..came]);
                let room = (4 * WORDS_CHARS_MAX).saturating_sub(self.last.len());
                self.last.extend_from_slice(&chunk[..came.min(room)]);
                Ok(())
            }
            Err(error) => Err(UpgradeFault::Broken(error)),
        }
    }

    fn endless(&self) -> UpgradeFault {
        UpgradeFault::NoTls(format!(
            "the server sends an answer without end, which is not {}",
            self.protocol.name()
        ))
    }

    /// What came and was not taken yet.
    pub(super) fn come(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the first bytes of it.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.bytes.split_off(count.min(self.bytes.len()));
        self.looked = 0;
        std::mem::replace(&mut self.bytes, rest)
    }

    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, UpgradeFault> {
        loop {
            let end = self.bytes[self.looked..].iter().position(|b| *b == b'\n');
            if let Some(offset) = end {
                let mut line = self.take(self.looked + offset + 1);
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                self.lines += 1;
                if self.lines > DIALOGUE_LINES_MAX {
                    return Err(self.endless());
                }
                return Ok(line);
            }
            self.looked = self.bytes.len();
            if self.looked > LINE_BYTES_MAX {
                return Err(UpgradeFault::NoTls(format!(
                    "the server sends a line of more than {LINE_BYTES_MAX} bytes, which is not {}",
                    self.protocol.name()
                )));
            }
            self.more().await?;
        }
    }

    /// The server's no, with its words.
    pub(super) fn refused(&self, said: &str) -> UpgradeFault {
        UpgradeFault::NoTls(format!(
            "the {} server refuses {}: `{}`",
            self.protocol.name(),
            self.protocol.request(),
            words(said.as_bytes())
        ))
    }

    /// A greeting that is none.
    pub(super) fn unwelcome(&self, said: &str) -> UpgradeFault {
        UpgradeFault::NoTls(format!(
            "the {} server greets with an error: `{}`",
            self.protocol.name(),
            words(said.as_bytes())
        ))
    }

    /// What came is another protocol.
    pub(super) fn foreign(&self, said: &[u8]) -> UpgradeFault {
        UpgradeFault::NoTls(format!(
            "the server does not speak {}: `{}`",
            self.protocol.name(),
            words(said)
        ))
    }

    /// Whether nothing came behind the go-ahead. The server has nothing to say before our first message of TLS, and
    /// what it said in clear must not count inside (RFC 3207 section 6).
    pub(super) fn is_silent_now(&self) -> Result<(), UpgradeFault> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        Err(UpgradeFault::NoTls(format!(
            "the {} server sends plaintext after its go-ahead for TLS ({}): `{}`",
            self.protocol.name(),
            self.protocol.request(),
            words(&self.bytes)
        )))
    }
}
