//! One check of a subject, and where it is wished one of each address of its name and of each version of HTTP.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::canaries::Aviary;
use super::judging::{Judged, Judges};
use super::versions::{Offer, Others, doubt_udp};
use crate::clock;
use crate::domain::check::{Check, FailureKind, Verdict};
use crate::domain::evidence::Keep;
use crate::domain::subject::{EachAddress, Subject};
use crate::domain::timestamp::Timestamp;
use crate::policy::verdict::addresses::{address_check, judged_by_addresses};
use crate::policy::verdict::judge;
use crate::policy::verdict::versions::judged_by_versions;
use crate::probe::Prober;

/// Before the next slot there is this much room.
const BEFORE_THE_SLOT: Duration = Duration::from_millis(200);

/// What a check is made with.
#[derive(Debug, Clone, Copy)]
pub struct Eyes<'a> {
    /// Sends the requests.
    pub prober: &'a Prober,
    /// Judge the answers.
    pub judges: &'a Judges,
    /// Know whether our own line is alive; `None`: what is seen is told as it is.
    pub canaries: Option<&'a Arc<Aviary>>,
}

/// What was seen of one address; `None` if there was no time.
type Seen = (usize, Option<Judged>);

/// Checks a subject, and each of its addresses and versions of HTTP where that is wished: all of it within `room`, the
/// time from one slot to the next. What is kept of an answer is the ordinary check's.
///
/// # Errors
/// The message of a panic that was not the answer's.
pub async fn look(
    tools: Eyes<'_>,
    subject: &Subject,
    began: Timestamp,
    room: Duration,
    keep: Keep,
) -> Result<judge::Judged, String> {
    let Eyes { prober, judges, .. } = tools;
    let begun = clock::tick();
    let observing = prober.observe_and_keep(subject, began, judges, keep);
    let observed = observing.await;
    let offered = subject.offered().map(|offered| {
        let site = Offer::of(&offered, &observed);
        (offered, site)
    });
    let mut judged = judges.judge_and_keep(subject, observed, keep).await?;
    if subject.speaks_http3() {
        Box::pin(doubt_udp(tools, &mut judged.check)).await;
    }
    let deadline = |timeout: Duration| {
        let left = room.saturating_sub(begun.elapsed() + BEFORE_THE_SLOT);
        clock::tick() + timeout.min(left)
    };
    let was_good = judged.check.verdict.is_good();
    let ordinary = offered.map(|(offered, site)| (offered, site.ordinary(&judged.check), site));
    if let Some(each) = subject.each() {
        // Large, and in the way of checks that have no use for it, as what follows.
        let addresses = Box::pin(prober.addresses(&each, deadline(each.timeout))).await;
        // What the name took is not taken from its addresses.
        let asked = Asked {
            each: &each,
            addresses,
            known: known_address(&judged.check),
            deadline: deadline(each.timeout),
        };
        let looking = Box::pin(each_of(prober, judges, subject, asked));
        let (addresses, panic) = looking.await?;
        let all = addresses
            .into_iter()
            .map(|(addr, check)| address_check(addr, check))
            .collect();
        judged.check = judged_by_addresses(judged.check, all, each.bad);
        judged.panic = judged.panic.or(panic);
    }
    if let Some((offered, ordinary, site)) = ordinary {
        let others = Others {
            tools,
            subject,
            offered,
            deadline: deadline(offered.timeout),
        };
        let (versions, panic) = Box::pin(others.look(ordinary, site)).await?;
        judged.check = judged_by_versions(judged.check, versions, offered.bad);
        judged.panic = judged.panic.or(panic);
    }
    // Where the addresses or the versions say otherwise, the answer of the ordinary check shows nothing of it.
    let is_shown = judged.check.verdict.is_good() == was_good;
    judged.evidence = judged.evidence.filter(|_| is_shown);
    Ok(judged)
}

/// The address that the ordinary check is a check of, where that is sure. One that failed may not even have had a
/// connection, and one that was late may have waited for the name: then each address is looked at by itself.
fn known_address(ordinary: &Check) -> Option<(SocketAddr, &Check)> {
    let address = ordinary.chain.remote_addr?;
    let is_sure = match &ordinary.verdict {
        Verdict::Up => true,
        Verdict::Degraded(failure) => failure.kind != FailureKind::Slow,
        Verdict::Down(_) | Verdict::Unknown(_) => false,
    };
    let is_alone = ordinary.chain.redirects.is_empty();
    (is_sure && is_alone).then_some((address, ordinary))
}

/// The addresses of a name, each of which is to be checked.
struct Asked<'a> {
    each: &'a EachAddress,
    addresses: Vec<IpAddr>,
    /// The one that was checked already.
    known: Option<(SocketAddr, &'a Check)>,
    /// When all must have been looked at.
    deadline: Instant,
}

/// Checks every address of the name but the one that is known, as many at once as may be.
async fn each_of(
    prober: &Prober,
    judges: &Judges,
    subject: &Subject,
    asked: Asked<'_>,
) -> Result<(Vec<(SocketAddr, Option<Check>)>, Option<String>), String> {
    let Asked {
        each,
        addresses,
        known,
        deadline,
    } = asked;
    let waiting: Mutex<VecDeque<(usize, IpAddr)>> =
        Mutex::new(addresses.iter().copied().enumerate().collect());
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    };
    let worker = || async {
        let mut seen: Vec<Seen> = Vec::new();
        while let Some((index, address)) = next() {
            if let Some((known, ordinary)) = known
                && known == SocketAddr::new(address, each.at.port)
            {
                seen.push((index, Some((ordinary.clone(), None))));
                continue;
            }
            let left = deadline.saturating_duration_since(clock::tick());
            // A shorter time would blame a site for what the others took.
            if left < each.timeout / 2 {
                seen.push((index, None));
                continue;
            }
            let pinned = subject.pinned(address, left.min(each.timeout));
            let observed = Box::pin(prober.observe(&pinned, clock::now(), judges)).await;
            seen.push((index, Some(judges.judge(&pinned, observed).await?)));
        }
        Ok::<_, String>(seen)
    };
    // Four at once.
    let (a, b, c, d) = tokio::try_join!(worker(), worker(), worker(), worker())?;
    let mut all: Vec<Seen> = [a, b, c, d].into_iter().flatten().collect();
    all.sort_by_key(|(index, _)| *index);
    let mut panics = None;
    let checks = all.into_iter().map(|(index, judged)| {
        let addr = SocketAddr::new(addresses[index], each.at.port);
        let check = judged.map(|(check, panic)| {
            panics = panics.take().or(panic);
            check
        });
        (addr, check)
    });
    let checks = checks.collect();
    Ok((checks, panics))
}
