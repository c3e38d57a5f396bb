//! Frames from the stream to the recorder's door, and receipts back: a frame is acknowledged when it is committed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::clock;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::logging::targets;
use crate::daemon::recorder::message::{Entry, NotRecorded, Reply};
use crate::daemon::recorder::queue::Door;
use crate::domain::location::{Frame, ProbeName, Receipt};
use crate::link::error::LinkError;
use crate::link::ways::{Fetched, HubWay};
use crate::wire::WireError;
use crate::wire::frame;
use crate::wire::notes::{Done, Told};

/// So many frames are between the stream and the database at most.
const IN_FLIGHT_MAX: usize = 100;

/// See [`Taker::turn`].
const NOTHING_WAIT: Duration = Duration::from_millis(100);

/// A database that takes no writes is tried again after this.
const NOT_RECORDED_WAIT: Duration = Duration::from_secs(1);

/// A receipt is written down so often at most; the newest counts.
const DONE_EVERY: Duration = Duration::from_secs(1);

/// A probe is told so often at most to send again.
const RESEND_EVERY: Duration = Duration::from_secs(5);

/// What is committed is taken out of the stream so often.
const PURGE_EVERY: Duration = Duration::from_secs(30);

/// The same fault of the same location is said so often in the log.
const REFUSED_SAID_EVERY: Duration = Duration::from_secs(3600);

/// Takes frames in.
pub(super) struct Taker {
    door: Door,
    gate: Gate,
    marks: HashMap<ProbeName, Marks>,
    /// Up to this number of the stream everything is acknowledged.
    acknowledged: u64,
    purged: (u64, Option<Instant>),
    refused_said: HashMap<String, Instant>,
    /// Frames that were refused since the start.
    pub(super) refused: AtomicU64,
}

/// What is known of a probe's receipts.
#[derive(Default)]
struct Marks {
    committed: Option<Done>,
    written: Option<(Done, Instant)>,
    resend_at: Option<Instant>,
}

/// A frame on its way into the database.
struct InFlight {
    frame: Frame,
    told: oneshot::Receiver<Result<Receipt, NotRecorded>>,
}

