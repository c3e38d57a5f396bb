//! From an address to a server that waits for the first mail: TCP, greeting, EHLO, TLS, login.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::transport::smtp::commands::{Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::channel::{Broken, Channel, Stream, tls_error};
use super::client::{Failed, Smtp};
use super::hello::Hello;
use super::login::{LoginFault, login};
use super::step::{Progress, Step};
use crate::domain::settings::SmtpTls;
use crate::policy::outbox::queued::Holds;
use crate::policy::outbox::retry::Outcome;
use crate::tls::{Seen, words};

/// One address of a mail server may take this long to answer a TCP connect, so that the next has its turn.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// A server that waits for a mail.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) channel: Channel,
    pub(super) hello: Hello,
    /// Mails that this connection brought to an end.
    pub(super) mails: u32,
    /// Whether a mail was begun and refused: RSET comes before the next.
    pub(super) is_begun: bool,
}

impl Smtp {
    /// Connects to the first address that answers, encrypted and logged in as required.
    pub(super) async fn connect(&self, step: &Progress) -> Result<Open, Failed> {
        let temporary = |error: &str| Outcome::Temporary {
            holds: Holds::Transport,
            error: self.said(error),
        };
        let host = (self.server.host.as_str(), self.server.port);
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(host)
            .await
            .map_err(|error| temporary(&format!("address lookup: {error}")))?
            .collect();
        let mut last = Failed::from(temporary("the name has no address"));
        for address in addresses {
            step.set(Step::Connect);
            let each = (self.timeout / 2).min(CONNECT_MAX);
            let connected = tokio::time::timeout(each, TcpStream::connect(address)).await;
            let error = match connected {
                Ok(Ok(stream)) => match self.begin(stream, step).await {
                    // Somebody listens and hangs up before a word: like nobody at all.
                    Err(failed) if failed.is_silent => {
                        last = failed;
                        continue;
                    }
                    spoken => return spoken,
                },
                Ok(Err(error)) => error,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            last = self.broken(Step::Connect, &error.into()).into();
        }
        Err(last)
    }

    async fn begin(&self, stream: TcpStream, step: &Progress) -> Result<Open, Failed> {
        // Commands are small and each waits for its answer.
        let _ = stream.set_nodelay(true);
        let us = stream
            .local_addr()
            .map_or_else(|_| ClientId::default(), our_name);
        let mut channel = if self.server.tls == SmtpTls::Implicit {
            self.encrypt(stream, step).await?
        } else {
            Channel::new(Stream::Plain(stream))
        };
        step.set(Step::Greeting);
        let greeting = channel.reply().await.map_err(|broken| Failed {
            is_silent: matches!(broken, Broken::Io(_) | Broken::Closed) && broken.tls().is_none(),
            ..self.broken(Step::Greeting, &broken).into()
        })?;
        if greeting.code != 220 {
            return Err(self.refused(Step::Greeting, &greeting));
        }
        let mut hello = self.hello(&mut channel, &us).await?;
        if self.server.tls == SmtpTls::Starttls {
            channel = self.starttls(channel, &hello, step).await?;
            step.set(Step::Greeting);
            // What was said in clear is forgotten (RFC 3207 section 4.2).
            hello = self.hello(&mut channel, &us).await?;
        }
        step.set(Step::Login);
        if let Some((username, password)) = &self.server.login {
            let is_encrypted = self.server.tls != SmtpTls::None;
            login(
                &mut channel,
                &hello,
                username,
                password.reveal(),
                is_encrypted,
            )
            .await
            .map_err(|fault| match fault {
                LoginFault::Refused(reply) => self.refused(Step::Login, &reply),
                LoginFault::Nothing(sentence) => Outcome::Pause(self.said(&sentence)).into(),
                LoginFault::Broken(broken) => self.broken(Step::Login, &broken).into(),
            })?;
        }
        Ok(Open {
            channel,
            hello,
            mails: 0,
            is_begun: false,
        })
    }

    async fn hello(&self, channel: &mut Channel, us: &ClientId) -> Result<Hello, Failed> {
        let broken = |broken| Failed::from(self.broken(Step::Greeting, &broken));
        let reply = channel
            .command(&Ehlo::new(us.clone()).to_string())
            .await
            .map_err(broken)?;
        if reply.is_positive() {
            return Ok(Hello::new(&reply));
        }
        if !matches!(reply.code, 500 | 502) {
            return Err(self.refused(Step::Greeting, &reply));
        }
        if self.server.tls == SmtpTls::Starttls {
            return Err(Outcome::Pause(self.said(
                "the server does not know EHLO, so it has no STARTTLS, and nothing is sent without TLS; \
                 set [email].tls to \"implicit\" if it speaks TLS from the start",
            ))
            .into());
        }
        let reply = channel
            .command(&format!("HELO {us}\r\n"))
            .await
            .map_err(broken)?;
        if reply.is_positive() {
            return Ok(Hello::default());
        }
        Err(self.refused(Step::Greeting, &reply))
    }

    async fn starttls(
        &self,
        mut channel: Channel,
        hello: &Hello,
        step: &Progress,
    ) -> Result<Channel, Failed> {
        step.set(Step::Tls);
        let pause = |sentence: &str| Failed::from(Outcome::Pause(self.said(sentence)));
        if !hello.offers("STARTTLS") {
            return Err(pause(
                "the server does not offer STARTTLS, and nothing is sent without TLS; \
                 set [email].tls to \"implicit\" if it speaks TLS from the start",
            ));
        }
        let reply = channel
            .command(&Starttls.to_string())
            .await
            .map_err(|broken| Failed::from(self.broken(Step::Tls, &broken)))?;
        match reply.code {
            220 => {}
            200..=399 => {
                let said = reply.text();
                return Err(pause(&format!(
                    "STARTTLS was answered by `{said}`, which is not 220"
                )));
            }
            _ => return Err(self.refused(Step::Tls, &reply)),
        }
        let stream = channel.into_silent_plain().ok_or_else(|| {
            pause(
                "plain text came where TLS should begin: somebody on the path may have put it there, \
                 and nothing is sent; set [email].tls to \"implicit\" if the server speaks TLS from the start",
            )
        })?;
        self.encrypt(stream, step).await
    }

    async fn encrypt(&self, stream: TcpStream, step: &Progress) -> Result<Channel, Failed> {
        step.set(Step::Tls);
        let Some(tls) = &self.tls else {
            return Err(Outcome::Pause(self.said("TLS is not set up")).into());
        };
        let handshake = tls.handshake(&self.server.host, true);
        let connector = TlsConnector::from(handshake.config);
        match connector.connect(handshake.name, stream).await {
            Ok(stream) => Ok(Channel::new(Stream::Tls(Box::new(stream)))),
            Err(error) => Err(match tls_error(&error) {
                Some(fault) => {
                    let seen = handshake.recorder.take();
                    Outcome::Pause(self.said(&self.tls_words(&seen, fault))).into()
                }
                None => self.broken(Step::Tls, &error.into()).into(),
            }),
        }
    }

    /// A fault of TLS in a sentence, with the key to change.
    pub(super) fn tls_words(&self, seen: &Seen, fault: &rustls::Error) -> String {
        let sentence = words::of_mail_server(seen, fault, &self.server.host);
        if seen.fault.is_some() {
            return sentence;
        }
        let remedy = match (fault, self.server.tls) {
            (rustls::Error::InvalidMessage(_), SmtpTls::Implicit) => {
                "set [email].tls = \"starttls\", or [email].port to the one where it speaks TLS from the start \
                 (mostly 465)"
            }
            (rustls::Error::InvalidMessage(_), _) => {
                "plain text came where TLS should begin: somebody on the path may have put it there; \
                 set [email].tls = \"implicit\" if the server speaks TLS from the start (mostly on port 465)"
            }
            _ => "update the mail server's TLS, or name another server in [email].host",
        };
        format!("{sentence}; {remedy}")
    }
}

/// How we name ourselves in EHLO (RFC 5321 section 4.1.4): our full name, else the address that we speak from.
fn our_name(ours: SocketAddr) -> ClientId {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let is_full = name.contains('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    if is_full {
        return ClientId::Domain(name.into_owned());
    }
    match ours {
        SocketAddr::V4(address) => ClientId::Ipv4(*address.ip()),
        SocketAddr::V6(address) => match address.ip().to_ipv4_mapped() {
            Some(ip) => ClientId::Ipv4(ip),
            None => ClientId::Ipv6(*address.ip()),
        },
    }
}
