//! A configuration with the monitors of its lists. They stand behind those of the files, list by list, in the order of
//! their names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use url::Url;

use super::super::model::Config;
use super::super::read::{kinds, target};
use super::entry::{Entry, InForce};
use super::model::{ListSource, Model};
use crate::domain::monitor::{Labels, Monitor, MonitorName};
use crate::domain::target::{Credentials, Manner};

/// A list of a configuration.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What the configuration says of it.
    pub source: Arc<ListSource>,
    /// How many of the monitors come from it.
    pub monitors: usize,
    /// Names of entries whose URLs are unknown until the list is read: they stay what they were, and are not checked.
    pub awaited: Arc<[MonitorName]>,
}

/// What is known of a list before it is read.
#[derive(Debug, Clone, Default)]
pub struct KnownList {
    /// Its entries, in the order of their names.
    pub entries: Vec<Entry>,
    /// Names of further entries, whose URLs are unknown.
    pub awaited: Vec<MonitorName>,
}

/// What differs between two configurations that differ in a list.
#[derive(Debug, Clone, Default)]
pub struct ListChange {
    /// New monitors.
    pub added: Vec<Arc<Monitor>>,
    /// Monitors that stay and are checked otherwise.
    pub changed: Vec<Arc<Monitor>>,
    /// Monitors that are gone.
    pub removed: Vec<MonitorName>,
}

impl ListChange {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Config {
    /// How many monitors the files themselves have.
    pub fn of_files(&self) -> usize {
        let listed: usize = self.lists.iter().map(|list| list.monitors).sum();
        self.monitors.len().saturating_sub(listed)
    }

    /// The monitors of a list that are in force.
    pub fn in_force(&self, index: usize) -> InForce<'_> {
        let before: usize = self
            .lists
            .iter()
            .take(index)
            .map(|list| list.monitors)
            .sum();
        let from = self.of_files() + before;
        let count = self.lists.get(index).map_or(0, |list| list.monitors);
        InForce(self.monitors.get(from..from + count).unwrap_or_default())
    }

    /// The list of this key.
    pub fn list_of(&self, key: &str) -> Option<usize> {
        self.lists.iter().position(|list| *list.source.key == *key)
    }

    /// The names of entries whose URLs are unknown until their list is read, unless a monitor has the name.
    pub fn awaited(&self) -> HashSet<&MonitorName> {
        let mut awaited: HashSet<&MonitorName> =
            self.lists.iter().flat_map(|list| &*list.awaited).collect();
        if !awaited.is_empty() {
            for monitor in &self.monitors {
                awaited.remove(&monitor.name);
            }
        }
        awaited
    }

    /// The same with what is known of every list. A name that a file or an earlier list has wins.
    pub fn with_lists(&self, mut known: impl FnMut(&ListSource) -> KnownList) -> Self {
        let mut config = self.clone();
        config.monitors.truncate(self.of_files());
        let mut taken = names(&config.monitors);
        for list in &mut config.lists {
            let KnownList { entries, awaited } = known(&list.source);
            list.awaited = awaited.into();
            let before = config.monitors.len();
            let nothing = InForce::default();
            add(
                &mut config.monitors,
                &list.source.model,
                entries,
                &mut taken,
                nothing,
            );
            list.monitors = config.monitors.len() - before;
        }
        config
    }

    /// The same with other entries of one list, in the order of their names. Monitors that stay as they are, are the
    /// same in both.
    pub fn with_list(&self, index: usize, entries: Vec<Entry>) -> (Self, ListChange) {
        let mut config = self.clone();
        let Some(list) = self.lists.get(index) else {
            return (config, ListChange::default());
        };
        let before: usize = self
            .lists
            .iter()
            .take(index)
            .map(|list| list.monitors)
            .sum();
        let from = self.of_files() + before;
        config.monitors.truncate(from);
        let mut taken = names(&config.monitors);
        let old = self.in_force(index);
        add(
            &mut config.monitors,
            &list.source.model,
            entries,
            &mut taken,
            old,
        );
        let mut counts = vec![config.monitors.len() - from];
        for later in index + 1..self.lists.len() {
            let stays = |monitor: &&Arc<Monitor>| !taken.contains(&monitor.name);
            let count = config.monitors.len();
            let kept = self.in_force(later).0.iter().filter(stays).cloned();
            config.monitors.extend(kept);
            counts.push(config.monitors.len() - count);
        }
        for (list, count) in config.lists.iter_mut().skip(index).zip(counts) {
            list.monitors = count;
        }
        if let Some(list) = config.lists.get_mut(index) {
            list.awaited = Arc::default();
        }
        let mut change = change(&self.monitors, &config.monitors);
        change.removed.extend(self.no_longer_awaited(&config));
        (config, change)
    }

