//! What a probe saw, by the kind of its subject, before anybody judged it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::check::{Certificate, FailureKind, HttpVersion, Packets, Timings};
use super::probe::{End, Probe, RootEnd};
use super::timestamp::Timestamp;

/// What one probe saw.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most checks are of HTTP, and what they saw is moved, not allocated"
)]
pub enum Observed {
    /// Of `http://` and `https://`.
    Http(Probe),
    /// Of `tcp://` and `tls://`.
    Socket(Box<SocketProbe>),
    /// Of `icmp://`.
    Pings(Box<PingProbe>),
    /// Of `dns://`.
    Answers(Box<AnswersProbe>),
}

impl Observed {
    /// The version of HTTP that the last hop spoke or had agreed on; `None` if it never came so far.
    pub fn spoke(&self) -> Option<HttpVersion> {
        let Self::Http(probe) = self else {
            return None;
        };
        match &probe.end {
            End::Answered(answer) => Some(answer.http_version),
            End::Failed {
                header: Some(answer),
                ..
            } => Some(answer.http_version),
            End::Failed { header: None, .. } | End::Refused { .. } => probe.agreed,
        }
    }
}

/// Echo requests and what came of them.
#[derive(Debug, Clone)]
pub struct PingProbe {
    /// Wall time of the first DNS query.
    pub started: Timestamp,
    /// As `total` the median round trip; without a reply monotonic time to the end.
    pub timings: Timings,
    /// The address that was pinged, with port 0.
    pub remote_addr: Option<SocketAddr>,
    /// What was sent and came back; `None` if nothing could be sent.
    pub packets: Option<Packets>,
    /// Why there is no reply: the kind, and one line for a person.
    pub fault: Option<(FailureKind, String)>,
}

/// A question to a name server and what it said.
#[derive(Debug, Clone)]
pub struct AnswersProbe {
    /// Wall time of the question.
    pub started: Timestamp,
    /// Monotonic time from there to the answer.
    pub timings: Timings,
    /// The server that answered, or was asked first.
    pub remote_addr: Option<SocketAddr>,
    /// The records of the type that was asked for, at least one, in their text form; else the kind of failure and one
    /// line for a person.
    pub answers: Result<Vec<String>, (FailureKind, String)>,
}

/// A connection, perhaps with TLS, and what the server said.
#[derive(Debug, Clone)]
pub struct SocketProbe {
    /// Wall time of the first DNS query.
    pub started: Timestamp,
    /// Monotonic time from there to the end, and the phases.
    pub timings: Timings,
    /// The address that was connected to, or was tried first.
    pub remote_addr: Option<SocketAddr>,
    /// The certificate that was shown.
    pub certificate: Option<Arc<Certificate>>,
    /// The trusted root of that certificate's path, where it ends before all else in it.
    pub root: Option<Arc<RootEnd>>,
    /// Facts beside the verdict, one line each.
    pub remarks: Vec<String>,
    /// How it ended.
    pub end: SocketEnd,
    /// The first bytes that the server said.
    pub heard: Vec<u8>,
    /// How many bytes of what it said were read.
    pub heard_bytes: u64,
}

/// How a visit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketEnd {
    /// All that was wanted happened.
    Met,
    /// The server said something, and the pattern does not match it.
    Unmatched(Silence),
    /// It broke before.
    Failed {
        /// Which phase broke, and how.
        kind: FailureKind,
        /// One line for a person.
        detail: String,
    },
}

/// Why nothing more was read of a server that spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It closed the connection.
    Closed,
    /// It reset the connection.
    Reset,
    /// The time was over.
    Timeout,
    /// It said `max_body` bytes.
    Full,
}
