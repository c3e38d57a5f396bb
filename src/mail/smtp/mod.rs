//! SMTP, command by command, so that each answer is known by its command.
//!
//! lettre makes messages, commands and responses to logins. Its own conversation does not tell at which command a
//! refusal came, has no bounds for what a server sends, and keeps what came in clear when TLS begins.

mod channel;
mod client;
mod connect;
mod hello;
mod login;
pub mod reply;
mod step;

pub use client::{Envelope, Line, Smtp, SmtpSetupError};
