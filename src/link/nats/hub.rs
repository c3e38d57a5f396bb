//! The hub's way over NATS.

use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::connection::{Client, Driver, connect};
use super::jetstream;
use super::probe::{gone, read};
use super::protocol::Message;
use super::subjects;
use crate::domain::cluster::NatsServer;
use crate::domain::location::{LocationName, ProbeName};
use crate::link::error::LinkError;
use crate::link::ways::{Fetched, HubWay};
use crate::wire::frame::FRAME_BYTES_MAX;
use crate::wire::notes::{self, CheckNow, Done, Hi, ListHead, Told};

/// A connection of the hub.
pub struct NatsHub {
    client: Client,
    hi: Mutex<mpsc::Receiver<Message>>,
    pull: Mutex<Option<jetstream::Pull>>,
}

impl NatsHub {
    /// Connects; the driver must run for as long as the way is used.
    ///
    /// # Errors
    /// There is no way to the server, or it refuses us.
    pub async fn connect(server: &NatsServer) -> Result<(Client, Driver), LinkError> {
        connect(server, "sitewatch hub", &subjects::inbox(None)).await
    }

    /// Makes the streams and the consumer, and subscribes to signs of life.
    ///
    /// # Errors
    /// JetStream refuses, or is not there.
    pub async fn begin(
        client: Client,
        stream_bytes: u64,
        stream_age: Duration,
    ) -> Result<Self, LinkError> {
        let results = jetstream::results_stream(stream_bytes, stream_age, FRAME_BYTES_MAX);
        jetstream::ensure_stream(&client, &results).await?;
        let lists = jetstream::newest_stream(subjects::LISTS, subjects::ALL_LISTS);
        jetstream::ensure_stream(&client, &lists).await?;
        let receipts = jetstream::newest_stream(subjects::RECEIPTS, subjects::ALL_RECEIPTS);
        jetstream::ensure_stream(&client, &receipts).await?;
        jetstream::ensure_consumer(&client).await?;
        let hi = client.subscribe(subjects::ALL_HI).await?;
        Ok(Self {
            client,
            hi: Mutex::new(hi),
            pull: Mutex::new(None),
        })
    }
}

/// The location at the end of a subject.
fn location_of(subject: &str) -> Option<LocationName> {
    LocationName::parse(subject.rsplit('.').next()?).ok()
}

impl HubWay for NatsHub {
    async fn fetch(&self, max: usize) -> Result<Vec<Fetched>, LinkError> {
        let mut pull = self.pull.lock().await;
        let messages = jetstream::fetch(&self.client, &mut pull, max).await?;
        let fetched = messages.into_iter().map(|message| Fetched {
            sender: subjects::sender_of(&message.subject),
            number: jetstream::number_of(&message.reply).unwrap_or(0),
            token: message.reply,
            bytes: message.payload,
        });
        Ok(fetched.collect())
    }

    async fn acknowledge(&self, token: &str) -> Result<(), LinkError> {
        // What the server gave us goes back to it only where it is an acknowledgement.
        match token.starts_with("$JS.ACK.") {
            true => self.client.publish(token, b"+ACK").await,
            false => Err(LinkError::Odd("a frame that cannot be acknowledged")),
        }
    }

    async fn put_done(&self, sender: &ProbeName, done: &Done) -> Result<(), LinkError> {
        let subject = subjects::receipt(sender);
        jetstream::publish(&self.client, &subject, &notes::write(done)).await?;
        Ok(())
    }

    async fn list_of(&self, location: &LocationName) -> Result<Option<ListHead>, LinkError> {
        let subject = subjects::list_head(location);
        let note = jetstream::newest(&self.client, subjects::LISTS, &subject).await?;
        note.map(|note| read(&note)).transpose()
    }

    async fn put_list(
        &self,
        location: &LocationName,
        head: &ListHead,
        pieces: &[&[u8]],
    ) -> Result<(), LinkError> {
        for (index, piece) in pieces.iter().enumerate() {
            let subject = subjects::list_piece(location, index);
            jetstream::publish(&self.client, &subject, piece).await?;
        }
        let subject = subjects::list_head(location);
        jetstream::publish(&self.client, &subject, &notes::write(head)).await?;
        Ok(())
    }

    async fn tell(&self, location: &LocationName, told: &Told) -> Result<(), LinkError> {
        let subject = subjects::told(location);
        self.client.publish(&subject, &notes::write(told)).await
    }

    async fn ask(&self, location: &LocationName, check: &CheckNow) -> Result<(), LinkError> {
        let subject = subjects::ask(location);
        self.client.publish(&subject, &notes::write(check)).await
    }

    async fn heard(&self) -> Result<(LocationName, Hi), LinkError> {
        let mut hi = self.hi.lock().await;
        loop {
            let message = hi.recv().await.ok_or_else(gone)?;
            match (location_of(&message.subject), notes::read(&message.payload)) {
                (Some(location), Ok(hi)) => return Ok((location, hi)),
                _ => tracing::debug!("a sign of life was left out: it cannot be read"),
            }
        }
    }

    async fn purge(&self, number: u64) -> Result<(), LinkError> {
        jetstream::purge(&self.client, number).await
    }
}
