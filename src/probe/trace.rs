//! What the hooks below reqwest see of one request: marks in time, addresses, certificates.
//!
//! The pool is off, so hyper-util awaits the connection inline in the request's own task, and a
//! task-local reaches every hook: resolver, connector layer, session store, certificate verifier.
//! (With a pool a connection could be made by another task, and its marks would be lost.)

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};

use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use super::resolver::DnsFault;
use crate::domain::target::IpVersion;
use crate::tls::Fault;

/// What one request wishes of the hooks.
#[derive(Debug, Clone)]
pub(super) struct Wishes {
    /// Address families that may be used.
    pub(super) ip_version: IpVersion,
    /// Whether a certificate fault ends the handshake.
    pub(super) verify_tls: bool,
    /// Whether private addresses are refused: the previous hop was a public one.
    pub(super) public_only: bool,
    /// Whether the connection goes to a proxy, whose name is resolved instead of the site's.
    pub(super) proxied: bool,
    /// The end of the whole check.
    pub(super) deadline: Instant,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Trace {
    /// What was wished.
    pub(super) wishes: Wishes,
    /// When the connector was called.
    pub(super) called: Option<Instant>,
    /// Begin and end of the lookup, where there was one.
    pub(super) dns: Option<(Instant, Option<Instant>)>,
    /// Why the lookup failed.
    pub(super) dns_fault: Option<DnsFault>,
    /// All addresses that may be tried, in order of preference; known after the lookup.
    pub(super) addresses: Option<Vec<IpAddr>>,
    /// How many of them earlier attempts have used up.
    pub(super) spent: usize,
    /// How many of them this attempt was given.
    pub(super) given: usize,
    /// When the TLS handshake began: TCP is up.
    pub(super) hello: Option<Instant>,
    /// The certificates the peer showed: the verified path, or all it sent, leaf first.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// What was wrong with them, also where that was let pass.
    pub(super) certificate_fault: Option<Fault>,
    /// When the connection stood, TLS included.
    pub(super) connected: Option<Instant>,
    /// The peer of the connection, where more than one address was tried.
    pub(super) peer: Option<SocketAddr>,
}

impl Trace {
    pub(super) const fn new(wishes: Wishes) -> Self {
        Self {
            wishes,
            called: None,
            dns: None,
            dns_fault: None,
            addresses: None,
            spent: 0,
            given: 0,
            hello: None,
            certificates: Vec::new(),
            certificate_fault: None,
            connected: None,
            peer: None,
        }
    }

    /// Whether TCP is up.
    pub(super) const fn tcp_is_up(&self) -> bool {
        self.hello.is_some() || self.connected.is_some()
    }

    /// Makes it ready for another attempt at the addresses that are left.
    pub(super) fn next_attempt(&mut self) {
        self.spent += self.given;
        self.given = 0;
        self.hello = None;
        self.connected = None;
    }

    /// The addresses of this attempt.
    pub(super) fn tried_now(&self) -> &[IpAddr] {
        self.addresses
            .as_deref()
            .and_then(|all| all.get(self.spent..self.spent + self.given))
            .unwrap_or_default()
    }

    /// Whether addresses are left for another attempt.
    pub(super) fn has_more(&self) -> bool {
        self.addresses
            .as_ref()
            .is_some_and(|all| self.spent + self.given < all.len())
    }
}

tokio::task_local! {
    /// The trace of the request that this task makes. On the heap, since it changes places at each turn of the task.
    pub(super) static TRACE: RefCell<Option<Box<Trace>>>;
}

/// Notes something in the trace of the running request; outside of one it does nothing.
pub(super) fn mark<R>(note: impl FnOnce(&mut Trace) -> R) -> Option<R> {
    let noted = TRACE.try_with(|trace| trace.borrow_mut().as_deref_mut().map(note));
    noted.ok().flatten()
}
