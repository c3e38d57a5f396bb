//! The checks of a time through the alert machine once more.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::command::{Asked, BEFORE, configured};
use crate::cli::recorded::{Arrivals, RecordedCheck};
use crate::domain::check::{Check, Verdict};
use crate::domain::incident::Incident;
use crate::domain::location::LocationName;
use crate::domain::monitor::{MonitorName, Rules};
use crate::domain::order::KeptOrder;
use crate::domain::settings::{AlertSettings, Covers, Escalation, Maintenance, MaintenanceTime};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::dependencies::Parent;
use crate::policy::alert::maintenance::Open;
use crate::policy::alert::monitor::Order;
use crate::policy::alert::state::Kept;
use crate::policy::alert::votes;
use crate::policy::replay::{Player, Replay, Traced, order_of};
use crate::policy::why;
use crate::store::checks::history::{HistoryQuery, Whence};
use crate::store::error::StoreError;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::facts::offline_state;
use crate::store::facts::past::Span;
use crate::store::facts::rules::StoredRules;
use crate::store::reader::Reader;
use crate::store::transaction::SpanKind;

/// So much of what it depends on is gone through as well.
const PARENTS_MAX: usize = 8;

/// Checks that are gone through at most, of the monitor and what it depends on; of longer outages the beginning and the
/// end.
const CHECKS_MAX: u64 = 2_000;

/// What the machine says of the time.
pub(super) struct Found {
    pub(super) kept: Kept,
    pub(super) traced: Vec<Traced>,
    pub(super) around: AroundThen,
    /// What its newest check has to say, where it is degraded.
    pub(super) reservation: Option<String>,
    /// Whether what is recorded led to what is stored.
    pub(super) agrees: bool,
    /// What locations say that do not simply say good; `None` if all do, or if there is one place only.
    pub(super) locations: Option<String>,
}

pub(super) struct AroundThen {
    pub(super) window: Option<Open>,
    pub(super) parents: Vec<(MonitorName, Parent)>,
    pub(super) offline: bool,
}

/// One that is gone through.
pub(super) struct Played {
    pub(super) player: Player,
    /// From when on which rules held; nothing if none are recorded.
    pub(super) rules: Vec<(Timestamp, StoredRules)>,
    pub(super) spans: Vec<Span>,
    /// Mutes and acknowledgements among them are given again; pauses are told by the spans.
    pub(super) orders: Vec<KeptOrder>,
}

