//! Names a failure: from typed errors and recorded marks, never from message text.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use rustix::io::Errno;
use rustls::pki_types::ServerName;

#[cfg(feature = "http3")]
use super::connection::QuicWhy;
use super::connection::{AnswerError, Excess, TunnelFault};
use super::dns::{DnsFault, has_route};
use super::exchange::{Broken, Exchange, Route};
use super::http_faults;
use crate::domain::check::FailureKind;
use crate::domain::failure_help::{AT_THE_PROXY, THE_PROXY};
use crate::domain::safe_text;
use crate::tls::{certificate, words};

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
    excess: Option<Excess>,
    dns: Option<&'a DnsFault>,
}

fn dig<'a>(error: &'a (dyn Error + 'static)) -> Found<'a> {
    let mut found = Found::default();
    let mut next = Some(error);
    // No chain is this long; a cycle must not hang a check.
    for _ in 0..32 {
        let Some(error) = next else { break };
        next = error.source();
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            found.tls.get_or_insert(tls);
        } else if let Some(excess) = error.downcast_ref::<Excess>() {
            found.excess = Some(*excess);
        } else if let Some(dns) = error.downcast_ref::<DnsFault>() {
            found.dns = Some(dns);
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
pub(super) fn of_request(broken: &Broken, exchange: &Exchange, route: &Route<'_>) -> Fault {
    let at_the_proxy = |(kind, detail): Fault| match route.proxy {
        Some(proxy) => (
            kind,
            format!("{AT_THE_PROXY}{}: {detail}", authority(proxy)),
        ),
        None => (kind, detail),
    };
    match broken {
        Broken::Dns(fault) => at_the_proxy((fault.kind, fault.detail.clone())),
        Broken::Connect(io) => {
            at_the_proxy(connection_fault(io, exchange.trace.attempts.tried_now()))
        }
        Broken::Tunnel(fault) => of_tunnel(fault, route),
        Broken::Handshake(io) => {
            let broken = (FailureKind::TlsHandshake, broken_handshake(io));
            of_handshake(broken, exchange, route)
        }
        #[cfg(feature = "http3")]
        Broken::Quic(QuicWhy::Io(io)) => {
            let tried = exchange.remote_addr(route).map(|address| address.ip());
            connection_fault(io, tried.as_slice())
        }
        #[cfg(feature = "http3")]
        Broken::Quic(QuicWhy::Handshake(error)) => {
            of_handshake(http_faults::of_quic_handshake(error), exchange, route)
        }
        Broken::Request(why) => (
            FailureKind::Protocol,
            format!("the request cannot be sent: {}", safe_text::line(why, 150)),
        ),
        Broken::Answer(error) => {
            let fault = of_answer(error);
            // Without a tunnel it is the proxy that answers.
            if route.tls.is_none() {
                at_the_proxy(fault)
            } else {
                fault
            }
        }
    }
}

/// Host and port of a proxy.
fn authority(proxy: &url::Url) -> String {
    format!(
        "{}:{}",
        safe_text::middle(proxy.host_str().unwrap_or_default(), 100),
        proxy.port_or_known_default().unwrap_or_default()
    )
}

/// The proxy was reached and made no tunnel.
fn of_tunnel(fault: &TunnelFault, route: &Route<'_>) -> Fault {
    let proxy = match route.proxy {
        Some(proxy) => format!("{THE_PROXY}{}", authority(proxy)),
        None => THE_PROXY.trim_end().to_owned(),
    };
    let (kind, what) = match fault {
        TunnelFault::Refused { code, reason } => {
            let reason = safe_text::line(reason, 100);
            let blank = if reason.is_empty() { "" } else { " " };
            let wish = match code {
                407 => ": it wants a user name and a password that it knows",
                _ => "",
            };
            (
                FailureKind::ConnectRefused,
                format!("refuses the tunnel (CONNECT): {code}{blank}{reason}{wish}"),
            )
        }
        TunnelFault::NotHttp(begun) => (
            FailureKind::ConnectRefused,
            format!(
                "does not answer in HTTP when it is asked for a tunnel (CONNECT), but `{}`",
                safe_text::line(begun, 60)
            ),
        ),
        TunnelFault::TooLong => (
            FailureKind::ConnectRefused,
            "has an answer without end when it is asked for a tunnel (CONNECT)".to_owned(),
        ),
        TunnelFault::Closed => (
            FailureKind::ConnectRefused,
            "closed the connection without an answer when it was asked for a tunnel (CONNECT)"
                .to_owned(),
        ),
        TunnelFault::Broken(io) if io.kind() == io::ErrorKind::TimedOut => (
            FailureKind::ConnectTimeout,
            "went dead when it was asked for a tunnel (CONNECT)".to_owned(),
        ),
        TunnelFault::Broken(io) if is_local(io) => {
            return connection_fault(io, &[]);
        }
        TunnelFault::Broken(_) => (
            FailureKind::ConnectReset,
            "reset the connection when it was asked for a tunnel (CONNECT)".to_owned(),
        ),
    };
    (kind, format!("{proxy} {what}"))
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
                "connection refused: nothing is listening on that port".to_owned(),
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

/// What the system said about an echo request to this address.
pub(super) fn of_ping(io: &io::Error, to: IpAddr) -> Fault {
    let code = io.raw_os_error().map(Errno::from_raw_os_error);
    match code {
        Some(Errno::AFNOSUPPORT) => (
            FailureKind::Local,
            "this host has no IPv6".to_owned(),
        ),
        Some(Errno::ACCESS | Errno::PERM) => (
            FailureKind::Local,
            "this host's own rules forbid an echo request to the address (a firewall, or a broadcast address)".to_owned(),
        ),
        _ => connection_fault(io, &[to]),
    }
}

/// What the system says, without its number.
fn without_number(io: &io::Error) -> String {
    let words = io.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    safe_text::line(words, 200).into_owned()
}

/// A handshake that broke like this, unless it was for its certificates.
fn of_handshake(broken: Fault, exchange: &Exchange, route: &Route<'_>) -> Fault {
    let host = route.host();
    let (kind, detail) = match &exchange.seen.fault {
        Some(fault) if route.verify_tls => {
            words::certificate(fault, &exchange.seen.certificates, host)
        }
        _ => broken,
    };
    let is_theirs = |leaf: &[u8]| certificate::is_for(leaf, host.trim_end_matches('.'));
    let shown = exchange.seen.certificates.first();
    if is_unspeakable(host) && !shown.is_some_and(|leaf| is_theirs(leaf)) {
        let detail = format!(
            "the TLS library does not accept a name like `{}` (a label begins or ends with a hyphen), and without the name \
             the server does not serve it: {detail}; browsers and curl may reach the site",
            safe_text::middle(host, 100)
        );
        return (FailureKind::TlsHandshake, detail);
    }
    (kind, detail)
}

/// Whether a host has a name that rustls cannot tell the server.
fn is_unspeakable(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(['.', ']']);
    ServerName::try_from(host).is_err()
}

fn broken_handshake(io: &io::Error) -> String {
    let found = dig(io);
    match (found.tls, found.io) {
        (Some(tls), _) => format!("TLS handshake failed: {}", words::handshake(tls)),
        (None, Some(io)) if io.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed during the TLS handshake".to_owned()
        }
        (None, Some(io)) if io.kind() == io::ErrorKind::ConnectionReset => {
            "the connection was reset during the TLS handshake".to_owned()
        }
        (None, Some(io)) => format!("TLS handshake failed: {}", without_number(io)),
        (None, None) => "TLS handshake failed".to_owned(),
    }
}

/// The connection stood; the header did not come whole.
fn of_answer(error: &AnswerError) -> Fault {
    match error {
        AnswerError::One(error) => of_http1(error),
        AnswerError::Two(error) => http_faults::of_http2_answer(error),
        AnswerError::Io(error) => of_link(&dig(error)).unwrap_or_else(closed_early),
        AnswerError::Excess(excess) => (FailureKind::Protocol, excess.to_string()),
        AnswerError::Closed | AnswerError::Length => closed_early(),
        #[cfg(feature = "http3")]
        AnswerError::Three(error) => http_faults::of_http3_answer(error),
    }
}

fn closed_early() -> Fault {
    (
        FailureKind::ClosedEarly,
        "the connection was closed before the answer's header was complete".to_owned(),
    )
}

/// What the header came over broke, or it passed a limit.
fn of_link(found: &Found<'_>) -> Option<Fault> {
    if let Some(excess) = found.excess {
        return Some((FailureKind::Protocol, excess.to_string()));
    }
    if let Some(tls) = found.tls {
        return Some(match tls {
            // With TLS 1.3 a server refuses a client only after the client's handshake is done.
            rustls::Error::AlertReceived(_) => (
                FailureKind::TlsHandshake,
                format!("TLS handshake failed: {}", words::later(tls)),
            ),
            _ => (
                FailureKind::Protocol,
                format!("broken TLS: {}", words::later(tls)),
            ),
        });
    }
    match found.io?.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Some((
            FailureKind::ConnectReset,
            "the connection was reset before the answer's header was complete".to_owned(),
        )),
        io::ErrorKind::TimedOut => Some((
            FailureKind::TimeoutResponse,
            "the connection went dead before the answer's header was complete".to_owned(),
        )),
        _ => None,
    }
}

fn of_http1(error: &hyper::Error) -> Fault {
    if let Some(fault) = of_link(&dig(error)) {
        return fault;
    }
    if error.is_parse_too_large() {
        return (FailureKind::Protocol, Excess::Fields.to_string());
    }
    if error.is_parse() {
        let words = error.to_string();
        return (
            FailureKind::Protocol,
            format!("no valid HTTP answer: {}", safe_text::line(&words, 150)),
        );
    }
    if error.is_user() {
        let words = error.to_string();
        return (
            FailureKind::Protocol,
            format!(
                "the request cannot be sent: {}",
                safe_text::line(&words, 150)
            ),
        );
    }
    closed_early()
}

/// What is said over a connection that stood broke.
pub(super) fn of_conversation(error: &io::Error) -> Fault {
    let found = dig(error);
    if let Some(excess) = found.excess {
        return (FailureKind::Protocol, excess.to_string());
    }
    if let Some(tls) = found.tls {
        return match tls {
            // With TLS 1.3 a server refuses a client only after the client's handshake is done.
            rustls::Error::AlertReceived(_) => (
                FailureKind::TlsHandshake,
                format!("TLS handshake failed: {}", words::later(tls)),
            ),
            _ => (
                FailureKind::Protocol,
                format!("broken TLS: {}", words::later(tls)),
            ),
        };
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => (
            FailureKind::ConnectReset,
            "the server reset the connection without a byte".to_owned(),
        ),
        io::ErrorKind::TimedOut => (
            FailureKind::TimeoutResponse,
            "the connection went dead before the server said anything".to_owned(),
        ),
        _ => (
            FailureKind::ClosedEarly,
            "the server closed the connection without a byte".to_owned(),
        ),
    }
}

/// Why a request that is no check was not answered.
pub(super) fn of_errand(error: &reqwest::Error) -> String {
    let found = dig(error);
    match (found.dns, found.tls, found.io) {
        (Some(dns), ..) => dns.detail.clone(),
        (None, Some(tls), _) => format!("TLS handshake failed: {}", words::handshake(tls)),
        (None, None, Some(io)) => connection_fault(io, &[]).1,
        (None, None, None) => "the connection was closed, or the answer is not HTTP".to_owned(),
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
pub(super) fn of_body(error: &AnswerError, length_told: bool) -> BodyFault {
    match error {
        AnswerError::One(error) => of_body_over(&dig(error), length_told),
        AnswerError::Two(error) => BodyFault::Fault(http_faults::of_http2_body(error)),
        // These versions tell the end of a body by themselves.
        AnswerError::Io(error) => of_body_over(&dig(error), true),
        AnswerError::Excess(excess) => {
            BodyFault::Fault((FailureKind::Protocol, excess.to_string()))
        }
        AnswerError::Length => BodyFault::Fault((
            FailureKind::BodyTruncated,
            "the body ended, and is not as long as was announced".to_owned(),
        )),
        AnswerError::Closed => BodyFault::Fault((
            FailureKind::BodyTruncated,
            "the connection was closed before the end of the body".to_owned(),
        )),
        #[cfg(feature = "http3")]
        AnswerError::Three(error) => BodyFault::Fault(http_faults::of_http3_body(error)),
    }
}

fn of_body_over(found: &Found<'_>, length_told: bool) -> BodyFault {
    if let Some(excess) = found.excess {
        return BodyFault::Fault((FailureKind::Protocol, excess.to_string()));
    }
    let fault = match (found.tls, found.io.map(io::Error::kind)) {
        (None, Some(io::ErrorKind::UnexpectedEof)) if !length_told => return BodyFault::UncleanEnd,
        (Some(tls), _) if !matches!(tls, rustls::Error::AlertReceived(_)) => (
            FailureKind::Protocol,
            format!("broken TLS: {}", words::later(tls)),
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
pub(super) fn of_timeout(exchange: &Exchange, route: &Route<'_>, timeout: &str) -> Fault {
    let trace = &exchange.trace;
    let proxy = route.proxy.map(authority);
    let at = match (exchange.remote_addr(route), &proxy) {
        (Some(address), None) => format!(" from {address}"),
        _ => String::new(),
    };
    let within = format!("within the timeout of {timeout}");
    let (kind, detail) = if trace.connected.is_some() {
        let fault = format!("connected, but no complete answer{at} {within}");
        if route.tls.is_some() {
            return (FailureKind::TimeoutResponse, fault);
        }
        (FailureKind::TimeoutResponse, fault)
    } else if trace.hello.is_some() {
        let detail = format!("no complete TLS handshake{at} {within}");
        return (FailureKind::TlsTimeout, detail);
    } else if let (Some(_), Some(proxy)) = (trace.tunnel, &proxy) {
        let detail = format!(
            "{THE_PROXY}{proxy} is connected and does not answer when it is asked for a tunnel (CONNECT) {within}"
        );
        return (FailureKind::ConnectTimeout, detail);
    } else if matches!(trace.dns, Some((_, None))) {
        let detail = format!("no answer from the name servers {within}");
        (FailureKind::DnsTimeout, detail)
    } else {
        let by = if route.by_quic { " by QUIC" } else { "" };
        let detail = format!("no answer to the connection attempt{by}{at} {within}");
        (FailureKind::ConnectTimeout, detail)
    };
    match proxy {
        Some(proxy) => (kind, format!("{AT_THE_PROXY}{proxy}: {detail}")),
        None => (kind, detail),
    }
}
