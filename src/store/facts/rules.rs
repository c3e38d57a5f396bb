//! By which rules monitors were judged at any time: a text for each, stored once, and from when on it held.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::domain::monitor::{Monitor, MonitorId, MonitorName, Rules};
use crate::domain::recipient::Recipient;
use crate::domain::settings::{AlertSettings, Covers, Escalation, Flapping};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::escalation::steps_of;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;

/// The rules of one monitor as they are stored. Lengths of time are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRules {
    interval: u64,
    timeout: u64,
    failures_before_down: u16,
    successes_before_up: u16,
    retry_interval: u64,
    alert_on_slow: bool,
    alert_on_redirect_change: bool,
    alert_on_address_down: bool,
    /// Who is told, masked where a value came by `${NAME}`; empty: nobody is told.
    pub to: Vec<String>,
    /// Whether anything can be sent at all.
    pub can_tell: bool,
    /// What it depends on.
    pub depends_on: Vec<String>,
    /// A message waits this long for others to the same recipient.
    pub group_wait: u64,
    group_limit: u32,
    group_interval: u64,
    reminder: Option<u64>,
    recovery: bool,
    flapping_changes: u32,
    flapping_within: u64,
    flapping_down_after: u64,
    flapping_end_after: u64,
    certificate_expiry: Vec<u64>,
    /// From where it is checked; empty without locations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// The steps of escalation that cover it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    escalation: Vec<StoredStep>,
}

/// One step of escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredStep {
    after: u64,
    /// As [`StoredRules::to`].
    to: Vec<String>,
}

/// Recipients by their keys. What is masked is the name of nobody, and still somebody.
fn restored(keys: &[String]) -> Vec<Recipient> {
    let known = keys.iter().filter_map(|key| Recipient::restored(key).ok());
    known.collect()
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl StoredRules {
    /// The rules of a monitor of a configuration.
    pub fn of(
        monitor: &Monitor,
        alerts: &AlertSettings,
        escalation: &[Arc<Escalation>],
        can_tell: bool,
    ) -> Self {
        let rules = &monitor.rules;
        let masks = monitor.masks();
        let keys = |to: &[Recipient]| -> Vec<String> {
            let keys = to.iter().map(|to| masks.apply(to.key()).into_owned());
            keys.collect()
        };
        let steps = steps_of(monitor, escalation);
        Self {
            interval: ms(rules.interval),
            timeout: ms(rules.timeout),
            failures_before_down: rules.failures_before_down,
            successes_before_up: rules.successes_before_up,
            retry_interval: ms(rules.retry_interval),
            alert_on_slow: rules.alert_on_slow,
            alert_on_redirect_change: rules.alert_on_redirect_change,
            alert_on_address_down: rules.alert_on_address_down,
            to: keys(&rules.to),
            can_tell,
            depends_on: monitor.depends_on.iter().map(ToString::to_string).collect(),
            group_wait: ms(alerts.group_wait),
            group_limit: alerts.group_limit,
            group_interval: ms(alerts.group_interval),
            reminder: alerts.reminder.map(ms),
            recovery: alerts.recovery,
            flapping_changes: alerts.flapping.changes.get(),
            flapping_within: ms(alerts.flapping.within),
            flapping_down_after: ms(alerts.flapping.down_after),
            flapping_end_after: ms(alerts.flapping.end_after),
            certificate_expiry: alerts.certificate_expiry.iter().copied().map(ms).collect(),
            locations: rules.quorum.as_ref().map_or_else(Vec::new, |quorum| {
                quorum.locations.iter().map(ToString::to_string).collect()
            }),
            escalation: steps
                .iter()
                .map(|step| StoredStep {
                    after: ms(step.after),
                    to: keys(&step.to),
                })
                .collect(),
        }
    }

    /// As the machine takes them.
    pub fn rules(&self) -> Rules {
        Rules {
            interval: Duration::from_millis(self.interval),
            timeout: Duration::from_millis(self.timeout),
            failures_before_down: self.failures_before_down.max(1),
            successes_before_up: self.successes_before_up.max(1),
            retry_interval: Duration::from_millis(self.retry_interval),
            alert_on_slow: self.alert_on_slow,
            alert_on_redirect_change: self.alert_on_redirect_change,
            alert_on_address_down: self.alert_on_address_down,
            to: restored(&self.to),
            quorum: None,
        }
    }

    /// The steps of escalation of that time.
    pub fn steps(&self) -> Vec<Arc<Escalation>> {
        let steps = self.escalation.iter().map(|step| Escalation {
            covers: Covers::All,
            after: Duration::from_millis(step.after),
            to: restored(&step.to),
        });
        steps.map(Arc::new).collect()
    }

    /// `[alerts]` of that time.
    pub fn alerts(&self) -> AlertSettings {
        AlertSettings {
            group_wait: Duration::from_millis(self.group_wait),
            group_limit: self.group_limit,
            group_interval: Duration::from_millis(self.group_interval),
            reminder: self.reminder.map(Duration::from_millis),
            recovery: self.recovery,
            flapping: Flapping {
                changes: NonZeroU32::new(self.flapping_changes).unwrap_or(NonZeroU32::MIN),
                within: Duration::from_millis(self.flapping_within),
                down_after: Duration::from_millis(self.flapping_down_after),
                end_after: Duration::from_millis(self.flapping_end_after),
            },
            certificate_expiry: self
                .certificate_expiry
                .iter()
                .copied()
                .map(Duration::from_millis)
                .collect(),
        }
    }

    /// Names of what it depends on.
    pub fn parents(&self) -> impl Iterator<Item = MonitorName> {
        let names = self.depends_on.iter();
        names.filter_map(|name| MonitorName::parse(name).ok())
    }

    /// As it is stored.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn text(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

fn text_id(connection: &Connection, text: &str) -> Result<i64> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO rule_texts (text) VALUES (?1)")?
        .execute([text])?;
    Ok(connection
        .prepare_cached("SELECT id FROM rule_texts WHERE text = ?1")?
        .query_row([text], |row| row.get(0))?)
}

/// What most monitors of a configuration are judged by stands once, under this number: it holds for those that have no
/// row of their own up to a time.
const MOST: i64 = 0;

/// By monitor the text that was stored last.
fn all_newest(connection: &Connection) -> Result<HashMap<i64, i64>> {
    // The table is in this order: a later text of a monitor takes the place of the one before.
    let mut select =
        connection.prepare("SELECT monitor_id, text_id FROM rules ORDER BY monitor_id, from_at")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The text that most monitors have, where more than one has it.
fn most_common(numbered: &[(MonitorId, i64)]) -> Option<i64> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for (_, text) in numbered {
        *counts.entry(*text).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(text, count)| (*count, -text))?;
    (most.1 > 1).then_some(most.0)
}

impl Batch<'_> {
    /// Stores by which rules monitors are judged from now on, where that differs from before: of all monitors of a
    /// configuration, or of some. Neighbours that share their text cost least.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn put_rules(
        &mut self,
        texts: &[(MonitorId, Arc<str>)],
        are_all: bool,
        now: Timestamp,
    ) -> Result<()> {
        let connection = self.connection();
        let mut last: Option<(&Arc<str>, i64)> = None;
        let mut numbered = Vec::with_capacity(texts.len());
        for (monitor, text) in texts {
            let id = match last {
                Some((last, id)) if Arc::ptr_eq(last, text) => id,
                Some(_) | None => text_id(connection, text)?,
            };
            last = Some((text, id));
            numbered.push((*monitor, id));
        }
        let mut put = connection.prepare_cached(
            "INSERT OR REPLACE INTO rules (monitor_id, from_at, text_id) VALUES (?1, ?2, ?3)",
        )?;
        if are_all {
            let known = all_newest(connection)?;
            let mut most = known.get(&MOST).copied();
            if let Some(common) = most_common(&numbered).filter(|common| Some(*common) != most) {
                put.execute((MOST, now.as_ms(), common))?;
                most = Some(common);
            }
            for (monitor, id) in numbered {
                let before = known.get(&monitor.0).copied().or(most);
                if before != Some(id) {
                    put.execute((monitor.0, now.as_ms(), id))?;
                }
            }
            return Ok(());
        }
        let mut newest = connection.prepare_cached(
            "SELECT text_id FROM rules WHERE monitor_id = ?1 ORDER BY from_at DESC LIMIT 1",
        )?;
        let mut newest = |monitor: i64| newest.query_row([monitor], |row| row.get(0)).optional();
        let most: Option<i64> = newest(MOST)?;
        for (monitor, id) in numbered {
            let before = newest(monitor.0)?.or(most);
            if before != Some(id) {
                put.execute((monitor.0, now.as_ms(), id))?;
            }
        }
        Ok(())
    }
}

