//! One check of `tcp://` or `tls://`: name, connection, handshake, and what the server says.

use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep_until;
use url::Url;

use super::classify::{self, Fault};
use super::connection::{Link, wire_bytes_max};
use super::conversation::{self, Conversation};
use super::dns::Resolver;
use super::exchange::{Broken, Exchange, Route, Trace, reach, shake, within};
use super::facts::facts;
use super::search::Search;
use super::shared::Shared;
use super::starttls::{UpgradeFault, upgrade};
use crate::clock;
use crate::domain::check::{FailureKind, Micros, Timings};
use crate::domain::duration_text::Exact;
use crate::domain::observed::{SocketEnd, SocketProbe};
use crate::domain::starttls::StartTls;
use crate::domain::subject::{TcpSubject, TlsManner};
use crate::domain::timestamp::Timestamp;
use crate::tls;

/// Runs one check. Never fails: whatever goes wrong is what it saw.
pub(super) async fn visit(
    shared: &Shared,
    subject: &TcpSubject,
    tls: Option<&TlsManner>,
    started: Timestamp,
    search: &impl Search,
) -> SocketProbe {
    let manner = &*subject.manner;
    let begun = clock::tick();
    let deadline = begun + manner.timeout;
    let mut alarm = pin!(sleep_until(deadline));
    let mut probe = nothing_seen(started);
    let url = match address(subject) {
        Ok(url) => url,
        Err(fault) => return ended(probe, fault),
    };
    let kind = match tls
        .map(|tls| shared.bare_tls(tls.ca_pem.as_ref(), tls.client_certificate.as_ref()))
    {
        None => None,
        Some(Ok(kind)) => Some(kind),
        Some(Err(detail)) => return ended(probe, (FailureKind::Local, detail)),
    };
    let starttls = tls.and_then(|tls| tls.starttls);
    let connect_to = manner
        .connect_to()
        .map(|to| (to.host.clone(), to.port.unwrap_or(subject.at.port)));
    let route = Route {
        url: &url,
        proxy: None,
        connect_to: connect_to.as_ref(),
        by_quic: false,
        tls: kind.as_deref().filter(|_| starttls.is_none()),
        ip_version: manner.ip_version,
        verify_tls: tls.is_none_or(|tls| tls.verify_tls),
        public_only: false,
        bytes_max: wire_bytes_max(manner.max_body),
        deadline,
    };
    let mut trace = Trace::default();
    let mut dialogue = starttls.zip(kind.as_deref()).map(Upgrade::new);
    let opening = open(&shared.resolver, route, &mut trace, dialogue.as_mut());
    let opened = within(alarm.as_mut(), opening).await;
    let connected = trace.connected;
    trace.see_owed().await;
    let exchange = Exchange::unfinished(trace, begun);
    exchange.add_phases(&mut probe.timings);
    // It is the first byte of what the server says that counts, not the end of the handshake.
    probe.timings.ttfb = None;
    probe.remote_addr = exchange.remote_addr(&route);
    let mut waited = Duration::ZERO;
    let link = match opened {
        Some(Ok(link)) => Ok(link),
        Some(Err(Stopped::Broken(broken))) => Err(classify::of_request(&broken, &exchange, &route)),
        Some(Err(Stopped::Upgrade(fault))) => Err(fault),
        None => Err(of_timeout(
            &exchange,
            &route,
            dialogue.as_ref(),
            &Exact(manner.timeout).to_string(),
        )),
    };
    match link {
        Ok(mut link) => {
            let Conversation {
                end,
                heard,
                heard_bytes,
                first_byte_at,
                waited: idle,
            } = conversation::converse(
                &mut link,
                manner,
                &subject.url,
                &shared.room,
                search,
                alarm.as_mut(),
            )
            .await;
            probe.timings.ttfb = first_byte_at
                .zip(connected)
                .map(|(first, stood)| Micros::of(first.saturating_duration_since(stood)));
            (probe.end, probe.heard, probe.heard_bytes, waited) = (end, heard, heard_bytes, idle);
        }
        Err((kind, detail)) => probe.end = SocketEnd::Failed { kind, detail },
    }
    probe.timings.total = Micros::of(begun.elapsed().saturating_sub(waited));
    let seen = facts(&shared.known, &exchange, &route, &manner.masks);
    (probe.certificate, probe.root) = (seen.certificate, seen.root);
    probe.remarks.extend(seen.let_pass);
    if connected.is_some()
        && let Some(remark) = exchange.dead_addresses(&route)
    {
        probe.remarks.push(manner.masks.apply(&remark).into_owned());
    }
    probe
}

/// The subject's host and port in the form that the rest of this room works with.
fn address(subject: &TcpSubject) -> Result<Url, Fault> {
    let text = format!("https://{}/", subject.at);
    Url::parse(&text).map_err(|error| {
        (
            FailureKind::Protocol,
            format!("`{}` cannot be used: {error}", subject.at),
        )
    })
}

fn nothing_seen(started: Timestamp) -> SocketProbe {
    SocketProbe {
        started,
        timings: Timings::default(),
        remote_addr: None,
        certificate: None,
        root: None,
        remarks: Vec::new(),
        end: SocketEnd::Met,
        heard: Vec::new(),
        heard_bytes: 0,
    }
}

fn ended(mut probe: SocketProbe, (kind, detail): Fault) -> SocketProbe {
    probe.end = SocketEnd::Failed { kind, detail };
    probe
}

/// A dialogue before TLS.
struct Upgrade<'a> {
    protocol: StartTls,
    kind: &'a tls::Kind,
    /// Whether it has begun.
    has_begun: bool,
}

impl<'a> Upgrade<'a> {
    const fn new((protocol, kind): (StartTls, &'a tls::Kind)) -> Self {
        Self {
            protocol,
            kind,
            has_begun: false,
        }
    }
}

/// Why a connection did not come to stand.
enum Stopped {
    Broken(Broken),
    Upgrade(Fault),
}

impl From<Broken> for Stopped {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Name, TCP, the dialogue before TLS, and TLS.
async fn open(
    resolver: &Resolver,
    route: Route<'_>,
    trace: &mut Trace,
    dialogue: Option<&mut Upgrade<'_>>,
) -> Result<Link, Stopped> {
    let link = reach(resolver, route, trace).await?;
    let link = match (link, dialogue) {
        (Link::Plain(mut tcp), Some(dialogue)) => {
            dialogue.has_begun = true;
            let asking = upgrade(dialogue.protocol, &mut tcp, route.host());
            Box::pin(asking)
                .await
                .map_err(|fault: UpgradeFault| Stopped::Upgrade(fault.told(dialogue.protocol)))?;
            shake(dialogue.kind, route, tcp, trace).await?
        }
        (link, _) => link,
    };
    trace.connected = Some(clock::tick());
    Ok(link)
}

fn of_timeout(
    exchange: &Exchange,
    route: &Route<'_>,
    dialogue: Option<&Upgrade<'_>>,
    timeout: &str,
) -> Fault {
    match dialogue.filter(|dialogue| dialogue.has_begun && exchange.trace.hello.is_none()) {
        Some(dialogue) => (
            FailureKind::TimeoutResponse,
            format!(
                "connected, but no go-ahead for TLS ({}) within the timeout of {timeout}",
                dialogue.protocol.request()
            ),
        ),
        None => classify::of_timeout(exchange, route, timeout),
    }
}
