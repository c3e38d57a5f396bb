//! A mail server that does what its script says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

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
}

/// How the server speaks, and what goes wrong.
#[derive(Clone, Default)]
pub struct Script {
    pub tls: Option<Arc<ServerConfig>>,
    pub implicit: bool,
    pub auth: bool,
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
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, kept) = (script.clone(), Arc::clone(&kept));
                let faults = Arc::clone(&faults);
                tokio::spawn(async move {
                    let talk = Talk {
                        script,
                        kept,
                        faults,
                    };
                    talk.begin(stream).await;
                });
            }
        });
        Self {
            address,
            came,
            task,
        }
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
                    features.push("250 8BITMIME");
                    self.answer(&mut stream, At::Ehlo, "", &features.join("\r\n"))
                        .await
                }
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