impl Reader {
    /// The rules of a monitor that held at any time from `from` to `to`, oldest first, each with its beginning.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn rules(
        &self,
        monitor: MonitorId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, StoredRules)>> {
        let mut found = rules_of(self.connection(), monitor.0, from, to)?;
        let own_from = found.first().map_or(Timestamp::MAX, |(at, _)| *at);
        if own_from > from {
            let mut most = rules_of(self.connection(), MOST, from, to)?;
            most.retain(|(at, _)| *at < own_from);
            found.splice(0..0, most);
        }
        Ok(found)
    }
}

fn rules_of(
    connection: &Connection,
    monitor: i64,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Timestamp, StoredRules)>> {
    let mut statement = connection.prepare_cached(
        "SELECT from_at, text FROM rules JOIN rule_texts ON rule_texts.id = text_id
         WHERE monitor_id = ?1 AND from_at <= ?3 AND from_at >= coalesce(
           (SELECT max(from_at) FROM rules WHERE monitor_id = ?1 AND from_at <= ?2), ?2)
         ORDER BY from_at",
    )?;
    let rows = statement.query_map((monitor, from.as_ms(), to.as_ms()), |row| {
        Ok((Timestamp::from_ms(row.get(0)?), row.get::<_, String>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (at, text) = row?;
        found.push((at, serde_json::from_str(&text)?));
    }
    Ok(found)
}

/// Deletes some rules that held only before a time, and texts that no rule has.
pub(in crate::store) fn forget(
    connection: &Connection,
    before: i64,
    rows_max: i64,
) -> Result<usize> {
    let rules = connection
        .prepare_cached(
            "DELETE FROM rules WHERE (monitor_id, from_at) IN
               (SELECT monitor_id, from_at FROM rules AS old WHERE from_at < ?1 AND EXISTS
                  (SELECT 1 FROM rules AS newer WHERE newer.monitor_id = old.monitor_id
                     AND newer.from_at > old.from_at AND newer.from_at <= ?1)
                LIMIT ?2)",
        )?
        .execute((before, rows_max))?;
    let texts = connection
        .prepare_cached(
            "DELETE FROM rule_texts WHERE id IN (SELECT id FROM rule_texts WHERE NOT EXISTS
               (SELECT 1 FROM rules WHERE text_id = rule_texts.id) LIMIT ?1)",
        )?
        .execute([rows_max])?;
    Ok(rules + texts)
}
