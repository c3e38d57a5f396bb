//! One lookup: the static table, then the names that the search list makes of a host, one after the other.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::ask::Trouble;
use super::family::{Answer, Pending, Question};
use super::fault::{self, DnsFault, Tried};
use super::message::WireName;
use super::servers::{Asker, Refusal, Span};
use super::system::{SystemDns, View};
use super::usable::{blocked, usable};
use crate::clock;
use crate::domain::check::FailureKind;
use crate::domain::target::{DnsSettings, IpVersion};

/// Lookups in flight: a dead name server must not fill the memory with waiting questions.
const LOOKUPS_MAX: usize = 256;

/// Questions open beside the first one of each family: repetitions, further servers and further names. Where there are
/// more, the older question gives way, so that dead servers do not use up the descriptors.
const EXTRAS_MAX: usize = 128;

/// So many names of one lookup are asked for at a time; the oldest gives way.
const NAMES_MAX: usize = 3;

/// A silent search domain holds the next name up for so long at most: less than what makes a check slow.
const SEARCHED_MAX: Duration = Duration::from_secs(1);

/// A lookup ends so much before the check does: its own words say more than the check's.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(10);

/// Resolves names for all checks.
#[derive(Debug, Clone)]
pub(in crate::probe) struct Resolver(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) system: Arc<SystemDns>,
    pub(super) timeout: Duration,
    pub(super) lookups: Semaphore,
    pub(super) extras: Arc<Semaphore>,
}

/// Which addresses are wanted.
#[derive(Debug, Clone, Copy)]
pub(in crate::probe) struct Wanted {
    pub(in crate::probe) ip_version: IpVersion,
    /// Whether private addresses are refused.
    pub(in crate::probe) public_only: bool,
}

/// The addresses of a name, in the order of the attempts.
#[derive(Debug)]
pub(in crate::probe) struct Found {
    pub(in crate::probe) now: Vec<IpAddr>,
    /// The other family's, for when the attempts at these fail.
    pub(in crate::probe) later: Option<Later>,
}

/// A family whose answer has not come yet. Its time is the lookup's.
pub(in crate::probe) struct Later {
    asking: Pending,
    public_only: bool,
}

impl Later {
    /// The addresses, perhaps none. May be polled beside an attempt, and dropped at any time.
    pub(in crate::probe) async fn addresses(self) -> Vec<IpAddr> {
        let all = self.asking.await.unwrap_or_default();
        usable(all, self.public_only)
    }
}

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Later").finish_non_exhaustive()
    }
}

/// One of the names that a host may mean.
struct Candidate {
    shown: String,
    wire: WireName,
    /// Whether it is the name that was written.
    is_own: bool,
}

