//! When each list is read, and what is told of one that is wrong.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::active::Running;
use super::super::health::self_check;
use super::super::health::standstill::Stood;
use super::super::logging::targets;
use super::super::recorder::message::{Entry as Record, Reply};
use super::apply::apply;
use super::kept;
use super::mark::Mark;
use super::reading::{Look, Order, Reading, reading};
use super::shelf::Known;
use crate::clock;
use crate::config::Config;
use crate::config::source_lists::compose::KnownList;
use crate::config::source_lists::entry::Entry;
use crate::config::source_lists::model::{ListPlace, ListSource};
use crate::config::source_lists::read::{List, Skipped};
use crate::domain::monitor::MonitorName;
use crate::domain::notification::{News, Notice};
use crate::domain::subject::Locator;
use crate::domain::timestamp::Timestamp;
use crate::policy::schedule::source_lists::{Trouble, Wrong};
use crate::store::facts::source_lists::KeptList;
use crate::store::reader::Reader;

/// How often it is looked whether a file changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A list that is wrong for the first time is read again so soon.
const CONFIRM_AFTER: Duration = Duration::from_secs(5);

/// A list that is wrong is read at least so often, whatever `refresh` says: it may be good again.
const RETRY_EVERY: Duration = Duration::from_secs(60);

/// A reload waits this long for a panel; after it the list that is kept stays in force.
const RELOAD_WAITS: Duration = Duration::from_secs(10);

/// A reload waits this long for its lists to be written down; they are in force already.
const KEPT_WITHIN: Duration = Duration::from_secs(5);

/// Begins to look after the lists of the configuration in force, and ends what looked after those before.
pub fn begin(running: &Arc<Running>) {
    let config = running.force().config;
    let keys: Vec<Arc<str>> = config
        .lists
        .iter()
        .map(|list| Arc::clone(&list.source.key))
        .collect();
    running.lists.keep(&keys);
    let watching = config.lists.iter().map(|list| {
        let watch = watch(Arc::clone(running), Arc::clone(&list.source));
        tokio::spawn(watch).abort_handle()
    });
    running.lists.set_tasks(watching.collect());
    show(running);
}

/// Reads a list for as long as it is in force.
async fn watch(running: Arc<Running>, source: Arc<ListSource>) {
    loop {
        let seen = look(&running, &source).await;
        let is_good = round(&running, &source).await;
        let known = running.lists.get(&source.key);
        let is_told = known.trouble.is_some_and(|trouble| trouble.is_told());
        let wait = match (is_good, is_told) {
            (true, _) => source.refresh,
            (false, true) => source.refresh.min(RETRY_EVERY),
            (false, false) => source.refresh.min(CONFIRM_AFTER),
        };
        wait_or_change(&running, &source, seen, clock::tick() + wait).await;
    }
}

async fn look(running: &Running, source: &ListSource) -> Option<Look> {
    match &source.place {
        ListPlace::File(path) => Look::at(&running.lists, &source.key, path).await,
        ListPlace::Url { .. } => None,
    }
}

/// Waits until then, or until a file changed and is not being written any more: two looks in a row see the same.
async fn wait_or_change(
    running: &Running,
    source: &ListSource,
    seen: Option<Look>,
    until: Instant,
) {
    let mut before = seen;
    loop {
        let now = clock::tick();
        if now >= until {
            return;
        }
        let rest = until.duration_since(now);
        if seen.is_none() {
            tokio::time::sleep(rest).await;
            return;
        }
        tokio::time::sleep(rest.min(LOOK_EVERY)).await;
        let looked = look(running, source).await;
        if looked.is_some() && looked != seen && looked == before {
            return;
        }
        before = looked;
    }
}

