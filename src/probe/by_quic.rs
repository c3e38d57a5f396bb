//! One request by HTTP/3, in the phases of all others: `connect` ends with the first answer of the server.

use std::sync::Arc;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use quinn::ConnectionError;

use super::connection::{Plan, QuicFault, QuicWhy, Reply, connect_by, open_quic, send_by_quic};
use super::dns::Resolver;
use super::exchange::{Broken, Route, Trace, stops, verify_owed};
use crate::clock;
use crate::domain::check::HttpVersion;
use crate::tls;

/// Name, QUIC with its TLS, and the request.
///
/// # Errors
/// What broke.
pub(super) async fn ask(
    resolver: &Resolver,
    route: Route<'_>,
    kind: &tls::Kind,
    trace: &mut Trace,
    request: impl Fn() -> Result<Request<Full<Bytes>>, String>,
) -> Result<Reply, Broken> {
    let (_, port) = route.first_stop();
    let (mut literal, later) = stops(resolver, route, trace).await?;
    trace.connecting = Some(clock::tick());
    let plan = Plan {
        kind,
        host: route.host(),
        verify_tls: route.verify_tls,
        bytes_max: route.bytes_max,
    };
    let attempts = literal.as_mut().unwrap_or(&mut trace.attempts);
    let connecting = connect_by(attempts, later, port, route.deadline, |to| {
        open_quic(plan, to)
    });
    let (opening, peer) = match connecting.await {
        Ok(opened) => opened,
        Err(fault) => return Err(broken(trace, fault)),
    };
    trace.peer = Some(peer);
    trace.hello = Some(clock::tick());
    let recorder = Arc::clone(trace.recorder.insert(Arc::clone(&opening.recorder)));
    let quic = match opening.finish().await {
        Ok(quic) => quic,
        Err(fault) => return Err(broken(trace, fault)),
    };
    if recorder.owes() {
        verify_owed(&recorder).await.map_err(Broken::Handshake)?;
    }
    trace.connected = Some(clock::tick());
    trace.agreed = Some(HttpVersion::Http3);
    let request = request().map_err(Broken::Request)?;
    Ok(send_by_quic(quic, request).await?)
}

/// Whether anything comes back over QUIC, be it a refusal.
pub(super) async fn knock(resolver: &Resolver, route: Route<'_>, kind: &tls::Kind) -> bool {
    let mut trace = Trace::default();
    let (_, port) = route.first_stop();
    let Ok((mut literal, later)) = stops(resolver, route, &mut trace).await else {
        return false;
    };
    let plan = Plan {
        kind,
        host: route.host(),
        verify_tls: false,
        bytes_max: route.bytes_max,
    };
    let attempts = literal.as_mut().unwrap_or(&mut trace.attempts);
    let knocking = connect_by(attempts, later, port, route.deadline, |to| {
        open_quic(plan, to)
    });
    match knocking.await {
        Ok(_) => true,
        Err(fault) => match fault.why {
            QuicWhy::Io(_) => false,
            QuicWhy::Handshake(error) => !matches!(
                error,
                ConnectionError::TimedOut | ConnectionError::LocallyClosed
            ),
        },
    }
}

fn broken(trace: &mut Trace, fault: QuicFault) -> Broken {
    if fault.recorder.is_some() {
        trace.recorder = fault.recorder;
    }
    Broken::Quic(fault.why)
}
