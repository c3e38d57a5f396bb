//! A mail server's answers, taken apart byte by byte: bounded, linear, and by their digits alone.

use crate::policy::outbox::refusal::Enhanced;

/// The bytes of one line. RFC 5321 section 4.5.3.1.5 says 512; servers that quote a whole address, a link and a
/// ticket send 2000.
pub const LINE_BYTES_MAX: usize = 4096;
/// The lines of one answer. EHLO of the longest-winded servers has 30; a greeting with a legal notice 60.
pub const LINES_MAX: usize = 128;
/// The bytes of one answer, so that many long lines do not add up.
pub const REPLY_BYTES_MAX: usize = 32 * 1024;
/// What is kept of an answer's text for a person.
const TEXT_BYTES_MAX: usize = 1200;

/// One whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The enhanced code, where it has one.
    pub enhanced: Option<Enhanced>,
    /// The text of each line without its code, whatever of it was no UTF-8 replaced.
    pub lines: Vec<String>,
}

impl Reply {
    /// Whether the server says yes.
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// Whether the server says no for good.
    pub const fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Code and text in one line: `550 5.1.1 no such user`.
    pub fn text(&self) -> String {
        let mut text = self.code.to_string();
        for line in &self.lines {
            if !line.is_empty() {
                text.push(' ');
                text.push_str(line);
            }
            if text.len() > TEXT_BYTES_MAX {
                break;
            }
        }
        text
    }
}

/// Why what came is not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// A line without an end. Where it is the last line of an answer, its digits are known all the same.
    #[error("the server sends a line of more than {LINE_BYTES_MAX} bytes, which is not SMTP")]
    Line {
        /// The code of the answer that it ends.
        decided: Option<u16>,
    },
    /// An answer without an end.
    #[error("the server sends an answer of more than {LINES_MAX} lines, which is not SMTP")]
    Lines,
    /// The same in bytes.
    #[error("the server sends an answer of more than {REPLY_BYTES_MAX} bytes, which is not SMTP")]
    Bytes,
    /// No three digits.
    #[error("the server sends a line without a code of three digits, which is not SMTP")]
    Form,
}

/// Collects the bytes of answers. Each byte is looked at once.
#[derive(Debug, Default)]
pub struct ReplyReader {
    bytes: Vec<u8>,
    /// Before this the bytes belong to lines that are done.
    begin: usize,
    /// Before this no line ends.
    looked: usize,
    code: u16,
    enhanced: Vec<(u16, Enhanced)>,
    lines: Vec<String>,
    size: usize,
}

impl ReplyReader {
    /// Takes in what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing is left: all that came was asked for.
    pub const fn is_empty(&self) -> bool {
        self.begin == self.bytes.len() && self.lines.is_empty()
    }

    /// The next whole answer, if it is there.
    ///
    /// # Errors
    /// When it is over the bounds, or not an answer.
    pub fn take(&mut self) -> Result<Option<Reply>, ReplyFault> {
        loop {
            let found = self.bytes[self.looked..].iter().position(|b| *b == b'\n');
            let Some(offset) = found else {
                self.looked = self.bytes.len();
                let line = &self.bytes[self.begin..];
                // Its line end may be half there.
                if line.len() > LINE_BYTES_MAX + 1 {
                    let decided = head(line).filter(|(_, goes_on, _)| !goes_on);
                    return Err(ReplyFault::Line {
                        decided: decided.map(|(code, _, _)| code),
                    });
                }
                // What is done is dropped at the end of an answer, once.
                return Ok(None);
            };
            let end = self.looked + offset;
            let goes_on = self.line(self.begin, end)?;
            self.begin = end + 1;
            self.looked = self.begin;
            if !goes_on {
                return Ok(Some(self.done()));
            }
        }
    }

