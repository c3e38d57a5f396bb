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
    /// Whether the database is to be set aside. A disk that does not give the file is waited for.
    ///
    /// # Errors
    /// What the wait for the disk ends with.
    pub(in crate::daemon) fn is_damaged(
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
///
/// # Errors
/// The files cannot be renamed.
pub(in crate::daemon) fn put_aside(database: &Path, why: &str) -> Result<String, StoreError> {
    let aside = corruption::set_aside(database, clock::now())?;
    let detail = format!(
        "The database {} is damaged: {why}. It was set aside as {} and a new one was begun. Sites are \
         watched on; what was recorded before is in the old file only.",
        database.display(),
        aside.display()
    );
    tracing::error!(target: targets::TROUBLE, "{detail}");
    Ok(detail)
}
