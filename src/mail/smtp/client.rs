//! Mails to one server, one after the other over one connection.

use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter};

use super::channel::Broken;
use super::connect::Open;
use super::reply::Reply;
use super::step::{Progress, Step};
use crate::domain::address::Wire;
use crate::domain::duration_text::Human;
use crate::domain::safe_text;
use crate::domain::settings::{SmtpServer, SmtpTls};
use crate::mail::message;
use crate::mail::outgoing::not_noted;
use crate::policy::outbox::queued::Holds;
use crate::policy::outbox::retry::Outcome;
use crate::tls::{Basis, Kind, Seen};

/// An answer that came while this process stood still lies in the socket, and is read before a mail counts as one
/// that may have arrived.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// So many mails go over one connection: a server that counts them gets a new one before it complains.
const MAILS_PER_CONNECTION_MAX: u32 = 50;
/// How long a polite goodbye may take; what matters is decided before.
const QUIT_MAX: Duration = Duration::from_secs(1);
/// At most this many characters of a server's answer are kept.
const ANSWER_CHARS_MAX: usize = 300;

/// Why the transport cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSetupError {
    /// TLS, or the `ca_file`.
    #[error("failed to use [email].ca_file: {0}")]
    Anchor(String),
    /// No runtime for mails.
    #[error("failed to start the thread that sends mails: {0}")]
    Thread(#[from] io::Error),
}

/// A mail server.
pub struct Smtp {
    pub(super) server: SmtpServer,
    pub(super) tls: Option<Kind>,
    pub(super) timeout: Duration,
}

/// Without the credentials.
impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp({})", self.describe())
    }
}

/// A connection that mails share; closed until the first of them.
#[derive(Debug, Default)]
pub struct Line(Option<Open>);

impl Line {
    /// Whether a server waits at its other end.
    pub const fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

/// A message and where it goes.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The sender.
    pub from: &'a Wire,
    /// The recipient.
    pub to: &'a Wire,
    /// The message.
    pub bytes: &'a [u8],
}

impl Envelope<'_> {
    /// Whether the server has to know SMTPUTF8.
    pub fn needs_utf8(&self) -> bool {
        self.from.needs_utf8() || self.to.needs_utf8()
    }
}

/// A conversation that came to nothing.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) outcome: Outcome,
    /// Whether the server hung up before it said a word.
    pub(super) is_silent: bool,
    /// Whether the server said that it closes (421).
    pub(super) is_goodbye: bool,
}

impl From<Outcome> for Failed {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            is_silent: false,
            is_goodbye: false,
        }
    }
}

