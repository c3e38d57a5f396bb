//! One check as it is judged, stored and printed.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::subject::SubjectKind;
use super::timestamp::Timestamp;

pub use super::failure::{Failure, FailureKind};

/// What one check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// When it began; grows strictly from check to check of a monitor.
    pub at: Timestamp,
    /// The verdict of this check alone.
    pub verdict: Verdict,
    /// The last status received, also when the chain broke later.
    pub status: Option<u16>,
    /// The way there. Shared, since most checks of a monitor go the same way.
    pub chain: Arc<Chain>,
    /// How long each redirect took, in the order of [`Chain::redirects`] (same length).
    pub redirect_times: Box<[Micros]>,
    /// Where the time went.
    pub timings: Timings,
    /// What the final answer came over.
    pub http_version: Option<HttpVersion>,
    /// Bytes of the body that arrived, after de-chunking and before decoding; at most `max_body`.
    pub body_bytes: u64,
    /// Retry-After in seconds.
    pub retry_after_s: Option<u32>,
    /// The peer's certificate, also when it was refused.
    pub certificate: Option<Arc<Certificate>>,
    /// The first bytes of a failing answer, for the mail; one safe text, masked. Not stored with checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Arc<str>>,
    /// Facts beside the verdict (a dead IPv6 address, a tolerated certificate fault). Not stored with checks.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub remarks: Box<[String]>,
    /// What its kind adds; `None` for HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extras: Option<Box<Extras>>,
}

impl Check {
    /// The kind of its subject.
    pub fn kind(&self) -> SubjectKind {
        SubjectKind::of_url(&self.chain.final_url).unwrap_or(SubjectKind::Http)
    }

    /// Whether it shows that a host was reached: the host answered in HTTP, took the connection, replied to a ping or
    /// to a query.
    pub fn has_reached(&self) -> bool {
        if self.status.is_some() {
            return true;
        }
        match (self.kind(), &self.verdict) {
            (SubjectKind::Http, _) | (_, Verdict::Unknown(_)) => false,
            (_, Verdict::Up | Verdict::Degraded(_)) => true,
            (SubjectKind::Tcp | SubjectKind::Tls, Verdict::Down(failure)) => {
                failure.kind.is_past_connect()
            }
            (SubjectKind::Icmp, Verdict::Down(_)) => {
                let packets = self.extras.as_ref().and_then(|extras| extras.packets);
                packets.is_some_and(|packets| packets.received > 0)
            }
            (SubjectKind::Dns, Verdict::Down(failure)) => failure.kind.is_answer_of_dns(),
        }
    }
}

/// The facts that some kinds of checks add. HTTP checks have none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Extras {
    /// Of `icmp://`: the echo requests and their replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Packets>,
    /// Of `dns://`: the records of the asked type, one safe text each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Box<[String]>>,
    /// With `addresses = "each"`: every address, in the order of the lookup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Box<[AddressCheck]>>,
    /// With `http = "offered"`: every version of HTTP that the site offers, HTTP/1.1 first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<Box<[VersionCheck]>>,
}

/// One version of HTTP, checked by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionCheck {
    /// What was spoken.
    pub version: HttpVersion,
    /// `unknown` where it was not judged.
    pub state: CheckState,
    /// The last status received.
    pub status: Option<u16>,
    /// Why it is not simply up.
    pub failure: Option<Failure>,
    /// How long its check took; `None` if there was none.
    pub total: Option<Micros>,
}

/// One address of a name, checked by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressCheck {
    /// Where it was connected to.
    pub addr: SocketAddr,
    /// `unknown` where it was not judged.
    pub state: CheckState,
    /// The last status received.
    pub status: Option<u16>,
    /// Why it is not simply up.
    pub failure: Option<Failure>,
    /// How long its check took; `None` if there was no time for one.
    pub total: Option<Micros>,
    /// The certificate that it showed.
    pub certificate: Option<Arc<Certificate>>,
}

/// Echo requests and their replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Requests that left.
    pub sent: u8,
    /// Replies that came in time.
    pub received: u8,
    /// The fastest round trip; `None` without a reply.
    pub min: Option<Micros>,
    /// The slowest one.
    pub max: Option<Micros>,
}

/// The redirects of a check and where they ended: interned in the database, a chain is stored once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Chain {
    /// Every answer that was followed or was to be followed, in order.
    pub redirects: Vec<Redirect>,
    /// The last URL that was requested.
    pub final_url: Arc<str>,
    /// The address that gave the last answer, or was tried last.
    pub remote_addr: Option<SocketAddr>,
}