/// Reads a list once; whether it was good.
async fn round(running: &Arc<Running>, source: &Arc<ListSource>) -> bool {
    let Ok(_turn) = running.lists.turns.acquire().await else {
        return true;
    };
    let began = running.health.standstill.beat();
    let order = order(running, &running.force().config, source, false);
    let (now, asked_by) = (clock::now(), order.mark.clone());
    match reading(&running.lists, order).await {
        None => true,
        Some(Reading::Same(mark)) => {
            running.lists.change(&source.key, |known| {
                // Another list may have given up a name meanwhile: then this one is read whole again.
                if known.mark == asked_by {
                    known.mark = mark;
                }
            });
            good(running, source, clock::now());
            true
        }
        Some(Reading::List(list, mark)) => {
            let List { entries, skipped } = list;
            let count = entries.len();
            if apply(running, &source.key, entries).await.is_none() {
                return true;
            }
            taken(running, source, count, skipped, mark);
            good(running, source, clock::now());
            true
        }
        Some(Reading::Refused(wrong, why)) => {
            let is_ours = running.health.standstill.since(began) != Stood::No
                || self_check::blind(&running.health, now).is_some();
            if !(wrong == Wrong::Missing && is_ours) {
                refused(running, source, wrong, &why, now);
            }
            false
        }
    }
}

fn order(running: &Running, config: &Arc<Config>, source: &Arc<ListSource>, accept: bool) -> Order {
    let known = running.lists.get(&source.key);
    Order {
        source: Arc::clone(source),
        prober: running.live.tools().prober,
        config: Arc::clone(config),
        mark: known.mark,
        entries: known.entries,
        accept,
    }
}

/// A list is in force.
fn taken(running: &Running, source: &ListSource, entries: usize, skipped: Skipped, mark: Mark) {
    let is_new = running.lists.change(&source.key, |known| {
        known.mark = mark;
        known.entries = entries;
        std::mem::replace(&mut known.skipped, skipped.clone()) != skipped
    });
    if let Some(sentence) = skipped.sentence().filter(|_| is_new) {
        tracing::warn!(target: targets::RELOAD, "the list {}: {sentence}", source.called);
    }
}

/// A list was read and is good.
fn good(running: &Running, source: &ListSource, now: Timestamp) {
    let (trouble, entries) = running.lists.change(&source.key, |known| {
        known.read_at = Some(now);
        (known.trouble.take(), known.entries)
    });
    let Some(trouble) = trouble.filter(Trouble::is_told) else {
        return;
    };
    let called = &source.called;
    let detail = format!("The list {called} is good again. It has {entries} entries.");
    tracing::info!(target: targets::TROUBLE, "{detail}");
    tell(
        running,
        News::Back {
            what: format!("source {called}"),
            after: now.since(trouble.since),
            detail,
        },
        now,
    );
    show(running);
}

