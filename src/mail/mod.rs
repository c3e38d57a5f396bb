//! How a mail leaves: over SMTP, into a directory of .eml files, or, in tests, into memory.

pub mod directory;
pub mod mailer;
pub mod memory;
pub mod message;
mod outgoing;
pub mod smtp;
