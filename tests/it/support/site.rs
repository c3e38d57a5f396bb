//! A web site that does what its script says, byte by byte.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// One act of a connection, after its request has come.
#[derive(Debug, Clone)]
pub enum Act {
    /// These bytes.
    Send(Vec<u8>),
    /// Nothing for a while.
    Wait(Duration),
    /// Nothing more, for ever, with the connection open.
    Hang,
    /// RST.
    Reset,
    /// FIN without TLS's closing message.
    Drop,
}

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Received {
    pub method: String,
    pub path: String,
    /// Fields with names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The how manieth request of the site this is, from 0.
    pub number: usize,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

type Script = Arc<dyn Fn(&Received) -> Vec<Act> + Send + Sync>;

/// A running site on loopback; it ends when it is dropped.
pub struct Site {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    accepting: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Sends a text and closes.
pub fn say(text: impl Into<String>) -> Vec<Act> {
    vec![Act::Send(text.into().into_bytes())]
}

/// A complete answer with a length.
pub fn answer(status: u16, headers: &str, body: &str) -> Vec<Act> {
    say(format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    ))
}

/// A redirect without a body.
pub fn redirect(status: u16, location: &str) -> Vec<Act> {
    answer(status, &format!("Location: {location}\r\n"), "")
}

impl Site {
    pub async fn plain(script: impl Fn(&Received) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start(None, Duration::ZERO, Arc::new(script)).await
    }

    pub async fn tls(
        config: ServerConfig,
        script: impl Fn(&Received) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(config), Duration::ZERO, Arc::new(script)).await
    }

    /// A TLS site that lets a while pass before it shakes hands.
    pub async fn slow_tls(
        config: ServerConfig,
        before: Duration,
        script: impl Fn(&Received) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(config), before, Arc::new(script)).await
    }

    async fn start(tls: Option<ServerConfig>, before: Duration, script: Script) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        let address = listener.local_addr().expect("a bound socket");
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let _ = stream.set_nodelay(true);
                let script = Arc::clone(&script);
                let log = Arc::clone(&log);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    sleep(before).await;
                    match acceptor {
                        None => serve(stream, |stream| stream, &script, &log).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, |stream| stream.into_inner().0, &script, &log).await;
                            }
                        }
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

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was requested so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic while locked").clone()
    }

    /// The last request.
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request came")
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    bare: impl FnOnce(S) -> TcpStream,
    script: &Script,
    log: &Mutex<Vec<Received>>,
) {
    let Some(mut request) = read_request(&mut stream).await else {
        return;
    };
    {
        let mut log = log.lock().expect("no panic while locked");
        request.number = log.len();
        log.push(request.clone());
    }
    for act in script(&request) {
        match act {
            Act::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }
            Act::Wait(while_) => sleep(while_).await,
            Act::Hang => {
                sleep(Duration::from_secs(3600)).await;
                return;
            }
            Act::Reset => {
                let bare = bare(stream);
                let _ = bare.set_zero_linger();
                return;
            }
            Act::Drop => {
                let mut bare = bare(stream);
                let _ = bare.shutdown().await;
                let _ = bare.read_to_end(&mut Vec::new()).await;
                return;
            }
        }
    }
    let _ = stream.shutdown().await;
    // Wait for the peer's end, so that no unread byte turns the close into a reset.
    let mut rest = [0; 1024];
    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut request = Received {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        ..Received::default()
    };
    for line in lines {
        if let Some((name, value)) = line.split_once(':') {
            request
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let length = request
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

/// A port on loopback where nobody listens.
pub async fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port on loopback");
    listener.local_addr().expect("a bound socket").port()
}

/// A port whose queue is full: SYNs are not answered.
pub struct DeafPort {
    pub port: u16,
    _listener: TcpListener,
    _queue: Vec<JoinHandle<()>>,
}

impl DeafPort {
    pub async fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .expect("a port on loopback");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("a bound socket");
        let mut queue = Vec::new();
        for _ in 0..8 {
            queue.push(tokio::spawn(async move {
                let stream = TcpStream::connect(address).await;
                sleep(Duration::from_secs(3600)).await;
                drop(stream);
            }));
        }
        // The queue is full once a connection is not answered any more.
        while tokio::time::timeout(Duration::from_millis(150), TcpStream::connect(address))
            .await
            .is_ok()
        {}
        Self {
            port: address.port(),
            _listener: listener,
            _queue: queue,
        }
    }
}
