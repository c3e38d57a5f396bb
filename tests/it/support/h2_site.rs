//! A site that speaks HTTP/2 where the client agrees, else HTTP/1.1.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Request;
use hyper::body::Bytes;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a connection of HTTP/2 does.
#[derive(Clone)]
pub enum Two {
    /// A complete answer.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Frames by hand, after the client's preface; then it is silent, or closes.
    Frames(Vec<u8>, Then),
    /// The same frames again and again.
    Flood(Vec<u8>, Vec<u8>),
}

/// What comes behind frames by hand.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    Hang,
    Close,
    Reset,
}

impl Two {
    pub fn answer(status: u16, body: &str) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }
}

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a short frame")
        .to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is not indexed.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut out = Vec::new();
        match text.len() {
            short @ 0..=126 => out.push(u8::try_from(short).expect("short")),
            long => {
                out.push(127);
                let mut rest = long - 127;
                while rest >= 128 {
                    out.push(u8::try_from(rest % 128).expect("below 128") | 0x80);
                    rest /= 128;
                }
                out.push(u8::try_from(rest).expect("below 128"));
            }
        }
        out.extend_from_slice(text.as_bytes());
        out
    };
    [vec![0], text(name), text(value)].concat()
}

/// SETTINGS without any, which a server begins with.
pub fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[])
}

/// `:status 200`, and these fields, in one HEADERS frame that ends them.
pub fn headers(ends: bool, fields: &[u8]) -> Vec<u8> {
    let flags = if ends { 5 } else { 4 };
    frame(1, flags, 1, &[&[0x88], fields].concat())
}

/// What came: each request and its body.
type Received = Arc<Mutex<Vec<(Request<()>, Vec<u8>)>>>;

/// A running site on loopback; it ends when it is dropped.
pub struct H2Site {
    pub address: SocketAddr,
    received: Received,
    accepting: JoinHandle<()>,
}

impl Drop for H2Site {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl H2Site {
    /// `one` is the whole answer by HTTP/1.1.
    pub async fn new(mut config: ServerConfig, one: &str, two: Two) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        let address = listener.local_addr().expect("a bound socket");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (log, one) = (Arc::clone(&received), Arc::<str>::from(one));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                let (one, two) = (Arc::clone(&one), two.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    match stream.get_ref().1.alpn_protocol() {
                        Some(b"h2") => serve(stream, two, &log).await,
                        _ => serve_one(stream, &one).await,
                    }
                });
            }
        });
        Self {
            address,
            received,
            accepting,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests by HTTP/2, with their bodies.
    pub fn received(&self) -> Vec<(Request<()>, Vec<u8>)> {
        let all = self.received.lock().expect("no panic while locked");
        all.iter()
            .map(|(request, body)| {
                let mut copy = Request::new(());
                *copy.uri_mut() = request.uri().clone();
                *copy.method_mut() = request.method().clone();
                *copy.headers_mut() = request.headers().clone();
                (copy, body.clone())
            })
            .collect()
    }
}

async fn serve_one(mut stream: TlsStream<TcpStream>, answer: &str) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    two: Two,
    log: &Mutex<Vec<(Request<()>, Vec<u8>)>>,
) {
    let (frames, then) = match two {
        Two::Answer {
            status,
            headers,
            body,
        } => return answer(stream, status, headers, body, log).await,
        Two::Frames(frames, then) => (frames, then),
        Two::Flood(first, again) => {
            let _ = stream.write_all(&first).await;
            let (mut reading, mut writing) = tokio::io::split(stream);
            let sink = async {
                let mut buffer = [0; 4096];
                while matches!(reading.read(&mut buffer).await, Ok(1..)) {}
            };
            let flood = async { while writing.write_all(&again).await.is_ok() {} };
            tokio::join!(sink, flood);
            return;
        }
    };
    let mut seen = [0; 24];
    if stream.read_exact(&mut seen).await.is_err() {
        return;
    }
    let _ = stream.write_all(&frames).await;
    let _ = stream.flush().await;
    match then {
        Then::Hang => {
            let mut buffer = [0; 4096];
            while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
        }
        Then::Close => {
            // The request is read, so that closing is no reset.
            let mut buffer = [0; 4096];
            let reading = stream.read(&mut buffer);
            let _ = tokio::time::timeout(Duration::from_millis(100), reading).await;
            let _ = stream.shutdown().await;
            while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
        }
        Then::Reset => {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let _ = stream.get_ref().0.set_zero_linger();
        }
    }
}

async fn answer(
    stream: TlsStream<TcpStream>,
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    log: &Mutex<Vec<(Request<()>, Vec<u8>)>>,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (head, mut came) = request.into_parts();
        let (headers, body) = (headers.clone(), body.clone());
        let mut sent = Vec::new();
        // The connection is driven while the body comes.
        loop {
            let piece = tokio::select! {
                piece = came.data() => piece,
                _ = std::future::poll_fn(|context| connection.poll_closed(context)) => None,
            };
            let Some(Ok(piece)) = piece else { break };
            let _ = came.flow_control().release_capacity(piece.len());
            sent.extend(piece);
        }
        log.lock()
            .expect("no panic while locked")
            .push((Request::from_parts(head, ()), sent));
        let mut answer = hyper::Response::builder().status(status);
        for (name, value) in &headers {
            answer = answer.header(*name, value);
        }
        let answer = answer.body(()).expect("a valid answer");
        let Ok(mut stream) = respond.send_response(answer, body.is_empty()) else {
            return;
        };
        if !body.is_empty() {
            let _ = stream.send_data(Bytes::from(body), true);
        }
    }
}
