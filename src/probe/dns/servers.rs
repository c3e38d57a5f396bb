//! One question to all name servers: the next is asked where one fails or is silent, and the late answer of a silent
//! one still counts.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use super::ask::{Trouble, Way, ask};
use super::message::{RecordKind, WireName};
use super::system::View;
use crate::clock;
use crate::domain::name_server::NameServer;

/// More than this many of one question are not open at a time; the oldest gives way.
const OPEN_MAX: usize = 6;

/// A repetition comes no sooner than this: servers far away take as long for an honest answer.
const PACE_MIN: Duration = Duration::from_millis(200);

/// What a lookup holds of shared things.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) view: Arc<View>,
    /// Questions open beside the one that each family of each lookup may have.
    pub(super) extras: Arc<Semaphore>,
    /// The server that is asked first.
    pub(super) first: usize,
}

/// The time that one name has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// By then each server was asked as often as it will be.
    pub(super) share: Instant,
    /// Answers count until then.
    pub(super) until: Instant,
}

/// One question and what became of it at each server.
pub(super) struct Round<W: RecordKind> {
    asker: Asker,
    name: WireName,
    wanted: W,
    /// How often a server has failed.
    failures: Arc<AtomicUsize>,
    open: Vec<Open<W::Record>>,
    /// What each server said last.
    told: Vec<Option<Trouble>>,
    next: usize,
}

type Asking<R> = Pin<Box<dyn Future<Output = Result<Vec<R>, Trouble>> + Send>>;

struct Open<R> {
    server: usize,
    asking: Asking<R>,
    again: Arc<Notify>,
    _extra: Option<OwnedSemaphorePermit>,
}

/// The records, and the place of the server that gave them.
pub(super) type Given<R> = (usize, Vec<R>);

/// Why no server gave a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The trouble that decides.
    pub(super) trouble: Trouble,
    /// What each server did, where that was no answer.
    pub(super) servers: Vec<(NameServer, Trouble)>,
}

enum Event<R> {
    Said(usize, Result<Vec<R>, Trouble>),
    Alarm,
}

impl<W: RecordKind> Round<W> {
    pub(super) fn new(asker: Asker, name: WireName, wanted: W, failures: Arc<AtomicUsize>) -> Self {
        let told = vec![None; asker.view.servers.len()];
        Self {
            asker,
            name,
            wanted,
            failures,
            open: Vec::new(),
            told,
            next: 0,
        }
    }

    /// Asks until an answer decides, or until the end of the time.
    pub(super) async fn run(mut self, span: Span) -> Result<Given<W::Record>, Refusal> {
        let steps = self.asker.view.servers.len() * self.asker.view.rounds;
        let left = span.share.saturating_duration_since(clock::tick());
        let pace = left / u32::try_from(steps.max(1)).unwrap_or(u32::MAX);
        let pace = pace.min(self.asker.view.pace).max(PACE_MIN);
        let mut alarm = std::pin::pin!(sleep_until(span.until));
        self.step();
        alarm.as_mut().reset(span.until.min(clock::tick() + pace));
        loop {
            let event = self.event(alarm.as_mut()).await;
            let now = clock::tick();
            match event {
                Event::Said(server, Ok(records)) => return Ok((server, records)),
                Event::Said(server, Err(trouble)) => {
                    if matches!(trouble, Trouble::NoName | Trouble::NoRecord) {
                        self.told[server] = Some(trouble.clone());
                        return Err(self.refusal(Some(trouble)));
                    }
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    let nobody = matches!(trouble, Trouble::Nobody(_));
                    self.told[server] = Some(trouble);
                    // Who was not there may be in a moment: with the next round.
                    let same_round = !self.next.is_multiple_of(self.told.len());
                    if (!nobody || same_round) && self.step() {
                        alarm.as_mut().reset(span.until.min(now + pace));
                    }
                }
                Event::Alarm if now >= span.until => return Err(self.refusal(None)),
                Event::Alarm => {
                    self.step();
                    alarm.as_mut().reset(span.until.min(now + pace));
                }
            }
            let no_step_left = self.next >= steps || self.told.iter().all(is_final);
            if self.open.is_empty() && no_step_left {
                return Err(self.refusal(None));
            }
            if no_step_left {
                alarm.as_mut().reset(span.until);
            }
        }
    }

    async fn event(&mut self, mut alarm: Pin<&mut Sleep>) -> Event<W::Record> {
        poll_fn(|context| {
            for place in 0..self.open.len() {
                if let Poll::Ready(said) = self.open[place].asking.as_mut().poll(context) {
                    let open = self.open.remove(place);
                    return Poll::Ready(Event::Said(open.server, said));
                }
            }
            alarm.as_mut().poll(context).map(|()| Event::Alarm)
        })
        .await
    }

    /// Asks the next server that has not failed; `false` where there is none.
    fn step(&mut self) -> bool {
        let view = &self.asker.view;
        let count = view.servers.len();
        while self.next < count * view.rounds {
            let round = self.next / count;
            let server = (self.next + self.asker.first) % count;
            self.next += 1;
            if is_final(&self.told[server]) {
                continue;
            }
            let extra = match self.open.is_empty() {
                true => None,
                false => match Arc::clone(&self.asker.extras).try_acquire_owned() {
                    Ok(extra) if self.open.len() < OPEN_MAX => Some(extra),
                    Ok(_) | Err(_) => {
                        if let Some(open) = self.open.iter().find(|open| open.server == server) {
                            open.again.notify_one();
                            return true;
                        }
                        // As glibc does always: who was silent is no longer listened to.
                        self.open.remove(0)._extra
                    }
                },
            };
            let way = Way {
                // A firewall that drops EDNS lets the repetition pass.
                edns: view.edns && round == 0,
                tcp: view.tcp,
            };
            let again = Arc::new(Notify::new());
            let to = view.servers[server].clone();
            let asking = ask(to, self.name.clone(), self.wanted, way, Arc::clone(&again));
            self.open.push(Open {
                server,
                asking: Box::pin(asking),
                again,
                _extra: extra,
            });
            return true;
        }
        false
    }

    /// The decisive trouble: an answer, else a failure, else our own, else silence.
    fn refusal(self, answer: Option<Trouble>) -> Refusal {
        let servers: Vec<(NameServer, Trouble)> = self
            .asker
            .view
            .servers
            .iter()
            .zip(self.told)
            .map(|(server, told)| (server.clone(), told.unwrap_or(Trouble::Silent)))
            .collect();
        let first = |wanted: fn(&Trouble) -> bool| {
            let mut all = servers.iter().map(|(_, trouble)| trouble);
            all.find(|trouble| wanted(trouble)).cloned()
        };
        let trouble = answer
            .or_else(|| first(|trouble| matches!(trouble, Trouble::Failed(_))))
            .or_else(|| first(|trouble| matches!(trouble, Trouble::Local(_))))
            .or_else(|| first(|trouble| matches!(trouble, Trouble::Nobody(_))))
            .unwrap_or(Trouble::Silent);
        Refusal { trouble, servers }
    }
}

/// Whether a server need not be asked again.
const fn is_final(told: &Option<Trouble>) -> bool {
    matches!(told, Some(Trouble::Failed(_) | Trouble::Local(_)))
}
