//! The hub that follows: does again what the log says, and leads when the rules say so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::copies::{self, TakeError};
use super::entries::{self, End, head_of};
use super::standby::{Claim, random};
use crate::clock;
use crate::daemon::logging::targets;
use crate::domain::cluster::NatsServer;
use crate::domain::hub_copy::HubCopy;
use crate::link::error::LinkError;
use crate::link::nats::{NatsHub, NatsLog};
use crate::link::ways::{Appended, LogWay, Logged};
use crate::own_files;
use crate::policy::leadership::{Deed, Have, Silence, decide};
use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::writer::Store;
use crate::wire::hub_log::{self, EntryHead, Kind};

/// The log is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Entries done between two looks at its end.
const ENTRIES_A_TURN: u64 = 500;
/// The hub that leads hears of us so often.
const HELLO_EVERY: Duration = Duration::from_secs(10);
/// After a connection that broke.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// After a copy that could not be had.
const COPY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What is known of the one that leads, for people.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    /// The machine of the one that wrote last.
    pub(super) leader: String,
    /// What this hub is about.
    pub(super) line: String,
    /// What keeps it from being able to take over, if anything does.
    pub(super) trouble: Option<String>,
}

/// [`Shown`], shared.
pub(super) type Board = Arc<Mutex<Shown>>;

/// Follows.
pub(super) struct Follower {
    path: PathBuf,
    is_standby: bool,
    host: String,
    store: Option<Store>,
    have: Have,
    /// The newest entry that is done.
    cursor: u64,
    /// A list of changes whose last piece is missing.
    pieces: Option<(EntryHead, Vec<u8>)>,
    silence: Silence,
    copied_at: Option<Instant>,
    said: Option<String>,
    pub(super) board: Board,
    started: Instant,
    /// The process that this one would be.
    boot: u64,
    /// An entry that was sent, and of which it is not known whether it was taken.
    tried: Option<HubCopy>,
}

impl Follower {
    /// Over the database that is there.
    pub(super) fn new(
        mut store: Store,
        is_standby: bool,
        host: String,
    ) -> Result<Self, StoreError> {
        let copy = store.hub_copy()?;
        // Whether it is whole indeed the log says.
        let have = copy.map_or(Have::Nothing, Have::Whole);
        store.follow()?;
        Ok(Self {
            path: store.path().to_owned(),
            is_standby,
            host,
            cursor: copy.map_or(0, |copy| copy.number),
            store: Some(store),
            have,
            pieces: None,
            silence: Silence::default(),
            copied_at: None,
            said: None,
            board: Board::default(),
            started: clock::tick(),
            boot: random(),
            tried: None,
        })
    }

