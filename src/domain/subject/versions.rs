//! A subject of which each version of HTTP is checked by itself.

use std::time::Duration;

use super::any::Subject;
use crate::domain::alternative::Alternative;
use crate::domain::connect_to::BadAddress;
use crate::domain::http_choice::HttpChoice;
use crate::domain::target::{IpVersion, Proxy};

/// What there is to know of a site, each version of which is checked.
#[derive(Debug, Clone, Copy)]
pub struct OfferedVersions {
    /// What the whole check is where one fails.
    pub bad: BadAddress,
    /// The deadline of one check.
    pub timeout: Duration,
    /// Which addresses may be used.
    pub ip_version: IpVersion,
    /// Whether HTTP/3 can be spoken: no proxy is in between.
    pub has_http3: bool,
}

impl Subject {
    /// Whether each version that the site offers is checked; `None` for most.
    pub fn offered(&self) -> Option<OfferedVersions> {
        let Self::Http(http) = self else {
            return None;
        };
        let target = &http.target;
        Some(OfferedVersions {
            bad: target.http.offered()?,
            timeout: target.timeout,
            ip_version: target.ip_version,
            has_http3: match &target.proxy {
                Proxy::None | Proxy::Direct(_) => true,
                Proxy::Environment { .. } | Proxy::Through(_) => false,
            },
        })
    }

    /// Whether HTTP/3 is what it asks for.
    pub fn speaks_http3(&self) -> bool {
        match self {
            Self::Http(http) => http.target.http == HttpChoice::Three,
            Self::Tcp(_) | Self::Tls(_) | Self::Icmp(_) | Self::Dns(_) => false,
        }
    }

    /// The same subject by one version alone, within `timeout`; HTTP/3 at the alternative.
    #[must_use]
    pub fn by_version(
        &self,
        http: HttpChoice,
        alternative: Option<Alternative>,
        timeout: Duration,
    ) -> Self {
        let Self::Http(subject) = self else {
            return self.clone();
        };
        let mut subject = subject.clone();
        subject.target.http = http;
        subject.target.timeout = timeout;
        if alternative.is_some() {
            let mut direct = subject.target.proxy.direct().cloned().unwrap_or_default();
            direct.alternative = alternative;
            subject.target.proxy = Proxy::Direct(Box::new(direct));
        }
        Self::Http(subject)
    }
}
