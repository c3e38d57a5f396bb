//! Looks whether objectives burn their error budget too fast: on a thread of its own, at most a tenth of its time.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::clock;
use crate::config::Config;
use crate::daemon::recorder::burns::{BurnSeen, WORST_MAX};
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::objective::Objective;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::error_budget::{LOOKS_BACK, Seen};
use crate::policy::availability::uptime::{Class, Piece};
use crate::store::error::Result;
use crate::store::reader::Reader;

/// After a look it rests so many times as long as the look took.
const REST_FACTOR: u32 = 9;

/// One look at a time, with rests between them.
#[derive(Debug, Default)]
pub struct BurnWatch {
    is_looking: AtomicBool,
    next: Mutex<Option<Instant>>,
}

impl BurnWatch {
    /// Looks, if no other look is under way and the last one is long enough ago.
    pub fn look<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let began = clock::tick();
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| began < next) || self.is_looking.swap(true, Ordering::AcqRel) {
            return None;
        }
        let made = work();
        let ended = clock::tick();
        let rest = ended.duration_since(began) * REST_FACTOR;
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended + rest);
        self.is_looking.store(false, Ordering::Release);
        Some(made)
    }
}

/// What the windows of all objectives say that are to be told.
///
/// # Errors
/// What the database says.
pub fn look(reader: &Reader, config: &Config, now: Timestamp) -> Result<Vec<BurnSeen>> {
    reader.together(|reader| {
        let stored = reader.monitors()?;
        let ids: HashMap<&MonitorName, MonitorId> = stored
            .iter()
            .map(|stored| (&stored.name, stored.id))
            .collect();
        let told = config.objectives.iter().filter(|one| one.alerts_on_burn);
        told.map(|objective| {
            let covered: BTreeMap<MonitorId, &MonitorName> = config
                .monitors_of(objective)
                .filter_map(|monitor| Some((*ids.get(&monitor.name)?, &monitor.name)))
                .collect();
            one(reader, objective, &covered, now)
        })
        .collect()
    })
}

fn one(
    reader: &Reader,
    objective: &Objective,
    covered: &BTreeMap<MonitorId, &MonitorName>,
    now: Timestamp,
) -> Result<BurnSeen> {
    let from = now.minus(LOOKS_BACK);
    let all: Vec<MonitorId> = covered.keys().copied().collect();
    let failing = reader.with_incidents(&all, from)?;
    let mut found = BurnSeen {
        objective: Arc::new(objective.clone()),
        seen: None,
        worst: Vec::new(),
    };
    if failing.is_empty() {
        return Ok(found);
    }
    let mut pieces = Vec::new();
    let mut down: Vec<(i64, MonitorId)> = Vec::new();
    for (id, course) in reader.courses(&failing, from, now)? {
        let own = course.pieces(i64::MIN, i64::MAX);
        let lost = own
            .iter()
            .filter(|piece| matches!(piece.class, Class::Down(_)));
        down.push((lost.map(|piece: &Piece| piece.to - piece.from).sum(), id));
        pieces.extend(own);
    }
    down.sort_unstable_by_key(|(lost, id)| (std::cmp::Reverse(*lost), *id));
    found.worst = down
        .iter()
        .filter(|(lost, _)| *lost > 0)
        .take(WORST_MAX)
        .filter_map(|(_, id)| covered.get(id).map(|name| (*name).clone()))
        .collect();
    let mut seen = Seen::all(&pieces, now, failing.len());
    let others: Vec<MonitorId> = all
        .iter()
        .filter(|id| failing.binary_search(id).is_err())
        .copied()
        .collect();
    // The time of all others is good or unknown: with it every rate is lower, so that often it need not be read.
    if seen.iter().any(|seen| seen.short_is_over(objective.target)) {
        reader.pieces(&others, from, now, false, &mut |pieces, count| {
            for seen in &mut seen {
                seen.add(pieces, now, count);
            }
        })?;
    }
    found.seen = Some(seen);
    Ok(found)
}
