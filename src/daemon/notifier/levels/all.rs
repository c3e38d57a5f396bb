//! All instances of all channels that show open incidents, and what is written of what they have taken.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::instance::{AGAIN_AFTER, Instance};
use super::posting::{Posted, Posting};
use crate::channel::Sender;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::daemon::health::counters::ChannelTrouble;
use crate::daemon::hubs::gate::Gate;
use crate::daemon::notifier::channels;
use crate::daemon::recorder::message::{Entry, WriteWork};
use crate::daemon::recorder::queue::Door;
use crate::domain::channel::{ChannelName, Service};
use crate::domain::incident::IncidentKey;
use crate::domain::timestamp::Timestamp;
use crate::policy::outbox::out_of_reach::OutOfReach;
use crate::store::outbox::alerts::{self, Raised};
use crate::tls;
use crate::view::channel::alertmanager::Facts;

/// An end that an instance has not taken by then is given up, as a mail is. The instance shows nothing of it: what is
/// not posted again ends by itself after five minutes.
const ENDS_KEPT: Duration = Duration::from_secs(5 * 86_400);

/// All channels that show open incidents.
pub(in crate::daemon::notifier) struct Levels {
    instances: Vec<Instance>,
    numbers: u64,
    tasks: JoinSet<Posted>,
    under_way: HashMap<task::Id, u64>,
    raised: Vec<Raised>,
    /// What was handed out to be written and is not seen written yet.
    unwritten: HashSet<(String, IncidentKey, Mark)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mark {
    Shown,
    Ended,
    GivenUp,
}

impl Levels {
    pub(in crate::daemon::notifier) fn new(config: &Config, now: Timestamp) -> Self {
        let mut all = Self {
            instances: Vec::new(),
            numbers: 0,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            raised: Vec::new(),
            unwritten: HashSet::new(),
        };
        all.reconfigure(config, now);
        all
    }

    /// Another configuration is in force: instances that stay keep what they have taken, and all are tried at once.
    pub(in crate::daemon::notifier) fn reconfigure(&mut self, config: &Config, now: Timestamp) {
        let mut before = std::mem::take(&mut self.instances);
        let mut basis = None;
        for channel in &config.channels {
            let Service::Alertmanager { urls, .. } = &channel.service else {
                continue;
            };
            let basis = basis.get_or_insert_with(tls::Basis::load);
            let sender = match Sender::new(channel, basis) {
                Ok(sender) => Arc::new(sender),
                Err(error) => {
                    tracing::error!("channel {}: {error}", channel.name);
                    continue;
                }
            };
            for url in urls {
                let own = before
                    .iter()
                    .position(|old| old.channel.name == channel.name && old.url == *url);
                let old = own.map(|at| before.swap_remove(at));
                self.numbers += 1;
                let new = Instance {
                    number: self.numbers,
                    channel: Arc::clone(channel),
                    sender: Arc::clone(&sender),
                    url: url.clone(),
                    shown: HashSet::new(),
                    ended: HashSet::new(),
                    refused: HashSet::new(),
                    is_posting: false,
                    posted_at: None,
                    again_at: None,
                    failures: 0,
                    pause: None,
                    rest: None,
                    reach: OutOfReach::default(),
                };
                self.instances.push(match old {
                    Some(old) => Instance {
                        number: old.number,
                        shown: old.shown,
                        ended: old.ended,
                        is_posting: old.is_posting,
                        pause: old.pause.map(|pause| pause.ended(now)),
                        reach: old.reach,
                        ..new
                    },
                    None => new,
                });
            }
        }
    }

    /// A person wants everything tried again at once.
    pub(in crate::daemon::notifier) fn wake_up(&mut self, now: Timestamp) {
        for instance in &mut self.instances {
            instance.again_at = None;
            instance.posted_at = None;
            instance.pause = instance.pause.take().map(|pause| pause.ended(now));
            instance.refused.clear();
        }
    }

