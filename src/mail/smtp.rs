//! One conversation with a mail server, step by step, so that each answer is known by its command.
//!
//! lettre's own `send` does not tell at which command a 5xx came, nor whether the connection broke before or
//! after the end of DATA, and its timeout covers only the TCP connect: hence the commands one by one, under one
//! deadline. Each mail has its own connection, since a cancelled one would leave half a command in a pool.

use std::error::Error as _;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;

use crate::domain::address::Address;
use crate::domain::settings::{SmtpServer, SmtpTls};
use crate::domain::text;
use crate::policy::outbox::delivery::Outcome;
use crate::policy::outbox::row::Holds;

use super::mailer::not_noted;
use super::message;

/// One address of a mail server may take this long to answer a TCP connect, so that the next has its turn.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// How long a polite goodbye may take; what matters is decided before.
const QUIT_MAX: Duration = Duration::from_secs(1);
/// What of a server's answer is kept.
const ANSWER_CHARS_MAX: usize = 300;

/// Why the transport cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSetupError {
    /// `ca_file`.
    #[error("failed to use [email].ca_file: {0}")]
    Anchor(#[source] lettre::transport::smtp::Error),
    /// Everything else of TLS.
    #[error("failed to set up TLS to {host}: {source}")]
    Tls {
        /// The mail server.
        host: String,
        /// What the library says.
        source: lettre::transport::smtp::Error,
    },
}

/// A mail server.
pub struct Smtp {
    server: SmtpServer,
    tls: Option<TlsParameters>,
    timeout: Duration,
}

/// Without the credentials.
impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp({})", self.describe())
    }
}

/// How far a conversation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Lookup,
    Connect,
    Tls,
    Login,
    Sender,
    Recipient,
    Data,
    /// The end of DATA is on its way: from here on the server may have taken the mail.
    End,
}

/// Where a conversation is, to be read after it was cancelled.
struct Progress(Mutex<Step>);

