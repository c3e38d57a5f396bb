//! What is usual for a monitor: phase times, counts over time, redirect chains.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::hour_block::Row;
use super::journal::{DAY, HOUR, Whose, checks_between, settled, unsettled};
use super::observed_period::counts;
use crate::domain::check::{Chain, Check, Micros, Timings};
use crate::domain::monitor::MonitorId;
use crate::domain::slow_limit::Usual;
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::histogram::Histogram;
use crate::store::compaction::rollup::{self, Tally};
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::writer::Store;

/// A time during which good checks followed the same redirect chain.
#[derive(Debug, Clone)]
pub struct Spell {
    /// The first check of it.
    pub from: Timestamp,
    /// The last one.
    pub to: Timestamp,
    /// How many there were.
    pub checks: u64,
    /// The chain of the last one.
    pub chain: Arc<Chain>,
}

/// A week in hours.
const WEEK_HOURS: i64 = 7 * 24;

/// What is usual is that of so many weeks at most: a site that was moved two months ago is another one.
const USUAL_WEEKS: u8 = 4;

/// And of so many at least.
const USUAL_WEEKS_MIN: u8 = 2;

impl Store {
    /// What is usual for a monitor at this hour of the week: the median of how long its good checks took in the same
    /// hour of the last four weeks. `None` until there are two weeks with such checks.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn usual_total(&self, monitor: MonitorId, now: Timestamp) -> Result<Option<Usual>> {
        usual_total(self.connection(), monitor, now)
    }
}

fn usual_total(
    connection: &Connection,
    monitor: MonitorId,
    now: Timestamp,
) -> Result<Option<Usual>> {
    let this_hour = now.as_ms().div_euclid(HOUR);
    let mut latency = Histogram::default();
    let mut weeks = 0;
    for back in 1..=i64::from(USUAL_WEEKS) {
        let hour = this_hour - back * WEEK_HOURS;
        let rollup = rollup::hour(connection, monitor.0, hour)?;
        if let Some(rollup) = rollup.filter(|rollup| rollup.tally.latency.total() > 0) {
            latency.merge(&rollup.tally.latency);
            weeks += 1;
        }
    }
    let total = latency.percentile(50).filter(|_| weeks >= USUAL_WEEKS_MIN);
    Ok(total.map(|total| Usual { total, weeks }))
}

impl Reader {
    /// As [`Store::usual_total`].
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn usual_total(&self, monitor: MonitorId, now: Timestamp) -> Result<Option<Usual>> {
        usual_total(self.connection(), monitor, now)
    }

    /// The medians of each phase over the good checks of the day before `now`; `None` if there was none.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn usual(&self, monitor: MonitorId, now: Timestamp) -> Result<Option<Timings>> {
        let rows = self.together(|reader| {
            let (from, to) = (now.as_ms() - DAY, now.as_ms());
            checks_between(reader.connection(), monitor, from, to)
        })?;
        let good: Vec<&Row> = rows.iter().filter(|row| row.context.state < 2).collect();
        let phase = |place: usize| {
            let times = good.iter().filter_map(|row| row.phases[place]);
            median(times.collect()).map(Micros::new)
        };
        let Some(total) = median(good.iter().map(|row| row.total).collect()) else {
            return Ok(None);
        };
        Ok(Some(Timings {
            dns: phase(0),
            connect: phase(1),
            tls: phase(2),
            ttfb: phase(3),
            body: phase(4),
            total: Micros::new(total),
        }))
    }

    /// All checks of a monitor from `from` up to but not including `to`, oldest first.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn checks(&self, monitor: MonitorId, from: Timestamp, to: Timestamp) -> Result<Vec<Check>> {
        self.together(|reader| {
            let connection = reader.connection();
            checks_between(connection, monitor, from.as_ms(), to.as_ms())?
                .iter()
                .map(|row| reader.resolver.check(connection, row))
                .collect()
        })
    }

    /// The redirect chains of good checks from `from` to `to`, oldest first. Chains are the same if their codes and
    /// their URLs without query and fragment are.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn ways(&self, monitor: MonitorId, from: Timestamp, to: Timestamp) -> Result<Vec<Spell>> {
        self.together(|reader| {
            let connection = reader.connection();
            let mut spells: Vec<(i64, Spell)> = Vec::new();
            for row in checks_between(connection, monitor, from.as_ms(), to.as_ms())? {
                if row.context.state >= 2 {
                    continue;
                }
                let shape = reader.resolver.shape(connection, row.context.chain)?;
                let at = Timestamp::from_ms(row.at);
                match spells.last_mut() {
                    Some((known, spell)) if *known == shape => {
                        spell.to = at;
                        spell.checks += 1;
                    }
                    _ => spells.push((
                        shape,
                        Spell {
                            from: at,
                            to: at,
                            checks: 1,
                            chain: reader.resolver.check(connection, &row)?.chain,
                        },
                    )),
                }
            }
            Ok(spells.into_iter().map(|(_, spell)| spell).collect())
        })
    }

    /// Counts and latencies between neighbours of `edges`, which must be in order, for some monitors (all if none is
    /// named). Fast where the edges are whole hours or UTC days.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn tallies(
        &self,
        monitors: &[MonitorId],
        edges: &[Timestamp],
    ) -> Result<HashMap<MonitorId, Vec<Tally>>> {
        let edges: Vec<i64> = edges.iter().map(|edge| edge.as_ms()).collect();
        let Some(first) = edges.first() else {
            return Ok(HashMap::new());
        };
        self.together(|reader| {
            let connection = reader.connection();
            let whose = Whose::of(monitors);
            let settled = settled(connection)?;
            let mut tallies: HashMap<MonitorId, Vec<Tally>> = HashMap::new();
            for monitor in reader.monitors()? {
                let id = monitor.id;
                if !whose.has(id.0) {
                    continue;
                }
                let list = tallies.entry(id).or_default();
                list.resize_with(edges.len().saturating_sub(1), Tally::default);
                let Some((hour, _)) = settled.get(&id.0) else {
                    continue;
                };
                let end = (hour + 1) * HOUR;
                for (pair, tally) in edges.windows(2).zip(list) {
                    counts(connection, tally, id.0, pair[0], pair[1].min(end))?;
                }
            }
            for (monitor, row) in unsettled(connection, &whose, *first)? {
                let place = edges.partition_point(|edge| *edge <= row.at);
                let list = tallies.get_mut(&MonitorId(monitor));
                if let Some(tally) = list.and_then(|list| list.get_mut(place.wrapping_sub(1))) {
                    tally.count(&row);
                }
            }
            Ok(tallies)
        })
    }
}

fn median(mut times: Vec<u32>) -> Option<u32> {
    let middle = times.len() / 2;
    (!times.is_empty()).then(|| *times.select_nth_unstable(middle).1)
}
