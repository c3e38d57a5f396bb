//! Why a request was not answered, in one line without library's words or URLs.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::duration_text::Human;
use crate::tls::Recorder;
use crate::tls::words::of_service;

/// The name of a service has no address, or nobody says it.
#[derive(Debug, thiserror::Error)]
#[error("the name {0} has no address that can be found")]
pub(super) struct NoAddress(pub(super) String);

/// Errors are wrapped a few times; more is a circle.
const DEPTH_MAX: usize = 16;

/// What the connection shows of its host's certificates.
pub(super) struct Shown {
    /// It was there at the handshake.
    pub(super) recorder: Arc<Recorder>,
    /// The host.
    pub(super) host: String,
}

/// The innermost cause that says something.
pub(super) fn words(error: &reqwest::Error, shown: &Shown, within: Duration) -> String {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    let mut of_io = None;
    for _ in 0..DEPTH_MAX {
        let Some(current) = next else { break };
        if let Some(name) = current.downcast_ref::<NoAddress>() {
            return name.to_string();
        }
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return of_service(&shown.recorder.take(), tls, &shown.host);
        }
        if let Some(io) = current.downcast_ref::<io::Error>() {
            of_io = Some(io.kind());
            // An error may hide in another one's custom part, where `source` does not show it.
            if let Some(inner) = io.get_ref() {
                next = Some(inner);
                continue;
            }
        }
        next = current.source();
    }
    if error.is_timeout() {
        return format!("no connection within {}", Human(within));
    }
    let said = match of_io {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused",
        Some(io::ErrorKind::ConnectionReset) => "the connection was reset",
        Some(io::ErrorKind::TimedOut) => "nobody answers at the address",
        Some(io::ErrorKind::HostUnreachable) => "the host cannot be reached",
        Some(io::ErrorKind::NetworkUnreachable) => "the network cannot be reached",
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
            "the connection was closed"
        }
        _ if error.is_connect() => "no connection could be made",
        _ => "the connection was closed, or the answer is not HTTP",
    };
    said.to_owned()
}
