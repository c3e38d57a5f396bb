//! The hub that leads: puts into the log what changed in its database, and answers who waits for that. An entry that
//! does not follow its own newest one is refused: then another hub leads, and nothing leaves here any more.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::copies::Copies;
use super::entries::{self, End};
use super::gate::Gate;
use super::standby::Claim;
use crate::blocking;
use crate::clock;
use crate::daemon::logging::targets;
use crate::daemon::notifier::run::host;
use crate::daemon::recorder::message::{Entry, Reply, WriteWork};
use crate::daemon::recorder::queue::Door;
use crate::domain::cluster::NatsServer;
use crate::domain::hub_copy::HubCopy;
use crate::domain::safe_text;
use crate::link::error::LinkError;
use crate::link::nats::{NatsHub, NatsLog};
use crate::link::ways::{Appended, LogWay};
use crate::policy::leadership::{BEAT_EVERY, Standing, standing};
use crate::store::reader::Reader;
use crate::store::replica::Unsent;
use crate::wire::hub_log::{self, CopyAsked, Kind, PIECE_BYTES, PIECES_MAX};

/// What is committed waits so long for company, unless somebody waits for it.
const GATHER: Duration = Duration::from_millis(150);
/// What the log has is noted in the database so often at most.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// A standby that was not heard for so long has a copy that is too old to take over with.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(7 * 86_400);
/// A standby says hello every ten seconds.
const HEARD_WITHIN: Duration = Duration::from_secs(35);
/// At an orderly end the last entries get this long.
const FAREWELL_WITHIN: Duration = Duration::from_secs(5);

/// The end of a log that another hub leads.
#[derive(Debug)]
enum Turn {
    Leads,
    Overtaken,
}

/// Writes the log.
pub struct Leader {
    claim: Claim,
    gate: Gate,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    /// Those who wait for the next entry.
    waiting: Vec<oneshot::Sender<()>>,
    database: PathBuf,
    door: Door,
    host: String,
    copies: Copies,
    /// Whether the log has to hear again from where we lead.
    begins: bool,
    written_at: Option<Instant>,
    noted: (i64, Option<Instant>),
    heard: (Instant, Option<String>),
}

impl Leader {
    /// The one of a hub that leads by `claim`, and the gate of its messages.
    pub fn new(claim: Claim, database: PathBuf, door: Door) -> (Self, Gate) {
        let (gate, asked) = Gate::new(claim.copy.is_followed);
        let host = host();
        let leader = Self {
            noted: (claim.copy.position, None),
            copies: Copies::beside(&database),
            gate: gate.clone(),
            claim,
            asked,
            waiting: Vec::new(),
            database,
            door,
            host,
            begins: false,
            written_at: None,
            heard: (clock::tick(), None),
        };
        leader.say_who_leads();
        (leader, gate)
    }

    /// Writes over a way until it breaks. Where another hub leads, it shuts the gate and stays.
    pub async fn run(&mut self, way: &impl LogWay) -> LinkError {
        match self.work(way).await {
            Ok(Turn::Overtaken | Turn::Leads) => {
                self.gate.shut();
                self.gate.set_note("another hub leads".to_owned());
                std::future::pending().await
            }
            Err(LinkError::Timeout) if !self.claim.is_written && !self.gate.is_followed() => {
                tracing::warn!(
                    target: targets::TROUBLE,
                    "the NATS server does not take the hubs' log, so no standby can follow: print the hub's user again \
                     with `sitewatch cluster credentials --hub`"
                );
                std::future::pending().await
            }
            Err(why) => why,
        }
    }

