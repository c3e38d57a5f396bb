//! The text protocol of NATS, read with bounds.

use serde::Deserialize;

use crate::domain::safe_text;

/// The longest line that a server sends is its INFO, with the URLs of a cluster.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Nothing that is sent to us is larger: frames have half a MiB, pieces of lists less.
const PAYLOAD_BYTES_MAX: usize = 640 * 1024;
/// No header that we read has more.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// After a large message the buffer is given back.
const KEPT_BYTES: usize = 128 * 1024;

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// What it is.
    Info(Box<Info>),
    /// A message for a subscription.
    Message(Message),
    /// Are we there?
    Ping,
    /// It is there.
    Pong,
    /// Something is wrong, in its words; one line.
    Error(String),
}

/// What a server is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub version: String,
    pub nonce: String,
    pub tls_required: bool,
    pub tls_available: bool,
    pub headers: bool,
    pub max_payload: u64,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Where it was sent to.
    pub subject: String,
    /// Where an answer goes; empty for none.
    pub reply: String,
    /// The number that stands in the first line of its headers; 0 for none.
    pub status: u16,
    /// Its number in the stream that it was read from; 0 for none.
    pub sequence: u64,
    /// What it says.
    pub payload: Vec<u8>,
    pub(super) sid: u64,
}

/// What is not in the protocol, or more than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Odd(pub(super) &'static str);

/// Bytes of a server until they are whole.
#[derive(Debug, Default)]
pub(super) struct Parser {
    buffer: Vec<u8>,
    /// What before it is done with.
    from: usize,
}

impl Parser {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.from > 0 {
            self.buffer.drain(..self.from);
            self.from = 0;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BYTES {
            self.buffer.shrink_to(KEPT_BYTES);
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether there are bytes that nobody looked at.
    pub(super) fn has_more(&self) -> bool {
        self.buffer.len() > self.from
    }

    /// The next thing that is whole.
    pub(super) fn next(&mut self) -> Result<Option<Op>, Odd> {
        loop {
            let rest = self.buffer.get(self.from..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return match rest.len() {
                    0..=LINE_BYTES_MAX => Ok(None),
                    _ => Err(Odd("a line without an end")),
                };
            };
            if end > LINE_BYTES_MAX {
                return Err(Odd("a very long line"));
            }
            let line = rest.get(..end).unwrap_or_default();
            let line = std::str::from_utf8(line).map_err(|_| Odd("a line that is not text"))?;
            let line = line.trim_end_matches('\r');
            let (word, words) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let is = |known: &str| word.eq_ignore_ascii_case(known);
            let op = if is("MSG") || is("HMSG") {
                let sizes = Sizes::of(words, is("HMSG"))?;
                let body = rest.get(end + 1..).unwrap_or_default();
                if body.len() < sizes.total + 2 {
                    return Ok(None);
                }
                let message = sizes.message(body)?;
                self.from += end + 1 + sizes.total + 2;
                return Ok(Some(Op::Message(message)));
            } else if is("INFO") {
                let info =
                    serde_json::from_str(words).map_err(|_| Odd("an INFO that is not JSON"))?;
                Some(Op::Info(info))
            } else if is("PING") {
                Some(Op::Ping)
            } else if is("PONG") {
                Some(Op::Pong)
            } else if is("-ERR") {
                let words = words.trim().trim_matches('\'');
                Some(Op::Error(safe_text::line(words, 200).into_owned()))
            } else if is("+OK") || line.is_empty() {
                None
            } else {
                return Err(Odd("a line of no known kind"));
            };
            self.from += end + 1;
            if op.is_some() {
                return Ok(op);
            }
        }
    }
}

/// What the line before a message says.
struct Sizes<'l> {
    subject: &'l str,
    sid: u64,
    reply: &'l str,
    headers: usize,
    total: usize,
}

impl<'l> Sizes<'l> {
    fn of(words: &'l str, has_headers: bool) -> Result<Self, Odd> {
        const NOT_SO: Odd = Odd("a message without its sizes");
        let mut all = words.split_ascii_whitespace();
        let mut next = || all.next().ok_or(NOT_SO);
        let (subject, sid) = (next()?, next()?);
        let rest: Vec<&str> = all.take(4).collect();
        let (reply, sizes) = match (rest.len(), has_headers) {
            (1, false) | (2, true) => ("", rest.as_slice()),
            (2, false) | (3, true) => (
                rest.first().copied().unwrap_or_default(),
                rest.get(1..).unwrap_or_default(),
            ),
            _ => return Err(NOT_SO),
        };
        let mut numbers = [0_usize; 2];
        for (number, text) in numbers.iter_mut().zip(sizes) {
            *number = text.parse().map_err(|_| NOT_SO)?;
        }
        let (headers, total) = match has_headers {
            true => (numbers[0], numbers[1]),
            false => (0, numbers[0]),
        };
        if total > PAYLOAD_BYTES_MAX || headers > HEADER_BYTES_MAX || headers > total {
            return Err(Odd("a message that is too large"));
        }
        Ok(Self {
            subject,
            sid: sid.parse().map_err(|_| NOT_SO)?,
            reply,
            headers,
            total,
        })
    }