impl Smtp {
    /// Prepares TLS with the system's trust anchors (Mozilla's where it has none) and the extra one.
    ///
    /// # Errors
    /// When the extra anchor holds no certificate.
    pub fn new(server: &SmtpServer, timeout: Duration) -> Result<Self, SmtpSetupError> {
        let tls = match server.tls {
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Implicit => {
                let kind = Kind::new(&Basis::load(), server.ca_pem.as_deref(), None, &[]);
                Some(kind.map_err(SmtpSetupError::Anchor)?)
            }
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
    /// goes on its way; where it fails, nothing is sent. The line stays open for the next mail where it can.
    pub async fn send(
        &self,
        line: &mut Line,
        envelope: &Envelope<'_>,
        noted: impl Future<Output = Result<(), String>>,
    ) -> Outcome {
        let step = Progress::new();
        let mut noted = pin!(noted);
        let conversation = async {
            loop {
                let was_open = line.0.is_some();
                let failed = match self.converse(line, envelope, &step, noted.as_mut()).await {
                    Ok(answer) => return Outcome::Accepted(answer),
                    Err(failed) => failed,
                };
                // A server may close a connection between two mails, or have enough of it: a new one is asked.
                let is_used_up = match step.get() {
                    // Whatever it has against RSET, a new connection does without.
                    Step::Reset => true,
                    Step::Sender => is_of_transport(&failed.outcome),
                    Step::Recipient => failed.is_goodbye,
                    _ => false,
                };
                if !was_open || !is_used_up {
                    return failed.outcome;
                }
                line.0 = None;
            }
        };
        let heard = {
            let mut conversation = pin!(conversation);
            match tokio::time::timeout(self.timeout, conversation.as_mut()).await {
                Err(_) => tokio::time::timeout(LAST_LOOK, conversation).await,
                in_time => in_time,
            }
        };
        let outcome = match heard {
            Ok(outcome) => outcome,
            Err(_) => {
                let text = format!(
                    "no answer within {} while {}",
                    Human(self.timeout),
                    step.get().doing()
                );
                step.get().late(self.said(&text))
            }
        };
        // Outside the time of the mail: a slow goodbye must not make an accepted mail one that may have arrived.
        if line
            .0
            .as_ref()
            .is_some_and(|open| open.mails >= MAILS_PER_CONNECTION_MAX)
        {
            self.close(line).await;
        }
        outcome
    }

    /// Takes leave where a connection is open.
    pub async fn close(&self, line: &mut Line) {
        if let Some(mut open) = line.0.take() {
            let quit = Quit.to_string();
            let _ = tokio::time::timeout(QUIT_MAX, open.channel.command(&quit)).await;
        }
    }

    /// One mail. The line is taken out meanwhile: where this ends early, by whatever, nobody finds half a command.
    async fn converse(
        &self,
        line: &mut Line,
        envelope: &Envelope<'_>,
        step: &Progress,
        noted: Pin<&mut impl Future<Output = Result<(), String>>>,
    ) -> Result<String, Failed> {
        let mut open = match line.0.take() {
            Some(open) => open,
            None => self.connect(step).await?,
        };
        if open.is_begun {
            step.set(Step::Reset);
            self.ask(&mut open, Step::Reset, &Rset.to_string(), |reply| {
                reply.is_positive()
            })
            .await?;
            open.is_begun = false;
        }
        let sent = self.transact(&mut open, envelope, step, noted).await;
        let is_usable = match &sent {
            Ok(_) => true,
            Err(failed) => !failed.is_goodbye && is_of_one_mail(&failed.outcome),
        };
        if is_usable {
            open.is_begun = sent.is_err();
            open.mails += 1;
            line.0 = Some(open);
        }
        sent
    }

    async fn transact(
        &self,
        open: &mut Open,
        envelope: &Envelope<'_>,
        step: &Progress,
        noted: Pin<&mut impl Future<Output = Result<(), String>>>,
    ) -> Result<String, Failed> {
        step.set(Step::Sender);
        let parameters = self.parameters(open, envelope)?;
        let mail = Mail::new(Some(message::lettre_address(envelope.from)), parameters);
        // Where only the recipient's address needs an extension, a refusal of it concerns nobody else.
        let is_special = envelope.to.needs_utf8() && !envelope.from.needs_utf8();
        let judged_as = if is_special {
            Step::Recipient
        } else {
            Step::Sender
        };
        self.ask(open, judged_as, &mail.to_string(), |reply| {
            reply.is_positive()
        })
        .await?;

        step.set(Step::Recipient);
        let rcpt = Rcpt::new(message::lettre_address(envelope.to), Vec::new());
        self.ask(open, Step::Recipient, &rcpt.to_string(), |reply| {
            reply.is_positive()
        })
        .await?;

        step.set(Step::Data);
        self.ask(open, Step::Data, &Data.to_string(), |reply| {
            reply.code == 354
        })
        .await?;
        if let Err(error) = noted.await {
            // DATA was begun: only a new connection can do without its message.
            return Err(Failed {
                is_goodbye: true,
                ..not_noted(&error).into()
            });
        }
        let broken = |at: Step, broken: Broken| Failed::from(self.broken(at, &broken));
        if let Err(error) = open.channel.write(&stuffed(envelope.bytes)).await {
            let reply = open.channel.last_words(error).await;
            let reply = reply.map_err(|error| broken(Step::Data, error))?;
            return Err(self.refused(Step::Data, &reply));
        }
        if let Some(goodbye) = open.channel.unasked().map_err(|e| broken(Step::Data, e))? {
            return Err(self.refused(Step::Data, &goodbye));
        }
        step.set(Step::End);
        let ended = open.channel.write(b".\r\n").await;
        let reply = match ended {
            Ok(()) => open.channel.reply().await,
            Err(error) => open.channel.last_words(error).await,
        };
        match reply {
            Ok(reply) if reply.is_positive() => {
                let answer = reply.text();
                let answer = self.server.masks.apply(&answer);
                Ok(safe_text::line(&answer, ANSWER_CHARS_MAX).into_owned())
            }
            Ok(reply) => Err(self.refused(Step::End, &reply)),
            Err(error) => match self.broken(Step::End, &error) {
                Outcome::Accepted(answer) => {
                    // What follows the digits is not read to its end: the connection is of no more use.
                    Err(Outcome::Accepted(answer).into())
                }
                outcome => Err(outcome.into()),
            },
        }
    }

    fn parameters(
        &self,
        open: &Open,
        envelope: &Envelope<'_>,
    ) -> Result<Vec<MailParameter>, Failed> {
        let mut parameters = Vec::new();
        if !envelope.needs_utf8() {
            return Ok(parameters);
        }
        if !open.hello.offers("SMTPUTF8") {
            let what = "the server does not take international addresses (SMTPUTF8)";
            let outcome = if envelope.from.needs_utf8() {
                Outcome::Pause(
                    self.said(&format!("{what}; write [email].from with an ASCII address")),
                )
            } else {
                Outcome::Permanent(self.said(&format!(
                    "{what}; write an ASCII address of this person in `to`"
                )))
            };
            return Err(outcome.into());
        }
        parameters.push(MailParameter::SmtpUtfEight);
        if open.hello.offers("8BITMIME") {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    async fn ask(
        &self,
        open: &mut Open,
        step: Step,
        command: &str,
        is_wanted: impl FnOnce(&Reply) -> bool,
    ) -> Result<(), Failed> {
        let reply = open
            .channel
            .command(command)
            .await
            .map_err(|broken| Failed::from(self.broken(step, &broken)))?;
        if is_wanted(&reply) {
            return Ok(());
        }
        Err(self.refused(step, &reply))
    }

    /// What an answer means that is not the wanted one.
    pub(super) fn refused(&self, step: Step, reply: &Reply) -> Failed {
        let text = self.said(&format!("{} while {}", reply.text(), step.doing()));
        Failed {
            outcome: step.refused(reply, text),
            is_silent: false,
            is_goodbye: reply.code == 421,
        }
    }

    /// What a broken connection means.
    pub(super) fn broken(&self, step: Step, broken: &Broken) -> Outcome {
        let what = match (broken, broken.tls()) {
            (_, Some(fault)) => self.tls_words(&Seen::default(), fault),
            (Broken::Io(error), None) => io_words(error),
            (Broken::Closed | Broken::Fault(_) | Broken::Unasked, None) => broken.to_string(),
        };
        step.broken(broken, self.said(&format!("{what} while {}", step.doing())))
    }

    pub(super) fn said(&self, what: &str) -> String {
        // Some servers name in their refusal what they were told.
        let what = self.server.masks.apply(what);
        safe_text::line(&format!("{}: {what}", self.server.host), ANSWER_CHARS_MAX).into_owned()
    }
}

/// Whether an outcome concerns all mails for a moment.
const fn is_of_transport(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Temporary {
            holds: Holds::Transport,
            ..
        }
    )
}

/// Whether the server refused one mail in order, and waits for the next.
const fn is_of_one_mail(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Permanent(_) | Outcome::Rest(_) => true,
        Outcome::Temporary { holds, .. } => matches!(holds, Holds::Recipient | Holds::Mail),
        Outcome::Accepted(_) | Outcome::Later { .. } | Outcome::Pause(_) | Outcome::Unknown(_) => {
            false
        }
    }
}

/// The message with a dot before each dot that begins a line (RFC 5321 section 4.5.2), ended by a line end.
fn stuffed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 64 + 2);
    let mut is_line_begin = true;
    for byte in bytes {
        if is_line_begin && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        is_line_begin = *byte == b'\n';
    }
    if !is_line_begin {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A fault of the network in a person's words.
fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "the connection was reset".to_owned(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::HostUnreachable => "the host cannot be reached".to_owned(),
        io::ErrorKind::NetworkUnreachable => "the network cannot be reached".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_and_the_end_is_a_line_end() {
        for (bytes, want) in [
            ("", ""),
            (".", "..\r\n"),
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n"),
            ("..a\r\nb.c", "...a\r\nb.c\r\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&stuffed(bytes.as_bytes())), want);
        }
    }
}
