//! What is asked of sites and name servers beside checks.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;
use url::{Host, Url};

use super::dns::Wanted;
use super::errand::Redirects;
use super::list::{self, ListAnswer, ListFault, ListRequest};
use super::prober::Prober;
#[cfg(feature = "http3")]
use super::{by_quic, connection::quic_bytes_max, exchange::Route, shared::Protocol};
use crate::domain::subject::EachAddress;
#[cfg(feature = "http3")]
use crate::{
    clock, domain::target::IpVersion, policy::http::alt_svc, policy::http::alt_svc::Place,
};

/// So many addresses of a name are checked by themselves.
const ADDRESSES_MAX: usize = 16;

impl Prober {
    /// Asks for a URL without checking it. Returns the status of an answer that comes in time.
    ///
    /// # Errors
    /// Why no answer came, in one line.
    pub async fn ask(
        &self,
        url: &Url,
        redirects: Redirects,
        within: Duration,
    ) -> Result<u16, String> {
        self.0.errands.get(url, redirects, within).await
    }

    /// Asks for the list of a `[[source]]`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn fetch(&self, request: &ListRequest<'_>) -> Result<ListAnswer, ListFault> {
        list::fetch(&self.0.errands, request).await
    }

    /// The addresses of a name, each to be checked by itself; empty if the lookup fails, which the check of the name
    /// tells.
    pub async fn addresses(&self, each: &EachAddress, deadline: Instant) -> Vec<IpAddr> {
        let name = match &each.at.host {
            Host::Ipv4(address) => return vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => return vec![IpAddr::V6(*address)],
            Host::Domain(name) => name,
        };
        let wanted = Wanted {
            ip_version: each.ip_version,
            public_only: false,
        };
        let found = self.0.resolver.lookup(name, wanted, deadline).await;
        let Ok(found) = found else {
            return Vec::new();
        };
        let mut all = found.now;
        if let Some(later) = found.later {
            all.extend(later.addresses().await);
        }
        let mut seen = HashSet::new();
        all.retain(|address| seen.insert(*address));
        all.truncate(ADDRESSES_MAX);
        all
    }

    /// Where a site serves HTTP/3 by the word of its HTTPS record.
    #[cfg(feature = "http3")]
    pub async fn http3_place(&self, url: &Url, deadline: Instant) -> Option<Place> {
        let (Some(Host::Domain(name)), Some(port)) = (url.host(), url.port_or_known_default())
        else {
            return None;
        };
        let (host, port) = self.0.resolver.http3_place(name, port, deadline).await?;
        match host {
            None => Some((None, port)),
            Some(host) => Some((Some(Host::parse(&host).ok()?), port)),
        }
    }

    /// Where the answer to a URL says that there is HTTP/3, as of [`Self::http3_place`].
    ///
    /// # Errors
    /// Why nobody answers, in one line.
    #[cfg(feature = "http3")]
    pub async fn offered_http3(
        &self,
        url: &Url,
        within: Duration,
    ) -> Result<Option<Place>, String> {
        let fields = self.0.errands.alt_svc(url, within).await?;
        Ok(alt_svc::http3(fields.iter().map(|field| field.as_bytes())))
    }

    /// Whether anything comes back over QUIC, be it a refusal: from a place of the site, or from its own host and port.
    #[cfg(feature = "http3")]
    pub async fn answers_by_quic(
        &self,
        url: &Url,
        place: Option<&Place>,
        within: Duration,
    ) -> bool {
        let Ok(kind) = self.0.tls(Protocol::Http3, None, None) else {
            return false;
        };
        let host = |place: &'_ Place| match &place.0 {
            None => url.host().map(|host| host.to_owned()),
            Some(host) => Some(host.clone()),
        };
        let at = place.and_then(|place| Some((host(place)?, place.1)));
        let route = Route {
            url,
            proxy: None,
            connect_to: at.as_ref(),
            by_quic: true,
            tls: Some(&kind),
            ip_version: IpVersion::Any,
            verify_tls: false,
            public_only: false,
            bytes_max: quic_bytes_max(0),
            deadline: clock::tick() + within,
        };
        let knocking = by_quic::knock(&self.0.resolver, route, &kind);
        let knocked = tokio::time::timeout(within, Box::pin(knocking)).await;
        knocked.unwrap_or(false)
    }
}