    /// Follows until this hub leads.
    pub(super) async fn run(mut self, server: &NatsServer) -> Result<Claim, StoreError> {
        loop {
            let connected = async {
                let (client, driver) = NatsHub::connect(server).await?;
                let following = async {
                    let way = NatsLog::begin(client).await?;
                    self.follow(&way).await
                };
                tokio::select! {
                    why = driver.run() => Err(Stop::Link(why)),
                    led = following => led,
                }
            };
            match connected.await {
                Ok(claim) => return Ok(claim),
                Err(Stop::Store(why)) => return Err(why),
                Err(Stop::Link(why)) => {
                    self.silence.forget();
                    self.say(format!("{why}; it is not known who leads"));
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    /// Follows over one connection.
    pub(super) async fn follow(&mut self, way: &impl LogWay) -> Result<Claim, Stop> {
        let mut hello_at = clock::tick();
        loop {
            let end = entries::end(way).await?;
            if clock::tick() >= hello_at {
                way.say_hello(&self.host).await?;
                hello_at = clock::tick() + HELLO_EVERY;
            }
            let is_at_end = self.catch_up(way, &end).await?;
            let at = clock::tick().duration_since(self.started);
            let silent = self.silence.looked(Some(end.number), at);
            self.show(&end, is_at_end);
            if is_at_end {
                match decide(&self.have, self.is_standby, end.tail.as_ref(), silent) {
                    Deed::Wait => {}
                    Deed::TakeCopy => self.take_copy(way, &end).await?,
                    Deed::Lead { after, term } => {
                        let after = after.max(end.number);
                        if let Some(claim) = self.lead(way, &end, (after, term)).await? {
                            return Ok(claim);
                        }
                        continue;
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// Does entries up to the end; whether it is reached.
    async fn catch_up(&mut self, way: &impl LogWay, end: &End) -> Result<bool, Stop> {
        if let Some(tried) = self.tried.take()
            && end.tail.is_some_and(|tail| tail.boot == tried.boot)
        {
            // It was taken, and the answer got lost: the rules see our own process there.
            self.have = Have::Whole(tried);
            self.cursor = end.number;
        }
        let Have::Whole(copy) = self.have else {
            self.cursor = end.number;
            return Ok(true);
        };
        if end.number < self.cursor {
            // The log lost its newest entries, or all. What it still has must be ours.
            self.cursor = end.number;
            self.pieces = None;
            let fits = end
                .tail
                .is_none_or(|tail| tail.boot == copy.boot && tail.position <= copy.position);
            if !fits {
                self.lack("the log of the hubs is not the one that this copy follows");
            }
            return Ok(true);
        }
        let until = end.number.min(self.cursor + ENTRIES_A_TURN);
        while self.cursor < until {
            let Some(entry) = way.entry(self.cursor + 1).await? else {
                self.lack("the log of the hubs does not go back to where this copy ends");
                return Ok(true);
            };
            self.cursor = entry.number;
            self.take(&entry)?;
            if !matches!(self.have, Have::Whole(_)) {
                self.cursor = end.number;
                return Ok(true);
            }
        }
        Ok(self.cursor >= end.number)
    }

    /// Does one entry.
    fn take(&mut self, entry: &Logged) -> Result<(), Stop> {
        let Have::Whole(mut copy) = self.have else {
            return Ok(());
        };
        let (head, body) = head_of(entry)?;
        if head.format != Reader::newest_format() {
            self.lack("the hub that leads runs another version of sitewatch; update both");
            return Ok(());
        }
        copy.number = entry.number;
        let is_same = (head.term, head.boot) == (copy.term, copy.boot);
        match head.kind {
            // What this copy wrote itself before it was restarted: the log has it.
            _ if is_same && copy.leads => copy.position = copy.position.max(head.position()),
            _ if is_same && head.to <= copy.position => {}
            Kind::Begin if head.from == copy.position && self.all_sent(&copy)? => {
                (copy.term, copy.boot, copy.leads) = (head.term, head.boot, false);
                self.pieces = None;
                self.store()?.apply(&[], &copy)?;
            }
            Kind::Changes if is_same && head.from <= copy.position => {
                return self.take_changes(&head, body, copy);
            }
            Kind::Begin | Kind::Beat | Kind::End | Kind::Changes => {
                self.lack("this copy lacks something that the hub that leads wrote");
                return Ok(());
            }
        }
        self.have = Have::Whole(copy);
        Ok(())
    }

    /// Whether a copy has nothing that it wrote itself and the log never got.
    fn all_sent(&mut self, copy: &HubCopy) -> Result<bool, Stop> {
        Ok(!copy.leads || self.store()?.newest_change()? <= copy.position)
    }

    fn take_changes(
        &mut self,
        head: &EntryHead,
        body: &[u8],
        mut copy: HubCopy,
    ) -> Result<(), Stop> {
        let before = self.pieces.take().filter(|_| head.piece > 0);
        let mut bytes = match before {
            Some((first, bytes)) if (first.to, first.piece + 1) == (head.to, head.piece) => bytes,
            None if head.piece == 0 => Vec::new(),
            Some(_) | None => {
                self.lack("a list of changes is not whole");
                return Ok(());
            }
        };
        bytes.extend_from_slice(body);
        if !head.is_last() {
            self.pieces = Some((head.clone(), bytes));
            return Ok(());
        }
        copy.position = head.to;
        let changes = hub_log::unpack(&bytes);
        let done = match &changes {
            Ok(changes) => self.store()?.apply(changes, &copy),
            Err(why) => {
                tracing::error!("a list of changes is left out: {why}");
                self.lack("a list of changes is damaged");
                return Ok(());
            }
        };
        match done {
            Ok(()) => self.have = Have::Whole(copy),
            Err(why) if why.is_about_disk() => return Err(Stop::Store(why)),
            Err(why) => {
                tracing::error!("a change does not fit into this copy: {why}");
                self.lack("a change does not fit into this copy");
            }
        }
        Ok(())
    }

    /// This copy cannot take over until it was taken again.
    fn lack(&mut self, why: &str) {
        if let Have::Whole(copy) = self.have {
            tracing::warn!("{why}: it takes a new copy of the database");
            self.have = Have::Part(copy);
        }
        self.pieces = None;
    }

    fn store(&mut self) -> Result<&mut Store, Stop> {
        const GONE: &str = "it is not open";
        self.store
            .as_mut()
            .ok_or_else(|| Stop::Store(StoreError::Io(GONE.to_owned())))
    }

    /// Takes a copy of the leader's database in place of this one.
    async fn take_copy(&mut self, way: &impl LogWay, end: &End) -> Result<(), Stop> {
        let now = clock::tick();
        let is_time = self
            .copied_at
            .is_none_or(|at| now.duration_since(at) >= COPY_AGAIN_AFTER);
        if !is_time {
            return Ok(());
        }
        if end.format != Reader::newest_format() {
            self.say(
                "the hub that leads runs another version of sitewatch; update both".to_owned(),
            );
            return Ok(());
        }
        tracing::info!("taking a copy of the database of {}", end.host);
        let taken = copies::take(way, (random().max(1), &self.host), &self.path).await;
        self.copied_at = Some(clock::tick());
        let (head, file) = match taken {
            Ok(taken) => taken,
            Err(TakeError::Link(why @ LinkError::Broken(_))) => return Err(Stop::Link(why)),
            Err(why) => {
                self.say(format!("there is no copy of the database: {why}"));
                return Ok(());
            }
        };
        self.install(&file)?;
        let store = self.store()?;
        let copy = HubCopy {
            term: head.term,
            boot: head.boot,
            position: store.newest_change()?,
            number: head.number,
            leads: false,
            is_followed: true,
        };
        store.follow()?;
        store.apply(&[], &copy)?;
        self.cursor = head.number;
        self.have = Have::Whole(copy);
        tracing::info!("the copy is here: this hub can take over from {}", end.host);
        self.said = None;
        Ok(())
    }

    /// Puts a copy in the place of the database. The one that was there stays beside it, until the next time.
    fn install(&mut self, file: &Path) -> Result<(), Stop> {
        self.store = None;
        replace(&self.path, file).map_err(|source| StoreError::File {
            what: format!("put the copy in the place of `{}`", self.path.display()),
            source,
        })?;
        self.store = Some(Store::open(&self.path, clock::now())?);
        Ok(())
    }

    /// Tries to lead: `None` if another hub was faster.
    async fn lead(
        &mut self,
        way: &impl LogWay,
        end: &End,
        (after, term): (u64, u64),
    ) -> Result<Option<Claim>, Stop> {
        let boot = self.boot;
        let before = match self.have {
            Have::Nothing => None,
            Have::Part(copy) | Have::Whole(copy) => Some(copy),
        };
        let position = match before {
            Some(copy) => copy.position,
            None => self.store()?.newest_change()?,
        };
        let format = Reader::newest_format();
        let begin = hub_log::head(Kind::Begin, (term, boot), &self.host, format, position);
        let mut copy = HubCopy {
            term,
            boot,
            position,
            number: after + 1,
            leads: true,
            is_followed: before.is_some_and(|before| before.is_followed),
        };
        self.tried = Some(copy);
        let appended = way.append(after, &hub_log::write(&begin, b"")).await?;
        self.tried = None;
        let Appended::Taken(number) = appended else {
            return Ok(None);
        };
        copy.number = number;
        self.store()?.lead(&copy)?;
        match (end.tail, before) {
            (None, None) => tracing::info!("this hub leads"),
            _ => {
                tracing::warn!(target: targets::TROUBLE, "this hub leads from now on, {} before", match end.host.as_str() {
                    "" => "nobody",
                    host => host,
                })
            }
        }
        Ok(Some(Claim {
            copy,
            is_written: true,
            former: None,
        }))
    }

    fn show(&mut self, end: &End, is_at_end: bool) {
        let line = match (&self.have, &end.tail) {
            (_, None) => "waits for a hub that leads".to_owned(),
            (Have::Whole(_), Some(_)) if is_at_end => {
                format!("follows {}, and can take over", end.host)
            }
            (Have::Whole(_), Some(_)) => format!(
                "follows {}, {} entries behind",
                end.host,
                end.number.saturating_sub(self.cursor)
            ),
            (Have::Nothing | Have::Part(_), Some(_)) => {
                format!(
                    "follows {}, and has no whole copy of its database",
                    end.host
                )
            }
        };
        let is_whole = matches!(self.have, Have::Whole(_));
        let mut shown = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        shown.leader.clone_from(&end.host);
        shown.trouble = match is_whole {
            true => None,
            false => Some(self.said.clone().unwrap_or_else(|| {
                "this hub cannot take over yet: it has no whole copy of the database".to_owned()
            })),
        };
        shown.line = line;
    }

    /// Says what is wrong, once.
    fn say(&mut self, why: String) {
        let mut shown = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        shown.trouble = Some(why.clone());
        drop(shown);
        if self.said.as_ref() != Some(&why) {
            tracing::warn!(target: targets::TROUBLE, "{why}");
            self.said = Some(why);
        }
    }
}

/// Why following stops for now, or for good.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Puts a database in the place of another, which stays beside it.
fn replace(database: &Path, by: &Path) -> std::io::Result<()> {
    let former = own_files::beside(database, ".replaced");
    for end in ["-wal", "-shm"] {
        let part = own_files::beside(database, end);
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    if database.exists() {
        std::fs::rename(database, former)?;
    }
    std::fs::rename(by, database)
}
