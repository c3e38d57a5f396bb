//! What all checks share: name servers, trust anchors, TLS for each distinct combination of what is fixed for it.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::certificate_cache::Known;
use super::connection::HTTP2;
#[cfg(feature = "http3")]
use super::connection::HTTP3;
use super::dns::Resolver;
use super::errand::Errands;
use super::room::Room;
use crate::domain::target::{ClientCertificate, DnsSettings};
use crate::tls;

/// More combinations than a configuration has; beyond, the store starts empty again.
const KINDS_MAX: usize = 4096;

/// What is spoken over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2, or HTTP/1.1 where the server has no other.
    Http2,
    /// HTTP/3, over QUIC.
    #[cfg(feature = "http3")]
    Http3,
    /// Anything else: the server is not asked for a protocol.
    Unnamed,
}

impl Protocol {
    const fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http => &[b"http/1.1"],
            Self::Http2 => &[HTTP2, b"http/1.1"],
            #[cfg(feature = "http3")]
            Self::Http3 => &[HTTP3],
            Self::Unnamed => &[],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    protocol: Protocol,
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

/// One for the whole process.
#[derive(Debug)]
pub(super) struct Shared {
    basis: tls::Basis,
    pub(super) resolver: Resolver,
    pub(super) errands: Errands,
    plain: Arc<tls::Kind>,
    others: Mutex<HashMap<Key, Arc<tls::Kind>>>,
    /// Certificates of earlier checks.
    pub(super) known: Known,
    /// For the bodies of checks under way.
    pub(super) room: Room,
}

impl Shared {
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(dns: &DnsSettings) -> Result<Self, String> {
        let basis = tls::Basis::load();
        let plain = tls::Kind::new(&basis, None, None, Protocol::Http.alpn())?;
        let resolver = Resolver::new(dns);
        let errands = Errands::new(&basis, &resolver)?;
        Ok(Self {
            basis,
            resolver,
            errands,
            plain: Arc::new(plain),
            others: Mutex::new(HashMap::new()),
            known: Known::default(),
            room: Room::default(),
        })
    }

    /// TLS for a version of HTTP, with an extra trust anchor or a client certificate, built on first use.
    ///
    /// # Errors
    /// One line about the certificate or key that is of no use.
    pub(super) fn tls(
        &self,
        protocol: Protocol,
        ca_pem: Option<&Arc<[u8]>>,
        identity: Option<&ClientCertificate>,
    ) -> Result<Arc<tls::Kind>, String> {
        if protocol == Protocol::Http && ca_pem.is_none() && identity.is_none() {
            return Ok(Arc::clone(&self.plain));
        }
        self.kind(protocol, ca_pem, identity)
    }

    /// TLS for what is not HTTP, built on first use.
    ///
    /// # Errors
    /// One line about the certificate or key that is of no use.
    pub(super) fn bare_tls(
        &self,
        ca_pem: Option<&Arc<[u8]>>,
        identity: Option<&ClientCertificate>,
    ) -> Result<Arc<tls::Kind>, String> {
        self.kind(Protocol::Unnamed, ca_pem, identity)
    }

    fn kind(
        &self,
        protocol: Protocol,
        ca_pem: Option<&Arc<[u8]>>,
        identity: Option<&ClientCertificate>,
    ) -> Result<Arc<tls::Kind>, String> {
        let key = Key {
            protocol,
            ca_pem: ca_pem.cloned().map(Pem),
            identity: identity
                .map(|own| (Arc::clone(&own.chain_pem), own.key_pem.reveal().to_owned())),
        };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = others.get(&key) {
            return Ok(Arc::clone(kind));
        }
        let ca_pem = ca_pem.map(|pem| &**pem);
        let kind = Arc::new(tls::Kind::new(
            &self.basis,
            ca_pem,
            identity,
            protocol.alpn(),
        )?);
        if others.len() >= KINDS_MAX {
            others.clear();
        }
        others.insert(key, Arc::clone(&kind));
        Ok(kind)
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
