//! By which rules monitors were judged at any time: a text for each, stored once, and from when on it held.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::domain::location::{DownWhen, LocationName, Quorum};
use crate::domain::monitor::{Monitor, MonitorId, MonitorName, Rules};
use crate::domain::recipient::Recipient;
use crate::domain::settings::{AlertSettings, Covers, Escalation, Flapping};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::escalation::steps_of;
use crate::store::error::Result;
use crate::store::reader::Reader;
use crate::store::transaction::Batch;

/// The rules of one monitor as they are stored. Lengths of time are in milliseconds. What a text of another version
/// does not have is as the configuration's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// How many of them make it down, as it is written in the configuration; absent: most of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    down_when: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    alert_on_regional: bool,
    /// The steps of escalation that cover it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    escalation: Vec<StoredStep>,
}

impl Default for StoredRules {
    fn default() -> Self {
        let flapping = Flapping::default();
        Self {
            interval: 60_000,
            timeout: 10_000,
            failures_before_down: 3,
            successes_before_up: 2,
            retry_interval: 10_000,
            alert_on_slow: false,
            alert_on_redirect_change: false,
            alert_on_address_down: true,
            to: Vec::new(),
            can_tell: true,
            depends_on: Vec::new(),
            group_wait: 10_000,
            group_limit: 3,
            group_interval: 60_000,
            reminder: None,
            recovery: true,
            flapping_changes: flapping.changes.get(),
            flapping_within: ms(flapping.within),
            flapping_down_after: ms(flapping.down_after),
            flapping_end_after: ms(flapping.end_after),
            certificate_expiry: Vec::new(),
            locations: Vec::new(),
            down_when: None,
            alert_on_regional: false,
            escalation: Vec::new(),
        }
    }
}

/// One step of escalation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
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
            down_when: (rules.quorum.as_ref())
                .map(|quorum| quorum.down_when)
                .filter(|down_when| *down_when != DownWhen::Majority)
                .map(|down_when| down_when.to_string()),
            alert_on_regional: (rules.quorum.as_ref())
                .is_some_and(|quorum| quorum.alert_on_regional),
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
            quorum: self.quorum().map(Arc::new),
        }
    }

    /// The locations that voted then; `None` without any.
    fn quorum(&self) -> Option<Quorum> {
        let locations = self.locations.iter();
        let locations: Vec<LocationName> = locations
            .filter_map(|name| LocationName::parse(name).ok())
            .collect();
        (!locations.is_empty()).then(|| Quorum {
            locations: locations.into(),
            down_when: (self.down_when.as_deref())
                .and_then(DownWhen::parse)
                .unwrap_or_default(),
            alert_on_regional: self.alert_on_regional,
        })
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

/// A text and from when on it holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    text: i64,
    from_at: i64,
}

/// By monitor the text that was stored last.
fn all_newest(connection: &Connection) -> Result<HashMap<i64, Held>> {
    // The table is in this order: a later text of a monitor takes the place of the one before.
    let mut select = connection
        .prepare("SELECT monitor_id, text_id, from_at FROM rules ORDER BY monitor_id, from_at")?;
    let rows = select.query_map([], |row| {
        let held = Held {
            text: row.get(1)?,
            from_at: row.get(2)?,
        };
        Ok((row.get(0)?, held))
    })?;
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
        // A clock that was set back a little must not make the rules of before the newest again.
        let from_at = |before: Option<Held>| {
            before.map_or(now.as_ms(), |before| before.from_at.max(now.as_ms()))
        };
        if are_all {
            let known = all_newest(connection)?;
            let most = known.get(&MOST).copied();
            let common = most_common(&numbered);
            if let Some(common) = common.filter(|text| Some(*text) != most.map(|most| most.text)) {
                put.execute((MOST, from_at(most), common))?;
            }
            let most = common.or(most.map(|most| most.text));
            for (monitor, id) in numbered {
                let own = known.get(&monitor.0).copied();
                if own.map(|own| own.text).or(most) != Some(id) {
                    put.execute((monitor.0, from_at(own), id))?;
                }
            }
            return Ok(());
        }
        let mut newest = connection.prepare_cached(
            "SELECT text_id, from_at FROM rules WHERE monitor_id = ?1 ORDER BY from_at DESC LIMIT 1",
        )?;
        let mut newest = |monitor: i64| {
            let row = newest.query_row([monitor], |row| {
                Ok(Held {
                    text: row.get(0)?,
                    from_at: row.get(1)?,
                })
            });
            row.optional()
        };
        let most = newest(MOST)?;
        for (monitor, id) in numbered {
            let own = newest(monitor.0)?;
            if own.or(most).map(|before| before.text) != Some(id) {
                put.execute((monitor.0, from_at(own), id))?;
            }
        }
        Ok(())
    }
}

