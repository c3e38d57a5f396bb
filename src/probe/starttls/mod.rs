//! The dialogues before TLS: a server is asked for it in its own protocol, in clear.
//!
//! Each protocol has a file. [`dialogue`] is what they share: a stream that is read within bounds, and the rule that
//! nothing may follow the server's go-ahead.

mod dialogue;
mod ftp;
mod imap;
mod ldap;
mod mysql;
mod pop3;
mod postgres;
mod replies;
mod smtp;
mod upgrade;
mod xmpp;

pub(super) use dialogue::UpgradeFault;
pub(super) use upgrade::upgrade;
