//! One connection to a NATS server: made, used by any number of clones of its client, and over when it breaks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf,
};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::identity::prove;
use super::protocol::{Info, Message, Odd, Op, Parser};
use crate::domain::cluster::NatsServer;
use crate::domain::safe_text;
use crate::link::error::LinkError;
use crate::tls;
use crate::wire::frame::FRAME_BYTES_MAX;
use crate::wire::notes::NOTE_BYTES_MAX;

/// From the first packet to the server's word that we are in.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The server is asked so often whether it is there, and is gone when it is silent until the next question but one.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Messages that wait to be written; then the one that has more waits.
const WAITING_MAX: usize = 64;
/// Messages for one subscription that nobody took yet; what is more is dropped, as NATS itself would.
const UNREAD_MAX: usize = 1024;
/// What is read or written in one turn.
const TURN_BYTES: usize = 64 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Speaks over a connection. Clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    out: mpsc::Sender<Vec<u8>>,
}

#[derive(Debug)]
struct Shared {
    /// Answers come to subjects below this.
    inbox: String,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Message>>>,
    subscriptions: Mutex<HashMap<u64, Subscription>>,
}

/// Who gets the messages of a subscription.
#[derive(Debug)]
struct Subscription {
    messages: mpsc::Sender<Message>,
    /// What is larger is dropped.
    bytes_max: usize,
}

/// What reads and writes; the connection lasts as long as [`Driver::run`].
pub struct Driver {
    shared: Arc<Shared>,
    parser: Parser,
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    out: mpsc::Sender<Vec<u8>>,
    waiting: mpsc::Receiver<Vec<u8>>,
}

/// Answers to one question that may be many; over when it is dropped. They come by a subscription of their own, since
/// JetStream leaves them the subjects that they were published to.
#[derive(Debug)]
pub(super) struct Answers {
    shared: Arc<Shared>,
    out: mpsc::Sender<Vec<u8>>,
    sid: u64,
    messages: mpsc::Receiver<Message>,
}

impl Answers {
    /// The next one; `None` when the connection broke.
    pub(super) async fn next(&mut self) -> Option<Message> {
        self.messages.recv().await
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.shared.subscriptions().remove(&self.sid);
        // Where there is no room for it, the server goes on with what nobody reads.
        let _ = self
            .out
            .try_send(format!("UNSUB {}\r\n", self.sid).into_bytes());
    }
}

/// A question; it is forgotten when this is dropped.
pub(super) struct Asked {
    shared: Arc<Shared>,
    token: u64,
    told: oneshot::Receiver<Message>,
}

