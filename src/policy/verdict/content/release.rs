//! Gives large buffers back to the system in pieces.

/// The system keeps a process's other threads from asking for memory while it takes some back: for 64 MiB that is
/// several milliseconds, for this a tenth of one.
const PIECE_BYTES: usize = 1024 * 1024;

/// Drops a buffer, piece by piece if it is large.
pub fn release(mut bytes: Vec<u8>) {
    while bytes.len() > PIECE_BYTES {
        bytes.truncate(bytes.len() - PIECE_BYTES);
        bytes.shrink_to_fit();
    }
}