    /// `body` holds the headers, the payload and the end of the line.
    fn message(&self, body: &[u8]) -> Result<Message, Odd> {
        if body.get(self.total..self.total + 2) != Some(b"\r\n") {
            return Err(Odd("a message that is longer than it says"));
        }
        let headers = body.get(..self.headers).unwrap_or_default();
        let payload = body.get(self.headers..self.total).unwrap_or_default();
        Ok(Message {
            subject: self.subject.to_owned(),
            reply: self.reply.to_owned(),
            status: status(headers),
            sequence: sequence(headers),
            payload: payload.to_owned(),
            sid: self.sid,
        })
    }
}

/// The number in `NATS/1.0 404 Message Not Found`.
fn status(headers: &[u8]) -> u16 {
    let line = headers
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let number = line.strip_prefix("NATS/1.0").map(str::trim_start);
    number
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .unwrap_or(0)
}

/// The number in `Nats-Sequence: 42`.
fn sequence(headers: &[u8]) -> u64 {
    let lines = headers.split(|byte| *byte == b'\n');
    let mut lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
    let number = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("nats-sequence");
        is_it.then(|| value.trim().parse().ok())?
    });
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_number_in_a_stream_stands_in_the_headers() {
        let headers = b"NATS/1.0\r\nNats-Stream: SW_HUBS\r\nNats-Sequence: 42\r\n\r\n";
        assert_eq!(sequence(headers), 42);
        assert_eq!(sequence(b"NATS/1.0 404 Message Not Found\r\n\r\n"), 0);
        assert_eq!(sequence(b"NATS/1.0\r\nnats-sequence:x\r\n\r\n"), 0);
    }

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Op>, Odd> {
        let mut parser = Parser::default();
        parser.feed(bytes);
        let mut ops = Vec::new();
        while let Some(op) = parser.next()? {
            ops.push(op);
        }
        Ok(ops)
    }

    fn message(subject: &str, sid: u64, reply: &str, status: u16, payload: &[u8]) -> Op {
        Op::Message(Message {
            subject: subject.to_owned(),
            reply: reply.to_owned(),
            status,
            sequence: 0,
            payload: payload.to_owned(),
            sid,
        })
    }

    const SAID: &[u8] = b"INFO {\"version\":\"2.9.10\",\"nonce\":\"n\",\"headers\":true,\"new\":[1]}\r\n+OK\r\nPING\r\n\
        MSG a.b 7 5\r\nhello\r\nMSG a.b 7 re.ply 0\r\n\r\nHMSG a 1 12 17\r\nNATS/1.0\r\n\r\nhello\r\n\
        HMSG a 1 re 33 33\r\nNATS/1.0 404 Message Not Found\r\n\r\n-ERR 'Authorization Violation'\r\npong\r\n";

    fn expected() -> Vec<Op> {
        vec![
            Op::Info(Box::new(Info {
                version: "2.9.10".to_owned(),
                nonce: "n".to_owned(),
                headers: true,
                ..Info::default()
            })),
            Op::Ping,
            message("a.b", 7, "", 0, b"hello"),
            message("a.b", 7, "re.ply", 0, b""),
            message("a", 1, "", 0, b"hello"),
        ]
    }

    #[test]
    fn a_conversation_is_read_however_it_is_cut() {
        let text = String::from_utf8_lossy(SAID).replace(
            "re 33 33\r\nNATS/1.0 404 Message Not Found\r\n\r\n",
            "re 34 34\r\nNATS/1.0 404 Message Not Found\r\n\r\n\r\n",
        );
        let said = text.as_bytes();
        let mut expected = expected();
        expected.push(message("a", 1, "re", 404, b""));
        expected.push(Op::Error("Authorization Violation".to_owned()));
        expected.push(Op::Pong);
        assert_eq!(all(said), Ok(expected.clone()));
        let mut parser = Parser::default();
        let mut ops = Vec::new();
        for byte in said {
            parser.feed(&[*byte]);
            while let Some(op) = parser.next().unwrap() {
                ops.push(op);
            }
        }
        assert_eq!(ops, expected);
    }

    #[test]
    fn what_is_too_large_or_odd_ends_it() {
        for odd in [
            "MSG a 1 655361\r\n",
            "MSG a 1 99999999999999999999999\r\n",
            "MSG a 1 -1\r\n",
            "MSG a x 1\r\n",
            "MSG a 1\r\n",
            "MSG a 1 b c 1\r\n",
            "HMSG a 1 6 5\r\n",
            "HMSG a 1 20000 30000\r\n",
            "MSG a 1 1\r\nxyz",
            "HELLO\r\n",
            "INFO {\r\n",
            "\u{ff}\r\n",
        ] {
            assert!(all(odd.as_bytes()).is_err(), "{odd}");
        }
        assert!(all(&[b'x'; LINE_BYTES_MAX + 1]).is_err());
        assert!(all(b"\xff\xfe\r\n").is_err());
        assert_eq!(all(b"MSG a 1 655360\r\n"), Ok(vec![]));
    }
}
