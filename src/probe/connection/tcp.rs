//! TCP to one of a host's addresses: the families race, dead addresses are left in time for the others.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock;

/// An address that does not answer is left for the next one after this at the latest: time for one
/// lost SYN and its repetition.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// The preferred family's lead over the other one (RFC 8305 section 5 proposes 250 ms; browsers have 300).
const HEAD_START: Duration = Duration::from_millis(300);

/// Addresses that are still asked for while the first ones are tried.
pub(in crate::probe) type Later<'a> = Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send + 'a>>;

/// The addresses of a host and what became of them.
#[derive(Debug, Default)]
pub(in crate::probe) struct Attempts {
    /// All that are known, in order of preference.
    addresses: Vec<IpAddr>,
    /// How many of them earlier attempts have used up.
    spent: usize,
    /// How many of them this attempt has: one, or one of each family.
    given: usize,
}

impl Attempts {
    pub(in crate::probe) const fn new(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            spent: 0,
            given: 0,
        }
    }

    /// The addresses that did not answer in earlier attempts.
    pub(in crate::probe) fn dead(&self) -> &[IpAddr] {
        &self.addresses[..self.spent]
    }

    /// The addresses of this attempt.
    pub(in crate::probe) fn tried_now(&self) -> &[IpAddr] {
        &self.addresses[self.spent..self.spent + self.given]
    }

    /// Begins the next attempt; false where no address is left.
    fn go_on(&mut self) -> bool {
        let next = self.spent + self.given;
        let given = match &self.addresses[next..] {
            [] => return false,
            [first, second, ..] if first.is_ipv6() != second.is_ipv6() => 2,
            [_, ..] => 1,
        };
        self.spent = next;
        self.given = given;
        true
    }

    /// Adds those that are not known yet.
    fn add(&mut self, more: Vec<IpAddr>) {
        for address in more {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
    }

    /// When this attempt makes way for the next one; none for the last.
    fn end(&self, deadline: Instant, more_may_come: bool) -> Option<Instant> {
        let left = self.addresses.len() - self.spent - self.given + usize::from(more_may_come);
        if left == 0 {
            return None;
        }
        // The next attempts take one or two addresses each.
        let attempts = u32::try_from(left.div_ceil(self.given.max(1))).unwrap_or(u32::MAX - 1);
        let now = clock::tick();
        let share = deadline.saturating_duration_since(now) / (attempts + 1);
        Some(now + share.min(ATTEMPT_MAX))
    }
}

/// Connects to one address (or one of each family) after the other until one answers. Addresses that come `later` are
/// tried after the first ones. The caller keeps the deadline.
///
/// # Errors
/// What the first address said: it is the one a browser would meet.
pub(in crate::probe) async fn connect(
    attempts: &mut Attempts,
    later: Option<Later<'_>>,
    port: u16,
    deadline: Instant,
) -> io::Result<(TcpStream, SocketAddr)> {
    connect_by(attempts, later, port, deadline, open).await
}

/// The same by another protocol than TCP.
///
/// # Errors
/// See [`connect`].
pub(in crate::probe) async fn connect_by<T, E, F>(
    attempts: &mut Attempts,
    mut later: Option<Later<'_>>,
    port: u16,
    deadline: Instant,
    open: impl Fn(SocketAddr) -> F,
) -> Result<T, E>
where
    E: From<io::Error>,
    F: Future<Output = Result<T, E>>,
{
    let mut first_error = None;
    loop {
        if !attempts.go_on() {
            let Some(more) = later.take() else {
                return Err(first_error.unwrap_or_else(|| {
                    let none = io::Error::from(io::ErrorKind::TimedOut);
                    none.into()
                }));
            };
            attempts.add(more.await);
            continue;
        }
        let to = |address: &IpAddr| SocketAddr::new(*address, port);
        let end = attempts.end(deadline, later.is_some());
        let (connected, more) = match attempts.tried_now() {
            [first, second] => {
                tried(pin!(race(&open, to(first), to(second))), end, &mut later).await
            }
            [one, ..] => tried(pin!(open(to(one))), end, &mut later).await,
            [] => (None, Vec::new()),
        };
        attempts.add(more);
        match connected {
            Some(Ok(connected)) => return Ok(connected),
            Some(Err(error)) => {
                first_error.get_or_insert(error);
            }
            None => {}
        }
    }
}

/// What came of an attempt; none if its time ran out. Asks on for addresses meanwhile.
async fn tried<T>(
    mut attempt: Pin<&mut impl Future<Output = T>>,
    end: Option<Instant>,
    later: &mut Option<Later<'_>>,
) -> (Option<T>, Vec<IpAddr>) {
    let mut more = Vec::new();
    loop {
        let asking = async {
            match later.as_mut() {
                Some(later) => later.await,
                None => std::future::pending().await,
            }
        };
        let out_of_time = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = attempt.as_mut() => return (Some(done), more),
            () = out_of_time => return (None, more),
            found = asking => {
                more = found;
                *later = None;
            }
        }
    }
}

async fn open(to: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect(to).await?;
    // Without it a request is only later.
    let _ = stream.set_nodelay(true);
    Ok((stream, to))
}

/// The second one begins when the first has failed or has had its head start.
async fn race<T, E, F>(
    open: &impl Fn(SocketAddr) -> F,
    first: SocketAddr,
    second: SocketAddr,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut one = pin!(open(first));
    tokio::select! {
        biased;
        connected = &mut one => match connected {
            Ok(connected) => return Ok(connected),
            Err(_) => return open(second).await,
        },
        () = sleep(HEAD_START) => {}
    }
    let mut two = pin!(open(second));
    tokio::select! {
        biased;
        connected = &mut one => match connected {
            Ok(connected) => Ok(connected),
            Err(_) => two.await,
        },
        connected = &mut two => match connected {
            Ok(connected) => Ok(connected),
            Err(_) => one.await,
        },
    }
}