    async fn work(&mut self, way: &impl LogWay) -> Result<Turn, LinkError> {
        if let Turn::Overtaken = self.take_up(way).await? {
            return Ok(Turn::Overtaken);
        }
        self.gate.set_there(true);
        let mut due = clock::tick();
        loop {
            let beat = self.written_at.map_or(due, |at| at + BEAT_EVERY);
            tokio::select! {
                asked = self.asked.recv() => {
                    self.waiting.extend(asked);
                    due = clock::tick();
                }
                () = self.gate.next_commit() => due = due.min(clock::tick() + GATHER),
                () = sleep_until(due.min(beat)) => {}
                asked = way.copy_asked() => {
                    let (asked, token) = asked?;
                    self.hear(way, &asked, &token).await?;
                    continue;
                }
            }
            if clock::tick() < due.min(beat) {
                continue;
            }
            due = clock::tick() + BEAT_EVERY;
            while let Ok(asked) = self.asked.try_recv() {
                self.waiting.push(asked);
            }
            if let Turn::Overtaken = self.turn(way).await? {
                return Ok(Turn::Overtaken);
            }
        }
    }

    /// Finds out at the beginning of a connection whether it leads.
    async fn take_up(&mut self, way: &impl LogWay) -> Result<Turn, LinkError> {
        loop {
            let End { number, tail, .. } = entries::end(way).await?;
            let copy = &mut self.claim.copy;
            let found = match self.claim.is_written {
                true => standing(copy.term, copy.boot, tail.as_ref()),
                // Nobody else can have led while no other hub had a copy, unless there is one by mistake.
                false => match &tail {
                    Some(tail) if tail.boot == copy.boot => {
                        // The answer to our first entry got lost.
                        copy.term = tail.term;
                        self.begins = true;
                        Standing::Leads
                    }
                    Some(tail) if Some(tail.boot) != self.claim.former => Standing::Overtaken,
                    Some(_) | None => Standing::Forgotten,
                },
            };
            match found {
                Standing::Overtaken => return Ok(Turn::Overtaken),
                Standing::Leads => {
                    copy.number = number;
                    // An entry whose answer got lost.
                    copy.position = copy.position.max(tail.map_or(0, |tail| tail.position));
                    if !self.begins {
                        return Ok(Turn::Leads);
                    }
                }
                Standing::Forgotten => {
                    if !self.claim.is_written {
                        copy.term = 1 + copy.term.max(tail.map_or(0, |tail| tail.term));
                    }
                    copy.number = number;
                }
            }
            if self
                .append(way, Kind::Begin, copy_at(&self.claim.copy), b"")
                .await?
            {
                self.claim.is_written = true;
                self.begins = false;
                let copy = self.claim.copy;
                self.door
                    .push(Entry::Write(Box::new(move |batch| batch.lead(&copy))));
                return Ok(Turn::Leads);
            }
        }
    }

    /// Writes what is new, or that there is nothing, and answers those who waited before that.
    async fn turn(&mut self, way: &impl LogWay) -> Result<Turn, LinkError> {
        let unsent = match self.gate.is_followed() {
            true => self.unsent().await,
            false => None,
        };
        let mut is_known = true;
        let is_written = match unsent {
            Some(Unsent::Changes { changes, to }) if to > self.claim.copy.position => {
                let bytes = hub_log::pack(&changes);
                drop(changes);
                self.write_changes(way, &bytes, to).await?
            }
            Some(Unsent::TooMany) => {
                self.skip().await;
                false
            }
            found => {
                // Where the database does not say what changed, nobody may go on.
                is_known = found.is_some() || !self.gate.is_followed();
                self.append(way, Kind::Beat, copy_at(&self.claim.copy), b"")
                    .await?
            }
        };
        if !is_written {
            return self.take_up(way).await;
        }
        if is_known {
            for waiting in self.waiting.drain(..) {
                let _ = waiting.send(());
            }
        }
        self.note();
        self.copies.tidy();
        self.look_after_standby(way).await
    }

