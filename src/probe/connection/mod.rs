//! One connection for one request: TCP, a proxy's tunnel, TLS and HTTP, each bounded.
//!
//! The parts stand by themselves: what another protocol needs of them (TCP alone, TCP and TLS) it takes.

mod heads;
mod http1;
mod limits;
mod paced;
mod stream;
mod tcp;
mod tunnel;

pub(super) use http1::{Reply, SendError, send};
pub(super) use limits::{Excess, wire_bytes_max};
pub(super) use paced::Paced;
pub(super) use stream::Link;
pub(super) use tcp::{Attempts, Later, connect};
pub(super) use tunnel::{TunnelFault, open as open_tunnel};
