//! Takes content codings off a body, within bounds of output, window and memory.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use encoding_rs::Encoding;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::release::release;
use crate::domain::probe::Answer;
use crate::domain::safe_text;

/// More codings on one body are an attack, not a site.
const CODINGS_MAX: usize = 3;

/// What a zstd frame may ask to be remembered: more must not be sent to a browser (RFC 9659). Our decoder gives nothing
/// out before that is full.
const ZSTD_WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The largest window of brotli (RFC 7932 section 9.1), which is reserved whole.
const BROTLI_WINDOW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most gzip or zstd streams in one body. Setting up the decoder for a stream costs more than its bytes do.
const STREAMS_MAX: usize = 4096;

/// Room for decoded bytes grows by this much at least.
const GROWTH_BYTES: usize = 64 * 1024;

/// How decoded bytes end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) enum Tail {
    /// With the body itself.
    Whole,
    /// At the limit of what is read; the body went on.
    Limit,
    /// Where a content coding breaks off or is corrupt. One clause that fits after "within the first 5 bytes, and".
    Broken(String),
    /// With a coding that is not taken off. The clause fits there as well.
    Refused(String),
}

/// The names of an answer's content codings in the order in which they were applied.
pub(in crate::policy) fn named(answer: &Answer) -> Vec<String> {
    let mut codings = Vec::new();
    for (name, value) in &answer.headers {
        if name.eq_ignore_ascii_case("content-encoding") {
            let value = String::from_utf8_lossy(value).to_ascii_lowercase();
            codings.extend(
                value
                    .split(',')
                    .map(|coding| coding.trim().to_owned())
                    .filter(|coding| !coding.is_empty() && !changes_nothing(coding)),
            );
        }
    }
    codings
}

/// Whether a word that stands as a content coding leaves the body as it is. Only `identity` is a coding (RFC 9110
/// section 8.4.1); servers also write charsets and transfer encodings there, and browsers pass over them.
fn changes_nothing(word: &str) -> bool {
    const WORDS: [&str; 7] = [
        "identity",
        "none",
        "binary",
        "8bit",
        "7bit",
        "chunked",
        "aws-chunked",
    ];
    WORDS.contains(&word) || Encoding::for_label(word.as_bytes()).is_some()
}

/// Takes the codings off, the last one first, to at most `max` bytes. `is_cut`: the body itself was not read to its
/// end.
pub(crate) fn decoded<'b>(
    codings: &[String],
    body: Cow<'b, [u8]>,
    is_cut: bool,
    max: usize,
) -> (Cow<'b, [u8]>, Tail) {
    let mut tail = if is_cut { Tail::Limit } else { Tail::Whole };
    let mut bytes = body;
    if bytes.is_empty() || codings.is_empty() {
        return (bytes, tail);
    }
    if codings.len() > CODINGS_MAX {
        let why = format!(
            "the body has {} content codings, more than the {CODINGS_MAX} that are taken off",
            codings.len()
        );
        return (Cow::Owned(Vec::new()), Tail::Refused(why));
    }
    for coding in codings.iter().rev() {
        let mut out = Out {
            bytes: Vec::new(),
            max,
        };
        let stop = match coding.as_str() {
            "gzip" | "x-gzip" => gzip(&bytes, &mut out),
            "deflate" => deflate(&bytes, &mut out),
            "br" => brotli(&bytes, &mut out),
            "zstd" => zstd(&bytes, &mut out),
            other => {
                // Browsers show such a body as it came, which is what it mostly is.
                let why = format!(
                    "the body's content coding `{}` is unknown",
                    safe_text::line(other, 40)
                );
                let tail = match tail {
                    Tail::Whole | Tail::Limit => Tail::Refused(why),
                    earlier => earlier,
                };
                return (bytes, tail);
            }
        };
        // The first coding that did not end well is why the next ones could not.
        tail = match (tail, stop) {
            (Tail::Whole, Ok(())) => Tail::Whole,
            (Tail::Whole | Tail::Limit, Err(Stop::Full)) => Tail::Limit,
            (Tail::Whole, Err(Stop::End)) => {
                Tail::Broken(format!("the body's {coding} coding breaks off there"))
            }
            (Tail::Whole | Tail::Limit, Err(Stop::Corrupt)) => {
                Tail::Broken(format!("the body's {coding} coding is corrupt there"))
            }
            (Tail::Whole | Tail::Limit, Err(Stop::Refused(why))) => Tail::Refused(why),
            // What was cut before it was decoded ends in the middle of its coding, through no fault of it.
            (Tail::Limit, Ok(()) | Err(Stop::End)) => Tail::Limit,
            (earlier @ (Tail::Broken(_) | Tail::Refused(_)), _) => earlier,
        };
        if let Cow::Owned(coded) = std::mem::replace(&mut bytes, Cow::Owned(out.bytes)) {
            release(coded);
        }
        if bytes.is_empty() {
            break;
        }
    }
    (bytes, tail)
}

