//! What one fresh check costs, against a bare hyper client doing the same work in the same run.
//!
//! `cargo bench --bench probe -- [CHECKS]`: CPU time of the checking thread (user and system), so that the
//! server on its own thread does not count. Both sides take turns; medians are told.
//! `cargo bench --bench probe -- memory [CHECKS]`: what so many checks (1 000 000 unless told) add to the
//! memory of the process, told ten times on the way.
//! `cargo bench --bench probe -- memory3 [CHECKS]`: the same by HTTP/3.

mod versions;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sitewatch::clock;
use sitewatch::config::default_subject;
use sitewatch::daemon::checks::addresses::{Eyes, look};
use sitewatch::daemon::checks::judging::Judges;
use sitewatch::domain::connect_to::{BadAddress, Direct};
use sitewatch::domain::evidence::Keep;
use sitewatch::domain::expectation::{Expectation, StatusSet};
use sitewatch::domain::http_choice::HttpChoice;
use sitewatch::domain::redaction::Masks;
use sitewatch::domain::slow_limit::SlowLimit;
use sitewatch::domain::subject::Subject;
use sitewatch::domain::target::{
    Credentials, DnsSettings, IpVersion, Manner, Method, Proxy, Target,
};
use sitewatch::policy::verdict::judge::judge;
use sitewatch::probe::Prober;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use url::Url;

/// Turns of each side.
const ROUNDS: usize = 15;

const BODY: &[u8] = &[b'x'; 1024];

fn main() {
    let checks: usize = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(300);
    let memory = std::env::args().any(|word| word == "memory");
    let pki = Pki::new();
    let plain = serve(None);
    let tls = serve(Some(pki.server.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if memory {
            let checks = if checks == 300 { 1_000_000 } else { checks };
            grow(&Ours::new(plain, false, &pki), checks).await;
            return;
        }
        #[cfg(feature = "http3")]
        if std::env::args().any(|word| word == "memory3") {
            let mut ours = Ours::new(versions::three(pki.server.clone()), true, &pki);
            ours.target.http = HttpChoice::Three;
            grow(&ours, checks).await;
            return;
        }
        for (name, address, secure, aim) in
            [("plain", plain, false, 1.2), ("TLS", tls, true, 1.05)]
        {
            let ours = Ours::new(address, secure, &pki);
            let bare = Bare::new(address, secure, &pki);
            let [ours, bare] = in_turns(checks, || ours.check(), || bare.check()).await;
            report(&format!(
                "{name:5} sitewatch {ours:7.1} us, bare hyper {bare:7.1} us: {:.2} times (aim: at most {aim})",
                ours / bare
            ));
        }
        compare_kinds(&Ours::new(plain, false, &pki), plain, checks).await;
        compare_versions(&pki, tls, checks).await;
    });
}

/// The versions of HTTP over TLS against HTTP/1.1.
async fn compare_versions(pki: &Pki, tls: SocketAddr, checks: usize) {
    let one = Ours::new(tls, true, pki);
    let by = |address, http| {
        let mut ours = Ours::new(address, true, pki);
        ours.target.http = http;
        ours
    };
    let all = [
        (
            "HTTP/2",
            by(versions::two(pki.server.clone()), HttpChoice::Two),
        ),
        #[cfg(feature = "http3")]
        (
            "HTTP/3",
            by(versions::three(pki.server.clone()), HttpChoice::Three),
        ),
    ];
    for (name, other) in all {
        let [cost, plain] = in_turns(checks, || other.check(), || one.check()).await;
        report(&format!(
            "{name} {cost:7.1} us, HTTP/1.1 over TLS {plain:7.1} us: {:.2} times",
            cost / plain
        ));
    }
}

/// Other kinds of checks against a plain one of HTTP: a connection alone, three echo requests, one more address.
async fn compare_kinds(http: &Ours, address: SocketAddr, checks: usize) {
    let judges = Arc::new(Judges::default());
    let of = |url: &str| {
        let found = default_subject(url, Direct::default(), HttpChoice::One);
        found.expect("a URL").1
    };
    let tcp = of(&format!("tcp://{address}"));
    let port = || see(http.prober.clone(), tcp.clone(), Arc::clone(&judges));
    let [tcp, plain] = in_turns(checks, port, || http.check()).await;
    report(&format!(
        "tcp   sitewatch {tcp:7.1} us, a plain check of HTTP {plain:7.1} us: {:.2} times (aim: at most 0.5)",
        tcp / plain
    ));
    // Three packets take 400 ms: the checks run beside each other.
    let icmp = of("icmp://127.0.0.1");
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let before = cpu();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..checks {
            all.spawn(see(http.prober.clone(), icmp.clone(), Arc::clone(&judges)));
        }
        while let Some(one) = all.join_next().await {
            one.expect("no panic");
        }
        let pings = (cpu() - before).as_secs_f64() * 1e6 / checks as f64;
        let plain = cost(checks, || http.check()).await;
        if round > 0 {
            costs[0].push(pings);
            costs[1].push(plain);
        }
    }
    let [icmp, plain] = costs.map(median);
    report(&format!(
        "icmp  sitewatch {icmp:7.1} us, a plain check of HTTP {plain:7.1} us: {:.2} times (aim: at most 0.33)",
        icmp / plain
    ));
    compare_addresses(http, address.port(), checks).await;
}

