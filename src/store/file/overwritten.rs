//! A database that somebody wrote another file over while it is open (`cp backup.db sitewatch.db`): the file keeps its
//! name and its inode, and SQLite notices only when a page makes no sense.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::error::{Result, StoreError};
use crate::store::facts::meta;
use crate::store::reader::uri;
use crate::store::writer::Store;

/// What every database of SQLite begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What the file itself says, without its log. Only checkpoints of this process change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Header {
    /// Grows with the changes of the first page.
    counter: u32,
    pages: u32,
    changed: (i64, i64),
}

impl Header {
    /// `None` if it is no database.
    fn of(file: &File) -> io::Result<Option<Self>> {
        let facts = file.metadata()?;
        let mut bytes = [0; 32];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
            u32::from_be_bytes(bytes.unwrap_or_default())
        };
        Ok(bytes.starts_with(MAGIC).then(|| Self {
            counter: number(24),
            pages: number(28),
            changed: (facts.mtime(), facts.mtime_nsec()),
        }))
    }
}

/// What this process wrote into the database: no other file has it.
#[derive(Debug)]
pub(in crate::store) struct Mark {
    text: String,
    /// Whether it was seen in the file itself, without its log.
    is_in_file: bool,
}

impl Store {
    /// Whether the file holds something else than what this process wrote to it. Call it about every second: one answer
    /// alone may be of a copy that is still being written. What cannot be looked at is not known to be overwritten.
    pub fn is_overwritten(&mut self) -> bool {
        let Ok(found) = Header::of(&self.file) else {
            return false;
        };
        let Some(known) = self.header else {
            self.header = found;
            // On a full disk there is none: then size and counter have to do.
            self.mark = self.make_mark().ok();
            return false;
        };
        let Some(found) = found else { return true };
        if found == known {
            return false;
        }
        if found.counter < known.counter {
            return true;
        }
        // Before this process writes into what may be another's file. Where readers hold a part of the log back, the
        // file's pages are of different ages and need not go together: then it says nothing yet.
        let was_in_file = self.mark.as_ref().is_some_and(|mark| mark.is_in_file);
        if was_in_file && self.is_log_in_file() && matches!(self.has_mark(), Ok(false)) {
            return true;
        }
        match self.fits() {
            Ok(Some(header)) => match self.has_mark() {
                Ok(true) => {
                    self.header = Some(header);
                    if let Some(mark) = &mut self.mark {
                        mark.is_in_file = true;
                    }
                    false
                }
                Ok(false) => true,
                Err(_) => false,
            },
            Ok(None) => true,
            // Readers or a busy disk are in the way: looked at again.
            Err(_) => false,
        }
    }

    /// The header, if the file is as large as the connection knows once all of the log is in it.
    fn fits(&self) -> Result<Option<Header>> {
        let (busy, log, done): (i64, i64, i64) =
            self.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
        if busy != 0 || log != done {
            return Err(StoreError::Busy);
        }
        let pages: u32 = self
            .connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let header = Header::of(&self.file).unwrap_or_default();
        Ok(header.filter(|header| header.pages == pages))
    }

    /// Whether nothing of the log is missing in the file. False where that is not known. It writes nothing. (The index
    /// of the log says it too, but a process that closes that file loses all of its locks on it.)
    fn is_log_in_file(&self) -> bool {
        let counts: rusqlite::Result<(i64, i64)> =
            self.connection
                .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
                    Ok((row.get(1)?, row.get(2)?))
                });
        counts.is_ok_and(|(log, done)| log == done)
    }

    fn make_mark(&self) -> Result<Mark> {
        let text = self.connection.query_row(
            "INSERT INTO meta (key, value) VALUES (?1, lower(hex(randomblob(16))))
             ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING value",
            [meta::PROCESS],
            |row| row.get(0),
        )?;
        Ok(Mark {
            text,
            is_in_file: false,
        })
    }

    /// Whether the file has the mark of this process; also where there is none. A connection of its own reads the file
    /// without the log, and without what SQLite remembers of it.
    fn has_mark(&self) -> Result<bool> {
        let Some(mark) = &self.mark else {
            return Ok(true);
        };
        let found = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let found = Connection::open_with_flags(uri(&self.path, true), found)
            .and_then(|file| meta::get::<String>(&file, meta::PROCESS));
        match found {
            Ok(found) => Ok(found.as_ref() == Some(&mark.text)),
            Err(rusqlite::Error::SqliteFailure(error, _))
                if matches!(
                    error.code,
                    ErrorCode::Unknown | ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}
