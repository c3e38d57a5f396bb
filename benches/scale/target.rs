//! The sites: a responder that is cheaper than any monitor, over TCP and TLS, and a name server beside it.
//!
//! Speaks on its standard streams: prints its ports first, then answers `count` with the number of requests and
//! `dump FILE` by writing `(milliseconds since the epoch with fraction, path number)` of each since the last dump; after
//! `fail N` the paths below N are answered with 503.

use std::cell::RefCell;
use std::io::{BufRead, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

use super::process::{Pinned, myself};

/// The other address of the sites that have two.
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// One kibibyte of body, as a small page has.
const BODY_BYTES: usize = 1024;

/// A running target process.
pub struct Target {
    process: Pinned,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
    /// Plain HTTP, at both addresses.
    pub http: u16,
    /// HTTPS, for which `ca_file` is the trust anchor.
    pub https: u16,
    /// A name server: 127.0.0.1 for everything, and a second address for names that begin with `two`.
    pub dns: u16,
    /// Accepts and says nothing.
    pub silent: u16,
}

impl Target {
    /// Starts the target on core 0; its certificate authority goes into `directory/ca.pem`.
    pub fn start(directory: &Path) -> Self {
        let directory = directory
            .to_str()
            .expect("a temporary directory has a plain name");
        let mut process = Pinned::start(0, &myself(), &["target", directory], Stdio::piped(), &[]);
        let out = process.0.stdout.take().expect("its output is piped");
        let mut lines = std::io::BufReader::new(out).lines();
        let ports = lines
            .next()
            .expect("it prints its ports")
            .expect("readable");
        let ports: Vec<u16> = ports
            .split(' ')
            .map(|port| port.parse().expect("a port"))
            .collect();
        Self {
            process,
            lines,
            http: ports[0],
            https: ports[1],
            dns: ports[2],
            silent: ports[3],
        }
    }

    fn ask(&mut self, command: &str) -> String {
        let stdin = self.process.0.stdin.as_mut().expect("its input is piped");
        writeln!(stdin, "{command}").expect("the target listens");
        self.lines
            .next()
            .expect("the target answers")
            .expect("readable")
    }

    /// How many requests were answered so far.
    pub fn count(&mut self) -> u64 {
        self.ask("count").parse().expect("a number")
    }

    /// From now on the first so many paths are answered with 503.
    pub fn fail(&mut self, paths: usize) {
        self.ask(&format!("fail {paths}"));
    }

    /// When which path was asked for since the last call: milliseconds since the epoch, number of the path.
    pub fn arrivals(&mut self, file: &Path) -> Vec<(f64, usize)> {
        self.ask(&format!("dump {}", file.display()));
        let text = std::fs::read_to_string(file).expect("the target wrote it");
        text.lines()
            .filter_map(|line| {
                let (at, path) = line.split_once(' ')?;
                Some((at.parse().ok()?, path.parse().ok()?))
            })
            .collect()
    }
}

#[derive(Default)]
struct Log {
    count: u64,
    arrivals: Vec<(f64, usize)>,
    failing: usize,
}

/// The role: serves until its standard input ends.
pub fn run(arguments: &[String]) {
    let directory = arguments.first().expect("a directory").clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, serve(directory));
}

