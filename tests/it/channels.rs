//! What channels send, each format as a whole, and what hostile sites can do to it: nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

pub mod channel;
mod docs;
mod hostile;
mod whole;
