//! Requests that are no checks: all that canaries and the heartbeat want is that somebody answers. reqwest sends them.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
#[cfg(feature = "http3")]
use reqwest::header::ALT_SVC;
use reqwest::header::{CONNECTION, HeaderMap, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use url::Url;

use super::classify;
use super::dns::{Resolver, Wanted, has_route};
use super::request::OUR_USER_AGENT;
use crate::clock;
use crate::domain::duration_text::Exact;
use crate::domain::target::IpVersion;
use crate::tls;

/// A heartbeat that is redirected more often than this goes in circles.
const REDIRECTS_MAX: usize = 5;

/// An answer's body is read so far, so that its server sees no reset.
const BODY_BYTES_MAX: usize = 4096;

/// What is done with a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// It is the answer.
    Answer,
    /// It is followed, but not from https to http.
    Follow,
}

/// Clients that differ in what they do with a redirect, and in the addresses that they take.
#[derive(Debug)]
pub(super) struct Errands {
    staying: reqwest::Client,
    staying_public: reqwest::Client,
    following: reqwest::Client,
}

impl Errands {
    /// # Errors
    /// When TLS or a client cannot be set up.
    pub(super) fn new(basis: &tls::Basis, resolver: &Resolver) -> Result<Self, String> {
        let config = tls::verifying_config(basis)?;
        let client = |redirects: Policy, public_only: bool| {
            let close = [(CONNECTION, HeaderValue::from_static("close"))];
            reqwest::Client::builder()
                .tls_backend_preconfigured(config.clone())
                .dns_resolver(std::sync::Arc::new(Names {
                    resolver: resolver.clone(),
                    public_only,
                }))
                .redirect(redirects)
                .retry(reqwest::retry::never().max_retries_per_request(0))
                .referer(false)
                .user_agent(OUR_USER_AGENT)
                .default_headers(HeaderMap::from_iter(close))
                .pool_max_idle_per_host(0)
                .http1_only()
                .http1_title_case_headers()
                .no_proxy()
                .build()
                .map_err(|error| classify::of_errand(&error))
        };
        Ok(Self {
            staying: client(Policy::none(), false)?,
            staying_public: client(Policy::none(), true)?,
            following: client(Policy::custom(follow), false)?,
        })
    }

    /// The client for a request for a list, which follows no redirect by itself.
    pub(super) const fn list_client(&self, public_only: bool) -> &reqwest::Client {
        match public_only {
            true => &self.staying_public,
            false => &self.staying,
        }
    }

    /// The status of the answer to a GET.
    ///
    /// # Errors
    /// Why there is none, in one line.
    pub(super) async fn get(
        &self,
        url: &Url,
        redirects: Redirects,
        within: Duration,
    ) -> Result<u16, String> {
        let client = match redirects {
            Redirects::Answer => &self.staying,
            Redirects::Follow => &self.following,
        };
        let mut answer = client
            .get(url.clone())
            .timeout(within)
            .send()
            .await
            .map_err(|error| in_words(&error, within))?;
        let status = answer.status().as_u16();
        let mut read = 0;
        while read < BODY_BYTES_MAX
            && let Ok(Some(piece)) = answer.chunk().await
        {
            read += piece.len();
        }
        Ok(status)
    }
}

#[cfg(feature = "http3")]
impl Errands {
    /// The Alt-Svc fields of the answer to a GET.
    ///
    /// # Errors
    /// Why there is none, in one line.
    pub(super) async fn alt_svc(
        &self,
        url: &Url,
        within: Duration,
    ) -> Result<Vec<HeaderValue>, String> {
        let asking = self.staying.get(url.clone()).timeout(within).send();
        let answer = asking.await.map_err(|error| in_words(&error, within))?;
        let fields = answer.headers().get_all(ALT_SVC).iter();
        Ok(fields.cloned().collect())
    }
}

fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let is_downgrade = attempt.url().scheme() == "http"
        && attempt
            .previous()
            .last()
            .is_some_and(|from| from.scheme() == "https");
    if is_downgrade || attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("a redirect that is not followed");
    }
    attempt.follow()
}

fn in_words(error: &reqwest::Error, within: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {}", Exact(within));
    }
    if error.is_redirect() {
        return format!("more than {REDIRECTS_MAX} redirects, or one from https to http");
    }
    classify::of_errand(error)
}

/// Names as checks resolve them.
struct Names {
    resolver: Resolver,
    public_only: bool,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.resolver.clone();
        let public_only = self.public_only;
        Box::pin(async move {
            // The request has its own end; this one only has to be later.
            let deadline = clock::tick() + Duration::from_secs(60);
            let wanted = Wanted {
                ip_version: IpVersion::Any,
                public_only,
            };
            let found = resolver.lookup(name.as_str(), wanted, deadline).await?;
            let mut all = found.now;
            // Where there is no way to the first family, the other one is worth waiting for.
            if !all.iter().any(|address| has_route(*address))
                && let Some(later) = found.later
            {
                all.extend(later.addresses().await);
            }
            let addresses: Addrs =
                Box::new(all.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
