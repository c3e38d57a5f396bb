//! Stands between a client and a server, and lets only so much pass of what the server says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
#[cfg(feature = "http3")]
use tokio::net::UdpSocket;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the client meets when no more passes.
#[derive(Debug, Clone, Copy)]
pub enum Ending {
    Hang,
    Close,
    Reset,
}

/// A relay on loopback; it ends when it is dropped.
pub struct Relay {
    pub port: u16,
    passed: Arc<AtomicU64>,
    serving: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Relay {
    /// Over TCP: so many bytes of each connection pass.
    pub async fn tcp(to: SocketAddr, bytes: u64, ending: Ending) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        let port = listener.local_addr().expect("a bound socket").port();
        let passed = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&passed);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let server = TcpStream::connect(to).await.expect("the server listens");
                    between(client, server, bytes, ending, &counted).await;
                });
            }
        });
        Self {
            port,
            passed,
            serving,
        }
    }

    /// Over UDP: so many datagrams pass, of one client.
    #[cfg(feature = "http3")]
    pub async fn udp(to: SocketAddr, datagrams: u64) -> Self {
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        far.connect(to).await.expect("an address of this host");
        let port = near.local_addr().expect("a bound socket").port();
        let passed = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&passed);
        let serving = tokio::spawn(async move {
            let (mut there, mut back) = ([0; 65_536], [0; 65_536]);
            let mut client = None;
            loop {
                tokio::select! {
                    came = near.recv_from(&mut there) => {
                        let Ok((length, from)) = came else { continue };
                        client = Some(from);
                        let _ = far.send(&there[..length]).await;
                    }
                    came = far.recv(&mut back) => {
                        let (Ok(length), Some(client)) = (came, client) else { continue };
                        if counted.fetch_add(1, Ordering::Relaxed) < datagrams {
                            let _ = near.send_to(&back[..length], client).await;
                        }
                    }
                }
            }
        });
        Self {
            port,
            passed,
            serving,
        }
    }

    /// How many bytes passed, or how many datagrams came.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

async fn between(
    mut client: TcpStream,
    mut server: TcpStream,
    bytes: u64,
    ending: Ending,
    counted: &AtomicU64,
) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let forth = tokio::io::copy(&mut from_client, &mut to_server);
    let back = async {
        let mut left = bytes;
        let mut buffer = [0; 4096];
        while left > 0 {
            let wanted = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            match from_server.read(&mut buffer[..wanted]).await {
                Ok(came @ 1..) => {
                    if to_client.write_all(&buffer[..came]).await.is_err() {
                        return;
                    }
                    left -= came as u64;
                    counted.fetch_add(came as u64, Ordering::Relaxed);
                }
                Ok(0) | Err(_) => return,
            }
        }
    };
    tokio::select! {
        _ = forth => {}
        () = back => {}
    }
    match ending {
        Ending::Hang => std::future::pending().await,
        Ending::Close => {
            let _ = client.shutdown().await;
            // What it still says is read: else the end would be a reset.
            let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        }
        Ending::Reset => {
            // What passed is to be read before: a reset takes away what is not.
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            let _ = client.set_zero_linger();
        }
    }
}
