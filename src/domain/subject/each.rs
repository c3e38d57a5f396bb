//! A subject of which each address is checked by itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use super::any::Subject;
use super::socket::TcpSubject;
use super::url_parts::HostPort;
use crate::domain::connect_to::{BadAddress, ConnectTo, Direct};
use crate::domain::http_choice::HttpChoice;
use crate::domain::target::{IpVersion, Proxy};

/// What there is to know of a name, each address of which is checked.
#[derive(Debug, Clone)]
pub struct EachAddress {
    /// Whose addresses are meant, and the port.
    pub at: HostPort,
    /// Which of them.
    pub ip_version: IpVersion,
    /// The deadline of one check.
    pub timeout: Duration,
    /// What the whole check is where some are bad.
    pub bad: BadAddress,
}

impl Subject {
    /// Whether each address is checked by itself; `None` for most.
    pub fn each(&self) -> Option<EachAddress> {
        let (direct, ip_version, timeout) = match self {
            Self::Http(http) => {
                let target = &http.target;
                (target.proxy.direct()?, target.ip_version, target.timeout)
            }
            Self::Tcp(tcp) => of_socket(tcp)?,
            Self::Tls(tls) => of_socket(&tls.tcp)?,
            Self::Icmp(_) | Self::Dns(_) => return None,
        };
        let bad = direct.each?;
        let own = match self {
            Self::Http(http) => host_port(&http.target.url())?,
            Self::Tcp(tcp) => tcp.at.clone(),
            Self::Tls(tls) => tls.tcp.at.clone(),
            Self::Icmp(_) | Self::Dns(_) => return None,
        };
        let at = match &direct.connect_to {
            None => own,
            Some(ConnectTo { host, port }) => HostPort {
                host: host.clone(),
                port: port.unwrap_or(own.port),
            },
        };
        Some(EachAddress {
            at,
            ip_version,
            timeout,
            bad,
        })
    }

    /// The same subject at one address alone, within `timeout`.
    #[must_use]
    pub fn pinned(&self, address: IpAddr, timeout: Duration) -> Self {
        match self {
            Self::Http(http) => {
                let mut http = http.clone();
                let direct = http.target.proxy.direct().cloned().unwrap_or_default();
                http.target.proxy = Proxy::Direct(Box::new(direct.pinned(address)));
                http.target.timeout = timeout;
                // The other versions are checked once, by the name.
                if http.target.http.offered().is_some() {
                    http.target.http = HttpChoice::One;
                }
                Self::Http(http)
            }
            Self::Tcp(tcp) => Self::Tcp(Arc::new(pinned(tcp, address, timeout))),
            Self::Tls(tls) => Self::Tls(Arc::new(super::socket::TlsSubject {
                tcp: pinned(&tls.tcp, address, timeout),
                tls: Arc::clone(&tls.tls),
            })),
            Self::Icmp(_) | Self::Dns(_) => self.clone(),
        }
    }
}

fn of_socket(tcp: &TcpSubject) -> Option<(&Direct, IpVersion, Duration)> {
    let manner = &tcp.manner;
    Some((manner.direct.as_deref()?, manner.ip_version, manner.timeout))
}

fn host_port(url: &Url) -> Option<HostPort> {
    Some(HostPort {
        host: match url.host()? {
            Host::Domain(name) => Host::Domain(name.to_owned()),
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => Host::Ipv6(address),
        },
        port: url.port_or_known_default()?,
    })
}

fn pinned(tcp: &TcpSubject, address: IpAddr, timeout: Duration) -> TcpSubject {
    let mut manner = (*tcp.manner).clone();
    let direct = manner.direct.take().unwrap_or_default();
    manner.direct = Some(Box::new(direct.pinned(address)));
    manner.timeout = timeout;
    TcpSubject {
        url: Arc::clone(&tcp.url),
        at: tcp.at.clone(),
        manner: Arc::new(manner),
    }
}
