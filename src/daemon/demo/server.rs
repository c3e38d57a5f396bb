//! Serves the demo sites on loopback ports that the system picks.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::script::Site;
use crate::clock;

/// The authority that signed the expired certificate: the tour's monitor trusts it, so that the date is what fails.
pub const AUTHORITY_PEM: &str = include_str!("ca.pem");
const EXPIRED_PEM: &[u8] = include_bytes!("expired.pem");
const EXPIRED_KEY: &[u8] = include_bytes!("expired.key");

/// A request of the tour's own daemon is far below this.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// Nobody but the daemon calls; whoever does and says nothing is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);

/// When the acts of the tour began; before that every site is as at its beginning.
pub type Began = Arc<OnceLock<Instant>>;

/// Starts one site; it runs until the runtime ends.
///
/// # Errors
/// When no loopback port can be had.
pub async fn serve(site: Site, began: Began) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let tls = site.is_https().then(acceptor).transpose()?;
    tokio::spawn(async move {
        let count = Arc::new(AtomicU64::new(0));
        while let Ok((stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            let began = Arc::clone(&began);
            let tls = tls.clone();
            tokio::spawn(tokio::time::timeout(PATIENCE, async move {
                match tls {
                    Some(tls) => talk(tls.accept(stream).await?, site, &began, &count).await,
                    None => talk(stream, site, &began, &count).await,
                }
            }));
        }
    });
    Ok(address)
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    site: Site,
    began: &OnceLock<Instant>,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 || request.len() > REQUEST_BYTES_MAX {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&request);
    let path = line.split(' ').nth(1).unwrap_or("/");
    let since = began
        .get()
        .map_or(Duration::ZERO, |began| clock::tick().duration_since(*began));
    let reply = site.reply(path, since, count.fetch_add(1, Ordering::Relaxed));
    tokio::time::sleep(reply.delay).await;
    stream.write_all(reply.text.as_bytes()).await?;
    stream.shutdown().await
}

fn acceptor() -> io::Result<TlsAcceptor> {
    let chain = vec![CertificateDer::from_pem_slice(EXPIRED_PEM).map_err(io::Error::other)?];
    let key = PrivateKeyDer::from_pem_slice(EXPIRED_KEY).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