/// Why a decoder stopped before its end.
enum Stop {
    /// There is no room for more.
    Full,
    /// The coded bytes end too early.
    End,
    /// They are not of that coding.
    Corrupt,
    Refused(String),
}

/// Decoded bytes, `max` at most.
struct Out {
    bytes: Vec<u8>,
    max: usize,
}

impl Out {
    fn push(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let taken = piece.len().min(self.max - self.bytes.len());
        let needed = self.bytes.len() + taken;
        if needed > self.bytes.capacity() {
            // Never more than the limit, whatever doubling would ask for.
            let wished = (2 * self.bytes.len())
                .max(GROWTH_BYTES)
                .clamp(needed, self.max.max(needed));
            self.bytes
                .try_reserve_exact(wished - self.bytes.len())
                .map_err(|_| no_memory())?;
        }
        self.bytes.extend_from_slice(&piece[..taken]);
        match taken < piece.len() {
            true => Err(Stop::Full),
            false => Ok(()),
        }
    }

    /// Reads a decoder to its end.
    fn drain(&mut self, mut decoder: impl Read) -> Result<(), Stop> {
        let mut buffer = [0u8; 8192];
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.push(&buffer[..count])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(Stop::End),
                Err(_) => return Err(Stop::Corrupt),
            }
        }
    }
}

fn no_memory() -> Stop {
    Stop::Refused("this host has no memory to decode more of the body".to_owned())
}

fn too_many(what: &str) -> Stop {
    Stop::Refused(format!("the body is more than {STREAMS_MAX} {what}"))
}

fn gzip(body: &[u8], out: &mut Out) -> Result<(), Stop> {
    if !body
        .iter()
        .zip([0x1f, 0x8b])
        .all(|(byte, want)| *byte == want)
    {
        return Err(Stop::Corrupt);
    }
    let mut rest = body;
    for _ in 0..STREAMS_MAX {
        let mut decoder = flate2::bufread::GzDecoder::new(rest);
        out.drain(&mut decoder)?;
        rest = decoder.into_inner();
        // Whatever stands behind a complete stream and is none itself is padding, or a line break of the page's maker:
        // browsers ignore it.
        if !rest.starts_with(&[0x1f, 0x8b, 8]) {
            return Ok(());
        }
    }
    Err(too_many("gzip streams"))
}

fn deflate(body: &[u8], out: &mut Out) -> Result<(), Stop> {
    // RFC 9110 means zlib; some servers send the bare stream.
    match out.drain(flate2::bufread::ZlibDecoder::new(body)) {
        Err(Stop::Corrupt | Stop::End) if out.bytes.is_empty() && !is_zlib(body) => {
            out.drain(flate2::bufread::DeflateDecoder::new(body))
        }
        ended => ended,
    }
}

/// Whether the first two bytes are a header of zlib's (RFC 1950 section 2.2).
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8
        && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

