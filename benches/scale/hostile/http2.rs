//! Hostile servers of HTTP/2: a true handshake, the first frames in order, and then games.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use rustls::ServerConfig;

use super::tls::{self, Session};

/// So much is written before it is sent.
const BATCH_BYTES: usize = 64 * 1024;

const HEADERS: u8 = 1;
const WINDOW_UPDATE: u8 = 8;

/// What the client may have sent of the connection and of its stream before it is told more.
const WINDOW_BYTES: usize = 65_535;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    [
        &length.to_be_bytes()[1..],
        &[kind, flags],
        &stream.to_be_bytes(),
        payload,
    ]
    .concat()
}

/// A connection on which the request has come.
struct Two {
    session: Session,
    heard: Vec<u8>,
}

impl Two {
    fn open(stream: &TcpStream) -> io::Result<Self> {
        static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
        let config = CONFIG.get_or_init(|| {
            let mut config = tls::config(tls::signed_by_itself());
            config.alpn_protocols = vec![b"h2".to_vec()];
            Arc::new(config)
        });
        let mut two = Self {
            session: Session::open(stream, config)?,
            heard: Vec::new(),
        };
        two.session.say(&frame(4, 0, 0, &[]))?;
        // The preface, which is no frame.
        while two.heard.len() < 24 {
            two.session.hear(&mut two.heard)?;
        }
        two.heard.drain(..24);
        while two.next()?.0 != HEADERS {}
        Ok(two)
    }

    /// Kind and payload of the next frame.
    fn next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            if let Some([a, b, c, kind, ..]) = self.heard.get(..9) {
                let end = 9 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
                let kind = *kind;
                if self.heard.len() >= end {
                    let payload = self.heard[9..end].to_vec();
                    self.heard.drain(..end);
                    return Ok((kind, payload));
                }
            }
            self.session.hear(&mut self.heard)?;
        }
    }

    /// These frames for ever; what the client answers is thrown away, so that it never has to wait with it.
    fn flood(mut self, stream: &TcpStream, again: &[u8]) -> io::Result<()> {
        let mut answers = stream.try_clone()?;
        std::thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
        let batch = again.repeat((BATCH_BYTES / again.len()).max(1));
        loop {
            self.session.say(&batch)?;
        }
    }
}

fn flood(stream: &TcpStream, first: &[u8], again: &[u8]) -> io::Result<()> {
    let mut two = Two::open(stream)?;
    two.session.say(first)?;
    two.flood(stream, again)
}

/// `:status 200` without the end of the headers.
fn begun() -> Vec<u8> {
    frame(HEADERS, 0, 1, &[0x88])
}

/// A field that is not indexed.
fn field() -> Vec<u8> {
    [&[0, 5][..], b"x-pad", &[10], b"1234567890"].concat()
}

/// A header that goes on in CONTINUATION frames.
pub(super) fn continuation(stream: &mut TcpStream) -> io::Result<()> {
    flood(stream, &begun(), &frame(9, 0, 1, &field().repeat(10)))
}

/// The same, and nothing in them.
pub(super) fn empty_continuation(stream: &mut TcpStream) -> io::Result<()> {
    flood(stream, &begun(), &frame(9, 0, 1, &[]))
}

/// PING, each of which asks for an answer.
pub(super) fn pings(stream: &mut TcpStream) -> io::Result<()> {
    flood(stream, &[], &frame(6, 0, 0, &[7; 8]))
}

/// SETTINGS, likewise: the size of the table of header fields up and down.
pub(super) fn settings(stream: &mut TcpStream) -> io::Result<()> {
    let sizes = [
        frame(4, 0, 0, &[0, 1, 0, 0, 0, 0]),
        frame(4, 0, 0, &[0, 1, 0, 0, 16, 0]),
    ];
    flood(stream, &[], &sizes.concat())
}

/// WINDOW_UPDATE of the stream and of the connection, by one byte.
pub(super) fn window_updates(stream: &mut TcpStream) -> io::Result<()> {
    let both = [
        frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
    ];
    flood(stream, &[], &both.concat())
}

/// Interim answers.
pub(super) fn interim(stream: &mut TcpStream) -> io::Result<()> {
    let block = [&[8, 3][..], b"103", &field()].concat();
    flood(stream, &[], &frame(HEADERS, 4, 1, &block))
}

/// Frames of a kind that nobody knows, without content.
pub(super) fn unknown_frames(stream: &mut TcpStream) -> io::Result<()> {
    flood(stream, &[], &frame(0xee, 0, 0, &[]))
}

/// PRIORITY of streams that do not exist.
pub(super) fn priorities(stream: &mut TcpStream) -> io::Result<()> {
    flood(stream, &[], &frame(2, 0, 3, &[0, 0, 0, 0, 1]))
}

/// A header of a few KiB that unpacks to 50 MB: one field of 4 000 bytes, named 12 000 times.
pub(super) fn unpacking_header(stream: &mut TcpStream) -> io::Result<()> {
    let value = [b'v'; 4000];
    // 4 000 is 127 and 3 873, which is 33 and 30 times 128 (RFC 7541 section 5.1).
    let mut block = [&[0x88, 0x40, 1, b'x', 127, 33 | 0x80, 30][..], &value].concat();
    block.extend([0xbe; 12_000]);
    let mut two = Two::open(stream)?;
    two.session.say(&frame(HEADERS, 4, 1, &block))?;
    let ping = frame(6, 0, 0, &[7; 8]);
    two.flood(stream, &ping)
}

/// DATA without content.
pub(super) fn empty_data(stream: &mut TcpStream) -> io::Result<()> {
    let head = frame(HEADERS, 4, 1, &[0x88]);
    flood(stream, &head, &frame(0, 0, 1, &[]))
}

/// A body whose bytes come in a frame each, for as long as the client gives room.
pub(super) fn data_of_one_byte(stream: &mut TcpStream) -> io::Result<()> {
    let mut two = Two::open(stream)?;
    two.session.say(&frame(HEADERS, 4, 1, &[0x88]))?;
    let one = frame(0, 0, 1, b"a");
    // Of the connection, and of the stream, which the client may tell another size of.
    let mut room = [WINDOW_BYTES; 2];
    loop {
        let next = room[0].min(room[1]).min(BATCH_BYTES / one.len());
        if next > 0 {
            two.session.say(&one.repeat(next))?;
            room = room.map(|room| room - next);
            continue;
        }
        let (kind, payload) = two.next()?;
        if let (WINDOW_UPDATE, [a, b, c, d]) = (kind, payload.as_slice()) {
            let more = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            // Whichever it is of, the client opens both by the same.
            let place = usize::from(room[0] > room[1]);
            room[place] += more;
        }
    }
}