    /// What is raised, as it was just read.
    pub(in crate::daemon::notifier) fn know(
        &mut self,
        raised: Vec<Raised>,
        config: &Config,
        door: &Door,
        now: Timestamp,
    ) {
        self.raised = raised;
        let keys: HashSet<IncidentKey> = self.raised.iter().map(|one| one.incident).collect();
        for instance in &mut self.instances {
            for set in [
                &mut instance.shown,
                &mut instance.ended,
                &mut instance.refused,
            ] {
                set.retain(|incident| keys.contains(incident));
            }
        }
        let raised = &self.raised;
        self.unwritten.retain(|(channel, incident, mark)| {
            raised.iter().any(|one| {
                let is_it = one.channel == *channel && one.incident == *incident;
                is_it && !(*mark == Mark::Shown && one.is_shown)
            })
        });
        let given_up: Vec<(String, IncidentKey, &str)> = raised
            .iter()
            .filter_map(|one| {
                let name = ChannelName::parse(&one.channel).ok();
                let channel = name.and_then(|name| config.channel(&name));
                let is_old = one.closed_at.is_some_and(|at| now.since(at) > ENDS_KEPT);
                let why = if channel.is_none_or(|channel| !channel.format().is_level()) {
                    "its channel is no longer configured"
                } else if is_old {
                    "an instance has not taken the end within 5 days"
                } else if Facts::from_json(&one.facts).is_none() {
                    "another version of sitewatch wrote it"
                } else {
                    return None;
                };
                Some((one.channel.clone(), one.incident, why))
            })
            .collect();
        for (channel, incident, why) in given_up {
            self.write(door, (channel, incident, Mark::GivenUp), why, now);
        }
    }

    /// Begins the posts that are due. Answers when to look again at the latest.
    pub(in crate::daemon::notifier) fn step(
        &mut self,
        clock: Clock,
        gate: &Gate,
    ) -> Option<Timestamp> {
        let (now, tick) = (clock.now(), clock::tick());
        let mut wake: Option<Duration> = None;
        for instance in &mut self.instances {
            let name = instance.channel.name.as_str();
            let own = self.raised.iter().filter(|one| one.channel == name);
            let wanted: Vec<&Raised> = own.filter(|one| instance.wants(one)).collect();
            let Some(wait) = instance.due_in(&wanted, now, tick) else {
                continue;
            };
            if !wait.is_zero() {
                wake = Some(wake.map_or(wait, |wake| wake.min(wait)));
                continue;
            }
            instance.is_posting = true;
            instance.posted_at = Some((tick, now));
            let posting = Posting::new(
                &instance.channel,
                &instance.sender,
                &instance.url,
                &wanted,
                (clock, gate.clone()),
            );
            let task = self.tasks.spawn(posting.post());
            self.under_way.insert(task.id(), instance.number);
        }
        wake.map(|wait| now.plus(wait))
    }

    /// Ready when a post ended; never ready while none is under way.
    pub(in crate::daemon::notifier) async fn next(&mut self) -> Ended {
        match self.tasks.join_next_with_id().await {
            None => std::future::pending().await,
            Some(ended) => Ended(ended),
        }
    }

    /// Takes note of what came of a post.
    pub(in crate::daemon::notifier) fn posted(
        &mut self,
        Ended(ended): Ended,
        config: &Config,
        door: &Door,
        now: Timestamp,
    ) {
        let (id, posted) = match ended {
            Ok((id, posted)) => (id, Some(posted)),
            Err(error) => {
                tracing::error!("a fault of sitewatch ended a post to Alertmanager");
                (error.id(), None)
            }
        };
        let Some(number) = self.under_way.remove(&id) else {
            return;
        };
        let of_others = |other: &Instance| other.number != number && other.pause.is_some();
        let others_paused: HashSet<ChannelName> = self
            .instances
            .iter()
            .filter(|other| of_others(other))
            .map(|other| other.channel.name.clone())
            .collect();
        let Some(instance) = self.instances.iter_mut().find(|one| one.number == number) else {
            return;
        };
        instance.is_posting = false;
        let Some(posted) = posted else {
            instance.failed(AGAIN_AFTER);
            return;
        };
        instance.take(&posted, now);
        let name = instance.channel.name.clone();
        if let Some(said) = instance.reach.news(now)
            && !others_paused.contains(&name)
        {
            let place = instance.place();
            channels::tell_level_out_of_reach(config, door, (&name, &place), &said, now);
        }
        let incidents = posted.taken.iter().map(|(incident, _)| *incident);
        let refused = posted.refused.iter().map(|(incident, _)| *incident);
        for incident in incidents.chain(refused) {
            self.note(&name, incident, door, now);
        }
    }

