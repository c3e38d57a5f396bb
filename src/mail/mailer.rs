//! One mail to one recipient, by whatever transport is configured.

use crate::domain::address::Address;
use crate::domain::settings::{EmailSettings, MailTransport};
use crate::policy::outbox::retry::Outcome;

use super::directory::Directory;
use super::memory::Memory;
use super::message::{self, MessageError};
use super::outgoing::not_noted;
pub use super::outgoing::{Mail, Sender};
use super::smtp::{Envelope, Line, Smtp, SmtpSetupError};

/// The configured way out. Fakes are variants, too.
#[derive(Debug)]
pub struct Mailer {
    transport: Transport,
    sender: Sender,
}

#[derive(Debug)]
enum Transport {
    Smtp(Box<Smtp>),
    Directory(Directory),
    Memory(Memory),
}

impl Mailer {
    /// The transport of `[email]`; nothing is connected yet.
    ///
    /// # Errors
    /// When the extra trust anchor holds no certificate, or TLS cannot be set up.
    pub fn new(settings: &EmailSettings) -> Result<Self, SmtpSetupError> {
        let transport = match &settings.transport {
            MailTransport::Smtp(server) => {
                Transport::Smtp(Box::new(Smtp::new(server, settings.timeout)?))
            }
            MailTransport::Directory(path) => Transport::Directory(Directory::new(path.clone())),
        };
        Ok(Self {
            transport,
            sender: Sender {
                from: settings.from.clone(),
                reply_to: settings.reply_to.clone(),
            },
        })
    }

    /// A mailer whose mails land in `memory`.
    pub fn memory(memory: Memory, from: Address) -> Self {
        Self {
            transport: Transport::Memory(memory),
            sender: Sender {
                from,
                reply_to: None,
            },
        }
    }

    /// Delivers a mail to one recipient, over a connection of its own. Answers within the configured timeout. `noted`
    /// is awaited before the message goes: where it fails, nothing is sent. A directory, which has each mail once
    /// whatever happens, does not ask for it.
    pub async fn send(
        &self,
        mail: &Mail,
        to: &Address,
        noted: impl Future<Output = Result<(), String>>,
    ) -> Outcome {
        let mut line = Line::default();
        let outcome = self.send_over(&mut line, mail, to, noted).await;
        self.close(&mut line).await;
        outcome
    }

    /// The same over a connection that is opened where it is not, and stays open for the next mail.
    pub async fn send_over(
        &self,
        line: &mut Line,
        mail: &Mail,
        to: &Address,
        noted: impl Future<Output = Result<(), String>>,
    ) -> Outcome {
        let unfit = |address: &Address| {
            let error = MessageError::Address(address.mailbox().to_owned());
            Outcome::Permanent(error.to_string())
        };
        let Some(from_wire) = self.sender.from.wire() else {
            return unfit(&self.sender.from);
        };
        let Some(to_wire) = to.wire() else {
            return unfit(to);
        };
        let message = |is_utf8| message::bytes(&self.sender, mail, to, is_utf8);
        match &self.transport {
            Transport::Smtp(smtp) => {
                let bytes = match message(from_wire.needs_utf8() || to_wire.needs_utf8()) {
                    Ok(bytes) => bytes,
                    Err(error) => return Outcome::Permanent(error.to_string()),
                };
                let envelope = Envelope {
                    from: &from_wire,
                    to: &to_wire,
                    bytes: &bytes,
                };
                smtp.send(line, &envelope, noted).await
            }
            // A file is no transport: it shows all addresses as they are.
            Transport::Directory(directory) => match message(true) {
                Ok(bytes) => directory.write(mail, &bytes).await,
                Err(error) => Outcome::Permanent(error.to_string()),
            },
            Transport::Memory(memory) => match noted.await {
                Ok(()) => memory.take(mail, to),
                Err(error) => not_noted(&error),
            },
        }
    }

    /// Takes leave of the server where a connection is open.
    pub async fn close(&self, line: &mut Line) {
        if let Transport::Smtp(smtp) = &self.transport {
            smtp.close(line).await;
        }
    }

    /// The way out in a few words: `smtp.example.com:587 (starttls)`.
    pub fn describe(&self) -> String {
        match &self.transport {
            Transport::Smtp(smtp) => smtp.describe(),
            Transport::Directory(directory) => directory.describe(),
            Transport::Memory(_) => "memory".to_owned(),
        }
    }
}
