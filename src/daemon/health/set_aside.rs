//! A database that is of no use any more is set aside, and people are told why.

use std::path::Path;
use std::time::Duration;

use crate::clock;
use crate::config::Config;
use crate::daemon::process::patience::{Waited, patiently};
use crate::daemon::run_error::RunError;
use crate::store::error::StoreError;
use crate::store::file::corruption;

/// A database that the disk does not give (read errors) is waited for this long, then it is set aside.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(90);

/// One look takes at most this; a fast disk gives more than ten gigabytes in it.
pub(super) const LOOK_WITHIN: Duration = Duration::from_secs(30);

/// The unit's status meanwhile.
pub(super) const LOOKING: &str = "looking whether the database is damaged; NO SITE IS WATCHED";

/// What the disk says where it does not give all of the database.
///
/// # Errors
/// What the machine refused.
pub(super) fn what_cannot_be_read(
    config: &Config,
    is_leashed: bool,
) -> Result<Waited<Option<String>>, RunError> {
    let path = config.daemon.database.clone();
    let until = clock::tick() + LOOK_WITHIN;
    let is_late = move || clock::tick() >= until;
    let read = move || corruption::read_all(&path, &is_late);
    Ok(match patiently(LOOKING, is_leashed, read)? {
        Waited::Done(Err(error)) if error.is_about_disk() => Waited::Done(Some(error.to_string())),
        Waited::Done(_) => Waited::Done(None),
        Waited::Stopped(ending) => Waited::Stopped(ending),
    })
}

/// Sets a damaged database aside; what is said of that.
///
/// # Errors
/// The files cannot be renamed.
pub(super) fn put_aside(database: &Path, why: &str) -> Result<String, StoreError> {
    let aside = corruption::set_aside(database, clock::now())?;
    Ok(format!(
        "The database {} is damaged: {why}. It was set aside as {} and a new one was begun. Sites are \
         watched on; what was recorded before is in the old file only.",
        database.display(),
        aside.display()
    ))
}

/// Sets a database aside that the disk does not give; what is said of that.
///
/// # Errors
/// The files cannot be renamed.
pub(super) fn put_unreadable_aside(database: &Path, why: &str) -> Result<String, StoreError> {
    let aside = corruption::set_aside(database, clock::now())?;
    Ok(format!(
        "The database {} cannot be read: {why}. After {} seconds it was set aside as {}, and a new one was begun. \
         Sites are watched on; what was recorded before is in the old file only, which may be whole: look after the \
         disk.",
        database.display(),
        READ_WITHIN.as_secs(),
        aside.display()
    ))
}

/// Sets a file aside that was written over the database; what is said of that.
///
/// # Errors
/// The files cannot be renamed.
pub(super) fn put_overwritten_aside(database: &Path) -> Result<String, StoreError> {
    let aside = corruption::set_overwritten_aside(database, clock::now())?;
    Ok(format!(
        "Another file was written over the database {database} while sitewatch runs. What lies there now was set aside \
         as {aside}, and a new database was begun. Sites are watched on; what was recorded before is gone with the old \
         contents. If it was a backup that you put there: stop sitewatch, remove {database} and the files \
         {database}-wal and {database}-shm, put {aside} in its place, and start sitewatch.",
        database = database.display(),
        aside = aside.display()
    ))
}