impl Asked<'_> {
    /// The monitor, and what it depends on.
    pub(super) fn played(
        &self,
        reader: &Reader,
        known: &[StoredMonitor],
        monitor: &StoredMonitor,
        from: Timestamp,
    ) -> Result<Vec<Played>, StoreError> {
        let first = self.one(reader, monitor, from)?;
        let parents = first.player.depends_on.clone();
        let mut played = vec![first];
        for name in parents.iter().take(PARENTS_MAX) {
            if let Some(parent) = known.iter().find(|known| known.name == *name) {
                played.push(self.one(reader, parent, from)?);
            }
        }
        Ok(played)
    }

    fn one(
        &self,
        reader: &Reader,
        monitor: &StoredMonitor,
        from: Timestamp,
    ) -> Result<Played, StoreError> {
        let mut rules = reader.rules(monitor.id, from, self.at)?;
        let config = self.config;
        if rules.is_empty()
            && let Some(config) = config
            && let Some(now) = configured(config, &monitor.name)
        {
            let stored = StoredRules::of(
                now,
                &config.alerts,
                &config.escalation,
                config.has_way_out(),
            );
            rules.push((from, stored));
        }
        let newest = rules.last().map(|(_, rules)| rules);
        let first = rules.first().map(|(_, rules)| rules.rules());
        Ok(Played {
            player: Player {
                id: monitor.id,
                name: monitor.name.clone(),
                rules: Arc::new(first.unwrap_or_else(|| plain_rules(monitor))),
                depends_on: newest.map_or_else(|| Arc::from([]), |rules| rules.parents().collect()),
                tags: Arc::from([]),
                steps: rules
                    .first()
                    .map_or_else(Vec::new, |(_, rules)| rules.steps()),
            },
            spans: reader.spans(monitor.id, from, self.at)?,
            orders: reader.orders_between(monitor.id, from, self.at)?,
            rules,
        })
    }

    /// Runs the checks through the machine.
    pub(super) fn retrace(
        &self,
        reader: &Reader,
        played: &[Played],
        alerts: &AlertSettings,
        open: Option<&Incident>,
        from: Timestamp,
    ) -> Result<Found, StoreError> {
        let checks = self.checks(reader, played, open, from)?;
        let start = checks.first().map_or(from, |recorded| recorded.check.at);
        let start = start.minus(Duration::from_millis(1));
        let windows = windows(played, self.at);
        let players = played.iter().map(|played| played.player.clone());
        let mut world = Replay::with(players, alerts, &windows, &self.clock.zone, start);
        world.watch(0);
        for deed in deeds(played, checks, start, self.is_now.then_some(self.at)) {
            if deed.at <= self.at {
                deed.happens(&mut world);
            }
        }
        world.pass(self.at);
        let memory = world.memory(0);
        let retraced = memory.kept.clone();
        let stored = match self.is_now {
            true => reader.kept(played[0].player.id)?,
            false => None,
        };
        let agrees = match (&stored, open) {
            (Some(stored), _) => why::agree(&stored.status, &retraced.status),
            (None, Some(incident)) => {
                retraced.status.outage().map(|outage| outage.key) == Some(incident.key)
            }
            (None, None) => retraced.status.outage().is_none() && memory.recent.newest.is_some(),
        };
        let plain = &played[0].player.rules;
        let offline = self.is_now && offline_state::get(reader.outbox())?.is_some();
        let mut parents = world.parents(0);
        if self.is_now {
            as_they_are(reader, &played[1..], &mut parents)?;
        }
        let newest = memory.recent.newest.as_ref();
        let failure = newest.and_then(|check| match &check.verdict {
            Verdict::Degraded(failure) => Some(failure.detail.to_string()),
            Verdict::Up | Verdict::Down(_) | Verdict::Unknown(_) => None,
        });
        // What was heard of locations is not stored: it is of what was gone through.
        let newest = played[0].rules.last();
        let newest = newest.map_or_else(|| plain.clone(), |(_, rules)| Arc::new(rules.rules()));
        Ok(Found {
            reservation: failure,
            locations: votes::now(&newest, &retraced, self.at),
            kept: stored.unwrap_or(retraced),
            traced: world.take_traced(),
            around: AroundThen {
                window: world.window(0),
                parents,
                offline,
            },
            agrees,
        })
    }

    /// The checks up to the time, oldest first, by place: all of them, or of a long outage its beginning and its end.
    fn checks(
        &self,
        reader: &Reader,
        played: &[Played],
        open: Option<&Incident>,
        from: Timestamp,
    ) -> Result<Vec<RecordedCheck>, StoreError> {
        let mut found = self.segment(reader, played, from, self.at)?;
        if found.len() as u64 >= CHECKS_MAX
            && let Some(incident) = open
        {
            let oldest = found.last().map_or(self.at, |recorded| recorded.check.at);
            let until = incident.opened_at().plus(BEFORE).min(oldest);
            if from < until {
                found.extend(self.segment(reader, played, from, until)?);
            }
        }
        found.reverse();
        Ok(found)
    }

    /// Checks of a time, newest first.
    fn segment(
        &self,
        reader: &Reader,
        played: &[Played],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<RecordedCheck>, StoreError> {
        let until = until.plus(Duration::from_millis(1));
        let arrivals = Arrivals::new(reader.arrivals(from, until)?);
        let mut found = Vec::new();
        // One after the other: of a single monitor an hour is one look-up, of several it is read whole.
        for (place, one) in played.iter().enumerate() {
            let query = HistoryQuery {
                monitors: vec![one.player.id],
                since: Some(from),
                // The history ends before a time; what began in that millisecond may have ended in it as well.
                until: Some(until),
                limit: Some(CHECKS_MAX),
                whose: Whence::Each,
                ..HistoryQuery::default()
            };
            reader.history_of_locations(&query, &mut |_, location, check, _| {
                found.push(RecordedCheck {
                    place,
                    location: location.cloned(),
                    arrived_at: arrivals.of(location, &check),
                    check,
                });
                ControlFlow::Continue(())
            })?;
        }
        found.sort_by_key(|recorded| std::cmp::Reverse(recorded.check.at));
        found.truncate(usize::try_from(CHECKS_MAX).unwrap_or(usize::MAX));
        Ok(found)
    }
}

/// Puts in place of what was gone through what the daemon remembers: whether each of these fails now.
fn as_they_are(
    reader: &Reader,
    played: &[Played],
    parents: &mut Vec<(MonitorName, Parent)>,
) -> Result<(), StoreError> {
    for one in played {
        let Some(kept) = reader.kept(one.player.id)? else {
            continue;
        };
        let name = &one.player.name;
        let known = parents.iter_mut().find(|(parent, _)| parent == name);
        match (known, kept.paused || kept.gone_at.is_some()) {
            (_, true) => parents.retain(|(parent, _)| parent != name),
            (Some((_, parent)), false) => *parent = Parent::of(&kept, parent.known_at),
            (None, false) => parents.push((name.clone(), Parent::of(&kept, None))),
        }
    }
    Ok(())
}