fn refused(running: &Running, source: &ListSource, wrong: Wrong, why: &str, now: Timestamp) {
    let (is_news, known) = running.lists.change(&source.key, |known| {
        why.clone_into(&mut known.why);
        (Trouble::note(&mut known.trouble, wrong, now), known.clone())
    });
    let called = &source.called;
    if !is_news {
        tracing::debug!("the list {called} is refused: {why}");
        return;
    }
    let zone = running.force().config.daemon.timezone.clone();
    let old = match (known.entries, known.read_at) {
        (0, _) => "There is no list before it: none of its sites is watched.".to_owned(),
        (entries, Some(at)) => format!(
            "The list of {} stays in force, with {entries} entries.",
            at.in_zone(&zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        ),
        (entries, None) => format!("The last good list stays in force, with {entries} entries."),
    };
    let detail = format!("The list {called} is refused: {why}. {old}");
    tracing::warn!(target: targets::TROUBLE, "{detail}");
    let what = format!("source {called}");
    tell(running, News::Trouble { what, detail }, now);
    show(running);
}

fn tell(running: &Running, news: News, now: Timestamp) {
    running.door.push(Record::Say {
        notice: Box::new(Notice {
            about: None,
            news,
            decided_at: now,
        }),
        to: None,
    });
}

/// What `status` and the metrics say.
fn show(running: &Running) {
    let config = running.force().config;
    let sentences: Vec<String> = config
        .lists
        .iter()
        .filter_map(|list| {
            let known = running.lists.get(&list.source.key);
            let trouble = known.trouble.filter(Trouble::is_told)?;
            let since = trouble.since.in_zone(&config.daemon.timezone);
            Some(format!(
                "the list {} is refused since {} and the one before stays in force: {}",
                list.source.called,
                since.strftime("%Y-%m-%d %H:%M"),
                known.why
            ))
        })
        .collect();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    running
        .health
        .lists
        .store(count(config.lists.len()), Relaxed);
    running
        .health
        .lists_refused
        .store(count(sentences.len()), Relaxed);
    running.health.set_list_troubles(sentences);
}

/// The configuration of a reload with its lists.
pub struct Reloaded {
    /// The whole.
    pub config: Config,
    /// What was read, to be kept when it is in force.
    read: Vec<(Arc<ListSource>, Vec<Entry>, Skipped, Mark)>,
    /// What deserves a word.
    pub warnings: Vec<String>,
}

/// Reads the lists of a new configuration. A list that is refused or does not come in time stays as it is kept.
pub async fn reload(running: &Arc<Running>, config: Config, accept: bool) -> Reloaded {
    let mut reloaded = Reloaded {
        config,
        read: Vec::new(),
        warnings: Vec::new(),
    };
    if reloaded.config.lists.is_empty() {
        return reloaded;
    }
    let old = running.force().config;
    let mut readings = JoinSet::new();
    for list in &reloaded.config.lists {
        let source = Arc::clone(&list.source);
        let order = Order {
            mark: Mark::default(),
            ..order(running, &old, &source, accept)
        };
        let running = Arc::clone(running);
        readings.spawn(async move {
            let reading = reading(&running.lists, order);
            (source, tokio::time::timeout(RELOAD_WAITS, reading).await)
        });
    }
    let mut entries: HashMap<Arc<str>, Vec<Entry>> = HashMap::new();
    while let Some(Ok((source, read))) = readings.join_next().await {
        let why = match read {
            Ok(Some(Reading::List(list, mark))) => {
                entries.insert(Arc::clone(&source.key), list.entries.clone());
                reloaded
                    .read
                    .push((source, list.entries, list.skipped, mark));
                continue;
            }
            Ok(Some(Reading::Refused(_, why))) => why,
            Ok(Some(Reading::Same(_)) | None) => continue,
            Err(_) => "it did not come in time".to_owned(),
        };
        reloaded.warnings.push(format!(
            "the list {} is refused and the one before stays in force: {why}",
            source.called
        ));
    }
    reloaded.warnings.sort();
    let config = reloaded.config.clone();
    let database = old.daemon.database.clone();
    let composing = crate::blocking::run(move || {
        let reader = Reader::open(&database).ok();
        config.with_lists(|source| {
            if let Some(entries) = entries.remove(&source.key) {
                return KnownList {
                    entries,
                    awaited: Vec::new(),
                };
            }
            let reader = reader.as_ref();
            let kept = reader.and_then(|reader| reader.kept_list(&source.key).ok());
            before(kept, &old, source)
        })
    });
    if let Ok(composed) = composing.await {
        reloaded.config = composed;
    }
    reloaded
}

/// The list before: the one that is kept, or what is in force where the database cannot be read. URLs with a user or a
/// password are in force and not in the database.
fn before(kept: Option<Option<KeptList>>, old: &Config, source: &ListSource) -> KnownList {
    let is_read = kept.is_some();
    let KnownList {
        mut entries,
        mut awaited,
    } = kept
        .flatten()
        .map_or_else(KnownList::default, |kept| kept::known(&kept));
    let Some(index) = old.list_of(&source.key) else {
        return KnownList { entries, awaited };
    };
    if !is_read {
        awaited.extend(
            old.lists
                .iter()
                .skip(index)
                .take(1)
                .flat_map(|list| list.awaited.to_vec()),
        );
    }
    let common = old
        .lists
        .get(index)
        .map_or(0, |list| list.source.model.labels.tags.len());
    let in_force = old.in_force(index).0.iter().filter_map(|monitor| {
        Some(Entry {
            name: monitor.name.clone(),
            url: Locator::parse(monitor.subject.url_text()).ok()?,
            tags: monitor.tags.get(common..).unwrap_or_default().into(),
        })
    });
    entries.extend(in_force.filter(|entry| !is_read || entry.has_userinfo()));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries.dedup_by(|a, b| a.name == b.name);
    let is_known = |name: &MonitorName| {
        entries
            .binary_search_by(|entry| entry.name.cmp(name))
            .is_ok()
    };
    awaited.retain(|name| !is_known(name));
    KnownList { entries, awaited }
}

impl Reloaded {
    /// After the configuration is in force: what was read is known and kept, and lists are looked after.
    pub async fn begin(self, running: &Arc<Running>) {
        let read: HashSet<Arc<str>> = self
            .read
            .iter()
            .map(|(source, ..)| Arc::clone(&source.key))
            .collect();
        for (source, entries, skipped, mark) in self.read {
            let kept = kept::of_entries(&entries);
            let key = source.key.to_string();
            let (tell, told) = oneshot::channel();
            running.door.push(Record::WriteAndTell(
                Box::new(move |batch| batch.keep_list(&key, &kept)),
                Reply::with(move |_| {
                    // Nobody waits for longer than below.
                    let _ = tell.send(());
                }),
            ));
            // `status` goes by what is kept: who asked for the reload sees its lists.
            let _ = tokio::time::timeout(KEPT_WITHIN, told).await;
            taken(running, &source, entries.len(), skipped, mark);
            good(running, &source, clock::now());
        }
        let keys: Vec<String> = self
            .config
            .lists
            .iter()
            .map(|list| list.source.key.to_string())
            .collect();
        running.door.push(Record::Write(Box::new(move |batch| {
            batch.forget_lists_but(&keys)
        })));
        // What is in force of the others may be less than what they had: they are read whole.
        for list in &self.config.lists {
            let key = &list.source.key;
            if !read.contains(key) {
                running
                    .lists
                    .change(key, |known| known.mark = Mark::default());
            }
        }
        begin(running);
    }
}

/// What is known of a list at a start.
pub fn known_at_start(entries: usize) -> Known {
    Known {
        entries,
        ..Known::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::source_lists::entry::InForce;
    use crate::config::source_lists::read::read;
    use crate::config::{Environment, load};

    #[test]
    fn what_is_in_force_stays_where_the_database_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let text = "[[source]]\nfile = \"a.txt\"\n";
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let environment = Environment {
            directory: directory.path().to_owned(),
            variables: [("HOME".to_owned(), "/home/kim".to_owned())].into(),
            ..Environment::default()
        };
        let config = load(Path::new("monitors.toml"), &environment).unwrap();
        let lines = "https://kim:secret@a.example/ A\nhttps://b.example/ B\n";
        let list = read(lines.as_bytes(), InForce::default()).unwrap();
        let (config, _) = config.with_list(0, list.entries.clone());
        let source = &config.lists[0].source;
        let entries = |kept| before(kept, &config, source).entries;
        assert_eq!(entries(None), list.entries);
        // Nothing is kept: only what is never kept is taken from there.
        assert_eq!(entries(Some(None)), list.entries[..1]);
        let kept = kept::of_entries(&list.entries);
        assert_eq!(entries(Some(Some(kept.clone()))), list.entries);
        // After a start that could not read the list nothing of it is in force yet.
        let (config, _) = config.with_list(0, Vec::new());
        let known = before(Some(Some(kept)), &config, source);
        assert_eq!(known.entries, list.entries[1..]);
        assert_eq!(known.awaited, [list.entries[0].name.clone()]);
    }
}