impl Progress {
    fn set(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    fn get(&self) -> Step {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step {
    /// What we were at, after "while".
    const fn doing(self) -> &'static str {
        match self {
            Self::Lookup => "looking up the mail server",
            Self::Connect => "connecting and greeting",
            Self::Tls => "starting TLS",
            Self::Login => "logging in",
            Self::Sender => "naming the sender (MAIL)",
            Self::Recipient => "naming the recipient (RCPT)",
            Self::Data => "sending the message (DATA)",
            Self::End => "waiting for the answer to the message",
        }
    }
}

impl Smtp {
    /// Prepares TLS with the system's trust anchors (Mozilla's where it has none) and the extra one.
    ///
    /// # Errors
    /// When the extra anchor holds no certificate, or TLS cannot be set up.
    pub fn new(server: &SmtpServer, timeout: Duration) -> Result<Self, SmtpSetupError> {
        let tls = match server.tls {
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Implicit => Some(tls_parameters(server)?),
        };
        Ok(Self {
            server: server.clone(),
            tls,
            timeout,
        })
    }

    /// Host, port and encryption.
    pub fn describe(&self) -> String {
        let tls = match self.server.tls {
            SmtpTls::Starttls => "STARTTLS",
            SmtpTls::Implicit => "TLS",
            SmtpTls::None => "no TLS",
        };
        format!("{}:{} ({tls})", self.server.host, self.server.port)
    }

    /// Delivers a message to one recipient, all of it within the timeout. `noted` is awaited before the message
    /// goes on its way; where it fails, nothing is sent.
    pub async fn send(
        &self,
        from: &Address,
        to: &Address,
        bytes: &[u8],
        noted: impl Future<Output = Result<(), String>>,
    ) -> Outcome {
        let step = Progress(Mutex::new(Step::Lookup));
        let conversation = self.converse(from, to, bytes, &step, noted);
        match tokio::time::timeout(self.timeout, conversation).await {
            Ok(Ok(answer)) => Outcome::Accepted(answer),
            Ok(Err(outcome)) => outcome,
            Err(_) => {
                let error = format!(
                    "{}: no answer within {} while {}",
                    self.server.host,
                    crate::domain::span::Human(self.timeout),
                    step.get().doing()
                );
                if step.get() == Step::End {
                    Outcome::Unknown(error)
                } else {
                    Outcome::Temporary {
                        holds: Holds::Recipient,
                        error,
                    }
                }
            }
        }
    }

    async fn converse(
        &self,
        from: &Address,
        to: &Address,
        bytes: &[u8],
        step: &Progress,
        noted: impl Future<Output = Result<(), String>>,
    ) -> Result<String, Outcome> {
        let wrong_address = |error: message::MessageError| Outcome::Permanent(error.to_string());
        let sender = message::mailbox(from).map_err(wrong_address)?;
        let recipient = message::mailbox(to).map_err(wrong_address)?;
        let failed = |error| self.outcome(step.get(), &error);

        let mut server = self.connect(step).await?;
        step.set(Step::Login);
        if let Some((username, password)) = &self.server.login {
            let credentials = Credentials::new(username.clone(), password.reveal().to_owned());
            server
                .auth(DEFAULT_MECHANISMS, &credentials)
                .await
                .map_err(failed)?;
        }

        step.set(Step::Sender);
        let mut parameters = Vec::new();
        let address_is_ascii =
            AsRef::<str>::as_ref(&sender).is_ascii() && AsRef::<str>::as_ref(&recipient).is_ascii();
        if !address_is_ascii {
            if !server
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
            {
                return Err(Outcome::Permanent(format!(
                    "{} does not take international addresses (SMTPUTF8)",
                    self.server.host
                )));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // The message itself is ASCII: its parts are encoded.
        if !bytes.is_ascii()
            && server
                .server_info()
                .supports_feature(Extension::EightBitMime)
        {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        server
            .command(Mail::new(Some(sender), parameters))
            .await
            .map_err(failed)?;

        step.set(Step::Recipient);
        if let Err(error) = server.command(Rcpt::new(recipient, vec![])).await {
            let outcome = failed(error);
            let _ = tokio::time::timeout(QUIT_MAX, server.quit()).await;
            return Err(outcome);
        }

        step.set(Step::Data);
        let go_ahead = server.command(Data).await.map_err(failed)?;
        if !go_ahead.has_code(354) {
            return Err(Outcome::Temporary {
                holds: Holds::Mail,
                error: self.said(&format!("unexpected answer to DATA: {}", answer(&go_ahead))),
            });
        }
        if let Err(error) = noted.await {
            return Err(not_noted(&error));
        }
        // The iterator is asked for more once the message is written: then only its end is missing.
        let mut message = Some(bytes);
        let parts = std::iter::from_fn(|| {
            let part = message.take();
            if part.is_none() {
                step.set(Step::End);
            }
            part
        });
        let accepted = server.message_iter(parts).await.map_err(failed)?;
        let _ = tokio::time::timeout(QUIT_MAX, server.quit()).await;
        Ok(self.server.masks.apply(&answer(&accepted)).into_owned())
    }

    /// Connects to the first address that answers, encrypted as required.
    async fn connect(&self, step: &Progress) -> Result<AsyncSmtpConnection, Outcome> {
        let temporary = |error: String| Outcome::Temporary {
            holds: Holds::Recipient,
            error: self.said(&error),
        };
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host((self.server.host.as_str(), self.server.port))
                .await
                .map_err(|error| temporary(format!("address lookup: {error}")))?
                .collect();
        step.set(Step::Connect);
        let at_once = match self.server.tls {
            SmtpTls::Implicit => self.tls.clone(),
            SmtpTls::Starttls | SmtpTls::None => None,
        };
        let each = (self.timeout / 2).min(CONNECT_MAX);
        let mut last = temporary("the name has no address".to_owned());
        let mut connected = None;
        for address in addresses {
            let us = our_name(address);
            match AsyncSmtpConnection::connect_tokio1(
                address,
                Some(each),
                &us,
                at_once.clone(),
                None,
            )
            .await
            {
                Ok(server) => {
                    connected = Some((server, us));
                    break;
                }
                Err(error) => {
                    last = self.outcome(step.get(), &error);
                    // Only an address that nobody answers at gives way to the next.
                    if !is_unreachable(&error) {
                        break;
                    }
                }
            }
        }
        let Some((mut server, us)) = connected else {
            return Err(last);
        };
        if let (SmtpTls::Starttls, Some(tls)) = (self.server.tls, &self.tls) {
            step.set(Step::Tls);
            if !server.can_starttls() {
                return Err(Outcome::Pause(self.said(
                    "the server does not offer STARTTLS, and nothing is sent without TLS; \
                     set [email].tls to \"implicit\" if it speaks TLS from the start",
                )));
            }
            server
                .starttls(tls.clone(), &us)
                .await
                .map_err(|error| self.outcome(step.get(), &error))?;
        }
        Ok(server)
    }

    /// What an error at a step means.
    fn outcome(&self, step: Step, error: &lettre::transport::smtp::Error) -> Outcome {
        let text = self.said(&format!("{} while {}", describe(error), step.doing()));
        let temporary = |holds| Outcome::Temporary {
            holds,
            error: text.clone(),
        };
        if let Some(code) = error.status() {
            let code = u16::from(code);
            let about_us = matches!(code, 530 | 534 | 535 | 538);
            return match step {
                Step::Recipient | Step::Data | Step::End if error.is_permanent() && !about_us => {
                    Outcome::Permanent(text)
                }
                _ if error.is_permanent() => Outcome::Pause(text),
                Step::Data | Step::End if code != 421 => temporary(Holds::Mail),
                _ => temporary(Holds::Recipient),
            };
        }
        if step == Step::End {
            return Outcome::Unknown(text);
        }
        // No mechanism in common, no TLS: the configuration's side. A TLS fault that is not the
        // network's will not go away by itself either.
        if error.is_client() || error.is_tls() || tls_fault(error).is_some() {
            return Outcome::Pause(text);
        }
        temporary(Holds::Recipient)
    }

    fn said(&self, what: &str) -> String {
        // Some servers name in their refusal what they were told.
        let what = self.server.masks.apply(what);
        text::line(&format!("{}: {what}", self.server.host), ANSWER_CHARS_MAX).into_owned()
    }
}

fn tls_parameters(server: &SmtpServer) -> Result<TlsParameters, SmtpSetupError> {
    let mut builder = TlsParameters::builder(server.host.clone());
    if rustls_native_certs::load_native_certs().certs.is_empty() {
        builder = builder.certificate_store(CertificateStore::WebpkiRoots);
    }
    if let Some(pem) = &server.ca_pem {
        let anchor = Certificate::from_pem(pem).map_err(SmtpSetupError::Anchor)?;
        builder = builder.add_root_certificate(anchor);
    }
    builder.build().map_err(|source| SmtpSetupError::Tls {
        host: server.host.clone(),
        source,
    })
}

/// How we name ourselves in EHLO (RFC 5321 section 4.1.4): our full name, else the address that we speak from.
fn our_name(server: SocketAddr) -> ClientId {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let is_full = name.contains('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    if is_full {
        return ClientId::Domain(name.into_owned());
    }
    // Connecting a datagram socket sends nothing; it only chooses the route.
    let unspecified: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let ours = UdpSocket::bind(unspecified).and_then(|socket| {
        socket.connect(server)?;
        socket.local_addr()
    });
    match ours {
        Ok(SocketAddr::V4(address)) => ClientId::Ipv4(*address.ip()),
        Ok(SocketAddr::V6(address)) => ClientId::Ipv6(*address.ip()),
        Err(_) => ClientId::default(),
    }
}

/// The answer as one line: `250 2.0.0 Ok: queued as 4F1`.
fn answer(response: &Response) -> String {
    let words: Vec<&str> = response.message().collect();
    text::line(
        &format!("{} {}", response.code(), words.join(" ")),
        ANSWER_CHARS_MAX,
    )
    .into_owned()
}

fn describe(error: &lettre::transport::smtp::Error) -> String {
    let mut why = String::new();
    let mut source = error.source();
    while let Some(inner) = source {
        why = inner.to_string();
        source = inner.source();
    }
    match (error.status(), why.is_empty()) {
        (Some(code), true) => code.to_string(),
        (Some(code), false) => format!("{code} {why}"),
        (None, true) => error.to_string(),
        (None, false) => why,
    }
}

/// The rustls error in it, where there is one.
fn tls_fault(error: &lettre::transport::smtp::Error) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(fault) = inner.downcast_ref::<rustls::Error>() {
            return Some(fault);
        }
        if let Some(io) = inner.downcast_ref::<io::Error>()
            && let Some(fault) = io.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>())
        {
            return Some(fault);
        }
        source = inner.source();
    }
    None
}

/// Whether nobody answered at an address, so that the next may be tried.
fn is_unreachable(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_none()
        && !error.is_tls()
        && !error.is_response()
        && !error.is_client()
        && tls_fault(error).is_none()
}
