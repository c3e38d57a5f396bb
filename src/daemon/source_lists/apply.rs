//! Puts a list in force: composed beside the checks, and given to the parts as what differs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::super::active::{Force, Running, agenda, planned_of};
use super::super::logging::targets;
use super::super::recorder::message::{Enrolled, Entry as Record, Relist, Reply};
use super::super::schedule::scheduler::Command;
use super::super::schedule::timetable::first_check_window;
use super::kept;
use super::mark::Mark;
use crate::blocking;
use crate::config::Config;
use crate::config::source_lists::compose::ListChange;
use crate::config::source_lists::entry::Entry;
use crate::domain::monitor::Schedule;

/// The recorder enrolls 100 000 monitors in seconds; a disk that hangs this long takes no list.
const ENROLLED_WITHIN: Duration = Duration::from_secs(120);

/// The scheduler is given so many monitors at a time, and starts what is due in between.
const AMENDED_AT_ONCE: usize = 256;

/// Names that the log shows.
const NAMES_MAX: usize = 5;

/// Puts the entries of a list in force. Says `None` if that could not be: the list is read again later.
pub(crate) async fn apply(running: &Arc<Running>, key: &str, entries: Vec<Entry>) -> Option<()> {
    // A reload and another list wait.
    let _turn = running.reloading.lock().await;
    let force = running.force();
    let index = force.config.list_of(key)?;
    let called = Arc::clone(&force.config.lists.get(index)?.source.called);
    let old = Arc::clone(&force.config);
    let kept_key = key.to_owned();
    let composing = blocking::run(move || {
        let kept = kept::of_entries(&entries);
        let (config, change) = old.with_list(index, entries);
        // The last of the old one's hands may be this one: freeing it takes time, too.
        drop(old);
        (Arc::new(config), change, kept)
    });
    let (config, change, kept) = composing.await.ok()?;
    if !change.is_empty() {
        say(&called, &config, index, &change);
        let frees_names = !change.removed.is_empty();
        put_in_force(running, force, Arc::clone(&config), change).await?;
        if frees_names {
            read_whole_again(running, &config, key);
        }
    }
    running.door.push(Record::Write(Box::new(move |batch| {
        batch.keep_list(&kept_key, &kept)
    })));
    Some(())
}

/// A name that a list gave up may stand in another one, too, which did not get it. Such a list must not count as the
/// same when it comes next, or nobody would watch that site.
fn read_whole_again(running: &Running, config: &Config, but: &str) {
    for list in config.lists.iter().filter(|list| *list.source.key != *but) {
        running.lists.change(&list.source.key, |known| {
            if known.entries != list.monitors {
                known.mark = Mark::default();
            }
        });
    }
}

fn say(called: &str, config: &Config, index: usize, change: &ListChange) {
    let added: Vec<_> = change.added.iter().map(|monitor| &monitor.name).collect();
    let removed: Vec<_> = change.removed.iter().collect();
    let named = |sign: &str, names: &[&crate::domain::monitor::MonitorName]| {
        let shown = names.iter().take(NAMES_MAX);
        let mut text: String = shown.map(|name| format!(", {sign}{name}")).collect();
        if names.len() > NAMES_MAX {
            text.push_str(&format!(" and {} more", names.len() - NAMES_MAX));
        }
        text
    };
    let many = match config.lists.get(index).map_or(0, |list| list.monitors) {
        1 => "1 monitor".to_owned(),
        many => format!("{many} monitors"),
    };
    tracing::info!(
        target: targets::RELOAD,
        "the list {called} has {many}: {} added, {} removed, {} changed{}{}",
        added.len(),
        removed.len(),
        change.changed.len(),
        named("+", &added),
        named("-", &removed),
    );
}

async fn put_in_force(
    running: &Arc<Running>,
    force: Force,
    config: Arc<Config>,
    change: ListChange,
) -> Option<()> {
    let enrolled = enroll(running, Arc::clone(&config), change.clone()).await?;
    running
        .held_windows
        .came_back(&enrolled.held, &running.door);
    let board = running.board.clone();
    let (new, numbers) = (Arc::clone(&config), enrolled.clone());
    let working = blocking::run(move || {
        let added = change.added.len();
        let gone: Vec<_> = change
            .removed
            .iter()
            .filter_map(|name| force.ids.get(name).copied())
            .collect();
        let put = change.added.iter().chain(&change.changed);
        let planned = planned_of(put, &numbers, &board);
        let after = force.amended(new, &change.removed, &numbers);
        let is_cron = |monitor: &Arc<crate::domain::monitor::Monitor>| {
            matches!(monitor.schedule, Schedule::Cron(_))
        };
        let agenda = after.config.monitors.iter().any(is_cron).then(|| {
            let all = Enrolled {
                ids: after
                    .ids
                    .iter()
                    .map(|(name, id)| (name.clone(), *id))
                    .collect(),
                ..Enrolled::default()
            };
            agenda(&after.config, &all)
        });
        (planned, gone, after, agenda, first_check_window(added))
    });
    let (mut planned, gone, after, agenda, window) = working.await.ok()?;
    running.notifier.reconfigure(config);
    running.set_force(after);
    if let Some(agenda) = agenda {
        running.agenda.send_replace(agenda);
    }
    let mut gone = gone;
    while !planned.is_empty() || !gone.is_empty() {
        let rest = planned.split_off(planned.len().min(AMENDED_AT_ONCE));
        let gone_rest = gone.split_off(gone.len().min(AMENDED_AT_ONCE));
        running.scheduler.send(Command::Amend {
            planned: std::mem::replace(&mut planned, rest),
            gone: std::mem::replace(&mut gone, gone_rest),
            window,
        });
        // The scheduler is on this thread: now it starts what is due.
        tokio::task::yield_now().await;
    }
    Some(())
}

async fn enroll(running: &Running, config: Arc<Config>, change: ListChange) -> Option<Enrolled> {
    let (tell, told) = oneshot::channel();
    running.door.push(Record::Relist {
        relist: Box::new(Relist { config, change }),
        reply: Reply::with(move |enrolled| {
            // The daemon may be stopping.
            let _ = tell.send(enrolled);
        }),
    });
    match timeout(ENROLLED_WITHIN, told).await {
        Ok(Ok(Ok(enrolled))) => Some(enrolled),
        Ok(Ok(Err(error))) => {
            tracing::error!("a changed list is not in force: {error}");
            None
        }
        Ok(Err(_)) => None,
        Err(_) => {
            tracing::error!("a changed list is not in force: the database does not take it");
            None
        }
    }
}
