//! Mail against a scripted server: every way to be refused, left hanging or cut off.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod answers;
mod fuzz;
mod outbox;
pub(crate) mod server;
mod sharing;
mod starttls;
mod steps;
