//! The probe's end of the link: sends what is in the spool, forgets what the hub has committed, fetches lists, passes
//! on what the hub asks.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::backoff::Backoff;
use super::spooler::Shared;
use crate::clock;
use crate::daemon::health::counters::Health;
use crate::daemon::logging::targets;
use crate::domain::cluster::NatsServer;
use crate::domain::location::ProbeName;
use crate::domain::timestamp::Timestamp;
use crate::link::error::LinkError;
use crate::link::nats::NatsProbe;
use crate::link::ways::{Heard, ProbeWay};
use crate::store::error::StoreError;
use crate::store::spool::Waiting;
use crate::wire::frame::{self, Head};
use crate::wire::list::{PIECE_BYTES, PIECES_MAX};
use crate::wire::notes::{CheckNow, Done, Hi, ListHead, Told};

/// Frames that are handed over before the first of them is known to have arrived.
const SENT_AT_ONCE: usize = 32;
/// A sign of life.
const HI_EVERY: Duration = Duration::from_secs(10);
/// Receipts come by themselves; one that got lost is asked for.
const DONE_EVERY: Duration = Duration::from_secs(5);
/// Lists are announced; an announcement that got lost is made up for.
const LIST_EVERY: Duration = Duration::from_secs(60);
/// A stream that refuses is tried again.
const REFUSED_WAIT: Duration = Duration::from_secs(5);

/// For the scheduler's side of the probe.
#[derive(Debug)]
pub(super) enum News {
    /// Another list of monitors.
    List {
        /// Its version.
        version: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The hub wants a check.
    CheckNow(CheckNow),
}

/// Sends and fetches for a probe.
pub(super) struct Courier {
    pub(super) sender: ProbeName,
    pub(super) shared: Arc<Shared>,
    pub(super) health: Arc<Health>,
    pub(super) news: mpsc::Sender<News>,
    /// The newest number that the stream gave, over connections.
    pub(super) stream_number: AtomicU64,
    /// Up to which frame everything was handed over.
    pub(super) sent: watch::Sender<u64>,
    /// Whether the connection stands.
    pub(super) is_linked: watch::Sender<bool>,
}

impl Courier {
    /// A courier that has sent nothing.
    pub(super) fn new(
        sender: ProbeName,
        shared: Arc<Shared>,
        health: Arc<Health>,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            sender,
            shared,
            health,
            news,
            stream_number: AtomicU64::new(0),
            sent: watch::Sender::new(0),
            is_linked: watch::Sender::new(false),
        }
    }

    /// Keeps a connection to the server, for as long as the probe runs.
    pub(super) async fn run(&self, server: &NatsServer) {
        let mut backoff = Backoff::default();
        let mut told = None;
        loop {
            let began = clock::tick();
            let why = self.connected(server, &mut told).await;
            self.is_linked.send_replace(false);
            let lasted = clock::tick().duration_since(began);
            if told.as_ref() != Some(&why) {
                tracing::warn!(
                    target: targets::TROUBLE,
                    "{why}; checks go on and are kept in the spool"
                );
                told = Some(why);
            }
            tokio::time::sleep(backoff.after(lasted)).await;
        }
    }

    /// One connection, until it breaks.
    async fn connected(&self, server: &NatsServer, told: &mut Option<LinkError>) -> LinkError {
        let (client, driver) = match NatsProbe::connect(server, &self.sender).await {
            Ok(connected) => connected,
            Err(why) => return why,
        };
        let working = async {
            match NatsProbe::begin(client, &self.sender).await {
                Ok(way) => {
                    tracing::info!(
                        "connected to the NATS server {}:{}",
                        server.host,
                        server.port
                    );
                    *told = None;
                    self.is_linked.send_replace(true);
                    self.work(&way).await
                }
                Err(why) => why,
            }
        };
        tokio::select! {
            why = driver.run() => why,
            why = working => why,
        }
    }

    /// Does everything over a way, until it breaks.
    pub(super) async fn work(&self, way: &impl ProbeWay) -> LinkError {
        tokio::select! {
            why = self.send(way) => why,
            why = self.collect_receipts(way) => why,
            why = self.hear(way) => why,
            why = self.greet(way) => why,
            why = self.look_for_lists(way) => why,
        }
    }

    fn spool_trouble<T>(&self, read: Result<T, StoreError>) -> Option<T> {
        read.inspect_err(|error| {
            tracing::error!(target: targets::TROUBLE, "the spool cannot be used: {error}");
        })
        .ok()
    }

    async fn send(&self, way: &impl ProbeWay) -> LinkError {
        let mut newest = self.shared.newest.subscribe();
        let mut resend = self.sent.subscribe();
        loop {
            newest.borrow_and_update();
            let sent = *resend.borrow_and_update();
            let read = self.shared.spool().after(sent, SENT_AT_ONCE);
            let waiting = self.spool_trouble(read).unwrap_or_default();
            let Some(last) = waiting.last().map(|waiting| waiting.seq) else {
                tokio::select! {
                    changed = newest.changed() => if changed.is_err() { pending::<()>().await },
                    changed = resend.changed() => if changed.is_err() { pending::<()>().await },
                }
                continue;
            };
            let frames = waiting.iter().map(|waiting| self.frame(waiting)).collect();
            match way.publish(frames).await {
                Ok(numbers) => self.handed_over(sent, last, &numbers),
                // Full, or not ready: the spool keeps it.
                Err(why @ (LinkError::Api { .. } | LinkError::NoService | LinkError::Timeout)) => {
                    tracing::warn!("results were not taken: {why}; they are sent again");
                    tokio::time::sleep(REFUSED_WAIT).await;
                }
                Err(why) => return why,
            }
        }
    }