    async fn write_changes(
        &mut self,
        way: &impl LogWay,
        bytes: &[u8],
        to: i64,
    ) -> Result<bool, LinkError> {
        let from = self.claim.copy.position;
        let count = u32::try_from(bytes.len().div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        if count > PIECES_MAX {
            self.skip().await;
            return Ok(false);
        }
        for (piece, bytes) in (0_u32..).zip(bytes.chunks(PIECE_BYTES)) {
            let span = (from, to, piece, count);
            if !self.append(way, Kind::Changes, span, bytes).await? {
                return Ok(false);
            }
        }
        self.claim.copy.position = to;
        Ok(true)
    }

    /// Writes one entry behind our newest; whether it was taken.
    async fn append(
        &mut self,
        way: &impl LogWay,
        kind: Kind,
        (from, to, piece, pieces): (i64, i64, u32, u32),
        body: &[u8],
    ) -> Result<bool, LinkError> {
        let copy = &mut self.claim.copy;
        let format = Reader::newest_format();
        let mut head = hub_log::head(kind, (copy.term, copy.boot), &self.host, format, from);
        (head.to, head.piece, head.pieces) = (to, piece, pieces);
        match way
            .append(copy.number, &hub_log::write(&head, body))
            .await?
        {
            Appended::Taken(number) => {
                copy.number = number;
                self.written_at = Some(clock::tick());
                Ok(true)
            }
            Appended::Overtaken => Ok(false),
        }
    }

    /// What the log does not have; `None` where the database does not say.
    async fn unsent(&mut self) -> Option<Unsent> {
        let (path, copy) = (self.database.clone(), self.claim.copy);
        let read = blocking::run(move || {
            // Opened each time: the file may have been replaced, and must be the one that this process writes.
            let reader = Reader::open(&path)?;
            let is_ours = reader
                .hub_copy()?
                .is_some_and(|found| found.boot == copy.boot);
            match is_ours {
                true => reader.unsent(copy.position).map(Some),
                false => Ok(None),
            }
        });
        match read.await {
            Ok(Ok(unsent)) => unsent,
            Ok(Err(why)) => {
                tracing::error!("what changed cannot be read for the standby: {why}");
                None
            }
            Err(_) => None,
        }
    }

    /// Gives up what waits for the log: the other hub takes a new copy.
    async fn skip(&mut self) {
        let path = self.database.clone();
        let newest = blocking::run(move || Reader::open(&path)?.newest_change()).await;
        if let Ok(Ok(newest)) = newest {
            tracing::warn!(
                target: targets::TROUBLE,
                "too much changed while the NATS server was away: the standby has to take a new copy of the database"
            );
            self.claim.copy.position = newest;
            self.begins = true;
            let copy = self.claim.copy;
            self.door
                .push(Entry::Write(Box::new(move |batch| batch.sent(&copy))));
        }
    }

    /// There is no connection: what waits for the log is bounded all the same.
    pub async fn away(&mut self) {
        self.gate.set_there(false);
        if self.gate.is_followed()
            && let Some(Unsent::TooMany) = self.unsent().await
        {
            self.skip().await;
        }
    }

    /// Has it noted what the log has.
    fn note(&mut self) {
        let now = clock::tick();
        let copy = self.claim.copy;
        let (position, at) = self.noted;
        let is_time = at.is_none_or(|at| now.duration_since(at) >= NOTE_EVERY);
        if copy.position > position && is_time {
            self.noted = (copy.position, Some(now));
            self.door
                .push(Entry::Write(Box::new(move |batch| batch.sent(&copy))));
        }
    }

    /// A standby is there, or wants a piece of the database.
    async fn hear(
        &mut self,
        way: &impl LogWay,
        asked: &CopyAsked,
        token: &str,
    ) -> Result<(), LinkError> {
        let host = safe_text::line(&asked.host, 100).into_owned();
        if self.heard.1.as_ref() != Some(&host) {
            tracing::info!("the standby {host} is there");
        }
        self.heard = (clock::tick(), Some(host));
        self.say_who_leads();
        if asked.id == 0 || token.is_empty() {
            return Ok(());
        }
        if !self.gate.is_followed() {
            // From now on every change is noted, and no message leaves before the log has it.
            let copy = HubCopy {
                is_followed: true,
                ..self.claim.copy
            };
            if let Err(why) = written(&self.door, Box::new(move |batch| batch.lead(&copy))).await {
                let answer = hub_log::CopyTold::Failed(why);
                return way.tell_copy(token, &hub_log::write(&answer, b"")).await;
            }
            self.claim.copy.is_followed = true;
            self.gate.set_followed(true);
        }
        let answer = self
            .copies
            .answer(asked, &self.claim.copy, &self.database)
            .await;
        way.tell_copy(token, &answer).await
    }

    fn say_who_leads(&self) {
        let (at, host) = &self.heard;
        let ours = &self.host;
        let is_there = clock::tick().duration_since(*at) < HEARD_WITHIN;
        self.gate.set_note(match (host, is_there) {
            (Some(host), true) => format!("{ours} leads, {host} follows"),
            (Some(host), false) => format!("{ours} leads; the standby {host} is not there"),
            (None, _) if self.gate.is_followed() => {
                format!("{ours} leads; no standby was heard since the start")
            }
            // Nobody asks who leads where there is one hub.
            (None, _) => String::new(),
        });
    }

    /// A standby that is away for long is forgotten: it has to take a new copy when it comes back.
    async fn look_after_standby(&mut self, way: &impl LogWay) -> Result<Turn, LinkError> {
        self.say_who_leads();
        let away = clock::tick().duration_since(self.heard.0);
        if !self.gate.is_followed() || away < FORGOTTEN_AFTER {
            return Ok(Turn::Leads);
        }
        // One change that nobody gets makes every other copy one that lacks something.
        self.claim.copy.position += 1;
        if !self
            .append(way, Kind::Begin, copy_at(&self.claim.copy), b"")
            .await?
        {
            return self.take_up(way).await;
        }
        let copy = HubCopy {
            is_followed: false,
            ..self.claim.copy
        };
        let forgotten = written(
            &self.door,
            Box::new(move |batch| {
                batch.unfollowed()?;
                batch.lead(&copy)
            }),
        );
        if forgotten.await.is_ok() {
            tracing::warn!(target: targets::TROUBLE, "the standby was not heard for a week: it is forgotten");
            self.claim.copy = copy;
            self.gate.set_followed(false);
        }
        Ok(Turn::Leads)
    }

    /// Writes the rest, and that this hub ends in order: the other takes over at once.
    async fn farewell(&mut self, way: &impl LogWay) -> Result<(), LinkError> {
        if let Turn::Overtaken = self.take_up(way).await? {
            return Ok(());
        }
        if self.gate.is_followed()
            && let Some(Unsent::Changes { changes, to }) = self.unsent().await
            && to > self.claim.copy.position
            && !self
                .write_changes(way, &hub_log::pack(&changes), to)
                .await?
        {
            return Ok(());
        }
        let at = copy_at(&self.claim.copy);
        let _ = self.append(way, Kind::End, at, b"").await?;
        Ok(())
    }
}

/// Nothing but that the log goes as far as a copy.
const fn copy_at(copy: &HubCopy) -> (i64, i64, u32, u32) {
    (copy.position, copy.position, 0, 0)
}

/// Has something written, and waits until that is safe.
pub(super) async fn written(door: &Door, work: WriteWork) -> Result<(), String> {
    let (tell, told) = oneshot::channel();
    let reply = Reply::with(move |written| {
        let _ = tell.send(written);
    });
    door.push(Entry::WriteAndTell(work, reply));
    match told.await {
        Ok(written) => written.map_err(|why| why.to_string()),
        Err(_) => Err("the daemon is stopping".to_owned()),
    }
}

/// After the last write of a hub that ends: the log gets the rest, if its server is there.
pub async fn say_farewell(leader: &mut Leader, server: &NatsServer) {
    if !leader.gate.is_followed() {
        return;
    }
    let saying = async {
        let (client, driver) = NatsHub::connect(server).await?;
        let saying = async {
            let way = NatsLog::begin(client).await?;
            leader.farewell(&way).await
        };
        tokio::select! {
            why = driver.run() => Err(why),
            said = saying => said,
        }
    };
    match timeout(FAREWELL_WITHIN, saying).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::warn!("the standby does not know yet that this hub ended: {why}"),
        Err(_) => tracing::warn!("the standby does not know yet that this hub ended"),
    }
}
