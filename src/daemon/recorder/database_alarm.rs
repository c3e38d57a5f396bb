//! News about the database itself, which cannot wait for the database: they leave past the outbox, and are noted in it
//! once it takes writes.

use std::collections::VecDeque;
use std::time::Duration;

use super::engine::{Failure, Outlook, Recorder};
use super::staged::{Deed, id_of};
use crate::domain::notification::{Letter, News, Notice};
use crate::domain::timestamp::Timestamp;

/// A lock that another program holds for some seconds is worth no mail at once: it is told when it is over.
const DISK_SAID_AFTER: Duration = Duration::from_secs(10);

/// A full disk is told again after this, while it stays full and when it is full again.
const DISK_SAID_EVERY: Duration = Duration::from_secs(3600);

/// Something that takes our files away again and again is told so often ..
const FILES_SAID_MAX: usize = 6;
/// .. within this time; all of it is in the log.
const FILES_SAID_WITHIN: Duration = Duration::from_secs(3600);

/// What was told past the outbox.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Alarm {
    /// Letters for the notifier.
    pub(in crate::daemon) letters: Vec<Letter>,
    /// When it was last told that the database takes no writes.
    disk_said_at: Option<Timestamp>,
    files_said: VecDeque<Timestamp>,
}

/// Whether so much time has passed; a clock that was set back must not silence an alarm.
fn is_past(at: Timestamp, wait: Duration, now: Timestamp) -> bool {
    now < at || now.since(at) >= wait
}

impl Recorder {
    /// Tells that the database takes no writes, while it takes none.
    pub(super) fn tell_of_disk(&mut self, now: Timestamp) {
        let passes = |failure: &&Failure| failure.outlook == Outlook::Passes;
        let Some(failure) = self.failure.as_ref().filter(passes) else {
            return;
        };
        let may_be_said = is_past(failure.since, DISK_SAID_AFTER, now)
            && self
                .alarm
                .disk_said_at
                .is_none_or(|at| is_past(at, DISK_SAID_EVERY, now));
        if !may_be_said {
            return;
        }
        let detail = format!(
            "Since {} the database {} takes no writes: {}. Sites are checked on, and what the checks decide is kept \
             in memory; but NO OTHER ALERT LEAVES until the database takes writes again, and if sitewatch ends \
             before that, what it could not write is lost. Make room on the disk, or mend what the message names; \
             sitewatch tries again every two seconds.",
            self.moment(failure.since),
            self.store.path().display(),
            failure.error
        );
        self.alarm.disk_said_at = Some(now);
        self.say_past_the_outbox("disk", detail, now);
    }

    /// The database takes writes again: a mail about it, unless the same was told within the hour.
    pub(super) fn tell_of_disk_again(&mut self, since: Timestamp, detail: String, now: Timestamp) {
        let said_at = self.alarm.disk_said_at;
        let news = match said_at {
            Some(at) if at >= since => News::Back {
                what: "disk".into(),
                after: now.since(since),
                detail,
            },
            Some(at) if !is_past(at, DISK_SAID_EVERY, now) => return,
            Some(_) | None => {
                self.alarm.disk_said_at = Some(now);
                News::Trouble {
                    what: "disk".into(),
                    detail,
                }
            }
        };
        let notice = Notice {
            about: None,
            news,
            decided_at: now,
        };
        self.say(notice, None, now);
    }

    /// Tells that files of the database were taken away. Answers whether that was told.
    pub(super) fn tell_of_files(&mut self, detail: String, now: Timestamp) -> bool {
        let said = &mut self.alarm.files_said;
        said.retain(|at| !is_past(*at, FILES_SAID_WITHIN, now));
        if said.len() >= FILES_SAID_MAX {
            return false;
        }
        said.push_back(now);
        self.say_past_the_outbox("database", detail, now);
        true
    }

    /// Tells what became of the database before this one.
    pub fn tell_of_set_aside(&mut self, detail: String, now: Timestamp) {
        self.say_past_the_outbox("database", detail, now);
    }

    /// At the end nobody sends any more: what was to leave at once is queued for the next start.
    pub(super) fn keep_letters(&mut self, now: Timestamp) {
        let letters = std::mem::take(&mut self.alarm.letters);
        if letters.is_empty() {
            return;
        }
        for letter in letters {
            let write = Deed::Write(Box::new(move |batch| {
                batch.enqueue(&letter, letter.notice.decided_at)
            }));
            self.staged.deed(write, now);
        }
        if let Err(error) = self.flush(now) {
            tracing::error!("the last mails could not be queued: {error}");
        }
    }

    fn say_past_the_outbox(&mut self, what: &str, detail: String, now: Timestamp) {
        let notice = Notice {
            about: None,
            news: News::Trouble {
                what: what.into(),
                detail,
            },
            decided_at: now,
        };
        let mut to = self.default_recipients();
        to.retain(|one| self.config.takes(one, notice.news.kind()));
        if !to.is_empty() {
            self.alarm.letters.push(Letter {
                message_id: id_of(&notice, &self.origin),
                notice,
                to,
            });
        }
    }

    /// A moment as mails write it.
    pub(in crate::daemon) fn moment(&self, at: Timestamp) -> String {
        let zone = &self.config.daemon.timezone;
        at.in_zone(zone)
            .strftime("%Y-%m-%d %H:%M:%S %Z")
            .to_string()
    }
}
