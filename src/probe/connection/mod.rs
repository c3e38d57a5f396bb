//! One connection for one request: TCP, a proxy's tunnel, TLS and HTTP, each bounded.
//!
//! The parts stand by themselves: what another protocol needs of them (TCP alone, TCP and TLS) it takes.

mod answer_error;
mod heads;
mod http1;
mod http2;
#[cfg(feature = "http3")]
mod http3;
mod limits;
mod paced;
#[cfg(feature = "http3")]
mod quic;
#[cfg(feature = "http3")]
mod quic_streams;
mod reply;
mod stream;
mod tcp;
mod tunnel;
#[cfg(feature = "http3")]
mod udp;

#[cfg(feature = "http3")]
pub(super) use answer_error::Three;
pub(super) use answer_error::{AnswerError, SendError};
pub(super) use http2::ALPN as HTTP2;
#[cfg(feature = "http3")]
pub(super) use limits::quic_bytes_max;
pub(super) use limits::{Excess, wire_bytes_max};
pub(super) use paced::Paced;
#[cfg(feature = "http3")]
pub(super) use quic::{ALPN as HTTP3, Plan, QuicFault, QuicWhy, open as open_quic};
#[cfg(feature = "http3")]
pub(super) use reply::send_by_quic;
pub(super) use reply::{Reply, send};
pub(super) use stream::Link;
#[cfg(feature = "http3")]
pub(super) use tcp::connect_by;
pub(super) use tcp::{Attempts, Later, connect};
pub(super) use tunnel::{TunnelFault, open as open_tunnel};
