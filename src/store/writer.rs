//! The one connection that writes.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::checks::hydrate::Resolver;
use super::checks::intern::Interner;
use super::checks::journal::first_checks;
use super::compaction::settle;
use super::error::Result;
use super::facts::meta;
use super::file::lock::Lock;
use super::file::migrate;
use super::file::open::{connect, make_directory, resolved};
use super::file::overwritten::{Header, Mark};
use super::file::rescue::Parts;
use super::replica::standing;
use super::transaction::Batch;
use crate::domain::monitor::MonitorId;
use crate::domain::timestamp::Timestamp;
use crate::own_files;

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
    /// Whether the log stays as it is when the store is dropped.
    is_left: bool,
    /// The open database beside SQLite's; closed after it, see [`super::file::lock::hold`].
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
            is_left: false,
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

impl Store {
    /// From now on nothing more is written into the file, also when this is dropped: it is damaged, or another's by
    /// now. What is in the log stays there.
    pub fn leave_as_it_is(&mut self) {
        self.is_left = true;
        let _ = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // Readers may be in the way; a stop does not wait for them.
        let _ = self.connection.busy_timeout(Duration::from_millis(100));
        // A reader without write permission reads the file better than a log it cannot replay; failing is no harm.
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
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