/// Dates what was noted ahead of a clock that was set back: of each monitor the newest of it holds from now on.
pub(in crate::store) fn clock_was_set_back(connection: &Connection, now: i64) -> Result<()> {
    connection.execute(
        "DELETE FROM rules WHERE from_at > ?1 AND from_at <
           (SELECT max(from_at) FROM rules AS newest WHERE newest.monitor_id = rules.monitor_id)",
        [now],
    )?;
    connection.execute(
        "UPDATE OR REPLACE rules SET from_at = ?1 WHERE from_at > ?1",
        [now],
    )?;
    Ok(())
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
        // A text that another version wrote in a way that is not understood counts as none.
        if let Ok(rules) = serde_json::from_str(&text) {
            found.push((at, rules));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::writer::Store;

    const TEXT: &str = r#"{"interval":60000,"timeout":10000,"failures_before_down":2,"successes_before_up":2,
        "retry_interval":10000,"alert_on_slow":false,"alert_on_redirect_change":false,"alert_on_address_down":true,
        "to":["ops@example.com"],"can_tell":true,"depends_on":["router"],"group_wait":10000,"group_limit":3,
        "group_interval":60000,"reminder":null,"recovery":true,"flapping_changes":8,"flapping_within":3600000,
        "flapping_down_after":600000,"flapping_end_after":1800000,"certificate_expiry":[86400000]}"#;

    fn text(failures: u16) -> Arc<str> {
        let rules = StoredRules {
            failures_before_down: failures,
            ..StoredRules::default()
        };
        rules.text().unwrap().into()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000 + second * 1000)
    }

    #[test]
    fn texts_of_other_versions_are_read() {
        let read = |text: &str| serde_json::from_str::<StoredRules>(text).unwrap();
        let before = read(TEXT);
        assert_eq!(
            (before.failures_before_down, before.escalation.len()),
            (2, 0)
        );
        assert_eq!(before.depends_on, ["router"]);
        // One without a key that came later, and one with a key that is not known yet.
        assert_eq!(read("{}"), StoredRules::default());
        assert_eq!(
            read("{\"to\":[\"a@b.org\"],\"later\":{\"x\":1}}").to,
            ["a@b.org"]
        );
    }

    fn failures(store: &tempfile::TempDir, second: i64) -> Vec<u16> {
        let reader = Reader::open(&store.path().join("a.db")).unwrap();
        let found = reader.rules(MonitorId(1), at(second), at(second)).unwrap();
        found
            .iter()
            .map(|(_, rules)| rules.failures_before_down)
            .collect()
    }

    #[test]
    fn the_newest_rules_stay_the_newest_when_the_clock_is_set_back() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(&directory.path().join("a.db"), at(0)).unwrap();
        let put = |store: &mut Store, count: u16, second: i64| {
            let mut batch = store.batch().unwrap();
            let texts = [(MonitorId(1), text(count))];
            batch.put_rules(&texts, false, at(second)).unwrap();
            batch.commit().unwrap();
        };
        put(&mut store, 1, 0);
        put(&mut store, 2, 5000);
        put(&mut store, 3, 6000);
        // By less than what anchors the record: they hold from where the newest ones did.
        put(&mut store, 4, 5990);
        assert_eq!(failures(&directory, 6000), [4]);
        assert_eq!(failures(&directory, 5999), [2]);
        // By more: what is dated ahead holds from now on.
        clock_was_set_back(store.connection(), at(100).as_ms()).unwrap();
        assert_eq!(failures(&directory, 99), [1]);
        assert_eq!(failures(&directory, 100), [4]);
        put(&mut store, 5, 200);
        assert_eq!(failures(&directory, 200), [5]);
        // Also where rules of that very moment are there already.
        put(&mut store, 6, 9000);
        clock_was_set_back(store.connection(), at(200).as_ms()).unwrap();
        assert_eq!(failures(&directory, 200), [6]);
        assert_eq!(failures(&directory, 199), [4]);
    }
}
