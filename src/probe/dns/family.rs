//! Both families of one name: whichever answers first serves, and the other is not thrown away.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout_at};

use super::ask::Trouble;
use super::message::{Family, WireName};
use super::servers::{Asker, Refusal, Round, Span};
use super::usable::is_of_use;
use crate::clock;
use crate::domain::target::IpVersion;

/// How long the second address family is waited for once the first has answered with an address that can be tried
/// (RFC 8305 section 3 proposes 50 ms; more is kind to slow servers and still cheap).
const GRACE: Duration = Duration::from_millis(250);

/// A question under way.
pub(super) type Pending = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, Refusal>> + Send>>;

/// The addresses of one name.
pub(super) struct Answer {
    pub(super) addresses: Vec<IpAddr>,
    /// The other family's question, where it has no answer yet.
    pub(super) later: Option<Pending>,
}

/// What is wanted of one name.
pub(super) struct Question {
    pub(super) asker: Asker,
    pub(super) name: WireName,
    pub(super) version: IpVersion,
    /// Whether private addresses are of no use.
    pub(super) public_only: bool,
    pub(super) span: Span,
    /// Set once the name is known to have an address.
    pub(super) has_address: Arc<AtomicBool>,
}

/// One family's question, and how many servers have failed it.
struct Side {
    asking: Pending,
    failures: Arc<AtomicUsize>,
}

impl Question {
    pub(super) async fn answer(self) -> Result<Answer, Refusal> {
        let only = match self.version {
            IpVersion::V4 => Some(Family::V4),
            IpVersion::V6 => Some(Family::V6),
            IpVersion::Any if self.asker.view.no_aaaa => Some(Family::V4),
            IpVersion::Any => None,
        };
        if let Some(family) = only {
            let addresses = self.side(family).asking.await?;
            return Ok(Answer {
                addresses,
                later: None,
            });
        }
        let mut four = self.side(Family::V4);
        let mut six = self.side(Family::V6);
        if self.asker.view.single_request {
            (four, six) = self.one_after_the_other(four, six);
        }
        let (first, (failures, other)) = tokio::select! {
            first = &mut six.asking => (first, (six.failures, four)),
            first = &mut four.asking => (first, (four.failures, six)),
        };
        match first {
            Err(refusal) => match other.asking.await {
                Ok(addresses) => Ok(Answer {
                    addresses,
                    later: None,
                }),
                Err(second) => Err(merge(refusal, second)),
            },
            Ok(addresses) => {
                let failures = failures.load(Ordering::Relaxed);
                Ok(self.with_other(addresses, failures, other).await)
            }
        }
    }

    fn side(&self, family: Family) -> Side {
        let failures = Arc::new(AtomicUsize::new(0));
        let (asker, name) = (self.asker.clone(), self.name.clone());
        let round = Round::new(asker, name, family, Arc::clone(&failures));
        let span = self.span;
        Side {
            asking: Box::pin(async move { Ok(round.run(span).await?.1) }),
            failures,
        }
    }

    /// Some servers lose one of two questions that come together (`options single-request`).
    fn one_after_the_other(&self, four: Side, six: Side) -> (Side, Side) {
        let done = Arc::new(Notify::new());
        let is_done = Arc::clone(&done);
        let first = async move {
            let answer = four.asking.await;
            is_done.notify_one();
            answer
        };
        let now = clock::tick();
        let patience = now + self.span.share.saturating_duration_since(now) / 2;
        let second = async move {
            let _ = timeout_at(patience, done.notified()).await;
            six.asking.await
        };
        let side = |asking, failures| Side { asking, failures };
        (
            side(Box::pin(first), four.failures),
            side(Box::pin(second), six.failures),
        )
    }

    /// Waits for the other family: a moment, or to the end where the first is of no use.
    async fn with_other(
        &self,
        mut addresses: Vec<IpAddr>,
        failures: usize,
        mut other: Side,
    ) -> Answer {
        self.has_address.store(true, Ordering::Relaxed);
        let grace = match is_of_use(&addresses, self.public_only) {
            true => Some(self.span.until.min(clock::tick() + GRACE)),
            false => None,
        };
        let mut alarm = std::pin::pin!(sleep_until(grace.unwrap_or(self.span.until)));
        let second = poll_fn(|context| {
            if let Poll::Ready(second) = other.asking.as_mut().poll(context) {
                return Poll::Ready(Some(second));
            }
            // It needs a server more than the first family did: that may take long.
            if grace.is_some() && other.failures.load(Ordering::Relaxed) > failures {
                return Poll::Ready(None);
            }
            match grace {
                Some(_) => alarm.as_mut().poll(context).map(|()| None),
                // The question itself ends in time.
                None => Poll::Pending,
            }
        })
        .await;
        let later = match second {
            Some(Ok(more)) => {
                addresses.extend(more);
                None
            }
            Some(Err(_)) => None,
            None => Some(other.asking),
        };
        Answer { addresses, later }
    }
}

/// Of two refusals the more certain one.
fn merge(one: Refusal, other: Refusal) -> Refusal {
    match certainty(&one.trouble) >= certainty(&other.trouble) {
        true => one,
        false => other,
    }
}

const fn certainty(trouble: &Trouble) -> u8 {
    match trouble {
        Trouble::NoName => 5,
        Trouble::Local(_) => 4,
        Trouble::Failed(_) => 3,
        Trouble::Nobody(_) => 2,
        Trouble::Silent => 1,
        Trouble::NoRecord => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_certain_trouble_of_two_is_told() {
        let check = |one: Trouble, other: Trouble, want: Trouble| {
            let refusal = |trouble| Refusal {
                trouble,
                servers: Vec::new(),
            };
            for (one, other) in [(one.clone(), other.clone()), (other, one)] {
                assert_eq!(merge(refusal(one), refusal(other)).trouble, want);
            }
        };
        let failed = || Trouble::Failed(String::new());
        check(Trouble::Silent, failed(), failed());
        check(Trouble::NoRecord, Trouble::Silent, Trouble::Silent);
        check(Trouble::NoName, failed(), Trouble::NoName);
        check(Trouble::NoRecord, Trouble::NoName, Trouble::NoName);
        check(Trouble::NoRecord, Trouble::NoRecord, Trouble::NoRecord);
    }
}
