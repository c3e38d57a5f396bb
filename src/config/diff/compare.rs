//! What a reload would change: two configurations compared, key by key.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::fields::{Fact, fact, joined, names, of_rules, schedule};
use super::kinds::of_subject;
use super::settings::settings;
use crate::config::diagnostic::redact;
use crate::config::model::Config;
use crate::domain::monitor::{Monitor, MonitorName, Schedule};
use crate::domain::redaction::Masks;

/// One key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The key, with its section where it is none of a monitor: `timeout`, `[alerts] reminder`.
    pub key: String,
    /// The value before, secrets masked.
    pub old: String,
    /// The value after, secrets masked.
    pub new: String,
}

/// A monitor that stays and differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorChange {
    /// Its name, the new one where it was renamed.
    pub name: MonitorName,
    /// The name it had, where it got another.
    pub renamed_from: Option<MonitorName>,
    /// What differs; empty where only the name does.
    pub keys: Vec<KeyChange>,
}

/// Everything that differs between two configurations. Displays as one line for each difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// Monitors that are new.
    pub added: Vec<MonitorName>,
    /// Monitors that are gone: their open incidents close with that end.
    pub removed: Vec<MonitorName>,
    /// Monitors that stay and differ, the renamed ones included.
    pub changed: Vec<MonitorChange>,
    /// A removed and an added monitor with the same URL: was a rename meant?
    pub perhaps_renamed: Vec<(MonitorName, MonitorName)>,
    /// Settings outside of monitors.
    pub settings: Vec<KeyChange>,
    /// Settings that take effect at the next start only.
    pub at_next_start: Vec<KeyChange>,
    /// How many monitors stay as they are.
    pub unchanged: usize,
}

impl Diff {
    /// Whether nothing differs.
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.settings.is_empty()
            && self.at_next_start.is_empty()
    }
}

/// Compares two configurations.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let before: HashMap<&MonitorName, &Monitor> = old
        .monitors
        .iter()
        .map(|monitor| (&monitor.name, &**monitor))
        .collect();
    let after: HashSet<&MonitorName> = new.monitors.iter().map(|monitor| &monitor.name).collect();
    let mut diff = Diff::default();
    let mut moved: HashSet<&MonitorName> = HashSet::new();
    for monitor in &new.monitors {
        let same_name = before.get(&monitor.name).copied();
        let renamed = monitor
            .renamed_from
            .as_ref()
            .filter(|name| same_name.is_none() && !after.contains(name))
            .and_then(|name| before.get(name).copied());
        let Some(known) = same_name.or(renamed) else {
            diff.added.push(monitor.name.clone());
            continue;
        };
        if renamed.is_some() {
            moved.insert(&known.name);
        }
        let keys = monitor_changes(known, monitor);
        match keys.is_empty() && renamed.is_none() {
            true => diff.unchanged += 1,
            false => diff.changed.push(MonitorChange {
                name: monitor.name.clone(),
                renamed_from: renamed.map(|known| known.name.clone()),
                keys,
            }),
        }
    }
    let removed = old
        .monitors
        .iter()
        .filter(|monitor| !after.contains(&monitor.name) && !moved.contains(&monitor.name));
    diff.removed = removed.map(|monitor| monitor.name.clone()).collect();
    diff.perhaps_renamed = perhaps_renamed(&diff, &before, new);
    let masked = [&old.masks, &new.masks];
    for change in changes(&settings(old), &settings(new), masked) {
        let waits = [
            "[daemon] database",
            "[daemon] control_socket",
            "[web] listen",
        ];
        match waits.contains(&change.key.as_str()) {
            true => diff.at_next_start.push(change),
            false => diff.settings.push(change),
        }
    }
    diff
}