/// One check that has to be good.
async fn see(prober: Prober, subject: Subject, judges: Arc<Judges>) {
    let observed = prober.observe(&subject, clock::now(), &*judges).await;
    let (check, _) = judges.judge(&subject, observed).await.expect("no panic");
    assert!(check.verdict.is_good(), "{:?}", check.verdict);
}

/// What each address of a name costs that is checked by itself, against a plain check.
async fn compare_addresses(http: &Ours, port: u16, checks: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let hosts = directory.path().join("hosts");
    let lines = (1..=10).map(|last| {
        let names = if last <= 2 {
            "ten.test two.test"
        } else {
            "ten.test"
        };
        format!("127.0.0.{last} {names}\n")
    });
    std::fs::write(&hosts, lines.collect::<String>()).expect("a file");
    let prober = Prober::new(&DnsSettings {
        hosts,
        ..DnsSettings::default()
    })
    .expect("a prober");
    let judges = Judges::default();
    let each = |name: &str| {
        let way = Direct {
            each: Some(BadAddress::Degraded),
            ..Direct::default()
        };
        let url = format!("http://{name}.test:{port}/");
        default_subject(&url, way, HttpChoice::One)
            .expect("a URL")
            .1
    };
    let (ten, two) = (each("ten"), each("two"));
    let eyes = Eyes {
        prober: &prober,
        judges: &judges,
        canaries: None,
    };
    let looked = |subject, addresses| async move {
        let room = Duration::from_secs(60);
        let judged = look(eyes, subject, clock::now(), room, Keep::Nothing).await;
        let check = judged.expect("no panic").check;
        assert!(check.verdict.is_good(), "{:?}", check.verdict);
        let extras = check.extras.expect("addresses");
        assert_eq!(extras.addresses.expect("addresses").len(), addresses);
    };
    let checks = checks / 4;
    let [ten, two] = in_turns(checks, || looked(&ten, 10), || looked(&two, 2)).await;
    let [plain, _] = in_turns(checks, || http.check(), || http.check()).await;
    let more = (ten - two) / 8.0;
    report(&format!(
        "one more address {more:7.1} us, a plain check of HTTP {plain:7.1} us: {:.2} times (aim: at most 1.05)",
        more / plain
    ));
}

/// Medians of two kinds of work that take turns.
async fn in_turns<A: Future<Output = ()>, B: Future<Output = ()>>(
    checks: usize,
    one: impl Fn() -> A,
    other: impl Fn() -> B,
) -> [f64; 2] {
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let cost = [cost(checks, &one).await, cost(checks, &other).await];
        // The first turn warms up.
        if round > 0 {
            for (all, one) in costs.iter_mut().zip(cost) {
                all.push(one);
            }
        }
    }
    costs.map(median)
}

#[expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
fn report(line: &str) {
    println!("{line}");
}

/// Tells how the memory grows over many checks.
async fn grow(ours: &Ours, checks: usize) {
    for part in 0..=10 {
        for _ in 0..checks / 10 {
            ours.check().await;
        }
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: usize = statm
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or(0);
        report(&format!(
            "{:>9} checks: {} KiB resident",
            (part + 1) * (checks / 10),
            pages * 4
        ));
    }
}