fn brotli(body: &[u8], out: &mut Out) -> Result<(), Stop> {
    // The decoder would end the process where there is no memory for its window.
    if Vec::<u8>::new()
        .try_reserve_exact(BROTLI_WINDOW_BYTES_MAX + GROWTH_BYTES)
        .is_err()
    {
        return Err(no_memory());
    }
    if body.first().is_some_and(|first| first & 0x7f == 0x11) {
        return Err(Stop::Refused(
            "its brotli coding has a large window, which browsers refuse as well".to_owned(),
        ));
    }
    let mut state = BrotliState::new_strict(
        StandardAlloc::default(),
        StandardAlloc::default(),
        StandardAlloc::default(),
    );
    let mut buffer = [0u8; 8192];
    let (mut left, mut at, mut total) = (body.len(), 0, 0);
    loop {
        let (mut room, mut given) = (buffer.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            body,
            &mut room,
            &mut given,
            &mut buffer,
            &mut total,
            &mut state,
        );
        out.push(&buffer[..given])?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess => return Ok(()),
            BrotliResult::NeedsMoreInput => return Err(Stop::End),
            BrotliResult::ResultFailure => return Err(Stop::Corrupt),
        }
    }
}

fn zstd(body: &[u8], out: &mut Out) -> Result<(), Stop> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(ZSTD_WINDOW_BYTES_MAX);
    let mut rest = body;
    let mut had_one = false;
    for _ in 0..STREAMS_MAX {
        match rest.get(..4) {
            // RFC 8878 section 3.1.2: frames that hold nothing for us.
            Some([0x50..=0x5f, 0x2a, 0x4d, 0x18]) => {
                let length = rest.get(4..8).and_then(|it| it.try_into().ok());
                let length = u32::from_le_bytes(length.ok_or(Stop::End)?);
                let behind = usize::try_from(length)
                    .unwrap_or(usize::MAX)
                    .saturating_add(8);
                rest = rest.get(behind..).ok_or(Stop::End)?;
            }
            Some([0x28, 0xb5, 0x2f, 0xfd]) => {
                zstd_frame(&mut decoder, &mut rest, out)?;
            }
            // As behind a gzip stream.
            _ if had_one => return Ok(()),
            None => return Err(Stop::End),
            Some(_) => return Err(Stop::Corrupt),
        }
        had_one = true;
    }
    Err(too_many("zstd frames"))
}

fn zstd_frame(decoder: &mut FrameDecoder, rest: &mut &[u8], out: &mut Out) -> Result<(), Stop> {
    decoder.reset(&mut *rest).map_err(|error| match error {
        FrameDecoderError::WindowSizeTooBig { requested, .. } => Stop::Refused(format!(
            "its zstd coding has a window of {} MiB, more than the 8 MiB that browsers take (RFC 9659)",
            requested.div_ceil(1024 * 1024)
        )),
        FrameDecoderError::DictNotProvided { .. } => {
            Stop::Refused("its zstd coding needs a dictionary".to_owned())
        }
        _ if rest.is_empty() => Stop::End,
        _ => Stop::Corrupt,
    })?;
    while !decoder.is_finished() {
        // Block by block: what was decoded and not given out is never more than the window and a block.
        let broken = decoder
            .decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBlocks(1))
            .err()
            .map(|_| {
                if rest.is_empty() {
                    Stop::End
                } else {
                    Stop::Corrupt
                }
            });
        if broken.is_some() && !decoder.is_finished() {
            // It holds its window back until the frame ends, so an empty last block ends it.
            let end: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];
            let _ = decoder.decode_blocks(&end[..], BlockDecodingStrategy::UptoBlocks(1));
        }
        let mut full = Ok(());
        let mut sink = Sink {
            out,
            full: &mut full,
        };
        let _ = decoder.collect_to_writer(&mut sink);
        full?;
        if let Some(stop) = broken {
            return Err(stop);
        }
    }
    match (
        decoder.get_checksum_from_data(),
        decoder.get_calculated_checksum(),
    ) {
        (Some(written), Some(counted)) if written != counted => Err(Stop::Corrupt),
        _ => Ok(()),
    }
}

/// Takes what a decoder writes.
struct Sink<'o, 'f> {
    out: &'o mut Out,
    full: &'f mut Result<(), Stop>,
}

impl std::io::Write for Sink<'_, '_> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        if let Err(stop) = self.out.push(piece) {
            *self.full = Err(stop);
            return Err(ErrorKind::WriteZero.into());
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
