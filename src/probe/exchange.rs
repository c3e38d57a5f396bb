//! One request and its answer: a fresh connection, and what is worth knowing of its phases.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::connection::{
    AnswerError, Attempts, HTTP2, Later, Link, Paced, Reply, SendError, TunnelFault, connect,
    open_tunnel, send,
};
use super::dns::{DnsFault, Resolver, Wanted};
use super::request::proxy_login;
#[cfg(feature = "http3")]
use super::{by_quic, connection::QuicWhy};
use crate::blocking;
use crate::clock;
use crate::domain::check::{HttpVersion, Micros, Timings};
use crate::domain::target::IpVersion;
use crate::tls::{self, Recorder, Seen};

/// How a request gets to its site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    /// The site.
    pub(super) url: &'a Url,
    /// The proxy before it.
    pub(super) proxy: Option<&'a Url>,
    /// Where to connect instead of the site's host and port.
    pub(super) connect_to: Option<&'a (Host<String>, u16)>,
    /// Whether HTTP/3 is spoken; its TLS is that of `tls`.
    pub(super) by_quic: bool,
    /// TLS for it, where its scheme is https.
    pub(super) tls: Option<&'a tls::Kind>,
    /// Address families that may be used.
    pub(super) ip_version: IpVersion,
    /// Whether a certificate fault ends the handshake.
    pub(super) verify_tls: bool,
    /// Whether private addresses are refused: the previous hop was a public one.
    pub(super) public_only: bool,
    /// At most so many bytes may come of this connection.
    pub(super) bytes_max: u64,
    /// The end of the whole check.
    pub(super) deadline: Instant,
}

impl Route<'_> {
    /// The site's host as the URL has it.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The host and port that TCP goes to.
    pub(super) fn first_stop(&self) -> (Option<Host<&str>>, u16) {
        if let Some((to, port)) = self.connect_to {
            return (Some(borrowed(to)), *port);
        }
        let url = self.proxy.unwrap_or(self.url);
        (url.host(), url.port_or_known_default().unwrap_or_default())
    }
}

/// A host without a copy of its name.
pub(super) fn borrowed(host: &Host<String>) -> Host<&str> {
    match host {
        Host::Domain(name) => Host::Domain(name),
        Host::Ipv4(address) => Host::Ipv4(*address),
        Host::Ipv6(address) => Host::Ipv6(*address),
    }
}

/// When each phase began and ended, and what was seen on the way.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Begin and end of the lookup, where there was one.
    pub(super) dns: Option<(Instant, Option<Instant>)>,
    /// When the first attempt to connect began.
    pub(super) connecting: Option<Instant>,
    /// The addresses that a lookup gave, and what became of them.
    pub(super) attempts: Attempts,
    /// The address that answered.
    pub(super) peer: Option<SocketAddr>,
    /// When the proxy was asked for a tunnel.
    pub(super) tunnel: Option<Instant>,
    /// When the TLS handshake began.
    pub(super) hello: Option<Instant>,
    /// When the connection stood, TLS included.
    pub(super) connected: Option<Instant>,
    /// The version of HTTP that was agreed on there, if that is not HTTP/1.1.
    pub(super) agreed: Option<HttpVersion>,
    /// Verifies and keeps the certificates.
    pub(super) recorder: Option<Arc<Recorder>>,
}

impl Trace {
    fn seen(&self) -> Seen {
        let recorder = self.recorder.as_ref();
        recorder.map(|recorder| recorder.take()).unwrap_or_default()
    }
}

/// How one request went.
pub(super) struct Exchange {
    /// The header, or why there is none.
    pub(super) outcome: Outcome,
    /// Its phases.
    pub(super) trace: Trace,
    /// The certificates that were shown.
    pub(super) seen: Seen,
    /// When it began.
    pub(super) begun: Instant,
    /// When the header was complete, or the request failed.
    pub(super) header_at: Instant,
}

/// The header of an answer, or why there is none.
pub(super) enum Outcome {
    /// The header is complete.
    Answer(Box<Reply>),
    /// It will never be.
    Broken(Broken),
    /// It was not by the deadline.
    Timeout,
}

/// Where a request broke.
#[derive(Debug)]
pub(super) enum Broken {
    Dns(DnsFault),
    Connect(io::Error),
    Tunnel(TunnelFault),
    Handshake(io::Error),
    #[cfg(feature = "http3")]
    Quic(QuicWhy),
    Request(String),
    Answer(AnswerError),
}

impl From<SendError> for Broken {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Request(why) => Self::Request(why),
            SendError::Answer(error) => Self::Answer(error),
        }
    }
}