fn median(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

/// CPU microseconds per check of this thread.
async fn cost<F: Future<Output = ()>>(checks: usize, check: impl Fn() -> F) -> f64 {
    let before = cpu();
    for _ in 0..checks {
        check().await;
    }
    (cpu() - before).as_secs_f64() * 1e6 / checks as f64
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

struct Pki {
    root_pem: String,
    root: CertificateDer<'static>,
    server: ServerConfig,
}

impl Pki {
    fn new() -> Self {
        let root_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&root_key).expect("a root");
        let middle_key = KeyPair::generate().expect("a key");
        let mut middle = CertificateParams::new(Vec::new()).expect("no names");
        middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        middle
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Middle");
        let by_root = Issuer::from_params(&params, &root_key);
        let middle_cert = middle
            .signed_by(&middle_key, &by_root)
            .expect("an intermediate");
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        let by_middle = Issuer::from_params(&middle, &middle_key);
        let leaf = leaf.signed_by(&key, &by_middle).expect("a leaf");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone(), middle_cert.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .expect("a key that fits");
        Self {
            root_pem: root.pem(),
            root: root.der().clone(),
            server,
        }
    }
}

/// A server on its own thread: reads one request, answers 1 KiB, closes.
fn serve(tls: Option<ServerConfig>) -> SocketAddr {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
            let port = listener.local_addr().expect("bound").port();
            told.send(SocketAddr::from(([127, 0, 0, 1], port)))
                .expect("the main thread waits");
            let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let _ = stream.set_nodelay(true);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match acceptor {
                        None => answer(stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                answer(stream).await;
                            }
                        }
                    }
                });
            }
        });
    });
    address.recv().expect("the server tells its address")
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = [0; 4096];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[length..]).await {
            Ok(count @ 1..) => length += count,
            _ => return,
        }
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 22 Nov 2026 20:00:00 GMT\r\n\
         Content-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        BODY.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), BODY].concat()).await;
    let _ = stream.shutdown().await;
}

struct Ours {
    prober: Prober,
    target: Target,
    expectation: Expectation,
}

impl Ours {
    fn new(address: SocketAddr, secure: bool, pki: &Pki) -> Self {
        let scheme = if secure { "https" } else { "http" };
        Self {
            prober: Prober::new(&DnsSettings::default()).expect("a prober"),
            target: Target::new(
                &Url::parse(&format!("{scheme}://{address}/")).expect("a URL"),
                Manner {
                    method: Method::Get,
                    headers: Vec::new(),
                    body: None,
                    credentials: Credentials::None,
                    follow_redirects: true,
                    max_redirects: 10,
                    allow_downgrade: false,
                    allow_private_redirect: false,
                    cookies: true,
                    timeout: Duration::from_secs(10),
                    max_body: 1 << 20,
                    wants_body: false,
                    ip_version: IpVersion::Any,
                    ca_pem: secure.then(|| pki.root_pem.as_bytes().into()),
                    client_certificate: None,
                    files: None,
                    verify_tls: true,
                    proxy: Proxy::None,
                    http: HttpChoice::One,
                    masks: Masks::default(),
                },
            ),
            expectation: Expectation {
                status: StatusSet::parse(["2xx"]).expect("a class"),
                final_url: None,
                headers: Vec::new(),
                body_contains: Vec::new(),
                body_excludes: Vec::new(),
                body_matches: Vec::new(),
                json: Vec::new(),
                degraded_after: SlowLimit::After(Duration::from_secs(2)),
                certificate_expiry: vec![Duration::from_secs(21 * 86_400)],
            },
        }
    }

    async fn check(&self) {
        let probe = self.prober.run(&self.target, clock::now()).await;
        let check = judge(&self.expectation, &self.target, probe);
        assert!(check.verdict.is_good(), "{:?}", check.verdict);
        assert_eq!(check.body_bytes, BODY.len() as u64);
    }
}

struct Bare {
    address: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Bare {
    fn new(address: SocketAddr, secure: bool, pki: &Pki) -> Self {
        let tls = secure.then(|| {
            let mut roots = RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            };
            roots.add(pki.root.clone()).expect("a root");
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("TLS versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.resumption = rustls::client::Resumption::disabled();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsConnector::from(Arc::new(config))
        });
        Self { address, tls }
    }

    async fn check(&self) {
        let work = async {
            let begun = clock::tick();
            let stream = TcpStream::connect(self.address)
                .await
                .expect("a connection");
            let _ = stream.set_nodelay(true);
            let connected = clock::tick();
            match &self.tls {
                None => exchange(stream, self.address).await,
                Some(tls) => {
                    let name = ServerName::IpAddress(self.address.ip().into());
                    let stream = tls.connect(name, stream).await.expect("a handshake");
                    let shaken = clock::tick();
                    assert!(shaken >= connected && connected >= begun);
                    exchange(stream, self.address).await;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), work)
            .await
            .expect("the server answers");
    }
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, to: SocketAddr) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("a handshake");
    let driving = tokio::spawn(connection);
    let request = hyper::Request::get("/")
        .header("Host", to.to_string())
        .header("User-Agent", "bare")
        .header("Accept", "*/*")
        .header("Connection", "close")
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let header_at = clock::tick();
    let mut body = answer.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.expect("a whole body").data_ref() {
            length += data.len();
        }
    }
    assert_eq!(length, BODY.len());
    assert!(clock::tick() >= header_at);
    drop(driving);
}
