//! A database that somebody wrote another file over while it is open (`cp backup.db sitewatch.db`): the file keeps its
//! name and its inode, and SQLite notices only when a page makes no sense.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rusqlite::{Connection, OpenFlags};

use crate::store::error::{Result, StoreError};
use crate::store::facts::meta;
use crate::store::reader::uri;
use crate::store::writer::Store;

/// What every database of SQLite begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// So much of its first page is looked at.
const HEADER_BYTES: usize = 32;

/// The first byte of a page of keys that points to others, in a table without row numbers.
const INNER_PAGE: u8 = 0x02;

/// What the file itself says, without its log. Only checkpoints of this process change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Header {
    /// Grows with the changes of the first page.
    counter: u32,
    pages: u32,
    bytes: u64,
    /// Whether it lacks pages. While readers hold the log back it may: the first page goes in before others.
    is_short: bool,
    changed: (i64, i64),
}

impl Header {
    /// `None` if it is no database.
    fn of(file: &File) -> io::Result<Option<Self>> {
        let facts = file.metadata()?;
        let mut bytes = [0; HEADER_BYTES];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
            u32::from_be_bytes(bytes.unwrap_or_default())
        };
        // 1 is 65536.
        let page_bytes = match number(16) >> 16 {
            1 => 1 << 16,
            bytes => u64::from(bytes),
        };
        Ok(bytes.starts_with(MAGIC).then(|| Self {
            counter: number(24),
            pages: number(28),
            bytes: facts.len(),
            is_short: facts.len() < u64::from(number(28)) * page_bytes,
            changed: (facts.mtime(), facts.mtime_nsec()),
        }))
    }
}

/// What this process wrote into the database: no other file has it.
#[derive(Debug)]
pub(in crate::store) struct Mark {
    text: String,
    /// Where in the file the first page of its table is: it stays there.
    page_at: u64,
    page_bytes: usize,
    /// Whether it was seen in the file itself, without its log.
    is_in_file: bool,
}

/// What the file itself, without its log, has in the place of the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The mark of this process.
    Ours,
    /// Something that no file of this process has.
    Other,
    /// Nothing that says whose it is: pages of different ages, as readers that hold a part of the log back leave them,
    /// or a disk that does not give them.
    Unclear,
}

impl Store {
    /// Whether the file holds something else than what this process wrote to it. Call it about every second: one answer
    /// alone may be of a copy that is still being written. What cannot be looked at is not known to be overwritten.
    /// Nothing is written into a file before it is known to be that of this process.
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
        if found != known {
            // What this process leaves out of the file, it cuts off with all of the log in it.
            let is_cut = found.bytes < known.bytes && found.is_short;
            if found.counter < known.counter || is_cut {
                return true;
            }
            if self.mark.as_ref().is_some_and(|mark| mark.is_in_file) {
                match self.seen() {
                    Seen::Ours => {}
                    Seen::Other => return true,
                    Seen::Unclear => return false,
                }
            }
        } else if self.mark.as_ref().is_none_or(|mark| mark.is_in_file) {
            return false;
        }
        match self.fits() {
            Ok(Some(header)) => match self.seen() {
                Seen::Ours => {
                    self.header = Some(header);
                    if let Some(mark) = &mut self.mark {
                        mark.is_in_file = true;
                    }
                    false
                }
                Seen::Other => true,
                Seen::Unclear => false,
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
        let header = Header::of(&self.file).map_err(|error| StoreError::Io(error.to_string()))?;
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
        // SQLite counts pages from 1.
        let (pages_before, bytes): (u32, u32) = self.connection.query_row(
            "SELECT rootpage - 1, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'meta'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(Mark {
            text,
            page_at: u64::from(pages_before) * u64::from(bytes),
            page_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            is_in_file: false,
        })
    }

    /// What the file itself has in the place of the mark; [`Seen::Ours`] where there is no mark.
    ///
    /// The table of the mark is one page as long as it is small, and that page has the mark from the first checkpoint
    /// on, however old it is. So the file can be asked also while only a part of the log is in it. Of a larger table
    /// the pages need not go together then.
    fn seen(&self) -> Seen {
        let Some(mark) = &self.mark else {
            return Seen::Ours;
        };
        let mut page = vec![0; mark.page_bytes];
        match self.file.read_exact_at(&mut page, mark.page_at) {
            Ok(()) => {}
            // It was never so short while it was ours.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Seen::Other,
            Err(_) => return Seen::Unclear,
        }
        let text = mark.text.as_bytes();
        if page.windows(text.len()).any(|part| part == text) {
            return Seen::Ours;
        }
        if page.first() != Some(&INNER_PAGE) {
            return Seen::Other;
        }
        match self.read_mark() {
            Ok(Some(found)) if found == *text => Seen::Ours,
            Ok(Some(_)) => Seen::Other,
            Ok(None) if self.is_log_in_file() => Seen::Other,
            Ok(None) | Err(_) => Seen::Unclear,
        }
    }

    /// Reads the mark by a connection of its own, which reads the file without the log, and without what SQLite
    /// remembers of it.
    fn read_mark(&self) -> rusqlite::Result<Option<Vec<u8>>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let file = Connection::open_with_flags(uri(&self.path, true), flags)?;
        let found: Option<String> = meta::get(&file, meta::PROCESS)?;
        Ok(found.map(String::into_bytes))
    }
}
