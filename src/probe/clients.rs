//! One HTTP client for each distinct combination of what is fixed per client; almost always one.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::http::Extensions;
use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use url::Url;

use super::known::Known;
use super::resolver::Resolver;
use super::tls;
use super::trace::mark;
use crate::clock;
use crate::domain::target::{ClientCertificate, DnsSettings};
use crate::tls::Basis;

/// More combinations than a configuration has; beyond, the store of clients starts anew.
const CLIENTS_MAX: usize = 4096;

/// A healthy answer has 20 header fields, a baroque one 120. hyper has room for 100 on its stack (HAProxy and Envoy let
/// pass no more either); told to take more, it asks for all of that room, 26 KB, for each answer, and what is kept of
/// checks later lies scattered over its holes: half of the memory of a large installation.
const HEADER_FIELDS_MAX: usize = 400;

/// Hosts remembered for answers with more fields than the stack holds; beyond, the memory starts anew.
const BAROQUE_MAX: usize = 1024;

/// What makes one client differ from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind<'a> {
    /// The proxy it goes through.
    pub(super) proxy: Option<&'a Url>,
    /// An extra trust anchor.
    pub(super) ca_pem: Option<&'a Arc<[u8]>>,
    /// Its client certificate.
    pub(super) identity: Option<&'a ClientCertificate>,
    /// Whether it takes [`HEADER_FIELDS_MAX`] header fields, not only what the stack holds.
    pub(super) roomy: bool,
}

/// Whether there is room for [`HEADER_FIELDS_MAX`] header fields.
#[derive(Debug, Clone)]
pub(super) enum Room {
    /// From the start.
    Always,
    /// For these hosts, which have shown more fields than the stack holds.
    For(Arc<Mutex<HashSet<String>>>),
}

impl Room {
    const fn is_always(&self) -> bool {
        matches!(self, Self::Always)
    }

    fn with_hosts<T>(&self, ask: impl FnOnce(&mut HashSet<String>) -> T) -> Option<T> {
        match self {
            Self::Always => None,
            Self::For(hosts) => Some(ask(&mut hosts
                .lock()
                .unwrap_or_else(PoisonError::into_inner))),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    roomy: bool,
    proxy: Option<Url>,
    ca_pem: Option<Pem>,
    identity: Option<(Arc<[u8]>, String)>,
}

/// Anchors as they were read. A bundle may have hundreds of kilobytes and is looked up at each check: its length and
/// its end tell most of them apart, and those that are the same are the same memory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pem(Arc<[u8]>);

/// So much of the end of a PEM file has some of its last certificate.
const PEM_END: usize = 192;

impl Hash for Pem {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        self.0[self.0.len().saturating_sub(PEM_END)..].hash(state);
    }
}

/// All clients, and the parts they share.
#[derive(Debug)]
pub(super) struct Clients {
    basis: Basis,
    resolver: Arc<Resolver>,
    plain: reqwest::Client,
    others: Mutex<HashMap<Key, reqwest::Client>>,
    pub(super) room: Room,
    /// Certificates of earlier checks.
    pub(super) known: Known,
}

impl Clients {
    /// # Errors
    /// When TLS or the client cannot be set up.
    pub(super) fn new(dns: &DnsSettings, room: Room) -> Result<Self, String> {
        let basis = Basis::load();
        let resolver = Arc::new(Resolver::new(dns));
        let none = Kind {
            proxy: None,
            ca_pem: None,
            identity: None,
            roomy: room.is_always(),
        };
        let plain = build(&basis, &resolver, none)?;
        Ok(Self {
            basis,
            resolver,
            plain,
            others: Mutex::new(HashMap::new()),
            room,
            known: Known::default(),
        })
    }

    /// The client of a kind, built on first use.
    ///
    /// # Errors
    /// One line about the certificate, key or proxy that is of no use.
    pub(super) fn get(&self, kind: Kind<'_>) -> Result<reqwest::Client, String> {
        if let Kind {
            proxy: None,
            ca_pem: None,
            identity: None,
            roomy,
        } = kind
            && roomy == self.room.is_always()
        {
            return Ok(self.plain.clone());
        }
        let key = Key {
            roomy: kind.roomy,
            proxy: kind.proxy.cloned(),
            ca_pem: kind.ca_pem.cloned().map(Pem),
            identity: kind
                .identity
                .map(|own| (Arc::clone(&own.chain_pem), own.key_pem.reveal().to_owned())),
        };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = others.get(&key) {
            return Ok(client.clone());
        }
        let client = build(&self.basis, &self.resolver, kind)?;
        if others.len() >= CLIENTS_MAX {
            others.clear();
        }
        others.insert(key, client.clone());
        Ok(client)
    }