impl Taker {
    pub(super) fn new(door: Door, gate: Gate) -> Self {
        Self {
            door,
            gate,
            marks: HashMap::new(),
            acknowledged: 0,
            purged: (0, None),
            refused_said: HashMap::new(),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes frames over a way until it breaks.
    pub(super) async fn run(&mut self, way: &impl HubWay) -> LinkError {
        loop {
            if let Err(why) = self.turn(way).await {
                return why;
            }
        }
    }

    async fn turn(&mut self, way: &impl HubWay) -> Result<(), LinkError> {
        let fetched = way.fetch(IN_FLIGHT_MAX).await?;
        if fetched.is_empty() {
            // A server that says at once that there is nothing is not asked without end.
            tokio::time::sleep(NOTHING_WAIT).await;
        }
        let mut in_flight = Vec::with_capacity(fetched.len());
        for one in &fetched {
            match opened(one) {
                Ok(frame) => {
                    let told = self.push(frame.clone());
                    in_flight.push(InFlight { frame, told });
                }
                Err(why) => self.refuse(one, &why),
            }
        }
        for flying in in_flight {
            let (sender, spool, seq) = {
                let frame = &flying.frame;
                (frame.sender.clone(), frame.spool, frame.seq)
            };
            let receipt = self.committed(flying.frame, flying.told).await?;
            if receipt.spool == spool {
                self.mark(way, sender, seq, receipt).await?;
            }
        }
        if let Some(last) = fetched.last() {
            // Until another hub can have what this one committed, the stream keeps it.
            if let Err(why) = self.gate.pass().await {
                return Err(LinkError::Broken(why.to_string()));
            }
            way.acknowledge(&last.token).await?;
            self.acknowledged = self.acknowledged.max(last.number);
        }
        self.write_receipts(way).await?;
        self.purge(way).await
    }

    fn push(&self, frame: Frame) -> oneshot::Receiver<Result<Receipt, NotRecorded>> {
        let (tell, told) = oneshot::channel();
        self.door.push(Entry::Frame {
            frame: Box::new(frame),
            reply: Reply::with(move |receipt| {
                // The connection may be gone; the frame comes again then.
                let _ = tell.send(receipt);
            }),
        });
        told
    }

    /// Waits until a frame is committed.
    async fn committed(
        &self,
        frame: Frame,
        mut told: oneshot::Receiver<Result<Receipt, NotRecorded>>,
    ) -> Result<Receipt, LinkError> {
        loop {
            match told.await {
                Ok(Ok(receipt)) => return Ok(receipt),
                Ok(Err(_)) => {
                    tokio::time::sleep(NOT_RECORDED_WAIT).await;
                    told = self.push(frame.clone());
                }
                Err(_) => return Err(LinkError::Broken("the daemon is stopping".to_owned())),
            }
        }
    }

    /// Notes a receipt. Where it does not reach the frame, one before it is missing: the probe sends again.
    async fn mark(
        &mut self,
        way: &impl HubWay,
        sender: ProbeName,
        seq: u64,
        receipt: Receipt,
    ) -> Result<(), LinkError> {
        let location = sender.location.clone();
        let words = sender.to_string();
        let marks = self.marks.entry(sender).or_default();
        let done = Done {
            spool: receipt.spool,
            seq: receipt.done_seq,
        };
        if done.seq < seq {
            let now = clock::tick();
            let is_told = marks
                .resend_at
                .is_some_and(|at| now.duration_since(at) < RESEND_EVERY);
            if !is_told {
                marks.resend_at = Some(now);
                tracing::info!(
                    "frames of {words} are missing after {}: it sends them again",
                    done.seq
                );
                way.tell(&location, &Told::Resend(done.clone())).await?;
            }
        }
        marks.committed = Some(done);
        Ok(())
    }

    async fn write_receipts(&mut self, way: &impl HubWay) -> Result<(), LinkError> {
        let now = clock::tick();
        for (sender, marks) in &mut self.marks {
            let Some(done) = &marks.committed else {
                continue;
            };
            let is_due = marks.written.as_ref().is_none_or(|(written, at)| {
                written != done && now.duration_since(*at) >= DONE_EVERY
            });
            if is_due {
                way.put_done(sender, done).await?;
                way.tell(&sender.location, &Told::Done(done.clone()))
                    .await?;
                marks.written = Some((done.clone(), now));
            }
        }
        Ok(())
    }

    async fn purge(&mut self, way: &impl HubWay) -> Result<(), LinkError> {
        let now = clock::tick();
        let (up_to, at) = self.purged;
        let is_due = at.is_none_or(|at| now.duration_since(at) >= PURGE_EVERY);
        // A receipt that is not written down yet could be lost: its frames stay.
        let all_written = self.marks.values().all(|marks| {
            marks.committed.as_ref() == marks.written.as_ref().map(|(written, _)| written)
        });
        if is_due && all_written && self.acknowledged > up_to {
            way.purge(self.acknowledged).await?;
            self.purged = (self.acknowledged, Some(now));
        }
        Ok(())
    }

    /// Says what is wrong with a frame, and goes on without it.
    fn refuse(&mut self, one: &Fetched, why: &Refused) {
        self.refused.fetch_add(1, Relaxed);
        let from = one
            .sender
            .as_ref()
            .map_or_else(|| "?".to_owned(), ProbeName::to_string);
        let words = format!("a frame of {from} was refused: {why}");
        let now = clock::tick();
        let is_said = self
            .refused_said
            .get(&words)
            .is_some_and(|at| now.duration_since(*at) < REFUSED_SAID_EVERY);
        if !is_said {
            tracing::error!(target: targets::TROUBLE, "{words}");
            // There are as many sentences as locations and faults; hostile ones must not gather.
            if self.refused_said.len() >= 1024 {
                self.refused_said.clear();
            }
            self.refused_said.insert(words, now);
        }
    }
}

/// Why a frame is not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("it says that it is from another location")]
    Location,
}

/// Reads a frame. One whose observations cannot be read is taken as an empty one: what comes after it is not held up.
fn opened(one: &Fetched) -> Result<Frame, Refused> {
    let (head, packed) = frame::read_head(&one.bytes)?;
    let sender = one.sender.clone();
    let sender = sender.filter(|sender| sender.location == head.location);
    let sender = sender.ok_or(Refused::Location)?;
    let received_at = clock::now();
    match frame::whole(&head, packed, sender.clone(), received_at) {
        Ok(frame) => Ok(frame),
        Err(why) => {
            tracing::error!(
                target: targets::TROUBLE,
                "frame {} of {sender} is left out: {why}",
                head.seq
            );
            Ok(frame::empty(&head, sender, received_at))
        }
    }
}