/// Rules of a monitor of which none are known: of what is depended on only its failing counts.
fn plain_rules(monitor: &StoredMonitor) -> Rules {
    Rules {
        interval: monitor.interval,
        timeout: Duration::from_secs(10),
        failures_before_down: 3,
        successes_before_up: 2,
        retry_interval: Duration::from_secs(10),
        alert_on_slow: false,
        alert_on_redirect_change: false,
        alert_on_address_down: false,
        to: Vec::new(),
        quorum: None,
    }
}

/// The windows as they were.
fn windows(played: &[Played], at: Timestamp) -> Vec<Maintenance> {
    let mut windows = Vec::new();
    for one in played {
        for span in one
            .spans
            .iter()
            .filter(|span| span.kind == SpanKind::Maintenance)
        {
            let end = span.to.unwrap_or_else(|| at.plus(Duration::from_secs(1)));
            windows.push(Maintenance {
                covers: Covers::Some {
                    monitors: vec![one.player.name.clone()],
                    tags: Vec::new(),
                },
                when: MaintenanceTime::Once {
                    start: span.from,
                    end,
                },
                note: "".into(),
            });
        }
    }
    windows
}

/// One thing that happened then.
struct Deed {
    at: Timestamp,
    place: usize,
    what: What,
}

enum What {
    Checked(Option<LocationName>, Box<Check>),
    Order(Order),
    Rules(Arc<Rules>, Vec<Arc<Escalation>>),
}

impl Deed {
    fn happens(self, world: &mut Replay<'_>) {
        match self.what {
            What::Checked(None, check) => world.check(self.place, *check),
            What::Checked(Some(location), check) => {
                world.heard(self.place, &location, *check, self.at);
            }
            What::Order(order) => world.order(self.place, &order, self.at),
            What::Rules(rules, steps) => world.set_rules(self.place, (rules, steps), self.at),
        }
    }
}

/// Everything that happened, in order; what is asked about is `now`, or an earlier time.
fn deeds(
    played: &[Played],
    checks: Vec<RecordedCheck>,
    start: Timestamp,
    now: Option<Timestamp>,
) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::with_capacity(checks.len());
    for (place, one) in played.iter().enumerate() {
        for span in one
            .spans
            .iter()
            .filter(|span| span.kind == SpanKind::Paused)
        {
            deeds.push(Deed {
                at: span.from.max(start),
                place,
                what: What::Order(Order::Pause),
            });
            deeds.extend(span.to.map(|at| Deed {
                at,
                place,
                what: What::Order(Order::Resume),
            }));
        }
        deeds.extend(one.orders.iter().filter_map(|kept| {
            let order = order_of(&kept.order)?;
            Some(Deed {
                at: kept.at.max(start),
                place,
                what: What::Order(order),
            })
        }));
        // Rules may have changed between the time that is looked at and its first check.
        let later = one.rules.iter().skip(1);
        deeds.extend(later.map(|(at, rules)| Deed {
            at: (*at).max(start),
            place,
            what: What::Rules(Arc::new(rules.rules()), rules.steps()),
        }));
    }
    deeds.extend(checks.into_iter().map(|recorded| {
        Deed {
            // What is recorded was decided on.
            at: recorded.arrived_at.min(now.unwrap_or(Timestamp::MAX)),
            place: recorded.place,
            what: What::Checked(recorded.location, Box::new(recorded.check)),
        }
    }));
    deeds.sort_by_key(|deed| deed.at);
    deeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::monitor::MonitorId;

    #[test]
    fn rules_that_changed_before_the_first_check_judge_it() {
        let now = Timestamp::from_ms(1_796_072_910_000);
        let rules = |failures: u16| -> StoredRules {
            serde_json::from_str(&format!("{{\"failures_before_down\":{failures}}}")).unwrap()
        };
        let ago = |seconds| now.minus(Duration::from_secs(seconds));
        let played = Played {
            player: Player {
                id: MonitorId(5),
                name: MonitorName::parse("shop").unwrap(),
                rules: Arc::new(rules(1).rules()),
                depends_on: Arc::from([]),
                tags: Arc::from([]),
                steps: Vec::new(),
            },
            rules: vec![
                (ago(7200), rules(1)),
                (ago(10), rules(3)),
                (ago(2), rules(4)),
            ],
            spans: Vec::new(),
            orders: Vec::new(),
        };
        let found: Vec<_> = deeds(&[played], Vec::new(), ago(5), None)
            .into_iter()
            .map(|deed| match deed.what {
                What::Rules(rules, _) => (deed.at, rules.failures_before_down),
                What::Checked(..) | What::Order(_) => (deed.at, 0),
            })
            .collect();
        assert_eq!(found, [(ago(5), 3), (ago(2), 4)]);
    }
}