    /// Whether a host's answers may need more room than the stack has.
    pub(super) fn may_need_room(&self, host: &str) -> bool {
        let known = self.room.with_hosts(|hosts| hosts.contains(host));
        known.unwrap_or(true)
    }

    /// From now on there is room for a host's answers.
    pub(super) fn make_room(&self, host: &str) {
        self.room.with_hosts(|hosts| {
            if hosts.len() >= BAROQUE_MAX {
                hosts.clear();
            }
            hosts.insert(host.to_owned());
        });
    }
}

fn build(
    basis: &Basis,
    resolver: &Arc<Resolver>,
    kind: Kind<'_>,
) -> Result<reqwest::Client, String> {
    let ca_pem = kind.ca_pem.map(|pem| &**pem);
    let config = tls::client_config(basis, ca_pem, kind.identity)?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .dns_resolver(Arc::clone(resolver))
        .connector_layer(MarkingLayer)
        .redirect(reqwest::redirect::Policy::none())
        // Even `never` keeps a copy of each request for another try, unless no other try is allowed.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .referer(false)
        // A fresh connection for each request, made inline in its task: the marks rely on it.
        .pool_max_idle_per_host(0)
        .tcp_keepalive(None)
        .tcp_keepalive_interval(None)
        .tcp_keepalive_retries(None)
        .tcp_user_timeout(None)
        .http1_only()
        .http1_title_case_headers()
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .no_proxy();
    if kind.roomy {
        builder = builder.http1_max_headers(HEADER_FIELDS_MAX);
    }
    if let Some(proxy) = kind.proxy {
        let mut bare = proxy.clone();
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        let mut through = reqwest::Proxy::all(bare)
            .map_err(|error| format!("the proxy is of no use: {error}"))?;
        if !proxy.username().is_empty() || proxy.password().is_some() {
            through = through.basic_auth(
                &percent_decoded(proxy.username()),
                &percent_decoded(proxy.password().unwrap_or_default()),
            );
        }
        builder = builder.proxy(through);
    }
    builder
        .build()
        .map_err(|error| super::fault::unforeseen(&error))
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Marks the begin and the end of a connection.
#[derive(Debug, Clone)]
struct MarkingLayer;

#[derive(Debug, Clone)]
struct Marking<S>(S);

impl<S> tower_layer::Layer<S> for MarkingLayer {
    type Service = Marking<S>;

    fn layer(&self, inner: S) -> Marking<S> {
        Marking(inner)
    }
}

impl<S, R> tower_service::Service<R> for Marking<S>
where
    S: tower_service::Service<R>,
    S::Response: Connection,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        mark(|trace| {
            trace.called.get_or_insert_with(clock::tick);
        });
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            mark(|trace| {
                trace.connected = Some(clock::tick());
                if trace.given > 1 {
                    let mut extras = Extensions::new();
                    connection.connected().get_extras(&mut extras);
                    trace.peer = extras.get::<HttpInfo>().map(HttpInfo::remote_addr);
                }
            });
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn bundles_are_told_apart_by_all_of_them() {
        let bundle = |first: u8| {
            let mut pem = vec![b'x'; 4096];
            pem[0] = first;
            Pem(pem.into())
        };
        let hasher = std::hash::RandomState::new();
        assert_eq!(bundle(1), bundle(1));
        assert_eq!(hasher.hash_one(bundle(1)), hasher.hash_one(bundle(1)));
        let mut known = HashMap::from([(bundle(1), 1), (bundle(2), 2)]);
        known.insert(Pem(b"short".as_slice().into()), 3);
        assert_eq!(known.get(&bundle(1)), Some(&1));
        assert_eq!(known.get(&bundle(2)), Some(&2));
        assert_eq!(known.get(&bundle(3)), None);
    }
}
