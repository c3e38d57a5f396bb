//! `tcp://HOST:PORT` and `tls://HOST:PORT`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use super::url_parts::HostPort;
use crate::domain::connect_to::{ConnectTo, Direct};
use crate::domain::redaction::Masks;
use crate::domain::slow_limit::SlowLimit;
use crate::domain::starttls::StartTls;
use crate::domain::target::{ClientCertificate, Files, IpVersion};

/// A port that must accept connections, and perhaps say something.
#[derive(Debug)]
pub struct TcpSubject {
    /// The monitor's `url`.
    pub url: Arc<str>,
    /// Where to connect.
    pub at: HostPort,
    /// How it is connected to and what must come.
    pub manner: Arc<TcpManner>,
}

/// A port that must speak TLS with a valid certificate.
#[derive(Debug)]
pub struct TlsSubject {
    /// The connection below, and what must be said over TLS.
    pub tcp: TcpSubject,
    /// The handshake and its certificate.
    pub tls: Arc<TlsManner>,
}

/// How a port is connected to and what must come.
#[derive(Debug, Clone)]
pub struct TcpManner {
    /// The deadline of the whole check, from the first DNS query to the last byte.
    pub timeout: Duration,
    /// Which addresses may be used.
    pub ip_version: IpVersion,
    /// A way that is not simply to the URL's host and port.
    pub direct: Option<Box<Direct>>,
    /// At most so many bytes of what the server says are read.
    pub max_body: u64,
    /// What is said and what must be answered.
    pub dialogue: Dialogue,
    /// From when on a check is `degraded` since it is slow.
    pub degraded_after: SlowLimit,
    /// The values that must not be recorded or shown.
    pub masks: Masks,
}

impl TcpManner {
    /// Where to connect instead of the URL's host and port.
    pub fn connect_to(&self) -> Option<&ConnectTo> {
        self.direct.as_ref()?.connect_to.as_ref()
    }
}

/// What is said over a connection and what must be answered.
#[derive(Debug, Clone, Default)]
pub struct Dialogue {
    /// Is sent at once; empty: nothing.
    pub send: Arc<[u8]>,
    /// Must match what the server says; `None`: nothing is read.
    pub expect: Option<Arc<Regex>>,
}

impl Dialogue {
    /// The pattern as it was written.
    pub fn expect_text(&self) -> &str {
        self.expect.as_ref().map_or("", |pattern| pattern.as_str())
    }
}

/// The handshake of a `tls://` monitor and what its certificate must be.
#[derive(Debug, Clone)]
pub struct TlsManner {
    /// The dialogue before the handshake.
    pub starttls: Option<StartTls>,
    /// An extra trust anchor, PEM.
    pub ca_pem: Option<Arc<[u8]>>,
    /// A client certificate chain and its key, PEM both.
    pub client_certificate: Option<ClientCertificate>,
    /// Where both came from.
    pub files: Option<Box<Files>>,
    /// Whether certificate faults are failures.
    pub verify_tls: bool,
    /// Certificates that end within the longest of these are `degraded`, longest first.
    pub certificate_expiry: Arc<[Duration]>,
}

impl TlsManner {
    /// The file of the extra trust anchor.
    pub fn ca_file(&self) -> Option<&Path> {
        self.files.as_ref()?.ca.as_deref()
    }
}
