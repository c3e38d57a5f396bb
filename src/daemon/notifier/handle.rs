//! How other parts of the daemon speak to the notifier.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::config::Config;
use crate::control::Answer;
use crate::domain::notification::Letter as OutboxLetter;

/// What others tell the notifier.
#[derive(Clone)]
pub struct Handle(pub(super) mpsc::UnboundedSender<Message>);

/// A message to the notifier.
pub(super) enum Message {
    Wake,
    Urgent(Box<OutboxLetter>),
    Reconfigure(Arc<Config>),
    Test(Vec<String>, oneshot::Sender<Answer>),
    TestChannel(String, oneshot::Sender<Answer>),
    Retry(oneshot::Sender<Answer>),
    Stop(Instant, oneshot::Sender<()>),
}

impl Handle {
    /// Something about mails was written: look again.
    pub fn wake(&self) {
        let _ = self.0.send(Message::Wake);
    }

    /// Sends a letter now, past the outbox.
    pub fn send_at_once(&self, letter: OutboxLetter) {
        let _ = self.0.send(Message::Urgent(Box::new(letter)));
    }

    /// Another configuration is in force; a pause ends.
    pub fn reconfigure(&self, config: Arc<Config>) {
        let _ = self.0.send(Message::Reconfigure(config));
    }

    /// Sends a test mail to these addresses (none: `[email].to`) and says what the server answered.
    pub async fn test(&self, to: Vec<String>) -> Answer {
        self.ask(|reply| Message::Test(to, reply)).await
    }

    /// Sends a test message by a channel and says what the service answered.
    pub async fn test_channel(&self, name: String) -> Answer {
        self.ask(|reply| Message::TestChannel(name, reply)).await
    }

    /// Tries everything now, what was given up too.
    pub async fn retry(&self) -> Answer {
        self.ask(Message::Retry).await
    }

    /// Lets what is on its way end, at most until then.
    pub async fn stop(&self, until: Instant) {
        let (reply, stopped) = oneshot::channel();
        let _ = self.0.send(Message::Stop(until, reply));
        let _ = stopped.await;
    }

    async fn ask(&self, message: impl FnOnce(oneshot::Sender<Answer>) -> Message) -> Answer {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(message(reply));
        answer.await.unwrap_or_else(|_| Answer::Failed {
            lines: vec!["the notifier has stopped".to_owned()],
        })
    }
}
