//! Names to addresses: the static table first, then the name servers in turn, never a cache.
//!
//! NXDOMAIN, a server's failure, silence and our own troubles stay apart. One server's SERVFAIL,
//! REFUSED or silence moves on to the next; a server's NXDOMAIN is an answer.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::fault::is_local;
use super::system_dns::{Server, SystemDns};
use crate::clock;
use crate::domain::check::FailureKind;
use crate::domain::target::{DnsSettings, IpVersion};
use crate::domain::text;
use crate::policy::private::is_private;

/// Lookups in flight: a dead name server must not fill the memory with waiting questions.
const LOOKUPS_MAX: usize = 256;

/// One question to one server is given up after this: a lost datagram is then asked again.
const QUERY_MAX: Duration = Duration::from_secs(2);

/// How long the second address family is waited for once the first has answered (RFC 8305 section 3
/// proposes 50 ms; more is kind to slow servers and still cheap).
const FAMILY_GRACE: Duration = Duration::from_millis(250);

/// More addresses of one name are not tried.
const ADDRESSES_MAX: usize = 16;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(super) struct DnsFault {
    /// One of the `dns_*` kinds, `redirect_blocked` or `local`.
    pub(super) kind: FailureKind,
    /// One line for a person.
    pub(super) detail: String,
}

/// What came of one question to one server.
enum Trouble {
    /// NXDOMAIN.
    NoName,
    /// The name exists, but not with an address of the wanted family.
    NoAddress,
    Failed(String),
    Silent,
    Local(String),
}

/// Resolves names for all checks.
#[derive(Debug, Clone)]
pub(super) struct Resolver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    system: SystemDns,
    timeout: Duration,
    lookups: Semaphore,
}

impl Resolver {
    pub(super) fn new(settings: &DnsSettings) -> Self {
        Self(Arc::new(Shared {
            system: SystemDns::new(settings),
            timeout: settings.timeout,
            lookups: Semaphore::new(LOOKUPS_MAX),
        }))
    }
}

impl Resolver {
    /// The addresses of a name in the order of the attempts.
    pub(super) async fn lookup(
        &self,
        name: &str,
        version: IpVersion,
        public_only: bool,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, DnsFault> {
        let all = self.0.addresses(name, version, deadline).await?;
        usable(name, all, public_only)
    }
}

/// Orders addresses for the attempts (6, 4, 6, 4, ...), without those that may not or cannot be used.
fn usable(host: &str, mut all: Vec<IpAddr>, public_only: bool) -> Result<Vec<IpAddr>, DnsFault> {
    if public_only {
        let before = all.first().copied();
        all.retain(|address| !is_private(*address));
        if let (Some(private), true) = (before, all.is_empty()) {
            return Err(DnsFault {
                kind: FailureKind::RedirectBlocked,
                detail: blocked(host, private),
            });
        }
    }
    all.truncate(ADDRESSES_MAX);
    let (mut v6, mut v4): (Vec<_>, Vec<_>) = all.into_iter().partition(IpAddr::is_ipv6);
    // A host without IPv6 of its own says nothing about the site's.
    if !v6.is_empty() && !v4.is_empty() && !v6.iter().any(|address| has_route(*address)) {
        v6.clear();
    }
    let mut ordered = Vec::with_capacity(v6.len() + v4.len());
    let mut v6 = v6.drain(..);
    let mut v4 = v4.drain(..);
    loop {
        match (v6.next(), v4.next()) {
            (None, None) => return Ok(ordered),
            (six, four) => ordered.extend(six.into_iter().chain(four)),
        }
    }
}

/// The sentence about a private address behind a public one.
pub(super) fn blocked(host: &str, address: IpAddr) -> String {
    format!(
        "`{}` is at the private address {address}, while the redirect came from a public one; \
         allow_private_redirect lets it pass",
        text::middle(host, 100)
    )
}

/// Whether this host has a route to an address: asks the kernel, sends nothing.
pub(super) fn has_route(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Whatever else is wrong, the attempt itself will say so.
    let connected = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((address, 53)));
    !connected.is_err_and(|error| error.kind() == ErrorKind::NetworkUnreachable)
}