async fn serve(directory: String) {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let http = TcpListener::bind(any).await.expect("a port");
    let https = TcpListener::bind(any).await.expect("a port");
    let silent = TcpListener::bind(any).await.expect("a port");
    let dns = UdpSocket::bind(any).await.expect("a port");
    let http_port = http.local_addr().expect("bound").port();
    let second = TcpListener::bind((SECOND, http_port))
        .await
        .expect("the same port");
    let acceptor = acceptor(&directory);
    println!(
        "{http_port} {} {} {}",
        https.local_addr().expect("bound").port(),
        dns.local_addr().expect("bound").port(),
        silent.local_addr().expect("bound").port()
    );
    let log = Rc::new(RefCell::new(Log::default()));
    for listener in [http, second] {
        let log = Rc::clone(&log);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(answer(stream, Rc::clone(&log), now_ms()));
            }
        });
    }
    let tls_log = Rc::clone(&log);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = https.accept().await {
            let (acceptor, log, at) = (acceptor.clone(), Rc::clone(&tls_log), now_ms());
            tokio::task::spawn_local(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, log, at).await;
                }
            });
        }
    });
    tokio::task::spawn_local(async move {
        let mut kept = std::collections::VecDeque::new();
        while let Ok((stream, _)) = silent.accept().await {
            kept.push_back(stream);
            if kept.len() > 4096 {
                kept.pop_front();
            }
        }
    });
    tokio::task::spawn_local(name_server(dns));
    // Commands come over a thread of their own: standard input blocks.
    let (send, mut commands) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = commands.recv().await {
        match line.split_once(' ') {
            Some(("dump", file)) => {
                let arrivals = std::mem::take(&mut log.borrow_mut().arrivals);
                let file = file.to_owned();
                // Apart: it takes tens of milliseconds, by which whoever connects meanwhile would seem late.
                std::thread::spawn(move || {
                    let text: String = arrivals
                        .iter()
                        .map(|(at, path)| format!("{at:.3} {path}\n"))
                        .collect();
                    std::fs::write(file, text).expect("the directory is writable");
                    println!("done");
                });
            }
            Some(("fail", paths)) => {
                log.borrow_mut().failing = paths.parse().expect("a number");
                println!("done");
            }
            _ => println!("{}", log.borrow().count),
        }
    }
}

fn now_ms() -> f64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the target keeps its own time, apart from the monitor's"
    )]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, log: Rc<RefCell<Log>>, at: f64) {
    let mut request = [0; 2048];
    let mut length = 0;
    while !request[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut request[length..]).await {
            Ok(read @ 1..) => length += read,
            Ok(0) | Err(_) => return,
        }
    }
    let path: usize = request[..length]
        .split(|byte| *byte == b' ')
        .nth(1)
        .and_then(|path| std::str::from_utf8(path.get(1..)?).ok()?.parse().ok())
        .unwrap_or(0);
    let status: &[u8] = {
        let mut log = log.borrow_mut();
        log.count += 1;
        log.arrivals.push((at, path));
        match path < log.failing {
            true => b"HTTP/1.1 503 Service Unavailable\r\n",
            false => b"HTTP/1.1 200 OK\r\n",
        }
    };
    let mut reply = status.to_vec();
    reply.extend_from_slice(
        b"Content-Type: text/plain\r\nContent-Length: 1024\r\nConnection: close\r\n\r\n",
    );
    reply.resize(reply.len() + BODY_BYTES, b'x');
    let _ = stream.write_all(&reply).await;
    let _ = stream.shutdown().await;
}

/// Answers every A question with 127.0.0.1, and with [`SECOND`] too for names that begin with `two`; every other one
/// with nothing (RFC 1035).
async fn name_server(socket: UdpSocket) {
    let mut packet = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        let Some(end) = packet
            .get(12..length)
            .and_then(|rest| rest.iter().position(|byte| *byte == 0))
        else {
            continue;
        };
        let question_end = 12 + end + 5;
        if question_end > length {
            continue;
        }
        let is_a = packet[12 + end + 1..12 + end + 3] == [0, 1];
        let mut reply = packet[..question_end].to_vec();
        reply[2] = 0x85;
        reply[3] = 0x80;
        let addresses: &[Ipv4Addr] = match (is_a, packet[13..].starts_with(b"two")) {
            (false, _) => &[],
            (true, false) => &[Ipv4Addr::LOCALHOST],
            (true, true) => &[Ipv4Addr::LOCALHOST, SECOND],
        };
        reply[6..12].copy_from_slice(&[0, addresses.len() as u8, 0, 0, 0, 0]);
        for address in addresses {
            reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend_from_slice(&address.octets());
        }
        let _ = socket.send_to(&reply, from).await;
    }
}

fn acceptor(directory: &str) -> TlsAcceptor {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("no names, no fault");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).expect("signed");
    std::fs::write(format!("{directory}/ca.pem"), ca_certificate.pem())
        .expect("the directory is writable");
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf = CertificateParams::new(names)
        .expect("plain names")
        .signed_by(&key, &issuer)
        .expect("signed");
    let chain = vec![leaf.der().clone(), ca_certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("rcgen writes PKCS #8");
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("ring speaks the default versions")
    .with_no_client_auth()
    .with_single_cert(chain, key)
    .expect("the key fits");
    config.send_tls13_tickets = 0;
    TlsAcceptor::from(Arc::new(config))
}
