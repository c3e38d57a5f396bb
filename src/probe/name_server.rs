//! One check of `dns://`: the server's address where it has a name, then the question.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;

use tokio::time::sleep_until;
use url::Host;

use super::classify::Fault;
use super::dns::Wanted;
use super::exchange::within;
use super::shared::Shared;
use crate::clock;
use crate::domain::check::{FailureKind, Micros, Timings};
use crate::domain::duration_text::Exact;
use crate::domain::name_server::NameServer;
use crate::domain::observed::AnswersProbe;
use crate::domain::subject::{DnsSubject, HostPort};
use crate::domain::target::IpVersion;
use crate::domain::timestamp::Timestamp;

/// So many addresses of a server's name are asked in turn.
const ADDRESSES_MAX: usize = 4;

/// Runs one check. Never fails: whatever goes wrong is what it saw.
pub(super) async fn visit(
    shared: &Shared,
    subject: &DnsSubject,
    started: Timestamp,
) -> AnswersProbe {
    let begun = clock::tick();
    let timeout = subject.manner.timeout;
    let deadline = begun + timeout;
    let question = &subject.question;
    let mut server = None;
    let asking = async {
        let servers = match &question.server {
            None => None,
            Some(at) => {
                let servers = addresses(shared, at, deadline).await?;
                server = servers.first().map(NameServer::address);
                Some(servers)
            }
        };
        let (name, kind) = (&question.name, question.record_type);
        let asked = shared
            .resolver
            .ask(servers.as_deref(), name, kind, deadline);
        match Box::pin(asked).await {
            Ok(answered) => {
                server = answered.server;
                Ok(answered.records)
            }
            Err(unanswered) => {
                server = unanswered.server.or(server);
                Err((unanswered.fault.kind, unanswered.fault.detail))
            }
        }
    };
    let asked = within(pin!(sleep_until(deadline)), asking).await;
    let took = Micros::of(begun.elapsed());
    AnswersProbe {
        started,
        timings: Timings {
            dns: Some(took),
            total: took,
            ..Timings::default()
        },
        remote_addr: server,
        answers: asked.unwrap_or_else(|| {
            Err((
                FailureKind::DnsTimeout,
                format!("no answer within the timeout of {}", Exact(timeout)),
            ))
        }),
    }
}

/// Where the server that the URL names is.
async fn addresses(
    shared: &Shared,
    at: &HostPort,
    deadline: tokio::time::Instant,
) -> Result<Vec<NameServer>, Fault> {
    let found: Vec<IpAddr> = match &at.host {
        Host::Ipv4(address) => vec![(*address).into()],
        Host::Ipv6(address) => vec![(*address).into()],
        Host::Domain(name) => {
            let wanted = Wanted {
                ip_version: IpVersion::Any,
                public_only: false,
            };
            let looking = Box::pin(shared.resolver.lookup(name, wanted, deadline));
            let found = looking.await.map_err(|fault| {
                let detail = format!("the name server has no address: {}", fault.detail);
                (fault.kind, detail)
            })?;
            found.now
        }
    };
    Ok(found
        .into_iter()
        .take(ADDRESSES_MAX)
        .map(|address| SocketAddr::new(address, at.port).into())
        .collect())
}
