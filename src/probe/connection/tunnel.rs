//! A tunnel through a proxy: CONNECT (RFC 9110 section 9.3.6) and what the proxy says to it.

use std::io;

use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::limits::INTERIM_MAX;
use super::paced::Paced;

/// A proxy's answer to CONNECT is a line and a few fields.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// No proxy has more lines to say.
const ANSWER_LINES_MAX: usize = 200;

/// What is read at once.
const READ_BYTES: usize = 2048;

/// The value of a `Proxy-Authorization` field.
pub(in crate::probe) type Login = str;

/// Why there is no tunnel.
#[derive(Debug)]
pub(in crate::probe) enum TunnelFault {
    /// The proxy says no.
    Refused {
        /// Its status.
        code: u16,
        /// Its own words for it; may be empty.
        reason: String,
    },
    /// The answer begins like this, which is no HTTP.
    NotHttp(String),
    /// The answer has no end.
    TooLong,
    /// The proxy closes the connection without an answer.
    Closed,
    /// The connection broke.
    Broken(io::Error),
}

impl From<io::Error> for TunnelFault {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Asks for a tunnel to `to`, a host and a port.
///
/// # Errors
/// Why there is none.
pub(in crate::probe) async fn open(
    stream: &mut Paced,
    to: &str,
    login: Option<&Login>,
) -> Result<(), TunnelFault> {
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(login) = login {
        request.extend(["Proxy-Authorization: ", login, "\r\n"]);
    }
    request.push_str("\r\n");
    // An answer may have come although sending failed.
    let sent = stream.write_all(request.as_bytes()).await;
    let mut answer = Answer::default();
    let mut buffer = [0; READ_BYTES];
    loop {
        let came = match stream.read(&mut buffer).await {
            Ok(0) => return Err(sent.err().map_or(TunnelFault::Closed, TunnelFault::Broken)),
            Ok(came) => came,
            Err(error) => return Err(error.into()),
        };
        if let Some(rest) = answer.feed(&buffer[..came])? {
            stream.put_back(rest);
            return Ok(());
        }
    }
}

/// An answer to CONNECT on its way.
#[derive(Debug, Default)]
struct Answer {
    bytes: Vec<u8>,
    /// Where the line begins that is not complete yet.
    line_at: usize,
    lines: usize,
    interim: usize,
    status: Option<(u16, String)>,
}

impl Answer {
    /// Takes what came next. Gives what follows the answer that opens the tunnel, once it is complete.
    fn feed(&mut self, piece: &[u8]) -> Result<Option<Bytes>, TunnelFault> {
        self.bytes.extend_from_slice(piece);
        while let Some(length) = self.bytes[self.line_at..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let line = &self.bytes[self.line_at..self.line_at + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.line_at += length + 1;
            self.lines += 1;
            if self.lines > ANSWER_LINES_MAX || self.line_at > ANSWER_BYTES_MAX {
                return Err(TunnelFault::TooLong);
            }
            match &self.status {
                None if line.is_empty() => {}
                None => self.status = Some(status(line)?),
                Some(_) if !line.is_empty() => {}
                Some((100..=199, _)) if self.interim < INTERIM_MAX => {
                    self.interim += 1;
                    self.status = None;
                }
                Some((200..=299, _)) => {
                    let rest = Bytes::copy_from_slice(&self.bytes[self.line_at..]);
                    return Ok(Some(rest));
                }
                Some((code, reason)) => {
                    return Err(TunnelFault::Refused {
                        code: *code,
                        reason: reason.clone(),
                    });
                }
            }
        }
        // What is no HTTP may have no line at all.
        let begun = &self.bytes[self.line_at..];
        if self.status.is_none()
            && !begun.iter().zip(b"HTTP/1.").all(|(a, b)| a == b)
            && begun != b"\r"
        {
            return Err(not_http(begun));
        }
        if self.bytes.len() > ANSWER_BYTES_MAX {
            return Err(TunnelFault::TooLong);
        }
        Ok(None)
    }
}

/// Reads `HTTP/1.1 403 Forbidden`; the reason may be missing.
fn status(line: &[u8]) -> Result<(u16, String), TunnelFault> {
    let read = || {
        let (version, rest) = line.strip_prefix(b"HTTP/1.")?.split_first()?;
        let rest = rest.strip_prefix(b" ")?.trim_ascii_start();
        let (code, reason) = rest.split_at_checked(3)?;
        let is_valid = matches!(version, b'0' | b'1')
            && code.iter().all(u8::is_ascii_digit)
            && matches!(reason, [] | [b' ', ..]);
        let code = std::str::from_utf8(code).ok()?.parse().ok()?;
        let reason = String::from_utf8_lossy(reason.trim_ascii()).into_owned();
        (is_valid && code >= 100).then_some((code, reason))
    };
    read().ok_or_else(|| not_http(line))
}

fn not_http(begun: &[u8]) -> TunnelFault {
    let shown = &begun[..begun.len().min(100)];
    TunnelFault::NotHttp(String::from_utf8_lossy(shown).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, size: usize) -> String {
        let mut answer = Answer::default();
        let mut pieces = text.as_bytes().chunks(size);
        while let Some(piece) = pieces.next() {
            match answer.feed(piece) {
                Ok(None) => {}
                Ok(Some(rest)) => {
                    let rest = [&rest[..], &pieces.collect::<Vec<_>>().concat()].concat();
                    return format!("open, then {}", String::from_utf8_lossy(&rest));
                }
                Err(TunnelFault::Refused { code, reason }) => return format!("{code} {reason}"),
                Err(TunnelFault::NotHttp(_)) => return "no HTTP".to_owned(),
                Err(fault) => return format!("{fault:?}"),
            }
        }
        "more".to_owned()
    }

    #[test]
    fn answers_are_read_however_they_are_cut() {
        let long = format!(
            "HTTP/1.1 200 OK\r\nA: {}\r\n\r\n",
            "b".repeat(ANSWER_BYTES_MAX)
        );
        let many = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "A: b\r\n".repeat(ANSWER_LINES_MAX)
        );
        let endless = "b".repeat(2 * ANSWER_BYTES_MAX);
        let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(INTERIM_MAX + 1);
        for (text, want) in [
            ("", "more"),
            ("HTTP/1.1 200 OK\r\n", "more"),
            ("HTTP/1.1 200 OK\r\n\r\n", "open, then "),
            ("HTTP/1.0 200 OK\n\n", "open, then "),
            ("HTTP/1.1 200\r\n\r\n", "open, then "),
            ("HTTP/1.1 200 \r\nA: b\r\n\r\nhello", "open, then hello"),
            (
                "\r\n\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
                "open, then ",
            ),
            ("HTTP/1.1 299 Fine\r\n\r\n", "open, then "),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx",
                "open, then x",
            ),
            (
                "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\ndenied!",
                "403 Forbidden",
            ),
            (
                "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n",
                "302 Found",
            ),
            ("HTTP/1.0 503\n\n", "503 "),
            ("<html>portal</html>\r\n\r\n", "no HTTP"),
            ("SSH-2.0-x", "no HTTP"),
            ("HTTP/2 200\r\n\r\n", "no HTTP"),
            ("HTTP/1.1 2x0 OK\r\n\r\n", "no HTTP"),
            ("HTTP/1.1 2000 OK\r\n\r\n", "no HTTP"),
            ("HTTP/1.1 20\r\n\r\n", "no HTTP"),
            (&long, "TooLong"),
            (&many, "TooLong"),
            (&flood, "TooLong"),
            (&endless, "no HTTP"),
        ] {
            for size in [1, 7, 1 << 20] {
                assert_eq!(told(text, size), want, "{text:.60}");
            }
        }
    }
}
