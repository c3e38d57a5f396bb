//! Names a failure: from typed errors and recorded marks, never from message text.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;
use rustls::pki_types::ServerName;

use super::resolver::has_route;
use super::trace::Trace;
use crate::domain::check::FailureKind;
use crate::domain::text;
use crate::tls::words;

/// What went wrong: the kind and one line about it.
pub(super) type Fault = (FailureKind, String);

/// Whether an error says that this host is out of something, not that the peer is at fault.
pub(super) fn is_local(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| {
        let code = Errno::from_raw_os_error(code);
        [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::ADDRNOTAVAIL,
            Errno::NETUNREACH,
        ]
        .contains(&code)
    })
}

/// The parts of an error chain that tell something. hyper and rustls hide inside `io::Error`s, which
/// a plain walk along `source()` steps over.
#[derive(Default)]
struct Found<'a> {
    io: Option<&'a io::Error>,
    tls: Option<&'a rustls::Error>,
    http: Option<&'a hyper::Error>,
}

fn dig(error: &reqwest::Error) -> Found<'_> {
    let mut found = Found::default();
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    // No chain is this long; a cycle must not hang a check.
    for _ in 0..32 {
        let Some(error) = next else { break };
        next = error.source();
        if let Some(http) = error.downcast_ref::<hyper::Error>() {
            found.http.get_or_insert(http);
        } else if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            found.tls.get_or_insert(tls);
        } else if let Some(io) = error.downcast_ref::<io::Error>() {
            // The innermost one has the system's code.
            if found.io.is_none_or(|known| known.raw_os_error().is_none()) {
                found.io = Some(io);
            }
            if let Some(inner) = io.get_ref() {
                next = Some(inner);
            }
        }
    }
    found
}

/// A request that failed before its header was complete.
pub(super) fn of_request(error: &reqwest::Error, trace: &Trace, host: &str) -> Fault {
    if let Some(fault) = &trace.dns_fault {
        return (fault.kind, fault.detail.clone());
    }
    let found = dig(error);
    if trace.connected.is_some() {
        of_answer(&found)
    } else if trace.hello.is_some() {
        of_handshake(&found, trace, host)
    } else {
        of_connection(error, &found, trace, host)
    }
}

fn of_connection(error: &reqwest::Error, found: &Found<'_>, trace: &Trace, host: &str) -> Fault {
    let Some(io) = found.io else {
        if trace.wishes.proxied {
            return (FailureKind::ConnectRefused, tunnel_refused(error));
        }
        // With https such a name is refused before anybody is asked for it.
        if trace.dns.is_none() && ServerName::try_from(host).is_err() {
            let detail = format!(
                "`{}`: no name that TLS could ask for",
                text::middle(host, 100)
            );
            return (FailureKind::DnsNotFound, detail);
        }
        return (FailureKind::Protocol, unforeseen(error));
    };
    let (kind, detail) = connection_fault(io, trace.tried_now());
    if trace.wishes.proxied {
        return (kind, format!("at the proxy: {detail}"));
    }
    (kind, detail)
}

/// The proxy answered and made no tunnel. Why is told by an error whose type cannot be named.
fn tunnel_refused(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let words = innermost.to_string();
    let refused = "the proxy refuses the tunnel to the site (CONNECT)";
    match words.strip_prefix("tunnel error: ") {
        Some("proxy authorization required") => {
            format!("{refused}: it wants a user name and a password that it knows (407)")
        }
        None | Some("unsuccessful") => refused.to_owned(),
        Some(why) => format!("{refused}: {}", text::line(why, 150)),
    }
}

/// What the system said about an attempt to connect to one of these addresses.
fn connection_fault(io: &io::Error, tried: &[IpAddr]) -> Fault {
    let code = io.raw_os_error().map(Errno::from_raw_os_error);
    let no_route = || !tried.is_empty() && !tried.iter().any(|address| has_route(*address));
    match code {
        Some(Errno::MFILE | Errno::NFILE) => (
            FailureKind::Local,
            "this host is out of file descriptors".to_owned(),
        ),
        Some(Errno::ADDRNOTAVAIL) => (
            FailureKind::Local,
            "this host is out of local ports or addresses".to_owned(),
        ),
        Some(Errno::NOBUFS | Errno::NOMEM) => (
            FailureKind::Local,
            "this host is out of network memory".to_owned(),
        ),
        Some(Errno::NETUNREACH) if no_route() => (
            FailureKind::Local,
            "this host has no route to the address".to_owned(),
        ),
        _ => match io.kind() {
            io::ErrorKind::ConnectionRefused => (
                FailureKind::ConnectRefused,
                "connection refused: nobody listens there".to_owned(),
            ),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => (
                FailureKind::ConnectReset,
                "the connection was reset while it was made".to_owned(),
            ),
            io::ErrorKind::TimedOut => (
                FailureKind::ConnectTimeout,
                "no answer to the connection attempt".to_owned(),
            ),
            _ => (
                FailureKind::ConnectUnreachable,
                format!("no way to the address: {}", without_number(io)),
            ),
        },
    }
}

/// What the system says, without its number.
fn without_number(io: &io::Error) -> String {
    let words = io.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    text::line(words, 200).into_owned()
}

