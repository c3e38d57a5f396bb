//! The recorder watches its files. If one is removed or replaced under the running daemon, the recorder reports it and
//! writes the file again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::engine::{Failure, Outlook, Recorder};
use crate::daemon::logging::targets;
use crate::domain::notification::{News, Notice};
use crate::domain::timestamp::Timestamp;
use crate::store::error::StoreError;
use crate::store::file::rescue::{Gone, Part, TRY_AGAIN};

/// That files were taken away, as `status` and the heartbeat tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesTrouble {
    /// One sentence without its full stop.
    pub text: String,
    /// Whether everything is where it belongs again.
    pub is_over: bool,
}

/// What the recorder knows of its files.
#[derive(Debug)]
pub(in crate::daemon) struct Files {
    /// Where the database belongs.
    home: PathBuf,
    /// Whether the last look found something wrong. The first such look only waits, so that somebody who is removing
    /// several files can finish.
    is_suspected: bool,
    /// Whether the last look found something else in the file. The first such look only waits, as above.
    is_suspected_of_another: bool,
    /// When a rescue failed last.
    failed_at: Option<Timestamp>,
    /// What was said last, while it lasts.
    open: Option<Open>,
    trouble: Option<FilesTrouble>,
    /// How often the database was rewritten.
    rescues: u64,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    what: String,
    was_mailed: bool,
}

impl Files {
    pub(in crate::daemon) fn at(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            is_suspected: false,
            is_suspected_of_another: false,
            failed_at: None,
            open: None,
            trouble: None,
            rescues: 0,
        }
    }
}

/// What was done about files that are gone.
struct Done {
    /// A sentence for each.
    sentences: Vec<String>,
    /// Whether everything is where it belongs.
    is_well: bool,
}

impl Recorder {
    /// Whether files were taken away, now or before.
    pub fn files_trouble(&self) -> Option<&FilesTrouble> {
        self.files.trouble.as_ref()
    }

    /// Where the database is now.
    pub fn database(&self) -> &Path {
        self.store.path()
    }

    /// Checks whether all files are where they were; call it about every second. It calls `alive` while it copies a
    /// large database. The last look before the end waits for nothing. Returns whether it rewrote the database; then
    /// the readers of the database must open it again.
    pub fn look_after_files(
        &mut self,
        is_last: bool,
        now: Timestamp,
        alive: &mut dyn FnMut(),
    ) -> bool {
        let rescues = self.files.rescues;
        self.look(is_last, now, alive);
        self.files.rescues != rescues
    }

    /// What lies in the file now is not what this process wrote there: a new start sets it aside.
    fn look_at_contents(&mut self, now: Timestamp) {
        let was_suspected = self.files.is_suspected_of_another;
        self.files.is_suspected_of_another = self.store.is_overwritten();
        if was_suspected && self.files.is_suspected_of_another {
            self.failure = Some(Failure {
                since: now,
                tried_at: now,
                error: StoreError::Overwritten.to_string(),
                outlook: Outlook::Overwritten,
            });
        }
    }

    fn look(&mut self, is_last: bool, now: Timestamp, alive: &mut dyn FnMut()) {
        let gone = self.store.gone();
        if gone.is_empty() && self.failure.is_none() {
            self.look_at_contents(now);
        }
        let is_away = self.store.path() != self.files.home;
        if gone.is_empty() && !is_away {
            self.files.is_suspected = false;
            self.well_again(now);
            return;
        }
        if gone.is_empty() && self.files.home.symlink_metadata().is_ok() {
            // What took the place of the database is still there.
            return;
        }
        if !std::mem::replace(&mut self.files.is_suspected, true) && !is_last {
            return;
        }
        let failed_at = self.files.failed_at;
        if !is_last && failed_at.is_some_and(|at| now >= at && now.since(at) < TRY_AGAIN) {
            return;
        }
        let what = said(&gone);
        let done = self.mend(&gone, now, alive);
        self.files.is_suspected = !done.is_well;
        self.files.failed_at = (!done.is_well).then_some(now);
        if gone.is_empty() && done.is_well {
            self.well_again(now);
            return;
        }
        let already = self
            .files
            .open
            .as_ref()
            .is_some_and(|open| open.what == what);
        match (already, done.is_well) {
            (true, true) => self.well_again(now),
            (true, false) => {}
            (false, is_well) => {
                self.tell(what, &done, now);
                if is_well {
                    self.is_over();
                }
            }
        }
    }