impl Asked {
    /// Waits for the answer.
    ///
    /// # Errors
    /// Nobody serves what was asked for, or the connection broke.
    pub(super) async fn answer(mut self) -> Result<Message, LinkError> {
        let answer = (&mut self.told).await.map_err(|_| gone())?;
        match answer.status {
            503 => Err(LinkError::NoService),
            _ => Ok(answer),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.shared.waiting().remove(&self.token);
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Message>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscriptions(&self) -> MutexGuard<'_, HashMap<u64, Subscription>> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, message: Message) {
        if message.sid != INBOX_SID {
            let subscriptions = self.subscriptions();
            if let Some(subscription) = subscriptions.get(&message.sid)
                && message.payload.len() <= subscription.bytes_max
            {
                // Full: nobody keeps up, and the newest is lost, as in NATS.
                let _ = subscription.messages.try_send(message);
            }
            return;
        }
        let token = message.subject.rsplit('.').next();
        let token = token.and_then(|token| token.parse::<u64>().ok());
        if let Some(once) = token.and_then(|token| self.waiting().remove(&token)) {
            let _ = once.send(message);
        }
    }
}

/// The subscription to our inbox.
const INBOX_SID: u64 = 1;

/// Connects, proves who we are, and subscribes to an inbox below `inbox`.
///
/// # Errors
/// There is no way to the server, or it refuses us.
pub async fn connect(
    server: &NatsServer,
    name: &str,
    inbox: &str,
) -> Result<(Client, Driver), LinkError> {
    match timeout(CONNECT_WITHIN, connected(server, name, inbox)).await {
        Ok(connected) => connected,
        Err(_) => Err(LinkError::Unreachable(format!(
            "{}:{} did not answer within {} s",
            server.host,
            server.port,
            CONNECT_WITHIN.as_secs()
        ))),
    }
}

async fn connected(
    server: &NatsServer,
    name: &str,
    inbox: &str,
) -> Result<(Client, Driver), LinkError> {
    let unreachable = |error: std::io::Error| {
        LinkError::Unreachable(format!("{}:{}: {error}", server.host, server.port))
    };
    let tcp = TcpStream::connect((server.host.as_str(), server.port))
        .await
        .map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let mut parser = Parser::default();
    let mut stream: Box<dyn Stream> = Box::new(tcp);
    let info = expect_info(&mut stream, &mut parser).await?;
    if server.tls || info.tls_required {
        if !(info.tls_required || info.tls_available) {
            return Err(LinkError::Refused(
                "it speaks no TLS, and nothing is sent without; write a tls block in its configuration".to_owned(),
            ));
        }
        if parser.has_more() {
            return Err(LinkError::Odd("plain text came where TLS should begin"));
        }
        stream = encrypted(server, stream).await?;
    }
    if !info.headers && !info.version.is_empty() {
        return Err(LinkError::Refused(format!(
            "it is version {} and has no headers; 2.9 or newer is needed",
            safe_text::line(&info.version, 40)
        )));
    }
    let proof = prove(&server.credentials, &info.nonce).map_err(LinkError::Refused)?;
    let mut about = json!({
        "verbose": false,
        "pedantic": false,
        "tls_required": server.tls,
        "name": name,
        "lang": "rust",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": 1,
        "echo": false,
        "headers": true,
        "no_responders": true,
    });
    for (key, value) in [("nkey", proof.nkey), ("jwt", proof.jwt), ("sig", proof.sig)] {
        if let (Some(value), Some(about)) = (value, about.as_object_mut()) {
            about.insert(key.to_owned(), value.into());
        }
    }
    let unique = unique();
    let inbox = format!("{inbox}.{unique}");
    let hello = format!("CONNECT {about}\r\nSUB {inbox}.* {INBOX_SID}\r\nPING\r\n");
    let broken = |error: std::io::Error| LinkError::Broken(error.to_string());
    stream.write_all(hello.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    loop {
        match next(&mut stream, &mut parser).await? {
            Op::Pong => break,
            Op::Error(words) => return Err(LinkError::Refused(words)),
            Op::Ping => stream.write_all(b"PONG\r\n").await.map_err(broken)?,
            Op::Info(_) | Op::Message(_) => {}
        }
    }
    let (reader, writer) = tokio::io::split(stream);
    let (out, waiting) = mpsc::channel(WAITING_MAX);
    let shared = Arc::new(Shared {
        inbox,
        next: AtomicU64::new(INBOX_SID + 1),
        waiting: Mutex::default(),
        subscriptions: Mutex::default(),
    });
    let client = Client {
        shared: Arc::clone(&shared),
        out: out.clone(),
    };
    let driver = Driver {
        shared,
        parser,
        reader,
        writer,
        out,
        waiting,
    };
    Ok((client, driver))
}

/// Letters and digits that no other connection has.
fn unique() -> String {
    use ring::rand::{SecureRandom as _, SystemRandom};
    let mut bytes = [0; 8];
    // Without random numbers answers could only be mixed up by somebody who may read our inbox anyway.
    let _ = SystemRandom::new().fill(&mut bytes);
    format!("{:016x}", u64::from_le_bytes(bytes))
}

async fn encrypted(
    server: &NatsServer,
    stream: Box<dyn Stream>,
) -> Result<Box<dyn Stream>, LinkError> {
    let basis = tls::Basis::load();
    let kind =
        tls::Kind::new(&basis, server.ca_pem.as_deref(), None, &[]).map_err(LinkError::Refused)?;
    drop(basis);
    let handshake = kind.handshake(&server.host, true);
    let connector = TlsConnector::from(handshake.config);
    match connector.connect(handshake.name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => {
            let seen = handshake.recorder.take();
            let words = match &seen.fault {
                Some(fault) => {
                    let (_, detail) =
                        tls::words::certificate(fault, &seen.certificates, &server.host);
                    format!("{detail}; look at [cluster].ca_file and at the name in [cluster].url")
                }
                None => format!("TLS handshake failed: {error}"),
            };
            Err(LinkError::Unreachable(words))
        }
    }
}

async fn expect_info(
    stream: &mut Box<dyn Stream>,
    parser: &mut Parser,
) -> Result<Box<Info>, LinkError> {
    match next(stream, parser).await? {
        Op::Info(info) => Ok(info),
        Op::Error(words) => Err(LinkError::Refused(words)),
        Op::Message(_) | Op::Ping | Op::Pong => Err(LinkError::Odd("it does not begin with INFO")),
    }
}

async fn next(stream: &mut Box<dyn Stream>, parser: &mut Parser) -> Result<Op, LinkError> {
    let mut bytes = vec![0; 4096];
    loop {
        if let Some(op) = parser.next().map_err(|Odd(what)| LinkError::Odd(what))? {
            return Ok(op);
        }
        let count = stream
            .read(&mut bytes)
            .await
            .map_err(|error| LinkError::Broken(error.to_string()))?;
        if count == 0 {
            return Err(LinkError::Broken("the server closed it".to_owned()));
        }
        parser.feed(bytes.get(..count).unwrap_or_default());
    }
}

impl Client {
    /// Sends a message that nobody answers.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn publish(&self, subject: &str, payload: &[u8]) -> Result<(), LinkError> {
        self.send(subject, "", payload).await
    }

    /// Asks with a header, and waits for the answer.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub(super) async fn request_with(
        &self,
        subject: &str,
        (name, value): (&str, &str),
        payload: &[u8],
        within: Duration,
    ) -> Result<Message, LinkError> {
        let answer = timeout(within, async {
            let (asked, reply) = self.expect_answer();
            let headers = format!("NATS/1.0\r\n{name}: {value}\r\n\r\n");
            let total = headers.len() + payload.len();
            let line = format!("HPUB {subject} {reply} {} {total}\r\n", headers.len());
            let bytes = [line.as_bytes(), headers.as_bytes(), payload, b"\r\n"].concat();
            self.out.send(bytes).await.map_err(|_| gone())?;
            asked.answer().await
        });
        answer.await.map_err(|_| LinkError::Timeout)?
    }

