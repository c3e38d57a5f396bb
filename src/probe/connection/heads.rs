//! Follows the headers of an answer byte by byte and says when they cost too much: interim answers first, then the
//! answer's own. It judges nothing else; hyper does.

use super::limits::{Excess, FIELD_BYTES_MAX, FIELDS_MAX, HEADER_BYTES_MAX, INTERIM_MAX};

/// `HTTP/1.1 100`: so much of a status line tells whether it is an interim answer's.
const STATUS_BYTES: usize = 12;

/// Where in the headers of an answer we are.
#[derive(Debug, Default)]
pub(super) struct Heads {
    is_over: bool,
    interim: usize,
    bytes: usize,
    /// Of this header.
    fields: usize,
    /// Of this field, with its continuation lines.
    field_bytes: usize,
    /// Of this line, without its end.
    line_bytes: usize,
    /// The first bytes of this header's status line; complete once `has_status`.
    status: [u8; STATUS_BYTES],
    has_status: bool,
    /// The first and the last byte of this line.
    edges: (u8, u8),
}

impl Heads {
    /// Whether the answer's own header is complete.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes what came next; what belongs to the body is not looked at.
    ///
    /// # Errors
    /// The limit that it passes.
    pub(super) fn feed(&mut self, mut piece: &[u8]) -> Result<(), Excess> {
        while !self.is_over && !piece.is_empty() {
            let end = piece.iter().position(|byte| *byte == b'\n');
            let line = &piece[..end.unwrap_or(piece.len())];
            self.extend_line(line)?;
            let Some(end) = end else { break };
            self.bytes += 1;
            self.end_line()?;
            piece = &piece[end + 1..];
        }
        Ok(())
    }

    fn extend_line(&mut self, piece: &[u8]) -> Result<(), Excess> {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else {
            return Ok(());
        };
        if self.line_bytes == 0 {
            self.edges.0 = *first;
            // A line that begins with a blank goes on with the field before.
            if !matches!(first, b' ' | b'\t') {
                self.field_bytes = 0;
            }
        }
        self.edges.1 = *last;
        if !self.has_status
            && let Some(room) = self.status.get_mut(self.line_bytes..)
        {
            let taken = room.len().min(piece.len());
            room[..taken].copy_from_slice(&piece[..taken]);
        }
        self.line_bytes += piece.len();
        self.field_bytes += piece.len();
        self.bytes += piece.len();
        if self.bytes > HEADER_BYTES_MAX {
            return Err(Excess::HeaderBytes);
        }
        if self.field_bytes > FIELD_BYTES_MAX {
            return Err(Excess::FieldBytes);
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Excess> {
        let length = self.line_bytes;
        self.line_bytes = 0;
        if self.bytes > HEADER_BYTES_MAX {
            return Err(Excess::HeaderBytes);
        }
        let is_blank = length == 0 || (length == 1 && self.edges.1 == b'\r');
        if !self.has_status {
            // Blank lines before a status line count for nothing but their bytes.
            self.has_status = !is_blank;
            return Ok(());
        }
        if is_blank {
            return self.end_head();
        }
        if !matches!(self.edges.0, b' ' | b'\t') {
            self.fields += 1;
            if self.fields > FIELDS_MAX {
                return Err(Excess::Fields);
            }
        }
        Ok(())
    }

    fn end_head(&mut self) -> Result<(), Excess> {
        if !is_interim(&self.status) {
            self.is_over = true;
            return Ok(());
        }
        self.interim += 1;
        if self.interim > INTERIM_MAX {
            return Err(Excess::Interim);
        }
        self.has_status = false;
        self.status = [0; STATUS_BYTES];
        self.fields = 0;
        Ok(())
    }
}

/// Whether another header follows: 101 is the last one of its connection.
fn is_interim(status: &[u8; STATUS_BYTES]) -> bool {
    matches!(status, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', b'1', tens, ones]
        if tens.is_ascii_digit() && ones.is_ascii_digit() && (*tens, *ones) != (b'0', b'1'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fed whole, byte by byte and in pieces of seven it comes out the same.
    fn fed(text: &str) -> String {
        let told = |size: usize| {
            let mut heads = Heads::default();
            for piece in text.as_bytes().chunks(size) {
                if let Err(excess) = heads.feed(piece) {
                    return format!("{excess:?}");
                }
            }
            format!(
                "{} {} {}",
                if heads.is_over() { "over" } else { "open" },
                heads.interim,
                heads.fields
            )
        };
        let whole = told(text.len().max(1));
        assert_eq!(told(1), whole, "{:.80}", text);
        assert_eq!(told(7), whole, "{:.80}", text);
        whole
    }

    #[test]
    fn headers_end_where_hyper_ends_them() {
        for (text, want) in [
            ("", "open 0 0"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", "open 0 1"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\n\nmore", "over 0 1"),
            ("HTTP/1.1 200 OK\nA: b\n\nbody", "over 0 1"),
            ("\r\n\n\r\nHTTP/1.1 200 OK\r\n\r\n", "over 0 0"),
            (
                "HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\td\r\nE:\r\n\r\n",
                "over 0 2",
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                "over 1 0",
            ),
            ("HTTP/1.0 103\nLink: x\n\n\nHTTP/1.1 200 OK\n", "open 1 0"),
            ("HTTP/1.1 101 Switching\r\n\r\n", "over 0 0"),
            ("<html>\n\n", "over 0 0"),
        ] {
            assert_eq!(fed(text), want, "{text:?}");
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let interim = |count| "HTTP/1.1 102 Processing\r\n\r\n".repeat(count);
        assert_eq!(fed(&interim(INTERIM_MAX)), "open 100 0");
        assert_eq!(fed(&interim(INTERIM_MAX + 1)), "Interim");
        let fields = |count| format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(count));
        assert_eq!(fed(&fields(FIELDS_MAX)), "open 0 400");
        assert_eq!(fed(&fields(FIELDS_MAX + 1)), "Fields");
        let field = |bytes| format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(bytes));
        assert_eq!(fed(&field(FIELD_BYTES_MAX - 3)), "open 0 0");
        assert_eq!(fed(&field(FIELD_BYTES_MAX - 2)), "FieldBytes");
        let folded = format!(
            "HTTP/1.1 200 OK\r\nA: b\r\n{}",
            " c\r\n".repeat(FIELD_BYTES_MAX / 3 + 1)
        );
        assert_eq!(fed(&folded), "FieldBytes");
        let large = format!("HTTP/1.1 103 X\r\nA: {}\r\n\r\n", "b".repeat(100 * 1024)).repeat(5);
        assert_eq!(fed(&large), "HeaderBytes");
        assert_eq!(fed(&"\r\n".repeat(HEADER_BYTES_MAX)), "HeaderBytes");
        assert_eq!(fed(&"a".repeat(FIELD_BYTES_MAX + 1)), "FieldBytes");
    }
}
