//! A mail server that does what its script says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Where in a conversation something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Greeting,
    Ehlo,
    Helo,
    Rset,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    End,
}

/// What happens there.
#[derive(Debug, Clone)]
pub enum Act {
    /// This answer instead of the usual one.
    Say(&'static str),
    /// No answer, the connection open.
    Hang,
    /// The connection closed without an answer.
    Cut,
    /// These bytes instead of the usual answer, as they are.
    Raw(&'static [u8]),
    /// These bytes, then those again and again until the client has enough.
    Flood(&'static [u8], &'static [u8]),
    /// This byte again and again, one each 20 ms.
    Drip(u8),
}

/// How the server speaks, and what goes wrong.
#[derive(Clone, Default)]
pub struct Script {
    pub tls: Option<Arc<ServerConfig>>,
    pub implicit: bool,
    pub auth: bool,
    /// Further lines of EHLO.
    pub features: &'static [&'static str],
    /// What happens where, to which recipient (all where there is none), on how many of the first occasions.
    pub faults: Vec<(At, Option<&'static str>, usize, Act)>,
}

/// One message that came whole, whether or not its coming was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub to: String,
    pub data: String,
}

impl Message {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.data
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub struct Server {
    pub address: SocketAddr,
    came: Arc<Mutex<Vec<Message>>>,
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let came: Arc<Mutex<Vec<Message>>> = Arc::default();
        let faults = Arc::new(Mutex::new(script.faults.clone()));
        let kept = Arc::clone(&came);
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let connections: Arc<AtomicUsize> = Arc::default();
        let (hears, counts) = (Arc::clone(&heard), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counts.fetch_add(1, Relaxed);
                let (script, kept) = (script.clone(), Arc::clone(&kept));
                let heard = Arc::clone(&hears);
                let faults = Arc::clone(&faults);
                tokio::spawn(async move {
                    let talk = Talk {
                        script,
                        kept,
                        faults,
                        heard,
                    };
                    talk.begin(stream).await;
                });
            }
        });
        Self {
            address,
            came,
            heard,
            connections,
            task,
        }
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Every command, in order.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub fn came(&self) -> Vec<Message> {
        self.came.lock().unwrap().clone()
    }
}

type Faults = Vec<(At, Option<&'static str>, usize, Act)>;

struct Talk {
    script: Script,
    kept: Arc<Mutex<Vec<Message>>>,
    faults: Arc<Mutex<Faults>>,
    heard: Arc<Mutex<Vec<String>>>,
}

/// Whether a conversation goes on.
enum Next {
    On,
    Over,
    Tls,
}

impl Talk {
    async fn begin(self, stream: TcpStream) {
        let acceptor = self.script.tls.clone().map(TlsAcceptor::from);
        match acceptor {
            Some(acceptor) if self.script.implicit => {
                if let Ok(stream) = acceptor.accept(stream).await {
                    self.speak(stream, true, true).await;
                }
            }
            Some(acceptor) => {
                if let Some(stream) = self.speak(stream, true, false).await
                    && let Ok(stream) = acceptor.accept(stream).await
                {
                    self.speak(stream, false, true).await;
                }
            }
            None => {
                self.speak(stream, true, false).await;
            }
        }
    }

    /// Speaks until the end, or until TLS shall begin: then the stream comes back.
    async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        greets: bool,
        encrypted: bool,
    ) -> Option<S> {
        let mut stream = BufReader::new(stream);
        if greets
            && !matches!(
                self.answer(&mut stream, At::Greeting, "", "220 mx.test ESMTP")
                    .await,
                Next::On
            )
        {
            return None;
        }
        let mut to = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            self.heard.lock().unwrap().push(line.to_owned());
            let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
            let next = match verb.as_str() {
                "EHLO" => {
                    let mut features = vec!["250-mx.test"];
                    if self.script.tls.is_some() && !encrypted {
                        features.push("250-STARTTLS");
                    }
                    if self.script.auth {
                        features.push("250-AUTH PLAIN LOGIN");
                    }
                    let more: Vec<String> = self
                        .script
                        .features
                        .iter()
                        .map(|feature| format!("250-{feature}"))
                        .collect();
                    features.extend(more.iter().map(String::as_str));
                    features.push("250 8BITMIME");
                    self.answer(&mut stream, At::Ehlo, "", &features.join("\r\n"))
                        .await
                }
                "HELO" => self.answer(&mut stream, At::Helo, "", "250 mx.test").await,
                "RSET" => self.answer(&mut stream, At::Rset, "", "250 ok").await,
                "STARTTLS" => match self.answer(&mut stream, At::StartTls, "", "220 go").await {
                    Next::On => Next::Tls,
                    other => other,
                },
                "AUTH" => self.answer(&mut stream, At::Auth, "", "235 welcome").await,
                "MAIL" => self.answer(&mut stream, At::Mail, "", "250 ok").await,
                "RCPT" => {
                    to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    self.answer(&mut stream, At::Rcpt, &to, "250 ok").await
                }
                "DATA" => {
                    match self
                        .answer(&mut stream, At::Data, &to, "354 go ahead")
                        .await
                    {
                        Next::On => {}
                        _ => return None,
                    }
                    if self.take_message(&mut stream, &to).await.is_none() {
                        continue;
                    }
                    self.answer(&mut stream, At::End, &to, "250 2.0.0 queued as 4F1")
                        .await
                }
                "QUIT" => {
                    let _ = stream.write_all(b"221 bye\r\n").await;
                    return None;
                }
                _ => {
                    stream.write_all(b"500 what\r\n").await.ok()?;
                    Next::On
                }
            };
            match next {
                Next::On => {}
                Next::Over => return None,
                Next::Tls => return Some(stream.into_inner()),
            }
        }
    }

    async fn take_message<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        to: &str,
    ) -> Option<()> {
        // A refused DATA was answered already; then commands follow, not a message.
        let mut data = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            if line == ".\r\n" {
                break;
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
        self.kept.lock().unwrap().push(Message {
            to: to.to_owned(),
            data,
        });
        Some(())
    }

    async fn answer<S: AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        at: At,
        to: &str,
        usual: &str,
    ) -> Next {
        let act = {
            let mut faults = self.faults.lock().unwrap();
            faults
                .iter_mut()
                .find(|(place, whom, times, _)| {
                    *place == at && *times > 0 && whom.is_none_or(|whom| whom == to)
                })
                .map(|(_, _, times, act)| {
                    *times -= 1;
                    act.clone()
                })
        };
        let line = match act {
            None => usual,
            Some(Act::Say(line)) => line,
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Cut) => return Next::Over,
            Some(Act::Raw(bytes)) => {
                let wrote = stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok();
                return if wrote { Next::On } else { Next::Over };
            }
            Some(Act::Flood(first, again)) => {
                let mut wrote = stream.write_all(first).await;
                while wrote.is_ok() {
                    wrote = stream.write_all(again).await;
                }
                return Next::Over;
            }
            Some(Act::Drip(byte)) => {
                while stream.write_all(&[byte]).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                return Next::Over;
            }
        };
        let said = stream.write_all(format!("{line}\r\n").as_bytes()).await;
        match (said, line.as_bytes()[0]) {
            (Err(_), _) => Next::Over,
            // 421 and a refused greeting end the conversation from the server's side.
            (Ok(()), _)
                if line.starts_with("421") || (at == At::Greeting && line.starts_with('5')) =>
            {
                Next::Over
            }
            (Ok(()), b'4' | b'5') if at == At::Data => Next::Over,
            (Ok(()), _) => Next::On,
        }
    }
}