fn of_handshake(found: &Found<'_>, trace: &Trace, host: &str) -> Fault {
    if let Some(fault) = &trace.certificate_fault
        && trace.wishes.verify_tls
    {
        return words::certificate(fault, &trace.certificates, host);
    }
    let detail = match (found.tls, found.io) {
        (Some(tls), _) => format!("TLS handshake failed: {}", words::handshake(tls)),
        (None, Some(io)) if io.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed during the TLS handshake".to_owned()
        }
        (None, Some(io)) if io.kind() == io::ErrorKind::ConnectionReset => {
            "the connection was reset during the TLS handshake".to_owned()
        }
        (None, Some(io)) => format!("TLS handshake failed: {}", text::line(&io.to_string(), 200)),
        (None, None) => "TLS handshake failed".to_owned(),
    };
    (FailureKind::TlsHandshake, detail)
}

/// Whether the header had too many fields, or was too long.
pub(super) fn is_header_too_large(error: &reqwest::Error) -> bool {
    dig(error)
        .http
        .is_some_and(hyper::Error::is_parse_too_large)
}

/// The header is too large for the room that was kept for it, which says nothing about the site.
pub(super) fn of_our_room() -> Fault {
    let detail = "the answer has more than 100 header fields; the next check has room for more";
    (FailureKind::Local, detail.to_owned())
}

/// The connection stood; the header did not come whole.
fn of_answer(found: &Found<'_>) -> Fault {
    if let Some(tls) = found.tls {
        return match tls {
            // With TLS 1.3 a server refuses a client only after the client's handshake is done.
            rustls::Error::AlertReceived(_) => (
                FailureKind::TlsHandshake,
                format!("TLS handshake failed: {}", words::handshake(tls)),
            ),
            _ => (
                FailureKind::Protocol,
                format!("broken TLS: {}", words::handshake(tls)),
            ),
        };
    }
    if let Some(io) = found.io {
        match io.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => {
                return (
                    FailureKind::ConnectReset,
                    "the connection was reset before the answer's header was complete".to_owned(),
                );
            }
            io::ErrorKind::TimedOut => {
                return (
                    FailureKind::TimeoutResponse,
                    "the connection went dead before the answer's header was complete".to_owned(),
                );
            }
            _ => {}
        }
    }
    match found.http {
        Some(http) if http.is_parse_too_large() => (
            FailureKind::Protocol,
            "the answer's header is too large".to_owned(),
        ),
        Some(http) if http.is_parse() => (
            FailureKind::Protocol,
            format!(
                "no valid HTTP answer: {}",
                text::line(&http.to_string(), 150)
            ),
        ),
        Some(http) if http.is_user() => (
            FailureKind::Protocol,
            format!(
                "the request cannot be sent: {}",
                text::line(&http.to_string(), 150)
            ),
        ),
        _ => (
            FailureKind::ClosedEarly,
            "the connection was closed before the answer's header was complete".to_owned(),
        ),
    }
}

/// How a body broke.
pub(super) enum BodyFault {
    /// A fault of the answer.
    Fault(Fault),
    /// TLS ended without its closing message where nothing told the length: as complete as such a
    /// body ever is.
    UncleanEnd,
}

/// A body that failed; `length_told` says whether the header announced its length or chunks.
pub(super) fn of_body(error: &reqwest::Error, length_told: bool) -> BodyFault {
    let found = dig(error);
    let fault = match (found.tls, found.io.map(io::Error::kind)) {
        (None, Some(io::ErrorKind::UnexpectedEof)) if !length_told => return BodyFault::UncleanEnd,
        (Some(tls), _) if !matches!(tls, rustls::Error::AlertReceived(_)) => (
            FailureKind::Protocol,
            format!("broken TLS: {}", words::handshake(tls)),
        ),
        (None, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) => (
            FailureKind::Protocol,
            "the body's chunks are not valid HTTP".to_owned(),
        ),
        (_, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)) => (
            FailureKind::BodyTruncated,
            "the connection was reset within the body".to_owned(),
        ),
        (None, Some(io::ErrorKind::TimedOut)) => (
            FailureKind::TimeoutBody,
            "the connection went dead within the body".to_owned(),
        ),
        _ => (
            FailureKind::BodyTruncated,
            "the connection was closed before the end of the body".to_owned(),
        ),
    };
    BodyFault::Fault(fault)
}

/// The deadline passed before the header was complete: the marks tell in which phase.
pub(super) fn of_timeout(trace: &Trace, timeout: &str, remote: Option<SocketAddr>) -> Fault {
    let at = remote
        .map(|address| format!(" from {address}"))
        .unwrap_or_default();
    let within = format!("within the timeout of {timeout}");
    match trace {
        _ if trace.connected.is_some() => (
            FailureKind::TimeoutResponse,
            format!("connected, but no complete answer{at} {within}"),
        ),
        _ if trace.hello.is_some() => (
            FailureKind::TlsTimeout,
            format!("no complete TLS handshake{at} {within}"),
        ),
        Trace {
            dns: Some((_, None)),
            ..
        } => (
            FailureKind::DnsTimeout,
            format!("no answer from the name servers {within}"),
        ),
        _ => (
            FailureKind::ConnectTimeout,
            format!("no answer to the connection attempt{at} {within}"),
        ),
    }
}

/// An error that no rule knows, in its own words.
pub(super) fn unforeseen(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        words = format!("{words}: {error}");
        next = error.source();
    }
    text::line(&words, 300).into_owned()
}
