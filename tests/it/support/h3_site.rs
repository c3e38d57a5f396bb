//! A site that speaks HTTP/3, its frames by hand.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, VarInt};
use rustls::ServerConfig;
use tokio::task::JoinHandle;

/// What a connection does once it has a request.
#[derive(Debug, Clone)]
pub enum Three {
    /// These frames, and the end of the stream.
    Frames(Vec<u8>),
    /// These frames, then silence.
    Hang(Vec<u8>),
    /// These frames, then a reset of the stream with this code.
    Reset(Vec<u8>, u32),
    /// These frames, then the end of the connection with this code.
    Close(Vec<u8>, u32),
    /// These frames for ever.
    Flood(Vec<u8>, Vec<u8>),
}

/// A number as QUIC writes it.
fn number(number: usize) -> Vec<u8> {
    let number = u32::try_from(number).expect("a short frame");
    (number | 0x8000_0000).to_be_bytes().to_vec()
}

/// One frame.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [vec![kind], number(payload.len()), payload.to_vec()].concat()
}

/// A field that is not indexed.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |first: u8, bits: u32, length: usize| {
        let most = (1_usize << bits) - 1;
        if length < most {
            return vec![first | u8::try_from(length).expect("short")];
        }
        let mut out = vec![first | u8::try_from(most).expect("short")];
        let mut rest = length - most;
        while rest >= 128 {
            out.push(u8::try_from(rest % 128).expect("below 128") | 0x80);
            rest /= 128;
        }
        out.push(u8::try_from(rest).expect("below 128"));
        out
    };
    [
        length(0x20, 3, name.len()),
        name.as_bytes().to_vec(),
        length(0, 7, value.len()),
        value.as_bytes().to_vec(),
    ]
    .concat()
}

/// `:status 200` and these fields, which [`field`] makes.
pub fn headers(fields: &[u8]) -> Vec<u8> {
    frame(1, &[&[0, 0, 0xd9], fields].concat())
}

/// A piece of a body.
pub fn data(bytes: &[u8]) -> Vec<u8> {
    frame(0, bytes)
}

/// A running site on loopback; it ends when it is dropped.
pub struct H3Site {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: JoinHandle<()>,
}

impl Drop for H3Site {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl H3Site {
    pub fn new(config: ServerConfig, three: Three) -> Self {
        Self::speaking(config, b"h3", three)
    }

    /// A server of QUIC that speaks this over it.
    pub fn speaking(mut config: ServerConfig, alpn: &[u8], three: Three) -> Self {
        config.alpn_protocols = vec![alpn.to_vec()];
        let crypto = QuicServerConfig::try_from(config).expect("TLS 1.3");
        let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let address = endpoint.local_addr().expect("a bound socket");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let (three, log) = (three.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    if let Ok(connection) = incoming.await {
                        let _ = serve(connection, three, &log).await;
                    }
                });
            }
        });
        Self {
            address,
            heard,
            accepting,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The bytes of each request stream.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().expect("no panic while locked").clone()
    }
}

async fn serve(
    connection: quinn::Connection,
    three: Three,
    log: &Mutex<Vec<Vec<u8>>>,
) -> Option<()> {
    let mut control = connection.open_uni().await.ok()?;
    // The control stream, and settings without any.
    control.write_all(&[0, 4, 0]).await.ok()?;
    let (mut sending, mut receiving) = connection.accept_bi().await.ok()?;
    let request = receiving.read_to_end(1 << 20).await.ok()?;
    log.lock().expect("no panic while locked").push(request);
    match three {
        Three::Frames(frames) => {
            sending.write_all(&frames).await.ok()?;
            sending.finish().ok()?;
            connection.closed().await;
        }
        Three::Hang(frames) => {
            sending.write_all(&frames).await.ok()?;
            connection.closed().await;
        }
        Three::Reset(frames, code) => {
            sending.write_all(&frames).await.ok()?;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            sending.reset(VarInt::from_u32(code)).ok()?;
            connection.closed().await;
        }
        Three::Close(frames, code) => {
            sending.write_all(&frames).await.ok()?;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            connection.close(VarInt::from_u32(code), b"");
            connection.closed().await;
        }
        Three::Flood(frames, again) => {
            sending.write_all(&frames).await.ok()?;
            while sending.write_all(&again).await.is_ok() {}
        }
    }
    Some(())
}
