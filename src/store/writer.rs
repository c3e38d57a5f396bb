//! The one connection that writes.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, FileControl, OpenFlags, TransactionBehavior, config::DbConfig};

use super::checks::hydrate::Resolver;
use super::checks::intern::Interner;
use super::compaction::settle;
use super::error::{Result, StoreError};
use super::facts::meta;
use super::file::lock::{self, Lock};
use super::file::migrate;
use super::file::overwritten::{Header, Mark};
use super::file::rescue::Parts;
use super::replica::standing;
use super::transaction::Batch;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::own_files;

/// Statements kept prepared; there are fewer.
pub(super) const STATEMENTS_MAX: usize = 128;
/// A checkpoint copies the write-ahead log back when it has this many pages (4 MiB).
const CHECKPOINT_PAGES: i64 = 1000;
/// After a checkpoint the log is cut back to this, so that one long reader does not leave a large file for ever.
const LOG_BYTES_MAX: i64 = 16 << 20;

/// The database, open for writing. One thread of one process has it.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) interner: Interner,
    pub(super) resolver: Resolver,
    /// The next number of the journal.
    pub(super) next_seq: i64,
    /// The first check of each monitor that has one.
    pub(super) begun: HashMap<MonitorId, Timestamp>,
    pub(super) settling: Option<settle::Settling>,
    id: String,
    copy: Option<PathBuf>,
    /// The mode that everybody could read the database by until this opening.
    mode_was: Option<u32>,
    /// Where a configured link led.
    link: Option<PathBuf>,
    /// Which files are open.
    pub(super) parts: Parts,
    /// What the file itself said when it was looked at last.
    pub(super) header: Option<Header>,
    /// What only this process wrote into it.
    pub(super) mark: Option<Mark>,
    /// The open database beside SQLite's; closed after it, see [`lock::hold`].
    pub(super) file: File,
    pub(super) lock: Lock,
    _link_lock: Option<Lock>,
}