impl Shared {
    async fn addresses(
        &self,
        host: &str,
        version: IpVersion,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, DnsFault> {
        let view = self.system.view();
        let bare = host.trim_end_matches('.').to_ascii_lowercase();
        let mut fixed: Vec<IpAddr> = view.hosts.get(&bare).to_vec();
        if fixed.is_empty() && (bare == "localhost" || bare.ends_with(".localhost")) {
            // RFC 6761 section 6.3.
            fixed = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        }
        fixed.retain(|address| is_wanted(*address, version));
        if !fixed.is_empty() {
            return Ok(fixed);
        }
        let deadline = deadline.min(clock::tick() + self.timeout);
        let _permit = match timeout_at(deadline, self.lookups.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(silent(host, &view.servers)),
        };
        // As glibc does: a name with enough dots is tried as it is first, and what is told in the
        // end is what became of the name itself.
        let absolute = host.ends_with('.');
        let dots = bare.bytes().filter(|byte| *byte == b'.').count();
        let searched = || view.search.iter().map(|domain| format!("{bare}.{domain}"));
        let mut names = vec![bare.clone()];
        if !absolute && dots >= view.ndots {
            names.extend(searched());
        } else if !absolute {
            names.splice(0..0, searched());
        }
        let mut own: Option<DnsFault> = None;
        for name in &names {
            match self
                .ask_in_turn(name, version, &view.servers, deadline)
                .await
            {
                Ok(addresses) => return Ok(addresses),
                Err(fault) if fault.kind == FailureKind::DnsNotFound => {
                    if *name == bare || own.is_none() {
                        own = Some(fault);
                    }
                }
                Err(fault) => return Err(own.unwrap_or(fault)),
            }
        }
        Err(own.unwrap_or_else(|| silent(host, &view.servers)))
    }

    /// Asks one server after the other; those that were silent are asked once more at the end.
    async fn ask_in_turn(
        &self,
        name: &str,
        version: IpVersion,
        servers: &[Server],
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, DnsFault> {
        // Label by label: a hyphen at an end is no host name by the book, but such sites are.
        let Ok(question) = Name::from_labels(name.split('.').map(str::as_bytes)) else {
            return Err(not_found(name, "no name that DNS could hold"));
        };
        let mut turn: Vec<&Server> = servers.iter().collect();
        let mut failed: Option<DnsFault> = None;
        for round in 0..2 {
            let mut quiet = Vec::new();
            for (place, server) in turn.iter().enumerate() {
                let left = deadline.saturating_duration_since(clock::tick());
                if left.is_zero() {
                    break;
                }
                let sharers = turn.len() - place + usize::from(round == 0);
                let share = left / u32::try_from(sharers).unwrap_or(u32::MAX);
                let until = clock::tick() + share.min(QUERY_MAX);
                match ask(server, &question, version, until).await {
                    Ok(addresses) => return Ok(addresses),
                    Err(Trouble::NoName) => {
                        return Err(not_found(name, "no such name (NXDOMAIN)"));
                    }
                    Err(Trouble::NoAddress) => return Err(not_found(name, no_address(version))),
                    Err(Trouble::Silent) => quiet.push(*server),
                    Err(Trouble::Failed(what)) => {
                        let detail = format!("name server {}: {what}", server.address);
                        failed.get_or_insert(DnsFault {
                            kind: FailureKind::DnsFailure,
                            detail: format!("`{}`: {detail}", text::middle(name, 100)),
                        });
                    }
                    Err(Trouble::Local(what)) => {
                        failed.get_or_insert(DnsFault {
                            kind: FailureKind::Local,
                            detail: format!("cannot ask name server {}: {what}", server.address),
                        });
                    }
                }
            }
            if quiet.is_empty() {
                break;
            }
            turn = quiet;
        }
        Err(failed.unwrap_or_else(|| silent(name, servers)))
    }
}

const fn is_wanted(address: IpAddr, version: IpVersion) -> bool {
    match version {
        IpVersion::Any => true,
        IpVersion::V4 => address.is_ipv4(),
        IpVersion::V6 => address.is_ipv6(),
    }
}

fn not_found(name: &str, why: &str) -> DnsFault {
    DnsFault {
        kind: FailureKind::DnsNotFound,
        detail: format!("`{}`: {why}", text::middle(name, 100)),
    }
}

fn silent(name: &str, servers: &[Server]) -> DnsFault {
    let all: Vec<String> = servers.iter().map(|s| s.address.to_string()).collect();
    DnsFault {
        kind: FailureKind::DnsTimeout,
        detail: format!(
            "`{}`: no answer from name server {}",
            text::middle(name, 100),
            all.join(", ")
        ),
    }
}

/// Asks one server for the addresses of the wanted families.
async fn ask(
    server: &Server,
    name: &Name,
    version: IpVersion,
    until: Instant,
) -> Result<Vec<IpAddr>, Trouble> {
    let one = |family| question(server, name, family, until);
    match version {
        IpVersion::V4 => one(RecordType::A).await,
        IpVersion::V6 => one(RecordType::AAAA).await,
        IpVersion::Any => {
            let mut six = std::pin::pin!(one(RecordType::AAAA));
            let mut four = std::pin::pin!(one(RecordType::A));
            tokio::select! {
                first = &mut six => {
                    let grace = grace(&first, until);
                    merge(first, timeout_at(grace, four).await)
                }
                first = &mut four => {
                    let grace = grace(&first, until);
                    merge(first, timeout_at(grace, six).await)
                }
            }
        }
    }
}

/// How long the second family is waited for.
fn grace(first: &Result<Vec<IpAddr>, Trouble>, until: Instant) -> Instant {
    match first {
        Ok(_) => until.min(clock::tick() + FAMILY_GRACE),
        Err(_) => until,
    }
}

/// Both answers as one: any address is a success; else the more certain of two troubles.
fn merge(
    first: Result<Vec<IpAddr>, Trouble>,
    second: Result<Result<Vec<IpAddr>, Trouble>, Elapsed>,
) -> Result<Vec<IpAddr>, Trouble> {
    match (first, second.unwrap_or(Err(Trouble::Silent))) {
        (Ok(mut all), Ok(more)) => {
            all.extend(more);
            Ok(all)
        }
        (Ok(all), Err(_)) | (Err(_), Ok(all)) => Ok(all),
        (Err(one), Err(other)) => Err(if certainty(&one) >= certainty(&other) {
            one
        } else {
            other
        }),
    }
}

const fn certainty(trouble: &Trouble) -> u8 {
    match trouble {
        Trouble::NoName => 4,
        Trouble::Local(_) => 3,
        Trouble::Failed(_) => 2,
        Trouble::Silent => 1,
        Trouble::NoAddress => 0,
    }
}

const fn no_address(version: IpVersion) -> &'static str {
    match version {
        IpVersion::Any => "the name has no address",
        IpVersion::V4 => "the name has no IPv4 address",
        IpVersion::V6 => "the name has no IPv6 address",
    }
}

/// What keeps this host from asking a server, if it is this host.
fn own_fault(server: SocketAddr) -> Option<std::io::Error> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))
        .and_then(|socket| socket.connect(server))
        .err()
        .filter(is_local)
}

