//! One post to one instance: what it tells, in as many requests as its length asks for, and what came of it.

use std::sync::Arc;

use url::Url;

use crate::channel::Sender;
use crate::clock::Clock;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::notifier::channels::send_now;
use crate::domain::channel::Channel;
use crate::domain::incident::IncidentKey;
use crate::domain::redaction::STARS;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::retry::Outcome;
use crate::store::outbox::alerts::Raised;
use crate::view::channel::alertmanager::{Alert, Facts, alert, post};

/// So many alerts a post: about 100 KB, and no more than 1 MB.
const ALERTS_A_POST: usize = 100;

/// What came of a post.
pub(super) struct Posted {
    /// What was taken, and whether it was its end.
    pub(super) taken: Vec<(IncidentKey, bool)>,
    pub(super) refused: Vec<(IncidentKey, String)>,
    /// What ended it early.
    pub(super) trouble: Option<Outcome>,
}

/// What one post tells of one incident.
struct Item {
    incident: IncidentKey,
    facts: Facts,
    opened_at: Timestamp,
    closed_at: Option<Timestamp>,
}

/// One post, in as many requests as its length asks for.
pub(super) struct Posting {
    channel: Arc<Channel>,
    sender: Arc<Sender>,
    url: Secret,
    items: Vec<Item>,
    clock: Clock,
    gate: Gate,
}

impl Posting {
    pub(super) fn new(
        channel: &Arc<Channel>,
        sender: &Arc<Sender>,
        url: &Secret,
        wanted: &[&Raised],
        (clock, gate): (Clock, Gate),
    ) -> Self {
        let items = wanted.iter().filter_map(|one| {
            Some(Item {
                incident: one.incident,
                facts: Facts::from_json(&one.facts)?,
                opened_at: one.opened_at,
                closed_at: one.closed_at,
            })
        });
        Self {
            channel: Arc::clone(channel),
            sender: Arc::clone(sender),
            url: url.clone(),
            items: items.collect(),
            clock,
            gate,
        }
    }

    /// Sends it. Stops where the instance is not to be had.
    pub(super) async fn post(self) -> Posted {
        let mut posted = Posted {
            taken: Vec::new(),
            refused: Vec::new(),
            trouble: None,
        };
        if let Err(why) = self.gate.pass().await {
            posted.trouble = Some(why.outcome());
            return posted;
        }
        for items in self.items.chunks(ALERTS_A_POST) {
            match self.send(items).await {
                Outcome::Accepted(_) => posted.taken.extend(items.iter().map(Item::taken)),
                Outcome::Permanent(why) if items.len() == 1 => {
                    posted.refused.push((items[0].incident, why));
                }
                Outcome::Permanent(_) => {
                    // It took the good ones; which they are shows one by one.
                    for item in items {
                        match self.send(std::slice::from_ref(item)).await {
                            Outcome::Accepted(_) => posted.taken.push(item.taken()),
                            Outcome::Permanent(why) => posted.refused.push((item.incident, why)),
                            trouble => {
                                posted.trouble = Some(trouble);
                                return posted;
                            }
                        }
                    }
                }
                trouble => {
                    posted.trouble = Some(trouble);
                    break;
                }
            }
        }
        posted
    }

    async fn send(&self, items: &[Item]) -> Outcome {
        let now = self.clock.now();
        let alerts: Vec<Alert> = items
            .iter()
            .map(|item| {
                let (opened_at, closed_at) = (item.opened_at, item.closed_at);
                alert(&self.channel, &item.facts, opened_at, closed_at, now)
            })
            .collect();
        let request = post(&self.channel, &self.url, &alerts);
        send_now(&self.channel, &self.sender, &request, || self.clock.now()).await
    }
}

impl Item {
    fn taken(&self) -> (IncidentKey, bool) {
        (self.incident, self.closed_at.is_some())
    }
}

/// Host and port of an instance.
pub(in crate::daemon::notifier) fn place(url: &Secret) -> String {
    let Ok(url) = Url::parse(url.reveal()) else {
        return STARS.to_owned();
    };
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", url.host_str().unwrap_or_default())
}