    fn mend(&mut self, gone: &[Gone], now: Timestamp, alive: &mut dyn FnMut()) -> Done {
        let mut done = Done {
            sentences: Vec::new(),
            is_well: true,
        };
        let is_locked_out = gone.iter().any(|gone| gone.part == Part::Lock);
        if is_locked_out {
            let (said, is_well) = match self.store.lock_again() {
                Ok(()) => ("The lock was made again.".to_owned(), true),
                Err(StoreError::Locked { pid, .. }) => (
                    format!(
                        "Another sitewatch (process {pid}) holds the lock now: two of them watch the same sites \
                         and mail twice. Stop one of them."
                    ),
                    false,
                ),
                Err(error) => (
                    format!("The lock could not be made again: cannot {error}."),
                    false,
                ),
            };
            done.sentences.push(said);
            done.is_well &= is_well;
        }
        let is_away = self.store.path() != self.files.home;
        if is_away || gone.iter().any(|gone| gone.part != Part::Lock) {
            let home = self.files.home.clone();
            let rescued = self.store.rescue(&home, now, alive);
            self.files.rescues += u64::from(rescued.is_ok());
            let (said, is_well) = match rescued {
                Ok(place) if place == home => (
                    format!(
                        "Everything that was recorded has been written to {} again: nothing is lost. To start afresh, \
                         stop sitewatch first, then remove the file.",
                        home.display()
                    ),
                    true,
                ),
                Ok(place) => (
                    format!(
                        "The file that is at {home} now was left as it is. Everything that was recorded is in \
                         {place}, and sitewatch goes on writing there until it ends; the next start takes {home}. To \
                         keep what was recorded: stop sitewatch, put {place} in the place of {home}, start it again. \
                         If {home} is removed meanwhile, the database goes back there by itself.",
                        home = home.display(),
                        place = place.display()
                    ),
                    false,
                ),
                Err(error) => (
                    format!(
                        "It could not be written again ({error}), so that everything recorded will be lost when \
                         sitewatch ends; it is tried again every {} seconds.",
                        TRY_AGAIN.as_secs()
                    ),
                    false,
                ),
            };
            done.sentences.push(said);
            done.is_well &= is_well;
        }
        done
    }

    fn tell(&mut self, what: String, done: &Done, now: Timestamp) {
        let detail = format!(
            "Of {}, {what} while sitewatch runs, noticed at {}. {} Sites are watched on.",
            self.files.home.display(),
            self.moment(now),
            done.sentences.join(" ")
        );
        tracing::error!(target: targets::TROUBLE, "{detail}");
        let is_new = self.files.open.is_none();
        let was_mailed = self.tell_of_files(detail, now);
        let at = self.moment(now);
        let outcome = match (done.is_well, self.store.path() == self.files.home) {
            (true, _) => "; all of it was written again".to_owned(),
            (false, true) => "; it could not be mended, the log says why".to_owned(),
            (false, false) => format!("; it writes to {}", self.store.path().display()),
        };
        self.files.trouble = Some(FilesTrouble {
            text: format!("{what} while the daemon runs ({at}){outcome}"),
            is_over: false,
        });
        let since = match &self.files.open {
            Some(open) if !is_new => open.since,
            _ => now,
        };
        self.files.open = Some(Open {
            since,
            what,
            was_mailed,
        });
    }

    /// Everything is where it belongs, some time after it was not.
    fn well_again(&mut self, now: Timestamp) {
        let Some(open) = &self.files.open else { return };
        let detail = format!(
            "The database is at {} again, with everything that was recorded, and its lock is held.",
            self.files.home.display()
        );
        tracing::info!(target: targets::TROUBLE, "{detail}");
        if open.was_mailed {
            let news = News::Back {
                what: "database".into(),
                after: now.since(open.since),
                detail,
            };
            let notice = Notice {
                about: None,
                news,
                decided_at: now,
            };
            self.say(notice, None, now);
        }
        self.is_over();
    }

    fn is_over(&mut self) {
        self.files.open = None;
        self.files.failed_at = None;
        if let Some(trouble) = &mut self.files.trouble {
            trouble.is_over = true;
        }
    }
}

/// `the database was removed, its log (-wal) was removed`
fn said(gone: &[Gone]) -> String {
    let said: Vec<String> = gone.iter().map(ToString::to_string).collect();
    match said.split_last() {
        None => "the database is not at its place".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// How often the recorder's thread looks.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