impl Chain {
    /// The address that gave the last answer, as it is shown: a ping has no port.
    pub fn remote_shown(&self) -> Option<String> {
        self.remote_addr.map(|address| match address.port() {
            0 => address.ip().to_string(),
            _ => address.to_string(),
        })
    }
}

/// One answer that pointed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Redirect {
    /// The URL requested, without userinfo, masked.
    pub url: String,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The raw Location, masked.
    pub location: Option<String>,
    /// The address that answered.
    pub remote_addr: Option<SocketAddr>,
}

/// The verdict of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// As expected.
    Up,
    /// Good, with something to say: `slow` or `certificate_expiring`.
    Degraded(Failure),
    /// Not as expected.
    Down(Failure),
    /// Not a statement about the site: we were offline, or out of descriptors.
    Unknown(Failure),
}

impl Verdict {
    /// The verdict's word.
    pub const fn state(&self) -> CheckState {
        match self {
            Self::Up => CheckState::Up,
            Self::Degraded(_) => CheckState::Degraded,
            Self::Down(_) => CheckState::Down,
            Self::Unknown(_) => CheckState::Unknown,
        }
    }

    /// What was wrong, if anything.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Up => None,
            Self::Degraded(failure) | Self::Down(failure) | Self::Unknown(failure) => Some(failure),
        }
    }

    /// Up or degraded.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Up | Self::Degraded(_))
    }
}

/// The four words a check can end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As expected.
    Up,
    /// Good, with something to say.
    Degraded,
    /// Not as expected.
    Down,
    /// Nothing is known about the site.
    Unknown,
}

impl CheckState {
    /// All of them, in order of severity.
    pub const ALL: [Self; 4] = [Self::Up, Self::Degraded, Self::Down, Self::Unknown];

    /// The word itself, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Microseconds, up to 71 minutes: the resolution of all phase times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Micros(
    /// One more than the number, so that an absent phase takes no more room than one that happened.
    NonZeroU32,
);

impl Micros {
    /// The longest.
    pub const MAX: Self = Self(NonZeroU32::MAX);

    /// So many, at most [`Self::MAX`].
    pub const fn new(us: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(us))
    }

    /// From a duration, saturating.
    pub fn of(duration: Duration) -> Self {
        Self::new(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX))
    }

    /// How many.
    pub const fn get(self) -> u32 {
        self.0.get() - 1
    }

    /// In milliseconds.
    pub fn as_ms(self) -> f64 {
        f64::from(self.get()) / 1000.0
    }

    /// As a duration.
    pub const fn as_duration(self) -> Duration {
        Duration::from_micros(self.get() as u64)
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.get().saturating_add(other.get()))
    }
}

impl Default for Micros {
    fn default() -> Self {
        Self::new(0)
    }
}

impl From<u32> for Micros {
    fn from(us: u32) -> Self {
        Self::new(us)
    }
}

impl From<Micros> for u32 {
    fn from(time: Micros) -> Self {
        time.get()
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Micros").field(&self.get()).finish()
    }
}

/// Where the time of a check went; phases are summed over the chain, absent ones did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timings {
    /// Name to address.
    pub dns: Option<Micros>,
    /// TCP connection (a proxy's CONNECT included).
    pub connect: Option<Micros>,
    /// TLS handshake.
    pub tls: Option<Micros>,
    /// From there to the complete header.
    pub ttfb: Option<Micros>,
    /// From there to the last byte read.
    pub body: Option<Micros>,
    /// All of it, measured, not summed.
    pub total: Micros,
}

impl Timings {
    /// The phases with their names, in order, without the total.
    pub const fn phases(&self) -> [(&'static str, Option<Micros>); 5] {
        [
            ("dns", self.dns),
            ("connect", self.connect),
            ("tls", self.tls),
            ("ttfb", self.ttfb),
            ("body", self.body),
        ]
    }
}

/// What a server spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/1.0
    #[serde(rename = "HTTP/1.0")]
    Http10,
    /// HTTP/1.1
    #[serde(rename = "HTTP/1.1")]
    Http11,
    /// HTTP/2
    #[serde(rename = "HTTP/2")]
    Http2,
    /// HTTP/3
    #[serde(rename = "HTTP/3")]
    Http3,
}

impl HttpVersion {
    /// As in the status line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Http3 => "HTTP/3",
        }
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What of a certificate is worth remembering.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// The earliest end in the verified path; of the leaf where there is no such path.
    pub not_after: Timestamp,
    /// The beginning of the certificate that ends first: its lifetime bounds which expiry steps count.
    pub not_before: Timestamp,
    /// The leaf's subject, one safe line.
    pub subject: String,
    /// The leaf's issuer, one safe line.
    pub issuer: String,
    /// The first 8 bytes of the SHA-256 of the certificate that ends first: which one a step was mailed for.
    pub fingerprint: u64,
}