    /// A question that is about to be sent, and where its answer comes.
    fn expect_answer(&self) -> (Asked, String) {
        let (tell, told) = oneshot::channel();
        let token = self.shared.next.fetch_add(1, Relaxed);
        self.shared.waiting().insert(token, tell);
        let asked = Asked {
            shared: Arc::clone(&self.shared),
            token,
            told,
        };
        (asked, format!("{}.{token}", self.shared.inbox))
    }

    async fn send(&self, subject: &str, reply: &str, payload: &[u8]) -> Result<(), LinkError> {
        let space = if reply.is_empty() { "" } else { " " };
        let mut bytes = format!("PUB {subject} {reply}{space}{}\r\n", payload.len()).into_bytes();
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\n");
        self.out.send(bytes).await.map_err(|_| gone())
    }

    /// Asks; what it answers waits for the answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn ask(&self, subject: &str, payload: &[u8]) -> Result<Asked, LinkError> {
        let (asked, reply) = self.expect_answer();
        self.send(subject, &reply, payload).await?;
        Ok(asked)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// Nobody answers, or not in time, or the connection broke.
    pub(super) async fn request(
        &self,
        subject: &str,
        payload: &[u8],
        within: Duration,
    ) -> Result<Message, LinkError> {
        let answer = timeout(within, async {
            self.ask(subject, payload).await?.answer().await
        });
        answer.await.map_err(|_| LinkError::Timeout)?
    }

    /// Asks what has several answers, of which at most `max` are wanted.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn ask_many(
        &self,
        subject: &str,
        payload: &[u8],
        max: usize,
    ) -> Result<Answers, LinkError> {
        let sid = self.shared.next.fetch_add(1, Relaxed);
        let reply = format!("{}m.{sid}", self.shared.inbox);
        // And a status at the end.
        let messages = self
            .subscribe_as(sid, &reply, max + 1, FRAME_BYTES_MAX)
            .await?;
        let answers = Answers {
            shared: Arc::clone(&self.shared),
            out: self.out.clone(),
            sid,
            messages,
        };
        self.send(subject, &reply, payload).await?;
        Ok(answers)
    }

    async fn subscribe_as(
        &self,
        sid: u64,
        subject: &str,
        unread_max: usize,
        bytes_max: usize,
    ) -> Result<mpsc::Receiver<Message>, LinkError> {
        let (tell, messages) = mpsc::channel(unread_max);
        let subscription = Subscription {
            messages: tell,
            bytes_max,
        };
        self.shared.subscriptions().insert(sid, subscription);
        let line = format!("SUB {subject} {sid}\r\n").into_bytes();
        self.out.send(line).await.map_err(|_| gone())?;
        Ok(messages)
    }

    /// Messages to a subject from now on.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn subscribe(
        &self,
        subject: &str,
    ) -> Result<mpsc::Receiver<Message>, LinkError> {
        let sid = self.shared.next.fetch_add(1, Relaxed);
        self.subscribe_as(sid, subject, UNREAD_MAX, NOTE_BYTES_MAX)
            .await
    }
}