    /// Takes a line; answers whether the next belongs to the same answer.
    fn line(&mut self, begin: usize, end: usize) -> Result<bool, ReplyFault> {
        let line = &self.bytes[begin..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.size += end - begin;
        let (code, goes_on, text) = head(line).ok_or(ReplyFault::Form)?;
        if line.len() > LINE_BYTES_MAX {
            let decided = (!goes_on).then_some(code);
            return Err(ReplyFault::Line { decided });
        }
        if self.size > REPLY_BYTES_MAX {
            return Err(ReplyFault::Bytes);
        }
        if self.lines.len() == LINES_MAX {
            return Err(ReplyFault::Lines);
        }
        self.code = code;
        self.enhanced
            .extend(Enhanced::parse(text).map(|enhanced| (code, enhanced)));
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        Ok(goes_on)
    }

    fn done(&mut self) -> Reply {
        self.bytes.drain(..self.begin);
        self.begin = 0;
        self.looked = 0;
        self.size = 0;
        let code = self.code;
        let enhanced = std::mem::take(&mut self.enhanced);
        Reply {
            code,
            enhanced: enhanced
                .into_iter()
                .find(|(of, _)| *of == code)
                .map(|(_, enhanced)| enhanced),
            lines: std::mem::take(&mut self.lines),
        }
    }
}

/// Code, whether more lines follow, and text of a line.
fn head(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(digits[0], b'2'..=b'5') {
        return None;
    }
    let code = digits
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some((code, false, rest)),
        Some((b'-', text)) => Some((code, true, text)),
        Some((b' ' | b'\t', text)) => Some((code, false, text)),
        Some((b'0'..=b'9', _)) => None,
        Some(_) => Some((code, false, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<Reply>, ReplyFault> {
        let mut whole = ReplyReader::default();
        whole.feed(bytes);
        let at_once = whole.take();
        // However it is cut, it means the same.
        let mut by_bytes = ReplyReader::default();
        let mut outcome = Ok(None);
        for byte in bytes {
            by_bytes.feed(&[*byte]);
            outcome = by_bytes.take();
            if !matches!(outcome, Ok(None)) {
                break;
            }
        }
        assert_eq!(outcome, at_once, "{:?}", bytes.get(..40));
        at_once
    }

    #[test]
    fn the_digits_decide() {
        for (bytes, want) in [
            (&b"250 ok\r\n"[..], "250 ok"),
            (b"250\r\n", "250"),
            (b"250 \r\n", "250"),
            (b"250\n", "250"),
            (b"250-\r\n250-\r\n250\r\n", "250"),
            (b"250-mx\r\n250 x\r\n", "250 mx x"),
            (b"250ok\r\n", "250 ok"),
            (b"250\tok\r\n", "250 ok"),
            (b"220-a\r\n220\r\n", "220 a"),
            (b"535 Error: \xc7\xeb\xca\xb9\r\n", "535"),
            (b"250 a\rb\r\n", "250 a\rb"),
            (b"250-a\r\n550 b\r\n", "550 a b"),
        ] {
            let reply = read(bytes).unwrap().unwrap();
            assert_eq!(reply.code.to_string(), want[..3]);
            if bytes.is_ascii() {
                assert_eq!(reply.text(), want);
            }
        }
        for bytes in [
            &b"hello\r\n"[..],
            b"\r\n",
            b"25\r\n",
            b"2500 x\r\n",
            b"150 x\r\n",
            b"650 x\n",
        ] {
            assert_eq!(read(bytes), Err(ReplyFault::Form), "{bytes:?}");
        }
        assert_eq!(read(b"250-a\r\n250 b"), Ok(None));
    }

    #[test]
    fn the_enhanced_code_is_that_of_the_answers_code() {
        let subject = |bytes: &[u8]| {
            let reply = read(bytes).unwrap().unwrap();
            reply
                .enhanced
                .map(|enhanced| (enhanced.subject, enhanced.detail))
        };
        assert_eq!(subject(b"550-5.1.1 no\r\n550 5.1.1 x\r\n"), Some((1, 1)));
        assert_eq!(subject(b"550-Blocked\r\n550 5.7.1 x\r\n"), Some((7, 1)));
        assert_eq!(subject(b"450-4.2.0 x\r\n550 y\r\n"), None);
        assert_eq!(subject(b"550 \xff 5.7.1\r\n"), None);
    }

    #[test]
    fn everything_is_bounded() {
        let long = |len: usize| [b"250 ", vec![b'x'; len].as_slice(), b"\r\n"].concat();
        assert!(read(&long(2000)).unwrap().is_some());
        assert!(read(&long(LINE_BYTES_MAX - 4)).unwrap().is_some());
        let decided = Err(ReplyFault::Line { decided: Some(250) });
        assert_eq!(read(&long(LINE_BYTES_MAX)), decided);
        assert_eq!(read(&long(100_000)), decided);
        let goes_on = [b"250-", vec![b'x'; 9000].as_slice()].concat();
        assert_eq!(read(&goes_on), Err(ReplyFault::Line { decided: None }));
        assert_eq!(
            read(&vec![b'x'; 9000]),
            Err(ReplyFault::Line { decided: None })
        );
        let lines = |count: usize| [b"250-\r\n".repeat(count), b"250 \r\n".to_vec()].concat();
        assert!(read(&lines(LINES_MAX - 1)).unwrap().is_some());
        assert_eq!(read(&lines(LINES_MAX)), Err(ReplyFault::Lines));
        let fat = [b"250-", vec![b'x'; 4000].as_slice(), b"\r\n"]
            .concat()
            .repeat(9);
        assert_eq!(read(&fat), Err(ReplyFault::Bytes));
    }

    #[test]
    fn what_is_left_over_shows() {
        let mut reader = ReplyReader::default();
        reader.feed(b"220 go\r\n250-e");
        assert_eq!(reader.take().unwrap().unwrap().code, 220);
        assert!(!reader.is_empty());
        let mut reader = ReplyReader::default();
        reader.feed(b"220 go\r\n");
        reader.take().unwrap();
        assert!(reader.is_empty());
    }
}
