//! The system's view of names: `/etc/hosts`, `/etc/resolv.conf` and the servers they give, read again
//! when they change, as a laptop's or a VPN's do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::time::Instant;

use super::hosts::Hosts;
use crate::clock;
use crate::domain::target::DnsSettings;

/// The files are looked at no more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// More name servers are not asked (resolv.conf(5) has three).
const SERVERS_MAX: usize = 8;

/// One name server, asked by itself so that its failures are its own.
#[derive(Clone)]
pub(super) struct Server {
    /// Where it is.
    pub(super) address: SocketAddr,
    /// Asks it and nobody else.
    pub(super) resolver: TokioResolver,
}

/// What one lookup goes by.
pub(super) struct View {
    /// The static table.
    pub(super) hosts: Hosts,
    /// The servers, in turn.
    pub(super) servers: Vec<Server>,
    /// The search list.
    pub(super) search: Vec<String>,
    /// A name with so many dots is tried as it is first.
    pub(super) ndots: usize,
}

/// Keeps the newest view.
pub(super) struct SystemDns {
    servers: Vec<SocketAddr>,
    resolv_conf: PathBuf,
    hosts: PathBuf,
    newest: Mutex<Option<Newest>>,
}

struct Newest {
    looked: Instant,
    stamps: (Stamp, Stamp),
    view: Arc<View>,
}

/// What changes when a file does.
type Stamp = Option<(SystemTime, u64)>;

impl SystemDns {
    pub(super) fn new(settings: &DnsSettings) -> Self {
        Self {
            servers: settings.servers.clone(),
            resolv_conf: settings.resolv_conf.clone(),
            hosts: settings.hosts.clone(),
            newest: Mutex::new(None),
        }
    }

    /// The view of now.
    pub(super) fn view(&self) -> Arc<View> {
        let now = clock::tick();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = newest.as_mut() {
            if now.saturating_duration_since(known.looked) < LOOK_EVERY {
                return Arc::clone(&known.view);
            }
            known.looked = now;
            if known.stamps == self.stamps() {
                return Arc::clone(&known.view);
            }
        }
        let stamps = self.stamps();
        let view = Arc::new(self.read());
        *newest = Some(Newest {
            looked: now,
            stamps,
            view: Arc::clone(&view),
        });
        view
    }

    fn stamps(&self) -> (Stamp, Stamp) {
        (stamp(&self.resolv_conf), stamp(&self.hosts))
    }

    fn read(&self) -> View {
        let hosts = std::fs::read(&self.hosts).map_or_else(
            |error| {
                tracing::debug!(path = %self.hosts.display(), %error, "no static table of names");
                Hosts::default()
            },
            |text| Hosts::parse(&text),
        );
        if !self.servers.is_empty() {
            let options = ResolverOpts::default();
            return View {
                hosts,
                servers: servers(&self.servers, &options),
                search: Vec::new(),
                ndots: 1,
            };
        }
        let parsed = std::fs::read(&self.resolv_conf)
            .map_err(|error| error.to_string())
            .and_then(|text| parse_resolv_conf(text).map_err(|error| error.to_string()));
        match parsed {
            Ok((config, options)) => {
                let addresses: Vec<_> = config
                    .name_servers()
                    .iter()
                    .map(|server| SocketAddr::new(server.ip, 53))
                    .collect();
                View {
                    hosts,
                    servers: servers(&addresses, &options),
                    search: config
                        .search()
                        .iter()
                        .map(|name| name.to_ascii().trim_end_matches('.').to_owned())
                        .collect(),
                    ndots: options.ndots,
                }
            }
            Err(error) => {
                // As resolv.conf(5) has it: without a name server, the one on this host.
                tracing::warn!(path = %self.resolv_conf.display(), error, "no name server found");
                let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
                View {
                    hosts,
                    servers: servers(&[own], &ResolverOpts::default()),
                    search: Vec::new(),
                    ndots: 1,
                }
            }
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}

fn servers(addresses: &[SocketAddr], system: &ResolverOpts) -> Vec<Server> {
    addresses
        .iter()
        .take(SERVERS_MAX)
        .filter_map(|address| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = address.port();
            }
            let server = NameServerConfig::new(address.ip(), true, connections);
            let config = ResolverConfig::from_name_servers(vec![server]);
            let mut builder =
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            let options = builder.options_mut();
            // The caller keeps the time, repeats, searches and reads the static table.
            options.timeout = Duration::from_secs(10);
            options.attempts = 0;
            options.ndots = 0;
            options.use_hosts_file = ResolveHosts::Never;
            options.edns0 = system.edns0;
            // A monitor wants to know what the servers say now, each time.
            options.cache_size = 0;
            options.num_concurrent_reqs = 1;
            options.max_active_requests = 1024;
            match builder.build() {
                Ok(resolver) => Some(Server {
                    address: *address,
                    resolver,
                }),
                Err(error) => {
                    tracing::warn!(%address, %error, "name server cannot be used");
                    None
                }
            }
        })
        .collect()
}

impl std::fmt::Debug for SystemDns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemDns")
            .field("servers", &self.servers)
            .field("resolv_conf", &self.resolv_conf)
            .finish_non_exhaustive()
    }
}
