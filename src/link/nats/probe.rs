//! A probe's way over NATS.

use tokio::sync::{Mutex, mpsc};

use super::connection::{Client, Driver, connect};
use super::jetstream;
use super::protocol::Message;
use super::subjects;
use crate::domain::cluster::NatsServer;
use crate::domain::location::ProbeName;
use crate::link::error::LinkError;
use crate::link::ways::{Heard, ProbeWay};
use crate::wire::notes::{self, Done, Hi, ListHead};

/// A connection of a probe.
#[derive(Debug)]
pub struct NatsProbe {
    client: Client,
    sender: ProbeName,
    asks: Mutex<mpsc::Receiver<Message>>,
    told: Mutex<mpsc::Receiver<Message>>,
}

impl NatsProbe {
    /// Connects. The driver must run for as long as the way is used; so that the first answers arrive it is handed
    /// over before anything is asked.
    ///
    /// # Errors
    /// There is no way to the server, or it refuses us.
    pub async fn connect(
        server: &NatsServer,
        sender: &ProbeName,
    ) -> Result<(Client, Driver), LinkError> {
        let name = format!("sitewatch probe {sender}");
        connect(server, &name, &subjects::inbox(Some(&sender.location))).await
    }

    /// Subscribes to what the hub says, which those that share a location all hear.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn begin(client: Client, sender: &ProbeName) -> Result<Self, LinkError> {
        let location = &sender.location;
        let asks = client.subscribe(&subjects::ask(location)).await?;
        let told = client.subscribe(&subjects::told(location)).await?;
        Ok(Self {
            client,
            sender: sender.clone(),
            asks: Mutex::new(asks),
            told: Mutex::new(told),
        })
    }
}

impl ProbeWay for NatsProbe {
    async fn publish(&self, frames: Vec<Vec<u8>>) -> Result<Vec<u64>, LinkError> {
        jetstream::publish_all(&self.client, &subjects::results(&self.sender), &frames).await
    }

    async fn done(&self) -> Result<Option<Done>, LinkError> {
        let subject = subjects::receipt(&self.sender);
        let note = jetstream::newest(&self.client, subjects::RECEIPTS, &subject).await?;
        note.map(|note| read(&note)).transpose()
    }

    async fn list(&self) -> Result<Option<ListHead>, LinkError> {
        let subject = subjects::list_head(&self.sender.location);
        let note = jetstream::newest(&self.client, subjects::LISTS, &subject).await?;
        note.map(|note| read(&note)).transpose()
    }

    async fn piece(&self, index: usize) -> Result<Option<Vec<u8>>, LinkError> {
        let subject = subjects::list_piece(&self.sender.location, index);
        jetstream::newest(&self.client, subjects::LISTS, &subject).await
    }

    async fn hi(&self, hi: &Hi) -> Result<(), LinkError> {
        let subject = subjects::hi(&self.sender.location);
        self.client.publish(&subject, &notes::write(hi)).await
    }

    async fn heard(&self) -> Result<Heard, LinkError> {
        let (mut asks, mut told) = (self.asks.lock().await, self.told.lock().await);
        loop {
            let heard = tokio::select! {
                ask = asks.recv() => notes::read(&ask.ok_or_else(gone)?.payload).map(Heard::CheckNow),
                news = told.recv() => notes::read(&news.ok_or_else(gone)?.payload).map(Heard::Told),
            };
            match heard {
                Ok(heard) => return Ok(heard),
                Err(why) => tracing::warn!("a message of the hub was left out: {why}"),
            }
        }
    }
}

pub(super) fn gone() -> LinkError {
    LinkError::Broken("it is closed".to_owned())
}

pub(super) fn read<T: serde::de::DeserializeOwned>(note: &[u8]) -> Result<T, LinkError> {
    notes::read(note).map_err(|_| LinkError::Odd("a note that is not this program's"))
}