fn gone() -> LinkError {
    LinkError::Broken("it is closed".to_owned())
}

impl Driver {
    /// Reads and writes until the connection breaks, and says why. One that waits for something is told then.
    pub async fn run(self) -> LinkError {
        let Self {
            shared,
            parser,
            reader,
            writer,
            out,
            waiting,
        } = self;
        let why = tokio::select! {
            why = read(reader, parser, &shared, &out) => why,
            why = write(writer, waiting) => why,
        };
        shared.waiting().clear();
        shared.subscriptions().clear();
        why
    }
}

async fn read(
    mut reader: ReadHalf<Box<dyn Stream>>,
    mut parser: Parser,
    shared: &Shared,
    out: &mpsc::Sender<Vec<u8>>,
) -> LinkError {
    let mut bytes = vec![0; TURN_BYTES];
    let mut unanswered = 0;
    loop {
        let count = match timeout(PING_EVERY, reader.read(&mut bytes)).await {
            Ok(Ok(0)) => return LinkError::Broken("the server closed it".to_owned()),
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return LinkError::Broken(error.to_string()),
            Err(_) if unanswered >= 2 => {
                return LinkError::Broken("the server is silent".to_owned());
            }
            Err(_) => {
                unanswered += 1;
                // Where it cannot even be asked, its silence is noticed all the same.
                let _ = out.try_send(b"PING\r\n".to_vec());
                continue;
            }
        };
        unanswered = 0;
        parser.feed(bytes.get(..count).unwrap_or_default());
        loop {
            match parser.next() {
                Ok(None) => break,
                Ok(Some(Op::Message(message))) => shared.deliver(message),
                // Where many messages wait, they show that we are there.
                Ok(Some(Op::Ping)) => match out.try_send(b"PONG\r\n".to_vec()) {
                    Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => {}
                    Err(mpsc::error::TrySendError::Closed(_)) => return gone(),
                },
                Ok(Some(Op::Pong | Op::Info(_))) => {}
                Ok(Some(Op::Error(words))) => {
                    // A subject that is not allowed is no reason to end: its request gets no answer.
                    if words
                        .to_ascii_lowercase()
                        .starts_with("permissions violation")
                    {
                        tracing::warn!("the NATS server says: {words}");
                        continue;
                    }
                    return LinkError::Refused(words);
                }
                Err(Odd(what)) => return LinkError::Odd(what),
            }
        }
    }
}

async fn write(
    mut writer: WriteHalf<Box<dyn Stream>>,
    mut waiting: mpsc::Receiver<Vec<u8>>,
) -> LinkError {
    let mut messages = Vec::new();
    let mut joined = Vec::new();
    loop {
        if waiting.recv_many(&mut messages, WAITING_MAX).await == 0 {
            return gone();
        }
        for message in messages.drain(..) {
            joined.extend_from_slice(&message);
            if joined.len() >= TURN_BYTES
                && let Err(why) = put(&mut writer, &mut joined).await
            {
                return why;
            }
        }
        if let Err(why) = put(&mut writer, &mut joined).await {
            return why;
        }
        joined.shrink_to(TURN_BYTES * 2);
    }
}

/// Writes what was joined and empties it. A server that takes nothing is given up, even one that goes on talking.
async fn put(
    writer: &mut WriteHalf<Box<dyn Stream>>,
    joined: &mut Vec<u8>,
) -> Result<(), LinkError> {
    let written = async {
        writer.write_all(joined).await?;
        writer.flush().await
    };
    match timeout(PING_EVERY * 2, written).await {
        Ok(Ok(())) => {
            joined.clear();
            Ok(())
        }
        Ok(Err(error)) => Err(LinkError::Broken(error.to_string())),
        Err(_) => Err(LinkError::Broken("the server takes nothing".to_owned())),
    }
}
