//! Compression with a bound on what comes out.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::fields::WireError;

/// Compressed, with a checksum at the end.
pub(super) fn squeezed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::new(2));
    // A vector takes everything.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// What was compressed; at most `max` bytes are ever made.
pub(super) fn unsqueezed(bytes: &[u8], max: usize) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(3).min(max));
    let mut decoder = ZlibDecoder::new(bytes).take(max as u64 + 1);
    decoder
        .read_to_end(&mut out)
        .map_err(|_| WireError::Damaged("it cannot be decompressed"))?;
    if out.len() > max {
        return Err(WireError::Large(max));
    }
    let decoder = decoder.into_inner();
    match decoder.total_in() == bytes.len() as u64 {
        true => Ok(out),
        false => Err(WireError::Damaged("something follows its end")),
    }
}