    fn frame(&self, waiting: &Waiting) -> Vec<u8> {
        let head = Head {
            location: self.sender.location.clone(),
            spool: self.shared.spool().id(),
            after: waiting.after,
            seq: waiting.seq,
            made_at: waiting.made_at,
            list_version: waiting.list_version,
        };
        frame::write(&head, &waiting.packed)
    }

    /// The stream has the frames up to `last`. A number that is not above those before means that it lost some: then
    /// everything that is not committed is sent again.
    fn handed_over(&self, sent: u64, last: u64, numbers: &[u64]) {
        let mut lost = false;
        for number in numbers {
            lost |= *number <= self.stream_number.swap(*number, Relaxed);
        }
        if lost {
            tracing::warn!(
                target: targets::TROUBLE,
                "the NATS server lost what it had taken; what the hub has not committed is sent again"
            );
        }
        self.sent.send_modify(|known| {
            // A wish to send again that came meanwhile stays.
            if lost {
                *known = 0;
            } else if *known == sent {
                *known = last;
            }
        });
    }

    async fn collect_receipts(&self, way: &impl ProbeWay) -> LinkError {
        loop {
            if self.shared.spool().waiting() > 0 {
                match way.done().await {
                    Ok(Some(done)) => self.committed(&done),
                    Ok(None)
                    | Err(LinkError::NoService | LinkError::Timeout | LinkError::Api { .. }) => {}
                    Err(why) => return why,
                }
            }
            tokio::time::sleep(DONE_EVERY).await;
        }
    }

    fn committed(&self, done: &Done) {
        let mut spool = self.shared.spool();
        if done.spool != spool.id() {
            return;
        }
        let forgotten = spool.forget(done.seq);
        drop(spool);
        let _ = self.spool_trouble(forgotten);
    }

    async fn hear(&self, way: &impl ProbeWay) -> LinkError {
        loop {
            let heard = match way.heard().await {
                Ok(heard) => heard,
                Err(why) => return why,
            };
            match heard {
                Heard::CheckNow(check) => {
                    // One that asks too much is not heard: at most one interval is lost.
                    let _ = self.news.try_send(News::CheckNow(check));
                }
                Heard::Told(Told::Done(done)) => self.committed(&done),
                Heard::Told(Told::Resend(done)) if done.spool == self.shared.spool().id() => {
                    self.sent.send_modify(|sent| *sent = done.seq.min(*sent));
                }
                Heard::Told(Told::Resend(_)) => {}
                Heard::Told(Told::List(head)) => {
                    if let Err(why) = self.fetch(way, &head).await {
                        return why;
                    }
                }
            }
        }
    }

    async fn look_for_lists(&self, way: &impl ProbeWay) -> LinkError {
        loop {
            match way.list().await {
                Ok(Some(head)) => {
                    if let Err(why) = self.fetch(way, &head).await {
                        return why;
                    }
                }
                Ok(None) => {
                    tracing::info!(
                        "the hub has no list of monitors for {} yet",
                        self.sender.location
                    )
                }
                Err(LinkError::NoService | LinkError::Timeout | LinkError::Api { .. }) => {}
                Err(why) => return why,
            }
            tokio::time::sleep(LIST_EVERY).await;
        }
    }

    /// Fetches a list, unless it is the one that is known.
    async fn fetch(&self, way: &impl ProbeWay, head: &ListHead) -> Result<(), LinkError> {
        if head.version == self.shared.list_version.load(Relaxed) {
            return Ok(());
        }
        if head.pieces == 0 || head.pieces > PIECES_MAX {
            return Err(LinkError::Odd("a list of more pieces than any list has"));
        }
        let mut bytes = Vec::new();
        for index in 0..head.pieces {
            match way.piece(index).await {
                Ok(Some(piece)) if piece.len() <= PIECE_BYTES => bytes.extend(piece),
                // It is being written: its end is announced.
                Ok(_) | Err(LinkError::NoService | LinkError::Timeout) => return Ok(()),
                Err(why) => return Err(why),
            }
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        if super::hub_lists::hexadecimal(digest.as_ref()) != head.sha256 {
            tracing::info!("a list of monitors changed while it was fetched; it is fetched again");
            return Ok(());
        }
        let version = head.version;
        // The one that takes it is busy with one list at a time.
        let _ = self.news.send(News::List { version, bytes }).await;
        Ok(())
    }

    async fn greet(&self, way: &impl ProbeWay) -> LinkError {
        loop {
            let hi = self.sign_of_life();
            if let Err(why) = way.hi(&hi).await {
                return why;
            }
            tokio::time::sleep(HI_EVERY).await;
        }
    }

    fn sign_of_life(&self) -> Hi {
        let spool = self.shared.spool();
        let blind_since = self.health.blind_since_ms.load(Relaxed);
        Hi {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            spool: spool.id(),
            sent_at: clock::now().as_ms(),
            waiting: spool.waiting(),
            offline_since: (blind_since != 0).then_some(blind_since),
            list_version: self.shared.list_version.load(Relaxed),
            share: self.sender.share.map(|share| share.to_string()),
        }
    }
}

/// What a wish for a check means by our own clock.
pub(super) fn unless_since(check: &CheckNow, now: Timestamp) -> Timestamp {
    now.minus(Duration::from_millis(check.unless_within_ms))
}
