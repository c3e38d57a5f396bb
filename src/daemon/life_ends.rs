//! How one life of the daemon ends: everything is taken down in order, before the process ends or a new life begins.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::active::Running;
use super::cluster::hub;
use super::logging::targets;
use super::process::signals::Ending;
use super::recorder::message::Entry;
use super::recorder::thread::Ended;
use super::run_error::RunError;
use super::schedule::scheduler::Command;
use super::web::server::WebServer;
use crate::clock;
use crate::service;
use crate::store::error::StoreError;
use crate::store::file::corruption;
use crate::store::reader::open_readers;

/// After the grace for checks and mails, the recorder gets this long to write what is left.
const LAST_WRITE: Duration = Duration::from_secs(20);

/// How one life of the daemon ended.
#[must_use]
pub(super) enum Life {
    /// The daemon ends.
    Ended(Ending),
    /// Another hub leads: this one follows it.
    Overtaken,
}

/// Everything that has to be ended.
pub(super) struct Household {
    pub(super) running: Arc<Running>,
    pub(super) scheduler: JoinHandle<u32>,
    pub(super) recorder: std::thread::JoinHandle<Ended>,
    pub(super) control: JoinHandle<()>,
    pub(super) others: Vec<JoinHandle<()>>,
    pub(super) web: Option<WebServer>,
    pub(super) link: Option<hub::Link>,
}

/// Ends everything: first the checks, then what they led to, then the database.
pub(super) async fn take_down(household: Household, grace: Duration) -> Result<Ending, RunError> {
    let Household {
        running,
        scheduler,
        recorder,
        control,
        others,
        web,
        link,
    } = household;
    service::stopping("stopping: waiting for running checks");
    tracing::info!("stopping: waiting for running checks");
    control.abort();
    running.lists.set_tasks(Vec::new());
    let until = clock::tick() + grace;
    running.scheduler.send(Command::Stop { grace });
    let left_behind = scheduler.await.unwrap_or(0);
    if left_behind > 0 {
        tracing::warn!(left_behind, "checks did not end within shutdown_grace");
    }
    running.notifier.stop(until).await;
    for other in others {
        other.abort();
    }
    drop(web);
    running.door.push(Entry::Stop);
    let ended = ended(recorder, clock::tick() + LAST_WRITE).await;
    // After the last write, since the other hub has everything then, and knows that it may lead.
    drop(link);
    match ended {
        Some(Ended::Stopped(_)) => Ok(Ending::Orderly),
        Some(Ended::Unusable { why, store }) => {
            tracing::error!(target: targets::TROUBLE, "the last writes are lost: {why}");
            if matches!(why, StoreError::Overwritten) {
                let path = store.path().to_owned();
                drop(store);
                // The next start is with what was put there, and the log would be replayed into it.
                corruption::set_log_aside(&path, clock::now())?;
            }
            Ok(Ending::Forced)
        }
        None => {
            tracing::error!("the database did not take the last writes in time");
            Ok(Ending::Forced)
        }
    }
}

/// The recorder ended by itself: everything else goes, too, before a new one can begin.
pub(super) async fn after_damage(household: Household) -> Result<Life, RunError> {
    service::status("the database is damaged or another's; NO SITE IS WATCHED for a moment");
    let until = clock::tick() + LAST_WRITE;
    household.control.abort();
    household.running.lists.set_tasks(Vec::new());
    household.scheduler.abort();
    household.running.notifier.stop(clock::tick()).await;
    for other in household.others {
        other.abort();
    }
    drop(household.web);
    drop(household.link);
    match ended(household.recorder, until).await {
        Some(Ended::Unusable { why, store }) => {
            let is_alone = readers_are_gone(store.path(), until).await;
            match (why, is_alone) {
                // What was written over the file is set aside: none of its readers is in the way.
                (why @ StoreError::Overwritten, _) | (why, true) => Err(why.into()),
                (_, false) => Err(RunError::Broken("a reader of the database")),
            }
        }
        Some(Ended::Stopped(_)) | None => Err(RunError::Broken("recorder")),
    }
}

/// Whether nothing in this process reads the database any more, at the latest then. Before that neither the store may
/// be dropped nor the file be opened again: closing a file lets go of all locks that the process has on it, and SQLite
/// would not know. Then another program could take the log away under the running daemon.
async fn readers_are_gone(database: &Path, until: Instant) -> bool {
    while open_readers(database) > 0 {
        if clock::tick() >= until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}

/// Another hub leads: nothing leaves here any more, and what this hub has not told is told there.
pub(super) async fn after_overtaking(household: Household) -> Result<Life, RunError> {
    tracing::error!(target: targets::TROUBLE, "another hub leads: this one tells nothing any more, and follows it");
    service::status("another hub leads");
    household.control.abort();
    household.running.lists.set_tasks(Vec::new());
    household.scheduler.abort();
    household.running.notifier.stop(clock::tick()).await;
    for other in household.others {
        other.abort();
    }
    drop(household.web);
    household.running.door.push(Entry::Stop);
    let until = clock::tick() + LAST_WRITE;
    let ended = ended(household.recorder, until).await;
    drop(household.link);
    match ended {
        Some(Ended::Stopped(store)) => match readers_are_gone(store.path(), until).await {
            true => Ok(Life::Overtaken),
            false => Err(RunError::Broken("a reader of the database")),
        },
        Some(Ended::Unusable { why, .. }) => Err(why.into()),
        None => Err(RunError::Broken("recorder")),
    }
}

/// The recorder's end, if it comes in time.
async fn ended(recorder: std::thread::JoinHandle<Ended>, until: Instant) -> Option<Ended> {
    while !recorder.is_finished() {
        if clock::tick() >= until {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    recorder
        .join()
        .inspect_err(|_| tracing::error!("the recorder panicked; this is a bug"))
        .ok()
}