    /// The names that this configuration waits for and that `after` neither has nor waits for.
    fn no_longer_awaited(&self, after: &Self) -> Vec<MonitorName> {
        let before = self.awaited();
        if before.is_empty() {
            return Vec::new();
        }
        let (waiting, known) = (after.awaited(), names(&after.monitors));
        let mut gone: Vec<MonitorName> = before
            .into_iter()
            .filter(|name| !waiting.contains(name) && !known.contains(*name))
            .cloned()
            .collect();
        gone.sort();
        gone
    }
}

fn names(monitors: &[Arc<Monitor>]) -> HashSet<MonitorName> {
    monitors
        .iter()
        .map(|monitor| monitor.name.clone())
        .collect()
}

fn change(old: &[Arc<Monitor>], new: &[Arc<Monitor>]) -> ListChange {
    let mut before: HashMap<&MonitorName, &Arc<Monitor>> =
        old.iter().map(|monitor| (&monitor.name, monitor)).collect();
    let mut change = ListChange::default();
    for monitor in new {
        match before.remove(&monitor.name) {
            None => change.added.push(Arc::clone(monitor)),
            Some(known) if Arc::ptr_eq(known, monitor) => {}
            Some(_) => change.changed.push(Arc::clone(monitor)),
        }
    }
    change.removed = old
        .iter()
        .filter(|monitor| before.contains_key(&monitor.name))
        .map(|monitor| monitor.name.clone())
        .collect();
    change
}

/// Adds the monitors of a list whose names are free.
fn add(
    monitors: &mut Vec<Arc<Monitor>>,
    model: &Model,
    entries: Vec<Entry>,
    taken: &mut HashSet<MonitorName>,
    old: InForce<'_>,
) {
    let mut labels = Shared { model, last: None };
    for entry in entries {
        if !taken.insert(entry.name.clone()) {
            continue;
        }
        let known = old.get(&entry.name);
        let monitor = match known.filter(|known| is_same(known, &entry, model)) {
            Some(known) => Arc::clone(known),
            None => Arc::new(labels.monitor(entry)),
        };
        monitors.push(monitor);
    }
}

/// Whether a monitor of the same model is already what an entry makes.
fn is_same(monitor: &Monitor, entry: &Entry, model: &Model) -> bool {
    let common = model.labels.tags.len();
    **monitor.subject.url_text() == *entry.url.text()
        && monitor.tags.get(common..) == Some(&entry.tags[..])
}

/// Makes monitors; neighbours with the same tags share their labels.
struct Shared<'m> {
    model: &'m Model,
    last: Option<(Arc<[String]>, Arc<Labels>)>,
}

impl Shared<'_> {
    fn monitor(&mut self, entry: Entry) -> Monitor {
        let model = self.model;
        let manner = match entry.url.http().filter(|_| entry.has_userinfo()) {
            Some(url) => Arc::new(with_credentials(&model.manner, url)),
            None => Arc::clone(&model.manner),
        };
        let expectation = Arc::clone(&model.expectation);
        Monitor {
            subject: kinds::subject(&entry.url, manner, expectation, &model.kind_keys),
            schedule: model.schedule.clone(),
            rules: Arc::clone(&model.rules),
            labels: self.labels(&entry.tags),
            name: entry.name,
        }
    }

    fn labels(&mut self, tags: &Arc<[String]>) -> Arc<Labels> {
        if tags.is_empty() {
            return Arc::clone(&self.model.labels);
        }
        if let Some((known, labels)) = &self.last
            && known == tags
        {
            return Arc::clone(labels);
        }
        let all = self.model.labels.tags.iter().chain(tags.iter());
        let labels = Arc::new(Labels {
            tags: all.cloned().collect(),
            ..Labels::clone(&self.model.labels)
        });
        self.last = Some((Arc::clone(tags), Arc::clone(&labels)));
        labels
    }
}

