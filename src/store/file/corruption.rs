//! Finds damage in the database and sets a damaged file aside.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use crate::domain::timestamp::Timestamp;
use crate::own_files;
use crate::store::error::{Result, StoreError};
use crate::store::reader::Reader;
use crate::store::writer::Store;

/// Between two parts of this size it is looked whether the time is over.
const PART_BYTES: usize = 1 << 20;

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

/// How far a look went that found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// To the end.
    Whole,
    /// As far as the time went.
    Unfinished,
}

/// Looks until it is late whether a database that was called damaged is: SQLite says so too of a disk that does not
/// give the file (`EIO`), though nothing is wrong with what is on it. The store that said it and every reader must have
/// been dropped: closing the file lets go of SQLite's locks on it in this process.
///
/// # Errors
/// - [`StoreError::Io`]: the disk does not give the file or its log; whether it is damaged is not known.
/// - [`StoreError::Damaged`]: it is.
/// - What opening a database refuses.
pub fn look_again(path: &Path, is_late: impl Fn() -> bool + Send + 'static) -> Result<Looked> {
    if read_all(path, &is_late)? == Looked::Unfinished {
        return Ok(Looked::Unfinished);
    }
    let mut reader = Reader::open(&super::open::resolved(path)?)?;
    reader.end_queries_when(is_late)?;
    let word: rusqlite::Result<String> =
        reader
            .connection()
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match word {
        Ok(word) if word == "ok" => Ok(Looked::Whole),
        Ok(word) => Err(StoreError::Damaged(word)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(Looked::Unfinished)
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads every byte of a database and its log, until it is late. The same must have been dropped as for [`look_again`].
///
/// # Errors
/// [`StoreError::Io`]: the disk does not give them.
pub fn read_all(path: &Path, is_late: &impl Fn() -> bool) -> Result<Looked> {
    let path = &super::open::resolved(path)?;
    let log = own_files::beside(path, "-wal");
    for file in [path, &log] {
        let read = match File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened.and_then(|mut file| read_through(&mut file, is_late)),
        };
        match read {
            Ok(Looked::Whole) => {}
            Ok(Looked::Unfinished) => return Ok(Looked::Unfinished),
            Err(error) => return Err(StoreError::Io(error.to_string())),
        }
    }
    Ok(Looked::Whole)
}

fn read_through(file: &mut impl Read, is_late: &impl Fn() -> bool) -> io::Result<Looked> {
    let mut part = vec![0; PART_BYTES];
    while !is_late() {
        if file.read(&mut part)? == 0 {
            return Ok(Looked::Whole);
        }
    }
    Ok(Looked::Unfinished)
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
/// database that was there before and would be replayed into the other: it becomes `PATH-wal.stray-SECONDS`. Returns
/// the new name of the file. The store must have been dropped, see [`Store::leave_as_it_is`].
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

/// Takes the log away from beside a file that was written over the open database, which stays: see
/// [`set_overwritten_aside`]. The store must have been dropped.
///
/// # Errors
/// The files cannot be renamed.
pub fn set_log_aside(path: &Path, now: Timestamp) -> Result<()> {
    let path = &super::open::resolved(path)?;
    let log_aside = own_files::beside(path, &format!("-wal.stray-{}", now.as_seconds()));
    take_log_away(path, &log_aside)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|source| StoreError::File {
        what: format!("rename `{}`", from.display()),
        source,
    })
}

fn rename_all(path: &Path, aside: PathBuf, log_aside: PathBuf) -> Result<PathBuf> {
    // The log first: alone it says nothing, while a database with a stranger's log would be made worse.
    take_log_away(path, &log_aside)?;
    rename(path, &aside)?;
    for file in [&aside, &log_aside] {
        // It may be of a version that let everybody read; that it stays so must not keep the daemon from starting.
        let _ = own_files::tighten(file);
    }
    Ok(aside)
}

fn take_log_away(path: &Path, log_aside: &Path) -> Result<()> {
    let log = own_files::beside(path, "-wal");
    if log.symlink_metadata().is_ok() {
        rename(&log, log_aside)?;
    }
    let index = own_files::beside(path, "-shm");
    if index.exists() {
        std::fs::remove_file(&index).map_err(|source| StoreError::File {
            what: format!("remove `{}`", index.display()),
            source,
        })?;
    }
    Ok(())
}
