//! What is said over a connection that stands: our bytes, and the server's until they match.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep};

use super::classify;
use super::connection::Link;
use super::exchange::within;
use super::room::{self, FREE_BYTES, Place, Room};
use super::search::Search;
use crate::clock;
use crate::domain::check::FailureKind;
use crate::domain::duration_text::{Exact, Human};
use crate::domain::observed::{Silence, SocketEnd};
use crate::domain::subject::TcpManner;
use crate::policy::verdict::small_pattern::is_light_search;

/// So much is read at a time.
const READ_BYTES: usize = 4 * 1024;

/// What came is searched when the server has paused for this long: a greeting comes in one piece or in a few.
const QUIET_MIN: Duration = Duration::from_millis(20);

/// A pause must be so many times longer than the search before it took, so that a server that drips bytes cannot make
/// us search most of the time.
const QUIET_FACTOR: u32 = 10;

/// Without a pause what came is searched when it has grown by this part: all searches of one conversation look at some
/// nine times what was said, however it was cut into pieces.
const GROWTH_PARTS: usize = 8;

/// Searches that are not made here are fewer: only when twice as much came. All of one conversation may take so long.
const SEARCHES_MAX: Duration = Duration::from_secs(60);

/// What is kept of what the server said: for the excerpt.
const KEPT_BYTES: usize = 4 * 1024;

/// What came of a conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    /// How it ended.
    pub(super) end: SocketEnd,
    /// The first bytes that the server said.
    pub(super) heard: Vec<u8>,
    /// How many were read.
    pub(super) heard_bytes: u64,
    /// When the first of them came.
    pub(super) first_byte_at: Option<Instant>,
    /// How long it waited for room and for a search, which is not its site's time.
    pub(super) waited: Duration,
}

/// Says what is to be said, and listens until the pattern matches, `max_body` bytes came, the server ends or the alarm
/// rings.
pub(super) async fn converse(
    link: &mut Link,
    manner: &TcpManner,
    site: &str,
    room: &Room,
    search: &impl Search,
    mut alarm: Pin<&mut Sleep>,
) -> Conversation {
    let dialogue = &manner.dialogue;
    let mut listener = Listener {
        manner,
        site,
        room,
        heard: Vec::new(),
        searched: 0,
        next_search: 1,
        quiet: QUIET_MIN,
        place: None,
        first_byte_at: None,
        waited: Duration::ZERO,
        searching: Duration::ZERO,
    };
    let sent = match dialogue.send.is_empty() {
        true => Some(Ok(())),
        false => within(alarm.as_mut(), send(link, &dialogue.send)).await,
    };
    let end = match (&dialogue.expect, sent) {
        (_, None) => SocketEnd::Failed {
            kind: FailureKind::TimeoutResponse,
            detail: format!(
                "connected, but the server does not take what is sent within the timeout of {}",
                Exact(manner.timeout)
            ),
        },
        (None, Some(Err(error))) => failed(classify::of_conversation(&error)),
        (None, Some(Ok(()))) => SocketEnd::Met,
        // It may have answered before it stopped to take more: what it said decides.
        (Some(pattern), Some(_)) => listener.listen(link, pattern, search, alarm).await,
    };
    link.close();
    let Listener {
        mut heard,
        first_byte_at,
        waited,
        ..
    } = listener;
    let heard_bytes = heard.len() as u64;
    heard.truncate(KEPT_BYTES);
    heard.shrink_to_fit();
    Conversation {
        end,
        heard,
        heard_bytes,
        first_byte_at,
        waited,
    }
}

async fn send(link: &mut Link, bytes: &[u8]) -> io::Result<()> {
    link.write_all(bytes).await?;
    link.flush().await
}

fn failed((kind, detail): classify::Fault) -> SocketEnd {
    SocketEnd::Failed { kind, detail }
}

/// Hears what a server says.
struct Listener<'a> {
    manner: &'a TcpManner,
    site: &'a str,
    room: &'a Room,
    heard: Vec<u8>,
    /// How much of it was searched.
    searched: usize,
    /// How much must be there for the next search without a pause.
    next_search: usize,
    /// The pause after which it is searched.
    quiet: Duration,
    /// Its share of the room for bodies, where it needs one.
    place: Option<Place>,
    first_byte_at: Option<Instant>,
    waited: Duration,
    /// How much of that was for searches.
    searching: Duration,
}

/// What a reading gave.
enum Read {
    Bytes(usize),
    Paused,
}

