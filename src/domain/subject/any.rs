//! The subject of a monitor, whatever its kind.

use std::sync::Arc;
use std::time::Duration;

use url::Host;

use super::dns::DnsSubject;
use super::http::HttpSubject;
use super::icmp::IcmpSubject;
use super::kind::SubjectKind;
use super::socket::{TcpSubject, TlsSubject};
use crate::domain::redaction::{self, Masks};
use crate::domain::slow_limit::SlowLimit;

/// What one monitor checks: how it is asked and what counts as good, as one value, so that the two cannot be of
/// different kinds.
#[derive(Debug, Clone)]
pub enum Subject {
    /// `http://` and `https://`
    Http(HttpSubject),
    /// `tcp://`
    Tcp(Arc<TcpSubject>),
    /// `tls://`
    Tls(Arc<TlsSubject>),
    /// `icmp://`
    Icmp(Arc<IcmpSubject>),
    /// `dns://`
    Dns(Arc<DnsSubject>),
}

impl Subject {
    /// Its kind.
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Self::Http(_) => SubjectKind::Http,
            Self::Tcp(_) => SubjectKind::Tcp,
            Self::Tls(_) => SubjectKind::Tls,
            Self::Icmp(_) => SubjectKind::Icmp,
            Self::Dns(_) => SubjectKind::Dns,
        }
    }

    /// The monitor's `url`; of an HTTP subject userinfo and secrets are in clear.
    pub fn url_text(&self) -> &Arc<str> {
        match self {
            Self::Http(http) => http.target.url_text(),
            Self::Tcp(tcp) => &tcp.url,
            Self::Tls(tls) => &tls.tcp.url,
            Self::Icmp(icmp) => &icmp.url,
            Self::Dns(dns) => &dns.url,
        }
    }

    /// Its URL as it may be stored and shown: no userinfo, no secret.
    pub fn url_shown(&self) -> String {
        match self {
            Self::Http(http) => {
                let url = redaction::without_userinfo(&http.target.url());
                http.target.masks.apply(&url).into_owned()
            }
            Self::Tcp(_) | Self::Tls(_) | Self::Icmp(_) | Self::Dns(_) => {
                self.masks().apply(self.url_text()).into_owned()
            }
        }
    }

    /// The HTTP part, where it is of that kind.
    pub const fn http(&self) -> Option<&HttpSubject> {
        match self {
            Self::Http(http) => Some(http),
            Self::Tcp(_) | Self::Tls(_) | Self::Icmp(_) | Self::Dns(_) => None,
        }
    }

    /// The secrets that must not leave this process.
    pub fn masks(&self) -> &Masks {
        match self {
            Self::Http(http) => &http.target.masks,
            Self::Tcp(tcp) => &tcp.manner.masks,
            Self::Tls(tls) => &tls.tcp.manner.masks,
            Self::Icmp(icmp) => &icmp.manner.masks,
            Self::Dns(dns) => &dns.manner.masks,
        }
    }

    /// The deadline of one whole check.
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Http(http) => http.target.timeout,
            Self::Tcp(tcp) => tcp.manner.timeout,
            Self::Tls(tls) => tls.tcp.manner.timeout,
            Self::Icmp(icmp) => icmp.manner.timeout,
            Self::Dns(dns) => dns.manner.timeout,
        }
    }

    /// From when on a check is `degraded` since it is slow.
    pub fn degraded_after(&self) -> SlowLimit {
        match self {
            Self::Http(http) => http.expectation.degraded_after,
            Self::Tcp(tcp) => tcp.manner.degraded_after,
            Self::Tls(tls) => tls.tcp.manner.degraded_after,
            Self::Icmp(icmp) => icmp.manner.degraded_after,
            Self::Dns(dns) => dns.manner.degraded_after,
        }
    }

    /// The host that is reached first: of a `dns://` subject its server, where it names one.
    pub fn host(&self) -> Option<Host<String>> {
        match self {
            Self::Http(http) => http.target.url().host().map(|host| host.to_owned()),
            Self::Tcp(tcp) => Some(tcp.at.host.clone()),
            Self::Tls(tls) => Some(tls.tcp.at.host.clone()),
            Self::Icmp(icmp) => Some(icmp.host.clone()),
            Self::Dns(dns) => dns
                .question
                .server
                .as_ref()
                .map(|server| server.host.clone()),
        }
    }
}
