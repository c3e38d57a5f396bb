//! `[cluster]`: how a hub and its probes find each other.

use std::sync::Arc;
use std::time::Duration;

use super::location::{LocationName, Places, ProbeName, Share};
use super::secret::Secret;

/// `[cluster]`, as valid values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The server that carries everything.
    pub server: NatsServer,
    /// What this process is.
    pub role: ClusterRole,
}

/// What a process is among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterRole {
    /// It decides and tells.
    Hub(HubSettings),
    /// It checks from its location.
    Probe(ProbeSettings),
}

/// What only a hub has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// Its locations.
    pub places: Places,
    /// Whether it never begins to lead by itself, only where another hub led before.
    pub is_standby: bool,
    /// How many bytes the stream of results may hold.
    pub stream_bytes: u64,
    /// How long the stream keeps what the hub has not taken.
    pub stream_age: Duration,
}

/// What only a probe has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSettings {
    /// From where it checks.
    pub location: LocationName,
    /// Which part of its monitors; `None`: all of them.
    pub share: Option<Share>,
    /// How many bytes its spool may hold.
    pub spool_bytes: u64,
}

impl ProbeSettings {
    /// Who sends what this probe saw.
    pub fn name(&self) -> ProbeName {
        ProbeName {
            location: self.location.clone(),
            share: self.share,
        }
    }
}

/// A NATS server and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsServer {
    /// Its name or address, an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is required; without it the server is on loopback.
    pub tls: bool,
    /// An extra trust anchor, PEM.
    pub ca_pem: Option<Arc<[u8]>>,
    /// Who we are to it.
    pub credentials: NatsCredentials,
}

/// What proves to a NATS server who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsCredentials {
    /// Nothing: a server on loopback that asks for nothing.
    None,
    /// The seed of a user's nkey.
    Nkey(Secret),
    /// A `.creds` file: a user's JWT and its seed.
    Jwt {
        /// The JWT.
        jwt: Secret,
        /// The seed.
        seed: Secret,
    },
}
