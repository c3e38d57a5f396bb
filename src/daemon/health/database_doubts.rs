//! A database that is called damaged is looked through before it is set aside: a disk that does not give the file is no
//! damage.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::disk_wait::DiskWait;
use crate::clock;
use crate::config::Config;
use crate::daemon::logging::targets;
use crate::daemon::process::patience::patiently;
use crate::daemon::run_error::RunError;
use crate::store::error::StoreError;
use crate::store::file::corruption;

/// A database that is called damaged again and again is, though its structure looks whole ..
const DOUBTS_MAX: usize = 3;
/// .. within this time.
const DOUBTS_WITHIN: Duration = Duration::from_secs(3600);

/// How often the database was called damaged of late, and nothing was found.
#[derive(Default)]
pub(in crate::daemon) struct Doubts {
    since: Option<Instant>,
    count: usize,
}

impl Doubts {
    /// Sets a database aside that is of no use any more, and answers what is to be told of it; `None` if it is used on.
    /// One that is called damaged is looked through first. One that was written over is not: it may be sound, but it is
    /// not what this process recorded.
    ///
    /// # Errors
    /// What the wait for the disk ends with; the files cannot be renamed.
    pub(in crate::daemon) fn set_aside(
        &mut self,
        config: &Config,
        why: &StoreError,
        disk: &mut DiskWait,
    ) -> Result<Option<String>, RunError> {
        let database = &config.daemon.database;
        let detail = match why {
            StoreError::Overwritten => put_overwritten_aside(database)?,
            StoreError::Damaged(why) if !self.is_damaged(config, why, disk)? => return Ok(None),
            StoreError::Damaged(why) => put_aside(database, why)?,
            other => put_aside(database, &other.to_string())?,
        };
        tracing::error!(target: targets::TROUBLE, "{detail}");
        Ok(Some(detail))
    }

    /// Whether the database is to be set aside. A disk that does not give the file is waited for.
    fn is_damaged(
        &mut self,
        config: &Config,
        why: &str,
        disk: &mut DiskWait,
    ) -> Result<bool, RunError> {
        loop {
            match patiently(|| corruption::look_again(&config.daemon.database))? {
                Err(error) if error.is_about_disk() => {
                    patiently(|| disk.wait(config, &error))??;
                }
                Err(_) => return Ok(true),
                Ok(()) => break,
            }
        }
        if self
            .since
            .is_none_or(|since| clock::tick() - since > DOUBTS_WITHIN)
        {
            *self = Self {
                since: Some(clock::tick()),
                count: 0,
            };
        }
        self.count += 1;
        let is_damaged = self.count > DOUBTS_MAX;
        if !is_damaged {
            tracing::warn!(
                target: targets::TROUBLE,
                "The database {} was called damaged ({why}), but all of it can be read and its structure is whole: it is \
                 used on.",
                config.daemon.database.display()
            );
        }
        Ok(is_damaged)
    }
}

/// Sets a damaged database aside; what is said of that.
fn put_aside(database: &Path, why: &str) -> Result<String, StoreError> {
    let aside = corruption::set_aside(database, clock::now())?;
    Ok(format!(
        "The database {} is damaged: {why}. It was set aside as {} and a new one was begun. Sites are \
         watched on; what was recorded before is in the old file only.",
        database.display(),
        aside.display()
    ))
}

/// Sets a file aside that was written over the database; what is said of that.
fn put_overwritten_aside(database: &Path) -> Result<String, StoreError> {
    let aside = corruption::set_overwritten_aside(database, clock::now())?;
    Ok(format!(
        "Another file was written over the database {database} while sitewatch runs. What lies there now was set aside \
         as {aside}, and a new database was begun. Sites are watched on; what was recorded before is gone with the old \
         contents. If it was a backup that you put there: stop sitewatch, remove {database} and the files {database}-wal \
         and {database}-shm, put {aside} in its place, and start sitewatch.",
        database = database.display(),
        aside = aside.display()
    ))
}
