//! Mail against a scripted server: every way to be refused, left hanging or cut off.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod outbox;
mod server;
mod steps;
