//! What the same work costs without a monitor: fresh connection, phases taken, body read, nothing kept.
//!
//! `bare raw|hyper|hyper-tls PORT SECONDS RATE TOGETHER CA`; a rate of 0 is saturated. Prints
//! `CHECKS CPU_MICROSECONDS`.

use std::cell::Cell;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use sitewatch::clock::tick;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::process::{Pinned, myself, own_cpu};

/// Which loop.
#[derive(Clone, Copy)]
pub enum Kind {
    /// write and read on a socket.
    Raw,
    /// hyper's http1 connection.
    Hyper,
    /// The same over tokio-rustls, full handshake each time.
    HyperTls,
}

/// How fast it goes.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Checks a second; 0: as many as it can.
    pub rate: u32,
    /// So many begin at the same moment; a divisor of [`WORKERS`].
    pub together: u32,
}

impl Pace {
    /// As many as it can.
    pub const SATURATED: Self = Self {
        rate: 0,
        together: 1,
    };
}

/// Checks on their way at a time.
const WORKERS: u64 = 20;

/// CPU microseconds per check of one bare loop, in a process of its own on core 1.
pub fn measure(kind: Kind, port: u16, seconds: u64, pace: Pace, ca: &Path) -> (f64, f64) {
    let word = match kind {
        Kind::Raw => "raw",
        Kind::Hyper => "hyper",
        Kind::HyperTls => "hyper-tls",
    };
    let (port, seconds_word) = (port.to_string(), seconds.to_string());
    let (rate, together) = (pace.rate.to_string(), pace.together.to_string());
    let ca = ca.to_str().expect("a plain name");
    let arguments = ["bare", word, &port, &seconds_word, &rate, &together, ca];
    let mut process = Pinned::start(1, &myself(), &arguments, Stdio::piped(), &[]);
    let mut text = String::new();
    let mut out = process.0.stdout.take().expect("its output is piped");
    std::io::Read::read_to_string(&mut out, &mut text).expect("readable");
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    (numbers[1] / numbers[0], numbers[0] / seconds as f64)
}

/// The role.
pub fn run(arguments: &[String]) {
    let [kind, port, seconds, rate, together, ca] = arguments else {
        panic!("six arguments")
    };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let tls = (kind == "hyper-tls").then(|| connector(ca));
    let (port, raw) = (u16::try_from(number(port)).expect("a port"), kind == "raw");
    let (seconds, rate, together) = (number(seconds), number(rate), number(together));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let count = Rc::new(Cell::new(0_u64));
    let before = own_cpu();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let end = tick() + Duration::from_secs(seconds);
        let mut workers = Vec::new();
        for worker in 0..WORKERS {
            let (count, tls) = (Rc::clone(&count), tls.clone());
            workers.push(tokio::task::spawn_local(async move {
                let turn = worker / together * together;
                let mut next = tick() + Duration::from_micros(turn * 1_000_000 / rate.max(1));
                while tick() < end {
                    if let Some(apart) = (WORKERS * 1_000_000).checked_div(rate) {
                        tokio::time::sleep_until(next).await;
                        next += Duration::from_micros(apart);
                    }
                    check(port, raw, tls.as_ref()).await;
                    count.set(count.get() + 1);
                }
            }));
        }
        for worker in workers {
            worker.await.expect("a worker does not panic");
        }
    });
    println!("{} {}", count.get(), (own_cpu() - before).as_micros());
}

fn connector(ca: &str) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).expect("the target wrote it"))
        .expect("a certificate");
    // As many anchors as a system has, since they are searched.
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("ring speaks the default versions")
    .with_root_certificates(roots)
    .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

async fn check(port: u16, raw: bool, tls: Option<&TlsConnector>) {
    let began = tick();
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the target listens");
    // As reqwest has it: otherwise the request waits for the acknowledgement of the handshake's last packet.
    stream.set_nodelay(true).expect("a socket option");
    let connected = tick();
    if raw {
        stream
            .write_all(b"GET /0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            .await
            .expect("written");
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.expect("read") > 0 {}
        return;
    }
    match tls {
        None => exchange(TokioIo::new(stream)).await,
        Some(tls) => {
            let name = ServerName::try_from("localhost").expect("a name");
            let stream = tls.connect(name, stream).await.expect("a handshake");
            std::hint::black_box(tick() - connected);
            exchange(TokioIo::new(stream)).await;
        }
    }
    std::hint::black_box((connected - began, tick() - connected));
}

async fn exchange(io: impl hyper::rt::Read + hyper::rt::Write + Unpin + 'static) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .expect("a connection");
    let driver = tokio::task::spawn_local(connection);
    let request = hyper::Request::get("/0")
        .header("host", "127.0.0.1")
        .header("user-agent", "bare")
        .header("accept", "*/*")
        .body(Empty::<hyper::body::Bytes>::new())
        .expect("a plain request");
    let mut response = sender.send_request(request).await.expect("an answer");
    let first = tick();
    let mut bytes = 0;
    while let Some(frame) = response.body_mut().frame().await {
        bytes += frame
            .expect("a frame")
            .data_ref()
            .map_or(0, hyper::body::Bytes::len);
    }
    std::hint::black_box((first, tick(), bytes));
    drop(sender);
    let _ = driver.await;
}