impl Listener<'_> {
    async fn listen(
        &mut self,
        link: &mut Link,
        pattern: &Arc<Regex>,
        search: &impl Search,
        mut alarm: Pin<&mut Sleep>,
    ) -> SocketEnd {
        let max = usize::try_from(self.manner.max_body).unwrap_or(usize::MAX);
        loop {
            if self.heard.len() >= max {
                return self
                    .last_search(pattern, search, alarm, Silence::Full)
                    .await;
            }
            if let Err(end) = self.make_room(alarm.as_mut()).await {
                return end;
            }
            let read = within(alarm.as_mut(), self.read(link, max)).await;
            let is_due = match read {
                Some(Ok(Read::Bytes(0))) => {
                    return self
                        .last_search(pattern, search, alarm, Silence::Closed)
                        .await;
                }
                Some(Ok(Read::Bytes(_))) => {
                    self.first_byte_at.get_or_insert_with(clock::tick);
                    self.heard.len() >= self.next_search
                }
                Some(Ok(Read::Paused)) => true,
                Some(Err(error)) => return self.broken(&error, pattern, search, alarm).await,
                None => {
                    return self
                        .last_search(pattern, search, alarm, Silence::Timeout)
                        .await;
                }
            };
            if is_due {
                match self.matches(pattern, search, alarm.as_mut()).await {
                    Ok(false) => {}
                    Ok(true) => return SocketEnd::Met,
                    Err(end) => return end,
                }
            }
        }
    }

    /// Reads on; a pause ends it where something is to be searched.
    async fn read(&mut self, link: &mut Link, max: usize) -> io::Result<Read> {
        let is_searched = self.searched == self.heard.len();
        let most = (max - self.heard.len()).min(READ_BYTES);
        self.heard.reserve(most);
        let mut limited = link.take(most as u64);
        let reading = limited.read_buf(&mut self.heard);
        if is_searched {
            return reading.await.map(Read::Bytes);
        }
        tokio::select! {
            biased;
            read = reading => read.map(Read::Bytes),
            () = sleep(self.quiet) => Ok(Read::Paused),
        }
    }

    /// Asks for room for all that may come, once more came than each may have without asking.
    async fn make_room(&mut self, mut alarm: Pin<&mut Sleep>) -> Result<(), SocketEnd> {
        if self.place.is_some() || self.heard.len() <= FREE_BYTES {
            return Ok(());
        }
        let begun = clock::tick();
        self.place = self.room.take(self.manner.max_body).await;
        self.put_off(alarm.as_mut(), begun.elapsed());
        match self.place {
            Some(_) => Ok(()),
            None => Err(SocketEnd::Failed {
                kind: FailureKind::Local,
                detail: format!(
                    "other answers took all the room that there is for them, for {}",
                    Human(room::WAIT_MAX)
                ),
            }),
        }
    }

    /// What we wait for is not the site's time.
    fn put_off(&mut self, mut alarm: Pin<&mut Sleep>, by: Duration) {
        self.waited += by;
        let deadline = alarm.deadline() + by;
        alarm.as_mut().reset(deadline);
    }

    async fn matches(
        &mut self,
        pattern: &Arc<Regex>,
        search: &impl Search,
        alarm: Pin<&mut Sleep>,
    ) -> Result<bool, SocketEnd> {
        let begun = clock::tick();
        let is_light = is_light_search(pattern.as_str(), self.heard.len());
        let is_match = if is_light {
            pattern.is_match(&self.heard)
        } else if self.searching > SEARCHES_MAX {
            return Err(SocketEnd::Failed {
                kind: FailureKind::Local,
                detail: format!(
                    "what the server said could not be searched within {}",
                    Human(SEARCHES_MAX)
                ),
            });
        } else {
            let bytes = std::mem::take(&mut self.heard);
            let searched = search.search(self.site, Arc::clone(pattern), bytes).await;
            let took = begun.elapsed();
            self.searching += took;
            self.put_off(alarm, took);
            let (bytes, is_match) = searched.map_err(|why| SocketEnd::Failed {
                kind: FailureKind::Local,
                detail: why,
            })?;
            self.heard = bytes;
            is_match
        };
        self.searched = self.heard.len();
        let growth = match is_light {
            true => (self.searched / GROWTH_PARTS).max(1),
            false => self.searched,
        };
        self.next_search = self.searched + growth;
        self.quiet = QUIET_MIN.max(begun.elapsed() * QUIET_FACTOR);
        Ok(is_match)
    }

    /// Nothing more comes.
    async fn last_search(
        &mut self,
        pattern: &Arc<Regex>,
        search: &impl Search,
        alarm: Pin<&mut Sleep>,
        silence: Silence,
    ) -> SocketEnd {
        if self.searched < self.heard.len() {
            match self.matches(pattern, search, alarm).await {
                Ok(false) => {}
                Ok(true) => return SocketEnd::Met,
                Err(end) => return end,
            }
        }
        if !self.heard.is_empty() || silence == Silence::Full {
            return SocketEnd::Unmatched(silence);
        }
        failed(match silence {
            Silence::Timeout => (
                FailureKind::TimeoutResponse,
                format!(
                    "connected, but the server said nothing within the timeout of {}",
                    Exact(self.manner.timeout)
                ),
            ),
            Silence::Closed | Silence::Reset | Silence::Full => (
                FailureKind::ClosedEarly,
                "the server closed the connection without a byte".to_owned(),
            ),
        })
    }

    /// The connection broke while we listened.
    async fn broken(
        &mut self,
        error: &io::Error,
        pattern: &Arc<Regex>,
        search: &impl Search,
        alarm: Pin<&mut Sleep>,
    ) -> SocketEnd {
        let (kind, detail) = classify::of_conversation(error);
        let silence = match kind {
            FailureKind::ClosedEarly => Silence::Closed,
            FailureKind::ConnectReset if !self.heard.is_empty() => Silence::Reset,
            _ => return SocketEnd::Failed { kind, detail },
        };
        self.last_search(pattern, search, alarm, silence).await
    }
}
