//! One instance of Alertmanager: what it has taken, and when it is posted to next.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::posting::{self, Posted};
use crate::channel::Sender;
use crate::clock;
use crate::domain::channel::Channel;
use crate::domain::incident::IncidentKey;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::out_of_reach::OutOfReach;
use crate::policy::outbox::rest::Rest;
use crate::policy::outbox::retry::Outcome;
use crate::policy::outbox::transport_pause::Pause;
use crate::store::outbox::alerts::Raised;

/// What is open is posted again after this; an alert outlives five rounds.
const POST_EVERY: Duration = Duration::from_secs(60);
/// The first wait after a post that failed; it doubles up to [`POST_EVERY`].
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// One instance of Alertmanager. Each has to take everything.
pub(super) struct Instance {
    /// Tells it from others, also over a reload.
    pub(super) number: u64,
    pub(super) channel: Arc<Channel>,
    pub(super) sender: Arc<Sender>,
    pub(super) url: Secret,
    /// What it has taken while it was open.
    pub(super) shown: HashSet<IncidentKey>,
    /// What it has taken the end of.
    pub(super) ended: HashSet<IncidentKey>,
    /// What it will never take.
    pub(super) refused: HashSet<IncidentKey>,
    pub(super) is_posting: bool,
    /// When the last post began, by both clocks.
    pub(super) posted_at: Option<(Instant, Timestamp)>,
    /// When it is tried again after posts that failed.
    pub(super) again_at: Option<Instant>,
    pub(super) failures: u32,
    pub(super) pause: Option<Pause>,
    pub(super) rest: Option<Rest>,
    /// Whether the others are to hear of it.
    pub(super) reach: OutOfReach,
}

impl Instance {
    /// Whether there is something to post of an incident.
    pub(super) fn wants(&self, one: &Raised) -> bool {
        let is_over = one.closed_at.is_some() && self.ended.contains(&one.incident);
        !is_over && !self.refused.contains(&one.incident)
    }

    /// How long until the next post; `None` while one is under way or nothing is to be posted.
    pub(super) fn due_in(
        &mut self,
        wanted: &[&Raised],
        now: Timestamp,
        tick: Instant,
    ) -> Option<Duration> {
        if self.is_posting {
            return None;
        }
        if wanted.is_empty() {
            (self.pause, self.rest, self.again_at, self.failures) = (None, None, None, 0);
            return None;
        }
        if let Some(pause) = self.pause.as_ref().filter(|pause| pause.rests(now)) {
            return Some(pause.until.since(now));
        }
        if let Some(again_at) = self.again_at {
            return Some(again_at.saturating_duration_since(tick));
        }
        let is_news =
            |one: &&&Raised| one.closed_at.is_some() || !self.shown.contains(&one.incident);
        if wanted.iter().any(|one| is_news(&one)) {
            return Some(Duration::ZERO);
        }
        let left = self.posted_at.map_or(Duration::ZERO, |(began, at)| {
            // The machine may have slept: then only the wall clock went on.
            let passed = tick.duration_since(began).max(now.since(at));
            POST_EVERY.saturating_sub(passed)
        });
        Some(left)
    }

    /// Waits before the next post.
    pub(super) fn failed(&mut self, wait: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.again_at = Some(clock::tick() + wait);
    }

    /// Takes note of what came of a post.
    pub(super) fn take(&mut self, posted: &Posted, now: Timestamp) {
        for (incident, is_end) in &posted.taken {
            let set = if *is_end {
                &mut self.ended
            } else {
                &mut self.shown
            };
            set.insert(*incident);
        }
        for (incident, why) in &posted.refused {
            let (name, place) = (&self.channel.name, self.place());
            tracing::error!("channel {name}: {place} refuses incident {incident}: {why}");
            self.refused.insert(*incident);
        }
        let Some(trouble) = &posted.trouble else {
            (self.pause, self.rest, self.again_at, self.failures) = (None, None, None, 0);
            self.reach.note(&Outcome::Accepted(String::new()), now);
            return;
        };
        self.reach.note(trouble, now);
        self.pause = Pause::after(self.pause.as_ref(), trouble, now);
        let doublings = self.failures.min(10);
        let mut wait = (AGAIN_AFTER * 2_u32.pow(doublings)).min(POST_EVERY);
        let why = match trouble {
            Outcome::Later { after, error } => {
                wait = *after;
                error
            }
            Outcome::Accepted(why)
            | Outcome::Temporary { error: why, .. }
            | Outcome::Permanent(why)
            | Outcome::Rest(why)
            | Outcome::Pause(why)
            | Outcome::Unknown(why) => why,
        };
        if self.pause.is_some() {
            self.rest = None;
            self.again_at = None;
            return;
        }
        if self.failures == 0 {
            let (name, place) = (&self.channel.name, self.place());
            tracing::warn!("channel {name}: {place}: {why}; it is posted again");
        }
        self.failed(wait);
        self.rest = Some(Rest {
            since: self.rest.as_ref().map_or(now, |rest| rest.since),
            tried_at: now,
            until: now.plus(wait),
            tries: self.failures,
            why: why.clone(),
        });
    }

    /// Host and port: the rest of its address may be a secret.
    pub(super) fn place(&self) -> String {
        posting::place(&self.url)
    }
}
