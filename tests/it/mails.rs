//! Every mail as a whole, text and HTML, and what hostile sites can do to them: nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod commands;
mod hostile;
mod kinds;
pub mod samples;
mod whole;
