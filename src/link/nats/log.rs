//! The way of a hub to the other one over NATS: a stream in which each entry names the one before it.

use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::connection::Client;
use super::jetstream::{self, Numbered};
use super::probe::{gone, read};
use super::protocol::Message;
use super::subjects;
use crate::link::error::LinkError;
use crate::link::ways::{Appended, LogEnd, LogWay, Logged};
use crate::wire::hub_log::CopyAsked;
use crate::wire::notes;

/// A piece of a database is read from a disk and sent.
const PIECE_WITHIN: Duration = Duration::from_secs(5);

/// A connection of a hub, for the log.
pub struct NatsLog {
    client: Client,
    /// What is asked of us, from the first time on that somebody wants to know.
    asked: Mutex<Option<mpsc::Receiver<Message>>>,
}

impl NatsLog {
    /// Makes the stream where it is missing.
    ///
    /// # Errors
    /// JetStream refuses, or is not there.
    pub async fn begin(client: Client) -> Result<Self, LinkError> {
        jetstream::ensure_stream(&client, &jetstream::log_stream()).await?;
        Ok(Self {
            client,
            asked: Mutex::new(None),
        })
    }
}

impl LogWay for NatsLog {
    async fn end(&self) -> Result<LogEnd, LinkError> {
        let asked = Numbered::Newest(subjects::LOG_SUBJECT);
        let newest = jetstream::numbered(&self.client, subjects::LOG, asked).await?;
        let newest = newest.map(|(number, bytes)| Logged { number, bytes });
        let number = match &newest {
            Some(newest) => newest.number,
            None => jetstream::last_number(&self.client, subjects::LOG).await?,
        };
        Ok(LogEnd { number, newest })
    }

    async fn entry(&self, number: u64) -> Result<Option<Logged>, LinkError> {
        let asked = Numbered::At(number);
        let found = jetstream::numbered(&self.client, subjects::LOG, asked).await?;
        Ok(found.map(|(number, bytes)| Logged { number, bytes }))
    }

    async fn append(&self, after: u64, entry: &[u8]) -> Result<Appended, LinkError> {
        let taken =
            jetstream::publish_after(&self.client, subjects::LOG_SUBJECT, after, entry).await?;
        Ok(taken.map_or(Appended::Overtaken, Appended::Taken))
    }

    async fn ask_copy(&self, asked: &CopyAsked) -> Result<Vec<u8>, LinkError> {
        let question = notes::write(asked);
        let answer = self
            .client
            .request(subjects::COPY, &question, PIECE_WITHIN)
            .await?;
        Ok(answer.payload)
    }

    async fn say_hello(&self, host: &str) -> Result<(), LinkError> {
        let hello = CopyAsked {
            id: 0,
            offset: 0,
            host: host.to_owned(),
        };
        self.client
            .publish(subjects::COPY, &notes::write(&hello))
            .await
    }

    async fn copy_asked(&self) -> Result<(CopyAsked, String), LinkError> {
        let mut asked = self.asked.lock().await;
        let asked = match &mut *asked {
            Some(asked) => asked,
            none => none.insert(self.client.subscribe(subjects::COPY).await?),
        };
        loop {
            let message = asked.recv().await.ok_or_else(gone)?;
            // What is answered goes to a hub, and to nobody else.
            let is_ours = message.reply.is_empty() || message.reply.starts_with("_INBOX_hub.");
            if let Ok(asked) = read(&message.payload)
                && is_ours
            {
                return Ok((asked, message.reply));
            }
        }
    }

    async fn tell_copy(&self, token: &str, answer: &[u8]) -> Result<(), LinkError> {
        self.client.publish(token, answer).await
    }
}