fn perhaps_renamed(
    diff: &Diff,
    before: &HashMap<&MonitorName, &Monitor>,
    new: &Config,
) -> Vec<(MonitorName, MonitorName)> {
    let added: HashSet<&MonitorName> = diff.added.iter().collect();
    let mut by_url: HashMap<&str, &MonitorName> = HashMap::new();
    for monitor in new
        .monitors
        .iter()
        .filter(|monitor| added.contains(&monitor.name))
    {
        by_url
            .entry(&**monitor.subject.url_text())
            .or_insert(&monitor.name);
    }
    diff.removed
        .iter()
        .filter_map(|name| {
            let url = &**before.get(name)?.subject.url_text();
            Some((name.clone(), (*by_url.get(url)?).clone()))
        })
        .collect()
}

/// What differs, as it may be shown: without what came by `${NAME}` on either side and without secrets in URLs.
fn changes(old: &[Fact], new: &[Fact], masked: [&Masks; 2]) -> Vec<KeyChange> {
    let shown = |fact: &Fact| {
        let text = match &fact.shown {
            Some(shown) => shown,
            None if fact.compared.is_empty() => "none",
            None => &fact.compared,
        };
        let [old, new] = masked;
        redact::sentence(&new.apply(&old.apply(text))).into_owned()
    };
    // A monitor that is of another kind now has other keys: what only one side has is not told.
    let before = |index: usize, new: &Fact| {
        let same_place = old.get(index).filter(|old| old.key == new.key);
        same_place.or_else(|| old.iter().find(|old| old.key == new.key))
    };
    new.iter()
        .enumerate()
        .filter_map(|(index, new)| Some((before(index, new)?, new)))
        .filter(|(old, new)| old.compared != new.compared)
        .map(|(old, new)| KeyChange {
            key: old.key.to_owned(),
            old: shown(old),
            new: shown(new),
        })
        .collect()
}

/// The keys of one monitor that differ.
pub fn monitor_changes(old: &Monitor, new: &Monitor) -> Vec<KeyChange> {
    let all = |monitor: &Monitor| {
        let mut facts = vec![
            fact("enabled", monitor.enabled),
            fact("tags", monitor.tags.join(", ")),
            fact("schedule", schedule(&monitor.schedule)),
            fact("note", &monitor.note),
            fact("public", monitor.public),
            fact("keep_evidence", monitor.keep_evidence),
            fact("depends_on", names(&monitor.depends_on)),
        ];
        facts.extend(of_subject(&monitor.subject));
        facts.extend(of_rules(&monitor.rules));
        facts
    };
    let masked = [old.masks(), new.masks()];
    let mut changes = changes(&all(old), &all(new), masked);
    for change in &mut changes {
        // The two keys share one value.
        if change.key == "schedule" && matches!(new.schedule, Schedule::Every(_)) {
            "interval".clone_into(&mut change.key);
        }
    }
    changes
}

impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.old == self.new {
            true => write!(f, "{} changed", self.key),
            false => write!(f, "{} {} -> {}", self.key, self.old, self.new),
        }
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.added {
            writeln!(f, "+ {name}")?;
        }
        for name in &self.removed {
            writeln!(f, "- {name}")?;
        }
        for change in &self.changed {
            match &change.renamed_from {
                Some(old) => write!(f, "> {old} -> {}: renamed, its history stays", change.name)?,
                None => write!(f, "~ {}: ", change.name)?,
            }
            let between = if change.renamed_from.is_some() {
                "; "
            } else {
                ""
            };
            match change.keys.is_empty() {
                true => writeln!(f)?,
                false => writeln!(f, "{between}{}", joined(&change.keys))?,
            }
        }
        for change in &self.settings {
            writeln!(f, "~ {change}")?;
        }
        for change in &self.at_next_start {
            writeln!(f, "! {change}: takes effect at the next start")?;
        }
        for (old, new) in &self.perhaps_renamed {
            writeln!(
                f,
                "? `{old}` is gone and `{new}` is new with the same URL: was renamed_from = \"{old}\" meant?"
            )?;
        }
        match self.is_empty() {
            true if self.unchanged == 1 => write!(f, "nothing would change; 1 monitor"),
            true => write!(f, "nothing would change; {} monitors", self.unchanged),
            false => write!(
                f,
                "{} added, {} removed, {} changed, {} unchanged",
                self.added.len(),
                self.removed.len(),
                self.changed.len(),
                self.unchanged
            ),
        }
    }
}
