//! One request and its answer: a fresh connection, the marks, the phases.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::trace::{TRACE, Trace, Wishes, mark};
use crate::clock;
use crate::domain::check::{Micros, Timings};

/// An address that does not answer is left for the next one after this at the latest: time for one
/// lost SYN and its repetition.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// How one request went.
pub(super) struct Exchange {
    /// The header, or why there is none.
    pub(super) outcome: Outcome,
    /// What the hooks saw.
    pub(super) trace: Box<Trace>,
    /// When it began.
    pub(super) begun: Instant,
    /// When the header was complete, or the request failed.
    pub(super) header_at: Instant,
    /// Addresses that did not answer while another one did.
    pub(super) dead: Vec<IpAddr>,
}

/// The header of an answer, or why there is none.
pub(super) enum Outcome {
    /// The header is complete.
    Answer(reqwest::Response),
    /// It will never be.
    Error(reqwest::Error),
    /// It was not by the deadline.
    Timeout,
}

enum Attempt {
    Done(Result<reqwest::Response, reqwest::Error>),
    /// TCP did not come up in this attempt's share of the time.
    Abandoned,
    Timeout,
}

/// Sends a request, to one address (or one of each family) after the other until TCP comes up.
pub(super) async fn exchange(
    client: &reqwest::Client,
    request: impl Fn() -> reqwest::Request,
    wishes: Wishes,
) -> Exchange {
    let begun = clock::tick();
    let deadline = wishes.deadline;
    let mut trace = Box::new(Trace::new(wishes));
    let mut first_error = None;
    let mut dead = Vec::new();
    loop {
        let (attempt, mut seen) = attempt(client.execute(request()), trace, deadline).await;
        let may_go_on = seen.has_more() && !seen.tcp_is_up() && seen.dns_fault.is_none();
        let outcome = match attempt {
            Attempt::Done(Ok(answer)) => Outcome::Answer(answer),
            Attempt::Done(Err(error)) if may_go_on => {
                first_error.get_or_insert(error);
                dead.extend_from_slice(seen.tried_now());
                seen.next_attempt();
                trace = seen;
                continue;
            }
            Attempt::Abandoned => {
                dead.extend_from_slice(seen.tried_now());
                seen.next_attempt();
                trace = seen;
                continue;
            }
            // What the first address said is told: it is the one a browser would meet.
            Attempt::Done(Err(error)) if seen.tcp_is_up() => Outcome::Error(error),
            Attempt::Done(Err(error)) => Outcome::Error(first_error.take().unwrap_or(error)),
            Attempt::Timeout => Outcome::Timeout,
        };
        return Exchange {
            outcome,
            header_at: clock::tick(),
            trace: seen,
            begun,
            dead,
        };
    }
}

async fn attempt(
    sending: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
    trace: Box<Trace>,
    deadline: Instant,
) -> (Attempt, Box<Trace>) {
    TRACE
        .scope(RefCell::new(Some(trace)), async {
            let attempt = watched(sending, deadline).await;
            let seen = TRACE.with(RefCell::take).expect("nobody else takes it");
            (attempt, seen)
        })
        .await
}

/// Sends under the deadline, and under this attempt's share of it where other addresses are left.
async fn watched(
    sending: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
    deadline: Instant,
) -> Attempt {
    let mut sending = std::pin::pin!(sending);
    let mut alarm = std::pin::pin!(sleep_until(deadline));
    let mut is_share = false;
    let mut looked = false;
    std::future::poll_fn(|context| {
        if let Poll::Ready(done) = sending.as_mut().poll(context) {
            return Poll::Ready(Attempt::Done(done));
        }
        if !looked && let Some((begun, left)) = mark(|trace| others_left(trace)).flatten() {
            looked = true;
            if left > 0 {
                let share = deadline.saturating_duration_since(begun) / (left + 1);
                is_share = true;
                alarm.as_mut().reset(begun + share.min(ATTEMPT_MAX));
            }
        }
        while alarm.as_mut().poll(context).is_ready() {
            if !is_share {
                return Poll::Ready(Attempt::Timeout);
            }
            if mark(|trace| !trace.tcp_is_up()) == Some(true) {
                return Poll::Ready(Attempt::Abandoned);
            }
            is_share = false;
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await
}

/// Once the addresses are known: when this attempt's connection began and how many attempts are left
/// after it.
fn others_left(trace: &Trace) -> Option<(Instant, u32)> {
    let all = trace.addresses.as_ref()?;
    let left = all.len().saturating_sub(trace.spent + trace.given);
    // The next attempts take one or two addresses each.
    let attempts = u32::try_from(left.div_ceil(trace.given.max(1))).unwrap_or(u32::MAX - 1);
    Some((clock::tick(), attempts))
}

impl Exchange {
    /// The address that was connected to, or the first that was tried.
    pub(super) fn remote_addr(&self, port: Option<u16>) -> Option<SocketAddr> {
        if let Outcome::Answer(answer) = &self.outcome
            && let Some(address) = answer.remote_addr()
        {
            return Some(address);
        }
        self.trace.peer.or_else(|| {
            let first = self.trace.tried_now().first().or(self.dead.first())?;
            Some(SocketAddr::new(*first, port?))
        })
    }

    /// Adds this exchange's phases to the chain's; a phase that broke counts until then.
    pub(super) fn add_phases(&self, timings: &mut Timings) {
        let trace = &self.trace;
        let mut reached = self.begun;
        if let Some((begun, ended)) = trace.dns {
            let ended = ended.unwrap_or(self.header_at);
            add(&mut timings.dns, ended.saturating_duration_since(begun));
            reached = ended;
            if trace.dns_fault.is_some() || matches!(trace.dns, Some((_, None))) {
                return;
            }
        } else if let Some(called) = trace.called {
            reached = called;
        }
        let tcp_up = trace.hello.or(trace.connected).unwrap_or(self.header_at);
        add(
            &mut timings.connect,
            tcp_up.saturating_duration_since(reached),
        );
        if let Some(hello) = trace.hello {
            let stood = trace.connected.unwrap_or(self.header_at);
            add(&mut timings.tls, stood.saturating_duration_since(hello));
        }
        if let Some(stood) = trace.connected {
            let waited = self.header_at.saturating_duration_since(stood);
            add(&mut timings.ttfb, waited);
        }
    }

    /// One line about the addresses that did not answer while another one did.
    pub(super) fn remark(&self, host: &str) -> Option<String> {
        let winner = match &self.outcome {
            Outcome::Answer(answer) => answer.remote_addr()?.ip(),
            Outcome::Error(_) | Outcome::Timeout => return None,
        };
        let mut dead = self.dead.clone();
        // The first of a pair is the preferred one; it lost, so it was refused or too late.
        if let [first, _] = self.trace.tried_now()
            && *first != winner
            && !self.trace.wishes.proxied
        {
            dead.push(*first);
        }
        if dead.is_empty() {
            return None;
        }
        let list: Vec<String> = dead.iter().map(ToString::to_string).collect();
        let what = if winner.is_ipv4() && dead.iter().all(IpAddr::is_ipv6) {
            "IPv6 does not answer in time"
        } else {
            "not every address answers in time"
        };
        Some(format!(
            "{what}: `{host}` was reached at {winner}, not at {}",
            list.join(", ")
        ))
    }
}

pub(super) fn add(phase: &mut Option<Micros>, took: Duration) {
    *phase = Some(phase.unwrap_or_default().plus(Micros::of(took)));
}