impl Store {
    /// Opens the database at `path`, makes it and its directory where they are missing, and migrates an older one
    /// after copying it (see [`Store::copy_before_migration`]).
    ///
    /// # Errors
    /// Another daemon runs on it, it is newer, foreign or damaged (then see [`super::file::corruption::set_aside`]), or
    /// the file system refuses.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self> {
        let configured = path;
        let path = &resolved(configured)?;
        make_directory(path)?;
        let lock = Lock::take(path)?;
        // Edition 1 locked beside the link.
        let link_lock = (path != configured).then(|| Lock::take(configured));
        let link_lock = link_lock.transpose()?;
        let (file, mut connection) = connect(path)?;
        let copy = migrate::run(&mut connection, path, now)?;
        let mode_was = tighten_once(&connection, path)?;
        let mut store = Self {
            id: database_id(&connection)?,
            next_seq: connection.query_row(
                "SELECT 1 + max((SELECT coalesce(max(seq), 0) FROM journal),
                                (SELECT coalesce(max(settled_seq), 0) FROM summary))",
                [],
                |row| row.get(0),
            )?,
            begun: HashMap::new(),
            interner: Interner::default(),
            resolver: Resolver::default(),
            settling: None,
            path: path.to_owned(),
            copy,
            mode_was,
            link: (path != configured).then(|| configured.to_owned()),
            connection,
            parts: Parts::of(path),
            header: None,
            mark: None,
            file,
            lock,
            _link_lock: link_lock,
        };
        store.begun = first_checks(&store.connection)?;
        standing::go_on(&store.connection)?;
        Ok(store)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The random number of this database, 32 hexadecimal digits: what makes its Message-IDs unlike those of any other.
    pub fn database_id(&self) -> &str {
        &self.id
    }

    /// The copy that was made before this opening migrated the database.
    pub fn copy_before_migration(&self) -> Option<&Path> {
        self.copy.as_deref()
    }

    /// The mode of a database of an earlier version that gave more than [`own_files::FILE_MODE`], if this opening
    /// changed it.
    pub const fn mode_was(&self) -> Option<u32> {
        self.mode_was
    }

    /// The symbolic link that the configuration names, if it does not name the database itself.
    pub fn link(&self) -> Option<&Path> {
        self.link.as_deref()
    }

    /// Begins a transaction. What is not committed is undone.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn batch(&mut self) -> Result<Batch<'_>> {
        let transaction =
            rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        Ok(Batch {
            transaction: Some(transaction),
            interner: &mut self.interner,
            begun: &mut self.begun,
            next_seq: &mut self.next_seq,
            begun_before: Vec::new(),
        })
    }

    /// Whether the file answers and takes a write: a row of `meta` is rewritten.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn probe(&self, now: Timestamp) -> Result<()> {
        Ok(meta::put(
            &self.connection,
            meta::PROBED_AT,
            Some(&now.as_ms().to_string()),
        )?)
    }

    /// The connection, for the functions of [`super::outbox::queries`].
    pub fn outbox(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Gives back the pages that are kept, as after a start, which reads many that are not needed again.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_pages(&self) -> Result<()> {
        Ok(self.connection.execute_batch("PRAGMA shrink_memory")?)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Readers may be in the way; a stop does not wait for them.
        let _ = self.connection.busy_timeout(Duration::from_millis(100));
        // A reader without write permission reads the file better than a log it cannot replay; failing is no harm.
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

/// When the first check of each monitor began that has one.
pub(super) fn first_checks(connection: &Connection) -> Result<HashMap<MonitorId, Timestamp>> {
    let mut statement =
        connection.prepare("SELECT id, first_at FROM monitors WHERE first_at IS NOT NULL")?;
    let rows = statement.query_map([], |row| {
        Ok((MonitorId(row.get(0)?), Timestamp::from_ms(row.get(1)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Pages that SQLite keeps for itself, in KiB: those of a batch and of the way to them.
const CACHE_KIB: i64 = 1024;

/// Opens the database for writing: the file, which is made and locked, and SQLite's connection to it.
pub(super) fn connect(path: &Path) -> Result<(File, Connection)> {
    let file = open_file(path)?;
    lock::hold(&file, path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    prepare(&connection)?;
    Ok((file, connection))
}

pub(super) fn make_directory(path: &Path) -> Result<()> {
    let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    if directory.is_dir() {
        return Ok(());
    }
    own_files::make_folder(directory).map_err(|source| StoreError::Directory {
        path: directory.to_owned(),
        source,
    })
}

/// The path of the database itself, also if `path` is a link. Edition 1 followed links, and its databases still work.
/// No new database is made through a link, since the maker of the link would choose what is written.
pub(super) fn resolved(path: &Path) -> Result<PathBuf> {
    if !own_files::is_link(path) {
        return Ok(path.to_owned());
    }
    let target = std::fs::read_link(path).unwrap_or_default();
    let link = |why| StoreError::Link {
        path: path.to_owned(),
        target,
        why,
    };
    let Ok(real) = path.canonicalize() else {
        return Err(link(
            "and there is nothing; links are not followed: write the path of the file itself as [daemon].database",
        ));
    };
    match is_ours(&real) {
        // What may not be read is told when it is opened.
        None | Some(true) => Ok(real),
        Some(false) => Err(link(
            "which is not a database of sitewatch; remove the link, or write another path as [daemon].database",
        )),
    }
}

/// Whether the head of a file is that of a database of ours; `None` if it cannot be read.
fn is_ours(path: &Path) -> Option<bool> {
    use std::os::unix::fs::FileExt as _;
    // The head of a SQLite file, and where in it the program has its number.
    const HEAD: &[u8] = b"SQLite format 3\0";
    const OWNER_AT: usize = 68;
    if !path.is_file() {
        return Some(false);
    }
    let mut head = [0; OWNER_AT + 4];
    match File::open(path).and_then(|file| file.read_exact_at(&mut head, 0)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Some(false),
        Err(_) => return None,
    }
    let owner = i32::try_from(migrate::APPLICATION_ID).ok()?.to_be_bytes();
    Some(head.starts_with(HEAD) && head[OWNER_AT..] == owner)
}

/// Opens the file of the database, or makes it: SQLite would go by the umask.
fn open_file(path: &Path) -> Result<File> {
    for end in ["-wal", "-shm"] {
        let part = own_files::beside(path, end);
        if own_files::is_link(&part) {
            return Err(StoreError::Link {
                target: std::fs::read_link(&part).unwrap_or_default(),
                path: part,
                why: "which sitewatch did not make; remove the link",
            });
        }
    }
    own_files::open_or_create(path).map_err(|source| match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::IsADirectory => StoreError::File {
            what: format!("open `{}`", path.display()),
            source: source.kind().into(),
        },
        _ => StoreError::File {
            what: format!("open `{}` for writing", path.display()),
            source,
        },
    })
}

/// Takes from the files of an earlier version what lets everybody read them, once: what somebody sets later stays.
fn tighten_once(connection: &Connection, path: &Path) -> Result<Option<u32>> {
    if meta::get::<i64>(connection, meta::MODE_SET)?.is_some() {
        return Ok(None);
    }
    let mut was = None;
    for end in ["", "-wal", "-shm"] {
        match own_files::tighten(&own_files::beside(path, end)) {
            Ok(mode) => was = was.or(mode),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(
                    "cannot set the mode of {}{end} to 0640: {error}; everybody may read it",
                    path.display()
                );
                return Ok(None);
            }
        }
    }
    meta::put(connection, meta::MODE_SET, Some("1"))?;
    Ok(was)
}

pub(super) fn cannot_open(path: &Path, error: rusqlite::Error) -> StoreError {
    // SQLite says of a directory that the disk failed.
    if path.is_dir() {
        return StoreError::File {
            what: format!("open `{}`", path.display()),
            source: io::ErrorKind::IsADirectory.into(),
        };
    }
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::PermissionDenied) => {
            // Only asked for, not opened: closing a file lets go of SQLite's locks on it in this process.
            match rustix::fs::access(path, rustix::fs::Access::READ_OK).map_err(io::Error::from) {
                Err(source) if source.kind() == io::ErrorKind::NotFound => match lock::holder(path)
                {
                    Some(pid) => StoreError::Removed {
                        path: path.to_owned(),
                        pid,
                    },
                    None => StoreError::Missing {
                        path: path.to_owned(),
                    },
                },
                Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                    StoreError::Denied {
                        path: path.to_owned(),
                        group: own_files::group_of(path),
                    }
                }
                Err(source) => StoreError::File {
                    what: format!("open `{}`", path.display()),
                    source,
                },
                Ok(()) => StoreError::Io(error.to_string()),
            }
        }
        _ => error.into(),
    }
}

fn prepare(connection: &Connection) -> Result<()> {
    // Before the first table; without effect on a database that has one.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Io(format!(
            "the file system does not do write-ahead logging (journal mode {mode})"
        )));
    }
    // A mail that was queued must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    // The kernel keeps the pages as well: reading one again costs a microsecond or two.
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // So that a group that may only read can read after a clean stop: it cannot make the log itself.
    let mut on = 1;
    connection.file_control(None::<&str>, FileControl::PersistWal(&mut on))?;
    Ok(())
}

fn database_id(connection: &Connection) -> Result<String> {
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('database_id', lower(hex(randomblob(16))))
         ON CONFLICT (key) DO NOTHING",
        [],
    )?;
    Ok(connection.query_row(
        "SELECT value FROM meta WHERE key = 'database_id'",
        [],
        |row| row.get(0),
    )?)
}