/// Work under the alarm that ends the whole check; none if it rang first.
pub(super) async fn within<T>(
    mut alarm: Pin<&mut Sleep>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        // Work that has used up its turn would leave none to the alarm: the time is looked at as well.
        Poll::Pending if clock::tick() >= alarm.deadline() => Poll::Ready(None),
        Poll::Pending => alarm.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// Sends a request over a connection of its own.
pub(super) async fn exchange(
    resolver: &Resolver,
    route: Route<'_>,
    request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
    alarm: Pin<&mut Sleep>,
) -> Exchange {
    let begun = clock::tick();
    let mut trace = Trace::default();
    let going = async {
        #[cfg(feature = "http3")]
        if let (true, Some(kind)) = (route.by_quic, route.tls) {
            return Box::pin(by_quic::ask(resolver, route, kind, &mut trace, request)).await;
        }
        let link = reach(resolver, route, &mut trace).await?;
        trace.connected = Some(clock::tick());
        trace.agreed = (link.agreed() == Some(HTTP2)).then_some(HttpVersion::Http2);
        Ok(send(link, request).await?)
    };
    let outcome = match within(alarm, going).await {
        Some(Ok(reply)) => Outcome::Answer(Box::new(reply)),
        Some(Err(broken)) => Outcome::Broken(broken),
        None => Outcome::Timeout,
    };
    trace.see_owed().await;
    Exchange {
        outcome,
        seen: trace.seen(),
        trace,
        begun,
        header_at: clock::tick(),
    }
}

/// Name, TCP, tunnel and TLS.
pub(super) async fn reach(
    resolver: &Resolver,
    route: Route<'_>,
    trace: &mut Trace,
) -> Result<Link, Broken> {
    let (_, port) = route.first_stop();
    let (mut literal, later) = stops(resolver, route, trace).await?;
    let attempts = literal.as_mut().unwrap_or(&mut trace.attempts);
    trace.connecting = Some(clock::tick());
    let (tcp, peer) = connect(attempts, later, port, route.deadline)
        .await
        .map_err(Broken::Connect)?;
    trace.peer = Some(peer);
    let mut link = Paced::new(tcp, route.bytes_max);
    let Some(kind) = route.tls else {
        return Ok(Link::Plain(link));
    };
    if let Some(proxy) = route.proxy {
        trace.tunnel = Some(clock::tick());
        let port = route.url.port_or_known_default().unwrap_or(443);
        let to = format!("{}:{port}", route.host());
        let login = proxy_login(proxy);
        let opening = open_tunnel(&mut link, &to, login.as_deref());
        Box::pin(opening).await.map_err(Broken::Tunnel)?;
    }
    shake(kind, route, link, trace).await
}

/// The address that the URL has, or those of its name, in the trace; and those that come later.
pub(super) async fn stops(
    resolver: &Resolver,
    route: Route<'_>,
    trace: &mut Trace,
) -> Result<(Option<Attempts>, Option<Later<'static>>), Broken> {
    match route.first_stop().0 {
        Some(Host::Ipv4(address)) => Ok((Some(Attempts::new(vec![address.into()])), None)),
        Some(Host::Ipv6(address)) => Ok((Some(Attempts::new(vec![address.into()])), None)),
        Some(Host::Domain(name)) => {
            let begun = clock::tick();
            trace.dns = Some((begun, None));
            let wanted = Wanted {
                ip_version: route.ip_version,
                public_only: route.public_only,
            };
            // Large, and in the way of checks that have no use for it: a future is copied as a whole when it begins.
            let found = Box::pin(resolver.lookup(name, wanted, route.deadline)).await;
            trace.dns = Some((begun, Some(clock::tick())));
            let found = found.map_err(Broken::Dns)?;
            trace.attempts = Attempts::new(found.now);
            let later = found.later;
            let later = later.map(|later| -> Later<'static> { Box::pin(later.addresses()) });
            Ok((None, later))
        }
        None => Err(Broken::Request("the URL has no host".to_owned())),
    }
}

/// TLS over a connection that stands.
pub(super) async fn shake(
    kind: &tls::Kind,
    route: Route<'_>,
    link: Paced,
    trace: &mut Trace,
) -> Result<Link, Broken> {
    let handshake = kind.owing_handshake(route.host(), route.verify_tls);
    let recorder = Arc::clone(trace.recorder.insert(handshake.recorder));
    trace.hello = Some(clock::tick());
    let shaking = TlsConnector::from(handshake.config).connect(handshake.name, link);
    let link = Box::pin(shaking).await.map_err(Broken::Handshake)?;
    if recorder.owes() {
        Box::pin(verify_owed(&recorder))
            .await
            .map_err(Broken::Handshake)?;
    }
    Ok(Link::Tls(Box::new(link)))
}

impl Trace {
    /// Where a handshake broke before its certificates were verified: does that for what is to be seen of them.
    pub(super) async fn see_owed(&self) {
        if let Some(recorder) = self.recorder.as_ref().filter(|recorder| recorder.owes()) {
            // The fault is among what was seen.
            let _ = Box::pin(verify_owed(recorder)).await;
        }
    }
}

/// Verifies certificates that cost more than the thread of the checks can spare, on another one.
pub(super) async fn verify_owed(recorder: &Arc<Recorder>) -> io::Result<()> {
    let verifier = Arc::clone(recorder);
    let verified = match blocking::run(move || verifier.verify_owed()).await {
        Ok(verified) => verified,
        // The system gave no thread.
        Err(_) => recorder.verify_owed(),
    };
    verified.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

impl Exchange {
    /// Of a connection over which no request went.
    pub(super) fn unfinished(trace: Trace, begun: Instant) -> Self {
        Self {
            outcome: Outcome::Timeout,
            seen: trace.seen(),
            trace,
            begun,
            header_at: clock::tick(),
        }
    }

    /// Whether the site showed a certificate.
    pub(super) fn has_certificate(&self) -> bool {
        !self.seen.certificates.is_empty()
    }

    /// The address that was connected to, or the first that was tried: of a site, not of the proxy before it.
    pub(super) fn remote_addr(&self, route: &Route<'_>) -> Option<SocketAddr> {
        if let Some(peer) = self.trace.peer {
            return Some(peer);
        }
        if route.proxy.is_some() {
            return None;
        }
        let (host, port) = route.first_stop();
        let attempts = &self.trace.attempts;
        let address = match host? {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
            Host::Domain(_) => *attempts.tried_now().first().or(attempts.dead().first())?,
        };
        Some(SocketAddr::new(address, port))
    }

    /// Adds this exchange's phases to the chain's; a phase that broke counts until then.
    pub(super) fn add_phases(&self, timings: &mut Timings) {
        let trace = &self.trace;
        let end = self.header_at;
        if let Some((begun, ended)) = trace.dns {
            let took = ended.unwrap_or(end).saturating_duration_since(begun);
            add(&mut timings.dns, took);
        }
        let Some(connecting) = trace.connecting else {
            return;
        };
        let tcp_up = trace.hello.or(trace.connected).unwrap_or(end);
        let took = tcp_up.saturating_duration_since(connecting);
        add(&mut timings.connect, took);
        if let Some(hello) = trace.hello {
            let stood = trace.connected.unwrap_or(end);
            add(&mut timings.tls, stood.saturating_duration_since(hello));
        }
        if let Some(stood) = trace.connected {
            add(&mut timings.ttfb, end.saturating_duration_since(stood));
        }
    }

    /// One line about the addresses that did not answer while another one did.
    pub(super) fn remark(&self, route: &Route<'_>) -> Option<String> {
        match self.outcome {
            Outcome::Answer(_) => self.dead_addresses(route),
            Outcome::Broken(_) | Outcome::Timeout => None,
        }
    }

    /// The same where a connection is all that is wanted.
    pub(super) fn dead_addresses(&self, route: &Route<'_>) -> Option<String> {
        let (Some(peer), None) = (self.trace.peer, route.proxy) else {
            return None;
        };
        let winner = peer.ip();
        let mut dead = self.trace.attempts.dead().to_vec();
        // The first of a pair is the preferred one; it lost, so it was refused or too late.
        if let [first, _] = self.trace.attempts.tried_now()
            && *first != winner
        {
            dead.push(*first);
        }
        if dead.is_empty() {
            return None;
        }
        let list: Vec<String> = dead.iter().map(ToString::to_string).collect();
        let what = if winner.is_ipv4() && dead.iter().all(IpAddr::is_ipv6) {
            "IPv6 does not answer in time"
        } else {
            "not every address answers in time"
        };
        Some(format!(
            "{what}: `{}` was reached at {winner}, not at {}",
            route
                .first_stop()
                .0
                .map(|host| host.to_string())
                .unwrap_or_default(),
            list.join(", ")
        ))
    }
}

pub(super) fn add(phase: &mut Option<Micros>, took: Duration) {
    *phase = Some(phase.unwrap_or_default().plus(Micros::of(took)));
}
