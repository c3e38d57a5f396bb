//! Hostile servers of HTTP/3, by quinn: a true handshake, and then games. And a UDP port that speaks nothing.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Connection, Endpoint, EndpointConfig, SendStream, TokioRuntime};

use super::tls;

/// So much is handed over at once.
const BATCH_BYTES: usize = 64 * 1024;

/// A connection that nobody listens to any more is given up.
const IDLE: Duration = Duration::from_secs(5);

/// Datagrams for each one that comes.
const GARBAGE_DATAGRAMS: usize = 20_000;

/// What a server does with a request.
#[derive(Clone, Copy)]
pub(super) enum Game {
    /// On the stream of the answer: this once, then that for ever.
    Answer(fn() -> Vec<u8>, fn() -> Vec<u8>),
    /// On the control stream, behind its settings.
    Control(fn() -> Vec<u8>),
    /// A new stream, a byte of a kind that nobody knows, and a reset, again and again.
    Streams,
}

/// A frame of less than 64 bytes.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    [&[kind, length], payload].concat()
}

/// `:status 200` from the table of RFC 9204.
fn head() -> Vec<u8> {
    frame(1, &[0, 0, 0xd9])
}

/// HEADERS that announce 2^62 - 1 bytes.
pub(super) const ENDLESS_HEADER: Game = Game::Answer(
    || [vec![1], u64::MAX.to_be_bytes().to_vec()].concat(),
    || vec![b'x'; BATCH_BYTES],
);

/// As many fields as the bytes of all headers allow, each a byte: `accept-ranges: bytes` from the table of RFC 9204.
pub(super) const MANY_FIELDS: Game = Game::Answer(
    || {
        let fields = [&[0, 0, 0xd9][..], &[0xe0; 8000]].concat();
        let length = (0x8000_0000 | fields.len() as u32).to_be_bytes();
        [&[1][..], &length, &fields].concat()
    },
    || frame(0, b"a"),
);

pub(super) const DATA_OF_ONE_BYTE: Game = Game::Answer(head, || frame(0, b"a").repeat(20_000));

pub(super) const EMPTY_DATA: Game = Game::Answer(head, || frame(0, b"").repeat(30_000));

/// Interim answers: `:status 103` of the table.
pub(super) const INTERIM: Game = Game::Answer(Vec::new, || frame(1, &[0, 0, 0xd8]).repeat(10_000));

pub(super) const UNKNOWN_FRAMES: Game = Game::Answer(Vec::new, || frame(0x21, b"").repeat(30_000));

/// GOAWAY of the same stream.
pub(super) const GOAWAYS: Game = Game::Control(|| frame(7, &[0]).repeat(20_000));

pub(super) const UNKNOWN_CONTROL: Game = Game::Control(|| frame(0x21, b"").repeat(30_000));

/// On the UDP port of the listener's number.
fn beside(listener: &TcpListener) -> UdpSocket {
    let address = listener.local_addr().expect("bound");
    UdpSocket::bind(address).expect("the UDP port of the same number")
}

pub(super) fn serve(listener: &TcpListener, game: Game) {
    let socket = beside(listener);
    let mut config = tls::config(tls::signed_by_itself());
    config.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = QuicServerConfig::try_from(config).expect("ring has TLS 1.3");
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(IDLE.try_into().expect("a short time")));
    config.transport_config(Arc::new(transport));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime)
            .expect("a socket");
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                if let Ok(connection) = incoming.await {
                    // That the monitor goes away is how each of these ends.
                    let _ = play(&connection, game).await;
                }
            });
        }
    });
}

async fn play(
    connection: &Connection,
    game: Game,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut control = connection.open_uni().await?;
    control.write_all(&[0, 4, 0]).await?;
    let (mut answering, _asked) = connection.accept_bi().await?;
    match game {
        Game::Answer(first, again) => {
            answering.write_all(&first()).await?;
            for_ever(&mut answering, &again()).await
        }
        Game::Control(again) => for_ever(&mut control, &again()).await,
        Game::Streams => loop {
            let mut stream = connection.open_uni().await?;
            stream.write_all(&[0x21]).await?;
            stream.reset(0_u32.into())?;
        },
    }
}

async fn for_ever(
    stream: &mut SendStream,
    bytes: &[u8],
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    loop {
        stream.write_all(bytes).await?;
    }
}

/// Datagrams of some bytes that mean nothing, to everybody who says something.
pub(super) fn garbage(listener: TcpListener) {
    let socket = beside(&listener);
    let mut packet = [0; 2048];
    let mut last: Option<SocketAddr> = None;
    while let Ok((_, from)) = socket.recv_from(&mut packet) {
        // What it sends again while these are on their way is not asked twice.
        if last.replace(from) == Some(from) {
            continue;
        }
        for number in 0..GARBAGE_DATAGRAMS {
            let first = if number % 2 == 0 { 0x40 } else { 0xc0 };
            let mut datagram = [0xa5; 40];
            datagram[0] = first | (number % 16) as u8;
            let _ = socket.send_to(&datagram, from);
        }
    }
}
