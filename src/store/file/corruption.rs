//! Finds damage in the database and sets a damaged file aside.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::domain::timestamp::Timestamp;
use crate::own_files;
use crate::store::error::{Result, StoreError};
use crate::store::reader::Reader;
use crate::store::writer::Store;

impl Store {
    /// Looks through the whole file; takes about a second for each gigabyte.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what was found first.
    pub fn check_integrity(&self) -> Result<()> {
        check(self.connection())
    }

    /// Whether the end of the last run left the file as it should be: a quick look at its structure without
    /// its contents.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn check_quickly(&self) -> Result<()> {
        answer(self.connection(), "PRAGMA quick_check(1)")
    }
}

impl Reader {
    /// Looks through the whole file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what was found first.
    pub fn check_integrity(&self) -> Result<()> {
        check(self.connection())
    }
}

fn check(connection: &Connection) -> Result<()> {
    answer(connection, "PRAGMA integrity_check(1)")
}

fn answer(connection: &Connection, pragma: &str) -> Result<()> {
    let word: String = connection.query_row(pragma, [], |row| row.get(0))?;
    if word == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged(word))
    }
}

/// Looks whether a database that was called damaged is: SQLite says so too of a disk that does not give the file
/// (`EIO`), though nothing is wrong with what is on it. The store that said it must have been dropped.
///
/// # Errors
/// - [`StoreError::Io`]: the disk does not give the file or its log; whether it is damaged is not known.
/// - [`StoreError::Damaged`]: it is.
/// - What opening a database refuses.
pub fn look_again(path: &Path) -> Result<()> {
    let path = &super::open::resolved(path)?;
    read_through(path)?;
    let log = own_files::beside(path, "-wal");
    if log.exists() {
        read_through(&log)?;
    }
    answer(Reader::open(path)?.connection(), "PRAGMA quick_check(1)")
}

/// Reads every byte of a file.
fn read_through(path: &Path) -> Result<()> {
    let read = std::fs::File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
    match read {
        Ok(_) => Ok(()),
        Err(error) => Err(StoreError::Io(error.to_string())),
    }
}

/// Renames a damaged database, with its log, to `PATH.damaged-SECONDS`, so that [`Store::open`] makes a new one.
/// Returns the new name. The store that found the damage must have been dropped.
///
/// # Errors
/// The files cannot be renamed.
pub fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf> {
    let path = &super::open::resolved(path)?;
    let aside = own_files::beside(path, &format!(".damaged-{}", now.as_seconds()));
    let log_aside = own_files::beside(&aside, "-wal");
    rename_all(path, aside, log_aside)
}

/// Renames a file that was written over the open database to `PATH.overwritten-SECONDS`, as it is. The log is of the
/// database that was there before and would be replayed into the other: it becomes `PATH-wal.stray-SECONDS`. Returns the
/// new name of the file. The store must have been dropped, see [`Store::leave_as_it_is`].
///
/// # Errors
/// The files cannot be renamed.
pub fn set_overwritten_aside(path: &Path, now: Timestamp) -> Result<PathBuf> {
    let path = &super::open::resolved(path)?;
    let seconds = now.as_seconds();
    let aside = own_files::beside(path, &format!(".overwritten-{seconds}"));
    let log_aside = own_files::beside(path, &format!("-wal.stray-{seconds}"));
    rename_all(path, aside, log_aside)
}

fn rename_all(path: &Path, aside: PathBuf, log_aside: PathBuf) -> Result<PathBuf> {
    let beside = |end: &str| own_files::beside(path, end);
    let rename = |from: PathBuf, to: &Path| {
        std::fs::rename(&from, to).map_err(|source| StoreError::File {
            what: format!("rename `{}`", from.display()),
            source,
        })
    };
    // The log first: alone it says nothing, while a database with a stranger's log would be made worse.
    let log = beside("-wal");
    if log.exists() {
        rename(log, &log_aside)?;
    }
    let index = beside("-shm");
    if index.exists() {
        std::fs::remove_file(&index).map_err(|source| StoreError::File {
            what: format!("remove `{}`", index.display()),
            source,
        })?;
    }
    rename(path.to_owned(), &aside)?;
    for file in [&aside, &log_aside] {
        // It may be of a version that let everybody read; that it stays so must not keep the daemon from starting.
        let _ = own_files::tighten(file);
    }
    Ok(aside)
}
