//! Servers of HTTP/2 and HTTP/3, each on a thread of its own: one request, 1 KiB.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Bytes;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::BODY;

/// A runtime on a thread of its own; gives back what its work tells first.
fn beside<F: Future<Output = ()>>(
    work: impl FnOnce(std::sync::mpsc::Sender<SocketAddr>) -> F + Send + 'static,
) -> SocketAddr {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(work(told));
    });
    address.recv().expect("the server tells its address")
}

/// By the library whose client the probe has.
pub(super) fn two(mut config: ServerConfig) -> SocketAddr {
    config.alpn_protocols = vec![b"h2".to_vec()];
    beside(|told| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        told.send(listener.local_addr().expect("bound"))
            .expect("the main thread waits");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.set_nodelay(true);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.ok()?;
                let mut connection = h2::server::handshake(stream).await.ok()?;
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let head = hyper::Response::builder()
                        .header("server", "bench")
                        .header("content-type", "text/html")
                        .header("content-length", BODY.len())
                        .body(())
                        .expect("a header");
                    let mut body = respond.send_response(head, false).ok()?;
                    body.send_data(Bytes::from_static(BODY), true).ok()?;
                }
                Some(())
            });
        }
    })
}

/// By quinn, its frames by hand.
#[cfg(feature = "http3")]
pub(super) fn three(mut config: ServerConfig) -> SocketAddr {
    config.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(config).expect("TLS 1.3");
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    beside(|told| async move {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let endpoint = quinn::Endpoint::server(config, any).expect("a port");
        told.send(endpoint.local_addr().expect("bound"))
            .expect("the main thread waits");
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                let connection = incoming.await.ok()?;
                let mut control = connection.open_uni().await.ok()?;
                control.write_all(&[0, 4, 0]).await.ok()?;
                let (mut answering, mut asked) = connection.accept_bi().await.ok()?;
                asked.read_to_end(1 << 16).await.ok()?;
                // `:status 200`, and a body of 1 024 bytes.
                let head = [1, 3, 0, 0, 0xd9, 0, 0x44, 0];
                answering
                    .write_all(&[&head[..], BODY].concat())
                    .await
                    .ok()?;
                answering.finish().ok()?;
                connection.closed().await;
                Some(())
            });
        }
    })
}
