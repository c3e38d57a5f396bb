//! QUIC to one of a host's addresses, with the TLS of all checks. The library drives a connection by two small tasks
//! of its own, which end with the connection: a moment after the check, or some seconds where the other side is silent.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    AsyncUdpSocket, Connecting, ConnectionError, Endpoint, EndpointConfig, Runtime, TokioRuntime,
    TransportConfig, VarInt,
};
use rustix::io::Errno;

use super::limits::QUIC_WINDOW_BYTES;
use super::udp::{Counted, PacedUdp};
use crate::probe::dns::has_route;
use crate::tls::{self, Recorder};

/// What the two sides agree on by it in the TLS handshake.
pub(in crate::probe) const ALPN: &[u8] = b"h3";

/// HTTP/3 needs three streams of the server's beside the answer; some open one more to see what we do.
const UNI_STREAMS_MAX: u32 = 8;

/// Messages of the TLS handshake that come out of order, in bytes: what a certificate chain may have.
const CRYPTO_BYTES_MAX: usize = 64 * 1024;

/// How one address is connected to.
#[derive(Clone, Copy)]
pub(in crate::probe) struct Plan<'a> {
    pub(in crate::probe) kind: &'a tls::Kind,
    /// The URL's host, for which the certificate must be.
    pub(in crate::probe) host: &'a str,
    pub(in crate::probe) verify_tls: bool,
    /// At most so many bytes may come.
    pub(in crate::probe) bytes_max: u64,
}

/// A connection whose other side has answered.
pub(in crate::probe) struct Opening {
    endpoint: Endpoint,
    connecting: Connecting,
    counted: Arc<Counted>,
    /// What it shows.
    pub(in crate::probe) recorder: Arc<Recorder>,
}

/// A connection that stands.
pub(in crate::probe) struct Quic {
    /// Lives as long as the connection.
    pub(super) endpoint: Endpoint,
    pub(super) connection: quinn::Connection,
    pub(super) counted: Arc<Counted>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(in crate::probe) struct QuicFault {
    pub(in crate::probe) why: QuicWhy,
    /// What was seen until then.
    pub(in crate::probe) recorder: Option<Arc<Recorder>>,
}

/// What went wrong.
#[derive(Debug)]
pub(in crate::probe) enum QuicWhy {
    /// The system has no socket for it, or no way.
    Io(io::Error),
    /// The handshake broke.
    Handshake(ConnectionError),
}

impl From<io::Error> for QuicFault {
    fn from(error: io::Error) -> Self {
        Self {
            why: QuicWhy::Io(error),
            recorder: None,
        }
    }
}

/// Sends the first packets to an address and waits until the other side answers.
///
/// # Errors
/// What it said, or why nothing can be sent.
pub(in crate::probe) async fn open(
    plan: Plan<'_>,
    to: SocketAddr,
) -> Result<(Opening, SocketAddr), QuicFault> {
    if !has_route(to.ip()) {
        return Err(io::Error::from_raw_os_error(Errno::NETUNREACH.raw_os_error()).into());
    }
    let (endpoint, counted) = endpoint(to.ip(), plan.bytes_max)?;
    let handshake = plan.kind.owing_handshake(plan.host, plan.verify_tls);
    let recorder = handshake.recorder;
    let broken = |why| QuicFault {
        why,
        recorder: Some(Arc::clone(&recorder)),
    };
    let unfit = || broken(QuicWhy::Io(io::ErrorKind::InvalidInput.into()));
    let crypto = QuicClientConfig::try_from(handshake.config).map_err(|_| unfit())?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    let name = handshake.name.to_str();
    let mut connecting = endpoint
        .connect_with(config, to, &name)
        .map_err(|_| unfit())?;
    if let Err(error) = connecting.handshake_data().await {
        return Err(broken(QuicWhy::Handshake(error)));
    }
    let opening = Opening {
        endpoint,
        connecting,
        counted,
        recorder,
    };
    Ok((opening, to))
}

impl Opening {
    /// Ends the handshake.
    ///
    /// # Errors
    /// What broke.
    pub(in crate::probe) async fn finish(self) -> Result<Quic, QuicFault> {
        match self.connecting.await {
            Ok(connection) => Ok(Quic {
                endpoint: self.endpoint,
                connection,
                counted: self.counted,
            }),
            Err(error) => Err(QuicFault {
                why: QuicWhy::Handshake(error),
                recorder: Some(self.recorder),
            }),
        }
    }
}

/// A socket of its own, as each connection of TCP has.
fn endpoint(to: IpAddr, bytes_max: u64) -> io::Result<(Endpoint, Arc<Counted>)> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let runtime = Arc::new(TokioRuntime);
    let socket = std::net::UdpSocket::bind((any, 0))?;
    let (socket, counted) = PacedUdp::new(runtime.wrap_udp_socket(socket)?, bytes_max);
    let socket: Arc<dyn AsyncUdpSocket> = Arc::new(socket);
    let config = EndpointConfig::default();
    let endpoint = Endpoint::new_with_abstract_socket(config, None, socket, runtime)?;
    Ok((endpoint, counted))
}

/// What the other side may do: send an answer, and no more than we take.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS_MAX))
        // The check has a deadline of its own.
        .max_idle_timeout(None)
        .stream_receive_window(VarInt::from_u32(QUIC_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(2 * QUIC_WINDOW_BYTES))
        .crypto_buffer_size(CRYPTO_BYTES_MAX)
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(None);
    transport
}