/// One question for one family.
async fn question(
    server: &Server,
    name: &Name,
    family: RecordType,
    until: Instant,
) -> Result<Vec<IpAddr>, Trouble> {
    let answer = match timeout_at(until, server.resolver.lookup(name.clone(), family)).await {
        Err(_) => return Err(Trouble::Silent),
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(trouble(&error, server.address)),
    };
    let addresses: Vec<IpAddr> = answer
        .answers()
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect();
    if addresses.is_empty() {
        return Err(Trouble::NoAddress);
    }
    Ok(addresses)
}

fn trouble(error: &NetError, server: SocketAddr) -> Trouble {
    match error {
        NetError::Timeout => Trouble::Silent,
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Trouble::NoName,
            ResponseCode::NoError => Trouble::NoAddress,
            code => Trouble::Failed(code.to_string()),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => Trouble::Failed(code.to_string()),
        NetError::Io(io) if is_local(io) => Trouble::Local(io.to_string()),
        // hickory has forgotten why; a socket of our own tells whether the fault is here.
        NetError::NoConnections => match own_fault(server) {
            Some(io) => Trouble::Local(io.to_string()),
            None => Trouble::Failed("it cannot be reached".to_owned()),
        },
        other => Trouble::Failed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(all: &[&str], public_only: bool, want: &str) {
        let all = all.iter().map(|text| text.parse().unwrap()).collect();
        let got = match usable("site.test", all, public_only) {
            Ok(addresses) => {
                let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                shown.join(" ")
            }
            Err(fault) => fault.kind.to_string(),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn addresses_are_ordered_and_filtered() {
        check(&["127.0.0.1", "::1"], false, "::1 127.0.0.1");
        check(
            &["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"],
            false,
            "::1 127.0.0.1 127.0.0.2 127.0.0.3",
        );
        check(&["10.0.0.1", "93.184.216.34"], true, "93.184.216.34");
        check(&["::ffff:10.0.0.1", "93.184.216.34"], true, "93.184.216.34");
        check(&["10.0.0.1", "::1"], true, "redirect_blocked");
        check(&["64:ff9b::a00:1"], true, "redirect_blocked");
        check(&["10.0.0.1"], false, "10.0.0.1");
    }

    #[test]
    fn the_more_certain_trouble_of_two_is_told() {
        let told = |first, second| match merge(first, Ok(second)) {
            Ok(addresses) => format!("{addresses:?}"),
            Err(Trouble::NoName) => "no name".to_owned(),
            Err(Trouble::NoAddress) => "no address".to_owned(),
            Err(Trouble::Failed(_)) => "failed".to_owned(),
            Err(Trouble::Silent) => "silent".to_owned(),
            Err(Trouble::Local(_)) => "local".to_owned(),
        };
        let home = || Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        let failed = || Err(Trouble::Failed(String::new()));
        assert_eq!(told(home(), failed()), "[127.0.0.1]");
        assert_eq!(told(Err(Trouble::Silent), home()), "[127.0.0.1]");
        assert_eq!(told(Err(Trouble::Silent), failed()), "failed");
        assert_eq!(
            told(Err(Trouble::NoAddress), Err(Trouble::Silent)),
            "silent"
        );
        assert_eq!(told(Err(Trouble::NoName), failed()), "no name");
        assert_eq!(
            told(Err(Trouble::NoAddress), Err(Trouble::NoAddress)),
            "no address"
        );
    }
}