impl Resolver {
    pub(in crate::probe) fn new(settings: &DnsSettings) -> Self {
        Self(Arc::new(Shared {
            system: Arc::new(SystemDns::new(settings)),
            timeout: settings.timeout,
            lookups: Semaphore::new(LOOKUPS_MAX),
            extras: Arc::new(Semaphore::new(EXTRAS_MAX)),
        }))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    /// The addresses of a host, by the end of `[dns].timeout` or of the check.
    pub(in crate::probe) async fn lookup(
        &self,
        host: &str,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Found, DnsFault> {
        let answer = self.0.answer(host, wanted, deadline).await?;
        let private = answer.addresses.first().copied();
        let now = usable(answer.addresses, wanted.public_only);
        match (private, now.is_empty()) {
            (Some(private), true) => Err(DnsFault {
                kind: FailureKind::RedirectBlocked,
                detail: blocked(host, private),
            }),
            _ => Ok(Found {
                now,
                later: answer.later.map(|asking| Later {
                    asking,
                    public_only: wanted.public_only,
                }),
            }),
        }
    }
}

impl Shared {
    async fn answer(
        &self,
        host: &str,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Answer, DnsFault> {
        let end = deadline.checked_sub(LAST_WORDS).unwrap_or(deadline);
        let until = end.min(clock::tick() + self.timeout);
        let view = self.system.view().await;
        let bare = host.trim_end_matches('.').to_ascii_lowercase();
        let fixed = fixed(&view, &bare, wanted.ip_version);
        if !fixed.is_empty() {
            return Ok(Answer {
                addresses: fixed,
                later: None,
            });
        }
        // Only the wait for a place is bounded here; each question knows the end itself.
        let place = timeout_at(until, self.lookups.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(fault::no_place(host));
        };
        let asker = Asker {
            first: self.system.first(&view),
            view: Arc::clone(&view),
            extras: Arc::clone(&self.extras),
        };
        let Some(candidates) = candidates(&view, &bare, host.ends_with('.')) else {
            return Err(fault::unaskable(host));
        };
        let mut race = Race {
            asker,
            wanted,
            until,
            tried: Vec::with_capacity(candidates.len()),
            candidates: candidates.into_iter(),
            running: Vec::new(),
        };
        race.run()
            .await
            .ok_or_else(|| fault::of_names(&bare, wanted.ip_version, &view, &race.tried))
    }
}

/// What needs no name server.
fn fixed(view: &View, bare: &str, version: IpVersion) -> Vec<IpAddr> {
    let mut fixed: Vec<IpAddr> = view.hosts.get(bare).to_vec();
    if fixed.is_empty() && (bare == "localhost" || bare.ends_with(".localhost")) {
        // RFC 6761 section 6.3.
        fixed = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    }
    fixed.retain(|address| match version {
        IpVersion::Any => true,
        IpVersion::V4 => address.is_ipv4(),
        IpVersion::V6 => address.is_ipv6(),
    });
    fixed
}

/// The names in the order in which they are asked for, as glibc has it: a name with enough dots as it is first.
/// `None` where DNS could not hold the name.
fn candidates(view: &View, bare: &str, absolute: bool) -> Option<Vec<Candidate>> {
    let own = Candidate {
        shown: bare.to_owned(),
        wire: WireName::parse(bare)?,
        is_own: true,
    };
    if absolute {
        return Some(vec![own]);
    }
    let searched = view.search.iter().filter_map(|domain| {
        let shown = format!("{bare}.{domain}");
        // With some domains it may get too long.
        let wire = WireName::parse(&shown)?;
        Some(Candidate {
            shown,
            wire,
            is_own: false,
        })
    });
    let dots = bare.bytes().filter(|byte| *byte == b'.').count();
    let mut all: Vec<Candidate> = Vec::with_capacity(view.search.len() + 1);
    if dots >= view.ndots {
        all.push(own);
        all.extend(searched);
    } else {
        all.extend(searched);
        all.push(own);
    }
    Some(all)
}

/// The names of one lookup. A name that fails is passed over at once, one that is silent when its share of the time is
/// over; its late answer still counts.
struct Race {
    asker: Asker,
    wanted: Wanted,
    until: Instant,
    candidates: std::vec::IntoIter<Candidate>,
    running: Vec<Running>,
    tried: Vec<Tried>,
}

struct Running {
    shown: String,
    is_own: bool,
    has_address: Arc<AtomicBool>,
    asking: Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>,
}

enum Event {
    Ended(Running, Result<Answer, Refusal>),
    ShareIsOver,
}

impl Race {
    /// The first answer with an address; without one `tried` says what became of each name.
    async fn run(&mut self) -> Option<Answer> {
        let share = self.start()?;
        let mut alarm = std::pin::pin!(sleep_until(share));
        loop {
            match self.event(alarm.as_mut()).await {
                Event::Ended(_, Ok(answer)) => return Some(answer),
                Event::Ended(running, Err(refusal)) => {
                    self.tried.push(running.tried(refusal));
                    match self.start() {
                        Some(share) => alarm.as_mut().reset(share),
                        None if self.running.is_empty() => return None,
                        None => {}
                    }
                }
                Event::ShareIsOver => {
                    // A name with an address is waiting for a better one.
                    let has_address =
                        |running: &Running| running.has_address.load(Ordering::Relaxed);
                    let share = match self.running.iter().any(has_address) {
                        true => None,
                        false => self.start(),
                    };
                    // Each question ends by itself.
                    let never = self.until + Duration::from_secs(1);
                    alarm.as_mut().reset(share.unwrap_or(never));
                }
            }
        }
    }

    async fn event(&mut self, mut alarm: Pin<&mut Sleep>) -> Event {
        poll_fn(|context| {
            for place in 0..self.running.len() {
                if let Poll::Ready(answer) = self.running[place].asking.as_mut().poll(context) {
                    return Poll::Ready(Event::Ended(self.running.remove(place), answer));
                }
            }
            alarm.as_mut().poll(context).map(|()| Event::ShareIsOver)
        })
        .await
    }

    /// Begins with the next name and says when its share of the time is over.
    fn start(&mut self) -> Option<Instant> {
        let left = u32::try_from(self.candidates.len()).unwrap_or(u32::MAX);
        let candidate = self.candidates.next()?;
        if self.running.len() >= NAMES_MAX {
            let oldest = self.running.remove(0);
            self.tried.push(oldest.tried(Refusal::silence(&self.asker)));
        }
        let now = clock::tick();
        let time = self.until.saturating_duration_since(now);
        let share = match (left, candidate.is_own) {
            (0 | 1, _) => time,
            // A domain of the list may have a wildcard: it is no quick stand-in for a slow name.
            (_, true) => time / 4 * 3,
            (_, false) => (time / left).min(SEARCHED_MAX),
        };
        let share = now + share;
        let has_address = Arc::new(AtomicBool::new(false));
        let question = Question {
            asker: self.asker.clone(),
            name: candidate.wire,
            version: self.wanted.ip_version,
            public_only: self.wanted.public_only,
            span: Span {
                share,
                until: self.until,
            },
            has_address: Arc::clone(&has_address),
        };
        self.running.push(Running {
            shown: candidate.shown,
            is_own: candidate.is_own,
            has_address,
            asking: Box::pin(question.answer()),
        });
        Some(share)
    }
}

impl Running {
    fn tried(self, refusal: Refusal) -> Tried {
        Tried {
            name: self.shown,
            is_own: self.is_own,
            refusal,
        }
    }
}

impl Refusal {
    /// What is told of a name that gave way to another.
    fn silence(asker: &Asker) -> Self {
        let servers = asker.view.servers.iter();
        Self {
            trouble: Trouble::Silent,
            servers: servers
                .map(|server| (server.clone(), Trouble::Silent))
                .collect(),
        }
    }
}