/// A URL's own user and password, unless the configuration has others.
fn with_credentials(manner: &Manner, url: &Url) -> Manner {
    let mut manner = manner.clone();
    let credentials = target::of_userinfo(url);
    let mut secrets = Vec::new();
    target::note_secrets(&credentials, &mut secrets);
    manner.masks = manner.masks.and(secrets);
    if manner.credentials == Credentials::None {
        manner.credentials = credentials;
    }
    manner
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::{Environment, load};
    use super::super::read::{NotAList, read};
    use super::*;

    fn config(text: &str) -> Config {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let environment = Environment {
            directory: directory.path().to_owned(),
            variables: [
                ("HOME", "/home/kim"),
                ("PANEL", "https://panel.example/list?x=hidden-word"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            ..Environment::default()
        };
        load(Path::new("monitors.toml"), &environment).unwrap()
    }

    const LISTS: &str = "[defaults]\ninterval = \"30s\"\n[[monitor]]\nname = \"own\"\nurl = \"https://own.example/\"\n\
        [[source]]\nfile = \"a.txt\"\ntags = [\"a\"]\ntimeout = \"3s\"\n[[source]]\nurl = \"${PANEL}\"\n";

    fn listed(config: &Config, index: usize, text: &str) -> (Config, ListChange) {
        let list = read(text.as_bytes(), config.in_force(index)).unwrap();
        config.with_list(index, list.entries)
    }

    fn names(config: &Config) -> String {
        let names: Vec<&str> = config
            .monitors
            .iter()
            .map(|monitor| monitor.name.as_str())
            .collect();
        names.join(" ")
    }

    #[test]
    fn monitors_of_a_list_have_the_keys_of_its_source() {
        let (config, _) = listed(&config(LISTS), 0, "https://x.example/\n");
        let monitor = &config.monitors[1];
        assert_eq!(monitor.rules.timeout.as_secs(), 3);
        assert_eq!(monitor.rules.interval.as_secs(), 30);
        assert_eq!(*monitor.tags, ["a".to_owned()]);
        assert_eq!(&*config.lists[1].source.called, "${PANEL}");
        assert!(!format!("{:?}", config.lists[1].source.key).contains("hidden"));
    }

    #[test]
    fn a_name_of_the_file_or_of_an_earlier_list_wins() {
        let config = config(LISTS);
        let (config, _) = listed(
            &config,
            1,
            "https://1.example/ own\nhttps://2.example/ x\nhttps://3.example/ y\n",
        );
        assert_eq!(names(&config), "own x y");
        let (config, change) = listed(&config, 0, "https://4.example/ x\nhttps://5.example/ z\n");
        assert_eq!(names(&config), "own x z y");
        assert_eq!(
            (
                change.added.len(),
                change.changed.len(),
                change.removed.len()
            ),
            (1, 1, 0)
        );
        assert_eq!(
            &**config.monitors[1].subject.url_text(),
            "https://4.example/"
        );
    }

    #[test]
    fn order_decides_nothing_and_one_line_changes_one_monitor() {
        let config = config(LISTS);
        let (config, _) = listed(
            &config,
            0,
            "https://1.example/ A\nhttps://2.example/ B\nhttps://3.example/ A\n",
        );
        assert_eq!(names(&config), "own A B");
        let (after, change) = listed(
            &config,
            0,
            "https://3.example/ A\nhttps://2.example/ B\nhttps://1.example/ A\n",
        );
        assert!(change.is_empty(), "{change:?}");
        let (after, change) = listed(&after, 0, "https://1.example/ A\nhttps://2.example/x B\n");
        assert_eq!(
            (
                change.added.len(),
                change.changed.len(),
                change.removed.len()
            ),
            (0, 1, 0)
        );
        assert!(Arc::ptr_eq(&after.monitors[1], &config.monitors[1]));
        let (_, change) = listed(&after, 0, "https://2.example/x B\nhttps://9.example/ C\n");
        assert_eq!(
            (
                change.added.len(),
                change.changed.len(),
                change.removed.len()
            ),
            (1, 0, 1)
        );
        let (_, change) = listed(
            &after,
            0,
            "[{\"targets\": [\"https://1.example/\"], \"labels\": {\"name\": \"A\", \"t\": \"1\"}}]",
        );
        assert_eq!(change.changed[0].tags.join(","), "a,t=1");
    }

    #[test]
    fn a_line_that_was_cut_within_its_password_is_not_shown() {
        let whole = "https://x.example/\nhttps://kim:secret@a.example/\n";
        let (config, _) = listed(&config(LISTS), 0, whole);
        for cut in [
            "https://x.example/\nhttps://kim:secr",
            "https://x.example/\nhttps://kim:secret@a.exa",
        ] {
            let refused = read(cut.as_bytes(), config.in_force(0)).unwrap_err();
            assert!(matches!(refused, NotAList::Cut(_)), "{refused}");
            let said = refused.to_string();
            assert!(
                !said.contains("secr") && said.contains("a.example"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_chain_of_displaced_names_through_the_whole_list_is_no_recursion() {
        let last = super::super::read::LIST_LINES_MAX / 4;
        let targets: Vec<String> = (1..=last).map(|n| format!("\"s{n}.example\"")).collect();
        let all = format!("[{{\"targets\": [{}]}}]", targets.join(","));
        let (config, _) = listed(&config(LISTS), 0, &all);
        let mut groups: Vec<String> = (1..last)
            .map(|n| {
                let next = n + 1;
                format!(
                    "{{\"targets\": [\"s{n}.example\"], \"labels\": {{\"name\": \"s{next}.example\"}}}}"
                )
            })
            .collect();
        groups.push(format!("{{\"targets\": [\"s{last}.example\"]}}"));
        let (after, change) = listed(&config, 0, &format!("[{}]", groups.join(",")));
        assert_eq!(after.lists[0].monitors, last);
        assert!(change.is_empty());
    }

    #[test]
    fn a_line_that_was_cut_refuses_the_list() {
        let config = config(LISTS);
        let (config, _) = listed(
            &config,
            0,
            "https://1.example/ Anna\nhttps://2.example/shop\n",
        );
        let cut = |text: &str| match read(text.as_bytes(), config.in_force(0)) {
            Err(NotAList::Cut(_)) => true,
            Ok(_) => false,
            Err(other) => panic!("{other}"),
        };
        for text in [
            "https://1.example/ Anna\nhttps://2.exam",
            "https://1.example/ Anna\nhttps://2.example/sh",
            "https://1.example/ Anna\nht",
            "https://2.example/shop\nhttps://1.example/ Ann",
            "https://2.example/shop\nhttps://1.example/",
        ] {
            assert!(cut(text), "{text}");
        }
        for text in [
            "https://1.example/ Anna\nhttps://2.example/shop",
            "https://1.example/ Anna\nhttps://2.exam\n",
            "https://2.example/shop",
            "https://1.example/ Anna\nhttps://2.example/shop\nhttps://3.exam",
        ] {
            assert!(!cut(text), "{text}");
        }
    }

    #[test]
    fn credentials_in_a_line_are_sent_and_not_shown() {
        let (config, _) = listed(&config(LISTS), 0, "https://kim:pass-word@x.example/ X\n");
        let monitor = &config.monitors[1];
        assert!(matches!(
            monitor.http().unwrap().target.credentials,
            Credentials::Basic { .. }
        ));
        assert_eq!(monitor.url_shown(), "https://***:***@x.example/");
        assert_eq!(monitor.masks().apply("a pass-word"), "a ***");
    }
}