    /// Has it written where every instance of a channel has taken an incident, or its end.
    fn note(&mut self, name: &ChannelName, incident: IncidentKey, door: &Door, now: Timestamp) {
        let all = self.instances.iter();
        let own: Vec<&Instance> = all.filter(|one| one.channel.name == *name).collect();
        let done = |of: fn(&Instance) -> &HashSet<IncidentKey>| {
            let has = |one: &&Instance| of(one).contains(&incident);
            own.iter()
                .all(|one| has(one) || one.refused.contains(&incident))
                && own.iter().any(has)
        };
        let mark = if done(|one| &one.ended) {
            Mark::Ended
        } else if own.iter().all(|one| one.refused.contains(&incident)) {
            Mark::GivenUp
        } else if done(|one| &one.shown) {
            Mark::Shown
        } else {
            return;
        };
        let why = "every instance refused it";
        self.write(door, (name.to_string(), incident, mark), why, now);
    }

    fn write(&mut self, door: &Door, what: (String, IncidentKey, Mark), why: &str, now: Timestamp) {
        let is_shown = |one: &Raised| one.channel == what.0 && one.incident == what.1;
        let is_shown = self
            .raised
            .iter()
            .any(|one| is_shown(one) && one.is_shown && what.2 == Mark::Shown);
        if is_shown || !self.unwritten.insert(what.clone()) {
            return;
        }
        let (channel, incident, mark) = what;
        if mark == Mark::GivenUp {
            tracing::warn!(
                "incident {incident} is no longer posted to the channel {channel}: {why}"
            );
        }
        let why = why.to_owned();
        let work: WriteWork = Box::new(move |batch| {
            let db = batch.outbox();
            match mark {
                Mark::Shown => alerts::shown(db, &channel, incident, now)?,
                Mark::Ended => alerts::ended(db, &channel, incident, now)?,
                Mark::GivenUp => alerts::give_up(db, &channel, incident, &why, now)?,
            }
            Ok(())
        });
        door.push(Entry::Write(work));
    }

    /// What keeps instances from taking anything.
    pub(in crate::daemon::notifier) fn troubles(&self) -> impl Iterator<Item = ChannelTrouble> {
        let kept = self.instances.iter();
        kept.filter(|instance| instance.pause.is_some() || instance.rest.is_some())
            .map(|instance| ChannelTrouble {
                name: format!("{} at {}", instance.channel.name, instance.place()),
                pause: instance.pause.clone(),
                rest: instance.rest.clone(),
            })
    }

    /// How many channels there are, and how many of them have no instance that takes anything.
    pub(in crate::daemon::notifier) fn count(&self) -> (usize, usize) {
        let names: HashSet<&ChannelName> =
            self.instances.iter().map(|one| &one.channel.name).collect();
        let is_shut = |name: &&&ChannelName| {
            let mut own = self.instances.iter();
            own.all(|one| one.channel.name != ***name || one.pause.is_some())
        };
        (names.len(), names.iter().filter(is_shut).count())
    }

    /// Lets posts under way end, at most until then, and hands in what came of them.
    pub(in crate::daemon::notifier) async fn finish(
        &mut self,
        until: Instant,
        config: &Config,
        door: &Door,
        clock: Clock,
    ) {
        while let Ok(Some(ended)) = timeout_at(until, self.tasks.join_next_with_id()).await {
            self.posted(Ended(ended), config, door, clock.now());
        }
        self.tasks.abort_all();
    }
}

/// A post that ended, or broke.
pub(in crate::daemon::notifier) struct Ended(Result<(task::Id, Posted), task::JoinError>);
