//! Where a conversation is, and what an answer there means for the mail.

use std::sync::{Mutex, PoisonError};

use super::channel::Broken;
use super::reply::{Reply, ReplyFault};
use crate::policy::outbox::queued::Holds;
use crate::policy::outbox::refusal::{About, judge};
use crate::policy::outbox::retry::Outcome;

/// How far a conversation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The address of the server.
    Lookup,
    /// TCP.
    Connect,
    /// The first line, and EHLO.
    Greeting,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Login,
    /// RSET between two mails.
    Reset,
    /// MAIL.
    Sender,
    /// RCPT.
    Recipient,
    /// DATA and the message.
    Data,
    /// The end of DATA is on its way: from here on the server may have taken the mail.
    End,
}

/// Where a conversation is, to be read after it was cancelled.
#[derive(Debug)]
pub struct Progress(Mutex<Step>);

impl Progress {
    /// At the begin.
    pub const fn new() -> Self {
        Self(Mutex::new(Step::Lookup))
    }

    /// Goes on.
    pub fn set(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// Where it is.
    pub fn get(&self) -> Step {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step {
    /// What we were at, after "while".
    pub const fn doing(self) -> &'static str {
        match self {
            Self::Lookup => "looking up the mail server",
            Self::Connect => "connecting",
            Self::Greeting => "greeting the server",
            Self::Tls => "starting TLS",
            Self::Login => "logging in",
            Self::Reset => "beginning the next mail (RSET)",
            Self::Sender => "naming the sender (MAIL)",
            Self::Recipient => "naming the recipient (RCPT)",
            Self::Data => "sending the message (DATA)",
            Self::End => "waiting for the answer to the message",
        }
    }

    /// What an answer means that is not the one that lets the conversation go on.
    pub fn refused(self, reply: &Reply, text: String) -> Outcome {
        let temporary = |holds| Outcome::Temporary {
            holds,
            error: text.clone(),
        };
        match (self, reply.code / 100) {
            (Self::Recipient | Self::Data | Self::End, 5) => {
                match judge(reply.code, reply.enhanced) {
                    About::Recipient => Outcome::Permanent(text),
                    About::Us => Outcome::Rest(text),
                }
            }
            (_, 5) => Outcome::Pause(text),
            // Neither yes nor no: it may have been taken.
            (Self::End, 2 | 3) => Outcome::Unknown(text),
            (Self::Recipient, _) => temporary(Holds::Recipient),
            (Self::Data | Self::End, _) if reply.code == 421 => temporary(Holds::Recipient),
            (Self::Data | Self::End, _) => temporary(Holds::Mail),
            _ => temporary(Holds::Transport),
        }
    }

    /// What a connection means that is of no more use.
    pub fn broken(self, broken: &Broken, text: String) -> Outcome {
        if self == Self::End {
            // The digits of an answer decide, however long its words are.
            return match broken {
                Broken::Fault(ReplyFault::Line {
                    decided: Some(code),
                }) => match code / 100 {
                    2 => Outcome::Accepted(format!("{code}, then {text}")),
                    _ => {
                        let reply = Reply {
                            code: *code,
                            ..Reply::default()
                        };
                        self.refused(&reply, text)
                    }
                },
                _ => Outcome::Unknown(text),
            };
        }
        // A fault of TLS that is not the network's does not go away by itself. TLS 1.3 tells some of them only when
        // the greeting is awaited.
        let needs_a_person = match self {
            Self::Tls => broken.tls().is_some() || matches!(broken, Broken::Unasked),
            Self::Greeting => broken.tls().is_some(),
            _ => false,
        };
        if needs_a_person {
            return Outcome::Pause(text);
        }
        self.later(text)
    }

    /// The server has nothing to say at this step.
    fn later(self, error: String) -> Outcome {
        let holds = match self {
            // What one recipient or one message does to a server must not keep the others.
            Self::Recipient | Self::Data | Self::End => Holds::Recipient,
            _ => Holds::Transport,
        };
        Outcome::Temporary { holds, error }
    }

    /// What the end of the time means.
    pub fn late(self, text: String) -> Outcome {
        if self == Self::End {
            return Outcome::Unknown(text);
        }
        self.later(text)
    }
}
