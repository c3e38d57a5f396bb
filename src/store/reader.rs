//! A connection that only reads: beside the running daemon, after it stopped, after it crashed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::checks::hydrate::Resolver;
use super::error::{Result, StoreError};
use super::facts::meta;
use super::file::open::{STATEMENTS_MAX, cannot_open};
use super::file::{lock, migrate};
use crate::domain::timestamp::Timestamp;
use crate::own_files;

/// How long a reader waits where the daemon is just changing the file's form (recovery after a crash).
const PATIENCE: Duration = Duration::from_secs(2);

/// So many steps of SQLite's machine, some milliseconds, lie between two looks whether a query is given up.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// The database, open for reading. It never keeps the daemon from writing.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    /// The link that led there. A daemon that opened the file before somebody moved it has its lock beside this.
    link: Option<PathBuf>,
    pub(super) resolver: Resolver,
    _counted: Counted,
}

/// The databases that readers of this process have open, with the number of the readers.
static OPEN: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());

/// How many readers of this process have a database open. Where a process opens a database again, those of before must
/// be gone: SQLite's locks on a file are the process's, and closing the file lets go of all of them.
pub fn open_readers(path: &Path) -> usize {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.get(path).copied().unwrap_or(0)
}

/// Counts a reader as long as it lives.
#[derive(Debug)]
struct Counted(PathBuf);

impl Counted {
    fn new(path: &Path) -> Self {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        *open.entry(path.to_owned()).or_default() += 1;
        Self(path.to_owned())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.0);
            }
        }
    }
}

impl Reader {
    /// Opens a database that exists and has the format of this program.
    ///
    /// # Errors
    /// It is missing, unreadable, older, newer, foreign or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        // Read only, so a link does no harm; what belongs to the database is beside its target.
        let real = match own_files::is_link(path) {
            true => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
            false => path.to_owned(),
        };
        let link = (real != path).then(|| path.to_owned());
        let path = &real;
        let attempt = match Self::attempt(path, false) {
            // After a clean stop without its log a directory that may not be written cannot be read otherwise.
            // With a log this would miss what is in it.
            Err(StoreError::ReadOnly | StoreError::Io(_)) if !has_log(path) => {
                Self::attempt(path, true)
            }
            Err(StoreError::ReadOnly | StoreError::Io(_)) if !may_write_beside(path) => {
                Err(StoreError::Log {
                    path: path.to_owned(),
                })
            }
            outcome => outcome,
        };
        attempt.map(|reader| Self { link, ..reader })
    }

    fn attempt(path: &Path, immutable: bool) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        // Dropped after the connection, also where it cannot be opened.
        let counted = Counted::new(path);
        let connection = Connection::open_with_flags(uri(path, immutable), flags)
            .map_err(|error| cannot_open(path, error))?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let found = connection
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
            .map_err(|error| cannot_open(path, error))?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // Two MiB hold the inner pages of a database of years.
        connection.pragma_update(None, "cache_size", -8192)?;
        migrate::format(&connection, path)?;
        match found {
            0 => {
                return Err(StoreError::Foreign {
                    path: path.to_owned(),
                    what: "it is not a database of sitewatch".to_owned(),
                });
            }
            older if older < migrate::newest() => {
                return Err(StoreError::Older {
                    path: path.to_owned(),
                    found,
                    known: migrate::newest(),
                });
            }
            _ => {}
        }
        Ok(Self {
            connection,
            path: path.to_owned(),
            link: None,
            resolver: Resolver::default(),
            _counted: counted,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The process of the daemon that runs on this database, as text (`?` where its number cannot be read);
    /// `None` if no daemon runs.
    pub fn daemon(&self) -> Option<String> {
        let link = self.link.as_deref();
        lock::holder(&self.path).or_else(|| lock::holder(link?))
    }

    /// Does several queries on one state of the database: what is written meanwhile is not seen by any of them.
    /// Keep it short: while it lasts the write-ahead log cannot be reset.
    ///
    /// # Errors
    /// As SQLite's, or what `queries` answers.
    pub fn together<T>(&self, queries: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        if !self.connection.is_autocommit() {
            return queries(self);
        }
        let transaction = self.connection.unchecked_transaction()?;
        let answer = queries(self);
        // Nothing was written: how it ends is the same.
        drop(transaction);
        answer
    }

    /// When the daemon last proved that the database takes writes.
    ///
    /// # Errors
    /// If SQLite fails.
    pub fn probed_at(&self) -> Result<Option<Timestamp>> {
        Ok(meta::get(&self.connection, meta::PROBED_AT)?.map(Timestamp::from_ms))
    }

    /// The connection, for the functions of [`super::outbox::queries`].
    pub fn outbox(&self) -> &Connection {
        &self.connection
    }

    /// Gives up a query once this answers true; it is asked again and again meanwhile.
    ///
    /// # Errors
    /// If SQLite fails.
    pub(in crate::store) fn end_queries_when(
        &mut self,
        is_over: impl FnMut() -> bool + Send + 'static,
    ) -> Result<()> {
        Ok(self
            .connection
            .progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over))?)
    }

    pub(in crate::store) fn connection(&self) -> &Connection {
        &self.connection
    }
}

fn has_log(path: &Path) -> bool {
    std::fs::metadata(own_files::beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn may_write_beside(path: &Path) -> bool {
    rustix::fs::access(own_files::folder_of(path), rustix::fs::Access::WRITE_OK).is_ok()
}

/// A `file:` URI of a path with whatever bytes it has.
pub(super) fn uri(path: &Path, immutable: bool) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = String::from("file:");
    // Two slashes at the beginning would make the first part a host.
    if path.is_absolute() {
        uri.push_str("//");
    }
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            other => write!(uri, "%{other:02x}").expect("a String takes all"),
        }
    }
    uri.push_str("?mode=ro");
    if immutable {
        uri.push_str("&immutable=1");
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_counted_as_long_as_they_live() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.db");
        drop(crate::store::writer::Store::open(&path, Timestamp::from_ms(0)).unwrap());
        assert_eq!(open_readers(&path), 0);
        let readers = [Reader::open(&path).unwrap(), Reader::open(&path).unwrap()];
        assert_eq!(open_readers(&path), 2);
        drop(readers);
        assert_eq!(open_readers(&path), 0);
        let other = place.path().join("other.db");
        std::fs::write(&other, "no database").unwrap();
        assert!(Reader::open(&other).is_err());
        assert_eq!(open_readers(&other), 0);
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(
            uri(Path::new("/a b/c?d.db"), false),
            "file:///a%20b/c%3fd.db?mode=ro"
        );
        assert_eq!(
            uri(Path::new("x.db"), true),
            "file:x.db?mode=ro&immutable=1"
        );
    }
}
