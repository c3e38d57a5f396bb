//! Lists as the database keeps them, and a configuration with the lists that a start or a command has.

use std::sync::mpsc;
use std::time::Duration;

use crate::config::Config;
use crate::config::source_lists::compose::KnownList;
use crate::config::source_lists::entry::{Entry, InForce};
use crate::config::source_lists::model::{ListPlace, ListSource};
use crate::config::source_lists::read::{LIST_BYTES_MAX, List, bytes_of, read};
use crate::domain::monitor::MonitorName;
use crate::domain::subject::Locator;
use crate::policy::schedule::source_lists::is_too_short;
use crate::store::facts::source_lists::{KeptEntry, KeptList};

/// A start waits this long for the file of a list; the largest is read in less.
const FILE_WITHIN: Duration = Duration::from_secs(5);

/// What a kept list says; what another hand wrote there and is no entry is left out.
pub fn known(kept: &KeptList) -> KnownList {
    let mut known = KnownList::default();
    for entry in &kept.kept {
        let Ok(name) = MonitorName::parse(&entry.name) else {
            continue;
        };
        match Locator::parse(&entry.url) {
            Ok(url) => known.entries.push(Entry {
                name,
                url,
                tags: entry.tags.clone().into(),
            }),
            Err(_) if entry.url.is_empty() => known.awaited.push(name),
            Err(_) => {}
        }
    }
    known
}

/// A list as it is kept: of an entry with a user or a password in its URL without the URL.
pub fn of_entries(entries: &[Entry]) -> KeptList {
    let url = |entry: &Entry| match entry.has_userinfo() {
        true => String::new(),
        false => entry.url.text().into_owned(),
    };
    KeptList {
        entries: entries.len(),
        kept: entries
            .iter()
            .map(|entry| KeptEntry {
                name: entry.name.as_str().to_owned(),
                url: url(entry),
                tags: entry.tags.to_vec(),
            })
            .collect(),
    }
}

fn of_list(list: List) -> KnownList {
    KnownList {
        entries: list.entries,
        awaited: Vec::new(),
    }
}

/// The list in a file, where it can be read.
pub fn of_file(source: &ListSource) -> Option<List> {
    let ListPlace::File(path) = &source.place else {
        return None;
    };
    let path = path.clone();
    in_time(FILE_WITHIN, move || {
        let bytes = bytes_of(&path, LIST_BYTES_MAX).ok()?;
        read(&bytes, InForce::default()).ok()
    })
}

/// What the work came to, unless it takes too long or the machine gives no thread: a file system that hangs must not
/// keep a start from watching what it knows.
fn in_time<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> Option<T> + Send + 'static,
) -> Option<T> {
    let (tell, told) = mpsc::channel();
    let told_of = move || {
        // Nobody may be waiting any more.
        let _ = tell.send(work());
    };
    std::thread::Builder::new().spawn(told_of).ok()?;
    told.recv_timeout(within).ok()?
}

/// A configuration with its lists as the daemon has them: those that are kept, and files that it has not read yet.
pub fn with_kept(config: &Config, mut kept: impl FnMut(&str) -> Option<KeptList>) -> Config {
    config.with_lists(|source| match kept(&source.key) {
        Some(kept) => known(&kept),
        None => of_file(source).map_or_else(KnownList::default, of_list),
    })
}

/// A configuration with its lists, without a network: files are read, and of what cannot be read, or is too short to be
/// believed, there is the list that is `kept`.
pub fn with_lists(config: &Config, mut kept: impl FnMut(&str) -> Option<KeptList>) -> Config {
    config.with_lists(|source| {
        let kept = kept(&source.key);
        let before = kept.as_ref().map_or(0, |kept| kept.entries);
        let good = of_file(source)
            .filter(|list| !is_too_short(before, list.entries.len(), source.keep_at_least));
        match (good, kept) {
            (Some(list), _) => of_list(list),
            (None, Some(kept)) => known(&kept),
            (None, None) => KnownList::default(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_hangs_is_not_waited_for() {
        let (end, hangs) = mpsc::channel::<()>();
        let came = in_time(Duration::from_millis(20), move || hangs.recv().ok());
        assert!(came.is_none());
        drop(end);
        assert_eq!(in_time(FILE_WITHIN, || Some(7)), Some(7));
    }
}
