//! One question for the records of a type: an absolute name, to one server or to all of the configuration in turn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::time::{Instant, timeout_at};

use super::ask::Trouble;
use super::fault::{self, DnsFault, at_servers, quoted};
use super::lookup::{LAST_WORDS, Resolver};
use super::message::WireName;
use super::servers::{Asker, Round, Span};
use super::system::View;
use crate::clock;
use crate::domain::check::FailureKind;
use crate::domain::dns_record::RecordType;
use crate::domain::name_server::NameServer;

/// The records of a name.
#[derive(Debug)]
pub(in crate::probe) struct Answered {
    /// The server that gave them.
    pub(in crate::probe) server: Option<SocketAddr>,
    /// At least one, in the order in which they came.
    pub(in crate::probe) records: Vec<String>,
}

/// Why there are none.
#[derive(Debug)]
pub(in crate::probe) struct Unanswered {
    /// The server that decided it, or the first that was asked.
    pub(in crate::probe) server: Option<SocketAddr>,
    pub(in crate::probe) fault: DnsFault,
}

impl Resolver {
    /// Asks `servers`, or, where that is `None`, those that lookups ask. No search list, no static table.
    ///
    /// # Errors
    /// Why there is no record.
    pub(in crate::probe) async fn ask(
        &self,
        servers: Option<&[NameServer]>,
        name: &str,
        kind: RecordType,
        deadline: Instant,
    ) -> Result<Answered, Unanswered> {
        let nobody = |fault| Unanswered {
            server: None,
            fault,
        };
        let end = deadline.checked_sub(LAST_WORDS).unwrap_or(deadline);
        let shared = self.shared();
        let (view, until) = match servers {
            Some(servers) => (Arc::new(View::of_configuration(servers)), end),
            None => (
                shared.system.view().await,
                end.min(clock::tick() + shared.timeout),
            ),
        };
        let wire = match name.trim_end_matches('.') {
            "" => Some(WireName::root()),
            bare => WireName::parse(bare),
        };
        let Some(wire) = wire else {
            return Err(nobody(fault::unaskable(name)));
        };
        let place = timeout_at(until, shared.lookups.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(nobody(fault::no_place(name)));
        };
        let asker = Asker {
            first: shared.system.first(&view),
            view: Arc::clone(&view),
            extras: Arc::clone(&shared.extras),
        };
        let address = |place: usize| view.servers.get(place).map(NameServer::address);
        let round = Round::new(asker, wire, kind, Arc::new(AtomicUsize::new(0)));
        let span = Span {
            share: until,
            until,
        };
        match Box::pin(round.run(span)).await {
            Ok((server, records)) => Ok(Answered {
                server: address(server),
                records,
            }),
            Err(refusal) => {
                let decided = |(_, trouble): &(NameServer, Trouble)| *trouble == refusal.trouble;
                let server = refusal.servers.iter().position(decided).unwrap_or(0);
                let name = quoted(name);
                let (kind, detail) = match &refusal.trouble {
                    Trouble::NoName => (
                        FailureKind::DnsNotFound,
                        format!("{name}: no such name (NXDOMAIN)"),
                    ),
                    Trouble::NoRecord => (
                        FailureKind::DnsNotFound,
                        format!("{name}: the name has no {kind} record"),
                    ),
                    Trouble::Local(_) => failed(FailureKind::Local, &name, &at_servers(&refusal)),
                    Trouble::Failed(_) => {
                        failed(FailureKind::DnsFailure, &name, &at_servers(&refusal))
                    }
                    Trouble::Silent | Trouble::Nobody(_) => {
                        failed(FailureKind::DnsTimeout, &name, &at_servers(&refusal))
                    }
                };
                Err(Unanswered {
                    server: address(server),
                    fault: DnsFault { kind, detail },
                })
            }
        }
    }
}

fn failed(kind: FailureKind, name: &str, what: &str) -> (FailureKind, String) {
    (kind, format!("{name}: {what}"))
}
